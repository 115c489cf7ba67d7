/* SPDX-License-Identifier: MIT */
/*
 * A bounded queue of records between one producer and one consumer, readable after a crash.
 *
 *            head (consumer)            tail (producer)
 *              v                          v
 *   [ ....... | word record | word record | free ........ ]
 *
 * Positions are bytes and only ever grow; the place of position p is p & (capacity - 1). A record
 * is one 8-byte word and its bytes, padded to 8, never split by the end of the buffer: the rest of
 * a lap is skipped by a word of size THL_RING_SKIP.
 *
 *   word = (position / 8) : 32 | size : 31 | committed : 1
 *
 * The word is stored after the bytes and tail after the word, both with release, so a reader that
 * comes after the producer's death at any instruction finds whole records up to tail, and never a
 * record of an earlier lap: the position in the word would not match. A reader must stop at tail,
 * or it would believe words that an attacker put into a value.
 *
 * Writers: tail, head_cache, reserved, counted, pushed, busy: the producer (the thread that owns
 * the ring, or whoever took it back from one that is gone; of the shared ring whoever holds
 * `lock`). head, popped, last_ns: the consumer. owner: who takes it, by compare-and-swap from free;
 * who takes it back, by compare-and-swap from the dead thread's id; whoever has it gives it back by
 * a store.
 *
 * Ordering: word and tail (release) pair with thl_ring_peek_consumer (acquire): bytes before tail.
 * head (release, consumer) pairs with thl_ring_reserve (acquire): read before overwritten. owner
 * (release) pairs with thl_ring_take (acquire): the next owner sees the last one's tail.
 *
 * `busy` is set around each use. A signal handler that interrupts a use sees it and goes to the
 * shared ring; thl_writer_stop waits for it after it has closed the gate (see writer.c).
 *
 * Progress: wait-free for both. Models: tests/race/models/ring.pml, recover.pml; stress:
 * tests/race/ring.c.
 */
#ifndef THL_RING_H
#define THL_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define THL_RING_BYTES_OFFSET 512
#define THL_RING_WORD 8
#define THL_RING_SKIP 0x7FFFFFFFu
#define THL_RING_AHEAD 1024

/* Of a ring's owner; else the owner's thread id. */
enum { THL_RING_FREE, THL_RING_RECLAIMED };

struct thl_ring {
    _Alignas(THL_CACHE_LINE) _Atomic uint64_t tail;
    uint64_t head_cache, reserved, counted;
    _Atomic uint64_t pushed; /* records */
    _Atomic uint32_t busy;

    _Alignas(THL_CACHE_LINE) _Atomic uint64_t head;
    _Atomic uint64_t popped; /* records */
    int64_t last_ns;         /* time of the last record taken: time never runs back in a ring */

    _Alignas(THL_CACHE_LINE) uint64_t capacity, mask; /* of both, for each record: a line apart */
    _Atomic uint32_t owner;
    _Atomic uint32_t lock;  /* shared ring only: 1 while held */
    _Atomic uint32_t stuck; /* it was held for very long */
};

_Static_assert(sizeof(struct thl_ring) <= THL_RING_BYTES_OFFSET, "header before the bytes");

void thl_ring_init(struct thl_ring *ring, uint64_t capacity);

/* Takes the ring for the calling thread; false when it is not free. Async-signal-safe. */
bool thl_ring_take(struct thl_ring *ring);
void thl_ring_give_back(struct thl_ring *ring);

/* Gives the ring back in the place of an owner that is gone, if it is. Async-signal-safe. */
void thl_ring_reclaim(struct thl_ring *ring);

/* The owner's, at its end, when that came in the middle of a push: completes what was committed. */
void thl_ring_recover(struct thl_ring *ring);

/* The lock of the shared ring. Async-signal-safe; `try_` refuses rather than waits. */
bool thl_ring_try_lock(struct thl_ring *ring);
bool thl_ring_lock(struct thl_ring *ring); /* false: whoever has it is gone */
void thl_ring_unlock(struct thl_ring *ring);

/* What is less than `most`, by what is known of head. */
uint64_t thl_ring_room_slow(const struct thl_ring *ring, uint64_t most, uint64_t keep) THL_COLD;

/* Skips to the next lap or looks at head again; the slow half of thl_ring_reserve. */
void *thl_ring_reserve_slow(struct thl_ring *ring, uint32_t size, uint64_t keep) THL_COLD;

