/* SPDX-License-Identifier: MIT */
/*
 * Fork: what the parent waits for, and what the child process becomes.
 *
 * Before. Where one thread alone logs, the queue is emptied first, for up to 100 ms: daemon(3) ends
 * the parent with _exit(), and what it had queued would be lost without a word. Then all our locks
 * are taken, each within a bounded time. A sink that is inside its I/O is waited for, 100 ms at
 * most, unless its state stands a fork (THOLE_SINK_FORK_SAFE) or it has been there for longer. Of a
 * sink whose outbox or whose end of I/O cannot be had the state is forgotten in the child process,
 * with its descriptor, and it is opened anew there. The locks of call sites, schemes and notices
 * are not taken, but made anew.
 *
 * Our locks may be taken again by the thread that has them (lock.h): the daemon's own handlers of
 * fork run while we hold them, and may log, make loggers and take snapshots; what would wait for
 * the writer says -EDEADLK. A signal handler that forks may have interrupted a call of ours, so no
 * wait here is without an end.
 *
 * In the child process there is one thread, no queue and nothing pending. It counts as not started:
 * direct mode, with the same configuration, handles and descriptors. _Fork and raw clone run no
 * handlers; the page that reads zero tells of them at the first call (wipe.h), and what was inside
 * its I/O at that moment is treated alike. Nothing here allocates, frees or waits: malloc's and the
 * time zone's locks may be held for ever in the child process.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "compiler.h"
#include "dispatch.h"
#include "emit.h"
#include "flood.h"
#include "lifecycle.h"
#include "lifecycle_state.h"
#include "lock.h"
#include "logger.h"
#include "news.h"
#include "notice.h"
#include "observe.h"
#include "outbox.h"
#include "producer.h"
#include "scheme.h"
#include "site.h"
#include "slab.h"
#include "thread.h"
#include "wipe.h"
#include "writer.h"
#include "zone.h"

#define PARK_MS 100 /* how long fork waits for the queue, then for locks and I/O */

/* The forking thread's, from `before` to `after`. */
static THL_TLS struct {
    bool forks, has_life, has_shown, has_names, has_writer;
    int cancel;
} own;

static _Atomic bool waited_in_vain; /* the queue was not empty in time: not again until it is */

/* ---- before ---- */

static void
empty_queue(void)
{
    bool vain = atomic_load_explicit(&waited_in_vain, memory_order_relaxed); /* a hint */
    if (thl_life_state() != THL_LIFE_RUNNING || !thl_writer_serves_one() || thl_life_is_all_done())
        return;
    int rc = thl_lifecycle_flush(vain ? 0 : PARK_MS);
    atomic_store_explicit(&waited_in_vain, rc < 0, memory_order_relaxed);
}

static bool
has_writer(void)
{
    return thl_life_state() == THL_LIFE_RUNNING || thl_life_state() == THL_LIFE_STOPPING;
}

/* The lifecycle's lock may be held by a sink that is opened, for as long as that takes; the others
 * by a call that a handler which forks has interrupted. The writer changes rules amid a round: the
 * names come after it, or each would wait for the other until PARK_MS is over. */
static void
take_locks(void)
{
    struct timespec until = thl_clock_realtime_deadline(PARK_MS);
    own.has_life = pthread_mutex_timedlock(&thl_life.lock, &until) == 0;
    own.has_shown = pthread_mutex_timedlock(&thl_life.shown, &until) == 0;
    own.has_writer = has_writer();
    if (own.has_writer)
        thl_writer_before_fork();
    own.has_names = thl_logger_before_fork();
    struct timespec deadline = thl_clock_deadline(PARK_MS);
    for (size_t i = 0; own.has_shown && thl_life.dispatch && i < thl_life.dispatch->targets.n; i++)
        thl_outbox_before_fork(thl_life.dispatch->outbox[i], &deadline);
}

