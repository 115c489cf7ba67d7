/* SPDX-License-Identifier: MIT */
/* What the environment decides, over what the program asked for. */
#include "test.h"

#include "captured.h"

#include <errno.h>
#include <stdlib.h>
#include <thole/test.h>
#include <thole/thole.h>

static const struct thole_options into_memory = {.size = sizeof(into_memory), .sinks = "memory:"};

static size_t
count_lines(const char *part)
{
    return captured_count(thole_test_lines(), part);
}

THL_TEST(environment, sinks_replace_those_of_the_options)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "null:"};

    setenv("THOLE_SINKS", "memory:", 1);
    cr_assert_eq(thole_start(&opt), 0);
    thole_info((thole_logger){0}, "here");
    cr_expect_eq(count_lines("\"msg\":\"here\""), 1u);
}

THL_TEST(environment, limits_merge_key_by_key)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "memory:", .limits = "children=3,loggers=2"};
    struct thole_stats stats = {.size = sizeof(stats)};
    thole_logger child[6];

    setenv("THOLE_LIMITS", "children=5", 1);
    cr_assert_eq(thole_start(&opt), 0);
    for (int i = 0; i < 6; i++)
        thole_child(&child[i], (thole_logger){0}, "i", i);
    thole_get("a");
    thole_get("b");
    thole_get("c");
    thole_stats(&stats);
    for (int i = 0; i < 6; i++)
        thole_unref(&child[i]);
    cr_expect_eq(stats.children, 5u, "the environment's children=5 holds");
    cr_expect_eq(stats.loggers_refused, 1u, "the options' loggers=2 holds");
}

THL_TEST(environment, rules_join_those_of_the_options)
{
    struct thole_options opt = into_memory;

    opt.log = "net=debug";
    setenv("THOLE_LOG", "warn", 1);
    cr_assert_eq(thole_start(&opt), 0);
    cr_expect_eq(thole_get_level(thole_get("net.http")), THOLE_DEBUG);
    cr_expect_eq(thole_get_level(thole_get("db")), THOLE_WARN);
    cr_expect_eq(thole_get_level((thole_logger){0}), THOLE_WARN);
}

THL_TEST(environment, rule_beats_the_options_rule_of_the_same_name)
{
    struct thole_options opt = into_memory;

    opt.log = "net=debug";
    setenv("THOLE_LOG", "net=error", 1);
    cr_assert_eq(thole_start(&opt), 0);
    cr_expect_eq(thole_get_level(thole_get("net")), THOLE_ERROR);
    cr_expect_eq(thole_configure("net=trace"), 0);
    cr_expect_eq(thole_get_level(thole_get("net")), THOLE_TRACE, "run time over environment");
    cr_expect_eq(thole_configure(NULL), 0);
    cr_expect_eq(thole_get_level(thole_get("net")), THOLE_ERROR, "NULL takes it back");
}

THL_TEST(environment, prefix_is_the_applications_own)
{
    struct thole_options opt = into_memory;

    opt.env_prefix = "ECHOD";
    setenv("THOLE_LOG", "off", 1);
    setenv("THOLE_SINKS", "null:", 1);
    setenv("ECHOD_LOG", "debug", 1);
    cr_assert_eq(thole_start(&opt), 0);
    thole_debug((thole_logger){0}, "here");
    cr_expect_eq(count_lines("here"), 1u);
}

THL_TEST(environment, is_not_read_with_no_env)
{
    struct thole_options opt = into_memory;

    opt.flags = THOLE_NO_ENV;
    setenv("THOLE_LOG", "off", 1);
    setenv("THOLE_SINKS", "null:", 1);
    setenv("THOLE_STRICT", "1", 1);
    setenv("THOLE_LIMITS", "nonsense", 1);
    setenv("DEBUG_INVOCATION", "1", 1);
    cr_assert_eq(thole_start(&opt), 0);
    thole_info((thole_logger){0}, "here");
    cr_expect_eq(count_lines("here"), 1u);
    cr_expect_eq(thole_get_level((thole_logger){0}), THOLE_INFO);
}

