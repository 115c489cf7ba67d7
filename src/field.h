/* SPDX-License-Identifier: MIT */
/*
 * Typed values <-> bytes. Two encodings, both without pointers and safe to decode from any bytes:
 *
 *   site value    one 8-byte word; for STRING, BYTES, ADDR the word is the size (or THL_FIELD_NULL)
 *                 and the bytes follow, padded to 8. Types and keys come from the call site.
 *   tagged field  type:8 key_size:8 value_size:16, key, value; packed. Contexts and records with
 *                 keys of their own. Keys are canonical (thl_field_canonical).
 */
#ifndef THL_FIELD_H
#define THL_FIELD_H

#include <string.h>
#include <thole/field.h>

#include "view.h"

#define THL_FIELD_NULL UINT64_MAX
#define THL_FIELD_KEY_MAX 240 /* bytes of a key; longer ones are cut */
#define THL_FIELD_TAG_BYTES 4
#define THL_FIELD_VALUE_MAX 65000
#define THL_FIELD_ADDR_MAX 128 /* more than any sockaddr */

static inline size_t
thl_field_pad(size_t n)
{
    return (n + 7u) & ~(size_t)7u;
}

static inline bool
thl_field_is_bytes(uint32_t type)
{
    return type == THOLE_FIELD_STRING || type == THOLE_FIELD_BYTES || type == THOLE_FIELD_ADDR;
}

/* Whether a part of the value is worth having. */
static inline bool
thl_field_may_cut(const struct thl_value *v)
{
    return v->type == THOLE_FIELD_STRING || v->type == THOLE_FIELD_BYTES;
}

/* Fetches n values from a call's block (thole/field.h) by their tags. Nothing is copied. */
void thl_field_fetch(struct thl_value *out, const unsigned char *tags, unsigned n,
                     const void *values);

/* STRING, BYTES or ADDR at a place of the block; 0 bytes where the pointer is NULL. */
#define THL_FIELD_BYTES_WIDTH ((sizeof(thole_str_) + 7u) & ~(size_t)7u)
static inline thole_str_
thl_field_bytes_at(const unsigned char *from)
{
    thole_str_ s;
    memcpy(&s, from, sizeof(s));
    if (!s.p)
        s.n = 0;
    return s;
}

/* A thole_field's value; an unknown type is null. */
struct thl_value thl_field_value(const thole_field *field);

/* Cuts the longest values until all fit into `budget` bytes of payload; the bytes cut. */
uint32_t thl_field_fit(struct thl_value *values, unsigned n, size_t budget);

/* Site values. */
size_t thl_field_site_size(const struct thl_value *values, unsigned n);
unsigned char *thl_field_site_put(unsigned char *to, const struct thl_value *values, unsigned n);

/* Decodes one value of a type, which is the call site's tag; the bytes eaten, or 0 when `from` is
 * bad. */
static inline size_t
thl_field_site_get(struct thl_value *out, uint32_t type, const unsigned char *from, size_t size)
{
    uint64_t word;
    if (size < 8)
        return 0;
    memcpy(&word, from, 8);
    out->type = type;
    out->size = 0;
    out->v.u = word;
    if (!thl_field_is_bytes(type))
        return 8;
    if (word == THL_FIELD_NULL) {
        out->type = THOLE_FIELD_NULL;
        return 8;
    }
    if (word > size - 8 || thl_field_pad(word) > size - 8)
        return 0;
    out->size = (uint32_t)word;
    out->v.p = (const char *)from + 8;
    return 8 + thl_field_pad(word);
}

/* Tagged fields. */
size_t thl_field_tagged_size(size_t key_size, const struct thl_value *value);
unsigned char *thl_field_tagged_put(unsigned char *to, const char *key, size_t key_size,
                                    const struct thl_value *value);
size_t thl_field_tagged_get(struct thl_view_field *out, const unsigned char *from, size_t size);

/* The key as it leaves thole: valid UTF-8, at most THL_FIELD_KEY_MAX bytes; an envelope key gets a
 * trailing '_', "thole.x" becomes "thole_x". `out` has THL_FIELD_KEY_MAX + 16 bytes. */
size_t thl_field_canonical(char *out, const char *key, size_t size);

/* Whether a key already is what thl_field_canonical would make of it. */
bool thl_field_is_canonical(const char *key, size_t size);

#endif
