/* SPDX-License-Identifier: MIT */
/*
 * What does a call cost whose level is off?
 *
 * The floor is the loop without the call. Both in turns, one after the other; medians.
 */
#include "bench.h"

#define CALLS 1000000 /* of a turn */
#define TURNS 25

static double
turn_of_floor(void)
{
    int64_t from = bench_now_ns();
    for (uint64_t i = 0; i < CALLS; i++)
        BENCH_KEEP(i);
    return (double)(bench_now_ns() - from) / CALLS;
}

static double
turn_of_thole(thole_logger lg)
{
    int64_t from = bench_now_ns();
    for (uint64_t i = 0; i < CALLS; i++) {
        thole_debug(lg, "off", "i", i);
        BENCH_KEEP(i);
    }
    return (double)(bench_now_ns() - from) / CALLS;
}

static void
run(const char *name)
{
    struct hist floor, thole;
    (void)name;
    if (hist_init(&floor, TURNS) < 0 || hist_init(&thole, TURNS) < 0)
        bench_die("no memory");
    bench_start("null:", NULL);
    bench_pin(0);
    thole_logger lg = thole_get("bench");
    for (unsigned i = 0; i < TURNS; i++) {
        hist_add(&floor, turn_of_floor());
        hist_add(&thole, turn_of_thole(lg));
    }
    bench_row("floor", "ns", hist_percentile(&floor, 500), "ns");
    bench_row("thole", "ns", hist_percentile(&thole, 500), "ns");
    bench_stop(0);
    hist_fini(&floor);
    hist_fini(&thole);
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"off", NULL};
    static const struct bench bench = {.question = "off", .cases = cases, .run = run};
    return bench_main(argc, argv, &bench);
}
