/* SPDX-License-Identifier: MIT */
/*
 * The daemon's half of the arena: answers letters and publishes the tables (arena_layout.h).
 *
 * All of it is the writer's, between two handfuls of records; a census is taken in slices, and
 * levels reach the children in slices, so that records do not wait for either. What observers wrote
 * is hostile input: a letter is copied out first, its text ended and its numbers bounded, and no
 * offset is ever taken from the mapping.
 */
#ifndef THL_OBSERVE_H
#define THL_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "dispatch.h"

/* At each start, before the writer's thread. */
void thl_observe_begin(const struct thl_arena *arena);

/* Answers what was asked, and ends temporary rules that are due. True while it is not done; it need
 * not be: the next start asks all children anew. */
bool thl_observe_serve(struct thl_dispatch *d);

/* What the writer's sleep waits for besides its own bell: the mailbox's, as long as it holds
 * `seen`; NULL when nobody can write there. A letter that came since the last serve is seen by a
 * look at thl_observe_is_asked after `seen` was read. */
const _Atomic uint32_t *thl_observe_bell(uint32_t *seen);
bool thl_observe_is_asked(void);

/* Milliseconds until there is something to do unasked; -1: never. */
int thl_observe_wait_ms(void);

/* In a forked process. */
void thl_observe_after_fork(void);

#endif
