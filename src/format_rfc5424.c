/* SPDX-License-Identifier: MIT */
/*
 * RFC 5424, section 6: <PRI>1 TIME HOST APP PROCID MSGID SD MSG. No BOM (receivers differ about
 * it), no trailing byte (RFC 5426, 3.1), no empty header field, names of parameters sanitised
 * because the RFC knows no escape for them (6.3.3), dots mapped because syslog-ng corrupts them.
 */
#include "format.h"
#include "format_value.h"
#include "level.h"
#include "number.h"

#define NAME_MAX_BYTES 32
#define SEQ_MAX 2147483647u /* 7.3.1: then it begins at 1 again */

static char
map_byte(char c)
{
    const bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      c == '_' || c == '-';
    return fine ? c : '_';
}

/* A key's name has a byte for each of its own, up to 32; an empty key's is "_". */
static size_t
name_size(const struct thl_view_field *f)
{
    return f->key_size == 0 ? 1 : f->key_size < NAME_MAX_BYTES ? f->key_size : NAME_MAX_BYTES;
}

static char
name_byte(const struct thl_view_field *f, size_t i)
{
    return f->key_size == 0 ? '_' : map_byte(f->key[i]);
}

/* The mapping can make two keys equal: the first stays. Sizes and first bytes settle most. */
static bool
is_taken(const struct thl_view *v, size_t i)
{
    const struct thl_view_field *f = &v->field[i];
    const size_t n = name_size(f);
    for (const struct thl_view_field *e = v->field; e < f; e++) {
        size_t same = 0;
        if (name_size(e) != n)
            continue;
        while (same < n && name_byte(e, same) == name_byte(f, same))
            same++;
        if (same == n)
            return true;
    }
    return false;
}

static void
put_name(struct thl_buf *out, const struct thl_view_field *f)
{
    char name[NAME_MAX_BYTES];
    const size_t n = name_size(f);
    for (size_t i = 0; i < n; i++)
        name[i] = name_byte(f, i);
    thl_buf_put(out, name, n);
}

void
thl_format_fields_sd(struct thl_buf *out, const struct thl_view *v)
{
    for (size_t i = 0; i < v->nfields; i++) {
        const struct thl_view_field *f = &v->field[i];
        if (is_taken(v, i))
            continue;
        thl_buf_putc(out, ' ');
        put_name(out, f);
        thl_buf_lit(out, "=\"");
        thl_format_value_escaped(out, THL_ESCAPE_SD_VALUE, &f->value);
        thl_buf_putc(out, '"');
    }
}

static void
put_structured_data(struct thl_buf *out, const struct thl_format_options *o,
                    const struct thl_view *v)
{
    const bool src = thl_format_has_src(o, v);
    if (v->nfields > 0 || src) {
        thl_buf_putc(out, '[');
        thl_buf_puts(out, o->sdid);
        thl_format_fields_sd(out, v);
        if (src) {
            thl_buf_lit(out, " src=\"");
            thl_format_src(out, THL_ESCAPE_SD_VALUE, v);
            thl_buf_putc(out, '"');
        }
        thl_buf_putc(out, ']');
    }
    if (v->seq) {
        thl_buf_lit(out, "[meta sequenceId=\"");
        thl_number_put_uint(out, (v->seq - 1) % SEQ_MAX + 1);
        thl_buf_lit(out, "\"]");
    }
    if (v->nfields == 0 && !src && !v->seq)
        thl_buf_putc(out, '-');
}

static void
put_header(struct thl_buf *out, const struct thl_format_options *o, const struct thl_view *v)
{
    thl_buf_putc(out, '<');
    thl_number_put_int(out, o->facility * 8 + thl_level_severity(v->level));
    thl_buf_lit(out, ">1 ");
    thl_number_put_rfc3339(out, v->unix_ns);
    thl_buf_putc(out, ' ');
    thl_format_header(out, o->host, strlen(o->host), 255, false);
    thl_buf_putc(out, ' ');
    thl_format_header(out, o->app, strlen(o->app), 48, false);
    thl_buf_putc(out, ' ');
    thl_number_put_int(out, o->pid);
    thl_buf_putc(out, ' ');
    thl_format_header(out, v->logger, v->logger_size, 32, false);
    thl_buf_putc(out, ' ');
}

void
thl_format_rfc5424(struct thl_buf *out, const struct thl_format_options *o,
                   const struct thl_view *v)
{
    put_header(out, o, v);
    put_structured_data(out, o, v);
    if (v->msg_size == 0)
        return;
    thl_buf_putc(out, ' ');
    thl_escape_put(out, THL_ESCAPE_TEXT, v->msg, v->msg_size);
}
