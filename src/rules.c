/* SPDX-License-Identifier: MIT */
/* Rules that last and rules that end. */
#include "rules.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct lasting {
    size_t n;
    enum thl_rules_origin *origin; /* of each rule; in the same block */
    struct thl_rule rule[];
};

/* All guarded by the lock of logger.c. */
static struct lasting *lasting; /* NULL: none */
static enum thole_level otherwise = THOLE_INFO;
static struct thl_rule temporary[THL_RULES_TEMPORARY];
static int64_t until[THL_RULES_TEMPORARY];
static size_t ntemporary;

/* The least of until[]. Written under the lock; read without. relaxed: whoever added a rule says so
 * to the reader by other means. */
static _Atomic int64_t next_expiry = INT64_MAX;

static struct thl_rules
lasting_rules(void)
{
    return lasting ? (struct thl_rules){lasting->rule, lasting->n} : (struct thl_rules){0};
}

static struct thl_rules
temporary_rules(void)
{
    return (struct thl_rules){temporary, ntemporary};
}

/* ---- what lasts ---- */

static struct lasting *
new_lasting(size_t room)
{
    size_t size = sizeof(struct lasting) + room * sizeof(struct thl_rule);
    struct lasting *fresh = malloc(size + room * sizeof(enum thl_rules_origin));
    if (!fresh)
        return NULL;
    fresh->n = 0;
    fresh->origin = (enum thl_rules_origin *)((char *)fresh + size);
    return fresh;
}

static void
append(struct lasting *to, const struct thl_rule *rule, enum thl_rules_origin origin)
{
    to->origin[to->n] = origin;
    to->rule[to->n++] = *rule;
}

int
thl_rules_replace_locked(const struct thl_rules *rules, enum thl_rules_origin origin,
                         const char *only_name)
{
    struct thl_rules old = lasting_rules();
    struct lasting *before = lasting, *fresh = new_lasting(old.n + rules->n);
    if (!fresh)
        return -ENOMEM;
    for (size_t i = 0; i < old.n; i++) {
        bool goes =
            before->origin[i] == origin && (!only_name || strcmp(old.rule[i].name, only_name) == 0);
        if (!goes)
            append(fresh, &old.rule[i], before->origin[i]);
    }
    for (size_t i = 0; i < rules->n; i++)
        append(fresh, &rules->rule[i], origin);
    atomic_signal_fence(memory_order_seq_cst); /* whole before a _Fork can find it */
    lasting = fresh;
    atomic_signal_fence(memory_order_seq_cst);
    free(before);
    return 0;
}

void
thl_rules_set_otherwise_locked(enum thole_level level)
{
    otherwise = level;
}

/* ---- what ends ---- */

static void
find_next_expiry(void)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < ntemporary; i++)
        if (until[i] < next)
            next = until[i];
    atomic_store_explicit(&next_expiry, next, memory_order_relaxed);
}

int
thl_rules_add_temporary_locked(const struct thl_rules *rules, int64_t until_ms)
{
    if (rules->n > THL_RULES_TEMPORARY - ntemporary)
        return -ENOSPC;
    for (size_t i = 0; i < rules->n; i++) {
        temporary[ntemporary] = rules->rule[i];
        temporary[ntemporary].source = THL_RULE_OPERATOR;
        until[ntemporary++] = until_ms;
    }
    find_next_expiry();
    return 0;
}

bool
thl_rules_expire_locked(int64_t now_ms)
{
    size_t kept = 0, before = ntemporary;
    for (size_t i = 0; i < before; i++) {
        if (until[i] <= now_ms)
            continue;
        if (kept != i) {
            temporary[kept] = temporary[i];
            until[kept] = until[i];
        }
        kept++;
    }
    ntemporary = kept;
    find_next_expiry();
    return kept != before;
}

int64_t
thl_rules_next_expiry(void)
{
    return atomic_load_explicit(&next_expiry, memory_order_relaxed);
}

bool
thl_rules_after_fork(void)
{
    bool had = ntemporary > 0;
    ntemporary = 0;
    find_next_expiry();
    return had;
}

/* ---- the one list ---- */

enum thole_level
thl_rules_level_locked(const struct thl_asker *asker)
{
    const struct thl_rules lists[] = {lasting_rules(), temporary_rules()};
    const struct thl_rule *speaker = thl_config_speaker(&lists[0], asker, NULL);
    speaker = thl_config_speaker(&lists[1], asker, speaker);
    return speaker ? (enum thole_level)speaker->level : otherwise;
}

static bool
any_conditional(struct thl_rules rules)
{
    for (size_t i = 0; i < rules.n; i++)
        if (rules.rule[i].nconditions > 0)
            return true;
    return false;
}

bool
thl_rules_are_conditional_locked(void)
{
    return any_conditional(lasting_rules()) || any_conditional(temporary_rules());
}

static bool
any_names_thole(struct thl_rules rules)
{
    for (size_t i = 0; i < rules.n; i++)
        if (strcmp(rules.rule[i].name, "thole") == 0 && rules.rule[i].nconditions == 0)
            return true;
    return false;
}

enum thole_level
thl_rules_notice_level_locked(void)
{
    const struct thl_asker thole = {.name = "thole", .name_size = 5};
    return any_names_thole(lasting_rules()) || any_names_thole(temporary_rules())
               ? thl_rules_level_locked(&thole)
               : THOLE_TRACE;
}
