/* SPDX-License-Identifier: MIT */
/* The serving side of an outbox: its sink and its thread. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
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
#define LOOK_MS 1000 /* how often a sink is asked whether it wants to be opened anew */

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

/* Stands for the state of a sink that has none: o->sink is NULL where it is not open. */
static char no_state;

static void *
state_of(const struct thl_outbox *o)
{
    return o->sink == &no_state ? NULL : o->sink;
}

static void
enter_trouble(struct thl_outbox *o, int error)
{
    pthread_mutex_lock(&o->lock);
    thl_outbox_enter_trouble_locked(o, error);
    pthread_mutex_unlock(&o->lock);
}

int
thl_outbox_open(struct thl_outbox *o)
{
    thl_outbox_inside = o;
    int rc = ops_of(o)->open(&o->target->uri, &o->sink);
    thl_outbox_inside = NULL;
    if (rc > 0) /* no errno: a sink that is wrong is not half open */
        rc = o->sink ? 0 : -EIO;
    if (rc == 0 && !o->sink)
        o->sink = &no_state;
    if (rc < 0) {
        o->sink = NULL;
        enter_trouble(o, -rc);
    }
    return rc;
}

/* The next record of the batch is one that the sink will never take. */
static void
drop_next_locked(struct thl_outbox *o)
{
    struct thl_batch *b = &o->drain;
    bool notice = false;
    for (size_t i = 0; i < b->nnotices; i++)
        notice |= b->notice[i] == b->next;
    if (notice)
        thl_outbox_book_drop_locked(o, THOLE_TOO_BIG);
    else
        thl_outbox_count_drop_locked(o, b->record[b->next].level, THOLE_TOO_BIG);
    b->next++;
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
        drop_next_locked(o);
    else if (rc < 0)
        thl_outbox_enter_trouble_locked(o, -rc);
    if (rc == 0)
        thl_outbox_leave_trouble_locked(o);
    else if (done > 0)
        thl_outbox_move_on_locked(o);
    if (b->next == b->n)
        b->n = b->next = b->size = 0;
    pthread_cond_broadcast(&o->done);
    pthread_mutex_unlock(&o->lock);
}

/* Where it fails the sink goes on with what it has: that is said, and is no outage. */
static void
reopen(struct thl_outbox *o)
{
    if (!o->sink || !ops_of(o)->reopen)
        return;
    thl_outbox_inside = o;
    int rc = ops_of(o)->reopen(state_of(o));
    thl_outbox_inside = NULL;
    pthread_mutex_lock(&o->lock);
    if ((rc < 0) != (o->reopen_error != 0)) {
        o->say_reopen = true;
        thl_emit_wake();
    }
    o->reopen_error = rc < 0 ? -rc : 0;
    pthread_mutex_unlock(&o->lock);
}

static void
reopen_if_asked(struct thl_outbox *o)
{
    if (atomic_exchange_explicit(&o->reopen, false, memory_order_acquire))
        reopen(o);
}

