/* SPDX-License-Identifier: MIT */
/* Signals: thole's threads take none, handlers may log, and the daemon's own handling is its own.
 */
#include "test.h"
#include "observe.h"
#include "signal_kit.h"

#include "captured.h"
#include "folder.h"
#include "threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <thole/test.h>
#include <thole/thole.h>
#include <time.h>

enum { SIGNALS = 64, STORM = 10000, BATCH = 100, PATIENCE_MS = 20000 };

static const thole_logger root = {0};

static void
start_with(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .log = "info,db=off"};

    cr_assert_eq(thole_start(&opt), 0);
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
}

/* ---- thole's threads ---- */

static struct threads
start_with_many_threads(void)
{
    char sinks[512];
    struct threads before = threads_list();

    snprintf(sinks, sizeof(sinks), "file:%s/a.log file:%s/b.log file:%s/c.log memory:", folder,
             folder, folder);
    start_with(sinks);
    struct threads ours = threads_since(&before);
    cr_assert_geq(ours.n, 4u, "only %zu threads", ours.n);
    return ours;
}

/* What a thread raises itself by a fault may stay open: blocked, the kernel ends the process and
 * the daemon's handler never runs. */
static bool
may_be_open(int number)
{
    return number == SIGKILL || number == SIGSTOP || number == SIGSEGV || number == SIGBUS ||
           number == SIGFPE || number == SIGILL || number == SIGTRAP || number == SIGSYS ||
           (number >= 32 && number < SIGRTMIN); /* libc's own */
}

THL_TEST(signals, are_blocked_in_all_threads_of_thole)
{
    folder_make();
    struct threads ours = start_with_many_threads();
    thole_info(root, "hello");
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    for (size_t i = 0; i < ours.n; i++) {
        uint64_t blocked = thread_status(ours.tid[i], "SigBlk", 16);
        for (int s = 1; s <= SIGNALS; s++)
            cr_expect(may_be_open(s) || (blocked >> (s - 1) & 1), "signal %d is open in a thread",
                      s);
    }
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    folder_remove();
}

static pid_t own_tid;
static volatile sig_atomic_t handled, handled_elsewhere;

static void
note_thread(int number)
{
    (void)number;
    handled = handled + 1;
    if (gettid() != own_tid)
        handled_elsewhere = handled_elsewhere + 1;
}

/* While this thread has them blocked, the kernel gives them to any other that has not. */
static void
send_batch(bool block)
{
    sigset_t both, old;

    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGRTMIN);
    if (block)
        cr_assert_eq(pthread_sigmask(SIG_BLOCK, &both, &old), 0);
    for (int i = 0; i < BATCH; i++) {
        cr_assert_eq(kill(getpid(), i % 2 ? SIGUSR1 : SIGRTMIN), 0);
        thole_info(root, "in the storm");
    }
    if (block)
        cr_assert_eq(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}

THL_TEST(signals, of_the_process_are_never_handled_by_a_thread_of_thole)
{
    folder_make();
    (void)start_with_many_threads();
    own_tid = gettid();
    handle(SIGUSR1, note_thread, SA_RESTART);
    handle(SIGRTMIN, note_thread, SA_RESTART);
    for (int i = 0; i < STORM / BATCH; i++)
        send_batch(i % 2);
    cr_expect_eq(handled_elsewhere, 0);
    cr_expect_geq(handled, STORM / 2, "each SIGRTMIN was queued");
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    folder_remove();
}

/* ---- the daemon's own ---- */

struct handling {
    struct sigaction action[SIGNALS + 1];
    stack_t stack;
};

static void
look_at_handling(struct handling *h)
{
    memset(h, 0, sizeof(*h));
    for (int s = 1; s <= SIGNALS; s++)
        if (s < 32 || s >= SIGRTMIN)
            cr_assert_eq(sigaction(s, NULL, &h->action[s]), 0);
    cr_assert_eq(sigaltstack(NULL, &h->stack), 0);
}

static void
expect_same_handling(const struct handling *a, const char *when)
{
    struct handling b;

    look_at_handling(&b);
    for (int s = 1; s <= SIGNALS; s++) {
        cr_expect(a->action[s].sa_handler == b.action[s].sa_handler &&
                      a->action[s].sa_flags == b.action[s].sa_flags,
                  "%s: signal %d", when, s);
        for (int in = 1; in <= SIGNALS; in++)
            cr_expect_eq(sigismember(&a->action[s].sa_mask, in),
                         sigismember(&b.action[s].sa_mask, in), "%s: the mask of %d", when, s);
    }
    cr_expect(a->stack.ss_sp == b.stack.ss_sp && a->stack.ss_flags == b.stack.ss_flags, "%s", when);
}

static void
do_nothing(int number)
{
    (void)number;
}

