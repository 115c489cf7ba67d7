/* SPDX-License-Identifier: MIT */
/* Bounds that were hit and errors of the configuration, until they can be said. */
#include "notice.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "census.h"
#include "clock.h"
#include "emit.h"
#include "logger.h"
#include "rack.h"
#include "site.h"
#include "slab.h"

#define INTERVAL_MS 60000
#define CONFIG_ERRORS 32
#define HOLDERS 3    /* call sites in a list of holders */
#define LEFT_SITES 8 /* call sites named at the end */

enum { CHILD = 1, LOGGER = 2, CONFIG = 4, LEFT = 8 };

/* Bits of what is pending: set by anyone, cleared by the drain. What belongs to a bit is read under
 * a lock or is a single word. */
static _Atomic uint32_t pending;

static _Atomic uint32_t child_site; /* the call site refused last; 0: none since the last notice */

/* The name refused last; `taken` is a lock that is tried, never waited for. */
static struct {
    _Atomic uint32_t taken;
    char src[96];
} logger_refused;

static struct {
    pthread_mutex_t lock;
    size_t n;
    char text[CONFIG_ERRORS][400];
} config = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Children left at the end, the sites that hold most first; written by whoever stops, read by the
 * drain that follows. */
static struct {
    _Atomic uint64_t live;
    char holders[400];
    uint32_t nrows;
    struct thl_arena_site row[LEFT_SITES];
} left;

/* The drain's own. */
static int64_t child_said_ms, logger_said_ms;
static uint64_t child_said, logger_said;

static const char *
base_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

/* seq_cst, and before the bell: a writer that is about to sleep sees the bit or hears the bell. */
static void
note(uint32_t bit)
{
    if (atomic_fetch_or_explicit(&pending, bit, memory_order_seq_cst) != bit)
        thl_emit_wake();
}

void
thl_notice_child_refused(uint32_t site, bool late)
{
    uint32_t none = 0;
    /* relaxed: a number, and the bit that follows orders it */
    if (!late)
        atomic_store_explicit(&child_site, site, memory_order_relaxed);
    else
        atomic_compare_exchange_strong_explicit(&child_site, &none, site, memory_order_relaxed,
                                                memory_order_relaxed);
    note(CHILD);
}

void
thl_notice_logger_refused(const char *file, unsigned line)
{
    uint32_t free = 0;
    if (atomic_compare_exchange_strong_explicit(&logger_refused.taken, &free, 1,
                                                memory_order_acquire, memory_order_relaxed)) {
        snprintf(logger_refused.src, sizeof(logger_refused.src), "%s:%u",
                 file ? base_name(file) : "?", line);
        atomic_store_explicit(&logger_refused.taken, 0, memory_order_release); /* pairs with it */
    }
    note(LOGGER);
}

void
thl_notice_config_error(const char *text)
{
    size_t n = strcspn(text, "\n");
    pthread_mutex_lock(&config.lock);
    if (config.n < CONFIG_ERRORS) {
        snprintf(config.text[config.n], sizeof(config.text[0]), "%.*s", (int)n, text);
        config.n++;
    }
    pthread_mutex_unlock(&config.lock);
    note(CONFIG);
}

/* As a census found them, or, without one, as the sites count them. */
static uint32_t
live_at(const struct thl_census *c, uint32_t site)
{
    struct thl_rack_counts counts;
    if (c)
        return c->tally[site].live;
    thl_rack_count_site(site, &counts);
    return counts.live;
}

/* The site below `nsites` that holds most of those not taken yet, or nsites. */
static uint32_t
find_most(const struct thl_census *c, uint32_t nsites, const uint32_t *taken, uint32_t n)
{
    uint32_t best = nsites, most = 0;
    for (uint32_t i = 0; i < nsites; i++) {
        uint32_t live = live_at(c, i);
        bool is_taken = false;
        for (uint32_t k = 0; k < n; k++)
            is_taken |= taken[k] == i;
        if (!is_taken && live > most) {
            best = i;
            most = live;
        }
    }
    return best;
}

void
thl_notice_children_left(const struct thl_census *c)
{
    uint32_t taken[LEFT_SITES] = {0}, site;
    uint64_t live = 0;
    size_t used = 0;
    for (uint32_t i = 0; i < c->nsites; i++)
        live += c->tally[i].live;
    left.holders[0] = '\0';
    for (left.nrows = 0; left.nrows < LEFT_SITES; left.nrows++) {
        struct thl_arena_site *row = &left.row[left.nrows];
        site = find_most(c, c->nsites, taken, left.nrows);
        if (site == c->nsites)
            break;
        taken[left.nrows] = site;
        thl_census_row(c, site, row);
        if (left.nrows < HOLDERS)
            used += (size_t)snprintf(left.holders + used, sizeof(left.holders) - used, "%s%s %u",
                                     used ? ", " : "", row->src, row->live);
    }
    atomic_store_explicit(&left.live, live, memory_order_release); /* pairs with say_left */
    if (live > 0)
        note(LEFT);
}

void
thl_notice_after_fork(void)
{
    pthread_mutex_init(&config.lock, NULL);
    config.n = 0;
    atomic_store_explicit(&logger_refused.taken, 0, memory_order_relaxed); /* alone here */
    atomic_store_explicit(&pending, 0, memory_order_relaxed);              /* as above */
}

bool
thl_notice_pending(void)
{
    return atomic_load_explicit(&pending, memory_order_seq_cst) != 0; /* pairs with note */
}

