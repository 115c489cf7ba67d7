/* SPDX-License-Identifier: MIT */
/* udp: against receivers on loopback, present, absent and coming back. */
#include "test.h"

#include "socket_kit.h"

extern const struct thole_sink_ops thl_sink_udp;

static const struct thole_sink_ops *const ops = &thl_sink_udp;

static void
set_uri(struct thole_sink_uri *uri, char digits[8], const char *host, uint16_t port)
{
    snprintf(digits, 8, "%u", port);
    *uri = (struct thole_sink_uri){
        .text = "udp:", .scheme = "udp", .path = "", .host = host, .port = digits};
}

static void *
open_to(const char *host, uint16_t port)
{
    struct thole_sink_uri uri;
    char digits[8];
    void *sink = NULL;
    set_uri(&uri, digits, host, port);
    int rc = ops->open(&uri, &sink);
    cr_assert_eq(rc, 0, "open %s:%s: %s", host, digits, strerror(-rc));
    return sink;
}

static void
expect_delivery(int family, const char *host)
{
    static struct batch b;
    uint16_t port = 0;
    int receiver = listen_on(family, &port);
    size_t done;

    if (receiver < 0)
        cr_skip_test("no loopback of this family here");
    void *sink = open_to(host, port);
    add(&b, "<30>1 one");
    add(&b, "<30>1 three");
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(done, 2u);
    cr_expect_str_eq(receive(receiver), "<30>1 one");
    cr_expect_str_eq(receive(receiver), "<30>1 three");
    cr_expect_str_eq(receive(receiver), "");
    ops->close(sink);
    close(receiver);
}

THL_TEST(sink_udp, each_record_is_one_datagram)
{
    expect_delivery(AF_INET, "127.0.0.1");
}

THL_TEST(sink_udp, reaches_ipv6)
{
    expect_delivery(AF_INET6, "::1");
}

THL_TEST(sink_udp, identity_is_the_resolved_address)
{
    struct thole_sink_uri uri;
    char digits[8], out[64], named[64];

    set_uri(&uri, digits, "0:0::1", 514);
    cr_assert_eq(ops->identify(&uri, out, sizeof(out)), 0);
    cr_expect_str_eq(out, "udp:[::1]:514");
    set_uri(&uri, digits, "127.0.0.1", 9);
    cr_assert_eq(ops->identify(&uri, out, sizeof(out)), 0);
    cr_expect_str_eq(out, "udp:[127.0.0.1]:9");
    uri.port = "";
    cr_assert_eq(ops->identify(&uri, out, sizeof(out)), 0);
    cr_expect_str_eq(out, "udp:[127.0.0.1]:514");
    set_uri(&uri, digits, "localhost", 9);
    cr_assert_eq(ops->identify(&uri, named, sizeof(named)), 0);
    cr_expect(strcmp(named, "udp:[127.0.0.1]:9") == 0 || strcmp(named, "udp:[::1]:9") == 0);
    cr_expect_eq(ops->identify(&uri, out, 8), -ENAMETOOLONG);
}

THL_TEST(sink_udp, host_that_does_not_resolve_is_an_error_of_open)
{
    struct thole_sink_uri uri;
    char digits[8];
    void *sink = NULL;

    set_uri(&uri, digits, "256.0.0.1.", 514);
    cr_expect_eq(ops->open(&uri, &sink), -ENXIO);
    set_uri(&uri, digits, "127.0.0.1", 514);
    uri.port = "no-such-port";
    cr_expect_eq(ops->open(&uri, &sink), -EINVAL);
    cr_expect_null(sink);
}

THL_TEST(sink_udp, default_size_is_the_smallest_ipv6_mtu)
{
    cr_expect_eq(ops->max_record, 1280u - 40u - 8u);
    cr_expect_str_eq(ops->format, "rfc5424");
}

/* The kernel reports a refusal at the *next* send; without care half of what is sent to a closed
 * port counts as written. */
