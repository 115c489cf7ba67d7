/* SPDX-License-Identifier: MIT */
/* What does a call cost whose level is off? */
#include "bench.h"

#define CALLS UINT64_C(30000000)

static double
measure_floor(void)
{
    int64_t from = bench_now_ns();
    for (uint64_t i = 0; i < CALLS; i++)
        BENCH_KEEP(i);
    return (double)(bench_now_ns() - from) / (double)CALLS;
}

static double
measure_thole(thole_logger lg)
{
    int64_t from = bench_now_ns();
    for (uint64_t i = 0; i < CALLS; i++) {
        thole_debug(lg, "off", "i", i);
        BENCH_KEEP(i);
    }
    return (double)(bench_now_ns() - from) / (double)CALLS;
}

static void
run(const char *name)
{
    (void)name;
    bench_start("null:", NULL);
    bench_pin(0);
    bench_row("floor", "ns", measure_floor(), "ns");
    bench_row("thole", "ns", measure_thole(thole_get("bench")), "ns");
    bench_stop(0);
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"off", NULL};
    static const struct bench bench = {.question = "off", .cases = cases, .run = run};
    return bench_main(argc, argv, &bench);
}
