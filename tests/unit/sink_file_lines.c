/* SPDX-License-Identifier: MIT */
/* file: writes that fail in the middle of a record. */
#include "test.h"

#include <sys/syscall.h>

#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_file;

static const struct thole_sink_ops *const ops = &thl_sink_file;

static size_t short_at;        /* 0, or how many bytes the next write takes */
static int then;               /* the error of the write after that */
static const char *in_between; /* a file to which another process appends before that */

/* In place of the C library's. */
ssize_t
write(int fd, const void *bytes, size_t n)
{
    if (short_at > 0) {
        size_t most = short_at < n ? short_at : n;
        short_at = 0;
        return syscall(SYS_write, fd, bytes, most);
    }
    if (then == 0)
        return syscall(SYS_write, fd, bytes, n);
    if (in_between) {
        int other = open(in_between, O_WRONLY | O_APPEND | O_CLOEXEC);
        syscall(SYS_write, other, "another's\n", 10);
        close(other);
    }
    errno = then;
    then = 0;
    return -1;
}

static const int errors[] = {ENOSPC, EIO, EDQUOT, EFBIG};
#define ERRORS (sizeof(errors) / sizeof(errors[0]))

/* Writes three records of four bytes, of which the disk takes ten bytes: two records are done. */
static void
write_in_part(void *sink, int error)
{
    static struct batch b;
    size_t done = 0;

    b.n = b.used = 0;
    add(&b, "one\n");
    add(&b, "two\n");
    add(&b, "san\n");
    short_at = 10;
    then = error;
    cr_expect_eq(write_all(ops, sink, &b, &done), -error, "%d", error);
    cr_expect_eq(done, 2u, "%d", error);
}

static void
expect_cut(const char *key, const char *value)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");

    for (size_t i = 0; i < ERRORS; i++) {
        void *sink = NULL;
        fill_file(path, "");
        cr_assert_eq(open_with(ops, path, key, value, &sink), 0);
        write_in_part(sink, errors[i]);
        expect_file(path, "one\ntwo\n");
        cr_expect_eq(write_text(ops, sink, "san\n"), 0);
        expect_file(path, "one\ntwo\nsan\n");
        ops->close(sink);
    }
    remove_folder(folder);
}

THL_TEST(sink_file_lines, record_that_an_error_cut_short_is_taken_back)
{
    expect_cut(NULL, NULL);
}

THL_TEST(sink_file_lines, record_that_an_error_cut_short_is_taken_back_with_rotation_as_well)
{
    expect_cut("rotate", "4K");
}

THL_TEST(sink_file_lines, torn_line_with_another_process_behind_it_is_ended_before_the_next)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");

    for (size_t i = 0; i < ERRORS; i++) {
        fill_file(path, "");
        void *sink = must_open(ops, path);
        in_between = path;
        write_in_part(sink, errors[i]);
        in_between = NULL;
        cr_expect_eq(write_text(ops, sink, "san\n"), 0);
        expect_file(path, "one\ntwo\nsaanother's\n\nsan\n");
        ops->close(sink);
    }
    remove_folder(folder);
}

THL_TEST(sink_file_lines, error_before_the_first_byte_leaves_the_file_as_it_was)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = must_open(ops, path);

    for (size_t i = 0; i < ERRORS; i++) {
        then = errors[i];
        cr_expect_eq(write_text(ops, sink, "lost\n"), -errors[i]);
        expect_file(path, "");
    }
    ops->close(sink);
    remove_folder(folder);
}
