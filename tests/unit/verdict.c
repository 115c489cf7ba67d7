/* SPDX-License-Identifier: MIT */
/* Signs of a leak: each alone, and what must not be taken for one. */
#include "test.h"

#include "verdict.h"

/* 2,000 children that came at once, were never given back, and said "accepted" at their birth. */
static struct thl_arena_site
many(void)
{
    return (struct thl_arena_site){
        .made = 2000,
        .live = 2000,
        .oldest_s = 60,
        .spread_ds = 5,
        .thirds = {2000, 0, 0},
        .logged = 2000,
        .heard = 2000,
        .longest_s = 1,
    };
}

/* The same as connections, which are open. */
static struct thl_arena_site
connections(void)
{
    struct thl_arena_site s = many();

    s.has_peer = 1;
    return s;
}

static const struct thl_verdict_process inside = {
    .descriptors = 2007, .silent_limit_s = 3600, .most = 2000};

static void
expect_in(const struct thl_verdict_process *p, struct thl_arena_site s, enum thl_verdict_why why)
{
    enum thl_verdict_why judged = thl_verdict_judge(&s, p);

    cr_expect_eq(judged, why, "%s, not %s", thl_verdict_word(judged), thl_verdict_word(why));
}

static void
expect(struct thl_arena_site s, enum thl_verdict_why why)
{
    expect_in(&inside, s, why);
}

THL_TEST(verdict, children_that_came_at_once_are_fine)
{
    expect(many(), THL_VERDICT_FINE);
    expect((struct thl_arena_site){.made = 9}, THL_VERDICT_FINE);
}

THL_TEST(verdict, open_connections_are_fine_however_they_came_and_whatever_they_log)
{
    struct thl_arena_site s = connections();

    s.thirds[1] = s.thirds[2] = 1; /* they are coming still */
    expect(s, THL_VERDICT_FINE);
    s.logged = 0; /* THOLE_LOG=warn */
    s.heard = 0;
    expect(s, THL_VERDICT_FINE);
    s.others_ended = 1000; /* a busy site beside an idle one */
    expect(s, THL_VERDICT_FINE);
    s.ended = s.stranded = 500; /* long idle ones among short ones */
    expect(s, THL_VERDICT_FINE);
    s.silent = 500;
    expect(s, THL_VERDICT_FINE);
}

THL_TEST(verdict, limit_of_ones_own_counts_for_open_connections_too)
{
    struct thl_verdict_process p = inside;
    struct thl_arena_site s = connections();

    s.silent = 1;
    p.silent_was_asked = true;
    expect_in(&p, s, THL_VERDICT_SILENT);
}

THL_TEST(verdict, a_site_that_only_grows_looks_leaked)
{
    struct thl_arena_site s = many();

    s.thirds[0] = 1998;
    s.thirds[1] = 1;
    expect(s, THL_VERDICT_FINE); /* it does not grow any more */
    s.thirds[2] = 1;
    expect(s, THL_VERDICT_GROWS);
    s.oldest_s = 4;
    expect(s, THL_VERDICT_FINE); /* all daemons grow when they begin */
}

THL_TEST(verdict, one_child_given_back_clears_a_site_that_grows)
{
    struct thl_arena_site s = many();

    s.thirds[1] = s.thirds[2] = 1;
    s.ended = 1;
    expect(s, THL_VERDICT_FINE);
}

THL_TEST(verdict, few_children_are_fine)
{
    struct thl_arena_site s = many();

    s.thirds[1] = s.thirds[2] = 1;
    s.made = s.live = s.heard = 63;
    expect(s, THL_VERDICT_FINE);
}

THL_TEST(verdict, children_that_outlive_their_parents_look_leaked)
{
    struct thl_arena_site s = connections();

    s.orphans = 15;
    expect(s, THL_VERDICT_FINE);
    s.orphans = 16;
    expect(s, THL_VERDICT_OUTLIVES);
    s.ended = 1; /* one that is given back proves nothing for the others */
    expect(s, THL_VERDICT_OUTLIVES);
}

THL_TEST(verdict, children_that_were_never_used_look_leaked)
{
    struct thl_arena_site s = many();

    s.logged = 0;
    expect(s, THL_VERDICT_UNUSED);
    s.heard--;
    expect(s, THL_VERDICT_FINE); /* their level is off */
    s.heard++;
    s.spread_ds = 0;
    expect(s, THL_VERDICT_FINE); /* made all at once, at a start */
    s.spread_ds = 1;
    s.oldest_s = 2;
    expect(s, THL_VERDICT_FINE);
}

