/* SPDX-License-Identifier: MIT */
/* memory: and null:, and the calls of <thole/test.h> that look into the first. */
#include "test.h"

#include <thole/test.h>

#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_memory, thl_sink_null;

static const struct thole_sink_ops *const ops = &thl_sink_memory;

THL_TEST(sink_memory, lines_are_what_was_written_since_the_clear)
{
    void *sink = must_open(ops, "");

    thole_test_clear();
    cr_expect_str_eq(thole_test_lines(), "");
    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    cr_expect_str_eq(thole_test_lines(), "one\ntwo\n");
    cr_expect_eq(write_text(ops, sink, "three\n"), 0);
    cr_expect_str_eq(thole_test_lines(), "one\ntwo\nthree\n");
    thole_test_clear();
    cr_expect_str_eq(thole_test_lines(), "");
    ops->close(sink);
}

THL_TEST(sink_memory, lines_stay_the_same_while_more_are_written)
{
    void *sink = must_open(ops, "");

    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    const char *lines = thole_test_lines();
    for (unsigned i = 0; i < 5000; i++)
        cr_assert_eq(write_text(ops, sink, "more\n"), 0);
    cr_expect_str_eq(lines, "one\n");
    ops->close(sink);
    thole_test_clear();
}

THL_TEST(sink_memory, sixteen_mebibytes_are_the_end)
{
    static struct batch b;
    void *sink = must_open(ops, "");
    size_t done = 0, total = 0;
    int rc = 0;

    for (unsigned i = 0; i < 64; i++)
        add_numbered(&b, i, 1000, '\n');
    for (unsigned i = 0; rc == 0 && i < 1000; i++) {
        rc = write_all(ops, sink, &b, &done);
        total += done;
    }
    cr_expect_eq(rc, -EMSGSIZE);
    cr_expect_lt(done, 64u);
    cr_expect(total * 1000 <= 16u << 20 && (total + 1) * 1000 > 16u << 20);
    cr_expect_eq(strlen(thole_test_lines()), total * 1000);
    thole_test_clear();
    cr_expect_eq(write_text(ops, sink, "room again\n"), 0);
    cr_expect_str_eq(thole_test_lines(), "room again\n");
    ops->close(sink);
    thole_test_clear();
}

THL_TEST(sink_memory, all_its_sinks_are_one_store)
{
    void *a = must_open(ops, ""), *b = must_open(ops, "");

    cr_expect_str_eq(identity_of(ops, ""), "memory:");
    cr_expect_eq(write_text(ops, a, "a\n"), 0);
    cr_expect_eq(write_text(ops, b, "b\n"), 0);
    ops->close(a);
    ops->close(b);
    cr_expect_str_eq(thole_test_lines(), "a\nb\n", "and outlives them");
    thole_test_clear();
}

THL_TEST(sink_memory, shows_what_a_program_logs_and_which_children_live)
{
    struct thole_options options = {.size = sizeof(options), .sinks = "memory:", .log = "info"};
    thole_logger child;

    cr_assert_eq(thole_start(&options), 0);
    cr_expect_eq(thole_test_live_children(), 0u);
    thole_child(&child, thole_get("net"), "conn", 42);
    thole_info(child, "request done");
    cr_expect_not_null(strstr(thole_test_lines(), "\"msg\":\"request done\",\"conn\":42}\n"));
    cr_expect_eq(thole_test_live_children(), 1u);
    thole_unref(&child);
    cr_expect_eq(thole_test_live_children(), 0u);
    cr_expect_eq(thole_stop(5000), 0);
    thole_test_clear();
}

THL_TEST(sink_memory, null_takes_all_and_keeps_nothing)
{
    static struct batch b;
    size_t done = 0;
    void *sink = must_open(&thl_sink_null, "");

    add(&b, "one\n");
    add(&b, "two\n");
    cr_expect_eq(write_all(&thl_sink_null, sink, &b, &done), 0);
    cr_expect_eq(done, 2u);
    cr_expect_str_eq(identity_of(&thl_sink_null, ""), "null:");
    cr_expect_eq(thl_sink_null.flags, 0u);
    thl_sink_null.close(sink);
}
