/* SPDX-License-Identifier: MIT */
/* Flush, stop, exit, and the snapshot. */
#include <errno.h>
#include <string.h>

#include "census.h"
#include "compiler.h"
#include "console.h"
#include "flood.h"
#include "lifecycle.h"
#include "lifecycle_state.h"
#include "lock.h"
#include "news.h"
#include "notice.h"
#include "outbox.h"
#include "report.h"
#include "writer.h"

#define EXIT_MS 1000
#define GRACE_MS 500 /* of a stop's time, a quarter at most: for sinks to see the end */

static THL_TLS unsigned inside;

bool
thl_life_is_inside(void)
{
    return inside > 0;
}

static void
enter(void)
{
    inside++;
    atomic_signal_fence(memory_order_seq_cst); /* a handler sees it before any lock */
}

static void
leave(void)
{
    atomic_signal_fence(memory_order_seq_cst); /* and after */
    inside--;
}

static int
await_stopped_locked(const struct timespec *deadline)
{
    int rc = 0;
    while (rc == 0 && thl_life_state() == THL_LIFE_STOPPING)
        rc = pthread_cond_timedwait(&thl_life.changed, &thl_life.lock, deadline);
    return rc == 0 ? thl_life.stopped : -ETIMEDOUT;
}

/* In direct mode a record is with its sink when its call returns, unless the sink was in trouble.
 */
static int
flush_direct(int timeout_ms, const struct timespec *deadline)
{
    int rc = 0;
    if (!thl_life_try_lock(timeout_ms))
        return -ETIMEDOUT;
    if (thl_life_state() == THL_LIFE_STOPPING) { /* whatever is left then has been counted */
        rc = await_stopped_locked(deadline);
    } else if (thl_life_state() == THL_LIFE_DIRECT) {
        thl_news_say(thl_life.dispatch, false);
        thl_dispatch_ask_to_flush(thl_life.dispatch);
        thl_dispatch_release(thl_life.dispatch);
        rc = thl_dispatch_has_pending(thl_life.dispatch) ? -ETIMEDOUT : 0;
    }
    pthread_mutex_unlock(&thl_life.lock);
    return rc;
}

/* The dispatcher, kept from being freed until give_back. */
static struct thl_dispatch *
borrow_dispatch(void)
{
    pthread_mutex_lock(&thl_life.shown);
    struct thl_dispatch *d = thl_life.dispatch;
    if (d)
        atomic_fetch_add_explicit(&d->users, 1, memory_order_relaxed); /* under the lock */
    pthread_mutex_unlock(&thl_life.shown);
    return d;
}

static void
give_back(struct thl_dispatch *d)
{
    if (d)
        atomic_fetch_sub_explicit(&d->users, 1, memory_order_release); /* pairs with retire */
}

bool
thl_life_is_all_done(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    uint64_t waiting;
    thl_lifecycle_stats(&s);
    waiting = s.queued;
    for (unsigned i = 0; i < s.nsinks; i++)
        waiting += s.sink[i].pending;
    return waiting == 0;
}

static int
flush(int timeout_ms)
{
    struct timespec deadline = thl_clock_deadline(timeout_ms);
    thl_life_notice_fork();
    if (thl_life_state() != THL_LIFE_RUNNING)
        return flush_direct(timeout_ms, &deadline);
    struct thl_dispatch *d = borrow_dispatch();
    thl_dispatch_ask_to_flush(d); /* before the ticket is drawn: the same round does it */
    int rc = thl_writer_flush(&deadline);
    int written = thl_dispatch_flush(d, &deadline, true);
    give_back(d);
    if (rc == 0)
        rc = written;
    /* too late to be told so, and done all the same: thole_flush(0) asks just that */
    return rc < 0 && thl_life_is_all_done() ? 0 : rc;
}

int
thl_lifecycle_flush(int timeout_ms)
{
    if (thl_outbox_in_sink() || thl_life_is_forking())
        return -EDEADLK;
    enter();
    int rc = flush(timeout_ms);
    leave();
    return rc;
}

/* "report leaks": children alive at the end, by the call sites that made them. */
static void
report_children(void)
{
    struct thl_census c;
    if (thl_census_take(&c, true) < 0)
        return; /* without memory there is no census; the ledger has their number */
    thl_notice_children_left(&c);
    thl_census_free(&c);
}

void
thl_life_init_changed(void)
{
    thl_lock_init_cond(&thl_life.changed);
}

/* What nobody will write any more, and no target has counted. */
static void
print_queued(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    thl_lifecycle_stats(&s);
    if (s.queued > 0)
        thl_console_print("thole: records dropped cause=stopped count=%llu\n",
                          (unsigned long long)s.queued);
}

