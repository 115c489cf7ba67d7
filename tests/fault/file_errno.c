/* SPDX-License-Identifier: MIT */
/* What file: does itself about each errno of write(2), before the outbox hears of it: whole lines
 * stay whole, the rest is offered again, and what was half written is taken back. */
#include "test.h"

#include "scripted.h"
#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_file;

static const struct thole_sink_ops *const ops = &thl_sink_file;
static const char three[] = "first.....\nsecond....\nthird.....\n";

enum { EACH = 11 };

static void
add_three(struct batch *b)
{
    b->n = b->used = 0;
    for (const char *at = three; *at; at += EACH)
        add_bytes(b, at, EACH);
}

/* `taken` bytes go, then the errno: so many records are done, no part of another is left, and the
 * rest goes with the next write. */
static void
expect_kept(int error, size_t taken)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    static struct batch b;
    char whole[sizeof(three)] = "";
    size_t done = 7, more = 7, want = taken / EACH;
    void *sink = must_open(ops, path);

    add_three(&b);
    memcpy(whole, three, want * EACH);
    scripted_fail_after(taken, error, 1);
    cr_expect_eq(write_all(ops, sink, &b, &done), -error);
    scripted_count(WRITE);
    cr_expect_eq(done, want);
    expect_file(path, whole);
    cr_assert_leq(done, b.n);
    cr_expect_eq(ops->write(sink, b.record + done, b.n - done, &more), 0);
    expect_file(path, three);
    ops->close(sink);
    remove_folder(folder);
}

static void
expect_whole_lines(int error)
{
    for (size_t taken = 0; taken < sizeof(three) - 1; taken += 5)
        expect_kept(error, taken);
}

/* Nothing of it is the outbox's. */
static void
expect_written(int error, unsigned times, unsigned writes)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    static struct batch b;
    size_t done;
    void *sink = must_open(ops, path);

    add_three(&b);
    scripted_fail(WRITE, error, times);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(scripted_count(WRITE), writes);
    cr_expect_eq(done, 3u);
    expect_file(path, three);
    ops->close(sink);
    remove_folder(folder);
}

#define ERRNO(claim, error)                                                                        \
    THL_TEST(errno_file, claim)                                                                    \
    {                                                                                              \
        expect_whole_lines(error);                                                                 \
    }

ERRNO(enospc_keeps_the_rest_and_leaves_whole_lines, ENOSPC)
ERRNO(edquot_keeps_the_rest_and_leaves_whole_lines, EDQUOT)
ERRNO(efbig_keeps_the_rest_and_leaves_whole_lines, EFBIG)
ERRNO(eio_keeps_the_rest_and_leaves_whole_lines, EIO)
ERRNO(erofs_keeps_the_rest_and_leaves_whole_lines, EROFS)
ERRNO(enomem_keeps_the_rest_and_leaves_whole_lines, ENOMEM)
ERRNO(eperm_keeps_the_rest_and_leaves_whole_lines, EPERM)

THL_TEST(errno_file, eintr_is_written_again)
{
    expect_written(EINTR, 3, 4);
}

/* The daemon has closed it after the look. */
THL_TEST(errno_file, ebadf_is_written_again_at_once)
{
    expect_written(EBADF, 1, 2);
}

THL_TEST(errno_file, ebadf_that_stays_is_the_outboxes)
{
    const char *folder = make_folder(), *path = path_in(folder, "log");
    static struct batch b;
    size_t done = 7;
    void *sink = must_open(ops, path);

    add_three(&b);
    scripted_fail(WRITE, EBADF, FOR_EVER);
    cr_expect_eq(write_all(ops, sink, &b, &done), -EBADF);
    cr_expect_leq(scripted_count(WRITE), 2u);
    cr_expect_eq(done, 0u);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    expect_file(path, three);
    ops->close(sink);
    remove_folder(folder);
}

/* ---- a FIFO ---- */

/* The errno of the first write, with the rest kept. */
static void
expect_of_fifo(int error)
{
    const char *folder = make_folder(), *path = path_in(folder, "fifo");
    static struct batch b;
    char got[128] = "";
    size_t done = 7;

    cr_assert_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    void *sink = must_open(ops, path);
    add_three(&b);
    scripted_fail(WRITE, error, 1);
    cr_expect_eq(write_all(ops, sink, &b, &done), -error);
    cr_expect_eq(scripted_count(WRITE), 1u);
    cr_expect_eq(done, 0u);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    cr_expect_eq(read(reader, got, sizeof(got)), (ssize_t)sizeof(three) - 1);
    cr_expect_str_eq(got, three);
    ops->close(sink);
    close(reader);
    remove_folder(folder);
}

THL_TEST(errno_fifo, eagain_keeps_the_records)
{
    expect_of_fifo(EAGAIN);
}

THL_TEST(errno_fifo, epipe_keeps_the_records)
{
    expect_of_fifo(EPIPE);
}
