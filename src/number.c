/* SPDX-License-Identifier: MIT */
/* Integers, bytes, seconds, calendar. */
#include "number.h"

static const char pairs[201] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293"
    "949596979899";

void
thl_number_put_uint(struct thl_buf *out, uint64_t x)
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
    thl_buf_put(out, text + at, sizeof(text) - at);
}

void
thl_number_put_int(struct thl_buf *out, int64_t x)
{
    uint64_t magnitude = (uint64_t)x;
    if (x < 0) {
        thl_buf_putc(out, '-');
        magnitude = 0 - magnitude;
    }
    thl_number_put_uint(out, magnitude);
}

static char *
pad(char *to, uint32_t x, unsigned width)
{
    for (unsigned i = width; i-- > 0; x /= 10)
        to[i] = (char)('0' + x % 10);
    return to + width;
}

void
thl_number_put_padded(struct thl_buf *out, uint32_t x, unsigned width)
{
    char text[16];
    if (width > sizeof(text))
        width = sizeof(text);
    pad(text, x, width);
    thl_buf_put(out, text, width);
}

void
thl_number_put_hex(struct thl_buf *out, uint64_t x)
{
    static const char hex[] = "0123456789abcdef";
    char text[18];
    size_t at = sizeof(text);
    do
        text[--at] = hex[x & 0xF];
    while (x >>= 4);
    text[--at] = 'x';
    text[--at] = '0';
    thl_buf_put(out, text + at, sizeof(text) - at);
}

void
thl_number_put_hexbytes(struct thl_buf *out, const void *p, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = p;
    for (size_t i = 0; i < n; i++) {
        thl_buf_putc(out, hex[s[i] >> 4]);
        thl_buf_putc(out, hex[s[i] & 0xF]);
    }
}

void
thl_number_put_seconds(struct thl_buf *out, int64_t ns)
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char fraction[9];
    size_t n = sizeof(fraction);
    if (ns < 0)
        thl_buf_putc(out, '-');
    thl_number_put_uint(out, magnitude / 1000000000u);
    pad(fraction, (uint32_t)(magnitude % 1000000000u), 9);
    while (n > 0 && fraction[n - 1] == '0')
        n--;
    if (n > 0) {
        thl_buf_putc(out, '.');
        thl_buf_put(out, fraction, n);
    }
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

void
thl_number_put_rfc3339(struct thl_buf *out, int64_t unix_ns)
{
    struct thl_calendar c;
    char text[27], *to = text;
    thl_number_calendar(&c, unix_ns, 0);
    to = pad(to, (uint32_t)c.year, 4); /* 64 bits of ns reach from 1677 to 2262 */
    *to++ = '-';
    to = pad(to, c.month, 2);
    *to++ = '-';
    to = pad(to, c.day, 2);
    *to++ = 'T';
    to = pad(to, c.hour, 2);
    *to++ = ':';
    to = pad(to, c.minute, 2);
    *to++ = ':';
    to = pad(to, c.second, 2);
    *to++ = '.';
    to = pad(to, c.microsecond, 6);
    *to = 'Z';
    thl_buf_put(out, text, sizeof(text));
}
