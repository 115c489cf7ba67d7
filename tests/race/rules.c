/* SPDX-License-Identifier: MIT */
/*
 * Claim: while 3 threads make, bind (the same children, too) and give levels to children, and 2
 * others change the rules, no gate is left behind: at the end of each round every child that is
 * alive answers what the one list says of its context, its own level first.
 *
 * usage: rules [MILLISECONDS]
 */
#include "check.h"

#include <string.h>
#include <thole/test.h>

#include "logger.h"
#include "slab.h"
#include "slab_context.h"

#define NEVER (INT64_MAX - 1) /* the writer ends what is due: not this */
#define BINDERS 3
#define CHANGERS 2
#define SHARED 8 /* children that all binders bind */
#define OWN 16   /* that each of them makes in a round */
#define STEPS 24 /* of each thread in a round */

static const char *const texts[] = {
    "",
    "error",
    "info,net{state=1}=trace",
    "warn,net{slot=1}=debug,net{state=2}=error,net{slot=1,state=2}=crit",
    "off,{state=3}=notice,net.deep{peer=10.0.0.0/8}=trace",
    "net=debug,net.deep=alert",
};
static const char *const operators[] = {"", "net{state=1}=crit", "{slot=3}=trace", "net.deep=off"};

static pthread_barrier_t barrier;
static _Atomic bool over;
static thole_logger shared[SHARED], own[BINDERS][OWN];
static unsigned last_text, last_operator; /* written in the storm, read behind the barrier */
static _Atomic uint64_t asked, conditional, levelled;

static unsigned
pick(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % n;
}

/* ---- the storm ---- */

static void
bind_and_make(unsigned id, unsigned *seed)
{
    thole_logger net = thole_get("net"), deep = thole_get("net.deep");
    for (unsigned i = 0; i < STEPS; i++) {
        thole_logger *one = &shared[pick(seed, SHARED)];
        thole_logger copy = *one;
        thole_bind(&copy, "state", pick(seed, 4));
        if (i < OWN)
            thole_child(&own[id][i], i % 2 ? net : deep, "slot", i % 4, "peer",
                        i % 3 ? "10.0.0.7:4123" : "11.0.0.7:4123", "state", pick(seed, 4));
        else
            thole_set_level(own[id][pick(seed, OWN / 4)], (enum thole_level)pick(seed, 10));
        if (i % 4 == 0)
            thole_set_level(shared[0], (enum thole_level)pick(seed, 10));
        if (i >= 1 && i <= OWN)
            thole_bind(&own[id][i - 1], "state", pick(seed, 4));
    }
}

static void *
churn(void *arg)
{
    unsigned id = *(unsigned *)arg, seed = id + 1;
    for (;;) {
        pthread_barrier_wait(&barrier);
        if (over)
            return NULL;
        bind_and_make(id, &seed);
        pthread_barrier_wait(&barrier);
    }
}

static void
change(unsigned id, unsigned *seed)
{
    struct thl_rules rules = {0};
    struct thl_config_errors errors = {0};
    if (id == 0) {
        last_text = pick(seed, sizeof(texts) / sizeof(texts[0]));
        CHECK(thole_configure(texts[last_text]) == 0);
        return;
    }
    last_operator = pick(seed, sizeof(operators) / sizeof(operators[0]));
    CHECK(thl_config_log("T", operators[last_operator], THL_RULE_ENV, &rules, &errors) == 0);
    thl_logger_expire(NEVER, NULL);
    CHECK(thl_logger_add_temporary(&rules, NEVER, NULL) == 0);
    thl_config_rules_fini(&rules);
}

static void *
change_rules(void *arg)
{
    unsigned id = *(unsigned *)arg, seed = id + 100;
    for (;;) {
        pthread_barrier_wait(&barrier);
        if (over)
            return NULL;
        for (unsigned i = 0; i < STEPS / 4; i++)
            change(id, &seed);
        pthread_barrier_wait(&barrier);
    }
}

/* ---- the calm ---- */

static unsigned
answer_of_list(const struct thl_rules *rules, thole_logger lg)
{
    unsigned char context[1024];
    struct thl_slab_ref ref;
    struct thl_asker asker = {.context = context};
    CHECK(thl_slab_open(&ref, lg) && ref.size <= sizeof(context) && thl_slab_copy(&ref, context));
    uint32_t level = atomic_load(&ref.slot->level);
    if (level != THL_SLAB_NO_LEVEL) {
        levelled++;
        return level;
    }
    asker.context_size = ref.size;
    asker.name = thl_logger_name(thl_slab_logger_of(lg), &asker.name_size);
    const struct thl_rule *speaker = thl_config_speaker(rules, &asker, NULL);
    conditional += speaker && speaker->nconditions > 0;
    return speaker ? speaker->level : THOLE_INFO;
}

static void
check_one(const struct thl_rules *rules, thole_logger lg)
{
    unsigned want = answer_of_list(rules, lg);
    asked++;
    CHECK((unsigned)thole_get_level(lg) == want);
    for (unsigned level = THOLE_TRACE; level <= THOLE_EMERG; level++)
        CHECK(thole_enabled(lg, (enum thole_level)level) == (level >= want));
}

static void
check_all(void)
{
    struct thl_rules rules = {0};
    struct thl_config_errors errors = {0};
    CHECK(thl_config_log("T", texts[last_text], THL_RULE_RUNTIME, &rules, &errors) == 0);
    CHECK(thl_config_log("T", operators[last_operator], THL_RULE_OPERATOR, &rules, &errors) == 0);
    CHECK(errors.n == 0);
    for (unsigned i = 0; i < SHARED; i++)
        check_one(&rules, shared[i]);
    for (unsigned i = 0; i < BINDERS * OWN; i++) {
        check_one(&rules, own[i / OWN][i % OWN]);
        thole_unref(&own[i / OWN][i % OWN]);
    }
    thl_config_rules_fini(&rules);
}

int
main(int argc, char **argv)
{
    pthread_t threads[BINDERS + CHANGERS];
    unsigned ids[BINDERS + CHANGERS], rounds = 0;
    int64_t until = mono_ms() + duration_ms(argc, argv, 5000);
    start_with("null:", "queue=256K");
    for (unsigned i = 0; i < SHARED; i++)
        thole_child(&shared[i], thole_get(i % 2 ? "net" : "net.deep"), "slot", i % 4);
    CHECK(pthread_barrier_init(&barrier, NULL, BINDERS + CHANGERS + 1) == 0);
    for (unsigned i = 0; i < BINDERS + CHANGERS; i++) {
        ids[i] = i < BINDERS ? i : i - BINDERS;
        CHECK(pthread_create(&threads[i], NULL, i < BINDERS ? churn : change_rules, &ids[i]) == 0);
    }
    for (; mono_ms() < until; rounds++) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        check_all();
    }
    over = true;
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < BINDERS + CHANGERS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < SHARED; i++)
        thole_unref(&shared[i]);
    CHECK(conditional > asked / 20 && levelled > 0 && thole_test_live_children() == 0);
    CHECK(thole_stop(10000) == 0);
    printf("%u rounds, %llu children asked, %llu by a condition\n", rounds,
           (unsigned long long)asked, (unsigned long long)conditional);
    return 0;
}
