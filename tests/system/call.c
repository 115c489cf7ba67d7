/* SPDX-License-Identifier: MIT */
/* What a log call does to its caller: nothing to errno, nothing to arguments that are not needed.
 */
#include "test.h"

#include "captured.h"

#include <errno.h>
#include <thole/test.h>
#include <thole/thole.h>

static const thole_logger root = {0};

static void
start_with(const char *limits)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "memory:", .limits = limits, .log = "trace"};

    cr_assert_eq(thole_start(&opt), 0);
}

/* What follows the message "m" in the only line, and forgets it. */
static const char *
fields(void)
{
    static char line[4096];
    const char *lines = thole_test_lines(), *at = strstr(lines, "\"msg\":\"m\"");

    cr_expect_eq(captured_count(lines, "\n"), 1u, "not one line: %s", lines);
    snprintf(line, sizeof(line), "%s", at ? at + strlen("\"msg\":\"m\"") : lines);
    thole_test_clear();
    return line;
}

#define EXPECT_FIELDS(text) cr_expect_str_eq(fields(), text "}\n")

THL_TEST(call, keeps_errno)
{
    thole_logger child;

    errno = EXDEV;
    start_with("children=1,loggers=1");
    errno = EXDEV;
    thole_info(root, "m", "a", 1);
    thole_infof(root, "%s", "m");
    thole_logf(root, THOLE_INFO, "%d", 1);
    thole_log_fields(root, THOLE_INFO, "m", NULL, 0);
    cr_expect_eq(errno, EXDEV, "log calls");
    thole_child(&child, root, "a", 1);
    thole_bind(&child, "b", 2);
    thole_unref(&child);
    cr_expect_eq(errno, EXDEV, "children");
    thole_get("a");
    thole_get("b");
    cr_expect_eq(errno, EXDEV, "names");
}

static int
first_call_with_errno(const void *arg)
{
    (void)arg;
    errno = EXDEV;
    thole_info(root, "m", "err", thole_errno(errno));
    CAPTURED_CHECK(errno == EXDEV);
    close(STDERR_FILENO); /* now a write fails */
    thole_emergency("nobody reads this");
    thole_info(root, "m");
    CAPTURED_CHECK(errno == EXDEV);
    return 0;
}

