/* SPDX-License-Identifier: MIT */
/*
 * Claim: however 4 threads make children of more call sites than a rack has cells, hand them to
 * each other and end them, none is refused while there is room for one, the peak of all is never
 * above what could live at a time, the peak of a site that one thread alone uses is what it had
 * alive, and each site's counts add up.
 *
 * usage: racks [MILLISECONDS]
 */
#include "check.h"

#include <string.h>

#include "rack.h"
#include "site.h"
#include "slab.h"
#include "slab_context.h"

#define THREADS 4
#define TABLE 3 /* children that anybody may end */
#define FEW 3   /* that each thread makes of its own site, and ends itself: few, later many */
#define MANY 40
#define LIMIT(most) (TABLE + THREADS * (most))
#define SITES 12 /* of children for the table */

static _Atomic uint64_t table[TABLE];
static _Atomic bool over;
static unsigned most;                 /* FEW or MANY */
static _Atomic uint64_t made_at[256]; /* by site number */
static unsigned highest[THREADS];
static uint32_t own_site[THREADS];
static _Atomic uint64_t refused;

/* Children that live, are being made or ended, counted from outside. */
static _Atomic unsigned alive, most_alive;

static unsigned
pick(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % n;
}

static void
count_in(void)
{
    unsigned n = ++alive, seen = most_alive;
    while (seen < n && !atomic_compare_exchange_weak(&most_alive, &seen, n))
        ;
}

static void
end(thole_logger *child)
{
    bool was = child->bits != 0;
    thole_unref(child);
    alive -= was;
}

/* A call site for each number. */
#define MAKE(i)                                                                                    \
    case i:                                                                                        \
        thole_child(&child, net, "site", i, "text", texts[i % 3]);                                 \
        break
static thole_logger
make(unsigned site, thole_logger net)
{
    static const char *const texts[] = {
        "", "a text that is longer", "another that is so much longer that it takes another block"};
    thole_logger child = net;
    count_in();
    switch (site) {
        MAKE(0);
        MAKE(1);
        MAKE(2);
        MAKE(3);
        MAKE(4);
        MAKE(5);
        MAKE(6);
        MAKE(7);
        MAKE(8);
        MAKE(9);
        MAKE(10);
        MAKE(11);
        MAKE(12);
        MAKE(13);
        MAKE(14);
        MAKE(15);
    default:
        break;
    }
    struct thl_slot *slot = thl_slab_find(child);
    if (slot)
        made_at[atomic_load(&slot->site)]++;
    else
        refused++;
    return child;
}

static void
swap_one(thole_logger net, unsigned *seed)
{
    thole_logger child = make(pick(seed, SITES), net), old;
    old.bits = atomic_exchange(&table[pick(seed, TABLE)], child.bits);
    end(&old);
}

static void
make_and_end_own(thole_logger net, unsigned id, unsigned *seed)
{
    thole_logger own[MANY];
    unsigned n = 1 + pick(seed, most);
    for (unsigned i = 0; i < n; i++)
        own[i] = make(SITES + id, net);
    if (highest[id] < n)
        highest[id] = n;
    struct thl_slot *slot = thl_slab_find(own[0]);
    CHECK(slot);
    own_site[id] = atomic_load(&slot->site);
    for (unsigned i = 0; i < n; i++)
        end(&own[i]);
}

static void *
churn(void *arg)
{
    unsigned id = *(unsigned *)arg, seed = id + 1;
    thole_logger net = thole_get("net");
    while (!over) {
        for (unsigned i = pick(&seed, 20); i > 0; i--)
            swap_one(net, &seed);
        make_and_end_own(net, id, &seed);
    }
    return NULL;
}

static void
look(void)
{
    struct thl_rack_counts c;
    struct thole_stats s = check_identities();
    CHECK(s.children <= s.children_peak && s.children_peak <= most_alive);
    CHECK(s.children_refused == 0 && refused == 0);
    for (uint32_t id = 0; id <= thl_site_count(); id++) {
        thl_rack_count_site(id, &c);
        CHECK(c.live <= c.peak && c.peak <= most_alive && c.ended <= c.made);
    }
}

static void
check_sites(void)
{
    struct thl_rack_counts c;
    for (uint32_t id = 0; id <= thl_site_count(); id++) {
        thl_rack_count_site(id, &c);
        CHECK(c.made == made_at[id] && c.ended == made_at[id] && c.live == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        thl_rack_count_site(own_site[i], &c);
        CHECK(c.peak == highest[i]);
    }
}

/* The bound is what can live at a time: each refusal would be one too many. */
static struct thole_stats
storm(unsigned of_own, int64_t ms)
{
    pthread_t threads[THREADS];
    unsigned ids[THREADS];
    int64_t until = mono_ms() + ms;
    most = of_own;
    over = false;
    thl_rack_set_limit(LIMIT(most));
    for (unsigned i = 0; i < THREADS; i++) {
        ids[i] = i;
        CHECK(pthread_create(&threads[i], NULL, churn, &ids[i]) == 0);
    }
    while (mono_ms() < until)
        look();
    over = true;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < TABLE; i++)
        end(&(thole_logger){atomic_exchange(&table[i], 0)});
    look();
    check_sites();
    return check_identities();
}

int
main(int argc, char **argv)
{
    int64_t ms = duration_ms(argc, argv, 4000);
    start_with("null:", "queue=256K");
    struct thole_stats few = storm(FEW, ms / 2), many = storm(MANY, ms / 2);
    CHECK(few.children == 0 && many.children == 0 && thole_stop(10000) == 0);
    CHECK(many.children_made > few.children_made && few.children_peak > FEW);
    printf("%llu children, %llu at a time of %d, then %llu of %d\n",
           (unsigned long long)many.children_made, (unsigned long long)few.children_peak,
           LIMIT(FEW), (unsigned long long)many.children_peak, LIMIT(MANY));
    return 0;
}
