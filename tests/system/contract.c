/* SPDX-License-Identifier: MIT */
/* What a sink of one's own is asked for, and when: the operations of <thole/sink.h>. */
#include "test.h"
#include "observe.h"

#include "captured.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <thole/sink.h>
#include <thole/test.h>
#include <thole/thole.h>

#define SECOND INT64_C(1000000000)
#define THEN (INT64_C(1795352041) * SECOND)
#define PATIENCE_MS 10000

static const thole_logger root = {0};

/* What the sinks below were asked, and what they shall answer. */
static struct {
    _Atomic unsigned writes, flushes, reopens, questions;
    _Atomic bool wants;
    _Atomic int open_error, reopen_error, flush_error;
    _Atomic unsigned within_ms;
    _Atomic int write_ms;              /* that a write lasts */
    _Atomic unsigned reopens_at_write; /* how many reopens the last write found done */
} asked;

static int
open_asked(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &asked;
    return -atomic_load(&asked.open_error);
}

static int
write_asked(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    atomic_store(&asked.reopens_at_write, atomic_load(&asked.reopens));
    atomic_fetch_add(&asked.writes, (unsigned)n);
    poll(NULL, 0, atomic_load(&asked.write_ms));
    *done = n;
    return 0;
}

static int
flush_asked(void *sink)
{
    (void)sink;
    atomic_fetch_add(&asked.flushes, 1);
    return -atomic_load(&asked.flush_error);
}

static int
reopen_asked(void *sink)
{
    (void)sink;
    atomic_fetch_add(&asked.reopens, 1);
    return -atomic_load(&asked.reopen_error);
}

static bool
wants_reopen_asked(void *sink)
{
    (void)sink;
    atomic_fetch_add(&asked.questions, 1);
    return atomic_load(&asked.wants);
}

static unsigned
flush_within_asked(void *sink)
{
    (void)sink;
    return atomic_load(&asked.within_ms);
}

static const char *
explain_asked(int error)
{
    return error == ENXIO ? "the cable is out" : NULL;
}

static void
close_asked(void *sink)
{
    (void)sink;
}

static const struct thole_sink_ops with_a_thread = {
    .size = sizeof(with_a_thread),
    .flags = THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
    .format = "json",
    .open = open_asked,
    .write = write_asked,
    .flush = flush_asked,
    .reopen = reopen_asked,
    .close = close_asked,
    .wants_reopen = wants_reopen_asked,
    .flush_within = flush_within_asked,
    .explain = explain_asked,
};
static struct thole_sink_ops on_the_writer;

static void
register_both(void)
{
    on_the_writer = with_a_thread;
    on_the_writer.flags = THOLE_SINK_LINES;
    cr_assert_eq(thole_sink_register("asked", &with_a_thread), 0);
    cr_assert_eq(thole_sink_register("asked-inline", &on_the_writer), 0);
}

static void
start_with(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks};

    cr_assert_eq(thole_start(&opt), 0);
}

static void
log_and_flush(const char *key)
{
    thole_info(root, "record", "key", key);
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
}

static size_t
count_lines(const char *part)
{
    return captured_count(thole_test_lines(), part);
}

static bool
reaches(_Atomic unsigned *counter, unsigned wanted)
{
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end; (void)poll(NULL, 0, 2))
        if (atomic_load(counter) >= wanted)
            return true;
    return false;
}

/* ---- members of later ---- */

/* What follows a struct of an earlier day is not its own. */
static bool
never_to_be_called(void *sink)
{
    (void)sink;
    abort();
}

THL_TEST(contract, sink_compiled_before_the_last_members_is_taken_without_them)
{
    static struct thole_sink_ops old;

    old = with_a_thread;
    old.wants_reopen = never_to_be_called;
    old.size = offsetof(struct thole_sink_ops, wants_reopen) - 1;
    cr_expect_eq(thole_sink_register("old", &old), -EINVAL, "one that cannot even be closed");
    old.size++;
    cr_assert_eq(thole_sink_register("old", &old), 0);
    start_with("old:");
    log_and_flush("x");
    cr_expect_eq(atomic_load(&asked.writes), 1u);
}

/* ---- reopening by itself ---- */