THL_TEST(environment, empty_variable_is_unset)
{
    setenv("THOLE_LOG", "", 1);
    setenv("THOLE_SINKS", "", 1);
    setenv("THOLE_LIMITS", "", 1);
    setenv("THOLE_STRICT", "", 1);
    cr_assert_eq(thole_start(&into_memory), 0);
    thole_info((thole_logger){0}, "here");
    cr_expect_eq(count_lines("here"), 1u);
    cr_expect_eq(count_lines("config error"), 0u);
}

THL_TEST(environment, debug_invocation_makes_debug_the_default)
{
    setenv("DEBUG_INVOCATION", "1", 1);
    setenv("THOLE_LOG", "db=info", 1);
    cr_assert_eq(thole_start(&into_memory), 0);
    cr_expect_eq(thole_get_level((thole_logger){0}), THOLE_DEBUG);
    cr_expect_eq(thole_get_level(thole_get("db")), THOLE_INFO);
}

/* ---- wrong values ---- */

struct wrong {
    const char *name, *value;
    unsigned column; /* 0: says nothing about it */
    const char *says;
};

static const struct wrong wrong_values[] = {
    {"THOLE_LOG", "info,net=debgu", 10, "unknown level \"debgu\" (did you mean \"debug\"?)"},
    {"THOLE_LOG", "verbose", 1, "\"verbose\""},
    {"THOLE_LOG", "net=", 5, ""},
    {"THOLE_LOG", "=debug", 1, ""},
    {"THOLE_LOG", "info,net{peer=10.0.0.0/33}=trace", 24, "bad prefix length \"33\""},
    {"THOLE_LOG", "warn,net=7", 10, "\"7\""},
    {"THOLE_SINKS", "memry:", 1, "did you mean \"memory"},
    {"THOLE_SINKS", "memory:?levle=warn", 9, "did you mean \"level\"?"},
    {"THOLE_SINKS", "memory:?level=loud", 15, "\"loud\""},
    {"THOLE_SINKS", "null: memory:?format=xml", 22, "\"xml\""},
    {"THOLE_SINKS", "memory:?mode=0600", 9, "\"mode\""},
    {"THOLE_SINKS", "file:/tmp/a.log?mode=rw", 22, "an octal mode"},
    {"THOLE_SINKS", "file:/tmp/a.log?mode=0", 22, "an octal mode"},
    {"THOLE_SINKS", "file:/tmp/a.log?mode=0640&reopen=never", 34, "auto or call"},
    {"THOLE_SINKS", "/var/log/daemon.log", 1, ""},
    {"THOLE_SINKS", "udp://127.0.0.1:port", 0, ""},
    {"THOLE_LIMITS", "childern=5", 1, "did you mean \"children\"?"},
    {"THOLE_LIMITS", "children=0", 10, "children"},
    {"THOLE_LIMITS", "children=many", 10, "many"},
    {"THOLE_LIMITS", "loggers=16,queue=1Q", 18, "1Q"},
    {"THOLE_LIMITS", "overflow=wait", 10, "block:MS"},
    {"THOLE_LIMITS", "overflow=block:", 10, "block:MS"},
    {"THOLE_STRICT", "yes", 1, "0 or 1"},
};

#define WRONG_VALUES (sizeof(wrong_values) / sizeof(wrong_values[0]))

