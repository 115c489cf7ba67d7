/* SPDX-License-Identifier: MIT */
/*
 * Racks: free slots of child loggers at hand, so that threads which make and end children of the
 * same call sites again and again touch nothing in common.
 *
 *   rack[64]    lock | made, ended | cell[8]                      each thread has one it comes back
 * to cell        call site | free slots of it, the last one first | made, ended of the site here
 *
 * A rack is taken by try-lock; a thread that finds its own taken goes on to the next, and stays
 * there. So racks belong to nobody: a thread that ends leaves nothing behind, and one that comes
 * finds what is there. A cell is found by the call site's number; a site that comes to another's
 * cell empties it. A slot at hand keeps its block, so that a child like the last one is made where
 * that was; past 16 in a cell, half of them go back to the pool.
 *
 * Bounds. quota.h says how the limit and the peaks stay exact. Whoever finds none at hand and no
 * credits that are free has all that is at hand anywhere given back to the pool (recall), and then
 * asks again. It holds no lock meanwhile: nobody ever has two, and what is done under one is short
 * and never waits. Where the limit is far, by all that racks can hold, only a peak is at stake: one
 * recall, of what is not locked. Else, where a holder does not come to run for 1.5 s, it is done
 * without; and one that never does (a longjmp, a cancelled thread) is soon not waited for. Then a
 * peak may be too high by what is at hand, or a child refused though a slot is at hand; the limit
 * is never passed.
 *
 * Counts. What was made and ended is counted by each rack, and by each cell for its site; a reader
 * adds them up. A cell that changes its site adds its counts to the site's own, between `begun` and
 * `ended` of `folds`: a reader that finds them different, or moved, adds up again.
 *
 * Writers: all of a rack but `lock` whoever holds it; counts are atomic only for those who read
 * them meanwhile. Ordering: `lock` (acquire, release) pairs with itself. A child is let live under
 * a lock: so whoever passes all racks (thl_rack_pass) after a change finds it alive afterwards, or
 * its maker sees the change.
 * Fork. The locks are made anew; a slot is on no two racks, nor on one while it is used, at any
 * instant. What a thread had in its hands is lost in the child process, one slot at most.
 * Progress: lock-free, but that a recall waits for a holder, for a bounded time.
 * Model: tests/race/models/quota.pml; stress: tests/race/racks.c, child.c, handler_fork.c.
 */
#ifndef THL_RACK_H
#define THL_RACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define THL_RACKS 64u
#define THL_RACK_CELLS 8u
#define THL_RACK_SLOTS 16u

struct thl_rack_cell {
    _Atomic uint32_t site; /* number + 1; 0: nobody's yet */
    uint16_t n;
    bool listed; /* its bit is set in the site's quota */
    uint32_t slot[THL_RACK_SLOTS];
    _Atomic uint64_t made, ended;
};

struct thl_rack {
    _Alignas(2 * THL_CACHE_LINE) _Atomic uint32_t lock; /* lines are fetched in pairs */
    bool listed;            /* its bit is set in the quota of all children */
    _Atomic uint32_t stuck; /* waited for in vain: not again, until it is free */
    _Atomic uint64_t made, ended;
    struct thl_rack_cell cell[THL_RACK_CELLS];
};

/* A slot for a child of the call site, which is counted as made, and *rack, locked, under which it
 * comes to life. 0, -ENOSPC past the limit, -ENOMEM without memory: then there is no lock. May wait
 * for other threads. */
int thl_rack_take(uint32_t site, uint32_t *slot, struct thl_rack **rack);

/* Takes it back: the child was not made after all. */
void thl_rack_cancel(struct thl_rack *rack, uint32_t site, uint32_t slot);

void thl_rack_unlock(struct thl_rack *rack);

/* The slot of a child that has ended. Without `reuse` it is never used again. Never waits. */
void thl_rack_give(uint32_t site, uint32_t slot, bool reuse);

/* children= */
void thl_rack_set_limit(uint32_t limit);
uint32_t thl_rack_limit(void);

/* live <= peak in each reading. */
struct thl_rack_counts {
    uint32_t live, peak;
    uint64_t made, ended;
};
void thl_rack_count(struct thl_rack_counts *out);
void thl_rack_count_site(uint32_t site, struct thl_rack_counts *out);

/* Waits until each child that is being made lives, or its maker sees what the caller did before. */
void thl_rack_pass(void);

/* In a forked process: makes the locks anew; then, with what lives and what lived at a time counted
 * anew in the quotas of sites, counts what is at hand. */
void thl_rack_forget_holders(void);
void thl_rack_after_fork(uint32_t live);

#endif
