/* SPDX-License-Identifier: MIT */
/* The census: who holds live children, for how long, and what is said of them. */
#include "test.h"

#include "captured.h"

#include <fcntl.h>
#include <stdlib.h>
#include <thole/test.h>
#include <thole/thole.h>

#define SECOND INT64_C(1000000000)
#define MANY 64 /* children before a site is judged by how it grows */

static void
start(void)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "memory:"};

    cr_assert_eq(thole_start(&opt), 0);
}

/* What thole_report() writes. */
static const char *
report(void)
{
    static char text[16384];
    int fd = memfd_create("report", MFD_CLOEXEC);

    cr_assert(fd >= 0);
    cr_assert_eq(thole_report(fd), 0);
    captured_read(fd, text, sizeof(text));
    return text;
}

#define EXPECT_REPORT(part) cr_expect_not_null(strstr(report(), part), "%s", report())

static void
make(thole_logger *out, int conn)
{
    thole_child(out, thole_get("net"), "conn", conn, "peer", "10.0.0.7:4123");
}

/* One that is no connection. */
static void
make_job(thole_logger *out, int job)
{
    thole_child(out, thole_get("jobs"), "job", job);
}

static void
give_back(thole_logger *child, int n)
{
    for (int i = 0; i < n; i++)
        thole_unref(&child[i]);
}

THL_TEST(census, names_site_live_peak_made_and_the_oldest)
{
    thole_logger child[5];

    start();
    for (int i = 0; i < 5; i++)
        make(&child[i], i);
    thole_unref(&child[0]);
    thole_unref(&child[4]);
    EXPECT_REPORT("children 3 live, 5 peak, 5 made");
    EXPECT_REPORT("census.c:41: 3 live, 5 peak, 5 made, oldest 0 s, last logged never\n"
                  "      the oldest: conn=1 peer=10.0.0.7:4123\n");
    give_back(child, 5);
}

THL_TEST(census, says_how_old_the_oldest_is_and_when_one_of_them_logged)
{
    thole_logger child[2];

    start();
    make(&child[0], 0);
    thole_test_advance_clock(60 * SECOND);
    make(&child[1], 1);
    thole_info(child[1], "hello");
    cr_assert_eq(thole_flush(10000), 0);
    thole_test_advance_clock(40 * SECOND);
    EXPECT_REPORT("oldest 100 s, last logged 40 s ago");
    give_back(child, 2);
}

THL_TEST(census, is_taken_in_direct_mode_too)
{
    thole_logger child;

    setenv("THOLE_SINKS", "memory:", 1);
    make(&child, 1);
    thole_info(child, "hello");
    EXPECT_REPORT("1 live, 1 peak, 1 made, oldest 0 s, last logged 0 s ago");
    thole_unref(&child);
}

THL_TEST(census, of_a_site_without_children_says_nothing)
{
    thole_logger child;

    start();
    make(&child, 1);
    thole_unref(&child);
    cr_expect_null(strstr(report(), "census.c"), "%s", report());
}

THL_TEST(census, explains_why_a_site_that_only_grows_looks_leaked)
{
    thole_logger child[MANY];

    start();
    for (int i = 0; i < MANY; i++) {
        make_job(&child[i], i);
        thole_test_advance_clock(SECOND);
    }
    EXPECT_REPORT("looks leaked: none of 64 was ever given back, and there are more and more");
    give_back(child, MANY);
}

THL_TEST(census, of_a_site_that_gives_back_looks_fine_however_many_it_holds)
{
    thole_logger child[MANY], other;

    start();
    for (int i = 0; i < MANY; i++) {
        make_job(&child[i], i);
        thole_test_advance_clock(SECOND);
    }
    make_job(&other, 99);
    thole_unref(&other);
    cr_expect_null(strstr(report(), "looks leaked"), "%s", report());
    give_back(child, MANY);
}

THL_TEST(census, sees_children_that_outlive_the_child_they_were_made_of)
{
    thole_logger parent, child[16];

    start();
    make_job(&parent, 1);
    for (int i = 0; i < 16; i++)
        thole_child(&child[i], parent, "request", i);
    cr_expect_null(strstr(report(), "looks leaked"), "%s", report());
    thole_unref(&parent);
    cr_expect_null(strstr(report(), "looks leaked"), "%s", report()); /* they may end soon */
    thole_test_advance_clock(3 * SECOND);
    EXPECT_REPORT("looks leaked: 16 of 16 outlive the child logger that they were made of");
    thole_test_advance_clock(SECOND);
    thole_info(child[0], "still at work");
    cr_assert_eq(thole_flush(10000), 0);
    cr_expect_null(strstr(report(), "looks leaked"), "%s", report());
    give_back(child, 16);
}

