/* SPDX-License-Identifier: MIT */
/* What the files of an outbox share: its state. Who may touch what is said in outbox.h. */
#ifndef THL_OUTBOX_STATE_H
#define THL_OUTBOX_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "compiler.h"
#include "outbox.h"

#define THL_OUTBOX_RECORD_BYTES 64 /* a record's least share of the queue: bounds their number */

#define THL_OUTBOX_MARKS 16 /* notices of a batch that are told from other records */

/* Room beyond the queue's end, for notices alone: what was lost can be said where all is full. */
#define THL_OUTBOX_NOTICE_BYTES (16 * 1024)
#define THL_OUTBOX_NOTICES (THL_OUTBOX_NOTICE_BYTES / THL_OUTBOX_RECORD_BYTES)

struct thl_batch {
    char *bytes;
    size_t size;
    struct thole_sink_record *record;
    size_t n, next;                            /* next: the first that is not written yet */
    size_t touched;                            /* bytes that have memory behind them */
    int64_t since_ms;                          /* when its first record came */
    size_t notice[THL_OUTBOX_MARKS], nnotices; /* where thole's own records stand */
};

struct thl_outbox {
    const struct thl_target *target;
    struct thl_outbox *fallback; /* of stderr:, where that is another target; constant */
    size_t capacity, max_records;
    bool lf;                      /* each record ends with one; constant */
    _Atomic(const void *) holder; /* of the lock, as the dispatcher: see thl_outbox_hold */

    pthread_mutex_t lock;
    pthread_cond_t work, done; /* for the thread; for whoever waits for room or the end */

    /* (lock) */
    struct thl_batch fill, drain; /* drain's bytes: the serving thread's */
    uint64_t offered, written, dropped, suppressed, cause[THL_CAUSES];
    uint64_t queued; /* of offered: the records that ever had a place in fill */
    uint64_t unsaid[THL_CAUSES][THL_LEVELS], unsaid_suppressed;
    int64_t unsaid_since_ns, said_ms, suppressed_since_ns, suppressed_since_ms;
    int reopen_error; /* of the last reopen, positive; 0: it went well */
    bool say_reopen;
    bool trouble, say_down, say_recovered, down_was_said;
    int error; /* of the trouble, positive */
    int64_t trouble_since_ms, next_try_ms, outage_ms, trimmed_ms, io_since_ms;
    int backoff_ms, blocked_ms;
    uint64_t flush_want, flush_done;
    uint64_t flush_taken; /* of flush_want: when drain was taken, so with all that it asks for */
    bool in_io, stop, ended, left_alone;
    _Atomic bool has_thread; /* set by whoever starts and stops it, read by anyone */

    _Atomic bool reopen;
    bool stalled; /* waited for room in vain: do not wait again before it moves */
    bool broken;  /* fork caught it inside its I/O: its state is not to be used */
    bool forking; /* the thread that forks has the lock */
    pthread_t thread;

    /* the serving thread's */
    void *sink;           /* NULL: not open */
    int64_t looked_ms;    /* when wants_reopen was asked */
    int64_t flush_due_ms; /* when flush should be called; 0: it need not be */
};

/* The cause that an errno stands for. */
enum thole_cause thl_outbox_cause_of(int error);

void thl_outbox_init_sync(struct thl_outbox *o);

static inline void
thl_outbox_set_has_thread(struct thl_outbox *o, bool has)
{
    atomic_store_explicit(&o->has_thread, has, memory_order_relaxed); /* the lock orders the rest */
}

/* ---- of the serving side: outbox_serve.c; but for `locked`, without the lock ---- */

/* A call of the sink's operations is under way, or was. */
void thl_outbox_begin_io_locked(struct thl_outbox *o);
void thl_outbox_end_io_locked(struct thl_outbox *o);

/* Whether the back-off is over. */
bool thl_outbox_may_try_locked(const struct thl_outbox *o);

/* Makes `fill` the batch, when the last one is done; false when there is nothing to write. */
bool thl_outbox_take_batch_locked(struct thl_outbox *o);

/* One try at the batch. */
void thl_outbox_write_batch(struct thl_outbox *o);

void thl_outbox_reopen_if_asked(struct thl_outbox *o);
bool thl_outbox_is_flush_due(const struct thl_outbox *o);
void thl_outbox_flush_sink(struct thl_outbox *o);

/* Closes the sink, if there is one. The serving thread's, or whoever comes after it. */
void thl_outbox_close_sink(struct thl_outbox *o);

/* The dispatcher's: takes the lock, unless it has it already, until thl_outbox_release. */
void thl_outbox_hold(struct thl_outbox *o);

uint64_t thl_outbox_pending_locked(const struct thl_outbox *o);

/* Queues a record of another outbox; false when it found no room, and stays that one's to count. */
bool thl_outbox_append_locked(struct thl_outbox *o, const struct thole_sink_record *record);

bool thl_outbox_has_room_for_notice_locked(const struct thl_outbox *o, size_t size);

/* Whether the target itself could take what there is to say of its losses: until then it waits. */
bool thl_outbox_may_tell_locked(const struct thl_outbox *o);

/* The target is not open: its records go to stderr at once, so that somebody sees them however soon
 * the process ends. They are dropped as far as this target is concerned; what stderr has is not
 * announced as lost. */
void thl_outbox_fall_back(struct thl_outbox *o);

/* Whose sink this thread is inside of, or NULL. */
extern THL_TLS const struct thl_outbox *thl_outbox_inside;

/* One record lost; counted for an announcement, or only booked. */
void thl_outbox_count_drop_locked(struct thl_outbox *o, enum thole_level level,
                                  enum thole_cause cause);
void thl_outbox_book_drop_locked(struct thl_outbox *o, enum thole_cause cause);
void thl_outbox_drop_batch_locked(struct thl_outbox *o, struct thl_batch *b,
                                  enum thole_cause cause);

/* An error of the sink (a positive errno), and a write that went through. */
void thl_outbox_enter_trouble_locked(struct thl_outbox *o, int error);
void thl_outbox_leave_trouble_locked(struct thl_outbox *o);

/* In trouble still, but some of its records went through. */
void thl_outbox_move_on_locked(struct thl_outbox *o);

#endif
