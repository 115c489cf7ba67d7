/* SPDX-License-Identifier: MIT */
/* Flood control: a noisy call site is held to its rate, others are not, and the sums are exact. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "gated_sink.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <thole/test.h>
#include <thole/thole.h>

static const thole_logger root = {0};

static void
start_with(const char *sinks, const char *limits)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .limits = limits};

    gate_register();
    cr_assert_eq(thole_start(&opt), 0);
}

/* Of all numbers that follow `key`. */
static uint64_t
sum_of(const char *text, const char *key)
{
    uint64_t sum = 0;

    while ((text = strstr(text, key)) != NULL) {
        text += strlen(key);
        sum += strtoull(text, NULL, 10);
    }
    return sum;
}

/* What notices announce: "msg":"records suppressed","src":"f.c:12","count":7 */
static uint64_t
sum_of_notices(const char *text)
{
    static const char notice[] = "\"msg\":\"records suppressed\",\"src\":\"";
    uint64_t sum = 0;

    while ((text = strstr(text, notice)) != NULL) {
        text += sizeof(notice) - 1;
        const char *count = strstr(text, "\"count\":");
        sum += count ? strtoull(count + 8, NULL, 10) : 0;
    }
    return sum;
}

/* After a stop: each suppressed record was announced, once. */
static void
check_announced(void)
{
    struct thole_stats s = take_stats();
    const char *text = gate_text();
    uint64_t by_records = sum_of(text, "\"thole.suppressed\":"), by_notices = sum_of_notices(text);

    cr_expect_eq(s.called, s.routed + s.dropped + s.suppressed + s.queued);
    cr_expect_eq(by_records + by_notices, s.suppressed, "%llu by records, %llu by notices, of %llu",
                 (unsigned long long)by_records, (unsigned long long)by_notices,
                 (unsigned long long)s.suppressed);
}

static void
await_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* ---- the rate ---- */

THL_TEST(flood, site_of_200000_a_second_writes_100_and_a_second_connection_all)
{
    enum { RATE = 100, MS = 3000, CALLS_A_MS = 200, QUIET_EVERY_MS = 50 };
    thole_logger noisy, quiet;
    unsigned calls = 0, quiet_calls = 0;

    start_with("gated:", "site-rate=100/s");
    thole_child(&noisy, thole_get("net"), "conn", 1);
    thole_child(&quiet, thole_get("net"), "conn", 2);
    int64_t begin = now_ms(), elapsed;
    while ((elapsed = now_ms() - begin) < MS) {
        bool is_quiets_turn = elapsed / QUIET_EVERY_MS >= quiet_calls;
        if (!is_quiets_turn && calls >= elapsed * CALLS_A_MS)
            continue;
        thole_info(is_quiets_turn ? quiet : noisy, "round and round");
        quiet_calls += is_quiets_turn;
        calls += !is_quiets_turn;
    }
    elapsed = now_ms() - begin + 1;
    thole_unref(&noisy);
    thole_unref(&quiet);
    cr_assert_eq(thole_stop(10000), 0);
    size_t passed = captured_count(gate_text(), "\"conn\":1");
    struct thole_stats s = take_stats();
    cr_expect_gt(calls, 100000u, "else it was no flood");
    cr_expect_leq(passed, (size_t)(RATE + RATE * elapsed * 102 / 100000 + 3),
                  "%zu of %u in %lld ms", passed, calls, (long long)elapsed);
    cr_expect_geq(passed, 2u * RATE, "%zu of %u", passed, calls);
    cr_expect_eq(captured_count(gate_text(), "\"conn\":2"), quiet_calls);
    cr_expect_eq(s.suppressed, calls - passed);
    cr_expect_eq(s.dropped, 0u);
    check_announced();
    gate_forget();
}

