/* SPDX-License-Identifier: MIT */
/* The serving side of an outbox: what it asks of its sink, and what it makes of the answers. */
#include <errno.h>
#include <pthread.h>

#include "clock.h"
#include "compiler.h"
#include "emit.h"
#include "outbox_state.h"

#define LOOK_MS 1000 /* how often a sink is asked whether it wants to be opened anew */

THL_TLS const struct thl_outbox *thl_outbox_inside;

bool
thl_outbox_in_sink(void)
{
    return thl_outbox_inside != NULL;
}

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
    if (rc == -EMSGSIZE && b->next < b->n) {
        drop_next_locked(o);
        rc = 0; /* of the sink: it is there, and has judged */
    }
    if (rc < 0)
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

/* Where it fails the sink goes on with what it has: that is said, once where nobody asked for it,
 * and is no outage. */
static void
reopen(struct thl_outbox *o, bool asked)
{
    if (!o->sink || !ops_of(o)->reopen)
        return;
    thl_outbox_inside = o;
    int rc = ops_of(o)->reopen(state_of(o));
    thl_outbox_inside = NULL;
    pthread_mutex_lock(&o->lock);
    if ((rc < 0) != (o->reopen_error != 0) || (rc < 0 && asked)) {
        o->say_reopen = true;
        thl_emit_wake();
    }
    o->reopen_error = rc < 0 ? -rc : 0;
    pthread_mutex_unlock(&o->lock);
}

void
thl_outbox_reopen_if_asked(struct thl_outbox *o)
{
    if (atomic_exchange_explicit(&o->reopen, false, memory_order_acquire))
        reopen(o, true);
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
        reopen(o, false);
}

bool
thl_outbox_may_try_locked(const struct thl_outbox *o)
{
    return !o->trouble || thl_clock_mono_ms() >= o->next_try_ms;
}

static bool
may_try(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    bool may = thl_outbox_may_try_locked(o);
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
void
thl_outbox_write_batch(struct thl_outbox *o)
{
    const struct thole_sink_record *records;
    size_t done = 0;
    thl_outbox_reopen_if_asked(o);
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

bool
thl_outbox_is_flush_due(const struct thl_outbox *o)
{
    return o->flush_due_ms != 0 && thl_clock_mono_ms() >= o->flush_due_ms;
}

void
thl_outbox_flush_sink(struct thl_outbox *o)
{
    o->flush_due_ms = 0;
    if (!o->sink || !ops_of(o)->flush)
        return;
    thl_outbox_inside = o;
    int rc = ops_of(o)->flush(state_of(o));
    thl_outbox_inside = NULL;
    if (rc == 0)
        return;
    enter_trouble(o, -rc);
    if (ops_of(o)->flush_within) /* for what was written no other may come */
        o->flush_due_ms = thl_clock_mono_ms() + LOOK_MS;
}

bool
thl_outbox_take_batch_locked(struct thl_outbox *o)
{
    if (o->drain.n > 0)
        return true;
    if (o->fill.n == 0)
        return false;
    struct thl_batch swapped = o->drain;
    if (o->fill.touched < o->fill.size)
        o->fill.touched = o->fill.size;
    o->drain = o->fill;
    o->fill = swapped;
    o->flush_taken = o->flush_want;
    pthread_cond_broadcast(&o->done); /* there is room */
    if (o->unsaid_since_ns != 0 || o->unsaid_suppressed > 0)
        thl_emit_wake(); /* also for what was lost */
    return true;
}

void
thl_outbox_begin_io_locked(struct thl_outbox *o)
{
    o->in_io = true;
    o->io_since_ms = thl_clock_mono_ms();
}

void
thl_outbox_end_io_locked(struct thl_outbox *o)
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
        thl_outbox_begin_io_locked(o);
        pthread_mutex_unlock(&o->lock);
        thl_outbox_reopen_if_asked(o);
        pthread_mutex_lock(&o->lock);
        thl_outbox_end_io_locked(o);
    }
    while (!o->left_alone && (!o->sink || thl_outbox_may_try_locked(o)) &&
           thl_outbox_take_batch_locked(o)) {
        thl_outbox_begin_io_locked(o);
        pthread_mutex_unlock(&o->lock);
        thl_outbox_write_batch(o);
        pthread_mutex_lock(&o->lock);
        thl_outbox_end_io_locked(o);
    }
    uint64_t want = o->flush_want;
    if (!o->left_alone && (o->flush_done != want || thl_outbox_is_flush_due(o))) {
        thl_outbox_begin_io_locked(o);
        pthread_mutex_unlock(&o->lock);
        thl_outbox_flush_sink(o);
        pthread_mutex_lock(&o->lock);
        o->flush_done = want;
        thl_outbox_end_io_locked(o);
    }
    pthread_mutex_unlock(&o->lock);
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Waits for the next try; false when there is none to wait for. */
static bool
await_try(struct thl_outbox *o, const struct timespec *deadline)
{
    pthread_mutex_lock(&o->lock);
    int64_t left_ms = o->next_try_ms - thl_clock_mono_ms();
    struct timespec until = thl_clock_deadline(left_ms > 0 ? left_ms + 1 : 1);
    bool again = thl_outbox_pending_locked(o) > 0 && !o->left_alone && is_before(&until, deadline);
    for (int rc = 0; again && rc == 0;)
        rc = pthread_cond_timedwait(&o->work, &o->lock, &until);
    pthread_mutex_unlock(&o->lock);
    return again;
}

void
thl_outbox_serve_until(struct thl_outbox *o, const struct timespec *deadline)
{
    do
        thl_outbox_serve(o);
    while (await_try(o, deadline));
}

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