THL_TEST(verdict, children_that_fell_silent_while_others_came_and_went_look_leaked)
{
    struct thl_arena_site s = many();

    s.others_ended = 63;
    expect(s, THL_VERDICT_FINE);
    s.others_ended = 64;
    expect(s, THL_VERDICT_ABANDONED);
    s.logged_later = 1;
    expect(s, THL_VERDICT_FINE);
}

THL_TEST(verdict, more_connections_than_descriptors_look_leaked)
{
    struct thl_verdict_process p = inside;
    struct thl_arena_site s = connections();

    p.descriptors = 1999;
    expect_in(&p, s, THL_VERDICT_UNHELD);
    s.oldest_s = 1;
    expect_in(&p, s, THL_VERDICT_FINE); /* they are being accepted */
    s.oldest_s = 2;
    s.ended = 1; /* sessions over one socket may come and go */
    expect_in(&p, s, THL_VERDICT_FINE);
    p.descriptors = UINT32_MAX; /* not known */
    s.ended = 0;
    expect_in(&p, s, THL_VERDICT_FINE);
}

THL_TEST(verdict, children_silent_for_much_longer_than_others_lived_look_leaked)
{
    struct thl_verdict_process p = inside;
    struct thl_arena_site s = connections();

    p.descriptors = 7;
    s.ended = 100000;
    s.stranded = 15;
    expect_in(&p, s, THL_VERDICT_FINE);
    s.stranded = 16;
    expect_in(&p, s, THL_VERDICT_OUTSTAYS);
    s.ended = 15; /* too few to know how long they live */
    expect_in(&p, s, THL_VERDICT_FINE);
    s.ended = 16;
    s.has_peer = 0;
    expect(s, THL_VERDICT_OUTSTAYS); /* no connections, so descriptors are no alibi */
}

THL_TEST(verdict, second_loggers_of_connections_look_leaked)
{
    struct thl_verdict_process p = inside;
    struct thl_arena_site first = connections(), second = connections();

    second.nested = second.live;
    thl_verdict_add(&p, &first);
    expect_in(&p, second, THL_VERDICT_FINE);
    thl_verdict_add(&p, &second);
    cr_expect_eq(p.held, 4000u);
    expect_in(&p, second, THL_VERDICT_SECOND);
    expect_in(&p, first, THL_VERDICT_FINE);
    second.logged_later = 1;
    expect_in(&p, second, THL_VERDICT_FINE);
    second.logged_later = 0;
    p.descriptors = 4000;
    expect_in(&p, second, THL_VERDICT_FINE);
}

THL_TEST(verdict, site_that_holds_most_at_the_bound_looks_leaked)
{
    struct thl_verdict_process p = inside;
    struct thl_arena_site s = connections();

    p.at_bound = true;
    expect_in(&p, s, THL_VERDICT_BOUND);
    p.most = 2001;
    expect_in(&p, s, THL_VERDICT_FINE);
}

THL_TEST(verdict, one_child_past_the_limit_looks_leaked)
{
    struct thl_arena_site s = many();

    s.ended = 100000;
    s.silent = 1;
    expect(s, THL_VERDICT_SILENT);
}

static void
expect_words(enum thl_verdict_why why, const char *words)
{
    struct thl_arena_site s = {
        .made = 9, .live = 8, .orphans = 3, .silent = 2, .stranded = 4, .longest_s = 2};
    struct thl_verdict_process p = {.descriptors = 7, .silent_limit_s = 60, .held = 16};
    char text[200];

    cr_expect_str_eq(thl_verdict_explain(text, sizeof(text), why, &s, &p), words);
}

THL_TEST(verdict, is_explained_with_its_numbers)
{
    expect_words(THL_VERDICT_FINE, "");
    expect_words(THL_VERDICT_OUTLIVES, "3 of 8 outlive the child logger that they were made of");
    expect_words(THL_VERDICT_UNHELD,
                 "none of 9 was ever given back, and the process has 7 descriptors open");
    expect_words(THL_VERDICT_OUTSTAYS, "4 of 8 have been silent for 20 s and more; of those given "
                                       "back none lived for longer than 3 s");
    expect_words(THL_VERDICT_GROWS, "none of 9 was ever given back, and there are more and more");
    expect_words(THL_VERDICT_UNUSED, "none of 9 was ever given back, and none has ever logged");
    expect_words(THL_VERDICT_ABANDONED, "none of 9 was ever given back or logs any more, while "
                                        "others come and go");
    expect_words(THL_VERDICT_SECOND,
                 "none of 9 was ever given back; 16 loggers of connections, 7 descriptors");
    expect_words(THL_VERDICT_BOUND,
                 "the bound (children=) is reached, and nobody holds more than this 8");
    expect_words(THL_VERDICT_SILENT, "2 of 8 have been silent for more than 60 s");
}
