/* SPDX-License-Identifier: MIT */
/* The serving side of an outbox: its sink, its thread, its end, and fork. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "compiler.h"
#include "emit.h"
#include "outbox_state.h"

#define THREAD_STACK_BYTES (256 * 1024) /* a sink may resolve names */
#define KEEP_BYTES (64 * 1024)          /* of a queue's memory, when it has become idle */
#define TRIM_EVERY_MS 250
#define FORK_LOCK_MS 20

THL_TLS const struct thl_outbox *thl_outbox_inside;

bool
thl_outbox_in_sink(void)
{
    return thl_outbox_inside != NULL;
}

/* ---- the serving side ---- */

static const struct thole_sink_ops *
ops_of(const struct thl_outbox *o)
{
    return o->target->ops;
}

int
thl_outbox_open(struct thl_outbox *o)
{
    thl_outbox_inside = o;
    int rc = ops_of(o)->open(&o->target->uri, &o->sink);
    thl_outbox_inside = NULL;
    if (rc < 0) {
        o->sink = NULL;
        pthread_mutex_lock(&o->lock);
        thl_outbox_enter_trouble_locked(o, -rc);
        pthread_mutex_unlock(&o->lock);
    }
    return rc;
}

/* Books what one write did. */
static void
settle(struct thl_outbox *o, int rc, size_t done)
{
    struct thl_batch *b = &o->drain;
    pthread_mutex_lock(&o->lock);
    if (o->left_alone) { /* thl_outbox_stop has counted these already */
        pthread_mutex_unlock(&o->lock);
        return;
    }
    o->written += done;
    b->next += done;
    if (rc == -EMSGSIZE && b->next < b->n)
        thl_outbox_count_drop_locked(o, b->record[b->next++].level, THOLE_TOO_BIG);
    else if (rc < 0)
        thl_outbox_enter_trouble_locked(o, -rc);
    if (rc == 0)
        thl_outbox_leave_trouble_locked(o);
    else if (done > 0) /* slow, but it moves */
        o->trouble_since_ms = thl_clock_mono_ms();
    if (b->next == b->n)
        b->n = b->next = b->size = 0;
    pthread_cond_broadcast(&o->done);
    pthread_mutex_unlock(&o->lock);
}

static void
reopen_if_asked(struct thl_outbox *o)
{
    if (!atomic_exchange_explicit(&o->reopen, false, memory_order_acquire) || !o->sink ||
        !ops_of(o)->reopen)
        return;
    thl_outbox_inside = o;
    int rc = ops_of(o)->reopen(o->sink);
    thl_outbox_inside = NULL;
    if (rc < 0) {
        pthread_mutex_lock(&o->lock);
        thl_outbox_enter_trouble_locked(o, -rc);
        pthread_mutex_unlock(&o->lock);
    }
}

static bool
may_try_locked(const struct thl_outbox *o)
{
    return !o->trouble || thl_clock_mono_ms() >= o->next_try_ms;
}

static bool
may_try(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    bool may = may_try_locked(o);
    pthread_mutex_unlock(&o->lock);
    return may;
}

/* Whether the batch is still this thread's: while it hung in open or reopen, thl_outbox_stop may
 * have counted all of it. */
static bool
has_batch(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    bool has = !o->left_alone && o->drain.next < o->drain.n;
    pthread_mutex_unlock(&o->lock);
    return has;
}

/* One try at the drained batch. */
static void
write_batch(struct thl_outbox *o)
{
    struct thl_batch *b = &o->drain;
    size_t done = 0;
    reopen_if_asked(o);
    bool open = o->sink || (may_try(o) && thl_outbox_open(o) == 0);
    if (!has_batch(o))
        return;
    if (!open) {
        thl_outbox_fall_back(o);
        return;
    }
    thl_outbox_inside = o;
    int rc = ops_of(o)->write(o->sink, b->record + b->next, b->n - b->next, &done);
    thl_outbox_inside = NULL;
    settle(o, rc, done);
}

