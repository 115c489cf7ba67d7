/* SPDX-License-Identifier: MIT */
/*
 * The form that glibc's syslog() sends to /dev/log: <PRI>Mmm dd hh:mm:ss TAG[pid]: message, local
 * time, English months, no host (it would be taken for the tag), no trailing byte. Then the
 * logger's name and the fields as logfmt.
 */
#include "format.h"
#include "format_value.h"
#include "level.h"
#include "number.h"

void
thl_format_time_rfc3164(struct thl_buf *out, int64_t unix_ns, int32_t utc_offset)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct thl_calendar c;
    thl_number_calendar(&c, unix_ns, utc_offset);
    thl_buf_put(out, months + 3 * (c.month - 1), 3);
    thl_buf_puts(out, c.day < 10 ? "  " : " ");
    thl_number_put_uint(out, c.day);
    thl_buf_putc(out, ' ');
    thl_number_put_padded(out, c.hour, 2);
    thl_buf_putc(out, ':');
    thl_number_put_padded(out, c.minute, 2);
    thl_buf_putc(out, ':');
    thl_number_put_padded(out, c.second, 2);
}

void
thl_format_rfc3164(struct thl_buf *out, const struct thl_format_options *o,
                   const struct thl_view *v)
{
    thl_buf_putc(out, '<');
    thl_number_put_int(out, o->facility * 8 + thl_level_severity(v->level));
    thl_buf_putc(out, '>');
    thl_format_time_rfc3164(out, v->unix_ns, o->utc_offset);
    thl_buf_putc(out, ' ');
    thl_format_header(out, o->app, strlen(o->app), 32, true);
    thl_buf_putc(out, '[');
    thl_number_put_int(out, o->pid);
    thl_buf_lit(out, "]:");
    if (v->msg_size) {
        thl_buf_putc(out, ' ');
        thl_escape_put(out, THL_ESCAPE_TEXT, v->msg, v->msg_size);
    }
    if (v->logger_size) {
        thl_buf_lit(out, " logger=");
        thl_format_string_logfmt(out, v->logger, v->logger_size);
    }
    if (thl_format_has_src(o, v)) {
        thl_buf_lit(out, " src=");
        thl_format_src(out, THL_ESCAPE_QUOTED, v);
    }
    thl_format_fields_logfmt(out, v);
    if (v->seq) {
        thl_buf_lit(out, " thole.seq=");
        thl_number_put_uint(out, v->seq);
    }
}
