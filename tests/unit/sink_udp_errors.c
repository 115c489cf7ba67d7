/* SPDX-License-Identifier: MIT */
/* udp: errors of the socket and of earlier datagrams, what they are called, and names that move. */
#include "test.h"

#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "scripted_send.h"
#include "socket_kit.h"

extern const struct thole_sink_ops thl_sink_udp;

static const struct thole_sink_ops *const ops = &thl_sink_udp;

/* ---- a name server and a clock of the test's own ---- */

static struct {
    unsigned asked;        /* lookups of names */
    int fails;             /* with this EAI_... */
    const char *is, *also; /* the addresses of "moved.test", in this order */
    long later_s;          /* than it really is */
} world = {.is = "127.0.0.1"};

typedef int (*getaddrinfo_fn)(const char *host, const char *port, const struct addrinfo *hints,
                              struct addrinfo **found);

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
            struct addrinfo **found)
{
    getaddrinfo_fn real;
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &symbol, sizeof(real));
    if (hints->ai_flags & AI_NUMERICHOST)
        return real(host, port, hints, found);
    world.asked++;
    if (world.fails)
        return world.fails;
    if (strcmp(host, "moved.test") != 0)
        return EAI_NONAME;
    int rc = real(world.is, port, hints, found);
    if (rc == 0 && world.also)
        rc = real(world.also, port, hints, &(*found)->ai_next);
    return rc;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_MONOTONIC_COARSE)
        now->tv_sec += world.later_s;
    return rc;
}

/* ---- receivers ---- */

static int
try_open(const char *host, uint16_t port, void **sink)
{
    char digits[8];
    struct thole_sink_uri uri = {
        .text = "udp:", .scheme = "udp", .path = "", .host = host, .port = digits};
    snprintf(digits, sizeof(digits), "%u", port);
    return ops->open(&uri, sink);
}

static void *
open_to(const char *host, uint16_t port)
{
    void *sink = NULL;
    int rc = try_open(host, port, &sink);
    cr_assert_eq(rc, 0, "open %s: %s", host, strerror(-rc));
    return sink;
}

/* At 127.0.0.`last`. */
static int
listen_on_other(unsigned last, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + last);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0, "%s", strerror(errno));
    return fd;
}

static uint16_t
sender_port(int receiver)
{
    struct sockaddr_in a = {0};
    socklen_t size = sizeof(a);
    cr_assert_eq(getsockname(find_sender(receiver), (struct sockaddr *)&a, &size), 0);
    return a.sin_port;
}

/* ---- words ---- */

THL_TEST(sink_udp_errors, each_has_words_of_its_own)
{
    static const int errors[] = {ENXIO,         ETIMEDOUT,    EINVAL,      EACCES,
                                 EADDRNOTAVAIL, EAFNOSUPPORT, ENETUNREACH, EHOSTUNREACH};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        const char *text = ops->explain(errors[i]);
        cr_expect(text && strcmp(text, strerror(errors[i])) != 0);
    }
    cr_expect_str_eq(ops->explain(ENXIO), "no such host");
    cr_expect_null(ops->explain(EMFILE), "the C library's words will do");
}

THL_TEST(sink_udp_errors, names_fail_in_two_ways_and_addresses_are_never_asked_for)
{
    void *sink = NULL;

    cr_expect_eq(try_open("nowhere.test", 514, &sink), -ENXIO);
    cr_expect_eq(world.asked, 1u);
    world.fails = EAI_AGAIN;
    cr_expect_eq(try_open("nowhere.test", 514, &sink), -ETIMEDOUT);
    world.fails = EAI_FAIL;
    cr_expect_eq(try_open("nowhere.test", 514, &sink), -ETIMEDOUT);
    world.asked = 0;
    ops->close(open_to("127.0.0.1", 514));
    cr_expect_eq(try_open("fe80::1%no-such-zone", 514, &sink), -ENXIO);
    if (try_open("::1", 514, &sink) == 0)
        ops->close(sink);
    cr_expect_eq(world.asked, 0u);
}

/* ---- IPv6 ---- */

THL_TEST(sink_udp_errors, zone_of_an_address_may_stand_behind_an_escaped_percent_sign)
{
    char plain[64], escaped[64];
    struct thole_sink_uri uri = {
        .text = "udp:", .scheme = "udp", .path = "", .host = "fe80::1%lo", .port = "514"};

    cr_assert_eq(ops->identify(&uri, plain, sizeof(plain)), 0);
    cr_expect_str_eq(plain, "udp:[fe80::1%lo]:514");
    uri.host = "fe80::1%25lo";
    cr_assert_eq(ops->identify(&uri, escaped, sizeof(escaped)), 0);
    cr_expect_str_eq(escaped, plain);
    cr_expect_eq(world.asked, 0u);
}

