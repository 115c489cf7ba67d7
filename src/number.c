/* SPDX-License-Identifier: MIT */
/* Integers, bytes, seconds, calendar. */
#include "number.h"

static const char pairs[201] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293"
    "949596979899";

char *
thl_number_write_uint(char *to, uint64_t x)
{
    char text[20];
    size_t at = sizeof(text);
    while (x >= 100) {
        at -= 2;
        memcpy(text + at, pairs + 2 * (x % 100), 2);
        x /= 100;
    }
    if (x >= 10) {
        at -= 2;
        memcpy(text + at, pairs + 2 * x, 2);
    } else {
        text[--at] = (char)('0' + x);
    }
    memcpy(to, text + at, sizeof(text) - at);
    return to + sizeof(text) - at;
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
    static const char hex[] = "0123456789abcdef";
    unsigned shift = x ? (63u - (unsigned)__builtin_clzll(x)) & ~3u : 0;
    *to++ = '0';
    *to++ = 'x';
    for (; shift > 0; shift -= 4)
        *to++ = hex[(x >> shift) & 0xF];
    *to++ = hex[x & 0xF];
    return to;
}

char *
thl_number_write_hexbytes(char *to, const void *p, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = p;
    for (size_t i = 0; i < n; i++) {
        *to++ = hex[s[i] >> 4];
        *to++ = hex[s[i] & 0xF];
    }
    return to;
}

char *
thl_number_write_seconds(char *to, int64_t ns)
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint32_t fraction = (uint32_t)(magnitude % 1000000000u);
    if (ns < 0)
        *to++ = '-';
    to = thl_number_write_uint(to, magnitude / 1000000000u);
    if (fraction == 0)
        return to;
    *to = '.';
    to = thl_number_write_padded(to + 1, fraction, 9);
    while (to[-1] == '0')
        to--;
    return to;
}

char *
thl_number_write_datetime(char *to, const struct thl_calendar *c)
{
    to = thl_number_write_padded(to, (uint32_t)c->year, 4);
    *to++ = '-';
    to = thl_number_write_padded(to, c->month, 2);
    *to++ = '-';
    to = thl_number_write_padded(to, c->day, 2);
    *to++ = 'T';
    to = thl_number_write_padded(to, c->hour, 2);
    *to++ = ':';
    to = thl_number_write_padded(to, c->minute, 2);
    *to++ = ':';
    return thl_number_write_padded(to, c->second, 2);
}

char *
thl_number_write_micros(char *to, uint32_t microsecond)
{
    *to = '.';
    return thl_number_write_padded(to + 1, microsecond, 6);
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
    char text[16];
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
