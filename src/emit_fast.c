/* SPDX-License-Identifier: MIT */
/* One pass from the caller's values into its thread's own ring. */
#include "emit_fast.h"

#include <string.h>

#include "clock.h"
#include "emit.h"
#include "flood.h"
#include "producer.h"
#include "site.h"
#include "slab.h"

/* One call. Bytes are measured, then copied: a string that another thread changes meanwhile is cut
 * or has a NUL inside, and no more. */
struct call {
    thole_logger lg;
    unsigned level, n;
    uint64_t word; /* the call site's: thl_site_look */
    const unsigned char *values;
    size_t body; /* bytes of the encoded values */
    size_t size[THL_SITE_PAIRS];
    struct thl_slab_ref ref; /* its context; size 0: of a named logger */
};

/* False when one is too long to be an ordinary value. */
static inline bool
measure(struct call *c, const unsigned char *tags)
{
    const unsigned char *from = c->values;
    c->body = 8u * (size_t)c->n;
    if (THL_LIKELY(!thl_site_has_bytes(c->word)))
        return true;
    for (unsigned i = 0; i < c->n; i++) {
        if (!thl_site_is_bytes(c->word, i)) {
            from += 8;
            continue;
        }
        thole_str_ s = thl_field_take_bytes(&from, thl_site_is_sized(c->word, i));
        if (THL_UNLIKELY(s.n > THL_FIELD_ADDR_MAX) &&
            (tags[i] == THOLE_FIELD_ADDR || s.n > THL_FIELD_VALUE_MAX))
            return false;
        c->size[i] = s.n;
        c->body += thl_field_pad(s.n);
    }
    return true;
}

static inline void
put_values(unsigned char *to, const struct call *c)
{
    const unsigned char *from = c->values;
    for (unsigned i = 0; i < c->n; i++) {
        if (THL_LIKELY(!thl_site_is_bytes(c->word, i))) {
            memcpy(to, from, 8);
            to += 8;
            from += 8;
            continue;
        }
        const size_t size = c->size[i];
        const char *p = thl_field_take_pointer(&from, thl_site_is_sized(c->word, i));
        uint64_t word = p ? size : THL_FIELD_NULL;
        memcpy(to, &word, 8);
        if (size)
            memcpy(to + 8, p, size);
        to += 8 + thl_field_pad(size);
    }
}

static inline bool
put(void *place, const struct call *c, uint64_t ticks)
{
    struct thl_record *r = place;
    unsigned char *to = (unsigned char *)(r + 1);
    const bool child = c->ref.slot != NULL;
    if (child && !thl_slab_copy(&c->ref, to)) /* also without a context: it may have ended */
        return false;
    *r = (struct thl_record){
        .ticks = ticks,
        .handle = c->lg.bits,
        .site = (uint32_t)c->word,
        .version = child ? (uint32_t)(c->ref.context >> 32) : 0,
        .context_size = (uint16_t)c->ref.size,
        .nfields = (uint16_t)c->n,
        .level = (uint8_t)c->level,
    };
    put_values(to + thl_field_pad(c->ref.size), c);
    return true;
}

static inline bool
push(struct thl_ring *ring, struct call *c)
{
    const uint64_t keep = c->level < THOLE_WARN ? ring->capacity / 8 : 0;
    c->ref.slot = NULL;
    c->ref.size = 0;
    if (!thl_slab_is_named(c->lg) && THL_UNLIKELY(!thl_slab_open(&c->ref, c->lg)))
        return false;
    size_t size = sizeof(struct thl_record) + thl_field_pad(c->ref.size) + c->body;
    if (THL_UNLIKELY(size > atomic_load_explicit(&thl_emit_queues.record_limit,
                                                 memory_order_relaxed))) /* a number by itself */
        return false;
    void *place = thl_ring_reserve(ring, (uint32_t)size, keep);
    if (THL_UNLIKELY(!place || !put(place, c, thl_clock_ticks())))
        return false;
    thl_emit_commit(ring, (uint32_t)size);
    return true;
}

bool
thl_emit_fast(thole_logger lg, unsigned level, const thole_site_ *site, const uint64_t *word,
              const void *values)
{
    struct thl_producer *own = &thl_producer_own;
    struct thl_ring *ring = own->ring;
    const uint64_t epoch = thl_emit_epoch();
    struct call c; /* not all of it is used: left as it is */
    c.lg = lg;
    c.level = level;
    c.n = site->nfields;
    c.word = thl_site_look(word);
    c.values = values;
    /* relaxed: only this thread and its own handlers write `busy` */
    if (THL_UNLIKELY(sizeof(void *) < 8 || epoch == 0 || own->epoch != epoch || !ring ||
                     own->taking || own->in_shared || own->shared_epoch != 0 ||
                     !thl_site_has_number(c.word) || thl_flood_is_on() ||
                     atomic_load_explicit(&ring->busy, memory_order_relaxed) != 0 ||
                     !measure(&c, thl_site_tags(site))))
        return false;
    thl_producer_set_busy(ring, 1);
    bool done = THL_LIKELY(thl_emit_epoch() == epoch) && push(ring, &c);
    thl_producer_set_busy(ring, 0);
    return done;
}
