/* SPDX-License-Identifier: MIT */
/* Token buckets of call sites and loggers. */
#include "flood.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "emit.h"
#include "site.h"

#define SETS 1024u
#define WAYS 8u
#define TRIES 8     /* of a record to get at its bucket */
#define QUIET_S 60u /* after which a flood has ended */
#define COUNT_BITS 26
#define HASH_BITS 17
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)
#define SITE_MAX ((1u << (64 - COUNT_BITS - HASH_BITS)) - 1)

enum { FREE, TAKING, FIRST_KEY };

struct bucket {
    _Atomic uint64_t key, until, debt;
    uint64_t pad;
};

struct table {
    struct bucket bucket[SETS * WAYS];
    _Atomic uint64_t aside[]; /* nsites */
};

struct thl_flood_rate thl_flood_rate;
static _Atomic(struct table *) table_made;
static size_t table_bytes; /* these two: constant once the table is made */
static uint32_t nsites;
static uint64_t period_applied; /* written by the configuration, read in a child process */
static _Atomic uint64_t announced;

/* ---- configuration ---- */

static int
make_table(uint32_t sites)
{
    size_t bytes = sizeof(struct table) + (sites + 1) * sizeof(_Atomic uint64_t);
    if (atomic_load_explicit(&table_made, memory_order_acquire)) /* the end of this function */
        return 0;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    table_bytes = bytes;
    nsites = sites + 1;
    atomic_store_explicit(&table_made, p, memory_order_release); /* pairs with every look at it */
    return 0;
}

int
thl_flood_apply(const struct thl_limits *limits)
{
    struct thl_clock clock;
    double period = 0;
    if (limits->site_rate != 0) {
        int rc = make_table(limits->sites);
        if (rc < 0)
            return rc;
        thl_clock_anchor(&clock);
        period = 1e9 / clock.ns_per_tick / limits->site_rate;
        /* relaxed, all: see struct thl_flood_rate */
        atomic_store_explicit(&thl_flood_rate.depth,
                              (uint64_t)period * (uint64_t)limits->site_burst,
                              memory_order_relaxed);
        atomic_store_explicit(&thl_flood_rate.second, (uint64_t)(1e9 / clock.ns_per_tick),
                              memory_order_relaxed);
        atomic_store_explicit(&thl_flood_rate.below, limits->site_below, memory_order_relaxed);
    }
    period_applied = (uint64_t)period;
    atomic_store_explicit(&thl_flood_rate.period, period_applied, memory_order_relaxed);
    return 0;
}

void
thl_flood_end(void)
{
    atomic_store_explicit(&thl_flood_rate.period, 0, memory_order_relaxed); /* a hint */
}

/* ---- debts ---- */

static void
put_aside(struct table *t, uint32_t site, uint64_t n)
{
    if (n > 0) /* relaxed: a counter */
        atomic_fetch_add_explicit(&t->aside[site < nsites ? site : 0], n, memory_order_relaxed);
}

static void
put_debt_aside(struct table *t, uint64_t debt)
{
    put_aside(t, (uint32_t)(debt >> (COUNT_BITS + HASH_BITS)), debt & COUNT_MAX);
}

/* What a bucket's debt begins with while it is this owner's. */
static uint64_t
owner_of(uint32_t site, uint64_t key)
{
    return (uint64_t)(site <= SITE_MAX ? site : 0) << HASH_BITS | (key & ((1u << HASH_BITS) - 1));
}

