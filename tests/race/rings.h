/* SPDX-License-Identifier: MIT */
/* The pool of rings, looked at from outside while the library runs. */
#ifndef THL_RACE_RINGS_H
#define THL_RACE_RINGS_H

#include "emit.h"

static inline struct thl_ring *
rings_at(uint32_t i)
{
    return thl_arena_ring(thl_emit_queues.arena, i);
}

/* The rings that threads have for themselves now: the last one is shared. */
static inline uint32_t
rings_owned(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i + 1 < thl_emit_queues.nrings; i++)
        n += atomic_load(&rings_at(i)->owner) != THL_RING_FREE;
    return n;
}

/* The records that ever went into the shared ring. */
static inline uint64_t
rings_shared_pushes(void)
{
    return atomic_load(&rings_at(thl_emit_queues.nrings - 1)->pushed);
}

#endif
