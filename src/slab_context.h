/* SPDX-License-Identifier: MIT */
/* A child's context as a log call reads it, in line: slab.h says how, and why it is safe. */
#ifndef THL_SLAB_CONTEXT_H
#define THL_SLAB_CONTEXT_H

#include <string.h>

#include "block.h"
#include "compiler.h"
#include "field.h"
#include "pool.h"
#include "slab.h"

static inline uint32_t
thl_slab_life_generation(uint64_t life)
{
    return (uint32_t)(life >> 32);
}

static inline uint32_t
thl_slab_life_references(uint64_t life)
{
    return (uint32_t)life;
}

static inline struct thl_slot *
thl_slab_slot_at(thole_logger lg)
{
    unsigned slot = thl_slab_slot_of(lg);
    return slot < THL_SLAB_NAMED ? NULL : thl_pool_find(&thl_slab_pool, slot - THL_SLAB_NAMED);
}

/* The slot of a live child, or NULL. */
static inline struct thl_slot *
thl_slab_find(thole_logger lg)
{
    struct thl_slot *slot = thl_slab_slot_at(lg);
    if (!slot)
        return NULL;
    uint64_t life = atomic_load_explicit(&slot->life, memory_order_acquire); /* begin_life */
    bool live = thl_slab_life_generation(life) == thl_slab_generation_of(lg) &&
                thl_slab_life_references(life) > 0 &&
                atomic_load_explicit(&slot->logger, memory_order_relaxed) ==
                    thl_slab_logger_of(lg); /* relaxed: constant for one generation */
    return live ? slot : NULL;
}

/* thl_slab_open without a second look: the size may be another child's. Who reserves room for so
 * much and gives it back when thl_slab_copy then fails needs no more. */
static inline bool
thl_slab_peek(struct thl_slab_ref *ref, thole_logger lg)
{
    struct thl_slot *slot = ref->slot = thl_slab_find(lg);
    if (THL_UNLIKELY(!slot))
        return false;
    ref->generation = thl_slab_generation_of(lg);
    ref->context = atomic_load_explicit(&slot->context, memory_order_acquire); /* begin_life */
    ref->size = 0;
    ref->words = NULL;
    uint32_t block = (uint32_t)ref->context;
    if (block == THL_SLAB_NO_BLOCK)
        return true;
    ref->words = thl_block_words(block);
    uint64_t size = atomic_load_explicit(ref->words, memory_order_acquire); /* thl_block_fill */
    ref->size = size < thl_block_room(block) ? (uint32_t)size : thl_block_room(block);
    return true;
}

/* Whether the child is the one that `ref` saw, with the same context. relaxed: if a word of the
 * context came from a later writer, acquiring it has made the change of `context` or `life` that
 * came before it visible here. */
static inline bool
thl_slab_is_unchanged(const struct thl_slab_ref *ref)
{
    uint64_t life = atomic_load_explicit(&ref->slot->life, memory_order_relaxed);
    return atomic_load_explicit(&ref->slot->context, memory_order_relaxed) == ref->context &&
           thl_slab_life_generation(life) == ref->generation && thl_slab_life_references(life) > 0;
}

static inline void
thl_slab_copy_word(unsigned char *to, _Atomic uint64_t *from)
{
    uint64_t word = atomic_load_explicit(from, memory_order_acquire); /* thl_block_fill */
    memcpy(to, &word, 8);
}

/* Copies the context, whole words: `to` has room for size padded to 8. False when the child changed
 * or ended meanwhile: open again. */
static inline bool
thl_slab_copy(const struct thl_slab_ref *ref, void *to)
{
    unsigned char *bytes = to, *end = bytes + thl_field_pad(ref->size);
    _Atomic uint64_t *from = ref->words ? ref->words + 1 : NULL;
    for (; end - bytes >= 32; bytes += 32, from += 4) {
        thl_slab_copy_word(bytes, from);
        thl_slab_copy_word(bytes + 8, from + 1);
        thl_slab_copy_word(bytes + 16, from + 2);
        thl_slab_copy_word(bytes + 24, from + 3);
    }
    for (; bytes < end; bytes += 8, from++)
        thl_slab_copy_word(bytes, from);
    return thl_slab_is_unchanged(ref);
}

#endif
