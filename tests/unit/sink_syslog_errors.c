/* SPDX-License-Identifier: MIT */
/* syslog: the kernel's errors, what they are called, and another root folder. */
#include "test.h"

#include <sys/wait.h>

#include "scripted_send.h"
#include "socket_kit.h"

extern const struct thole_sink_ops thl_sink_syslog;

static const struct thole_sink_ops *const ops = &thl_sink_syslog;

THL_TEST(sink_syslog_errors, each_has_words_of_its_own)
{
    static const int errors[] = {ENOENT, ECONNREFUSED, ENOTSOCK, EPROTOTYPE, EAGAIN, EACCES};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        const char *text = ops->explain(errors[i]);
        cr_expect(text && strcmp(text, strerror(errors[i])) != 0);
    }
    cr_expect_not_null(strstr(ops->explain(ENOENT), "no socket there"));
    cr_expect_not_null(strstr(ops->explain(ECONNREFUSED), "nobody listens"));
    cr_expect_null(ops->explain(EMFILE), "the C library's words will do");
}

/* ---- memory of the kernel ---- */

THL_TEST(sink_syslog_errors, kernel_without_memory_is_asked_three_times_and_the_record_kept)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM);
    static struct batch b;
    size_t done = 9;
    void *sink = must_open(ops, path);

    SEND_SCRIPT(ENOBUFS, EINTR, ENOMEM);
    cr_expect_eq(write_text(ops, sink, "third"), 0);
    cr_expect_eq(sends, 4u);
    cr_expect_str_eq(receive(receiver), "third");
    add(&b, "first");
    add(&b, "second");
    SEND_SCRIPT(0, ENOBUFS, ENOBUFS, ENOBUFS, ENOBUFS); /* with others behind the first, alone */
    cr_expect_eq(write_all(ops, sink, &b, &done), -EAGAIN);
    cr_expect_eq(done, 1u);
    cr_expect_eq(sends, 5u);
    cr_expect_str_eq(receive(receiver), "first");
    cr_expect_str_eq(receive(receiver), "");
    ops->close(sink);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog_errors, kernel_short_of_memory_is_waited_for_within_one_writes_time)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM), script[4 * KIT_BATCH];
    static struct batch b;
    size_t done = 0;
    long quickest = 10000;
    void *sink = must_open(ops, path);

    for (size_t i = 0; i < KIT_BATCH; i++) {
        script[4 * i] = script[4 * i + 1] = ENOMEM;
        script[4 * i + 2] = 0;
        script[4 * i + 3] = ENOMEM; /* of the next, together with those behind it */
        add(&b, "x");
    }
    /* The quickest of three, for the machine may be busy. */
    for (unsigned i = 0; i < 3; i++) {
        long begin = now_ms();
        set_send_script(script, sizeof(script));
        cr_expect_eq(write_all(ops, sink, &b, &done), -EAGAIN);
        cr_expect(done > 0 && done < 10, "%zu", done);
        quickest = now_ms() - begin < quickest ? now_ms() - begin : quickest;
        while (*receive(receiver))
            continue;
    }
    cr_expect_leq(quickest, 1000);
    ops->close(sink);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog_errors, error_that_a_new_connection_does_not_heal_is_told_as_it_is)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int receiver = listen_at(path, SOCK_DGRAM);
    size_t done = 9;
    static struct batch b;
    void *sink = must_open(ops, path);
    int fd = find_sender(receiver);

    add(&b, "one");
    SEND_SCRIPT(EACCES);
    cr_expect_eq(write_all(ops, sink, &b, &done), -EACCES);
    cr_expect(done == 0 && sends == 1);
    cr_expect_eq(find_sender(receiver), fd, "it keeps its connection");
    SEND_SCRIPT(ENOTCONN);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_neq(find_sender(receiver), fd);
    cr_expect_str_eq(receive(receiver), "one");
    ops->close(sink);
    close(receiver);
    remove_folder(folder);
}

THL_TEST(sink_syslog_errors, connection_stays_while_no_descriptor_is_to_be_had)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int old = listen_at(path, SOCK_DGRAM);
    void *sink = must_open(ops, path);
    int receiver = listen_at(path, SOCK_DGRAM);
    struct rlimit limit = take_all_descriptors();

    cr_expect(ops->wants_reopen(sink));
    cr_expect_eq(ops->reopen(sink), -EMFILE);
    cr_expect_eq(write_text(ops, sink, "one"), 0);
    cr_expect_str_eq(receive(old), "one");
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_eq(write_text(ops, sink, "two"), 0);
    cr_expect_str_eq(receive(receiver), "two");
    ops->close(sink);
    close(old);
    close(receiver);
    remove_folder(folder);
}

/* ---- another root folder ---- */

enum { SKIPPED = 99 };
#define HOLD(claim)                                                                                \
    if (!(claim))                                                                                  \
    return __LINE__ % SKIPPED

static int
write_one(void *sink, const char *text)
{
    const struct thole_sink_record r = {text, strlen(text), THOLE_INFO, 0};
    size_t done;

    return ops->write(sink, &r, 1, &done);
}

/* In a process of its own; what does not hold is its status. */
static int
live_in_the_jail(const char *folder, const char *path)
{
    int receiver = listen_at(path, SOCK_DGRAM);
    void *sink = must_open(ops, path);

    if (chroot(folder) < 0 || chdir("/") < 0)
        return SKIPPED;
    HOLD(!ops->wants_reopen(sink));
    HOLD(write_one(sink, "one") == 0 && strcmp(receive(receiver), "one") == 0);
    HOLD(ops->reopen(sink) == -ENOENT);
    HOLD(write_one(sink, "two") == 0 && strcmp(receive(receiver), "two") == 0);
    /* The receiver restarts: it is out of reach, for ever as far as anyone knows. */
    close(receiver);
    receiver = listen_at("log", SOCK_DGRAM);
    for (int i = 0; i < 50; i++) {
        HOLD(write_one(sink, "three") == -ENOENT);
        HOLD(!ops->wants_reopen(sink));
    }
    HOLD(strcmp(receive(receiver), "") == 0);
    /* Unless somebody makes one inside. */
    HOLD(mkdir("/tmp", 0700) == 0);
    char inside[256];
    snprintf(inside, sizeof(inside), "%.*s", (int)(strrchr(path, '/') - path), path);
    HOLD(mkdir(inside, 0700) == 0);
    int jailed = listen_at(path, SOCK_DGRAM);
    HOLD(write_one(sink, "four") == 0 && strcmp(receive(jailed), "four") == 0);
    close(jailed);
    close(receiver);
    ops->close(sink);
    return 0;
}

THL_TEST(sink_syslog_errors, connection_from_before_a_chroot_goes_on_and_its_end_is_an_error)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    int status = -1;
    pid_t pid = fork();

    cr_assert_geq(pid, 0);
    if (pid == 0)
        _exit(live_in_the_jail(folder, path));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    remove_folder(folder);
    cr_expect(WIFEXITED(status), "status %x", (unsigned)status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        cr_skip_test("chroot is not allowed here");
    cr_expect_eq(status, 0, "line %d of this file, modulo %d", WEXITSTATUS(status), SKIPPED);
}