THL_TEST(call, first_call_in_direct_mode_keeps_errno)
{
    struct captured c;

    captured_run(&c, first_call_with_errno, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_not_null(strstr(c.err, "\"err_name\":\"EXDEV\""), "%s", c.err);
}

static int evaluated;

static int
evaluate(void)
{
    return ++evaluated;
}

THL_TEST(call, argument_is_evaluated_once_or_not_at_all)
{
    start_with(NULL);
    cr_assert_eq(thole_configure("info"), 0);
    thole_info(root, "m", "n", evaluate());
    cr_expect_eq(evaluated, 1);
    thole_debug(root, "m", "n", evaluate());
    thole_debugf(root, "%d", evaluate());
    thole_log(root, THOLE_DEBUG, "m", "n", evaluate());
    thole_log(root, THOLE_OFF, "m", "n", evaluate());
    cr_expect_eq(evaluated, 1);
}

THL_TEST(call, argument_is_not_evaluated_when_off_through_a_stale_handle)
{
    thole_logger child, copy;

    start_with(NULL);
    cr_assert_eq(thole_configure("info"), 0);
    thole_child(&child, thole_get("net"), "conn", 1);
    copy = child;
    thole_unref(&child);
    thole_debug(copy, "m", "n", evaluate());
    cr_expect_eq(evaluated, 0);
    thole_info(copy, "m", "n", evaluate());
    cr_expect_eq(evaluated, 1);
}

static int
first_call_is_off(const void *arg)
{
    (void)arg;
    thole_debug(root, "m", "n", evaluate());
    CAPTURED_CHECK(evaluated == 0);
    return 0;
}

THL_TEST(call, argument_is_not_evaluated_when_off_before_the_first_configuration)
{
    struct captured c;

    captured_run(&c, first_call_is_off, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_str_eq(c.err, "");
}

#undef THOLE_MIN_LEVEL
#define THOLE_MIN_LEVEL THOLE_WARN

THL_TEST(call, below_the_minimum_level_is_compiled_out)
{
    start_with(NULL);
    thole_info(root, "m", "n", evaluate());
    thole_infof(root, "%d", evaluate());
    thole_log(root, THOLE_INFO, "m", "n", evaluate());
    cr_expect_eq(evaluated, 0);
    cr_expect_str_eq(thole_test_lines(), "");
    thole_warn(root, "m", "n", evaluate());
    EXPECT_FIELDS(",\"n\":1");
}

#undef THOLE_MIN_LEVEL
#define THOLE_MIN_LEVEL THOLE_TRACE

/* ---- the others ---- */

THL_TEST(call, scope_is_the_threads_current_logger)
{
    thole_logger conn;

    start_with(NULL);
    cr_expect_eq(thole_current().bits, root.bits, "the root at first");
    thole_child(&conn, thole_get("net"), "conn", 1);
    thole_logger before = thole_scope_enter(conn);
    thole_info(thole_current(), "m");
    EXPECT_FIELDS(",\"conn\":1");
    thole_logger inner = thole_scope_enter(thole_get("db"));
    cr_expect_eq(inner.bits, conn.bits);
    thole_scope_leave(inner);
    cr_expect_eq(thole_current().bits, conn.bits);
    thole_scope_leave(before);
    cr_expect_eq(thole_current().bits, root.bits);
    thole_unref(&conn);
}

THL_TEST(call, printf_bridge_makes_a_message_that_is_escaped)
{
    thole_logger conn;

    start_with(NULL);
    thole_child(&conn, thole_get("net"), "conn", 1);
    thole_infof(conn, "listening on %s:%d\n\"x\"", "host", 80);
    const char *lines = thole_test_lines();
    cr_expect_not_null(strstr(lines, "\"msg\":\"listening on host:80\\n\\\"x\\\"\",\"conn\":1}\n"),
                       "%s", lines);
    thole_unref(&conn);
}

THL_TEST(call, names_its_file_and_line_where_the_sink_asks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "memory:?src=1"};
    char src[2][64];

    cr_assert_eq(thole_start(&opt), 0);
    const int line = __LINE__;
    thole_info(root, "of a call site");
    thole_infof(root, "of the %s bridge", "printf");
    thole_logf(root, THOLE_INFO, "a function has no place of its own");
    snprintf(src[0], sizeof(src[0]), "of a call site\",\"src\":\"call.c:%d\"", line + 1);
    snprintf(src[1], sizeof(src[1]), "of the printf bridge\",\"src\":\"call.c:%d\"", line + 2);
    const char *lines = thole_test_lines();
    for (int i = 0; i < 2; i++)
        cr_expect_not_null(strstr(lines, src[i]), "%s: %s", src[i], lines);
    cr_expect_eq(captured_count(lines, "\"src\":"), 2u, "%s", lines);
}

THL_TEST(call, printf_bridge_cuts_between_characters)
{
    static char text[9001];
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "memory:", .limits = "record=32K,queue=1M"};

    cr_assert_eq(thole_start(&opt), 0);
    for (size_t i = 0; i + 2 < sizeof(text); i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 3);
    thole_infof(root, "%s", text);
    const char *lines = thole_test_lines();
    cr_expect_null(strstr(lines, "\xEF\xBF\xBD"), "half a character is left");
    cr_expect_not_null(strstr(lines, "\xE2\x82\xAC\",\"thole.truncated\":"), "%s", lines);
}

THL_TEST(call, without_a_place_for_the_handle_does_nothing)
{
    start_with(NULL);
    thole_child(NULL, root, "conn", 1);
    thole_bind(NULL, "conn", 1);
    cr_expect_eq(thole_test_live_children(), 0u);
}

static int
shout(const void *arg)
{
    (void)arg;
    thole_emergency("on fire\x1b[31m\n{\"level\":\"x\"}");
    thole_emergency(NULL);
    return 0;
}

THL_TEST(call, emergency_is_one_line_on_stderr_without_control_bytes)
{
    struct captured c;

    captured_run(&c, shout, NULL);
    cr_expect_str_eq(c.err, "on fire\\x1b[31m\\x0a{\"level\":\"x\"}\n\n");
    cr_expect_str_eq(c.out, "");
}
