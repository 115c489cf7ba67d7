/* SPDX-License-Identifier: MIT */
/* Ends in every way that a program can end; what it logged before is the test's to find. */
#include "program.h"

#include <semaphore.h>
#include <stdlib.h>
#include <thole/sink.h>

/* ---- exit, and from where ---- */

static int
return_from_main(void)
{
    start_with(given_sinks, NULL);
    keep(0, KEPT);
    return 11;
}

static int
exit_from_main(void)
{
    start_with(given_sinks, NULL);
    keep(0, KEPT);
    exit(12);
}

static void *
keep_and_exit(void *arg)
{
    (void)arg;
    keep(1, KEPT);
    exit(13);
}

static int
exit_from_a_worker(void)
{
    pthread_t worker;
    start_with(given_sinks, NULL);
    keep(0, KEPT);
    CHECK(pthread_create(&worker, NULL, keep_and_exit, NULL) == 0);
    pthread_join(worker, NULL);
    return FAILED;
}

static void
keep_and_exit_again(void)
{
    keep(1, KEPT);
    exit(14);
}

/* A handler that is registered later runs earlier: thole still runs. */
static int
exit_from_a_handler_before_ours(void)
{
    start_with(given_sinks, NULL);
    keep(0, KEPT);
    CHECK(atexit(keep_and_exit_again) == 0);
    exit(FAILED);
}

static void
count_and_exit_again(void)
{
    struct thole_stats before = sampler_look();
    keep(1, KEPT);
    struct thole_stats after = sampler_look();
    CHECK(after.dropped == before.dropped + KEPT);
    CHECK(after.called == before.called + KEPT);
    exit(15);
}

/* The other way round thole has been stopped: what is logged then is counted. */
static int
exit_from_a_handler_after_ours(void)
{
    CHECK(atexit(count_and_exit_again) == 0);
    start_with(given_sinks, NULL);
    keep(0, KEPT);
    exit(FAILED);
}

static void *
keep_when_main_has_ended(void *main_thread)
{
    CHECK(pthread_join(*(pthread_t *)main_thread, NULL) == 0);
    keep(1, KEPT);
    return NULL;
}

/* The process ends with its last thread, by exit(0). */
static int
leave_main_by_pthread_exit(void)
{
    static pthread_t main_thread;
    pthread_t worker;
    main_thread = pthread_self();
    start_with(given_sinks, NULL);
    keep(0, KEPT);
    CHECK(pthread_create(&worker, NULL, keep_when_main_has_ended, &main_thread) == 0);
    pthread_detach(worker);
    pthread_exit(NULL);
}

static int
leave_by_quick_exit(void)
{
    start_with(given_sinks, NULL);
    keep(0, KEPT);
    say_that_the_end_begins();
    quick_exit(18);
}

/* ---- exit from inside a sink ---- */

static sem_t in_write, may_leave;
static bool waits_for_more;

static int
leaver_open(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &in_write;
    return 0;
}

static void
leaver_close(void *sink)
{
    (void)sink;
}

static int
leaver_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    for (size_t i = 0; i < n; i++) {
        if (!memmem(records[i].bytes, records[i].size, "leave", strlen("leave")))
            continue;
        sem_post(&in_write);
        if (waits_for_more)
            sem_wait(&may_leave);
        say_that_the_end_begins();
        exit(16);
    }
    *done = n;
    return 0;
}

static void
start_with_a_leaver(unsigned flags)
{
    static struct thole_sink_ops ops = {
        .size = sizeof(ops),
        .format = "json",
        .open = leaver_open,
        .write = leaver_write,
        .close = leaver_close,
    };
    char sinks[512];
    ops.flags = THOLE_SINK_LINES | flags;
    CHECK(thole_sink_register("leaver", &ops) == 0);
    CHECK(snprintf(sinks, sizeof(sinks), "%s leaver:", given_sinks) < (int)sizeof(sinks));
    start_with(sinks, NULL);
}

static int
exit_in_a_sink_with_a_thread(void)
{
    start_with_a_leaver(THOLE_SINK_MAY_BLOCK);
    keep(0, KEPT);
    thole_info(root, "leave");
    wait_for_the_end();
}

/* Records that only the thread which leaves could take out of their queue. */
static int
exit_in_a_sink_on_the_writer(void)
{
    waits_for_more = true;
    start_with_a_leaver(0);
    keep(0, KEPT);
    thole_info(root, "leave");
    sem_wait(&in_write);
    keep(1, KEPT);
    sem_post(&may_leave);
    wait_for_the_end();
}

/* ---- amid a flood ---- */

/* Registered before thole's own handler it runs when thole has been stopped, while the flood goes
 * on. */
static void
tell_the_ledger(void)
{
    uint64_t own = flood_end();
    struct thole_stats s = sampler_look();
    CHECK(s.sink[0].pending == 0);
    dprintf(STDOUT_FILENO,
            "own %llu called %llu dropped %llu by sinks %llu written %llu queued %llu\n",
            (unsigned long long)own, (unsigned long long)s.called, (unsigned long long)s.dropped,
            (unsigned long long)dropped_by_sinks(&s), (unsigned long long)s.sink[0].written,
            (unsigned long long)s.queued);
}

static void
flood_until_some_is_lost(void)
{
    struct thole_stats s;
    start_with(given_sinks, "queue=16K,record=512");
    flood_begin();
    do {
        sched_yield();
        s = sampler_look();
    } while (s.sink[0].written < KEPT || s.dropped == 0);
}

static int
exit_amid_a_flood(void)
{
    CHECK(atexit(tell_the_ledger) == 0);
    flood_until_some_is_lost();
    say_that_the_end_begins();
    exit(17);
}

static int
quick_exit_amid_a_flood(void)
{
    CHECK(at_quick_exit(tell_the_ledger) == 0);
    flood_until_some_is_lost();
    say_that_the_end_begins();
    quick_exit(18);
}

static int
leave_by_underscore_exit(void)
{
    start_with(given_sinks, NULL);
    flood_begin();
    await_written(KEPT);
    _exit(19);
}

static int
flood_until_killed(void)
{
    start_with(given_sinks, NULL);
    flood_begin();
    await_written(KEPT);
    dprintf(STDOUT_FILENO, "flooding\n");
    wait_for_the_end();
}

int
main(int argc, char **argv)
{
    static const struct mode modes[] = {
        {"return_from_main", return_from_main},
        {"exit_from_main", exit_from_main},
        {"exit_from_a_worker", exit_from_a_worker},
        {"exit_from_a_handler_before_ours", exit_from_a_handler_before_ours},
        {"exit_from_a_handler_after_ours", exit_from_a_handler_after_ours},
        {"leave_main_by_pthread_exit", leave_main_by_pthread_exit},
        {"leave_by_quick_exit", leave_by_quick_exit},
        {"exit_in_a_sink_with_a_thread", exit_in_a_sink_with_a_thread},
        {"exit_in_a_sink_on_the_writer", exit_in_a_sink_on_the_writer},
        {"exit_amid_a_flood", exit_amid_a_flood},
        {"quick_exit_amid_a_flood", quick_exit_amid_a_flood},
        {"leave_by_underscore_exit", leave_by_underscore_exit},
        {"flood_until_killed", flood_until_killed},
    };
    return run_mode(argc, argv, modes, sizeof(modes) / sizeof(modes[0]));
}
