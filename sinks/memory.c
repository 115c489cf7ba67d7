/* SPDX-License-Identifier: MIT */
/* memory:, the sink that tests look into: one store for the process, bounded. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <thole/sink.h>
#include <thole/test.h>
#include <unistd.h>

extern const struct thole_sink_ops thl_sink_memory;

#define LIMIT ((size_t)16 * 1024 * 1024)
#define FLUSH_MS 10000
#define EXPORT __attribute__((visibility("default")))

/* Guarded by `lock`. */
static struct {
    pthread_mutex_t lock;
    char *bytes; /* malloc'ed, ended by NUL */
    size_t size, room;
    char *shown; /* what thole_test_lines() returned last */
    pid_t owner;
} store = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int
identify(const struct thole_sink_uri *uri, char *out, size_t size)
{
    (void)uri;
    return size > 7 ? (memcpy(out, "memory:", 8), 0) : -ENAMETOOLONG;
}

/* A process forked while another thread wrote here finds the lock held by nobody, and half a
 * change. */
static void
own_store(void)
{
    if (store.owner != getpid()) {
        if (pthread_mutex_trylock(&store.lock) == 0)
            pthread_mutex_unlock(&store.lock);
        else
            memset(&store, 0, sizeof(store));
        pthread_mutex_init(&store.lock, NULL);
        store.owner = getpid();
    }
}

static int
open_memory(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    own_store();
    *sink = &store;
    return 0;
}

/* Where nothing is ever taken away, what does not fit will never: nothing may wait for it. */
static int
make_room_locked(size_t more)
{
    size_t room = store.room ? store.room : 4096;
    if (store.size + more >= LIMIT)
        return -EMSGSIZE;
    while (room < store.size + more + 1)
        room *= 2;
    char *bigger = room == store.room ? store.bytes : realloc(store.bytes, room);
    if (!bigger)
        return -ENOMEM;
    store.bytes = bigger;
    store.room = room;
    return 0;
}

static int
write_memory(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    int rc = 0;
    (void)sink;
    own_store();
    pthread_mutex_lock(&store.lock);
    for (*done = 0; *done < n; ++*done) {
        const struct thole_sink_record *r = &records[*done];
        rc = make_room_locked(r->size);
        if (rc < 0)
            break;
        memcpy(store.bytes + store.size, r->bytes, r->size);
        store.size += r->size;
        store.bytes[store.size] = '\0';
    }
    pthread_mutex_unlock(&store.lock);
    return rc;
}

static void
close_memory(void *sink)
{
    (void)sink;
}

EXPORT const char *
thole_test_lines(void)
{
    thole_flush(FLUSH_MS);
    own_store();
    pthread_mutex_lock(&store.lock);
    free(store.shown);
    store.shown = store.size ? strdup(store.bytes) : NULL;
    const char *shown = store.shown ? store.shown : "";
    pthread_mutex_unlock(&store.lock);
    return shown;
}

EXPORT void
thole_test_clear(void)
{
    thole_flush(FLUSH_MS);
    own_store();
    pthread_mutex_lock(&store.lock);
    free(store.shown);
    free(store.bytes);
    store.shown = store.bytes = NULL;
    store.size = store.room = 0;
    pthread_mutex_unlock(&store.lock);
}

EXPORT uint64_t
thole_test_live_children(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    thole_stats(&s);
    return s.children;
}

const struct thole_sink_ops thl_sink_memory = {
    .size = sizeof(thl_sink_memory),
    .flags = THOLE_SINK_LINES,
    .format = "json",
    .identify = identify,
    .open = open_memory,
    .write = write_memory,
    .close = close_memory,
};
