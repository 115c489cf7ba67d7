/* SPDX-License-Identifier: MIT */
/* All queues as one, in the order of time: what the writer drains in one round. Its only user. */
#ifndef THL_MERGE_H
#define THL_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "ring.h"

#define THL_MERGE_RINGS 1024

/* A ring in the merge: its oldest record, which ends before position `until`. */
struct thl_merge_source {
    struct thl_ring *ring;
    const struct thl_record *record;
    uint64_t ticks; /* the record's */
    uint64_t until;
    uint32_t size;
};

/* The oldest record's source stays the one as long as its records are older than all others'. */
struct thl_merge {
    size_t n;
    struct thl_merge_source *oldest; /* NULL: to be looked for */
    uint64_t others_ticks;           /* the oldest of the others */
    struct thl_merge_source source[THL_MERGE_RINGS];
};

/* All rings that hold something now, and how far they reach. */
void thl_merge_begin(struct thl_merge *m);

/* Where the oldest record of all is; while n > 0. */
struct thl_merge_source *thl_merge_oldest(struct thl_merge *m);

/* Lets the source's record go. The source has its next then, or is out of the merge. */
void thl_merge_pop(struct thl_merge *m, struct thl_merge_source *s);

/* Lets all records of the source go, unread: dropped and counted by level. Ring by ring, for the
 * daemon's threads may leave little time. */
void thl_merge_discard(struct thl_merge *m, struct thl_merge_source *s);

#endif
