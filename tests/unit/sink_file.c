/* SPDX-License-Identifier: MIT */
/* file: whole lines, whatever happens to the file. */
#include "test.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_file;

static const struct thole_sink_ops *const ops = &thl_sink_file;

/* ---- opening ---- */

THL_TEST(sink_file, writes_a_batch_as_it_stands)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    static struct batch b;
    size_t done = 0;
    struct stat st;
    void *sink = must_open(ops, path);

    add(&b, "one\n");
    add(&b, "two\n");
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(done, 2u);
    expect_file(path, "one\ntwo\n");
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, appends_to_what_is_there)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");

    fill_file(path, "old\n");
    void *sink = must_open(ops, path);
    cr_expect_eq(write_text(ops, sink, "new\n"), 0);
    expect_file(path, "old\nnew\n");
    cr_assert_eq(truncate(path, 0), 0); /* copytruncate: no hole */
    cr_expect_eq(write_text(ops, sink, "after\n"), 0);
    expect_file(path, "after\n");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, mode_key_is_exact_whatever_the_umask)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    mode_t old = umask(077);
    struct stat st;
    void *sink = NULL;

    cr_assert_eq(open_with(ops, path, "mode", "0664", &sink), 0);
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0664);
    ops->close(sink);
    cr_assert_eq(open_with(ops, path, "mode", "0600", &sink), 0);
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0664, "not ours to change");
    ops->close(sink);
    umask(old);
    remove_folder(folder);
}

THL_TEST(sink_file, bad_values_of_keys_are_refused)
{
    static const char *const modes[] = {"",   "8",     "0",    "0444",  "7777",
                                        "-1", "0x1ff", " 640", "00640", "640 "};
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = NULL;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        cr_expect_eq(open_with(ops, path, "mode", modes[i], &sink), -EINVAL, "%s", modes[i]);
    cr_expect_eq(open_with(ops, path, "reopen", "never", &sink), -EINVAL);
    cr_expect_null(sink);
    cr_expect_eq(access(path, F_OK), -1, "a refused sink creates nothing");
    remove_folder(folder);
}

THL_TEST(sink_file, what_is_no_log_file_is_refused)
{
    const char *folder = make_folder(), *path = path_in(folder, "x"), *link = path_in(folder, "l");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_DGRAM, 0);
    void *sink = NULL;

    cr_expect_eq(open_with(ops, folder, NULL, NULL, &sink), -EISDIR);
    cr_expect_eq(open_with(ops, path_in(folder, "no/such"), NULL, NULL, &sink), -ENOENT);
    cr_expect_eq(open_with(ops, "", NULL, NULL, &sink), -ENOENT);
    fill_file(path, "");
    cr_assert_eq(symlink(path, link), 0);
    cr_expect_eq(open_with(ops, link, NULL, NULL, &sink), -ELOOP);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", folder);
    cr_assert_eq(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_expect_eq(open_with(ops, a.sun_path, NULL, NULL, &sink), -ENXIO);
    close(s);
    if (mknod(path_in(folder, "b"), S_IFBLK | 0600, makedev(7, 250)) == 0)
        cr_expect_lt(open_with(ops, path_in(folder, "b"), NULL, NULL, &sink), 0);
    cr_expect_null(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, two_spellings_have_one_identity)
{
    const char *folder = make_folder();
    char odd[256];

    snprintf(odd, sizeof(odd), "%s/../%s/./a.log", folder, strrchr(folder, '/') + 1);
    cr_expect_str_eq(identity_of(ops, path_in(folder, "a.log")), identity_of(ops, odd));
    cr_expect_str_neq(identity_of(ops, path_in(folder, "a.log")),
                      identity_of(ops, path_in(folder, "b.log")));
    cr_expect_str_eq(identity_of(ops, "/dev/stdout"), "fd:1");
    cr_expect_str_eq(identity_of(ops, "/dev//stderr"), "fd:2");
    cr_expect_str_eq(identity_of(ops, "/proc/self/fd/1"), "fd:1");
    cr_expect_str_eq(identity_of(ops, "/dev/fd/2"), "fd:2");
    cr_expect_str_neq(identity_of(ops, path_in(folder, "stdout")), "fd:1");
    remove_folder(folder);
}

THL_TEST(sink_file, hard_links_have_one_identity_and_symbolic_links_their_own)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    const char *hard = path_in(folder, "b.log"), *symbolic = path_in(folder, "c.log");

    fill_file(path, "");
    cr_assert_eq(link(path, hard), 0);
    cr_assert_eq(symlink(path, symbolic), 0);
    cr_expect_str_eq(identity_of(ops, hard), identity_of(ops, path));
    cr_expect_str_neq(identity_of(ops, symbolic), identity_of(ops, path), "open refuses it");
    remove_folder(folder);
}