THL_TEST(sink_udp_errors, local_address_without_its_zone_is_an_error_of_open)
{
    void *sink = NULL;
    uint16_t port = 0;
    int receiver = listen_on(AF_INET6, &port);

    if (receiver < 0)
        cr_skip_test("no IPv6 here");
    cr_expect_eq(try_open("fe80::1", port, &sink), -EINVAL);
    close(receiver);
}

THL_TEST(sink_udp_errors, ipv6_takes_twenty_bytes_more)
{
    static char big[65528];
    uint16_t port = 0;
    int receiver = listen_on(AF_INET6, &port);
    struct thole_sink_record records[] = {{big, 65527, THOLE_INFO, 0}, {big, 65528, THOLE_INFO, 0}};
    size_t done;

    if (receiver < 0)
        cr_skip_test("no IPv6 here");
    void *sink = open_to("::1", port);
    memset(big, 'x', sizeof(big));
    cr_expect_eq(ops->write(sink, records, 2, &done), -EMSGSIZE);
    cr_expect_eq(done, 1u);
    cr_expect_eq(write_text(ops, sink, "next"), 0);
    cr_expect_eq(recv(receiver, big, sizeof(big), 0), 65527);
    cr_expect_str_eq(receive(receiver), "next");
    ops->close(sink);
    close(receiver);
}

/* ---- errors of the socket ---- */

THL_TEST(sink_udp_errors, error_of_the_socket_keeps_the_record_for_a_fresh_one)
{
    static const int errors[] = {ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL,
                                 EPERM,       EINVAL,       EACCES};
    static struct batch b;
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    size_t done;

    add(&b, "one");
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        void *sink = open_to("127.0.0.1", port);
        uint16_t before = sender_port(receiver);
        SEND_SCRIPT(errors[i], errors[i]);
        done = 9;
        cr_expect_eq(write_all(ops, sink, &b, &done), -errors[i]);
        cr_expect_eq(done, 0u);
        cr_expect_eq(sender_port(receiver), before, "not before the next try");
        send_left = 0;
        cr_expect_eq(write_all(ops, sink, &b, &done), 0);
        cr_expect_neq(sender_port(receiver), before, "%s", strerror(errors[i]));
        cr_expect_str_eq(receive(receiver), "one");
        cr_expect_str_eq(receive(receiver), "");
        uint16_t after = sender_port(receiver);
        cr_expect_eq(write_all(ops, sink, &b, &done), 0);
        cr_expect_eq(sender_port(receiver), after, "a good one is kept");
        receive(receiver);
        ops->close(sink);
    }
    close(receiver);
}

THL_TEST(sink_udp_errors, socket_stays_while_no_descriptor_is_to_be_had)
{
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    void *sink = open_to("127.0.0.1", port);
    uint16_t before = sender_port(receiver);
    struct rlimit limit = take_all_descriptors();

    cr_expect_eq(ops->reopen(sink), -EMFILE);
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_str_eq(receive(receiver), "one");
    cr_expect_eq(sender_port(receiver), before);
    ops->close(sink);
    close(receiver);
}

/* ---- errors of earlier datagrams ---- */

THL_TEST(sink_udp_errors, datagram_that_an_earlier_ones_error_displaced_is_sent_once_more)
{
    static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, EACCES, ENOPROTOOPT};
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        void *sink = open_to("127.0.0.1", port);
        SEND_SCRIPT(errors[i]);
        cr_expect_eq(write_text(ops, sink, "one"), 0);
        cr_expect_eq(sends, 2u);
        cr_expect_str_eq(receive(receiver), "one");
        cr_expect_str_eq(receive(receiver), "");
        ops->close(sink);
    }
    close(receiver);
}

/* A refusal that comes too late to be seen by who sent the datagram: each send tells of the one
 * before. */
THL_TEST(sink_udp_errors, third_refusal_in_a_row_sends_no_more_until_the_next_try)
{
    static struct batch b;
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    size_t done = 9;
    void *sink = open_to("127.0.0.1", port);

    add(&b, "one");
    const int e = ECONNREFUSED;
    SEND_SCRIPT(e, 0, e, 0, e, 0, e, 0, e, 0, e, 0, e, 0, 0, 0, 0, e, 0);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(write_all(ops, sink, &b, &done), -ECONNREFUSED);
    cr_expect_eq(done, 0u);
    cr_expect_eq(sends, 5u, "not sent again");
    for (unsigned i = 0; i < 4; i++) {
        cr_expect_eq(write_all(ops, sink, &b, &done), 0, "a probe");
        cr_expect_eq(write_all(ops, sink, &b, &done), -ECONNREFUSED, "and what became of it");
    }
    cr_expect_eq(sends, 13u);
    for (unsigned i = 0; i < 4; i++)
        cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0, "trust has come back");
    cr_expect_eq(sends, 19u);
    ops->close(sink);
    close(receiver);
}

static void
ignore_tick(int number)
{
    (void)number;
}

