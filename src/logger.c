/* SPDX-License-Identifier: MIT */
/* Names, levels, rules. */
#include "logger.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "child.h"
#include "clock.h"
#include "compiler.h"
#include "lock.h"
#include "rack.h"
#include "rules.h"
#include "slab.h"
#include "slab_context.h"

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

/* Changes of rules, times two, and one more while any rule has a condition. 0: no rules yet.
 * Written under the lock. */
static _Atomic uint32_t epoch;

/* The epoch whose gates are all known to be right; another one while a change is under way. Written
 * under the lock. */
static _Atomic uint32_t settled;

/* Calls that have changed a child's level or context, or will, and not written its gate yet. */
static _Atomic uint32_t amending;

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
    const struct thl_asker asker = {.name = names[number].text ? names[number].text : "",
                                    .name_size = names[number].size};
    unsigned threshold = (unsigned)thl_rules_level_locked(&asker);
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
    if (atomic_load_explicit(&epoch, memory_order_relaxed) != 0) /* locked */
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
    /* acquire: pairs with begin_change_locked; an epoch is set once rules are known */
    if (atomic_load_explicit(&epoch, memory_order_acquire) == 0)
        return THL_LOGGER_UNKNOWN;
    return atomic_load_explicit(&names[thl_logger_known(number)].threshold, memory_order_relaxed);
}

/* A live child's gate holds its answer, so that nobody need lock to ask: a handler may. */
unsigned
thl_logger_threshold_of(thole_logger lg)
{
    if (!thl_slab_is_named(lg) && thl_slab_find(lg)) {
        unsigned threshold = thl_slab_threshold_of(lg);
        if (threshold <= THOLE_OFF)
            return threshold;
    }
    return thl_logger_threshold(thl_slab_logger_of(lg));
}

unsigned
thl_logger_notice_threshold(void)
{
    return atomic_load_explicit(&notice_threshold, memory_order_relaxed); /* may be late */
}

/* ---- gates of children ---- */

static bool
is_conditional(uint32_t which)
{
    return (which & 1) != 0;
}

/* Some rule has a condition: the list is asked with the child's context. The lock is held for this
 * one child; its context is copied into what the lock guards, for 8 KiB would be much on the stack
 * of a handler in which a process was made. */
static THL_COLD unsigned
ask_rules(thole_logger child)
{
    static unsigned char context[THL_CHILD_CONTEXT_MAX + 8];
    struct thl_slab_ref ref;
    unsigned threshold = THL_LOGGER_UNKNOWN;
    pthread_mutex_lock(&lock);
    while (threshold == THL_LOGGER_UNKNOWN && thl_slab_open(&ref, child)) {
        struct thl_asker asker = {.context = context, .context_size = ref.size};
        if (!thl_slab_copy(&ref, context))
            continue;
        asker.name = thl_logger_name(thl_slab_logger_of(child), &asker.name_size);
        threshold = (unsigned)thl_rules_level_locked(&asker);
    }
    pthread_mutex_unlock(&lock);
    return threshold;
}

static unsigned
find_threshold(thole_logger child, uint32_t which, uint32_t own)
{
    if (own != THL_SLAB_NO_LEVEL)
        return own;
    if (THL_UNLIKELY(is_conditional(which)))
        return ask_rules(child);
    return thl_logger_threshold(thl_slab_logger_of(child)); /* of this epoch, or a newer one */
}

/*
 * An answer is made of the rules, the child's own level and its context. Whoever changes one of the
 * three writes it first and the gate afterwards; whoever writes a gate then looks whether all three
 * are as they were, and answers again when not. So the last answer in a gate is right:
 *
 * Two that write one gate. These writes are compare-and-swaps with acq_rel: one that comes after
 * another sees all that the other's thread saw and wrote before. Let T's write be the gate's last,
 * and C have changed one of the three without T's answer knowing. C writes the gate as well, so
 * before T does, and T's look behind its write sees the change: it was not T's last. C and T may be
 * a change of rules and a bind, two binds, two changes of rules, or a level of its own and each.
 *
 * A child that C's walk does not meet. Its maker T asks, takes a rack's lock, writes the gate, lets
 * the child live, gives the lock back, and looks at the epoch again. C moves the epoch, takes and
 * gives back the lock of each rack (thl_rack_pass), then walks. If T had the lock first, C's walk
 * meets the child, its gate written; else T sees C's epoch, and answers again as above.
 *
 * Rules newer than the epoch that T saw do no harm: C installs them, moves the epoch, and walks
 * only then.
 *
 * Nobody holds the lock over a walk, so two walks may pass each other: the above holds for each
 * gate. A child that ends takes its generation along, and its gate refuses what comes late. Each
 * further round is due to another thread's change: lock-free, but for the lock of ask_rules().
 * Attacked by tests/race/rules.c.
 */
