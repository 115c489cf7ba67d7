/* SPDX-License-Identifier: MIT */
/* Values and times for a writer that has seen to the room before: the texts of format.h's pieces,
 * without a check at each byte. */
#ifndef THL_FORMAT_WRITE_H
#define THL_FORMAT_WRITE_H

#include "format.h"

/* Bytes that a value may need, scribbling included: so many, and for each byte of its own the
 * worst that escaping makes of it. */
#define THL_FORMAT_WRITE_VALUE_ROOM 40
#define THL_FORMAT_WRITE_ADDR_ROOM 720
#define THL_FORMAT_WRITE_TIME_ROOM 48

/* Writes the value to `to`; its end. */
char *thl_format_write_value(char *to, enum thl_format format, const struct thl_value *v);

/* The text of a second; only what changes within it is written anew. */
struct thl_format_clock {
    uint64_t begin_ns; /* of the second; as bits: right for every int64_t */
    int32_t utc_offset;
    unsigned size; /* 0: nothing yet */
    char text[32];
};

/* Writes the time as thl_format_time would; its end. */
char *thl_format_write_time(char *to, struct thl_format_clock *clock,
                            const struct thl_format_options *o, int64_t unix_ns);

#endif
