/* SPDX-License-Identifier: MIT */
/*
 * The scheme hang:OPERATION, a sink of the test's own that may block and does: hang:open fails the
 * first time and hangs the second, in the thread of its own; hang:reopen, hang:write, hang:flush
 * hang at the first call. What it is given before that it throws away.
 *
 * rude: takes 100 ms for each write, and does not say that it may block: what a sink must not do.
 */
#ifndef HANG_H
#define HANG_H

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <thole/sink.h>

static int hang_never;          /* readable at the end of the test alone */
static _Atomic int hang_opened; /* how often hang:open was asked for */

struct hang_sink {
    char operation[16];
};

static void
hang_if(const struct hang_sink *s, const char *operation)
{
    struct pollfd end = {hang_never, POLLIN, 0};
    if (strcmp(s->operation, operation) == 0)
        (void)poll(&end, 1, -1);
}

static int
hang_open(const struct thole_sink_uri *uri, void **sink)
{
    struct hang_sink *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    strncpy(s->operation, uri->path, sizeof(s->operation) - 1);
    if (strcmp(s->operation, "open") == 0 && atomic_fetch_add(&hang_opened, 1) == 0) {
        free(s);
        return -ENXIO;
    }
    hang_if(s, "open");
    *sink = s;
    return 0;
}

static int
hang_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)records;
    hang_if(sink, "write");
    *done = n;
    return 0;
}

static int
hang_flush(void *sink)
{
    hang_if(sink, "flush");
    return 0;
}

static int
hang_reopen(void *sink)
{
    hang_if(sink, "reopen");
    return 0;
}

static void
hang_close(void *sink)
{
    free(sink);
}

static int
hang_be_rude(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct pollfd end = {hang_never, POLLIN, 0};
    (void)poll(&end, 1, 100);
    return hang_write(sink, records, n, done);
}

static bool
hang_register(void)
{
    static const struct thole_sink_ops rude = {
        .size = sizeof(rude),
        .format = "json",
        .open = hang_open,
        .write = hang_be_rude,
        .close = hang_close,
    };
    static const struct thole_sink_ops ops = {
        .size = sizeof(ops),
        .flags = THOLE_SINK_MAY_BLOCK,
        .format = "json",
        .open = hang_open,
        .write = hang_write,
        .flush = hang_flush,
        .reopen = hang_reopen,
        .close = hang_close,
    };
    return thole_sink_register("hang", &ops) == 0 && thole_sink_register("rude", &rude) == 0;
}

#endif
