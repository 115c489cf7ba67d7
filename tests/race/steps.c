/* SPDX-License-Identifier: MIT */
/*
 * Claim: a handler may log after each single instruction of any call that a thread makes: of log
 * calls through full and empty, own and shared queues, of children that are made, bound and
 * dropped, of names, levels, flushes and snapshots. It never waits for what it has interrupted, and
 * the queues stay whole (numbered.h says what that is).
 */
#include "numbered.h"
#include "sampler.h"
#include "single_step.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define WATCHDOG_S 150
#define SKIPPED 77
enum { IN_HANDLER = 7001, IN_BODY = 7002, FRESH = 32, FRESH_EVERY = 40 };

enum { NEIGHBOURS = 2 };

static struct numbered body = {.id = 0}, neighbours[NEIGHBOURS] = {{.id = 1}, {.id = 2}};
static thole_logger net, stale;
static _Atomic uint64_t current; /* the child that the handler logs through, or the named logger */
static _Atomic uint64_t steps;
static _Atomic bool stop;

static thole_logger
current_logger(void)
{
    return (thole_logger){atomic_load_explicit(&current, memory_order_relaxed)};
}

/* ---- the handler ---- */

#define CASE(i)                                                                                    \
    case (i):                                                                                      \
        NUMBERED_LOG(&body, HANDLER, net);                                                         \
        break;
#define CASES(i) CASE(i) CASE((i) + 1) CASE((i) + 2) CASE((i) + 3)

/* Call sites that have never logged: the table of sites may be what was interrupted. */
static void
log_at_fresh_site(uint64_t i)
{
    switch (i % FRESH) {
        CASES(0) CASES(4) CASES(8) CASES(12) CASES(16) CASES(20) CASES(24) CASES(28)
    }
}

static void
log_one(uint64_t step)
{
    switch (step % 4) {
    case 0:
        NUMBERED_LOG(&body, HANDLER, net);
        break;
    case 1:
        NUMBERED_LOG(&body, HANDLER, current_logger());
        break;
    case 2:
        numbered_log_fields(&body, HANDLER, current_logger());
        break;
    default:
        NUMBERED_LOG(&body, HANDLER, stale);
        atomic_fetch_add_explicit(&body.stale, 1, memory_order_relaxed);
    }
}

static void
on_step(int number)
{
    const int saved = errno;
    uint64_t step = atomic_load_explicit(&steps, memory_order_relaxed);
    (void)number;
    errno = IN_HANDLER;
    atomic_store_explicit(&steps, step + 1, memory_order_relaxed);
    if (step % FRESH_EVERY == 0)
        log_at_fresh_site(step / FRESH_EVERY);
    else
        log_one(step);
    HANDLER_CHECK(thole_enabled(current_logger(), THOLE_CRIT));
    HANDLER_CHECK(!thole_enabled(stale, THOLE_TRACE));
    if (step % 512 == 0)
        thole_reopen();
    HANDLER_CHECK(errno == IN_HANDLER);
    errno = saved;
}

/* ---- what it interrupts ---- */

static void
log_through_named(void)
{
    NUMBERED_LOG(&body, BODY, net);
}

static void
log_fields_through_named(void)
{
    numbered_log_fields(&body, BODY, net);
}

static void
log_through_stale(void)
{
    NUMBERED_LOG(&body, BODY, stale);
    atomic_fetch_add_explicit(&body.stale, 1, memory_order_relaxed);
}

static void
live_and_die(void)
{
    thole_logger child, copy;
    thole_child(&child, net, "a", 1, "b", 1);
    atomic_store_explicit(&current, child.bits, memory_order_relaxed);
    NUMBERED_LOG(&body, BODY, child);
    thole_bind(&child, "a", 2, "b", 2, "late", "bound to be longer than it was before");
    copy = thole_ref(child);
    thole_unref(&copy);
    thole_set_level(child, THOLE_DEBUG);
    NUMBERED_LOG(&body, BODY, child);
    atomic_store_explicit(&current, net.bits, memory_order_relaxed);
    thole_unref(&child);
}

