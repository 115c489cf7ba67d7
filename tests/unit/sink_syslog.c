/* SPDX-License-Identifier: MIT */
/* syslog: against receivers that stop, restart, move and change their type. */
#include "test.h"

#include "socket_kit.h"

extern const struct thole_sink_ops thl_sink_syslog;

static const struct thole_sink_ops *const ops = &thl_sink_syslog;

THL_TEST(sink_syslog, each_record_is_one_datagram_without_a_trailer)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM);
    static struct batch b;
    size_t done;
    void *sink = must_open(ops, path);

    add(&b, "<30>one");
    add(&b, "<30>three");
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(done, 2u);
    cr_expect_str_eq(receive(receiver), "<30>one");
    cr_expect_str_eq(receive(receiver), "<30>three");
    cr_expect_str_eq(receive(receiver), "");
    ops->close(sink);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog, identity_is_the_path_behind_links)
{
    const char *folder = make_folder(), *path = path_in(folder, "log"),
               *link = path_in(folder, "l");

    fill_file(path, "");
    cr_assert_eq(symlink(path, link), 0);
    cr_expect_str_eq(identity_of(ops, link), identity_of(ops, path));
    cr_expect_str_eq(identity_of(ops, "/no/such/log"), "syslog:/no/such/log");
    cr_expect_str_eq(identity_of(ops, ""), identity_of(ops, "/dev/log"));
    remove_folder(folder);
}

THL_TEST(sink_syslog, missing_and_dead_sockets_are_errors_of_open)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    void *sink = NULL;

    cr_expect_eq(open_with(ops, path, NULL, NULL, &sink), -ENOENT);
    close(listen_at(path, SOCK_DGRAM));
    cr_expect_eq(open_with(ops, path, NULL, NULL, &sink), -ECONNREFUSED);
    int odd = listen_at(path, SOCK_SEQPACKET);
    cr_expect_eq(open_with(ops, path, NULL, NULL, &sink), -EPROTOTYPE);
    close(odd);
    unlink(path);
    fill_file(path, "");
    cr_expect_eq(open_with(ops, path, NULL, NULL, &sink), -ENOTSOCK);
    cr_expect_null(sink);
    remove_folder(folder);
}

THL_TEST(sink_syslog, restarted_receiver_misses_nothing)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM);
    static struct batch b;
    size_t done;
    void *sink = must_open(ops, path);

    cr_expect_eq(write_text(ops, sink, "before"), 0);
    cr_expect_str_eq(receive(receiver), "before");
    close(receiver);
    add(&b, "first");
    add(&b, "second");
    cr_expect_eq(write_all(ops, sink, &b, &done), -ECONNREFUSED);
    cr_expect_eq(done, 0u);
    unlink(path);
    cr_expect_eq(write_all(ops, sink, &b, &done), -ENOENT);
    cr_expect_eq(done, 0u);
    receiver = listen_at(path, SOCK_DGRAM);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_str_eq(receive(receiver), "first");
    cr_expect_str_eq(receive(receiver), "second");
    close(receiver);
    receiver = listen_at(path, SOCK_DGRAM); /* while nobody was writing: not even an error */
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_str_eq(receive(receiver), "first");
    cr_expect_str_eq(receive(receiver), "second");
    cr_expect_str_eq(receive(receiver), "");
    close(receiver);
    ops->close(sink);
    remove_folder(folder);
}

/* What the machinery does before a write, once a second: whether it opened anew. */
static bool
look(void *sink)
{
    return ops->wants_reopen(sink) && ops->reopen(sink) == 0;
}

THL_TEST(sink_syslog, path_bound_anew_is_followed_while_the_old_receiver_lives)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int old = listen_at(path, SOCK_DGRAM);
    void *sink = must_open(ops, path);

    cr_expect_not(look(sink));
    int receiver = listen_at(path, SOCK_DGRAM);
    cr_expect(look(sink));
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(receiver), "one");
    cr_expect_str_eq(receive(old), "");
    cr_expect_not(look(sink), "the path leads where it is connected to");
    ops->close(sink);
    close(old);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog, path_bound_anew_by_one_that_died_keeps_the_living_receiver)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int old = listen_at(path, SOCK_DGRAM);
    void *sink = must_open(ops, path);

    close(listen_at(path, SOCK_DGRAM));
    for (unsigned i = 0; i < 3; i++) {
        cr_expect(ops->wants_reopen(sink), "it is asked for until it succeeds");
        cr_expect_eq(ops->reopen(sink), -ECONNREFUSED);
        cr_expect_eq(write_text(ops, sink, "one"), 0);
        cr_expect_str_eq(receive(old), "one");
    }
    int receiver = listen_at(path, SOCK_STREAM);
    cr_expect(look(sink));
    cr_expect_eq(write_text(ops, sink, "two"), 0);
    int stream = accept4(receiver, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    cr_expect_str_eq(receive(stream), "two");
    cr_expect_str_eq(receive(old), "");
    ops->close(sink);
    close(old);
    close(receiver);
    close(stream);
    remove_folder(folder);
}

