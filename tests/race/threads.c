/* SPDX-License-Identifier: MIT */
/*
 * Claim: threads that live for ten records, thousands of them, lose nothing uncounted: each record
 * is there once and in its thread's order, or is a drop of the ledger; their rings all return to
 * the pool, and the process's size is the same after 1,000 threads and after all.
 */
#include "seen.h"

#include <unistd.h>

#include "rings.h"
#include "sampler.h"

#define RINGS 8
#define WAVE 32 /* threads alive at once */
#define OWN 5   /* records through the named logger; as many follow through a child */
#define RECORDS 10
#define FLAT_BYTES (1024 * 1024)

static thole_logger net;
static uint64_t from_children, bore_context; /* the sink's */

static void
look(const char *line, size_t size)
{
    static const char context[] = ",\"via\":\"child\",\"i\":";
    uint64_t i = seen_number(line, size, "\"i\":");
    from_children += i != UINT64_MAX && i >= OWN;
    bore_context += memmem(line, size, context, sizeof(context) - 1) != NULL;
    seen_look(line, size);
}

static void *
live_shortly(void *arg)
{
    thole_logger child;
    int id = *(int *)arg;
    for (int i = 0; i < OWN; i++)
        thole_info(net, "short", "thread", id, "i", i);
    thole_child(&child, net, "thread", id, "via", "child");
    for (int i = OWN; i < RECORDS; i++)
        thole_info(child, "short", "i", i);
    thole_unref(&child);
    return NULL;
}

static void
run_threads(int from, int to)
{
    pthread_t threads[WAVE];
    int ids[WAVE];
    for (int n = 0; from < to; from += n) {
        n = to - from < WAVE ? to - from : WAVE;
        for (int i = 0; i < n; i++) {
            ids[i] = from + i;
            CHECK(pthread_create(&threads[i], NULL, live_shortly, &ids[i]) == 0);
        }
        for (int i = 0; i < n; i++)
            pthread_join(threads[i], NULL);
    }
    CHECK(thole_flush(20000) == 0);
}

static long
resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    CHECK(f && fscanf(f, "%*d %ld", &pages) == 1);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* A sanitizer keeps memory of its own for threads that are gone. */
static void
check_flat(long before, long after)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (after - before >= FLAT_BYTES)
        fprintf(stderr, "%ld bytes after the first threads, %ld at the end\n", before, after);
    CHECK(after - before < FLAT_BYTES);
#endif
    (void)before;
    (void)after;
}

int
main(int argc, char **argv)
{
    static struct sampler sampler;
    int threads = argc > 1 ? atoi(argv[1]) : 10000, first = threads / 10;
    CHECK(threads <= SEEN_THREADS && kept_register());
    kept.look = look;
    alarm(100);
    start_with("kept:", "queues=8,queue=64K");
    net = thole_get("race.threads");
    CHECK(sampler_start(&sampler));
    run_threads(0, first);
    long before = resident_bytes();
    run_threads(first, threads);
    long after = resident_bytes();
    uint64_t looks = sampler_stop(&sampler);
    CHECK(thl_emit_queues.nrings == RINGS && thl_emit_queues.used <= RINGS);
    CHECK(rings_owned() == 0);
    CHECK(thole_stop(20000) == 0);
    struct thole_stats s = seen_check_all((uint64_t)threads * RECORDS);
    CHECK(from_children == bore_context && from_children > 0);
    CHECK(s.children == 0 && s.children_refused == 0 && s.stale == 0);
    CHECK(s.children_made == (uint64_t)threads && s.children_peak <= WAVE);
    check_flat(before, after);
    printf("%d threads, %llu records written, %llu dropped, %llu snapshots, %ld bytes more\n",
           threads, (unsigned long long)seen.records, (unsigned long long)s.dropped,
           (unsigned long long)looks, after - before);
    return 0;
}
