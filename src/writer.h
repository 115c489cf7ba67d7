/* SPDX-License-Identifier: MIT */
/*
 * The writer: one thread that empties all queues, merged by time, into the targets' outboxes.
 *
 * Sleep. While many records come it looks again at once; after a few it naps for 1 ms first, for to
 * look at a queue takes its lines from the thread that fills it. Without any it naps for 1 to 5 ms
 * (nobody need wake it, but a ring that is a quarter full, a flush or a stop does), and after 100
 * ms without any it sleeps without a deadline: it sets the bell to ASLEEP, issues a membarrier and
 * looks at all queues once more. A producer stores its record before it looks at the bell, with no
 * fence between; the membarrier is that fence, on its behalf. So either the writer's second look
 * finds the record, or the producer finds the bell and wakes it. Where there is no membarrier (an
 * old kernel, a seccomp filter) it only naps. Model: tests/race/models/wake.pml.
 */
#ifndef THL_WRITER_H
#define THL_WRITER_H

#include <stdbool.h>
#include <time.h>

#include "dispatch.h"

/* Starts the thread for the queues that thl_emit_queues names. 0 or a negative errno. */
int thl_writer_start(struct thl_dispatch *dispatch);

/* Waits until everything queued before the call has reached the outboxes: 0 or -ETIMEDOUT. */
int thl_writer_flush(const struct timespec *deadline);

/* Closes the gate (epoch 0), drains what is queued until `soft`, then drops it, ends the thread. 0;
 * -ETIMEDOUT when records had to be dropped; -ESRCH when the thread had not ended at the deadline
 * (it hangs in a sink that said it never blocks; or it is the caller, inside such a sink, in
 * exit()) and was left alone, with the targets that it serves. */
int thl_writer_stop(const struct timespec *soft, const struct timespec *deadline);

/* Whether a writer that was left alone hangs still: it uses all that a new one would. */
bool thl_writer_is_left_alone(void);

/* Whether at most one thread has a queue, and none shares one. */
bool thl_writer_serves_one(void);

/* Around fork: the writer is between two handfuls while it happens, and holds no lock, if that can
 * be had within 100 ms. */
void thl_writer_before_fork(void);
void thl_writer_after_fork(bool in_child);

#endif
