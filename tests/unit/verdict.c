/* SPDX-License-Identifier: MIT */
/* Signs of a leak: each alone, and what must not be taken for one. */
#include "test.h"

#include "verdict.h"

/* 2,000 connections that came at once, are open still, and have said "accepted". */
static struct thl_verdict_facts
healthy(void)
{
    return (struct thl_verdict_facts){
        .made = 2000,
        .live = 2000,
        .oldest_s = 60,
        .thirds = {2000, 0, 0},
        .logged = 2000,
        .silent_limit_s = 3600,
    };
}

static void
expect(struct thl_verdict_facts f, enum thl_verdict_why why)
{
    cr_expect_eq(thl_verdict_judge(&f), why, "%d", (int)thl_verdict_judge(&f));
}

THL_TEST(verdict, open_connections_are_fine)
{
    expect(healthy(), THL_VERDICT_FINE);
    expect((struct thl_verdict_facts){.made = 9}, THL_VERDICT_FINE);
}

THL_TEST(verdict, a_site_that_only_grows_looks_leaked)
{
    struct thl_verdict_facts f = healthy();

    f.thirds[0] = 1998;
    f.thirds[1] = 1;
    expect(f, THL_VERDICT_FINE); /* it does not grow any more */
    f.thirds[2] = 1;
    expect(f, THL_VERDICT_GROWS);
    f.oldest_s = 2;
    expect(f, THL_VERDICT_FINE); /* all daemons grow when they begin */
}

THL_TEST(verdict, one_child_given_back_clears_a_site_that_grows)
{
    struct thl_verdict_facts f = healthy();

    f.thirds[1] = f.thirds[2] = 1;
    f.made++;
    expect(f, THL_VERDICT_FINE);
}

THL_TEST(verdict, few_children_are_fine)
{
    struct thl_verdict_facts f = healthy();

    f.thirds[1] = f.thirds[2] = 1;
    f.made = f.live = 63;
    expect(f, THL_VERDICT_FINE);
}

THL_TEST(verdict, children_that_outlive_their_parents_look_leaked)
{
    struct thl_verdict_facts f = healthy();

    f.oldest_s = 0;
    f.made = f.live = f.orphans = 15;
    expect(f, THL_VERDICT_FINE);
    f.made = f.live = f.orphans = 16;
    expect(f, THL_VERDICT_OUTLIVES);
    f.made++;
    expect(f, THL_VERDICT_FINE);
}

THL_TEST(verdict, children_that_were_never_used_look_leaked)
{
    struct thl_verdict_facts f = healthy();

    f.logged = 0;
    expect(f, THL_VERDICT_UNUSED);
    f.logged = 1;
    expect(f, THL_VERDICT_FINE);
}

THL_TEST(verdict, children_that_fell_silent_while_others_came_and_went_look_leaked)
{
    struct thl_verdict_facts f = healthy();

    f.others_ended = 63;
    expect(f, THL_VERDICT_FINE);
    f.others_ended = 64;
    expect(f, THL_VERDICT_ABANDONED);
    f.logged_later = 1;
    expect(f, THL_VERDICT_FINE);
}

THL_TEST(verdict, all_silent_for_long_and_none_given_back_looks_leaked)
{
    struct thl_verdict_facts f = healthy();

    f.oldest_s = 299;
    expect(f, THL_VERDICT_FINE);
    f.oldest_s = 300;
    expect(f, THL_VERDICT_ABANDONED);
}

THL_TEST(verdict, one_child_past_the_limit_looks_leaked)
{
    struct thl_verdict_facts f = healthy();

    f.made = 100000;
    f.silent = 1;
    expect(f, THL_VERDICT_SILENT);
}

static void
expect_outside(struct thl_verdict_outside f, enum thl_verdict_why why)
{
    cr_expect_eq(thl_verdict_judge_outside(THL_VERDICT_FINE, &f), why);
    cr_expect_eq(thl_verdict_judge_outside(THL_VERDICT_GROWS, &f), THL_VERDICT_GROWS);
}

THL_TEST(verdict, more_connections_than_descriptors_look_leaked)
{
    struct thl_verdict_outside f = {
        .made = 70, .held = 70, .live = 70, .oldest_s = 1, .descriptors = 69};

    expect_outside(f, THL_VERDICT_UNHELD);
    f.oldest_s = 0;
    expect_outside(f, THL_VERDICT_FINE); /* they are being accepted */
    f.oldest_s = 1;
    f.descriptors = 70;
    expect_outside(f, THL_VERDICT_FINE);
    f.descriptors = 9;
    f.made = 71;
    expect_outside(f, THL_VERDICT_FINE);
    f.made = f.live = 63;
    expect_outside(f, THL_VERDICT_FINE);
}

THL_TEST(verdict, second_loggers_of_connections_look_leaked)
{
    struct thl_verdict_outside f = {
        .made = 70, .held = 200, .live = 70, .nested = 70, .oldest_s = 1, .descriptors = 135};

    expect_outside(f, THL_VERDICT_UNHELD);
    f.descriptors = 136;
    expect_outside(f, THL_VERDICT_FINE);
    f.descriptors = 135;
    f.nested = 69;
    expect_outside(f, THL_VERDICT_FINE);
}

THL_TEST(verdict, is_explained_with_its_numbers)
{
    char text[200];

    cr_expect_str_eq(thl_verdict_explain(text, sizeof(text), THL_VERDICT_GROWS, 7, 7, 0, 0, 60),
                     "none of 7 was ever given back, and there are more and more");
    cr_expect_str_eq(thl_verdict_explain(text, sizeof(text), THL_VERDICT_OUTLIVES, 9, 9, 3, 0, 60),
                     "none of 9 was ever given back; 3 outlive the child logger they were made of");
    cr_expect_str_eq(thl_verdict_explain(text, sizeof(text), THL_VERDICT_SILENT, 9, 5, 0, 2, 60),
                     "2 of 5 have been silent for more than 60 s");
    cr_expect_str_eq(thl_verdict_explain(text, sizeof(text), THL_VERDICT_FINE, 9, 5, 0, 2, 60), "");
}
