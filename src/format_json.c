/* SPDX-License-Identifier: MIT */
/* JSON (RFC 8259): one object, envelope first, then context, then fields. */
#include "escape.h"
#include "format.h"
#include "format_value.h"
#include "level.h"
#include "number.h"

static void
put_string(struct thl_buf *out, const char *s, size_t n)
{
    thl_buf_putc(out, '"');
    thl_escape_put(out, THL_ESCAPE_JSON, s, n);
    thl_buf_putc(out, '"');
}

void
thl_format_fields_json(struct thl_buf *out, const struct thl_view *v)
{
    for (size_t i = 0; i < v->nfields; i++) {
        const struct thl_view_field *f = &v->field[i];
        thl_buf_putc(out, ',');
        put_string(out, f->key, f->key_size);
        thl_buf_putc(out, ':');
        thl_format_value_json(out, &f->value);
    }
}

static void
put_envelope(struct thl_buf *out, const struct thl_view *v)
{
    thl_buf_lit(out, "{\"time\":\"");
    thl_number_put_rfc3339(out, v->unix_ns);
    thl_buf_lit(out, "\",\"level\":\"");
    thl_buf_puts(out, thl_level_word(v->level));
    thl_buf_lit(out, "\",\"logger\":");
    put_string(out, v->logger, v->logger_size);
    thl_buf_lit(out, ",\"msg\":");
    put_string(out, v->msg, v->msg_size);
}

void
thl_format_json(struct thl_buf *out, const struct thl_format_options *o, const struct thl_view *v)
{
    put_envelope(out, v);
    if (thl_format_has_src(o, v)) {
        thl_buf_lit(out, ",\"src\":\"");
        thl_format_src(out, THL_ESCAPE_JSON, v);
        thl_buf_putc(out, '"');
    }
    thl_format_fields_json(out, v);
    if (v->seq) {
        thl_buf_lit(out, ",\"thole.seq\":");
        thl_number_put_uint(out, v->seq);
    }
    thl_buf_putc(out, '}');
}
