/* SPDX-License-Identifier: MIT */
/* Child loggers: whose context a record bears, and what is left when a child has ended. */
#include "test.h"
#include "observe.h"

#include "captured.h"

#include <errno.h>
#include <stdlib.h>
#include <thole/test.h>
#include <thole/thole.h>

static void
start_with(const char *limits)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "memory:", .limits = limits};

    cr_assert_eq(thole_start(&opt), 0);
}

/* What follows "time" in the last line, and forgets the lines. */
static const char *
last_line(void)
{
    static char line[16384];
    const char *lines = thole_test_lines(), *at = lines + strlen(lines);

    while (at > lines && (at == lines + strlen(lines) || at[-1] != '\n'))
        at--;
    at = strstr(at, ",\"level\"");
    snprintf(line, sizeof(line), "%s", at ? at + 1 : "");
    thole_test_clear();
    return line;
}

#define EXPECT_LINE(text) cr_expect_str_eq(last_line(), text "\n")

THL_TEST(child, context_stands_before_the_fields_in_the_order_given)
{
    thole_logger child;

    start_with(NULL);
    thole_child(&child, thole_get("net"), "conn", 42, "peer", "10.0.0.7:4123");
    thole_info(child, "request done", "status", 200, "bytes", 17);
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net\",\"msg\":\"request done\",\"conn\":42,"
                "\"peer\":\"10.0.0.7:4123\",\"status\":200,\"bytes\":17}");
    thole_unref(&child);
}

THL_TEST(child, without_pairs_is_fine)
{
    thole_logger child;

    start_with(NULL);
    thole_child(&child, thole_get("net"));
    thole_info(child, "hello");
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net\",\"msg\":\"hello\"}");
    cr_expect_eq(thole_test_live_children(), 1u);
    thole_unref(&child);
}

THL_TEST(child, bind_is_seen_by_every_copy_of_the_handle)
{
    thole_logger child, copy;

    start_with(NULL);
    thole_child(&child, thole_get("net"), "conn", 1);
    copy = child;
    thole_bind(&child, "client_id", "sensor");
    cr_expect_eq(copy.bits, child.bits, "the handle stays");
    thole_info(copy, "publish");
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net\",\"msg\":\"publish\",\"conn\":1,"
                "\"client_id\":\"sensor\"}");
    thole_unref(&child);
}

THL_TEST(child, bind_replaces_a_key_that_is_bound_already)
{
    thole_logger child;

    start_with(NULL);
    thole_child(&child, thole_get("net"), "user", "nobody", "conn", 1);
    thole_bind(&child, "user", "a much longer name than nobody", "tls", 13);
    thole_bind(&child, "user", "al");
    thole_info(child, "hello");
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net\",\"msg\":\"hello\",\"user\":\"al\","
                "\"conn\":1,\"tls\":13}");
    thole_unref(&child);
}

THL_TEST(child, bind_on_a_named_logger_makes_a_child)
{
    const thole_logger net = thole_get("net");
    thole_logger lg = net;

    start_with(NULL);
    thole_bind(&lg, "conn", 7);
    cr_expect_neq(lg.bits, net.bits);
    cr_expect_eq(thole_test_live_children(), 1u);
    thole_info(lg, "hello");
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net\",\"msg\":\"hello\",\"conn\":7}");
    thole_unref(&lg);
    cr_expect_eq(lg.bits, net.bits);
}

THL_TEST(child, of_a_child_bears_both_contexts_and_outlives_its_parent)
{
    thole_logger conn, request;

    start_with(NULL);
    thole_child(&conn, thole_get("net"), "conn", 1, "peer", "p");
    thole_child(&request, conn, "request", 9);
    thole_unref(&conn);
    thole_info(request, "hello");
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net\",\"msg\":\"hello\",\"conn\":1,"
                "\"peer\":\"p\",\"request\":9}");
    thole_unref(&request);
    cr_expect_eq(request.bits, thole_get("net").bits, "it hung from the named logger");
}

THL_TEST(child, of_a_child_does_not_follow_a_later_bind_of_its_parent)
{
    thole_logger conn, request;

    start_with(NULL);
    thole_child(&conn, thole_get("net"), "conn", 1);
    thole_child(&request, conn, "request", 9);
    thole_bind(&conn, "user", "u");
    thole_info(request, "hello");
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net\",\"msg\":\"hello\",\"conn\":1,"
                "\"request\":9}");
    thole_unref(&request);
    thole_unref(&conn);
}

