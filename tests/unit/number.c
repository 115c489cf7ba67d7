/* SPDX-License-Identifier: MIT */
/* Numbers, times and addresses. */
#include "test.h"

#include <arpa/inet.h>
#include <float.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>

#include "buf_text.h"
#include "number.h"

#define INT(x) TEXT(thl_number_put_int(&b, x))
#define UINT(x) TEXT(thl_number_put_uint(&b, x))
#define SECONDS(x) TEXT(thl_number_put_seconds(&b, x))
#define TIME(x) TEXT(thl_number_put_rfc3339(&b, x))
#define ADDR(sa, n) TEXT(thl_number_put_addr(&b, sa, n))

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

THL_TEST(number, integers)
{
    cr_expect_str_eq(INT(0), "0");
    cr_expect_str_eq(INT(-7), "-7");
    cr_expect_str_eq(INT(INT64_MIN), "-9223372036854775808");
    cr_expect_str_eq(UINT(UINT64_MAX), "18446744073709551615");
    for (uint64_t x = 1, i = 0; i < 19; i++, x *= 10) {
        char want[32];
        snprintf(want, sizeof(want), "%llu", (unsigned long long)x);
        cr_expect_str_eq(UINT(x), want);
        snprintf(want, sizeof(want), "%llu", (unsigned long long)(x - 1));
        cr_expect_str_eq(UINT(x - 1), want);
    }
    cr_expect_str_eq(TEXT(thl_number_put_hex(&b, 42)), "0x2a");
    cr_expect_str_eq(TEXT(thl_number_put_hex(&b, 0)), "0x0");
    cr_expect_str_eq(TEXT(thl_number_put_hexbytes(&b, "\0\xff\x10", 3)), "00ff10");
    cr_expect_str_eq(TEXT(thl_number_put_padded(&b, 7, 3)), "007");
}

static void
expect_like_printf(uint64_t x)
{
    char want[64];
    snprintf(want, sizeof(want), "%llu", (unsigned long long)x);
    if (strcmp(UINT(x), want) != 0)
        cr_assert_fail("%s is written %s", want, text);
    snprintf(want, sizeof(want), "0x%llx", (unsigned long long)x);
    if (strcmp(TEXT(thl_number_put_hex(&b, x)), want) != 0)
        cr_assert_fail("%s is written %s", want, text);
    snprintf(want, sizeof(want), "-%llu.%09u", (unsigned long long)(x / 10000000000),
             (unsigned)(x / 10 % 1000000000));
    if (x / 10 % 10 != 0 && strcmp(SECONDS(-(int64_t)(x / 10)), want) != 0)
        cr_assert_fail("%s s is written %s", want, text);
}

THL_TEST(number, integers_of_all_lengths_are_as_printf_has_them)
{
    uint64_t state = 88172645463325252u;
    for (uint64_t x = 0; x < 20000; x++)
        expect_like_printf(x);
    for (int i = 0; i < 300000; i++)
        expect_like_printf(next_random(&state) >> i % 64);
}

THL_TEST(number, seconds)
{
    cr_expect_str_eq(SECONDS(0), "0");
    cr_expect_str_eq(SECONDS(1500000), "0.0015");
    cr_expect_str_eq(SECONDS(-3000000000), "-3");
    cr_expect_str_eq(SECONDS(1), "0.000000001");
    cr_expect_str_eq(SECONDS(INT64_MIN), "-9223372036.854775808");
}

THL_TEST(number, times)
{
    cr_expect_str_eq(TIME(0), "1970-01-01T00:00:00.000000Z");
    cr_expect_str_eq(TIME(-1), "1969-12-31T23:59:59.999999Z");
    cr_expect_str_eq(TIME(951782400000000999), "2000-02-29T00:00:00.000000Z");
    cr_expect_str_eq(TIME(2147483648123456789), "2038-01-19T03:14:08.123456Z");
    cr_expect_str_eq(TIME(INT64_MAX), "2262-04-11T23:47:16.854775Z");
    cr_expect_str_eq(TIME(INT64_MIN), "1677-09-21T00:12:43.145224Z");
}

THL_TEST(number, calendar_agrees_with_libc)
{
    for (int64_t day = -200000; day < 100000; day += 13) {
        time_t t = (time_t)(day * 86400 + 43210);
        struct thl_calendar c;
        struct tm want;
        if (day * 86400 < -9223372036 || day * 86400 > 9223372036)
            continue;
        gmtime_r(&t, &want);
        thl_number_calendar(&c, (int64_t)t * 1000000000, 0);
        cr_assert(c.year == want.tm_year + 1900 && c.month == want.tm_mon + 1 &&
                  c.day == want.tm_mday && c.hour == want.tm_hour && c.second == want.tm_sec);
    }
}

