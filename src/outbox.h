/* SPDX-License-Identifier: MIT */
/*
 * One target's queue of finished bytes, its health, its ledger, and, when it may block, its thread.
 * Written once for all sinks: a sink only writes and returns errors.
 *
 *   dispatcher ──put──▶ [ fill ]  ──swap──▶ [ drain ] ──ops->write──▶ target
 *
 * Who owns what. `fill` and everything marked (lock) belongs to whoever holds the lock; no I/O is
 * ever done under it. `drain` and the sink's state belong to the serving thread: the target's own,
 * or, for a sink that never blocks and in direct mode, the dispatching thread. The dispatcher takes
 * the lock at its first put and keeps it until thl_outbox_release, for a handful of records.
 *
 * Ledger (lock): offered = written + dropped + suppressed + pending, where pending is counted from
 * fill and drain. Every change of both sides is made in one critical section, so the identity holds
 * in every snapshot.
 *
 * Trouble. EAGAIN, ENOBUFS, ENOMEM and EINTR keep the records and try again soon; EMSGSIZE drops
 * the one record; any other error keeps the records and tries again after 100 ms, then twice that,
 * up to a second, 25 % either way. While there is trouble the queue absorbs; when it is full, new
 * records are dropped, with the trouble as the cause (outbox_full when there is none). An eighth at
 * least is kept for warn and above, more while a batch is written. A target that cannot open hands
 * its records to stderr.
 */
#ifndef THL_OUTBOX_H
#define THL_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <thole/thole.h>
#include <time.h>

#include "level.h"
#include "target.h"

#define THL_CAUSES (THOLE_STOPPED + 1)

struct thl_outbox;

/* What the writer should say about a target. */
struct thl_outbox_news {
    bool down, recovered, reopen;
    int error;         /* of down: errno */
    int reopen_error;  /* of reopen: errno; 0: it went well, after one that had not */
    int64_t outage_ms; /* of recovered */
    uint64_t count;    /* drops of one cause not announced yet; 0: none */
    enum thole_cause cause;
    uint64_t level[THL_LEVELS]; /* of count */
    int64_t since_ns;
    uint64_t suppressed; /* by rate=, not announced yet; 0: none */
    int64_t suppressed_since_ns;
};

/* A queue of `capacity` bytes twice; opens nothing yet. NULL without memory. `target` must outlive
 * it. */
struct thl_outbox *thl_outbox_new(const struct thl_target *target, size_t capacity);

/* What takes the records of a target that is not open, where stderr: is a target itself. */
void thl_outbox_set_fallback(struct thl_outbox *o, struct thl_outbox *stderr_outbox);

/* Tries to open the target now; 0 or a negative errno (it will be tried again by itself). */
int thl_outbox_open(struct thl_outbox *o);

/* Starts the thread of a target that may block. 0 or a negative errno. */
int thl_outbox_start(struct thl_outbox *o);

/* ---- the dispatcher's ---- */

/* THL_OUTBOX_MAY_WAIT: a full queue of a healthy target is left uncounted and THL_OUTBOX_WAIT
 * returned: call thl_outbox_wait, then put again. THL_OUTBOX_QUIET: the record is a notice, whose
 * own loss is counted but not announced, or announcements would beget announcements. */
enum { THL_OUTBOX_MAY_WAIT = 1, THL_OUTBOX_QUIET = 2 };

/* Queues one record. */
enum thl_outbox_put { THL_OUTBOX_PUT, THL_OUTBOX_DROPPED, THL_OUTBOX_WAIT };
enum thl_outbox_put thl_outbox_put(struct thl_outbox *o, const struct thole_sink_record *record,
                                   unsigned how);

/* The same in two steps, for who writes the bytes in place: room for as many, or NULL when there is
 * not so much (then thl_outbox_put judges), and the record once it stands there. Nothing comes of a
 * reservation that is not committed. */
char *thl_outbox_reserve(struct thl_outbox *o, size_t bytes, enum thole_level level);
void thl_outbox_commit(struct thl_outbox *o, size_t size, enum thole_level level, int64_t unix_ns);

/* Counts a record that rate= holds back. */
void thl_outbox_suppress(struct thl_outbox *o);

/* Counts a record that was offered and is not queued. */
void thl_outbox_refuse(struct thl_outbox *o, enum thole_level level, enum thole_cause cause,
                       unsigned how);

