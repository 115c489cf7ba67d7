/* SPDX-License-Identifier: MIT */
/* Values and times for a writer that has seen to the room before: the texts of format.h's pieces,
 * without a check at each byte. */
#ifndef THL_FORMAT_WRITE_H
#define THL_FORMAT_WRITE_H

#include <math.h>

#include "compiler.h"
#include "format.h"
#include "number.h"

/* Bytes that a value may need, scribbling included: so many, and for each byte of its own the
 * worst that escaping makes of it. */
#define THL_FORMAT_WRITE_VALUE_ROOM 40
#define THL_FORMAT_WRITE_ADDR_ROOM 720
#define THL_FORMAT_WRITE_TIME_ROOM 48

/* A string's bytes; any other value. */
char *thl_format_write_string(char *to, enum thl_format format, const char *s, size_t n);
char *thl_format_write_otherwise(char *to, enum thl_format format, struct thl_value v) THL_COLD;

/* Writes the value to `to`; its end. */
static inline char *
thl_format_write_value(char *to, enum thl_format format, struct thl_value v)
{
    switch (v.type) {
    case THOLE_FIELD_BOOL:
        memcpy(to, v.v.u ? "true" : "false", 5);
        return to + (v.v.u ? 4 : 5);
    case THOLE_FIELD_INT:
        return thl_number_write_int(to, v.v.i);
    case THOLE_FIELD_UINT:
        return thl_number_write_uint(to, v.v.u);
    case THOLE_FIELD_DURATION:
        return thl_number_write_seconds(to, v.v.i);
    case THOLE_FIELD_STRING:
        return thl_format_write_string(to, format, v.v.p, v.size);
    case THOLE_FIELD_DOUBLE:
        if (THL_LIKELY(isfinite(v.v.d)))
            return thl_number_write_double(to, v.v.d);
        break;
    default:
        break;
    }
    return thl_format_write_otherwise(to, format, v);
}

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