THL_TEST(sink_syslog, path_that_is_gone_keeps_the_living_receiver)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM);
    void *sink = must_open(ops, path);

    unlink(path);
    cr_expect_not(ops->wants_reopen(sink), "there is nothing to open");
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(receiver), "one");
    cr_expect_eq(ops->reopen(sink), -ENOENT);
    cr_expect_eq(write_text(ops, sink, "two"), 0);
    cr_expect_str_eq(receive(receiver), "two");
    ops->close(sink);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog, full_queue_says_so_and_goes_on_where_it_stopped)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM);
    static struct batch b;
    static struct batch rest;
    size_t done, more;
    char want[16];
    long quickest = 10000;
    void *sink = must_open(ops, path);

    for (unsigned i = 0; i < KIT_BATCH; i++)
        add_numbered(&b, i, 7, '.');
    int rc = write_all(ops, sink, &b, &done);
    if (rc == 0) {
        close(receiver);
        ops->close(sink);
        remove_folder(folder);
        cr_skip_test("net.unix.max_dgram_qlen is above %d here", KIT_BATCH);
    }
    cr_expect_eq(rc, -EAGAIN);
    /* The quickest of three, for the machine may be busy. */
    for (unsigned i = 0; i < 3; i++) {
        long begin = now_ms();
        cr_expect_eq(ops->write(sink, b.record + done, 1, &more), -EAGAIN);
        quickest = now_ms() - begin < quickest ? now_ms() - begin : quickest;
    }
    cr_expect(quickest >= 90 && quickest <= 300, "waited %ld ms", quickest);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(want, sizeof(want), "%06u.", i);
        cr_expect_str_eq(receive(receiver), want);
    }
    for (size_t i = done; i < done + 3; i++)
        add_bytes(&rest, b.record[i].bytes, b.record[i].size);
    cr_expect_eq(write_all(ops, sink, &rest, &more), 0);
    for (unsigned i = 3; i < done + 3; i++) {
        snprintf(want, sizeof(want), "%06u.", i);
        cr_expect_str_eq(receive(receiver), want);
    }
    cr_expect_str_eq(receive(receiver), "");
    ops->close(sink);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog, record_that_is_too_big_does_not_stop_the_next)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM);
    static char big[300 * 1024];
    struct thole_sink_record records[] = {{big, 10, THOLE_INFO, 0},
                                          {big + 10, sizeof(big) - 10, THOLE_INFO, 0}};
    size_t done;
    void *sink = must_open(ops, path);

    memset(big, 'x', sizeof(big));
    cr_expect_eq(ops->write(sink, records, 2, &done), -EMSGSIZE);
    cr_expect_eq(done, 1u);
    cr_expect_eq(write_text(ops, sink, "next"), 0);
    cr_expect_str_eq(receive(receiver), "xxxxxxxxxx");
    cr_expect_str_eq(receive(receiver), "next");
    ops->close(sink);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog, stolen_descriptor_is_left_alone_and_replaced)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    const char *victim = path_in(folder, "victim");
    int receiver = listen_at(path, SOCK_DGRAM), ends[2];
    void *sink = must_open(ops, path);

    fill_file(victim, "precious");
    int fd = steal(find_sender(receiver), victim);
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(receiver), "one");
    expect_file(victim, "precious");
    close(fd);
    /* A socket of the same kind in its place: only the inode tells. */
    fd = find_sender(receiver);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    steal_for(fd, ends[1]);
    cr_expect_eq(write_text(ops, sink, "two"), 0);
    cr_expect_str_eq(receive(receiver), "two");
    cr_expect_str_eq(receive(ends[0]), "");
    ops->close(sink);
    close(ends[0]);
    close(fd);
    close(receiver);
    remove_folder(folder);
}

/* The name is long as well: sun_path has no room for it behind any folder's descriptor. */
THL_TEST(sink_syslog, path_longer_than_a_socket_address_is_reached)
{
    const char *folder = make_folder();
    char deep[200] = "", name[86] = "", path[512];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memset(deep, 'd', sizeof(deep) - 1);
    memset(name, 'n', sizeof(name) - 1);
    cr_assert_eq(mkdir(path_in(folder, deep), 0700), 0);
    int at = open(path_in(folder, deep), O_PATH | O_CLOEXEC);
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", at, name);
    snprintf(path, sizeof(path), "%s/%s/%s", folder, deep, name);
    cr_assert_eq(bind(receiver, (struct sockaddr *)&a, sizeof(a)), 0, "%s", strerror(errno));
    void *sink = must_open(ops, path);
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(receiver), "one");
    close(at);
    close(receiver);
    ops->close(sink);
    remove_folder(folder);
}

