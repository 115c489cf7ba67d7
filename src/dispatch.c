/* SPDX-License-Identifier: MIT */
/* Records -> targets: the life of a dispatcher, and what it does with each record. */
#include "dispatch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "console.h"
#include "emit.h"
#include "errname.h"
#include "logger.h"
#include "site.h"
#include "slab.h"
#include "zone.h"

#define OUTBOX_BYTES_MIN (256u * 1024)
#define OUTBOX_BYTES_MAX (4096u * 1024)
#define CLOCK_STEP_NS INT64_C(500000000)
#define QUARTER_NS INT64_C(900000000000)

#define WAIT_SLICE_MS 20 /* how soon a wait for room sees that the end has come */

_Atomic uint64_t thl_dispatch_notices_made;
static _Atomic uint64_t logger_records[THL_LOGGER_MAX]; /* written by whoever dispatches */
_Atomic bool thl_dispatch_reopen;

/* ---- life ---- */

static char *
map_buffer(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static size_t
outbox_bytes(const struct thl_limits *limits)
{
    size_t bytes = (size_t)limits->queue;
    if (bytes < OUTBOX_BYTES_MIN)
        bytes = OUTBOX_BYTES_MIN;
    return bytes < OUTBOX_BYTES_MAX ? bytes : OUTBOX_BYTES_MAX;
}

static void
open_targets(struct thl_dispatch *d, struct thl_config_errors *errors)
{
    for (size_t i = 0; i < d->targets.n; i++) {
        const struct thl_target *t = &d->targets.target[i];
        int rc = thl_outbox_open(d->outbox[i]);
        if (rc < 0)
            thl_config_error(errors, t->route[0].spec->label, "", 0,
                             "cannot open %s: %s; stderr takes its records until it can be opened",
                             t->name, thl_target_explain(t, -rc));
    }
}

int
thl_dispatch_init(struct thl_dispatch *d, struct thl_sink_specs *specs,
                  const struct thl_target_env *env, const struct thl_limits *limits,
                  struct thl_config_errors *errors)
{
    struct thl_config_errors unopened = {0};
    struct thl_target_env own = *env;
    memset(d, 0, sizeof(*d));
    snprintf(d->app, sizeof(d->app), "%s", env->app);
    snprintf(d->host, sizeof(d->host), "%s", env->host);
    own.app = d->app;
    own.host = d->host;
    d->specs = *specs;
    memset(specs, 0, sizeof(*specs));
    d->block_ms = limits->block ? limits->block_ms : 0;
    d->render_bytes = (size_t)limits->record * 6 + 16384;
    thl_target_build(&d->targets, &d->specs, &own, errors);
    if (!(d->phrases = thl_phrases_new()))
        goto fail;
    for (size_t i = 0; i < d->targets.nstyles; i++)
        if (!(d->render[i] = map_buffer(d->render_bytes)))
            goto fail;
    for (size_t i = 0; i < d->targets.n; i++)
        if (!(d->outbox[i] = thl_outbox_new(&d->targets.target[i], outbox_bytes(limits))))
            goto fail;
    for (size_t i = 0; i < d->targets.n; i++)
        for (size_t j = 0; d->targets.target[i].is_stderr && j < d->targets.n; j++)
            thl_outbox_set_fallback(d->outbox[j], d->outbox[i]);
    thl_clock_anchor(&d->clock);
    open_targets(d, &unopened);
    for (size_t i = 0; i < unopened.kept; i++)
        thl_console_print("thole: %s\n", unopened.text[i]);
    thl_config_errors_fini(&unopened);
    return 0;

fail:
    thl_dispatch_fini(d);
    return -ENOMEM;
}

int
thl_dispatch_flush(struct thl_dispatch *d, const struct timespec *deadline, bool writer_runs)
{
    int rc = 0;
    for (size_t i = 0; d && !writer_runs && i < d->targets.n; i++)
        if (!thl_outbox_has_thread(d->outbox[i]))
            thl_outbox_serve_until(d->outbox[i], deadline);
    for (size_t i = 0; d && i < d->targets.n; i++)
        if ((writer_runs || thl_outbox_has_thread(d->outbox[i])) &&
            thl_outbox_flush(d->outbox[i], deadline) < 0)
            rc = -ETIMEDOUT;
    return rc;
}

void
thl_dispatch_ask_to_flush(struct thl_dispatch *d)
{
    for (size_t i = 0; d && i < d->targets.n; i++)
        thl_outbox_ask_to_flush(d->outbox[i]);
}

bool
thl_dispatch_has_pending(struct thl_dispatch *d)
{
    struct thole_sink_stats stats;
    for (size_t i = 0; i < d->targets.n; i++) {
        thl_outbox_stats(d->outbox[i], &stats);
        if (stats.pending > 0)
            return true;
    }
    return false;
}

bool
thl_dispatch_is_serving(struct thl_dispatch *d)
{
    bool serving = false;
    for (size_t i = 0; i < d->targets.n; i++)
        serving |= !thl_outbox_has_thread(d->outbox[i]) && thl_outbox_is_in_io(d->outbox[i]);
    return serving;
}

void
thl_dispatch_leave(struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        if (!thl_outbox_has_thread(d->outbox[i]))
            thl_outbox_leave(d->outbox[i]);
}

void
thl_dispatch_end_left(struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        thl_outbox_end_left(d->outbox[i]);
}

int
thl_dispatch_close(struct thl_dispatch *d, const struct timespec *deadline)
{
    int rc = 0;
    for (size_t i = 0; d && i < d->targets.n; i++)
        thl_outbox_ask_to_stop(d->outbox[i]);
    for (size_t i = 0; d && i < d->targets.n; i++)
        if (thl_outbox_stop(d->outbox[i], deadline) < 0)
            rc = -ETIMEDOUT;
    return rc;
}

static bool
hangs(const struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        if (thl_outbox_hangs(d->outbox[i]))
            return true;
    return false;
}

static struct thl_dispatch *retired; /* with a sink that hangs; thl_dispatch_retire's */

void
thl_dispatch_retire(struct thl_dispatch *d)
{
    if (d) {
        d->next = retired;
        retired = d;
    }
    for (struct thl_dispatch **at = &retired; *at;) {
        struct thl_dispatch *old = *at;
        if (hangs(old) || atomic_load_explicit(&old->users, memory_order_acquire)) {
            at = &old->next;
            continue;
        }
        *at = old->next;
        thl_dispatch_fini(old);
        free(old);
    }
}

unsigned
thl_dispatch_count_hanging(void)
{
    unsigned n = 0;
    thl_dispatch_retire(NULL);
    for (const struct thl_dispatch *d = retired; d; d = d->next)
        n++;
    return n;
}

void
thl_dispatch_fini(struct thl_dispatch *d)
{
    for (size_t i = 0; i < THL_TARGETS; i++)
        thl_outbox_free(d->outbox[i]);
    for (size_t i = 0; i < THL_STYLES; i++)
        if (d->render[i])
            munmap(d->render[i], d->render_bytes);
    thl_phrases_free(d->phrases);
    thl_config_sinks_fini(&d->specs);
    memset(d, 0, sizeof(*d));
}

/* Time zones change at full quarters. What a thread of its own finds out comes a round later. */
void
thl_dispatch_zone(struct thl_dispatch *d)
{
    int64_t quarter = thl_clock_unix_ns() / QUARTER_NS;
    if (quarter != d->zone_quarter) {
        d->zone_quarter = quarter;
        thl_zone_refresh();
    }
    for (size_t i = 0; i < d->targets.nstyles; i++)
        d->targets.style[i].utc_offset = thl_zone_offset();
}

/* ---- records ---- */

void
thl_dispatch_release_locks(struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        thl_outbox_release(d->outbox[i]);
}

void
thl_dispatch_release(struct thl_dispatch *d)
{
    thl_dispatch_release_locks(d);
    for (size_t i = 0; i < d->targets.n; i++)
        if (!thl_outbox_has_thread(d->outbox[i]))
            thl_outbox_serve(d->outbox[i]);
}

static enum thole_level
level_of(const struct thl_record *record)
{
    return record->level < THOLE_OFF ? (enum thole_level)record->level : THOLE_EMERG;
}

/* The record taken apart, for a format. */
static struct thl_view *
view(struct thl_dispatch *d)
{
    const struct thl_phrase_line *line = &d->line;
    struct thl_view *v = &d->view;
    if (d->viewed)
        return v;
    d->viewed = true;
    thl_record_view(v, line->record, line->size, line->site);
    v->unix_ns = line->unix_ns;
    v->logger = line->logger;
    v->logger_size = line->logger_size;
    return v;
}

static size_t
format(struct thl_dispatch *d, unsigned style, uint64_t seq)
{
    struct thl_view *v = view(d);
    struct thl_buf out;
    thl_buf_init(&out, d->render[style], d->render_bytes);
    v->seq = seq;
    size_t cut = thl_format_put(&out, &d->targets.style[style], v);
    v->seq = 0;
    if (cut == SIZE_MAX)
        return 0;
    if (cut > 0)
        atomic_fetch_add_explicit(&thl_emit_ledger.truncated, 1, memory_order_relaxed);
    return out.size;
}

static bool
find_phrase(struct thl_dispatch *d, unsigned style)
{
    d->line.options = &d->targets.style[style];
    d->line.style = style;
    return thl_phrase_find(d->phrases, &d->line);
}

/* The bytes of the record in a style, rendered at the first ask; 0 bytes when not even its envelope
 * fits. */
static size_t
render(struct thl_dispatch *d, unsigned style, uint64_t seq)
{
    size_t size = 0;
    if (d->rendered_of[style] == d->serial)
        return d->rendered[style];
    d->rendered_of[style] = d->serial;
    if (seq == 0 && find_phrase(d, style) && d->line.room <= d->render_bytes)
        size = thl_phrase_write(d->phrases, &d->line, d->render[style]);
    return d->rendered[style] = size > 0 ? size : format(d, style, seq);
}

static bool
may_wait(struct thl_dispatch *d, const struct thl_outbox *o, int64_t until_ms)
{
    return d->block_ms > 0 && thl_outbox_has_thread(o) && !thl_dispatch_is_hurried(d) &&
           thl_clock_real_ms() < until_ms;
}

static void
put_waiting(struct thl_dispatch *d, struct thl_outbox *o, const char *bytes, size_t size,
            unsigned how)
{
    const struct thole_sink_record record = {bytes, size, level_of(d->line.record),
                                             d->line.unix_ns};
    if (d->block_ms > 0)
        how |= THL_OUTBOX_MAY_WAIT;
    if (thl_outbox_put(o, &record, how) != THL_OUTBOX_WAIT)
        return;
    int64_t until_ms = thl_clock_real_ms() + d->block_ms;
    do {
        struct timespec slice = thl_clock_deadline(WAIT_SLICE_MS);
        if (!may_wait(d, o, until_ms)) {
            thl_outbox_give_up(o);
            how &= ~(unsigned)THL_OUTBOX_MAY_WAIT;
            continue;
        }
        thl_dispatch_release_locks(d);
        if (d->between)
            d->between();
        thl_outbox_wait(o, &slice);
    } while (thl_outbox_put(o, &record, how) == THL_OUTBOX_WAIT);
}

/* A style of one target alone is written where it goes, when it is a line of phrases and there
 * surely is room: as happens, but for the last records of a queue that is full. */
static bool
offer_in_place(struct thl_dispatch *d, struct thl_outbox *o, unsigned style)
{
    const enum thole_level level = level_of(d->line.record);
    if (!d->targets.alone[style] || !find_phrase(d, style))
        return false;
    char *to = thl_outbox_reserve(o, d->line.room, level);
    size_t size = to ? thl_phrase_write(d->phrases, &d->line, to) : 0;
    if (size == 0)
        return false;
    thl_outbox_commit(o, size, level, d->line.unix_ns);
    return true;
}

static void
offer(struct thl_dispatch *d, size_t i, const struct thl_route *route, unsigned how)
{
    struct thl_outbox *o = d->outbox[i];
    uint64_t seq = d->targets.target[i].seq ? ++d->seq[i] : 0;
    if (seq == 0 && THL_LIKELY(offer_in_place(d, o, route->style)))
        return;
    size_t size = render(d, route->style, seq);
    if (size == 0)
        thl_outbox_refuse(o, level_of(d->line.record), THOLE_TOO_BIG, how);
    else
        put_waiting(d, o, d->render[route->style], size, how);
}

static void
begin_line(struct thl_dispatch *d, const struct thl_record *record, size_t size, int64_t *last_ns)
{
    struct thl_phrase_line *line = &d->line;
    line->record = record;
    line->size = size;
    line->site = thl_site_find(record->site);
    line->unix_ns = thl_clock_convert(&d->clock, record->ticks);
    if (!thl_clock_is_set_time(record->ticks)) {
        /* time never runs back in a source, unless the wall clock was set back: then it is right
         * again */
        if (line->unix_ns < *last_ns && *last_ns - line->unix_ns < CLOCK_STEP_NS)
            line->unix_ns = *last_ns;
        *last_ns = line->unix_ns;
    }
    line->logger = thl_logger_name(thl_record_logger(record), &line->logger_size);
    if (record->flags & THL_RECORD_NOTICE) {
        line->logger = "thole";
        line->logger_size = 5;
    }
    d->viewed = false;
    d->serial++;
}

/* Counters with one writer at a time (relaxed: read by whoever wants to know). */
static void
count_one(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void
note_record(const struct thl_record *record)
{
    count_one(&thl_site_counts(record->site)->records);
    count_one(&logger_records[thl_record_logger(record)]);
    thl_slab_note_use((thole_logger){record->handle});
}

uint64_t
thl_dispatch_records(unsigned logger)
{
    return atomic_load_explicit(&logger_records[logger % THL_LOGGER_MAX], memory_order_relaxed);
}

void
thl_dispatch_record(struct thl_dispatch *d, const struct thl_record *record, size_t size,
                    int64_t *last_ns)
{
    begin_line(d, record, size, last_ns);
    note_record(record);
    for (size_t i = 0; i < d->targets.n; i++) {
        struct thl_route *route = thl_target_route(&d->targets.target[i], level_of(record),
                                                   d->line.logger, d->line.logger_size, false);
        if (!route)
            continue;
        if (THL_LIKELY(route->rate == 0) || thl_target_admit(route, thl_clock_mono_ms()))
            offer(d, i, route, 0);
        else
            thl_outbox_suppress(d->outbox[i]);
    }
}

size_t
thl_dispatch_notice(struct thl_dispatch *d, const struct thl_notice *n,
                    const struct thl_outbox *except)
{
    size_t told = 0,
           size = thl_emit_notice(d->notice, sizeof(d->notice), n->level, n->msg, n->fields, n->n);
    if (size == 0)
        return 0;
    begin_line(d, (const struct thl_record *)(const void *)d->notice, size, &d->last_ns);
    view(d); /* for those who say it elsewhere */
    for (size_t i = 0; i < d->targets.n; i++) {
        struct thl_target *t = &d->targets.target[i];
        if (d->outbox[i] == except || (n->elsewhere && t->is_stderr))
            continue;
        offer(d, i, thl_target_route(t, n->level, "thole", 5, true), THL_OUTBOX_QUIET);
        told++;
    }
    atomic_fetch_add_explicit(&thl_dispatch_notices_made, 1, memory_order_relaxed);
    return told;
}

bool
thl_dispatch_is_hurried(struct thl_dispatch *d)
{
    return atomic_load_explicit(&d->hurry, memory_order_relaxed); /* a record or a slice late */
}

void
thl_dispatch_hurry(struct thl_dispatch *d)
{
    atomic_store_explicit(&d->hurry, true, memory_order_relaxed); /* looked at in slices */
}

void
thl_dispatch_reopen_all(struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        thl_outbox_reopen(d->outbox[i]);
}

void
thl_dispatch_after_fork(struct thl_dispatch *d)
{
    uint32_t n = atomic_load_explicit(&thl_logger_counts.n, memory_order_relaxed);
    for (uint32_t i = 0; i < n; i++) /* no further: pages that are not written stay shared */
        atomic_store_explicit(&logger_records[i], 0, memory_order_relaxed); /* alone here */
    retired = NULL; /* their threads are not here, and their locks may be held */
    if (!d)
        return;
    for (size_t i = 0; i < d->targets.nstyles; i++)
        d->targets.style[i].pid = (long)getpid();
    thl_phrases_forget(d->phrases);
    thl_clock_anchor(&d->clock);
    atomic_store_explicit(&d->users, 0, memory_order_relaxed); /* alone here */
}
