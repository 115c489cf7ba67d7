/* SPDX-License-Identifier: MIT */
/* Integers, bytes, seconds, calendar. */
#include "number.h"

#include "number_digits.h"

const char thl_number_pairs[200] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

#define E8 UINT64_C(100000000)

/* Most numbers of a log are short, and of these most have one or two digits. */
char *
thl_number_write_uint(char *to, uint64_t x)
{
    if (x < 10) {
        *to = (char)('0' + x);
        return to + 1;
    }
    if (x < 100)
        return thl_number_write_2(to, (uint32_t)x);
    if (x < 1000) {
        *to = (char)('0' + x / 100);
        return thl_number_write_2(to + 1, (uint32_t)(x % 100));
    }
    if (x < E8)
        return thl_number_write_upto_8(to, (uint32_t)x);
    const uint64_t high = x / E8;
    if (high < E8) {
        to = thl_number_write_upto_8(to, (uint32_t)high);
    } else {
        to = thl_number_write_upto_8(to, (uint32_t)(high / E8));
        to = thl_number_write_8(to, (uint32_t)(high % E8));
    }
    return thl_number_write_8(to, (uint32_t)(x % E8));
}

char *
thl_number_write_int(char *to, int64_t x)
{
    if (x >= 0)
        return thl_number_write_uint(to, (uint64_t)x);
    *to = '-';
    return thl_number_write_uint(to + 1, 0 - (uint64_t)x);
}

char *
thl_number_write_padded(char *to, uint32_t x, unsigned width)
{
    for (unsigned i = width; i-- > 0; x /= 10)
        to[i] = (char)('0' + x % 10);
    return to + width;
}

char *
thl_number_write_hex(char *to, uint64_t x)
{
    const unsigned zeros = (unsigned)__builtin_clzll(x | 1) / 4;
    x <<= 4 * zeros;
    memcpy(to, "0x", 2);
    thl_number_store(to + 2, thl_number_hex_digits((uint32_t)(x >> 32)));
    thl_number_store(to + 10, thl_number_hex_digits((uint32_t)x));
    return to + 18 - zeros;
}

char *
thl_number_write_hexbytes(char *to, const void *p, size_t n)
{
    const unsigned char *s = p, *end = s + n;
    for (; end - s >= 4; s += 4, to += 8) {
        const uint32_t x = (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3];
        thl_number_store(to, thl_number_hex_digits(x));
    }
    for (; s < end; s++, to += 2) {
        const uint64_t digits = thl_number_hex_digits((uint32_t)*s << 24);
        to[0] = (char)(digits & 0xFF);
        to[1] = (char)(digits >> 8);
    }
    return to;
}

/* The nine digits of the fraction are one and eight; of the eight, the zeros at the end go. */
char *
thl_number_write_seconds(char *to, int64_t ns)
{
    uint64_t magnitude = (uint64_t)ns;
    if (ns < 0) {
        *to++ = '-';
        magnitude = 0 - magnitude;
    }
    const uint64_t seconds = magnitude / 1000000000u;
    const uint32_t fraction = (uint32_t)(magnitude - seconds * 1000000000u);
    to = thl_number_write_uint(to, seconds);
    if (fraction == 0)
        return to;
    const uint64_t digits = thl_number_digits(fraction % 100000000u);
    to[0] = '.';
    to[1] = (char)('0' + fraction / 100000000u);
    thl_number_store(to + 2, digits | THL_NUMBER_ZEROS);
    return to + 2 + thl_number_count_digits(digits);
}

char *
thl_number_write_datetime(char *to, const struct thl_calendar *c)
{
    to = thl_number_write_2(to, (uint32_t)c->year / 100);
    to = thl_number_write_2(to, (uint32_t)c->year % 100);
    *to++ = '-';
    to = thl_number_write_2(to, c->month);
    *to++ = '-';
    to = thl_number_write_2(to, c->day);
    *to++ = 'T';
    to = thl_number_write_2(to, c->hour);
    *to++ = ':';
    to = thl_number_write_2(to, c->minute);
    *to++ = ':';
    return thl_number_write_2(to, c->second);
}

char *
thl_number_write_micros(char *to, uint32_t microsecond)
{
    *to = '.';
    to = thl_number_write_2(to + 1, microsecond / 10000);
    to = thl_number_write_2(to, microsecond / 100 % 100);
    return thl_number_write_2(to, microsecond % 100);
}

/* Days since 1970 -> civil date, by eras of 400 years that begin on 1 March: a year's leap day is
 * then its last day. */
static void
set_date(struct thl_calendar *out, int64_t days)
{
    days += 719468; /* since 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    uint32_t day_of_era = (uint32_t)(days - era * 146097);
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    out->day = (uint8_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month = (uint8_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = (int32_t)(era * 400 + year_of_era) + (out->month <= 2);
}

void
thl_number_calendar(struct thl_calendar *out, int64_t unix_ns, int32_t offset_s)
{
    int64_t seconds = unix_ns / 1000000000, ns = unix_ns % 1000000000;
    if (ns < 0) {
        ns += 1000000000;
        seconds--;
    }
    seconds += offset_s;
    int64_t days = seconds / 86400, of_day = seconds % 86400;
    if (of_day < 0) {
        of_day += 86400;
        days--;
    }
    set_date(out, days);
    out->hour = (uint8_t)(of_day / 3600);
    out->minute = (uint8_t)(of_day / 60 % 60);
    out->second = (uint8_t)(of_day % 60);
    out->microsecond = (uint32_t)(ns / 1000);
}

/* 64 bits of nanoseconds reach from 1677 to 2262: a year has four digits. */
char *
thl_number_write_rfc3339(char *to, int64_t unix_ns)
{
    struct thl_calendar c;
    thl_number_calendar(&c, unix_ns, 0);
    to = thl_number_write_micros(thl_number_write_datetime(to, &c), c.microsecond);
    *to = 'Z';
    return to + 1;
}

/* ---- into bounded buffers ---- */

void
thl_number_put_uint(struct thl_buf *out, uint64_t x)
{
    char text[THL_NUMBER_UINT_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_uint(text, x) - text));
}

void
thl_number_put_int(struct thl_buf *out, int64_t x)
{
    char text[THL_NUMBER_INT_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_int(text, x) - text));
}

void
thl_number_put_padded(struct thl_buf *out, uint32_t x, unsigned width)
{
    char text[16]; /* enough for any uint32_t */
    if (width > sizeof(text))
        width = sizeof(text);
    thl_buf_put(out, text, (size_t)(thl_number_write_padded(text, x, width) - text));
}

void
thl_number_put_hex(struct thl_buf *out, uint64_t x)
{
    char text[THL_NUMBER_HEX_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_hex(text, x) - text));
}

/* What does not fit in full is written as far as it goes. */
void
thl_number_put_hexbytes(struct thl_buf *out, const void *p, size_t n)
{
    const size_t room = out->overflow ? 0 : (out->capacity - out->size) / 2;
    const size_t fits = n < room ? n : room;
    if (fits)
        out->size =
            (size_t)(thl_number_write_hexbytes(out->bytes + out->size, p, fits) - out->bytes);
    if (fits < n)
        out->overflow = true;
}

void
thl_number_put_seconds(struct thl_buf *out, int64_t ns)
{
    char text[THL_NUMBER_SECONDS_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_seconds(text, ns) - text));
}

void
thl_number_put_rfc3339(struct thl_buf *out, int64_t unix_ns)
{
    char text[THL_NUMBER_RFC3339_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_rfc3339(text, unix_ns) - text));
}