static void
name_and_level(void)
{
    char name[32];
    snprintf(name, sizeof(name), "race.steps.%" PRIu64, atomic_load(&steps));
    thole_set_level(thole_get(name), THOLE_DEBUG);
    CHECK(thole_configure("info,race.steps=debug") == 0);
    CHECK(thole_configure(NULL) == 0);
}

static void
look_at_the_ledger(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    thole_stats(&s);
    CHECK(s.called == s.routed + s.dropped + s.suppressed + s.queued);
}

static void
wait_for_the_sinks(void)
{
    CHECK(thole_flush(20000) == 0);
}

static void
report_to_nobody(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && thole_report(fd) == 0);
    close(fd);
}

static void
print_what_is_off(void)
{
    thole_debugf(net, "%s", "off");
}

static void (*const calls[])(void) = {
    log_through_named, log_through_named, log_fields_through_named, log_through_stale,
    live_and_die,      name_and_level,    look_at_the_ledger,       wait_for_the_sinks,
    report_to_nobody,  print_what_is_off,
};

static void
step_through(void (*call)(void))
{
    errno = IN_BODY;
    single_step_begin();
    call();
    single_step_end();
    (void)thole_flush(20000); /* room for the next */
    CHECK(errno == IN_BODY || call == report_to_nobody || call == name_and_level);
}

/* ---- */

static void *
log_beside(void *arg)
{
    struct numbered *w = arg;
    for (uint64_t n = 0; !atomic_load(&stop); n++) {
        NUMBERED_LOG(w, BODY, net);
        if (n % 16 == 0)
            (void)thole_flush(1000);
    }
    return NULL;
}

/* With two queues the first of them has one, and the other shares the last with the walker. */
static void
start_neighbours(pthread_t *threads)
{
    for (int i = 0; i < NEIGHBOURS; i++) {
        CHECK(pthread_create(&threads[i], NULL, log_beside, &neighbours[i]) == 0);
        while (atomic_load(&neighbours[i].done[BODY]) == 0)
            (void)thole_flush(1000);
    }
}

static void
begin(const char *limits)
{
    struct sigaction action = {.sa_handler = on_step, .sa_flags = SA_RESTART};
    numbered_start(limits);
    net = thole_get("race.steps");
    thole_child(&stale, net, "conn", 1);
    thole_logger copy = stale;
    thole_unref(&copy);
    atomic_store(&current, net.bits);
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
}

static int
walk(int rounds, const char *limits, bool beside)
{
    const struct numbered *const all[] = {&body, &neighbours[0], &neighbours[1]};
    struct sampler sampler;
    pthread_t threads[NEIGHBOURS];
    alarm(WATCHDOG_S);
    begin(limits);
    CHECK(sampler_start(&sampler));
    if (beside)
        start_neighbours(threads);
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
            step_through(calls[i]);
    atomic_store(&stop, true);
    for (int i = 0; beside && i < NEIGHBOURS; i++)
        pthread_join(threads[i], NULL);
    (void)sampler_stop(&sampler);
    struct thole_stats s = numbered_settle(all, 1 + NEIGHBOURS);
    CHECK(atomic_load(&steps) > 1000 && seen.of[HANDLER] > 0 && seen.of[BODY] > 0);
    printf("%s: interrupted %" PRIu64 " times; of %" PRIu64 " called %" PRIu64
           " were dropped in the queue, %" PRIu64 " by the sink\n",
           limits, atomic_load(&steps), s.called, s.dropped, s.sink[0].dropped);
    return 0;
}

struct walk {
    int rounds;
    const char *limits;
    bool beside;
};

static int
run_walk(const void *arg)
{
    const struct walk *w = arg;
    return walk(w->rounds, w->limits, w->beside);
}

int
main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 3;
    if (!SINGLE_STEP) {
        printf("skipped: no trap flag here\n");
        return SKIPPED;
    }
    const struct walk walks[] = {
        {rounds, "queue=1M", false},
        {rounds, "queue=16K,record=512", false}, /* laps, and full */
        {rounds, "queue=1M,queues=2", true},     /* in the shared queue */
    };
    for (size_t i = 0; i < sizeof(walks) / sizeof(*walks); i++)
        numbered_apart(walks[i].limits, run_walk, &walks[i]);
    return 0;
}
