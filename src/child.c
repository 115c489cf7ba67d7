/* SPDX-License-Identifier: MIT */
/* Contexts, and the calls on child loggers. */
#include "child.h"

#include <errno.h>
#include <string.h>

#include "compiler.h"
#include "escape.h"
#include "logger.h"
#include "notice.h"
#include "site.h"
#include "slab.h"
#include "slab_context.h"

_Atomic uint32_t thl_child_context_limit = 512;
_Atomic uint64_t thl_child_truncated;

#define MARK "thole.truncated" /* the last field of a context that was cut */
#define MARK_KEY (sizeof(MARK) - 1)
#define MARK_BYTES (THL_FIELD_TAG_BYTES + MARK_KEY + 8)
#define FIELDS_MAX 64 /* of a context; further ones are left out */

/* A context being put together. */
struct builder {
    _Alignas(8) unsigned char bytes[THL_CHILD_CONTEXT_MAX + 8]; /* copies are whole words */
    size_t size, limit;                                         /* size: without the mark */
    uint64_t before, cut; /* bytes: by earlier calls, by this one */
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
    b->before = b->cut = 0;
    b->limit = atomic_load_explicit(&thl_child_context_limit, memory_order_relaxed);
    if (b->limit > THL_CHILD_CONTEXT_MAX)
        b->limit = THL_CHILD_CONTEXT_MAX;
}

static bool
is_mark(const struct thl_view_field *f)
{
    return f->key_size == MARK_KEY && memcmp(f->key, MARK, MARK_KEY) == 0;
}

/* The mark is put back when all is said. */
static void
take_mark(struct builder *b)
{
    struct thl_view_field f;
    if (b->size < MARK_BYTES)
        return;
    size_t at = b->size - MARK_BYTES;
    if (thl_field_tagged_get(&f, b->bytes + at, MARK_BYTES) != MARK_BYTES || !is_mark(&f))
        return;
    b->before = f.value.v.u;
    b->size = at;
}

/* Begins with the context of `parent`, which may be amended or end while it is copied. False when
 * it is not a live child. */
static bool
builder_open(struct builder *b, struct thl_slab_ref *ref, thole_logger parent)
{
    while (thl_slab_open(ref, parent)) {
        b->size = ref->size;
        if (thl_slab_copy(ref, b->bytes)) {
            take_mark(b);
            return true;
        }
    }
    b->size = 0;
    return false;
}

/* Where a key's field stands, and how many stand before it; the size of the field, or 0. */
static size_t
find_key(const struct builder *b, const char *key, size_t n, size_t *at, size_t *before)
{
    struct thl_view_field f;
    *before = 0;
    for (size_t i = 0, eaten; i < b->size; i += eaten, ++*before) {
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

/* ---- a context that is too long ---- */

static size_t
size_capped(const struct thl_view_field *f, size_t n, size_t cap)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += thl_field_tagged_size(f[i].key_size, &f[i].value);
        if (thl_field_may_cut(&f[i].value) && f[i].value.size > cap)
            total -= f[i].value.size - cap;
    }
    return total;
}

/* The bytes that are lost. */
static size_t
cap_values(struct thl_view_field *f, size_t n, size_t cap)
{
    size_t lost = 0;
    for (size_t i = 0; i < n; i++) {
        struct thl_value *v = &f[i].value;
        if (!thl_field_may_cut(v) || v->size <= cap)
            continue;
        size_t keep = v->type == THOLE_FIELD_STRING ? thl_escape_cut(v->v.p, v->size, cap) : cap;
        lost += v->size - keep;
        v->size = (uint32_t)keep;
    }
    return lost;
}

/* All fields with the new one in its place; their number. */
static size_t
gather(struct thl_view_field *f, const struct builder *b, const struct thl_view_field *fresh)
{
    size_t n = 0;
    bool placed = false;
    for (size_t i = 0, eaten; i < b->size; i += eaten, n++) {
        eaten = thl_field_tagged_get(&f[n], b->bytes + i, b->size - i);
        if (eaten == 0)
            break;
        if (f[n].key_size == fresh->key_size &&
            memcmp(f[n].key, fresh->key, fresh->key_size) == 0) {
            f[n].value = fresh->value;
            placed = true;
        }
    }
    if (!placed)
        f[n++] = *fresh;
    return n;
}

/* Contexts do not grow, and what came first says whose they are. */
static void
leave_out(struct builder *b, const struct thl_value *value)
{
    b->cut += thl_field_may_cut(value) && value->size ? value->size : 1;
}

/* Cuts the longest values until all fit, as in a record. Where keys and numbers alone are too
 * long the new field is left out. */
