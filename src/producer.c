/* SPDX-License-Identifier: MIT */
/* Rings taken and given back. */
#include "producer.h"

#include <pthread.h>
#include <unistd.h>

#include "clock.h"

#define RECLAIM_EVERY_MS 1000

THL_TLS struct thl_producer thl_producer_own;
_Atomic bool thl_producer_one_has_left;

static pthread_key_t ring_key;
static bool key_allocates; /* glibc keeps the values of a process's first 32 keys in place */

static uint64_t
mapped_epoch(void)
{
    struct thl_emit_run *run = atomic_load_explicit(&thl_emit_run, memory_order_acquire);
    return atomic_load_explicit(&run->mapped, memory_order_acquire); /* pairs with start */
}

/* At the thread's end, running or stopped. The ring is forgotten before it is given back: a handler
 * in between must not write into what another thread may own by then. */
static void
leave_ring(void *ring)
{
    thl_producer_own.leaving = true;
    atomic_store_explicit(&thl_producer_one_has_left, true, memory_order_seq_cst); /* the bell */
    thl_emit_wake();
    bool ours = thl_producer_own.ring == ring && thl_producer_own.epoch != 0 &&
                thl_producer_own.epoch == mapped_epoch();
    thl_producer_own.ring = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    if (!ours)
        return;
    if (atomic_load_explicit(&((struct thl_ring *)ring)->busy, memory_order_relaxed)) {
        /* cancelled in the middle of a record, or of waking the writer */
        thl_ring_recover(ring);
        thl_producer_set_busy(ring, 0);
        thl_emit_wake_surely();
    }
    thl_ring_give_back(ring);
}

int
thl_producer_init(void)
{
    static bool made;
    if (made)
        return 0;
    int rc = pthread_key_create(&ring_key, leave_ring);
    made = rc == 0;
    key_allocates = ring_key >= 32;
    return -rc;
}

/* Any value brings the destructor; a ring that is taken later takes its place. */
void
thl_producer_watch(void)
{
    if (!pthread_getspecific(ring_key))
        (void)pthread_setspecific(ring_key, &ring_key); /* else its end goes unnoticed */
}

/* The rings are another process's; this one has taken none. */
void
thl_producer_after_fork(void)
{
    atomic_store_explicit(&thl_emit_queues.used, 0, memory_order_relaxed); /* alone here */
    atomic_store_explicit(&thl_emit_queues.bell, THL_BELL_AWAKE, memory_order_relaxed);
    atomic_store_explicit(&thl_producer_one_has_left, false, memory_order_relaxed);
}

void
thl_producer_note_used(uint32_t n)
{
    uint32_t used = atomic_load_explicit(&thl_emit_queues.used, memory_order_relaxed);
    /* seq_cst: before any record is pushed to it, the writer's scan covers the ring */
    while (used < n &&
           !atomic_compare_exchange_weak_explicit(&thl_emit_queues.used, &used, n,
                                                  memory_order_seq_cst, memory_order_relaxed))
        ;
}

static struct thl_ring *
find_free_ring(void)
{
    for (uint32_t i = 0; i + 1 < thl_emit_queues.nrings; i++) {
        struct thl_ring *ring = thl_arena_ring(thl_emit_queues.arena, i);
        if (!thl_ring_take(ring))
            continue;
        if (pthread_setspecific(ring_key, ring) == 0) {
            thl_producer_note_used(i + 1);
            return ring;
        }
        thl_ring_give_back(ring);
        return NULL;
    }
    return NULL;
}

/* All rings are taken: once a second, those of threads that are gone are given back. */
static void
reclaim_rings(void)
{
    static _Atomic int64_t last_ms;
    int64_t now = thl_clock_mono_ms(), last = atomic_load_explicit(&last_ms, memory_order_relaxed);
    if (now - last < RECLAIM_EVERY_MS ||
        !atomic_compare_exchange_strong_explicit(&last_ms, &last, now, memory_order_relaxed,
                                                 memory_order_relaxed)) /* a clock */
        return;
    for (uint32_t i = 0; i + 1 < thl_emit_queues.nrings; i++)
        thl_ring_reclaim(thl_arena_ring(thl_emit_queues.arena, i));
}

/* Whether this thread's records in the shared ring have been taken out: only then a ring of its own
 * cannot overtake them. */
bool
thl_producer_is_shared_empty(uint64_t epoch)
{
    struct thl_ring *ring = thl_arena_ring(thl_emit_queues.arena, thl_emit_queues.nrings - 1);
    return thl_producer_own.shared_epoch != epoch ||
           atomic_load_explicit(&ring->head, memory_order_acquire) >=
               thl_producer_own.shared_end; /* pop */
}

/* A ring for this thread, or NULL: all are taken, or the thread is at its end, or its destructor
 * could not be had without an allocation (a daemon with 32 keys of its own should start thole
 * before it makes them). Meanwhile a handler goes to the shared ring; one that came just before may
 * have taken a ring already. */
THL_COLD struct thl_ring *
thl_producer_take_ring(uint64_t epoch)
{
    if (thl_producer_own.leaving || key_allocates || !thl_producer_is_shared_empty(epoch))
        return NULL;
    thl_producer_own.taking = true;
    atomic_signal_fence(memory_order_seq_cst);
    if (!thl_producer_own.ring || thl_producer_own.epoch != epoch) {
        struct thl_ring *ring = find_free_ring();
        if (!ring)
            reclaim_rings(); /* for the next call */
        thl_producer_own.epoch = epoch;
        thl_producer_own.ring = ring;
    }
    atomic_signal_fence(memory_order_seq_cst);
    thl_producer_own.taking = false;
    return thl_producer_own.ring;
}
