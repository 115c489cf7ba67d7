/* SPDX-License-Identifier: MIT */
/* Runs one measurement of a peer and prints it; peer.h says what is measured and what is checked.
 */
#include "task.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 20
#define BATCHES 3000
#define WARM_BATCHES 1000
#define PAUSE_NS 100000
#define LINES 400000
#define OFF_TURNS 60
#define OFF_CALLS 500000
#define CHILDREN 200000
#define HELD 100000
#define MAX_THREADS 64

struct member {
    struct task *task;
    uint32_t *ns; /* of each batch */
    unsigned index;
};

static int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
start_thread(struct member *member, pthread_t *thread, void *(*run)(void *))
{
    if (pthread_create(thread, NULL, run, member) != 0)
        task_fail(member->task, "no thread");
}

/* Calls in batches; the time of each that follows the warm ones is kept. */
static void
pace(peer_calls_fn calls, uint32_t *ns)
{
    for (unsigned batch = 0; batch < WARM_BATCHES + BATCHES; batch++) {
        int64_t began = now_ns();
        calls(BATCH);
        int64_t ended = now_ns();
        if (batch >= WARM_BATCHES)
            ns[batch - WARM_BATCHES] = (uint32_t)(ended - began);
        while (now_ns() - ended < PAUSE_NS)
            continue;
    }
}