THL_TEST(sink_udp_errors, watch_for_a_refusal_is_not_cut_short_by_signals)
{
    const struct itimerval every_5_ms = {{0, 5000}, {0, 5000}}, never = {0};
    const struct sigaction act = {.sa_handler = ignore_tick};
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    void *sink = open_to("127.0.0.1", port);

    SEND_SCRIPT(ECONNREFUSED);
    cr_assert_eq(sigaction(SIGALRM, &act, NULL), 0);
    cr_assert_eq(setitimer(ITIMER_REAL, &every_5_ms, NULL), 0);
    long begin = now_ms();
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_geq(now_ms() - begin, 45);
    setitimer(ITIMER_REAL, &never, NULL);
    ops->close(sink);
    close(receiver);
}

/* ---- names that move ---- */

THL_TEST(sink_udp_errors, name_is_looked_up_again_after_three_failed_tries)
{
    uint16_t port = 0;
    int old = listen_on(AF_INET, &port), receiver = listen_on_other(2, port);
    void *sink = open_to("moved.test", port);

    world.is = "127.0.0.2";
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(old), "one");
    close(old);
    cr_expect_eq(write_text(ops, sink, "lost, and no one can tell"), 0);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(world.asked, 1u);
        cr_expect_eq(write_text(ops, sink, "two"), -ECONNREFUSED);
    }
    cr_expect_eq(write_text(ops, sink, "two"), 0);
    cr_expect_eq(world.asked, 2u);
    cr_expect_str_eq(receive(receiver), "two");
    cr_expect_str_eq(receive(receiver), "");
    ops->close(sink);
    close(receiver);
}

THL_TEST(sink_udp_errors, name_that_cannot_be_looked_up_keeps_its_address)
{
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    void *sink = open_to("moved.test", port);

    close(receiver);
    world.fails = EAI_AGAIN;
    cr_expect_eq(write_text(ops, sink, "lost, and no one can tell"), 0);
    for (unsigned i = 0; i < 7; i++)
        cr_expect_eq(write_text(ops, sink, "one"), -ECONNREFUSED);
    cr_expect_eq(world.asked, 3u);
    cr_expect_eq(ops->reopen(sink), -ETIMEDOUT);
    receiver = listen_on(AF_INET, &port);
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(receiver), "one");
    ops->close(sink);
    close(receiver);
}

THL_TEST(sink_udp_errors, name_is_looked_up_every_few_minutes_for_nobody_tells_that_it_moved)
{
    uint16_t port = 0;
    int old = listen_on(AF_INET, &port), receiver = listen_on_other(2, port);
    void *sink = open_to("moved.test", port);

    world.is = "127.0.0.2";
    world.later_s = 239;
    cr_expect_not(ops->wants_reopen(sink));
    world.later_s = 361;
    cr_expect(ops->wants_reopen(sink));
    world.fails = EAI_AGAIN;
    cr_expect_eq(ops->reopen(sink), -ETIMEDOUT);
    cr_expect_not(ops->wants_reopen(sink), "a name server that is silent is left in peace");
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(old), "one");
    world.fails = 0;
    world.later_s = 722;
    cr_expect(ops->wants_reopen(sink));
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_not(ops->wants_reopen(sink));
    cr_expect_eq(write_text(ops, sink, "two"), 0);
    cr_expect_str_eq(receive(receiver), "two");
    cr_expect_str_eq(receive(old), "");
    ops->close(sink);
    close(old);
    close(receiver);
}

THL_TEST(sink_udp_errors, address_stays_while_it_is_one_of_the_names)
{
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port), other = listen_on_other(2, port);
    void *sink = open_to("moved.test", port);

    world.is = "127.0.0.2";
    world.also = "127.0.0.1";
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(receiver), "one");
    cr_expect_str_eq(receive(other), "");
    ops->close(sink);
    close(other);
    close(receiver);
}

/* The resolver's locks may have been held at the fork. */
THL_TEST(sink_udp_errors, forked_process_asks_no_name_server_until_it_opens_its_own)
{
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port), status = -1;
    void *sink = open_to("moved.test", port);
    pid_t pid = fork();

    if (pid == 0) {
        world.later_s = 10000;
        bool asks = ops->wants_reopen(sink) || ops->reopen(sink) != 0 || world.asked != 1;
        _exit(asks);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0);
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_eq(world.asked, 2u);
    ops->close(sink);
    close(receiver);
}

THL_TEST(sink_udp_errors, address_wants_no_look_up)
{
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    void *sink = open_to("127.0.0.1", port);

    world.later_s = 10000;
    cr_expect_not(ops->wants_reopen(sink));
    close(receiver);
    cr_expect_eq(write_text(ops, sink, "lost, and no one can tell"), 0);
    for (unsigned i = 0; i < 5; i++)
        cr_expect_eq(write_text(ops, sink, "one"), -ECONNREFUSED);
    cr_expect_eq(world.asked, 0u);
    ops->close(sink);
}
