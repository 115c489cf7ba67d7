/* SPDX-License-Identifier: MIT */
/* Taking racks. */
#include "rack_lock.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define LOOKS 200 /* at a lock that is held, before it is let be: some 15 ms */

struct thl_rack thl_racks[THL_RACKS];
_Atomic uint32_t thl_racks_used;

static _Atomic uint32_t next; /* thread's first rack */
static THL_TLS uint32_t own;  /* this thread's rack + 1 */

static bool
try_lock(struct thl_rack *rack)
{
    /* acquire: pairs with unlock */
    return atomic_exchange_explicit(&rack->lock, 1, memory_order_acquire) == 0;
}

void
thl_rack_unlock(struct thl_rack *rack)
{
    atomic_store_explicit(&rack->lock, 0, memory_order_release); /* pairs with try_lock */
}

/* This thread's from now on. */
static THL_COLD void
move_to(uint32_t number)
{
    uint32_t n =
        atomic_load_explicit(&thl_racks_used, memory_order_relaxed); /* a bound for readers */
    while (n <= number &&
           !atomic_compare_exchange_weak_explicit(&thl_racks_used, &n, number + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    own = number + 1;
}

static THL_COLD struct thl_rack *
try_others(void)
{
    for (uint32_t i = 0; i < THL_RACKS; i++) {
        /* relaxed: any number does */
        uint32_t number = own ? own : atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
        move_to(number % THL_RACKS);
        if (try_lock(&thl_racks[own - 1]))
            return &thl_racks[own - 1];
    }
    return NULL;
}

struct thl_rack *
thl_rack_try_own(void)
{
    if (THL_LIKELY(own != 0) && THL_LIKELY(try_lock(&thl_racks[own - 1])))
        return &thl_racks[own - 1];
    return try_others();
}

struct thl_rack *
thl_rack_lock_own(void)
{
    struct thl_rack *rack;
    while (!(rack = thl_rack_try_own()))
        sched_yield();
    return rack;
}

/* A holder that was put off its processor needs some time to come back. */
static void
wait_for_holder(unsigned looks)
{
    int state;
    if (looks < LOOKS / 2) {
        sched_yield();
        return;
    }
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 100000}, NULL);
    pthread_setcancelstate(state, NULL);
}

bool
thl_rack_lock(struct thl_rack *rack)
{
    for (unsigned i = 0; i < LOOKS; i++) {
        if (try_lock(rack))
            return true;
        wait_for_holder(i);
    }
    return false;
}

void
thl_rack_pass(void)
{
    for (uint32_t i = 0; i < THL_RACKS; i++) {
        while (!thl_rack_lock(&thl_racks[i]))
            ;
        thl_rack_unlock(&thl_racks[i]);
    }
}