THL_TEST(sink_file, dev_stdout_is_descriptor_1_itself)
{
    const char *folder = make_folder(), *path = path_in(folder, "out");
    int saved = fcntl(1, F_DUPFD_CLOEXEC, 3);
    void *sink = must_open(ops, "/dev/stdout");

    fill_file(path, "");
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    dup2(fd, 1);
    int rc = write_text(ops, sink, "hello\n");
    dup2(saved, 1);
    close(fd);
    close(saved);
    cr_expect_eq(rc, 0);
    expect_file(path, "hello\n");
    cr_expect_eq(ops->reopen(sink), 0);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, descriptor_is_above_2_and_closed_on_exec)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);

    close(0);
    void *sink = must_open(ops, path);
    int fd = find_fd(path);
    cr_expect_geq(fd, 3);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_expect_eq(fcntl(0, F_GETFD), -1, "nothing of ours stays at 0");
    ops->close(sink);
    if (saved >= 0) {
        dup2(saved, 0);
        close(saved);
    }
    remove_folder(folder);
}

/* ---- what happens to the descriptor and the path ---- */

THL_TEST(sink_file, stolen_descriptor_is_left_alone_and_replaced)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    const char *victim = path_in(folder, "victim");
    void *sink = must_open(ops, path);

    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    fill_file(victim, "precious");
    int fd = steal(find_fd(path), victim);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    expect_file(path, "one\ntwo\n");
    expect_file(victim, "precious");
    cr_expect_eq(fcntl(fd, F_GETFD), 0, "the victim is still open");
    fd = steal(find_fd(path), victim);
    ops->close(sink);
    cr_expect_eq(fcntl(fd, F_GETFD), 0, "close spares it as well");
    expect_file(victim, "precious");
    close(fd);
    close(find_fd(victim));
    remove_folder(folder);
}

THL_TEST(sink_file, closed_descriptor_is_opened_anew)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = must_open(ops, path);

    close(find_fd(path));
    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    close(find_fd(path));
    unlink(path);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_eq(write_text(ops, sink, "two\n"), -EISDIR);
    rmdir(path);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    expect_file(path, "two\n");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, renamed_file_is_to_be_opened_anew_and_written_on_until_then)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    const char *old = path_in(folder, "a.log.1");
    void *sink = must_open(ops, path);

    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    cr_expect_not(ops->wants_reopen(sink));
    cr_assert_eq(rename(path, old), 0);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    cr_expect(ops->wants_reopen(sink));
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_not(ops->wants_reopen(sink));
    cr_expect_eq(write_text(ops, sink, "three\n"), 0);
    expect_file(old, "one\ntwo\n");
    expect_file(path, "three\n");
    fill_file(path_in(folder, "b.log"), "another's\n");
    cr_assert_eq(rename(path_in(folder, "b.log"), path), 0);
    cr_expect(ops->wants_reopen(sink), "another file is there");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, reopen_call_waits_for_the_call)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    const char *old = path_in(folder, "a.log.1");
    void *sink = NULL;

    cr_assert_eq(open_with(ops, path, "reopen", "call", &sink), 0);
    cr_assert_eq(rename(path, old), 0);
    cr_expect_eq(write_text(ops, sink, "one\n"), 0); /* where reopen=auto would look first */
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    cr_expect_eq(access(path, F_OK), -1);
    cr_expect_not(ops->wants_reopen(sink));
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_eq(write_text(ops, sink, "three\n"), 0);
    expect_file(old, "one\ntwo\n");
    expect_file(path, "three\n");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, failed_reopen_keeps_the_old_file)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    const char *old = path_in(folder, "a.log.1");
    void *sink = must_open(ops, path);

    cr_assert_eq(rename(path, old), 0);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_eq(ops->reopen(sink), -EISDIR);
    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    expect_file(old, "one\n");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, file_without_a_name_whose_path_cannot_be_opened_is_an_error)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = must_open(ops, path);

    cr_expect_eq(write_text(ops, sink, "first\n"), 0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_eq(write_text(ops, sink, "into nothing\n"), -EISDIR, "at once");
    cr_expect_eq(write_text(ops, sink, "two\n"), -EISDIR, "and each time");
    cr_assert_eq(rmdir(path), 0);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    expect_file(path, "two\n");
    ops->close(sink);
    remove_folder(folder);
}

