/* SPDX-License-Identifier: MIT */
/*
 * Time: cheap ticks for producers, converted to wall time by the one who writes.
 *
 * Ticks are the TSC where the kernel itself trusts it, and nanoseconds of CLOCK_REALTIME elsewhere,
 * marked as such: one look at them tells how to convert them. thl_clock_init() decides, before the
 * first record. A struct thl_clock belongs to one thread.
 *
 * A test may set the clock (<thole/test.h>). Wall time then stands, and ticks are the number of the
 * setting and of the call, so that records keep their order. Monotonic time runs on, and jumps
 * where the test moves it: intervals end (back-off, once a minute, ages), but waits for something
 * that happens in this moment are measured in real time. Test: tests/system/clock.c.
 */
#ifndef THL_CLOCK_H
#define THL_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "compiler.h"

/* Whether ticks are the TSC. relaxed: both kinds say what they are. */
extern _Atomic bool thl_clock_tsc;

struct thl_clock {
    uint64_t ticks; /* the anchor: these ticks were that time */
    int64_t unix_ns;
    double ns_per_tick;
};

void thl_clock_init(void);

/* Nanoseconds since 1970, UTC; what a test has set. */
int64_t thl_clock_unix_ns(void);

/* Milliseconds of CLOCK_MONOTONIC, moved by a test: for intervals. */
int64_t thl_clock_mono_ms(void);

/* The same, some milliseconds late, and cheap. */
int64_t thl_clock_coarse_ms(void);

/* Milliseconds of CLOCK_MONOTONIC itself: for those who wait in this moment. */
int64_t thl_clock_real_ms(void);

/* now + timeout_ms on CLOCK_MONOTONIC; a negative timeout is about 30 years away. */
struct timespec thl_clock_deadline(int64_t timeout_ms);

/* The same on CLOCK_REALTIME, which is all that pthread_mutex_timedlock knows. */
struct timespec thl_clock_realtime_deadline(int64_t timeout_ms);

/* Ties ticks to the wall clock again, and measures the rate since the first anchor. */
void thl_clock_anchor(struct thl_clock *clock);

/* Wall time of a record's ticks. Anchors anew when the anchor is older than 1 ms. */
int64_t thl_clock_convert(struct thl_clock *clock, uint64_t ticks);

/* Whether they were taken while a test had set the clock: their time is exactly what it said. */
bool thl_clock_is_set_time(uint64_t ticks);

/* The moment in which ticks were taken, for intervals: the TSC itself; where ticks are not the TSC,
 * monotonic time now, moved by a test, in the same unit (thl_clock_anchor: ns_per_tick). */
uint64_t thl_clock_pace(uint64_t ticks);

/* A test's, one at a time. From 1970 to 2116; advance moves monotonic time as well, never back. */
void thl_clock_set(int64_t unix_ns);
void thl_clock_advance(int64_t ns);
void thl_clock_release(void);

/* Where ticks are not the TSC. */
uint64_t thl_clock_wall_ticks(void);

static inline uint64_t
thl_clock_ticks(void)
{
#if defined(__x86_64__)
    if (THL_LIKELY(atomic_load_explicit(&thl_clock_tsc, memory_order_relaxed)))
        return __rdtsc();
#endif
    return thl_clock_wall_ticks();
}

#endif
