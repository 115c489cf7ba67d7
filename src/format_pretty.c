/* SPDX-License-Identifier: MIT */
/*
 * For people at a terminal: time of day (UTC), level, logger, message padded, then key=value.
 *
 *     12:54:01.123 info   echod.conn  request done                    conn=42 status=200
 *
 * The only escape bytes are the colours of this file; text is escaped like logfmt.
 */
#include "format.h"
#include "format_value.h"
#include "level.h"
#include "number.h"

#define MESSAGE_COLUMN 40
#define LEVEL_COLUMN 6

#define DIM "\x1b[2m"
#define RESET "\x1b[0m"

static void
paint(struct thl_buf *out, const struct thl_format_options *o, const char *color)
{
    if (o->color)
        thl_buf_puts(out, color);
}

static void
put_blanks(struct thl_buf *out, size_t from, size_t to)
{
    while (from++ < to)
        thl_buf_putc(out, ' ');
}

void
thl_format_time_pretty(struct thl_buf *out, int64_t unix_ns)
{
    struct thl_calendar c;
    thl_number_calendar(&c, unix_ns, 0);
    thl_number_put_padded(out, c.hour, 2);
    thl_buf_putc(out, ':');
    thl_number_put_padded(out, c.minute, 2);
    thl_buf_putc(out, ':');
    thl_number_put_padded(out, c.second, 2);
    thl_buf_putc(out, '.');
    thl_number_put_padded(out, c.microsecond / 1000, 3);
}

static void
put_level(struct thl_buf *out, const struct thl_format_options *o, enum thole_level level)
{
    static const char *const colors[THL_LEVELS] = {"\x1b[2m",    "\x1b[36m",   "\x1b[32m",
                                                   "\x1b[1;32m", "\x1b[33m",   "\x1b[1;31m",
                                                   "\x1b[1;31m", "\x1b[1;35m", "\x1b[1;35m"};
    const char *word = thl_level_word(level);
    paint(out, o, colors[(unsigned)level < THL_LEVELS ? level : THL_LEVELS - 1]);
    thl_buf_puts(out, word);
    paint(out, o, RESET);
    put_blanks(out, strlen(word), LEVEL_COLUMN);
}

/* Columns of text as it was put: its code points. Wide and combining characters are not looked up,
 * so a line with them may be padded by a few columns too many or too few. */
static size_t
count_columns(const char *s, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)s[i] & 0xC0) != 0x80;
    return columns;
}

static void
put_message(struct thl_buf *out, const struct thl_view *v, bool padded)
{
    const size_t begin = out->size;
    thl_escape_put(out, THL_ESCAPE_TEXT, v->msg ? v->msg : "", v->msg_size);
    if (padded)
        put_blanks(out, count_columns(out->bytes + begin, out->size - begin), MESSAGE_COLUMN);
}

static void
put_fields(struct thl_buf *out, const struct thl_format_options *o, const struct thl_view *v)
{
    paint(out, o, DIM);
    thl_format_fields_logfmt(out, v);
    if (thl_format_has_src(o, v)) {
        thl_buf_lit(out, " src=");
        thl_format_src(out, THL_ESCAPE_QUOTED, v);
    }
    if (v->seq) {
        thl_buf_lit(out, " thole.seq=");
        thl_number_put_uint(out, v->seq);
    }
    paint(out, o, RESET);
}

void
thl_format_pretty(struct thl_buf *out, const struct thl_format_options *o, const struct thl_view *v)
{
    const bool fields = v->nfields > 0 || v->seq || thl_format_has_src(o, v);
    paint(out, o, DIM);
    thl_format_time_pretty(out, v->unix_ns);
    paint(out, o, RESET);
    thl_buf_putc(out, ' ');
    put_level(out, o, v->level);
    thl_buf_putc(out, ' ');
    if (v->logger_size) {
        thl_escape_put(out, THL_ESCAPE_TEXT, v->logger, v->logger_size);
        thl_buf_lit(out, "  ");
    }
    put_message(out, v, fields);
    if (fields)
        put_fields(out, o, v);
}
