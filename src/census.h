/* SPDX-License-Identifier: MIT */
/*
 * The census: live children grouped by the call site that made them.
 *
 * A walk over all slots, in slices, so that whoever walks can do other work in between; children
 * that come or go meanwhile may be counted or not. What sites count themselves (made, ended, peak)
 * is exact. Any thread may take one of its own; nothing is locked.
 */
#ifndef THL_CENSUS_H
#define THL_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thole/thole.h>

#include "arena_layout.h"
#include "verdict.h"

/* What the walk finds out of one site. */
struct thl_census_tally {
    thole_logger oldest;
    uint32_t live, oldest_ds, youngest_ds, used_ds; /* used_ds: the latest use; 0: none */
    uint32_t thirds[3], nested, orphans, logged, logged_later, heard, silent, stranded;
};

struct thl_census {
    struct thl_census_tally *tally; /* by site number; 0: not known, or newer than the census */
    uint32_t nsites, at, now_ds, silent_limit_s;
    bool own; /* without the children that a forked process inherited */
};

/* Bytes of memory for a census of n sites, the unknown one included. */
#define THL_CENSUS_BYTES(n) ((size_t)(n) * sizeof(struct thl_census_tally))

/* Begins one, in zeroed memory for `nsites` sites. */
void thl_census_begin(struct thl_census *c, struct thl_census_tally *zeroed, uint32_t nsites,
                      uint32_t silent_limit_s, bool own);

/* Looks at the next n slots; false when there are no more. */
bool thl_census_step(struct thl_census *c, uint32_t n);

/* A whole one in malloc'ed memory, for thl_census_free. 0 or -ENOMEM. */
int thl_census_take(struct thl_census *c, bool own);
void thl_census_free(struct thl_census *c);

/* The row of a site, without a verdict; false when nothing ever happened there. */
bool thl_census_row(const struct thl_census *c, uint32_t site, struct thl_arena_site *row);

/* What a verdict needs to know of the process, as this process sees itself. Looks into /proc. */
void thl_census_process(const struct thl_census *c, struct thl_verdict_process *out);

#endif
