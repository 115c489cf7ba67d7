/* SPDX-License-Identifier: MIT */
/*
 * Claim: while threads log, starting, flushing, stopping and configuring again and again loses
 * count of nothing: at the end every call is routed or dropped, and no snapshot breaks an identity.
 */
#include "check.h"

#define THREADS 3

static _Atomic bool stop;
static _Atomic uint64_t calls;

static void *
chatter(void *arg)
{
    thole_logger lg = thole_get("race.lifecycle");
    uint64_t n = 0;
    (void)arg;
    while (!atomic_load(&stop)) {
        thole_crit(lg, "talk", "n", n); /* crit: no level below takes it away */
        n++;
    }
    atomic_fetch_add(&calls, n);
    return NULL;
}

int
main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int64_t until = mono_ms() + duration_ms(argc, argv, 3000);
    unsigned rounds = 0;
    start_with("null:?level=crit", "queue=64K");
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, chatter, NULL) == 0);
    for (; mono_ms() < until; rounds++) {
        check_identities();
        CHECK(thole_configure(rounds % 2 ? "warn,race=crit" : "info") == 0);
        CHECK(thole_flush(10000) == 0);
        check_identities();
        CHECK(thole_stop(10000) == 0);
        check_identities();
        CHECK(thole_start(NULL) == 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(thole_flush(10000) == 0);
    struct thole_stats s = check_identities();
    CHECK(s.queued == 0 && s.called >= atomic_load(&calls));
    /* the rest are notices, at most a few a second and one at each stop */
    CHECK(s.called - atomic_load(&calls) < 100 + 10 * (uint64_t)rounds);
    CHECK(thole_stop(10000) == 0);
    printf("%u starts and stops, %llu calls, %llu routed, %llu dropped\n", rounds,
           (unsigned long long)atomic_load(&calls), (unsigned long long)s.routed,
           (unsigned long long)s.dropped);
    return 0;
}
