/* SPDX-License-Identifier: MIT */
/* For plain programs with threads, which thread sanitizers can run: a claim fails the program. */
#ifndef THL_RACE_CHECK_H
#define THL_RACE_CHECK_H

#include "sampler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <thole/thole.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#elif __has_feature(address_sanitizer)
#define UNDER_ASAN true
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN false
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN false
#endif

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static inline int64_t
mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* How long a storm lasts: milliseconds in the first argument, or `usual`. */
static inline int64_t
duration_ms(int argc, char **argv, int64_t usual)
{
    return argc > 1 ? strtol(argv[1], NULL, 10) : usual;
}

/* Both identities, in any snapshot; its counts. */
static inline struct thole_stats
check_identities(void)
{
    return sampler_look();
}

/* Starts with these sinks and limits, whatever the environment says. */
static inline void
start_with(const char *sinks, const char *limits)
{
    struct thole_options opt = {.size = sizeof(opt),
                                .sinks = sinks,
                                .limits = limits,
                                .flags = THOLE_NO_ENV | THOLE_STRICT};
    CHECK(thole_start(&opt) == 0);
}

#endif
