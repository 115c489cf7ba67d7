/* SPDX-License-Identifier: MIT */
/* Values as text. */
#include "field_text.h"

#include <math.h>

#include "number.h"

static void
put_real(struct thl_buf *out, const struct thl_value *v)
{
    double d = thl_field_text_real(v);
    if (isnan(d))
        thl_buf_lit(out, "NaN");
    else if (isinf(d))
        thl_buf_puts(out, d < 0 ? "-Infinity" : "Infinity");
    else if (v->type == THOLE_FIELD_FLOAT)
        thl_number_put_float(out, (float)d);
    else
        thl_number_put_double(out, d);
}

bool
thl_field_text_plain(struct thl_buf *out, const struct thl_value *v)
{
    switch (v->type) {
    case THOLE_FIELD_BOOL:
        thl_buf_puts(out, v->v.u ? "true" : "false");
        return true;
    case THOLE_FIELD_INT:
        thl_number_put_int(out, v->v.i);
        return true;
    case THOLE_FIELD_UINT:
        thl_number_put_uint(out, v->v.u);
        return true;
    case THOLE_FIELD_DOUBLE:
    case THOLE_FIELD_FLOAT:
        put_real(out, v);
        return true;
    case THOLE_FIELD_DURATION:
        thl_number_put_seconds(out, v->v.i);
        return true;
    case THOLE_FIELD_POINTER:
    case THOLE_FIELD_HEX:
        if (v->type == THOLE_FIELD_POINTER && v->v.u == 0)
            thl_buf_lit(out, "null");
        else
            thl_number_put_hex(out, v->v.u);
        return true;
    case THOLE_FIELD_SECRET:
        thl_buf_lit(out, "***");
        return true;
    case THOLE_FIELD_STRING:
    case THOLE_FIELD_BYTES:
    case THOLE_FIELD_ADDR:
        return false;
    case THL_VALUE_HOLE:
        thl_buf_putc(out, THL_VIEW_HOLE);
        return true;
    default:
        thl_buf_lit(out, "null");
        return true;
    }
}

void
thl_field_text_put(struct thl_buf *out, const struct thl_value *v)
{
    if (thl_field_text_plain(out, v))
        return;
    if (v->type == THOLE_FIELD_STRING)
        thl_buf_put(out, v->v.p, v->size);
    else if (v->type == THOLE_FIELD_BYTES)
        thl_number_put_hexbytes(out, v->v.p, v->size);
    else
        thl_number_put_addr(out, v->v.p, v->size);
}
