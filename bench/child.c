/* SPDX-License-Identifier: MIT */
/*
 * What does a child logger cost: made with five fields, logged through once, dropped?
 *
 *     cycle.THREADS         all three, in batches of 20 with a pause, so that the queue is never
 * full create_drop.THREADS   no record; `scaling` is the rate of all threads over the rate of one
 *     live.CHILDREN         cycle.1 while so many others are alive
 *     held.CHILDREN         resident bytes that each of so many live children takes
 *
 * Floors: a counted copy of the same bytes from malloc(), and for a cycle the ring of floor.h.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"
#include "floor.h"
#include "workload.h"

#define BATCH 20
#define BATCHES 2500
#define PAUSE_US 50
#define FLUSH_EVERY 100 /* batches: where the writer gets no core for long the queue would fill */
#define PAIRS 50000     /* create_drop, of each thread and turn */
#define TURNS 7
#define LIMITS "children=1044480"
#define RECORD_BYTES (16 + 8 + WORK_BYTES_CONTEXT) /* one number beside the context */

#define THREADS 64

struct job {
    struct hist hist[THREADS]; /* of ns a cycle, of each batch */
    struct floor floor;
};

/* ---- thole ---- */

static void
cycle(thole_logger net, uint64_t i)
{
    thole_logger lg;
    thole_child(&lg, net, WORK_CONTEXT(i));
    thole_info(lg, "request done", "status", 200);
    thole_unref(&lg);
}

static void
cycle_all(unsigned thread, void *arg)
{
    struct job *job = arg;
    thole_logger net = thole_get(WORK_NAME);
    for (uint64_t i = 0; i < BATCHES; i++) {
        int64_t from = bench_now_ns();
        for (uint64_t k = 0; k < BATCH; k++)
            cycle(net, i * BATCH + k + thread);
        hist_add(&job->hist[thread], (double)(bench_now_ns() - from) / BATCH);
        if (i % FLUSH_EVERY == FLUSH_EVERY - 1)
            thole_flush(60000);
        bench_pause_us(PAUSE_US);
    }
}

static void
create_and_drop(unsigned thread, void *arg)
{
    thole_logger net = thole_get(WORK_NAME);
    (void)arg;
    for (unsigned i = 0; i < PAIRS; i++) {
        thole_logger lg;
        thole_child(&lg, net, WORK_CONTEXT(i + thread));
        thole_unref(&lg);
    }
}

/* ---- floors ---- */

struct copy {
    _Atomic unsigned refs;
    unsigned char bytes[WORK_BYTES_CONTEXT];
};

static const unsigned char context[RECORD_BYTES] = {1, 2, 3};

static struct copy *
make_copy(void)
{
    struct copy *c = malloc(sizeof(*c));
    if (!c)
        bench_die("no memory");
    atomic_store_explicit(&c->refs, 1, memory_order_relaxed); /* nobody else knows it yet */
    memcpy(c->bytes, context, sizeof(c->bytes));
    BENCH_KEEP(c);
    return c;
}

static void
drop_copy(struct copy *c)
{
    /* acq_rel: with the other holders', as any count would have to */
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        free(c);
}

static void
cycle_floor(unsigned thread, void *arg)
{
    struct job *job = arg;
    for (uint64_t i = 0; i < BATCHES; i++) {
        int64_t from = bench_now_ns();
        for (uint64_t k = 0; k < BATCH; k++) {
            struct copy *c = make_copy();
            floor_push(&job->floor.ring[thread], context, RECORD_BYTES);
            drop_copy(c);
        }
        hist_add(&job->hist[thread], (double)(bench_now_ns() - from) / BATCH);
        bench_pause_us(PAUSE_US);
    }
}

static void
create_and_drop_floor(unsigned thread, void *arg)
{
    (void)thread;
    (void)arg;
    for (unsigned i = 0; i < PAIRS; i++)
        drop_copy(make_copy());
}

/* ---- cases ---- */

/* The median of all batches, which what else the machine does leaves alone; and their mean, for the
 * peers with a garbage collector, whose part is only in that. */
