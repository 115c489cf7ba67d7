/* SPDX-License-Identifier: MIT */
/*
 * One record -> the outboxes of all targets that take it, rendered once for each style. Used by one
 * thread at a time: the writer, or whoever holds the direct mode's lock.
 */
#ifndef THL_DISPATCH_H
#define THL_DISPATCH_H

#include <stdatomic.h>

#include "clock.h"
#include "config.h"
#include "notice.h"
#include "outbox.h"
#include "phrase.h"
#include "record.h"
#include "target.h"

#define THL_DISPATCH_NOTICE_BYTES 4096

struct thl_dispatch {
    struct thl_dispatch *next;   /* of those that wait for a sink that hangs */
    _Atomic unsigned users;      /* flushes that look at it */
    struct thl_sink_specs specs; /* what the targets borrow */
    struct thl_targets targets;
    struct thl_outbox *outbox[THL_TARGETS];
    uint64_t seq[THL_TARGETS];
    struct thl_clock clock;
    struct thl_phrase_line line; /* the record that is dispatched */
    struct thl_view view;        /* the same, taken apart, when somebody asked for it */
    bool viewed;
    struct thl_phrases *phrases;
    char *render[THL_STYLES]; /* one buffer each, render_bytes long */
    size_t render_bytes, rendered[THL_STYLES];
    uint64_t serial, rendered_of[THL_STYLES]; /* of the record; of the one that was rendered */
    uint32_t block_ms;
    void (*between)(void); /* called while it waits for room, holding no outbox; or NULL */
    _Atomic bool hurry;
    _Alignas(8) unsigned char notice[THL_DISPATCH_NOTICE_BYTES]; /* the last: the view borrows */
    int64_t last_ns;      /* of notices, which come from no ring */
    int64_t zone_quarter; /* the quarter of an hour for which utc_offset was read */
    char app[64], host[256];
};

/* Builds targets from specs (which it takes over), makes their outboxes and tries to open them. The
 * messages of what could not be opened are appended to `errors` with column 0. 0 or -ENOMEM. */
int thl_dispatch_init(struct thl_dispatch *d, struct thl_sink_specs *specs,
                      const struct thl_target_env *env, const struct thl_limits *limits,
                      struct thl_config_errors *errors);

/* Waits until all that was offered is written or dropped; `writer_runs`: the writer serves the
 * targets that have no thread, else this does. NULL is allowed. 0 or -ETIMEDOUT. */
int thl_dispatch_flush(struct thl_dispatch *d, const struct timespec *deadline, bool writer_runs);
bool thl_dispatch_has_pending(struct thl_dispatch *d);

/* Targets without a thread flush their sinks when they are served next. NULL is allowed. */
void thl_dispatch_ask_to_flush(struct thl_dispatch *d);

/* Ends all targets. NULL is allowed. 0, or -ETIMEDOUT when one lost records or was left to itself.
 */
int thl_dispatch_close(struct thl_dispatch *d, const struct timespec *deadline);

/* Whether the writer is inside a sink that it serves itself. Any thread. */
bool thl_dispatch_is_serving(struct thl_dispatch *d);

/* The writer hangs: the targets that it serves are left to it, and closed by it when it comes back.
 * Before thl_dispatch_close, and at the writer's late end. */
void thl_dispatch_leave(struct thl_dispatch *d);
void thl_dispatch_end_left(struct thl_dispatch *d);

/* Frees a malloc'ed dispatcher that was closed, or NULL; one with a sink that was left to itself at
 * the first such call after that sink came back. One caller at a time. */
void thl_dispatch_retire(struct thl_dispatch *d);

/* How many have not been freed, for a sink of theirs hangs still. As above. */
unsigned thl_dispatch_count_hanging(void);

/* Frees what thl_dispatch_close has closed. */
void thl_dispatch_fini(struct thl_dispatch *d);

/* Routes one record; last_ns is its source's latest time, so that time never runs back there. */
void thl_dispatch_record(struct thl_dispatch *d, const struct thl_record *record, size_t size,
                         int64_t *last_ns);

/* How many records of a named logger, and of the children that hang from it, were routed. */
uint64_t thl_dispatch_records(unsigned logger);

/* In a forked process, which counts its own. */
void thl_dispatch_forget_records(void);

/* Ends a handful of records: lets all outboxes go, writes for targets without a thread. */
void thl_dispatch_release(struct thl_dispatch *d);

/* Lets all outboxes go, and no more: before something that takes time. */
void thl_dispatch_release_locks(struct thl_dispatch *d);

/* Routes a notice to all targets but `except`, whatever their routes say; their number. It stays in
 * the view. */
size_t thl_dispatch_notice(struct thl_dispatch *d, const struct thl_notice *n,
                           const struct thl_outbox *except);

/* From now on nobody waits for room (overflow=block), nor dispatches: the end has come. Any thread.
 */
void thl_dispatch_hurry(struct thl_dispatch *d);
bool thl_dispatch_is_hurried(struct thl_dispatch *d);

/* thole_reopen() was called; whoever dispatches takes the flag back and asks the sinks. */
extern _Atomic bool thl_dispatch_reopen;
void thl_dispatch_reopen_all(struct thl_dispatch *d);

/* The offset of local time, when a new quarter of an hour has begun: never on a logging path. */
void thl_dispatch_zone(struct thl_dispatch *d);

/* After a fork: other pid, fresh clock, and no flush that looks at it. NULL is allowed. */
void thl_dispatch_after_fork(struct thl_dispatch *d);

/* The number of notices that were made (each called and routed). */
extern _Atomic uint64_t thl_dispatch_notices_made;

#endif
