/* SPDX-License-Identifier: MIT */
/* The slow halves of the queue, and its consumer. */
#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define STUCK_MS 100

void
thl_ring_init(struct thl_ring *ring, uint64_t capacity)
{
    assert((capacity & (capacity - 1)) == 0);
    ring->capacity = capacity;
    ring->mask = capacity - 1;
}

bool
thl_ring_take(struct thl_ring *ring)
{
    uint32_t free = THL_RING_FREE;
    return atomic_compare_exchange_strong_explicit(
        &ring->owner, &free, (uint32_t)gettid(), memory_order_acquire, /* pairs with give_back */
        memory_order_relaxed);                                         /* nothing read on failure */
}

void
thl_ring_give_back(struct thl_ring *ring)
{
    atomic_store_explicit(&ring->owner, THL_RING_FREE,
                          memory_order_release); /* pairs with thl_ring_take */
}

/* A word that belongs to its place means that all bytes of the record are there; pushed and tail
 * may lack it. `counted` was stored before the word, so storing both (again) counts the record
 * once. */
void
thl_ring_recover(struct thl_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed), at = ring->reserved;
    uint64_t word = atomic_load_explicit(thl_ring_word(ring, at), memory_order_relaxed); /* own */
    uint32_t size = (uint32_t)word >> 1;
    if (at < tail || size == THL_RING_SKIP || word != thl_ring_word_of(at, size))
        return;
    atomic_store_explicit(&ring->pushed, ring->counted + 1, memory_order_release); /* as commit */
    atomic_store_explicit(&ring->tail, at + thl_ring_need(size), memory_order_release);
}

static bool
is_gone(uint32_t thread)
{
    return syscall(SYS_tgkill, getpid(), thread, 0) < 0 && errno == ESRCH;
}

/* A thread that logged first in the last round of its destructors had no destructor of ours. */
void
thl_ring_reclaim(struct thl_ring *ring)
{
    uint32_t owner = atomic_load_explicit(&ring->owner, memory_order_acquire); /* give_back */
    if (owner <= THL_RING_RECLAIMED || !is_gone(owner) ||
        !atomic_compare_exchange_strong_explicit(&ring->owner, &owner, THL_RING_RECLAIMED,
                                                 memory_order_acquire, memory_order_relaxed))
        return;
    if (atomic_load_explicit(&ring->busy, memory_order_acquire)) /* set_busy */
        thl_ring_recover(ring);
    atomic_store_explicit(&ring->busy, 0, memory_order_release); /* as the owner's own end */
    thl_ring_give_back(ring);
}

bool
thl_ring_try_lock(struct thl_ring *ring)
{
    uint32_t unlocked = 0;
    return atomic_compare_exchange_strong_explicit(
        &ring->lock, &unlocked, 1, memory_order_acquire, /* pairs with thl_ring_unlock */
        memory_order_relaxed);
}

/* Held for one copy only, so whoever waits soon gets it; yielding lets a preempted holder run. One
 * that never comes back (its thread was torn away, or left the call by a longjmp) is waited for
 * once. */
bool
thl_ring_lock(struct thl_ring *ring)
{
    int64_t since_ms = 0;
    for (unsigned n = 1; !thl_ring_try_lock(ring); n++) {
        /* relaxed: a hint */
        if (atomic_load_explicit(&ring->stuck, memory_order_relaxed))
            return false;
        sched_yield();
        if (n % 64 != 0)
            continue;
        if (since_ms == 0)
            since_ms = thl_clock_real_ms();
        else if (thl_clock_real_ms() - since_ms > STUCK_MS)
            atomic_store_explicit(&ring->stuck, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&ring->stuck, 0, memory_order_relaxed);
    return true;
}

void
thl_ring_unlock(struct thl_ring *ring)
{
    atomic_store_explicit(&ring->lock, 0, memory_order_release); /* pairs with try_lock */
}

uint64_t
thl_ring_room_slow(const struct thl_ring *ring, uint64_t most, uint64_t keep)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* own */
    uint64_t used = tail - ring->head_cache + keep + THL_RING_WORD;
    uint64_t room = used < ring->capacity ? ring->capacity - used : 0;
    uint64_t lap = ring->capacity - (tail & ring->mask) - THL_RING_WORD;
    if (room > lap)
        room = lap;
    return room < most ? room : most;
}

void *
thl_ring_reserve_slow(struct thl_ring *ring, uint32_t size, uint64_t keep)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* own */
    uint64_t at = tail & ring->mask, need = thl_ring_need(size);
    uint64_t skip = at + need > ring->capacity ? ring->capacity - at : 0;
    if (tail + skip + need + keep - ring->head_cache > ring->capacity) {
        ring->head_cache =
            atomic_load_explicit(&ring->head, memory_order_acquire); /* pairs with pop */
        if (tail + skip + need + keep - ring->head_cache > ring->capacity)
            return NULL;
    }
    if (skip) /* readable only once tail passes it */
        atomic_store_explicit(thl_ring_word(ring, tail), thl_ring_word_of(tail, THL_RING_SKIP),
                              memory_order_release);
    tail += skip;
    atomic_store_explicit(thl_ring_word(ring, tail), 0, memory_order_relaxed); /* as reserve */
    atomic_signal_fence(memory_order_seq_cst);
    ring->reserved = tail;
    return thl_ring_bytes(ring) + (tail & ring->mask) + THL_RING_WORD;
}

const void *
thl_ring_peek_consumer(struct thl_ring *ring, uint64_t until, uint32_t *size)
{
    /* relaxed: the consumer reads what it wrote itself */
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    while (head < until) {
        uint64_t word = atomic_load_explicit(thl_ring_word(ring, head), memory_order_acquire);
        uint32_t n = (uint32_t)word >> 1;
        assert(word >> 32 == (uint32_t)(head >> 3) && (word & 1u));
        if (n != THL_RING_SKIP) {
            *size = n;
            return thl_ring_bytes(ring) + (head & ring->mask) + THL_RING_WORD;
        }
        head += ring->capacity - (head & ring->mask);
        atomic_store_explicit(&ring->head, head, memory_order_release); /* pairs with reserve */
    }
    return NULL;
}

void
thl_ring_pop_consumer(struct thl_ring *ring, uint32_t size)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);     /* own */
    uint64_t popped = atomic_load_explicit(&ring->popped, memory_order_relaxed); /* own */
    atomic_store_explicit(&ring->popped, popped + 1, memory_order_release);      /* as pushed */
    atomic_store_explicit(&ring->head, head + thl_ring_need(size),
                          memory_order_release); /* pairs with thl_ring_reserve */
}
