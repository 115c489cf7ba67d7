/* SPDX-License-Identifier: MIT */
/*
 * What do the four basic operations cost: a call that is off, a call that is on, a child's life, a
 * line in a file?
 *
 *     costs             a table: nanoseconds (median, least and most of 7 rounds), drops, floors
 *     costs NAME COUNT  does one of them COUNT times, for callgrind (bench/costs.sh)
 *
 * Calls that are on are paced: batches of 20, then the writer gets the time to drain, so that the
 * queue is never full. The file's lines run to the end of the drain. Every run checks that nothing
 * was lost that was not counted, and exits non-zero otherwise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <thole/thole.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7
#define BATCH 20

struct cost {
    const char *name, *what;
    void (*run)(uint64_t count);
    uint64_t count; /* of one round */
    bool paced;     /* run is called for BATCH operations at a time, pauses do not count */
    bool drained;   /* the round ends when all is written */
    double probe;   /* of the design's probe (PERF.md), 0: none */
};

static thole_logger net;
static volatile uint64_t sink; /* keeps the empty loop */

static int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
empty_loop(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        sink = i;
}

static void
call_off(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        thole_debug(net, "off", "i", i);
}

static void
call_on_3(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        thole_info(net, "three numbers", "a", i, "b", 42, "c", 3.25);
}

static void
call_on_10(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        thole_info(net, "ten fields", "a", i, "b", 42, "c", 3.25, "path", "/index.html", "host",
                   "www.example.org", "status", 200, "bytes", 5120, "ok", thole_bool(i), "took",
                   thole_us(1500), "agent", "curl/7.88.1");
}

static void
child_cycle(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        thole_logger child;
        thole_child(&child, net, "conn", i, "peer", "10.0.0.7:4123", "tls", true, "user", "alice",
                    "zone", 3);
        thole_info(child, "request done", "status", 200);
        thole_unref(&child);
    }
}

static void
child_only(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        thole_logger child;
        thole_child(&child, net, "conn", i, "peer", "10.0.0.7:4123", "tls", true, "user", "alice",
                    "zone", 3);
        thole_unref(&child);
    }
}

static void
file_line(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        thole_info(net, "a line of about a hundred bytes", "i", i, "b", 42);
}

static const struct cost costs[] = {
    {"empty", "floor: an empty loop", empty_loop, 50000000, false, false, 0},
    {"off", "a call that is off", call_off, 50000000, false, false, 0.6},
    {"on3", "a call that is on, 3 numbers", call_on_3, 200000, true, false, 12},
    {"on10", "a call that is on, 10 fields", call_on_10, 200000, true, false, 34},
    {"childonly", "a child of 5 fields, made and dropped", child_only, 1000000, false, false, 60},
    {"child", "the same, one record logged through it", child_cycle, 200000, true, false, 162},
    {"file", "a JSON line to a file, to the end of the drain", file_line, 500000, false, true, 76},
};
#define COSTS (sizeof(costs) / sizeof(costs[0]))

static uint64_t
dropped(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    thole_stats(&s);
    bool holds = s.called == s.routed + s.dropped + s.suppressed + s.queued;
    uint64_t lost = s.dropped;
    for (unsigned i = 0; i < s.nsinks; i++) {
        const struct thole_sink_stats *k = &s.sink[i];
        holds &= k->offered == k->written + k->dropped + k->suppressed + k->pending;
        lost += k->dropped;
    }
    if (!holds || s.children != 0) {
        fprintf(stderr, "costs: the ledger does not add up, or a child was left\n");
        exit(1);
    }
    return lost;
}

static double
measure(const struct cost *c)
{
    int64_t spent = 0;
    if (!c->paced) {
        int64_t begin = now_ns();
        c->run(c->count);
        if (c->drained)
            thole_flush(60000);
        return (double)(now_ns() - begin) / (double)c->count;
    }
    for (uint64_t done = 0; done < c->count; done += BATCH) {
        int64_t begin = now_ns();
        c->run(BATCH);
        spent += now_ns() - begin;
        if (done % 4000 == 0)
            thole_flush(1000);
    }
    return (double)spent / (double)c->count;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void
start(const char *sinks)
{
    struct thole_options opt = {.size = sizeof(opt),
                                .sinks = sinks,
                                .flags = THOLE_NO_ENV,
                                .limits = "queue=4M,overflow=block:10000"};
    if (thole_start(&opt) < 0)
        exit(1);
    net = thole_get("bench.costs");
}

static void
print_table(void)
{
    double ns[COSTS][ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < COSTS; i++)
            ns[i][round] = measure(&costs[i]);
    printf("%-48s %8s %8s %8s  %s\n", "", "median", "least", "most", "design's probe, elsewhere");
    for (size_t i = 0; i < COSTS; i++) {
        qsort(ns[i], ROUNDS, sizeof(double), compare);
        printf("%-48s %8.1f %8.1f %8.1f  ", costs[i].what, ns[i][ROUNDS / 2], ns[i][0],
               ns[i][ROUNDS - 1]);
        if (costs[i].probe > 0)
            printf("%.1f", costs[i].probe);
        printf("\n");
    }
}

int
main(int argc, char **argv)
{
    char sinks[256], path[] = "/tmp/thole-costs-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    snprintf(sinks, sizeof(sinks), "file:%s", path);
    start(argc > 2 ? "null:" : sinks);
    for (size_t i = 0; argc > 2 && i < COSTS; i++)
        if (strcmp(argv[1], costs[i].name) == 0)
            costs[i].run(strtoull(argv[2], NULL, 10));
    if (argc <= 2)
        print_table();
    thole_flush(60000);
    uint64_t lost = dropped();
    if (argc <= 2)
        printf("nanoseconds an operation; %llu records dropped\n", (unsigned long long)lost);
    unlink(path);
    return thole_stop(10000) == 0 && lost == 0 ? 0 : 1;
}