/* ---- whole lines only ---- */

THL_TEST(sink_file, half_a_line_of_an_earlier_crash_is_ended_first)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");

    fill_file(path, "whole\nhal");
    void *sink = must_open(ops, path);
    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    expect_file(path, "whole\nhal\none\ntwo\n");
    ops->close(sink);
    remove_folder(folder);
}

/* Every line is one of ours, and they are numbered without a gap. Returns how many. */
static unsigned
expect_numbered(const char *bytes, size_t size, size_t each)
{
    unsigned n = 0;
    cr_assert_eq(size % each, 0u, "a torn line: %zu bytes", size);
    for (size_t at = 0; at < size; at += each, n++) {
        cr_assert_eq(strtoul(bytes + at, NULL, 10), n, "line %u is another one", n);
        cr_assert_eq(bytes[at + each - 1], '\n');
    }
    return n;
}

static unsigned
expect_numbered_file(const char *path, size_t each)
{
    size_t size;
    char *bytes = slurp(path, &size);
    unsigned n = expect_numbered(bytes, size, each);
    free(bytes);
    return n;
}

/* Writes batches of 10 until one fails; the error. *next: the number of the first line not done. */
static int
write_until_error(void *sink, size_t each, unsigned *next)
{
    static struct batch b;
    for (unsigned batches = 0; batches < 10000; batches++) {
        size_t done = 0;
        b.n = b.used = 0;
        for (unsigned i = 0; i < 10; i++)
            add_numbered(&b, *next + i, each, '\n');
        int rc = write_all(ops, sink, &b, &done);
        *next += (unsigned)done;
        if (rc != 0)
            return rc;
        cr_assert_eq(done, 10u);
    }
    return 0;
}

THL_TEST(sink_file, full_disk_has_whole_lines_and_goes_on_when_there_is_room)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    const char *ballast = path_in(folder, "ballast");
    unsigned next = 0, before;

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=64k") != 0) {
        remove_folder(folder);
        cr_skip_test("mounting a small tmpfs is not permitted: %s", strerror(errno));
    }
    int fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(posix_fallocate(fd, 0, 16384), 0);
    close(fd);
    void *sink = must_open(ops, path);
    cr_expect_eq(write_until_error(sink, 333, &next), -ENOSPC);
    cr_expect_eq(expect_numbered_file(path, 333), next, "what is in the file is what was counted");
    cr_expect_gt(next, 100u);
    before = next;
    cr_expect_eq(write_until_error(sink, 333, &next), -ENOSPC);
    cr_expect_eq(next, before);
    unlink(ballast);
    cr_expect_eq(write_until_error(sink, 333, &next), -ENOSPC);
    cr_expect_gt(next, before + 40);
    cr_expect_eq(expect_numbered_file(path, 333), next);
    ops->close(sink);
    cr_assert_eq(umount(folder), 0);
    remove_folder(folder);
}

