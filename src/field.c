/* SPDX-License-Identifier: MIT */
/* Typed values <-> bytes. */
#include "field.h"

#include <string.h>

#include "escape.h"

static void
set_bytes(struct thl_value *v, uint32_t type, const void *p, size_t n)
{
    if (!p) {
        v->type = THOLE_FIELD_NULL;
        v->size = 0;
        v->v.u = 0;
        return;
    }
    v->type = type;
    v->size = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    v->v.p = p;
}

static void
set_string(struct thl_value *v, const char *s)
{
    set_bytes(v, THOLE_FIELD_STRING, s, s ? strlen(s) : 0);
}

static void
set_int(struct thl_value *v, uint32_t type, int64_t i)
{
    v->type = type;
    v->size = 0;
    v->v.i = i;
}

static void
set_uint(struct thl_value *v, uint32_t type, uint64_t u)
{
    v->type = type;
    v->size = 0;
    v->v.u = u;
}

static void
set_double(struct thl_value *v, uint32_t type, double d)
{
    v->type = type;
    v->size = 0;
    v->v.d = d;
}

/* A block's values of 8 bytes; a pointer may be shorter. */
static struct thl_value
fetch_word(unsigned char tag, const unsigned char *from)
{
    struct thl_value v = {tag, 0, {0}};
    const void *p;
    memcpy(&p, from, sizeof(p));
    if (tag == THOLE_FIELD_POINTER)
        set_uint(&v, tag, (uint64_t)(uintptr_t)p);
    else
        memcpy(&v.v, from, sizeof(v.v));
    return v;
}

void
thl_field_fetch(struct thl_value *out, const unsigned char *tags, unsigned n, const void *values)
{
    const unsigned char *from = values;
    for (unsigned i = 0; i < n; i++) {
        if (!thl_field_is_bytes(tags[i])) {
            out[i] = fetch_word(tags[i], from);
            from += 8;
            continue;
        }
        thole_str_ s = thl_field_bytes_at(from);
        from += THL_FIELD_BYTES_WIDTH;
        if (tags[i] == THOLE_FIELD_ADDR && s.n > THL_FIELD_ADDR_MAX)
            s.n = THL_FIELD_ADDR_MAX;
        set_bytes(&out[i], tags[i], s.p, s.n);
    }
}

struct thl_value
thl_field_value(const thole_field *field)
{
    struct thl_value v = {THOLE_FIELD_NULL, 0, {0}};
    switch (field->type) {
    case THOLE_FIELD_BOOL:
        set_uint(&v, THOLE_FIELD_BOOL, field->v.u != 0);
        break;
    case THOLE_FIELD_INT:
    case THOLE_FIELD_ERRNO:
    case THOLE_FIELD_DURATION:
        set_int(&v, field->type, field->v.i);
        break;
    case THOLE_FIELD_UINT:
    case THOLE_FIELD_HEX:
    case THOLE_FIELD_POINTER:
        set_uint(&v, field->type, field->v.u);
        break;
    case THOLE_FIELD_DOUBLE:
    case THOLE_FIELD_FLOAT:
        set_double(&v, field->type, field->v.d);
        break;
    case THOLE_FIELD_CSTRING:
        set_string(&v, field->v.p);
        break;
    case THOLE_FIELD_STRING:
    case THOLE_FIELD_BYTES:
        set_bytes(&v, field->type, field->v.p, field->size);
        break;
    case THOLE_FIELD_ADDR:
        set_bytes(&v, field->type, field->v.p,
                  field->size < THL_FIELD_ADDR_MAX ? field->size : THL_FIELD_ADDR_MAX);
        break;
    case THOLE_FIELD_SECRET:
        v.type = THOLE_FIELD_SECRET;
        break;
    default:
        break;
    }
    return v;
}

/* Bytes that all values take, padded, when none that may be cut is longer than `cap`. */
static size_t
size_capped(const struct thl_value *values, unsigned n, size_t cap)
{
    size_t total = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t size = values[i].size;
        if (!thl_field_is_bytes(values[i].type))
            size = 8;
        else if (thl_field_may_cut(&values[i]) && size > cap)
            size = cap;
        total += 8 + thl_field_pad(size);
    }
    return total;
}

uint32_t
thl_field_fit(struct thl_value *values, unsigned n, size_t budget)
{
    size_t low = 0, high = THL_FIELD_VALUE_MAX;
    uint32_t cut = 0;
    while (low < high) { /* the largest cap that fits */
        size_t middle = (low + high + 1) / 2;
        if (size_capped(values, n, middle) <= budget)
            low = middle;
        else
            high = middle - 1;
    }
    for (unsigned i = 0; i < n; i++) {
        struct thl_value *v = &values[i];
        if (!thl_field_may_cut(v) || v->size <= low)
            continue;
        uint32_t keep = (uint32_t)low;
        if (v->type == THOLE_FIELD_STRING)
            keep = (uint32_t)thl_escape_cut(v->v.p, v->size, low);
        cut += v->size - keep;
        v->size = keep;
    }
    return cut;
}

