/* SPDX-License-Identifier: MIT */
/* Sinks that fail on a script: what was logged is there once and in order, or counted with its
 * cause.
 */
#include "test.h"
#include "observe.h"

#include "captured.h"

#include <errno.h>
#include <thole/test.h>
#include <thole/thole.h>

#define SECOND INT64_C(1000000000)

enum { MANY = 200, TRIES = 500 };

static const thole_logger root = {0};

/* Without thole's own records: the lines are the test's. */
static void
start_with(const char *sinks, const char *limits)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = sinks, .limits = limits, .log = "info,thole=off"};

    cr_assert_eq(thole_start(&opt), 0);
}

static void
log_numbers(int from, int to)
{
    for (int i = from; i < to; i++)
        thole_info(root, "n", "i", i);
}

/* The numbers of the lines, in the order in which they stand there. */
static size_t
read_numbers(long *numbers, size_t room)
{
    static const char key[] = "\"i\":";
    size_t n = 0;

    for (const char *at = thole_test_lines(); (at = strstr(at, key)) != NULL; n++) {
        at += sizeof(key) - 1;
        cr_assert_lt(n, room);
        numbers[n] = strtol(at, NULL, 10);
    }
    return n;
}

static void
expect_all_numbers(size_t n)
{
    long numbers[MANY];

    cr_assert_eq(read_numbers(numbers, MANY), n);
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(numbers[i], (long)i);
}

/* Of the first sink; the identities hold. */
static struct thole_sink_stats
take_sink_stats(void)
{
    struct thole_stats s = take_stats();
    uint64_t by_cause = 0;

    cr_assert_geq(s.nsinks, 1u);
    cr_expect_eq(s.called, s.routed + s.dropped + s.suppressed + s.queued);
    for (int i = 0; i < 16; i++)
        by_cause += s.sink[0].cause[i];
    cr_expect_eq(by_cause, s.sink[0].dropped);
    cr_expect_eq(s.sink[0].offered,
                 s.sink[0].written + s.sink[0].dropped + s.sink[0].suppressed + s.sink[0].pending);
    return s.sink[0];
}

/* Through this script all `n` records come, once and in order. */
static void
expect_nothing_lost(const char *sinks, int n)
{
    start_with(sinks, NULL);
    log_numbers(0, n);
    cr_expect_eq(thole_flush(20000), 0);
    expect_all_numbers((size_t)n);
    cr_expect_eq(take_sink_stats().written, (uint64_t)n);
    cr_expect_eq(take_sink_stats().dropped, 0u);
    cr_expect_eq(thole_stop(5000), 0);
}

/* ---- one test an error ---- */

THL_TEST(fault, eagain_holds_records_back_and_loses_none)
{
    expect_nothing_lost("fault:?write=EAGAIN*3,ok,EAGAIN*2", MANY);
}

THL_TEST(fault, enospc_that_passes_loses_none)
{
    expect_nothing_lost("fault:?write=ENOSPC*2", MANY);
}

THL_TEST(fault, enospc_that_stays_is_counted_as_no_space_and_the_rest_as_stopped)
{
    struct thole_sink_stats k;

    start_with("fault:?write=ENOSPC*inf", "queue=64K");
    for (int i = 0; i < TRIES && take_sink_stats().cause[THOLE_NO_SPACE] == 0; i++) {
        log_numbers(0, 5000);
        cr_expect_eq(thole_flush(20), -ETIMEDOUT);
    }
    cr_expect_eq(thole_stop(500), -ETIMEDOUT);
    k = take_sink_stats();
    cr_expect_eq(k.written, 0u);
    cr_expect_eq(k.pending, 0u);
    cr_expect_gt(k.cause[THOLE_NO_SPACE], 0u);
    cr_expect_gt(k.cause[THOLE_STOPPED], 0u);
    cr_expect_str_eq(thole_test_lines(), "");
}

/* 300 records of 60,000 bytes: more than the sink keeps. */
static void
expect_counted_past_its_end(const char *sinks)
{
    static char filler[60000];
    struct thole_sink_stats k;

    memset(filler, 'x', sizeof(filler) - 1);
    start_with(sinks, "record=64000,queue=1M");
    for (int i = 0; i < 300; i++) {
        thole_info(root, "n", "filler", filler);
        cr_assert_eq(thole_flush(5000), 0, "nothing waits for room that never comes");
    }
    k = take_sink_stats();
    cr_expect_eq(k.pending, 0u);
    cr_expect_eq(k.written + k.cause[THOLE_TOO_BIG], 300u);
    cr_expect_gt(k.cause[THOLE_TOO_BIG], 10u);
    cr_expect_eq(thole_stop(5000), 0);
    thole_test_clear();
}

