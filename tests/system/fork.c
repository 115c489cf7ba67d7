/* SPDX-License-Identifier: MIT */
/* fork: the child process logs by itself, with its own pid, and each record is written once. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"
#include "gated_sink.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <thole/test.h>
#include <thole/thole.h>

enum { QUEUED = 100, ROUNDS = 100 };

static const thole_logger root = {0};

/* The flush is answered by all of thole's threads: a sanitizer allocates while a thread of its
 * process begins, and a fork at that moment leaves its allocator locked in the child for ever. */
static void
start_with(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .app = "forker", .sinks = sinks};

    cr_assert_eq(thole_start(&opt), 0);
    cr_assert_eq(thole_flush(20000), 0);
}

/* The file of the test's folder, as a sink. */
static const char *
file_sink(const char *keys)
{
    static char sink[128];

    snprintf(sink, sizeof(sink), "file:%s/a.log%s", folder, keys);
    return sink;
}

static size_t
count_in_file(const char *part)
{
    char *text = folder_read("a.log");
    size_t n = captured_count(text, part);

    free(text);
    return n;
}

/* Runs body in a child process, which _exits: 0, or the line that failed there. */
static int
run_child(int (*body)(void))
{
    int status = -1, failed = -1, ends[2];

    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        failed = body();
        _exit(write(ends[1], &failed, sizeof(failed)) == (ssize_t)sizeof(failed) ? 0 : 1);
    }
    close(ends[1]);
    cr_assert_eq(read(ends[0], &failed, sizeof(failed)), (ssize_t)sizeof(failed));
    close(ends[0]);
    waitpid(pid, &status, 0);
    cr_assert_eq(status, 0);
    return failed;
}

static thole_logger conn;

static int
log_through_conn(void)
{
    thole_info(conn, "from the child", "child_pid", (long)getpid());
    CAPTURED_CHECK(take_stats().sink[0].written == 1); /* direct mode: without a flush */
    thole_bind(&conn, "worker", 1);
    thole_info(conn, "bound in the child");
    thole_unref(&conn);
    return 0;
}

THL_TEST(fork, child_logger_made_before_is_good_in_both)
{
    folder_make();
    start_with(file_sink(""));
    thole_child(&conn, thole_get("net"), "conn", 7);
    cr_expect_eq(run_child(log_through_conn), 0);
    thole_info(conn, "from the parent");
    cr_expect_eq(thole_test_live_children(), 1u, "the child's unref was its own");
    cr_assert_eq(thole_flush(5000), 0);
    cr_expect_eq(count_in_file("\"msg\":\"from the child\",\"conn\":7,\"child_pid\":"), 1u);
    cr_expect_eq(count_in_file("\"msg\":\"bound in the child\",\"conn\":7,\"worker\":1}"), 1u);
    cr_expect_eq(count_in_file("\"msg\":\"from the parent\",\"conn\":7}"), 1u);
    thole_unref(&conn);
    folder_remove();
}

static int
log_pid(void)
{
    thole_info(root, "its own pid", "pid", (long)getpid());
    return 0;
}

THL_TEST(fork, child_process_bears_its_own_pid)
{
    char part[64], *text;

    folder_make();
    start_with(file_sink("?format=rfc5424"));
    thole_info(root, "hello");
    cr_assert_eq(thole_flush(5000), 0);
    cr_expect_eq(run_child(log_pid), 0);
    text = folder_read("a.log");
    const char *at = strstr(text, "pid=\"");
    cr_assert_not_null(at, "%s", text);
    snprintf(part, sizeof(part), " forker %ld ", strtol(at + strlen("pid=\""), NULL, 10));
    cr_expect_eq(captured_count(text, part), 1u, "%s in %s", part, text);
    snprintf(part, sizeof(part), " forker %ld ", (long)getpid());
    cr_expect_eq(captured_count(text, part), 1u, "%s in %s", part, text);
    free(text);
    folder_remove();
}

static int
start_with_an_empty_ledger(void)
{
    struct thole_stats s = take_stats();

    CAPTURED_CHECK(s.called == 0 && s.queued == 0);
    CAPTURED_CHECK(s.sink[0].offered == 0 && s.sink[0].pending == 0);
    return 0;
}

THL_TEST(fork, queued_records_of_the_parent_are_written_once)
{
    folder_make();
    start_with(file_sink(""));
    for (int i = 0; i < QUEUED; i++)
        thole_info(root, "queued", "i", i);
    cr_expect_eq(run_child(start_with_an_empty_ledger), 0);
    for (int i = 0; i < QUEUED; i++)
        thole_info(root, "queued", "i", i);
    cr_assert_eq(thole_stop(5000), 0);
    cr_expect_eq(count_in_file("\"msg\":\"queued\""), 2u * QUEUED);
    folder_remove();
}

static int
exit_after_a_record(void)
{
    thole_info(root, "from the child");
    gate_set(false); /* the child's copy of the gate */
    return 0;
}

