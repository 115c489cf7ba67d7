/* SPDX-License-Identifier: MIT */
/* file: its keys, what sync= does, and what is said of a path that cannot be opened. */
#include "test.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_file;

static const struct thole_sink_ops *const ops = &thl_sink_file;

/* ---- values ---- */

THL_TEST(sink_file_keys, good_values_pass_and_bad_ones_are_told_what_was_expected)
{
    static const struct {
        const char *key, *good[8], *bad[20], *expected;
    } table[] = {
        {"rotate",
         {"1024", "1k", "4K", "100M", "1G", "1048576G", "daily"},
         {"", "0", "1023", "1023K1", "4KB", "1T", "K", "-1", "4 K", " 4K", "0x1000", "1048577G",
          "99999999999999999999", "hourly", "Daily", "4096KK", "1.5M"},
         "daily, or a size of 1K at least, as 100M"},
        {"keep",
         {"1", "7", "1000", "0007"},
         {"", "0", "1001", "1k", "-1", "seven", "7 ", "18446744073709551617"},
         "1 to 1000, the number of rotated files"},
        {"sync",
         {"none", "trace", "warn", "emerg", "1", "3600000"},
         {"", "0", "3600001", "1s", "off", "warning", "-5", "always", "1k"},
         "none, a level, or 1 to 3600000 milliseconds"},
        {"mode",
         {"0640", "600"},
         {"9", "0440"},
         "an octal mode that lets its owner write, as 0640"},
        {"reopen", {"auto", "call"}, {"never", ""}, "auto or call"},
    };
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = NULL;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (size_t k = 0; table[i].good[k]; k++)
            cr_expect_null(ops->check(table[i].key, table[i].good[k]), "%s=%s", table[i].key,
                           table[i].good[k]);
        for (size_t k = 0; table[i].bad[k]; k++) {
            const char *expected = ops->check(table[i].key, table[i].bad[k]);
            cr_assert_not_null(expected, "%s=%s", table[i].key, table[i].bad[k]);
            cr_expect_str_eq(expected, table[i].expected);
            cr_expect_eq(open_with(ops, path, table[i].key, table[i].bad[k], &sink), -EINVAL);
        }
    }
    cr_expect_eq(access(path, F_OK), -1, "a refused sink creates nothing");
    remove_folder(folder);
}

/* ---- paths that are refused ---- */

static void
expect_refused(const char *path, int error, const char *text)
{
    void *sink = NULL;

    cr_expect_eq(open_with(ops, path, NULL, NULL, &sink), -error, "%s", path);
    cr_expect_null(sink);
    const char *explained = ops->explain(error);
    cr_assert_not_null(explained, "%s", path);
    cr_expect_str_eq(explained, text);
}

THL_TEST(sink_file_keys, what_is_wrong_with_a_path_is_said_in_words)
{
    const char *folder = make_folder();
    char file[128];

    snprintf(file, sizeof(file), "%s/file", folder);
    fill_file(file, "");
    expect_refused(path_in(folder, "no/such"), ENOENT, "its folder does not exist");
    expect_refused(path_in(folder, "file/log"), ENOTDIR,
                   "a part of its path is a file, not a folder");
    expect_refused(folder, EISDIR, "it is a folder");
    cr_assert_eq(symlink(file, path_in(folder, "link")), 0);
    expect_refused(path_in(folder, "link"), ELOOP, "it is a symbolic link, which is not followed");
    cr_assert_eq(mkfifo(path_in(folder, "fifo"), 0600), 0);
    expect_refused(path_in(folder, "fifo"), ENXIO, "it is a socket, or a FIFO that nobody reads");
    cr_assert_eq(link(file, path_in(folder, "hard")), 0);
    expect_refused(path_in(folder, "hard"), EMLINK,
                   "it has several names (hard links), which is refused");
    expect_refused(file, EMLINK, "it has several names (hard links), which is refused");
    cr_assert_eq(unlink(path_in(folder, "hard")), 0);
    ops->close(must_open(ops, file));
    cr_expect_null(ops->explain(ENOSPC), "the C library's text will do");
    remove_folder(folder);
}

