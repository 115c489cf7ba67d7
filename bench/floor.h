/* SPDX-License-Identifier: MIT */
/*
 * The least that handing a record to another thread can cost: the time, a copy into a ring of one's
 * own, a release store; another thread reads all bytes and lets them go.
 *
 * Who writes what: `tail` and the bytes from head to tail + 1 record the producer, `head` the one
 * consumer. tail (release) pairs with the consumer's acquire: the bytes; head (release) with the
 * producer's acquire: they have been read. Nothing is checked, and nothing survives anything.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "bench.h"

#define FLOOR_RING_BYTES (1u << 20) /* as queue= has by default */

struct floor_ring {
    _Alignas(128) _Atomic uint64_t tail;
    uint64_t head_cache;
    _Alignas(128) _Atomic uint64_t head;
    _Alignas(128) unsigned char bytes[FLOOR_RING_BYTES];
};

struct floor {
    struct floor_ring *ring; /* `n` of them */
    unsigned n;
    _Atomic int stop;
    uint64_t records, bytes, sum; /* the consumer's, until it is joined */
    pthread_t consumer;
};

void floor_start(struct floor *f, unsigned rings);

/* Ends when all that was pushed has been read; dies when that is not `records`. */
void floor_stop(struct floor *f, uint64_t records);

/* `size` is a multiple of 8, at most 4096, and the same for all records of the ring. */
static inline void
floor_push(struct floor_ring *r, const void *payload, uint32_t size)
{
    uint64_t now = bench_ticks();
    /* relaxed: the producer reads what it wrote itself */
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t need = 16 + (uint64_t)size, at = tail & (FLOOR_RING_BYTES - 1);
    if (at + need > FLOOR_RING_BYTES) { /* the next lap: a size of 0 says so */
        memset(r->bytes + at, 0, 8);
        tail += FLOOR_RING_BYTES - at;
        at = 0;
    }
    while (tail + need - r->head_cache > FLOOR_RING_BYTES)
        r->head_cache = atomic_load_explicit(&r->head, memory_order_acquire); /* consume() */
    uint64_t header[2] = {size, now};
    memcpy(r->bytes + at, header, 16);
    memcpy(r->bytes + at + 16, payload, size);
    atomic_store_explicit(&r->tail, tail + need, memory_order_release); /* pairs with consume() */
}

#endif