static void
ask_once_a_second(const char *sinks)
{
    thole_test_set_clock(THEN);
    register_both();
    start_with(sinks);
    log_and_flush("first");
    cr_expect_eq(atomic_load(&asked.questions), 1u, "before the first write");
    for (int i = 0; i < 20; i++)
        log_and_flush("same second");
    cr_expect_eq(atomic_load(&asked.questions), 1u);
    thole_test_advance_clock(SECOND);
    log_and_flush("next second");
    cr_expect_eq(atomic_load(&asked.questions), 2u);
    cr_expect_eq(atomic_load(&asked.reopens), 0u);

    atomic_store(&asked.wants, true);
    thole_test_advance_clock(SECOND);
    log_and_flush("moved");
    cr_expect_eq(atomic_load(&asked.reopens), 1u);
    cr_expect_eq(atomic_load(&asked.reopens_at_write), 1u, "before the write, not after it");
}

THL_TEST(contract, sink_is_asked_once_a_second_whether_it_wants_to_be_opened_anew)
{
    ask_once_a_second("asked:");
}

THL_TEST(contract, sink_on_the_writer_is_asked_the_same)
{
    ask_once_a_second("asked-inline:");
}

THL_TEST(contract, reopen_that_fails_is_said_once_is_no_outage_and_its_end_is_said)
{
    thole_test_set_clock(THEN);
    register_both();
    start_with("asked: memory:");
    atomic_store(&asked.wants, true);
    atomic_store(&asked.reopen_error, EACCES);
    for (int i = 0; i < 5; i++) {
        log_and_flush("goes on");
        thole_test_advance_clock(SECOND);
    }
    cr_expect_eq(atomic_load(&asked.reopens), 5u);
    cr_expect_eq(atomic_load(&asked.writes) - count_lines("\"logger\":\"thole\""), 5u);
    cr_expect_eq(count_lines("\"msg\":\"sink reopen failed\",\"sink\":\"asked:\",\"err\":13,"
                             "\"err_name\":\"EACCES\""),
                 1u, "%s", thole_test_lines());
    cr_expect_eq(count_lines("sink reopened"), 0u);
    atomic_store(&asked.reopen_error, 0);
    log_and_flush("again");
    log_and_flush("and what the writer had to say");
    cr_expect_eq(count_lines("\"msg\":\"sink reopened\",\"sink\":\"asked:\"}"), 1u, "%s",
                 thole_test_lines());
    cr_expect_eq(count_lines("sink down") + count_lines("sink recovered"), 0u);
}

/* ---- flushing ---- */

THL_TEST(contract, flush_reaches_the_sink_with_and_without_a_thread)
{
    register_both();
    start_with("asked:");
    log_and_flush("x");
    cr_expect_eq(atomic_load(&asked.flushes), 1u);
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    cr_expect_eq(atomic_load(&asked.flushes), 2u);
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    atomic_store(&asked.flushes, 0);
    start_with("asked-inline:");
    log_and_flush("x");
    cr_expect_eq(atomic_load(&asked.flushes), 1u);
}

static _Atomic bool flood_ends;

static void *
log_without_end(void *arg)
{
    (void)arg;
    while (!atomic_load(&flood_ends)) {
        thole_info(root, "another thread's");
        poll(NULL, 0, 0);
    }
    return NULL;
}

THL_TEST(contract, flush_reaches_the_sink_though_other_threads_log_without_end)
{
    pthread_t other;

    register_both();
    atomic_store(&asked.write_ms, 10); /* there is always a next batch by its end */
    start_with("asked:");
    cr_assert_eq(pthread_create(&other, NULL, log_without_end, NULL), 0);
    for (int i = 0; i < 10; i++) {
        unsigned before = atomic_load(&asked.flushes);
        log_and_flush("x");
        cr_expect_gt(atomic_load(&asked.flushes), before, "flush %d", i);
    }
    atomic_store(&flood_ends, true);
    pthread_join(other, NULL);
    cr_expect_eq(thole_stop(PATIENCE_MS), 0);
}

THL_TEST(contract, flush_reaches_the_sink_in_direct_mode)
{
    register_both();
    setenv("THOLE_SINKS", "asked:", 1);
    thole_info(root, "x");
    cr_expect_eq(atomic_load(&asked.flushes), 0u);
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    cr_expect_eq(atomic_load(&asked.flushes), 1u);
}