void
thl_logger_open_gate(thole_logger child)
{
    struct thl_slot *slot = thl_slab_find(child);
    uint32_t which, own;
    uint64_t context;
    bool same;
    if (!slot)
        return;
    do {
        which = atomic_load_explicit(&epoch, memory_order_acquire); /* begin_change_locked */
        /* relaxed, all but the epoch: compared with themselves after the gate's acquire */
        own = atomic_load_explicit(&slot->level, memory_order_relaxed);
        context = atomic_load_explicit(&slot->context, memory_order_relaxed);
        unsigned threshold = find_threshold(child, which, own);
        if (threshold != THL_LOGGER_UNKNOWN)
            thl_slab_set_gate(child, threshold);
        same = atomic_load_explicit(&epoch, memory_order_relaxed) == which &&
               atomic_load_explicit(&slot->level, memory_order_relaxed) == own &&
               atomic_load_explicit(&slot->context, memory_order_relaxed) == context;
    } while (!same);
}

/* acquire: pairs with begin_change_locked */
uint32_t
thl_logger_begin_birth(unsigned number, uint32_t level, unsigned *threshold)
{
    uint32_t which = atomic_load_explicit(&epoch, memory_order_acquire);
    *threshold = level != THL_SLAB_NO_LEVEL ? level : THL_SLAB_NO_THRESHOLD;
    if (level == THL_SLAB_NO_LEVEL && which != 0 && !is_conditional(which))
        *threshold = atomic_load_explicit(&names[number].threshold, memory_order_relaxed);
    return which;
}

void
thl_logger_end_birth(thole_logger child, uint32_t begun)
{
    /* relaxed: behind the acquire of a rack's lock */
    if (THL_UNLIKELY(atomic_load_explicit(&epoch, memory_order_relaxed) != begun ||
                     is_conditional(begun)))
        thl_logger_open_gate(child);
}

/* A fork sees the order of the thread that amends: acquire and release keep the compiler to it. */
void
thl_logger_begin_amend(void)
{
    atomic_fetch_add_explicit(&amending, 1, memory_order_acquire); /* pairs with become_child */
}

void
thl_logger_end_amend(void)
{
    atomic_fetch_sub_explicit(&amending, 1, memory_order_release); /* pairs with become_child */
}

static void
open_gate_of(void *arg, thole_logger child, struct thl_slot *slot)
{
    (void)arg;
    (void)slot;
    thl_logger_open_gate(child);
}

/* ---- changes of rules ---- */

/* From here to the end of a walk gates may be wrong: a forked process must know. What held before.
 */
static uint32_t
lock_for_change(void)
{
    pthread_mutex_lock(&lock);
    uint32_t before = atomic_load_explicit(&settled, memory_order_relaxed); /* locked */
    atomic_store_explicit(&settled, 0, memory_order_relaxed); /* a fork sees this thread's order */
    return before;
}

/* The new epoch: named loggers follow at once. */
static uint32_t
begin_change_locked(void)
{
    uint32_t n = atomic_load_explicit(&thl_logger_counts.n, memory_order_relaxed); /* locked */
    uint32_t next = (atomic_load_explicit(&epoch, memory_order_relaxed) | 1) + 1;
    for (uint32_t i = 0; i < n; i++)
        set_gate(i);
    atomic_store_explicit(&notice_threshold, (uint32_t)thl_rules_notice_level_locked(),
                          memory_order_relaxed); /* may be late */
    if (next == 0)
        next = 2;
    if (thl_rules_are_conditional_locked())
        next++;
    atomic_store_explicit(&epoch, next, memory_order_release); /* pairs with open_gate */
    return next;
}