THL_TEST(fault, records_past_what_memory_keeps_are_counted_at_once)
{
    expect_counted_past_its_end("memory:");
    expect_counted_past_its_end("fault:?write=ok");
}

THL_TEST(fault, emsgsize_costs_one_record_and_no_other)
{
    long numbers[4];

    start_with("fault:?write=ok,EMSGSIZE", NULL);
    for (int i = 0; i < 4; i++) {
        log_numbers(i, i + 1);
        cr_expect_eq(thole_flush(5000), 0);
    }
    cr_expect_eq(read_numbers(numbers, 4), 3u);
    cr_expect(numbers[0] == 0 && numbers[1] == 2 && numbers[2] == 3);
    cr_expect_eq(take_sink_stats().written, 3u);
    cr_expect_eq(take_sink_stats().cause[THOLE_TOO_BIG], 1u);
    cr_expect_eq(take_sink_stats().dropped, 1u);
}

THL_TEST(fault, emsgsize_amid_a_flood_costs_one_record_a_time)
{
    long numbers[MANY];

    start_with("fault:?write=EMSGSIZE,EAGAIN,EMSGSIZE,short,EMSGSIZE", NULL);
    log_numbers(0, MANY);
    cr_expect_eq(thole_flush(5000), 0);
    size_t n = read_numbers(numbers, MANY);
    cr_expect_eq(n, MANY - 3u);
    for (size_t i = 1; i < n; i++)
        cr_expect_gt(numbers[i], numbers[i - 1]);
    cr_expect_eq(take_sink_stats().written, MANY - 3u);
    cr_expect_eq(take_sink_stats().cause[THOLE_TOO_BIG], 3u);
}

THL_TEST(fault, short_writes_lose_and_repeat_none)
{
    expect_nothing_lost("fault:?write=short*8", MANY);
}

THL_TEST(fault, stall_delays_its_own_sink_and_no_other)
{
    start_with("fault:?write=stall=60000 null:", NULL);
    log_numbers(0, 1);
    for (int i = 0; i < TRIES && take_stats().sink[1].written == 0; i++)
        cr_expect_eq(thole_flush(20), -ETIMEDOUT);
    cr_expect_eq(take_stats().sink[1].written, 1u);
    cr_expect_eq(take_sink_stats().pending, 1u);
    log_numbers(1, 100);
    thole_test_end_stall();
    cr_expect_eq(thole_flush(5000), 0);
    expect_all_numbers(100);
    cr_expect_eq(take_sink_stats().written, 100u);
}

THL_TEST(fault, stall_holds_up_no_stop_and_what_it_held_is_counted)
{
    struct thole_sink_stats k;

    start_with("fault:?write=stall=60000", NULL);
    log_numbers(0, 1);
    cr_expect_eq(thole_flush(50), -ETIMEDOUT);
    log_numbers(1, 10);
    cr_expect_eq(thole_stop(500), -ETIMEDOUT);
    k = take_sink_stats();
    cr_expect_eq(k.offered, 10u);
    cr_expect_eq(k.cause[THOLE_STOPPED], 10u);
    thole_test_end_stall();
}

/* ---- opens and reopens ---- */

static int
log_while_it_cannot_open(const void *arg)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "fault:?open=ENOENT*3,EACCES*3", .log = "info,thole=off"};
    struct thole_stats s;
    int n = 0;

    (void)arg;
    CAPTURED_CHECK(thole_start(&opt) == 0);
    for (; n < TRIES && thole_test_lines()[0] == '\0'; n++) {
        thole_test_advance_clock(2 * SECOND); /* past any back-off */
        thole_info(root, "n", "i", n);
    }
    s = take_stats();
    CAPTURED_CHECK(n > 3 && n < TRIES);
    CAPTURED_CHECK(s.sink[0].written > 0 && s.sink[0].cause[THOLE_DOWN] > 0);
    CAPTURED_CHECK(s.sink[0].offered == s.sink[0].written + s.sink[0].dropped);
    CAPTURED_CHECK(s.sink[0].dropped == s.sink[0].cause[THOLE_DOWN]);
    dprintf(STDOUT_FILENO, "%d %d", n, (int)s.sink[0].written);
    return thole_stop(5000) == 0 ? 0 : __LINE__;
}