THL_TEST(contract, sink_that_wants_it_is_flushed_in_time_though_nothing_more_is_logged)
{
    register_both();
    start_with("asked:");
    atomic_store(&asked.within_ms, 20);
    thole_info(root, "the only one");
    cr_expect(reaches(&asked.flushes, 1));
    cr_expect_eq(atomic_load(&asked.writes), 1u);
    for (int64_t end = now_ms() + 100; now_ms() < end; (void)poll(NULL, 0, 10))
        continue;
    cr_expect_eq(atomic_load(&asked.flushes), 1u, "once for what was written once");
}

THL_TEST(contract, sink_is_flushed_in_time_amid_records_that_keep_coming)
{
    register_both();
    start_with("asked:");
    atomic_store(&asked.within_ms, 20);
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end; (void)poll(NULL, 0, 1)) {
        thole_info(root, "one of many");
        if (atomic_load(&asked.flushes) >= 5)
            break;
    }
    cr_expect_geq(atomic_load(&asked.flushes), 5u);
}

THL_TEST(contract, flush_that_fails_is_an_outage_that_loses_nothing)
{
    register_both();
    start_with("asked: memory:");
    atomic_store(&asked.flush_error, EIO);
    log_and_flush("1");
    atomic_store(&asked.flush_error, 0);
    cr_expect(reaches(&asked.writes, 1));
    log_and_flush("2");
    log_and_flush("3");
    cr_expect_eq(count_lines("\"msg\":\"sink down\",\"sink\":\"asked:\",\"err\":5"), 1u, "%s",
                 thole_test_lines());
    cr_expect_eq(count_lines("\"msg\":\"sink recovered\",\"sink\":\"asked:\""), 1u);
    const struct thole_stats s = take_stats();
    cr_expect_eq(s.sink[0].written, s.sink[0].offered);
}

/* ---- trouble ---- */

/* One record a call, and then no room. */
static int
write_one_a_call(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    if (!atomic_load(&asked.wants))
        return write_asked(sink, records, n, done);
    atomic_fetch_add(&asked.writes, 1);
    *done = 1;
    return -ENOSPC;
}

static struct thole_sink_ops slow;

THL_TEST(contract, outage_is_as_long_as_it_is_though_some_records_went_through)
{
    thole_test_set_clock(THEN);
    slow = with_a_thread;
    slow.write = write_one_a_call;
    slow.wants_reopen = NULL;
    cr_assert_eq(thole_sink_register("slow", &slow), 0);
    start_with("slow: memory:");
    atomic_store(&asked.wants, true);
    for (int i = 0; i < 8; i++)
        thole_info(root, "record");
    for (unsigned i = 1; i <= 5; i++) {
        cr_assert(reaches(&asked.writes, i));
        thole_test_advance_clock(10 * SECOND);
        (void)thole_flush(1); /* the time for another try has come */
    }
    atomic_store(&asked.wants, false);
    thole_test_advance_clock(10 * SECOND);
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    const char *after = strstr(thole_test_lines(), "\"sink recovered\",\"sink\":\"slow:\",");
    cr_assert_not_null(after, "%s", thole_test_lines());
    after = strstr(after, "\"after\":");
    cr_expect(after && strtod(after + 8, NULL) >= 50, "%s", thole_test_lines());
}

static int
write_when_there_is_room(void *sink, const struct thole_sink_record *records, size_t n,
                         size_t *done)
{
    if (!atomic_load(&asked.wants))
        return write_asked(sink, records, n, done);
    atomic_fetch_add(&asked.questions, 1);
    *done = 0;
    return -EAGAIN;
}

THL_TEST(contract, what_a_rate_held_back_is_said_after_a_blockade_though_nothing_more_is_logged)
{
    slow = with_a_thread;
    slow.write = write_when_there_is_room;
    slow.wants_reopen = NULL;
    cr_assert_eq(thole_sink_register("slow", &slow), 0);
    start_with("slow:?rate=1/s");
    atomic_store(&asked.wants, true);
    for (int i = 0; i < 5; i++)
        thole_info(root, "record");
    cr_assert(reaches(&asked.questions, 8)); /* by then the writer sleeps */
    atomic_store(&asked.wants, false);
    cr_expect(reaches(&asked.writes, 2), "one record and the notice: no flush wakes the writer");
}

/* ---- records that a sink cannot take ---- */

static int
refuse_all(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    (void)n;
    *done = 0;
    return -EMSGSIZE;
}

