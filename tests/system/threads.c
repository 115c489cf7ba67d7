/* SPDX-License-Identifier: MIT */
/* thole's threads: they wake up for one record, sleep without one, and may be refused or lost. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <thole/sink.h>
#include <thole/test.h>
#include <thole/thole.h>
#include <time.h>

enum { NOBODY = 65534, FALL_ASLEEP_MS = 150, PROMISED_MS = 1000 };

static const thole_logger root = {0};

/* ---- pthread_create, which the library finds here ---- */

static _Atomic int refuse_at; /* the n-th call from now on fails; 0: none */

int
pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (!real)
        *(void **)(void *)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (refuse_at > 0 && --refuse_at == 0)
        return EAGAIN;
    return real(thread, attr, body, arg);
}

/* Whether a folder of /proc comes to `n` entries: a thread's entry goes a moment after its join,
 * and one that a start did not wait for, on a busy machine, ends and closes its file by itself. */
static bool
becomes(const char *folder_name, int n)
{
    for (int ms = 0; ms < 5000 && count_entries(folder_name) != n; ms++)
        (void)poll(NULL, 0, 1);
    return count_entries(folder_name) == n;
}

static bool
tasks_become(int n)
{
    return becomes("/proc/self/task", n);
}

static int
count_maps(void)
{
    FILE *f = fopen("/proc/self/maps", "re");
    int n = 0, c;

    while (f && (c = getc(f)) != EOF)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static bool
file_has(const char *name, const char *part)
{
    char *text = folder_read(name);
    bool has = strstr(text, part) != NULL;

    free(text);
    return has;
}

/* A start whose n-th thread is refused. The arena may stay: it outlives a stop as well. */
static int
start_without_thread(int n)
{
    char part[64];

    refuse_at = n;
    int rc = thole_start(NULL);
    if (refuse_at > 0) /* it did not come to that many */
        refuse_at = 0;
    if (rc == 0)
        return 0;
    CAPTURED_CHECK(rc == -EAGAIN);
    CAPTURED_CHECK(tasks_become(1));
    thole_info(root, "refused", "at", n);
    snprintf(part, sizeof(part), "\"msg\":\"refused\",\"at\":%d}", n);
    CAPTURED_CHECK(file_has("a.log", part) && file_has("b.log", part));
    return -EAGAIN;
}

static int
start_until_all_threads_are_there(const void *arg)
{
    int n = 1, rc, fds = count_entries("/proc/self/fd");

    (void)arg;
    while ((rc = start_without_thread(n)) == -EAGAIN && n < 20)
        n++;
    if (rc != 0)
        return rc;                  /* the line */
    CAPTURED_CHECK(n == 1 + 2 + 1); /* the files' threads, the writer, and none refused */
    CAPTURED_CHECK(tasks_become(1 + 3));
    thole_info(root, "runs at last");
    CAPTURED_CHECK(thole_stop(10000) == 0);
    CAPTURED_CHECK(file_has("a.log", "runs at last") && file_has("b.log", "runs at last"));
    CAPTURED_CHECK(tasks_become(1));
    CAPTURED_CHECK(becomes("/proc/self/fd", fds + 1)); /* the arena's */
    return 0;
}

/* Sinks by the environment: those of a failed start's options are forgotten with it. */
static void
set_two_files(void)
{
    char sinks[256];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log file:%s/b.log", folder, folder);
    setenv("THOLE_SINKS", sinks, 1);
}

THL_TEST(threads, refused_at_any_of_them_a_start_fails_and_the_calls_write_themselves)
{
    static struct captured c;

    set_two_files();
    captured_run(&c, start_until_all_threads_are_there, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    folder_remove();
}

/* Nothing is logged in between: what is open then is what the failed start left. */
static int
fail_to_start_often(const void *arg)
{
    int fds = count_entries("/proc/self/fd"), first_maps = 0;

    (void)arg;
    for (int i = 0; i < 200; i++) {
        refuse_at = 1 + i % 3;
        CAPTURED_CHECK(thole_start(NULL) == -EAGAIN);
        if (i == 20 && tasks_become(1))
            first_maps = count_maps();
    }
    CAPTURED_CHECK(tasks_become(1));
    CAPTURED_CHECK(becomes("/proc/self/fd", fds + 1)); /* the arena's */
#ifndef __SANITIZE_ADDRESS__ /* which keeps maps of its own for threads that are gone */
    CAPTURED_CHECK(count_maps() <= first_maps + 20);
#endif
    (void)first_maps;
    CAPTURED_CHECK(thole_start(NULL) == 0);
    CAPTURED_CHECK(thole_stop(10000) == 0);
    return 0;
}

THL_TEST(threads, refused_again_and_again_leave_nothing_behind)
{
    static struct captured c;

    set_two_files();
    captured_run(&c, fail_to_start_often, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    folder_remove();
}

static int
start_at_the_limit_of_processes(const void *arg)
{
    struct rlimit limit;

    (void)arg;
    CAPTURED_CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
    CAPTURED_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CAPTURED_CHECK(prctl(PR_SET_DUMPABLE, 1) == 0); /* else /proc/self is not ours to read */
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    CAPTURED_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    CAPTURED_CHECK(thole_start(NULL) == -EAGAIN);
    CAPTURED_CHECK(tasks_become(1));
    thole_info(root, "without a thread");
    CAPTURED_CHECK(file_has("a.log", "without a thread"));
    limit.rlim_cur = before;
    CAPTURED_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    CAPTURED_CHECK(thole_start(NULL) == 0);
    thole_info(root, "with threads");
    CAPTURED_CHECK(thole_stop(10000) == 0);
    CAPTURED_CHECK(file_has("a.log", "with threads"));
    return 0;
}

THL_TEST(threads, refused_by_the_kernel_a_start_fails_and_a_later_one_succeeds)
{
    static struct captured c;

    if (geteuid() != 0)
        cr_skip_test("needs root to become somebody whom the limit of processes binds");
    set_two_files();
    cr_assert_eq(chown(folder, NOBODY, NOBODY), 0);
    captured_run(&c, start_at_the_limit_of_processes, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    folder_remove();
}

/* ---- waking up ---- */

static int fifo = -1; /* the reading end of the target */

static void
start_on_a_fifo(void)
{
    char sink[160];
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sink};

    folder_make();
    cr_assert_eq(mkfifo(folder_path("fifo"), 0600), 0);
    fifo = open(folder_path("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(fifo, 0);
    snprintf(sink, sizeof(sink), "file:%s/fifo", folder);
    cr_assert_eq(thole_start(&opt), 0);
}

/* Nothing is to come: the writer goes to sleep without a deadline after 100 ms of that. */
static void
let_it_idle(int ms)
{
    struct pollfd p = {.fd = fifo, .events = POLLIN};

    cr_assert_eq(poll(&p, 1, ms), 0, "nobody logs");
}

/* The number of lines that came, waiting for `n` of them within what is promised. */
static size_t
await_lines(size_t n)
{
    static char text[65536];
    size_t size = 0;
    struct pollfd p = {.fd = fifo, .events = POLLIN};

    text[0] = '\0';
    while (captured_count(text, "\n") < n && poll(&p, 1, PROMISED_MS) == 1) {
        ssize_t got = read(fifo, text + size, sizeof(text) - 1 - size);
        if (got <= 0)
            break;
        size += (size_t)got;
        text[size] = '\0';
    }
    return captured_count(text, "\n");
}

static void
end_fifo(void)
{
    cr_expect_eq(thole_stop(10000), 0);
    close(fifo);
    folder_remove();
}

enum { LONE_ROUNDS = 30, BURSTS = 20, BURST_THREADS = 4 };

/* Logs one record for each byte that its pipe brings. */
static void *
log_when_asked(void *arg)
{
    char byte;

    while (read(*(int *)arg, &byte, 1) == 1)
        thole_info(root, "alone");
    return NULL;
}

THL_TEST(threads, asleep_wake_for_one_record_without_a_flush)
{
    pthread_t thread[2];
    int ask[2][2];

    start_on_a_fifo();
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(pipe(ask[i]), 0);
        cr_assert_eq(pthread_create(&thread[i], NULL, log_when_asked, &ask[i][0]), 0);
    }
    for (int round = 0; round < LONE_ROUNDS; round++) {
        let_it_idle(FALL_ASLEEP_MS);
        cr_assert_eq(write(ask[round % 2][1], "", 1), 1);
        cr_assert_eq(await_lines(1), 1u, "round %d", round);
    }
    for (int i = 0; i < 2; i++) {
        close(ask[i][1]);
        pthread_join(thread[i], NULL);
        close(ask[i][0]);
    }
    end_fifo();
}

static pthread_barrier_t together;

static void *
log_together(void *arg)
{
    for (int round = 0; round < BURSTS; round++) {
        pthread_barrier_wait(&together);
        thole_info(root, "together");
    }
    return arg;
}

/* At a millisecond before and after the writer lies down, one after the other. */
THL_TEST(threads, going_to_sleep_wake_for_records_that_come_at_that_moment)
{
    pthread_t thread[BURST_THREADS];

    start_on_a_fifo();
    cr_assert_eq(pthread_barrier_init(&together, NULL, BURST_THREADS + 1), 0);
    for (int i = 0; i < BURST_THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, log_together, NULL), 0);
    for (int round = 0; round < BURSTS; round++) {
        let_it_idle(95 + round / 2);
        pthread_barrier_wait(&together);
        cr_assert_eq(await_lines(BURST_THREADS), (size_t)BURST_THREADS, "round %d", round);
    }
    for (int i = 0; i < BURST_THREADS; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&together);
    end_fifo();
}

/* ---- sleeping ---- */

static long
switches_of(const char *task)
{
    static const char key[] = "\nvoluntary_ctxt_switches:";
    char path[320], text[4096];
    snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strstr(text, key);
    return at ? strtol(at + strlen(key), NULL, 10) : 0;
}

/* Of all threads but the one that asks. */
static long
count_switches(int *threads)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    long sum = 0;

    cr_assert_not_null(dir);
    *threads = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == (long)getpid())
            continue;
        sum += switches_of(entry->d_name);
        ++*threads;
    }
    closedir(dir);
    return sum;
}