const char *
thl_notice_src(char *out, size_t size, uint32_t site)
{
    const struct thl_site_text *text = thl_site_find(site);
    if (text)
        snprintf(out, size, "%s:%u", base_name(text->file), text->line);
    else
        snprintf(out, size, "?");
    return out;
}

/* ---- who holds the children ---- */

/* The call sites that hold most live children, as text: "conn.c:12 60000, tls.c:80 5". */
static void
find_holders(char *out, size_t size)
{
    char src[96];
    uint32_t taken[HOLDERS] = {0}, nsites = thl_site_count() + 1;
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t n = 0; n < HOLDERS; n++) {
        taken[n] = find_most(NULL, nsites, taken, n);
        if (taken[n] == nsites)
            return;
        int more = snprintf(out + used, size - used, "%s%s %u", n ? ", " : "",
                            thl_notice_src(src, sizeof(src), taken[n]), live_at(NULL, taken[n]));
        if (more < 0 || (size_t)more >= size - used)
            return;
        used += (size_t)more;
    }
}

/* ---- the drain ---- */

/* True at the first time and then once a minute. */
static bool
is_due(int64_t *said_ms)
{
    int64_t now = thl_clock_mono_ms();
    if (*said_ms && now - *said_ms < INTERVAL_MS)
        return false;
    *said_ms = now;
    return true;
}

static void
say_child(thl_notice_fn fn, void *arg)
{
    char src[96], holders[400];
    uint64_t refused = atomic_load_explicit(&thl_slab_counts.refused, memory_order_relaxed);
    if (refused == child_said || !is_due(&child_said_ms))
        return;
    thl_notice_src(src, sizeof(src),
                   atomic_exchange_explicit(&child_site, 0, memory_order_relaxed));
    find_holders(holders, sizeof(holders));
    thole_field fields[] = {
        thl_notice_uint("limit", thl_rack_limit()),
        thl_notice_text("src", src),
        thl_notice_uint("refused", refused - child_said),
        thl_notice_text("holders", holders),
        thl_notice_text("hint", "give each child back with thole_unref, or raise children="),
    };
    child_said = refused;
    fn(arg, &(struct thl_notice){THOLE_WARN, "child limit reached", fields, 5, false});
}

static void
say_logger(thl_notice_fn fn, void *arg)
{
    char src[96] = "?";
    uint32_t free = 0;
    uint64_t refused = atomic_load_explicit(&thl_logger_counts.refused, memory_order_relaxed);
    if (refused == logger_said || !is_due(&logger_said_ms))
        return;
    if (atomic_compare_exchange_strong_explicit(&logger_refused.taken, &free, 1,
                                                memory_order_acquire, memory_order_relaxed)) {
        memcpy(src, logger_refused.src, sizeof(src));
        atomic_store_explicit(&logger_refused.taken, 0, memory_order_release); /* pairs with it */
    }
    thole_field fields[] = {
        thl_notice_uint("limit",
                        atomic_load_explicit(&thl_logger_counts.limit, memory_order_relaxed)),
        thl_notice_text("src", src),
        thl_notice_uint("refused", refused - logger_said),
        thl_notice_text("hint", "names are for the parts of a program: use thole_child for each "
                                "connection, or raise loggers="),
    };
    logger_said = refused;
    fn(arg, &(struct thl_notice){THOLE_WARN, "logger limit reached", fields, 4, false});
}

static void
say_config(thl_notice_fn fn, void *arg)
{
    char text[sizeof(config.text[0])];
    for (size_t i = 0;; i++) {
        pthread_mutex_lock(&config.lock);
        bool more = i < config.n;
        if (more)
            memcpy(text, config.text[i], sizeof(text));
        else
            config.n = 0;
        pthread_mutex_unlock(&config.lock);
        if (!more)
            return;
        thole_field fields[] = {thl_notice_text("error", text)};
        fn(arg, &(struct thl_notice){THOLE_WARN, "config error", fields, 1, true});
    }
}

static thole_field
duration(const char *key, uint32_t s)
{
    return (thole_field){key, THOLE_FIELD_DURATION, 0, {.i = (int64_t)s * 1000000000}};
}

static void
say_left_by(thl_notice_fn fn, void *arg, const struct thl_arena_site *row)
{
    thole_field fields[6] = {
        thl_notice_text("src", row->src),       thl_notice_uint("live", row->live),
        thl_notice_uint("peak", row->peak),     duration("oldest", row->oldest_s),
        thl_notice_text("sample", row->sample),
    };
    size_t n = 5;
    if (row->last_logged_s != THL_ARENA_NEVER)
        fields[n++] = duration("last_logged", row->last_logged_s);
    fn(arg, &(struct thl_notice){THOLE_WARN, "children left by site", fields, n, false});
}

static void
say_left(thl_notice_fn fn, void *arg)
{
    thole_field fields[] = {
        thl_notice_uint("count", atomic_load_explicit(&left.live, memory_order_acquire)),
        thl_notice_text("holders", left.holders),
    };
    fn(arg, &(struct thl_notice){THOLE_WARN, "children left at stop", fields, 2, false});
    for (uint32_t i = 0; i < left.nrows; i++)
        say_left_by(fn, arg, &left.row[i]);
}

void
thl_notice_drain(thl_notice_fn fn, void *arg)
{
    uint32_t bits = atomic_exchange_explicit(&pending, 0, memory_order_relaxed);
    if (bits & CHILD)
        say_child(fn, arg);
    if (bits & LOGGER)
        say_logger(fn, arg);
    if (bits & CONFIG)
        say_config(fn, arg);
    if (bits & LEFT)
        say_left(fn, arg);
}
