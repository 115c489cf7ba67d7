/* SPDX-License-Identifier: MIT */
/* What thole says of a sink's health, and what a sink in trouble gets at the end. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <thole/sink.h>
#include <thole/test.h>
#include <thole/thole.h>

#define PATIENCE_MS 10000

static const thole_logger root = {0};

/* A sink that has no room for so many tries, then takes all; and one that cannot be reopened. */
static struct {
    _Atomic int busy;
    _Atomic unsigned taken, reopens;
} host;

static int
open_host(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    (void)sink;
    return 0;
}

static int
write_host(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    if (atomic_fetch_sub(&host.busy, 1) > 0)
        return -EAGAIN;
    atomic_fetch_add(&host.taken, (unsigned)n);
    *done = n;
    return 0;
}

static int
reopen_host(void *sink)
{
    (void)sink;
    atomic_fetch_add(&host.reopens, 1);
    return -EACCES;
}

static const char *
explain_host(int error)
{
    return error == EACCES ? "its door is locked" : NULL;
}

static void
close_host(void *sink)
{
    (void)sink;
}

static void
start_host(const char *sinks, unsigned flags)
{
    static struct thole_sink_ops ops;
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks};

    ops = (struct thole_sink_ops){.size = sizeof(ops),
                                  .flags = flags,
                                  .open = open_host,
                                  .write = write_host,
                                  .reopen = reopen_host,
                                  .explain = explain_host,
                                  .close = close_host};
    cr_assert_eq(thole_sink_register("host", &ops), 0);
    cr_assert_eq(thole_start(&opt), 0);
}

static size_t
count_lines(const char *part)
{
    return captured_count(thole_test_lines(), part);
}

/* Waits until so many lines of memory: have it. */
static bool
await_lines(const char *part, size_t n)
{
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end; (void)poll(NULL, 0, 5))
        if (count_lines(part) >= n)
            return true;
    return false;
}

/* The record behind the one that gets through fails at once, before thole could say anything. */
static void
live_through_an_outage(void)
{
    struct thole_options opt = {.size = sizeof(opt)};
    struct thole_stats s = {.size = sizeof(s)};
    char sinks[128];

    folder_make();
    snprintf(sinks, sizeof(sinks), "fault:?write=ENOSPC,ok,ENOSPC*inf file:%s/log", folder);
    opt.sinks = sinks;
    cr_assert_eq(thole_start(&opt), 0);
    thole_info(root, "held");
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && s.sink[0].written == 0;
         (void)poll(NULL, 0, 1)) {
        thole_info(root, "next");
        thole_stats(&s);
    }
    cr_expect_geq(s.sink[0].written, 1u);
    cr_expect_eq(thole_flush(50), -ETIMEDOUT);
    char *text = folder_read("log");
    const char *last = text, *at = text;
    while ((at = strstr(at, "\"msg\":\"sink ")) != NULL)
        last = at++;
    cr_expect_eq(strncmp(last, "\"msg\":\"sink down\"", 17), 0, "%s", last);
    cr_expect_eq(captured_count(text, "\"msg\":\"sink down\""),
                 captured_count(text, "\"msg\":\"sink recovered\"") + 1);
    free(text);
    (void)thole_stop(1000); /* time enough for the file to be closed */
    folder_remove();
}

THL_TEST(health, outage_that_one_record_got_through_is_not_said_to_be_over)
{
    for (int i = 0; i < 5; i++)
        live_through_an_outage();
}

THL_TEST(health, sink_without_a_thread_has_until_the_end_to_take_what_waits)
{
    start_host("host:", 0);
    atomic_store(&host.busy, 6);
    for (int i = 0; i < 3; i++)
        thole_info(root, "waits");
    cr_expect_eq(thole_stop(PATIENCE_MS), 0);
    cr_expect_eq(atomic_load(&host.taken), 3u);
}

THL_TEST(health, sink_has_until_the_end_in_direct_mode_too)
{
    static const struct thole_sink_ops ops = {
        .size = sizeof(ops), .open = open_host, .write = write_host, .close = close_host};

    cr_assert_eq(thole_sink_register("host", &ops), 0);
    setenv("THOLE_SINKS", "host:", 1);
    atomic_store(&host.busy, 6);
    thole_info(root, "waits");
    cr_expect_eq(thole_stop(PATIENCE_MS), 0);
    cr_expect_eq(atomic_load(&host.taken), 1u);
}

THL_TEST(health, sink_without_a_thread_that_takes_nothing_delays_no_end)
{
    start_host("host:", 0);
    atomic_store(&host.busy, 1 << 30);
    thole_info(root, "never");
    int64_t begin = now_ms();
    cr_expect_eq(thole_stop(200), -ETIMEDOUT);
    cr_expect_lt(now_ms() - begin, 5000);
    const struct thole_stats s = take_stats();
    cr_expect_eq(s.sink[0].cause[THOLE_STOPPED], s.sink[0].offered);
}

THL_TEST(health, reopen_that_was_asked_for_and_fails_is_answered_each_time_in_the_sinks_words)
{
    start_host("host: memory:", THOLE_SINK_MAY_BLOCK);
    for (unsigned i = 1; i <= 3; i++) {
        thole_reopen();
        cr_expect(await_lines("\"msg\":\"sink reopen failed\",\"sink\":\"host:\",\"err\":13,"
                              "\"err_name\":\"EACCES\",\"err_text\":\"its door is locked\"}",
                              i),
                  "%s", thole_test_lines());
        cr_expect_eq(atomic_load(&host.reopens), i);
    }
}
