/* SPDX-License-Identifier: MIT */
/*
 * How the writer waits: for its own bell, which producers ring, and for the mailbox's, which
 * observers in other processes ring, with a time at which there is something to do unasked.
 */
#ifndef THL_BELL_H
#define THL_BELL_H

#include <stdatomic.h>
#include <stdint.h>

/* The shorter of two times, of which a negative one has no end. */
int thl_bell_shorter(int a_ms, int b_ms);

/* Waits while the writer's bell holds `state`. */
void thl_bell_wait(uint32_t state, int timeout_ms);

/* The same, and while *mail holds `seen`. */
void thl_bell_wait_for_two(uint32_t state, const _Atomic uint32_t *mail, uint32_t seen,
                           int timeout_ms);

#endif
