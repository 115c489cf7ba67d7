/* SPDX-License-Identifier: MIT */
/*
 * Flood control: how many records a second one call site may log through one logger (site-rate=).
 *
 *   table    SETS sets of WAYS buckets, one bucket for each (call site, logger) that logs
 *   bucket   key     who it is of: a mix of both; TAKING while it changes hands
 *            until   the time at which all that was let pass is worked off, in ticks: one token a
 *                    `period`, and no more than `depth` ahead of now
 *            debt    call site:21 | hash:17 | count:26, suppressed and not announced yet
 *   aside    for each call site what was suppressed in a bucket that has been given away
 *
 * Everything is words in private memory, mapped when a rate is first configured and never given
 * back. No lock, so a signal handler may come between any two steps, and any thread may stop there.
 * A bucket that cannot be had in a few tries lets its record pass: contention silences nobody.
 *
 * Counts are exact whatever happens to buckets, for `debt` says itself of which call site it is:
 * whoever finds another's there moves it aside, whole, in the compare-and-swap that puts his own in
 * its place. What is taken out of a debt by a record that is then dropped goes back. So
 *
 *     suppressed (the ledger's) = announced by records + announced by notices + debts + aside
 *
 * Taking a bucket over: key to TAKING, `until` to now, the debt aside, the new key, and that given
 * up where another bucket has it by now: no owner has two bursts for long. Whoever found the key
 * before that loads `until`, then the key again, then swaps `until`: were it given away meanwhile,
 * either the key or `until` is not what he saw.
 *
 * Ordering: key (seq_cst, as a release) pairs with find_bucket (acquire): a bucket's `until` is its
 * new owner's. until (release) pairs with take_token (acquire): the second look at the key. debt
 * and aside are relaxed: each is one word that speaks for itself. Stress: tests/race/flood.c.
 */
#ifndef THL_FLOOD_H
#define THL_FLOOD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "config.h"
#include "emission.h"

/* Written by the configuration. In ticks; a change between two loads makes one decision odd. */
struct thl_flood_rate {
    _Alignas(THL_CACHE_LINE) _Atomic uint64_t period; /* one token; 0: no limit */
    _Atomic uint64_t depth;                           /* all tokens */
    _Atomic uint64_t second;
    _Atomic uint32_t below; /* enum thole_level: the first that has no limit */
};
extern struct thl_flood_rate thl_flood_rate;

/* Takes site-rate= over and makes the table if need be. One caller at a time. 0 or -ENOMEM. */
int thl_flood_apply(const struct thl_limits *limits);

/* No limit until the next thl_flood_apply: what is called after the stop is dropped, and counted as
 * that. */
void thl_flood_end(void);

/* Whether the record may pass. If so it may carry the count of those that did not; if not, it has
 * been counted. Async-signal-safe. */
bool thl_flood_admit(struct thl_emission *e);

/* The record was dropped after all: what it would have announced is announced later. */
void thl_flood_give_back(struct thl_emission *e);
void thl_flood_give_back_record(const struct thl_record *record);

/* ---- for notices: one caller at a time ---- */

/* Whether there is something that nobody has announced. */
bool thl_flood_has_unsaid(void);

/* Moves aside what was suppressed where a minute ago there was a token that nobody has taken since;
 * `all`: wherever. */
void thl_flood_collect(bool all);

/* What lies aside for a call site, from 0 (those without a number) to below thl_flood_sites(); take
 * announces it. */
uint32_t thl_flood_sites(void);
uint64_t thl_flood_look(uint32_t site);
uint64_t thl_flood_take(uint32_t site);

/* In the child process, whose counts begin at nothing. */
void thl_flood_after_fork(void);

static inline bool
thl_flood_is_on(void)
{
    /* relaxed: the table is loaded with acquire where it is used */
    return atomic_load_explicit(&thl_flood_rate.period, memory_order_relaxed) != 0;
}

#endif