THL_TEST(flood, next_record_of_the_site_and_connection_says_how_many_were_suppressed)
{
    thole_logger conn[2];

    start_with("gated:", "site-rate=20/s:burst=5");
    for (int i = 0; i < 2; i++)
        thole_child(&conn[i], thole_get("net"), "conn", i);
    for (int i = 0; i < 1100; i++) {
        if (i == 1000)
            await_ms(100);
        thole_info(conn[i < 1000 || i >= 1050 ? 0 : 1], "again", "i", i);
    }
    cr_assert_eq(thole_flush(10000), 0);
    const char *line = strstr(gate_text(), "\"thole.suppressed\":");
    cr_assert_not_null(line, "%s", gate_text());
    cr_expect_geq(strtoull(line + 19, NULL, 10), 900u);
    while (line > gate_text() && line[-1] != '\n')
        line--;
    cr_expect_not_null(
        strstr(line, "\"msg\":\"again\",\"conn\":0,\"i\":1050,\"thole.suppressed\":"), "%s", line);
    cr_expect_geq(captured_count(gate_text(), "\"conn\":1"), 5u, "the other has its own burst");
    for (int i = 0; i < 2; i++)
        thole_unref(&conn[i]);
    cr_assert_eq(thole_stop(10000), 0);
    check_announced();
    gate_forget();
}

THL_TEST(flood, rate_goes_by_the_clock_that_a_test_sets)
{
    start_with("gated:", "site-rate=1/s:burst=3");
    thole_test_set_clock(INT64_C(1795352041) * 1000000000);
    for (int i = 0; i < 20; i++) {
        if (i >= 10)
            thole_test_advance_clock(INT64_C(1000000000));
        thole_info(root, "once a second", "i", i);
    }
    thole_test_release_clock();
    cr_assert_eq(thole_stop(10000), 0);
    cr_expect_eq(captured_count(gate_text(), "once a second"), 13u, "%s", gate_text());
    cr_expect_not_null(strstr(gate_text(), "\"i\":10,\"thole.suppressed\":7}"), "%s", gate_text());
    check_announced();
    gate_forget();
}

THL_TEST(flood, without_a_rate_nothing_is_suppressed)
{
    start_with("gated:", NULL);
    for (int i = 0; i < 10000; i++)
        thole_info(root, "again");
    cr_assert_eq(thole_stop(10000), 0);
    cr_expect_eq(take_stats().suppressed, 0u);
    cr_expect_null(strstr(gate_text(), "suppressed"));
    gate_forget();
}

/* ---- levels, bridges ---- */

THL_TEST(flood, errors_are_never_suppressed)
{
    start_with("gated:", "site-rate=1/s");
    for (int i = 0; i < 1000; i++)
        thole_log(root, i % 2 ? THOLE_ERROR : THOLE_WARN, "again");
    cr_assert_eq(thole_stop(10000), 0);
    cr_expect_eq(captured_count(gate_text(), "\"level\":\"error\""), 500u);
    cr_expect_lt(captured_count(gate_text(), "\"msg\":\"again\""), 600u);
    check_announced();
    gate_forget();
}

THL_TEST(flood, errors_are_suppressed_where_that_is_asked_for)
{
    start_with("gated:", "site-rate=1/s:below=off");
    for (int i = 0; i < 1000; i++)
        thole_emerg(root, "again");
    cr_assert_eq(thole_stop(10000), 0);
    cr_expect_lt(captured_count(gate_text(), "\"level\":\"emerg\""), 100u);
    check_announced();
    gate_forget();
}

THL_TEST(flood, printf_bridge_is_limited_by_its_line_and_run_time_keys_are_not)
{
    const thole_field field = {"i", THOLE_FIELD_INT, 0, {.i = 1}};

    start_with("gated:", "site-rate=1/s");
    for (int i = 0; i < 500; i++) {
        thole_infof(root, "first %d", i);
        thole_infof(root, "second %d", i);
        thole_log_fields(root, THOLE_INFO, "third", &field, 1);
    }
    cr_assert_eq(thole_stop(10000), 0);
    cr_expect_geq(captured_count(gate_text(), "\"msg\":\"first "), 1u);
    cr_expect_lt(captured_count(gate_text(), "\"msg\":\"first "), 100u);
    cr_expect_geq(captured_count(gate_text(), "\"msg\":\"second "), 1u);
    cr_expect_eq(captured_count(gate_text(), "\"msg\":\"third\""), 500u);
    check_announced();
    gate_forget();
}

