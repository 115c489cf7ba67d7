/* SPDX-License-Identifier: MIT */
/* fault:, whose calls do what a script says. */
#include "test.h"

#include <thole/test.h>

#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_fault;

static const struct thole_sink_ops *const ops = &thl_sink_fault;

static void *
must_open_script(const char *key, const char *script)
{
    void *sink = NULL;

    cr_assert_null(ops->check(key, script), "%s", script);
    cr_assert_eq(open_with(ops, "", key, script, &sink), 0);
    return sink;
}

static void
expect_writes(void *sink, const int *results, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(write_text(ops, sink, "line\n"), results[i], "write %zu", i);
}

THL_TEST(sink_fault, each_write_takes_the_next_step_and_all_is_well_at_the_end)
{
    static const int results[] = {0, 0, -EAGAIN, -EAGAIN, -ENOSPC, 0, -EMSGSIZE, 0, 0};
    void *sink = must_open_script("write", "ok*2,EAGAIN*2,ENOSPC,ok,EMSGSIZE");

    expect_writes(sink, results, sizeof(results) / sizeof(results[0]));
    cr_expect_str_eq(thole_test_lines(), "line\nline\nline\nline\nline\n");
    ops->close(sink);
    thole_test_clear();
}

THL_TEST(sink_fault, without_a_script_is_memory)
{
    void *sink = must_open(ops, "");

    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_str_eq(thole_test_lines(), "one\n");
    ops->close(sink);
    thole_test_clear();
}

THL_TEST(sink_fault, inf_lasts)
{
    void *sink = must_open_script("write", "ok,EIO*inf,ok");

    cr_expect_eq(write_text(ops, sink, "line\n"), 0);
    for (int i = 0; i < 100000; i++)
        cr_assert_eq(write_text(ops, sink, "line\n"), -EIO);
    ops->close(sink);
    thole_test_clear();
}

THL_TEST(sink_fault, short_takes_the_first_half_and_says_how_many)
{
    static struct batch b;
    void *sink = must_open_script("write", "short*2,EMSGSIZE");
    size_t done = 99;

    add(&b, "1\n");
    add(&b, "2\n");
    add(&b, "3\n");
    add(&b, "4\n");
    add(&b, "5\n");
    cr_expect_eq(write_all(ops, sink, &b, &done), -EAGAIN);
    cr_expect_eq(done, 2u);
    cr_expect_str_eq(thole_test_lines(), "1\n2\n");
    done = 99;
    cr_expect_eq(ops->write(sink, b.record, 1, &done), -EAGAIN, "of one there is no half");
    cr_expect_eq(done, 0u);
    done = 99;
    cr_expect_eq(write_all(ops, sink, &b, &done), -EMSGSIZE);
    cr_expect_eq(done, 0u);
    cr_expect_str_eq(thole_test_lines(), "1\n2\n");
    ops->close(sink);
    thole_test_clear();
}

THL_TEST(sink_fault, stall_ends_by_itself_or_when_it_is_told)
{
    void *sink = must_open_script("write", "stall=1,stall*2,stall=60000");
    long before = now_ms();

    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    cr_expect_geq(now_ms(), before + 1);
    for (int i = 0; i < 3; i++) { /* else the test would take 80 seconds, and be ended */
        thole_test_end_stall();
        cr_expect_eq(write_text(ops, sink, "more\n"), 0);
    }
    cr_expect_str_eq(thole_test_lines(), "one\nmore\nmore\nmore\n");
    ops->close(sink);
    thole_test_clear();
}

THL_TEST(sink_fault, opens_that_fail_are_counted_on)
{
    void *sink = NULL;

    for (int i = 0; i < 2; i++)
        cr_expect_eq(open_with(ops, "", "open", "ENOENT*2,EACCES", &sink), -ENOENT);
    cr_expect_eq(open_with(ops, "", "open", "ENOENT*2,EACCES", &sink), -EACCES);
    cr_expect_null(sink);
    cr_expect_eq(open_with(ops, "", "open", "ENOENT*2,EACCES", &sink), 0);
    cr_assert_not_null(sink);
    ops->close(sink);
}

THL_TEST(sink_fault, reopens_fail_on_their_own_script)
{
    void *sink = must_open_script("reopen", "ok,EACCES");

    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_eq(ops->reopen(sink), -EACCES);
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_eq(write_text(ops, sink, "all along\n"), 0);
    ops->close(sink);
    thole_test_clear();
}