THL_TEST(census, names_a_child_that_is_silent_for_an_hour)
{
    thole_logger child[2];

    start();
    make_job(&child[0], 0);
    make_job(&child[1], 1);
    thole_unref(&child[0]); /* its author knows how */
    thole_test_advance_clock(3599 * SECOND);
    cr_expect_null(strstr(report(), "looks leaked"), "%s", report());
    thole_test_advance_clock(2 * SECOND);
    EXPECT_REPORT("looks leaked: 1 of 1 have been silent for more than 3600 s");
    thole_info(child[1], "alive");
    cr_assert_eq(thole_flush(10000), 0);
    cr_expect_null(strstr(report(), "looks leaked"), "%s", report());
    thole_unref(&child[1]);
}

THL_TEST(census, names_connections_that_are_more_than_descriptors)
{
    thole_logger child[MANY];

    start();
    for (int i = 0; i < MANY; i++)
        make(&child[i], i);
    thole_test_advance_clock(2 * SECOND);
    EXPECT_REPORT("looks leaked: none of 64 was ever given back, and the process has ");
    give_back(child, MANY);
}

THL_TEST(census, sees_those_that_are_forgotten_now_and_then)
{
    enum { FORGOTTEN = 16, EVERY = 10 };
    thole_logger child[FORGOTTEN], other;

    start();
    for (int i = 0; i < FORGOTTEN * EVERY; i++) {
        thole_logger *at = i % EVERY ? &other : &child[i / EVERY];
        make_job(at, i);
        if (i % EVERY == 1)
            thole_test_advance_clock(2 * SECOND); /* how long they live */
        if (at == &other)
            thole_unref(&other);
    }
    thole_test_advance_clock(17 * SECOND);
    cr_expect_null(strstr(report(), "looks leaked"), "%s", report());
    thole_test_advance_clock(2 * SECOND);
    EXPECT_REPORT("looks leaked: 16 of 16 have been silent for 20 s and more; of those given back "
                  "none lived for longer than 3 s");
    give_back(child, FORGOTTEN);
}

/* ---- at the end, and after a fork ---- */

static int
leave_three(const void *arg)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "stdout:"};
    thole_logger child;

    (void)arg;
    CAPTURED_CHECK(thole_start(&opt) == 0);
    for (int i = 0; i < 2; i++)
        make(&child, i);
    thole_child(&child, thole_get("net"), "other", 1);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(census, is_in_the_log_at_stop_when_children_remain)
{
    struct captured c;

    captured_run(&c, leave_three, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_not_null(strstr(c.out, "\"msg\":\"children left at stop\",\"count\":3,"), "%s",
                       c.out);
    cr_expect_not_null(strstr(c.out, "\"msg\":\"children left by site\",\"src\":\"census.c:41\","
                                     "\"live\":2,\"peak\":2,\"oldest\":0,"
                                     "\"sample\":\"conn=0 peer=10.0.0.7:4123\"}"),
                       "%s", c.out);
    cr_expect_not_null(strstr(c.out, "\"sample\":\"other=1\""), "%s", c.out);
}

static int
look_after_fork(const void *arg)
{
    thole_logger child[3];
    int status;

    (void)arg;
    setenv("THOLE_SINKS", "memory:", 1);
    for (int i = 0; i < 3; i++)
        make(&child[i], i);
    thole_unref(&child[0]);
    pid_t pid = fork();
    if (pid == 0) {
        thole_unref(&child[1]);
        make(&child[1], 7);
        _exit(thole_report(STDOUT_FILENO) == 0 ? 0 : 1);
    }
    CAPTURED_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    return 0;
}

THL_TEST(census, of_a_forked_process_counts_what_came_along_once)
{
    struct captured c;

    captured_run(&c, look_after_fork, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_not_null(strstr(c.out, "census.c:41: 2 live, 2 peak, 3 made"), "%s", c.out);
}
