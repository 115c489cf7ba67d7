/* SPDX-License-Identifier: MIT */
/*
 * How many instructions do the basic operations take?
 *
 *     costs NAME COUNT    does one of them COUNT times, for callgrind to count: the difference of
 *                         two counts is free of start and stop
 *
 * bench/guard counts, and holds the counts against bench/instructions. What they take in time is
 * the other programs' question. Exits non-zero when a record was lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <thole/thole.h>

static thole_logger net;
static volatile uint64_t sink; /* keeps the empty loop */

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

/* `direct`: without a writer, in a format: the call itself renders and writes. */
static const struct cost {
    const char *name;
    void (*run)(uint64_t count);
    const char *direct;
} costs[] = {
    {"empty", empty_loop, NULL},
    {"off", call_off, NULL},
    {"on3", call_on_3, NULL},
    {"on10", call_on_10, NULL},
    {"childonly", child_only, NULL},
    {"child", child_cycle, NULL},
    {"file", file_line, NULL},
    {"json10", call_on_10, "null:?format=json"},
    {"logfmt10", call_on_10, "null:?format=logfmt"},
    {"rfc10", call_on_10, "null:?format=rfc5424"},
    {"childjson", child_cycle, "null:?format=json"},
};

static const struct cost *
find(const char *name)
{
    for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
        if (strcmp(name, costs[i].name) == 0)
            return &costs[i];
    return NULL;
}

int
main(int argc, char **argv)
{
    struct thole_options opt = {.size = sizeof(opt),
                                .sinks = "null:",
                                .flags = THOLE_NO_ENV,
                                .limits = "queue=4M,overflow=block:10000"};
    struct thole_stats s = {.size = sizeof(s)};
    const struct cost *cost = argc == 3 ? find(argv[1]) : NULL;
    if (!cost)
        return 2;
    if (cost->direct)
        setenv("THOLE_SINKS", cost->direct, 1);
    else if (thole_start(&opt) < 0)
        return 2;
    net = thole_get("bench.costs");
    cost->run(strtoull(argv[2], NULL, 10));
    if (thole_stop(60000) < 0)
        return 1;
    thole_stats(&s);
    if (s.called != s.routed || s.sink[0].written != s.sink[0].offered || s.children != 0) {
        fprintf(stderr, "costs: a record was lost, or a child was left\n");
        return 1;
    }
    return 0;
}