THL_TEST(sink_file_keys, folder_that_is_not_ours_to_write_is_named_so)
{
    const char *folder = make_folder();

    if (geteuid() != 0) {
        remove_folder(folder);
        cr_skip_test("needs root, to become another user");
    }
    cr_assert(chmod(folder, 0755) == 0 && seteuid(12345) == 0);
    expect_refused(path_in(folder, "a.log"), EACCES,
                   "no permission to write to it, or to create it in its folder");
    cr_assert_eq(seteuid(0), 0);
    remove_folder(folder);
}

THL_TEST(sink_file_keys, read_only_file_system_is_named_so)
{
    const char *folder = make_folder();

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", MS_RDONLY, "size=64k") != 0) {
        remove_folder(folder);
        cr_skip_test("mounting a tmpfs is not permitted: %s", strerror(errno));
    }
    expect_refused(path_in(folder, "a.log"), EROFS, "it is on a read-only file system");
    cr_assert_eq(umount(folder), 0);
    remove_folder(folder);
}

THL_TEST(sink_file_keys, what_is_no_regular_file_has_no_rotation_and_no_sync)
{
    static const char *const pairs[][2] = {
        {"rotate", "4K"}, {"rotate", "daily"}, {"keep", "3"}, {"sync", "warn"}, {"sync", "100"}};
    static const char *const paths[] = {"/dev/null", "/dev/stdout", "fifo"};
    const char *folder = make_folder();
    char fifo[128];
    void *sink = NULL;

    snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *path = paths[i][0] == '/' ? paths[i] : fifo;
        for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++)
            cr_expect_eq(open_with(ops, path, pairs[k][0], pairs[k][1], &sink), -EOPNOTSUPP,
                         "%s %s=%s", path, pairs[k][0], pairs[k][1]);
        cr_expect_eq(open_with(ops, path, "sync", "none", &sink), 0, "%s", path);
        ops->close(sink);
    }
    cr_expect_str_eq(ops->explain(EOPNOTSUPP),
                     "rotate=, keep= and sync= are for regular files, and it is none");
    close(reader);
    remove_folder(folder);
}

THL_TEST(sink_file_keys, name_without_room_for_a_rotated_files_is_refused_at_once)
{
    const char *folder = make_folder();
    char name[NAME_MAX + 1] = "";
    void *sink = NULL;

    memset(name, 'n', NAME_MAX - 24);
    cr_expect_eq(open_with(ops, path_in(folder, name), "rotate", "4K", &sink), 0);
    ops->close(sink);
    memset(name, 'n', NAME_MAX - 23);
    cr_expect_eq(open_with(ops, path_in(folder, name), "rotate", "4K", &sink), -ENAMETOOLONG);
    cr_expect_eq(open_with(ops, path_in(folder, name), NULL, NULL, &sink), 0);
    ops->close(sink);
    remove_folder(folder);
}

/* ---- sync= ---- */

static unsigned syncs;
static int sync_error;

/* In place of the C library's. */
int
fdatasync(int fd)
{
    syncs++;
    errno = sync_error;
    return sync_error ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static int
write_level(void *sink, enum thole_level level, size_t *done)
{
    static struct batch b;

    b.n = b.used = 0;
    add(&b, "first\n");
    add(&b, "second\n");
    b.record[0].level = level;
    return write_all(ops, sink, &b, done);
}

THL_TEST(sink_file_keys, without_sync_nothing_is_forced_to_the_disk)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = must_open(ops, path);

    cr_expect_eq(write_level(sink, THOLE_EMERG, NULL), 0);
    cr_expect_eq(ops->flush_within(sink), 0u);
    cr_expect_eq(ops->flush(sink), 0);
    ops->close(sink);
    cr_expect_eq(syncs, 0u);
    remove_folder(folder);
}

