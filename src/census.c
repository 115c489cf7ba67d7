/* SPDX-License-Identifier: MIT */
/* The walk, and what comes out of it. */
#include "census.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "child.h"
#include "descriptors.h"
#include "field.h"
#include "format_value.h"
#include "network.h"
#include "notice.h"
#include "rack.h"
#include "site.h"
#include "slab.h"
#include "slab_context.h"

#define LATER_DS 10     /* a use that is not part of a birth */
#define ORPHAN_DS 30    /* a request may end a little later than its connection */
#define STRANDED_DS 100 /* no shorter silence is long */
#define STRANDED_LIVES 10

/* ---- the walk ---- */

void
thl_census_begin(struct thl_census *c, struct thl_census_tally *zeroed, uint32_t nsites,
                 uint32_t silent_limit_s, bool own)
{
    c->tally = zeroed;
    c->nsites = nsites;
    c->at = 0;
    c->now_ds = thl_slab_now_ds();
    c->silent_limit_s = silent_limit_s ? silent_limit_s : THL_VERDICT_SILENT_S;
    c->own = own;
}

/* Which third of the site's life a child was born in. */
static unsigned
find_third(const struct thl_census *c, uint32_t site, uint32_t born_ds)
{
    uint32_t first = atomic_load_explicit(&thl_site_counts(site)->first_ds, memory_order_relaxed);
    if (born_ds <= first || c->now_ds <= first)
        return 0;
    uint64_t third = (uint64_t)3 * (born_ds - first) / (c->now_ds - first + 1);
    return third < 2 ? (unsigned)third : 2;
}

/* The silence after which a child is taken for one that nobody has any more. */
static uint32_t
find_stranded_ds(uint32_t site)
{
    uint32_t longest =
        atomic_load_explicit(&thl_site_counts(site)->longest_ds, memory_order_relaxed);
    uint32_t lives = longest < UINT32_MAX / STRANDED_LIVES ? STRANDED_LIVES * longest : UINT32_MAX;
    return lives > STRANDED_DS ? lives : STRANDED_DS;
}

/* relaxed, all: each is constant for one child, or a coarse time. */
static void
count_child(void *arg, thole_logger child, struct thl_slot *slot)
{
    struct thl_census *c = arg;
    uint32_t site = atomic_load_explicit(&slot->site, memory_order_relaxed);
    uint32_t born = atomic_load_explicit(&slot->born_ds, memory_order_relaxed);
    uint32_t used = thl_slab_used_ds(child);
    if (c->own && !thl_slab_is_own(slot))
        return;
    struct thl_census_tally *t = &c->tally[site < c->nsites ? site : 0];
    if (t->live++ == 0 || born < t->oldest_ds) {
        t->oldest = child;
        t->oldest_ds = born;
    }
    if (born > t->youngest_ds)
        t->youngest_ds = born;
    if (used > t->used_ds)
        t->used_ds = used;
    t->thirds[find_third(c, site, born)]++;
    t->logged += used != 0;
    t->logged_later += used > born + LATER_DS;
    t->heard += thl_slab_threshold_of(child) <= THOLE_INFO;
    t->nested += atomic_load_explicit(&slot->parent, memory_order_relaxed) != 0;
    uint32_t last = used ? used : born, silent_ds = c->now_ds > last ? c->now_ds - last : 0;
    t->silent += silent_ds / 10 >= c->silent_limit_s;
    t->stranded += silent_ds >= find_stranded_ds(site);
    t->orphans += silent_ds >= ORPHAN_DS && thl_slab_is_orphan(slot);
}

bool
thl_census_step(struct thl_census *c, uint32_t n)
{
    return thl_slab_walk(&c->at, n, count_child, c);
}

int
thl_census_take(struct thl_census *c, bool own)
{
    uint32_t n = thl_site_count() + 1;
    struct thl_census_tally *tally = calloc(n, sizeof(*tally));
    if (!tally)
        return -ENOMEM;
    thl_census_begin(c, tally, n, 0, own);
    thl_census_step(c, THL_SLAB_SLOTS);
    return 0;
}

void
thl_census_free(struct thl_census *c)
{
    free(c->tally);
    c->tally = NULL;
}

/* ---- rows ---- */

static uint32_t
seconds_since(const struct thl_census *c, uint32_t ds)
{
    return c->now_ds > ds ? (c->now_ds - ds) / 10 : 0;
}

static uint64_t
count_others_ended(const struct thl_site_counts *counts)
{
    uint64_t before = atomic_load_explicit(&counts->ended_before, memory_order_relaxed);
    struct thl_rack_counts all;
    thl_rack_count(&all);
    return all.ended > before ? all.ended - before : 0;
}

