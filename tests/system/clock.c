/* SPDX-License-Identifier: MIT */
/* The clock that a test sets: what records bear, and what becomes due. */
#include "test.h"
#include "observe.h"

#include "captured.h"

#include <errno.h>
#include <pthread.h>
#include <thole/test.h>
#include <thole/thole.h>

#define SECOND INT64_C(1000000000)
#define THEN (INT64_C(1795352041) * SECOND + 123456789)
#define THEN_TEXT "{\"time\":\"2026-11-22T12:54:01.123456Z\""

enum { TURNS = 200 };

static const thole_logger root = {0};

static void
start_with(const char *sinks, const char *limits)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .limits = limits};

    cr_assert_eq(thole_start(&opt), 0);
}

static size_t
count_lines(const char *part)
{
    return captured_count(thole_test_lines(), part);
}

THL_TEST(clock, that_is_set_is_what_records_bear)
{
    start_with("memory:", NULL);
    thole_test_set_clock(THEN);
    for (int i = 0; i < 100; i++)
        thole_info(root, "n");
    const char *lines = thole_test_lines();
    cr_expect_str_eq(lines + strlen(lines) / 100 * 99,
                     THEN_TEXT ",\"level\":\"info\",\"logger\":\"\",\"msg\":\"n\"}\n");
    cr_expect_eq(count_lines(THEN_TEXT), 100u);
}

THL_TEST(clock, that_is_set_holds_before_the_start_and_through_it)
{
    setenv("THOLE_SINKS", "memory:", 1);
    thole_test_set_clock(THEN);
    thole_info(root, "the first call of all");
    cr_assert_eq(thole_start(NULL), 0);
    thole_info(root, "started");
    cr_expect_eq(thole_stop(5000), 0);
    cr_assert_eq(thole_start(NULL), 0);
    thole_info(root, "again");
    cr_expect_eq(count_lines(THEN_TEXT), 3u, "%s", thole_test_lines());
}

THL_TEST(clock, may_be_set_a_moment_back)
{
    start_with("memory:", NULL);
    thole_test_set_clock(THEN);
    thole_info(root, "n");
    thole_test_set_clock(THEN - SECOND / 1000);
    thole_info(root, "n");
    cr_expect_eq(count_lines("\"2026-11-22T12:54:01.122456Z\""), 1u, "%s", thole_test_lines());
}

THL_TEST(clock, that_is_set_leaves_records_of_before_their_own_time)
{
    enum { ROUNDS = 200 };
    char wanted[128];

    start_with("memory:", NULL);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 100; i++)
            thole_info(root, "before");
        thole_test_set_clock((999993600 + 60 * round) * SECOND); /* 2001-09-09 */
        thole_info(root, "set");
        thole_test_release_clock();
    }
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(wanted, sizeof(wanted),
                 "{\"time\":\"2001-09-09T%02d:%02d:00.000000Z\",\"level\":\"info\",\"logger\":\"\","
                 "\"msg\":\"set\"}\n",
                 round / 60, round % 60);
        cr_expect_eq(count_lines(wanted), 1u, "%s", wanted);
    }
    cr_expect_eq(count_lines("\"2001-"), (size_t)ROUNDS);
    cr_expect_eq(count_lines("\"1970-"), 0u);
    cr_expect_eq(count_lines("\"msg\":\"before\""), 100u * ROUNDS);
}

THL_TEST(clock, advance_moves_it_exactly)
{
    start_with("memory:", NULL);
    thole_test_set_clock(THEN);
    thole_test_advance_clock(90 * SECOND + 1000);
    thole_info(root, "later");
    cr_expect_eq(count_lines("\"2026-11-22T12:55:31.123457Z\""), 1u, "%s", thole_test_lines());
}

/* ---- order ---- */

struct turns {
    pthread_barrier_t turn;
    int mine;
};

static void
take_turns(struct turns *t, int mine)
{
    for (int i = 0; i < TURNS; i++) {
        if (i % 2 == mine)
            thole_info(root, "turn", "i", i);
        pthread_barrier_wait(&t->turn);
    }
}

static void *
take_odd_turns(void *arg)
{
    take_turns(arg, 1);
    return NULL;
}