static bool
take_batch_locked(struct thl_outbox *o)
{
    if (o->drain.n > 0)
        return true;
    if (o->fill.n == 0)
        return false;
    struct thl_batch swapped = o->drain;
    o->drain = o->fill;
    o->fill = swapped;
    pthread_cond_broadcast(&o->done); /* there is room */
    return true;
}

void
thl_outbox_serve(struct thl_outbox *o)
{
    thl_outbox_release(o);
    for (;;) {
        pthread_mutex_lock(&o->lock);
        bool work = !o->left_alone && (!o->sink || may_try_locked(o)) && take_batch_locked(o);
        pthread_mutex_unlock(&o->lock);
        if (!work)
            return;
        write_batch(o);
    }
}

/* ---- the thread ---- */

static void
close_sink(struct thl_outbox *o)
{
    if (!o->sink)
        return;
    void *sink = o->sink;
    o->sink = NULL; /* first: a fork in between must not leave a closed one in the child */
    thl_outbox_inside = o;
    ops_of(o)->close(sink);
    thl_outbox_inside = NULL;
}

/* A burst's memory goes back when it is over: a daemon's size follows its load, not its worst hour.
 */
static void
trim(struct thl_batch *b, size_t max_records)
{
    size_t keep = KEEP_BYTES / THL_OUTBOX_RECORD_BYTES * sizeof(*b->record);
    if (b->touched <= KEEP_BYTES || b->n > 0)
        return;
    madvise(b->bytes + KEEP_BYTES, b->touched - KEEP_BYTES, MADV_DONTNEED);
    madvise((char *)b->record + keep, max_records * sizeof(*b->record) - keep, MADV_DONTNEED);
    b->touched = KEEP_BYTES;
}

/* Nothing to do: give memory back if it is time, and wait. */
static void
wait_idle_locked(struct thl_outbox *o)
{
    bool large = o->fill.touched > KEEP_BYTES || o->drain.touched > KEEP_BYTES;
    int64_t now = large ? thl_clock_mono_ms() : 0;
    if (!large) {
        pthread_cond_wait(&o->work, &o->lock);
    } else if (now - o->trimmed_ms >= TRIM_EVERY_MS) {
        trim(&o->fill, o->max_records);
        trim(&o->drain, o->max_records);
        o->trimmed_ms = now;
    } else {
        struct timespec until = thl_clock_deadline(o->trimmed_ms + TRIM_EVERY_MS - now);
        pthread_cond_timedwait(&o->work, &o->lock, &until);
    }
}

/* Waits for something to do; false at the end. */
static bool
await_work_locked(struct thl_outbox *o)
{
    for (;;) {
        bool work = thl_outbox_pending_locked(o) > 0 ||
                    atomic_load_explicit(&o->reopen, memory_order_relaxed); /* a hint */
        if (o->stop && (!work || (o->trouble && o->sink)))
            return false;
        if (work && (!o->sink || may_try_locked(o)))
            return true;
        if (o->flush_done != o->flush_want && !work)
            return true;
        if (work) {
            struct timespec until = thl_clock_deadline(o->next_try_ms - thl_clock_mono_ms() + 1);
            pthread_cond_timedwait(&o->work, &o->lock, &until);
        } else {
            wait_idle_locked(o);
        }
    }
}

static void
do_work(struct thl_outbox *o, bool batch, uint64_t flush)
{
    if (batch) {
        write_batch(o);
        return;
    }
    reopen_if_asked(o);
    if (flush && o->sink && ops_of(o)->flush) {
        thl_outbox_inside = o;
        ops_of(o)->flush(o->sink);
        thl_outbox_inside = NULL;
    }
}

/* A thread that was left to itself closes its sink when that comes back; only then may the outbox
 * be freed. */
static void
end_thread_locked(struct thl_outbox *o)
{
    if (o->left_alone) {
        pthread_mutex_unlock(&o->lock);
        close_sink(o);
        pthread_mutex_lock(&o->lock);
    }
    o->ended = true;
    pthread_cond_broadcast(&o->done);
    pthread_mutex_unlock(&o->lock);
}

