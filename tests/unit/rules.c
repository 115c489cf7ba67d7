/* SPDX-License-Identifier: MIT */
/* Rules in force: temporary ones that come and go beside the others, in this process and a forked.
 */
#include "test.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <thole/thole.h>
#include <unistd.h>

#include "logger.h"
#include "rules.h"

#define LATER (INT64_MAX / 2) /* the writer ends what is due: times are counted from here */

static void
start(const char *log)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "memory:", .log = log};
    cr_assert_eq(thole_start(&opt), 0);
}

static int
add(const char *text, int64_t until_ms)
{
    struct thl_rules rules = {0};
    struct thl_config_errors errors = {0};
    cr_assert_eq(thl_config_log("T", text, THL_RULE_ENV, &rules, &errors), 0);
    cr_assert_eq(errors.n, 0u);
    int rc = thl_logger_add_temporary(&rules, LATER + until_ms, NULL);
    thl_config_rules_fini(&rules);
    return rc;
}

static thole_logger one, two;

static void
make_children(void)
{
    thole_child(&one, thole_get("net"), "conn", 1);
    thole_child(&two, thole_get("net"), "conn", 2);
}

static void
drop_children(void)
{
    thole_unref(&one);
    thole_unref(&two);
}

/* The levels of net, and of its children 1 and 2; the gates agree. */
static bool
levels_are(enum thole_level net, enum thole_level first, enum thole_level second)
{
    const thole_logger lg[] = {thole_get("net"), one, two};
    const enum thole_level want[] = {net, first, second};
    for (size_t i = 0; i < 3; i++) {
        if (thole_get_level(lg[i]) != want[i])
            return false;
        for (unsigned level = THOLE_TRACE; level <= THOLE_EMERG; level++)
            if (thole_enabled(lg[i], (enum thole_level)level) != (level >= want[i]))
                return false;
    }
    return true;
}