static void
put_text(struct thl_arena_site *row, uint32_t site)
{
    const struct thl_site_text *text = thl_site_find(site);
    thl_notice_src(row->src, sizeof(row->src), site);
    if (!text)
        return;
    snprintf(row->msg, sizeof(row->msg), "%s", text->msg);
    row->level = text->level;
}

/* As such, or as text with a port. */
static bool
is_address(const struct thl_value *v)
{
    struct thl_network network;
    size_t at;
    if (v->type != THOLE_FIELD_STRING)
        return v->type == THOLE_FIELD_ADDR;
    return thl_network_parse(&network, v->v.p, v->size, &at) == THL_NETWORK_FINE &&
           network.has_port;
}

/* The context of a child as logfmt; what does not fit is left out. Empty when it has ended. */
static void
put_sample(struct thl_arena_site *row, thole_logger child)
{
    _Alignas(8) unsigned char context[THL_CHILD_CONTEXT_MAX + 8];
    struct thl_slab_ref ref;
    struct thl_view view = {.nfields = 1};
    struct thl_buf b;
    thl_buf_init(&b, row->sample, sizeof(row->sample) - 1);
    if (!thl_slab_open(&ref, child) || !thl_slab_copy(&ref, context))
        return;
    for (size_t at = 0, eaten; at < ref.size; at += eaten) {
        size_t before = b.size;
        eaten = thl_field_tagged_get(&view.field[0], context + at, ref.size - at);
        if (eaten == 0)
            break;
        if (is_address(&view.field[0].value))
            row->has_peer = 1;
        thl_format_fields_logfmt(&b, &view);
        if (b.overflow)
            thl_buf_rewind(&b, before);
    }
    row->sample[b.size] = '\0';
    if (row->sample[0] == ' ')
        memmove(row->sample, row->sample + 1, b.size);
}

static void
put_counts(struct thl_arena_site *row, uint32_t site, const struct thl_site_counts *counts)
{
    struct thl_rack_counts children;
    thl_rack_count_site(site, &children);
    row->ended = children.ended;
    row->made = children.made;
    row->peak = children.peak;
    row->records = atomic_load_explicit(&counts->records, memory_order_relaxed);
    row->suppressed = atomic_load_explicit(&counts->suppressed, memory_order_relaxed);
    row->longest_s = atomic_load_explicit(&counts->longest_ds, memory_order_relaxed) / 10;
}

static void
put_tally(struct thl_arena_site *row, const struct thl_census *c, const struct thl_census_tally *t)
{
    row->live = t->live;
    if (row->peak < row->live) /* some may have come since */
        row->peak = row->live;
    row->last_logged_s = t->used_ds ? seconds_since(c, t->used_ds) : THL_ARENA_NEVER;
    if (t->live == 0)
        return;
    row->oldest_s = seconds_since(c, t->oldest_ds);
    row->spread_ds = t->youngest_ds - t->oldest_ds;
    memcpy(row->thirds, t->thirds, sizeof(row->thirds));
    row->logged = t->logged;
    row->logged_later = t->logged_later;
    row->heard = t->heard;
    row->silent = t->silent;
    row->nested = t->nested;
    row->orphans = t->orphans;
    row->stranded = t->stranded;
    put_sample(row, t->oldest);
}

bool
thl_census_row(const struct thl_census *c, uint32_t site, struct thl_arena_site *row)
{
    const struct thl_site_counts *counts = thl_site_counts(site);
    memset(row, 0, sizeof(*row));
    put_counts(row, site, counts);
    if (row->made == 0 && row->records == 0 && row->suppressed == 0 && c->tally[site].live == 0)
        return false;
    row->level = 255;
    row->others_ended = count_others_ended(counts);
    put_tally(row, c, &c->tally[site]);
    put_text(row, site);
    return true;
}

/* ---- this process, seen by itself ---- */

void
thl_census_process(const struct thl_census *c, struct thl_verdict_process *out)
{
    struct thl_arena_site row;
    struct thl_rack_counts all;
    thl_rack_count(&all);
    *out = (struct thl_verdict_process){.descriptors = thl_descriptors_count("/proc/self/fd"),
                                        .silent_limit_s = c->silent_limit_s,
                                        .at_bound = all.live >= thl_rack_limit()};
    for (uint32_t i = 0; i < c->nsites; i++)
        if (c->tally[i].live && thl_census_row(c, i, &row))
            thl_verdict_add(out, &row);
}
