/* SPDX-License-Identifier: MIT */
/*
 * Time: cheap ticks for producers, converted to wall time by the one who writes.
 *
 * Ticks are the TSC where the kernel itself trusts it, and nanoseconds of CLOCK_REALTIME elsewhere.
 * thl_clock_init() decides, once, before the first record. A struct thl_clock belongs to one
 * thread.
 */
#ifndef THL_CLOCK_H
#define THL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

extern bool thl_clock_tsc; /* written by thl_clock_init() before any other thread reads it */

struct thl_clock {
    uint64_t ticks; /* the anchor: these ticks were that time */
    int64_t unix_ns;
    double ns_per_tick;
};

void thl_clock_init(void);

/* Nanoseconds since 1970, UTC. */
int64_t thl_clock_unix_ns(void);

/* Milliseconds of CLOCK_MONOTONIC: for deadlines and intervals. */
int64_t thl_clock_mono_ms(void);

/* The same, some milliseconds late, and cheap. */
int64_t thl_clock_coarse_ms(void);

/* now + timeout_ms on CLOCK_MONOTONIC; a negative timeout is about 30 years away. */
struct timespec thl_clock_deadline(int64_t timeout_ms);

/* The same on CLOCK_REALTIME, which is all that pthread_mutex_timedlock knows. */
struct timespec thl_clock_realtime_deadline(int64_t timeout_ms);

/* Ties ticks to the wall clock again, and measures the rate since the first anchor. */
void thl_clock_anchor(struct thl_clock *clock);

/* Wall time of a record's ticks. Anchors anew when the anchor is older than 1 ms. */
int64_t thl_clock_convert(struct thl_clock *clock, uint64_t ticks);

static inline uint64_t
thl_clock_ticks(void)
{
#if defined(__x86_64__)
    if (thl_clock_tsc)
        return __rdtsc();
#endif
    return (uint64_t)thl_clock_unix_ns();
}

#endif