/* One record is lost, and with it the notice of that; but not a notice of each notice. */
static void
lose_one_record(const struct thole_sink_ops *ops)
{
    thole_test_set_clock(THEN);
    cr_assert_eq(thole_sink_register("small", ops), 0);
    start_with("small: memory:");
    for (int i = 0; i < 4; i++) {
        if (i == 0)
            thole_info(root, "too big");
        cr_assert_eq(thole_flush(PATIENCE_MS), 0);
        thole_test_advance_clock(SECOND);
    }
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    cr_expect_eq(count_lines("\"msg\":\"records dropped\",\"sink\":\"small:\","
                             "\"cause\":\"too_big\",\"count\":1,"),
                 1u, "%.1000s", thole_test_lines());
    cr_expect_eq(count_lines("\n"), 2u, "%.1000s", thole_test_lines());
    const struct thole_stats s = take_stats();
    cr_expect_eq(s.sink[0].offered, 2u);
    cr_expect_eq(s.sink[0].cause[THOLE_TOO_BIG], 2u);
}

THL_TEST(contract, notices_that_a_sink_has_no_room_for_are_not_announced_in_turn)
{
    static struct thole_sink_ops ops;

    ops = with_a_thread;
    ops.max_record = 20; /* not even a record's time fits */
    lose_one_record(&ops);
}

THL_TEST(contract, notices_that_a_sink_refuses_are_not_announced_in_turn)
{
    static struct thole_sink_ops ops;

    ops = with_a_thread;
    ops.write = refuse_all;
    lose_one_record(&ops);
}

/* ---- words ---- */

static int
start_with_an_error(const void *error)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "asked:"};

    atomic_store(&asked.open_error, *(const int *)error);
    CAPTURED_CHECK(thole_start(&opt) == 0);
    CAPTURED_CHECK(thole_stop(PATIENCE_MS) == 0);
    return 0;
}

THL_TEST(contract, sink_says_in_its_own_words_why_it_cannot_open)
{
    static const int errors[] = {ENXIO, ENODEV};
    static const char *const words[] = {
        "cannot open asked:: the cable is out; stderr takes its records until it can be opened",
        "cannot open asked:: No such device; stderr"};
    struct captured c;

    register_both();
    for (int i = 0; i < 2; i++) {
        captured_run(&c, start_with_an_error, &errors[i]);
        cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
        cr_expect_eq(captured_count(c.err, words[i]), 1u, "%s", c.err);
    }
}

/* What an author leaves out who needs little: a format, a state, all that is optional. */
static struct {
    _Atomic unsigned opens, closes, writes, strays;
} bare;

static int
open_bare(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    (void)sink; /* it has no state: thole's NULL stays */
    atomic_fetch_add(&bare.opens, 1);
    return 0;
}

static int
write_bare(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    atomic_fetch_add(&bare.strays, sink != NULL);
    for (size_t i = 0; i < n; i++)
        atomic_fetch_add(&bare.strays, records[i].bytes[0] != '{');
    *done = n;
    return atomic_fetch_add(&bare.writes, 1) == 1 ? -EIO : 0; /* in trouble it stays open, too */
}

static void
close_bare(void *sink)
{
    atomic_fetch_add(&bare.strays, sink != NULL);
    atomic_fetch_add(&bare.closes, 1);
}

THL_TEST(contract, sink_without_a_state_or_a_format_is_opened_once_closed_once_and_has_json)
{
    static struct thole_sink_ops ops[2];

    for (unsigned i = 0; i < 2; i++) {
        ops[i] = (struct thole_sink_ops){.size = sizeof(ops[i]),
                                         .flags = i ? THOLE_SINK_MAY_BLOCK : 0,
                                         .open = open_bare,
                                         .write = write_bare,
                                         .close = close_bare};
        cr_assert_eq(thole_sink_register(i ? "bare-slow" : "bare", &ops[i]), 0);
        memset(&bare, 0, sizeof(bare));
        start_with(i ? "bare-slow:" : "bare:");
        for (int j = 0; j < 4; j++)
            log_and_flush("bare");
        cr_expect_eq(thole_stop(PATIENCE_MS), 0);
        cr_expect_eq(atomic_load(&bare.opens), 1u);
        cr_expect_eq(atomic_load(&bare.closes), 1u);
        cr_expect_eq(atomic_load(&bare.strays), 0u);
    }
}
