/* SPDX-License-Identifier: MIT */
/* Slots, blocks and gates. */
#include "slab.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "compiler.h"
#include "pool.h"
#include "site.h"

/* The table that every handle points into, 8 MiB of address space of which only what is used takes
 * memory. An array and not a mapping: it is there before the first call, without a constructor. */
static uint64_t gates[THL_SLAB_SLOTS] __attribute__((aligned(64)));
THL_EXPORT uint64_t *thole_gates_ = gates;

struct thl_slab_counts thl_slab_counts = {.limit = 65536};

static uint32_t process; /* which one, of a line of forks; written before there are other threads */

static struct thl_pool slots = {.item_bytes = sizeof(struct thl_slot),
                                .next_offset = offsetof(struct thl_slot, next)};

/* Blocks: the class is in the top four bits of a block's number. Word 0 of a free block is its link
 * in the pool; of a live one the size of the context. */
#define CLASSES 16u
#define CLASS_SHIFT 28u
#define CLASS_POOL(bytes)                                                                          \
    {                                                                                              \
        .item_bytes = (bytes), .next_offset = 0                                                    \
    }
static struct thl_pool blocks[CLASSES] = {
    CLASS_POOL(32),   CLASS_POOL(64),   CLASS_POOL(96),   CLASS_POOL(128),
    CLASS_POOL(192),  CLASS_POOL(256),  CLASS_POOL(384),  CLASS_POOL(520),
    CLASS_POOL(768),  CLASS_POOL(1032), CLASS_POOL(1536), CLASS_POOL(2056),
    CLASS_POOL(3072), CLASS_POOL(4104), CLASS_POOL(6144), CLASS_POOL(8200),
};

static uint32_t
generation_of(uint64_t life)
{
    return (uint32_t)(life >> 32);
}

static uint32_t
references_of(uint64_t life)
{
    return (uint32_t)life;
}

static uint64_t
life_of(uint32_t generation, uint32_t references)
{
    return (uint64_t)generation << 32 | references;
}

static struct thl_slot *
slot_at(thole_logger lg)
{
    unsigned slot = thl_slab_slot_of(lg);
    return slot < THL_SLAB_NAMED ? NULL : thl_pool_find(&slots, slot - THL_SLAB_NAMED);
}

static _Atomic uint64_t *
block_words(uint32_t block)
{
    return thl_pool_find(&blocks[block >> CLASS_SHIFT], block & ((1u << CLASS_SHIFT) - 1));
}

static uint32_t
block_room(uint32_t block)
{
    return blocks[block >> CLASS_SHIFT].item_bytes - 8;
}

static void
store_words(_Atomic uint64_t *to, const void *from, uint32_t size)
{
    const unsigned char *bytes = from;
    uint32_t whole = size / 8;
    uint64_t word;
    atomic_store_explicit(to, size, memory_order_release); /* pairs with thl_slab_copy */
    for (uint32_t i = 0; i < whole; i++) {
        memcpy(&word, bytes + 8 * (size_t)i, 8);
        atomic_store_explicit(&to[1 + i], word, memory_order_release); /* as above */
    }
    if (size % 8) {
        word = 0;
        memcpy(&word, bytes + 8 * (size_t)whole, size % 8);
        atomic_store_explicit(&to[1 + whole], word, memory_order_release); /* as above */
    }
}

static uint32_t
make_block(const void *context, uint32_t size)
{
    for (uint32_t c = 0; c < CLASSES; c++) {
        if (size + 8 > blocks[c].item_bytes)
            continue;
        uint32_t item = thl_pool_take(&blocks[c], THL_POOL_ITEMS);
        if (item == THL_POOL_NONE)
            return THL_SLAB_NO_BLOCK;
        uint32_t block = c << CLASS_SHIFT | item;
        store_words(block_words(block), context, size);
        return block;
    }
    return THL_SLAB_NO_BLOCK;
}

static void
free_block(uint32_t block)
{
    if (block != THL_SLAB_NO_BLOCK)
        thl_pool_give_back(&blocks[block >> CLASS_SHIFT], block & ((1u << CLASS_SHIFT) - 1));
}

