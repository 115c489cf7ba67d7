/* SPDX-License-Identifier: MIT */
/* Rules down to one connection: conditions of THOLE_LOG, and which rule speaks for a child. */
#include "test.h"
#include "captured.h"
#include "observe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <thole/test.h>
#include <thole/thole.h>

static void
start(const char *log)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "memory:"};

    setenv("THOLE_LOG", log, 1);
    cr_assert_eq(thole_start(&opt), 0);
}

/* A child of `name` with a peer: an address of either family. */
static thole_logger
connect_from(const char *name, const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    thole_logger child;

    if (inet_pton(AF_INET, address, &in.sin_addr) == 1) {
        thole_child(&child, thole_get(name), "peer", thole_addr((const void *)&in, sizeof(in)));
    } else {
        cr_assert_eq(inet_pton(AF_INET6, address, &in6.sin6_addr), 1, "%s", address);
        thole_child(&child, thole_get(name), "peer", thole_addr((const void *)&in6, sizeof(in6)));
    }
    return child;
}

/* The level of a handle; the gate says the same. */
static int
level_of(thole_logger lg)
{
    enum thole_level threshold = thole_get_level(lg);

    for (unsigned level = THOLE_TRACE; level <= THOLE_EMERG; level++)
        if (thole_enabled(lg, (enum thole_level)level) != (level >= threshold))
            return -1;
    return (int)threshold;
}

THL_TEST(rules, of_three_peers_the_one_that_is_named_is_traced)
{
    static const char *const peers[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};

    start("info,echod.conn{peer=127.0.0.2/32}=trace");
    for (size_t i = 0; i < 3; i++) {
        thole_logger conn = connect_from("echod.conn", peers[i], (uint16_t)(4000 + i));
        thole_trace(conn, "traced");
        thole_info(conn, "told");
        thole_unref(&conn);
    }
    const char *lines = thole_test_lines();
    cr_expect_eq(captured_count(lines, "\"msg\":\"told\""), 3u, "%s", lines);
    cr_expect_eq(captured_count(lines, "\"msg\":\"traced\""), 1u, "%s", lines);
    cr_expect_eq(captured_count(lines, "\"msg\":\"traced\",\"peer\":\"127.0.0.2:4001\""), 1u, "%s",
                 lines);
}

THL_TEST(rules, address_matches_in_both_families_with_and_without_port)
{
    static const struct {
        const char *address;
        uint16_t port;
        int level;
    } rows[] = {
        {"10.1.2.3", 1, THOLE_TRACE},
        {"::ffff:10.1.2.3", 1, THOLE_TRACE},
        {"11.1.2.3", 1, THOLE_INFO},
        {"::ffff:11.1.2.3", 1, THOLE_INFO},
        {"2001:db8::9", 1, THOLE_DEBUG},
        {"2001:db9::9", 1, THOLE_INFO},
        {"192.0.2.1", 80, THOLE_WARN},
        {"192.0.2.1", 81, THOLE_INFO},
        {"::ffff:192.0.2.1", 80, THOLE_WARN},
        {"::1", 443, THOLE_ERROR},
        {"::1", 444, THOLE_INFO},
    };

    start("n{peer=10.0.0.0/8}=trace,n{peer=2001:db8::/32}=debug,n{peer=192.0.2.1:80}=warn,"
          "n{peer=[::1]:443}=error");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        thole_logger conn = connect_from("n", rows[i].address, rows[i].port);
        cr_expect_eq(level_of(conn), rows[i].level, "%s port %d: %d", rows[i].address, rows[i].port,
                     level_of(conn));
        thole_unref(&conn);
    }
}

THL_TEST(rules, bind_asks_again)
{
    thole_logger conn, copy;

    start("info,net{client=alice}=trace,net{client=bob,tls=true}=error");
    thole_child(&conn, thole_get("net.http"), "conn", 1);
    copy = conn;
    cr_expect_eq(level_of(conn), THOLE_INFO);
    thole_bind(&conn, "client", "alice");
    cr_expect_eq(level_of(conn), THOLE_TRACE);
    cr_expect_eq(level_of(copy), THOLE_TRACE, "every holder");
    thole_bind(&copy, "client", "bob");
    cr_expect_eq(level_of(conn), THOLE_INFO);
    thole_bind(&conn, "tls", thole_bool(true));
    cr_expect_eq(level_of(conn), THOLE_ERROR);
    thole_unref(&conn);
    thole_bind(&conn, "client", "alice"); /* of a named logger makes one */
    cr_expect_eq(level_of(conn), THOLE_TRACE);
    thole_unref(&conn);
}

