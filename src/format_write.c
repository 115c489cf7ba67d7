/* SPDX-License-Identifier: MIT */
/* Values and times -> text, into room that is there. */
#include "format_write.h"

#include <string.h>

#include "escape.h"

#define SECOND_NS 1000000000

/* As format_value.c puts it. */
char *
thl_format_write_otherwise(char *to, enum thl_format format, struct thl_value v)
{
    struct thl_buf out;
    thl_buf_init(&out, to, THL_FORMAT_WRITE_ADDR_ROOM + (size_t)v.size * THL_ESCAPE_WORST);
    thl_format_value(&out, format, &v);
    return to + out.size;
}

static char *
write_quoted(char *to, enum thl_escape how, const char *s, size_t n)
{
    *to++ = '"';
    to = thl_escape_write(to, how, s, n);
    *to++ = '"';
    return to;
}

char *
thl_format_write_string(char *to, enum thl_format format, const char *s, size_t n)
{
    if (format == THL_FORMAT_JSON)
        return write_quoted(to, THL_ESCAPE_JSON, s, n);
    if (format == THL_FORMAT_RFC5424)
        return thl_escape_write(to, THL_ESCAPE_SD_VALUE, s, n);
    if (!thl_escape_is_bare(s, n))
        return write_quoted(to, THL_ESCAPE_QUOTED, s, n);
    memcpy(to, s, n);
    return to + n;
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
