/* SPDX-License-Identifier: MIT */
/* Never lie about loss: what was called is written, waits, or is counted with its cause. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"
#include "gated_sink.h"

#include <errno.h>
#include <stdatomic.h>
#include <thole/test.h>
#include <thole/thole.h>
#include <time.h>

static const thole_logger root = {0};

static void
start_with(const char *sinks, const char *limits)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .limits = limits};

    cr_assert_eq(thole_start(&opt), 0);
}

/* Both identities, in this snapshot. */
static void
check_identities(const struct thole_stats *s)
{
    uint64_t by_level = 0;

    cr_expect_eq(s->called, s->routed + s->dropped + s->suppressed + s->queued);
    for (int level = 0; level < 9; level++)
        by_level += s->dropped_level[level];
    cr_expect_eq(by_level, s->dropped);
    for (unsigned i = 0; i < s->nsinks; i++) {
        const struct thole_sink_stats *k = &s->sink[i];
        uint64_t by_cause = 0;

        cr_expect_eq(k->offered, k->written + k->dropped + k->suppressed + k->pending, "%s",
                     k->name);
        for (int cause = 0; cause < 16; cause++)
            by_cause += k->cause[cause];
        cr_expect_eq(by_cause, k->dropped, "%s", k->name);
    }
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- flush ---- */

THL_TEST(ledger, counts_every_call_as_written_after_a_flush)
{
    start_with("memory: null:", NULL);
    for (int i = 0; i < 10000; i++) {
        thole_info(root, "counted", "i", i);
        thole_debug(root, "off, and not counted");
    }
    cr_assert_eq(thole_flush(10000), 0);
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.called, 10000u);
    cr_expect_eq(s.routed, 10000u);
    cr_expect_eq(s.queued, 0u);
    cr_assert_eq(s.nsinks, 2u);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(s.sink[i].written, 10000u);
        cr_expect_eq(s.sink[i].pending, 0u);
    }
    cr_expect_eq(captured_count(thole_test_lines(), "\n"), 10000u);
}

THL_TEST(ledger, counts_calls_in_direct_mode)
{
    setenv("THOLE_SINKS", "memory:", 1);
    for (int i = 0; i < 100; i++)
        thole_info(root, "written by its caller", "i", i);
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.called, 100u);
    cr_expect_eq(s.sink[0].written, 100u, "without a flush");
    cr_expect_eq(thole_flush(0), 0, "nothing to wait for");
}

THL_TEST(ledger, flush_past_its_time_says_so_and_the_next_succeeds)
{
    gate_register();
    start_with("gated:", NULL);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    double begin = now();
    cr_expect_eq(thole_flush(50), -ETIMEDOUT);
    cr_expect_lt(now() - begin, 5.0);
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.sink[0].pending, 1u);
    gate_set(false);
    cr_expect_eq(thole_flush(-1), 0);
    cr_expect_eq(captured_count(gate_text(), "waits at the gate"), 1u);
    s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.sink[0].pending, 0u);
    gate_forget();
}

THL_TEST(ledger, flush_without_time_asks_whether_all_is_done)
{
    gate_register();
    start_with("gated:", NULL);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    cr_expect_eq(thole_flush(0), -ETIMEDOUT);
    gate_set(false);
    cr_assert_eq(thole_flush(10000), 0);
    cr_expect_eq(thole_flush(0), 0);
    gate_forget();
}

static atomic_bool chatting;

static void *
chat(void *arg)
{
    while (chatting)
        thole_info(root, "chatter");
    return arg;
}

THL_TEST(ledger, flush_is_not_done_because_later_records_were_dropped)
{
    pthread_t other;

    gate_register();
    start_with("gated:", "queue=16K,record=512");
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    chatting = true;
    cr_assert_eq(pthread_create(&other, NULL, chat, NULL), 0);
    while (take_stats().sink[0].dropped < 1000)
        sched_yield();
    cr_expect_eq(thole_flush(200), -ETIMEDOUT, "not one record has been written");
    chatting = false;
    pthread_join(other, NULL);
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_gt(s.sink[0].pending, 0u);
    cr_expect_eq(s.sink[0].written, 0u);
    gate_forget();
}

