/* SPDX-License-Identifier: MIT */
/* The walk, and what comes out of it. */
#include "census.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "child.h"
#include "field.h"
#include "format_value.h"
#include "notice.h"
#include "site.h"
#include "slab.h"
#include "verdict.h"

#define LATER_DS 10 /* a use that is not part of a birth */

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

/* relaxed, all: each is constant for one child, or a coarse time. */
static void
count_child(void *arg, thole_logger child, struct thl_slot *slot)
{
    struct thl_census *c = arg;
    uint32_t site = atomic_load_explicit(&slot->site, memory_order_relaxed);
    uint32_t born = atomic_load_explicit(&slot->born_ds, memory_order_relaxed);
    uint32_t used = atomic_load_explicit(&slot->used_ds, memory_order_relaxed);
    if (c->own && !thl_slab_is_own(slot))
        return;
    struct thl_census_tally *t = &c->tally[site < c->nsites ? site : 0];
    if (t->live++ == 0 || born < t->oldest_ds) {
        t->oldest = child;
        t->oldest_ds = born;
    }
    if (used > t->used_ds)
        t->used_ds = used;
    t->logged += used != 0;
    t->logged_later += used > born + LATER_DS;
    t->thirds[find_third(c, site, born)]++;
    t->nested += atomic_load_explicit(&slot->parent, memory_order_relaxed) != 0;
    t->orphans += thl_slab_is_orphan(slot);
    uint32_t last = used ? used : born;
    t->silent += c->now_ds > last && (c->now_ds - last) / 10 >= c->silent_limit_s;
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
    uint64_t made = atomic_load_explicit(&thl_slab_counts.made, memory_order_relaxed);
    uint32_t live = atomic_load_explicit(&thl_slab_counts.live, memory_order_relaxed);
    uint64_t before = atomic_load_explicit(&counts->ended_before, memory_order_relaxed);
    return made > live + before ? made - live - before : 0;
}

static enum thl_verdict_why
judge(const struct thl_census *c, const struct thl_census_tally *t,
      const struct thl_site_counts *counts, const struct thl_arena_site *row)
{
    struct thl_verdict_facts facts = {
        .made = row->made,
        .live = t->live,
        .oldest_s = row->oldest_s,
        .thirds = {t->thirds[0], t->thirds[1], t->thirds[2]},
        .orphans = t->orphans,
        .logged = t->logged,
        .logged_later = t->logged_later,
        .silent = t->silent,
        .silent_limit_s = c->silent_limit_s,
        .others_ended = count_others_ended(counts),
    };
    if (atomic_load_explicit(&counts->ended, memory_order_relaxed) == 0)
        facts.made = t->live; /* some may have come since the walk */
    return thl_verdict_judge(&facts);
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
        if (view.field[0].value.type == THOLE_FIELD_ADDR)
            row->has_peer = 1;
        thl_format_fields_logfmt(&b, &view);
        if (b.overflow)
            thl_buf_rewind(&b, before);
    }
    row->sample[b.size] = '\0';
    if (row->sample[0] == ' ')
        memmove(row->sample, row->sample + 1, b.size);
}

bool
thl_census_row(const struct thl_census *c, uint32_t site, struct thl_arena_site *row)
{
    const struct thl_census_tally *t = &c->tally[site];
    const struct thl_site_counts *counts = thl_site_counts(site);
    memset(row, 0, sizeof(*row));
    row->made = atomic_load_explicit(&counts->made, memory_order_relaxed);
    row->records = atomic_load_explicit(&counts->records, memory_order_relaxed);
    row->suppressed = atomic_load_explicit(&counts->suppressed, memory_order_relaxed);
    if (row->made == 0 && row->records == 0 && row->suppressed == 0 && t->live == 0)
        return false;
    row->level = 255;
    row->live = t->live;
    row->peak = atomic_load_explicit(&counts->peak, memory_order_relaxed);
    if (row->peak < row->live) /* some may have come since */
        row->peak = row->live;
    row->oldest_s = t->live ? seconds_since(c, t->oldest_ds) : 0;
    row->last_logged_s = t->used_ds ? seconds_since(c, t->used_ds) : THL_ARENA_NEVER;
    row->silent = t->silent;
    row->nested = t->nested;
    row->orphans = t->orphans;
    row->verdict = judge(c, t, counts, row);
    put_text(row, site);
    if (t->live)
        put_sample(row, t->oldest);
    return true;
}