THL_TEST(sink_file, file_size_limit_neither_kills_nor_tears)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    struct rlimit old, small;
    sigset_t pending;
    unsigned next = 0;

    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 10000;
    cr_assert_eq(signal(SIGXFSZ, SIG_DFL), SIG_DFL);
    void *sink = must_open(ops, path);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = write_until_error(sink, 333, &next);
    int again = write_until_error(sink, 333, &next);
    setrlimit(RLIMIT_FSIZE, &old);
    cr_expect_eq(rc, -EFBIG);
    cr_expect_eq(again, -EFBIG);
    cr_expect_eq(next, 30u);
    cr_expect_eq(expect_numbered_file(path, 333), 30u);
    sigpending(&pending);
    cr_expect_not(sigismember(&pending, SIGXFSZ));
    ops->close(sink);
    remove_folder(folder);
}

/* An append-only file cannot be cut: the line that was torn is ended before the next. */
THL_TEST(sink_file, torn_line_that_cannot_be_cut_is_ended)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    struct rlimit old, small;
    int flags = 0x20 /* FS_APPEND_FL */, none = 0;

    fill_file(path, "");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (ioctl(fd, _IOW('f', 2, long) /* FS_IOC_SETFLAGS */, &flags) != 0) {
        close(fd);
        remove_folder(folder);
        cr_skip_test("no append-only files here: %s", strerror(errno));
    }
    void *sink = must_open(ops, path);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 6;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = write_text(ops, sink, "0123456789\n");
    setrlimit(RLIMIT_FSIZE, &old);
    cr_expect_eq(rc, -EFBIG);
    cr_expect_eq(write_text(ops, sink, "next\n"), 0);
    expect_file(path, "012345\nnext\n");
    ops->close(sink);
    cr_expect_eq(ioctl(fd, _IOW('f', 2, long), &none), 0);
    close(fd);
    remove_folder(folder);
}

THL_TEST(sink_file, device_without_room_says_so)
{
    void *sink = must_open(ops, "/dev/full");
    cr_expect_eq(write_text(ops, sink, "one\n"), -ENOSPC);
    ops->close(sink);
    sink = must_open(ops, "/dev/null");
    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    ops->close(sink);
}

/* ---- FIFOs ---- */

static const char *
make_fifo(const char *folder)
{
    const char *path = path_in(folder, "fifo");
    cr_assert_eq(mkfifo(path, 0600), 0);
    return path;
}

/* Takes up to `most` bytes of what is there; how many. */
static size_t
take(int fd, char *bytes, size_t most)
{
    size_t n = 0;
    ssize_t got;
    while (n < most && (got = read(fd, bytes + n, most - n)) > 0)
        n += (size_t)got;
    return n;
}

THL_TEST(sink_file, fifo_needs_a_reader)
{
    const char *folder = make_folder(), *path = make_fifo(folder);
    char got[16] = "";
    void *sink = NULL;

    cr_expect_eq(open_with(ops, path, NULL, NULL, &sink), -ENXIO);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    sink = must_open(ops, path);
    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    cr_expect_eq(take(reader, got, 4), 4u);
    cr_expect_str_eq(got, "one\n");
    close(reader);
    ops->close(sink);
    remove_folder(folder);
}

/* Lines of `each` bytes through a full FIFO whose reader takes 20011 bytes a time: all arrive,
 * once. */
