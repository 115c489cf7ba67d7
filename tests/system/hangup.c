/* SPDX-License-Identifier: MIT */
/* thole_reopen() in a SIGHUP handler: files are opened anew at once, and no record is lost. */
#include "test.h"
#include "observe.h"
#include "signal_kit.h"

#include "captured.h"
#include "folder.h"
#include "threads.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <thole/sink.h>
#include <thole/thole.h>
#include <time.h>

enum { PATIENCE_MS = 20000, HANGUP_MS = 5000 };

static const thole_logger root = {0};

static void
start_with(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks};

    cr_assert_eq(thole_start(&opt), 0);
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
}

static size_t
count_in_file(const char *name, const char *part)
{
    char *text = folder_read(name);
    size_t n = captured_count(text, part);

    free(text);
    return n;
}

static volatile sig_atomic_t hangups;

static void
reopen_in_handler(int number)
{
    (void)number;
    hangups = hangups + 1;
    thole_reopen();
}

static pthread_t logging_thread;

/* Moves the file away, and hangs up on the thread that logs; the next time when it is there anew.
 */
static const char *rotation_fault;

static void *
rotate(void *arg)
{
    int *rounds = arg;

    for (int i = 0; i < *rounds && !rotation_fault; i++) {
        char name[32];
        int64_t end = now_ms() + PATIENCE_MS;
        snprintf(name, sizeof(name), "moved.%d", i);
        if (rename(folder_path("a.log"), folder_path(name)) < 0)
            rotation_fault = "the file cannot be moved";
        pthread_kill(logging_thread, SIGHUP);
        while (access(folder_path("a.log"), F_OK) < 0 && now_ms() < end)
            (void)poll(NULL, 0, 1);
        if (access(folder_path("a.log"), F_OK) < 0)
            rotation_fault = "the file was not opened anew";
    }
    return NULL;
}

static void
start_with_file(void)
{
    char sinks[128];

    snprintf(sinks, sizeof(sinks), "file:%s/a.log?reopen=call", folder);
    start_with(sinks);
}

/* How often each of the numbers below n stands in the file. */
static void
count_numbers(const char *name, unsigned char *times, size_t n)
{
    char *text = folder_read(name), *at = text;

    while ((at = strstr(at, "\"i\":")) != NULL) {
        unsigned long i = strtoul(at + 4, &at, 10);
        cr_assert_lt(i, n);
        cr_expect(at[0] == '}' && at[1] == '\n', "a torn line");
        times[i]++;
    }
    free(text);
}

THL_TEST(hangup, in_a_handler_that_interrupts_log_calls_loses_nothing)
{
    static unsigned char times[1000000];
    int rounds = 20;
    size_t n = 0;
    pthread_t rotator;

    folder_make();
    start_with_file();
    handle(SIGHUP, reopen_in_handler, SA_RESTART);
    logging_thread = pthread_self();
    cr_assert_eq(pthread_create(&rotator, NULL, rotate, &rounds), 0);
    while (pthread_tryjoin_np(rotator, NULL) == EBUSY) {
        for (int i = 0; i < 100 && n < sizeof(times); i++)
            thole_info(root, "numbered", "i", n++);
        cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    }
    cr_expect_null(rotation_fault, "%s", rotation_fault);
    cr_expect_eq(hangups, rounds);
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    count_numbers("a.log", times, n);
    for (int i = 0; i < rounds; i++) {
        char name[32];
        snprintf(name, sizeof(name), "moved.%d", i);
        count_numbers(name, times, n);
    }
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(times[i], 1, "record %zu of %zu was written %d times", i, n, times[i]);
    folder_remove();
}

THL_TEST(hangup, record_after_it_is_in_the_new_file)
{
    folder_make();
    start_with_file();
    handle(SIGHUP, reopen_in_handler, SA_RESTART);
    thole_info(root, "before");
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    cr_assert_eq(rename(folder_path("a.log"), folder_path("moved")), 0);
    cr_assert_eq(raise(SIGHUP), 0);
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    thole_info(root, "after");
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    cr_expect_eq(count_in_file("moved", "\"msg\":\"before\""), 1u);
    cr_expect_eq(count_in_file("moved", "\"msg\":\"after\""), 0u);
    cr_expect_eq(count_in_file("a.log", "\"msg\":\"after\""), 1u);
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    folder_remove();
}

static _Atomic int reopened;

static int
open_nothing(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &reopened;
    return 0;
}

static int
write_nothing(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    *done = n;
    return 0;
}

static int
count_reopen(void *sink)
{
    (void)sink;
    atomic_fetch_add(&reopened, 1);
    return 0;
}

static void
close_nothing(void *sink)
{
    (void)sink;
}

/* A sink that the writer itself serves. */
static const struct thole_sink_ops on_the_writer = {.size = sizeof(on_the_writer),
                                                    .flags = THOLE_SINK_LINES,
                                                    .format = "json",
                                                    .open = open_nothing,
                                                    .write = write_nothing,
                                                    .reopen = count_reopen,
                                                    .close = close_nothing};

/* None of them has run for ten looks in a row. */
static bool
fall_asleep(const struct threads *t)
{
    int64_t end = now_ms() + PATIENCE_MS;
    uint64_t last = 0;

    for (int quiet = 0; quiet < 10; (void)poll(NULL, 0, 20)) {
        uint64_t runs = 0;
        for (size_t i = 0; i < t->n; i++)
            runs += thread_status(t->tid[i], "voluntary_ctxt_switches", 10);
        quiet = runs == last ? quiet + 1 : 0;
        last = runs;
        if (now_ms() > end)
            return false;
    }
    return true;
}

/* Starts, sleeps, and gets a SIGHUP. */
static void
hang_up_on_an_idle_daemon(const char *sinks)
{
    struct threads before = threads_list();

    start_with(sinks);
    handle(SIGHUP, reopen_in_handler, SA_RESTART);
    struct threads ours = threads_since(&before);
    cr_assert(fall_asleep(&ours), "an idle daemon has no wake-ups");
    if (access(folder_path("a.log"), F_OK) == 0)
        cr_assert_eq(rename(folder_path("a.log"), folder_path("moved")), 0);
    cr_assert_eq(raise(SIGHUP), 0);
}

THL_TEST(hangup, wakes_an_idle_daemon_and_needs_no_record)
{
    char sinks[128];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?reopen=call", folder);
    hang_up_on_an_idle_daemon(sinks);
    for (int64_t end = now_ms() + HANGUP_MS; now_ms() < end; (void)poll(NULL, 0, 5))
        if (access(folder_path("a.log"), F_OK) == 0)
            break;
    cr_expect_eq(access(folder_path("a.log"), F_OK), 0, "not opened anew");
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    folder_remove();
}

THL_TEST(hangup, reaches_a_sink_without_a_thread_and_needs_no_record)
{
    cr_assert_eq(thole_sink_register("inline", &on_the_writer), 0);
    hang_up_on_an_idle_daemon("inline:");
    for (int64_t end = now_ms() + HANGUP_MS; now_ms() < end; (void)poll(NULL, 0, 5))
        if (atomic_load(&reopened) > 0)
            break;
    cr_expect_eq(atomic_load(&reopened), 1);
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
}