/* Counts one more live child, unless that would pass the limit: never above it, not for a moment.
 */
static bool
count_in(void)
{
    /* relaxed, all of them: counters, ordering nothing */
    uint32_t limit = atomic_load_explicit(&thl_slab_counts.limit, memory_order_relaxed);
    uint32_t live = atomic_load_explicit(&thl_slab_counts.live, memory_order_relaxed);
    do {
        if (live >= limit)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&thl_slab_counts.live, &live, live + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    uint32_t peak = atomic_load_explicit(&thl_slab_counts.peak, memory_order_relaxed);
    while (peak < live + 1 &&
           !atomic_compare_exchange_weak_explicit(&thl_slab_counts.peak, &peak, live + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    return true;
}

/* Never below nothing: where a handler forked amid a birth or an end, the child process counted
 * without that child, and then went on with it. */
static void
count_out(void)
{
    /* relaxed: a counter */
    uint32_t live = atomic_load_explicit(&thl_slab_counts.live, memory_order_relaxed);
    while (live > 0 &&
           !atomic_compare_exchange_weak_explicit(&thl_slab_counts.live, &live, live - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

uint32_t
thl_slab_now_ds(void)
{
    return (uint32_t)(thl_clock_coarse_ms() / 100) + 1;
}

/* A slot for the first time begins with generation 1; later with the one its last end left. */
static void
begin_life(uint32_t item, const struct thl_slab_birth *birth, uint32_t block, thole_logger *out)
{
    struct thl_slot *slot = thl_pool_find(&slots, item);
    const bool named = thl_slab_is_named(birth->parent);
    const uint32_t now_ds = thl_slab_now_ds();
    /* relaxed, both: counters */
    thl_site_count_birth(birth->site, now_ds,
                         atomic_load_explicit(&thl_slab_counts.made, memory_order_relaxed),
                         atomic_load_explicit(&thl_slab_counts.live, memory_order_relaxed));
    /* relaxed: the slot is ours alone until `life` is stored with release below */
    uint64_t context = atomic_load_explicit(&slot->context, memory_order_relaxed);
    uint32_t generation = generation_of(atomic_load_explicit(&slot->life, memory_order_relaxed));
    if (generation == 0)
        generation = 1;
    atomic_store_explicit(&slot->site, birth->site, memory_order_relaxed);
    atomic_store_explicit(&slot->logger, birth->logger, memory_order_relaxed);
    atomic_store_explicit(&slot->level, birth->level, memory_order_relaxed);
    atomic_store_explicit(&slot->born_ds, now_ds, memory_order_relaxed);
    atomic_store_explicit(&slot->used_ds, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->parent, named ? 0 : thl_slab_slot_of(birth->parent),
                          memory_order_relaxed);
    atomic_store_explicit(&slot->parent_generation, thl_slab_generation_of(birth->parent),
                          memory_order_relaxed);
    atomic_store_explicit(&slot->process, process, memory_order_relaxed);
    atomic_store_explicit(&slot->context, ((context >> 32) + 1) << 32 | block,
                          memory_order_release); /* pairs with thl_slab_open */
    atomic_store_explicit(&slot->life, life_of(generation, 1),
                          memory_order_release); /* pairs with thl_slab_open */
    out->bits =
        (uint64_t)generation << 32 | (uint64_t)birth->logger << 20 | (item + THL_SLAB_NAMED);
    /* relaxed: the inline test asks the library, which looks at `life` */
    __atomic_store_n(&gates[item + THL_SLAB_NAMED], (uint64_t)generation << 32, __ATOMIC_RELAXED);
}

int
thl_slab_create(thole_logger *out, const struct thl_slab_birth *birth)
{
    if (!count_in())
        return -ENOSPC;
    uint32_t item = thl_pool_take(&slots, THL_SLAB_SLOTS - THL_SLAB_NAMED);
    if (item == THL_POOL_NONE)
        goto no_slot;
    uint32_t block = birth->size ? make_block(birth->context, birth->size) : THL_SLAB_NO_BLOCK;
    if (birth->size && block == THL_SLAB_NO_BLOCK)
        goto no_block;
    begin_life(item, birth, block, out);
    atomic_fetch_add_explicit(&thl_slab_counts.made, 1,
                              memory_order_acq_rel); /* pairs with thl_slab_walk */
    return 0;

no_block:
    thl_pool_give_back(&slots, item);
no_slot:
    count_out();
    return -ENOMEM;
}

struct thl_slot *
thl_slab_find(thole_logger lg)
{
    struct thl_slot *slot = slot_at(lg);
    if (!slot)
        return NULL;
    uint64_t life = atomic_load_explicit(&slot->life, memory_order_acquire); /* begin_life */
    bool live = generation_of(life) == thl_slab_generation_of(lg) && references_of(life) > 0 &&
                atomic_load_explicit(&slot->logger, memory_order_relaxed) ==
                    thl_slab_logger_of(lg); /* relaxed: constant for one generation */
    return live ? slot : NULL;
}

bool
thl_slab_ref(thole_logger lg)
{
    struct thl_slot *slot = thl_slab_find(lg);
    if (!slot)
        return false;
    uint64_t life = atomic_load_explicit(&slot->life, memory_order_relaxed); /* only compared */
    do {
        if (generation_of(life) != thl_slab_generation_of(lg) || references_of(life) == 0)
            return false;
        if (references_of(life) == UINT32_MAX) /* saturated: it will never end, and never wrap */
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
    /* A bind that raced with the end may still win the exchange: then its block is the one to free.
     * acq_rel: pairs with thl_slab_replace on both sides. */
    while (!atomic_compare_exchange_weak_explicit(&slot->context, &context,
                                                  ((context >> 32) + 1) << 32 | THL_SLAB_NO_BLOCK,
                                                  memory_order_acq_rel, memory_order_relaxed))
        ;
    free_block((uint32_t)context);
    __atomic_store_n(&gates[number], (uint64_t)generation << 32, __ATOMIC_RELAXED); /* a hint */
    /* relaxed, both: constant for one child */
    thl_site_count_end(atomic_load_explicit(&slot->site, memory_order_relaxed),
                       thl_slab_now_ds() -
                           atomic_load_explicit(&slot->born_ds, memory_order_relaxed));
    count_out();
    if (generation != UINT32_MAX) /* else retired */
        thl_pool_give_back(&slots, number - THL_SLAB_NAMED);
}

bool
thl_slab_unref(thole_logger lg)
{
    struct thl_slot *slot = thl_slab_find(lg);
    if (!slot)
        return false;
    uint64_t life = atomic_load_explicit(&slot->life, memory_order_relaxed), next;
    do {
        if (generation_of(life) != thl_slab_generation_of(lg) || references_of(life) == 0)
            return false;
        if (references_of(life) == UINT32_MAX)
            return true;
        next = references_of(life) > 1 ? life - 1 : life_of(generation_of(life) + 1, 0);
    } while (!atomic_compare_exchange_weak_explicit(&slot->life, &life, next,
                                                    memory_order_acq_rel, /* pairs with itself */
                                                    memory_order_relaxed));
    if (references_of(next) == 0)
        end_life(slot, lg);
    return true;
}

/* Whether the child is the one that `ref` saw, with the same context. relaxed: if a word of the
 * context came from a later writer, acquiring it has made the change of `context` or `life` that
 * came before it visible here. */
static bool
is_unchanged(const struct thl_slab_ref *ref)
{
    uint64_t life = atomic_load_explicit(&ref->slot->life, memory_order_relaxed);
    return atomic_load_explicit(&ref->slot->context, memory_order_relaxed) == ref->context &&
           generation_of(life) == ref->generation && references_of(life) > 0;
}

static void
read_size(struct thl_slab_ref *ref)
{
    uint32_t block = (uint32_t)ref->context;
    ref->size = 0;
    if (block == THL_SLAB_NO_BLOCK)
        return;
    uint64_t size =
        atomic_load_explicit(block_words(block), memory_order_acquire); /* store_words */
    ref->size = size < block_room(block) ? (uint32_t)size : block_room(block);
}

bool
thl_slab_open(struct thl_slab_ref *ref, thole_logger lg)
{
    do { /* a size that is another child's would cut this record's values */
        ref->slot = thl_slab_find(lg);
        if (!ref->slot)
            return false;
        ref->generation = thl_slab_generation_of(lg);
        ref->context =
            atomic_load_explicit(&ref->slot->context, memory_order_acquire); /* begin_life */
        read_size(ref);
    } while (!is_unchanged(ref));
    return true;
}

bool
thl_slab_copy(const struct thl_slab_ref *ref, void *to)
{
    unsigned char *bytes = to;
    if ((uint32_t)ref->context != THL_SLAB_NO_BLOCK) {
        _Atomic uint64_t *from = block_words((uint32_t)ref->context);
        for (uint32_t i = 0; i < (ref->size + 7) / 8; i++) {
            uint64_t word = atomic_load_explicit(&from[1 + i], memory_order_acquire); /* same */
            memcpy(bytes + 8 * (size_t)i, &word, 8);
        }
    }
    return is_unchanged(ref);
}

int
thl_slab_replace(const struct thl_slab_ref *ref, const void *context, uint32_t size)
{
    uint64_t old = ref->context;
    uint32_t block = make_block(context, size);
    if (block == THL_SLAB_NO_BLOCK)
        return -ENOMEM;
    if (!atomic_compare_exchange_strong_explicit(
            &ref->slot->context, &old, ((old >> 32) + 1) << 32 | block,
            memory_order_acq_rel, /* pairs with thl_slab_open, and with end_life */
            memory_order_relaxed)) {
        free_block(block);
        return -EAGAIN;
    }
    free_block((uint32_t)ref->context);
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
    atomic_fetch_add_explicit(&thl_slab_counts.made, 0,
                              memory_order_acq_rel); /* pairs with thl_slab_create */
    uint32_t made = atomic_load_explicit(&slots.made, memory_order_relaxed); /* a bound */
    uint32_t end = n < made - *at ? *at + n : made;
    for (; *at < end; ++*at) {
        struct thl_slot *slot = thl_pool_find(&slots, *at);
        if (!slot)
            continue;
        uint64_t life = atomic_load_explicit(&slot->life, memory_order_acquire); /* begin_life */
        uint32_t logger = atomic_load_explicit(&slot->logger, memory_order_relaxed);
        thole_logger lg = {life_of(generation_of(life), 0) | (uint64_t)logger << 20 |
                           (*at + THL_SLAB_NAMED)};
        if (references_of(life) > 0)
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

/* relaxed: coarse times. Should the slot get another child in this very moment, that one is noted
 * as used at its birth. */
void
thl_slab_note_use(thole_logger lg)
{
    struct thl_slot *slot = thl_slab_is_named(lg) ? NULL : thl_slab_find(lg);
    if (slot)
        atomic_store_explicit(&slot->used_ds, thl_slab_now_ds(), memory_order_relaxed);
}

bool
thl_slab_is_orphan(const struct thl_slot *slot)
{
    uint32_t parent = atomic_load_explicit(&slot->parent, memory_order_relaxed); /* constant */
    if (parent == 0)
        return false;
    const struct thl_slot *of = thl_pool_find(&slots, parent - THL_SLAB_NAMED);
    uint64_t life = of ? atomic_load_explicit(&of->life, memory_order_relaxed) : 0; /* a hint */
    return generation_of(life) !=
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
    atomic_fetch_add_explicit(&c->made, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->peak, 1, memory_order_relaxed);
    ++*live;
}

/* Counted anew: a thread that was making or ending a child did not come along. */
void
thl_slab_after_fork(void)
{
    uint32_t live = 0, nsites = thl_site_count();
    process++;
    for (uint32_t id = 0; id <= nsites; id++)
        thl_site_forget_counts(id);
    thl_slab_each(recount, &live);
    atomic_store_explicit(&thl_slab_counts.live, live, memory_order_relaxed); /* alone here */
}
