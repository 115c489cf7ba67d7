/* SPDX-License-Identifier: MIT */
/* Named loggers: names, the bound on their number, levels. */
#include "test.h"
#include "observe.h"

#include "captured.h"

#include <errno.h>
#include <thole/test.h>
#include <thole/thole.h>

static void
start_with(const char *limits, const char *log)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "memory:", .limits = limits, .log = log};

    cr_assert_eq(thole_start(&opt), 0);
}

/* Logs a line through `lg` and compares the name that it bears. */
static void
expect_name(thole_logger lg, const char *name)
{
    char part[256];

    thole_test_clear();
    thole_info(lg, "hello");
    snprintf(part, sizeof(part), "\"logger\":\"%s\",\"msg\"", name);
    cr_expect_not_null(strstr(thole_test_lines(), part), "%s: %s", name, thole_test_lines());
}

THL_TEST(logger, is_interned_by_its_name)
{
    start_with(NULL, NULL);
    cr_expect_eq(thole_get("net.http").bits, thole_get("net.http").bits);
    cr_expect_neq(thole_get("net.http").bits, thole_get("net.https").bits);
    expect_name(thole_get("net.http"), "net.http");
}

/* 64 bits that are no handle yet log as the root, from the same call site. */
THL_TEST(logger, bears_its_name_where_garbage_of_its_number_was_logged_before)
{
    start_with(NULL, NULL);
    const unsigned number = 40;
    const thole_logger garbage = {(uint64_t)number << 20 | number};
    thole_logger made = {0};
    char name[16];

    expect_name(garbage, "");
    for (unsigned i = 0; made.bits != garbage.bits && i < 2 * number; i++) {
        snprintf(name, sizeof(name), "of%u", i);
        made = thole_get(name);
    }
    cr_assert_eq(made.bits, garbage.bits);
    expect_name(made, name);
}

THL_TEST(logger, root_is_the_zeroed_handle_with_the_empty_name)
{
    const thole_logger zero = {0};

    start_with(NULL, NULL);
    cr_expect_eq(thole_get("").bits, zero.bits);
    cr_expect_eq(thole_get(NULL).bits, zero.bits);
    expect_name(zero, "");
}

THL_TEST(logger, implies_its_parents)
{
    uint64_t before;

    start_with(NULL, NULL);
    before = take_stats().loggers;
    thole_get("a.b.c");
    cr_expect_eq(take_stats().loggers, before + 3);
    thole_get("a.b");
    thole_get("a");
    cr_expect_eq(take_stats().loggers, before + 3);
}

THL_TEST(logger, has_its_odd_characters_replaced)
{
    start_with(NULL, NULL);
    expect_name(thole_get("a b\"c\n\xc3\xa9/d"), "a_b_c____d");
    expect_name(thole_get("Keeps-these_0.9"), "Keeps-these_0.9");
    cr_expect_eq(thole_get("a b").bits, thole_get("a_b").bits);
}

THL_TEST(logger, name_counts_for_128_bytes)
{
    char name[201], cut[129];

    start_with(NULL, NULL);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memcpy(cut, name, 128);
    cut[128] = '\0';
    cr_expect_eq(thole_get(name).bits, thole_get(cut).bits);
    expect_name(thole_get(name), cut);
}

THL_TEST(logger, past_the_limit_is_the_nearest_ancestor)
{
    start_with("loggers=3", NULL);
    const thole_logger http = thole_get("net.http");

    thole_get("db");
    cr_expect_eq(thole_get("net.http.get.slow").bits, http.bits);
    cr_expect_eq(thole_get("net.tls").bits, thole_get("net").bits);
    cr_expect_eq(thole_get("other").bits, (uint64_t)0, "the root");
    cr_expect_eq(take_stats().loggers_refused, 3u);
    cr_expect_eq(thole_get("net.http").bits, http.bits, "existing names go on");
    cr_expect_eq(take_stats().loggers_refused, 3u);
}

/* Resident memory; the file knows pages. */
static long
resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    cr_assert_not_null(f);
    cr_assert_eq(fscanf(f, "%ld %ld", &total, &resident), 2);
    fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

THL_TEST(logger, million_unique_names_cost_no_memory_past_the_limit)
{
    char name[64];

    start_with("loggers=1024", NULL);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "conn.%d", i);
        thole_get(name);
    }
    long before = resident_bytes();
    for (int i = 2000; i < 1000000; i++) {
        snprintf(name, sizeof(name), "conn.%d", i);
        thole_get(name);
    }
    long grown = resident_bytes() - before;
    cr_expect_leq(grown, 1L << 20, "%ld bytes", grown);
    cr_expect_leq(take_stats().loggers, 1025u);
    cr_expect_geq(take_stats().loggers_refused, 1000000u - 1024u);
    thole_info(thole_get("conn.999999"), "goes on");
    cr_expect_eq(captured_count(thole_test_lines(), "\"logger\":\"conn\",\"msg\":\"goes on\""), 1u);
}

