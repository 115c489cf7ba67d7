/* SPDX-License-Identifier: MIT */
/* Configuration, start, direct mode. */
#include "lifecycle.h"

#include "lifecycle_state.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "compiler.h"
#include "dispatch.h"
#include "emit.h"
#include "flood.h"
#include "lock.h"
#include "logger.h"
#include "news.h"
#include "notice.h"
#include "observe.h"
#include "producer.h"
#include "rack.h"
#include "settings.h"
#include "site.h"
#include "slab.h"
#include "wipe.h"
#include "writer.h"

#define CLOSE_MS 1000        /* for the sinks of the configuration before */
#define NEVER_CUT_BYTES 4096 /* of a record past its limit: 16 numbers or addresses */
#define GRACE_MS 100         /* for the threads and sinks of a start that failed */
#define HANGING_MAX 4        /* earlier lives with a sink that hangs: each keeps its threads */

struct thl_life thl_life = {
    .lock = THL_LOCK_INITIALIZER,
    .shown = THL_LOCK_INITIALIZER,
    .arena = {.fd = -1},
};

/* Guarded by thl_life.lock. */
static struct thl_settings settings;
static bool was_started, limits_fixed;
static struct thl_limits limits;
static unsigned char *direct_buffer;
static size_t direct_size;
static int64_t direct_last_ns;

/* ---- configuration ---- */

/* What every configuration needs, once in a process. */
static int
prepare_once(void)
{
    static bool done;
    if (done)
        return 0;
    thl_clock_init();
    thl_life_init_changed();
    int rc = thl_wipe_map();
    if (rc < 0)
        return rc;
    rc = thl_producer_init();
    if (rc < 0)
        return rc;
    thl_life_watch_forks();
    atexit(thl_life_at_exit);
    at_quick_exit(thl_life_at_exit);
    done = true;
    return 0;
}

static void
apply_limits(const struct thl_limits *l)
{
    _Static_assert(THL_LIMITS_CHILDREN_MAX == THL_SLAB_SLOTS - THL_SLAB_NAMED,
                   "what children= allows is what the table holds");
    /* relaxed, all: bounds that are read one by one */
    atomic_store_explicit(&thl_logger_counts.limit, l->loggers, memory_order_relaxed);
    atomic_store_explicit(&thl_child_context_limit, thl_config_limits_context(l),
                          memory_order_relaxed);
    atomic_store_explicit(&thl_emit_queues.record_limit, l->record, memory_order_relaxed);
    atomic_store_explicit(&thl_emit_queues.block_ms, l->block ? l->block_ms : 0,
                          memory_order_relaxed);
    thl_rack_set_limit(l->children);
    limits = *l;
}

static int
make_direct_buffer(void)
{
    size_t size = limits.record + NEVER_CUT_BYTES;
    if (direct_buffer && direct_size >= size)
        return 0;
    unsigned char *bigger = malloc(size);
    if (!bigger)
        return -ENOMEM;
    free(direct_buffer);
    direct_buffer = bigger;
    direct_size = size;
    return 0;
}

/* The options before a start that is under way, which take their place again if it fails; a forked
 * process finds them here. */
static struct thl_settings_texts kept;
static bool has_kept;

/* Whoever held the lock did not come along: nothing is freed, for nothing is known to be whole, but
 * for the options of an earlier start. */
void
thl_life_forget_settings(void)
{
    struct thl_settings_texts texts = has_kept ? kept : thl_settings_take_texts(&settings);
    memset(&settings, 0, sizeof(settings));
    if (was_started)
        thl_settings_put_texts_back(&settings, &texts);
    has_kept = limits_fixed = false;
    direct_buffer = NULL;
    direct_size = 0;
}

static void
replace_dispatch(struct thl_dispatch *with)
{
    struct thl_dispatch *old = thl_life.dispatch;
    pthread_mutex_lock(&thl_life.shown);
    thl_life.dispatch = with;
    pthread_mutex_unlock(&thl_life.shown);
    thl_dispatch_retire(old);
}