THL_TEST(number, addresses)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(4123)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    inet_pton(AF_INET, "10.0.0.7", &v4.sin_addr);
    cr_expect_str_eq(ADDR(&v4, sizeof(v4)), "10.0.0.7:4123");
    inet_pton(AF_INET6, "::1", &v6.sin6_addr);
    cr_expect_str_eq(ADDR(&v6, sizeof(v6)), "[::1]:80");
    inet_pton(AF_INET6, "fe80::1", &v6.sin6_addr);
    v6.sin6_scope_id = 3;
    cr_expect_str_eq(ADDR(&v6, sizeof(v6)), "[fe80::1%3]:80");
    memcpy(un.sun_path, "/run/x", 7);
    cr_expect_str_eq(ADDR(&un, sizeof(un)), "/run/x");
    memcpy(un.sun_path, "\0abs", 4);
    cr_expect_str_eq(ADDR(&un, sizeof(sa_family_t) + 4), "@abs");
    cr_expect_str_eq(ADDR(&un, sizeof(sa_family_t)), "unix:");
    for (size_t n = 0; n < sizeof(v6); n++)
        ADDR(&v6, n); /* any length: nothing outside is read */
}

/* ---- any zone, and odd addresses ---- */

static void
expect_like_gmtime(int64_t ns, int32_t offset_s)
{
    struct thl_calendar c;
    struct tm tm;
    time_t t = (time_t)(ns / 1000000000) - (ns % 1000000000 < 0) + offset_s;
    gmtime_r(&t, &tm);
    thl_number_calendar(&c, ns, offset_s);
    if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 || c.day != tm.tm_mday ||
        c.hour != tm.tm_hour || c.minute != tm.tm_min || c.second != tm.tm_sec)
        cr_expect_fail("calendar of %lld%+d differs from gmtime's", (long long)ns, offset_s);
}

THL_TEST(number, calendar_of_any_zone_agrees_with_gmtime)
{
    uint64_t state = 42;
    for (int i = 0; i < 100000; i++) {
        int64_t ns = (int64_t)next_random(&state);
        int32_t offset_s = (int32_t)(next_random(&state) % 172801) - 86400;
        expect_like_gmtime(ns, offset_s);
    }
    for (int64_t day = -106000; day < 106000; day++)
        expect_like_gmtime(day * 86400 * 1000000000, 0);
}

static const char *
ipv6(const char *address, uint32_t scope, uint16_t port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    a.sin6_scope_id = scope;
    cr_assert_eq(inet_pton(AF_INET6, address, &a.sin6_addr), 1);
    return ADDR(&a, sizeof(a));
}

THL_TEST(number, ipv4_has_any_byte_anywhere)
{
    for (uint32_t x = 0; x < 1024; x++) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(x * 64))};
        const unsigned char bytes[4] = {(unsigned char)x, (unsigned char)(x / 4),
                                        (unsigned char)(x * 7), (unsigned char)(255 - x)};
        char want[64];
        memcpy(&a.sin_addr, bytes, 4);
        snprintf(want, sizeof(want), "%u.%u.%u.%u:%u", bytes[0], bytes[1], bytes[2], bytes[3],
                 (uint16_t)(x * 64));
        cr_expect_str_eq(ADDR(&a, sizeof(a)), want);
    }
}

THL_TEST(number, ipv6_with_scope_and_mapped_and_cut_short)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(4123)};
    a.sin_addr.s_addr = htonl(0x0A000007);
    cr_expect_str_eq(ADDR(&a, sizeof(a)), "10.0.0.7:4123");
    cr_expect_str_eq(ADDR(&a, sizeof(a) - 1), "family 2");
    cr_expect_str_eq(ipv6("::1", 0, 80), "[::1]:80");
    cr_expect_str_eq(ipv6("::", 0, 0), "[::]:0");
    cr_expect_str_eq(ipv6("fe80::1", 3, 80), "[fe80::1%3]:80");
    cr_expect_str_eq(ipv6("::ffff:10.0.0.7", 0, 65535), "[::ffff:10.0.0.7]:65535");
}

THL_TEST(number, ipv6_is_compressed_as_rfc_5952_says)
{
    cr_expect_str_eq(ipv6("2001:0DB8:0:0:0:0:2:1", 0, 1), "[2001:db8::2:1]:1");
    cr_expect_str_eq(ipv6("2001:db8:0:1:1:1:1:1", 0, 1), "[2001:db8:0:1:1:1:1:1]:1");
    cr_expect_str_eq(ipv6("2001:0:0:1:0:0:0:1", 0, 1), "[2001:0:0:1::1]:1");
    cr_expect_str_eq(ipv6("2001:db8:0:0:1:0:0:1", 0, 1), "[2001:db8::1:0:0:1]:1");
    cr_expect_str_eq(ipv6("1:2:3:4:5:6::", 0, 1), "[1:2:3:4:5:6::]:1");
    cr_expect_str_eq(ipv6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UINT32_MAX, 1),
                     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:1");
}

