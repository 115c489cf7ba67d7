/* SPDX-License-Identifier: MIT */
/* Chunks and the free stack. */
#include "pool.h"

#include <sys/mman.h>

static _Atomic uint32_t *
next_of(struct thl_pool *pool, uint32_t item)
{
    unsigned char *at = thl_pool_find(pool, item);
    return (_Atomic uint32_t *)(void *)(at + pool->next_offset);
}

static uint64_t
top(uint64_t old, uint32_t item_plus_1)
{
    return ((old >> 32) + 1) << 32 | item_plus_1;
}

/* Two threads may map the same chunk: one wins, the other unmaps its own. */
static bool
ensure_chunk(struct thl_pool *pool, uint32_t item)
{
    _Atomic(unsigned char *) *slot = &pool->chunk[item / THL_POOL_CHUNK];
    size_t bytes = (size_t)pool->item_bytes * THL_POOL_CHUNK;
    unsigned char *none = NULL;
    if (atomic_load_explicit(slot, memory_order_acquire)) /* pairs with the exchange below */
        return true;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    if (!atomic_compare_exchange_strong_explicit(slot, &none, p, memory_order_release,
                                                 memory_order_relaxed)) /* theirs is as good */
        munmap(p, bytes);
    return true;
}

static uint32_t
take_new(struct thl_pool *pool, uint32_t limit)
{
    /* relaxed: the number is a ticket; what it names is published by ensure_chunk */
    uint32_t item = atomic_load_explicit(&pool->made, memory_order_relaxed);
    do {
        if (item >= limit || item >= THL_POOL_ITEMS || !ensure_chunk(pool, item))
            return THL_POOL_NONE;
    } while (!atomic_compare_exchange_weak_explicit(&pool->made, &item, item + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return item;
}

uint32_t
thl_pool_take(struct thl_pool *pool, uint32_t limit)
{
    uint64_t old = atomic_load_explicit(&pool->free, memory_order_acquire); /* as below */
    while ((uint32_t)old != 0) {
        uint32_t item = (uint32_t)old - 1;
        /* relaxed: if the item was taken meanwhile, the tag has moved and the exchange fails */
        uint32_t below = atomic_load_explicit(next_of(pool, item), memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&pool->free, &old, top(old, below),
                                                  memory_order_acquire, /* pairs with give_back */
                                                  memory_order_acquire))
            return item;
    }
    return take_new(pool, limit);
}

void
thl_pool_give_back(struct thl_pool *pool, uint32_t item)
{
    uint64_t old = atomic_load_explicit(&pool->free, memory_order_relaxed); /* only compared */
    do {
        /* release: a stale reader of this word must see all that ended the item's last life */
        atomic_store_explicit(next_of(pool, item), (uint32_t)old, memory_order_release);
    } while (!atomic_compare_exchange_weak_explicit(&pool->free, &old, top(old, item + 1),
                                                    memory_order_release, /* pairs with take */
                                                    memory_order_relaxed));
}