static inline unsigned char *
thl_ring_bytes(struct thl_ring *ring)
{
    return (unsigned char *)ring + THL_RING_BYTES_OFFSET;
}

static inline _Atomic uint64_t *
thl_ring_word(struct thl_ring *ring, uint64_t position)
{
    return (_Atomic uint64_t *)(void *)(thl_ring_bytes(ring) + (position & ring->mask));
}

static inline uint64_t
thl_ring_word_of(uint64_t position, uint32_t size)
{
    return (position >> 3) << 32 | (uint64_t)size << 1 | 1u;
}

static inline uint64_t
thl_ring_need(uint32_t size)
{
    return THL_RING_WORD + (((uint64_t)size + 7u) & ~UINT64_C(7));
}

/* How large a record may be that goes where the last one ended, at least `keep` bytes staying free:
 * `most` (a multiple of 8), or less where the lap's end or the consumer is near. Producer only. */
static inline uint64_t
thl_ring_room(const struct thl_ring *ring, uint64_t most, uint64_t keep)
{
    /* relaxed: the producer reads what it wrote itself */
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t at = tail & ring->mask, need = most + THL_RING_WORD;
    if (THL_UNLIKELY(at + need > ring->capacity ||
                     tail + need + keep - ring->head_cache > ring->capacity))
        return thl_ring_room_slow(ring, most, keep);
    return most;
}

/* Begins a record there. One that is not committed is simply forgotten. Producer only. */
static inline void *
thl_ring_open(struct thl_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* own */
    /* relaxed: only to make a stale word of an earlier lap unreadable; the release below orders */
    atomic_store_explicit(thl_ring_word(ring, tail), 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* first: thl_ring_recover must not find it stale */
    ring->reserved = tail;
    return thl_ring_bytes(ring) + (tail & ring->mask) + THL_RING_WORD;
}

/* Room for a record of `size` bytes, at least `keep` bytes staying free; NULL when there is none.
 * Producer only. */
static inline void *
thl_ring_reserve(struct thl_ring *ring, uint32_t size, uint64_t keep)
{
    const uint64_t most = thl_ring_need(size) - THL_RING_WORD;
    if (THL_UNLIKELY(thl_ring_room(ring, most, keep) < most))
        return thl_ring_reserve_slow(ring, size, keep);
    return thl_ring_open(ring);
}

/* Publishes the reserved record. Returns true when tail crossed a quarter of the ring: time to look
 * whether the writer naps. Producer only. */
static inline bool
thl_ring_commit(struct thl_ring *ring, uint32_t size)
{
    uint64_t at = ring->reserved, end = at + thl_ring_need(size);
    uint64_t pushed = atomic_load_explicit(&ring->pushed, memory_order_relaxed); /* own */
    ring->counted = pushed;
    atomic_signal_fence(memory_order_seq_cst); /* before the word: see thl_ring_recover */
    atomic_store_explicit(thl_ring_word(ring, at), thl_ring_word_of(at, size),
                          memory_order_release); /* pairs with a reader after our death */
    /* release, before tail: a snapshot that counts the record as popped counts it as pushed too */
    atomic_store_explicit(&ring->pushed, pushed + 1, memory_order_release);
    atomic_store_explicit(&ring->tail, end,
                          memory_order_release); /* pairs with thl_ring_peek_consumer */
    return ((at ^ end) & (ring->capacity >> 2)) != 0;
}

/* What the next records will be written over was read by the consumer, on another core: asks for as
 * many lines, a little ahead, as this record took. Producer only. */
static inline void
thl_ring_look_ahead(struct thl_ring *ring, uint32_t size)
{
    uint64_t at = ring->reserved + THL_RING_AHEAD;
    for (uint64_t end = at + thl_ring_need(size); at < end; at += THL_CACHE_LINE)
        THL_PREFETCH_TO_WRITE(thl_ring_bytes(ring) + (at & ring->mask));
}

static inline uint64_t
thl_ring_tail_consumer(struct thl_ring *ring)
{
    return atomic_load_explicit(&ring->tail, memory_order_acquire); /* pairs with commit */
}

/* The oldest record before position `until` (a value of thl_ring_tail_consumer); NULL when there is
 * none. Consumer only. */
const void *thl_ring_peek_consumer(struct thl_ring *ring, uint64_t until, uint32_t *size);

/* Lets the record that was peeked go, and counts it as routed. Consumer only. */
void thl_ring_pop_consumer(struct thl_ring *ring, uint32_t size);

#endif
