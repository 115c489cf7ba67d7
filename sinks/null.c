/* SPDX-License-Identifier: MIT */
/* null:, which takes everything and keeps nothing: for benches and for switching a sink off. */
#include <errno.h>
#include <string.h>
#include <thole/sink.h>

extern const struct thole_sink_ops thl_sink_null;

static int
identify(const struct thole_sink_uri *uri, char *out, size_t size)
{
    (void)uri;
    return size > 5 ? (memcpy(out, "null:", 6), 0) : -ENAMETOOLONG;
}

static int
open_null(const struct thole_sink_uri *uri, void **sink)
{
    static char nothing;
    (void)uri;
    *sink = &nothing;
    return 0;
}

static int
write_null(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    *done = n;
    return 0;
}

static void
close_null(void *sink)
{
    (void)sink;
}

const struct thole_sink_ops thl_sink_null = {
    .size = sizeof(thl_sink_null),
    .format = "json",
    .identify = identify,
    .open = open_null,
    .write = write_null,
    .close = close_null,
};
