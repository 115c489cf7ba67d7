/* SPDX-License-Identifier: MIT */
/* The page that is empty in a child process. */
#include "wipe.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiler.h"
#include "emit.h"

enum { WIPED, KNOWN, BEING_MADE_READY };

struct page {
    struct thl_emit_run run;
    _Atomic uint32_t state;
};

static struct page no_page = {.state = KNOWN}; /* until the real one is mapped */
static _Atomic(struct page *) page = &no_page;

int
thl_wipe_map(void)
{
    if (atomic_load_explicit(&page, memory_order_relaxed) != &no_page) /* one caller at a time */
        return 0;
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    struct page *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    madvise(p, bytes, MADV_WIPEONFORK); /* where it fails, the handlers of fork still work */
    atomic_store_explicit(&p->state, KNOWN, memory_order_relaxed); /* published below */
    atomic_store_explicit(&page, p, memory_order_release);         /* pairs with thl_wipe_look */
    atomic_store_explicit(&thl_emit_run, &p->run, memory_order_release); /* pairs with emit */
    return 0;
}

void
thl_wipe_look(void (*become_child)(void))
{
    struct page *p = atomic_load_explicit(&page, memory_order_acquire);
    uint32_t wiped = WIPED;
    if (THL_LIKELY(atomic_load_explicit(&p->state, memory_order_acquire) == KNOWN))
        return;
    sigset_t all, old; /* a handler that logs would wait for what it interrupted */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (atomic_compare_exchange_strong_explicit(&p->state, &wiped, BEING_MADE_READY,
                                                memory_order_acq_rel, memory_order_acquire)) {
        become_child();
        atomic_store_explicit(&p->state, KNOWN, memory_order_release); /* pairs with the loads */
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    while (atomic_load_explicit(&p->state, memory_order_acquire) != KNOWN)
        sched_yield();
}

void
thl_wipe_known(void)
{
    struct page *p = atomic_load_explicit(&page, memory_order_relaxed); /* alone in the process */
    /* already so, but where the kernel did not wipe: its parent's queues are not mapped here */
    atomic_store_explicit(&p->run.epoch, 0, memory_order_relaxed);
    atomic_store_explicit(&p->run.mapped, 0, memory_order_relaxed);
    atomic_store_explicit(&p->state, KNOWN, memory_order_release); /* as above */
}
