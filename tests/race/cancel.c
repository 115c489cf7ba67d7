/* SPDX-License-Identifier: MIT */
/*
 * Claim: a thread that is cancelled takes nothing with it. A log call is no cancellation point: who
 * is to be cancelled logs on until it comes to one. And one that asked to be cancelled anywhere,
 * and dies in the middle of its copy, leaves a ring that parses, counts right, holds up neither
 * flush nor stop, and is good for the next thread.
 *
 * Asynchronous cancellation is beyond what POSIX allows there. It is tried with rings of their own
 * only, by threads whose ring was taken and whose call site was interned before. On a busy machine
 * few die inside a call; step.c tries each of its instructions.
 */
#include "seen.h"

#include <sched.h>
#include <unistd.h>

#include "rings.h"
#include "sampler.h"

#define PENDING 1000 /* records of a thread that is to be cancelled */
#define TOGETHER 2   /* cancelled at once */
#define PACE 512     /* records between two yields: the others come to their turn */
#define OWN 7        /* of the eight rings */
#define FRESH 100    /* records into each ring, in the end */

/* A frame that a thread left by dying in it stays out of bounds for the address sanitizer, which at
 * the thread's end puts a local of its own there. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
    return "use_sigaltstack=0";
}

static thole_logger net;
static _Atomic int begun, cancelled;
static uint64_t calls;
static _Atomic uint64_t attempted[SEEN_THREADS], returned[SEEN_THREADS];

/* ---- deferred ---- */

static void *
log_while_cancel_is_pending(void *arg)
{
    int id = *(int *)arg;
    thole_logger child;
    atomic_store(&begun, 1);
    while (!atomic_load(&cancelled))
        sched_yield();
    for (int i = 0; i < PENDING; i++) {
        thole_child(&child, net, "thread", id);
        thole_bind(&child, "i", i);
        thole_info(child, "pending");
        thole_unref(&child);
    }
    pthread_testcancel();
    CHECK(false); /* it ended before */
    return NULL;
}

static void
cancel_one(int id)
{
    pthread_t thread;
    void *result = NULL;
    atomic_store(&begun, 0);
    atomic_store(&cancelled, 0);
    CHECK(pthread_create(&thread, NULL, log_while_cancel_is_pending, &id) == 0);
    while (!atomic_load(&begun))
        sched_yield();
    CHECK(pthread_cancel(thread) == 0);
    atomic_store(&cancelled, 1);
    pthread_join(thread, &result);
    CHECK(result == PTHREAD_CANCELED);
    calls += PENDING;
    CHECK(thole_flush(20000) == 0);
    CHECK(seen.count[id] == PENDING);
}

/* ---- pthread_exit ---- */

static void
log_and_leave(int id)
{
    thole_info(net, "leaves", "thread", id, "i", 0);
    pthread_exit(NULL);
}

static void *
leave_from_the_middle(void *arg)
{
    log_and_leave(*(int *)arg);
    CHECK(false); /* it ended before */
    return NULL;
}

static void
leave_some(int from, int n)
{
    pthread_t thread;
    for (int id = from; id < from + n; id++) {
        CHECK(pthread_create(&thread, NULL, leave_from_the_middle, &id) == 0);
        pthread_join(thread, NULL);
        calls++;
    }
    CHECK(thole_flush(20000) == 0 && rings_owned() == 0);
}

/* ---- asynchronous ---- */

static void
log_counted(int id, uint64_t i)
{
    atomic_store_explicit(&attempted[id], i + 1, memory_order_relaxed);
    thole_info(net, "copied", "thread", id, "i", i, "text", "long enough to die in, 0123456789");
    atomic_store_explicit(&returned[id], i + 1, memory_order_relaxed);
}

static void *
log_until_death(void *arg)
{
    int id = *(int *)arg;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    log_counted(id, 0);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_fetch_add(&begun, 1);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    for (uint64_t i = 1;; i++) {
        log_counted(id, i);
        if (i % PACE == 0)
            sched_yield();
    }
    return NULL;
}

