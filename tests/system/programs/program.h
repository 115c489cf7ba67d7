/* SPDX-License-Identifier: MIT */
/*
 * What the whole programs share: the modes they run in, claims, and records that can be counted.
 *
 *     PROGRAM MODE SINKS [OTHER SINKS]
 *
 * A claim that does not hold is a line on stderr and exit status 99; whoever hangs is ended by
 * SIGALRM after WATCHDOG_S. They must not inherit variables of thole's.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "sampler.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <thole/thole.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 2000, FLOOD_THREADS = 4, WATCHDOG_S = 15, FAILED = 99 };

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);             \
            _exit(FAILED);                                                                         \
        }                                                                                          \
    } while (0)

static const thole_logger root = {0};

/* The arguments behind MODE. */
static const char *given_sinks, *other_sinks;

struct mode {
    const char *name;
    int (*run)(void); /* what it returns, main returns */
};

static inline int
run_mode(int argc, char **argv, const struct mode *modes, size_t n)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    alarm(WATCHDOG_S);
    given_sinks = argc > 2 ? argv[2] : NULL;
    other_sinks = argc > 3 ? argv[3] : NULL;
    for (size_t i = 0; argc > 1 && i < n; i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            return modes[i].run();
    fprintf(stderr, "usage: %s MODE SINKS [OTHER SINKS]\n", argv[0]);
    return FAILED;
}

static inline void
start_with(const char *sinks, const char *limits)
{
    const struct thole_options opt = {.size = sizeof(opt),
                                      .app = "ends",
                                      .sinks = sinks,
                                      .limits = limits,
                                      .flags = THOLE_NO_ENV | THOLE_STRICT};
    CHECK(thole_start(&opt) == 0);
}

/* `n` records that the test finds by their source and number: see kept.h. */
static inline void
keep(int source, int n)
{
    for (int i = 0; i < n; i++)
        thole_info(root, "kept", "t", source, "i", i);
}

static inline double
seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* From here on the test measures. */
static inline void
say_that_the_end_begins(void)
{
    dprintf(STDOUT_FILENO, "ends at %.6f\n", seconds_now());
}

/* Another thread ends the program, or the watchdog does. */
__attribute__((noreturn)) static inline void
wait_for_the_end(void)
{
    for (;;)
        pause();
}

/* ---- threads that log without a pause ---- */

static struct flood {
    pthread_t thread[FLOOD_THREADS];
    atomic_bool stop;
    atomic_int begun;
    uint64_t own[FLOOD_THREADS]; /* what each has logged, when it is joined */
} flood;

static inline void *
flood_run(void *arg)
{
    uint64_t *own = arg;
    int source = (int)(own - flood.own);
    flood.begun++;
    for (int i = 0; !flood.stop; i++) {
        thole_info(root, "kept", "t", source, "i", i);
        ++*own;
    }
    return NULL;
}

static inline void
flood_begin(void)
{
    for (int i = 0; i < FLOOD_THREADS; i++)
        CHECK(pthread_create(&flood.thread[i], NULL, flood_run, &flood.own[i]) == 0);
    while (flood.begun < FLOOD_THREADS)
        sched_yield();
}

static inline uint64_t
flood_end(void)
{
    uint64_t own = 0;
    flood.stop = true;
    for (int i = 0; i < FLOOD_THREADS; i++) {
        pthread_join(flood.thread[i], NULL);
        own += flood.own[i];
    }
    return own;
}

static inline void
await_written(uint64_t records)
{
    while (sampler_look().sink[0].written < records)
        sched_yield();
}

static inline uint64_t
dropped_by_sinks(const struct thole_stats *s)
{
    uint64_t dropped = 0;
    for (unsigned i = 0; i < s->nsinks; i++)
        dropped += s->sink[i].dropped;
    return dropped;
}

#endif
