/* SPDX-License-Identifier: MIT */
/* A record -> the outboxes of the targets that take it: found routes, rendered lines. */
#include "dispatch.h"

#include "compiler.h"
#include "emit.h"
#include "logger.h"
#include "site.h"
#include "slab.h"

#define CLOCK_STEP_NS INT64_C(500000000)
#define WAIT_SLICE_MS 20 /* how soon a wait for room sees that the end has come */

_Atomic uint64_t thl_dispatch_notices_made;
static _Atomic uint64_t logger_records[THL_LOGGER_MAX]; /* written by whoever dispatches */

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
static inline bool
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

/* Rendered apart: for several targets, with a number, when it may be that there is no room. */
THL_APART static void
offer_copy(struct thl_dispatch *d, size_t i, const struct thl_route *route, unsigned how)
{
    struct thl_outbox *o = d->outbox[i];
    uint64_t seq = d->targets.target[i].seq ? ++d->seq[i] : 0;
    size_t size = render(d, route->style, seq);
    if (size == 0)
        thl_outbox_refuse(o, level_of(d->line.record), THOLE_TOO_BIG, how);
    else
        put_waiting(d, o, d->render[route->style], size, how);
}

static inline void
offer(struct thl_dispatch *d, size_t i, const struct thl_route *route)
{
    if (THL_UNLIKELY(!offer_in_place(d, d->outbox[i], route->style)))
        offer_copy(d, i, route, 0);
}

static inline void
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
    line->number = thl_logger_known(thl_record_logger(record));
    line->logger = thl_logger_name(line->number, &line->logger_size);
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
thl_dispatch_forget_records(void)
{
    uint32_t n = atomic_load_explicit(&thl_logger_counts.n, memory_order_relaxed);
    for (uint32_t i = 0; i < n; i++) /* no further: pages that are not written stay shared */
        atomic_store_explicit(&logger_records[i], 0, memory_order_relaxed); /* alone here */
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
            offer(d, i, route);
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
        offer_copy(d, i, thl_target_route(t, n->level, "thole", 5, true), THL_OUTBOX_QUIET);
        told++;
    }
    atomic_fetch_add_explicit(&thl_dispatch_notices_made, 1, memory_order_relaxed);
    return told;
}