static void
give_locks_back(void)
{
    for (size_t i = 0; own.has_shown && thl_life.dispatch && i < thl_life.dispatch->targets.n; i++)
        thl_outbox_after_fork(thl_life.dispatch->outbox[i], false);
    if (own.has_names)
        thl_logger_after_fork(false);
    if (own.has_writer)
        thl_writer_after_fork(false);
    if (own.has_shown)
        pthread_mutex_unlock(&thl_life.shown);
    if (own.has_life)
        pthread_mutex_unlock(&thl_life.lock);
}

/* A sink that forks is inside our locks already: the child process makes them anew in any case.
 * Handlers of fork must not be cancelled: they would leave all of it locked. */
static void
before_fork(void)
{
    if (thl_outbox_in_sink())
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &own.cancel);
    thl_life_notice_fork();
    if (!thl_life_is_inside())
        empty_queue();
    take_locks();
    own.forks = true;
}

/* ---- after ---- */

static void
after_fork_in_parent(void)
{
    if (thl_outbox_in_sink())
        return;
    own.forks = false;
    give_locks_back();
    pthread_setcancelstate(own.cancel, NULL);
}

bool
thl_life_is_forking(void)
{
    return own.forks;
}

static void
clear_ledger(void)
{
    memset(&thl_emit_ledger, 0, sizeof(thl_emit_ledger));
    atomic_store_explicit(&thl_dispatch_notices_made, 0, memory_order_relaxed); /* alone here */
}

/* Configured, unless the fork came in the middle of that: a half-made configuration is forgotten,
 * and the first call reads it anew. */
static void
keep_configuration(void)
{
    if (thl_life.changing) {
        thl_life.changing = false;
        thl_life.dispatch = NULL;
        thl_life_forget_settings();
    }
    for (size_t i = 0; thl_life.dispatch && i < thl_life.dispatch->targets.n; i++)
        thl_outbox_after_fork(thl_life.dispatch->outbox[i], true);
    thl_dispatch_after_fork(thl_life.dispatch);
    thl_life_set_state(thl_life.dispatch ? THL_LIFE_DIRECT : THL_LIFE_UNCONFIGURED);
}

/* This process is new: no threads, no queues, nothing pending, the same handles and descriptors. */
static void
become_child(void)
{
    thl_lock_init(&thl_life.lock);
    thl_lock_init(&thl_life.shown);
    thl_life_init_changed();
    thl_slab_after_fork(); /* the locks of racks, before gates are written */
    thl_logger_after_fork(true);
    thl_scheme_after_fork();
    thl_site_after_fork();
    thl_thread_after_fork();
    thl_zone_after_fork();
    thl_notice_after_fork();
    thl_writer_after_fork(true);
    thl_producer_after_fork();
    keep_configuration();
    thl_news_after_fork();
    thl_observe_after_fork();
    thl_arena_forget(&thl_life.arena);
    clear_ledger();
    thl_flood_after_fork();
    thl_life.epoch++;
}

static void
after_fork_in_child(void)
{
    bool in_sink = thl_outbox_in_sink();
    own.forks = false;
    become_child();
    thl_wipe_known();
    if (!in_sink)
        pthread_setcancelstate(own.cancel, NULL);
}

/* _Fork and raw clone run no handlers: the first call that looks does their work. */
void
thl_life_notice_fork(void)
{
    thl_wipe_look(become_child);
}

void
thl_life_watch_forks(void)
{
    static bool watched;
    if (watched)
        return;
    watched = true; /* first: twice would be a deadlock, should a fork come in between */
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void
thl_life_lock(void)
{
    thl_life_notice_fork();
    pthread_mutex_lock(&thl_life.lock);
}

bool
thl_life_try_lock(int timeout_ms)
{
    struct timespec until = thl_clock_realtime_deadline(timeout_ms);
    thl_life_notice_fork();
    return pthread_mutex_timedlock(&thl_life.lock, &until) == 0;
}