#define LEVELS(net, first, second)                                                                 \
    cr_expect(levels_are(THOLE_##net, THOLE_##first, THOLE_##second), "%d %d %d",                  \
              thole_get_level(thole_get("net")), thole_get_level(one), thole_get_level(two))

THL_TEST(rules, two_that_overlap_and_a_configure_between_leave_what_the_list_says)
{
    start("warn");
    make_children();
    LEVELS(WARN, WARN, WARN);
    cr_expect_eq(add("net{conn=1}=trace", 1000), 0);
    LEVELS(WARN, TRACE, WARN);
    cr_expect_eq(add("net=error", 2000), 0);
    LEVELS(ERROR, TRACE, ERROR); /* more conditions */
    cr_expect_eq(thole_configure("net=debug,net{conn=2}=crit"), 0);
    LEVELS(ERROR, TRACE, ERROR); /* the operator's come before */
    cr_expect_eq(thl_logger_next_expiry(), LATER + 1000);
    cr_expect_not(thl_logger_expire(LATER + 999, NULL));
    LEVELS(ERROR, TRACE, ERROR);
    cr_expect(thl_logger_expire(LATER + 1000, NULL));
    LEVELS(ERROR, ERROR, ERROR);
    cr_expect_eq(thl_logger_next_expiry(), LATER + 2000);
    cr_expect(thl_logger_expire(LATER + 5000, NULL));
    LEVELS(DEBUG, DEBUG, CRIT);
    cr_expect_eq(thl_logger_next_expiry(), INT64_MAX);
    cr_expect_not(thl_logger_expire(INT64_MAX, NULL));
    cr_expect_eq(thole_configure(""), 0);
    LEVELS(WARN, WARN, WARN);
    drop_children();
}

THL_TEST(rules, temporary_one_ends_though_an_older_one_lasts_longer)
{
    start("info");
    make_children();
    cr_expect_eq(add("net=trace", 3000), 0);
    cr_expect_eq(add("net=error", 1000), 0);
    cr_expect_eq(add("net=crit,{conn=1}=alert", 2000), 0);
    LEVELS(CRIT, CRIT, CRIT); /* the longer name, then the later */
    cr_expect(thl_logger_expire(LATER + 1000, NULL));
    LEVELS(CRIT, CRIT, CRIT);
    cr_expect(thl_logger_expire(LATER + 2000, NULL));
    LEVELS(TRACE, TRACE, TRACE);
    cr_expect(thl_logger_expire(LATER + 3000, NULL));
    LEVELS(INFO, INFO, INFO);
    drop_children();
}

THL_TEST(rules, temporary_one_yields_to_a_childs_own_level_alone)
{
    start("net{conn=1}=crit,net{conn=2}=crit");
    make_children();
    cr_expect_eq(thole_set_level(thole_get("net"), THOLE_ERROR), 0);
    cr_expect_eq(thole_set_level(two, THOLE_DEBUG), 0);
    LEVELS(ERROR, CRIT, DEBUG);
    cr_expect_eq(add("trace", 1000), 0); /* root, no condition: the weakest of them */
    LEVELS(TRACE, TRACE, DEBUG);
    cr_expect_eq(thole_set_level(thole_get("net"), THOLE_ALERT), 0);
    LEVELS(TRACE, TRACE, DEBUG);
    cr_expect(thl_logger_expire(LATER + 1000, NULL));
    LEVELS(ALERT, CRIT, DEBUG);
    drop_children();
}

THL_TEST(rules, of_64_temporary_ones_none_is_added_and_none_is_touched)
{
    char text[16];
    start("info");
    make_children();
    for (int i = 0; i < THL_RULES_TEMPORARY - 1; i++) {
        snprintf(text, sizeof(text), "n%d=debug", i);
        cr_assert_eq(add(text, 1000 + i), 0);
    }
    cr_expect_eq(add("net=trace,net{conn=1}=error", 500), -ENOSPC);
    LEVELS(INFO, INFO, INFO);
    cr_expect_eq(thl_logger_next_expiry(), LATER + 1000);
    cr_expect_eq(add("net=trace", 500), 0);
    cr_expect_eq(add("net=debug", 500), -ENOSPC);
    LEVELS(TRACE, TRACE, TRACE);
    cr_expect(thl_logger_expire(LATER + 500, NULL));
    cr_expect_eq(add("net=debug", 500), 0);
    LEVELS(DEBUG, DEBUG, DEBUG);
    cr_expect(thl_logger_expire(LATER + 1030, NULL));
    cr_expect_eq(thole_get_level(thole_get("n30")), THOLE_INFO);
    cr_expect_eq(thole_get_level(thole_get("n31")), THOLE_DEBUG);
    cr_expect_eq(thl_logger_next_expiry(), LATER + 1031);
    drop_children();
}

THL_TEST(rules, temporary_one_survives_a_new_start)
{
    start("info");
    make_children();
    cr_expect_eq(add("net{conn=1}=trace", 1000), 0);
    cr_assert_eq(thole_stop(5000), 0);
    start("error");
    LEVELS(ERROR, TRACE, ERROR);
    cr_expect(thl_logger_expire(LATER + 1000, NULL));
    LEVELS(ERROR, ERROR, ERROR);
    drop_children();
}

THL_TEST(rules, notices_heed_a_temporary_rule_that_names_thole_and_none_with_a_condition)
{
    start("off,thole{a=1}=off,{a=1}=off");
    cr_expect_eq(thl_logger_notice_threshold(), (unsigned)THOLE_TRACE);
    cr_expect_eq(add("thole{a=1}=off", 1000), 0);
    cr_expect_eq(thl_logger_notice_threshold(), (unsigned)THOLE_TRACE);
    cr_expect_eq(add("thole=error", 2000), 0);
    cr_expect_eq(thl_logger_notice_threshold(), (unsigned)THOLE_ERROR);
    cr_expect(thl_logger_expire(LATER + 2000, NULL));
    cr_expect_eq(thl_logger_notice_threshold(), (unsigned)THOLE_TRACE);
}

/* ---- fork ---- */

typedef pid_t (*divide_fn)(void);

static int
look_in_child(void)
{
    if (!levels_are(THOLE_WARN, THOLE_WARN, THOLE_DEBUG))
        return 1;
    if (thl_logger_next_expiry() != INT64_MAX || thl_logger_expire(INT64_MAX, NULL))
        return 2;
    thole_bind(&one, "conn", 2);
    if (!levels_are(THOLE_WARN, THOLE_DEBUG, THOLE_DEBUG))
        return 3;
    return thole_configure("net=error") == 0 && levels_are(THOLE_ERROR, THOLE_DEBUG, THOLE_DEBUG)
               ? 0
               : 4;
}

static void
divide_and_look(divide_fn divide)
{
    int status = -1;
    start("warn,net{conn=2}=debug");
    make_children();
    cr_expect_eq(add("net{conn=1}=trace,net=crit", 1000), 0);
    LEVELS(CRIT, TRACE, CRIT);
    pid_t pid = divide();
    if (pid == 0) {
        thole_info(one, "the first call"); /* after a _Fork it is what notices */
        _exit(look_in_child());
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0, "look %d", WEXITSTATUS(status));
    LEVELS(CRIT, TRACE, CRIT);
    cr_expect(thl_logger_expire(LATER + 1000, NULL));
    LEVELS(WARN, WARN, DEBUG);
    drop_children();
}

THL_TEST(rules, temporary_ones_are_gone_in_a_forked_process)
{
    divide_and_look(fork);
}

THL_TEST(rules, temporary_ones_are_gone_in_a_process_made_without_handlers)
{
    divide_and_look(_Fork);
}
