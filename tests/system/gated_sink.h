/* SPDX-License-Identifier: MIT */
/*
 * A sink of a test's own: it keeps what it is given, and a closed gate stops it inside its write.
 *
 *     gated:   says that it may block, so it has a thread of its own
 *     inline:  says that it does not, so the gate stops the writer itself
 */
#ifndef GATED_SINK_H
#define GATED_SINK_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <thole/sink.h>

static struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool closed;
    int inside;  /* writes that wait at the gate */
    char *bytes; /* everything written */
    size_t size, room;
    void (*before)(void); /* called by each write */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static int
gated_open(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &gate;
    return 0;
}

static void
gated_keep_locked(const char *bytes, size_t size)
{
    if (gate.size + size + 1 > gate.room) {
        gate.room = 2 * (gate.size + size + 1);
        gate.bytes = realloc(gate.bytes, gate.room);
        if (!gate.bytes)
            abort();
    }
    memcpy(gate.bytes + gate.size, bytes, size);
    gate.size += size;
    gate.bytes[gate.size] = '\0';
}

static int
gated_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    if (gate.before)
        gate.before();
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    pthread_cond_broadcast(&gate.moved);
    while (gate.closed)
        pthread_cond_wait(&gate.moved, &gate.lock);
    gate.inside--;
    pthread_cond_broadcast(&gate.moved);
    for (size_t i = 0; i < n; i++)
        gated_keep_locked(records[i].bytes, records[i].size);
    pthread_mutex_unlock(&gate.lock);
    *done = n;
    return 0;
}

static void
gated_close(void *sink)
{
    (void)sink;
}

static inline void
gate_register(void)
{
    static const struct thole_sink_ops own_thread = {
        .size = sizeof(own_thread),
        .flags = THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
        .format = "json",
        .open = gated_open,
        .write = gated_write,
        .close = gated_close,
    };
    static struct thole_sink_ops on_the_writer;

    on_the_writer = own_thread;
    on_the_writer.flags = THOLE_SINK_LINES;
    cr_assert_eq(thole_sink_register("gated", &own_thread), 0);
    cr_assert_eq(thole_sink_register("inline", &on_the_writer), 0);
}

static inline void
gate_set(bool closed)
{
    pthread_mutex_lock(&gate.lock);
    gate.closed = closed;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.lock);
}

/* Until a write stands before the closed gate. */
static inline void
gate_await_write(void)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside == 0)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

/* What was written, for the test's own reading; call it when the sink is at rest. */
static inline const char *
gate_text(void)
{
    return gate.bytes ? gate.bytes : "";
}

/* Stops thole first. A write that was left at the gate by an earlier stop comes back now. */
static inline void
gate_forget(void)
{
    gate_set(false);
    (void)thole_stop(5000);
    pthread_mutex_lock(&gate.lock);
    while (gate.inside > 0)
        pthread_cond_wait(&gate.moved, &gate.lock);
    free(gate.bytes);
    gate.bytes = NULL;
    gate.size = gate.room = 0;
    pthread_mutex_unlock(&gate.lock);
}

#endif
