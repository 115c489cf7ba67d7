/* SPDX-License-Identifier: MIT */
/* The ledger, counted; the registry, as text. */
#include "report.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "census.h"
#include "child.h"
#include "compiler.h"
#include "console.h"
#include "dispatch.h"
#include "emit.h"
#include "logger.h"
#include "notice.h"
#include "rack.h"
#include "site.h"
#include "slab.h"
#include "verdict.h"

/* All loads are relaxed: counters that only grow, each read once. What the identity compares is
 * read once and used on both sides, so it holds in every snapshot; popped is read before pushed
 * (acquire), so that what was popped is among what was pushed. */
static uint64_t
load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
count_rings(struct thole_stats *out, const struct thl_arena *arena)
{
    uint64_t popped = 0, pushed = 0;
    for (uint32_t i = 0; arena && i < arena->nrings; i++) {
        struct thl_ring *ring = thl_arena_ring(arena, i);
        popped += atomic_load_explicit(&ring->popped, memory_order_acquire); /* pop */
        pushed += atomic_load_explicit(&ring->pushed, memory_order_acquire); /* commit */
    }
    out->routed = popped - load(&thl_emit_ledger.discarded);
    out->queued = pushed - popped;
}

static void
count_drops(struct thole_stats *out)
{
    out->dropped = 0;
    for (unsigned l = 0; l < THL_LEVELS; l++) {
        out->dropped_level[l] = load(&thl_emit_ledger.full[l]) + load(&thl_emit_ledger.stopped[l]);
        out->dropped += out->dropped_level[l];
    }
}

/* Again while records go from queued to dropped, so that no count ever runs back. */
static void
count_calls(struct thole_stats *out, const struct thl_arena *arena)
{
    uint32_t before;
    do {
        /* acquire: pairs with thl_emit_discard_end */
        while ((before = atomic_load_explicit(&thl_emit_ledger.discarding, memory_order_acquire)) &
               1)
            sched_yield();
        count_rings(out, arena);
        count_drops(out);
        /* adds nothing, and as a store with release it keeps the loads above before it */
    } while (atomic_fetch_add_explicit(&thl_emit_ledger.discarding, 0, memory_order_acq_rel) !=
             before);
}

void
thl_report_process(struct thole_stats *out, const struct thl_arena *arena)
{
    struct thl_rack_counts children;
    count_calls(out, arena);
    out->routed += load(&thl_emit_ledger.direct) + load(&thl_dispatch_notices_made);
    out->suppressed = load(&thl_emit_ledger.suppressed);
    out->called = out->routed + out->dropped + out->suppressed + out->queued;
    out->loggers = atomic_load_explicit(&thl_logger_counts.n, memory_order_relaxed) - 1;
    out->loggers_refused = load(&thl_logger_counts.refused);
    thl_rack_count(&children);
    out->children = children.live;
    out->children_peak = children.peak;
    out->children_made = children.made;
    out->children_refused = load(&thl_slab_counts.refused);
    out->stale = load(&thl_slab_counts.stale);
    out->truncated = load(&thl_emit_ledger.truncated) + load(&thl_child_truncated);
}

/* ---- text ---- */

struct writing {
    int fd, error;
};

static void THL_PRINTF(2, 3) print(struct writing *w, const char *fmt, ...)
{
    char line[600];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
    for (size_t done = 0; done < size && w->error == 0;) {
        ssize_t written = thl_console_write_to(w->fd, line + done, size - done);
        if (written < 0)
            w->error = (int)written;
        done += written > 0 ? (size_t)written : 0;
    }
}

/* "2 h", "17 s": the greatest unit of which there are two. */
static const char *
put_age(char *out, size_t size, uint32_t s)
{
    if (s == THL_ARENA_NEVER)
        snprintf(out, size, "never");
    else if (s < 120)
        snprintf(out, size, "%u s", s);
    else if (s < 7200)
        snprintf(out, size, "%u min", s / 60);
    else if (s < 172800)
        snprintf(out, size, "%u h", s / 3600);
    else
        snprintf(out, size, "%u d", s / 86400);
    return out;
}

static void
print_site(struct writing *w, const struct thl_arena_site *row,
           const struct thl_verdict_process *process)
{
    char oldest[24], logged[24], reason[200];
    enum thl_verdict_why why = thl_verdict_judge(row, process);
    print(w, "  %s: %u live, %u peak, %llu made, oldest %s, last logged %s%s\n", row->src,
          row->live, row->peak, (unsigned long long)row->made,
          put_age(oldest, sizeof(oldest), row->oldest_s),
          put_age(logged, sizeof(logged), row->last_logged_s),
          row->last_logged_s == THL_ARENA_NEVER ? "" : " ago");
    if (row->sample[0])
        print(w, "      the oldest: %s\n", row->sample);
    if (why != THL_VERDICT_FINE)
        print(w, "      looks leaked: %s\n",
              thl_verdict_explain(reason, sizeof(reason), why, row, process));
}

int
thl_report_write(int fd)
{
    struct writing w = {fd, 0};
    struct thole_stats s = {.size = sizeof(s)};
    struct thl_census c;
    struct thl_verdict_process process;
    struct thl_arena_site row;
    int rc = thl_census_take(&c, false);
    if (rc < 0)
        return rc;
    thl_report_process(&s, NULL);
    thl_census_process(&c, &process);
    print(&w, "children %llu live, %llu peak, %llu made, %llu refused, %llu stale uses\n",
          (unsigned long long)s.children, (unsigned long long)s.children_peak,
          (unsigned long long)s.children_made, (unsigned long long)s.children_refused,
          (unsigned long long)s.stale);
    print(&w, "loggers  %llu, %llu refused\nsites    %u\n", (unsigned long long)s.loggers,
          (unsigned long long)s.loggers_refused, thl_site_count());
    for (uint32_t i = 0; i < c.nsites; i++)
        if (c.tally[i].live && thl_census_row(&c, i, &row))
            print_site(&w, &row, &process);
    thl_census_free(&c);
    return w.error;
}
