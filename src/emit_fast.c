/* SPDX-License-Identifier: MIT */
/*
 * The usual log call: a call site that has its number, a thread that has its ring, no rate, no cut.
 * One pass from the caller's values into the ring.
 *
 * It does what emit.c and emission.c do for every call, by the same protocol (emit.h), without
 * looking at what cannot be the case. Whatever is out of the ordinary goes the general way, which
 * begins again: nothing was counted, and a reservation that is not committed is forgotten.
 */
#include "emit.h"

#include <string.h>

#include "clock.h"
#include "flood.h"
#include "producer.h"
#include "site.h"
#include "slab.h"
#include "slab_context.h"

/* One call. A local that nobody points at, so that it lives in registers. */
struct call {
    thole_logger lg;
    unsigned level, n;
    uint64_t word; /* the call site's: thl_site_look */
    const unsigned char *values;
};

/* Short strings, the usual ones, without a call. */
static inline void
copy(unsigned char *to, const char *from, size_t n)
{
    if (n > 32) {
        memcpy(to, from, n);
    } else if (n >= 16) {
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 8) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else if (n > 0) {
        to[0] = (unsigned char)from[0];
        to[n / 2] = (unsigned char)from[n / 2];
        to[n - 1] = (unsigned char)from[n - 1];
    }
}

/* Where the values end, or NULL where their bytes need more than *room (a multiple of 8), which is
 * what is left after 8 for each. */
static inline unsigned char *
put_values(unsigned char *to, const struct call *c, size_t *room)
{
    const unsigned char *from = c->values;
    uint32_t bytes = thl_site_bytes(c->word);
    for (unsigned left = c->n; left > 0; left--, bytes >>= 1) {
        memcpy(to, from, 8);
        to += 8;
        if (THL_LIKELY(!(bytes & 1))) {
            from += 8;
            continue;
        }
        thole_str_ s = thl_field_bytes_at(from);
        uint64_t word = s.p ? s.n : THL_FIELD_NULL;
        memcpy(to - 8, &word, 8);
        if (THL_UNLIKELY(s.n > *room))
            return NULL;
        copy(to, s.p, s.n);
        to += thl_field_pad(s.n);
        *room -= thl_field_pad(s.n);
        from += THL_FIELD_BYTES_WIDTH;
    }
    return to;
}

/* False as well when the context changed meanwhile, or its child ended: also without one. */
static inline bool
put_context(struct thl_record *r, const struct thl_slab_ref *ref)
{
    if (!thl_slab_copy(ref, r + 1))
        return false;
    r->version = (uint32_t)(ref->context >> 32);
    r->context_size = (uint16_t)ref->size;
    return true;
}

/* The record's size, or 0 when `room` is too little for it, or its child is not what it was. */
static inline size_t
put(void *place, size_t room, const struct call *c, const struct thl_slab_ref *ref)
{
    struct thl_record *r = place;
    const size_t context = ref ? thl_field_pad(ref->size) : 0;
    const size_t fixed = sizeof(*r) + context + 8u * (size_t)c->n;
    if (THL_UNLIKELY(room < fixed))
        return 0;
    *r = (struct thl_record){
        .ticks = thl_clock_ticks(),
        .handle = c->lg.bits,
        .site = (uint32_t)c->word,
        .nfields = (uint16_t)c->n,
        .level = (uint8_t)c->level,
    };
    if (ref && !put_context(r, ref))
        return 0;
    room -= fixed;
    unsigned char *end = put_values((unsigned char *)(r + 1) + context, c, &room);
    return end ? (size_t)(end - (unsigned char *)place) : 0;
}

static inline bool
push(struct thl_ring *ring, const struct call *c)
{
    struct thl_slab_ref opened, *ref = NULL;
    if (!thl_slab_is_named(c->lg)) {
        ref = &opened;
        if (THL_UNLIKELY(!thl_slab_peek(ref, c->lg)))
            return false;
    }
    /* relaxed: a number by itself */
    size_t limit = atomic_load_explicit(&thl_emit_queues.record_limit, memory_order_relaxed);
    size_t room =
        thl_ring_room(ring, limit & ~(size_t)7u, c->level < THOLE_WARN ? ring->capacity / 8 : 0);
    if (THL_UNLIKELY(room < sizeof(struct thl_record)))
        return false;
    size_t size = put(thl_ring_open(ring), room, c, ref);
    if (THL_UNLIKELY(size == 0))
        return false;
    thl_emit_commit(ring, (uint32_t)size);
    return true;
}

static inline bool
emit(const struct call *c)
{
    struct thl_producer *own = &thl_producer_own;
    struct thl_ring *ring = own->ring;
    const uint64_t epoch = thl_emit_epoch();
    /* relaxed: only this thread and its own handlers write `busy` */
    if (THL_UNLIKELY(sizeof(void *) < 8 || epoch == 0 || own->epoch != epoch || !ring ||
                     own->taking || own->in_shared || own->shared_epoch != 0 ||
                     !thl_site_has_number(c->word) || thl_flood_is_on() ||
                     atomic_load_explicit(&ring->busy, memory_order_relaxed) != 0))
        return false;
    thl_producer_set_busy(ring, 1);
    bool done = THL_LIKELY(thl_emit_epoch() == epoch) && push(ring, c);
    thl_producer_set_busy(ring, 0);
    return done;
}

void
thl_emit_site(thole_logger lg, unsigned level, const thole_site_ *site, uint64_t *word,
              const void *values)
{
    struct call c = {lg, level, site->nfields, thl_site_look(word), values};
    if (THL_UNLIKELY(!emit(&c)))
        thl_emit_generally(lg, level, site, word, values);
}