size_t
thl_field_site_size(const struct thl_value *values, unsigned n)
{
    size_t size = 8u * (size_t)n;
    for (unsigned i = 0; i < n; i++)
        if (thl_field_is_bytes(values[i].type))
            size += thl_field_pad(values[i].size);
    return size;
}

unsigned char *
thl_field_site_put(unsigned char *to, const struct thl_value *values, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct thl_value *v = &values[i];
        uint64_t word = v->v.u;
        if (v->type == THOLE_FIELD_NULL)
            word = THL_FIELD_NULL;
        else if (thl_field_is_bytes(v->type))
            word = v->size;
        memcpy(to, &word, 8);
        to += 8;
        if (thl_field_is_bytes(v->type)) {
            memcpy(to, v->v.p, v->size);
            to += thl_field_pad(v->size);
        }
    }
    return to;
}

static size_t
tagged_value_size(const struct thl_value *value)
{
    if (thl_field_is_bytes(value->type))
        return value->size;
    return value->type == THOLE_FIELD_NULL || value->type == THOLE_FIELD_SECRET ? 0 : 8;
}

size_t
thl_field_tagged_size(size_t key_size, const struct thl_value *value)
{
    return THL_FIELD_TAG_BYTES + key_size + tagged_value_size(value);
}

unsigned char *
thl_field_tagged_put(unsigned char *to, const char *key, size_t key_size,
                     const struct thl_value *value)
{
    size_t size = tagged_value_size(value);
    uint16_t size16 = (uint16_t)size;
    to[0] = (unsigned char)value->type;
    to[1] = (unsigned char)key_size;
    memcpy(to + 2, &size16, 2);
    to += THL_FIELD_TAG_BYTES;
    memcpy(to, key, key_size);
    to += key_size;
    if (size)
        memcpy(to, thl_field_is_bytes(value->type) ? value->v.p : (const void *)&value->v, size);
    return to + size;
}

size_t
thl_field_tagged_get(struct thl_view_field *out, const unsigned char *from, size_t size)
{
    uint16_t value_size;
    if (size < THL_FIELD_TAG_BYTES)
        return 0;
    memcpy(&value_size, from + 2, 2);
    size_t total = THL_FIELD_TAG_BYTES + (size_t)from[1] + value_size;
    if (total > size)
        return 0;
    const unsigned char *value = from + THL_FIELD_TAG_BYTES + from[1];
    out->key = (const char *)from + THL_FIELD_TAG_BYTES;
    out->key_size = from[1];
    out->value.type = from[0];
    out->value.size = 0;
    out->value.v.u = 0;
    if (thl_field_is_bytes(from[0])) {
        out->value.size = value_size;
        out->value.v.p = (const char *)value;
    } else if (value_size == 8) {
        memcpy(&out->value.v, value, 8);
    } else if (value_size != 0 || from[0] > THOLE_FIELD_SECRET) {
        return 0;
    }
    return total;
}

static bool
is_envelope(const char *key, size_t n)
{
    return (n == 4 && memcmp(key, "time", 4) == 0) || (n == 5 && memcmp(key, "level", 5) == 0) ||
           (n == 6 && memcmp(key, "logger", 6) == 0) || (n == 3 && memcmp(key, "msg", 3) == 0);
}

size_t
thl_field_canonical(char *out, const char *key, size_t size)
{
    size_t n = 0, i = 0;
    while (i < size && n < THL_FIELD_KEY_MAX) {
        size_t step = thl_escape_utf8(key + i, size - i);
        const char *from = step ? key + i : "\xEF\xBF\xBD";
        size_t width = step ? step : 3;
        if (n + width > THL_FIELD_KEY_MAX)
            break;
        memcpy(out + n, from, width);
        n += width;
        i += step ? step : 1;
    }
    if (is_envelope(out, n))
        out[n++] = '_';
    else if (n >= 6 && memcmp(out, "thole.", 6) == 0)
        out[5] = '_';
    return n;
}

bool
thl_field_is_canonical(const char *key, size_t size)
{
    if (size > THL_FIELD_KEY_MAX || is_envelope(key, size) ||
        (size >= 6 && memcmp(key, "thole.", 6) == 0))
        return false;
    for (size_t i = 0, step; i < size; i += step) {
        step = (unsigned char)key[i] < 0x80 ? 1 : thl_escape_utf8(key + i, size - i);
        if (step == 0)
            return false;
    }
    return true;
}