THL_TEST(sink_fault, begins_anew_when_it_was_closed)
{
    for (int i = 0; i < 3; i++) {
        void *sink = must_open_script("write", "EIO");

        cr_expect_eq(write_text(ops, sink, "line\n"), -EIO);
        cr_expect_eq(write_text(ops, sink, "line\n"), 0);
        ops->close(sink);
    }
    thole_test_clear();
}

THL_TEST(sink_fault, two_names_are_two_sinks_with_a_count_each)
{
    void *a, *b;

    cr_expect_str_eq(identity_of(ops, ""), "fault:");
    cr_expect_str_eq(identity_of(ops, "a"), "fault:a");
    cr_assert_eq(open_with(ops, "a", "write", "EIO", &a), 0);
    cr_assert_eq(open_with(ops, "b", "write", "EIO", &b), 0);
    cr_expect_neq(a, b);
    cr_expect_eq(write_text(ops, a, "a\n"), -EIO);
    cr_expect_eq(write_text(ops, a, "a\n"), 0);
    cr_expect_eq(write_text(ops, b, "b\n"), -EIO);
    cr_expect_eq(write_text(ops, b, "b\n"), 0);
    cr_expect_str_eq(thole_test_lines(), "a\nb\n");
    ops->close(a);
    ops->close(b);
    thole_test_clear();
}

THL_TEST(sink_fault, more_than_it_can_hold_are_refused_and_closed_ones_make_room)
{
    void *sink[64];
    char name[16];
    int n = 0;

    for (; n < 64; n++) {
        snprintf(name, sizeof(name), "n%d", n);
        int rc = open_with(ops, name, NULL, NULL, &sink[n]);
        if (rc == -EMFILE)
            break;
        cr_assert_eq(rc, 0);
    }
    cr_expect(n >= 16 && n < 64);
    ops->close(sink[3]);
    sink[3] = must_open(ops, "again");
    for (int i = 0; i < n; i++)
        ops->close(sink[i]);
}

THL_TEST(sink_fault, scripts_that_are_none_are_refused_and_the_others_taken)
{
    static const char *const good[] = {
        "",      "ok",      "ok*3",          "EAGAIN",  "EAGAIN*inf",
        "stall", "stall=1", "stall=60000*2", "short*2", "ok*1000000,EIO",
    };
    static const char *const bad[] = {
        "okay",
        "ok*",
        "ok*0",
        "ok*1000001",
        "ok*-1",
        "ok*x",
        "ok*3x",
        "ok,",
        ",ok",
        "ok,,ok",
        "ok, ok",
        "EAGIAN",
        "EAGAINX",
        "E",
        "eagain",
        "stall=",
        "stall=0",
        "stall=60001",
        "stall=1s",
        "short=1",
        "*3",
        "inf",
        "ok*99999999999999999999",
        "EWHATEVER",
    };
    char longest[400];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect_null(ops->check("write", good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not_null(ops->check("write", bad[i]), "%s", bad[i]);
    cr_expect_not_null(ops->check("open", "short"), "an open is never short");
    cr_expect_not_null(ops->check("reopen", "ok,short"));
    for (size_t i = 0; i + 1 < sizeof(longest); i++)
        longest[i] = "ok,"[i % 3];
    longest[254] = '\0'; /* ends with "ok" */
    cr_expect_null(ops->check("write", longest));
    longest[254] = ',';
    longest[257] = '\0';
    cr_expect_not_null(ops->check("write", longest));
}

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
THL_TEST(sink_fault, errors_have_the_numbers_of_their_names)
{
    static const int wanted[] = {EAGAIN, ENOSPC, EMSGSIZE, EIO, EPIPE, ECONNREFUSED, ENOBUFS};
    void *sink;
    int known = 0;

    for (int e = 1; e < 134; e++) {
        const char *name = strerrorname_np(e);
        if (!name || ops->check("open", name) != NULL)
            continue;
        cr_expect_eq(open_with(ops, name, "open", name, &sink), -e, "%s", name);
        known++;
    }
    cr_expect_geq(known, 30);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        cr_expect_null(ops->check("write", strerrorname_np(wanted[i])));
}
#endif
