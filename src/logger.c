/* SPDX-License-Identifier: MIT */
/* Names, levels, rules. */
#include "logger.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lock.h"
#include "slab.h"

#define FORK_LOCK_MS 100
#define BUCKETS (2 * THL_LOGGER_MAX)

struct thl_logger_counts thl_logger_counts = {.limit = 1024, .n = 1};

static struct {
    char *text; /* in `heap`; NULL for the root */
    size_t size;
    _Atomic uint8_t threshold; /* written under the lock */
} names[THL_LOGGER_MAX];

/* Names for ever, one behind the other; what is not used takes no memory. Not malloc'ed: after a
 * _Fork its lock may be held for ever. Written under the lock. */
static char heap[THL_LOGGER_MAX * (THL_NAME_MAX + 1)];
static size_t heap_used;

static _Atomic uint16_t buckets[BUCKETS]; /* number; 0: empty. Written under the lock */

/* Who set a rule decides what replaces it. */
enum origin { BY_CONFIGURATION, BY_CONFIGURE, BY_SET_LEVEL };

/* Guarded by `lock`. */
static struct {
    struct thl_rules rules;
    enum origin *origin; /* of each rule */
    enum thole_level otherwise;
    bool known; /* the configuration has been applied */
} state = {.otherwise = THOLE_INFO};

static _Atomic uint32_t epoch; /* grows with every change of rules; written under the lock */
static _Atomic uint32_t notice_threshold;
static pthread_mutex_t lock = THL_LOCK_INITIALIZER;

/* ---- names ---- */

static uint32_t
hash_name(const char *s, size_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    while (n-- > 0)
        h = (h ^ (unsigned char)*s++) * 16777619u;
    return h;
}

static size_t
sanitise(char *out, const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t n = 0;
    if (!name)
        return 0;
    for (; name[n] && n < THL_NAME_MAX; n++)
        out[n] = strchr(allowed, name[n]) ? name[n] : '_';
    return n;
}

/* The number of a name, or 0; *bucket is where it is or would be. */
static unsigned
find_name(const char *name, size_t n, uint32_t *bucket)
{
    uint32_t at = hash_name(name, n) % BUCKETS;
    for (;; at = (at + 1) % BUCKETS) {
        unsigned number = atomic_load_explicit(&buckets[at], memory_order_acquire); /* add_name */
        *bucket = at;
        if (number == 0 || (names[number].size == n && memcmp(names[number].text, name, n) == 0))
            return number;
    }
}

static void
set_gate(unsigned number)
{
    unsigned threshold =
        (unsigned)thl_config_level(&state.rules, names[number].text ? names[number].text : "",
                                   names[number].size, state.otherwise);
    /* relaxed: a level may be seen a little late */
    atomic_store_explicit(&names[number].threshold, (uint8_t)threshold, memory_order_relaxed);
    thl_slab_set_gate(thl_slab_named(number), threshold);
}

static unsigned
add_name_locked(const char *name, size_t n)
{
    uint32_t bucket;
    unsigned number = find_name(name, n, &bucket);
    uint32_t made = atomic_load_explicit(&thl_logger_counts.n, memory_order_relaxed); /* locked */
    uint32_t limit = atomic_load_explicit(&thl_logger_counts.limit, memory_order_relaxed);
    if (number)
        return number;
    if (made > limit || made >= THL_LOGGER_MAX)
        return 0;
    names[made].text = memcpy(heap + heap_used, name, n);
    names[made].text[n] = '\0';
    heap_used += n + 1;
    names[made].size = n;
    if (state.known)
        set_gate(made);
    atomic_store_explicit(&thl_logger_counts.n, made + 1, memory_order_release);   /* _known */
    atomic_store_explicit(&buckets[bucket], (uint16_t)made, memory_order_release); /* find_name */
    return made;
}

