/* SPDX-License-Identifier: MIT */
/* An outbox's health: causes, back-off, and what there is to say about it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "emit.h"
#include "outbox_state.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 1000
#define BLOCKED_FIRST_MS 5
#define BLOCKED_MAX_MS                                                                             \
    60 /* less than twenty tries a second, of a sink that does not wait itself                     \
        */
#define BLOCKED_SAY_MS 1000 /* a target that blocks for so long is called down */
#define SAY_EVERY_MS 1000
#define HANGS_MS 1000
#define NOTICE_BYTES 2048 /* of a target's own losses, by all levels, in any format */

/* ---- words ---- */

const char *
thl_outbox_cause_word(enum thole_cause cause)
{
    static const char *const words[THL_CAUSES] = {
        [THOLE_QUEUE_FULL] = "queue_full",   [THOLE_OUTBOX_FULL] = "outbox_full",
        [THOLE_WOULD_BLOCK] = "would_block", [THOLE_REFUSED] = "refused",
        [THOLE_TOO_BIG] = "too_big",         [THOLE_NO_SPACE] = "no_space",
        [THOLE_IO_ERROR] = "io_error",       [THOLE_DOWN] = "down",
        [THOLE_STOPPED] = "stopped",
    };
    return words[cause];
}

enum thole_cause
thl_outbox_cause_of(int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
        return THOLE_WOULD_BLOCK;
    case ECONNREFUSED:
        return THOLE_REFUSED;
    case EMSGSIZE:
        return THOLE_TOO_BIG;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return THOLE_NO_SPACE;
    case EIO:
    case EROFS:
    case EBADF:
        return THOLE_IO_ERROR;
    default:
        return THOLE_DOWN;
    }
}

/* ---- health, with the lock ---- */

/* 25 % either way, so that many processes do not try at the same instant. */
static int
jitter(int ms)
{
    static _Atomic uint32_t seed;
    uint32_t x =
        atomic_fetch_add_explicit(&seed, 0x9E3779B9u, memory_order_relaxed); /* any value */
    x = (x ^ (uint32_t)getpid()) * 0x85EBCA6Bu;
    x ^= x >> 15;
    return ms - ms / 4 + (int)(x % (uint32_t)(ms / 2 + 1));
}

void
thl_outbox_enter_trouble_locked(struct thl_outbox *o, int error)
{
    int64_t now = thl_clock_mono_ms();
    bool blocked = thl_outbox_cause_of(error) == THOLE_WOULD_BLOCK;
    if (!o->trouble) {
        o->trouble = true;
        o->backoff_ms = BACKOFF_FIRST_MS;
        o->blocked_ms = BLOCKED_FIRST_MS;
        if (!o->say_recovered) {
            o->trouble_since_ms = now;
            o->down_was_said = false;
        }
        o->say_recovered = false; /* nobody knows yet: the outage goes on */
    } else if (!blocked && o->backoff_ms < BACKOFF_MAX_MS) {
        o->backoff_ms = 2 * o->backoff_ms < BACKOFF_MAX_MS ? 2 * o->backoff_ms : BACKOFF_MAX_MS;
    }
    o->error = error;
    o->next_try_ms = now + (blocked ? o->blocked_ms : jitter(o->backoff_ms));
    if (blocked)
        o->blocked_ms = 2 * o->blocked_ms < BLOCKED_MAX_MS ? 2 * o->blocked_ms : BLOCKED_MAX_MS;
    if (!o->down_was_said && (!blocked || now - o->trouble_since_ms >= BLOCKED_SAY_MS)) {
        o->down_was_said = true;
        o->say_down = true;
        thl_emit_wake();
    }
    pthread_cond_broadcast(&o->done); /* nobody should wait for room now */
}

void
thl_outbox_move_on_locked(struct thl_outbox *o)
{
    int64_t now = thl_clock_mono_ms();
    if (!o->down_was_said) /* slow, but it moves; an outage is as long as it is */
        o->trouble_since_ms = now;
    o->blocked_ms = BLOCKED_FIRST_MS;
    if (o->next_try_ms > now + BLOCKED_FIRST_MS &&
        thl_outbox_cause_of(o->error) == THOLE_WOULD_BLOCK)
        o->next_try_ms = now + BLOCKED_FIRST_MS;
}

