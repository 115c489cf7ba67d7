/* SPDX-License-Identifier: MIT */
/*
 * fault:, memory: that fails on a script: <thole/test.h> has its grammar.
 *
 * A script is text to the end: a call is counted, and the step that its number falls into is looked
 * up. Counts outlive a failed open, which leaves no state behind, so they are kept here by name.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <thole/sink.h>
#include <thole/test.h>
#include <time.h>
#include <unistd.h>

extern const struct thole_sink_ops thl_sink_memory, thl_sink_fault;

#define EXPORT __attribute__((visibility("default")))
#define FAULTS 32 /* twice as many as there can be targets */
#define NAME_BYTES 64
#define SCRIPT_BYTES 256
#define STALL_MS 10000
#define STALL_MAX_MS 60000
#define TIMES_MAX 1000000

enum operation { WRITE, OPEN, REOPEN, OPERATIONS };

static const char *const keys[] = {[WRITE] = "write", [OPEN] = "open", [REOPEN] = "reopen", NULL};

/* ---- scripts ---- */

enum deed { FINE, FAIL, SHORT, STALL };

struct step {
    enum deed deed;
    int arg; /* of FAIL an errno, of STALL milliseconds */
    uint64_t times;
};

/* What sinks meet with: files, sockets, look-ups. */
#define NAMED(e)                                                                                   \
    {                                                                                              \
#e, e                                                                                      \
    }
static const struct {
    const char *name;
    int number;
} errors[] = {
    NAMED(EACCES),      NAMED(EADDRNOTAVAIL), NAMED(EAGAIN),       NAMED(EBADF),
    NAMED(EBUSY),       NAMED(ECONNREFUSED),  NAMED(ECONNRESET),   NAMED(EDESTADDRREQ),
    NAMED(EDQUOT),      NAMED(EFBIG),         NAMED(EHOSTUNREACH), NAMED(EINTR),
    NAMED(EINVAL),      NAMED(EIO),           NAMED(EISDIR),       NAMED(ELOOP),
    NAMED(EMFILE),      NAMED(EMSGSIZE),      NAMED(ENAMETOOLONG), NAMED(ENETDOWN),
    NAMED(ENETUNREACH), NAMED(ENFILE),        NAMED(ENOBUFS),      NAMED(ENODEV),
    NAMED(ENOENT),      NAMED(ENOMEM),        NAMED(ENOSPC),       NAMED(ENOTCONN),
    NAMED(ENOTDIR),     NAMED(ENXIO),         NAMED(EPERM),        NAMED(EPIPE),
    NAMED(EPROTOTYPE),  NAMED(EROFS),         NAMED(ESTALE),       NAMED(ETIMEDOUT),
};

static bool
eat(const char **at, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

/* 1 to max, or 0 when there is no such number. */
static uint64_t
eat_number(const char **at, uint64_t max)
{
    uint64_t n = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        n = n * 10 + (uint64_t)(**at - '0');
        if (n > max)
            return 0;
    }
    return n;
}

static bool
eat_error(const char **at, struct step *step)
{
    size_t n = strspn(*at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strlen(errors[i].name) != n || strncmp(*at, errors[i].name, n) != 0)
            continue;
        *step = (struct step){FAIL, errors[i].number, 1};
        *at += n;
        return true;
    }
    return false;
}

static bool
eat_deed(const char **at, struct step *step)
{
    *step = (struct step){FINE, 0, 1};
    if (eat(at, "ok"))
        return true;
    if (eat(at, "short")) {
        step->deed = SHORT;
        return true;
    }
    if (!eat(at, "stall"))
        return eat_error(at, step);
    step->deed = STALL;
    step->arg = eat(at, "=") ? (int)eat_number(at, STALL_MAX_MS) : STALL_MS;
    return step->arg > 0;
}

/* A step and the comma after it; false when that is not what stands there. */
static bool
eat_step(const char **at, struct step *step)
{
    if (!eat_deed(at, step))
        return false;
    if (eat(at, "*"))
        step->times = eat(at, "inf") ? UINT64_MAX : eat_number(at, TIMES_MAX);
    if (step->times == 0)
        return false;
    return **at == '\0' || (eat(at, ",") && **at != '\0');
}

/* Of a good script. */
static struct step
find_step(const char *script, uint64_t call)
{
    struct step step;
    for (const char *at = script; *at && eat_step(&at, &step); call -= step.times)
        if (call < step.times)
            return step;
    return (struct step){FINE, 0, 1};
}

static const char *
check(const char *key, const char *value)
{
    const bool writes = strcmp(key, keys[WRITE]) == 0;
    struct step step;
    if (strlen(value) >= SCRIPT_BYTES)
        return "255 characters at most";
    for (const char *at = value; *at;)
        if (!eat_step(&at, &step) || (step.deed == SHORT && !writes))
            return writes ? "steps as \"ok*3,EAGAIN*2,short,stall=200,EIO*inf\""
                          : "steps as \"ok,ENOENT*2,stall=200,EIO*inf\"";
    return NULL;
}