THL_TEST(fork, does_not_wait_for_a_sink_that_hangs)
{
    gate_register();
    start_with("gated: memory:");
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    pthread_mutex_lock(&gate.lock); /* as a program with a lock of its own must do */
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_init(&gate.lock, NULL);
        gate.closed = false;
        _exit(exit_after_a_record());
    }
    pthread_mutex_unlock(&gate.lock);
    int status = -1;
    waitpid(pid, &status, 0);
    cr_expect_eq(status, 0);
    gate_set(false);
    cr_assert_eq(thole_flush(5000), 0);
    cr_expect_eq(captured_count(gate_text(), "waits at the gate"), 1u);
    gate_forget();
}

/* What one fork may wait for an I/O to end, it has waited then: the others come at once. */
static void
expect_quick_forks(const char *sinks)
{
    struct timespec began, now;

    gate_register();
    start_with(sinks);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        int status = -1;
        waitpid(pid, &status, 0);
        cr_expect_eq(status, 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    cr_expect_lt(now.tv_sec - began.tv_sec, 2, "20 forks, of which one may take 0.3 s");
    gate_forget();
}

THL_TEST(fork, is_delayed_once_by_a_sink_that_hangs)
{
    expect_quick_forks("gated: memory:");
}

THL_TEST(fork, is_delayed_once_by_a_sink_that_hangs_on_the_writer)
{
    expect_quick_forks("inline: null:");
}

static int
start_anew(void)
{
    CAPTURED_CHECK(thole_start(NULL) == 0); /* the parent's options */
    CAPTURED_CHECK(thole_start(NULL) == -EALREADY);
    for (int i = 0; i < QUEUED; i++)
        thole_info(root, "from the child", "i", i);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    CAPTURED_CHECK(take_stats().sink[0].written == QUEUED);
    return 0;
}

THL_TEST(fork, child_process_may_start_with_the_parents_options)
{
    folder_make();
    start_with(file_sink(""));
    thole_info(root, "from the parent");
    cr_expect_eq(run_child(start_anew), 0);
    thole_info(root, "from the parent");
    cr_assert_eq(thole_stop(5000), 0);
    cr_expect_eq(count_in_file("from the child"), (size_t)QUEUED);
    cr_expect_eq(count_in_file("from the parent"), 2u);
    folder_remove();
}

static int
fork_again(void)
{
    thole_info(root, "from the child");
    pid_t pid = fork();
    if (pid == 0) {
        thole_info(root, "from the grandchild");
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    CAPTURED_CHECK(status == 0);
    return 0;
}

THL_TEST(fork, child_process_may_fork_again)
{
    folder_make();
    start_with(file_sink(""));
    cr_expect_eq(run_child(fork_again), 0);
    cr_assert_eq(thole_stop(5000), 0);
    cr_expect_eq(count_in_file("from the child"), 1u);
    cr_expect_eq(count_in_file("from the grandchild"), 1u);
    folder_remove();
}

static int
log_from_each_of_many(void)
{
    thole_info(root, "from one of many", "pid", (long)getpid());
    return 0;
}

/* The fork that the threads log beside, counted from 1; and how many threads have begun, for the
 * reason given at start_with. */
static _Atomic int round_now, begun;

static void *
log_in_each_round(void *arg)
{
    (void)arg;
    begun++;
    for (int round = 1; round <= ROUNDS; round++) {
        while (round_now < round)
            sched_yield();
        for (int i = 0; i < QUEUED; i++)
            thole_info(root, "meanwhile", "round", round, "i", i);
    }
    return NULL;
}

static _Atomic bool flooding;

static void *
flood(void *arg)
{
    begun++;
    for (int i = 0; flooding; i++)
        thole_log(root, i % 7 ? THOLE_INFO : THOLE_WARN, "flood", "i", i);
    return arg;
}

/* Two targets that take different records: the writer takes their locks in either order. */
THL_TEST(fork, amid_a_flood_to_two_targets_never_hangs)
{
    pthread_t thread[4];
    char sinks[256];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/warn.log?level=warn file:%s/a.log", folder, folder);
    start_with(sinks);
    begun = 0;
    flooding = true;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, flood, NULL), 0);
    while (begun < 4)
        sched_yield();
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        int status = -1;
        waitpid(pid, &status, 0);
        cr_expect_eq(status, 0);
    }
    flooding = false;
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    cr_expect_eq(thole_flush(20000), 0);
    folder_remove();
}

THL_TEST(fork, beside_threads_that_log_never_hangs)
{
    pthread_t thread[2];

    folder_make();
    start_with(file_sink(""));
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, log_in_each_round, NULL), 0);
    while (begun < 2)
        sched_yield();
    while (round_now < ROUNDS) {
        round_now++;
        cr_expect_eq(run_child(log_from_each_of_many), 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    cr_assert_eq(thole_stop(20000), 0);
    cr_expect_eq(count_in_file("from one of many"), (size_t)ROUNDS);
    /* a machine that is busy elsewhere may hold the file's thread up until its buffer is full */
    struct thole_stats s = take_stats();
    cr_expect_eq(count_in_file("\"msg\":\"meanwhile\"") + s.sink[0].dropped, 2u * ROUNDS * QUEUED);
    cr_expect_eq(s.sink[0].dropped, s.sink[0].cause[THOLE_OUTBOX_FULL]);
    cr_expect_eq(s.dropped, 0u);
    folder_remove();
}
