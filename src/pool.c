/* SPDX-License-Identifier: MIT */
/* Chunks and the free stack. */
#include "pool.h"

#include <sys/mman.h>

#define GROUP 512u /* new items among which they are spread; divides THL_POOL_CHUNK */

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

/* Of new items in their order the place: eight apart within each group. */
static uint32_t
spread(uint32_t ticket)
{
    uint32_t in_group = ticket % GROUP;
    return ticket - in_group + (in_group % (GROUP / 8) * 8 + in_group / (GROUP / 8));
}

static bool
take_new(struct thl_pool *pool, uint32_t limit, uint32_t *item)
{
    /* relaxed: the number is a ticket; what it names is published by ensure_chunk */
    uint32_t ticket = atomic_load_explicit(&pool->made, memory_order_relaxed);
    do {
        if (ticket >= limit || ticket >= THL_POOL_ITEMS || !ensure_chunk(pool, ticket))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&pool->made, &ticket, ticket + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    *item = spread(ticket);
    return true;
}

/* Follows up to `n` links from the top `old`; *below is what would be the top then. */
static uint32_t
follow(struct thl_pool *pool, uint64_t old, uint32_t *items, uint32_t n, uint32_t *below)
{
    uint32_t taken = 0;
    *below = (uint32_t)old;
    while (taken < n && *below != 0 && thl_pool_find(pool, *below - 1)) {
        items[taken] = *below - 1;
        /* relaxed: if the item was taken meanwhile, the tag has moved and the exchange fails */
        *below = atomic_load_explicit(next_of(pool, items[taken++]), memory_order_relaxed);
    }
    return taken;
}

uint32_t
thl_pool_take(struct thl_pool *pool, uint32_t limit, uint32_t *items, uint32_t n)
{
    uint64_t old = atomic_load_explicit(&pool->free, memory_order_acquire); /* as below */
    uint32_t taken = 0, below;
    while ((uint32_t)old != 0) {
        uint32_t found = follow(pool, old, items, n, &below);
        if (atomic_compare_exchange_weak_explicit(&pool->free, &old, top(old, below),
                                                  memory_order_acquire, /* pairs with give_back */
                                                  memory_order_acquire)) {
            taken = found;
            break;
        }
    }
    while (taken < n && take_new(pool, limit, &items[taken]))
        taken++;
    return taken;
}

void
thl_pool_give_back(struct thl_pool *pool, const uint32_t *items, uint32_t n)
{
    uint64_t old = atomic_load_explicit(&pool->free, memory_order_relaxed); /* only compared */
    for (uint32_t i = 0; i + 1 < n; i++)                                    /* release: as below */
        atomic_store_explicit(next_of(pool, items[i]), items[i + 1] + 1, memory_order_release);
    do {
        /* release: a stale reader of this word must see all that ended the item's last life */
        atomic_store_explicit(next_of(pool, items[n - 1]), (uint32_t)old, memory_order_release);
    } while (!atomic_compare_exchange_weak_explicit(&pool->free, &old, top(old, items[0] + 1),
                                                    memory_order_release, /* pairs with take */
                                                    memory_order_relaxed));
}

uint32_t
thl_pool_end(struct thl_pool *pool)
{
    uint32_t made = atomic_load_explicit(&pool->made, memory_order_relaxed); /* a bound */
    return (made + GROUP - 1) / GROUP * GROUP;
}
