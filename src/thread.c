/* SPDX-License-Identifier: MIT */
/* Threads with signals blocked, and their number. */
#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

struct task {
    void *(*run)(void *);
    void *arg;
    char name[16]; /* as many as the kernel keeps */
};

static _Atomic unsigned count; /* relaxed: a number by itself */

static void
leave(void *arg)
{
    (void)arg;
    atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
}

/* Also counts out one that a sink ended by pthread_exit. */
static void *
begin(void *arg)
{
    struct task task = *(struct task *)arg;
    void *result;
    free(arg);
    (void)prctl(PR_SET_NAME, task.name); /* for people only */
    pthread_cleanup_push(leave, NULL);
    result = task.run(task.arg);
    pthread_cleanup_pop(1);
    return result;
}

/* What a fault raises on its own thread stays open. */
static void
block_signals(sigset_t *old)
{
    static const int of_a_fault[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t ours;
    sigfillset(&ours);
    for (size_t i = 0; i < sizeof(of_a_fault) / sizeof(*of_a_fault); i++)
        sigdelset(&ours, of_a_fault[i]);
    pthread_sigmask(SIG_SETMASK, &ours, old);
}

int
thl_thread_create(pthread_t *thread, const pthread_attr_t *attr, const char *name,
                  void *(*run)(void *), void *arg)
{
    sigset_t old;
    struct task *task = malloc(sizeof(*task));
    if (!task)
        return ENOMEM;
    *task = (struct task){.run = run, .arg = arg};
    snprintf(task->name, sizeof(task->name), "%s", name);
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    block_signals(&old);
    int rc = pthread_create(thread, attr, begin, task);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        leave(NULL);
        free(task);
    }
    return rc;
}

unsigned
thl_thread_count(void)
{
    return atomic_load_explicit(&count, memory_order_relaxed);
}

void
thl_thread_after_fork(void)
{
    atomic_store_explicit(&count, 0, memory_order_relaxed); /* alone here */
}
