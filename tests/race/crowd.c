/* SPDX-License-Identifier: MIT */
/*
 * Claim: with 3 rings to own and one to share, 64 threads that log at once lose nothing below the
 * rings' capacity and keep each its order; rings go back when their owners end, and go to whoever
 * logs next, among those that had to share before as well.
 */
#include "seen.h"

#include <sched.h>
#include <unistd.h>

#include "rings.h"

#define CROWD 64
#define OWN 3       /* of the four rings */
#define RECORDS 100 /* a thread: all of them fit into the shared ring, short of its last eighth */

static pthread_barrier_t begun, logged, opened;
static thole_logger net;
static _Atomic int leaving, owners_left, holding;
static _Atomic bool release;

static void
log_some(int id, int from, int n)
{
    for (int i = from; i < from + n; i++)
        thole_info(net, "in a crowd", "thread", id, "i", i);
}

/* The first OWN threads have rings of their own before the others begin. They end first. */
static void *
join_crowd(void *arg)
{
    int id = *(int *)arg;
    if (id < OWN)
        log_some(id, 0, 1);
    pthread_barrier_wait(&begun);
    log_some(id, 1, RECORDS);
    pthread_barrier_wait(&logged);
    pthread_barrier_wait(&opened);
    if (id < OWN)
        return NULL;
    while (atomic_load(&owners_left) < OWN)
        sched_yield();
    if (id < 2 * OWN) /* these had to share */
        log_some(id, RECORDS + 1, 1);
    atomic_fetch_add(&leaving, 1);
    while (!atomic_load(&release))
        sched_yield();
    return NULL;
}

static void *
hold_a_ring(void *arg)
{
    log_some(*(int *)arg, 0, 1);
    atomic_fetch_add(&holding, 1);
    while (!atomic_load(&release))
        sched_yield();
    return NULL;
}

static void
create(pthread_t *threads, int *ids, int from, int n, void *(*body)(void *))
{
    for (int i = from; i < from + n; i++) {
        ids[i] = i;
        CHECK(pthread_create(&threads[i], NULL, body, &ids[i]) == 0);
    }
}

static void
init_barriers(void)
{
    CHECK(pthread_barrier_init(&begun, NULL, CROWD + 1) == 0);
    CHECK(pthread_barrier_init(&logged, NULL, CROWD + 1) == 0);
    CHECK(pthread_barrier_init(&opened, NULL, CROWD + 1) == 0);
}

/* The writer stands before the gate all the while: everything has to fit. */
static void
crowd_logs_at_once(pthread_t *threads, int *ids)
{
    kept_set_gate(true);
    create(threads, ids, 0, CROWD, join_crowd);
    while (check_identities().queued + check_identities().routed < OWN)
        sched_yield();
    kept_await_write();
    CHECK(rings_owned() == OWN);
    pthread_barrier_wait(&begun);
    pthread_barrier_wait(&logged);
    struct thole_stats s = check_identities();
    CHECK(s.called == OWN + CROWD * RECORDS && s.dropped == 0);
    CHECK(rings_shared_pushes() == (CROWD - OWN) * RECORDS);
    kept_set_gate(false);
    CHECK(thole_flush(20000) == 0);
    CHECK(seen.records == OWN + CROWD * RECORDS);
}

/* Three who shared take the places of three who ended; the shared ring gets nothing more. */
static void
sharers_take_free_rings(pthread_t *threads)
{
    uint64_t shared = rings_shared_pushes();
    pthread_barrier_wait(&opened);
    for (int i = 0; i < OWN; i++)
        pthread_join(threads[i], NULL);
    CHECK(rings_owned() == 0);
    atomic_store(&owners_left, OWN);
    while (atomic_load(&leaving) < CROWD - OWN)
        sched_yield();
    CHECK(rings_owned() == OWN && rings_shared_pushes() == shared);
    atomic_store(&release, true);
    for (int i = OWN; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    CHECK(rings_owned() == 0);
}

static void
next_threads_own_rings(pthread_t *threads, int *ids)
{
    uint64_t shared = rings_shared_pushes();
    atomic_store(&release, false);
    create(threads, ids, CROWD, OWN, hold_a_ring);
    while (atomic_load(&holding) < OWN)
        sched_yield();
    CHECK(rings_owned() == OWN && rings_shared_pushes() == shared);
    atomic_store(&release, true);
    for (int i = CROWD; i < CROWD + OWN; i++)
        pthread_join(threads[i], NULL);
    CHECK(rings_owned() == 0);
}

int
main(void)
{
    pthread_t threads[CROWD + OWN];
    int ids[CROWD + OWN];
    CHECK(kept_register());
    kept.look = seen_look;
    alarm(100);
    start_with("kept:", "queues=4");
    net = thole_get("race.crowd");
    init_barriers();
    crowd_logs_at_once(threads, ids);
    sharers_take_free_rings(threads);
    next_threads_own_rings(threads, ids);
    CHECK(thole_stop(20000) == 0);
    struct thole_stats s = seen_check_all(OWN + CROWD * RECORDS + OWN + OWN);
    CHECK(s.dropped == 0);
    for (int id = 0; id < CROWD; id++)
        CHECK(seen.count[id] == RECORDS + (id < 2 * OWN));
    printf("%llu records of %d threads over 4 rings\n", (unsigned long long)seen.records,
           CROWD + OWN);
    return 0;
}
