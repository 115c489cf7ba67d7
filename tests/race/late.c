/* SPDX-License-Identifier: MIT */
/*
 * Claim: what destructors of thread-specific data log, in each of their rounds, is written or
 * counted like everything else, and no ring stays with a thread that is gone: with keys made before
 * thole's and after it, by threads that logged before and by such that begin in a destructor, and
 * in a daemon that has so many keys of its own that thole's costs an allocation.
 */
#include "seen.h"

#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rings.h"

#define WAVE 8
#define LAST_ROUND PTHREAD_DESTRUCTOR_ITERATIONS
#define MANY_KEYS 40 /* glibc keeps the values of 32 in place */

struct late {
    int id;
    uint64_t i; /* of its next record */
    int rounds[2];
    thole_logger child;
};

static int rounds = LAST_ROUND; /* in the last one, a sanitizer's own state is gone already */
static pthread_key_t early_key, late_key;
static thole_logger net;
static _Atomic uint64_t calls;

static void
say(struct late *l)
{
    thole_info(l->child, "at the end", "thread", l->id, "i", l->i);
    l->i++;
    atomic_fetch_add(&calls, 1);
}

/* Sets its key again as long as there are rounds; the last one gives the child back. */
static void
end_round(struct late *l, pthread_key_t key, int which)
{
    int round = ++l->rounds[which];
    say(l);
    if (round < rounds)
        CHECK(pthread_setspecific(key, l) == 0);
    if (l->rounds[0] % rounds == 0 && l->rounds[1] % rounds == 0)
        thole_unref(&l->child);
}

static void
end_early(void *value)
{
    end_round(value, early_key, 0);
}

static void
end_late(void *value)
{
    end_round(value, late_key, 1);
}

/* Both keys; a third of the threads begins to log in the first destructor. */
static void *
live_with_both(void *arg)
{
    struct late *l = arg;
    thole_child(&l->child, net, "late", true);
    if (l->id % 3 != 0)
        say(l);
    CHECK(pthread_setspecific(early_key, l) == 0);
    CHECK(pthread_setspecific(late_key, l) == 0);
    return NULL;
}

static void
run_threads(int n)
{
    static struct late late[WAVE];
    pthread_t threads[WAVE];
    for (int done = 0; done < n; done += WAVE) {
        for (int i = 0; i < WAVE; i++) {
            late[i] = (struct late){.id = done + i};
            CHECK(pthread_create(&threads[i], NULL, live_with_both, &late[i]) == 0);
        }
        for (int i = 0; i < WAVE; i++)
            pthread_join(threads[i], NULL);
    }
    CHECK(thole_flush(20000) == 0);
}

static void *
log_alone(void *arg)
{
    thole_info(net, "fresh", "thread", *(int *)arg, "i", 0);
    atomic_fetch_add(&calls, 1);
    if (thl_emit_queues.used > 0)
        *(int *)arg = (int)rings_owned();
    return NULL;
}

/* The rings that are owned while a fresh thread has one, which is alone. */
static int
owned_beside_a_fresh_thread(int id)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, log_alone, &id) == 0);
    pthread_join(thread, NULL);
    return id;
}

static int
run(int threads, bool many_keys)
{
    pthread_key_t key;
    for (int i = 0; many_keys && i < MANY_KEYS; i++)
        CHECK(pthread_key_create(&key, NULL) == 0);
    CHECK(pthread_key_create(&early_key, end_early) == 0);
    CHECK(kept_register());
    kept.look = seen_look;
    alarm(100);
    start_with("kept:", "queues=4");
    CHECK(pthread_key_create(&late_key, end_late) == 0);
    net = thole_get("race.late");

    run_threads(threads);
    CHECK(rings_owned() == 0);
    CHECK(owned_beside_a_fresh_thread(threads) == (many_keys ? 0 : 1));
    CHECK(rings_owned() == 0);
    CHECK(thole_stop(20000) == 0);

    struct thole_stats s = seen_check_all(atomic_load(&calls));
    CHECK(s.dropped == 0 && s.children == 0 && s.children_made == (uint64_t)threads);
    for (int id = 0; id < threads; id++)
        CHECK(seen.count[id] == 2 * (uint64_t)rounds + (id % 3 != 0));
    printf("%llu records, %s keys, %llu of them by way of the shared ring\n",
           (unsigned long long)seen.records, many_keys ? "many" : "few",
           (unsigned long long)rings_shared_pushes());
    return 0;
}

/* The daemon with many keys is a process of its own, made before anything else. */
int
main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1000, status = -1;
    rounds = argc > 2 ? atoi(argv[2]) : LAST_ROUND;
    pid_t pid = fork();
    CHECK(pid >= 0 && threads % WAVE == 0);
    if (pid == 0)
        return run(threads, true);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    return run(threads, false);
}
