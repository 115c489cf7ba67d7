/* SPDX-License-Identifier: MIT */
/*
 * Claim: timer handlers that log a million records through threads that log, create, bind, count
 * and drop children leave the queues whole: every line is whole, nothing is written or counted
 * twice, the order within a thread is kept, both identities are exact, errno is kept, nobody
 * crashes. With a queue for each thread, and again with two, so that the threads share the last
 * one.
 */
#include "numbered.h"
#include "sampler.h"
#include "thread_timer.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#define RECORDS 1000000u
#define EACH 8           /* records of one firing */
#define PERIOD_NS 100000 /* so that the million takes three seconds at least */
#define WATCHDOG_S 150
enum { THREADS = 4, IN_HANDLER = 7001, IN_BODY = 7002 }; /* errno, that no call ever sets */

static struct worker {
    struct numbered log;
    pthread_t thread;
    thole_logger net, stale;
    _Atomic uint64_t current; /* the child that the handler logs through, or the named logger */
    _Atomic uint64_t firings;
} workers[THREADS + 1]; /* the last is the main thread's */

static _Thread_local struct worker *self;
static _Atomic bool stop;

static thole_logger
current_of(const struct worker *w)
{
    return (thole_logger){atomic_load_explicit(&w->current, memory_order_relaxed)};
}

static void
set_current(struct worker *w, thole_logger lg)
{
    atomic_store_explicit(&w->current, lg.bits, memory_order_relaxed);
}