THL_TEST(flood, sites_past_the_table_of_sites_are_limited_as_well)
{
    start_with("gated:", "site-rate=1/s,sites=1");
    for (int i = 0; i < 500; i++) {
        thole_info(root, "has the place");
        thole_info(root, "has none");
    }
    cr_assert_eq(thole_stop(10000), 0);
    cr_expect_lt(captured_count(gate_text(), "has the place"), 100u);
    cr_expect_lt(captured_count(gate_text(), "has none"), 100u);
    cr_expect_geq(captured_count(gate_text(), "has none"), 1u);
    check_announced();
    gate_forget();
}

/* ---- what nobody announced ---- */

#define SITE(n) thole_info(root, "site " #n)

static void
flood_twenty_sites(unsigned long calls)
{
    for (unsigned long i = 0; i < calls; i++) {
        SITE(1);
        SITE(2);
        SITE(3);
        SITE(4);
        SITE(5);
        SITE(6);
        SITE(7);
        SITE(8);
        SITE(9);
        SITE(10);
        SITE(11);
        SITE(12);
        SITE(13);
        SITE(14);
        SITE(15);
        SITE(16);
        SITE(17);
        SITE(18);
        SITE(19);
        SITE(20);
    }
}

THL_TEST(flood, stop_names_sixteen_sites_and_sums_the_rest)
{
    start_with("gated:", "site-rate=1/s");
    flood_twenty_sites(50);
    for (int i = 0; i < 500; i++)
        thole_info(root, "the worst of all"); /* its line is looked for below */
    const int line = __LINE__ - 1;
    char first[128];
    cr_assert_eq(thole_stop(10000), 0);
    const char *text = gate_text();
    cr_expect_eq(captured_count(text, "\"msg\":\"records suppressed\""), 17u, "%s", text);
    cr_expect_eq(captured_count(text, "\"src\":\"others\""), 1u);
    snprintf(first, sizeof(first), "\"records suppressed\",\"src\":\"flood.c:%d\",\"count\":4",
             line);
    const char *notice = strstr(text, "\"records suppressed\"");
    cr_assert_not_null(notice);
    cr_expect_eq(strncmp(notice, first, strlen(first)), 0, "%.100s, not %s", notice, first);
    check_announced();
    gate_forget();
}

THL_TEST(flood, record_after_the_stop_is_dropped_and_not_suppressed)
{
    start_with("gated:", "site-rate=1/s");
    for (int i = 0; i < 100; i++)
        thole_info(root, "again");
    cr_assert_eq(thole_stop(10000), 0);
    struct thole_stats before = take_stats();
    for (int i = 0; i < 100; i++)
        thole_info(root, "again");
    struct thole_stats after = take_stats();
    cr_expect_eq(after.suppressed, before.suppressed);
    cr_expect_eq(after.dropped, before.dropped + 100);
    check_announced();
    cr_assert_eq(thole_start(NULL), 0);
    for (int i = 0; i < 100; i++)
        thole_info(root, "again");
    cr_assert_eq(thole_stop(10000), 0);
    cr_expect_gt(take_stats().suppressed, after.suppressed, "the next life has its limit again");
    check_announced();
    gate_forget();
}

THL_TEST(flood, record_after_a_start_that_failed_is_dropped_and_not_suppressed)
{
    const struct thole_options disagree = {.size = sizeof(disagree),
                                           .sinks = "memory:?format=json memory:?format=logfmt",
                                           .limits = "site-rate=5/s",
                                           .flags = THOLE_NO_ENV | THOLE_STRICT};

    start_with("gated:", "site-rate=5/s");
    cr_assert_eq(thole_stop(5000), 0);
    cr_expect_eq(thole_start(&disagree), -EINVAL);
    for (int i = 0; i < 50; i++)
        thole_info(root, "nobody writes it");
    cr_expect_eq(take_stats().suppressed, 0u, "nobody would announce them");
    cr_expect_eq(take_stats().dropped, 50u);
    gate_forget();
}

THL_TEST(flood, count_of_a_record_that_finds_the_queue_full_is_announced_later)
{
    start_with("inline:", "queue=16K,record=512,site-rate=1000/s:burst=1");
    gate_set(true);
    thole_error(root, "stops the writer");
    gate_await_write();
    for (int i = 0; i < 10000; i++)
        thole_error(root, "fills the queue", "i", i);
    uint64_t full = take_stats().dropped;
    while (take_stats().dropped < full + 20) /* each carries what was suppressed before it */
        thole_info(root, "again");
    cr_expect_gt(take_stats().suppressed, 20u);
    gate_set(false);
    cr_assert_eq(thole_stop(10000), 0);
    check_announced();
    gate_forget();
}