/* Rules, limits and targets of `settings`, whose specs go to the dispatcher. */
static int
configure_locked(void)
{
    struct timespec deadline = thl_clock_deadline(CLOSE_MS);
    int rc = thl_logger_apply(&settings.rules, settings.otherwise);
    if (rc < 0)
        return rc;
    apply_limits(&settings.limits);
    rc = make_direct_buffer();
    if (rc < 0 || (rc = thl_site_init(limits.sites)) < 0 || (rc = thl_flood_apply(&limits)) < 0)
        return rc;
    thl_dispatch_close(thl_life.dispatch, &deadline); /* nothing, if it was stopped */
    thl_news_print_lost(thl_life.dispatch);
    replace_dispatch(NULL);
    struct thl_dispatch *made = malloc(sizeof(*made));
    if (!made)
        return -ENOMEM;
    rc = thl_dispatch_init(made, &settings.specs, &settings.env, &limits, &settings.errors);
    if (rc < 0)
        free(made);
    else
        replace_dispatch(made);
    return rc;
}

static int
configure_direct_locked(void)
{
    int rc;
    if (thl_life_state() != THL_LIFE_UNCONFIGURED)
        return 0;
    thl_life.changing = true;
    if ((rc = prepare_once()) == 0 && (rc = thl_settings_set_options(&settings, NULL)) == 0 &&
        (rc = thl_settings_read(&settings)) == 0)
        rc = configure_locked();
    thl_life.changing = false;
    if (rc < 0)
        return rc;
    thl_settings_report(&settings, THL_SETTINGS_DIRECT);
    thl_life_set_state(THL_LIFE_DIRECT);
    return 0;
}

void
thl_lifecycle_configure(void)
{
    thl_life_notice_fork();
    if (THL_LIKELY(thl_life_state() != THL_LIFE_UNCONFIGURED) || thl_outbox_in_sink())
        return;
    const int saved = errno;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    thl_life_lock();
    configure_direct_locked();
    pthread_mutex_unlock(&thl_life.lock);
    pthread_setcancelstate(state, NULL);
    errno = saved;
}

/* ---- direct mode ---- */

static void
count_stopped(unsigned level)
{
    atomic_fetch_add_explicit(&thl_emit_ledger.stopped[level], 1, memory_order_relaxed);
}

/* A handler that logs while its own thread starts or stops thole must not wait for that thread's
 * lock: only a process that was never started, or is in direct mode, takes it. */
static void *
direct_begin(unsigned level, size_t size, bool *again)
{
    thl_life_notice_fork();
    enum thl_life_state state = thl_life_state();
    *again = state == THL_LIFE_RUNNING; /* started after the caller looked */
    if (*again)
        return NULL;
    /* a sink that logs, in direct mode, holds the lock itself */
    if (thl_outbox_in_sink() || (state != THL_LIFE_UNCONFIGURED && state != THL_LIFE_DIRECT)) {
        count_stopped(level);
        return NULL;
    }
    thl_life_lock();
    int rc = configure_direct_locked();
    if (rc == 0 && thl_life_state() == THL_LIFE_DIRECT && size <= direct_size)
        return direct_buffer;
    *again = thl_life_state() == THL_LIFE_RUNNING;
    pthread_mutex_unlock(&thl_life.lock);
    if (!*again)
        count_stopped(level);
    return NULL;
}

static void
direct_end(size_t size)
{
    struct thl_record *record = (struct thl_record *)(void *)direct_buffer;
    thl_dispatch_record(thl_life.dispatch, record, size, &direct_last_ns);
    atomic_fetch_add_explicit(&thl_emit_ledger.direct, 1, memory_order_relaxed);
    if (atomic_exchange_explicit(&thl_dispatch_reopen, false, memory_order_relaxed))
        thl_dispatch_reopen_all(thl_life.dispatch);
    thl_dispatch_release(thl_life.dispatch);
    thl_news_say(thl_life.dispatch, false);
    pthread_mutex_unlock(&thl_life.lock);
}

static void
direct_cancel(void)
{
    pthread_mutex_unlock(&thl_life.lock);
}

const struct thl_emit_direct thl_emit_direct = {direct_begin, direct_end, direct_cancel,
                                                thl_life_notice_fork};

/* ---- start ---- */

