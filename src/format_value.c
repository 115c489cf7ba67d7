/* SPDX-License-Identifier: MIT */
/* Values, keys and headers as formats share them. */
#include "format_value.h"

#include <math.h>
#include <string.h>

#include "field_text.h"
#include "number.h"

#define KEY_ROOM 256

/* Whether a value must stand in quotes in JSON: hex text, NaN, infinities, secrets, too. */
static bool
is_text(const struct thl_value *v)
{
    switch (v->type) {
    case THOLE_FIELD_STRING:
    case THOLE_FIELD_BYTES:
    case THOLE_FIELD_ADDR:
    case THOLE_FIELD_HEX:
    case THOLE_FIELD_SECRET:
        return true;
    case THOLE_FIELD_POINTER:
        return v->v.u != 0;
    case THOLE_FIELD_DOUBLE:
    case THOLE_FIELD_FLOAT:
        return !isfinite(thl_field_text_real(v));
    default:
        return false;
    }
}

static void
put_addr(struct thl_buf *out, enum thl_escape how, const struct thl_value *v)
{
    char text[160];
    struct thl_buf b;
    thl_buf_init(&b, text, sizeof(text));
    thl_number_put_addr(&b, v->v.p, v->size);
    thl_escape_put(out, how, text, b.size);
}

void
thl_format_value_escaped(struct thl_buf *out, enum thl_escape how, const struct thl_value *v)
{
    if (thl_field_text_plain(out, v))
        return;
    if (v->type == THOLE_FIELD_STRING)
        thl_escape_put(out, how, v->v.p, v->size);
    else if (v->type == THOLE_FIELD_BYTES)
        thl_number_put_hexbytes(out, v->v.p, v->size);
    else
        put_addr(out, how, v);
}

void
thl_format_value_json(struct thl_buf *out, const struct thl_value *v)
{
    const bool quoted = is_text(v);
    if (quoted)
        thl_buf_putc(out, '"');
    thl_format_value_escaped(out, THL_ESCAPE_JSON, v);
    if (quoted)
        thl_buf_putc(out, '"');
}

/* ---- logfmt ---- */

void
thl_format_string_logfmt(struct thl_buf *out, const char *s, size_t n)
{
    if (thl_escape_is_bare(s, n)) {
        thl_buf_put(out, s, n);
        return;
    }
    thl_buf_putc(out, '"');
    thl_escape_put(out, THL_ESCAPE_QUOTED, s, n);
    thl_buf_putc(out, '"');
}

void
thl_format_value_logfmt(struct thl_buf *out, const struct thl_value *v)
{
    char text[160];
    struct thl_buf b;
    if (thl_field_text_plain(out, v))
        return;
    if (v->type == THOLE_FIELD_STRING) {
        thl_format_string_logfmt(out, v->v.p, v->size);
    } else if (v->type == THOLE_FIELD_BYTES) {
        if (v->size == 0)
            thl_buf_lit(out, "\"\"");
        thl_number_put_hexbytes(out, v->v.p, v->size);
    } else {
        thl_buf_init(&b, text, sizeof(text));
        thl_number_put_addr(&b, v->v.p, v->size);
        thl_format_string_logfmt(out, text, b.size);
    }
}

size_t
thl_format_key_logfmt(char *to, size_t room, const char *key, size_t n)
{
    size_t size = 0, step;
    for (size_t i = 0; i < n; i += step) {
        unsigned char c = (unsigned char)key[i];
        step = thl_escape_utf8(key + i, n - i);
        bool control = step == 2 && c == 0xC2 && (unsigned char)key[i + 1] < 0xA0;
        bool separator = step == 3 && memcmp(key + i, "\xE2\x80", 2) == 0 &&
                         ((unsigned char)key[i + 2] & 0xFE) == 0xA8;
        bool safe = step > 1 ? !control && !separator
                             : step == 1 && c > ' ' && c < 0x7F && c != '=' && c != '"';
        if (step == 0)
            step = 1;
        if (size + (safe ? step : 1) > room)
            break;
        memcpy(to + size, safe ? key + i : "_", safe ? step : 1);
        size += safe ? step : 1;
    }
    if (size == 0)
        to[size++] = '_';
    return size;
}

/* Keys differ before the mapping; only a mapped one can have become equal to an earlier one. */
static bool
is_taken(const struct thl_view *v, size_t i, const char *mapped, size_t n)
{
    char other[KEY_ROOM];
    for (size_t j = 0; j < i; j++) {
        size_t size =
            thl_format_key_logfmt(other, sizeof(other), v->field[j].key, v->field[j].key_size);
        if (size == n && memcmp(other, mapped, n) == 0)
            return true;
    }
    return false;
}

static bool
any_mapped(const struct thl_view *v, size_t upto)
{
    for (size_t j = 0; j < upto; j++)
        if (!thl_escape_is_bare(v->field[j].key, v->field[j].key_size))
            return true;
    return false;
}

void
thl_format_fields_logfmt(struct thl_buf *out, const struct thl_view *v)
{
    const bool compare = any_mapped(v, v->nfields);
    for (size_t i = 0; i < v->nfields; i++) {
        const struct thl_view_field *f = &v->field[i];
        char key[KEY_ROOM];
        size_t n = thl_format_key_logfmt(key, sizeof(key), f->key, f->key_size);
        if (compare && is_taken(v, i, key, n))
            continue;
        thl_buf_putc(out, ' ');
        thl_buf_put(out, key, n);
        thl_buf_putc(out, '=');
        thl_format_value_logfmt(out, &f->value);
    }
}

/* ---- source and headers ---- */

bool
thl_format_has_src(const struct thl_format_options *o, const struct thl_view *v)
{
    if (!o->src || !v->file)
        return false;
    for (size_t i = 0; i < v->nfields; i++)
        if (v->field[i].key_size == 3 && memcmp(v->field[i].key, "src", 3) == 0)
            return false;
    return true;
}

void
thl_format_src(struct thl_buf *out, enum thl_escape how, const struct thl_view *v)
{
    size_t begin = v->file_size;
    while (begin > 0 && v->file[begin - 1] != '/')
        begin--;
    const char *name = v->file + begin;
    const size_t n = v->file_size - begin;
    const bool quoted = how == THL_ESCAPE_QUOTED && !thl_escape_is_bare(name, n);
    if (quoted)
        thl_buf_putc(out, '"');
    thl_escape_put(out, how, name, n);
    thl_buf_putc(out, ':');
    thl_number_put_uint(out, v->line);
    if (quoted)
        thl_buf_putc(out, '"');
}

static bool
is_tag_byte(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '.' || c == '-';
}

void
thl_format_header(struct thl_buf *out, const char *s, size_t n, size_t max, bool tag)
{
    if (n == 0)
        thl_buf_putc(out, '-');
    for (size_t i = 0; i < n && i < max; i++) {
        unsigned char c = (unsigned char)s[i];
        bool fine = tag ? is_tag_byte(c) : c > 32 && c < 127;
        thl_buf_putc(out, fine ? (char)c : '_');
    }
}