/* Until `soft` for what can still be written; the rest for sinks to see the end. No lock is held:
 * the daemon may fork, log and exit meanwhile. */
static int
stop_running(const struct timespec *soft, const struct timespec *deadline)
{
    report_children();
    int rc = thl_writer_stop(soft, deadline);
    if (rc == -ESRCH) {
        thl_dispatch_leave(thl_life.dispatch);
        rc = -ETIMEDOUT;
    }
    if (thl_dispatch_flush(thl_life.dispatch, soft, false) < 0)
        rc = -ETIMEDOUT;
    int closed = thl_dispatch_close(thl_life.dispatch, deadline);
    thl_news_print_lost(thl_life.dispatch);
    print_queued();
    return rc < 0 ? rc : closed;
}

static int
close_direct_locked(const struct timespec *soft, const struct timespec *deadline)
{
    thl_news_say(thl_life.dispatch, true);
    (void)thl_dispatch_flush(thl_life.dispatch, soft, false);
    int rc = thl_dispatch_close(thl_life.dispatch, deadline);
    thl_news_print_lost(thl_life.dispatch);
    return rc;
}

static int
stop(int timeout_ms)
{
    int grace_ms = timeout_ms < 4 * GRACE_MS ? timeout_ms / 4 : GRACE_MS, rc = 0;
    struct timespec deadline = thl_clock_deadline(timeout_ms);
    struct timespec soft = thl_clock_deadline(timeout_ms < 0 ? -1 : timeout_ms - grace_ms);
    if (!thl_life_try_lock(timeout_ms))
        return -ETIMEDOUT;
    if (thl_life_state() == THL_LIFE_RUNNING) {
        thl_life_set_state(THL_LIFE_STOPPING);
        thl_arena_set_state(&thl_life.arena, THL_ARENA_STOPPED); /* nobody answers from here on */
        pthread_mutex_unlock(&thl_life.lock);
        rc = stop_running(&soft, &deadline);
        thl_life_lock();
        thl_life.stopped = rc;
        thl_life_set_state(THL_LIFE_STOPPED);
        pthread_cond_broadcast(&thl_life.changed);
    } else if (thl_life_state() == THL_LIFE_STOPPING) {
        rc = await_stopped_locked(&deadline);
    } else if (thl_life_state() == THL_LIFE_DIRECT) {
        report_children();
        thl_flood_end(); /* what is called from now on is dropped as stopped */
        rc = close_direct_locked(&soft, &deadline);
        thl_life_set_state(THL_LIFE_STOPPED);
    }
    pthread_mutex_unlock(&thl_life.lock);
    return rc;
}

int
thl_lifecycle_stop(int timeout_ms)
{
    if (thl_outbox_in_sink() || thl_life_is_forking())
        return -EDEADLK;
    enter();
    int rc = stop(timeout_ms);
    leave();
    return rc;
}

/* In direct mode sinks get their last try. Whoever logs later still (a handler of atexit, a
 * destructor) finds the mode as it was, and the sink is opened again. Inside a sink, the others
 * get theirs; in direct mode there its lock is this thread's already. */
void
thl_life_at_exit(void)
{
    struct timespec deadline = thl_clock_deadline(EXIT_MS);
    thl_life_notice_fork();
    if (thl_life_state() == THL_LIFE_RUNNING || thl_life_state() == THL_LIFE_STOPPING) {
        stop(EXIT_MS);
        return;
    }
    if (thl_outbox_in_sink() || !thl_life_try_lock(EXIT_MS))
        return;
    if (thl_life_state() == THL_LIFE_DIRECT)
        close_direct_locked(&deadline, &deadline);
    pthread_mutex_unlock(&thl_life.lock);
}

/* ---- the rest ---- */

void
thl_lifecycle_stats(struct thole_stats *out)
{
    struct thole_stats s;
    size_t size = out->size < sizeof(s) ? out->size : sizeof(s);
    memset(&s, 0, sizeof(s));
    thl_life_notice_fork();
    enter();
    pthread_mutex_lock(&thl_life.shown);
    thl_report_process(&s, thl_life.arena.header ? &thl_life.arena : NULL);
    for (size_t i = 0; thl_life.dispatch && i < thl_life.dispatch->targets.n; i++)
        thl_outbox_stats(thl_life.dispatch->outbox[i], &s.sink[s.nsinks++]);
    pthread_mutex_unlock(&thl_life.shown);
    leave();
    s.size = out->size;
    memcpy(out, &s, size);
}