THL_TEST(child, field_of_an_event_wins_over_the_context)
{
    thole_logger child;

    start_with(NULL);
    thole_child(&child, thole_get("net"), "status", 1, "conn", 2);
    thole_info(child, "hello", "status", 200);
    const char *line = last_line();
    cr_expect_eq(captured_count(line, "\"status\":"), 1u, "%s", line);
    cr_expect_eq(captured_count(line, "\"status\":200"), 1u, "%s", line);
    cr_expect_eq(captured_count(line, "\"conn\":2"), 1u, "%s", line);
    thole_unref(&child);
}

THL_TEST(child, ends_with_its_last_reference)
{
    thole_logger child, second;

    start_with(NULL);
    thole_child(&child, thole_get("net"), "conn", 1);
    second = thole_ref(child);
    cr_expect_eq(second.bits, child.bits, "the same handle");
    thole_unref(&child);
    cr_expect_eq(thole_test_live_children(), 1u);
    thole_info(second, "still here");
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net\",\"msg\":\"still here\",\"conn\":1}");
    thole_unref(&second);
    cr_expect_eq(thole_test_live_children(), 0u);
}

THL_TEST(child, unref_leaves_the_named_logger_in_the_variable)
{
    thole_logger child;

    start_with(NULL);
    thole_child(&child, thole_get("net.http"), "conn", 1);
    thole_unref(&child);
    cr_expect_eq(child.bits, thole_get("net.http").bits);
    thole_info(child, "late");
    EXPECT_LINE("\"level\":\"info\",\"logger\":\"net.http\",\"msg\":\"late\"}");
    cr_expect_eq(take_stats().stale, 0u, "a named logger is not stale");
}

THL_TEST(child, unref_of_a_named_logger_and_of_null_is_a_no_op)
{
    thole_logger net = thole_get("net"), before = net;

    start_with(NULL);
    thole_unref(&net);
    thole_unref(NULL);
    cr_expect_eq(net.bits, before.bits);
    cr_expect_eq(thole_ref(net).bits, before.bits);
    cr_expect_eq(take_stats().stale, 0u);
}

THL_TEST(child, stale_handle_logs_through_its_named_logger_without_context)
{
    thole_logger child, copy;

    start_with(NULL);
    thole_child(&child, thole_get("net.http"), "conn", 1);
    copy = child;
    thole_unref(&child);
    thole_info(copy, "too late", "k", 1);
    const char *line = last_line();
    cr_expect_not_null(strstr(line, "\"logger\":\"net.http\",\"msg\":\"too late\""), "%s", line);
    cr_expect_not_null(strstr(line, "\"k\":1"), "%s", line);
    cr_expect_not_null(strstr(line, "\"thole.stale\":true"), "%s", line);
    cr_expect_null(strstr(line, "conn"), "%s", line);
    cr_expect_eq(take_stats().stale, 1u);
}

THL_TEST(child, stale_handle_never_bears_the_context_of_the_next_child)
{
    thole_logger first, copy, next;

    start_with("children=1");
    thole_child(&first, thole_get("net"), "conn", 1);
    copy = first;
    thole_unref(&first);
    thole_child(&next, thole_get("db"), "query", 2);
    thole_info(copy, "too late");
    const char *line = last_line();
    cr_expect_not_null(strstr(line, "\"logger\":\"net\""), "%s", line);
    cr_expect_null(strstr(line, "query"), "%s", line);
    thole_unref(&copy);
    cr_expect_eq(thole_test_live_children(), 1u, "the next child was not ended");
    thole_unref(&next);
}

THL_TEST(child, second_unref_through_a_copy_only_counts)
{
    thole_logger child, copy;

    start_with(NULL);
    thole_child(&child, thole_get("net"), "conn", 1);
    copy = child;
    thole_unref(&child);
    thole_unref(&copy);
    cr_expect_eq(copy.bits, thole_get("net").bits);
    cr_expect_eq(take_stats().stale, 1u);
    cr_expect_eq(take_stats().children, 0u);
}

THL_TEST(child, ref_bind_and_set_level_on_a_stale_handle_only_count)
{
    thole_logger child, copy;

    start_with(NULL);
    thole_child(&child, thole_get("net"), "conn", 1);
    copy = child;
    thole_unref(&child);
    cr_expect_eq(thole_ref(copy).bits, copy.bits);
    cr_expect_eq(take_stats().stale, 1u);
    thole_bind(&copy, "late", 1);
    cr_expect_eq(take_stats().stale, 2u);
    cr_expect_eq(thole_set_level(copy, THOLE_TRACE), -ESTALE);
    cr_expect_eq(thole_get_level(copy), THOLE_INFO, "its named logger's");
    cr_expect_eq(take_stats().children, 0u);
}