/* Without the lock: whoever makes children does not wait for a walk over a million. */
bool
thl_logger_walk(struct thl_logger_walk *walk, uint32_t n)
{
    if (thl_slab_walk(&walk->at, n, open_gate_of, NULL))
        return true;
    pthread_mutex_lock(&lock);
    if (atomic_load_explicit(&epoch, memory_order_relaxed) == walk->epoch) /* locked */
        atomic_store_explicit(&settled, walk->epoch, memory_order_relaxed);
    pthread_mutex_unlock(&lock);
    return false;
}

/* Ends what lock_for_change() began; rc < 0: nothing has changed. Every child that is alive
 * follows, in the caller's own walk if it has one. */
static int
unlock_changed(uint32_t before, int rc, struct thl_logger_walk *walk)
{
    struct thl_logger_walk whole = {0};
    if (rc < 0)
        atomic_store_explicit(&settled, before, memory_order_relaxed); /* locked */
    else
        whole.epoch = begin_change_locked();
    pthread_mutex_unlock(&lock);
    if (rc == 0)
        thl_rack_pass();
    if (rc == 0 && walk)
        *walk = whole;
    else if (rc == 0)
        thl_logger_walk(&whole, THL_SLAB_SLOTS);
    return rc;
}

int
thl_logger_apply(const struct thl_rules *rules, enum thole_level otherwise)
{
    uint32_t before = lock_for_change();
    int rc = thl_rules_replace_locked(rules, THL_RULES_CONFIGURATION, NULL);
    if (rc == 0)
        thl_rules_set_otherwise_locked(otherwise);
    return unlock_changed(before, rc, NULL);
}

int
thl_logger_configure(const struct thl_rules *rules)
{
    uint32_t before = lock_for_change();
    return unlock_changed(before, thl_rules_replace_locked(rules, THL_RULES_CONFIGURE, NULL), NULL);
}

int
thl_logger_set_level(unsigned number, enum thole_level level)
{
    struct thl_rule rule = {.level = (uint8_t)level, .source = THL_RULE_RUNTIME};
    struct thl_rules one = {&rule, 1};
    size_t n;
    const char *name = thl_logger_name(number, &n);
    memcpy(rule.name, name, n + 1);
    rule.name_size = (uint8_t)n;
    uint32_t before = lock_for_change();
    return unlock_changed(before, thl_rules_replace_locked(&one, THL_RULES_SET_LEVEL, rule.name),
                          NULL);
}

int
thl_logger_add_temporary(const struct thl_rules *rules, int64_t until_ms,
                         struct thl_logger_walk *walk)
{
    uint32_t before = lock_for_change();
    return unlock_changed(before, thl_rules_add_temporary_locked(rules, until_ms), walk);
}

int64_t
thl_logger_next_expiry(void)
{
    return thl_rules_next_expiry();
}

bool
thl_logger_expire(int64_t now_ms, struct thl_logger_walk *walk)
{
    if (thl_rules_next_expiry() > now_ms)
        return false;
    uint32_t before = lock_for_change();
    bool went = thl_rules_expire_locked(now_ms);
    unlock_changed(before, went ? 0 : -ENOENT, walk);
    return went;
}

/* ---- fork ---- */

bool
thl_logger_before_fork(void)
{
    struct timespec until = thl_clock_realtime_deadline(FORK_LOCK_MS);
    return pthread_mutex_timedlock(&lock, &until) == 0;
}

/* A thread that was in the middle of a change, of rules or of one child, did not come along to
 * write the gates; and temporary rules have nobody to end them. Where neither is so nothing is
 * asked: a daemon that forks for each connection does not pay for all children each time, nor do
 * their gates become pages of the new process's own. */
static void
become_child(void)
{
    thl_lock_init(&lock);
    bool had_temporary = thl_rules_after_fork();
    uint32_t which = atomic_load_explicit(&epoch, memory_order_relaxed); /* alone here, all three */
    bool is_settled = atomic_load_explicit(&settled, memory_order_relaxed) == which &&
                      atomic_load_explicit(&amending, memory_order_relaxed) == 0;
    atomic_store_explicit(&amending, 0, memory_order_relaxed);
    if (which == 0 || (is_settled && !had_temporary))
        return;
    unlock_changed(lock_for_change(), 0, NULL);
}

void
thl_logger_after_fork(bool in_child)
{
    if (in_child)
        become_child();
    else
        pthread_mutex_unlock(&lock);
}
