/* SPDX-License-Identifier: MIT */
/* rate=: a route lets so many records a second pass, counts the others and says how many. */
#include "test.h"
#include "observe.h"

#include "captured.h"

#include <thole/test.h>
#include <thole/thole.h>

#define SECOND INT64_C(1000000000)
#define THEN (INT64_C(1795352041) * SECOND)
#define PATIENCE_MS 10000

static const thole_logger root = {0};

static void
start_with(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks};

    thole_test_set_clock(THEN);
    cr_assert_eq(thole_start(&opt), 0);
}

static void
log_records(int n)
{
    for (int i = 0; i < n; i++)
        thole_info(root, "record");
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
}

static size_t
count_lines(const char *part)
{
    return captured_count(thole_test_lines(), part);
}

THL_TEST(rate, lets_a_seconds_worth_pass_and_counts_the_rest)
{
    start_with("memory:?rate=5/s");
    log_records(20);
    cr_expect_eq(count_lines("\"msg\":\"record\""), 5u, "%s", thole_test_lines());
    struct thole_stats s = take_stats();
    cr_expect_eq(s.sink[0].offered, 20u);
    cr_expect_eq(s.sink[0].suppressed, 15u);
    cr_expect_eq(s.sink[0].written, 5u);
    cr_expect_eq(s.suppressed, 0u, "the process routed them all");

    thole_test_advance_clock(SECOND / 5);
    log_records(20);
    cr_expect_eq(count_lines("\"msg\":\"record\""), 6u, "one more each fifth of a second");
    thole_test_advance_clock(60 * SECOND);
    log_records(20);
    cr_expect_eq(count_lines("\"msg\":\"record\""), 11u, "a long rest is worth a second");
    s = take_stats();
    cr_expect_eq(s.sink[0].offered, s.sink[0].written + s.sink[0].suppressed);
}

THL_TEST(rate, says_once_a_second_what_it_held_back)
{
    start_with("memory:?rate=5/s");
    log_records(20);
    cr_expect_eq(count_lines("records suppressed"), 0u);
    thole_test_advance_clock(SECOND);
    log_records(1);
    log_records(1);
    cr_expect_eq(count_lines("{\"time\":\"2026-11-22T12:54:02.000000Z\",\"level\":\"warn\","
                             "\"logger\":\"thole\",\"msg\":\"records suppressed\","
                             "\"sink\":\"memory:?rate=5/s\",\"count\":15,"
                             "\"since\":\"2026-11-22T12:54:01.000000Z\"}\n"),
                 1u, "%s", thole_test_lines());
    log_records(10);
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    cr_expect_eq(count_lines("\"msg\":\"records suppressed\",\"sink\":\"memory:?rate=5/s\","
                             "\"count\":7,"),
                 1u, "what is left is said at the end: %s", thole_test_lines());
}

THL_TEST(rate, is_the_routes_own_and_a_record_it_held_back_takes_no_other)
{
    start_with("memory:?level=warn&rate=2/s memory:");
    for (int i = 0; i < 5; i++)
        thole_warn(root, "warning");
    log_records(5);
    cr_expect_eq(count_lines("\"msg\":\"warning\""), 2u);
    cr_expect_eq(count_lines("\"msg\":\"record\""), 5u);
    const struct thole_stats s = take_stats();
    cr_expect_eq(s.nsinks, 1u);
    cr_expect_eq(s.sink[0].suppressed, 3u);
}

THL_TEST(rate, numbers_of_a_sink_have_no_gap_for_what_was_held_back)
{
    start_with("memory:?rate=2/s&seq=1");
    log_records(5);
    thole_test_advance_clock(SECOND);
    log_records(1);
    cr_expect_eq(count_lines("\"thole.seq\":1"), 1u, "%s", thole_test_lines());
    cr_expect_eq(count_lines("\"thole.seq\":2"), 1u);
    cr_expect_eq(count_lines("\"thole.seq\":3"), 1u);
}

THL_TEST(rate, holds_in_direct_mode)
{
    setenv("THOLE_SINKS", "memory:?rate=3/s", 1);
    thole_test_set_clock(THEN);
    for (int i = 0; i < 10; i++)
        thole_info(root, "record");
    cr_expect_eq(count_lines("\"msg\":\"record\""), 3u);
    const struct thole_stats s = take_stats();
    cr_expect_eq(s.sink[0].suppressed, 7u);
}
