/* SPDX-License-Identifier: MIT */
/* Ticks and wall time. */
#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ANCHOR_AGE_NS 1e6 /* an error of the rate counts for so long; a new anchor takes 50 ns */
#define FIRST_MEASURE_NS 100000

bool thl_clock_tsc;

/* The first anchor and the rate measured then; every later rate is measured over a longer time. */
static struct thl_clock origin;

int64_t
thl_clock_unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t
mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t
thl_clock_mono_ms(void)
{
    return mono_ns() / 1000000;
}

int64_t
thl_clock_coarse_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
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

void
thl_clock_init(void)
{
    int64_t begin_ns, end_ns;
    if (origin.ns_per_tick > 0)
        return;
#if defined(__x86_64__)
    thl_clock_tsc = kernel_trusts_tsc();
#endif
    origin.ns_per_tick = 1.0;
    if (!thl_clock_tsc)
        return;
    (void)mono_ns(); /* the first call is slow, and would count as ticks */
    origin.ticks = thl_clock_ticks();
    begin_ns = mono_ns();
    do
        end_ns = mono_ns();
    while (end_ns - begin_ns < FIRST_MEASURE_NS);
    origin.ns_per_tick = (double)(end_ns - begin_ns) / (double)(thl_clock_ticks() - origin.ticks);
    origin.ticks = thl_clock_ticks();
    origin.unix_ns = mono_ns(); /* from here on only rates are taken from the origin */
}

void
thl_clock_anchor(struct thl_clock *clock)
{
    clock->ns_per_tick = origin.ns_per_tick;
    clock->ticks = thl_clock_ticks();
    clock->unix_ns = thl_clock_unix_ns();
    if (thl_clock_tsc) {
        double ns = (double)(mono_ns() - origin.unix_ns);
        if (ns > 10e6)
            clock->ns_per_tick = ns / (double)(clock->ticks - origin.ticks);
    }
}

int64_t
thl_clock_convert(struct thl_clock *clock, uint64_t ticks)
{
    if (!thl_clock_tsc)
        return (int64_t)ticks;
    double ns = (double)(int64_t)(ticks - clock->ticks) * clock->ns_per_tick;
    if (ns > ANCHOR_AGE_NS) {
        thl_clock_anchor(clock);
        ns = (double)(int64_t)(ticks - clock->ticks) * clock->ns_per_tick;
    }
    return clock->unix_ns + (int64_t)ns;
}
