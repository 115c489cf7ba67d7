/* SPDX-License-Identifier: MIT */
/* Ticks and wall time, and how a test moves them. */
#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ANCHOR_AGE_NS 1e6 /* an error of the rate counts for so long; a new anchor takes 50 ns */
#define FIRST_MEASURE_NS 100000

/* Ticks that say what they are. A TSC takes a century to come so far. */
#define WALL (UINT64_C(1) << 63) /* nanoseconds since 1970, 62 bits */
#define SET (UINT64_C(1) << 62)  /* with WALL: setting:22 | number of the call:40 */
#define CALL_BITS 40
#define SETTINGS_MAX ((UINT64_C(1) << 22) - 1)
#define KEPT 64 /* settings that records may still be on their way from */
#define LATEST_NS ((INT64_C(1) << 62) - 1)

_Atomic bool thl_clock_tsc;

/* The first anchor and the rate measured then; every later rate is measured over a longer time. */
static struct thl_clock origin;
static _Atomic bool trusted; /* the TSC; written by thl_clock_init() */

/* A test's clock. set_ns[setting % KEPT] is written before `setting` tells of it (release in
 * thl_clock_set, acquire in read_setting); the settings are counted in `settings`, by the setter.
 */
static _Atomic uint64_t setting; /* the one that holds; 0: time goes by itself */
static uint64_t settings;
static _Atomic int64_t set_ns[KEPT];
static _Atomic uint64_t set_calls; /* numbers calls: records keep their order while time stands */
static _Atomic int64_t ahead_ns;   /* of CLOCK_MONOTONIC; only grows */

static int64_t
read_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t
read_tsc(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    return 0;
#endif
}

static uint64_t
read_setting(void)
{
    return atomic_load_explicit(&setting, memory_order_acquire); /* pairs with thl_clock_set */
}

/* relaxed: ordered by the setting that names it */
static int64_t
time_of(uint64_t number)
{
    return atomic_load_explicit(&set_ns[number % KEPT], memory_order_relaxed);
}

int64_t
thl_clock_unix_ns(void)
{
    uint64_t number = read_setting();
    return number ? time_of(number) : read_ns(CLOCK_REALTIME);
}

uint64_t
thl_clock_wall_ticks(void)
{
    uint64_t number = read_setting();
    if (number == 0)
        return WALL | (uint64_t)read_ns(CLOCK_REALTIME);
    /* relaxed: unique, and rising within a thread */
    uint64_t call = atomic_fetch_add_explicit(&set_calls, 1, memory_order_relaxed);
    return WALL | SET | number << CALL_BITS | (call & ((UINT64_C(1) << CALL_BITS) - 1));
}

uint64_t
thl_clock_pace(uint64_t ticks)
{
    if (THL_LIKELY((ticks & WALL) == 0))
        return ticks;
    int64_t ns = read_ns(CLOCK_MONOTONIC) + atomic_load_explicit(&ahead_ns, memory_order_relaxed);
    return (uint64_t)((double)ns / origin.ns_per_tick); /* relaxed: a number that only grows */
}

bool
thl_clock_is_set_time(uint64_t ticks)
{
    return (ticks & (WALL | SET)) == (WALL | SET);
}

int64_t
thl_clock_real_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

/* relaxed: a number by itself, which only grows */
static int64_t
move_ahead_ms(int64_t ns)
{
    return (ns + atomic_load_explicit(&ahead_ns, memory_order_relaxed)) / 1000000;
}

int64_t
thl_clock_mono_ms(void)
{
    return move_ahead_ms(read_ns(CLOCK_MONOTONIC));
}

int64_t
thl_clock_coarse_ms(void)
{
    return move_ahead_ms(read_ns(CLOCK_MONOTONIC_COARSE));
}

static struct timespec
deadline_on(clockid_t clock, int64_t timeout_ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    if (timeout_ms < 0)
        timeout_ms = INT64_C(1000000000000);
    t.tv_sec += (time_t)(timeout_ms / 1000);
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

struct timespec
thl_clock_deadline(int64_t timeout_ms)
{
    return deadline_on(CLOCK_MONOTONIC, timeout_ms);
}

struct timespec
thl_clock_realtime_deadline(int64_t timeout_ms)
{
    return deadline_on(CLOCK_REALTIME, timeout_ms);
}

/* The kernel watches the TSC against other clocks and leaves it when it drifts: ask it. */
static bool
kernel_trusts_tsc(void)
{
    char name[8] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, name, sizeof(name) - 1);
    close(fd);
    return n >= 4 && memcmp(name, "tsc\n", 4) == 0;
}