/* Parents first, so that a name that is refused has its nearest ancestor. */
static unsigned
add_with_parents(const char *name, size_t n)
{
    unsigned number = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 1; i <= n; i++) {
        if (i < n && name[i] != '.')
            continue;
        unsigned next = add_name_locked(name, i);
        if (next == 0)
            break;
        number = next;
    }
    pthread_mutex_unlock(&lock);
    return number;
}

/* The nearest ancestor that exists, without the lock. */
static unsigned
find_ancestor(const char *name, size_t n)
{
    uint32_t bucket;
    while (n > 0) {
        unsigned number = find_name(name, n, &bucket);
        if (number)
            return number;
        do
            n--;
        while (n > 0 && name[n] != '.');
    }
    return 0;
}

static bool
is_full(void)
{
    uint32_t made = atomic_load_explicit(&thl_logger_counts.n, memory_order_relaxed);
    return made > atomic_load_explicit(&thl_logger_counts.limit, memory_order_relaxed) ||
           made >= THL_LOGGER_MAX;
}

unsigned
thl_logger_get(const char *name, bool *refused)
{
    char clean[THL_NAME_MAX];
    size_t n = sanitise(clean, name);
    uint32_t bucket;
    *refused = false;
    if (n == 0)
        return 0;
    unsigned number = find_name(clean, n, &bucket);
    if (number)
        return number;
    number = is_full() ? find_ancestor(clean, n) : add_with_parents(clean, n);
    if (names[number].size != n) {
        *refused = true;
        atomic_fetch_add_explicit(&thl_logger_counts.refused, 1, memory_order_relaxed);
    }
    return number;
}

const char *
thl_logger_name(unsigned number, size_t *size)
{
    number = thl_logger_known(number);
    *size = names[number].size;
    return names[number].text ? names[number].text : "";
}

/* ---- levels ---- */

unsigned
thl_logger_threshold(unsigned number)
{
    /* acquire: pairs with recompute_locked; an epoch is set once rules are known */
    if (atomic_load_explicit(&epoch, memory_order_acquire) == 0)
        return THL_LOGGER_UNKNOWN;
    return atomic_load_explicit(&names[thl_logger_known(number)].threshold, memory_order_relaxed);
}

unsigned
thl_logger_notice_threshold(void)
{
    return atomic_load_explicit(&notice_threshold, memory_order_relaxed); /* may be late */
}

static unsigned
child_threshold(thole_logger child)
{
    struct thl_slot *slot = thl_slab_find(child);
    unsigned own =
        slot ? atomic_load_explicit(&slot->level, memory_order_relaxed) : THL_SLAB_NO_LEVEL;
    return own != THL_SLAB_NO_LEVEL ? own : thl_logger_threshold(thl_slab_logger_of(child));
}

/* A change of rules that passed this child's slot before its gate was written is seen in the epoch,
 * and the gate is written again. */
void
thl_logger_open_gate(thole_logger child)
{
    uint32_t before;
    do {
        before = atomic_load_explicit(&epoch, memory_order_seq_cst); /* recompute_locked */
        unsigned threshold = child_threshold(child);
        if (threshold != THL_LOGGER_UNKNOWN)
            thl_slab_set_gate(child, threshold);
    } while (atomic_load_explicit(&epoch, memory_order_seq_cst) != before);
}

static void
open_gate_of(void *arg, thole_logger child, struct thl_slot *slot)
{
    unsigned own = atomic_load_explicit(&slot->level, memory_order_relaxed);
    (void)arg;
    thl_slab_set_gate(
        child, own != THL_SLAB_NO_LEVEL ? own : thl_logger_threshold(thl_slab_logger_of(child)));
}

static bool
names_thole(const struct thl_rule *rule)
{
    return strcmp(rule->name, "thole") == 0;
}

