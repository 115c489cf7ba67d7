/* SPDX-License-Identifier: MIT */
/* Taking racks. */
#include "rack_lock.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define STUCK 100 /* times: its holder was torn away, or left by a longjmp */
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
    for (unsigned i = 0; i < LOOKS * STUCK; i++) {
        struct thl_rack *rack = thl_rack_try_own();
        if (THL_LIKELY(rack != NULL))
            return rack;
        sched_yield();
    }
    return NULL;
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
thl_rack_try(struct thl_rack *rack)
{
    return try_lock(rack);
}

bool
thl_rack_lock(struct thl_rack *rack)
{
    for (unsigned i = 0; i < LOOKS; i++) {
        if (try_lock(rack)) {
            atomic_store_explicit(&rack->stuck, 0, memory_order_relaxed); /* a hint */
            return true;
        }
        if (atomic_load_explicit(&rack->stuck, memory_order_relaxed) >= STUCK) /* the same */
            return false;
        wait_for_holder(i);
    }
    atomic_fetch_add_explicit(&rack->stuck, 1, memory_order_relaxed); /* the same */
    return false;
}

/* Whoever is stuck lets nobody live. */
void
thl_rack_pass(void)
{
    for (uint32_t i = 0; i < THL_RACKS; i++) {
        bool locked;
        while (!(locked = thl_rack_lock(&thl_racks[i])) &&
               atomic_load_explicit(&thl_racks[i].stuck, memory_order_relaxed) < STUCK) /* a hint */
            ;
        if (locked)
            thl_rack_unlock(&thl_racks[i]);
    }
}
