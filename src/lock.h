/* SPDX-License-Identifier: MIT */
/*
 * Locks that their holder may take again. While a process forks the forking thread has all of them,
 * and a handler of fork of the daemon's own may log, make a logger or ask for the ledger then; and
 * a signal handler that forks may have interrupted a call that has one.
 */
#ifndef THL_LOCK_H
#define THL_LOCK_H

#include <pthread.h>
#include <time.h>

#ifdef PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP
#define THL_LOCK_INITIALIZER PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP
#else /* musl: until thl_lock_init */
#define THL_LOCK_INITIALIZER PTHREAD_MUTEX_INITIALIZER
#endif

static inline void
thl_lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

/* Its deadlines are of CLOCK_MONOTONIC. */
static inline void
thl_lock_init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

#endif
