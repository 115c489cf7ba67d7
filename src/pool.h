/* SPDX-License-Identifier: MIT */
/*
 * Items of one size at addresses that never change and are never unmapped, so that even a stale
 * reference may be read. Memory is taken in chunks as the number of items grows and follows the
 * peak of items in use, never the number made.
 *
 *   chunk[0] -> [ item 0 .. item 1023 ]   chunk[1] -> [ item 1024 .. ]   ...
 *
 * Free items form a stack (Treiber): `free` is {tag:32, item + 1:32}, and the word at next_offset
 * of a free item holds the item + 1 below it. The tag grows with every push and pop, so a pop that
 * slept while the stack came back to the same top fails its compare-and-swap (ABA). Several are
 * pushed and popped at once; a pop that was overtaken may follow links that are no links any more,
 * so each is looked at before it is followed.
 *
 * New items that are handed out one after the other lie eight apart: two threads that take one each
 * do not share the cache lines of what belongs to them (a table of 8 bytes for each, as well).
 *
 * Ordering: push (release) pairs with pop (acquire): whoever takes an item sees all that its last
 * user did. A chunk's pointer (release) pairs with thl_pool_find (acquire): zeroed memory.
 * Progress: lock-free. Model: tests/race/models/slab.pml.
 */
#ifndef THL_POOL_H
#define THL_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THL_POOL_CHUNK 1024u /* items */
#define THL_POOL_CHUNKS 1040u
#define THL_POOL_ITEMS (THL_POOL_CHUNK * THL_POOL_CHUNKS)

struct thl_pool {
    uint32_t item_bytes, next_offset; /* multiples of 8 */
    _Atomic uint32_t made;            /* items ever handed out anew */
    _Alignas(64) _Atomic uint64_t free;
    _Alignas(64) _Atomic(unsigned char *) chunk[THL_POOL_CHUNKS];
};

/* Up to `n` free items; how many there were, fewer past `limit` items or without memory. A new item
 * reads zero. */
uint32_t thl_pool_take(struct thl_pool *pool, uint32_t limit, uint32_t *items, uint32_t n);
void thl_pool_give_back(struct thl_pool *pool, const uint32_t *items, uint32_t n);

/* All items that were ever handed out are below this. */
uint32_t thl_pool_end(struct thl_pool *pool);

/* The item's address, or NULL when it was never handed out. */
static inline void *
thl_pool_find(struct thl_pool *pool, uint32_t item)
{
    if (item >= THL_POOL_ITEMS)
        return NULL;
    unsigned char *chunk = atomic_load_explicit(&pool->chunk[item / THL_POOL_CHUNK],
                                                memory_order_acquire); /* pairs with grow */
    return chunk ? chunk + (size_t)(item % THL_POOL_CHUNK) * pool->item_bytes : NULL;
}

#endif
