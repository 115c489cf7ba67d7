/* SPDX-License-Identifier: MIT */
/*
 * How long does it take to render a record of ten mixed fields?
 *
 *     FORMAT.CONTEXT    json, logfmt, pretty, rfc5424 or rfc3164; plain, or with the context of a
 *                       child, five fields more
 *
 * `ns` is the formatter alone, called as unit tests call it. `writer_ns` is the processor time of
 * the writer's thread for each record, from queue to `null:`: decoding, rendering, routing, and
 * what it has rendered before and kept. The floor copies a finished line of the same length.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "format.h"
#include "workload.h"

#define RENDERED 2000 /* of a slice; what counts is the median of the slices */
#define SLICES 25
#define RECORDS 2000 /* at a time: all of them fit into the queue */
#define TURNS 20
#define LINE_BYTES 4096

#define KEY(k) .key = (k), .key_size = sizeof(k) - 1
#define TEXT(s)                                                                                    \
    {                                                                                              \
        THOLE_FIELD_STRING, sizeof(s) - 1,                                                         \
        {                                                                                          \
            .p = (s)                                                                               \
        }                                                                                          \
    }
#define UINT(n)                                                                                    \
    {                                                                                              \
        .type = THOLE_FIELD_UINT, .v.u = (n)                                                       \
    }

/* WORK_CONTEXT and WORK_10, as a record's bytes would be decoded. */
static const struct thl_view_field context[] = {
    {KEY("conn"), UINT(10000000)},
    {KEY("peer"), TEXT("10.0.0.7:4123")},
    {KEY("tls"), {.type = THOLE_FIELD_BOOL, .v.u = 1}},
    {KEY("user"), TEXT("alice")},
    {KEY("zone"), {.type = THOLE_FIELD_INT, .v.i = 3}},
};
static const struct thl_view_field fields[] = {
    {KEY("a"), UINT(10000000)},
    {KEY("b"), {.type = THOLE_FIELD_INT, .v.i = 42}},
    {KEY("c"), {.type = THOLE_FIELD_DOUBLE, .v.d = 3.25}},
    {KEY("path"), TEXT("/index.html")},
    {KEY("host"), TEXT("www.example.org")},
    {KEY("status"), {.type = THOLE_FIELD_INT, .v.i = 200}},
    {KEY("bytes"), {.type = THOLE_FIELD_INT, .v.i = 5120}},
    {KEY("ok"), {.type = THOLE_FIELD_BOOL, .v.u = 1}},
    {KEY("took"), {.type = THOLE_FIELD_DURATION, .v.i = 1500000}},
    {KEY("agent"), TEXT("curl/7.88.1")},
};
#define CONTEXT_FIELDS (sizeof(context) / sizeof(context[0]))
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static void
fill_view(struct thl_view *v, bool with_context)
{
    v->unix_ns = INT64_C(1795352041123456000);
    v->level = THOLE_INFO;
    v->logger = WORK_NAME;
    v->logger_size = sizeof(WORK_NAME) - 1;
    v->msg = "ten fields";
    v->msg_size = sizeof("ten fields") - 1;
    v->ncontext = with_context ? CONTEXT_FIELDS : 0;
    v->nfields = v->ncontext + FIELDS;
    memcpy(v->field, context, v->ncontext * sizeof(context[0]));
    memcpy(v->field + v->ncontext, fields, sizeof(fields));
}

static size_t
render_slice(const struct thl_format_options *options, struct thl_view *view)
{
    static char line[LINE_BYTES];
    struct thl_buf out;
    for (unsigned i = 0; i < RENDERED; i++) {
        view->unix_ns += 1000;
        thl_buf_init(&out, line, sizeof(line));
        if (thl_format_put(&out, options, view) != 0)
            bench_die("the record was cut");
        BENCH_KEEP(line);
    }
    return out.size;
}

static void
copy_slice(size_t size)
{
    static char line[LINE_BYTES] = {1}, out[LINE_BYTES];
    for (unsigned i = 0; i < RENDERED; i++) {
        memcpy(out, line, size);
        BENCH_KEEP(out);
    }
}

/* The formatter and its floor in turn. */
static size_t
measure_format(const struct thl_format_options *options, bool with_context)
{
    static struct thl_view view;
    struct hist render, copy;
    size_t size = 0;
    if (hist_init(&render, SLICES) < 0 || hist_init(&copy, SLICES) < 0)
        bench_die("no memory");
    fill_view(&view, with_context);
    bench_pin(0);
    for (unsigned i = 0; i < SLICES; i++) {
        int64_t from = bench_now_ns();
        size = render_slice(options, &view);
        int64_t between = bench_now_ns();
        copy_slice(size);
        hist_add(&render, (double)(between - from) / RENDERED);
        hist_add(&copy, (double)(bench_now_ns() - between) / RENDERED);
    }
    bench_unpin();
    bench_row("thole", "ns", hist_percentile(&render, 500), "ns");
    bench_row("floor", "ns", hist_percentile(&copy, 500), "ns");
    hist_fini(&render);
    hist_fini(&copy);
    return size;
}

static void
measure_writer(const char *format, bool with_context)
{
    char sinks[64];
    snprintf(sinks, sizeof(sinks), "null:?format=%s", format);
    bench_start(sinks, "queue=4M");
    thole_logger lg = thole_get(WORK_NAME);
    if (with_context)
        thole_child(&lg, lg, WORK_CONTEXT(10000000u));
    int64_t spent = 0;
    for (uint64_t turn = 0; turn <= TURNS; turn++) {
        int64_t from = bench_others_ns();
        for (uint64_t i = 0; i < RECORDS; i++)
            thole_info(lg, "ten fields", WORK_10(10000000 + i));
        thole_flush(60000);
        if (turn > 0) /* the first took the memory */
            spent += bench_others_ns() - from;
    }
    thole_unref(&lg);
    bench_row("thole", "writer_ns", (double)spent / (TURNS * RECORDS), "ns");
    bench_stop((TURNS + 1) * RECORDS);
}

static void
run(const char *name)
{
    static char format[16];
    snprintf(format, sizeof(format), "%.*s", (int)strcspn(name, "."), name);
    int parsed = thl_format_parse(format, strlen(format));
    if (parsed < 0)
        bench_die("no such format");
    struct thl_format_options options = {.format = (enum thl_format)parsed,
                                         .facility = 3,
                                         .app = "bench",
                                         .host = "host",
                                         .sdid = "thole@32473",
                                         .pid = 12345};
    bool with_context = bench_part_is(name, 1, "context");
    size_t size = measure_format(&options, with_context);
    measure_writer(format, with_context);
    bench_row("thole", "bytes_line", (double)size, "bytes");
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"json.plain",
                                        "json.context",
                                        "logfmt.plain",
                                        "logfmt.context",
                                        "pretty.plain",
                                        "pretty.context",
                                        "rfc5424.plain",
                                        "rfc5424.context",
                                        "rfc3164.plain",
                                        "rfc3164.context",
                                        NULL};
    static const struct bench bench = {.question = "format", .cases = cases, .run = run};
    return bench_main(argc, argv, &bench);
}