static void *
pace_member(void *argument)
{
    struct member *member = argument;
    task_pin(member->index);
    pthread_barrier_wait(&member->task->begin);
    pace(member->task->calls, member->ns);
    return NULL;
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The least sample that `permille` of a thousand do not exceed, as ns of each of its `calls`.
 * Sorts. */
static void
print_rank(const struct task *task, uint32_t *ns, size_t count, const char *metric,
           unsigned permille, unsigned calls)
{
    qsort(ns, count, sizeof(*ns), compare);
    size_t rank = (count * permille + 999) / 1000;
    task_print(task, metric, (double)ns[rank > 0 ? rank - 1 : 0] / calls, "ns");
}

static void
measure_latency(struct task *task)
{
    pthread_t threads[MAX_THREADS] = {0};
    struct member members[MAX_THREADS];
    size_t samples = (size_t)task->threads * BATCHES;
    uint32_t *ns = calloc(samples, sizeof(*ns));
    if (ns == NULL)
        task_fail(task, "no memory");
    task_rehearse(task, BATCH);
    double before = task_count_written();
    task->peer->open("/dev/null");
    for (unsigned i = 0; i < task->threads; i++) {
        members[i] = (struct member){task, ns + (size_t)i * BATCHES, i};
        start_thread(&members[i], &threads[i], pace_member);
    }
    for (unsigned i = 0; i < task->threads; i++)
        pthread_join(threads[i], NULL);
    task->peer->close();
    task_check_arrival(task, (uint64_t)task->threads * (WARM_BATCHES + BATCHES) * BATCH,
                       before < 0 ? -1 : task_count_written() - before);
    print_rank(task, ns, samples, "p50", 500, BATCH);
    print_rank(task, ns, samples, "p99", 990, BATCH);
    print_rank(task, ns, samples, "p99.9", 999, BATCH);
    task_print(task, "bytes_line", (double)task->bytes / TASK_REHEARSED, "bytes");
    free(ns);
}

static void *
produce(void *argument)
{
    struct member *member = argument;
    pthread_barrier_wait(&member->task->begin);
    member->task->calls(member->task->each);
    return NULL;
}

/* From the first call to the end of close(), in nanoseconds. */
static double
produce_all(struct task *task, const char *path)
{
    pthread_t threads[MAX_THREADS] = {0};
    struct member members[MAX_THREADS];
    task->peer->open(path);
    for (unsigned i = 0; i < task->threads; i++) {
        members[i] = (struct member){task, NULL, i};
        start_thread(&members[i], &threads[i], produce);
    }
    pthread_barrier_wait(&task->begin);
    int64_t began = now_ns();
    for (unsigned i = 0; i < task->threads; i++)
        pthread_join(threads[i], NULL);
    task->peer->close();
    return (double)(now_ns() - began);
}

static void
measure_throughput(struct task *task, int to_file)
{
    char path[256] = "/dev/null";
    task->each = (task->peer->lines != 0 ? task->peer->lines : LINES) / task->threads;
    uint64_t lines = task->each * task->threads;
    if (task->calls == task->peer->text)
        task_set_filler(task);
    task_rehearse(task, TASK_REHEARSED);
    double line = (double)task->bytes / TASK_REHEARSED;
    if (task->calls == task->peer->text && task->bytes != TASK_LINE_BYTES * TASK_REHEARSED)
        task_fail(task, "lines of %.1f bytes instead of %d", line, TASK_LINE_BYTES);
    if (to_file)
        task_make_file(task, path, sizeof(path));
    double before = task_count_written(), ns = produce_all(task, path);
    double after = task_count_written(), resident = task_read_proc("/proc/self/status", "VmHWM:");
    if (to_file)
        task_check_file(task, path, lines);
    task_check_arrival(task, lines, before < 0 ? -1 : after - before);
    task_print(task, "ns_line", ns / (double)lines, "ns");
    task_print(task, "bytes_line", line, "bytes");
    task_print(task, "rss_mib", resident / 1024, "MiB");
    task_print(task, "lines", (double)lines, "lines");
}

/* The median of turns; no calls, no line. */
static void
measure_off(const struct task *task, peer_calls_fn calls)
{
    uint32_t ns[OFF_TURNS];
    if (calls == NULL)
        return;
    task_pin(0);
    for (int turn = 0; turn < OFF_TURNS; turn++) {
        int64_t began = now_ns();
        calls(OFF_CALLS);
        ns[turn] = (uint32_t)(now_ns() - began);
    }
    print_rank(task, ns, OFF_TURNS, "ns", 500, OFF_CALLS);
}

/*
 * The median batch, and the mean of all. Nothing queues up behind these peers, so there is no
 * pause. `lines`: of each operation.
 */
static void
measure_children(struct task *task, unsigned lines)
{
    static uint32_t ns[CHILDREN / BATCH];
    double before = task_count_written(), sum = 0;
    task->peer->open("/dev/null");
    task_pin(0);
    for (size_t i = 0; i < CHILDREN / BATCH; i++) {
        int64_t began = now_ns();
        task->calls(BATCH);
        ns[i] = (uint32_t)(now_ns() - began);
        sum += ns[i];
    }
    task->peer->close();
    task_check_arrival(task, (uint64_t)CHILDREN * lines,
                       before < 0 ? -1 : task_count_written() - before);
    print_rank(task, ns, CHILDREN / BATCH, "ns", 500, BATCH);
    task_print(task, "ns_mean", sum / CHILDREN, "ns");
}

static void
measure_held(const struct task *task)
{
    task->peer->open("/dev/null");
    double before = task_read_proc("/proc/self/smaps_rollup", "Rss:");
    task->peer->hold(HELD);
    double after = task_read_proc("/proc/self/smaps_rollup", "Rss:");
    if (before < 0)
        task_fail(task, "/proc/self/smaps_rollup is missing");
    task_print(task, "bytes", (after - before) * 1024 / HELD, "bytes");
}

static void
ask_off(const struct task *task)
{
    struct peer peer = *task->peer;
    struct task guarded = {.peer = &peer, .question = task->question, .name = task->name};
    char subject[64];
    if (strcmp(task->name, "off") != 0)
        return;
    measure_off(task, peer.off);
    snprintf(subject, sizeof(subject), "%s guarded", peer.subject);
    peer.subject = subject;
    measure_off(&guarded, peer.off_guarded);
}

/* "FIELDS.named.THREADS" */
static void
ask_latency(struct task *task)
{
    static const char *const names[PEER_FIELDS] = {"0.named.", "3.named.", "3s.named.",
                                                   "10.named."};
    for (size_t i = 0; i < PEER_FIELDS; i++) {
        size_t size = strlen(names[i]);
        if (strncmp(task->name, names[i], size) == 0) {
            task->calls = task->peer->paced[i];
            task->threads = (unsigned)strtoul(task->name + size, NULL, 10);
        }
    }
    if (task->calls == NULL || task->threads == 0 || task->threads > MAX_THREADS)
        return;
    pthread_barrier_init(&task->begin, NULL, task->threads);
    measure_latency(task);
}

/* "text.pTHREADS.file", "json10.pTHREADS.null" */
static void
ask_throughput(struct task *task)
{
    char *target;
    if (strncmp(task->name, "text.p", 6) == 0)
        task->calls = task->peer->text;
    else if (strncmp(task->name, "json10.p", 8) == 0)
        task->calls = task->peer->json10;
    if (task->calls == NULL)
        return;
    task->threads = (unsigned)strtoul(strchr(task->name, '.') + 2, &target, 10);
    int to_file = strcmp(target, ".file") == 0;
    if (task->threads == 0 || task->threads > MAX_THREADS)
        return;
    if (!to_file && strcmp(target, ".null") != 0)
        return;
    pthread_barrier_init(&task->begin, NULL, task->threads + 1);
    measure_throughput(task, to_file);
}

static void
ask_child(struct task *task)
{
    const struct peer *peer = task->peer;
    if (strcmp(task->name, "cycle.1") == 0 && (task->calls = peer->cycle) != NULL) {
        task_rehearse(task, BATCH);
        measure_children(task, 1);
    } else if (strcmp(task->name, "create_drop.1") == 0 &&
               (task->calls = peer->create_drop) != NULL)
        measure_children(task, 0);
    else if (strcmp(task->name, "held.100000") == 0 && peer->hold != NULL)
        measure_held(task);
}

int
peer_main(int argc, char **argv, const struct peer *peer)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s QUESTION CASE\n", argv[0]);
        return 2;
    }
    struct task task = {.peer = peer, .question = argv[1], .name = argv[2]};
    if (strcmp(task.question, "off") == 0)
        ask_off(&task);
    else if (strcmp(task.question, "latency") == 0)
        ask_latency(&task);
    else if (strcmp(task.question, "throughput") == 0)
        ask_throughput(&task);
    else if (strcmp(task.question, "child") == 0)
        ask_child(&task);
    return fflush(stdout) == 0 ? 0 : 1;
}
