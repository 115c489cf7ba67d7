/* SPDX-License-Identifier: MIT */
/* The table of URI schemes. */
#include "scheme.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define SCHEMES 32
#define SCHEME_MAX 31

extern const struct thole_sink_ops thl_sink_udp, thl_sink_memory, thl_sink_null, thl_sink_fault;

/* What a sink has at least: it was compiled when there was no more. */
#define FIRST_SIZE offsetof(struct thole_sink_ops, wants_reopen)

/* Entries are complete before `n` counts them (release in register, acquire in find). */
static struct {
    pthread_mutex_t lock;
    _Atomic size_t n;
    char text[SCHEMES][SCHEME_MAX + 1];
    const struct thole_sink_ops *ops[SCHEMES];
    struct thole_sink_ops own[SCHEMES]; /* of registered ones: members that they lack are zero */
} schemes = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .n = 8,
    .text = {"stderr", "stdout", "file", "syslog", "udp", "memory", "null", "fault"},
    .ops = {&thl_sink_stderr, &thl_sink_stdout, &thl_sink_file, &thl_sink_syslog, &thl_sink_udp,
            &thl_sink_memory, &thl_sink_null, &thl_sink_fault},
};

static const struct thole_sink_ops *
find(const char *scheme, size_t size)
{
    size_t n = atomic_load_explicit(&schemes.n, memory_order_acquire); /* pairs with register */
    for (size_t i = 0; i < n; i++)
        if (strlen(schemes.text[i]) == size && memcmp(schemes.text[i], scheme, size) == 0)
            return schemes.ops[i];
    return NULL;
}

static int
add_locked(const char *scheme, size_t size, const struct thole_sink_ops *ops)
{
    size_t n = atomic_load_explicit(&schemes.n, memory_order_relaxed); /* under the lock */
    if (find(scheme, size))
        return -EEXIST;
    if (n == SCHEMES)
        return -ENOSPC;
    memcpy(schemes.text[n], scheme, size + 1);
    memcpy(&schemes.own[n], ops, ops->size < sizeof(*ops) ? ops->size : sizeof(*ops));
    schemes.ops[n] = &schemes.own[n];
    atomic_store_explicit(&schemes.n, n + 1, memory_order_release); /* pairs with find */
    return 0;
}

int
thl_scheme_register(const char *scheme, const struct thole_sink_ops *ops)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
    size_t size = scheme ? strlen(scheme) : 0;
    if (size == 0 || size > SCHEME_MAX || strspn(scheme, allowed) != size)
        return -EINVAL;
    if (!ops || ops->size < FIRST_SIZE || !ops->open || !ops->write || !ops->close ||
        (ops->format && thl_format_parse(ops->format, strlen(ops->format)) < 0))
        return -EINVAL;
    pthread_mutex_lock(&schemes.lock);
    int rc = add_locked(scheme, size, ops);
    pthread_mutex_unlock(&schemes.lock);
    return rc;
}

void
thl_scheme_after_fork(void)
{
    pthread_mutex_init(&schemes.lock, NULL);
}

const struct thl_scheme_table *
thl_scheme_table(void)
{
    static const char *names[SCHEMES];
    static struct thl_scheme_table table = {find, names, 0};
    pthread_mutex_lock(&schemes.lock);
    table.n = atomic_load_explicit(&schemes.n, memory_order_relaxed); /* under the lock */
    for (size_t i = 0; i < table.n; i++)
        names[i] = schemes.text[i];
    pthread_mutex_unlock(&schemes.lock);
    return &table;
}
