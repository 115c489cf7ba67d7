/* SPDX-License-Identifier: MIT */
/*
 * A sink of a plain program's own (no Criterion), which keeps what it is given or hands each line
 * on; a closed gate stops it inside its write. For Criterion tests see system/gated_sink.h.
 *
 *     kept:       on the writer, which a closed gate stops: records wait in their queues, as bytes
 *                 that nobody has looked at yet
 *     kept-slow:  with a thread of its own: the writer goes on
 */
#ifndef KEPT_SINK_H
#define KEPT_SINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <thole/sink.h>

static struct kept {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool closed;
    int inside;                                   /* writes that wait at the gate */
    void (*look)(const char *bytes, size_t size); /* for each record, which then is not kept */
    char *bytes;                                  /* everything written */
    size_t size, room;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static int
kept_open(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &kept;
    return 0;
}

static void
kept_take_locked(const char *bytes, size_t size)
{
    if (kept.look) {
        kept.look(bytes, size);
        return;
    }
    if (kept.size + size + 1 > kept.room) {
        kept.room = 2 * (kept.size + size + 1);
        kept.bytes = realloc(kept.bytes, kept.room);
        if (!kept.bytes)
            abort();
    }
    memcpy(kept.bytes + kept.size, bytes, size);
    kept.size += size;
    kept.bytes[kept.size] = '\0';
}

static int
kept_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    pthread_mutex_lock(&kept.lock);
    kept.inside++;
    pthread_cond_broadcast(&kept.moved);
    while (kept.closed)
        pthread_cond_wait(&kept.moved, &kept.lock);
    kept.inside--;
    for (size_t i = 0; i < n; i++)
        kept_take_locked(records[i].bytes, records[i].size);
    pthread_mutex_unlock(&kept.lock);
    *done = n;
    return 0;
}

static void
kept_close(void *sink)
{
    (void)sink;
}

/* Before the start. False when it cannot be had. */
static inline bool
kept_register(void)
{
    static const struct thole_sink_ops own_thread = {
        .size = sizeof(own_thread),
        .flags = THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
        .format = "json",
        .open = kept_open,
        .write = kept_write,
        .close = kept_close,
    };
    static struct thole_sink_ops on_the_writer;

    on_the_writer = own_thread;
    on_the_writer.flags = THOLE_SINK_LINES;
    return thole_sink_register("kept", &on_the_writer) == 0 &&
           thole_sink_register("kept-slow", &own_thread) == 0;
}

static inline void
kept_set_gate(bool closed)
{
    pthread_mutex_lock(&kept.lock);
    kept.closed = closed;
    pthread_cond_broadcast(&kept.moved);
    pthread_mutex_unlock(&kept.lock);
}

/* Until a write stands before the closed gate. */
static inline void
kept_await_write(void)
{
    pthread_mutex_lock(&kept.lock);
    while (kept.inside == 0)
        pthread_cond_wait(&kept.moved, &kept.lock);
    pthread_mutex_unlock(&kept.lock);
}

/* What was written; call it when the sink is at rest. */
static inline const char *
kept_text(void)
{
    return kept.bytes ? kept.bytes : "";
}

static inline void
kept_forget(void)
{
    free(kept.bytes);
    kept.bytes = NULL;
    kept.size = kept.room = 0;
}

#endif