static void
cancel_wave(int from)
{
    pthread_t threads[TOGETHER];
    int ids[TOGETHER];
    atomic_store(&begun, 0);
    for (int i = 0; i < TOGETHER; i++) {
        ids[i] = from + i;
        CHECK(pthread_create(&threads[i], NULL, log_until_death, &ids[i]) == 0);
    }
    while (atomic_load(&begun) < TOGETHER)
        sched_yield();
    for (int i = 0; i < TOGETHER; i++)
        CHECK(pthread_cancel(threads[i]) == 0);
    for (int i = 0; i < TOGETHER; i++)
        pthread_join(threads[i], NULL);
    CHECK(thole_flush(20000) == 0);
}

static pthread_barrier_t all_hold;

static void *
log_in_a_ring_of_its_own(void *arg)
{
    int id = *(int *)arg;
    for (uint64_t i = 0; i < FRESH; i++)
        log_counted(id, i);
    pthread_barrier_wait(&all_hold);
    pthread_barrier_wait(&all_hold);
    return NULL;
}

/* Every ring that a dead thread left is taken by somebody, and is as good as new. */
static void
use_every_ring(int from)
{
    pthread_t threads[OWN];
    int ids[OWN];
    uint64_t shared = rings_shared_pushes();
    CHECK(pthread_barrier_init(&all_hold, NULL, OWN + 1) == 0);
    for (int i = 0; i < OWN; i++) {
        ids[i] = from + i;
        CHECK(pthread_create(&threads[i], NULL, log_in_a_ring_of_its_own, &ids[i]) == 0);
    }
    pthread_barrier_wait(&all_hold);
    CHECK(rings_owned() == OWN && rings_shared_pushes() == shared);
    pthread_barrier_wait(&all_hold);
    for (int i = 0; i < OWN; i++)
        pthread_join(threads[i], NULL);
    CHECK(rings_owned() == 0 && thole_flush(20000) == 0);
    for (int i = 0; i < OWN; i++)
        CHECK(seen.count[ids[i]] == FRESH);
}

/* A call that did not return may be counted or not; every other one is seen or dropped. */
static uint64_t
check_counts(int threads)
{
    struct thole_stats s = check_identities();
    uint64_t least = calls, most = calls;
    for (int id = 0; id < threads; id++) {
        least += atomic_load(&returned[id]);
        most += atomic_load(&attempted[id]);
    }
    CHECK(seen.strange == 0 && seen.disorder == 0);
    if (s.queued != 0)
        fprintf(stderr, "%llu are queued for ever\n", (unsigned long long)s.queued);
    CHECK(s.queued == 0 && s.sink[0].pending == 0 && s.sink[0].dropped == 0);
    CHECK(s.sink[0].written + PENDING == seen.records + seen.notices); /* those of direct mode */
    CHECK(s.called == seen.records + s.dropped + seen.notices);
    CHECK(seen.records + s.dropped >= least && seen.records + s.dropped <= most);
    CHECK(s.children == 0 && s.stale == 0);
    return most - least; /* died inside a call */
}

int
main(int argc, char **argv)
{
    static struct sampler sampler;
    int deaths = argc > 1 ? atoi(argv[1]) : 1000, id = 0;
    CHECK(deaths < SEEN_THREADS - 100 && kept_register());
    kept.look = seen_look;
    alarm(100);
    setenv("THOLE_SINKS", "kept: file:/dev/null", 1); /* its write(2) is a cancellation point */
    net = thole_get("race.cancel");
    cancel_one(id++); /* in direct mode */
    start_with("kept:", "queues=8,queue=256K");
    CHECK(sampler_start(&sampler));
    cancel_one(id++);
    leave_some(id, 50);
    id += 50;
    for (int i = 0; i < deaths; i += TOGETHER) {
        cancel_wave(id);
        id += TOGETHER;
    }
    CHECK(rings_owned() == 0);
    use_every_ring(id);
    id += OWN;
    CHECK(sampler_stop(&sampler) > 0);
    uint64_t inside = check_counts(id);
    CHECK(thole_stop(5000) == 0);
    struct thole_stats s = check_identities();
    check_counts(id);
    printf("%d deaths, %llu of them inside a call, %llu records written, %llu dropped\n", deaths,
           (unsigned long long)inside, (unsigned long long)seen.records,
           (unsigned long long)s.dropped);
    return 0;
}
