/* SPDX-License-Identifier: MIT */
/* Stops thole while threads log, and while a sink never comes back from its write. */
#include "observe.h"
#include "program.h"

#include <errno.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <thole/sink.h>

enum { BEFORE = 100, BEHIND = 100 };

/* ---- a write that hangs ---- */

static sem_t in_write, may_return;
static atomic_bool write_hangs, comes_back;

static void
hang(void)
{
    sem_post(&in_write);
    if (!comes_back)
        wait_for_the_end();
    sem_wait(&may_return);
    sem_post(&may_return); /* for each later write */
}

/* The program's own write(2), which the shared library finds before libc's. */
ssize_t
write(int fd, const void *bytes, size_t size)
{
    if (write_hangs && fd > STDERR_FILENO)
        hang();
    return syscall(SYS_write, fd, bytes, size);
}

static int
hanging_open(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &in_write;
    return 0;
}

static int
hanging_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    *done = n;
    hang();
    return 0;
}

static void
hanging_close(void *sink)
{
    (void)sink;
}

/* A hanging target and the file. */
static void
start_with_a_hanging_sink(unsigned flags)
{
    static struct thole_sink_ops ops = {
        .size = sizeof(ops),
        .format = "json",
        .open = hanging_open,
        .write = hanging_write,
        .close = hanging_close,
    };
    char sinks[512];
    ops.flags = THOLE_SINK_LINES | flags;
    CHECK(thole_sink_register("hangs", &ops) == 0);
    CHECK(snprintf(sinks, sizeof(sinks), "%s hangs:", given_sinks) < (int)sizeof(sinks));
    start_with(sinks, NULL);
}

static void
start_with_a_hanging_file(void)
{
    write_hangs = true;
    start_with(given_sinks, NULL);
}

static void
log_into_the_hang(void)
{
    keep(0, BEFORE);
    sem_wait(&in_write);
    keep(1, BEHIND);
}

/* ---- stop ---- */

/* Everything is written or counted; sink[0] is the file. What a writer that hangs had not yet taken
 * stays queued, for it alone may take it. */
static int
stop_in_time(bool writer_hangs)
{
    log_into_the_hang();
    double begin = seconds_now();
    int rc = thole_stop(1000);
    double took = seconds_now() - begin;
    struct thole_stats s = sampler_look();
    dprintf(STDOUT_FILENO, "stop gave %d after %.3f s; called %llu written %llu\n", rc, took,
            (unsigned long long)s.called, (unsigned long long)s.sink[0].written);
    CHECK(rc == -ETIMEDOUT);
    CHECK(s.called >= BEFORE + BEHIND && (writer_hangs || s.queued == 0));
    for (unsigned i = 0; i < s.nsinks; i++)
        CHECK(s.sink[i].pending == 0);
    CHECK(s.sink[s.nsinks - 1].written == 0 && s.sink[s.nsinks - 1].dropped >= 1);
    keep(2, BEHIND);
    CHECK(sampler_look().dropped == s.dropped + BEHIND);
    CHECK(sampler_look().called == s.called + BEHIND);
    say_that_the_end_begins();
    return 21;
}

static int
stop_with_a_hanging_thread(void)
{
    start_with_a_hanging_sink(THOLE_SINK_MAY_BLOCK);
    return stop_in_time(false);
}

static int
stop_with_a_hanging_writer(void)
{
    start_with_a_hanging_sink(0);
    return stop_in_time(true);
}

static int
stop_with_a_hanging_file(void)
{
    start_with_a_hanging_file();
    return stop_in_time(false);
}

/* When its sink comes back after all, the writer counts what it had left queued, and ends; a start
 * is then as good as the first. */
static int
stop_with_a_writer_that_comes_back(void)
{
    /* not exact under TSan, which has a thread of its own */
    int tasks = count_entries("/proc/self/task");
    comes_back = true;
    start_with_a_hanging_sink(0);
    log_into_the_hang();
    CHECK(thole_stop(200) == -ETIMEDOUT);
    CHECK(thole_start(NULL) == -EBUSY);
    sem_post(&may_return);
    while (count_entries("/proc/self/task") > tasks)
        sched_yield();
    struct thole_stats s = sampler_look();
    CHECK(s.queued == 0 && s.called >= BEFORE + BEHIND);
    for (unsigned i = 0; i < s.nsinks; i++)
        CHECK(s.sink[i].pending == 0);
    CHECK(thole_start(NULL) == 0);
    keep(3, BEHIND);
    CHECK(thole_stop(10000) == 0);
    return 24;
}

/* ---- exit ---- */

static int
exit_into_the_hang(void)
{
    log_into_the_hang();
    say_that_the_end_begins();
    return 22;
}

static int
exit_with_a_hanging_thread(void)
{
    start_with_a_hanging_sink(THOLE_SINK_MAY_BLOCK);
    return exit_into_the_hang();
}

static int
exit_with_a_hanging_writer(void)
{
    start_with_a_hanging_sink(0);
    return exit_into_the_hang();
}

static int
exit_with_a_hanging_file(void)
{
    start_with_a_hanging_file();
    return exit_into_the_hang();
}

/* ---- amid threads that log ---- */

static uint64_t
stop_and_count_written(uint64_t *by_sinks)
{
    CHECK(thole_stop(20000) == 0);
    struct thole_stats s = sampler_look();
    CHECK(s.queued == 0 && s.sink[0].pending == 0);
    *by_sinks += dropped_by_sinks(&s);
    return s.sink[0].written;
}

static int
stop_and_start_amid_threads(void)
{
    const struct thole_options other = {.size = sizeof(other),
                                        .app = "another",
                                        .sinks = other_sinks,
                                        .flags = THOLE_NO_ENV | THOLE_STRICT};
    struct sampler sampler;
    uint64_t written, elsewhere, by_sinks = 0;
    start_with(given_sinks, NULL);
    flood_begin();
    CHECK(sampler_start(&sampler));
    await_written(KEPT);
    written = stop_and_count_written(&by_sinks);
    CHECK(thole_start(NULL) == 0);
    await_written(KEPT);
    written += stop_and_count_written(&by_sinks);
    CHECK(thole_start(&other) == 0);
    await_written(KEPT);
    elsewhere = stop_and_count_written(&by_sinks);
    uint64_t own = flood_end();
    CHECK(sampler_stop(&sampler) > 0);
    struct thole_stats s = sampler_look();
    dprintf(STDOUT_FILENO,
            "own %llu called %llu dropped %llu by sinks %llu written %llu elsewhere %llu\n",
            (unsigned long long)own, (unsigned long long)s.called, (unsigned long long)s.dropped,
            (unsigned long long)by_sinks, (unsigned long long)written,
            (unsigned long long)elsewhere);
    return 23;
}

int
main(int argc, char **argv)
{
    static const struct mode modes[] = {
        {"stop_with_a_hanging_thread", stop_with_a_hanging_thread},
        {"stop_with_a_hanging_writer", stop_with_a_hanging_writer},
        {"stop_with_a_hanging_file", stop_with_a_hanging_file},
        {"stop_with_a_writer_that_comes_back", stop_with_a_writer_that_comes_back},
        {"exit_with_a_hanging_thread", exit_with_a_hanging_thread},
        {"exit_with_a_hanging_writer", exit_with_a_hanging_writer},
        {"exit_with_a_hanging_file", exit_with_a_hanging_file},
        {"stop_and_start_amid_threads", stop_and_start_amid_threads},
    };
    return run_mode(argc, argv, modes, sizeof(modes) / sizeof(modes[0]));
}