static void *
open_gate_late(void *arg)
{
    await_ms(1700); /* of the 2,000 that the stop has, 500 are for what it must drop by then */
    gate_set(false);
    return arg;
}

THL_TEST(flood, count_of_a_queued_record_that_a_stop_discards_is_announced_by_a_notice)
{
    pthread_t opener;

    start_with("inline:", "site-rate=1000/s:burst=1");
    gate_set(true);
    thole_error(root, "stops the writer");
    gate_await_write();
    for (int64_t begin = now_ms(); now_ms() - begin < 50;)
        thole_info(root, "again");
    cr_expect_gt(take_stats().queued, 5u);
    cr_assert_eq(pthread_create(&opener, NULL, open_gate_late, NULL), 0);
    (void)thole_stop(2000);
    pthread_join(opener, NULL);
    if (take_stats().queued == 0) /* else, on a busy machine, the gate opened too late */
        check_announced();
    gate_forget();
}

/* ---- modes and processes ---- */

static int
flood_in_direct_mode(const void *arg)
{
    (void)arg;
    setenv("THOLE_SINKS", "stdout:?format=json", 1);
    setenv("THOLE_LIMITS", "site-rate=2/s", 1);
    for (int i = 0; i < 1000; i++)
        thole_info(root, "again");
    CAPTURED_CHECK(take_stats().suppressed > 900);
    CAPTURED_CHECK(take_stats().called == 1000);
    return thole_stop(1000);
}

THL_TEST(flood, direct_mode_has_the_same_limit)
{
    struct captured c;

    captured_run(&c, flood_in_direct_mode, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    size_t passed = captured_count(c.out, "\"msg\":\"again\"");
    cr_expect_geq(passed, 2u, "%s", c.out);
    cr_expect_lt(passed, 100u);
    cr_expect_eq(sum_of(c.out, "\"thole.suppressed\":") + sum_of_notices(c.out), 1000 - passed,
                 "%s", c.out);
}

/* 0, or the line that failed. */
static int
flood_in_a_child_process(void)
{
    gate.size = 0; /* the parent's lines */
    for (int i = 0; i < 300; i++)
        thole_info(root, "in the child process");
    struct thole_stats s = take_stats();
    CAPTURED_CHECK(s.called == 300 && s.suppressed == 300 - s.routed && s.suppressed > 200);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    s = take_stats();
    const char *text = gate_text();
    CAPTURED_CHECK(captured_count(text, "\"msg\":\"in the child process\"") >= 5);
    CAPTURED_CHECK(sum_of(text, "\"thole.suppressed\":") + sum_of_notices(text) == s.suppressed);
    return 0;
}

static int
run_child_process(pid_t pid)
{
    int status = -1;

    if (pid == 0)
        _exit(flood_in_a_child_process() == 0 ? 0 : 1);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

THL_TEST(flood, forked_process_has_counts_of_its_own)
{
    start_with("gated:", "site-rate=5/s");
    for (int i = 0; i < 100; i++)
        thole_info(root, "in the parent");
    cr_assert_eq(thole_flush(10000), 0);
    uint64_t suppressed = take_stats().suppressed;
    cr_expect_gt(suppressed, 0u);
    cr_expect_eq(run_child_process(fork()), 0);
    cr_expect_eq(run_child_process((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)), 0,
                 "without handlers of fork");
    cr_expect_eq(take_stats().suppressed, suppressed);
    cr_assert_eq(thole_stop(10000), 0);
    check_announced();
    gate_forget();
}

THL_TEST(flood, rate_is_fixed_by_the_first_start)
{
    const struct thole_options other = {
        .size = sizeof(other), .sinks = "gated:", .limits = "site-rate=5/s:burst=6"};

    start_with("gated:", "site-rate=5/s");
    cr_assert_eq(thole_stop(5000), 0);
    cr_expect_eq(thole_start(&other), -EBUSY);
    cr_expect_eq(thole_start(NULL), 0);
    gate_forget();
}
