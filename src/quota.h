/* SPDX-License-Identifier: MIT */
/*
 * A bound and a peak that are exact, over children that come and go on many threads.
 *
 * A child that lives has a credit of the quota of all children, and one of its call site's. So has
 * each free slot that a rack keeps at hand (rack.h): whoever takes it from there touches nothing
 * that others do.
 *
 *   credits  = live + at hand      never above the limit, and above the peak only to raise it
 *   stocked  = the racks that may have some at hand, a bit each
 *
 * Credits below the peak are given out several at a time. One that would pass the peak or the limit
 * is given or refused only where nothing is at hand anywhere: the adder reads `credits`, finds
 * `stocked` empty, and then exchanges `credits`, whose upper half counts its changes. In the moment
 * when `stocked` was empty each credit was a child that lived, was being made or was being ended:
 * so the peak is what lived at a time, and what is refused would have been one too many.
 *
 * That takes that a rack sets its bit, under its lock, before it asks for credits for what it will
 * have at hand and before it puts a slot there; that what leaves it unused is with the pool, and
 * its credits are subtracted, while the bit is set; and that the bit is only cleared under the lock
 * of a rack that has nothing at hand.
 *
 * Ordering: `credits` (acq_rel) pairs with itself and `stocked` (acq_rel) with thl_quota_add: who
 * reads a credit also sees the bit that was set for it, who sees a bit cleared also sees what was
 * subtracted before. Progress: lock-free. Model: tests/race/models/quota.pml; stress:
 * tests/race/racks.c.
 */
#ifndef THL_QUOTA_H
#define THL_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct thl_quota {
    _Atomic uint64_t credits; /* changes:32 | number:32 */
    _Atomic uint64_t stocked;
    _Atomic uint32_t peak;
};

/* How many of the `want` credits are given: one, unless there are more below peak and limit. Racks
 * of the mask `but` have none at hand. -EAGAIN when others may have some at hand: they must be
 * asked to give them back first. With `force` they are not looked at. -ENOSPC at the limit. */
int thl_quota_add(struct thl_quota *q, uint32_t want, uint32_t limit, uint64_t but, bool force);

/* Gives credits back. */
void thl_quota_sub(struct thl_quota *q, uint32_t n);

/* Credits below the peak, which may be gone the next moment. */
uint32_t thl_quota_room(struct thl_quota *q);

void thl_quota_set_bit(struct thl_quota *q, uint64_t bit);
void thl_quota_clear_bit(struct thl_quota *q, uint64_t bit);

/* In a forked process: what was counted anew. */
void thl_quota_reset(struct thl_quota *q, uint32_t credits, uint32_t peak);

static inline uint32_t
thl_quota_credits(struct thl_quota *q)
{
    return (uint32_t)atomic_load_explicit(&q->credits, memory_order_acquire); /* pairs with add */
}

#endif