THL_TEST(sink_file_keys, sync_level_forces_a_batch_that_has_a_record_of_it)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = NULL;

    cr_assert_eq(open_with(ops, path, "sync", "warn", &sink), 0);
    cr_expect_eq(write_level(sink, THOLE_NOTICE, NULL), 0);
    cr_expect_eq(syncs, 0u);
    cr_expect_eq(write_level(sink, THOLE_WARN, NULL), 0);
    cr_expect_eq(syncs, 1u);
    cr_expect_eq(write_level(sink, THOLE_CRIT, NULL), 0);
    cr_expect_eq(syncs, 2u);
    cr_expect_eq(ops->flush(sink), 0);
    cr_expect_eq(syncs, 2u, "nothing was written since");
    cr_expect_eq(write_level(sink, THOLE_INFO, NULL), 0);
    cr_expect_eq(ops->flush_within(sink), 0u);
    cr_expect_eq(ops->flush(sink), 0);
    cr_expect_eq(syncs, 3u, "thole_flush asks for all of it");
    cr_expect_eq(write_level(sink, THOLE_INFO, NULL), 0);
    ops->close(sink);
    cr_expect_eq(syncs, 4u, "and so does the end");
    remove_folder(folder);
}

THL_TEST(sink_file_keys, sync_ms_asks_for_a_flush_by_then)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = NULL;

    cr_assert_eq(open_with(ops, path, "sync", "60000", &sink), 0);
    cr_expect_eq(ops->flush_within(sink), 0u);
    cr_expect_eq(write_level(sink, THOLE_EMERG, NULL), 0);
    unsigned left = ops->flush_within(sink);
    cr_expect(left > 30000 && left <= 60000, "%u", left);
    cr_expect_eq(syncs, 0u);
    cr_expect_eq(ops->flush(sink), 0);
    cr_expect_eq(syncs, 1u);
    cr_expect_eq(ops->flush_within(sink), 0u);
    ops->close(sink);
    cr_expect_eq(syncs, 1u);
    remove_folder(folder);
}

THL_TEST(sink_file_keys, sync_counts_from_the_first_byte_that_is_not_on_the_disk)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = NULL;

    cr_assert_eq(open_with(ops, path, "sync", "1", &sink), 0);
    cr_expect_eq(write_level(sink, THOLE_INFO, NULL), 0);
    for (long begin = now_ms(); now_ms() - begin < 20;)
        continue;
    cr_expect_eq(write_level(sink, THOLE_INFO, NULL), 0);
    cr_expect_eq(ops->flush_within(sink), 1u, "it is overdue");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_keys, failed_sync_is_an_error_of_the_write_and_the_records_are_written)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = NULL;
    size_t done = 0;

    cr_assert_eq(open_with(ops, path, "sync", "warn", &sink), 0);
    sync_error = EIO;
    cr_expect_eq(write_level(sink, THOLE_WARN, &done), -EIO);
    cr_expect_eq(done, 2u);
    cr_expect_eq(ops->flush(sink), -EIO);
    sync_error = 0;
    cr_expect_eq(ops->flush(sink), 0);
    expect_file(path, "first\nsecond\n");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_keys, file_is_forced_to_the_disk_before_it_is_left)
{
    const char *folder = make_folder(), *path = path_in(folder, "a.log");
    void *sink = NULL;

    cr_assert_eq(open_with(ops, path, "sync", "60000", &sink), 0);
    cr_expect_eq(write_level(sink, THOLE_INFO, NULL), 0);
    cr_assert_eq(rename(path, path_in(folder, "moved")), 0);
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_eq(syncs, 1u);
    cr_expect_eq(ops->flush_within(sink), 0u);
    ops->close(sink);
    remove_folder(folder);
}