THL_TEST(rules, child_of_a_child_matches_by_what_it_inherits)
{
    thole_logger conn, stream;

    start("info,net{conn=17}=debug,net{conn=17,stream=3}=trace");
    thole_child(&conn, thole_get("net"), "conn", 17);
    thole_child(&stream, conn, "stream", 3);
    cr_expect_eq(level_of(conn), THOLE_DEBUG);
    cr_expect_eq(level_of(stream), THOLE_TRACE);
    thole_unref(&stream);
    thole_child(&stream, conn, "stream", 4, "conn", 18);
    cr_expect_eq(level_of(stream), THOLE_INFO);
    thole_unref(&stream);
    thole_unref(&conn);
}

THL_TEST(rules, live_children_follow_a_configure_at_once)
{
    thole_logger conn[100];

    start("info");
    for (int i = 0; i < 100; i++)
        thole_child(&conn[i], thole_get("net"), "conn", i);
    cr_expect_eq(thole_configure("net{conn=17}=trace,net{conn=18}=off"), 0);
    for (int i = 0; i < 100; i++)
        cr_expect_eq(level_of(conn[i]), i == 17 ? THOLE_TRACE : i == 18 ? THOLE_OFF : THOLE_INFO);
    cr_expect_eq(thole_configure("net{conn=18}=debug"), 0);
    cr_expect_eq(level_of(conn[17]), THOLE_INFO);
    cr_expect_eq(level_of(conn[18]), THOLE_DEBUG);
    cr_expect_eq(thole_configure(""), 0);
    for (int i = 0; i < 100; i++) {
        cr_expect_eq(level_of(conn[i]), THOLE_INFO);
        thole_unref(&conn[i]);
    }
}

THL_TEST(rules, own_level_beats_every_rule)
{
    thole_logger conn, part;

    start("info,net{conn=1}=trace");
    thole_child(&conn, thole_get("net"), "conn", 1);
    cr_expect_eq(thole_set_level(conn, THOLE_ERROR), 0);
    thole_child(&part, conn, "part", 1);
    cr_expect_eq(level_of(conn), THOLE_ERROR);
    cr_expect_eq(level_of(part), THOLE_ERROR, "and what is made of it");
    thole_bind(&conn, "x", 1);
    cr_expect_eq(thole_configure("net{conn=1,x=1}=debug"), 0);
    cr_expect_eq(level_of(conn), THOLE_ERROR);
    thole_unref(&part);
    thole_unref(&conn);
}

THL_TEST(rules, level_of_a_named_logger_is_a_rule_of_run_time)
{
    thole_logger conn;

    start("net=debug,net{conn=1}=trace,net.http{conn=2}=off");
    thole_child(&conn, thole_get("net"), "conn", 1);
    cr_expect_eq(thole_set_level(thole_get("net"), THOLE_ERROR), 0);
    cr_expect_eq(level_of(thole_get("net")), THOLE_ERROR, "run time before environment");
    cr_expect_eq(level_of(conn), THOLE_TRACE, "more conditions");
    cr_expect_eq(thole_configure("net{conn=1}=crit"), 0);
    cr_expect_eq(level_of(conn), THOLE_CRIT, "as many, of run time");
    cr_expect_eq(thole_configure("net=alert"), 0);
    cr_expect_eq(level_of(thole_get("net")), THOLE_ALERT, "the later");
    cr_expect_eq(level_of(conn), THOLE_TRACE);
    thole_unref(&conn);
    cr_expect_eq(thole_set_level(thole_get("net.http.x"), THOLE_WARN), 0);
    thole_child(&conn, thole_get("net.http.x"), "conn", 2);
    cr_expect_eq(level_of(conn), THOLE_WARN, "the longer name");
    thole_unref(&conn);
}

