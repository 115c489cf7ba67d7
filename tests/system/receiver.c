/* SPDX-License-Identifier: MIT */
/* A syslog receiver that has stopped: nothing waits for it, and what it missed is counted and said.
 */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thole/test.h>
#include <thole/thole.h>
#include <time.h>

static const thole_logger root = {0};

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Reads datagrams and appends them as lines to the file "received", until it is killed. */
static void
receive(int fd)
{
    char line[4096];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
    int out = open(folder_path("received"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

    for (;;) {
        ssize_t n = recv(fd, line, sizeof(line) - 1, 0);

        if (n < 0)
            _exit(1);
        line[n++] = '\n';
        if (write(out, line, (size_t)n) != n)
            _exit(1);
    }
}

/* A receiver in a process of its own, so that a signal can stop it. */
static pid_t
start_receiver(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", folder_path("log"));
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0)
        receive(fd);
    close(fd);
    return pid;
}

static void
stop_receiver(pid_t pid)
{
    int status;

    cr_assert_eq(kill(pid, SIGSTOP), 0);
    cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
    cr_assert(WIFSTOPPED(status));
}

static void
end_receiver(pid_t pid)
{
    kill(pid, SIGKILL);
    kill(pid, SIGCONT);
    waitpid(pid, NULL, 0);
}

static void
start_with_two_sinks(const char *limits)
{
    char sinks[512];
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .limits = limits};

    snprintf(sinks, sizeof(sinks), "syslog:%s/log file:%s/a.log", folder, folder);
    cr_assert_eq(thole_start(&opt), 0);
}

static size_t
count_in_file(const char *name, const char *part)
{
    char *text = folder_read(name);
    size_t n = captured_count(text, part);

    free(text);
    return n;
}

static bool
appears_in_file(const char *name, const char *part)
{
    double end = now() + 20;

    while (count_in_file(name, part) == 0) {
        if (now() > end)
            return false;
        thole_flush(100);
    }
    return true;
}

/* Waits until everything is written to the file, whatever the syslog sink does. */
static void
await_file(uint64_t written)
{
    double end = now() + 20;

    while (take_stats().sink[1].written < written && now() < end)
        sched_yield();
    cr_expect_geq(take_stats().sink[1].written, written);
}

THL_TEST(receiver, stopped_delays_neither_the_calls_nor_the_other_sinks)
{
    double slowest = 0;

    folder_make();
    pid_t pid = start_receiver();
    start_with_two_sinks("queue=256K,record=512");
    thole_info(root, "hello");
    cr_assert_eq(thole_flush(5000), 0);
    stop_receiver(pid);
    for (int batch = 0; batch < 20; batch++) {
        double begin = now();
        for (int i = 0; i < 500; i++)
            thole_info(root, "goes on", "batch", batch, "i", i);
        if (now() - begin > slowest)
            slowest = now() - begin;
        await_file(1 + 500u * ((unsigned)batch + 1));
    }
    cr_expect_lt(slowest, 0.5, "500 calls took %f s", slowest);
    struct thole_stats s = take_stats();
    cr_expect_eq(s.dropped, 0u);
    cr_expect_eq(s.sink[1].dropped, 0u);
    cr_expect_eq(count_in_file("a.log", "goes on"), 10000u);
    end_receiver(pid);
    thole_stop(2000);
    folder_remove();
}

THL_TEST(receiver, stopped_shows_in_the_ledger_and_is_announced_once_it_goes_on)
{
    static const char part[] = "records dropped";

    folder_make();
    pid_t pid = start_receiver();
    start_with_two_sinks("queue=256K,record=512");
    thole_info(root, "hello");
    cr_assert_eq(thole_flush(5000), 0);
    stop_receiver(pid);
    for (int i = 0; i < 20000; i++) {
        thole_info(root, "too many for it", "i", i);
        if (i % 500 == 499)
            await_file(1 + (unsigned)i);
    }
    struct thole_stats s = take_stats();
    const struct thole_sink_stats *k = &s.sink[0];
    cr_expect_eq(k->offered, k->written + k->dropped + k->suppressed + k->pending);
    cr_expect_gt(k->cause[THOLE_WOULD_BLOCK] + k->cause[THOLE_OUTBOX_FULL], 1000u);
    cr_expect_eq(k->cause[THOLE_WOULD_BLOCK] + k->cause[THOLE_OUTBOX_FULL], k->dropped);

    cr_assert_eq(kill(pid, SIGCONT), 0);
    cr_expect_eq(thole_flush(20000), 0);
    cr_expect(appears_in_file("a.log", part), "in the other sink");
    cr_expect(appears_in_file("received", part), "and in the receiver's own log");
    cr_expect_eq(thole_stop(5000), 0);
    s = take_stats();
    cr_expect_eq(k->offered, k->written + k->dropped + k->suppressed + k->pending);
    cr_expect_eq(k->pending, 0u);

    uint64_t said = 0;
    char *text = folder_read("a.log");
    for (const char *at = text; (at = strstr(at, "\"msg\":\"records dropped\"")) != NULL; at++) {
        const char *count = strstr(at, "\"count\":");
        said += count ? strtoull(count + strlen("\"count\":"), NULL, 10) : 0;
    }
    free(text);
    cr_expect_eq(said, k->dropped, "announced %llu of %llu", (unsigned long long)said,
                 (unsigned long long)k->dropped);
    end_receiver(pid);
    folder_remove();
}

THL_TEST(receiver, gone_and_back_gets_the_records_again)
{
    folder_make();
    pid_t pid = start_receiver();
    start_with_two_sinks(NULL);
    thole_info(root, "first receiver");
    cr_assert_eq(thole_flush(5000), 0);
    cr_expect(appears_in_file("received", "first receiver"));
    end_receiver(pid);
    cr_assert_eq(unlink(folder_path("log")), 0);
    thole_info(root, "nobody there");
    await_file(2);
    pid = start_receiver();
    double end = now() + 20;
    while (count_in_file("received", "second receiver") == 0 && now() < end) {
        thole_info(root, "second receiver");
        thole_flush(100);
    }
    cr_expect_lt(now(), end);
    cr_expect_eq(count_in_file("a.log", "nobody there"), 1u);
    end_receiver(pid);
    thole_stop(2000);
    folder_remove();
}

THL_TEST(receiver, gets_the_wire_form_of_glibc_without_a_host)
{
    char head[96], *text;
    char sinks[256];
    const struct thole_options opt = {.size = sizeof(opt), .app = "echod", .sinks = sinks};

    folder_make();
    pid_t pid = start_receiver();
    snprintf(sinks, sizeof(sinks), "syslog:%s/log?facility=local0", folder);
    cr_assert_eq(thole_start(&opt), 0);
    thole_error(thole_get("net"), "lost", "conn", 7, "why", "a b");
    cr_assert_eq(thole_flush(5000), 0);
    cr_assert(appears_in_file("received", "lost"));
    text = folder_read("received");
    snprintf(head, sizeof(head), " echod[%d]: ", (int)getpid());
    cr_expect_eq(strncmp(text, "<131>", 5), 0, "local0 is 16, error is 3: %s", text);
    cr_expect_eq(text[5 + 15], ' ', "fifteen bytes of time: %s", text);
    cr_expect_eq(strncmp(text + 5 + 15, head, strlen(head)), 0, "%s", text);
    cr_expect_not_null(strstr(text, "lost"), "%s", text);
    cr_expect_not_null(strstr(text, "conn=7 why=\"a b\""), "%s", text);
    free(text);
    end_receiver(pid);
    thole_stop(2000);
    folder_remove();
}
