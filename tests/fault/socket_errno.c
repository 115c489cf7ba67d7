/* SPDX-License-Identifier: MIT */
/*
 * What syslog: and udp: do themselves about each errno of send(2) and connect(2), before the outbox
 * hears of it. Rows of the errno policy that DESIGN.md overrides are tested as it says:
 *
 *   EAGAIN, ENOBUFS and ENOMEM keep the record for ever, they do not drop it after some time or
 *   some tries (2.6: "the rest is offered again"); the outbox decides what its queue has no room
 *   for;
 *   EMSGSIZE is never shortened and sent again: the record has its bound (size=) before it comes,
 *   and one that is refused all the same is dropped as too_big.
 *
 * That a name is looked up again after three failed tries: unit/sink_udp_errors.c.
 */
#include "test.h"

#include "scripted.h"
#include "sink_kit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

extern const struct thole_sink_ops thl_sink_syslog, thl_sink_udp;

/* A sink in front of a real receiver. */
struct pair {
    const struct thole_sink_ops *ops;
    void *sink;
    int receiver;   /* a stream's: what listens */
    int connection; /* of a stream, the latest; -1 */
    const char *folder;
};

enum kind { DGRAM, STREAM, UDP };

static int
listen_at(const char *path, int type)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    unlink(path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0, "%s", strerror(errno));
    cr_assert(type == SOCK_DGRAM || listen(fd, 8) == 0);
    return fd;
}

static void
open_udp(struct pair *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    char port[8];
    struct thole_sink_uri uri = {.text = "udp:", .scheme = "udp", .path = "", .host = "127.0.0.1"};

    p->receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(p->receiver, (struct sockaddr *)&a, size), 0);
    cr_assert_eq(getsockname(p->receiver, (struct sockaddr *)&a, &size), 0);
    snprintf(port, sizeof(port), "%d", ntohs(a.sin_port));
    uri.port = port;
    cr_assert_eq(p->ops->open(&uri, &p->sink), 0);
}