/* Renamed files and sockets bound anew are followed while records come. */
static void
reopen_if_wanted(struct thl_outbox *o)
{
    int64_t now = thl_clock_mono_ms();
    if (!o->sink || !ops_of(o)->wants_reopen || (o->looked_ms && now - o->looked_ms < LOOK_MS))
        return;
    o->looked_ms = now;
    thl_outbox_inside = o;
    bool wants = ops_of(o)->wants_reopen(state_of(o));
    thl_outbox_inside = NULL;
    if (wants)
        reopen(o);
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

/* What is to be written of the batch: nothing where, while this thread hung in open or reopen,
 * thl_outbox_stop has counted all of it. */
static size_t
look_at_batch(struct thl_outbox *o, const struct thole_sink_record **records)
{
    pthread_mutex_lock(&o->lock);
    *records = o->drain.record + o->drain.next;
    size_t n = o->left_alone ? 0 : o->drain.n - o->drain.next;
    pthread_mutex_unlock(&o->lock);
    return n;
}

/* What was written has until then to be flushed. */
static void
note_flush(struct thl_outbox *o)
{
    if (!ops_of(o)->flush_within || o->flush_due_ms != 0)
        return;
    thl_outbox_inside = o;
    unsigned ms = ops_of(o)->flush_within(state_of(o));
    thl_outbox_inside = NULL;
    if (ms > 0)
        o->flush_due_ms = thl_clock_mono_ms() + ms;
}

/* One try at the drained batch. */
static void
write_batch(struct thl_outbox *o)
{
    const struct thole_sink_record *records;
    size_t done = 0;
    reopen_if_asked(o);
    reopen_if_wanted(o);
    bool open = o->sink || (may_try(o) && thl_outbox_open(o) == 0);
    size_t n = look_at_batch(o, &records);
    if (n == 0)
        return;
    if (!open) {
        thl_outbox_fall_back(o);
        return;
    }
    thl_outbox_inside = o;
    int rc = ops_of(o)->write(state_of(o), records, n, &done);
    thl_outbox_inside = NULL;
    if (rc > 0) /* no errno: a sink that is wrong may not make the ledger wrong */
        rc = -EIO;
    if (rc == 0 || done > n)
        done = n;
    settle(o, rc, done);
    note_flush(o);
}

static bool
is_flush_due(const struct thl_outbox *o)
{
    return o->flush_due_ms != 0 && thl_clock_mono_ms() >= o->flush_due_ms;
}

static void
flush_sink(struct thl_outbox *o)
{
    o->flush_due_ms = 0;
    if (!o->sink || !ops_of(o)->flush)
        return;
    thl_outbox_inside = o;
    int rc = ops_of(o)->flush(state_of(o));
    thl_outbox_inside = NULL;
    if (rc < 0)
        enter_trouble(o, -rc);
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
    o->flush_taken = o->flush_want;
    pthread_cond_broadcast(&o->done); /* there is room */
    if (o->unsaid_since_ns != 0 || o->unsaid_suppressed > 0)
        thl_emit_wake(); /* also for what was lost */
    return true;
}

static void
begin_io_locked(struct thl_outbox *o)
{
    o->in_io = true;
    o->io_since_ms = thl_clock_mono_ms();
}

static void
end_io_locked(struct thl_outbox *o)
{
    o->in_io = false;
    pthread_cond_broadcast(&o->done); /* for fork, too */
}

void
thl_outbox_serve(struct thl_outbox *o)
{
    thl_outbox_release(o);
    pthread_mutex_lock(&o->lock);
    if (!o->left_alone && atomic_load_explicit(&o->reopen, memory_order_relaxed)) { /* a hint */
        begin_io_locked(o);
        pthread_mutex_unlock(&o->lock);
        reopen_if_asked(o);
        pthread_mutex_lock(&o->lock);
        end_io_locked(o);
    }
    while (!o->left_alone && (!o->sink || may_try_locked(o)) && take_batch_locked(o)) {
        begin_io_locked(o);
        pthread_mutex_unlock(&o->lock);
        write_batch(o);
        pthread_mutex_lock(&o->lock);
        end_io_locked(o);
    }
    uint64_t want = o->flush_want;
    if (!o->left_alone && (o->flush_done != want || is_flush_due(o))) {
        begin_io_locked(o);
        pthread_mutex_unlock(&o->lock);
        flush_sink(o);
        pthread_mutex_lock(&o->lock);
        o->flush_done = want;
        end_io_locked(o);
    }
    pthread_mutex_unlock(&o->lock);
}

/* ---- the thread ---- */

void
thl_outbox_close_sink(struct thl_outbox *o)
{
    if (!o->sink)
        return;
    void *sink = state_of(o);
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

/* Waits for work, at most until one of two times, of which 0 is none. */
static void
wait_until_locked(struct thl_outbox *o, int64_t a_ms, int64_t b_ms)
{
    int64_t first = a_ms == 0 || (b_ms != 0 && b_ms < a_ms) ? b_ms : a_ms;
    if (first == 0) {
        pthread_cond_wait(&o->work, &o->lock);
        return;
    }
    struct timespec until = thl_clock_deadline(first - thl_clock_mono_ms() + 1);
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
        if (work && (!o->sink || may_try_locked(o)))
            return true;
        if ((o->flush_done != o->flush_want && !work) || is_flush_due(o))
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
        write_batch(o);
    else
        reopen_if_asked(o);
    if (flush || is_flush_due(o))
        flush_sink(o);
}

/* The thread closes its sink itself: that may hang, and whoever stops may not. Only then the outbox
 * may be freed. */
static void
end_thread_locked(struct thl_outbox *o)
{
    begin_io_locked(o);
    pthread_mutex_unlock(&o->lock);
    thl_outbox_close_sink(o);
    pthread_mutex_lock(&o->lock);
    end_io_locked(o);
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
    flush_sink(o);
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
        bool batch = (!o->sink || may_try_locked(o)) && take_batch_locked(o);
        uint64_t want = o->flush_want;
        bool flush = thl_outbox_pending_locked(o) == 0 && want != o->flush_done;
        begin_io_locked(o);
        pthread_mutex_unlock(&o->lock);
        do_work(o, batch, flush);
        pthread_mutex_lock(&o->lock);
        if (flush)
            o->flush_done = want;
        flush_behind_batch_locked(o);
        end_io_locked(o);
    }
    end_thread_locked(o);
    return NULL;
}

int
thl_outbox_start(struct thl_outbox *o)
{
    pthread_attr_t attr;
    size_t stack = THREAD_STACK_BYTES;
    if (!(ops_of(o)->flags & THOLE_SINK_MAY_BLOCK))
        return 0;
    if (stack < (size_t)PTHREAD_STACK_MIN)
        stack = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack);
    int rc = thl_thread_create(&o->thread, &attr, run, o);
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
    if (!thl_outbox_has_thread(o) && ops_of(o)->flush)
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