static void
end_cycles(struct job *job, const char *subject, unsigned threads)
{
    struct hist all;
    bench_end_hists(&all, job->hist, threads, BATCHES);
    bench_row(subject, "ns", hist_percentile(&all, 500), "ns");
    bench_row(subject, "ns_mean", hist_mean(&all), "ns");
    hist_fini(&all);
}

static void
run_cycle(struct job *job, unsigned threads)
{
    uint64_t calls = (uint64_t)threads * BATCH * BATCHES;
    bench_start("file:/dev/null", LIMITS);
    bench_begin_hists(job->hist, threads, BATCHES);
    bench_threads(threads, cycle_all, job);
    end_cycles(job, "thole", threads);
    bench_stop(calls);
    floor_start(&job->floor, threads);
    bench_begin_hists(job->hist, threads, BATCHES);
    bench_threads(threads, cycle_floor, job);
    floor_stop(&job->floor, calls);
    end_cycles(job, "floor", threads);
}

/* One and all in turn, so that both meet with the same weather; medians. */
static void
rate(const char *subject, unsigned threads, void (*pairs)(unsigned thread, void *arg))
{
    struct hist alone, all;
    if (hist_init(&alone, TURNS) < 0 || hist_init(&all, TURNS) < 0)
        bench_die("no memory");
    for (unsigned i = 0; i < TURNS; i++) {
        hist_add(&alone, (double)bench_threads(1, pairs, NULL) / PAIRS);
        hist_add(&all, (double)bench_threads(threads, pairs, NULL) / PAIRS);
    }
    double one = hist_percentile(&alone, 500), each = hist_percentile(&all, 500);
    bench_row(subject, "ns", each, "ns");
    bench_row(subject, "scaling", threads * one / each, "times");
    hist_fini(&alone);
    hist_fini(&all);
}

static void
run_create_drop(unsigned threads)
{
    bench_start("null:", LIMITS);
    bench_threads(threads, create_and_drop, NULL); /* memory and queues taken */
    rate("thole", threads, create_and_drop);
    bench_stop(0);
    rate("floor", threads, create_and_drop_floor);
}

static thole_logger *
make_children(unsigned n)
{
    thole_logger net = thole_get(WORK_NAME), *lg = calloc(n, sizeof(*lg));
    if (!lg)
        bench_die("no memory");
    memset(lg, 1, n * sizeof(*lg)); /* so that it is resident */
    int64_t before = bench_resident_now();
    for (unsigned i = 0; i < n; i++)
        thole_child(&lg[i], net, WORK_CONTEXT(i));
    bench_row("thole", "bytes", (double)(bench_resident_now() - before) / n, "bytes");
    struct thole_stats s = {.size = sizeof(s)};
    thole_stats(&s);
    if (s.children != n)
        bench_die("%u children were made, %llu live", n, (unsigned long long)s.children);
    return lg;
}

static void
drop_children(thole_logger *lg, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        thole_unref(&lg[i]);
    free(lg);
}

static void
run_live(struct job *job, unsigned n, bool cycles)
{
    bench_start(cycles ? "file:/dev/null" : "null:", LIMITS);
    thole_logger *lg = make_children(n);
    if (cycles) {
        bench_begin_hists(job->hist, 1, BATCHES);
        bench_threads(1, cycle_all, job);
        end_cycles(job, "thole", 1);
    }
    drop_children(lg, n);
    bench_stop(cycles ? BATCH * BATCHES : 0);
}

static void
run(const char *name)
{
    static struct job job;
    unsigned n = bench_part_number(name, 1);
    if (n < 1 || (n > THREADS && bench_part_is(name, 0, "cycle")))
        bench_die("no such number");
    if (bench_part_is(name, 0, "cycle"))
        run_cycle(&job, n);
    else if (bench_part_is(name, 0, "create_drop"))
        run_create_drop(n);
    else
        run_live(&job, n, bench_part_is(name, 0, "live"));
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"cycle.#",     "create_drop.#", "live.1000", "live.1000000",
                                        "held.100000", "held.1000000",  NULL};
    const struct bench bench = {
        .question = "child", .cases = cases, .counts = {1, bench_cores()}, .run = run};
    return bench_main(argc, argv, &bench);
}
