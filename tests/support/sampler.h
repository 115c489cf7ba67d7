/* SPDX-License-Identifier: MIT */
/*
 * The ledger, looked at 1,000 times a second on a thread of its own while a storm lasts: a snapshot
 * that breaks an identity, or in which a counter ran back, ends the program with exit status 3.
 *
 *     struct sampler s;
 *     sampler_start(&s);
 *     ... the storm ...
 *     CHECK(sampler_stop(&s) > 100);
 *
 * Plain C, without Criterion. All signals are blocked in its thread. fork only when it has begun
 * (sampler_start waits for that): see fork.c on why.
 */
#ifndef SAMPLER_H
#define SAMPLER_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <thole/thole.h>
#include <time.h>
#include <unistd.h>

struct sampler {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool stop;
    uint64_t samples; /* (lock) */
};

static inline void
sampler_fail(const struct thole_stats *s, const char *what)
{
    fprintf(stderr,
            "ledger: %s: called %llu routed %llu dropped %llu suppressed %llu queued %llu\n", what,
            (unsigned long long)s->called, (unsigned long long)s->routed,
            (unsigned long long)s->dropped, (unsigned long long)s->suppressed,
            (unsigned long long)s->queued);
    for (unsigned i = 0; i < s->nsinks; i++)
        fprintf(stderr,
                "ledger: %s offered %llu written %llu dropped %llu suppressed %llu pending %llu\n",
                s->sink[i].name, (unsigned long long)s->sink[i].offered,
                (unsigned long long)s->sink[i].written, (unsigned long long)s->sink[i].dropped,
                (unsigned long long)s->sink[i].suppressed, (unsigned long long)s->sink[i].pending);
    _exit(3);
}

/* One snapshot, and its identities. */
static inline struct thole_stats
sampler_look(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    uint64_t by_level = 0;
    thole_stats(&s);
    for (int l = 0; l < 9; l++)
        by_level += s.dropped_level[l];
    if (s.called != s.routed + s.dropped + s.suppressed + s.queued || by_level != s.dropped)
        sampler_fail(&s, "the process's identity is broken");
    for (unsigned i = 0; i < s.nsinks; i++) {
        const struct thole_sink_stats *k = &s.sink[i];
        uint64_t by_cause = 0;
        for (int c = 0; c < 16; c++)
            by_cause += k->cause[c];
        if (k->offered != k->written + k->dropped + k->suppressed + k->pending ||
            by_cause != k->dropped)
            sampler_fail(&s, "a sink's identity is broken");
    }
    return s;
}

static inline void *
sampler_run(void *arg)
{
    struct sampler *s = arg;
    struct thole_stats before = {0};
    struct timespec next;
    clock_gettime(CLOCK_REALTIME, &next);
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        pthread_mutex_unlock(&s->lock);
        struct thole_stats now = sampler_look();
        if (now.routed < before.routed || now.dropped < before.dropped ||
            now.called < before.called || now.suppressed < before.suppressed)
            sampler_fail(&now, "a counter ran back");
        before = now;
        next.tv_nsec += 1000000;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        pthread_mutex_lock(&s->lock);
        s->samples++;
        pthread_cond_broadcast(&s->moved);
        while (!s->stop && pthread_cond_timedwait(&s->moved, &s->lock, &next) == 0)
            continue;
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Returns when the first snapshot has been taken; false when there is no thread. */
static inline bool
sampler_start(struct sampler *s)
{
    sigset_t all, old;
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&s->thread, NULL, sampler_run, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return false;
    pthread_mutex_lock(&s->lock);
    while (s->samples == 0)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* The number of snapshots. */
static inline uint64_t
sampler_stop(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    return s->samples;
}

#endif
