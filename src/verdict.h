/* SPDX-License-Identifier: MIT */
/*
 * Whether the children of a call site look leaked, and why, in words.
 *
 * No registry can know; these are signs, each of which the text names with its numbers. Only a site
 * of which no child was ever given back is judged by how it grows: one child that ended shows that
 * its author knows how.
 */
#ifndef THL_VERDICT_H
#define THL_VERDICT_H

#include <stddef.h>
#include <stdint.h>

#define THL_VERDICT_SILENT_S 3600u /* the default of the limit */

enum thl_verdict_why {
    THL_VERDICT_FINE,
    THL_VERDICT_GROWS,     /* none was ever given back, and there are more and more */
    THL_VERDICT_OUTLIVES,  /* none was ever given back, and they outlive what they were made from */
    THL_VERDICT_ABANDONED, /* none was ever given back or logs, while others' come and go */
    THL_VERDICT_UNUSED,    /* none was ever given back, or has ever logged */
    THL_VERDICT_SILENT,    /* some are silent for longer than the limit */
    THL_VERDICT_UNHELD,    /* none was ever given back, and descriptors are fewer */
};

/* What is known of a site's children. Ages in seconds. */
struct thl_verdict_facts {
    uint64_t made;
    uint32_t live, oldest_s;
    uint32_t thirds[3];    /* live children by birth: in the first third of oldest_s, ... */
    uint32_t orphans;      /* their parent, itself a child, has ended */
    uint32_t logged;       /* that ever logged */
    uint32_t logged_later; /* that logged later than a second after their birth */
    uint32_t silent;       /* neither made nor logged for silent_limit_s */
    uint32_t silent_limit_s;
    uint64_t others_ended; /* children of other sites that ended since the oldest was made */
};

enum thl_verdict_why thl_verdict_judge(const struct thl_verdict_facts *facts);

/* What whoever looks in from outside can add for children that carry a peer's address: a process
 * has no more connections than descriptors, and needs no second logger for one. */
struct thl_verdict_outside {
    uint64_t made, held;   /* held: live children with an address, of all such sites together */
    uint32_t live, nested; /* nested: made of a child */
    uint32_t oldest_s;
    uint32_t descriptors;
};
enum thl_verdict_why thl_verdict_judge_outside(enum thl_verdict_why why,
                                               const struct thl_verdict_outside *facts);

/* "grows": none of 2000 was ever given back ...; "" when fine. Returns `out`. */
const char *thl_verdict_explain(char *out, size_t size, enum thl_verdict_why why, uint64_t made,
                                uint32_t live, uint32_t orphans, uint32_t silent,
                                uint32_t silent_limit_s);

#endif