void
thl_outbox_leave_trouble_locked(struct thl_outbox *o)
{
    o->stalled = false;
    if (!o->trouble)
        return;
    o->trouble = false;
    o->next_try_ms = 0;
    if (o->unsaid_since_ns != 0 || o->unsaid_suppressed > 0)
        thl_emit_wake(); /* what was lost can be said now */
    if (!o->down_was_said)
        return;
    o->outage_ms = thl_clock_mono_ms() - o->trouble_since_ms;
    o->say_recovered = true;
    thl_emit_wake();
}

static enum thl_health
health_locked(const struct thl_outbox *o, int64_t now)
{
    if (o->in_io && now - o->io_since_ms >= HANGS_MS)
        return THL_HEALTH_HANGS;
    if (!o->trouble)
        return THL_HEALTH_OK;
    return o->down_was_said ? THL_HEALTH_DOWN : THL_HEALTH_BLOCKED;
}

void
thl_outbox_look(struct thl_outbox *o, struct thl_outbox_state *out)
{
    int64_t now = thl_clock_mono_ms();
    *out = (struct thl_outbox_state){0};
    pthread_mutex_lock(&o->lock);
    const struct thl_batch *oldest = o->drain.n > o->drain.next ? &o->drain : &o->fill;
    if (oldest->n > oldest->next && now > oldest->since_ms)
        out->lag_ms = now - oldest->since_ms;
    out->health = health_locked(o, now);
    out->error = o->trouble ? o->error : o->reopen_error;
    if (out->health != THL_HEALTH_OK)
        out->since_ms =
            now - (out->health == THL_HEALTH_HANGS ? o->io_since_ms : o->trouble_since_ms);
    pthread_mutex_unlock(&o->lock);
}

/* ---- news for the log ---- */

bool
thl_outbox_may_tell_locked(const struct thl_outbox *o)
{
    return thl_outbox_has_room_for_notice_locked(o, NOTICE_BYTES);
}

static bool
take_drops_locked(struct thl_outbox *o, struct thl_outbox_news *news, bool last)
{
    int64_t now = thl_clock_mono_ms();
    if (o->unsaid_since_ns == 0 || (!last && (now - o->said_ms < SAY_EVERY_MS || o->trouble ||
                                              !thl_outbox_may_tell_locked(o))))
        return false;
    for (unsigned c = 0; c < THL_CAUSES; c++) {
        for (unsigned l = 0; l < THL_LEVELS; l++)
            news->count += o->unsaid[c][l];
        if (news->count == 0)
            continue;
        news->cause = (enum thole_cause)c;
        news->since_ns = o->unsaid_since_ns;
        memcpy(news->level, o->unsaid[c], sizeof(news->level));
        memset(o->unsaid[c], 0, sizeof(o->unsaid[c]));
        return true;
    }
    o->unsaid_since_ns = 0; /* all causes said */
    o->said_ms = now;
    return false;
}

static bool
take_suppressed_locked(struct thl_outbox *o, struct thl_outbox_news *news, bool last)
{
    if (o->unsaid_suppressed == 0 ||
        (!last && (o->trouble || !thl_outbox_may_tell_locked(o) ||
                   thl_clock_mono_ms() - o->suppressed_since_ms < SAY_EVERY_MS)))
        return false;
    news->suppressed = o->unsaid_suppressed;
    news->suppressed_since_ns = o->suppressed_since_ns;
    o->unsaid_suppressed = 0;
    return true;
}

bool
thl_outbox_news(struct thl_outbox *o, struct thl_outbox_news *news, bool last)
{
    memset(news, 0, sizeof(*news));
    thl_outbox_hold(o);
    news->down = o->say_down;
    news->recovered = o->say_recovered;
    news->error = o->error;
    news->outage_ms = o->outage_ms;
    news->reopen = o->say_reopen;
    news->reopen_error = o->reopen_error;
    o->say_down = o->say_recovered = o->say_reopen = false;
    bool drops = take_drops_locked(o, news, last);
    bool suppressed = take_suppressed_locked(o, news, last);
    return drops || suppressed || news->down || news->recovered || news->reopen;
}
