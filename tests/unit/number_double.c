/* SPDX-License-Identifier: MIT */
/* Doubles and floats: short, closest, in the form that people expect, and they read back. */
#include "test.h"

#include <fenv.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf_text.h"
#include "number.h"

#define DOUBLE(x) TEXT(thl_number_put_double(&b, x))
#define FLOAT(x) TEXT(thl_number_put_float(&b, x))

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

THL_TEST(number_double, doubles_are_shortest)
{
    static const struct {
        double x;
        const char *want;
    } rows[] = {{0.0, "0"},
                {-0.0, "-0"},
                {0.1, "0.1"},
                {0.30000000000000004, "0.30000000000000004"},
                {3.25, "3.25"},
                {100.0, "100"},
                {1e16, "10000000000000000"},
                {1e17, "1e17"},
                {1e21, "1e21"},
                {1.5e300, "1.5e300"},
                {0.00001, "0.00001"},
                {0.000001, "1e-6"},
                {DBL_MAX, "1.7976931348623157e308"},
                {5e-324, "5e-324"},
                {-2.5e-7, "-2.5e-7"},
                {123456.789, "123456.789"},
                {9007199254740993.0, "9007199254740992"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_str_eq(DOUBLE(rows[i].x), rows[i].want);
    cr_expect_str_eq(FLOAT(0.1f), "0.1");
    cr_expect_str_eq(FLOAT(FLT_MAX), "3.4028235e38");
    cr_expect_str_eq(FLOAT(1.0f / 3.0f), "0.33333334");
}

THL_TEST(number_double, no_locale_changes_a_double)
{
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        cr_log_info("no de_DE locale here: only the C locale was looked at");
    cr_expect_str_eq(DOUBLE(1.5e-9), "1.5e-9");
    cr_expect_str_eq(DOUBLE(0.12345678901234568), "0.12345678901234568");
    setlocale(LC_NUMERIC, "C");
}

THL_TEST(number_double, no_rounding_mode_changes_a_double)
{
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    static const volatile double third = 1.0 / 3, cents = 1234.29;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        fesetround(modes[i]);
        cr_expect_str_eq(DOUBLE(third), "0.3333333333333333");
        cr_expect_str_eq(DOUBLE(cents), "1234.29");
    }
    fesetround(FE_TONEAREST);
}

THL_TEST(number_double, doubles_are_short_and_plain_where_people_expect_it)
{
    static const struct {
        double x;
        const char *want;
    } row[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {3.0, "3"},
        {-2.5, "-2.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e-5, "0.00001"},
        {9.9e-6, "9.9e-6"},
        {99999999999999984.0, "99999999999999980"},
        {1e17, "1e17"},
        {1e21, "1e21"},
        {1e22, "1e22"},
        {1e23, "1e23"},
        {123456.789, "123456.789"},
        {1.0 / 3, "0.3333333333333333"},
        {9007199254740993.0, "9007199254740992"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {5e-324, "5e-324"},                 /* a subnormal has one digit */
        {0x1p-44, "5.684341886080802e-14"}, /* nearest of 16 digits fails */
        {0x1p-1022 - 0x1p-1074, "2.225073858507201e-308"},
        {0.5911897336330953, "0.5911897336330953"}, /* ...54 reads back as well */
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        cr_expect_str_eq(DOUBLE(row[i].x), row[i].want);
}

THL_TEST(number_double, floats_are_shortest_as_floats)
{
    static const struct {
        float x;
        const char *want;
    } row[] = {
        {0.0f, "0"},
        {-0.0f, "-0"},
        {0.1f, "0.1"},
        {-1.5f, "-1.5"},
        {16777216.0f, "16777216"},
        {123456789.0f, "123456790"},
        {3.4028235e38f, "3.4028235e38"},
        {1e-45f, "1e-45"},
        {1.17549435e-38f, "1.1754944e-38"},
        {0.3f, "0.3"},
        {33554432.0f, "33554432"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        cr_expect_str_eq(FLOAT(row[i].x), row[i].want);
}

/* Digits of a text in any of our forms, without leading and trailing zeros. */
static int
count_digits(const char *s)
{
    int n = 0, zeros = 0;
    for (; *s && *s != 'e'; s++) {
        if (*s < '0' || *s > '9' || (n == 0 && *s == '0'))
            continue;
        zeros = *s == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

static void
expect_shortest(double x)
{
    char shorter[64];
    const char *got = DOUBLE(x);
    double back = strtod(got, NULL);
    int digits = count_digits(got);
    if (memcmp(&back, &x, sizeof(x)) != 0)
        cr_expect_fail("%a gives %s, which reads back as %a", x, got, back);
    if (digits < 2)
        return;
    snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, x);
    if (strtod(shorter, NULL) == x)
        cr_expect_fail("%a gives %s, but %s is shorter", x, got, shorter);
}

THL_TEST(number_double, random_doubles_read_back_and_are_not_longer_than_needed)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 350000; i++) {
        uint64_t bits = next_random(&state);
        double x;
        memcpy(&x, &bits, sizeof(x));
        if (isfinite(x))
            expect_shortest(x);
        expect_shortest((double)(bits % 10000000) / 1000);
        expect_shortest((double)(bits >> 11) * 0x1p-53);
    }
    for (int e = -1074; e < 1024; e++)
        expect_shortest(ldexp(1, e));
}

static void
expect_shortest_float(float x)
{
    char shorter[64];
    const char *got = FLOAT(x);
    float back = strtof(got, NULL);
    int digits = count_digits(got);
    if (memcmp(&back, &x, sizeof(x)) != 0)
        cr_expect_fail("%a gives %s, which reads back as %a", (double)x, got, (double)back);
    if (digits < 2)
        return;
    snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, (double)x);
    if (strtof(shorter, NULL) == x)
        cr_expect_fail("%a gives %s, but %s is shorter", (double)x, got, shorter);
}

THL_TEST(number_double, floats_of_all_sizes_read_back_and_are_not_longer_than_needed)
{
    const uint32_t infinity = 0x7F800000;
    for (uint32_t bits = 1; bits < infinity; bits += 2053) {
        float x;
        memcpy(&x, &bits, sizeof(x));
        expect_shortest_float(x);
    }
    for (int e = -149; e < 128; e++)
        expect_shortest_float(ldexpf(1, e));
}

/* What is no number is not for us to write, and yet nothing outside may be read. */
THL_TEST(number_double, infinity_and_nan_harm_nobody)
{
    DOUBLE((double)INFINITY), DOUBLE(-(double)INFINITY), DOUBLE((double)NAN);
    FLOAT(INFINITY), FLOAT(-INFINITY), FLOAT(NAN);
    cr_expect_not(b.overflow);
}