THL_TEST(child, level_of_its_own_beats_every_rule)
{
    thole_logger debugged, other;

    start_with(NULL);
    thole_child(&debugged, thole_get("net"), "conn", 1);
    thole_child(&other, thole_get("net"), "conn", 2);
    cr_expect_eq(thole_set_level(debugged, THOLE_TRACE), 0);
    cr_expect_eq(thole_configure("error,net=crit"), 0);
    thole_trace(debugged, "seen");
    thole_error(other, "hidden");
    cr_expect_eq(thole_get_level(debugged), THOLE_TRACE);
    cr_expect_eq(thole_get_level(other), THOLE_CRIT);
    cr_expect_eq(captured_count(thole_test_lines(), "seen"), 1u);
    cr_expect_eq(captured_count(thole_test_lines(), "hidden"), 0u);
    thole_unref(&debugged);
    thole_unref(&other);
}

THL_TEST(child, follows_a_change_of_its_named_loggers_level)
{
    thole_logger child;

    start_with(NULL);
    thole_child(&child, thole_get("net"), "conn", 1);
    cr_expect(!thole_enabled(child, THOLE_DEBUG));
    cr_expect_eq(thole_set_level(thole_get("net"), THOLE_DEBUG), 0);
    cr_expect(thole_enabled(child, THOLE_DEBUG));
    cr_expect_eq(thole_set_level(thole_get("net"), THOLE_OFF), 0);
    cr_expect(!thole_enabled(child, THOLE_EMERG));
    thole_unref(&child);
}

THL_TEST(child, past_the_limit_is_the_parents_named_logger)
{
    thole_logger child[5];

    start_with("children=3");
    for (int i = 0; i < 4; i++)
        thole_child(&child[i], thole_get("net"), "conn", i);
    thole_child(&child[4], child[0], "request", 4);
    cr_expect_eq(child[3].bits, thole_get("net").bits);
    cr_expect_eq(child[4].bits, thole_get("net").bits, "of a child: its named logger");
    thole_info(child[3], "logging goes on");
    cr_expect_not_null(strstr(thole_test_lines(), "\"msg\":\"logging goes on\"}"));

    struct thole_stats stats = take_stats();
    cr_expect_eq(stats.children, 3u);
    cr_expect_eq(stats.children_peak, 3u);
    cr_expect_eq(stats.children_made, 3u);
    cr_expect_eq(stats.children_refused, 2u);
    for (int i = 0; i < 5; i++)
        thole_unref(&child[i]);
}

THL_TEST(child, limit_is_one_warning_that_names_the_call_site)
{
    thole_logger child[100];
    char src[64];
    int line = 0;

    start_with("children=3");
    for (int i = 0; i < 100; i++) {
        thole_child(&child[i], thole_get("net"), "conn", i);
        line = __LINE__ - 1;
        cr_assert_eq(thole_flush(5000), 0);
    }
    snprintf(src, sizeof(src), "\"src\":\"child.c:%d\"", line);
    const char *lines = thole_test_lines();
    cr_expect_eq(captured_count(lines, "\"msg\":\"child limit reached\""), 1u, "%s", lines);
    cr_expect_not_null(strstr(lines, "\"level\":\"warn\",\"logger\":\"thole\""), "%s", lines);
    cr_expect_not_null(strstr(lines, src), "%s: %s", src, lines);
    cr_expect_not_null(strstr(lines, "\"limit\":3"), "%s", lines);
    snprintf(src, sizeof(src), "child.c:%d 3", line);
    cr_expect_not_null(strstr(lines, src), "who holds most: %s", lines);
    for (int i = 0; i < 100; i++)
        thole_unref(&child[i]);
}

THL_TEST(child, limit_names_who_makes_children_and_not_a_late_bind)
{
    thole_logger first, other;
    char src[64];
    int line = 0;

    start_with("children=1");
    thole_child(&first, thole_get("net"), "conn", 0);
    for (int i = 0; i < 100; i++) {
        line = __LINE__ + 1;
        thole_child(&other, thole_get("net"), "conn", i);
        thole_bind(&other, "late", i); /* of the named logger that was left: refused as well */
    }
    cr_assert_eq(thole_flush(5000), 0);
    snprintf(src, sizeof(src), "\"src\":\"child.c:%d\"", line);
    cr_expect_not_null(strstr(thole_test_lines(), src), "%s: %s", src, thole_test_lines());
    cr_expect_eq(take_stats().children_refused, 200u);
    thole_unref(&first);
}

