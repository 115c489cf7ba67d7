/* SPDX-License-Identifier: MIT */
/* Log calls -> records in queues. */
#include "emit.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "emission.h"
#include "flood.h"
#include "logger.h"
#include "producer.h"
#include "site.h"
#include "slab.h"

static struct thl_emit_run not_running;
_Atomic(struct thl_emit_run *) thl_emit_run = &not_running;
struct thl_emit_queues thl_emit_queues = {.record_limit = 8192};
struct thl_emit_ledger thl_emit_ledger;

/* ---- waking ---- */

THL_COLD void
thl_emit_wake(void)
{
    /* seq_cst exchange: whatever was published before is seen by the writer once it is awake */
    if (atomic_exchange_explicit(&thl_emit_queues.bell, THL_BELL_AWAKE, memory_order_seq_cst) !=
        THL_BELL_AWAKE)
        syscall(SYS_futex, &thl_emit_queues.bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

THL_COLD void
thl_emit_ring_bell(struct thl_ring *ring, uint32_t bell)
{
    /* relaxed: our own, and a guess */
    uint64_t waiting = atomic_load_explicit(&ring->tail, memory_order_relaxed) -
                       atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (bell == THL_BELL_ASLEEP || waiting >= ring->capacity / 4)
        thl_emit_wake();
}

THL_COLD void
thl_emit_wake_surely(void)
{
    atomic_store_explicit(&thl_emit_queues.bell, THL_BELL_AWAKE,
                          memory_order_seq_cst); /* as above */
    syscall(SYS_futex, &thl_emit_queues.bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void
thl_emit_never_wait(void)
{
    thl_producer_own.never_wait = true;
}

/* ---- into a ring ---- */

/* False when there is no room. */
static bool
push(struct thl_ring *ring, struct thl_emission *e)
{
    struct thl_slab_ref ref;
    const struct thl_slab_ref *context;
    uint64_t keep = e->level < THOLE_WARN ? ring->capacity / 8 : 0;
    uint32_t size;
    void *place;
    do {
        context = thl_emission_open(e, &ref);
        size = (uint32_t)thl_emission_fit(e, context ? context->size : 0);
        place = thl_ring_reserve(ring, size, keep);
        if (!place)
            return false;
    } while (!thl_emission_put(place, e, context));
    thl_emit_commit(ring, size);
    return true;
}

enum outcome { DONE, FULL, NOT_RUNNING };

static enum outcome
push_own(struct thl_ring *ring, uint64_t epoch, struct thl_emission *e)
{
    enum outcome outcome = NOT_RUNNING;
    thl_producer_set_busy(ring, 1);
    if (THL_LIKELY(thl_emit_epoch() == epoch))
        outcome = push(ring, e) ? DONE : FULL;
    thl_producer_set_busy(ring, 0);
    return outcome;
}

/* `nested`: a handler that interrupted this thread's own use of a ring. */
static THL_COLD enum outcome
push_shared(uint64_t epoch, struct thl_emission *e, bool nested)
{
    struct thl_ring *ring = thl_arena_ring(thl_emit_queues.arena, thl_emit_queues.nrings - 1);
    enum outcome outcome = NOT_RUNNING;
    if (nested || thl_producer_own.in_shared) {
        if (!thl_ring_try_lock(ring))
            return FULL;
    } else {
        thl_producer_own.in_shared = true;
        atomic_signal_fence(memory_order_seq_cst); /* a handler must see it before the lock */
        if (!thl_ring_lock(ring)) {
            thl_producer_own.in_shared = false;
            return FULL;
        }
    }
    thl_producer_note_used(thl_emit_queues.nrings);
    thl_producer_set_busy(ring, 1);
    if (thl_emit_epoch() == epoch)
        outcome = push(ring, e) ? DONE : FULL;
    thl_producer_own.shared_epoch = epoch;
    thl_producer_own.shared_end =
        atomic_load_explicit(&ring->tail, memory_order_relaxed); /* under the lock */
    thl_producer_set_busy(ring, 0);
    thl_ring_unlock(ring);
    if (!nested)
        thl_producer_own.in_shared = false;
    return outcome;
}

static void
count_full(unsigned level)
{
    atomic_fetch_add_explicit(&thl_emit_ledger.full[level], 1, memory_order_relaxed);
}

void
thl_emit_discard_begin(void)
{
    /* relaxed: the pops that follow are stores with release */
    atomic_fetch_add_explicit(&thl_emit_ledger.discarding, 1, memory_order_relaxed);
}

void
thl_emit_discard_end(const uint64_t *by_level)
{
    /* relaxed: read between two looks at `discarding` */
    for (unsigned l = 0; l < THL_LEVELS; l++) {
        atomic_fetch_add_explicit(&thl_emit_ledger.discarded, by_level[l], memory_order_relaxed);
        atomic_fetch_add_explicit(&thl_emit_ledger.stopped[l], by_level[l], memory_order_relaxed);
    }
    /* release: pairs with the snapshot */
    atomic_fetch_add_explicit(&thl_emit_ledger.discarding, 1, memory_order_release);
}

static enum outcome
push_somewhere(uint64_t epoch, struct thl_emission *e, bool *nested)
{
    struct thl_ring *ring =
        thl_producer_own.epoch == epoch && !thl_producer_own.taking ? thl_producer_own.ring : NULL;
    *nested = thl_producer_own.in_shared || thl_producer_own.taking;
    if (!ring && !*nested)
        ring = thl_producer_take_ring(epoch);
    if (ring) {
        /* relaxed: only this thread and its own handlers write it */
        *nested |= atomic_load_explicit(&ring->busy, memory_order_relaxed) != 0;
        if (!*nested && THL_UNLIKELY(thl_producer_own.shared_epoch != 0) &&
            thl_producer_is_shared_empty(epoch))
            thl_producer_own.shared_epoch = 0;
        if (!*nested && thl_producer_own.shared_epoch == 0)
            return push_own(ring, epoch, e);
    }
    return push_shared(epoch, e, *nested);
}

/* overflow=block:MS. The writer makes room within a millisecond when its targets take records. */
static THL_COLD enum outcome
wait_for_room(uint64_t epoch, struct thl_emission *e)
{
    uint32_t block_ms = atomic_load_explicit(&thl_emit_queues.block_ms, memory_order_relaxed);
    int64_t deadline = thl_clock_real_ms() + block_ms;
    enum outcome outcome = FULL;
    bool nested = false;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    while (outcome == FULL && !nested && thl_clock_real_ms() < deadline) {
        struct timespec pause = {0, 100000};
        thl_emit_wake();
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        outcome = push_somewhere(epoch, e, &nested);
    }
    pthread_setcancelstate(state, NULL);
    return outcome;
}

/* ---- without a queue ---- */

static bool
emit_direct_uncancelled(struct thl_emission *e)
{
    struct thl_slab_ref ref;
    for (;;) {
        bool again;
        const struct thl_slab_ref *context = thl_emission_open(e, &ref);
        size_t size = thl_emission_fit(e, context ? context->size : 0);
        void *place = thl_emit_direct.begin(e->level, size, &again);
        if (!place) {
            if (!again)
                thl_flood_give_back(e);
            return again;
        }
        if (thl_emission_put(place, e, context)) {
            thl_emit_direct.end(size);
            return false;
        }
        thl_emit_direct.cancel();
    }
}

/* True when there are queues by now. A log call is no cancellation point: a thread that ended in
 * its write would keep the lock for ever. */
static THL_COLD bool
emit_direct(struct thl_emission *e)
{
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    bool again = emit_direct_uncancelled(e);
    pthread_setcancelstate(state, NULL);
    return again;
}

static enum outcome
emit_once(struct thl_emission *e)
{
    bool nested = false;
    enum outcome outcome = NOT_RUNNING;
    uint64_t epoch = thl_emit_epoch();
    if (THL_LIKELY(epoch != 0))
        outcome = push_somewhere(epoch, e, &nested);
    if (THL_UNLIKELY(outcome == FULL) && !nested && !thl_producer_own.never_wait &&
        atomic_load_explicit(&thl_emit_queues.block_ms, memory_order_relaxed) != 0)
        outcome = wait_for_room(epoch, e);
    if (THL_UNLIKELY(outcome == FULL)) {
        struct thl_slab_ref ref;
        (void)thl_emission_open(e, &ref); /* a stale use is counted, also where no lock was had */
        count_full(e->level);
        thl_flood_give_back(e);
    }
    return outcome;
}

/* One that is suppressed comes no further than this. */
static THL_COLD bool
is_suppressed(struct thl_emission *e)
{
    if (thl_emit_epoch() == 0)
        thl_emit_direct.look();
    return !thl_flood_admit(e);
}

static void
emit(struct thl_emission *e)
{
    e->ticks = thl_clock_ticks();
    if (THL_UNLIKELY(thl_flood_is_on()) && is_suppressed(e))
        return;
    while (THL_UNLIKELY(emit_once(e) == NOT_RUNNING) && emit_direct(e))
        ; /* a start came in between: into its queues */
}

/* ---- call sites ---- */

/* A site that found no room in the table: the record carries its text. */
static THL_COLD void
emit_inline_site(struct thl_emission *e, const thole_site_ *site)
{
    struct thl_site_keys keys;
    e->site = 0;
    e->line = site->line;
    e->file = thl_site_blob(site);
    e->file_size = strlen(e->file);
    e->msg = e->file + e->file_size + 1;
    e->msg_size = strlen(e->msg);
    thl_site_read_keys(&keys, site);
    e->keys = keys.key;
    emit(e);
}

void
thl_emit_generally(thole_logger lg, unsigned level, const thole_site_ *site, uint64_t *word,
                   const void *from)
{
    struct thl_value values[THL_SITE_PAIRS];
    struct thl_emission e;
    e.lg = lg;
    e.level = level;
    e.n = site->nfields;
    e.site = thl_site_intern(site, word);
    e.cut = e.line = e.suppressed = e.flags = 0;
    e.file = e.msg = NULL;
    e.file_size = e.msg_size = 0;
    e.keys = NULL;
    e.values = values;
    thl_field_fetch(values, thl_site_tags(site), e.n, from);
    if (THL_LIKELY(e.site != THL_SITE_NONE))
        emit(&e);
    else
        emit_inline_site(&e, site);
}

/* ---- keys of their own ---- */

/* What is left out of a record with too many fields. */
static uint32_t
size_of_fields(const thole_field *fields, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        struct thl_value value = thl_field_value(&fields[i]);
        size += thl_field_tagged_size(fields[i].key ? strlen(fields[i].key) : 0, &value);
    }
    return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

void
thl_emit_fields(thole_logger lg, unsigned level, const char *msg, size_t msg_size,
                const thole_field *fields, size_t n)
{
    struct thl_emission_keys own_keys;
    struct thl_emission e = {.lg = lg, .level = level, .file = "", .msg = msg};
    e.msg_size = msg_size < THL_FIELD_VALUE_MAX ? msg_size : THL_FIELD_VALUE_MAX;
    e.cut = (uint32_t)(msg_size - e.msg_size);
    e.n = n < THL_EMISSION_FIELDS ? (unsigned)n : THL_EMISSION_FIELDS;
    e.cut += size_of_fields(fields + e.n, n - e.n);
    e.n = thl_emission_take_fields(&own_keys, fields, e.n, true, &e.cut);
    if (e.cut)
        atomic_fetch_add_explicit(&thl_emit_ledger.truncated, 1, memory_order_relaxed);
    e.keys = own_keys.keys;
    e.values = own_keys.values;
    emit(&e);
}

/* Without a character that the end of the text cut in two. */
static size_t
trim_character(const char *s, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)s[n - back];
        size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        if ((c & 0xC0) != 0x80)
            return need > back ? n - back : n;
    }
    return n;
}

void
thl_emit_text(thole_logger lg, unsigned level, struct thl_emit_where where, const char *text,
              size_t size, size_t kept)
{
    struct thl_emission e = {
        .lg = lg, .level = level, .file = where.file, .line = where.line, .msg = text};
    e.file_size = strlen(where.file);
    e.msg_size = size > kept ? trim_character(text, kept) : size;
    e.cut = (uint32_t)(size - e.msg_size);
    if (e.cut)
        atomic_fetch_add_explicit(&thl_emit_ledger.truncated, 1, memory_order_relaxed);
    emit(&e);
}

size_t
thl_emit_notice(void *to, size_t room, unsigned level, const char *msg, const thole_field *fields,
                size_t n)
{
    struct thl_emission_keys own_keys;
    struct thl_emission e = {.level = level, .file = "", .msg = msg, .flags = THL_RECORD_NOTICE};
    e.msg_size = strlen(msg);
    e.n = n < THL_EMISSION_FIELDS ? (unsigned)n : THL_EMISSION_FIELDS;
    e.n = thl_emission_take_fields(&own_keys, fields, e.n, false, &e.cut);
    e.keys = own_keys.keys;
    e.values = own_keys.values;
    e.ticks = thl_clock_ticks();
    size_t size = thl_emission_fit(&e, 0);
    if (size > room)
        return 0;
    thl_emission_put(to, &e, NULL);
    return size;
}