static void
open_pair(struct pair *p, enum kind kind)
{
    *p = (struct pair){.ops = kind == UDP ? &thl_sink_udp : &thl_sink_syslog, .connection = -1};
    if (kind == UDP) {
        open_udp(p);
        return;
    }
    p->folder = make_folder();
    p->receiver = listen_at(path_in(p->folder, "log"), kind == DGRAM ? SOCK_DGRAM : SOCK_STREAM);
    p->sink = must_open(p->ops, path_in(p->folder, "log"));
    if (kind == STREAM)
        p->connection = accept4(p->receiver, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void
close_pair(struct pair *p)
{
    p->ops->close(p->sink);
    close(p->receiver);
    if (p->connection >= 0)
        close(p->connection);
    if (p->folder)
        remove_folder(p->folder);
}

/* All that has come and was not asked for before, each record ended by '|'. */
static const char *
receive(struct pair *p)
{
    static char text[8192];
    size_t size = 0;
    ssize_t n;
    int fd = p->connection < 0 ? -1 : accept4(p->receiver, NULL, NULL, SOCK_CLOEXEC);

    if (p->connection < 0) {
        while ((n = recv(p->receiver, text + size, sizeof(text) - size - 1, MSG_DONTWAIT)) >= 0) {
            size += (size_t)n;
            text[size++] = '|';
        }
    } else {
        if (fd >= 0) { /* a new connection: nothing more comes over the old one */
            close(p->connection);
            p->connection = fd;
        }
        n = recv(p->connection, text, sizeof(text) - 1, MSG_DONTWAIT);
        size = n > 0 ? (size_t)n : 0;
        for (size_t i = 0; i < size; i++)
            text[i] = text[i] == '\0' ? '|' : text[i];
    }
    text[size] = '\0';
    return text;
}

/* Writes "one" and "two" at once; *done says how many went out. */
static int
write_two(struct pair *p, size_t *done)
{
    static struct batch b;

    b.n = b.used = 0;
    add(&b, "one");
    add(&b, "two");
    return write_all(p->ops, p->sink, &b, done);
}

/* ---- what an errno of the first send must lead to ---- */

struct wanted {
    unsigned times;           /* that the send fails */
    int rc;                   /* of that write */
    unsigned sends, connects; /* made by it */
    const char *come;         /* by then */
};

/* Afterwards all is well: what that write left comes with the next, once and in order. */
static void
expect(enum kind kind, int error, const struct wanted *w)
{
    struct pair p;
    size_t done = 7;

    open_pair(&p, kind);
    scripted_fail(SEND, error, w->times);
    scripted_fail(CONNECT, 0, 0);
    int rc = write_two(&p, &done);
    unsigned sends = scripted_count(SEND), connects = scripted_count(CONNECT);
    cr_expect_eq(rc, w->rc, "%s", strerror(-rc));
    cr_expect_eq(done, w->rc == 0 ? 2u : 0u);
    cr_expect_eq(sends, w->sends, "%u sends", sends);
    cr_expect_eq(connects, w->connects, "%u connects", connects);
    cr_expect_str_eq(receive(&p), w->come);
    if (w->rc == -EMSGSIZE)
        cr_expect_eq(write_text(p.ops, p.sink, "two"), 0, "that one alone is lost");
    else if (w->rc < 0)
        cr_expect_eq(write_two(&p, &done), 0, "the rest is offered again");
    if (w->rc < 0)
        cr_expect_str_eq(receive(&p), w->rc == -EMSGSIZE ? "two|" : "one|two|");
    close_pair(&p);
}

/* Sent again in the same call, over the same connection. */
static void
expect_again(enum kind kind, int error)
{
    expect(kind, error, &(struct wanted){3, 0, 5, 0, "one|two|"});
}

/* The caller keeps the record, and offers it again soon: nothing else is done about it. */
static void
expect_soon(enum kind kind, int error)
{
    expect(kind, error, &(struct wanted){1, -EAGAIN, 1, 0, ""});
}

/* Tried three times, some milliseconds apart, and then kept for soon. */
static void
expect_three_tries(enum kind kind, int error)
{
    expect(kind, error, &(struct wanted){2, 0, 4, 0, "one|two|"});
    expect(kind, error, &(struct wanted){3, -EAGAIN, 3, 0, ""});
}

/* It may belong to an earlier datagram, and took this one's place: sent again once over the same
 * socket, which is as good as before. */
static void
expect_second_try(enum kind kind, int error)
{
    expect(kind, error, &(struct wanted){1, 0, 3, 0, "one|two|"});
    expect(kind, error, &(struct wanted){2, -error, 2, 0, ""});
}

/* Connected anew and sent again at once; should that fail as well, it is the outbox's. */
static void
expect_fresh_connection(enum kind kind, int error)
{
    expect(kind, error, &(struct wanted){1, 0, 3, 1, "one|two|"});
    expect(kind, error, &(struct wanted){2, -error, 2, 1, ""});
}

/* Handed to the outbox, which holds off: no second send, no connection. */
static void
expect_back_off(enum kind kind, int error)
{
    expect(kind, error, &(struct wanted){1, -error, 1, 0, ""});
}

#define ERRNO(kind, claim, expectation, which, error)                                              \
    THL_TEST(errno_##kind, claim)                                                                  \
    {                                                                                              \
        expectation(which, error);                                                                 \
    }

ERRNO(dgram, eintr_is_sent_again, expect_again, DGRAM, EINTR)
ERRNO(dgram, eagain_with_room_is_sent_again, expect_again, DGRAM, EAGAIN)
ERRNO(dgram, enobufs_is_tried_thrice, expect_three_tries, DGRAM, ENOBUFS)
ERRNO(dgram, enomem_is_tried_thrice, expect_three_tries, DGRAM, ENOMEM)
ERRNO(dgram, emsgsize_costs_that_record_alone, expect_back_off, DGRAM, EMSGSIZE)
ERRNO(dgram, econnrefused_connects_anew, expect_fresh_connection, DGRAM, ECONNREFUSED)
ERRNO(dgram, enotconn_connects_anew, expect_fresh_connection, DGRAM, ENOTCONN)
ERRNO(dgram, enoent_connects_anew, expect_fresh_connection, DGRAM, ENOENT)
ERRNO(dgram, epipe_connects_anew, expect_fresh_connection, DGRAM, EPIPE)
ERRNO(dgram, econnreset_connects_anew, expect_fresh_connection, DGRAM, ECONNRESET)
ERRNO(dgram, edestaddrreq_connects_anew, expect_fresh_connection, DGRAM, EDESTADDRREQ)
ERRNO(dgram, ebadf_connects_anew, expect_fresh_connection, DGRAM, EBADF)
ERRNO(dgram, eacces_is_held_off, expect_back_off, DGRAM, EACCES)
ERRNO(dgram, eperm_is_held_off, expect_back_off, DGRAM, EPERM)
ERRNO(dgram, eprototype_is_held_off, expect_back_off, DGRAM, EPROTOTYPE)

ERRNO(stream, eintr_is_sent_again, expect_again, STREAM, EINTR)
ERRNO(stream, epipe_connects_anew, expect_fresh_connection, STREAM, EPIPE)
ERRNO(stream, econnreset_connects_anew, expect_fresh_connection, STREAM, ECONNRESET)
ERRNO(stream, enotconn_connects_anew, expect_fresh_connection, STREAM, ENOTCONN)
ERRNO(stream, econnrefused_connects_anew, expect_fresh_connection, STREAM, ECONNREFUSED)
ERRNO(stream, ebadf_connects_anew, expect_fresh_connection, STREAM, EBADF)
ERRNO(stream, eagain_is_kept_for_soon, expect_soon, STREAM, EAGAIN)
ERRNO(stream, enobufs_is_kept, expect_back_off, STREAM, ENOBUFS)
ERRNO(stream, enomem_is_kept, expect_back_off, STREAM, ENOMEM)
ERRNO(stream, eacces_is_held_off, expect_back_off, STREAM, EACCES)

ERRNO(udp, eintr_is_sent_again, expect_again, UDP, EINTR)
ERRNO(udp, eagain_with_room_is_sent_again, expect_again, UDP, EAGAIN)
ERRNO(udp, enobufs_is_tried_thrice, expect_three_tries, UDP, ENOBUFS)
ERRNO(udp, enomem_is_tried_thrice, expect_three_tries, UDP, ENOMEM)
ERRNO(udp, emsgsize_costs_that_record_alone, expect_back_off, UDP, EMSGSIZE)
ERRNO(udp, enotconn_opens_anew, expect_fresh_connection, UDP, ENOTCONN)
ERRNO(udp, enoent_opens_anew, expect_fresh_connection, UDP, ENOENT)
ERRNO(udp, epipe_opens_anew, expect_fresh_connection, UDP, EPIPE)
ERRNO(udp, econnreset_opens_anew, expect_fresh_connection, UDP, ECONNRESET)
ERRNO(udp, edestaddrreq_opens_anew, expect_fresh_connection, UDP, EDESTADDRREQ)
ERRNO(udp, ebadf_opens_anew, expect_fresh_connection, UDP, EBADF)
ERRNO(udp, enetunreach_is_held_off, expect_back_off, UDP, ENETUNREACH)
ERRNO(udp, ehostunreach_is_sent_again_once, expect_second_try, UDP, EHOSTUNREACH)
ERRNO(udp, enetdown_is_held_off, expect_back_off, UDP, ENETDOWN)
ERRNO(udp, eaddrnotavail_is_held_off, expect_back_off, UDP, EADDRNOTAVAIL)
ERRNO(udp, eperm_is_held_off, expect_back_off, UDP, EPERM)
ERRNO(udp, eacces_is_sent_again_once, expect_second_try, UDP, EACCES)
ERRNO(udp, econnrefused_is_sent_again_once, expect_second_try, UDP, ECONNREFUSED)

/* ---- a kernel that says there is room and takes nothing ---- */

static void
expect_deadline(enum kind kind)
{
    struct pair p;
    size_t done;

    open_pair(&p, kind);
    scripted_fail(SEND, EAGAIN, FOR_EVER);
    long begin = now_ms();
    cr_expect_eq(write_two(&p, &done), -EAGAIN);
    cr_expect_lt(now_ms() - begin, 5000);
    scripted_count(SEND);
    cr_expect_eq(done, 0u);
    cr_expect_eq(write_two(&p, &done), 0);
    cr_expect_str_eq(receive(&p), "one|two|");
    close_pair(&p);
}

THL_TEST(errno_dgram, eagain_that_stays_is_the_outboxes_after_its_time)
{
    expect_deadline(DGRAM);
}

THL_TEST(errno_udp, eagain_that_stays_is_the_outboxes_after_its_time)
{
    expect_deadline(UDP);
}

/* ---- connect ---- */

/* The connection that the errno of a send asks for fails in its turn: that errno is the outbox's.
 */
static void
expect_connect_error(enum kind kind, int lost, int error)
{
    struct pair p;
    size_t done = 7;

    open_pair(&p, kind);
    scripted_fail(SEND, lost, 1);
    scripted_fail(CONNECT, error, FOR_EVER);
    cr_expect_eq(write_two(&p, &done), -error);
    cr_expect_eq(scripted_count(SEND), 1u);
    cr_expect_leq(scripted_count(CONNECT), error == EPROTOTYPE ? 2u : 1u);
    cr_expect_eq(done, 0u);
    cr_expect_str_eq(receive(&p), "");
    cr_expect_eq(write_two(&p, &done), 0, "the old connection is kept, and was good");
    cr_expect_str_eq(receive(&p), "one|two|");
    close_pair(&p);
}

THL_TEST(errno_connect, of_a_datagram_receiver_is_held_off_with_the_old_connection_kept)
{
    static const int errors[] = {ENOENT, ECONNREFUSED, EACCES, EPERM, ENOTCONN, EPROTOTYPE};

    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        expect_connect_error(DGRAM, ECONNREFUSED, errors[i]);
}

THL_TEST(errno_connect, of_a_stream_receiver_is_held_off_with_the_old_connection_kept)
{
    static const int errors[] = {ENOENT, ECONNREFUSED, EACCES, EPERM, EAGAIN, EPROTOTYPE};

    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        expect_connect_error(STREAM, EPIPE, errors[i]);
}

THL_TEST(errno_connect, of_udp_is_held_off_with_the_old_socket_kept)
{
    static const int errors[] = {ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL, EPERM, EACCES};

    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        expect_connect_error(UDP, ENOTCONN, errors[i]);
}

/* The receiver has come back as a stream: the kernel itself says EPROTOTYPE. */
THL_TEST(errno_connect, eprototype_takes_the_other_type_and_loses_nothing)
{
    struct pair p;
    size_t done;
    int rc = -EAGAIN;

    open_pair(&p, DGRAM);
    close(p.receiver);
    p.receiver = listen_at(path_in(p.folder, "log"), SOCK_STREAM);
    scripted_fail(CONNECT, 0, 0);
    for (int tries = 0; rc == -EAGAIN && tries < 3; tries++)
        rc = write_two(&p, &done);
    cr_expect_eq(rc, 0);
    cr_expect_leq(scripted_count(CONNECT), 2u);
    p.connection = accept4(p.receiver, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    cr_assert_geq(p.connection, 0);
    cr_expect_str_eq(receive(&p), "one|two|");
    close_pair(&p);
}