THL_TEST(sink_udp, closed_port_refuses_and_takes_at_most_one_record_with_it)
{
    static struct batch b;
    uint16_t port = 0;
    size_t done, written = 0;
    int receiver = listen_on(AF_INET, &port);
    void *sink = open_to("127.0.0.1", port);

    close(receiver);
    for (unsigned i = 0; i < 10; i++)
        add_numbered(&b, i, 20, '!');
    for (unsigned tries = 0; tries < 5; tries++) {
        cr_expect_eq(ops->write(sink, b.record + written, b.n - written, &done), -ECONNREFUSED);
        written += done;
    }
    cr_expect_leq(written, 1u);
    receiver = listen_on(AF_INET, &port);
    cr_assert_geq(receiver, 0);
    cr_expect_eq(ops->write(sink, b.record + written, b.n - written, &done), 0);
    for (size_t i = written; i < 10; i++)
        cr_expect_eq(strtoul(receive(receiver), NULL, 10), i, "record %zu", i);
    cr_expect_str_eq(receive(receiver), "");
    ops->close(sink);
    close(receiver);
}

THL_TEST(sink_udp, restarted_receiver_goes_on)
{
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    void *sink = open_to("127.0.0.1", port);

    cr_expect_eq(write_text(ops, sink, "one"), 0);
    close(receiver);
    cr_expect_eq(write_text(ops, sink, "lost, and no one can tell"), 0);
    receiver = listen_on(AF_INET, &port);
    cr_expect_eq(write_text(ops, sink, "two"), 0);
    cr_expect_eq(write_text(ops, sink, "three"), 0);
    cr_expect_str_eq(receive(receiver), "two");
    cr_expect_str_eq(receive(receiver), "three");
    cr_expect_str_eq(receive(receiver), "");
    ops->close(sink);
    close(receiver);
}

THL_TEST(sink_udp, record_that_is_too_big_does_not_stop_the_next)
{
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    static char big[66000];
    struct thole_sink_record records[] = {{big, 5, THOLE_INFO, 0}, {big + 5, 65508, THOLE_INFO, 0}};
    size_t done;
    void *sink = open_to("127.0.0.1", port);

    memset(big, 'x', sizeof(big));
    cr_expect_eq(ops->write(sink, records, 2, &done), -EMSGSIZE);
    cr_expect_eq(done, 1u);
    cr_expect_eq(write_text(ops, sink, "next"), 0);
    cr_expect_str_eq(receive(receiver), "xxxxx");
    cr_expect_str_eq(receive(receiver), "next");
    ops->close(sink);
    close(receiver);
}

THL_TEST(sink_udp, stolen_descriptor_is_left_alone_and_replaced)
{
    const char *folder = make_folder(), *victim = path_in(folder, "victim");
    uint16_t port = 0, other = 0;
    int receiver = listen_on(AF_INET, &port);
    void *sink = open_to("127.0.0.1", port);
    int fd = steal(find_sender(receiver), victim), bystander;

    fill_file(victim, "precious");
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    expect_file(victim, "precious");
    close(fd);
    /* A socket of the same kind in its place: only the inode tells. */
    fd = find_sender(receiver);
    bystander = listen_on(AF_INET, &other);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(other)};
    int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(sender, (struct sockaddr *)&a, sizeof(a)), 0);
    steal_for(fd, sender);
    cr_expect_eq(write_text(ops, sink, "two"), 0);
    cr_expect_str_eq(receive(receiver), "one");
    cr_expect_str_eq(receive(receiver), "two");
    cr_expect_str_eq(receive(bystander), "");
    ops->close(sink);
    close(bystander);
    close(fd);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_udp, reopen_takes_a_fresh_socket_and_leaks_none)
{
    uint16_t port = 0;
    int receiver = listen_on(AF_INET, &port);
    void *sink = open_to("127.0.0.1", port);

    for (unsigned i = 0; i < 10; i++)
        cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(receiver), "one");
    ops->close(sink);
    close(receiver);
}
