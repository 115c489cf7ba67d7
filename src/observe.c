/* SPDX-License-Identifier: MIT */
/* Letters and tables. */
#include "observe.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "census.h"
#include "clock.h"
#include "config.h"
#include "logger.h"
#include "news.h"
#include "outbox.h"
#include "rack.h"
#include "report.h"
#include "site.h"
#include "slab.h"

#define SLICE 16384u                            /* slots between two handfuls of records */
#define SLICE_OF_LEVELS 1024u                   /* the same; rules may be asked for each child */
#define LEVEL_MS_MAX ((uint64_t)30 * 86400000u) /* of temporary rules */

/* The writer's, but for `arena`, which is set before its thread. */
static struct {
    const struct thl_arena *arena; /* NULL: nobody can look in */
    struct thl_census census;
    struct thl_census_tally *tally; /* mapped at the first question */
    size_t tally_bytes;
    bool counting;
    uint32_t waiting; /* letters that this census answers: a bit each */

    struct thl_logger_walk walk;
    bool walking, restoring;                          /* restoring: some rules have ended */
    uint32_t changing;                                /* letters whose levels this walk brings */
    struct thl_arena_letter asked[THL_ARENA_LETTERS]; /* of those */
} observe;

/* ---- letters ---- */

static uint32_t
load_state(const struct thl_arena_letter *letter)
{
    return atomic_load_explicit(&letter->state, memory_order_acquire); /* the observer's release */
}

/* What another process may change at any moment is copied once. */
static void
copy_letter(struct thl_arena_letter *to, const struct thl_arena_letter *from)
{
    memset(to, 0, sizeof(*to));
    to->ask = from->ask;
    to->number = from->number;
    memcpy(to->text, from->text, sizeof(to->text) - 1);
}

/* An observer that has given up meanwhile gets nothing: another may have its letter. */
static void
answer(struct thl_arena_letter *letter, int rc, const char *text)
{
    uint32_t asked = THL_ARENA_ASKED;
    if (load_state(letter) != THL_ARENA_ASKED)
        return;
    letter->answer = rc;
    snprintf(letter->text, sizeof(letter->text), "%s", text);
    atomic_compare_exchange_strong_explicit(&letter->state, &asked, THL_ARENA_ANSWERED,
                                            memory_order_release, /* the observer's acquire */
                                            memory_order_relaxed);
    syscall(SYS_futex, &letter->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); /* another process */
}

/* One that asks for something else by now is another observer's: it has its own turn. */
static void
answer_waiting(int rc, const char *text)
{
    for (unsigned i = 0; i < THL_ARENA_LETTERS; i++) {
        struct thl_arena_letter *letter = &observe.arena->mailbox->letter[i];
        if ((observe.waiting & 1u << i) && load_state(letter) == THL_ARENA_ASKED &&
            letter->ask == THL_ARENA_ASK_TABLES)
            answer(letter, rc, text);
    }
    observe.waiting = 0;
}

/* ---- tables ---- */

static void
publish_process(struct thl_arena_process *to)
{
    struct thole_stats s = {.size = sizeof(s)};
    thl_report_process(&s, observe.arena);
    to->unix_ns = thl_clock_unix_ns();
    to->called = s.called;
    to->routed = s.routed;
    to->dropped = s.dropped;
    to->suppressed = s.suppressed;
    to->queued = s.queued;
    memcpy(to->dropped_level, s.dropped_level, sizeof(to->dropped_level));
    to->loggers = s.loggers;
    to->loggers_refused = s.loggers_refused;
    to->children = s.children;
    to->children_peak = s.children_peak;
    to->children_made = s.children_made;
    to->children_refused = s.children_refused;
    to->stale = s.stale;
    to->truncated = s.truncated;
    /* relaxed: a bound, constant once started */
    to->loggers_limit = atomic_load_explicit(&thl_logger_counts.limit, memory_order_relaxed);
    to->children_limit = thl_rack_limit();
    to->silent_limit_s = observe.census.silent_limit_s;
}

static void
publish_sink(struct thl_arena_sink *to, struct thl_outbox *o)
{
    static const uint32_t health[] = {[THL_HEALTH_OK] = THL_ARENA_OK,
                                      [THL_HEALTH_BLOCKED] = THL_ARENA_BLOCKED,
                                      [THL_HEALTH_DOWN] = THL_ARENA_DOWN,
                                      [THL_HEALTH_HANGS] = THL_ARENA_HANGS};
    struct thole_sink_stats s;
    struct thl_outbox_state state;
    thl_outbox_stats(o, &s);
    thl_outbox_look(o, &state);
    memset(to, 0, sizeof(*to));
    snprintf(to->name, sizeof(to->name), "%s", s.name);
    to->offered = s.offered;
    to->written = s.written;
    to->dropped = s.dropped;
    to->suppressed = s.suppressed;
    to->pending = s.pending;
    memcpy(to->cause, s.cause, sizeof(to->cause));
    to->health = health[state.health];
    to->error = (uint32_t)state.error;
    to->lag_ms = state.lag_ms < UINT32_MAX ? (uint32_t)state.lag_ms : UINT32_MAX;
    to->health_s = (uint32_t)(state.since_ms / 1000);
}

