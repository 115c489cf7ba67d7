/* SPDX-License-Identifier: MIT */
/* Slots, blocks and gates. */
#include "slab.h"
#include "slab_context.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "block.h"
#include "clock.h"
#include "compiler.h"
#include "field.h"
#include "pool.h"
#include "rack.h"
#include "site.h"

/* The table that every handle points into, 8 MiB of address space of which only what is used takes
 * memory. An array and not a mapping: it is there before the first call, without a constructor. */
static uint64_t gates[THL_SLAB_SLOTS] __attribute__((aligned(64)));
THL_EXPORT uint64_t *thole_gates_ = gates;

/* generation:32 | thl_slab_now_ds:32 of a slot's last child that was seen in a record. A table of
 * its own: whoever dispatches does not touch what the makers of children write. */
static _Atomic uint64_t uses[THL_SLAB_SLOTS];

struct thl_slab_counts thl_slab_counts;

static uint32_t process; /* which one, of a line of forks; written before there are other threads */

struct thl_pool thl_slab_pool = {.item_bytes = sizeof(struct thl_slot),
                                 .next_offset = offsetof(struct thl_slot, next)};

#define SPARE_BYTES 512 /* a larger block is not kept by a free slot */

static uint64_t
life_of(uint32_t generation, uint32_t references)
{
    return (uint64_t)generation << 32 | references;
}

uint32_t
thl_slab_now_ds(void)
{
    return (uint32_t)(thl_clock_coarse_ms() / 100) + 1;
}

/* ---- the block that a free slot keeps; only for whoever has the slot ---- */

static uint32_t
take_spare(struct thl_slot *slot)
{
    uint32_t spare = atomic_load_explicit(&slot->spare, memory_order_relaxed);
    atomic_store_explicit(&slot->spare, 0, memory_order_relaxed);
    return spare ? spare - 1 : THL_BLOCK_NONE;
}

static void
keep_spare(struct thl_slot *slot, uint32_t block)
{
    if (block == THL_BLOCK_NONE || thl_block_room(block) > SPARE_BYTES)
        thl_block_give_back(block);
    else
        atomic_store_explicit(&slot->spare, block + 1, memory_order_relaxed);
}

void
thl_slab_drop_block(uint32_t item)
{
    thl_block_give_back(take_spare(thl_pool_find(&thl_slab_pool, item)));
}

/* THL_BLOCK_NONE without memory. */
static uint32_t
take_block(struct thl_slot *slot, uint32_t size)
{
    uint32_t block = take_spare(slot);
    if (THL_LIKELY(block != THL_BLOCK_NONE) && THL_LIKELY(thl_block_fits(block, size)))
        return block;
    thl_block_give_back(block);
    return thl_block_take(size);
}

/* ---- life ---- */

/* A slot for the first time begins with generation 1; later with the one its last end left. */
static thole_logger
begin_life(uint32_t item, const struct thl_slab_birth *birth, uint32_t block)
{
    struct thl_slot *slot = thl_pool_find(&thl_slab_pool, item);
    const bool named = thl_slab_is_named(birth->parent);
    /* relaxed: the slot is ours alone until `life` is stored with release below */
    uint64_t context = atomic_load_explicit(&slot->context, memory_order_relaxed);
    uint32_t generation =
        thl_slab_life_generation(atomic_load_explicit(&slot->life, memory_order_relaxed));
    if (generation == 0)
        generation = 1;
    atomic_store_explicit(&slot->site, birth->site, memory_order_relaxed);
    atomic_store_explicit(&slot->logger, birth->logger, memory_order_relaxed);
    atomic_store_explicit(&slot->level, birth->level, memory_order_relaxed);
    atomic_store_explicit(&slot->born_ds, thl_slab_now_ds(), memory_order_relaxed);
    atomic_store_explicit(&slot->parent, named ? 0 : thl_slab_slot_of(birth->parent),
                          memory_order_relaxed);
    atomic_store_explicit(&slot->parent_generation, thl_slab_generation_of(birth->parent),
                          memory_order_relaxed);
    atomic_store_explicit(&slot->process, process, memory_order_relaxed);
    atomic_store_explicit(&slot->context, ((context >> 32) + 1) << 32 | block,
                          memory_order_release); /* pairs with thl_slab_open */
    /* relaxed: nobody sets this generation's gate before it sees `life` */
    __atomic_store_n(&gates[item + THL_SLAB_NAMED], thl_slab_gate(generation, birth->threshold),
                     __ATOMIC_RELAXED);
    atomic_store_explicit(&slot->life, life_of(generation, 1),
                          memory_order_release); /* pairs with thl_slab_open */
    return (thole_logger){(uint64_t)generation << 32 | (uint64_t)birth->logger << 20 |
                          (item + THL_SLAB_NAMED)};
}

