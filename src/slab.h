/* SPDX-License-Identifier: MIT */
/*
 * Child loggers: bounded, reference-counted, with generations, and a context each.
 *
 *   handle      generation:32 | named logger:12 | slot:20     generation 0: a named logger
 *   gate[slot]  generation:32 | 0:28 | threshold + 1:4         what the inline test reads
 *   slot        life     = generation:32 | references:32      0 references: free
 *               context  = version:32 | block:32              THL_SLAB_NO_BLOCK: none
 *   block       word 0 the context's size in bytes, then its bytes: block.h
 *
 * Private memory, not the arena: after fork the child process has an exact snapshot of its own.
 *
 * Life. The last unref moves `life` from {g, 1} to {g + 1, 0} in one compare-and-swap; its winner
 * alone ends the child. A slot whose generation has come to its end is never used again. So a
 * handle of generation g matches only the child it was made for, for ever.
 *
 * Context copy (thl_slab_copy). A reader loads `context`, copies the block's words, then looks at
 * `life` and `context` again. Words are stored with release and loaded with acquire, and whoever
 * may overwrite a block has changed `context` or `life` before it let the block go. So a reader
 * that saw one foreign word also sees the change in its second look, and forgets what it copied. A
 * plain memcpy would be a data race, and fences are not understood by thread sanitizers.
 *
 * Ordering: life (acq_rel on the way down) pairs with itself: all uses before the end. context
 * (release) pairs with thl_slab_open (acquire): the block's words. gate is read relaxed: it is a
 * hint for the inline test, and every use checks `life` again; those who write it (acq_rel) see
 * each other: logger.c, open_gate. A maker writes it before `life`, so before any of them.
 * Progress: lock-free. Models: tests/race/models/slab.pml, context.pml; stress: tests/race/child.c.
 */
#ifndef THL_SLAB_H
#define THL_SLAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <thole/thole.h>

#define THL_SLAB_SLOTS (1u << 20)
#define THL_SLAB_NAMED 4096u         /* slots below are named loggers */
#define THL_SLAB_NO_BLOCK UINT32_MAX /* THL_BLOCK_NONE */
#define THL_SLAB_NO_LEVEL 255u
#define THL_SLAB_NO_THRESHOLD UINT32_MAX /* not known yet: the gate is shut */

struct thl_slot {
    _Atomic uint64_t life;
    _Atomic uint64_t context;
    _Atomic uint32_t site;    /* id of the call site that made it; 0: not known */
    _Atomic uint32_t logger;  /* the named logger it hangs from */
    _Atomic uint32_t level;   /* its own, or THL_SLAB_NO_LEVEL */
    _Atomic uint32_t process; /* that made it: see thl_slab_is_own */
    _Atomic uint32_t born_ds; /* thl_slab_now_ds */
    _Atomic uint32_t spare;   /* block + 1 that the free slot keeps; 0: none */
    _Atomic uint32_t parent;  /* the slot of the child it was made of; 0: of a named logger */
    _Atomic uint32_t parent_generation;
    uint32_t pad[2];
    _Atomic uint64_t next; /* of the pool */
};

_Static_assert(sizeof(struct thl_slot) == 64, "one cache line");

/* What a log call holds of a child while it copies. */
struct thl_slab_ref {
    struct thl_slot *slot;
    _Atomic uint64_t *words; /* of the block; or NULL */
    uint64_t context;
    uint32_t generation, size; /* bytes of the context */
};

struct thl_slab_counts { /* the others are in rack.h */
    _Atomic uint64_t refused, stale;
};
extern struct thl_slab_counts thl_slab_counts;

extern struct thl_pool thl_slab_pool; /* of slots, by number less THL_SLAB_NAMED: for racks */

static inline unsigned
thl_slab_slot_of(thole_logger lg)
{
    return (unsigned)lg.bits & (THL_SLAB_SLOTS - 1);
}

static inline unsigned
thl_slab_logger_of(thole_logger lg)
{
    return (unsigned)(lg.bits >> 20) & (THL_SLAB_NAMED - 1);
}

static inline uint32_t
thl_slab_generation_of(thole_logger lg)
{
    return (uint32_t)(lg.bits >> 32);
}

static inline bool
thl_slab_is_named(thole_logger lg)
{
    return thl_slab_generation_of(lg) == 0 && thl_slab_slot_of(lg) == thl_slab_logger_of(lg);
}

static inline thole_logger
thl_slab_named(unsigned logger)
{
    thole_logger lg = {(uint64_t)logger << 20 | logger};
    return lg;
}

/* A threshold that is not known yet makes the inline test ask. */
static inline uint64_t
thl_slab_gate(uint32_t generation, unsigned threshold)
{
    return (uint64_t)generation << 32 | (threshold + 1);
}

/* What a child is born with. */
struct thl_slab_birth {
    unsigned logger; /* the named one it hangs from */
    uint32_t site, level;
    unsigned threshold; /* of its gate; or THL_SLAB_NO_THRESHOLD */
    thole_logger parent;
    const void *context;
    uint32_t size;
};

/* Makes a child with one reference. It is alive before thl_rack_pass() returns that began after
 * that, or this call began after that call's caller wrote what it wrote. -ENOSPC
 * past the limit, -ENOMEM without memory. Somebody's garbage may end it before this returns. */
int thl_slab_create(thole_logger *out, const struct thl_slab_birth *birth);

/* False when lg is not a live child (it is stale). */
bool thl_slab_ref(thole_logger lg);
bool thl_slab_unref(thole_logger lg);

/* Begins to read a context (slab_context.h); false when lg is not a live child. */
bool thl_slab_open(struct thl_slab_ref *ref, thole_logger lg);

/* Puts another context in place of the one that `ref` saw. -EAGAIN when it changed meanwhile,
 * -ENOMEM without memory. */
int thl_slab_replace(const struct thl_slab_ref *ref, const void *context, uint32_t size);

/* Sets the threshold in a child's gate, unless it ended meanwhile. Whoever sets it after another
 * sees what the other saw. */
void thl_slab_set_gate(thole_logger lg, unsigned threshold);

/* The threshold in a child's gate; past THOLE_OFF when it is not known, or another child's. */
unsigned thl_slab_threshold_of(thole_logger lg);

/* Calls fn for every child that is live while the walk passes it. Makers of children that it does
 * not meet see what the caller did before thl_rack_pass, if it called that first. */
typedef void (*thl_slab_fn)(void *arg, thole_logger lg, struct thl_slot *slot);
void thl_slab_each(thl_slab_fn fn, void *arg);

/* The same for the `n` slots from *at, which is moved behind them; false when those were the last.
 */
bool thl_slab_walk(uint32_t *at, uint32_t n, thl_slab_fn fn, void *arg);

/* Tenths of a second of CLOCK_MONOTONIC, never 0: coarse times of birth and of use. */
uint32_t thl_slab_now_ds(void);

/* A record of this logger is dispatched: notes the use, if it is a child that still lives. */
void thl_slab_note_use(thole_logger lg);

/* When a record of the child was dispatched last; 0: never. */
uint32_t thl_slab_used_ds(thole_logger lg);

/* The block that a free slot keeps goes back to its pool: for racks. */
void thl_slab_drop_block(uint32_t item);

/* Whether the child that this one was made of has ended. */
bool thl_slab_is_orphan(const struct thl_slot *slot);

/* Whether a child was made in this process, not inherited from one that forked. */
bool thl_slab_is_own(const struct thl_slot *slot);

/* In a forked process. */
void thl_slab_after_fork(void);

#endif
