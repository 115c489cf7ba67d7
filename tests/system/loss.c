/* SPDX-License-Identifier: MIT */
/* Nothing is lost in silence: with no other sink to say it, stderr is told. */
#include "test.h"

#include "captured.h"
#include "folder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <thole/test.h>
#include <thole/thole.h>

static const thole_logger root = {0};

/* The body's process ends as a program does: its exit handlers run. */
static int
log_and_exit(const void *sinks)
{
    setenv("THOLE_SINKS", sinks, 1);
    thole_error(root, "it failed", "code", 7);
    exit(0);
}

THL_TEST(loss, record_of_a_program_that_ends_at_once_is_on_stderr_when_its_sink_cannot_open)
{
    static const char *const sinks[] = {"file:/nonexistent/a.log", "syslog:/nonexistent/log"};
    struct captured c;

    for (int i = 0; i < 2; i++) {
        captured_run(&c, log_and_exit, sinks[i]);
        cr_expect_eq(captured_count(c.err, "stderr takes its records"), 1u, "%s", c.err);
        cr_expect_eq(captured_count(c.err, "it failed"), 1u, "%s: %s", sinks[i], c.err);
        cr_expect_eq(captured_count(c.err, "records dropped"), 0u, "stderr has it: %s", c.err);
    }
}

static int
log_a_long_record(const void *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks};
    char text[5000];

    for (size_t i = 0; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[sizeof(text) - 2] = '\0';
    CAPTURED_CHECK(thole_start(&opt) == 0);
    for (int i = 0; i < 3; i++)
        thole_info(root, "long", "newlines", "\n\n\n\n", "text", text, "last", i);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(loss, record_stands_on_stderr_once_though_another_sink_cannot_open)
{
    static const char *const sinks[] = {
        "stderr: file:/nonexistent/a.log", "file:/nonexistent/a.log stderr:?level=error",
        "stderr:?only=net file:/nonexistent/a.log", "stderr:?level=crit file:/nonexistent/a.log"};
    struct captured c;

    for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++) {
        captured_run(&c, log_and_exit, sinks[i]);
        cr_expect_eq(captured_count(c.err, "it failed"), 1u, "%s: %s", sinks[i], c.err);
    }
}

THL_TEST(loss, record_that_stderr_takes_is_whole)
{
    static const char *const sinks[] = {"file:/nonexistent/a.log",
                                        "syslog:/nonexistent/log?format=rfc5424&size=8000",
                                        "stderr:?level=error file:/nonexistent/a.log"};
    static const char *const ends[] = {"\",\"last\":2}\n", "\" last=\"2\"] long\n",
                                       "\",\"last\":2}\n"};
    struct captured c;

    for (int i = 0; i < 3; i++) {
        captured_run(&c, log_a_long_record, sinks[i]);
        cr_expect_eq(c.failed_line, 0, "%s: line %d: %s", sinks[i], c.failed_line, c.err);
        cr_expect_eq(captured_count(c.err, ends[i]), 1u, "%s: %s", sinks[i], c.err);
    }
}

static int
start_log_and_exit(const void *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks};

    CAPTURED_CHECK(thole_start(&opt) == 0);
    thole_error(root, "it failed", "code", 7);
    exit(0);
}

THL_TEST(loss, record_that_no_sink_took_by_the_end_is_counted_on_stderr)
{
    struct captured c;

    captured_run(&c, start_log_and_exit, "file:/dev/full");
    cr_expect_eq(captured_count(c.err, "thole: sink down sink=file:/dev/full err=28"), 1u, "%s",
                 c.err);
    cr_expect_not_null(strstr(c.err, "thole: records dropped sink=file:/dev/full cause="), "%s",
                       c.err);
    cr_expect_eq(captured_count(c.err, " count=1"), 1u, "%s", c.err);

    captured_run(&c, log_and_exit, "file:/dev/full");
    cr_expect_eq(captured_count(c.err, "thole: records dropped sink=file:/dev/full"), 1u, "%s",
                 c.err);
}

/* A port of loopback where nobody listens. */
static int
free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(bind(fd, (struct sockaddr *)&at, size) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&at, &size) == 0);
    close(fd);
    return ntohs(at.sin_port);
}

static int
log_to_a_dead_port(const void *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks};

    CAPTURED_CHECK(thole_start(&opt) == 0);
    for (int i = 0; i < 5; i++) { /* the first is sent before its refusal can be known */
        thole_info(root, "nobody listens", "i", i);
        thole_flush(50);
    }
    CAPTURED_CHECK(thole_stop(500) == -ETIMEDOUT);
    return 0;
}

THL_TEST(loss, sink_that_went_down_and_is_the_only_one_says_so_on_stderr)
{
    struct captured c;
    char sinks[64];

    snprintf(sinks, sizeof(sinks), "udp://127.0.0.1:%d", free_port());
    captured_run(&c, log_to_a_dead_port, sinks);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    cr_expect_eq(captured_count(c.err, "thole: sink down sink=udp://127.0.0.1:"), 1u, "%s", c.err);
    cr_expect_not_null(strstr(c.err, "err_name=ECONNREFUSED"), "%s", c.err);
    cr_expect_not_null(strstr(c.err, "thole: records dropped sink=udp://127.0.0.1:"), "%s", c.err);
}

THL_TEST(loss, sink_that_went_down_beside_another_is_in_the_others_log_alone)
{
    struct captured c;
    char sinks[128];

    snprintf(sinks, sizeof(sinks), "stdout: udp://127.0.0.1:%d", free_port());
    captured_run(&c, log_to_a_dead_port, sinks);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    cr_expect_eq(captured_count(c.out, "\"msg\":\"sink down\""), 1u, "%s", c.out);
    cr_expect_eq(captured_count(c.err, "sink down"), 0u, "%s", c.err);
}

/* The sum of "count" in the notices of losses. */
static uint64_t
sum_announced(const char *lines)
{
    static const char msg[] = "\"msg\":\"records dropped\"", count[] = "\"count\":";
    uint64_t sum = 0;

    while ((lines = strstr(lines, msg)) != NULL) {
        lines = strstr(lines, count);
        cr_assert_not_null(lines);
        lines += sizeof(count) - 1;
        sum += strtoull(lines, NULL, 10);
    }
    return sum;
}

/* Warnings fill even the part of the queue that is theirs. */
THL_TEST(loss, warnings_that_filled_a_buffer_to_its_end_are_announced_to_the_last)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "fault:?write=ok,stall=60000", .limits = "queue=256K"};
    struct thole_stats s = {.size = sizeof(s)};

    cr_assert_eq(thole_start(&opt), 0);
    thole_warn(root, "first");
    cr_assert_eq(thole_flush(10000), 0);
    for (int second = 0; second < 12; second++) {
        for (int i = 0; i < 500; i++)
            thole_warn(root, "the sink hangs", "second", second, "i", i);
        thole_test_advance_clock(INT64_C(1100000000));
    }
    thole_test_end_stall();
    cr_assert_eq(thole_flush(10000), 0);
    thole_test_advance_clock(INT64_C(1100000000));
    const char *lines = thole_test_lines();
    thole_stats(&s);
    cr_expect_gt(s.sink[0].cause[THOLE_OUTBOX_FULL], 1000u);
    cr_expect_eq(sum_announced(lines), s.dropped + s.sink[0].dropped, "of %llu",
                 (unsigned long long)s.sink[0].dropped);
    cr_expect_eq(thole_stop(1000), 0);
}