static void *
flush_for_long(void *arg)
{
    thole_flush(20000);
    pthread_testcancel();
    return arg;
}

THL_TEST(ledger, thread_cancelled_in_a_flush_leaves_no_lock_behind)
{
    pthread_t other;
    void *result = NULL;

    gate_register();
    start_with("gated:", NULL);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    cr_assert_eq(pthread_create(&other, NULL, flush_for_long, NULL), 0);
    cr_expect_eq(thole_flush(100), -ETIMEDOUT);
    cr_assert_eq(pthread_cancel(other), 0);
    cr_expect_eq(thole_flush(100), -ETIMEDOUT, "in time, though the other waits");
    gate_set(false);
    cr_assert_eq(pthread_join(other, &result), 0);
    cr_expect_eq(result, PTHREAD_CANCELED, "when the flush was over");
    cr_expect_eq(thole_flush(10000), 0);
    cr_expect_eq(thole_stop(10000), 0);
    gate_forget();
}

static void *
stop_within(void *arg)
{
    *(int *)arg = thole_stop(10000);
    return NULL;
}

THL_TEST(ledger, flush_waits_for_a_stop_that_another_thread_is_in)
{
    pthread_t other;
    int stopped = 1;

    gate_register();
    start_with("gated:", NULL);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    cr_assert_eq(pthread_create(&other, NULL, stop_within, &stopped), 0);
    thole_info(root, "counted as stopped, once it has begun");
    while (take_stats().dropped_level[THOLE_INFO] == 0)
        thole_info(root, "counted as stopped, once it has begun");
    cr_expect_eq(thole_flush(50), -ETIMEDOUT, "the record is still at the gate");
    gate_set(false);
    cr_expect_eq(thole_flush(10000), 0);
    cr_expect_eq(take_stats().sink[0].pending, 0u);
    pthread_join(other, NULL);
    cr_expect_eq(stopped, 0);
    gate_forget();
}

THL_TEST(ledger, slow_sink_delays_no_other)
{
    gate_register();
    start_with("gated: memory:", NULL);
    gate_set(true);
    thole_info(root, "first");
    gate_await_write();
    thole_info(root, "second");
    while (take_stats().sink[1].written < 2)
        sched_yield();
    cr_expect_eq(take_stats().sink[0].written, 0u);
    gate_forget();
}

/* ---- overflow=drop ---- */

static void *
log_one(void *arg)
{
    (void)arg;
    thole_info(root, "from another thread");
    return NULL;
}

THL_TEST(ledger, full_queue_drops_by_level_and_keeps_room_for_warnings)
{
    char part[64];

    gate_register();
    start_with("inline:", "queue=16K,record=512");
    gate_set(true);
    thole_info(root, "stops the writer");
    gate_await_write();
    for (int i = 0; i < 10000; i++)
        thole_info(root, "too many", "i", i);
    for (int i = 0; i < 5; i++)
        thole_warn(root, "there is room for this", "i", i);
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_gt(s.dropped_level[THOLE_INFO], 5000u);
    cr_expect_eq(s.dropped_level[THOLE_WARN], 0u);
    cr_expect_eq(s.called, 10006u);
    for (int i = 0; i < 10000; i++)
        thole_error(root, "too many of these as well", "i", i);
    s = take_stats();
    cr_expect_gt(s.dropped_level[THOLE_ERROR], 5000u);

    gate_set(false);
    cr_assert_eq(thole_flush(10000), 0);
    cr_assert_eq(thole_stop(10000), 0);
    s = take_stats();
    check_identities(&s);
    const char *text = gate_text();
    cr_expect_eq(captured_count(text, "\"msg\":\"too many\""), 10000 - s.dropped_level[THOLE_INFO],
                 "what is not counted is written");
    cr_expect_eq(captured_count(text, "there is room for this"), 5u);
    cr_expect_eq(captured_count(text, "\"msg\":\"records dropped\",\"cause\":\"queue_full\""), 1u);
    snprintf(part, sizeof(part), "\"count\":%llu,", (unsigned long long)s.dropped);
    cr_expect_not_null(strstr(text, part), "%s", part);
    snprintf(part, sizeof(part), "\"info\":%llu,", (unsigned long long)s.dropped_level[THOLE_INFO]);
    cr_expect_not_null(strstr(text, part), "%s", part);
    gate_forget();
}