THL_TEST(signals, are_handled_after_start_flood_and_stop_as_before)
{
    struct handling before;

    folder_make();
    handle(SIGHUP, do_nothing, SA_RESTART);
    handle(SIGPIPE, SIG_DFL, 0);
    handle(SIGUSR1, SIG_IGN, 0);
    look_at_handling(&before);
    (void)start_with_many_threads();
    expect_same_handling(&before, "after start");
    for (int i = 0; i < 50000; i++)
        thole_info(root, "flood", "i", i);
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    thole_emergency("nothing is on fire");
    expect_same_handling(&before, "after a flood");
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    expect_same_handling(&before, "after stop");
    folder_remove();
}

/* ---- handlers that log ---- */

static volatile sig_atomic_t enabled_in_handler;

static void
log_in_handler(int number)
{
    const thole_field fields[] = {{"number", THOLE_FIELD_INT, 0, {.i = number}},
                                  {"word", THOLE_FIELD_STRING, 5, {.p = "hello"}}};

    thole_log_fields(root, THOLE_NOTICE, "fields of a handler", fields, 2);
    thole_warn(root, "of a handler", "number", number);
    enabled_in_handler = thole_enabled(root, THOLE_INFO) && !thole_enabled(root, THOLE_DEBUG) &&
                         !thole_enabled(thole_get("db"), THOLE_EMERG);
}

THL_TEST(signals, handler_logs_as_any_caller_does)
{
    start_with("memory:");
    (void)thole_get("db"); /* making a name is nothing for a handler; finding one is quick */
    handle(SIGUSR1, log_in_handler, 0);
    cr_assert_eq(raise(SIGUSR1), 0);
    char want[128];
    snprintf(want, sizeof(want),
             "\"msg\":\"fields of a handler\",\"number\":%d,\"word\":\"hello\"}\n", SIGUSR1);
    const char *lines = thole_test_lines();
    cr_expect_eq(captured_count(lines, want), 1u, "%s", lines);
    snprintf(want, sizeof(want),
             "\"level\":\"warn\",\"logger\":\"\",\"msg\":\"of a handler\",\"number\":%d}\n",
             SIGUSR1);
    cr_expect_eq(captured_count(lines, want), 1u, "%s", lines);
    cr_expect_eq(enabled_in_handler, 1);
}

/* ---- thole_emergency ---- */

enum { RECORDS = 20000 };

static volatile sig_atomic_t shouts;

static void
shout_in_handler(int number)
{
    char text[] = "emergency 000000";
    int n = shouts;

    (void)number;
    shouts = n + 1;
    for (size_t i = sizeof(text) - 2; n > 0; n /= 10)
        text[i--] = (char)('0' + n % 10);
    thole_emergency(text);
}

/* Until it has been interrupted often enough: its lines and those of the sink stderr: stand in one
 * file. */
static int
log_under_shouts(const void *arg)
{
    const struct itimerval every = {{0, 200}, {0, 200}}, never = {0};
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "stderr:?format=json"};
    const struct sigaction action = {.sa_handler = shout_in_handler, .sa_flags = SA_RESTART};
    int64_t end = now_ms() + PATIENCE_MS;
    int fd = open(arg, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

    CAPTURED_CHECK(fd >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    CAPTURED_CHECK(thole_start(&opt) == 0);
    CAPTURED_CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CAPTURED_CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    for (int i = 0; i < RECORDS || (shouts < 100 && now_ms() < end); i++) {
        thole_info(root, "numbered", "i", i);
        if (i % 64 == 0)
            CAPTURED_CHECK(thole_flush(PATIENCE_MS) == 0);
    }
    CAPTURED_CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CAPTURED_CHECK(thole_stop(PATIENCE_MS) == 0);
    CAPTURED_CHECK(shouts >= 100);
    return 0;
}

THL_TEST(signals, emergency_in_a_handler_is_a_whole_line_between_others)
{
    struct captured c;
    unsigned long shout = 0, record = 0;

    folder_make();
    captured_run(&c, log_under_shouts, folder_path("stderr"));
    cr_assert_eq(c.failed_line, 0, "line %d", c.failed_line);
    char *text = folder_read("stderr"), *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "emergency ", 10) == 0) {
            cr_assert_eq(strlen(line), strlen("emergency 000000"), "%s", line);
            cr_assert_eq(strtoul(line + 10, NULL, 10), shout++, "%s", line);
            continue;
        }
        const char *at = strstr(line, "\"msg\":\"numbered\",\"i\":");
        cr_assert(strncmp(line, "{\"time\":\"", 9) == 0 && at, "%s", line);
        cr_assert_eq(strtoul(at + strlen("\"msg\":\"numbered\",\"i\":"), NULL, 10), record++, "%s",
                     line);
        cr_assert_eq(line[strlen(line) - 1], '}', "%s", line);
    }
    cr_expect_geq(shout, 100u);
    cr_expect_geq(record, (unsigned long)RECORDS);
    free(text);
    folder_remove();
}
