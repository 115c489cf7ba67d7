/* SPDX-License-Identifier: MIT */
/* Numbers as people read them, and durations as they write them. */
#include "test.h"

#include <string.h>

#include "quantity.h"

static bool
is_count(uint64_t n, const char *text)
{
    return strcmp(thl_quantity_count(n).text, text) == 0;
}

static bool
is_age(uint64_t s, const char *text)
{
    return strcmp(thl_quantity_age(s).text, text) == 0;
}

THL_TEST(quantity, counts_are_exact_up_to_seven_digits)
{
    cr_assert(is_count(0, "0"));
    cr_assert(is_count(9999999, "9999999"));
    cr_assert(is_count(10000000, "10.0M"));
    cr_assert(is_count(999499999, "999M"));
    cr_assert(is_count(999500000, "1.00G"));
    cr_assert(is_count(UINT64_MAX, "18.4E"));
}

THL_TEST(quantity, rates_that_are_not_known_are_no_zero)
{
    cr_assert_str_eq(thl_quantity_rate(-1).text, "-");
    cr_assert_str_eq(thl_quantity_rate(0).text, "0");
    cr_assert_str_eq(thl_quantity_rate(0.5).text, "0.5");
    cr_assert_str_eq(thl_quantity_rate(9.96).text, "10");
    cr_assert_str_eq(thl_quantity_rate(1e300).text, "-");
}

THL_TEST(quantity, ages_and_lags_have_two_units_at_most)
{
    cr_assert(is_age(0, "0s"));
    cr_assert(is_age(59, "59s"));
    cr_assert(is_age(60, "1m00s"));
    cr_assert(is_age(3599, "59m59s"));
    cr_assert(is_age(3600, "1h00m"));
    cr_assert(is_age(86400 + 3 * 3600, "1d03h"));
    cr_assert_str_eq(thl_quantity_lag(0).text, "-");
    cr_assert_str_eq(thl_quantity_lag(999).text, "999ms");
    cr_assert_str_eq(thl_quantity_lag(1500).text, "1.5s");
    cr_assert_str_eq(thl_quantity_lag(60000).text, "1m00s");
}

THL_TEST(quantity, durations_have_units_that_go_down)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"250ms", 250},
                {"5s", 5000},
                {"10m", 600000},
                {"2h", 7200000},
                {"1h30m", 5400000},
                {"1d", 86400000},
                {"365d", UINT64_C(365) * 86400 * 1000},
                {"1s500ms", 1500}};
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "5 s",
                                      "-5s",
                                      "5x",
                                      "0s",
                                      "1m1h",
                                      "1s1s",
                                      "366d",
                                      "1.5s",
                                      "+1s",
                                      "99999999999999999999999s",
                                      "364d24h1ms",
                                      "1e3s"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t ms = 0;
        cr_assert(thl_quantity_parse_duration(good[i].text, &ms), "%s", good[i].text);
        cr_assert_eq(ms, good[i].ms, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t ms = 77;
        cr_assert(!thl_quantity_parse_duration(bad[i], &ms), "%s", bad[i]);
        cr_assert_eq(ms, 77, "%s", bad[i]);
    }
}