static void
add_debt(struct table *t, struct bucket *b, uint64_t owner, uint64_t n)
{
    uint64_t debt = atomic_load_explicit(&b->debt, memory_order_relaxed), next;
    bool fits;
    do {
        fits = debt >> COUNT_BITS == owner && (debt & COUNT_MAX) + n <= COUNT_MAX;
        next = fits ? debt + n : owner << COUNT_BITS | n;
    } while (!atomic_compare_exchange_weak_explicit(&b->debt, &debt, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    if (!fits)
        put_debt_aside(t, debt);
}

static uint32_t
take_debt(struct bucket *b, uint64_t owner)
{
    uint64_t debt = atomic_load_explicit(&b->debt, memory_order_relaxed);
    do {
        if (debt >> COUNT_BITS != owner || (debt & COUNT_MAX) == 0)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&b->debt, &debt, 0, memory_order_relaxed,
                                                    memory_order_relaxed));
    atomic_fetch_add_explicit(&announced, debt & COUNT_MAX, memory_order_relaxed); /* a counter */
    return (uint32_t)(debt & COUNT_MAX);
}

/* ---- buckets ---- */

/* For one of the two fixed, different others give different keys: no peer is ever taken for another
 * one at the same call site. */
static uint64_t
mix(uint64_t who, uint64_t where)
{
    uint64_t x = who * UINT64_C(0x9E3779B97F4A7C15);
    x = ((x ^ x >> 32) ^ where * UINT64_C(0xD6E8FEB86659FD93)) * UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 31;
    return x < FIRST_KEY ? x + FIRST_KEY : x;
}

static uint64_t
key_of(const struct thl_emission *e)
{
    uint64_t generation = thl_slab_generation_of(e->lg);
    uint64_t who = generation << 20 | thl_slab_slot_of(e->lg);
    uint64_t where = e->site ? e->site : (uint64_t)(uintptr_t)e->file << 8 ^ e->line;
    return mix(who, where);
}

static struct bucket *
set_of(struct table *t, uint64_t key)
{
    return &t->bucket[(key >> 40) % SETS * WAYS];
}

static struct bucket *
find_bucket(struct bucket *set, uint64_t key)
{
    for (unsigned i = 0; i < WAYS; i++)
        if (atomic_load_explicit(&set[i].key, memory_order_acquire) == key) /* take_over */
            return &set[i];
    return NULL;
}

/* Another bucket of the same owner: made by a thread, or a handler, that came in between. */
static struct bucket *
find_other(struct bucket *set, uint64_t key, const struct bucket *own)
{
    for (unsigned i = 0; i < WAYS; i++)
        if (&set[i] != own &&
            atomic_load_explicit(&set[i].key, memory_order_seq_cst) == key) /* take_over */
            return &set[i];
    return NULL;
}

/* The bucket that has been left alone for longest; free ones were never used. NULL when somebody
 * else takes it. */
static THL_COLD struct bucket *
take_over(struct table *t, struct bucket *set, uint64_t key, uint64_t now)
{
    struct bucket *oldest = set;
    for (unsigned i = 1; i < WAYS; i++) /* relaxed: a guess */
        if (atomic_load_explicit(&set[i].until, memory_order_relaxed) <
            atomic_load_explicit(&oldest->until, memory_order_relaxed))
            oldest = &set[i];
    uint64_t before = atomic_load_explicit(&oldest->key, memory_order_relaxed);
    /* one that was left TAKING by a thread that died is taken as well */
    if (!atomic_compare_exchange_strong_explicit(&oldest->key, &before, TAKING,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return NULL;
    atomic_store_explicit(&oldest->until, now, memory_order_release); /* pairs with take_token */
    put_debt_aside(t, atomic_exchange_explicit(&oldest->debt, 0, memory_order_relaxed));
    /* seq_cst, with the loads in find_other: of two that do so at once, one sees the other */
    atomic_store_explicit(&oldest->key, key, memory_order_seq_cst);
    struct bucket *other = find_other(set, key, oldest);
    if (THL_LIKELY(!other))
        return oldest;
    atomic_compare_exchange_strong_explicit(&oldest->key, &key, FREE, memory_order_relaxed,
                                            memory_order_relaxed); /* a debt there says whose */
    return other;
}

enum token { TAKEN, NONE_LEFT, NOT_OURS };

/* Times that are too far ahead are from before the clock was set back: the bucket is full. A thread
 * that was held up may be a second behind the others. */
static enum token
take_token(struct bucket *b, uint64_t key, uint64_t now)
{
    const uint64_t period = atomic_load_explicit(&thl_flood_rate.period, memory_order_relaxed);
    const uint64_t depth = atomic_load_explicit(&thl_flood_rate.depth, memory_order_relaxed);
    const uint64_t second = atomic_load_explicit(&thl_flood_rate.second, memory_order_relaxed);
    uint64_t until = atomic_load_explicit(&b->until, memory_order_acquire), begin;
    do {
        /* relaxed: after `until`, which was loaded with acquire: see take_over */
        if (atomic_load_explicit(&b->key, memory_order_relaxed) != key)
            return NOT_OURS;
        int64_t ahead = (int64_t)(until - now);
        begin = ahead <= 0 || (uint64_t)ahead > depth + 2 * second ? now : until;
        if (begin - now + period > depth && period != 0)
            return NONE_LEFT;
    } while (!atomic_compare_exchange_weak_explicit(&b->until, &until, begin + period,
                                                    memory_order_acq_rel, memory_order_acquire));
    return TAKEN;
}

/* ---- records ---- */

static void
count_suppressed(struct table *t, struct bucket *b, uint64_t key, uint32_t site)
{
    /* relaxed, and first: announced is never more than this */
    atomic_fetch_add_explicit(&thl_emit_ledger.suppressed, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&thl_site_counts(site)->suppressed, 1, memory_order_relaxed);
    add_debt(t, b, owner_of(site, key), 1);
}

/* A call site has a number or, in the printf bridge and where the table of sites is full, a place;
 * thole_log_fields() has neither. */
static bool
is_limited(const struct thl_emission *e)
{
    return e->level < atomic_load_explicit(&thl_flood_rate.below, memory_order_relaxed) &&
           (e->site != 0 || e->file_size != 0);
}

bool
thl_flood_admit(struct thl_emission *e)
{
    struct table *t = atomic_load_explicit(&table_made, memory_order_acquire); /* make_table */
    struct thl_slab_ref ref;
    if (!t || !is_limited(e))
        return true;
    (void)thl_emission_open(e, &ref); /* a stale handle is its named logger's */
    const uint64_t key = key_of(e), now = thl_clock_pace(e->ticks);
    struct bucket *set = set_of(t, key);
    for (int i = 0; i < TRIES; i++) {
        struct bucket *b = find_bucket(set, key);
        if (!b && !(b = take_over(t, set, key, now)))
            continue;
        enum token token = take_token(b, key, now);
        if (token == TAKEN) {
            e->suppressed = take_debt(b, owner_of(e->site, key));
            return true;
        }
        if (token == NONE_LEFT) {
            count_suppressed(t, b, key, e->site);
            return false;
        }
    }
    return true;
}

void
thl_flood_give_back(struct thl_emission *e)
{
    struct table *t = atomic_load_explicit(&table_made, memory_order_acquire); /* make_table */
    if (!t || e->suppressed == 0)
        return;
    uint64_t key = key_of(e), n = e->suppressed;
    struct bucket *b = find_bucket(set_of(t, key), key);
    e->suppressed = 0;
    atomic_fetch_sub_explicit(&announced, n, memory_order_relaxed); /* a counter */
    if (b)
        add_debt(t, b, owner_of(e->site, key), n);
    else
        put_aside(t, e->site, n);
}

void
thl_flood_give_back_record(const struct thl_record *record)
{
    struct table *t = atomic_load_explicit(&table_made, memory_order_acquire); /* make_table */
    if (!t || record->suppressed == 0)
        return;
    atomic_fetch_sub_explicit(&announced, record->suppressed, memory_order_relaxed); /* as above */
    put_aside(t, record->site, record->suppressed);
}

/* ---- notices ---- */

bool
thl_flood_has_unsaid(void)
{
    return atomic_load_explicit(&thl_emit_ledger.suppressed, memory_order_relaxed) !=
           atomic_load_explicit(&announced, memory_order_relaxed); /* counters, both */
}

/* Whoever is still flooding would have taken the token at once. */
static bool
has_ended(const struct bucket *b, uint64_t now)
{
    uint64_t period = atomic_load_explicit(&thl_flood_rate.period, memory_order_relaxed);
    uint64_t depth = atomic_load_explicit(&thl_flood_rate.depth, memory_order_relaxed);
    uint64_t quiet = QUIET_S * atomic_load_explicit(&thl_flood_rate.second, memory_order_relaxed);
    uint64_t until = atomic_load_explicit(&b->until, memory_order_relaxed);
    return period == 0 || (int64_t)(now - until) + (int64_t)(depth - period) >= (int64_t)quiet;
}

void
thl_flood_collect(bool all)
{
    struct table *t = atomic_load_explicit(&table_made, memory_order_acquire); /* make_table */
    uint64_t now = thl_clock_pace(thl_clock_ticks());
    for (size_t i = 0; t && i < (size_t)SETS * WAYS; i++) {
        struct bucket *b = &t->bucket[i];
        if ((atomic_load_explicit(&b->debt, memory_order_relaxed) & COUNT_MAX) != 0 &&
            (all || has_ended(b, now)))
            put_debt_aside(t, atomic_exchange_explicit(&b->debt, 0, memory_order_relaxed));
    }
}

uint32_t
thl_flood_sites(void)
{
    uint32_t known = thl_site_count() + 1;
    struct table *t = atomic_load_explicit(&table_made, memory_order_acquire); /* make_table */
    return !t ? 0 : known < nsites ? known : nsites;
}

uint64_t
thl_flood_look(uint32_t site)
{
    struct table *t = atomic_load_explicit(&table_made, memory_order_acquire); /* make_table */
    return atomic_load_explicit(&t->aside[site], memory_order_relaxed);
}

uint64_t
thl_flood_take(uint32_t site)
{
    struct table *t = atomic_load_explicit(&table_made, memory_order_acquire); /* make_table */
    uint64_t n = atomic_exchange_explicit(&t->aside[site], 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&announced, n, memory_order_relaxed); /* a counter */
    return n;
}

void
thl_flood_after_fork(void)
{
    struct table *t = atomic_load_explicit(&table_made, memory_order_acquire); /* make_table */
    /* relaxed: alone here; in direct mode, whatever the parent was in */
    atomic_store_explicit(&announced, 0, memory_order_relaxed);
    atomic_store_explicit(&thl_flood_rate.period, period_applied, memory_order_relaxed);
    if (t && madvise(t, table_bytes, MADV_DONTNEED) != 0) /* locked in memory */
        memset(t, 0, table_bytes);
}