static void
count(_Atomic uint64_t *counter)
{
    /* this thread's alone, and a handler leaves it as an increment of its own */
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- the handler ---- */

static void
log_one(struct worker *w, unsigned way)
{
    switch (way % 4) {
    case 0:
        NUMBERED_LOG(&w->log, HANDLER, w->net);
        break;
    case 1:
        NUMBERED_LOG(&w->log, HANDLER, current_of(w));
        break;
    case 2:
        numbered_log_fields(&w->log, HANDLER, current_of(w));
        break;
    default:
        NUMBERED_LOG(&w->log, HANDLER, w->stale);
        count(&w->log.stale);
    }
}

static void
on_timer(int number, siginfo_t *info, void *context)
{
    struct worker *w = self;
    const int saved = errno;
    (void)number;
    (void)info;
    (void)context;
    for (unsigned i = 0; i < EACH; i++) {
        errno = IN_HANDLER;
        log_one(w, i);
        HANDLER_CHECK(errno == IN_HANDLER);
    }
    HANDLER_CHECK(thole_enabled(current_of(w), THOLE_INFO));
    HANDLER_CHECK(!thole_enabled(w->stale, THOLE_DEBUG));
    thole_debug(w->net, "off");
    count(&w->firings);
    if (atomic_load_explicit(&w->firings, memory_order_relaxed) % 64 == 0)
        thole_reopen();
    HANDLER_CHECK(errno == IN_HANDLER);
    errno = saved;
}

/* ---- the threads it interrupts ---- */

/* Every kind of call, each while its child is what the handler logs through. */
static void
one_life(struct worker *w, uint64_t n)
{
    thole_logger child, copy;
    thole_child(&child, w->net, "a", n, "b", n);
    set_current(w, child);
    NUMBERED_LOG(&w->log, BODY, child);
    thole_bind(&child, "a", n + 1, "b", n + 1, "late", "bound");
    copy = thole_ref(child);
    numbered_log_fields(&w->log, BODY, copy);
    thole_unref(&copy);
    set_current(w, w->net);
    thole_unref(&child);
    copy = w->stale;
    thole_ref(copy);
    count(&w->log.stale);
    thole_unref(&copy);
    count(&w->log.stale);
    NUMBERED_LOG(&w->log, BODY, w->net);
}

static timer_t
begin_worker(struct worker *w)
{
    thole_logger child;
    self = w;
    w->net = thole_get("race.signals");
    thole_child(&child, w->net, "conn", w->log.id);
    w->stale = child;
    thole_unref(&child);
    set_current(w, w->net);
    return thread_timer_arm(SIGRTMIN, PERIOD_NS, PERIOD_NS);
}

static void *
run_body(void *arg)
{
    struct worker *w = arg;
    timer_t timer = begin_worker(w);
    for (uint64_t n = 0; !atomic_load_explicit(&stop, memory_order_relaxed); n++) {
        errno = IN_BODY;
        one_life(w, n);
        if (n % 64 == 0) /* the pace of the sink */
            (void)thole_flush(1000);
        CHECK(errno == IN_BODY);
    }
    thread_timer_disarm(timer, SIGRTMIN);
    return NULL;
}

/* ---- */

static uint64_t
sum_of_handlers(void)
{
    uint64_t sum = 0;
    for (int i = 0; i <= THREADS; i++)
        sum += atomic_load_explicit(&workers[i].log.done[HANDLER], memory_order_relaxed);
    return sum;
}

static void
report(const char *limits, const struct thole_stats *s, uint64_t samples)
{
    uint64_t firings = 0;
    for (int i = 0; i <= THREADS; i++)
        firings += atomic_load(&workers[i].firings);
    printf("%s: %" PRIu64 " firings logged %" PRIu64 " records, %" PRIu64 " written; of %" PRIu64
           " called %" PRIu64 " were dropped in the queue, %" PRIu64 " by the sink; %" PRIu64
           " stale, %" PRIu64 " notices, %" PRIu64 " snapshots\n",
           limits, firings, sum_of_handlers(), seen.of[HANDLER], s->called, s->dropped,
           s->sink[0].dropped, s->stale, seen.notices, samples);
}

static void
wait_for_handlers(uint64_t wanted)
{
    while (sum_of_handlers() < wanted)
        (void)thole_flush(1000);
}

/* The handlers go on while their own thread is in a stop or a start. */
static void
live_again_and_again(uint64_t wanted)
{
    timer_t timer = begin_worker(&workers[THREADS]);
    for (uint64_t n = 0; sum_of_handlers() < wanted; n++) {
        for (int i = 0; i < 64; i++)
            one_life(&workers[THREADS], n);
        CHECK(thole_stop(20000) == 0);
        one_life(&workers[THREADS], n);
        CHECK(thole_start(NULL) == 0);
    }
    thread_timer_disarm(timer, SIGRTMIN);
}

static int
storm(uint64_t wanted, const char *limits, bool many_lives)
{
    const struct numbered *all[THREADS + 1];
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sampler sampler;
    alarm(WATCHDOG_S);
    numbered_start(limits);
    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0);
    CHECK(sampler_start(&sampler));
    for (int i = 0; i <= THREADS; i++) {
        workers[i].log.id = i;
        all[i] = &workers[i].log;
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&workers[i].thread, NULL, run_body, &workers[i]) == 0);
    many_lives ? live_again_and_again(wanted) : wait_for_handlers(wanted);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    uint64_t samples = sampler_stop(&sampler);
    struct thole_stats s =
        many_lives ? numbered_stop(all, THREADS + 1) : numbered_settle(all, THREADS + 1);
    CHECK(many_lives || seen.of[HANDLER] > wanted / 10);
    CHECK(seen.of[HANDLER] > 0 && seen.of[BODY] > 0 && seen.bound > 0 && seen.stale > 0);
    CHECK(seen.reopened > 0 && samples > wanted / 1000);
    report(limits, &s, samples);
    return 0;
}

struct storm {
    uint64_t wanted;
    const char *limits;
    bool many_lives;
};

static int
run_storm(const void *arg)
{
    const struct storm *s = arg;
    return storm(s->wanted, s->limits, s->many_lives);
}

int
main(int argc, char **argv)
{
    uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : RECORDS;
    const struct storm storms[] = {
        {wanted, "queue=1M", false},
        {wanted, "queue=1M,queues=2", false},
        {wanted / 2, "queue=2M", true},
    };
    for (size_t i = 0; i < sizeof(storms) / sizeof(*storms); i++)
        numbered_apart(storms[i].limits, run_storm, &storms[i]);
    return 0;
}
