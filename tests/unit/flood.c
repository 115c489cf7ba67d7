/* SPDX-License-Identifier: MIT */
/* Buckets of call sites and loggers, on a clock of the test's own: who passes, and what is owed. */
#include "test.h"

#include "clock.h"
#include "emit.h"
#include "flood.h"
#include "site.h"

enum { SITES = 1000 };

static uint64_t now = UINT64_C(1) << 40; /* ticks */

static void
limit(uint32_t rate, uint32_t burst, enum thole_level below)
{
    struct thl_limits limits;
    (void)thole_get_level((thole_logger){0}); /* the configuration, which would come in between */
    thl_config_limits_default(&limits);
    limits.sites = SITES;
    limits.site_rate = rate;
    limits.site_burst = burst;
    limits.site_below = below;
    cr_assert_eq(thl_flood_apply(&limits), 0);
}

static struct thl_emission
emission_of(thole_logger lg, uint32_t site)
{
    return (struct thl_emission){
        .lg = lg, .site = site, .level = THOLE_INFO, .file = "", .msg = "", .ticks = now};
}

static unsigned
count_passing(thole_logger lg, uint32_t site, unsigned calls)
{
    unsigned passed = 0;
    for (unsigned i = 0; i < calls; i++) {
        struct thl_emission e = emission_of(lg, site);
        passed += thl_flood_admit(&e);
    }
    return passed;
}

/* What the next record, which must pass, announces. */
static uint32_t
announced_by_next(thole_logger lg, uint32_t site)
{
    struct thl_emission e = emission_of(lg, site);
    cr_expect(thl_flood_admit(&e));
    return e.suppressed;
}

static uint64_t
suppressed(void)
{
    return atomic_load(&thl_emit_ledger.suppressed);
}

static void
pass_time(unsigned periods)
{
    now += periods * atomic_load(&thl_flood_rate.period);
}

static const thole_logger root = {0};

THL_TEST(flood, burst_passes_and_then_one_record_a_period)
{
    limit(10, 5, THOLE_ERROR);
    cr_expect_eq(count_passing(root, 1, 100), 5u);
    cr_expect_eq(suppressed(), 95u);
    pass_time(1);
    cr_expect_eq(count_passing(root, 1, 100), 1u);
    pass_time(3);
    cr_expect_eq(count_passing(root, 1, 100), 3u);
    pass_time(1000);
    cr_expect_eq(count_passing(root, 1, 100), 5u, "no more than the burst is saved up");
    now -= atomic_load(&thl_flood_rate.period) - 1;
    cr_expect_eq(count_passing(root, 1, 100), 0u);
}

THL_TEST(flood, next_record_announces_what_was_suppressed_once)
{
    limit(10, 1, THOLE_ERROR);
    cr_expect_eq(announced_by_next(root, 1), 0u);
    cr_expect_eq(count_passing(root, 1, 41), 0u);
    cr_expect(thl_flood_has_unsaid());
    pass_time(1);
    cr_expect_eq(announced_by_next(root, 1), 41u);
    cr_expect_not(thl_flood_has_unsaid());
    pass_time(1);
    cr_expect_eq(announced_by_next(root, 1), 0u);
}

THL_TEST(flood, each_call_site_and_each_logger_has_a_bucket_of_its_own)
{
    thole_logger child[2], copy;
    limit(10, 5, THOLE_ERROR);
    thole_child(&child[0], root, "conn", 1);
    thole_child(&child[1], root, "conn", 2);
    cr_expect_eq(count_passing(child[0], 1, 100), 5u);
    cr_expect_eq(count_passing(child[1], 1, 100), 5u);
    cr_expect_eq(count_passing(child[0], 2, 100), 5u);
    cr_expect_eq(count_passing(root, 1, 100), 5u);
    cr_expect_eq(count_passing(thole_get("net"), 1, 100), 5u);
    copy = child[0];
    thole_unref(&child[0]);
    thole_unref(&child[1]);
    cr_expect_eq(count_passing(copy, 1, 100), 0u, "a stale handle is its named logger's");
}

THL_TEST(flood, stale_use_is_counted_also_when_it_is_suppressed)
{
    struct thole_stats s = {.size = sizeof(s)};
    thole_logger child, copy;
    limit(10, 1, THOLE_ERROR);
    thole_child(&child, root);
    copy = child;
    thole_unref(&child);
    cr_expect_eq(count_passing(copy, 1, 10), 1u);
    thole_stats(&s);
    cr_expect_eq(s.stale, 10u);
}

THL_TEST(flood, levels_from_below_up_have_no_limit)
{
    struct thl_emission e;
    limit(10, 1, THOLE_ERROR);
    for (int i = 0; i < 100; i++) {
        e = emission_of(root, 1);
        e.level = THOLE_ERROR;
        cr_expect(thl_flood_admit(&e));
    }
    limit(10, 1, THOLE_OFF);
    e = emission_of(root, 2);
    e.level = THOLE_EMERG;
    cr_expect(thl_flood_admit(&e));
    cr_expect_not(thl_flood_admit(&e));
    limit(10, 1, THOLE_TRACE);
    cr_expect_eq(count_passing(root, 3, 10), 10u);
}

THL_TEST(flood, record_without_a_number_is_limited_by_its_place_or_not_at_all)
{
    static const char file[] = "f.c";
    limit(10, 2, THOLE_ERROR);
    unsigned passed[3] = {0};
    for (unsigned i = 0; i < 60; i++) {
        struct thl_emission e = emission_of(root, 0);
        e.file = file;
        e.file_size = i % 3 ? 3 : 0;
        e.line = i % 3;
        passed[i % 3] += thl_flood_admit(&e);
    }
    cr_expect_eq(passed[0], 20u, "without a place");
    cr_expect_eq(passed[1], 2u);
    cr_expect_eq(passed[2], 2u);
}

