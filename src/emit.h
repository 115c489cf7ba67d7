/* SPDX-License-Identifier: MIT */
/*
 * From a log call into a queue.
 *
 * Three ways a record can go, decided by one look at the run page:
 *
 *   running, own ring    reserve, copy, release. No lock, no allocation, no system call.
 *   running, shared ring the same behind a spin lock: more threads than rings, a thread at its end,
 *                        or a signal handler that interrupted its own thread's use of its ring (it
 *                        only tries the lock; refused is counted as dropped).
 *   not running          thl_emit_direct, which the lifecycle provides: direct mode, or stopped.
 *
 * The run page (MADV_WIPEONFORK) holds the epoch of the queues, 0 when there are none. It reads
 * zero in a child process however that was made, so no child ever touches its parent's queues. A
 * thread's ring counts only while the epoch it was taken in is the page's.
 *
 * Against thl_writer_stop: a producer sets ring->busy, then looks at the epoch again. The writer
 * clears the epoch, issues a membarrier, then waits until no ring is busy. So either the producer
 * sees the cleared epoch, or the writer sees busy and waits. Model: tests/race/models/stop.pml.
 */
#ifndef THL_EMIT_H
#define THL_EMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <thole/thole.h>

#include "arena.h"
#include "level.h"
#include "record.h"
#include "ring.h"

struct thl_emit_run {
    _Atomic uint64_t epoch;  /* of the queues; 0: not running */
    _Atomic uint64_t mapped; /* of the arena, which a stop leaves mapped; 0: there is none here */
};

/* What producers ring when a record comes: a futex word. Written by the writer (to nap, to sleep)
 * and by whoever wakes it. */
enum { THL_BELL_AWAKE, THL_BELL_NAPPING, THL_BELL_ASLEEP };

struct thl_emit_queues {
    struct thl_arena *arena;       /* set before the epoch, constant while it stands */
    uint32_t nrings;               /* the last one is the shared one */
    _Atomic uint32_t used;         /* rings ever taken: the writer looks at no others */
    _Atomic uint32_t block_ms;     /* overflow=block:MS, or 0 */
    _Atomic uint32_t record_limit; /* record=, bytes */
    _Alignas(THL_CACHE_LINE) _Atomic uint32_t bell;
};

/* The process's ledger, but for what the rings count themselves (pushed, popped). */
struct thl_emit_ledger {
    _Atomic uint64_t direct;              /* called and routed without a queue */
    _Atomic uint64_t full[THL_LEVELS];    /* dropped: queue_full */
    _Atomic uint64_t stopped[THL_LEVELS]; /* dropped: stopped */
    _Atomic uint64_t discarded;           /* popped and not routed: among `stopped` */
    _Atomic uint32_t discarding;          /* odd while the writer moves records to `discarded` */
    _Atomic uint64_t truncated;
    _Atomic uint64_t suppressed; /* called, and held back by site-rate= */
};

extern _Atomic(struct thl_emit_run *) thl_emit_run;
extern struct thl_emit_queues thl_emit_queues;
extern struct thl_emit_ledger thl_emit_ledger;

/* Provided by the lifecycle. begin gives room for a record of `size` bytes and takes the direct
 * mode's lock, or gives NULL when the record was dropped and counted, or *again when there are
 * queues by now; end writes the record; cancel gives the room back unused. look: in a process that
 * was forked without a handler, clears what was its parent's. */
struct thl_emit_direct {
    void *(*begin)(unsigned level, size_t size, bool *again);
    void (*end)(size_t size);
    void (*cancel)(void);
    void (*look)(void);
};
extern const struct thl_emit_direct thl_emit_direct;

/* Wakes the writer if it naps or sleeps. Async-signal-safe. */
void thl_emit_wake(void);

/* The same, but leaves it its nap where the ring has little: it is back before that fills. */
void thl_emit_ring_bell(struct thl_ring *ring, uint32_t bell);

static inline uint64_t
thl_emit_epoch(void)
{
    struct thl_emit_run *run = atomic_load_explicit(&thl_emit_run, memory_order_acquire);
    return atomic_load_explicit(&run->epoch, memory_order_acquire); /* start */
}

/* Publishes the reserved record, and wakes the writer where it must be. */
static inline void
thl_emit_commit(struct thl_ring *ring, uint32_t size)
{
    bool quarter = thl_ring_commit(ring, size);
    thl_ring_look_ahead(ring, size);
    /* relaxed: the writer's membarrier before its second look orders this load after the commit */
    uint32_t bell = atomic_load_explicit(&thl_emit_queues.bell, memory_order_relaxed);
    if (THL_UNLIKELY(bell == THL_BELL_ASLEEP || (quarter && bell == THL_BELL_NAPPING)))
        thl_emit_ring_bell(ring, bell);
}

/* A log call of a call site, with its block of values. The level has passed the gate. */
void thl_emit_site(thole_logger lg, unsigned level, const thole_site_ *site, uint64_t *word,
                   const void *values);

/* The same for a call that is not the usual one: emit_fast.c. */
void thl_emit_generally(thole_logger lg, unsigned level, const thole_site_ *site, uint64_t *word,
                        const void *values) THL_COLD;

/* A record with a message and keys of its own. The level has passed the gate. */
void thl_emit_fields(thole_logger lg, unsigned level, const char *msg, size_t msg_size,
                     const thole_field *fields, size_t n);

/* A message without fields, made by printf: `size` bytes, of which `kept` at most are in `text`. */
struct thl_emit_where {
    const char *file; /* "" when it is not known */
    unsigned line;
};
void thl_emit_text(thole_logger lg, unsigned level, struct thl_emit_where where, const char *text,
                   size_t size, size_t kept);

/* Encodes one of thole's own notices into `to` (`room` bytes); its size, or 0 when it does not fit.
 */
size_t thl_emit_notice(void *to, size_t room, unsigned level, const char *msg,
                       const thole_field *fields, size_t n);

/* Around the popping of queued records that the end left no time for; their number by level. A
 * snapshot waits for the end of it, so it must be short. The writer's. */
void thl_emit_discard_begin(void);
void thl_emit_discard_end(const uint64_t *by_level);

/* thl_emit_wake for whoever waits for the writer: the thread that was about to wake it may never
 * come to it (cancelled there, or left by a handler that does not return). */
void thl_emit_wake_surely(void);

/* This thread must never wait for room: it is a writer's or a sink's. */
void thl_emit_never_wait(void);

#endif