THL_TEST(child, context_past_its_limit_is_cut)
{
    thole_logger child;
    char name[1000];

    start_with("context=64");
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    thole_child(&child, thole_get("net"), "conn", 1, "name", name);
    thole_bind(&child, "more", name, "still", name);
    thole_info(child, "hello");
    const char *line = last_line();
    cr_expect_not_null(strstr(line, "\"conn\":1"), "%s", line);
    cr_expect_lt(strlen(line), 200u, "%s", line);
    cr_expect_gt(take_stats().truncated, 0u, "it is counted");
    thole_unref(&child);
}

THL_TEST(child, context_past_its_limit_is_cut_in_its_longest_value_and_says_so)
{
    thole_logger child, other;
    char agent[600];

    start_with("context=512");
    memset(agent, 'u', sizeof(agent));
    agent[sizeof(agent) - 1] = '\0';
    thole_child(&child, thole_get("net"), "conn", 7, "agent", agent);
    thole_bind(&child, "user", "bob");
    thole_info(child, "hello");
    const char *line = last_line();
    cr_expect_not_null(strstr(line, "\"user\":\"bob\""), "what comes later stays: %s", line);
    cr_expect_not_null(strstr(line, "\"agent\":\"uuuu"), "%s", line);
    cr_expect_not_null(strstr(line, ",\"thole.truncated\":"), "%s", line);
    cr_expect_eq(captured_count(line, "thole.truncated"), 1u, "%s", line);

    thole_child(&other, child, "stream", 3);
    thole_info(other, "of the child", "n", 1);
    line = last_line();
    cr_expect_not_null(strstr(line, "\"user\":\"bob\",\"stream\":3,\"n\":1,\"thole.truncated\":"),
                       "the mark comes along, and stands last: %s", line);
    thole_unref(&other);
    thole_unref(&child);
}

THL_TEST(child, context_has_64_fields_and_says_so_past_them)
{
    thole_logger child;

    start_with("context=8K");
    thole_child(&child, thole_get("net"), "k0", 0);
#define BIND8(a)                                                                                   \
    thole_bind(&child, a "0", 1, a "1", 1, a "2", 1, a "3", 1, a "4", 1, a "5", 1, a "6", 1,       \
               a "7", 1)
    BIND8("a");
    BIND8("b");
    BIND8("c");
    BIND8("d");
    BIND8("e");
    BIND8("f");
    BIND8("g");
    thole_info(child, "57 fields");
    cr_expect_null(strstr(last_line(), "thole.truncated"));
    BIND8("h");
    thole_bind(&child, "k0", 2);
    thole_info(child, "65 fields");
    const char *line = last_line();
    cr_expect_not_null(strstr(line, "\"k0\":2,"), "a key that is there is replaced: %s", line);
    cr_expect_not_null(strstr(line, "\"h6\":1,\"thole.truncated\":1}"), "%s", line);
    thole_unref(&child);
}

THL_TEST(child, keeps_its_context_when_the_table_of_call_sites_is_full)
{
    thole_logger child;

    start_with("sites=1");
    thole_info(thole_get("net"), "the one that has room");
    thole_child(&child, thole_get("net"), "conn", 3, "time", 4);
    thole_bind(&child, "user", "bob");
    thole_info(child, "hello", "n", 5);
    const char *line = last_line();
    cr_expect_not_null(
        strstr(line, "\"msg\":\"hello\",\"conn\":3,\"time_\":4,\"user\":\"bob\",\"n\":5}"), "%s",
        line);
    thole_unref(&child);
}

static int
leave_one_alive(const void *arg)
{
    thole_logger child;
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "stdout:"};

    (void)arg;
    CAPTURED_CHECK(thole_start(&opt) == 0);
    thole_child(&child, thole_get("net"), "conn", 1);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(child, left_alive_is_reported_at_stop_with_its_call_site)
{
    struct captured c;

    captured_run(&c, leave_one_alive, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_not_null(strstr(c.out, "\"msg\":\"children left at stop\""), "%s", c.out);
    cr_expect_not_null(strstr(c.out, "child.c:"), "%s", c.out);
}