THL_TEST(ledger, full_queue_of_one_thread_is_not_anothers)
{
    pthread_t other;

    gate_register();
    start_with("inline:", "queue=16K,record=512");
    gate_set(true);
    thole_info(root, "stops the writer");
    gate_await_write();
    for (int i = 0; i < 10000; i++)
        thole_info(root, "too many", "i", i);
    uint64_t dropped = take_stats().dropped;
    cr_assert_eq(pthread_create(&other, NULL, log_one, NULL), 0);
    pthread_join(other, NULL);
    cr_expect_eq(take_stats().dropped, dropped);
    gate_set(false);
    cr_expect_eq(thole_flush(10000), 0);
    cr_expect_eq(captured_count(gate_text(), "from another thread"), 1u);
    gate_forget();
}

THL_TEST(ledger, full_outbox_drops_with_its_cause_and_the_log_says_so)
{
    char part[128];

    gate_register();
    start_with("gated: memory:", "queue=16K,record=512");
    gate_set(true);
    thole_info(root, "stops the sink");
    gate_await_write();
    for (int i = 0; i < 5000; i++) {
        thole_info(root, "too many", "i", i);
        if (i % 50 == 0) /* so that the queue itself drops nothing */
            while (take_stats().queued > 0)
                sched_yield();
    }
    while (take_stats().queued > 0)
        sched_yield();
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.dropped, 0u, "not the process's");
    cr_expect_gt(s.sink[0].cause[THOLE_OUTBOX_FULL], 1000u);
    cr_expect_eq(s.sink[1].dropped, 0u);
    gate_set(false);
    cr_assert_eq(thole_flush(10000), 0);
    cr_assert_eq(thole_stop(10000), 0);
    s = take_stats();
    check_identities(&s);
    cr_expect_eq(captured_count(gate_text(), "\"msg\":\"too many\""),
                 5000 - s.sink[0].cause[THOLE_OUTBOX_FULL]);
    snprintf(
        part, sizeof(part),
        "\"msg\":\"records dropped\",\"sink\":\"gated:\",\"cause\":\"outbox_full\",\"count\":");
    uint64_t said = 0;
    for (const char *at = gate_text(); (at = strstr(at, part)) != NULL; at++)
        said += strtoull(at + strlen(part), NULL, 10);
    cr_expect_eq(said, s.sink[0].dropped, "announced %llu of %llu", (unsigned long long)said,
                 (unsigned long long)s.sink[0].dropped);
    gate_forget();
}

/* ---- overflow=block ---- */

THL_TEST(ledger, blocking_loses_nothing)
{
    gate_register();
    start_with("gated: memory:", "queue=16K,record=512,overflow=block:20000");
    for (int i = 0; i < 50000; i++)
        thole_info(root, "one of many", "i", i);
    cr_assert_eq(thole_flush(20000), 0);
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.called, 50000u);
    cr_expect_eq(s.sink[0].written, 50000u);
    cr_expect_eq(s.sink[1].written, 50000u);
    cr_expect_eq(captured_count(gate_text(), "\n"), 50000u);
    gate_forget();
}

THL_TEST(ledger, blocking_waits_no_longer_than_it_may)
{
    gate_register();
    start_with("inline:", "queue=16K,record=512,overflow=block:30");
    gate_set(true);
    thole_info(root, "stops the writer");
    gate_await_write();
    double longest = 0, begin;
    while (take_stats().dropped < 3) {
        begin = now();
        thole_info(root, "too many");
        if (now() - begin > longest)
            longest = now() - begin;
    }
    cr_expect_geq(longest, 0.025, "it waits: %f", longest);
    cr_expect_lt(longest, 5.0);
    gate_set(false);
    gate_forget();
}

/* ---- stop ---- */

