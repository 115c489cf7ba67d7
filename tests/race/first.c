/* SPDX-License-Identifier: MIT */
/*
 * Claim: a handler may be the first of its thread to log: before the thread itself has, in the
 * midst of the thread's own first call (at a random time, or after each of its instructions), and
 * when the thread is at its end. Every record is written or counted, and all queues are given back.
 */
#include "numbered.h"
#include "sampler.h"
#include "single_step.h"
#include "thread_timer.h"

#include <stdlib.h>

#include "emit.h"

#define WATCHDOG_S 150
#define FIRST_NS 20000 /* about what a thread's first call takes */
enum { THREADS = 2000, WAVE = 16, QUEUES = 8, STEPPED_EACH = 8 };

static struct worker {
    struct numbered log;
    pthread_t thread;
    long first_ns;
} workers[THREADS];

static _Thread_local struct worker *self;
static _Thread_local _Atomic bool in_first;
static _Atomic uint64_t hits;     /* handlers that interrupted a first call */
static pthread_key_t early, late; /* made before thole's own, and after it */
static thole_logger net;

static void
on_signal(int number)
{
    const int saved = errno;
    struct worker *w = self;
    (void)number;
    NUMBERED_LOG(&w->log, HANDLER, net);
    numbered_log_fields(&w->log, HANDLER, net);
    if (atomic_load_explicit(&in_first, memory_order_relaxed))
        atomic_fetch_add_explicit(&hits, 1, memory_order_relaxed);
    errno = saved;
}

/* Before thole takes the thread's queue back, and again behind it. */
static void
log_at_the_end(void *arg)
{
    struct worker *w = arg;
    NUMBERED_LOG(&w->log, BODY, net);
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
    NUMBERED_LOG(&w->log, BODY, net);
}

static void
make_first_call(struct worker *w)
{
    atomic_store_explicit(&in_first, true, memory_order_relaxed);
    NUMBERED_LOG(&w->log, BODY, net);
    atomic_store_explicit(&in_first, false, memory_order_relaxed);
}

static void
be_preceded(struct worker *w)
{
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
    make_first_call(w);
}

static void
be_interrupted(struct worker *w)
{
    timer_t timer = thread_timer_arm(SIGRTMIN, w->first_ns, 0);
    make_first_call(w);
    thread_timer_disarm(timer, SIGRTMIN);
}

static void
be_stepped_through(struct worker *w)
{
    single_step_begin();
    make_first_call(w);
    single_step_end();
}

static void *
run(void *arg)
{
    struct worker *w = self = arg;
    CHECK(pthread_setspecific(early, w) == 0 && pthread_setspecific(late, w) == 0);
    if (w->log.id % STEPPED_EACH == 0)
        be_stepped_through(w);
    else if (w->log.id % 2)
        be_interrupted(w);
    else
        be_preceded(w);
    NUMBERED_LOG(&w->log, BODY, net);
    return NULL;
}

/* They are alive at once, so that some find all queues taken. */
static void
run_wave(struct worker *wave)
{
    for (int i = 0; i < WAVE; i++)
        CHECK(pthread_create(&wave[i].thread, NULL, run, &wave[i]) == 0);
    for (int i = 0; i < WAVE; i++)
        CHECK(pthread_join(wave[i].thread, NULL) == 0);
    (void)thole_flush(20000);
}

static void
check_queues_are_given_back(void)
{
    for (uint32_t i = 0; i + 1 < thl_emit_queues.nrings; i++) {
        struct thl_ring *ring = thl_arena_ring(thl_emit_queues.arena, i);
        CHECK(atomic_load(&ring->owner) == THL_RING_FREE);
        CHECK(atomic_load(&ring->busy) == 0 && atomic_load(&ring->lock) == 0);
    }
}

static void
begin(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    CHECK(pthread_key_create(&early, log_at_the_end) == 0);
    numbered_start("queue=256K,queues=8");
    CHECK(pthread_key_create(&late, log_at_the_end) == 0);
    CHECK(thl_emit_queues.nrings == QUEUES);
    net = thole_get("race.first");
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGRTMIN, &action, NULL) == 0);
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
}

int
main(int argc, char **argv)
{
    int n = argc > 1 ? (int)strtol(argv[1], NULL, 10) : THREADS;
    static const struct numbered *all[THREADS];
    struct sampler sampler;
    CHECK(n > 0 && n <= THREADS && n % WAVE == 0);
    alarm(WATCHDOG_S);
    begin();
    CHECK(sampler_start(&sampler));
    srandom(1);
    for (int i = 0; i < n; i++) {
        workers[i].log.id = i;
        workers[i].first_ns = 1 + random() % FIRST_NS;
        all[i] = &workers[i].log;
    }
    for (int i = 0; i < n; i += WAVE)
        run_wave(&workers[i]);
    (void)sampler_stop(&sampler);
    check_queues_are_given_back();
    struct thole_stats s = numbered_settle(all, (size_t)n);
    CHECK(seen.of[HANDLER] > 0 && seen.of[BODY] > (uint64_t)n &&
          (!SINGLE_STEP || hits > (uint64_t)n));
    printf("%d threads, %" PRIu64 " interruptions of a first call; of %" PRIu64 " called %" PRIu64
           " were dropped in the queue, %" PRIu64 " by the sink\n",
           n, atomic_load(&hits), s.called, s.dropped, s.sink[0].dropped);
    return 0;
}