static THL_COLD void
squeeze(struct builder *b, const struct thl_view_field *fresh)
{
    struct thl_view_field f[FIELDS_MAX];
    unsigned char bytes[THL_CHILD_CONTEXT_MAX], *to = bytes;
    size_t n = gather(f, b, fresh), low = 0, high = THL_CHILD_CONTEXT_MAX;
    size_t room = b->limit - MARK_BYTES;
    if (size_capped(f, n, 0) > room) {
        leave_out(b, &fresh->value);
        return;
    }
    while (low < high) { /* the largest cap that fits */
        size_t middle = (low + high + 1) / 2;
        if (size_capped(f, n, middle) <= room)
            low = middle;
        else
            high = middle - 1;
    }
    b->cut += cap_values(f, n, low);
    for (size_t i = 0; i < n; i++)
        to = thl_field_tagged_put(to, f[i].key, f[i].key_size, &f[i].value);
    b->size = (size_t)(to - bytes);
    memcpy(b->bytes, bytes, b->size);
}

/* ---- */

static void
builder_put(struct builder *b, const char *key, size_t n, const struct thl_value *value)
{
    size_t at = b->size, before, size = thl_field_tagged_size(n, value);
    size_t old = find_key(b, key, n, &at, &before);
    size_t room = b->before || b->cut ? b->limit - MARK_BYTES : b->limit;
    if (old == 0 && before == FIELDS_MAX) {
        leave_out(b, value);
        return;
    }
    if (b->size - old + size > room) {
        squeeze(b, &(struct thl_view_field){key, (uint32_t)n, *value});
        return;
    }
    memmove(b->bytes + at + size, b->bytes + at + old, b->size - at - old);
    thl_field_tagged_put(b->bytes + at, key, n, value);
    b->size += size - old;
}

/* Says what the last call that cut something has cut: the sum of all would grow for ever. */
static void
put_mark(struct builder *b)
{
    struct thl_value lost = {THOLE_FIELD_UINT, 0, {.u = b->cut ? b->cut : b->before}};
    if (lost.v.u == 0)
        return;
    thl_field_tagged_put(b->bytes + b->size, MARK, MARK_KEY, &lost);
    b->size += MARK_BYTES;
}

static void
builder_put_all(struct builder *b, const struct thl_site_key *keys, const struct thl_value *values,
                unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        builder_put(b, keys[i].text, keys[i].size, &values[i]);
    if (b->cut)
        atomic_fetch_add_explicit(&thl_child_truncated, 1, memory_order_relaxed); /* a counter */
    put_mark(b);
}

/* ---- a context of one call site ---- */

/* What most children are born with: the fields of their call site, straight from its block. Keys
 * and all that is known of the fields is laid down by eight bytes from the site's own text, also
 * where fewer are meant: the next ones go over the rest. Of the caller's bytes nothing is read
 * beyond.
 */
static inline unsigned char *
put_word(unsigned char *to, uint64_t word, size_t n)
{
    memcpy(to, &word, 8);
    return to + n;
}

/* `n` bytes, 1 to 7, and none beyond. */
static inline uint64_t
read_part(const char *from, size_t n)
{
    uint32_t low = 0, high = 0;
    if (n >= 4) {
        memcpy(&low, from, 4);
        memcpy(&high, from + n - 4, 4);
        return low | (uint64_t)high << 8 * (n - 4);
    }
    if (n == 1)
        return (unsigned char)*from;
    memcpy(&low, from, 2);
    memcpy(&high, from + n - 2, 2);
    return low | (uint64_t)high << 8 * (n - 2);
}

static inline unsigned char *
put_bytes(unsigned char *to, const char *from, size_t n)
{
    for (; n >= 8; n -= 8, from += 8, to += 8)
        memcpy(to, from, 8);
    return n > 0 ? put_word(to, read_part(from, n), n) : to;
}

/* As thl_field_tagged_put does; `head` is the call site's, and `size` goes into it. */
static inline unsigned char *
put_key(unsigned char *to, const struct thl_site_key *key, uint64_t head, size_t size)
{
    put_word(to, head | size << 16, 8);
    to += THL_FIELD_TAG_BYTES;
    for (size_t at = 4; at < key->size; at += 8)
        memcpy(to + at, key->text + at, 8); /* the table has room behind: site.c */
    return to + key->size;
}

/* False when the block holds what has to be looked at: no pointer, an address too long. */
static inline bool
measure(const struct thl_site_text *text, const unsigned char *from, size_t *size)
{
    *size = text->plain_size;
    for (unsigned i = 0; i < text->nfields; i++) {
        if (!thl_field_is_bytes(text->tags[i])) {
            from += 8;
            continue;
        }
        thole_str_ s = thl_field_bytes_at(from);
        if (!s.p || s.n > THL_CHILD_CONTEXT_MAX ||
            (text->tags[i] == THOLE_FIELD_ADDR && s.n > THL_FIELD_ADDR_MAX))
            return false;
        *size += s.n;
        from += THL_FIELD_BYTES_WIDTH;
    }
    return true;
}

