/* SPDX-License-Identifier: MIT */
/* The benches' percentiles: samples that were seen, of nearest rank, whatever their order. */
#include "test.h"

#include "../../bench/hist.h"

/* 1 .. n, in an order that is neither up nor down. */
static void
fill(struct hist *h, size_t n, size_t step)
{
    cr_assert_eq(hist_init(h, n), 0);
    for (size_t i = 0; i < n; i++)
        hist_add(h, (double)(i * step % n + 1));
}

THL_TEST(hist, percentiles_are_samples_of_nearest_rank)
{
    struct hist h;
    fill(&h, 1000, 7);
    cr_assert_eq(hist_percentile(&h, 500), 500);
    cr_assert_eq(hist_percentile(&h, 990), 990);
    cr_assert_eq(hist_percentile(&h, 999), 999);
    cr_assert_eq(hist_percentile(&h, 1000), 1000);
    cr_assert_eq(hist_percentile(&h, 0), 1);
    hist_fini(&h);
}

THL_TEST(hist, few_samples_have_a_tail_too)
{
    struct hist h;
    fill(&h, 3, 2);
    cr_assert_eq(hist_percentile(&h, 500), 2);
    cr_assert_eq(hist_percentile(&h, 999), 3);
    hist_fini(&h);
}

THL_TEST(hist, nothing_has_neither_percentile_nor_mean)
{
    struct hist h;
    cr_assert_eq(hist_init(&h, 1), 0);
    cr_assert_eq(hist_percentile(&h, 500), 0);
    cr_assert_eq(hist_mean(&h), 0);
    hist_fini(&h);
}

THL_TEST(hist, the_mean_weighs_all_samples)
{
    struct hist h;
    fill(&h, 4, 1);
    h.sample[3] = 94;
    cr_assert_eq(hist_mean(&h), 25);
    hist_fini(&h);
}

THL_TEST(hist, samples_past_the_capacity_are_forgotten)
{
    struct hist h;
    fill(&h, 2, 1);
    hist_add(&h, 9);
    cr_assert_eq(h.n, 2);
    cr_assert_eq(hist_percentile(&h, 1000), 2);
    hist_fini(&h);
}

THL_TEST(hist, all_samples_of_another_are_added)
{
    struct hist a, b;
    fill(&a, 2, 1);
    fill(&b, 4, 1);
    b.n = 2;
    b.sample[0] = 7;
    hist_add_all(&b, &a);
    cr_assert_eq(b.n, 4);
    cr_assert_eq(hist_percentile(&b, 1000), 7);
    cr_assert_eq(hist_percentile(&b, 500), 2);
    hist_fini(&a);
    hist_fini(&b);
}
