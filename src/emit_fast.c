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
    size_t body; /* bytes of the encoded values */
};

/* The first of the values that are bytes, which are bits of a mask. */
static inline unsigned
first_of(uint32_t bytes)
{
    return (unsigned)__builtin_ctz(bytes);
}

/* False when one is too long to be an ordinary value. */
static inline bool
measure(struct call *c, const thole_site_ *site)
{
    const unsigned char *from = c->values;
    c->body = 8u * (size_t)c->n;
    for (uint32_t bytes = thl_site_bytes(c->word); bytes != 0; bytes &= bytes - 1) {
        const unsigned i = first_of(bytes);
        thole_str_ s = thl_field_bytes_at(from + 8 * (size_t)i);
        if (THL_UNLIKELY(s.n > THL_FIELD_ADDR_MAX) &&
            (thl_site_tags(site)[i] == THOLE_FIELD_ADDR || s.n > THL_FIELD_VALUE_MAX))
            return false;
        c->body += thl_field_pad(s.n);
        from += THL_FIELD_BYTES_WIDTH - 8; /* what it is wider than the others */
    }
    return true;
}

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

static inline void
put_values(unsigned char *to, const struct call *c)
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
        copy(to, s.p, s.n);
        to += thl_field_pad(s.n);
        from += THL_FIELD_BYTES_WIDTH;
    }
}

/* A named logger has no context, not even an empty one. */
static inline bool
put(void *place, const struct call *c, const struct thl_slab_ref *ref)
{
    struct thl_record *r = place;
    unsigned char *to = (unsigned char *)(r + 1);
    *r = (struct thl_record){
        .ticks = thl_clock_ticks(),
        .handle = c->lg.bits,
        .site = (uint32_t)c->word,
        .nfields = (uint16_t)c->n,
        .level = (uint8_t)c->level,
    };
    if (ref) {
        if (!thl_slab_copy(ref, to)) /* also without a context: it may have ended */
            return false;
        r->version = (uint32_t)(ref->context >> 32);
        r->context_size = (uint16_t)ref->size;
        to += thl_field_pad(ref->size);
    }
    put_values(to, c);
    return true;
}

static inline bool
push(struct thl_ring *ring, const struct call *c)
{
    const uint64_t keep = c->level < THOLE_WARN ? ring->capacity / 8 : 0;
    struct thl_slab_ref opened, *ref = NULL;
    size_t size = sizeof(struct thl_record) + c->body;
    if (!thl_slab_is_named(c->lg)) {
        ref = &opened;
        if (THL_UNLIKELY(!thl_slab_peek(ref, c->lg)))
            return false;
        size += thl_field_pad(ref->size);
    }
    if (THL_UNLIKELY(size > atomic_load_explicit(&thl_emit_queues.record_limit,
                                                 memory_order_relaxed))) /* a number by itself */
        return false;
    void *place = thl_ring_reserve(ring, (uint32_t)size, keep);
    if (THL_UNLIKELY(!place || !put(place, c, ref)))
        return false;
    thl_emit_commit(ring, (uint32_t)size);
    return true;
}

static inline bool
emit(struct call *c, const thole_site_ *site)
{
    struct thl_producer *own = &thl_producer_own;
    struct thl_ring *ring = own->ring;
    const uint64_t epoch = thl_emit_epoch();
    /* relaxed: only this thread and its own handlers write `busy` */
    if (THL_UNLIKELY(sizeof(void *) < 8 || epoch == 0 || own->epoch != epoch || !ring ||
                     own->taking || own->in_shared || own->shared_epoch != 0 ||
                     !thl_site_has_number(c->word) || thl_flood_is_on() ||
                     atomic_load_explicit(&ring->busy, memory_order_relaxed) != 0 ||
                     !measure(c, site)))
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
    struct call c = {lg, level, site->nfields, thl_site_look(word), values, 0};
    if (THL_UNLIKELY(!emit(&c, site)))
        thl_emit_generally(lg, level, site, word, values);
}
