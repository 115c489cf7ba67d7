/* SPDX-License-Identifier: MIT */
/* Blocks by size. */
#include "block.h"

#include <string.h>

#define POOL(bytes)                                                                                \
    {                                                                                              \
        .item_bytes = (bytes), .next_offset = 0                                                    \
    }
struct thl_pool thl_block_pools[THL_BLOCK_CLASSES] = {
    POOL(32),  POOL(64),   POOL(96),   POOL(128),  POOL(192),  POOL(256),  POOL(384),  POOL(520),
    POOL(768), POOL(1032), POOL(1536), POOL(2056), POOL(3072), POOL(4104), POOL(6144), POOL(8200),
};

/* The class of blocks for so many bytes, or THL_BLOCK_CLASSES. */
static uint32_t
find_class(uint32_t size)
{
    uint32_t c = 0;
    while (c < THL_BLOCK_CLASSES && size + 8 > thl_block_pools[c].item_bytes)
        c++;
    return c;
}

uint32_t
thl_block_take(uint32_t size)
{
    uint32_t item, c = find_class(size);
    if (c == THL_BLOCK_CLASSES || thl_pool_take(&thl_block_pools[c], THL_POOL_ITEMS, &item, 1) == 0)
        return THL_BLOCK_NONE;
    return c << THL_BLOCK_SHIFT | item;
}

void
thl_block_give_back(uint32_t block)
{
    uint32_t item = block & ((1u << THL_BLOCK_SHIFT) - 1);
    if (block != THL_BLOCK_NONE)
        thl_pool_give_back(&thl_block_pools[block >> THL_BLOCK_SHIFT], &item, 1);
}

bool
thl_block_fits(uint32_t block, uint32_t size)
{
    uint32_t c = block >> THL_BLOCK_SHIFT;
    return size + 8 <= thl_block_pools[c].item_bytes &&
           (c == 0 || size + 8 > thl_block_pools[c - 1].item_bytes);
}

void
thl_block_fill(uint32_t block, const void *from, uint32_t size)
{
    _Atomic uint64_t *to = thl_block_words(block);
    const unsigned char *bytes = from;
    uint32_t n = (size + 7) / 8;
    atomic_store_explicit(to, size, memory_order_release); /* pairs with thl_slab_copy */
    for (uint32_t i = 0; i < n; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * (size_t)i, 8);
        atomic_store_explicit(&to[1 + i], word, memory_order_release); /* as above */
    }
}
