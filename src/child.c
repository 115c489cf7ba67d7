/* SPDX-License-Identifier: MIT */
/* Contexts, and the calls on child loggers. */
#include "child.h"

#include <errno.h>
#include <string.h>

#include "logger.h"
#include "notice.h"
#include "slab.h"

_Atomic uint32_t thl_child_context_limit = 512;
_Atomic uint64_t thl_child_truncated;

/* A context being put together. */
struct builder {
    unsigned char bytes[THL_CHILD_CONTEXT_MAX + 8]; /* copies are whole words */
    size_t size, limit;
    bool cut;
};

void
thl_child_count_stale(void)
{
    atomic_fetch_add_explicit(&thl_slab_counts.stale, 1, memory_order_relaxed); /* a counter */
}

static void
builder_init(struct builder *b)
{
    b->size = 0;
    b->cut = false;
    b->limit = atomic_load_explicit(&thl_child_context_limit, memory_order_relaxed);
    if (b->limit > THL_CHILD_CONTEXT_MAX)
        b->limit = THL_CHILD_CONTEXT_MAX;
}

/* Begins with the context of `parent`, which may be amended or end while it is copied. False when
 * it is not a live child. */
static bool
builder_open(struct builder *b, struct thl_slab_ref *ref, thole_logger parent)
{
    while (thl_slab_open(ref, parent)) {
        b->size = ref->size;
        if (thl_slab_copy(ref, b->bytes))
            return true;
    }
    b->size = 0;
    return false;
}

/* Where a key's field stands; the size of the field, or 0. */
static size_t
find_key(const struct builder *b, const char *key, size_t n, size_t *at)
{
    struct thl_view_field f;
    for (size_t i = 0, eaten; i < b->size; i += eaten) {
        eaten = thl_field_tagged_get(&f, b->bytes + i, b->size - i);
        if (eaten == 0)
            return 0;
        if (f.key_size == n && memcmp(f.key, key, n) == 0) {
            *at = i;
            return eaten;
        }
    }
    return 0;
}

/* A value that does not fit is cut, one that cannot be cut is left out: contexts do not grow. */
static void
builder_put(struct builder *b, const char *key, size_t n, struct thl_value *value)
{
    size_t at = b->size, old = find_key(b, key, n, &at);
    size_t room = b->limit > b->size - old ? b->limit - (b->size - old) : 0;
    size_t fixed =
        thl_field_tagged_size(n, value) - (thl_field_is_bytes(value->type) ? value->size : 0);
    if (fixed > room) {
        b->cut = true;
        return;
    }
    if (thl_field_is_bytes(value->type) && value->size > room - fixed) {
        b->cut = true;
        if (value->type == THOLE_FIELD_ADDR)
            return;
        thl_field_fit(value, 1, 8 + (room - fixed) / 8 * 8);
        if (fixed + value->size > room)
            return;
    }
    size_t size = thl_field_tagged_size(n, value);
    memmove(b->bytes + at + size, b->bytes + at + old, b->size - at - old);
    thl_field_tagged_put(b->bytes + at, key, n, value);
    b->size += size - old;
}

static void
builder_put_all(struct builder *b, const struct thl_site_key *keys, struct thl_value *values,
                unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        builder_put(b, keys[i].text, keys[i].size, &values[i]);
    if (b->cut)
        atomic_fetch_add_explicit(&thl_child_truncated, 1, memory_order_relaxed); /* a counter */
}

static void
refuse(thole_logger *out, unsigned logger, uint32_t site)
{
    atomic_fetch_add_explicit(&thl_slab_counts.refused, 1, memory_order_relaxed); /* a counter */
    thl_notice_child_refused(site);
    *out = thl_slab_named(logger);
}

/* A child of a child inherits the level that was set on its parent: debug one connection, all of
 * it. */
static void
make(thole_logger *out, unsigned logger, uint32_t level, uint32_t site, const struct builder *b)
{
    thole_logger child;
    if (thl_slab_create(&child, logger, site, b->bytes, (uint32_t)b->size) < 0) {
        refuse(out, logger, site);
        return;
    }
    if (level != THL_SLAB_NO_LEVEL)
        atomic_store_explicit(&thl_slab_find(child)->level, level, memory_order_relaxed);
    thl_logger_open_gate(child);
    *out = child;
}

void
thl_child_make(thole_logger *out, thole_logger parent, uint32_t site,
               const struct thl_site_key *keys, struct thl_value *values, unsigned n)
{
    struct builder b;
    struct thl_slab_ref ref;
    uint32_t level = THL_SLAB_NO_LEVEL;
    unsigned logger = thl_logger_known(thl_slab_logger_of(parent));
    builder_init(&b);
    if (!thl_slab_is_named(parent)) {
        if (builder_open(&b, &ref, parent))
            level = atomic_load_explicit(&ref.slot->level, memory_order_relaxed); /* may be late */
        else
            thl_child_count_stale();
    }
    builder_put_all(&b, keys, values, n);
    make(out, logger, level, site, &b);
}

void
thl_child_bind(thole_logger *lg, uint32_t site, const struct thl_site_key *keys,
               struct thl_value *values, unsigned n)
{
    struct builder b;
    struct thl_slab_ref ref;
    int rc;
    if (thl_slab_is_named(*lg)) {
        thl_child_make(lg, *lg, site, keys, values, n);
        return;
    }
    do {
        builder_init(&b);
        if (!builder_open(&b, &ref, *lg)) {
            thl_child_count_stale();
            return;
        }
        builder_put_all(&b, keys, values, n);
        rc = thl_slab_replace(&ref, b.bytes, (uint32_t)b.size);
    } while (rc == -EAGAIN);
    if (rc == -ENOMEM)
        refuse(&(thole_logger){0}, 0, site);
}

int
thl_child_set_level(thole_logger lg, enum thole_level level)
{
    struct thl_slot *slot = thl_slab_find(lg);
    if (!slot) {
        thl_child_count_stale();
        return -ESTALE;
    }
    atomic_store_explicit(&slot->level, (uint32_t)level, memory_order_relaxed); /* then the gate */
    thl_logger_open_gate(lg);
    return 0;
}