static void *
run(void *arg)
{
    struct thl_outbox *o = arg;
    thl_emit_never_wait();
    pthread_mutex_lock(&o->lock);
    while (!o->left_alone && await_work_locked(o)) {
        bool batch = take_batch_locked(o);
        uint64_t flush = batch ? 0 : o->flush_want;
        o->in_io = true;
        pthread_mutex_unlock(&o->lock);
        do_work(o, batch, flush);
        pthread_mutex_lock(&o->lock);
        o->in_io = false;
        if (flush)
            o->flush_done = flush;
        pthread_cond_broadcast(&o->done);
    }
    end_thread_locked(o);
    return NULL;
}

static void
set_has_thread(struct thl_outbox *o, bool has)
{
    atomic_store_explicit(&o->has_thread, has, memory_order_relaxed); /* the lock orders the rest */
}

int
thl_outbox_start(struct thl_outbox *o)
{
    pthread_attr_t attr;
    sigset_t all, old;
    size_t stack = THREAD_STACK_BYTES;
    if (!(ops_of(o)->flags & THOLE_SINK_MAY_BLOCK))
        return 0;
    if (stack < (size_t)PTHREAD_STACK_MIN)
        stack = (size_t)PTHREAD_STACK_MIN;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&o->thread, &attr, run, o);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    set_has_thread(o, rc == 0);
    return -rc;
}

/* The records that have left the queue, in order: later ones that found no place do not count. */
static uint64_t
count_gone_locked(const struct thl_outbox *o)
{
    return o->queued - thl_outbox_pending_locked(o);
}

int
thl_outbox_flush(struct thl_outbox *o, const struct timespec *deadline)
{
    int rc = 0;
    if (o == thl_outbox_inside) /* exit() inside this sink: it waits for itself */
        return -ETIMEDOUT;
    pthread_mutex_lock(&o->lock);
    uint64_t mark = o->queued, want = ++o->flush_want;
    pthread_cond_signal(&o->work);
    while (rc == 0 && !o->ended && count_gone_locked(o) < mark)
        rc = pthread_cond_timedwait(&o->done, &o->lock, deadline);
    while (rc == 0 && thl_outbox_has_thread(o) && !o->ended && o->flush_done < want &&
           thl_outbox_pending_locked(o) == 0)
        rc = pthread_cond_timedwait(&o->done, &o->lock, deadline);
    bool all = count_gone_locked(o) >= mark;
    pthread_mutex_unlock(&o->lock);
    return all ? 0 : -ETIMEDOUT;
}

void
thl_outbox_reopen(struct thl_outbox *o)
{
    atomic_store_explicit(&o->reopen, true, memory_order_release); /* pairs with reopen_if_asked */
}

void
thl_outbox_ask_to_stop(struct thl_outbox *o)
{
    thl_outbox_release(o);
    pthread_mutex_lock(&o->lock);
    o->stop = true;
    pthread_cond_broadcast(&o->work);
    pthread_mutex_unlock(&o->lock);
}

/* Drops all it has. A write that hangs still reads its batch: that is counted, its bytes stay. */
static void
drop_all_locked(struct thl_outbox *o, bool in_use)
{
    thl_outbox_drop_batch_locked(o, &o->fill, THOLE_STOPPED);
    if (!in_use)
        thl_outbox_drop_batch_locked(o, &o->drain, THOLE_STOPPED);
    for (; o->drain.next < o->drain.n; o->drain.next++)
        thl_outbox_count_drop_locked(o, o->drain.record[o->drain.next].level, THOLE_STOPPED);
}

/* Waits for the thread's end; true when it came. */
static bool
await_end(struct thl_outbox *o, const struct timespec *deadline)
{
    int rc = 0;
    pthread_mutex_lock(&o->lock);
    while (!o->ended && rc == 0)
        rc = pthread_cond_timedwait(&o->done, &o->lock, deadline);
    bool ended = o->ended;
    drop_all_locked(o, !ended && o->in_io);
    o->left_alone = !ended;
    pthread_mutex_unlock(&o->lock);
    return ended;
}