static int
run_on(const void *arg)
{
    const struct wrong *w = arg;

    setenv(w->name, w->value, 1);
    CAPTURED_CHECK(thole_start(&into_memory) == 0);
    thole_error((thole_logger){0}, "the daemon runs on");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    CAPTURED_CHECK(write(STDOUT_FILENO, thole_test_lines(), strlen(thole_test_lines())) >= 0);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

/* "THOLE_LOG:10: unknown level ...", the text, and a caret below the tenth byte. */
static void
check_message(const struct wrong *w, const char *err)
{
    char head[64];
    const char *at;
    unsigned column = 0;

    snprintf(head, sizeof(head), "%s:", w->name);
    cr_expect_eq(captured_count(err, head), 1u, "%s=%s: not one message: %s", w->name, w->value,
                 err);
    at = strstr(err, head);
    cr_assert_not_null(at, "%s=%s: %s", w->name, w->value, err);
    cr_expect_eq(sscanf(at + strlen(head), "%u: ", &column), 1, "no column: %s", err);
    if (w->column)
        cr_expect_eq(column, w->column, "%s=%s: %s", w->name, w->value, err);
    cr_expect_not_null(strstr(at, w->says), "%s=%s: %s", w->name, w->value, err);

    const char *text = strchr(at, '\n');
    cr_assert_not_null(text);
    const char *caret = strchr(text + 1, '\n');
    cr_assert_not_null(caret, "%s=%s: no caret: %s", w->name, w->value, err);
    const char *begin = strstr(text, w->value);
    cr_expect(begin && begin < caret, "%s=%s: the text is not shown: %s", w->name, w->value, err);
    cr_expect_eq(strcspn(caret + 1, "^"), (size_t)(begin - text - 1) + column - 1,
                 "%s=%s: the caret stands elsewhere: %s", w->name, w->value, err);
}

THL_TEST(environment, wrong_value_is_one_positioned_message_and_the_daemon_runs_on)
{
    struct captured c;

    for (size_t i = 0; i < WRONG_VALUES; i++) {
        const struct wrong *w = &wrong_values[i];

        captured_run(&c, run_on, w);
        cr_expect_eq(c.failed_line, 0, "%s=%s: line %d", w->name, w->value, c.failed_line);
        check_message(w, c.err);
        if (!strstr(w->value, "null:"))
            cr_expect(strstr(c.out, "the daemon runs on") || strstr(c.err, "the daemon runs on"),
                      "%s=%s: silent", w->name, w->value);
    }
}

THL_TEST(environment, wrong_value_is_one_record_on_the_sinks_other_than_stderr)
{
    struct captured c;

    for (size_t i = 0; i < WRONG_VALUES; i++) {
        const struct wrong *w = &wrong_values[i];
        size_t records = strcmp(w->name, "THOLE_SINKS") == 0 ? 0 : 1; /* else memory: is open */

        captured_run(&c, run_on, w);
        cr_expect_eq(captured_count(c.out, "\"msg\":\"config error\""), records, "%s=%s: %s",
                     w->name, w->value, c.out);
        cr_expect_eq(captured_count(c.err, "config error"), 0u, "%s=%s: twice on stderr: %s",
                     w->name, w->value, c.err);
    }
}

static int
start_strictly(const void *arg)
{
    const struct wrong *w = arg;
    struct thole_options opt = into_memory;

    opt.flags = THOLE_STRICT;
    setenv(w->name, w->value, 1);
    CAPTURED_CHECK(thole_start(&opt) == -EINVAL);
    unsetenv(w->name);
    CAPTURED_CHECK(thole_start(&opt) == 0);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(environment, wrong_value_fails_a_strict_start_with_einval)
{
    struct captured c;

    for (size_t i = 0; i < WRONG_VALUES; i++) {
        const struct wrong *w = &wrong_values[i];

        captured_run(&c, start_strictly, w);
        cr_expect_eq(c.failed_line, 0, "%s=%s: line %d", w->name, w->value, c.failed_line);
        check_message(w, c.err);
    }
}

static int
start_with_strict_variable(const void *arg)
{
    (void)arg;
    setenv("THOLE_STRICT", "1", 1);
    setenv("THOLE_LOG", "info,net=debgu", 1);
    CAPTURED_CHECK(thole_start(&into_memory) == -EINVAL);
    return 0;
}

static int
log_after_a_strict_start(const void *arg)
{
    const struct thole_options opt = {.size = sizeof(opt), .flags = THOLE_STRICT};

    (void)arg;
    setenv("THOLE_LOG", "info,net=debgu", 1);
    setenv("THOLE_SINKS", "stdout:", 1);
    CAPTURED_CHECK(thole_start(&opt) == -EINVAL);
    thole_error((thole_logger){0}, "the daemon says why it ends");
    return 0;
}

THL_TEST(environment, wrong_value_is_said_once_by_a_strict_start_and_the_direct_mode_after_it)
{
    struct captured c;

    captured_run(&c, log_after_a_strict_start, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_eq(captured_count(c.err, "THOLE_LOG:10:"), 1u, "%s", c.err);
    cr_expect_eq(captured_count(c.out, "\"msg\":\"config error\""), 1u, "%s", c.out);
    cr_expect_eq(captured_count(c.out, "the daemon says why it ends"), 1u, "%s", c.out);
}

THL_TEST(environment, strict_variable_fails_the_start)
{
    struct captured c;

    captured_run(&c, start_with_strict_variable, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_eq(captured_count(c.err, "THOLE_LOG:10: "), 1u, "%s", c.err);
}

static int
start_with_a_closed_door(const void *arg)
{
    (void)arg;
    setenv("THOLE_STRICT", "1", 1);
    setenv("THOLE_SINKS", "file:/nonexistent/of/thole/a.log", 1);
    CAPTURED_CHECK(thole_start(NULL) == 0);
    thole_info((thole_logger){0}, "still said");
    thole_flush(5000);
    thole_stop(1000);
    return 0;
}

THL_TEST(environment, sink_that_cannot_open_is_no_configuration_error)
{
    struct captured c;

    captured_run(&c, start_with_a_closed_door, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_eq(captured_count(c.err, "still said"), 1u, "%s", c.err);
}

static int
apply_what_is_valid(const void *arg)
{
    (void)arg;
    setenv("THOLE_LOG", "net=debug,db=nonsense,tls=trace", 1);
    CAPTURED_CHECK(thole_start(&into_memory) == 0);
    CAPTURED_CHECK(thole_get_level(thole_get("net")) == THOLE_DEBUG);
    CAPTURED_CHECK(thole_get_level(thole_get("db")) == THOLE_INFO);
    CAPTURED_CHECK(thole_get_level(thole_get("tls")) == THOLE_TRACE);
    return 0;
}

THL_TEST(environment, valid_directives_beside_a_wrong_one_are_applied)
{
    struct captured c;

    captured_run(&c, apply_what_is_valid, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
}

static int
ask_for_help(const void *arg)
{
    (void)arg;
    setenv("THOLE_LOG", "help", 1);
    CAPTURED_CHECK(thole_start(&into_memory) == 0);
    thole_info((thole_logger){0}, "goes on");
    CAPTURED_CHECK(thole_get_level((thole_logger){0}) == THOLE_INFO);
    CAPTURED_CHECK(count_lines("goes on") == 1);
    CAPTURED_CHECK(count_lines("config error") == 0);
    return 0;
}

THL_TEST(environment, help_prints_the_grammar_and_goes_on_as_if_unset)
{
    struct captured c;

    captured_run(&c, ask_for_help, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_not_null(strstr(c.err, "NAME=LEVEL"), "%s", c.err);
}

static int
say_nothing(const void *arg)
{
    (void)arg;
    CAPTURED_CHECK(thole_start(NULL) == 0);
    thole_info(thole_get("a"), "by default", "k", 1);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(environment, default_is_json_lines_on_a_stderr_that_is_no_terminal)
{
    struct captured c;

    captured_run(&c, say_nothing, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_eq(strncmp(c.err, "{\"time\":\"", 9), 0, "%s", c.err);
    cr_expect_not_null(
        strstr(c.err, "\",\"level\":\"info\",\"logger\":\"a\",\"msg\":\"by default\",\"k\":1}\n"),
        "%s", c.err);
}
