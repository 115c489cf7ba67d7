/* SPDX-License-Identifier: MIT */
/* An outbox's end, in time whatever its sink does, and what a fork makes of it. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "clock.h"
#include "outbox_state.h"

#define FORK_LOCK_MS 20
#define FORK_IO_MS 100

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
    pthread_cond_broadcast(&o->done); /* for flushes: nothing is pending now */
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
        thl_outbox_close_sink(o);
}

void
thl_outbox_end_left(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    thl_outbox_drop_batch_locked(o, &o->fill, THOLE_STOPPED); /* put there after its end */
    bool ours = !thl_outbox_has_thread(o);
    bool left = ours && o->left_alone;
    if (ours && !left)
        o->ended = true;
    pthread_mutex_unlock(&o->lock);
    if (!left)
        return;
    thl_outbox_close_sink(o);
    pthread_mutex_lock(&o->lock);
    o->ended = true; /* only now it may be freed */
    pthread_mutex_unlock(&o->lock);
}

bool
thl_outbox_is_in_io(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    bool in_io = o->in_io;
    pthread_mutex_unlock(&o->lock);
    return in_io;
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
        thl_outbox_set_has_thread(o, false);
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
    thl_outbox_close_sink(o);
    return lost ? -ETIMEDOUT : 0;
}

/* ---- fork ---- */

static bool
stands_fork(const struct thl_outbox *o)
{
    return (o->target->ops->flags & THOLE_SINK_FORK_SAFE) != 0;
}

/* Locks are taken one after the other here and by the dispatcher, so neither may wait for ever. An
 * I/O that has lasted for long hangs: it delays one fork, not each. */
void
thl_outbox_before_fork(struct thl_outbox *o, const struct timespec *deadline)
{
    struct timespec until = thl_clock_realtime_deadline(FORK_LOCK_MS);
    int rc = pthread_mutex_timedlock(&o->lock, &until);
    o->forking = rc == 0;
    while (rc == 0 && o->in_io && !stands_fork(o) &&
           thl_clock_mono_ms() - o->io_since_ms < FORK_IO_MS)
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
    thl_outbox_set_has_thread(o, false);
    atomic_store_explicit(&o->holder, NULL, memory_order_relaxed); /* alone here */
    o->forking = o->in_io = o->stop = o->ended = o->left_alone = false;
    o->fill.n = o->fill.next = o->fill.size = 0;
    o->drain.n = o->drain.next = o->drain.size = 0;
    o->offered = o->written = o->dropped = o->suppressed = o->queued = 0;
    o->flush_want = o->flush_done = o->flush_taken = 0;
    o->unsaid_since_ns = o->next_try_ms = o->flush_due_ms = 0;
    o->unsaid_suppressed = 0;
    o->reopen_error = 0;
    o->trouble = o->say_down = o->say_recovered = o->say_reopen = o->stalled = false;
    memset(o->cause, 0, sizeof(o->cause));
    memset(o->unsaid, 0, sizeof(o->unsaid));
    o->broken = false;
    if (broken && !stands_fork(o)) /* with its descriptor */
        o->sink = NULL;
}