int
thl_slab_create(thole_logger *out, const struct thl_slab_birth *birth)
{
    struct thl_rack *rack;
    uint32_t item, block = THL_BLOCK_NONE;
    int rc = thl_rack_take(birth->site, &item, &rack);
    if (rc < 0)
        return rc;
    if (birth->size) {
        block = take_block(thl_pool_find(&thl_slab_pool, item), birth->size);
        if (THL_UNLIKELY(block == THL_BLOCK_NONE)) {
            thl_rack_cancel(rack, birth->site, item);
            return -ENOMEM;
        }
        thl_block_fill(block, birth->context, birth->size);
    }
    *out = begin_life(item, birth, block);
    thl_rack_unlock(rack);
    return 0;
}

bool
thl_slab_ref(thole_logger lg)
{
    struct thl_slot *slot = thl_slab_find(lg);
    if (!slot)
        return false;
    uint64_t life = atomic_load_explicit(&slot->life, memory_order_relaxed); /* only compared */
    do {
        if (thl_slab_life_generation(life) != thl_slab_generation_of(lg) ||
            thl_slab_life_references(life) == 0)
            return false;
        if (thl_slab_life_references(life) ==
            UINT32_MAX) /* saturated: it will never end, and never wrap */
            return true;
    } while (!atomic_compare_exchange_weak_explicit(&slot->life, &life, life + 1,
                                                    memory_order_relaxed, /* adds no access */
                                                    memory_order_relaxed));
    return true;
}

/* Only the thread whose compare-and-swap ended the life comes here. */
static void
end_life(struct thl_slot *slot, thole_logger lg)
{
    unsigned number = thl_slab_slot_of(lg);
    uint32_t generation = thl_slab_generation_of(lg) + 1;
    uint64_t context = atomic_load_explicit(&slot->context, memory_order_relaxed);
    uint32_t site = atomic_load_explicit(&slot->site, memory_order_relaxed); /* constant */
    /* A bind that raced with the end may still win the exchange: then its block is the one to free.
     * acq_rel: pairs with thl_slab_replace on both sides. */
    while (!atomic_compare_exchange_weak_explicit(&slot->context, &context,
                                                  ((context >> 32) + 1) << 32 | THL_SLAB_NO_BLOCK,
                                                  memory_order_acq_rel, memory_order_relaxed))
        ;
    keep_spare(slot, (uint32_t)context);
    __atomic_store_n(&gates[number], (uint64_t)generation << 32, __ATOMIC_RELAXED); /* a hint */
    /* relaxed: constant for one child */
    thl_site_note_life(site, thl_slab_now_ds() -
                                 atomic_load_explicit(&slot->born_ds, memory_order_relaxed));
    thl_rack_give(site, number - THL_SLAB_NAMED, generation != UINT32_MAX); /* else retired */
}

bool
thl_slab_unref(thole_logger lg)
{
    struct thl_slot *slot = thl_slab_find(lg);
    if (!slot)
        return false;
    uint64_t life = atomic_load_explicit(&slot->life, memory_order_relaxed), next;
    do {
        if (thl_slab_life_generation(life) != thl_slab_generation_of(lg) ||
            thl_slab_life_references(life) == 0)
            return false;
        if (thl_slab_life_references(life) == UINT32_MAX)
            return true;
        next = thl_slab_life_references(life) > 1 ? life - 1
                                                  : life_of(thl_slab_life_generation(life) + 1, 0);
    } while (!atomic_compare_exchange_weak_explicit(&slot->life, &life, next,
                                                    memory_order_acq_rel, /* pairs with itself */
                                                    memory_order_relaxed));
    if (thl_slab_life_references(next) == 0)
        end_life(slot, lg);
    return true;
}

bool
thl_slab_open(struct thl_slab_ref *ref, thole_logger lg)
{
    do /* a size that is another child's would cut this record's values */
        if (!thl_slab_peek(ref, lg))
            return false;
    while (!thl_slab_is_unchanged(ref));
    return true;
}

int
thl_slab_replace(const struct thl_slab_ref *ref, const void *context, uint32_t size)
{
    uint64_t old = ref->context;
    uint32_t block = thl_block_take(size);
    if (block == THL_BLOCK_NONE)
        return -ENOMEM;
    thl_block_fill(block, context, size);
    if (!atomic_compare_exchange_strong_explicit(
            &ref->slot->context, &old, ((old >> 32) + 1) << 32 | block,
            memory_order_acq_rel, /* pairs with thl_slab_open, and with end_life */
            memory_order_relaxed)) {
        thl_block_give_back(block);
        return -EAGAIN;
    }
    thl_block_give_back((uint32_t)ref->context);
    return 0;
}