static int
start_threads_locked(void)
{
    const struct thl_arena_size size = {limits.queues, THL_TARGETS, limits.loggers + 1,
                                        limits.sites + 1, limits.queue};
    int rc = 0;
    pthread_mutex_lock(&thl_life.shown);
    if (!thl_life.arena.header)
        rc = thl_arena_open(&thl_life.arena, settings.short_name, &size);
    pthread_mutex_unlock(&thl_life.shown);
    if (rc < 0)
        return rc;
    /* in a process's first start; a late call of before the last stop may read them otherwise */
    if (!thl_emit_queues.arena || thl_emit_queues.nrings != thl_life.arena.nrings) {
        thl_emit_queues.arena = &thl_life.arena;
        thl_emit_queues.nrings = thl_life.arena.nrings;
    }
    for (size_t i = 0; rc == 0 && i < thl_life.dispatch->targets.n;
         i++) /* the writer finds them running */
        rc = thl_outbox_start(thl_life.dispatch->outbox[i]);
    thl_observe_begin(&thl_life.arena);
    return rc < 0 ? rc : thl_writer_start(thl_life.dispatch);
}

static void
open_gate_locked(void)
{
    struct thl_emit_run *run = atomic_load_explicit(&thl_emit_run, memory_order_acquire);
    if (thl_life.epoch == 0)
        thl_life.epoch = 1;
    limits_fixed = was_started = true;
    thl_producer_watch();
    atomic_store_explicit(&run->mapped, thl_life.epoch,
                          memory_order_release); /* pairs with leave_ring */
    atomic_store_explicit(&run->epoch, thl_life.epoch, memory_order_release); /* pairs with emit */
    thl_arena_set_state(&thl_life.arena, THL_ARENA_RUNNING);
    thl_life_set_state(THL_LIFE_RUNNING); /* last: whoever sees it finds the gate open */
}

static int
read_settings_locked(const struct thole_options *opt)
{
    int rc = 0;
    if (opt || !was_started) /* NULL later on: the earlier start's options again */
        rc = thl_settings_set_options(&settings, opt);
    if (rc == 0)
        rc = thl_settings_read(&settings);
    if (rc == 0 && settings.strict && settings.errors.n > 0)
        rc = -EINVAL;
    if (rc == 0 && limits_fixed && thl_settings_limits_differ(&limits, &settings.limits))
        rc = -EBUSY;
    return rc;
}

static int
start_locked(const struct thole_options *opt)
{
    int rc;
    if (thl_life_state() == THL_LIFE_RUNNING)
        return -EALREADY;
    if (thl_life_state() == THL_LIFE_STOPPING || thl_writer_is_left_alone() ||
        thl_dispatch_count_hanging() >= HANGING_MAX)
        return -EBUSY;
    rc = prepare_once();
    if (rc == 0)
        rc = read_settings_locked(opt);
    if (rc == 0)
        rc = configure_locked();
    if (rc == 0 && settings.strict && settings.errors.n > 0) /* two URIs of one target disagree */
        rc = -EINVAL;
    thl_settings_report(&settings, rc < 0 ? THL_SETTINGS_FAILED_START : THL_SETTINGS_START);
    if (rc == 0)
        rc = start_threads_locked();
    if (rc == 0) {
        open_gate_locked();
    } else { /* no thread and no descriptor stays behind */
        struct timespec grace = thl_clock_deadline(GRACE_MS);
        bool hangs = thl_dispatch_close(thl_life.dispatch, &grace) < 0; /* it serves no more */
        if (thl_life_state() == THL_LIFE_STOPPED)
            thl_flood_end(); /* still */
        if ((!thl_life.dispatch || hangs) && thl_life_state() == THL_LIFE_DIRECT)
            thl_life_set_state(THL_LIFE_UNCONFIGURED); /* the next call tries again */
    }
    return rc;
}

static int
start_or_keep_locked(const struct thole_options *opt)
{
    if (!opt || thl_life_state() == THL_LIFE_RUNNING)
        return start_locked(opt);
    kept = thl_settings_take_texts(&settings);
    has_kept = true;
    int rc = start_locked(opt);
    has_kept = false;
    if (rc < 0)
        thl_settings_put_texts_back(&settings, &kept);
    else
        thl_settings_free_texts(&kept);
    return rc;
}

int
thl_lifecycle_start(const struct thole_options *opt)
{
    if (opt && opt->size != sizeof(*opt))
        return -EINVAL;
    if (opt && opt->state)
        return -ENOTSUP;
    if (thl_outbox_in_sink() || thl_life_is_forking())
        return -EDEADLK;
    thl_life_lock();
    thl_life.changing = true;
    int rc = start_or_keep_locked(opt);
    thl_life.changing = false;
    pthread_mutex_unlock(&thl_life.lock);
    return rc;
}
