/* SPDX-License-Identifier: MIT */
/* Children that a test leaves behind, in words, and the one line that fails it. */
#include "test.h"

static const char *said; /* by the line below, where it fails */
#define THOLE_TEST_FAIL(text) (said = (text))

#include <stdarg.h>
#include <stdio.h>
#include <thole/test.h>
#include <thole/thole.h>

static void __attribute__((format(printf, 2, 3)))
expect_text(const char *text, const char *fmt, ...)
{
    char wanted[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(wanted, sizeof(wanted), fmt, args);
    va_end(args);
    cr_expect_str_eq(text, wanted);
}

static void
give_back(thole_logger *children, int n)
{
    for (int i = 0; i < n; i++)
        thole_unref(&children[i]);
}

THL_TEST(leaks, no_children_are_no_text_and_no_failure)
{
    thole_logger child;

    said = NULL;
    cr_expect_str_eq(thole_test_leaks(), "");
    thole_child(&child, thole_get("net"), "conn", 1);
    thole_unref(&child);
    cr_expect_str_eq(thole_test_leaks(), "");
    THOLE_TEST_NO_LEAKS();
    cr_expect_null(said);
}

THL_TEST(leaks, are_named_by_their_call_site_with_the_context_of_one)
{
    thole_logger child[4];
    const int line = __LINE__;

    for (int i = 0; i < 2; i++)
        thole_child(&child[i], thole_get("net"), "conn", 17 + i, "peer", "10.0.0.7:4123");
    thole_child(&child[2], thole_get("net"));
    thole_child(&child[3], child[0], "text", "a \"b\"\n\033[1mc");
    said = NULL;
    THOLE_TEST_NO_LEAKS();
    cr_assert_not_null(said);
    expect_text(said,
                "4 child loggers leaked: leaks.c:%d holds 2 (conn=17 peer=10.0.0.7:4123), "
                "leaks.c:%d holds 1, leaks.c:%d holds 1 (conn=17 peer=10.0.0.7:4123 "
                "text=\"a \\\"b\\\"\\x0a\\x1b[1mc\")",
                line + 3, line + 4, line + 5);
    give_back(child, 4);
    cr_expect_str_eq(thole_test_leaks(), "");
}

THL_TEST(leaks, show_a_child_as_it_is_now)
{
    thole_logger child;

    const int line = __LINE__ + 1;
    thole_child(&child, thole_get("net"), "conn", 1);
    thole_bind(&child, "client", "alice");
    expect_text(thole_test_leaks(),
                "1 child logger leaked: leaks.c:%d holds 1 (conn=1 client=alice)", line);
    thole_unref(&child);
}

THL_TEST(leaks, of_a_long_context_show_the_fields_that_fit)
{
    thole_logger child[2];
    char text[400];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    const int line = __LINE__ + 1;
    thole_child(&child[0], thole_get("net"), "conn", 1, "text", text);
    expect_text(thole_test_leaks(), "1 child logger leaked: leaks.c:%d holds 1 (conn=1)", line);
    thole_unref(&child[0]);
    thole_child(&child[1], thole_get("net"), "text", text);
    expect_text(thole_test_leaks(), "1 child logger leaked: leaks.c:%d holds 1", line + 3);
    thole_unref(&child[1]);
}

/* A line that makes a child each. */
#define MAKE(i)                                                                                    \
    case i:                                                                                        \
        thole_child(&child[i], thole_get("net"), "n", i, "text", text);                            \
        break;

THL_TEST(leaks, of_many_sites_are_all_counted_and_named_as_far_as_there_is_room)
{
    enum { N = 18 };
    thole_logger child[N];
    char text[150];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < N; i++) {
        switch (i) {
            MAKE(0)
            MAKE(1)
            MAKE(2)
            MAKE(3)
            MAKE(4)
            MAKE(5)
            MAKE(6)
            MAKE(7)
            MAKE(8)
            MAKE(9)
            MAKE(10)
            MAKE(11)
            MAKE(12)
            MAKE(13)
            MAKE(14)
            MAKE(15)
            MAKE(16)
            MAKE(17)
        default:
            break;
        }
    }
    const char *leaks = thole_test_leaks();
    cr_expect_eq(strncmp(leaks, "18 child loggers leaked: leaks.c:", 33), 0, "%s", leaks);
    cr_expect(strlen(leaks) > 1500 && strlen(leaks) < 2048);
    cr_expect_eq(leaks[strlen(leaks) - 1], ')', "whole sites: %s", leaks);
    give_back(child, N);
    THOLE_TEST_NO_LEAKS();
    cr_expect_null(said);
}