THL_TEST(rules, condition_without_a_name_covers_children_of_every_logger)
{
    thole_logger a = connect_from("net", "127.0.0.2", 1), b = connect_from("db", "127.0.0.2", 1);
    thole_logger c = connect_from("", "127.0.0.2", 1), d = connect_from("net", "127.0.0.3", 1);

    cr_assert_eq(thole_configure("warn,{peer=127.0.0.2}=trace"), 0);
    cr_expect_eq(level_of(a), THOLE_TRACE);
    cr_expect_eq(level_of(b), THOLE_TRACE);
    cr_expect_eq(level_of(c), THOLE_TRACE);
    cr_expect_eq(level_of(d), THOLE_WARN);
    cr_expect_eq(level_of(thole_get("net")), THOLE_WARN, "it has no context");
    thole_unref(&a);
    thole_unref(&b);
    thole_unref(&c);
    thole_unref(&d);
}

THL_TEST(rules, stale_handle_answers_as_its_named_logger)
{
    thole_logger conn, stale;

    start("info,net{conn=1}=trace");
    thole_child(&conn, thole_get("net"), "conn", 1);
    stale = conn;
    cr_expect_eq(level_of(stale), THOLE_TRACE);
    thole_unref(&conn);
    cr_expect_eq(level_of(stale), THOLE_INFO);
    thole_trace(stale, "never");
    thole_child(&conn, thole_get("net"), "conn", 1); /* in the same slot */
    cr_expect_eq(level_of(stale), THOLE_INFO);
    cr_expect_eq(level_of(conn), THOLE_TRACE);
    cr_expect_eq(captured_count(thole_test_lines(), "never"), 0u);
    thole_unref(&conn);
}

THL_TEST(rules, quoted_value_may_hold_what_the_grammar_uses)
{
    thole_logger conn;

    start("info,net{user=\"a,b}=c\\\"\\\\\"}=\"trace\",db=off");
    thole_child(&conn, thole_get("net"), "user", "a,b}=c\"\\");
    cr_expect_eq(level_of(conn), THOLE_TRACE);
    cr_expect_eq(level_of(thole_get("db")), THOLE_OFF);
    thole_unref(&conn);
}

THL_TEST(rules, reserved_key_is_found_under_either_spelling)
{
    thole_logger conn;

    start("info,a{level=7}=trace,b{level_=7}=trace");
    thole_child(&conn, thole_get("a"), "level", 7);
    cr_expect_eq(level_of(conn), THOLE_TRACE);
    thole_unref(&conn);
    thole_child(&conn, thole_get("b"), "level", 7);
    cr_expect_eq(level_of(conn), THOLE_TRACE);
    thole_unref(&conn);
}

static int
configure_wrongly(const void *arg)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "memory:"};
    thole_logger conn;

    (void)arg;
    CAPTURED_CHECK(thole_start(&opt) == 0);
    thole_child(&conn, thole_get("net"), "conn", 1);
    CAPTURED_CHECK(thole_configure("net{conn=1}=trace") == 0);
    CAPTURED_CHECK(thole_configure("net{conn=1}=debug,net{peer=10.0.0.0/33}=info") == -EINVAL);
    CAPTURED_CHECK(level_of(conn) == THOLE_TRACE);
    thole_unref(&conn);
    return 0;
}

THL_TEST(rules, wrong_condition_changes_nothing_and_is_pointed_at)
{
    struct captured c;

    captured_run(&c, configure_wrongly, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_not_null(strstr(c.err, "thole_configure:37: bad prefix length \"33\" (0 to 32)"),
                       "%s", c.err);
}

THL_TEST(rules, condition_that_names_thole_does_not_silence_its_notices)
{
    start("info,thole{sink=memory}=off");
    cr_expect_eq(thole_configure("thole{a=1}=off"), 0);
    cr_expect_eq(thole_configure("nonsense"), -EINVAL);
    cr_expect_eq(captured_count(thole_test_lines(), "\"msg\":\"config error\""), 1u);
}