THL_TEST(flood, clock_that_was_set_back_silences_nobody)
{
    limit(10, 5, THOLE_ERROR);
    cr_expect_eq(count_passing(root, 1, 100), 5u);
    now -= 10 * atomic_load(&thl_flood_rate.second);
    cr_expect_eq(count_passing(root, 1, 100), 5u);
    pass_time(1);
    cr_expect_eq(count_passing(root, 1, 100), 1u, "and goes on from there");
}

THL_TEST(flood, what_a_dropped_record_would_have_announced_is_announced_later)
{
    limit(10, 1, THOLE_ERROR);
    count_passing(root, 1, 31);
    pass_time(1);
    struct thl_emission e = emission_of(root, 1);
    cr_assert(thl_flood_admit(&e));
    cr_expect_eq(e.suppressed, 30u);
    cr_expect_not(thl_flood_has_unsaid());
    thl_flood_give_back(&e);
    cr_expect_eq(e.suppressed, 0u);
    cr_expect(thl_flood_has_unsaid());
    count_passing(root, 1, 4);
    pass_time(1);
    cr_expect_eq(announced_by_next(root, 1), 34u);
}

THL_TEST(flood, queued_record_that_is_discarded_leaves_its_count_to_its_call_site)
{
    struct thl_record record = {.site = 7, .suppressed = 12};
    limit(10, 1, THOLE_ERROR);
    atomic_fetch_add(&thl_emit_ledger.suppressed, 12);
    thl_flood_give_back_record(&record);
    cr_expect_eq(thl_flood_look(7), 12u);
    cr_expect_eq(thl_flood_take(7), 12u);
    cr_expect_eq(thl_flood_look(7), 0u);
}

/* ---- more call sites than buckets ---- */

static uint64_t
sum_aside(uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t site = 0; site < n; site++)
        sum += thl_flood_look(site);
    return sum;
}

THL_TEST(flood, counts_are_exact_when_buckets_are_taken_over)
{
    enum { LOGGERS = 40, ROUNDS = 2 }; /* 40,000 owners of 8,192 buckets */
    thole_logger lg[LOGGERS];
    uint64_t announced = 0;
    limit(1, 1, THOLE_ERROR);
    for (int i = 0; i < LOGGERS; i++)
        thole_child(&lg[i], root, "i", i);
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t site = 1; site <= SITES; site++)
            for (int i = 0; i < LOGGERS; i++)
                for (unsigned call = 0; call < 1 + site % 3; call++) {
                    struct thl_emission e = emission_of(lg[i], site);
                    now++;
                    if (thl_flood_admit(&e))
                        announced += e.suppressed;
                }
    thl_flood_collect(true);
    for (uint32_t site = 1; site <= SITES; site++)
        cr_assert_eq(thl_flood_look(site), (site % 3) * LOGGERS * ROUNDS, "site %u: %llu", site,
                     (unsigned long long)thl_flood_look(site));
    cr_expect_eq(announced, 0u, "each was new when it came");
    cr_expect_eq(sum_aside(SITES + 1), suppressed());
    for (int i = 0; i < LOGGERS; i++)
        thole_unref(&lg[i]);
}

THL_TEST(flood, call_site_past_the_table_is_counted_with_those_that_have_no_number)
{
    limit(10, 1, THOLE_ERROR);
    count_passing(root, SITES + 1, 11);
    count_passing(root, UINT32_MAX, 21);
    thl_flood_collect(true);
    cr_expect_eq(thl_flood_look(0), 30u);
}

THL_TEST(flood, debt_that_is_full_moves_aside)
{
    enum { MOST = (1 << 26) - 1 };
    limit(10, 1, THOLE_ERROR);
    count_passing(root, 5, 1);
    for (int i = 0; i < 3; i++) {
        struct thl_emission e = emission_of(root, 5);
        e.suppressed = MOST;
        thl_flood_give_back(&e);
    }
    cr_expect_eq(thl_flood_look(5), 2u * MOST);
    pass_time(1);
    cr_expect_eq(announced_by_next(root, 5), (uint32_t)MOST);
}

THL_TEST(flood, has_ended_when_a_token_lay_there_for_a_minute)
{
    limit(10, 5, THOLE_ERROR);
    now = thl_clock_ticks();
    count_passing(root, 1, 25);
    thl_flood_collect(false);
    cr_expect_eq(thl_flood_look(1), 0u);
    now -= 59 * atomic_load(&thl_flood_rate.second);
    count_passing(root, 2, 25);
    thl_flood_collect(false);
    cr_expect_eq(thl_flood_look(2), 0u);
    now -= 3 * atomic_load(&thl_flood_rate.second);
    count_passing(root, 3, 25);
    thl_flood_collect(false);
    cr_expect_eq(thl_flood_look(3), 20u);
    cr_expect_eq(thl_flood_look(1) + thl_flood_look(2), 0u);
}

THL_TEST(flood, child_process_begins_at_nothing_and_keeps_the_rate)
{
    limit(10, 1, THOLE_ERROR);
    count_passing(root, 1, 100);
    thl_flood_collect(true);
    count_passing(root, 1, 100);
    thl_flood_end();
    cr_expect_not(thl_flood_is_on());
    thl_flood_after_fork();
    cr_expect(thl_flood_is_on());
    thl_flood_collect(true);
    cr_expect_eq(thl_flood_look(1), 0u);
    cr_expect_eq(announced_by_next(root, 1), 0u);
}
