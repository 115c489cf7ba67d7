/* SPDX-License-Identifier: MIT */
/* Threads with signals blocked. */
#include "thread.h"

#include <signal.h>
#include <stddef.h>

int
thl_thread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    static const int of_a_fault[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t ours, old;
    sigfillset(&ours);
    for (size_t i = 0; i < sizeof(of_a_fault) / sizeof(*of_a_fault); i++)
        sigdelset(&ours, of_a_fault[i]);
    pthread_sigmask(SIG_SETMASK, &ours, &old);
    int rc = pthread_create(thread, attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}
