/* SPDX-License-Identifier: MIT */
/*
 * Blocks of memory for contexts, from size-classed pools.
 *
 *   block   class:4 | number in its pool:28
 *   word 0  of a live block the size of the context in bytes; of a free one its link in the pool
 *   word 1  and on: the context's bytes
 *
 * Words are stored with release and loaded with acquire: see slab.h, context copy.
 */
#ifndef THL_BLOCK_H
#define THL_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

#define THL_BLOCK_NONE UINT32_MAX
#define THL_BLOCK_CLASSES 16u
#define THL_BLOCK_SHIFT 28u

extern struct thl_pool thl_block_pools[THL_BLOCK_CLASSES];

/* A block that holds `size` bytes, or THL_BLOCK_NONE without memory. */
uint32_t thl_block_take(uint32_t size);
void thl_block_give_back(uint32_t block);

/* Whether a block is what thl_block_take would give for so many bytes. */
bool thl_block_fits(uint32_t block, uint32_t size);

/* Fills the block. `from` has room for size padded to 8. */
void thl_block_fill(uint32_t block, const void *from, uint32_t size);

static inline _Atomic uint64_t *
thl_block_words(uint32_t block)
{
    return thl_pool_find(&thl_block_pools[block >> THL_BLOCK_SHIFT],
                         block & ((1u << THL_BLOCK_SHIFT) - 1));
}

static inline uint32_t
thl_block_room(uint32_t block)
{
    return thl_block_pools[block >> THL_BLOCK_SHIFT].item_bytes - 8;
}

#endif