static uint32_t
publish_sinks(const struct thl_dispatch *d)
{
    uint32_t n = 0;
    for (; n < d->targets.n && n < observe.arena->nsinks; n++)
        publish_sink(&observe.arena->sinks[n], d->outbox[n]);
    return n;
}

static uint32_t
publish_loggers(void)
{
    uint32_t n = atomic_load_explicit(&thl_logger_counts.n, memory_order_acquire); /* add_name */
    if (n > observe.arena->nloggers)
        n = observe.arena->nloggers;
    for (uint32_t i = 0; i < n; i++) {
        struct thl_arena_logger *to = &observe.arena->loggers[i];
        size_t size;
        snprintf(to->name, sizeof(to->name), "%s", thl_logger_name(i, &size));
        to->level = thl_logger_threshold(i);
        to->records = thl_dispatch_records(i);
    }
    return n;
}

static uint32_t
publish_sites(void)
{
    uint32_t n = 0;
    for (uint32_t id = 0; id < observe.census.nsites && n < observe.arena->nsites; id++)
        n += thl_census_row(&observe.census, id, &observe.arena->sites[n]);
    return n;
}

/* seq_cst: the odd edition comes before what is stored to the tables, which release alone would not
 * say. */
static void
publish(const struct thl_dispatch *d)
{
    struct thl_arena_header *h = observe.arena->header;
    atomic_fetch_add_explicit(&h->edition, 1, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    publish_process(observe.arena->process);
    uint32_t sinks = publish_sinks(d), loggers = publish_loggers(), sites = publish_sites();
    /* relaxed: the edition that follows orders them */
    atomic_store_explicit(&h->process.used, 1, memory_order_relaxed);
    atomic_store_explicit(&h->sinks.used, sinks, memory_order_relaxed);
    atomic_store_explicit(&h->loggers.used, loggers, memory_order_relaxed);
    atomic_store_explicit(&h->sites.used, sites, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->edition, 1, memory_order_release); /* pairs with observers */
}

/* ---- the census ---- */

static int
map_tally(void)
{
    size_t bytes = THL_CENSUS_BYTES(observe.arena->nsites);
    if (observe.tally_bytes >= bytes)
        return 0;
    if (observe.tally) /* a forked process may have been started with other limits */
        munmap(observe.tally, observe.tally_bytes);
    observe.tally = NULL;
    observe.tally_bytes = 0;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    observe.tally = p;
    observe.tally_bytes = bytes;
    return 0;
}

static uint32_t
count_sites(void)
{
    uint32_t n = thl_site_count() + 1;
    return n < observe.arena->nsites ? n : observe.arena->nsites;
}

static void
begin_census(uint64_t silent_s)
{
    int rc = map_tally();
    if (rc < 0) {
        answer_waiting(rc, "no memory for a census");
        return;
    }
    uint32_t limit = silent_s < UINT32_MAX ? (uint32_t)silent_s : UINT32_MAX;
    uint32_t n = count_sites();
    memset(observe.tally, 0, THL_CENSUS_BYTES(n));
    thl_census_begin(&observe.census, observe.tally, n, limit, false);
    observe.counting = true;
}

static void
step_census(struct thl_dispatch *d)
{
    if (thl_census_step(&observe.census, SLICE))
        return;
    observe.counting = false;
    thl_dispatch_release_locks(d);
    publish(d);
    answer_waiting(0, "");
}

/* ---- levels ---- */

static int
add_rules(const struct thl_rules *rules, uint64_t for_ms)
{
    if (for_ms == 0 || for_ms > LEVEL_MS_MAX)
        return -ERANGE;
    if (rules->n == 0)
        return -EINVAL;
    return thl_logger_add_temporary(rules, thl_clock_mono_ms() + (int64_t)for_ms, &observe.walk);
}

static void
tell(struct thl_dispatch *d, const char *msg, const char *rules, uint64_t for_ms)
{
    thole_field fields[] = {
        thl_notice_text("rules", rules),
        {"for", THOLE_FIELD_DURATION, 0, {.i = (int64_t)for_ms * 1000000}},
    };
    thl_news_tell(d, &(struct thl_notice){THOLE_NOTICE, msg, fields, rules ? 2 : 0, false});
}

/* Children follow in the walk, which answers; what is wrong is answered here. */
static void
set_levels(unsigned i, const struct thl_arena_letter *asked)
{
    struct thl_rules rules = {0};
    struct thl_config_errors errors = {0};
    int rc = thl_config_log("rules", asked->text, THL_RULE_OPERATOR, &rules, &errors);
    if (rc == 0)
        rc = errors.n > 0 ? -EINVAL : add_rules(&rules, asked->number);
    if (rc == 0) {
        observe.walking = true;
        observe.changing |= 1u << i;
        observe.asked[i] = *asked;
    } else {
        answer(&observe.arena->mailbox->letter[i], rc,
               errors.kept > 0 ? errors.text[0]
               : rc == -ENOSPC ? "too many temporary rules: wait until some have ended"
               : rc == -ERANGE ? "for how long: from 1 ms to 30 days"
               : rc == -EINVAL ? "no rule"
                               : "");
    }
    thl_config_errors_fini(&errors);
    thl_config_rules_fini(&rules);
}

/* Children follow in the walk. */
static void
take_levels_back(unsigned i)
{
    bool any = thl_logger_expire(INT64_MAX, &observe.walk);
    if (any)
        observe.walking = observe.restoring = true;
    answer(&observe.arena->mailbox->letter[i], 0, any ? "" : "there was none");
}

/* A letter that another observer has taken meanwhile has its own turn. */
static void
answer_changed(unsigned i)
{
    struct thl_arena_letter now, *letter = &observe.arena->mailbox->letter[i];
    const struct thl_arena_letter *asked = &observe.asked[i];
    copy_letter(&now, letter);
    if (now.ask == asked->ask && now.number == asked->number && strcmp(now.text, asked->text) == 0)
        answer(letter, 0, "");
}

static void
step_levels(struct thl_dispatch *d)
{
    if (thl_logger_walk(&observe.walk, SLICE_OF_LEVELS))
        return;
    observe.walking = false;
    if (observe.restoring)
        tell(d, "levels restored", NULL, 0);
    observe.restoring = false;
    for (unsigned i = 0; i < THL_ARENA_LETTERS; i++) {
        if (!(observe.changing & 1u << i))
            continue;
        tell(d, "levels changed", observe.asked[i].text, observe.asked[i].number);
        answer_changed(i);
    }
    observe.changing = 0;
}

static void
end_rules_that_are_due(void)
{
    if (thl_logger_expire(thl_clock_mono_ms(), &observe.walk))
        observe.walking = observe.restoring = true;
}

/* ---- the writer's side ---- */

/* Those who ask for tables with one limit share a census, those who ask for levels share a walk;
 * the others have the next one. */
static void
take_letters(void)
{
    uint64_t silent_s = 0;
    const bool may_change = !observe.walking || observe.walk.at == 0;
    for (unsigned i = 0; i < THL_ARENA_LETTERS; i++) {
        struct thl_arena_letter asked, *letter = &observe.arena->mailbox->letter[i];
        if (load_state(letter) != THL_ARENA_ASKED)
            continue;
        copy_letter(&asked, letter);
        if (asked.ask == THL_ARENA_ASK_LEVEL) {
            if (may_change)
                set_levels(i, &asked);
        } else if (asked.ask == THL_ARENA_ASK_CLEAR) {
            if (may_change)
                take_levels_back(i);
        } else if (asked.ask != THL_ARENA_ASK_TABLES) {
            answer(letter, -ENOTSUP, "this library does not know what was asked");
        } else if (!observe.counting && (!observe.waiting || asked.number == silent_s)) {
            silent_s = asked.number;
            observe.waiting |= 1u << i;
        }
    }
    if (observe.waiting && !observe.counting)
        begin_census(silent_s);
}

bool
thl_observe_serve(struct thl_dispatch *d)
{
    if (!observe.walking)
        end_rules_that_are_due();
    if (observe.arena)
        take_letters();
    if (observe.walking)
        step_levels(d);
    if (observe.counting)
        step_census(d);
    return observe.walking || observe.counting;
}

bool
thl_observe_is_asked(void)
{
    for (unsigned i = 0; observe.arena && i < THL_ARENA_LETTERS; i++)
        if (load_state(&observe.arena->mailbox->letter[i]) == THL_ARENA_ASKED)
            return true;
    return false;
}

const _Atomic uint32_t *
thl_observe_bell(uint32_t *seen)
{
    if (!observe.arena)
        return NULL;
    *seen = atomic_load_explicit(&observe.arena->mailbox->bell, memory_order_seq_cst); /* first */
    return &observe.arena->mailbox->bell;
}

int
thl_observe_wait_ms(void)
{
    int64_t due = thl_logger_next_expiry(), now = thl_clock_mono_ms();
    if (due == INT64_MAX)
        return -1;
    return due <= now ? 0 : due - now < INT_MAX ? (int)(due - now) : INT_MAX;
}

static void
forget_asked(void)
{
    observe.counting = observe.walking = observe.restoring = false;
    observe.waiting = observe.changing = 0;
}

void
thl_observe_begin(const struct thl_arena *arena)
{
    observe.arena = thl_arena_is_shared(arena) ? arena : NULL;
    forget_asked();
}

/* Its parent's arena is not mapped here; the memory for a census came along, of its parent's size.
 */
void
thl_observe_after_fork(void)
{
    observe.arena = NULL;
    forget_asked();
}