/* Lets the lock go and wakes the target's thread. */
void thl_outbox_release(struct thl_outbox *o);

/* Waits until something moves, at most until `deadline` (CLOCK_MONOTONIC). Not holding any outbox.
 */
void thl_outbox_wait(struct thl_outbox *o, const struct timespec *deadline);

/* Writes what is queued, in the calling thread, until done or in trouble: for targets without a
 * thread. */
void thl_outbox_serve(struct thl_outbox *o);

/* The same, again after each back-off, until nothing waits or the deadline: at the end. */
void thl_outbox_serve_until(struct thl_outbox *o, const struct timespec *deadline);
bool thl_outbox_has_thread(const struct thl_outbox *o);

/* The wait was in vain: nobody waits for this target again before it moves. */
void thl_outbox_give_up(struct thl_outbox *o);

/* What there is to say; false when nothing. Announces drops at most once a second, and not while
 * the target is in trouble, unless it is the last time. */
bool thl_outbox_news(struct thl_outbox *o, struct thl_outbox_news *news, bool last);

/* Whether drops wait to be announced, or (without a thread) records for another try. */
bool thl_outbox_is_waiting(struct thl_outbox *o);

/* Whether the target is in trouble. */
bool thl_outbox_in_trouble(struct thl_outbox *o);

/* The sink opens its files anew: an idle one at once, a busy one before its next batch. */
void thl_outbox_reopen(struct thl_outbox *o);

const struct thl_target *thl_outbox_target(const struct thl_outbox *o);

/* ---- anyone's ---- */

/* A target without a thread: whoever serves it next calls its flush, too. */
void thl_outbox_ask_to_flush(struct thl_outbox *o);

/* Waits until everything offered before the call is written or dropped: 0, or -ETIMEDOUT. */
int thl_outbox_flush(struct thl_outbox *o, const struct timespec *deadline);

void thl_outbox_stats(struct thl_outbox *o, struct thole_sink_stats *out);

/* How a target does. Blocked: it takes nothing just now, and records wait. Down: since an error, or
 * blocked for a second. Hangs: inside its sink for more than a second. */
enum thl_health { THL_HEALTH_OK, THL_HEALTH_BLOCKED, THL_HEALTH_DOWN, THL_HEALTH_HANGS };

struct thl_outbox_state {
    enum thl_health health;
    int error;        /* errno; of ok: of a reopen that failed, or 0 */
    int64_t since_ms; /* of all but ok: how long */
    int64_t lag_ms;   /* the age of the oldest record that waits; 0: none does */
};
void thl_outbox_look(struct thl_outbox *o, struct thl_outbox_state *out);

/* The thread shall end once it has nothing to write, or is in trouble. Asked of all targets before
 * the first is waited for, so that a hanging one takes no time from the others. */
void thl_outbox_ask_to_stop(struct thl_outbox *o);

/* Ends the thread and closes the sink. When it hangs past the deadline it is left to itself, what
 * it had is counted as dropped (stopped), and -ETIMEDOUT returned. The ledger stays readable. */
int thl_outbox_stop(struct thl_outbox *o, const struct timespec *deadline);

/* Leaves a target that the writer serves to that writer, which hangs: what it has is counted as
 * dropped (stopped). The writer's late end, of all targets, closes the sink, and drops what it put
 * there meanwhile. */
void thl_outbox_leave(struct thl_outbox *o);
void thl_outbox_end_left(struct thl_outbox *o);

/* Whether somebody is inside its sink. */
bool thl_outbox_is_in_io(struct thl_outbox *o);

/* Whether its thread was left to itself and has not come back: then nothing of it may be freed. */
bool thl_outbox_hangs(struct thl_outbox *o);

/* Frees a stopped outbox. NULL is allowed. */
void thl_outbox_free(struct thl_outbox *o);

/* Around fork: no sink is inside its I/O while it happens, if that can be had within 100 ms; the
 * child process gets an empty outbox without a thread. */
void thl_outbox_before_fork(struct thl_outbox *o, const struct timespec *deadline);
void thl_outbox_after_fork(struct thl_outbox *o, bool in_child);

/* Whether the calling thread is inside a sink. */
bool thl_outbox_in_sink(void);

/* "would_block" .. : the word of a cause in notices. */
const char *thl_outbox_cause_word(enum thole_cause cause);

#endif
