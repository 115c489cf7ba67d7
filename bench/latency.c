/* SPDX-License-Identifier: MIT */
/*
 * How long does a call take that is logged, when the queue is never full?
 *
 *     FIELDS.LOGGER.THREADS    0, 3, 3s or 10 fields (workload.h); a named logger, or a child with
 *                              five fields of context; so many threads at once
 *
 * Batches of 20 calls are timed together, then a pause of 100 us. Records go, as JSON and with all
 * limits at their defaults, to the character device /dev/null through the `file:` sink, that is
 * through every stage including write(2). The ledger says that it took them.
 */
#include <stdlib.h>

#include "bench.h"
#include "floor.h"
#include "workload.h"

#define BATCH 20
#define BATCHES 2000 /* timed, of each thread */
#define WARM 1000    /* before them: the ring has been used all round */
#define PAUSE_US 100
/* Batches between two flushes: without a pause, and where the writer gets no core for long, the
 * queue would fill. */
#define FLUSH_WARM 20
#define FLUSH_EVERY 100
#define THREADS 64

typedef void (*burst_fn)(thole_logger lg, uint64_t i);

static void
burst_0(thole_logger lg, uint64_t i)
{
    for (uint64_t end = i + BATCH; i < end; i++)
        thole_info(lg, "no fields");
}

static void
burst_3(thole_logger lg, uint64_t i)
{
    for (uint64_t end = i + BATCH; i < end; i++)
        thole_info(lg, "three numbers", WORK_3(i));
}

static void
burst_3s(thole_logger lg, uint64_t i)
{
    for (uint64_t end = i + BATCH; i < end; i++)
        thole_info(lg, "a string and two integers", WORK_3S(i));
}

static void
burst_10(thole_logger lg, uint64_t i)
{
    for (uint64_t end = i + BATCH; i < end; i++)
        thole_info(lg, "ten fields", WORK_10(i));
}

static const struct work {
    const char *name;
    burst_fn burst;
    uint32_t bytes;
} works[] = {
    {"0", burst_0, WORK_BYTES_0},
    {"3", burst_3, WORK_BYTES_3},
    {"3s", burst_3s, WORK_BYTES_3S},
    {"10", burst_10, WORK_BYTES_10},
};

struct job {
    const struct work *work;
    uint32_t bytes; /* the floor's */
    bool child;
    struct hist hist[THREADS]; /* of ticks a call */
    struct floor floor;
};

static const struct work *
find_work(const char *name)
{
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        if (bench_part_is(name, 0, works[i].name))
            return &works[i];
    bench_die("no such number of fields");
}

static void
measure_thole(unsigned thread, void *arg)
{
    struct job *job = arg;
    thole_logger lg = thole_get(WORK_NAME);
    if (job->child)
        thole_child(&lg, lg, WORK_CONTEXT(thread));
    for (uint64_t i = 0; i < WARM + BATCHES; i++) {
        uint64_t from = bench_ticks();
        job->work->burst(lg, i * BATCH);
        uint64_t took = bench_ticks() - from;
        if (i >= WARM)
            hist_add(&job->hist[thread], (double)took / BATCH);
        if ((i + 1) % (i < WARM ? FLUSH_WARM : FLUSH_EVERY) == 0)
            thole_flush(60000);
        if (i >= WARM)
            bench_pause_us(PAUSE_US);
    }
    thole_unref(&lg);
}

static void
measure_floor(unsigned thread, void *arg)
{
    struct job *job = arg;
    static const unsigned char payload[512] = {1, 2, 3};
    struct floor_ring *ring = &job->floor.ring[thread];
    for (uint64_t i = 0; i < WARM + BATCHES; i++) {
        uint64_t from = bench_ticks();
        for (unsigned k = 0; k < BATCH; k++)
            floor_push(ring, payload, job->bytes);
        uint64_t took = bench_ticks() - from;
        if (i >= WARM)
            hist_add(&job->hist[thread], (double)took / BATCH);
        bench_pause_us(i >= WARM ? PAUSE_US : 2);
    }
}

/* All threads' samples are as good as each other. */
static void
end_job(struct job *job, const char *subject, unsigned threads)
{
    struct hist all;
    bench_end_hists(&all, job->hist, threads, BATCHES);
    const double ns = bench_ns_per_tick();
    for (size_t i = 0; i < all.n; i++)
        all.sample[i] *= ns;
    bench_row_percentiles(subject, &all);
    hist_fini(&all);
}

static void
run(const char *name)
{
    static struct job job;
    unsigned threads = bench_part_number(name, 2);
    if (threads < 1 || threads > THREADS)
        bench_die("1 to %d threads", THREADS);
    job.work = find_work(name);
    job.child = bench_part_is(name, 1, "child");
    job.bytes = job.work->bytes + (job.child ? WORK_BYTES_CONTEXT : 0);

    bench_begin_hists(job.hist, threads, BATCHES);
    bench_start("file:/dev/null", NULL);
    bench_threads(threads, measure_thole, &job);
    end_job(&job, "thole", threads);
    bench_stop((uint64_t)threads * BATCH * (WARM + BATCHES));

    bench_begin_hists(job.hist, threads, BATCHES);
    floor_start(&job.floor, threads);
    bench_threads(threads, measure_floor, &job);
    floor_stop(&job.floor, (uint64_t)threads * BATCH * (WARM + BATCHES));
    end_job(&job, "floor", threads);
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"0.named.1",  "3.named.#",  "3s.named.1",
                                        "10.named.#", "0.child.1",  "3.child.1",
                                        "3s.child.1", "10.child.#", NULL};
    const struct bench bench = {.question = "latency",
                                .cases = cases,
                                .counts = {1, bench_cores() - 1, bench_cores()},
                                .run = run};
    return bench_main(argc, argv, &bench);
}