THL_TEST(number, unix_addresses)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    cr_expect_str_eq(ADDR(&a, head), "unix:");
    memcpy(a.sun_path, "/run/x.sock", 12);
    cr_expect_str_eq(ADDR(&a, sizeof(a)), "/run/x.sock");
    cr_expect_str_eq(ADDR(&a, head + 4), "/run", "a path need not be terminated");
    memset(a.sun_path, 'p', sizeof(a.sun_path));
    cr_expect_eq(strlen(ADDR(&a, sizeof(a))), sizeof(a.sun_path));
    memcpy(a.sun_path, "\0name", 5);
    cr_expect_str_eq(ADDR(&a, head + 5), "@name");
}

THL_TEST(number, addresses_of_any_bytes_are_safe)
{
    unsigned char bytes[300];
    memset(bytes, 0xFF, sizeof(bytes));
    cr_expect_str_eq(ADDR(NULL, 0), "unix:");
    cr_expect_str_eq(ADDR(bytes, 1), "unix:");
    cr_expect_str_eq(ADDR(bytes, sizeof(bytes)), "family 65535");
    for (unsigned family = 0; family < 64; family++)
        for (size_t n = 0; n < sizeof(bytes); n++) {
            bytes[0] = (unsigned char)family;
            bytes[1] = 0;
            cr_expect_gt(strlen(ADDR(bytes, n)), 0u);
            cr_expect_not(b.overflow);
        }
}

THL_TEST(number, what_does_not_fit_is_remembered)
{
    char small[3];
    struct thl_buf out;
    thl_buf_init(&out, small, sizeof(small));
    thl_number_put_uint(&out, 1234);
    cr_expect(out.overflow && out.size == 0);
}

/* ---- texts written where the caller has seen to the room ---- */

#define STAYS_WITHIN(max, call)                                                                    \
    do {                                                                                           \
        char room[2 * (max) + 1];                                                                  \
        memset(room, '#', sizeof(room));                                                           \
        char *to = room;                                                                           \
        size_t n = (size_t)((call)-room);                                                          \
        cr_expect_leq(n, (size_t)(max), #call " gives %zu bytes", n);                              \
        for (size_t i = (max); i < sizeof(room); i++)                                              \
            cr_expect_eq(room[i], '#', #call " writes to byte %zu", i);                            \
    } while (0)

THL_TEST(number, writers_stay_within_their_room)
{
    char path[sizeof(sa_family_t) + 200] = {AF_UNIX};
    memset(path + sizeof(sa_family_t), 'p', 200);
    for (uint64_t x = UINT64_MAX; x; x >>= 1) {
        STAYS_WITHIN(THL_NUMBER_UINT_MAX, thl_number_write_uint(to, x));
        STAYS_WITHIN(THL_NUMBER_INT_MAX, thl_number_write_int(to, -(int64_t)x));
        STAYS_WITHIN(THL_NUMBER_HEX_MAX, thl_number_write_hex(to, x));
        STAYS_WITHIN(THL_NUMBER_SECONDS_MAX, thl_number_write_seconds(to, -(int64_t)x));
        STAYS_WITHIN(THL_NUMBER_RFC3339_MAX, thl_number_write_rfc3339(to, (int64_t)x));
    }
    STAYS_WITHIN(THL_NUMBER_INT_MAX, thl_number_write_int(to, INT64_MIN));
    STAYS_WITHIN(THL_NUMBER_SECONDS_MAX, thl_number_write_seconds(to, INT64_MIN));
    STAYS_WITHIN(THL_NUMBER_DOUBLE_MAX, thl_number_write_double(to, -DBL_MIN));
    STAYS_WITHIN(THL_NUMBER_DOUBLE_MAX, thl_number_write_double(to, -0.000012345678901234567));
    STAYS_WITHIN(THL_NUMBER_DOUBLE_MAX, thl_number_write_double(to, -12345678901234567.0));
    STAYS_WITHIN(THL_NUMBER_FLOAT_MAX, thl_number_write_float(to, -0.000012345679f));
    STAYS_WITHIN(THL_NUMBER_FLOAT_MAX, thl_number_write_float(to, -FLT_MAX));
    STAYS_WITHIN(THL_NUMBER_MICROS_MAX, thl_number_write_micros(to, 999999));
    STAYS_WITHIN(THL_NUMBER_ADDR_MAX, thl_number_write_addr(to, path, sizeof(path)));
}