THL_TEST(ledger, stop_returns_in_time_from_a_sink_that_hangs_and_counts_what_it_had)
{
    gate_register();
    start_with("gated: memory:", NULL);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    thole_info(root, "waits behind it");
    double begin = now();
    cr_expect_eq(thole_stop(100), -ETIMEDOUT);
    cr_expect_lt(now() - begin, 5.0);
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.sink[0].cause[THOLE_STOPPED], 2u);
    cr_expect_eq(s.sink[0].pending, 0u);
    cr_expect_eq(s.sink[1].written, 2u, "the other sink has both");
    gate_set(false);
    pthread_mutex_lock(&gate.lock); /* it comes back, and nothing is counted twice */
    while (gate.inside)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.sink[0].written, 0u);
}

THL_TEST(ledger, stop_returns_in_time_with_a_long_queue_and_counts_what_it_had)
{
    gate_register();
    start_with("gated:", "queue=64M,overflow=block:60000");
    gate_set(true);
    for (int i = 0; i < 300000; i++) /* its buffer fills, and the writer waits for room */
        thole_info(root, "one of many", "i", i);
    double begin = now();
    cr_expect_eq(thole_stop(300), -ETIMEDOUT);
    cr_expect_lt(now() - begin, 5.0);
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.queued, 0u);
    cr_expect_geq(s.called, 300000u);
    cr_expect_lt(s.called, 300010u, "and notices");
    cr_expect_gt(s.dropped_level[THOLE_INFO], 200000u);
    gate_forget();
}

/* How many descriptors are the file at `path`. */
static int
count_open(const char *path)
{
    struct stat own, st;
    int n = 0;

    cr_assert_eq(stat(path, &own), 0);
    for (int fd = 0; fd < 256; fd++)
        n += fstat(fd, &st) == 0 && st.st_dev == own.st_dev && st.st_ino == own.st_ino;
    return n;
}

THL_TEST(ledger, stop_closes_the_other_sinks_although_one_hangs)
{
    static const char *const names[] = {"a.log", "b.log", "c.log", "d.log"};
    char sinks[512];

    folder_make();
    gate_register();
    snprintf(sinks, sizeof(sinks), "gated: file:%s/a.log file:%s/b.log file:%s/c.log file:%s/d.log",
             folder, folder, folder, folder);
    start_with(sinks, NULL);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    for (int i = 0; i < 4; i++)
        cr_expect_eq(count_open(folder_path(names[i])), 1);
    cr_expect_eq(thole_stop(2000), -ETIMEDOUT);
    struct thole_stats s = take_stats();
    check_identities(&s);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(count_open(folder_path(names[i])), 0, "%s is open", names[i]);
        cr_expect_eq(s.sink[1 + i].written, 1u);
    }
    gate_forget();
    folder_remove();
}

THL_TEST(ledger, start_works_again_after_a_sink_that_hung)
{
    gate_register();
    start_with("gated: memory:", NULL);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    cr_expect_eq(thole_stop(50), -ETIMEDOUT);
    start_with("gated: memory:", NULL); /* while the first write still hangs */
    thole_info(root, "second life");
    gate_set(false);
    cr_expect_eq(thole_flush(5000), 0);
    cr_expect_eq(captured_count(gate_text(), "\"msg\":\"second life\""), 1u);
    cr_expect_eq(captured_count(thole_test_lines(), "\"msg\":\"second life\""), 1u);
    cr_expect_eq(thole_stop(5000), 0);
    start_with("gated: memory:", NULL); /* and when it has come back */
    cr_expect_eq(thole_stop(5000), 0);
    gate_forget();
}

static int in_sink[3];

static void
call_back(void)
{
    in_sink[0] = thole_flush(1000);
    in_sink[1] = thole_stop(1000);
    in_sink[2] = thole_start(NULL);
}

THL_TEST(ledger, flush_and_stop_inside_a_sink_are_refused)
{
    gate_register();
    gate.before = call_back;
    start_with("gated:", NULL);
    thole_info(root, "calls back");
    cr_expect_eq(thole_flush(5000), 0);
    cr_expect_eq(in_sink[0], -EDEADLK);
    cr_expect_eq(in_sink[1], -EDEADLK);
    cr_expect_lt(in_sink[2], 0);
    gate.before = NULL;
    gate_forget();
}

