/* SPDX-License-Identifier: MIT */
/*
 * How long does a line take, from the call to the end of the drain, when nothing may be dropped?
 *
 *     FORMAT.pPRODUCERS.TARGET    text (logfmt) or json: lines of 100 bytes, the same for all
 * peers; json10: a message and ten mixed fields. null is /dev/null, file a file in TMPDIR or /tmp
 *
 * Queues have their default size and a full one is waited for (overflow=block). At the other end
 * a file's lines and bytes are counted by reading it, and /dev/null's bytes by the kernel, which
 * knows what this process has written. Floors: one thread that copies a finished line into 64 KiB
 * and writes these when they are full (`floor`), and one that writes each line (`floor-write`).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "workload.h"

#define LINES UINT64_C(1000000) /* of all producers together */
#define WRITTEN_LINES UINT64_C(100000)
#define LINE_BYTES 100
#define FIRST UINT64_C(10000000) /* numbers of eight digits, so that all lines are as long */
#define BUFFER_BYTES 65536

typedef void (*log_fn)(thole_logger lg, uint64_t i);

static void
log_text(thole_logger lg, uint64_t i)
{
    thole_info(lg, "line", "i", i, "text", "xxxxxxxxxxxxxxxxx");
}

static void
log_json(thole_logger lg, uint64_t i)
{
    thole_info(lg, "request", "i", i);
}

static void
log_json10(thole_logger lg, uint64_t i)
{
    thole_info(lg, "ten fields", WORK_10(i));
}

static const struct work {
    const char *name, *format;
    log_fn log;
    bool is_100_bytes;
} works[] = {
    {"text", "logfmt", log_text, true},
    {"json", "json", log_json, true},
    {"json10", "json", log_json10, false},
};

struct job {
    const struct work *work;
    uint64_t lines; /* of each producer */
    unsigned producers;
    bool to_file;
    char path[256];
};

static const struct work *
find_work(const char *name)
{
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        if (bench_part_is(name, 0, works[i].name))
            return &works[i];
    bench_die("no such lines");
}

static void
produce(unsigned thread, void *arg)
{
    const struct job *job = arg;
    thole_logger lg = thole_get(WORK_NAME);
    for (uint64_t i = 0; i < job->lines; i++)
        job->work->log(lg, FIRST + i * 8 + thread % 8);
}

static void
make_path(struct job *job)
{
    const char *folder = secure_getenv("TMPDIR");
    if (!job->to_file) {
        snprintf(job->path, sizeof(job->path), "/dev/null");
        return;
    }
    snprintf(job->path, sizeof(job->path), "%s/bench-XXXXXX", folder ? folder : "/tmp");
    int fd = mkstemp(job->path);
    if (fd < 0)
        bench_die("no file in %s", folder ? folder : "/tmp");
    close(fd);
}

static void
drop_path(const struct job *job)
{
    if (job->to_file)
        unlink(job->path);
}

/* Bytes of a file; *lines: its line feeds. */
static uint64_t
count_file(const char *path, uint64_t *lines)
{
    static char bytes[BUFFER_BYTES];
    uint64_t size = 0;
    size_t n;
    FILE *f = fopen(path, "r");
    *lines = 0;
    while (f && (n = fread(bytes, 1, sizeof(bytes), f)) > 0) {
        size += n;
        for (const char *at = bytes; (at = memchr(at, '\n', (size_t)(bytes + n - at))) != NULL;
             at++)
            ++*lines;
    }
    if (f)
        fclose(f);
    return size;
}

/* How long a line was, once it is sure that none is missing. */
static uint64_t
check_other_end(const struct job *job, int64_t written, uint64_t lost)
{
    uint64_t all = job->lines * job->producers, lines = all, size = (uint64_t)written;
    if (job->to_file)
        size = count_file(job->path, &lines);
    else if (written < 0)
        return LINE_BYTES; /* the kernel does not say: the ledger has to do */
    if (lost > 0)
        bench_die("%llu records were dropped although calls wait", (unsigned long long)lost);
    if (all == 0 || lines != all || size % all != 0)
        bench_die("%llu lines were logged, %llu arrived, in %llu bytes", (unsigned long long)all,
                  (unsigned long long)lines, (unsigned long long)size);
    if (job->work->is_100_bytes && size / all != LINE_BYTES)
        bench_die("a line has %llu bytes", (unsigned long long)(size / all));
    return size / all;
}

static uint64_t
measure_thole(struct job *job)
{
    char sinks[512];
    uint64_t all = job->lines * job->producers;
    snprintf(sinks, sizeof(sinks), "file:%s?format=%s", job->path, job->work->format);
    bench_start(sinks, "overflow=block:60000");
    if (job->to_file) /* to write into /dev/null is no work */
        bench_pin_targets(bench_cores() - 2);
    int64_t before = bench_bytes_written(), from = bench_now_ns();
    bench_threads(job->producers, produce, job);
    if (thole_flush(60000) < 0)
        bench_die("not everything was written within a minute");
    int64_t took = bench_now_ns() - from;
    int64_t written = before < 0 ? -1 : bench_bytes_written() - before;
    bench_row("thole", "ns_line", (double)took / (double)all, "ns");
    uint64_t bytes = check_other_end(job, written, bench_stop(all));
    bench_row("thole", "bytes_line", (double)bytes, "bytes");
    bench_row("thole", "rss_mib", (double)bench_resident_peak() / 1048576, "MiB");
    return bytes;
}

static void
write_all(int fd, const char *bytes, size_t size)
{
    if (write(fd, bytes, size) != (ssize_t)size)
        bench_die("the floor could not write");
}

/* `buffer_bytes` of 0: a write for each line. */
static void
measure_floor(const struct job *job, const char *subject, size_t size, size_t buffer_bytes)
{
    static char buffer[BUFFER_BYTES + 4096], line[4096];
    uint64_t lines = buffer_bytes > 0 ? LINES : WRITTEN_LINES;
    size_t n = 0;
    int fd = open(job->path, O_WRONLY | O_TRUNC | O_APPEND | O_CLOEXEC);
    if (fd < 0 || size > sizeof(line))
        bench_die("no floor of %zu bytes in %s", size, job->path);
    memset(line, 'x', size);
    bench_pin(0);
    int64_t from = bench_now_ns();
    for (uint64_t i = 0; i < lines; i++) {
        memcpy(buffer + n, line, size);
        BENCH_KEEP(buffer);
        n += size;
        if (n >= buffer_bytes) {
            write_all(fd, buffer, n);
            n = 0;
        }
    }
    write_all(fd, buffer, n);
    bench_row(subject, "ns_line", (double)(bench_now_ns() - from) / (double)lines, "ns");
    bench_unpin();
    close(fd);
}

static void
run(const char *name)
{
    struct job job = {.work = find_work(name), .producers = bench_part_number(name, 1)};
    if (job.producers < 1 || job.producers > 1000)
        bench_die("1 to 1000 producers");
    job.lines = LINES / job.producers;
    job.to_file = bench_part_is(name, 2, "file");
    make_path(&job);
    size_t size = (size_t)measure_thole(&job);
    drop_path(&job);
    make_path(&job);
    measure_floor(&job, "floor", size, BUFFER_BYTES);
    measure_floor(&job, "floor-write", size, 0);
    drop_path(&job);
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"text.p1.null", "text.p#.file",   "json.p1.null",
                                        "json.p1.file", "json10.p1.null", NULL};
    const struct bench bench = {
        .question = "throughput", .cases = cases, .counts = {1, bench_cores() - 1, 4}, .run = run};
    return bench_main(argc, argv, &bench);
}
