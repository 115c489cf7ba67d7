/* SPDX-License-Identifier: MIT */
/*
 * Claim: 8 threads that create, bind, log through, hand on and drop children leave none alive, and
 * both identities hold in every snapshot meanwhile and exactly at the end.
 */
#include "check.h"

#define THREADS 8

static _Atomic bool stop;
static _Atomic uint64_t logged, made;

static void *
churn(void *arg)
{
    thole_logger net = thole_get("race.child"), copy;
    uint64_t n = 0, children = 0;
    int id = *(int *)arg;
    while (!atomic_load(&stop)) {
        thole_logger child;
        thole_child(&child, net, "conn", n, "thread", id);
        thole_info(child, "opened");
        thole_bind(&child, "client", "a-client-with-a-name", "thread", id + 100);
        copy = thole_ref(child);
        thole_unref(&child);
        thole_debug(copy, "off");
        thole_warn(copy, "closed", "n", n);
        thole_unref(&copy);
        children++;
        n += 2;
    }
    atomic_fetch_add(&logged, n);
    atomic_fetch_add(&made, children);
    return NULL;
}

int
main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int ids[THREADS];
    int64_t until = mono_ms() + duration_ms(argc, argv, 5000);
    uint64_t snapshots = 0;
    start_with("null: memory:?only=nothing", "queue=256K");
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        CHECK(pthread_create(&threads[i], NULL, churn, &ids[i]) == 0);
    }
    for (; mono_ms() < until; snapshots++)
        check_identities();
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(thole_flush(10000) == 0);
    struct thole_stats s = check_identities();
    CHECK(s.children == 0 && s.queued == 0 && s.stale == 0);
    CHECK(s.children_made == atomic_load(&made) && s.children_refused == 0);
    CHECK(s.called >= atomic_load(&logged)); /* and thole's own notices of drops */
    CHECK(thole_stop(10000) == 0);
    printf("%llu children, %llu records, %llu dropped in the queue, %llu snapshots\n",
           (unsigned long long)s.children_made, (unsigned long long)s.called,
           (unsigned long long)s.dropped, (unsigned long long)snapshots);
    return 0;
}