/* Every logger and every child that is alive follows at once. */
static void
recompute_locked(void)
{
    uint32_t n = atomic_load_explicit(&thl_logger_counts.n, memory_order_relaxed); /* locked */
    unsigned notices = THOLE_TRACE;
    for (uint32_t i = 0; i < n; i++)
        set_gate(i);
    for (size_t i = 0; i < state.rules.n; i++)
        if (names_thole(&state.rules.rule[i]))
            notices = (unsigned)thl_config_level(&state.rules, "thole", 5, state.otherwise);
    atomic_store_explicit(&notice_threshold, notices, memory_order_relaxed);
    uint32_t next = atomic_load_explicit(&epoch, memory_order_relaxed) + 1;
    atomic_store_explicit(&epoch, next ? next : 1, memory_order_seq_cst); /* open_gate */
    thl_slab_each(open_gate_of, NULL);
}

/* Replaces the rules of one origin (and, for set_level, of one name); at the end, so the later
 * wins. -ENOMEM changes nothing. */
static int
replace_locked(const struct thl_rules *rules, enum origin origin, const char *only_name)
{
    size_t room = state.rules.n + rules->n, n = 0;
    struct thl_rule *rule = malloc((room + 1) * sizeof(*rule));
    enum origin *origins = malloc((room + 1) * sizeof(*origins));
    if (!rule || !origins) {
        free(rule);
        free(origins);
        return -ENOMEM;
    }
    for (size_t i = 0; i < state.rules.n; i++) {
        const struct thl_rule *old = &state.rules.rule[i];
        if (state.origin[i] == origin && (!only_name || strcmp(old->name, only_name) == 0))
            continue;
        rule[n] = *old;
        origins[n++] = state.origin[i];
    }
    for (size_t i = 0; i < rules->n; i++) {
        rule[n] = rules->rule[i];
        origins[n++] = origin;
    }
    struct thl_rule *old_rules = state.rules.rule;
    enum origin *old_origins = state.origin;
    /* in this order: a _Fork in between finds no more rules than there are */
    state.rules.n = 0;
    atomic_signal_fence(memory_order_seq_cst);
    state.rules.rule = rule;
    state.origin = origins;
    atomic_signal_fence(memory_order_seq_cst);
    state.rules.n = n;
    free(old_rules);
    free(old_origins);
    return 0;
}

int
thl_logger_apply(const struct thl_rules *rules, enum thole_level otherwise)
{
    pthread_mutex_lock(&lock);
    int rc = replace_locked(rules, BY_CONFIGURATION, NULL);
    if (rc == 0) {
        state.otherwise = otherwise;
        state.known = true;
        recompute_locked();
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int
thl_logger_configure(const struct thl_rules *rules)
{
    pthread_mutex_lock(&lock);
    int rc = replace_locked(rules, BY_CONFIGURE, NULL);
    if (rc == 0)
        recompute_locked();
    pthread_mutex_unlock(&lock);
    return rc;
}

int
thl_logger_set_level(unsigned number, enum thole_level level)
{
    struct thl_rule rule = {.level = (uint8_t)level, .source = THL_RULE_RUNTIME};
    struct thl_rules one = {&rule, 1};
    size_t n;
    const char *name = thl_logger_name(number, &n);
    memcpy(rule.name, name, n + 1);
    pthread_mutex_lock(&lock);
    int rc = replace_locked(&one, BY_SET_LEVEL, rule.name);
    if (rc == 0)
        recompute_locked();
    pthread_mutex_unlock(&lock);
    return rc;
}

int
thl_logger_add_temporary(const struct thl_rules *rules, int64_t until_ms)
{
    (void)rules;
    (void)until_ms;
    return -ENOTSUP;
}
int64_t
thl_logger_next_expiry(void)
{
    return INT64_MAX;
}
bool
thl_logger_expire(int64_t now_ms)
{
    (void)now_ms;
    return false;
}

bool
thl_logger_before_fork(void)
{
    struct timespec until = thl_clock_realtime_deadline(FORK_LOCK_MS);
    return pthread_mutex_timedlock(&lock, &until) == 0;
}

void
thl_logger_after_fork(bool in_child)
{
    if (in_child)
        thl_lock_init(&lock);
    else
        pthread_mutex_unlock(&lock);
}