static void
expect_whole_lines_through_fifo(size_t each, unsigned lines)
{
    const char *folder = make_folder(), *path = make_fifo(folder);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    void *sink = must_open(ops, path);
    char *bytes = malloc(each * lines + 20011);
    static struct batch b;
    size_t got = 0, done;
    unsigned next = 0, full = 0;
    long quickest = 10000;
    bool ready = bytes != NULL;
    int waiting;

    cr_assert(ready);
    while (next < lines) {
        b.n = b.used = 0;
        for (unsigned i = next; i < lines && i < next + (each > PIPE_BUF ? 5 : 30); i++)
            add_numbered(&b, i, each, '\n');
        long begin = now_ms();
        int rc = write_all(ops, sink, &b, &done);
        next += (unsigned)done;
        cr_assert(rc == 0 || rc == -EAGAIN, "%s", strerror(-rc));
        if (rc == 0)
            continue;
        quickest = now_ms() - begin < quickest ? now_ms() - begin : quickest;
        full++;
        /* Other processes may write here as well: no line that fits is written in two parts. */
        cr_assert_eq(ioctl(reader, FIONREAD, &waiting), 0);
        cr_assert(each > PIPE_BUF || (got + (size_t)waiting) % each == 0);
        got += take(reader, bytes + got, 20011);
    }
    got += take(reader, bytes + got, each * lines - got);
    cr_expect_gt(full, 0u, "the FIFO was never full");
    cr_expect(quickest >= 90 && quickest <= 300, "waited %ld ms", quickest);
    cr_expect_eq(expect_numbered(bytes, got, each), lines);
    free(bytes);
    close(reader);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, full_fifo_says_so_and_tears_no_short_line)
{
    expect_whole_lines_through_fifo(300, 400);
}

THL_TEST(sink_file, full_fifo_says_so_and_tears_no_line_longer_than_pipe_buf)
{
    expect_whole_lines_through_fifo(9001, 30);
}

/* A long line went out in part and the caller gave it up: the next one does not stand inside it. */
THL_TEST(sink_file, line_given_up_in_the_middle_still_comes_out_whole)
{
    const char *folder = make_folder(), *path = make_fifo(folder);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    void *sink = must_open(ops, path);
    static struct batch b;
    static char bytes[256 * 1024];
    size_t done, got = 0;
    unsigned next = 0;
    int rc = 0;

    while (rc == 0) {
        b.n = b.used = 0;
        add_numbered(&b, next, 9001, '\n');
        rc = write_all(ops, sink, &b, &done);
        next += (unsigned)done;
    }
    cr_assert_eq(rc, -EAGAIN);
    cr_assert_eq(done, 0u);
    got += take(reader, bytes, sizeof(bytes));
    cr_assert_neq(got % 9001, 0u, "this FIFO's size cuts no line: choose another");
    b.n = b.used = 0;
    add_numbered(&b, next + 1, 9001, '\n'); /* not `next` again: that was dropped */
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(done, 1u);
    got += take(reader, bytes + got, sizeof(bytes) - got);
    cr_expect_eq(expect_numbered(bytes, got, 9001), next + 2);
    close(reader);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file, reader_that_goes_away_kills_nobody)
{
    const char *folder = make_folder(), *path = make_fifo(folder);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char got[16] = "";
    void *sink = must_open(ops, path);

    cr_assert_eq(signal(SIGPIPE, SIG_DFL), SIG_DFL);
    close(reader);
    cr_expect_eq(write_text(ops, sink, "one\n"), -EPIPE);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    cr_expect_eq(take(reader, got, 4), 4u);
    cr_expect_str_eq(got, "two\n");
    close(reader);
    ops->close(sink);
    remove_folder(folder);
}

/* The calling thread's own dealings with SIGPIPE are as they were. */
THL_TEST(sink_file, blocked_and_pending_signals_stay_as_they_were)
{
    const char *folder = make_folder(), *path = make_fifo(folder);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    void *sink = must_open(ops, path);
    sigset_t pipe_set, pending, mask;

    close(reader);
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, NULL);
    cr_expect_eq(write_text(ops, sink, "one\n"), -EPIPE);
    sigpending(&pending);
    cr_expect_not(sigismember(&pending, SIGPIPE), "ours was left behind");
    raise(SIGPIPE);
    cr_expect_eq(write_text(ops, sink, "one\n"), -EPIPE);
    sigpending(&pending);
    cr_expect(sigismember(&pending, SIGPIPE), "the daemon's was taken");
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    cr_expect(sigismember(&mask, SIGPIPE));
    cr_expect_not(sigismember(&mask, SIGXFSZ));
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &pipe_set, NULL);
    ops->close(sink);
    remove_folder(folder);
}
