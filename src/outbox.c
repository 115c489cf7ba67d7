/* SPDX-License-Identifier: MIT */
/* An outbox: its life, its ledger, and the dispatcher's side of the queue. */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "lock.h"
#include "outbox_state.h"

/* ---- life ---- */

static bool
init_batch(struct thl_batch *b, size_t capacity, size_t max_records)
{
    void *p = mmap(NULL, capacity + THL_OUTBOX_NOTICE_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t records = (max_records + THL_OUTBOX_NOTICES) * sizeof(*b->record);
    void *r = mmap(NULL, records, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    b->bytes = p == MAP_FAILED ? NULL : p;
    b->record = r == MAP_FAILED ? NULL : r;
    return b->bytes && b->record;
}

static void
fini_batch(struct thl_batch *b, size_t capacity, size_t max_records)
{
    if (b->bytes)
        munmap(b->bytes, capacity + THL_OUTBOX_NOTICE_BYTES);
    if (b->record)
        munmap(b->record, (max_records + THL_OUTBOX_NOTICES) * sizeof(*b->record));
}

void
thl_outbox_init_sync(struct thl_outbox *o)
{
    thl_lock_init(&o->lock);
    thl_lock_init_cond(&o->work);
    thl_lock_init_cond(&o->done);
}

struct thl_outbox *
thl_outbox_new(const struct thl_target *target, size_t capacity)
{
    struct thl_outbox *o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    o->target = target;
    o->lf = (target->ops->flags & THOLE_SINK_LINES) != 0;
    o->capacity = capacity;
    o->max_records = capacity / THL_OUTBOX_RECORD_BYTES;
    thl_outbox_init_sync(o);
    if (init_batch(&o->fill, capacity, o->max_records) &&
        init_batch(&o->drain, capacity, o->max_records))
        return o;
    thl_outbox_free(o);
    return NULL;
}

void
thl_outbox_free(struct thl_outbox *o)
{
    if (!o)
        return;
    fini_batch(&o->fill, o->capacity, o->max_records);
    fini_batch(&o->drain, o->capacity, o->max_records);
    pthread_mutex_destroy(&o->lock);
    pthread_cond_destroy(&o->work);
    pthread_cond_destroy(&o->done);
    free(o);
}

const struct thl_target *
thl_outbox_target(const struct thl_outbox *o)
{
    return o->target;
}

bool
thl_outbox_has_thread(const struct thl_outbox *o)
{
    return atomic_load_explicit(&o->has_thread, memory_order_relaxed); /* before or after it */
}

/* ---- ledger, with the lock ---- */

uint64_t
thl_outbox_pending_locked(const struct thl_outbox *o)
{
    return o->fill.n + (o->drain.n - o->drain.next);
}

void
thl_outbox_book_drop_locked(struct thl_outbox *o, enum thole_cause cause)
{
    o->dropped++;
    o->cause[cause]++;
}

void
thl_outbox_count_drop_locked(struct thl_outbox *o, enum thole_level level, enum thole_cause cause)
{
    if (o->unsaid_since_ns == 0)
        o->unsaid_since_ns = thl_clock_unix_ns();
    thl_outbox_book_drop_locked(o, cause);
    o->unsaid[cause][level]++;
}

void
thl_outbox_drop_batch_locked(struct thl_outbox *o, struct thl_batch *b, enum thole_cause cause)
{
    for (; b->next < b->n; b->next++)
        thl_outbox_count_drop_locked(o, b->record[b->next].level, cause);
    b->n = b->next = b->size = 0;
}

void
thl_outbox_stats(struct thl_outbox *o, struct thole_sink_stats *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->name, o->target->name, sizeof(out->name));
    pthread_mutex_lock(&o->lock);
    out->offered = o->offered;
    out->written = o->written;
    out->dropped = o->dropped;
    out->suppressed = o->suppressed;
    out->pending = thl_outbox_pending_locked(o);
    memcpy(out->cause, o->cause, sizeof(o->cause));
    pthread_mutex_unlock(&o->lock);
}

/* ---- the dispatcher's side ---- */

/* Who holds is known by an address that each thread has for itself. relaxed: only the holder finds
 * its own there; a writer that was left alone may hold while another thread asks. */
static bool
is_held(struct thl_outbox *o)
{
    return atomic_load_explicit(&o->holder, memory_order_relaxed) == &thl_outbox_inside;
}

THL_APART static void
take_lock(struct thl_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    atomic_store_explicit(&o->holder, &thl_outbox_inside, memory_order_relaxed); /* as above */
}

void
thl_outbox_hold(struct thl_outbox *o)
{
    if (THL_UNLIKELY(!is_held(o)))
        take_lock(o);
}

void
thl_outbox_release(struct thl_outbox *o)
{
    if (!is_held(o))
        return;
    atomic_store_explicit(&o->holder, NULL, memory_order_relaxed); /* as above */
    if (thl_outbox_has_thread(o) && o->fill.n > 0)
        pthread_cond_signal(&o->work);
    pthread_mutex_unlock(&o->lock);
}

static size_t
keep(size_t capacity, size_t left)
{
    return left / 4 * 3 > capacity / 8 ? left / 4 * 3 : capacity / 8;
}

/* For warn and above an eighth is kept, and as much as may come of them until the batch that is
 * being written is done: they find room as long as they are three quarters of what the sink takes.
 */
static bool
has_room_locked(const struct thl_outbox *o, size_t size, enum thole_level level)
{
    const struct thl_batch *b = &o->drain;
    size_t bytes = o->capacity, records = o->max_records;
    if (level < THOLE_WARN) {
        size_t left = b->next < b->n ? b->size - (size_t)(b->record[b->next].bytes - b->bytes) : 0;
        bytes -= keep(o->capacity, left);
        records -= keep(o->max_records, b->n - b->next);
    }
    return o->fill.size + size <= bytes && o->fill.n < records;
}

bool
thl_outbox_has_room_for_notice_locked(const struct thl_outbox *o, size_t size)
{
    return o->fill.size + size <= o->capacity + THL_OUTBOX_NOTICE_BYTES &&
           o->fill.n < o->max_records + THL_OUTBOX_NOTICES;
}

THL_APART static void
begin_batch_locked(struct thl_batch *b)
{
    b->since_ms = thl_clock_coarse_ms();
    b->nnotices = 0;
}

/* The record whose bytes stand at the end of `fill`, with room for an LF behind it. */
static void
add_locked(struct thl_outbox *o, size_t size, bool lf, enum thole_level level, int64_t unix_ns)
{
    struct thl_batch *b = &o->fill;
    char *at = b->bytes + b->size;
    if (lf)
        at[size++] = '\n';
    b->record[b->n++] = (struct thole_sink_record){at, size, level, unix_ns};
    b->size += size;
    o->offered++;
    o->queued++;
    if (THL_UNLIKELY(b->n == 1))
        begin_batch_locked(b);
}

static void
append_locked(struct thl_outbox *o, const struct thole_sink_record *record, bool lf)
{
    memcpy(o->fill.bytes + o->fill.size, record->bytes, record->size);
    add_locked(o, record->size, lf, record->level, record->unix_ns);
}

static void
mark_notice_locked(struct thl_batch *b)
{
    if (b->nnotices < THL_OUTBOX_MARKS)
        b->notice[b->nnotices++] = b->n - 1;
}

void
thl_outbox_refuse(struct thl_outbox *o, enum thole_level level, enum thole_cause cause,
                  unsigned how)
{
    thl_outbox_hold(o);
    o->offered++;
    if (how & THL_OUTBOX_QUIET)
        thl_outbox_book_drop_locked(o, cause);
    else
        thl_outbox_count_drop_locked(o, level, cause);
}

enum thl_outbox_put
thl_outbox_put(struct thl_outbox *o, const struct thole_sink_record *record, unsigned how)
{
    const bool lf = o->lf;
    const size_t size = record->size + lf;
    thl_outbox_hold(o);
    const bool room = how & THL_OUTBOX_QUIET ? thl_outbox_has_room_for_notice_locked(o, size)
                                             : has_room_locked(o, size, record->level);
    if (room) {
        append_locked(o, record, lf);
        if (how & THL_OUTBOX_QUIET)
            mark_notice_locked(&o->fill);
        return THL_OUTBOX_PUT;
    }
    if ((how & THL_OUTBOX_MAY_WAIT) && !o->trouble && !o->stalled)
        return THL_OUTBOX_WAIT;
    thl_outbox_refuse(o, record->level,
                      o->trouble ? thl_outbox_cause_of(o->error) : THOLE_OUTBOX_FULL, how);
    return THL_OUTBOX_DROPPED;
}

char *
thl_outbox_reserve(struct thl_outbox *o, size_t bytes, enum thole_level level)
{
    thl_outbox_hold(o);
    return has_room_locked(o, bytes + 1, level) ? o->fill.bytes + o->fill.size : NULL;
}

void
thl_outbox_commit(struct thl_outbox *o, size_t size, enum thole_level level, int64_t unix_ns)
{
    add_locked(o, size, o->lf, level, unix_ns);
}

bool
thl_outbox_append_locked(struct thl_outbox *o, const struct thole_sink_record *record)
{
    const bool ends = record->size > 0 && record->bytes[record->size - 1] == '\n';
    const bool lf = o->lf && !ends;
    if (!has_room_locked(o, record->size + lf, record->level))
        return false;
    append_locked(o, record, lf);
    return true;
}

void
thl_outbox_set_fallback(struct thl_outbox *o, struct thl_outbox *stderr_outbox)
{
    if (o != stderr_outbox)
        o->fallback = stderr_outbox;
}

void
thl_outbox_suppress(struct thl_outbox *o)
{
    thl_outbox_hold(o);
    o->offered++;
    o->suppressed++;
    if (o->unsaid_suppressed++ == 0) {
        o->suppressed_since_ns = thl_clock_unix_ns();
        o->suppressed_since_ms = thl_clock_mono_ms();
    }
}

void
thl_outbox_wait(struct thl_outbox *o, const struct timespec *deadline)
{
    int rc = 0;
    pthread_mutex_lock(&o->lock);
    size_t before = o->fill.n;
    pthread_cond_signal(&o->work);
    while (rc == 0 && o->fill.n >= before && !o->trouble)
        rc = pthread_cond_timedwait(&o->done, &o->lock, deadline);
    pthread_mutex_unlock(&o->lock);
}

void
thl_outbox_give_up(struct thl_outbox *o)
{
    thl_outbox_hold(o);
    o->stalled = true;
}

bool
thl_outbox_is_waiting(struct thl_outbox *o)
{
    thl_outbox_hold(o);
    return ((o->unsaid_since_ns != 0 || o->unsaid_suppressed > 0) && !o->trouble &&
            thl_outbox_may_tell_locked(o)) ||
           (!thl_outbox_has_thread(o) && thl_outbox_pending_locked(o) > 0);
}

bool
thl_outbox_in_trouble(struct thl_outbox *o)
{
    thl_outbox_hold(o);
    return o->trouble;
}