/* False when there is more to it: keys that are not distinct, values to be cut. */
static bool
put_block(struct builder *b, const struct thl_site_text *text, const unsigned char *from)
{
    unsigned char *to = b->bytes;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || sizeof(void *) < 8 || !text->distinct ||
        !measure(text, from, &b->size) || b->size > b->limit) {
        b->size = 0;
        return false;
    }
    for (unsigned i = 0; i < text->nfields; i++) {
        if (!thl_field_is_bytes(text->tags[i])) {
            uint64_t word;
            memcpy(&word, from, 8);
            to = put_key(to, &text->key[i], text->head[i], 0);
            to = put_word(to, word, text->tags[i] == THOLE_FIELD_SECRET ? 0 : 8);
            from += 8;
            continue;
        }
        thole_str_ s = thl_field_bytes_at(from);
        to = put_key(to, &text->key[i], text->head[i], s.n);
        to = put_bytes(to, s.p, s.n);
        from += THL_FIELD_BYTES_WIDTH;
    }
    return true;
}

/* `late`: by thole_bind. */
static void
refuse(thole_logger *out, unsigned logger, uint32_t site, bool late)
{
    atomic_fetch_add_explicit(&thl_slab_counts.refused, 1, memory_order_relaxed); /* a counter */
    thl_notice_child_refused(site, late);
    *out = thl_slab_named(logger);
}

/* A child of a child inherits the level that was set on its parent: debug one connection, all of
 * it. */
static void
make(thole_logger *out, thole_logger parent, uint32_t level, uint32_t site, bool late,
     const struct builder *b)
{
    unsigned logger = thl_logger_known(thl_slab_logger_of(parent));
    struct thl_slab_birth birth = {
        logger, site, level, THL_SLAB_NO_THRESHOLD, parent, b->bytes, (uint32_t)b->size};
    thole_logger child;
    uint32_t begun = thl_logger_begin_birth(logger, level, &birth.threshold);
    if (thl_slab_create(&child, &birth) < 0) {
        refuse(out, logger, site, late);
        return;
    }
    thl_logger_end_birth(child, begun);
    *out = child;
}

static void
make_of(thole_logger *out, thole_logger parent, uint32_t site, bool late,
        const struct thl_site_key *keys, const struct thl_value *values, unsigned n)
{
    struct builder b;
    struct thl_slab_ref ref = {0};
    uint32_t level = THL_SLAB_NO_LEVEL;
    builder_init(&b);
    if (!thl_slab_is_named(parent)) {
        if (builder_open(&b, &ref, parent))
            level = atomic_load_explicit(&ref.slot->level, memory_order_relaxed); /* may be late */
        else
            thl_child_count_stale();
    }
    if (!ref.slot)
        parent = thl_slab_named(thl_logger_known(thl_slab_logger_of(parent)));
    builder_put_all(&b, keys, values, n);
    make(out, parent, level, site, late, &b);
}

bool
thl_child_make_plain(thole_logger *out, thole_logger parent, uint32_t site,
                     const struct thl_site_text *text, const void *values)
{
    struct builder b;
    builder_init(&b);
    if (!thl_slab_is_named(parent) || !put_block(&b, text, values))
        return false;
    parent = thl_slab_named(thl_logger_known(thl_slab_logger_of(parent)));
    make(out, parent, THL_SLAB_NO_LEVEL, site, false, &b);
    return true;
}

void
thl_child_make(thole_logger *out, thole_logger parent, uint32_t site,
               const struct thl_site_key *keys, const struct thl_value *values, unsigned n)
{
    make_of(out, parent, site, false, keys, values, n);
}

/* 0, -ESTALE or -ENOMEM. */
static int
amend(thole_logger lg, const struct thl_site_key *keys, const struct thl_value *values, unsigned n)
{
    struct builder b;
    struct thl_slab_ref ref;
    int rc;
    do {
        builder_init(&b);
        if (!builder_open(&b, &ref, lg))
            return -ESTALE;
        builder_put_all(&b, keys, values, n);
        rc = thl_slab_replace(&ref, b.bytes, (uint32_t)b.size);
    } while (rc == -EAGAIN);
    return rc;
}

void
thl_child_bind(thole_logger *lg, uint32_t site, const struct thl_site_key *keys,
               const struct thl_value *values, unsigned n)
{
    if (thl_slab_is_named(*lg)) {
        make_of(lg, *lg, site, true, keys, values, n);
        return;
    }
    thl_logger_begin_amend();
    int rc = amend(*lg, keys, values, n);
    if (rc == 0)
        thl_logger_open_gate(*lg);
    thl_logger_end_amend();
    if (rc == -ESTALE)
        thl_child_count_stale();
    else if (rc == -ENOMEM)
        refuse(&(thole_logger){0}, 0, site, true);
}

int
thl_child_set_level(thole_logger lg, enum thole_level level)
{
    struct thl_slot *slot = thl_slab_find(lg);
    if (!slot) {
        thl_child_count_stale();
        return -ESTALE;
    }
    thl_logger_begin_amend();
    atomic_store_explicit(&slot->level, (uint32_t)level, memory_order_relaxed); /* then the gate */
    thl_logger_open_gate(lg);
    thl_logger_end_amend();
    return 0;
}
