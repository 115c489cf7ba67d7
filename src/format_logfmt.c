/* SPDX-License-Identifier: MIT */
/* logfmt: the keys of JSON, key=value, quoted where needed. */
#include "format.h"
#include "format_value.h"
#include "level.h"
#include "number.h"

void
thl_format_logfmt(struct thl_buf *out, const struct thl_format_options *o, const struct thl_view *v)
{
    thl_buf_lit(out, "time=");
    thl_number_put_rfc3339(out, v->unix_ns);
    thl_buf_lit(out, " level=");
    thl_buf_puts(out, thl_level_word(v->level));
    thl_buf_lit(out, " logger=");
    thl_format_string_logfmt(out, v->logger, v->logger_size);
    thl_buf_lit(out, " msg=");
    thl_format_string_logfmt(out, v->msg ? v->msg : "", v->msg_size);
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