/* Of this and thl_outbox_end_left the later one closes the sink. */
void
thl_outbox_leave(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    drop_all_locked(o, true);
    o->left_alone = true;
    bool ended = o->ended;
    pthread_mutex_unlock(&o->lock);
    if (ended)
        close_sink(o);
}

void
thl_outbox_end_left(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    thl_outbox_drop_batch_locked(o, &o->fill, THOLE_STOPPED); /* what the writer said at its end */
    bool left = o->left_alone;
    if (!left)
        o->ended = true;
    pthread_mutex_unlock(&o->lock);
    if (!left)
        return;
    close_sink(o);
    pthread_mutex_lock(&o->lock);
    o->ended = true; /* only now it may be freed */
    pthread_mutex_unlock(&o->lock);
}

bool
thl_outbox_hangs(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    bool hangs = o->left_alone && !o->ended;
    pthread_mutex_unlock(&o->lock);
    return hangs;
}

int
thl_outbox_stop(struct thl_outbox *o, const struct timespec *deadline)
{
    bool lost = false;
    thl_outbox_ask_to_stop(o);
    if (o == thl_outbox_inside) { /* exit() inside this sink: it cannot wait for itself */
        thl_outbox_leave(o);
        return -ETIMEDOUT;
    }
    if (o->left_alone) /* with the writer that serves it */
        return -ETIMEDOUT;
    if (thl_outbox_has_thread(o)) {
        if (!await_end(o, deadline)) {
            pthread_detach(o->thread);
            return -ETIMEDOUT;
        }
        pthread_join(o->thread, NULL);
        set_has_thread(o, false);
        lost = o->cause[THOLE_STOPPED] > 0;
    } else {
        o->next_try_ms = 0; /* one last try; nobody else looks at it */
        thl_outbox_serve(o);
        pthread_mutex_lock(&o->lock);
        lost = thl_outbox_pending_locked(o) > 0;
        thl_outbox_drop_batch_locked(o, &o->drain, THOLE_STOPPED);
        thl_outbox_drop_batch_locked(o, &o->fill, THOLE_STOPPED);
        pthread_mutex_unlock(&o->lock);
    }
    close_sink(o);
    return lost ? -ETIMEDOUT : 0;
}

/* ---- fork ---- */

/* Locks are taken one after the other here and by the dispatcher, so neither may wait for ever. */
void
thl_outbox_before_fork(struct thl_outbox *o, const struct timespec *deadline)
{
    struct timespec until = thl_clock_realtime_deadline(FORK_LOCK_MS);
    int rc = pthread_mutex_timedlock(&o->lock, &until);
    o->forking = rc == 0;
    while (rc == 0 && o->in_io)
        rc = pthread_cond_timedwait(&o->done, &o->lock, deadline);
    o->broken = !o->forking;
}

void
thl_outbox_after_fork(struct thl_outbox *o, bool in_child)
{
    if (!in_child) {
        if (o->forking)
            pthread_mutex_unlock(&o->lock);
        return;
    }
    bool broken = o->broken || o->in_io; /* in_io: also where no handler ran */
    thl_outbox_init_sync(o);
    set_has_thread(o, false);
    o->forking = o->held = o->in_io = o->stop = o->ended = o->left_alone = false;
    o->fill.n = o->fill.next = o->fill.size = 0;
    o->drain.n = o->drain.next = o->drain.size = 0;
    o->offered = o->written = o->dropped = o->suppressed = o->queued = 0;
    o->flush_want = o->flush_done = 0;
    o->unsaid_since_ns = o->next_try_ms = 0;
    o->trouble = o->say_down = o->say_recovered = o->stalled = false;
    memset(o->cause, 0, sizeof(o->cause));
    memset(o->unsaid, 0, sizeof(o->unsaid));
    o->broken = false;
    if (broken) /* its state may be half changed: forget it, with its descriptor */
        o->sink = NULL;
}
