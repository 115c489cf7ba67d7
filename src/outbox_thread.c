/* SPDX-License-Identifier: MIT */
/* The thread of an outbox. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "compiler.h"
#include "emit.h"
#include "outbox_state.h"
#include "thread.h"

#define THREAD_STACK_BYTES (256 * 1024) /* a sink may resolve names */
#define KEEP_BYTES (64 * 1024)          /* of a queue's memory, when it has become idle */
#define TRIM_EVERY_MS 250

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

/* Waits for work, at most until one of two times, of which 0 is none. */
static void
wait_until_locked(struct thl_outbox *o, int64_t a_ms, int64_t b_ms)
{
    int64_t first = a_ms == 0 || (b_ms != 0 && b_ms < a_ms) ? b_ms : a_ms;
    if (first == 0) {
        pthread_cond_wait(&o->work, &o->lock);
        return;
    }
    int64_t left_ms = first - thl_clock_mono_ms();
    struct timespec until = thl_clock_deadline(left_ms > 0 ? left_ms + 1 : 1);
    pthread_cond_timedwait(&o->work, &o->lock, &until);
}

/* Nothing to do: give memory back if it is time, and wait. */
static void
wait_idle_locked(struct thl_outbox *o)
{
    bool large = o->fill.touched > KEEP_BYTES || o->drain.touched > KEEP_BYTES;
    int64_t now = large ? thl_clock_mono_ms() : 0;
    if (large && now - o->trimmed_ms >= TRIM_EVERY_MS) {
        trim(&o->fill, o->max_records + THL_OUTBOX_NOTICES);
        trim(&o->drain, o->max_records + THL_OUTBOX_NOTICES);
        o->trimmed_ms = now;
    } else {
        wait_until_locked(o, large ? o->trimmed_ms + TRIM_EVERY_MS : 0, o->flush_due_ms);
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
        if (work && (!o->sink || thl_outbox_may_try_locked(o)))
            return true;
        if ((o->flush_done != o->flush_want && !work) || thl_outbox_is_flush_due(o))
            return true;
        if (work)
            wait_until_locked(o, o->next_try_ms, o->flush_due_ms);
        else
            wait_idle_locked(o);
    }
}

static void
do_work(struct thl_outbox *o, bool batch, bool flush)
{
    if (batch)
        thl_outbox_write_batch(o);
    else
        thl_outbox_reopen_if_asked(o);
    if (flush || thl_outbox_is_flush_due(o))
        thl_outbox_flush_sink(o);
}

/* The thread closes its sink itself: that may hang, and whoever stops may not. Only then the outbox
 * may be freed. */
static void
end_thread_locked(struct thl_outbox *o)
{
    thl_outbox_begin_io_locked(o);
    pthread_mutex_unlock(&o->lock);
    thl_outbox_close_sink(o);
    pthread_mutex_lock(&o->lock);
    thl_outbox_end_io_locked(o);
    o->ended = true;
    pthread_cond_broadcast(&o->done);
    pthread_mutex_unlock(&o->lock);
}

/* The batch that was the last to hold what a flush waits for is written, and others may follow it
 * without end. */
static void
flush_behind_batch_locked(struct thl_outbox *o)
{
    uint64_t taken = o->flush_taken;
    if (o->drain.n > 0 || o->flush_done >= taken)
        return;
    pthread_mutex_unlock(&o->lock);
    thl_outbox_flush_sink(o);
    pthread_mutex_lock(&o->lock);
    o->flush_done = taken;
}

static void *
run(void *arg)
{
    struct thl_outbox *o = arg;
    thl_emit_never_wait();
    pthread_mutex_lock(&o->lock);
    while (!o->left_alone && await_work_locked(o)) {
        bool batch = (!o->sink || thl_outbox_may_try_locked(o)) && thl_outbox_take_batch_locked(o);
        uint64_t want = o->flush_want;
        bool flush = thl_outbox_pending_locked(o) == 0 && want != o->flush_done;
        thl_outbox_begin_io_locked(o);
        pthread_mutex_unlock(&o->lock);
        do_work(o, batch, flush);
        pthread_mutex_lock(&o->lock);
        if (flush)
            o->flush_done = want;
        flush_behind_batch_locked(o);
        thl_outbox_end_io_locked(o);
    }
    end_thread_locked(o);
    return NULL;
}

int
thl_outbox_start(struct thl_outbox *o)
{
    pthread_attr_t attr;
    size_t stack = THREAD_STACK_BYTES;
    char name[16];
    if (!(o->target->ops->flags & THOLE_SINK_MAY_BLOCK))
        return 0;
    if (stack < (size_t)PTHREAD_STACK_MIN)
        stack = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack);
    snprintf(name, sizeof(name), "thole:%.9s", o->target->uri.scheme);
    int rc = thl_thread_create(&o->thread, &attr, name, run, o);
    pthread_attr_destroy(&attr);
    thl_outbox_set_has_thread(o, rc == 0);
    return -rc;
}

/* The records that have left the queue, in order: later ones that found no place do not count. */
static uint64_t
count_gone_locked(const struct thl_outbox *o)
{
    return o->queued - thl_outbox_pending_locked(o);
}

void
thl_outbox_ask_to_flush(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    if (!thl_outbox_has_thread(o) && o->target->ops->flush)
        o->flush_want++;
    pthread_mutex_unlock(&o->lock);
}

static bool
owes_flush_locked(const struct thl_outbox *o, uint64_t want)
{
    return thl_outbox_has_thread(o) && !o->ended && !o->left_alone && o->flush_done < want;
}

int
thl_outbox_flush(struct thl_outbox *o, const struct timespec *deadline)
{
    int rc = 0;
    if (o == thl_outbox_inside) /* exit() inside this sink: it waits for itself */
        return -ETIMEDOUT;
    pthread_mutex_lock(&o->lock);
    uint64_t mark = o->queued, want = thl_outbox_has_thread(o) ? ++o->flush_want : 0;
    pthread_cond_signal(&o->work);
    while (rc == 0 && !o->ended && count_gone_locked(o) < mark)
        rc = pthread_cond_timedwait(&o->done, &o->lock, deadline);
    while (rc == 0 && owes_flush_locked(o, want))
        rc = pthread_cond_timedwait(&o->done, &o->lock, deadline);
    bool all = count_gone_locked(o) >= mark && !owes_flush_locked(o, want);
    pthread_mutex_unlock(&o->lock);
    return all ? 0 : -ETIMEDOUT;
}

void
thl_outbox_reopen(struct thl_outbox *o)
{
    atomic_store_explicit(&o->reopen, true, memory_order_release); /* pairs with reopen_if_asked */
    thl_outbox_hold(o); /* an idle thread waits for this, not for the next record */
    pthread_cond_signal(&o->work);
}