THL_TEST(logger, limit_is_one_warning_with_the_call_site_and_the_advice)
{
    char name[64], src[64];
    int line = 0;

    start_with("loggers=16", NULL);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "conn.%d", i);
        thole_get(name);
        line = __LINE__ - 1;
        cr_assert_eq(thole_flush(5000), 0);
    }
    const char *lines = thole_test_lines();
    cr_expect_eq(captured_count(lines, "\"msg\":\"logger limit reached\""), 1u, "%s", lines);
    cr_expect_not_null(strstr(lines, "\"level\":\"warn\",\"logger\":\"thole\""), "%s", lines);
    cr_expect_not_null(strstr(lines, "\"limit\":16"), "%s", lines);
    snprintf(src, sizeof(src), "\"src\":\"logger.c:%d\"", line);
    cr_expect_not_null(strstr(lines, src), "%s: %s", src, lines);
    cr_expect_not_null(strstr(lines, "thole_child"), "%s", lines);
}

THL_TEST(logger, rule_covers_the_names_below_it_and_never_a_longer_word)
{
    start_with(NULL, "net=debug");
    cr_expect_eq(thole_get_level(thole_get("net")), THOLE_DEBUG);
    cr_expect_eq(thole_get_level(thole_get("net.http")), THOLE_DEBUG);
    cr_expect_eq(thole_get_level(thole_get("net.http.get")), THOLE_DEBUG);
    cr_expect_eq(thole_get_level(thole_get("network")), THOLE_INFO);
    cr_expect_eq(thole_get_level(thole_get("net-x")), THOLE_INFO);
}

THL_TEST(logger, longer_name_wins_then_the_later_rule)
{
    start_with(NULL, "net.http=debug,net=warn,error,db=trace,db=crit");
    cr_expect_eq(thole_get_level(thole_get("net.http.get")), THOLE_DEBUG);
    cr_expect_eq(thole_get_level(thole_get("net.tls")), THOLE_WARN);
    cr_expect_eq(thole_get_level(thole_get("db")), THOLE_CRIT);
    cr_expect_eq(thole_get_level(thole_get("x")), THOLE_ERROR);
}

THL_TEST(logger, set_level_moves_its_subtree)
{
    start_with(NULL, NULL);
    cr_expect_eq(thole_set_level(thole_get("net"), THOLE_TRACE), 0);
    cr_expect_eq(thole_get_level(thole_get("net.http")), THOLE_TRACE);
    cr_expect_eq(thole_get_level(thole_get("network")), THOLE_INFO);
    cr_expect_eq(thole_set_level((thole_logger){0}, THOLE_ERROR), 0);
    cr_expect_eq(thole_get_level(thole_get("network")), THOLE_ERROR);
    cr_expect_eq(thole_get_level(thole_get("net.http")), THOLE_TRACE);
}

THL_TEST(logger, set_level_refuses_what_is_no_level)
{
    start_with(NULL, NULL);
    cr_expect_eq(thole_set_level(thole_get("net"), (enum thole_level)(THOLE_OFF + 1)), -EINVAL);
    cr_expect_eq(thole_set_level(thole_get("net"), (enum thole_level) - 1), -EINVAL);
    cr_expect_eq(thole_get_level(thole_get("net")), THOLE_INFO);
}

THL_TEST(logger, configure_replaces_its_previous_text)
{
    start_with(NULL, NULL);
    cr_expect_eq(thole_configure("net=debug"), 0);
    cr_expect_eq(thole_configure("db=debug"), 0);
    cr_expect_eq(thole_get_level(thole_get("net")), THOLE_INFO);
    cr_expect_eq(thole_get_level(thole_get("db")), THOLE_DEBUG);
    cr_expect_eq(thole_configure(""), 0);
    cr_expect_eq(thole_get_level(thole_get("db")), THOLE_INFO);
}

static int
configure_wrongly(const void *arg)
{
    (void)arg;
    start_with(NULL, NULL);
    CAPTURED_CHECK(thole_configure("net=debug") == 0);
    CAPTURED_CHECK(thole_configure("net=trace,db=trcae") == -EINVAL);
    CAPTURED_CHECK(thole_get_level(thole_get("net")) == THOLE_DEBUG);
    CAPTURED_CHECK(thole_get_level(thole_get("db")) == THOLE_INFO);
    CAPTURED_CHECK(captured_count(thole_test_lines(), "\"msg\":\"config error\"") == 1);
    return 0;
}

THL_TEST(logger, configure_with_an_error_changes_nothing_and_says_where)
{
    struct captured c;

    captured_run(&c, configure_wrongly, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_not_null(strstr(c.err, ":14: unknown level \"trcae\" (did you mean \"trace\"?)"),
                       "%s", c.err);
}

THL_TEST(logger, off_is_silent_at_every_level)
{
    start_with(NULL, "off");
    thole_emerg(thole_get("net"), "never");
    thole_log(thole_get("net"), THOLE_OFF, "never");
    cr_expect_str_eq(thole_test_lines(), "");
    cr_expect_eq(thole_get_level(thole_get("net")), THOLE_OFF);
}

THL_TEST(logger, any_64_bits_are_safe_to_log_through)
{
    uint64_t x = 88172645463325252u;

    start_with("queue=16M", "error");
    for (int i = 0; i < 1000000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        thole_logger lg = {x};
        thole_info(lg, "hello", "i", i);
        if (i % 1000 == 0) {
            thole_error(lg, "hello", "i", i);
            thole_bind(&lg, "k", 1);
            thole_unref(&lg);
        }
    }
    cr_expect_eq(thole_flush(10000), 0);
    cr_expect_eq(thole_test_live_children(), 0u);
}
