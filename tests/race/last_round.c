/* SPDX-License-Identifier: MIT */
/*
 * Claim: threads that log for the first time in the last round of their destructors, after which
 * none is called, not thole's either, keep no ring for ever: in the end the next threads have rings
 * of their own again.
 */
#include "seen.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "rings.h"

#define THREADS 12 /* four times the rings there are to own */
#define PATIENCE_MS 5000

static pthread_key_t key;
static thole_logger net;
static uint64_t calls;

struct silent {
    int id, round;
};

static void
end_round(void *value)
{
    struct silent *s = value;
    if (++s->round < PTHREAD_DESTRUCTOR_ITERATIONS)
        CHECK(pthread_setspecific(key, s) == 0);
    else
        thole_info(net, "a last word", "thread", s->id, "i", 0);
}

static void *
live_silently(void *arg)
{
    CHECK(pthread_setspecific(key, arg) == 0);
    return NULL;
}

static void *
log_once(void *arg)
{
    struct silent *s = arg;
    thole_info(net, "fresh", "thread", s->id, "i", 0);
    return NULL;
}

static void
run_thread(int id, void *(*body)(void *))
{
    pthread_t thread;
    struct silent s = {.id = id};
    CHECK(pthread_create(&thread, NULL, body, &s) == 0);
    pthread_join(thread, NULL);
    CHECK(thole_flush(20000) == 0);
    calls++;
}

/* Whether a fresh thread's record goes by way of a ring of its own. */
static bool
has_ring_for(int id)
{
    uint64_t shared = rings_shared_pushes();
    run_thread(id, log_once);
    return rings_shared_pushes() == shared;
}

int
main(void)
{
    int id = 0;
    CHECK(kept_register());
    kept.look = seen_look;
    alarm(60);
    start_with("kept:", "queues=4");
    CHECK(pthread_key_create(&key, end_round) == 0);
    net = thole_get("race.last");
    while (id < THREADS)
        run_thread(id++, live_silently);
    int64_t until = mono_ms() + PATIENCE_MS;
    bool had = has_ring_for(id++);
    while (!had && mono_ms() < until) {
        (void)poll(NULL, 0, 100); /* the library may look for the dead now and then */
        had = has_ring_for(id++);
    }
    CHECK(thole_stop(20000) == 0);
    struct thole_stats s = seen_check_all(calls);
    CHECK(s.dropped == 0);
    printf("%d threads, %u rings owned by nobody alive\n", id, rings_owned());
    CHECK(had);
    return 0;
}