THL_TEST(ledger, record_after_stop_is_dropped_and_counted)
{
    thole_logger child;

    start_with("memory:", NULL);
    thole_child(&child, thole_get("net"), "conn", 1);
    thole_info(child, "before");
    thole_unref(&child);
    cr_expect_eq(thole_stop(5000), 0);
    thole_info(root, "after");
    thole_warn(root, "after");
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.dropped_level[THOLE_INFO], 1u);
    cr_expect_eq(s.dropped_level[THOLE_WARN], 1u);
    cr_expect_eq(thole_flush(1000), 0);
    cr_expect_eq(thole_stop(1000), 0, "twice is fine");
}

THL_TEST(ledger, start_after_stop_works_and_announces_the_records_between)
{
    start_with("memory:", NULL);
    thole_info(root, "first life");
    cr_assert_eq(thole_stop(5000), 0);
    thole_info(root, "between");
    cr_assert_eq(thole_start(NULL), 0, "the earlier options again");
    thole_info(root, "second life");
    cr_assert_eq(thole_flush(5000), 0);
    const char *lines = thole_test_lines();
    cr_expect_eq(captured_count(lines, "second life"), 1u, "%s", lines);
    cr_expect_eq(captured_count(lines, "\"msg\":\"between\""), 0u);
    cr_expect_not_null(
        strstr(lines, "\"msg\":\"records dropped\",\"cause\":\"stopped\",\"count\":1"), "%s",
        lines);
}

THL_TEST(ledger, many_lives_keep_the_identities)
{
    for (int life = 0; life < 20; life++) {
        start_with("memory:", NULL);
        for (int i = 0; i < 100; i++)
            thole_info(root, "hello", "life", life, "i", i);
        cr_assert_eq(thole_stop(5000), 0);
    }
    struct thole_stats s = take_stats();
    check_identities(&s);
    cr_expect_eq(s.called, 2000u);
    cr_expect_eq(s.routed, 2000u);
    cr_expect_eq(s.queued, 0u);
}

/* ---- what start refuses ---- */

THL_TEST(ledger, start_while_running_is_ealready)
{
    start_with("memory:", NULL);
    cr_expect_eq(thole_start(NULL), -EALREADY);
    thole_info(root, "goes on");
    cr_expect_eq(captured_count(thole_test_lines(), "goes on"), 1u);
}

THL_TEST(ledger, start_with_other_limits_is_ebusy)
{
    const struct thole_options other = {
        .size = sizeof(other), .sinks = "memory:", .limits = "children=6"};

    start_with("memory:", "children=5");
    cr_assert_eq(thole_stop(5000), 0);
    cr_expect_eq(thole_start(&other), -EBUSY);
    cr_expect_eq(thole_start(NULL), 0, "the options of the start that worked");
    thole_info(root, "goes on");
    cr_expect_eq(captured_count(thole_test_lines(), "goes on"), 1u);
}

THL_TEST(ledger, start_with_state_is_enotsup_and_with_a_wrong_size_einval)
{
    const struct thole_options state = {
        .size = sizeof(state), .sinks = "memory:", .state = "/nonexistent"};
    const struct thole_options small = {.size = 8, .sinks = "memory:"};

    cr_expect_eq(thole_start(&state), -ENOTSUP);
    cr_expect_eq(thole_start(&small), -EINVAL);
}

THL_TEST(ledger, stats_writes_no_more_than_its_size)
{
    struct thole_stats stats;
    unsigned char *bytes = (unsigned char *)&stats;

    start_with("memory:", NULL);
    memset(bytes, 0xAA, sizeof(stats));
    stats.size = offsetof(struct thole_stats, loggers);
    thole_stats(&stats);
    for (size_t i = offsetof(struct thole_stats, loggers); i < sizeof(stats); i++)
        cr_assert_eq(bytes[i], 0xAA, "byte %zu", i);
    cr_expect_eq(stats.called, 0u);
    thole_stats(NULL);
}
