/* SPDX-License-Identifier: MIT */
/* Values and times -> text, into room that is there. */
#include "format_write.h"

#include <math.h>
#include <string.h>

#include "compiler.h"
#include "escape.h"
#include "number.h"

#define SECOND_NS 1000000000

/* What is rare, as format_value.c puts it. */
THL_COLD static char *
write_otherwise(char *to, enum thl_format format, const struct thl_value *v)
{
    struct thl_buf out;
    thl_buf_init(&out, to, THL_FORMAT_WRITE_ADDR_ROOM + (size_t)v->size * THL_ESCAPE_WORST);
    thl_format_value(&out, format, v);
    return to + out.size;
}

static char *
write_quoted(char *to, enum thl_escape how, const struct thl_value *v)
{
    *to++ = '"';
    to = thl_escape_write(to, how, v->v.p, v->size);
    *to++ = '"';
    return to;
}

static char *
write_string(char *to, enum thl_format format, const struct thl_value *v)
{
    if (format == THL_FORMAT_JSON)
        return write_quoted(to, THL_ESCAPE_JSON, v);
    if (format == THL_FORMAT_RFC5424)
        return thl_escape_write(to, THL_ESCAPE_SD_VALUE, v->v.p, v->size);
    if (!thl_escape_is_bare(v->v.p, v->size))
        return write_quoted(to, THL_ESCAPE_QUOTED, v);
    memcpy(to, v->v.p, v->size);
    return to + v->size;
}

static char *
write_bool(char *to, bool yes)
{
    memcpy(to, yes ? "true\0" : "false", 5);
    return to + (yes ? 4 : 5);
}

char *
thl_format_write_value(char *to, enum thl_format format, const struct thl_value *v)
{
    switch (v->type) {
    case THOLE_FIELD_BOOL:
        return write_bool(to, v->v.u != 0);
    case THOLE_FIELD_INT:
        return thl_number_write_int(to, v->v.i);
    case THOLE_FIELD_UINT:
        return thl_number_write_uint(to, v->v.u);
    case THOLE_FIELD_DURATION:
        return thl_number_write_seconds(to, v->v.i);
    case THOLE_FIELD_DOUBLE:
        if (THL_LIKELY(isfinite(v->v.d)))
            return thl_number_write_double(to, v->v.d);
        break;
    case THOLE_FIELD_STRING:
        return write_string(to, format, v);
    default:
        break;
    }
    return write_otherwise(to, format, v);
}

/* ---- time ---- */

/* Where the digits of the fraction stand, and how many. */
static const struct {
    uint8_t at, digits;
} fraction[THL_FORMATS] = {
    [THL_FORMAT_JSON] = {20, 6},    [THL_FORMAT_LOGFMT] = {20, 6}, [THL_FORMAT_PRETTY] = {9, 3},
    [THL_FORMAT_RFC5424] = {20, 6}, [THL_FORMAT_RFC3164] = {0, 0},
};

THL_COLD static void
begin_second(struct thl_format_clock *clock, const struct thl_format_options *o, int64_t unix_ns)
{
    const int64_t past = (unix_ns % SECOND_NS + SECOND_NS) % SECOND_NS;
    struct thl_buf out;
    clock->begin_ns = (uint64_t)unix_ns - (uint64_t)past;
    clock->utc_offset = o->utc_offset;
    thl_buf_init(&out, clock->text, sizeof(clock->text));
    thl_format_time(&out, o, unix_ns);
    clock->size = (unsigned)out.size;
}

char *
thl_format_write_time(char *to, struct thl_format_clock *clock, const struct thl_format_options *o,
                      int64_t unix_ns)
{
    const unsigned at = fraction[o->format].at, digits = fraction[o->format].digits;
    if (THL_UNLIKELY((uint64_t)unix_ns - clock->begin_ns >= SECOND_NS || clock->size == 0 ||
                     clock->utc_offset != o->utc_offset))
        begin_second(clock, o, unix_ns);
    uint32_t ns = (uint32_t)((uint64_t)unix_ns - clock->begin_ns);
    memcpy(to, clock->text, sizeof(clock->text));
    if (digits == 6)
        thl_number_write_micros(to + at - 1, ns / 1000);
    else if (digits == 3)
        thl_number_write_padded(to + at, ns / 1000000, 3);
    return to + clock->size;
}