/* ---- stream receivers ---- */

static int
accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    cr_assert_geq(fd, 0, "%s", strerror(errno));
    return fd;
}

THL_TEST(sink_syslog, stream_receiver_gets_records_ended_by_nul)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int listener = listen_at(path, SOCK_STREAM);
    static struct batch b;
    char got[32] = "";
    size_t done;
    void *sink = must_open(ops, path);
    int receiver = accept_one(listener);

    add(&b, "one");
    add(&b, "three");
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(done, 2u);
    cr_expect_eq(recv(receiver, got, sizeof(got), 0), 10);
    cr_expect_eq(memcmp(got, "one\0three\0", 10), 0);
    ops->close(sink);
    close(receiver);
    close(listener);
    remove_folder(folder);
}

THL_TEST(sink_syslog, receiver_may_come_back_as_the_other_type)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM);
    char got[32] = "";
    void *sink = must_open(ops, path);

    close(receiver);
    int listener = listen_at(path, SOCK_STREAM), rc = -EAGAIN;
    for (unsigned tries = 0; rc == -EAGAIN && tries < 3; tries++)
        rc = write_text(ops, sink, "to stream");
    cr_expect_eq(rc, 0);
    receiver = accept_one(listener);
    cr_expect_eq(recv(receiver, got, sizeof(got), 0), 10);
    cr_expect_eq(memcmp(got, "to stream\0", 10), 0);
    close(receiver);
    close(listener);
    receiver = listen_at(path, SOCK_DGRAM);
    rc = -EAGAIN;
    for (unsigned tries = 0; rc == -EAGAIN && tries < 3; tries++)
        rc = write_text(ops, sink, "to dgram");
    cr_expect_eq(rc, 0);
    cr_expect_str_eq(receive(receiver), "to dgram");
    ops->close(sink);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog, full_stream_tears_no_record)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int listener = listen_at(path, SOCK_STREAM);
    static struct batch b;
    static char got[6 * 9001];
    const size_t each = 9000, lines = 6;
    size_t size = 0, next = 0, done;
    unsigned full = 0;
    void *sink = must_open(ops, path);
    int receiver = accept_one(listener);

    narrow(find_sender(listener));
    while (size < lines * (each + 1)) {
        b.n = b.used = 0;
        for (size_t i = next; i < lines && i < next + 8; i++)
            add_numbered(&b, (unsigned)i, each, '!');
        int rc = b.n ? write_all(ops, sink, &b, &done) : -EAGAIN;
        next += b.n ? done : 0;
        cr_assert(rc == 0 || rc == -EAGAIN, "%s", strerror(-rc));
        full += rc == -EAGAIN;
        if (rc == 0)
            continue;
        size_t most = sizeof(got) - size < 60013 ? sizeof(got) - size : 60013;
        ssize_t n = recv(receiver, got + size, most, 0);
        size += n > 0 ? (size_t)n : 0;
    }
    cr_expect_gt(full, 1u);
    for (size_t i = 0; i < lines; i++) {
        cr_assert_eq(strtoul(got + i * (each + 1), NULL, 10), i);
        cr_assert_eq(strlen(got + i * (each + 1)), each, "record %zu", i);
    }
    ops->close(sink);
    close(receiver);
    close(listener);
    remove_folder(folder);
}

THL_TEST(sink_syslog, restarted_stream_receiver_gets_the_record_from_its_first_byte)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int listener = listen_at(path, SOCK_STREAM);
    static struct batch b;
    static char got[64 * 1024];
    size_t done = 1;
    void *sink = must_open(ops, path);
    int receiver = accept_one(listener), rc = 0;
    unsigned next = 0;

    narrow(find_sender(listener));
    while (rc == 0) {
        b.n = b.used = 0;
        add_numbered(&b, next, 50000, '!');
        rc = write_all(ops, sink, &b, &done);
        next += (unsigned)done;
    }
    cr_expect_eq(rc, -EAGAIN);
    cr_expect_gt(recv(receiver, got, sizeof(got), 0), 0, "nothing of it went out: no test");
    close(receiver);
    close(listener);
    listener = listen_at(path, SOCK_STREAM);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    receiver = accept_one(listener);
    cr_expect_eq(recv(receiver, got, sizeof(got), 0), 50001);
    cr_expect_eq(strtoul(got, NULL, 10), next);
    ops->close(sink);
    close(receiver);
    close(listener);
    remove_folder(folder);
}
