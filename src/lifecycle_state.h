/* SPDX-License-Identifier: MIT */
/* What the files of the lifecycle share. */
#ifndef THL_LIFECYCLE_STATE_H
#define THL_LIFECYCLE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "dispatch.h"
#include "lifecycle.h"

/* STOPPING: a thread is in thole_stop and holds no lock while it waits; nobody else starts or
 * stops. */
enum thl_life_state {
    THL_LIFE_UNCONFIGURED,
    THL_LIFE_DIRECT,
    THL_LIFE_RUNNING,
    THL_LIFE_STOPPING,
    THL_LIFE_STOPPED
};

struct thl_life {
    pthread_mutex_t lock; /* starting, stopping, configuring; in direct mode each record */

    /* Held, inside `lock`, only while `dispatch` and `arena` change: what a snapshot may wait for.
     */
    pthread_mutex_t shown;
    pthread_cond_t changed; /* the state, away from STOPPING; see thl_life_init_changed */
    _Atomic enum thl_life_state state; /* written under the lock, read anywhere */
    struct thl_dispatch *dispatch;     /* one at a time; NULL before the first configuration */
    struct thl_arena arena;
    int stopped;    /* (lock) what the last stop of a running one came to */
    uint64_t epoch; /* of this process's queues; grows with each fork */
    bool changing;  /* (lock) a configuration is half made; a forked process looks at it */
};
extern struct thl_life thl_life;

static inline enum thl_life_state
thl_life_state(void)
{
    return atomic_load_explicit(&thl_life.state, memory_order_acquire); /* pairs with set_state */
}

static inline void
thl_life_set_state(enum thl_life_state state)
{
    atomic_store_explicit(&thl_life.state, state, memory_order_release); /* pairs with state */
}

/* The lock, in whatever process this is. try_: false when whoever has it (in direct mode it may be
 * inside a sink, at a start in a look-up of names) keeps it for so long. */
void thl_life_lock(void);
bool thl_life_try_lock(int timeout_ms);

/* `changed` waits on CLOCK_MONOTONIC; before the first start and in a child process. */
void thl_life_init_changed(void);

/* exit() drains for at most a second. */
void thl_life_at_exit(void);

/* Nothing is queued and nothing pending. */
bool thl_life_is_all_done(void);

/* This thread is inside a snapshot, a flush or a stop, which a signal handler that forks has
 * interrupted: what they wait for cannot be waited for. */
bool thl_life_is_inside(void);

/* This thread is between the handlers of fork, in one of the daemon's own: the writer stands still,
 * and whoever would wait for it waits for ever. */
bool thl_life_is_forking(void);

/* Handlers of fork; once in a process. */
void thl_life_watch_forks(void);

/* In a forked process, when the configuration was half made: none is known. */
void thl_life_forget_settings(void);

#endif
