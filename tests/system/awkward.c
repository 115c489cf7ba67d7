/* SPDX-License-Identifier: MIT */
/* Sinks that do what they should not, and daemons that call at odd moments: the ledger and the time
 * are kept all the same. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "gated_sink.h"

#include <errno.h>
#include <poll.h>
#include <thole/test.h>
#include <thole/thole.h>
#include <time.h>

static const thole_logger root = {0};

static void
start_with(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .flags = THOLE_NO_ENV};

    cr_assert_eq(thole_start(&opt), 0);
}

/* ---- wrong answers ---- */

static int calls;

static int
open_nothing(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &calls;
    return 0;
}

static int
boast(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    calls++;
    *done = n + 1;
    return 0;
}

static int
forget_to_say(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    (void)n;
    (void)done;
    calls++;
    return 0;
}

static void
close_nothing(void *sink)
{
    (void)sink;
}

static void
expect_one_write(const char *scheme,
                 int (*write_it)(void *, const struct thole_sink_record *, size_t, size_t *))
{
    static struct thole_sink_ops ops = {
        .size = sizeof(ops), .format = "json", .open = open_nothing, .close = close_nothing};
    char uri[16];

    ops.write = write_it;
    cr_assert_eq(thole_sink_register(scheme, &ops), 0);
    snprintf(uri, sizeof(uri), "%s:", scheme);
    start_with(uri);
    thole_info(root, "one");
    cr_assert_eq(thole_stop(5000), 0);
    struct thole_stats s = take_stats();
    cr_expect_eq(calls, 1);
    cr_expect_eq(s.sink[0].offered, 1u);
    cr_expect_eq(s.sink[0].written, 1u);
    cr_expect_eq(s.sink[0].pending, 0u);
}

THL_TEST(awkward, sink_that_boasts_of_more_than_it_got_is_not_believed)
{
    expect_one_write("boast", boast);
}

THL_TEST(awkward, sink_that_forgets_to_say_how_many_has_written_all)
{
    expect_one_write("mute", forget_to_say);
}

/* ---- ends that hang ---- */

static void
wait_at_the_gate(void *sink)
{
    (void)sink;
    pthread_mutex_lock(&gate.lock);
    while (gate.closed)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

THL_TEST(awkward, stop_returns_in_time_from_a_sink_that_hangs_in_its_close)
{
    static const struct thole_sink_ops ops = {
        .size = sizeof(ops),
        .flags = THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
        .format = "json",
        .open = gated_open,
        .write = forget_to_say,
        .close = wait_at_the_gate,
    };

    cr_assert_eq(thole_sink_register("slowend", &ops), 0);
    start_with("slowend:");
    thole_info(root, "one");
    cr_assert_eq(thole_flush(5000), 0);
    gate_set(true);
    int64_t began = now_ms();
    cr_expect_eq(thole_stop(500), -ETIMEDOUT);
    cr_expect_lt(now_ms() - began, 1500);
    gate_set(false);
}

static void *
log_directly(void *arg)
{
    thole_info(root, "waits at the gate");
    return arg;
}

/* In direct mode the caller writes: one that hangs in its sink has the lock of all. */
THL_TEST(awkward, stop_and_flush_return_in_time_beside_a_caller_that_hangs_in_its_sink)
{
    pthread_t thread;

    setenv("THOLE_SINKS", "inline:", 1);
    gate_register();
    gate_set(true);
    cr_assert_eq(pthread_create(&thread, NULL, log_directly, NULL), 0);
    gate_await_write();
    int64_t began = now_ms();
    cr_expect_eq(thole_flush(200), -ETIMEDOUT);
    cr_expect_eq(thole_stop(200), -ETIMEDOUT);
    cr_expect_lt(now_ms() - began, 1400);
    gate_set(false);
    pthread_join(thread, NULL);
    gate_forget();
    unsetenv("THOLE_SINKS");
}

/* ---- the daemon's own handlers of fork ---- */

static int flush_in_handler;

static void
call_all(void)
{
    struct thole_stats stats = {.size = sizeof(stats)};

    thole_info(root, "in a handler of fork");
    thole_set_level(thole_get("handler.of.fork"), THOLE_DEBUG);
    thole_configure("info");
    thole_stats(&stats);
    flush_in_handler = thole_flush(-1);
}

static int
fork_with_handlers(const void *arg)
{
    const bool *starts = arg;
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "null:", .flags = THOLE_NO_ENV};

    alarm(30); /* a hang ends the process, and the test */
    CAPTURED_CHECK(pthread_atfork(call_all, call_all, NULL) == 0); /* before thole's own */
    CAPTURED_CHECK(!*starts || thole_start(&opt) == 0);
    thole_info(root, "first");
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            thole_info(root, "from the child");
            _exit(0);
        }
        int status = -1;
        waitpid(pid, &status, 0);
        CAPTURED_CHECK(status == 0 && flush_in_handler == -EDEADLK);
    }
    struct thole_stats s = take_stats();
    CAPTURED_CHECK(s.called == s.routed + s.dropped + s.queued && s.called >= 41);
    return !*starts || thole_stop(5000) == 0 ? 0 : __LINE__;
}

THL_TEST(awkward, handlers_of_fork_may_log_and_ask_but_not_wait)
{
    static struct captured c;

    for (int starts = 0; starts <= 1; starts++) {
        const bool arg = starts;
        captured_run(&c, fork_with_handlers, &arg);
        cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    }
}

/* ---- stderr as the last resort ---- */

/* A reader that takes a page now and then, so that the writing goes on and on. */
static void *
read_slowly(void *arg)
{
    static char text[4096];
    char before = '\0';
    intptr_t empty = 0;
    ssize_t n;

    while ((n = read(*(int *)arg, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < n; before = text[i++])
            empty += text[i] == '\0' || (text[i] == '\n' && before == '\n');
        (void)poll(NULL, 0, 10);
    }
    return (void *)empty;
}

/* The target cannot be opened, and stderr is read slowly: a stop that runs out of time meets the
 * thread in the middle of its batch. */
static int
stop_amid_a_fall_back(const void *arg)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "file:/nonexistent/folder/a.log", .flags = THOLE_NO_ENV};
    int ends[2], kept = dup(STDERR_FILENO);
    pthread_t reader;
    void *empty;

    (void)arg;
    CAPTURED_CHECK(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    CAPTURED_CHECK(pthread_create(&reader, NULL, read_slowly, &ends[0]) == 0);
    CAPTURED_CHECK(thole_start(&opt) == 0);
    for (int i = 0; i < 6000; i++) {
        thole_info(root, "x");
        if (i % 500 == 499)
            (void)poll(NULL, 0, 3); /* the first become one batch, the rest another */
    }
    (void)poll(NULL, 0, 200);
    thole_stop(100);
    (void)poll(NULL, 0, 1500); /* the thread goes on */
    dup2(kept, STDERR_FILENO);
    CAPTURED_CHECK(pthread_join(reader, &empty) == 0 && (intptr_t)empty == 0);
    struct thole_stats s = take_stats();
    CAPTURED_CHECK(s.sink[0].offered == s.sink[0].dropped && s.sink[0].pending == 0);
    return 0;
}

THL_TEST(awkward, stop_amid_a_fall_back_to_stderr_writes_no_byte_that_is_no_records)
{
    static struct captured c;

    captured_run(&c, stop_amid_a_fall_back, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
}
