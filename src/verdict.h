/* SPDX-License-Identifier: MIT */
/*
 * Whether the children of a call site look leaked, and why, in words.
 *
 * No library can know; these are signs, each of which the text names with its numbers. Children
 * whose context has a peer's address have an alibi while they are no more than the process's
 * descriptors: each may be a connection that is open. Most signs are for sites of which no child
 * was ever given back: one that ended shows that its author knows how.
 */
#ifndef THL_VERDICT_H
#define THL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena_layout.h"

#define THL_VERDICT_SILENT_S 3600u /* the default of the limit */

enum thl_verdict_why {
    THL_VERDICT_FINE,
    THL_VERDICT_OUTLIVES,  /* they outlive the child that they were made of */
    THL_VERDICT_UNHELD,    /* connections, but more than descriptors; none was ever given back */
    THL_VERDICT_OUTSTAYS,  /* silent for much longer than any that was given back has lived */
    THL_VERDICT_GROWS,     /* none was ever given back, and there are more and more */
    THL_VERDICT_UNUSED,    /* none was ever given back, or has ever logged */
    THL_VERDICT_ABANDONED, /* none was ever given back or logs any more; others' come and go */
    THL_VERDICT_SECOND,    /* second loggers of connections, none ever given back */
    THL_VERDICT_BOUND,     /* children= is reached, and this site holds most */
    THL_VERDICT_SILENT,    /* some are silent for longer than the limit */
    THL_VERDICTS
};

/* What is known of the whole process. */
struct thl_verdict_process {
    uint32_t descriptors; /* open; UINT32_MAX: not known */
    uint32_t silent_limit_s;
    bool silent_was_asked; /* for a limit of the operator's own: then an alibi does not count */
    bool at_bound;         /* as many children live as may */
    uint32_t most;         /* that any site holds */
    uint64_t held;         /* with an address, of all sites that never gave one back */
};

/* Adds one site to most and held; for all sites before the first is judged. */
void thl_verdict_add(struct thl_verdict_process *process, const struct thl_arena_site *site);

enum thl_verdict_why thl_verdict_judge(const struct thl_arena_site *site,
                                       const struct thl_verdict_process *process);

/* "grows", for a column. */
const char *thl_verdict_word(enum thl_verdict_why why);

/* "none of 2000 was ever given back ..."; "" when fine. Returns `out`. */
const char *thl_verdict_explain(char *out, size_t size, enum thl_verdict_why why,
                                const struct thl_arena_site *site,
                                const struct thl_verdict_process *process);

#endif