/* Whoever changes what it follows from looks again after its own store: the last store is right. */
static void
choose_ticks(void)
{
    bool tsc;
    do {
        /* seq_cst: each of two that come here at once sees what the other has changed */
        tsc = atomic_load_explicit(&trusted, memory_order_seq_cst) &&
              atomic_load_explicit(&setting, memory_order_seq_cst) == 0;
        atomic_store_explicit(&thl_clock_tsc, tsc, memory_order_seq_cst);
    } while (tsc != (atomic_load_explicit(&trusted, memory_order_seq_cst) &&
                     atomic_load_explicit(&setting, memory_order_seq_cst) == 0));
}

static void
measure_origin(void)
{
    int64_t begin_ns, end_ns;
    uint64_t begin;
    (void)read_ns(CLOCK_MONOTONIC); /* the first call is slow, and would count as ticks */
    begin = read_tsc();
    begin_ns = read_ns(CLOCK_MONOTONIC);
    do
        end_ns = read_ns(CLOCK_MONOTONIC);
    while (end_ns - begin_ns < FIRST_MEASURE_NS);
    origin.ns_per_tick = (double)(end_ns - begin_ns) / (double)(read_tsc() - begin);
    origin.ticks = read_tsc();
    origin.unix_ns = read_ns(CLOCK_MONOTONIC); /* from here on only rates are taken from it */
}

void
thl_clock_init(void)
{
    bool tsc = false;
    if (origin.ns_per_tick > 0)
        return;
#if defined(__x86_64__)
    tsc = kernel_trusts_tsc();
#endif
    origin.ns_per_tick = 1.0;
    if (tsc)
        measure_origin();
    atomic_store_explicit(&trusted, tsc, memory_order_seq_cst); /* pairs with choose_ticks */
    choose_ticks();
}

/* Always of real time: records that were made before a test set the clock may be on their way. */
void
thl_clock_anchor(struct thl_clock *clock)
{
    clock->ns_per_tick = origin.ns_per_tick;
    clock->ticks = read_tsc();
    clock->unix_ns = read_ns(CLOCK_REALTIME);
    if (atomic_load_explicit(&trusted, memory_order_relaxed)) { /* before any other thread */
        double ns = (double)(read_ns(CLOCK_MONOTONIC) - origin.unix_ns);
        if (ns > 10e6)
            clock->ns_per_tick = ns / (double)(clock->ticks - origin.ticks);
    }
}

int64_t
thl_clock_convert(struct thl_clock *clock, uint64_t ticks)
{
    if (thl_clock_is_set_time(ticks))
        return time_of((ticks & ~(WALL | SET)) >> CALL_BITS);
    if (ticks & WALL)
        return (int64_t)(ticks & ~WALL);
    double ns = (double)(int64_t)(ticks - clock->ticks) * clock->ns_per_tick;
    if (ns > ANCHOR_AGE_NS) {
        thl_clock_anchor(clock);
        ns = (double)(int64_t)(ticks - clock->ticks) * clock->ns_per_tick;
    }
    return clock->unix_ns + (int64_t)ns;
}

/* ---- a test's clock ---- */

static int64_t
within(int64_t ns)
{
    return ns < 0 ? 0 : ns < LATEST_NS ? ns : LATEST_NS;
}

void
thl_clock_set(int64_t unix_ns)
{
    settings = settings % SETTINGS_MAX + 1;
    atomic_store_explicit(&set_ns[settings % KEPT], within(unix_ns),
                          memory_order_relaxed);                     /* then the next */
    atomic_store_explicit(&setting, settings, memory_order_seq_cst); /* pairs with read_setting */
    choose_ticks();
}

void
thl_clock_advance(int64_t ns)
{
    /* relaxed: one setter, and a number by itself */
    int64_t ahead = atomic_load_explicit(&ahead_ns, memory_order_relaxed);
    ns = within(ns);
    atomic_store_explicit(&ahead_ns, ahead < LATEST_NS - ns ? ahead + ns : LATEST_NS,
                          memory_order_relaxed);
    int64_t now = thl_clock_unix_ns();
    thl_clock_set(now < LATEST_NS - ns ? now + ns : LATEST_NS);
}

void
thl_clock_release(void)
{
    atomic_store_explicit(&setting, 0, memory_order_seq_cst); /* as in thl_clock_set */
    choose_ticks();
}
