/* SPDX-License-Identifier: MIT */
/* What the tests of the formats share: views as literals, and one comparison. */
#ifndef THL_FORMAT_KIT_H
#define THL_FORMAT_KIT_H

#include "test.h"

#include "format.h"

#define STR(s)                                                                                     \
    {                                                                                              \
        THOLE_FIELD_STRING, sizeof(s) - 1,                                                         \
        {                                                                                          \
            .p = s                                                                                 \
        }                                                                                          \
    }
#define KEY(k) k, sizeof(k) - 1
#define TEXT(member, s) .member = s, .member##_size = sizeof(s) - 1

/* 2026-11-22, 12:54:01.123456789 UTC. */
#define NOON .unix_ns = 1795352041123456789

/* The record comes out whole, and is exactly `want`. */
static inline void
expect_format(const struct thl_format_options *o, const struct thl_view *v, const char *want)
{
    static char bytes[4096];
    struct thl_buf b;
    thl_buf_init(&b, bytes, sizeof(bytes));
    cr_expect_eq(thl_format_put(&b, o, v), 0u);
    cr_expect(b.size == strlen(want) && memcmp(bytes, want, b.size) == 0, "got  %.*s\nwant %s",
              (int)b.size, bytes, want);
}

#endif