THL_TEST(clock, that_stands_keeps_records_of_several_threads_in_the_order_of_their_calls)
{
    struct turns t;
    pthread_t thread;
    char wanted[32];

    start_with("memory:", NULL);
    thole_test_set_clock(THEN);
    cr_assert_eq(pthread_barrier_init(&t.turn, NULL, 2), 0);
    cr_assert_eq(pthread_create(&thread, NULL, take_odd_turns, &t), 0);
    take_turns(&t, 0);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&t.turn);
    const char *at = thole_test_lines();
    for (int i = 0; at && i < TURNS; i++) {
        snprintf(wanted, sizeof(wanted), "\"i\":%d}\n", i);
        at = strstr(at, wanted);
        cr_expect_not_null(at, "turn %d stands before one that was earlier", i);
    }
}

/* ---- intervals ---- */

static void
be_refused(void)
{
    thole_logger child;

    thole_child(&child, root, "conn", 2);
    thole_info(root, "a record");
}

THL_TEST(clock, advance_by_a_minute_makes_due_what_is_said_once_a_minute)
{
    static const char notice[] = "\"msg\":\"child limit reached\"";
    thole_logger child;

    start_with("memory:", "children=1");
    thole_test_set_clock(THEN);
    thole_child(&child, root, "conn", 1);
    be_refused();
    cr_expect_eq(count_lines(notice), 1u);
    thole_test_advance_clock(50 * SECOND);
    be_refused();
    cr_expect_eq(count_lines(notice), 1u);
    thole_test_advance_clock(10 * SECOND);
    be_refused();
    cr_expect_eq(count_lines(notice), 2u);
    cr_expect_eq(count_lines("{\"time\":\"2026-11-22T12:55:01.123456Z\",\"level\":\"warn\","
                             "\"logger\":\"thole\",\"msg\":\"child limit reached\""),
                 1u, "%s", thole_test_lines());
    thole_unref(&child);
}

/* Whether the first sink wrote something, now or within 2 ms. */
static bool
has_written(void)
{
    const int64_t until = now_ms() + 2;

    while (now_ms() < until)
        if (take_stats().sink[0].written > 0)
            return true;
    return false;
}

/* In real time its tries would be about a second apart. */
THL_TEST(clock, advance_past_a_back_off_has_the_sink_tried_at_once)
{
    enum { FAILURES = 100, ADVANCES = 5000 };
    int advances = 0;

    start_with("fault:?write=EIO*100", NULL);
    thole_info(root, "n");
    for (; advances < ADVANCES && !has_written(); advances++)
        thole_test_advance_clock(2 * SECOND);
    cr_expect_geq(advances, FAILURES / 2);
    cr_expect_lt(advances, ADVANCES);
    cr_expect_eq(count_lines("\"msg\":\"n\""), 1u);
}

THL_TEST(clock, advance_ends_no_wait_of_this_moment)
{
    int64_t before;

    start_with("fault:?write=stall=60000", NULL);
    thole_info(root, "n");
    thole_test_advance_clock(3600 * SECOND);
    before = now_ms();
    cr_expect_eq(thole_flush(100), -ETIMEDOUT);
    cr_expect_geq(now_ms(), before + 100);
    thole_test_end_stall();
    cr_expect_eq(thole_flush(5000), 0);
}

/* ---- release, fork ---- */

THL_TEST(clock, that_is_released_goes_on_in_real_time)
{
    start_with("memory:", NULL);
    thole_test_set_clock(1000000000 * SECOND);
    thole_test_advance_clock(60 * SECOND);
    thole_test_release_clock();
    thole_info(root, "real");
    cr_expect_eq(count_lines("\"2001-"), 0u);
    cr_expect_eq(count_lines("\"msg\":\"real\""), 1u);
}

static int
log_in_a_fork(const void *arg)
{
    (void)arg;
    thole_info(root, "forked");
    CAPTURED_CHECK(strstr(thole_test_lines(), "12:54:01.123456Z\",\"level\":\"info\"") != NULL);
    thole_test_release_clock();
    thole_test_clear();
    thole_info(root, "released");
    CAPTURED_CHECK(strstr(thole_test_lines(), "12:54:01.123456Z") == NULL);
    return 0;
}

THL_TEST(clock, that_is_set_is_set_in_a_forked_process_which_has_its_own)
{
    struct captured c;

    start_with("memory:", NULL);
    thole_test_set_clock(THEN);
    captured_run(&c, log_in_a_fork, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    thole_info(root, "still set");
    cr_expect_eq(count_lines(THEN_TEXT), 1u);
}
