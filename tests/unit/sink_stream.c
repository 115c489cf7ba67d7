/* SPDX-License-Identifier: MIT */
/* stderr: and stdout: over whatever descriptors 2 and 1 are. */
#include "test.h"

#include <limits.h>
#include <signal.h>
#include <sys/socket.h>

#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_stderr, thl_sink_stdout;

static const struct thole_sink_ops *const ops = &thl_sink_stdout;

/* Descriptor 1 is `fd` for one write; fd -1: it is closed. */
static int
write_as_1(int fd, void *sink, const struct batch *b, size_t *done)
{
    int saved = fcntl(1, F_DUPFD_CLOEXEC, 3);

    if (fd >= 0)
        dup2(fd, 1);
    else
        close(1);
    int rc = write_all(ops, sink, b, done);
    dup2(saved, 1);
    close(saved);
    return rc;
}

THL_TEST(sink_stream, identities_are_the_descriptors)
{
    cr_expect_str_eq(identity_of(&thl_sink_stdout, ""), "fd:1");
    cr_expect_str_eq(identity_of(&thl_sink_stderr, ""), "fd:2");
}

THL_TEST(sink_stream, stderr_is_descriptor_2)
{
    int saved = fcntl(2, F_DUPFD_CLOEXEC, 3), ends[2];
    char got[16] = "";
    void *sink = must_open(&thl_sink_stderr, "");

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], 2);
    int rc = write_text(&thl_sink_stderr, sink, "one\n");
    dup2(saved, 2);
    close(saved);
    cr_expect_eq(rc, 0);
    cr_expect_eq(read(ends[0], got, sizeof(got) - 1), 4);
    cr_expect_str_eq(got, "one\n");
    close(ends[0]);
    close(ends[1]);
    thl_sink_stderr.close(sink);
}

THL_TEST(sink_stream, closed_descriptor_says_so)
{
    static struct batch b;
    size_t done = 7;
    void *sink = must_open(ops, "");

    add(&b, "one\n");
    cr_expect_eq(write_as_1(-1, sink, &b, &done), -EBADF);
    cr_expect_eq(done, 0u);
    ops->close(sink);
}

THL_TEST(sink_stream, regular_file_gets_a_batch_longer_than_pipe_buf)
{
    const char *folder = make_folder(), *path = path_in(folder, "out");
    static struct batch b;
    size_t done, size;
    void *sink = must_open(ops, "");

    fill_file(path, "");
    for (unsigned i = 0; i < 20; i++)
        add_numbered(&b, i, 1000, '\n');
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    cr_expect_eq(write_as_1(fd, sink, &b, &done), 0);
    cr_expect_eq(done, 20u);
    char *bytes = slurp(path, &size);
    cr_expect(size == b.used && memcmp(bytes, b.bytes, size) == 0);
    free(bytes);
    close(fd);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_stream, reader_that_goes_away_kills_nobody)
{
    static struct batch b;
    int ends[2];
    size_t done;
    void *sink = must_open(ops, "");

    cr_assert_eq(signal(SIGPIPE, SIG_DFL), SIG_DFL);
    add(&b, "one\n");
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    cr_expect_eq(write_as_1(ends[1], sink, &b, &done), -EPIPE);
    close(ends[1]);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[0]);
    cr_expect_eq(write_as_1(ends[1], sink, &b, &done), -EPIPE);
    close(ends[1]);
    ops->close(sink);
}

/* Lines through a blocking pipe or socket that is full most of the time: all arrive whole, once; no
 * write hangs; the description stays blocking, for others share it. */
static void
expect_whole_lines(const int ends[2], size_t each, unsigned lines)
{
    static struct batch b;
    char *bytes = malloc(each * lines), *at = bytes;
    unsigned next = 0, full = 0;
    long quickest = 10000;
    size_t done, want = each * lines;
    void *sink = must_open(ops, "");

    cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while (next < lines || at < bytes + want) {
        ssize_t got;
        if (next < lines) {
            b.n = b.used = 0;
            for (unsigned i = next; i < lines && i < next + 5; i++)
                add_numbered(&b, i, each, '\n');
            long begin = now_ms();
            int rc = write_as_1(ends[1], sink, &b, &done);
            next += (unsigned)done;
            cr_assert(rc == 0 || rc == -EAGAIN, "%s", strerror(-rc));
            quickest = rc == -EAGAIN && now_ms() - begin < quickest ? now_ms() - begin : quickest;
            full += rc == -EAGAIN;
            if (rc == 0 && next < lines)
                continue;
        }
        for (size_t taken = 0; taken < 20000 && at < bytes + want; taken += (size_t)got) {
            size_t left = (size_t)(bytes + want - at);
            got = read(ends[0], at, left < 1000 ? left : 1000);
            if (got <= 0)
                break;
            at += got;
        }
    }
    for (unsigned i = 0; i < lines; i++)
        cr_assert(strtoul(bytes + i * each, NULL, 10) == i && bytes[(i + 1) * each - 1] == '\n');
    cr_expect_gt(full, 0u, "there was always room");
    cr_expect(quickest >= 90 && quickest <= 300, "waited %ld ms", quickest);
    cr_expect_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    free(bytes);
    ops->close(sink);
}

THL_TEST(sink_stream, full_pipe_is_not_waited_for)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    expect_whole_lines(ends, 300, 300);
    close(ends[0]);
    close(ends[1]);
}

THL_TEST(sink_stream, full_pipe_tears_no_line_longer_than_pipe_buf)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    expect_whole_lines(ends, 3 * PIPE_BUF + 5, 9);
    close(ends[0]);
    close(ends[1]);
}

THL_TEST(sink_stream, full_socket_is_not_waited_for)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    narrow(ends[1]);
    expect_whole_lines(ends, 20001, 3);
    close(ends[0]);
    close(ends[1]);
}

/* A line was half out when the daemon put another pipe in the place: that one gets it whole. */
THL_TEST(sink_stream, line_under_way_is_not_finished_elsewhere)
{
    static struct batch b;
    static char got[64 * 1024];
    int first[2], second[2], rc = 0;
    unsigned next = 0;
    size_t done;
    void *sink = must_open(ops, "");

    cr_assert(pipe2(first, O_CLOEXEC) == 0 && pipe2(second, O_CLOEXEC) == 0);
    while (rc == 0) {
        b.n = b.used = 0;
        add_numbered(&b, next, 9001, '\n');
        rc = write_as_1(first[1], sink, &b, &done);
        next += (unsigned)done;
    }
    cr_assert_eq(rc, -EAGAIN);
    cr_expect_eq(write_as_1(second[1], sink, &b, &done), 0);
    cr_expect_eq(done, 1u);
    cr_expect_eq(read(second[0], got, sizeof(got)), 9001);
    cr_expect_eq(strtoul(got, NULL, 10), next);
    for (unsigned i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
    }
    ops->close(sink);
}
