/* SPDX-License-Identifier: MIT */
/* What a call writes into a buffer, as a string: TEXT(thl_number_put_int(&b, 7)). */
#ifndef BUF_TEXT_H
#define BUF_TEXT_H

#include "buf.h"

static char text[512];
static struct thl_buf b;

static inline const char *
end_text(void)
{
    text[b.size] = '\0';
    return text;
}

#define TEXT(call) (thl_buf_init(&b, text, sizeof(text) - 1), call, end_text())

#endif
