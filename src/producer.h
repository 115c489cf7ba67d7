/* SPDX-License-Identifier: MIT */
/*
 * A thread that logs: the ring that it owns, from its first record to its end.
 *
 * A ring counts only in the epoch it was taken in. It goes back by the destructor of a key, at the
 * thread's end; `leaving` is set by the first destructor, and what later ones log goes to the
 * shared ring, so that no ring is taken and lost. Two ends have no such destructor, or not in time:
 * a thread that logs first in the last round of its destructors (the ring is taken back when the
 * pool is empty and the thread is gone), and one that is cancelled asynchronously inside a push
 * (what it committed is completed, what not is forgotten). Models: tests/race/models/shared.pml,
 * order.pml, recover.pml.
 */
#ifndef THL_PRODUCER_H
#define THL_PRODUCER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "emit.h"

/* `taking` and `in_shared` tell a signal handler that it interrupted one or the other. */
struct thl_producer {
    struct thl_ring *ring;
    uint64_t epoch;
    uint64_t shared_epoch, shared_end; /* where this thread's last record in the shared ring ends */
    bool leaving, taking, in_shared, never_wait;
};
extern THL_TLS struct thl_producer thl_producer_own;

/* A thread has left that had logged, or was watched when it started thole: it may have been the
 * last but for ours (last_thread.h). The writer takes the flag back. */
extern _Atomic bool thl_producer_one_has_left;
void thl_producer_watch(void);

/* Once per process, before the first epoch: the destructor that gives rings back. */
int thl_producer_init(void);

/* In a forked process. */
void thl_producer_after_fork(void);

/* A ring for this thread, or NULL: then the shared one takes its records. */
struct thl_ring *thl_producer_take_ring(uint64_t epoch) THL_COLD;

/* The writer's scan covers the first n rings from now on. */
void thl_producer_note_used(uint32_t n);

/* Whether this thread's records in the shared ring have been taken out. */
bool thl_producer_is_shared_empty(uint64_t epoch);

static inline void
thl_producer_set_busy(struct thl_ring *ring, uint32_t busy)
{
    atomic_store_explicit(&ring->busy, busy, memory_order_release); /* pairs with the writer */
    atomic_signal_fence(memory_order_seq_cst); /* handlers of this thread; membarrier does others */
}

#endif