void
thl_slab_set_gate(thole_logger lg, unsigned threshold)
{
    unsigned number = thl_slab_slot_of(lg);
    uint64_t want = thl_slab_gate(thl_slab_generation_of(lg), threshold);
    uint64_t old = __atomic_load_n(&gates[number], __ATOMIC_RELAXED);
    /* Generations only grow, so a late setter never opens another child's gate. acq_rel: pairs with
     * itself, also when nothing changes. */
    while (old >> 32 == want >> 32 &&
           !__atomic_compare_exchange_n(&gates[number], &old, want, true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
        ;
}

unsigned
thl_slab_threshold_of(thole_logger lg)
{
    /* relaxed: a level may be seen a little late */
    uint64_t gate = __atomic_load_n(&gates[thl_slab_slot_of(lg)], __ATOMIC_RELAXED);
    uint64_t threshold = gate - thl_slab_gate(thl_slab_generation_of(lg), 0);
    return threshold < UINT32_MAX ? (unsigned)threshold : UINT32_MAX;
}

bool
thl_slab_walk(uint32_t *at, uint32_t n, thl_slab_fn fn, void *arg)
{
    uint32_t made = thl_pool_end(&thl_slab_pool);
    uint32_t end = n < made - *at ? *at + n : made;
    for (; *at < end; ++*at) {
        struct thl_slot *slot = thl_pool_find(&thl_slab_pool, *at);
        if (!slot)
            continue;
        uint64_t life = atomic_load_explicit(&slot->life, memory_order_acquire); /* begin_life */
        uint32_t logger = atomic_load_explicit(&slot->logger, memory_order_relaxed);
        thole_logger lg = {life_of(thl_slab_life_generation(life), 0) | (uint64_t)logger << 20 |
                           (*at + THL_SLAB_NAMED)};
        if (thl_slab_life_references(life) > 0)
            fn(arg, lg, slot);
    }
    return end < made;
}

void
thl_slab_each(thl_slab_fn fn, void *arg)
{
    uint32_t at = 0;
    thl_slab_walk(&at, THL_SLAB_SLOTS, fn, arg);
}

/* relaxed, both: coarse times. A later child of the slot was noted, perhaps, but no earlier one is
 * noted after it. */
void
thl_slab_note_use(thole_logger lg)
{
    _Atomic uint64_t *use = &uses[thl_slab_slot_of(lg)];
    uint32_t generation = thl_slab_generation_of(lg);
    if (thl_slab_is_named(lg))
        return;
    if (thl_slab_life_generation(atomic_load_explicit(use, memory_order_relaxed)) <= generation)
        atomic_store_explicit(use, life_of(generation, thl_slab_now_ds()), memory_order_relaxed);
}

uint32_t
thl_slab_used_ds(thole_logger lg)
{
    /* relaxed: as above */
    uint64_t use = atomic_load_explicit(&uses[thl_slab_slot_of(lg)], memory_order_relaxed);
    return thl_slab_life_generation(use) == thl_slab_generation_of(lg) ? (uint32_t)use : 0;
}

bool
thl_slab_is_orphan(const struct thl_slot *slot)
{
    uint32_t parent = atomic_load_explicit(&slot->parent, memory_order_relaxed); /* constant */
    if (parent == 0)
        return false;
    const struct thl_slot *of = thl_pool_find(&thl_slab_pool, parent - THL_SLAB_NAMED);
    uint64_t life = of ? atomic_load_explicit(&of->life, memory_order_relaxed) : 0; /* a hint */
    return thl_slab_life_generation(life) !=
           atomic_load_explicit(&slot->parent_generation, memory_order_relaxed);
}

bool
thl_slab_is_own(const struct thl_slot *slot)
{
    return atomic_load_explicit(&slot->process, memory_order_relaxed) == process; /* constant */
}

static void
recount(void *arg, thole_logger child, struct thl_slot *slot)
{
    uint32_t *live = arg;
    struct thl_site_counts *c =
        thl_site_counts(atomic_load_explicit(&slot->site, memory_order_relaxed));
    (void)child;
    atomic_fetch_add_explicit(&c->made, 1, memory_order_relaxed); /* alone here, all three */
    atomic_fetch_add_explicit(&c->quota.peak, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->quota.credits, 1, memory_order_relaxed);
    ++*live;
}

/* Counted anew: a thread that was making or ending a child did not come along. */
void
thl_slab_after_fork(void)
{
    uint32_t live = 0, nsites = thl_site_count();
    process++;
    thl_rack_forget_holders();
    for (uint32_t id = 0; id <= nsites; id++)
        thl_site_forget_counts(id);
    thl_slab_each(recount, &live);
    thl_rack_after_fork(live);
}
