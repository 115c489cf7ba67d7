/* SPDX-License-Identifier: MIT */
/* Numbers, times and addresses -> text, without printf on the usual path and whatever the locale.
 */
#ifndef THL_NUMBER_H
#define THL_NUMBER_H

#include <stdint.h>

#include "buf.h"

/* Two families with the same texts. `put` appends to a bounded buffer, all or nothing. `write` is
 * for who has seen to the room before: it puts the text at `to` and returns its end. It may
 * scribble past that end, but never touches more than MAX bytes from `to`. */
enum {
    THL_NUMBER_UINT_MAX = 20,
    THL_NUMBER_INT_MAX = 20,
    THL_NUMBER_HEX_MAX = 18,
    THL_NUMBER_SECONDS_MAX = 21, /* "-9223372036.854775808" */
    THL_NUMBER_DOUBLE_MAX = 28,  /* the longest is "-2.2250738585072014e-308", 24 */
    THL_NUMBER_FLOAT_MAX = 28,
    THL_NUMBER_DATETIME_MAX = 19, /* "2026-11-22T12:54:01" */
    THL_NUMBER_MICROS_MAX = 7,    /* ".123456" */
    THL_NUMBER_RFC3339_MAX = 27,
    THL_NUMBER_ADDR_MAX = 112 /* a unix path; IPv6 needs 58 */
};

char *thl_number_write_uint(char *to, uint64_t x);
char *thl_number_write_int(char *to, int64_t x);
char *thl_number_write_hex(char *to, uint64_t x);
char *thl_number_write_padded(char *to, uint32_t x, unsigned width); /* `width` bytes */
char *thl_number_write_hexbytes(char *to, const void *p, size_t n);  /* 2 * n bytes */
char *thl_number_write_double(char *to, double x);
char *thl_number_write_float(char *to, float x);
char *thl_number_write_seconds(char *to, int64_t ns);
char *thl_number_write_addr(char *to, const void *sa, size_t n);

void thl_number_put_int(struct thl_buf *out, int64_t x);
void thl_number_put_uint(struct thl_buf *out, uint64_t x);
void thl_number_put_padded(struct thl_buf *out, uint32_t x, unsigned width); /* zero-padded */
void thl_number_put_hex(struct thl_buf *out, uint64_t x);                    /* "0x2a" */
void thl_number_put_hexbytes(struct thl_buf *out, const void *p, size_t n);  /* "00ff" */

/* Shortest text that reads back as the same double (or the same float), and of those the closest.
 * Finite values only; 1e-5 <= |x| < 1e17 without an exponent. */
void thl_number_put_double(struct thl_buf *out, double x);
void thl_number_put_float(struct thl_buf *out, float x);

/* Nanoseconds as a decimal number of seconds without trailing zeros: "0.0015", "-3". */
void thl_number_put_seconds(struct thl_buf *out, int64_t ns);

/* Calendar fields of a time zone `offset_s` seconds east of UTC; right for every int64_t of ns. */
struct thl_calendar {
    int32_t year;
    uint8_t month, day, hour, minute, second; /* month 1..12, day 1..31 */
    uint32_t microsecond;
};
void thl_number_calendar(struct thl_calendar *out, int64_t unix_ns, int32_t offset_s);

/* The parts of a time that change once a second, and at each record. */
char *thl_number_write_datetime(char *to, const struct thl_calendar *c); /* "2026-11-22T12:54:01" */
char *thl_number_write_micros(char *to, uint32_t microsecond);           /* ".123456" */
char *thl_number_write_rfc3339(char *to, int64_t unix_ns);

/* "2026-11-22T12:54:01.123456Z" (RFC 3339, UTC, six digits, cut not rounded). */
void thl_number_put_rfc3339(struct thl_buf *out, int64_t unix_ns);

/* A struct sockaddr of n bytes: "10.0.0.7:4123", "[::1]:80" (RFC 5952), "[fe80::1%3]:80" (scope by
 * number), a unix path, "@abstract", "unix:" when unnamed; else "family 16". Raw bytes of a path
 * are appended unescaped: the caller escapes. Safe for any n and any bytes. */
void thl_number_put_addr(struct thl_buf *out, const void *sa, size_t n);

#endif
