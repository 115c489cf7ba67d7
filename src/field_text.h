/* SPDX-License-Identifier: MIT */
/* A field's value as text, as formats print it and conditions compare it. */
#ifndef THL_FIELD_TEXT_H
#define THL_FIELD_TEXT_H

#include <stdbool.h>

#include "buf.h"
#include "view.h"

/* A double, or what is left of one that was given as a float: perhaps an infinity. */
static inline double
thl_field_text_real(const struct thl_value *v)
{
    return v->type == THOLE_FIELD_FLOAT ? (double)(float)v->v.d : v->v.d;
}

/* A value that is not a string of the user's: number, bool, null, hex, time. False for STRING,
 * BYTES and ADDR, which formats quote or escape. */
bool thl_field_text_plain(struct thl_buf *out, const struct thl_value *v);

/* Any value; a string's own bytes, without quotes or escapes. */
void thl_field_text_put(struct thl_buf *out, const struct thl_value *v);

#endif