/* ---- state ---- */

struct fault {
    bool used, open;
    char name[NAME_BYTES];
    char script[OPERATIONS][SCRIPT_BYTES];
    uint64_t calls[OPERATIONS];
};

/* Guarded by `lock`, but for `owner`: the process that made it. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    _Atomic pid_t owner;
    unsigned ends; /* stalls that may end */
    struct fault fault[FAULTS];
} faults;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
make_lock(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&faults.lock, NULL);
    pthread_cond_init(&faults.ended, &attr);
    pthread_condattr_destroy(&attr);
    faults.ends = 0;
    atomic_store_explicit(&faults.owner, getpid(), memory_order_release); /* pairs with lock_all */
}

/* A forked process finds a lock that another thread may have held. */
static void
lock_all(void)
{
    pthread_once(&once, make_lock);
    if (atomic_load_explicit(&faults.owner, memory_order_acquire) != getpid()) /* make_lock */
        make_lock();
    pthread_mutex_lock(&faults.lock);
}

static struct step
take_step(struct fault *f, enum operation operation)
{
    lock_all();
    struct step step = find_step(f->script[operation], f->calls[operation]++);
    pthread_mutex_unlock(&faults.lock);
    return step;
}

static void
stall(int ms)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    lock_all();
    while (faults.ends == 0 && rc == 0)
        rc = pthread_cond_timedwait(&faults.ended, &faults.lock, &until);
    if (faults.ends > 0)
        faults.ends--;
    pthread_mutex_unlock(&faults.lock);
}

/* What a step does, but for SHORT. */
static int
act(const struct step *step)
{
    if (step->deed == STALL)
        stall(step->arg);
    return step->deed == FAIL ? -step->arg : 0;
}

EXPORT void
thole_test_end_stall(void)
{
    lock_all();
    faults.ends++;
    pthread_cond_broadcast(&faults.ended);
    pthread_mutex_unlock(&faults.lock);
}

/* ---- the sink ---- */

static int
identify(const struct thole_sink_uri *uri, char *out, size_t size)
{
    int n = snprintf(out, size, "fault:%s", uri->path);
    return n >= 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static void
read_scripts(struct fault *f, const struct thole_sink_uri *uri)
{
    memset(f, 0, sizeof(*f));
    f->used = true;
    snprintf(f->name, sizeof(f->name), "%s", uri->path);
    for (size_t i = 0; i < uri->nparams; i++)
        for (size_t o = 0; o < OPERATIONS; o++)
            if (strcmp(uri->params[i].key, keys[o]) == 0)
                snprintf(f->script[o], SCRIPT_BYTES, "%s", uri->params[i].value);
}

/* The one whose open has failed before; else a new one; NULL when all are open. */
static struct fault *
find_locked(const struct fault *wanted)
{
    struct fault *free = NULL;
    for (size_t i = 0; i < FAULTS; i++) {
        struct fault *f = &faults.fault[i];
        if (f->used && !f->open && strcmp(f->name, wanted->name) == 0 &&
            memcmp(f->script, wanted->script, sizeof(f->script)) == 0)
            return f;
        if (!f->open && (!free || free->used))
            free = f;
    }
    if (free)
        *free = *wanted;
    return free;
}

static void
set_open(struct fault *f, bool open)
{
    lock_all();
    f->open = open;
    pthread_mutex_unlock(&faults.lock);
}

static int
open_fault(const struct thole_sink_uri *uri, void **sink)
{
    struct fault wanted;
    read_scripts(&wanted, uri);
    lock_all();
    struct fault *f = find_locked(&wanted);
    if (f)
        f->open = true;
    pthread_mutex_unlock(&faults.lock);
    if (!f)
        return -EMFILE;
    struct step step = take_step(f, OPEN);
    int rc = act(&step);
    if (rc == 0)
        rc = thl_sink_memory.open(uri, sink);
    if (rc < 0)
        set_open(f, false);
    else
        *sink = f;
    return rc;
}

static int
write_fault(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct step step = take_step(sink, WRITE);
    size_t taken = step.deed == SHORT ? n / 2 : n;
    int rc = act(&step);
    *done = 0;
    if (rc == 0 && taken > 0)
        rc = thl_sink_memory.write(NULL, records, taken, done);
    return rc == 0 && taken < n ? -EAGAIN : rc;
}

static int
reopen_fault(void *sink)
{
    struct step step = take_step(sink, REOPEN);
    return act(&step);
}

static void
close_fault(void *sink)
{
    struct fault *f = sink;
    lock_all();
    f->open = f->used = false;
    pthread_mutex_unlock(&faults.lock);
}

const struct thole_sink_ops thl_sink_fault = {
    .size = sizeof(thl_sink_fault),
    .flags = THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
    .format = "json",
    .keys = keys,
    .check = check,
    .identify = identify,
    .open = open_fault,
    .write = write_fault,
    .reopen = reopen_fault,
    .close = close_fault,
};