THL_TEST(threads, idle_do_not_wake_up)
{
    int before_threads, threads;

    start_on_a_fifo();
    for (int i = 0; i < 10; i++)
        thole_info(root, "before the silence");
    cr_assert_eq(await_lines(10), 10u);
    let_it_idle(4 * FALL_ASLEEP_MS);
    long before = count_switches(&before_threads);
    let_it_idle(1000);
    cr_expect_eq(count_switches(&threads) - before, 0, "in a second without a record");
    cr_expect_eq(threads, before_threads);
    cr_expect_geq(threads, 2, "the writer's, and the target's");
    thole_info(root, "after it");
    cr_expect_eq(await_lines(1), 1u);
    end_fifo();
}

/* ---- a sink that ends its thread ---- */

static int
leaver_open(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &fifo; /* any address */
    return 0;
}

static int
leaver_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    (void)n;
    (void)done;
    pthread_exit(NULL);
}

static void
leaver_close(void *sink)
{
    (void)sink;
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

THL_TEST(threads, ended_by_their_own_sink_hold_up_no_other_and_stop_returns_in_time)
{
    static const struct thole_sink_ops leaver = {
        .size = sizeof(leaver),
        .flags = THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
        .format = "json",
        .open = leaver_open,
        .write = leaver_write,
        .close = leaver_close,
    };
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "leaver: memory:"};
    struct thole_stats s = {.size = sizeof(s)};

    cr_assert_eq(thole_sink_register("leaver", &leaver), 0);
    cr_assert_eq(thole_start(&opt), 0);
    thole_info(root, "ends the thread");
    double begin = now();
    cr_expect_eq(thole_flush(200), -ETIMEDOUT);
    thole_info(root, "waits for nobody");
    cr_expect_eq(thole_flush(200), -ETIMEDOUT);
    cr_expect_eq(thole_stop(400), -ETIMEDOUT);
    cr_expect_lt(now() - begin, 5.0);
    thole_stats(&s);
    cr_expect_eq(s.sink[0].cause[THOLE_STOPPED], 2u, "counted, as of a sink that hangs");
    cr_expect_eq(s.sink[0].pending, 0u);
    cr_expect_eq(s.sink[1].written, 2u);
}
