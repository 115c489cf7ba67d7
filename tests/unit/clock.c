/* SPDX-License-Identifier: MIT */
/* Ticks, wall time, and the clock that a test sets. */
#include "test.h"

#include "clock.h"

#define SECOND INT64_C(1000000000)
#define THEN (INT64_C(1795352041) * SECOND + 123456789)

static struct thl_clock
make_clock(void)
{
    struct thl_clock clock;

    thl_clock_init();
    thl_clock_anchor(&clock);
    return clock;
}

static int64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

THL_TEST(clock, ticks_become_the_time_at_which_they_were_taken)
{
    struct thl_clock clock = make_clock();
    int64_t before = now_ns(), taken = thl_clock_convert(&clock, thl_clock_ticks()),
            after = now_ns();

    cr_expect(taken > before - SECOND / 1000 && taken < after + SECOND / 1000);
    cr_expect_not(thl_clock_is_set_time(thl_clock_ticks()));
}

THL_TEST(clock, set_stands_and_its_ticks_rise_all_the_same)
{
    struct thl_clock clock = make_clock();
    uint64_t last = 0;

    thl_clock_set(THEN);
    cr_expect_eq(thl_clock_unix_ns(), THEN);
    for (int i = 0; i < 1000; i++) {
        uint64_t ticks = thl_clock_ticks();

        cr_assert(ticks > last && thl_clock_is_set_time(ticks));
        cr_assert_eq(thl_clock_convert(&clock, ticks), THEN);
        last = ticks;
    }
}

THL_TEST(clock, ticks_of_before_keep_their_time_when_it_is_set_moved_and_released)
{
    struct thl_clock clock = make_clock();
    uint64_t real = thl_clock_ticks(), first, second;
    int64_t before = now_ns();

    thl_clock_set(THEN);
    first = thl_clock_ticks();
    thl_clock_set(THEN - 5 * SECOND);
    second = thl_clock_ticks();
    thl_clock_release();
    cr_expect_lt(llabs(thl_clock_convert(&clock, real) - before), SECOND);
    cr_expect_eq(thl_clock_convert(&clock, first), THEN);
    cr_expect_eq(thl_clock_convert(&clock, second), THEN - 5 * SECOND);
    cr_expect(first < second, "in the order of the calls");
    cr_expect_lt(llabs(thl_clock_unix_ns() - now_ns()), SECOND);
    cr_expect_lt(llabs(thl_clock_convert(&clock, thl_clock_ticks()) - now_ns()), SECOND);
}

THL_TEST(clock, anchor_taken_while_it_is_set_is_of_real_time)
{
    struct thl_clock clock = make_clock();
    uint64_t real = thl_clock_ticks();

    thl_clock_set(THEN);
    thl_clock_anchor(&clock);
    cr_expect_lt(llabs(thl_clock_convert(&clock, real) - now_ns()), SECOND);
}

THL_TEST(clock, set_before_init_is_set_after_it)
{
    struct thl_clock clock;

    thl_clock_set(THEN);
    clock = make_clock();
    cr_expect_eq(thl_clock_convert(&clock, thl_clock_ticks()), THEN);
    thl_clock_release();
    cr_expect_lt(llabs(thl_clock_convert(&clock, thl_clock_ticks()) - now_ns()), SECOND);
}

THL_TEST(clock, advance_moves_wall_time_and_intervals_but_no_deadline)
{
    int64_t mono, coarse, real, deadline;

    thl_clock_set(THEN);
    mono = thl_clock_mono_ms();
    coarse = thl_clock_coarse_ms();
    real = thl_clock_real_ms();
    thl_clock_advance(3600 * SECOND + 1);
    deadline = thl_clock_deadline(0).tv_sec * INT64_C(1000);
    cr_expect_eq(thl_clock_unix_ns(), THEN + 3600 * SECOND + 1);
    cr_expect_geq(thl_clock_mono_ms(), mono + 3600 * 1000);
    cr_expect_geq(thl_clock_coarse_ms(), coarse + 3600 * 1000);
    cr_expect_lt(thl_clock_real_ms(), real + 60 * 1000);
    cr_expect_lt(deadline, real + 60 * 1000);
    thl_clock_release();
    cr_expect_geq(thl_clock_mono_ms(), mono + 3600 * 1000, "never back");
}

THL_TEST(clock, advance_of_a_clock_that_goes_sets_it_from_its_own_time)
{
    int64_t before = now_ns();

    thl_clock_advance(3600 * SECOND);
    cr_expect_geq(thl_clock_unix_ns(), before + 3600 * SECOND);
    cr_expect_eq(thl_clock_unix_ns(), thl_clock_unix_ns());
}

THL_TEST(clock, beyond_its_ends_it_stays_at_them)
{
    const int64_t latest = (INT64_C(1) << 62) - 1;
    int64_t mono = thl_clock_mono_ms();

    thl_clock_set(-1);
    cr_expect_eq(thl_clock_unix_ns(), 0);
    thl_clock_advance(-5 * SECOND);
    cr_expect_eq(thl_clock_unix_ns(), 0);
    thl_clock_set(INT64_MAX);
    cr_expect_eq(thl_clock_unix_ns(), latest);
    for (int i = 0; i < 4; i++)
        thl_clock_advance(INT64_MAX);
    cr_expect_eq(thl_clock_unix_ns(), latest);
    cr_expect_gt(thl_clock_mono_ms(), mono);
}