THL_TEST(fault, opens_that_fail_send_records_to_stderr_until_one_succeeds)
{
    struct captured c;
    char *end;

    captured_run(&c, log_while_it_cannot_open, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    long logged = strtol(c.out, &end, 10), written = strtol(end, &end, 10);
    cr_assert_eq(*end, '\0');
    cr_expect_eq(captured_count(c.err, "\"msg\":\"n\""), (size_t)(logged - written), "%s", c.err);
}

THL_TEST(fault, reopen_that_fails_keeps_the_target_it_has)
{
    start_with("fault:?reopen=EACCES,ok", NULL);
    for (int i = 0; i < 3; i++) {
        thole_reopen();
        log_numbers(i, i + 1);
        cr_expect_eq(thole_flush(5000), 0);
    }
    expect_all_numbers(3);
    cr_expect_eq(take_sink_stats().dropped, 0u);
}

/* ---- scripts ---- */

THL_TEST(fault, begins_anew_with_each_start)
{
    for (int i = 0; i < 3; i++) {
        start_with("fault:?write=EMSGSIZE", NULL);
        log_numbers(0, 1);
        cr_expect_eq(thole_flush(5000), 0);
        log_numbers(1, 2);
        cr_expect_eq(thole_flush(5000), 0);
        cr_expect_eq(take_sink_stats().cause[THOLE_TOO_BIG], 1u);
        cr_expect_eq(take_sink_stats().written, 1u);
        cr_expect_eq(thole_stop(5000), 0);
    }
}

THL_TEST(fault, names_tell_two_of_them_apart)
{
    long numbers[2];

    start_with("fault:a?write=EMSGSIZE fault:b", NULL);
    log_numbers(0, 1);
    cr_expect_eq(read_numbers(numbers, 2), 1u);
    cr_expect_eq(take_stats().nsinks, 2u);
    cr_expect_eq(take_stats().sink[0].dropped, 1u);
    cr_expect_eq(take_stats().sink[1].written, 1u);
}

static int
start_strictly(const void *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .flags = THOLE_STRICT};

    setenv("THOLE_SINKS", sinks, 1);
    return thole_start(&opt) == -EINVAL ? 0 : __LINE__;
}

THL_TEST(fault, bad_script_is_an_error_of_the_configuration_at_its_place)
{
    struct captured c;

    captured_run(&c, start_strictly, "null: fault:?write=ok,EAGIAN");
    cr_expect_eq(c.failed_line, 0);
    cr_expect_eq(
        captured_count(c.err, "THOLE_SINKS:20: write=ok,EAGIAN: expected steps as \"ok*3,"), 1u,
        "%s", c.err);
    captured_run(&c, start_strictly, "fault:?open=ok&reopen=short");
    cr_expect_eq(c.failed_line, 0);
    cr_expect_eq(captured_count(c.err, "THOLE_SINKS:23: reopen=short: expected steps"), 1u, "%s",
                 c.err);
}

/* ---- without a writer ---- */

THL_TEST(fault, steps_are_single_calls_in_direct_mode)
{
    long numbers[4];

    setenv("THOLE_LOG", "info,thole=off", 1);
    setenv("THOLE_SINKS", "fault:?write=ok,EMSGSIZE", 1);
    log_numbers(0, 4);
    cr_expect_eq(read_numbers(numbers, 4), 3u);
    cr_expect(numbers[0] == 0 && numbers[1] == 2 && numbers[2] == 3);
    cr_expect_eq(take_sink_stats().cause[THOLE_TOO_BIG], 1u);
}

static int
log_in_a_fork(const void *arg)
{
    (void)arg;
    log_numbers(1, 3); /* the parent's first write was the script's first */
    CAPTURED_CHECK(strstr(thole_test_lines(), "\"i\":1}") == NULL);
    CAPTURED_CHECK(strstr(thole_test_lines(), "\"i\":2}") != NULL);
    CAPTURED_CHECK(take_stats().sink[0].cause[THOLE_TOO_BIG] == 1);
    return 0;
}

THL_TEST(fault, goes_on_in_a_forked_process_where_it_was)
{
    struct captured c;

    start_with("fault:?write=ok,EMSGSIZE", NULL);
    log_numbers(0, 1);
    cr_expect_eq(thole_flush(5000), 0);
    captured_run(&c, log_in_a_fork, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    expect_all_numbers(1);
}
