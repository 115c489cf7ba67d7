/* SPDX-License-Identifier: MIT */
/* file: rotation and what is kept of it, one process; several are in system/rotation.c. */
#include "test.h"

#include <ctype.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_file;

static const struct thole_sink_ops *const ops = &thl_sink_file;

#define ROTATED_MAX 64

/* path_in's are good for four calls. */
static const char *
log_in(const char *folder)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/a.log", folder);
    return path;
}

/* The names of a folder's files but `log`, sorted. */
struct names {
    size_t n;
    char name[ROTATED_MAX][256];
};

static int
compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct names
list_others(const char *folder, const char *log)
{
    struct names l = {0};
    struct dirent *entry;
    DIR *dir = opendir(folder);

    cr_assert_not_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, log) == 0)
            continue;
        cr_assert_lt(l.n, (size_t)ROTATED_MAX);
        snprintf(l.name[l.n++], sizeof(l.name[0]), "%s", entry->d_name);
    }
    closedir(dir);
    qsort(l.name, l.n, sizeof(l.name[0]), compare_names);
    return l;
}

/* "a.log.20261122T125401.123456Z" */
static bool
is_rotated_name(const char *name)
{
    static const char form[] = "a.log.dddddddd"
                               "Tdddddd.ddddddZ";

    if (strlen(name) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (i > 5 && form[i] == 'd' ? !isdigit((unsigned char)name[i]) : name[i] != form[i])
            return false;
    return true;
}

/* Opens with up to three pairs of a key and a value. */
static void *
open_keys(const char *path, const char *const *pairs)
{
    struct thole_sink_param params[4];
    struct thole_sink_uri uri = {.text = path, .scheme = "", .path = path, .host = "", .port = ""};
    void *sink = NULL;

    for (; pairs[0]; pairs += 2)
        params[uri.nparams++] = (struct thole_sink_param){pairs[0], pairs[1]};
    uri.params = params;
    int rc = ops->open(&uri, &sink);
    cr_assert_eq(rc, 0, "open %s: %s", path, strerror(-rc));
    return sink;
}

#define OPEN(path, ...) open_keys(path, (const char *const[]){__VA_ARGS__, NULL})

/* Writes the numbered lines from *next on, in batches of `each_batch`. */
static void
write_lines(void *sink, unsigned *next, unsigned n, size_t each, unsigned each_batch)
{
    static struct batch b;
    size_t done;

    while (n > 0) {
        b.n = b.used = 0;
        for (; n > 0 && b.n < each_batch; n--)
            add_numbered(&b, (*next)++, each, '\n');
        cr_assert_eq(write_all(ops, sink, &b, &done), 0);
        cr_assert_eq(done, b.n);
    }
}

/* Adds the file's lines, which are numbered on from *next. Returns its size. */
static size_t
expect_next_lines(const char *path, unsigned *next, size_t each)
{
    size_t size;
    char *bytes = slurp(path, &size);

    cr_assert_eq(size % each, 0u, "%s: a torn line", path);
    for (size_t at = 0; at < size; at += each, ++*next) {
        cr_assert_eq(strtoul(bytes + at, NULL, 10), *next, "%s: another line", path);
        cr_assert_eq(bytes[at + each - 1], '\n');
    }
    free(bytes);
    return size;
}

/* All of the files together hold the lines 0 to n - 1, by age, and none is over the limit. */
static void
expect_lines(const char *folder, unsigned n, size_t each, size_t limit)
{
    struct names l = list_others(folder, "a.log");
    unsigned next = 0;

    for (size_t i = 0; i < l.n; i++) {
        cr_assert(is_rotated_name(l.name[i]), "%s", l.name[i]);
        size_t size = expect_next_lines(path_in(folder, l.name[i]), &next, each);
        cr_expect(size <= limit && size + each > limit, "%s: %zu bytes", l.name[i], size);
    }
    cr_expect_leq(expect_next_lines(log_in(folder), &next, each), limit);
    cr_expect_eq(next, n);
}

/* ---- by size ---- */

THL_TEST(sink_file_rotate, file_never_passes_its_limit_and_no_line_is_lost_or_split)
{
    const char *folder = make_folder();
    unsigned next = 0;
    void *sink = OPEN(log_in(folder), "rotate", "4K", "keep", "60");

    write_lines(sink, &next, 100, 100, 7);
    write_lines(sink, &next, 100, 100, 64); /* a batch that is longer than a file */
    write_lines(sink, &next, 100, 100, 1);
    expect_lines(folder, 300, 100, 4096);
    cr_expect_eq(list_others(folder, "a.log").n, 7u);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_rotate, record_that_is_longer_than_the_limit_has_a_file_of_its_own)
{
    const char *folder = make_folder(), *path = log_in(folder);
    void *sink = OPEN(path, "rotate", "4K");
    static struct batch b;
    size_t size;

    add_numbered(&b, 0, 100, '\n');
    add_numbered(&b, 1, 5000, '\n');
    add_numbered(&b, 2, 100, '\n');
    cr_expect_eq(write_all(ops, sink, &b, NULL), 0);
    struct names l = list_others(folder, "a.log");
    cr_assert_eq(l.n, 2u);
    free(slurp(path_in(folder, l.name[0]), &size));
    cr_expect_eq(size, 100u);
    free(slurp(path_in(folder, l.name[1]), &size));
    cr_expect_eq(size, 5000u);
    free(slurp(path, &size));
    cr_expect_eq(size, 100u);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_rotate, full_file_of_an_earlier_run_is_rotated_before_the_first_record)
{
    const char *folder = make_folder(), *path = log_in(folder);
    static char full[4097];
    unsigned next = 0;

    memset(full, '.', 4095);
    full[4095] = '\n';
    fill_file(path, full);
    void *sink = OPEN(path, "rotate", "4K");
    cr_expect_eq(list_others(folder, "a.log").n, 0u);
    write_lines(sink, &next, 1, 100, 1);
    cr_expect_eq(list_others(folder, "a.log").n, 1u);
    cr_expect_eq(expect_next_lines(path, &(unsigned){0}, 100), 100u);
    ops->close(sink);
    remove_folder(folder);
}

/* ---- what is kept ---- */

THL_TEST(sink_file_rotate, oldest_files_beyond_keep_are_deleted_and_nothing_else)
{
    static const char *const others[] = {
        "a.log.1",
        "a.log.20200101T000000.000000Z.gz",
        "a.log.20200101T000000.000000",
        "a.log.20201301T000000.000000Z",
        "a.log.20200230T000000.000000Z",
        "a.log.20200101T000060.000000Z",
        "a.log.20200101t000000.000000Z",
        "a.log.00000101T000000.000000Z",
        "aa.log.20200101T000000.000000Z",
        "b.log.20200101T000000.000000Z",
        "a.log-20200101T000000.000000Z",
        "a.log.2020010aT000000.000000Z",
    };
    enum { OTHERS = sizeof(others) / sizeof(others[0]) };
    const char *folder = make_folder(), *path = log_in(folder);
    unsigned next = 0;

    for (size_t i = 0; i < OTHERS; i++)
        fill_file(path_in(folder, others[i]), "not ours\n");
    cr_assert_eq(mkdir(path_in(folder, "a.log.20200102T000000.000000Z"), 0700), 0);
    fill_file(path_in(folder, "a.log.20200229T235959.999999Z"), "oldest\n");
    fill_file(path_in(folder, "a.log.20210101T000000.000000Z"), ""); /* a crash left it */
    void *sink = OPEN(path, "rotate", "4K", "keep", "3");
    write_lines(sink, &next, 50, 100, 1);
    cr_expect_eq(list_others(folder, "a.log").n, OTHERS + 1u + 3);
    write_lines(sink, &next, 40, 100, 1);
    cr_expect_eq(list_others(folder, "a.log").n, OTHERS + 1u + 3);
    cr_expect_eq(access(path_in(folder, "a.log.20200229T235959.999999Z"), F_OK), -1);
    cr_expect_eq(access(path_in(folder, "a.log.20210101T000000.000000Z"), F_OK), 0);
    write_lines(sink, &next, 80, 100, 1);
    cr_expect_eq(access(path_in(folder, "a.log.20210101T000000.000000Z"), F_OK), -1);
    cr_expect_eq(list_others(folder, "a.log").n, OTHERS + 1u + 3);
    for (size_t i = 0; i < OTHERS; i++)
        expect_file(path_in(folder, others[i]), "not ours\n");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_rotate, keep_that_was_lowered_deletes_all_that_are_too_many)
{
    const char *folder = make_folder(), *path = log_in(folder);
    unsigned next = 0;
    void *sink = OPEN(path, "rotate", "4K", "keep", "60");

    write_lines(sink, &next, 1600, 100, 64);
    cr_assert_eq(list_others(folder, "a.log").n, 39u);
    ops->close(sink);
    sink = OPEN(path, "rotate", "4K", "keep", "2");
    write_lines(sink, &next, 41, 100, 64);
    struct names l = list_others(folder, "a.log");
    cr_assert_eq(l.n, 2u);
    unsigned at = 1560; /* each file holds 40 */
    expect_next_lines(path_in(folder, l.name[0]), &at, 100);
    expect_next_lines(path_in(folder, l.name[1]), &at, 100);
    cr_expect_eq(at, 1640u);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_rotate, names_rise_whatever_the_clock_does)
{
    static const char last[] = "a.log.29991231T235959.999999Z";
    const char *folder = make_folder(), *path = log_in(folder);
    unsigned next = 0;

    fill_file(path_in(folder, last), "");
    void *sink = OPEN(path, "rotate", "4K");
    write_lines(sink, &next, 81, 100, 1);
    struct names l = list_others(folder, "a.log");
    cr_assert_eq(l.n, 3u);
    cr_expect_str_eq(l.name[0], last);
    cr_expect_str_eq(l.name[1], "a.log.30000101T000000.000000Z");
    cr_expect_str_eq(l.name[2], "a.log.30000101T000000.000001Z");
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_rotate, mode_and_owner_are_the_old_files)
{
    const char *folder = make_folder(), *path = log_in(folder);
    unsigned next = 0;
    struct stat st;

    fill_file(path, "");
    cr_assert_eq(chmod(path, 0626), 0);
    uid_t uid = geteuid() == 0 ? 12345 : geteuid();
    gid_t gid = geteuid() == 0 ? 54321 : getegid();
    cr_assert_eq(chown(path, uid, gid), 0);
    void *sink = OPEN(path, "rotate", "4K", "mode", "0600");
    mode_t old = umask(077);
    write_lines(sink, &next, 41, 100, 1);
    umask(old);
    cr_assert_eq(list_others(folder, "a.log").n, 1u);
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0626u);
    cr_expect_eq(st.st_uid, uid);
    cr_expect_eq(st.st_gid, gid);
    ops->close(sink);
    remove_folder(folder);
}

/* ---- by day ---- */

static time_t ahead_s;  /* of the time */
static time_t waited_s; /* by the monotonic clock, though nobody did */

/* In place of the C library's. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    if (id == CLOCK_REALTIME)
        ts->tv_sec += ahead_s;
    else
        ts->tv_sec += waited_s;
    return rc;
}

/* Sets the clock to so many seconds before or after the midnight that begins the given day. */
static void
set_clock(long day, long seconds)
{
    struct timespec real;

    syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
    ahead_s = (time_t)day * 86400 + seconds - real.tv_sec;
}

THL_TEST(sink_file_rotate, daily_begins_a_file_with_the_first_record_of_a_day_in_utc)
{
    const char *folder = make_folder(), *path = log_in(folder);

    setenv("TZ", "XXX-9", 1);
    tzset();
    set_clock(20600, -5);
    void *sink = OPEN(path, "rotate", "daily");
    cr_expect_eq(write_text(ops, sink, "old\n"), 0);
    cr_expect_eq(write_text(ops, sink, "old\n"), 0);
    cr_expect_eq(list_others(folder, "a.log").n, 0u);
    set_clock(20600, 1);
    cr_expect_eq(list_others(folder, "a.log").n, 0u, "no record yet");
    cr_expect_eq(write_text(ops, sink, "new\n"), 0);
    cr_expect_eq(write_text(ops, sink, "new\n"), 0);
    set_clock(20600, -1); /* set back, and on again: the file has its day */
    cr_expect_eq(write_text(ops, sink, "new\n"), 0);
    struct names l = list_others(folder, "a.log");
    cr_assert_eq(l.n, 1u);
    expect_file(path_in(folder, l.name[0]), "old\nold\n");
    expect_file(path, "new\nnew\nnew\n");
    cr_expect_eq(strncmp(l.name[0], "a.log.20260527T00000", 20), 0, "%s", l.name[0]);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_rotate, daily_leaves_an_empty_file_alone)
{
    const char *folder = make_folder(), *path = log_in(folder);

    set_clock(20600, -5);
    void *sink = OPEN(path, "rotate", "daily");
    set_clock(20601, 5);
    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    cr_expect_eq(list_others(folder, "a.log").n, 0u);
    ops->close(sink);
    remove_folder(folder);
}

static void
date_file(const char *path, time_t when)
{
    const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};

    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

THL_TEST(sink_file_rotate, daily_rotates_what_an_earlier_day_has_left)
{
    const char *folder = make_folder(), *path = log_in(folder);

    set_clock(20600, 5);
    fill_file(path, "today\n");
    date_file(path, 20600 * 86400L);
    void *sink = OPEN(path, "rotate", "daily");
    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    expect_file(path, "today\none\n");
    ops->close(sink);
    date_file(path, 20600 * 86400L - 1);
    sink = OPEN(path, "rotate", "daily");
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    expect_file(path, "two\n");
    struct names l = list_others(folder, "a.log");
    cr_assert_eq(l.n, 1u);
    expect_file(path_in(folder, l.name[0]), "today\none\n");
    ops->close(sink);
    remove_folder(folder);
}

/* ---- others at the same file ---- */

/* What another process's rotation looks like. */
static void
rotate_by_hand(const char *path, const char *to)
{
    cr_assert_eq(rename(path, to), 0);
    fill_file(path, "");
}

THL_TEST(sink_file_rotate, rotation_by_another_process_is_followed_at_once)
{
    const char *folder = make_folder(), *path = log_in(folder);
    const char *old = path_in(folder, "a.log.20260527T000000.000000Z");
    void *sink = OPEN(path, "rotate", "4K");

    cr_expect_eq(write_text(ops, sink, "one\n"), 0);
    rotate_by_hand(path, old);
    cr_expect_eq(write_text(ops, sink, "two\n"), 0);
    expect_file(old, "one\n");
    expect_file(path, "two\n");
    ops->close(sink);
    remove_folder(folder);
}

/* logrotate moves the file, and makes the new one a moment later; it would take one that is there
 * already for a mistake. */
THL_TEST(sink_file_rotate, file_that_was_moved_away_is_not_made_anew_before_the_next_look)
{
    const char *folder = make_folder(), *path = log_in(folder);
    const char *old = path_in(folder, "a.log.1");
    void *sink = OPEN(path, "rotate", "4K");
    unsigned next = 0;

    write_lines(sink, &next, 30, 100, 10);
    cr_assert_eq(rename(path, old), 0);
    write_lines(sink, &next, 30, 100, 10); /* over the limit: still nothing to rotate */
    cr_expect_eq(access(path, F_OK), -1);
    cr_expect(ops->wants_reopen(sink));
    cr_expect_eq(ops->reopen(sink), 0);
    write_lines(sink, &next, 1, 100, 1);
    cr_expect_eq(list_others(folder, "a.log").n, 1u);
    next = 0;
    expect_next_lines(old, &next, 100);
    cr_expect_eq(next, 60u);
    expect_next_lines(path, &next, 100);
    cr_expect_eq(next, 61u);
    ops->close(sink);
    remove_folder(folder);
}

THL_TEST(sink_file_rotate, who_does_not_get_the_lock_writes_on_and_tries_again)
{
    const char *folder = make_folder(), *path = log_in(folder);
    void *sink = OPEN(path, "rotate", "4K");
    unsigned next = 0;
    int other = open(path, O_RDONLY | O_CLOEXEC);

    cr_assert_eq(flock(other, LOCK_EX), 0);
    write_lines(sink, &next, 60, 100, 64);
    cr_expect_eq(list_others(folder, "a.log").n, 0u);
    cr_expect_not(ops->wants_reopen(sink), "no failure");
    cr_assert_eq(flock(other, LOCK_UN), 0);
    write_lines(sink, &next, 1, 100, 1);
    cr_expect_eq(list_others(folder, "a.log").n, 1u);
    cr_assert_eq(flock(other, LOCK_EX | LOCK_NB), 0, "the lock was given back");
    close(other);
    ops->close(sink);
    remove_folder(folder);
}

/* Whoever may read the file may lock it: that must not make it grow for ever. */
THL_TEST(sink_file_rotate, lock_that_is_not_given_back_is_passed_over_two_seconds_later)
{
    const char *folder = make_folder(), *path = log_in(folder);
    void *sink = OPEN(path, "rotate", "4K");
    unsigned next = 0;
    int other = open(path, O_RDONLY | O_CLOEXEC);

    cr_assert_eq(flock(other, LOCK_EX), 0);
    write_lines(sink, &next, 60, 100, 64);
    cr_expect_eq(list_others(folder, "a.log").n, 0u);
    waited_s = 3;
    write_lines(sink, &next, 1, 100, 1);
    struct names l = list_others(folder, "a.log");
    cr_assert_eq(l.n, 1u);
    next = 0;
    cr_expect_eq(expect_next_lines(path_in(folder, l.name[0]), &next, 100), 6000u);
    cr_expect_eq(expect_next_lines(path, &next, 100), 100u);
    other = close(other) == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    cr_assert_eq(flock(other, LOCK_EX), 0);
    write_lines(sink, &next, 60, 100, 64);
    cr_expect_eq(list_others(folder, "a.log").n, 1u, "of the next file it is waited for anew");
    close(other);
    ops->close(sink);
    remove_folder(folder);
}

static const char *delete_at_write; /* the path of the file that goes away just before a write */

/* In place of the C library's. */
ssize_t
write(int fd, const void *bytes, size_t n)
{
    const char *path = delete_at_write;

    delete_at_write = NULL;
    if (path) {
        unlink(path);
        fill_file(path, "");
    }
    return syscall(SYS_write, fd, bytes, n);
}

THL_TEST(sink_file_rotate, records_written_to_a_file_that_was_deleted_meanwhile_are_written_again)
{
    const char *folder = make_folder(), *path = log_in(folder);
    void *sink = OPEN(path, "rotate", "4K");
    static struct batch b;
    size_t done;

    add(&b, "one\n");
    add(&b, "two\n");
    delete_at_write = path;
    cr_expect_eq(write_all(ops, sink, &b, &done), -EAGAIN);
    cr_expect_eq(done, 0u);
    cr_expect_eq(write_all(ops, sink, &b, &done), 0);
    expect_file(path, "one\ntwo\n");
    ops->close(sink);
    remove_folder(folder);
}

/* The rotation's next look into a folder finds that the daemon closed the folder's descriptor, and
 * opened /dev/null, which got the number. */
static bool take_folder;
static int taken = -1;

int
fstatat(int fd, const char *restrict path, struct stat *restrict st, int flags)
{
    if (take_folder && fd >= 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        take_folder = false;
        taken = dup3(null, fd, O_CLOEXEC);
        close(null);
    }
    return (int)syscall(SYS_newfstatat, fd, path, st, flags);
}

THL_TEST(sink_file_rotate, number_that_the_daemon_took_during_a_rotation_stays_the_daemons)
{
    const char *folder = make_folder(), *path = log_in(folder);
    void *sink = OPEN(path, "rotate", "4K");
    struct stat mine, null;
    unsigned next = 0;

    write_lines(sink, &next, 40, 100, 40);
    take_folder = true;
    write_lines(sink, &next, 10, 100, 1);
    cr_assert_geq(taken, 0);
    cr_assert(fstat(taken, &mine) == 0 && stat("/dev/null", &null) == 0);
    cr_expect_eq(mine.st_rdev, null.st_rdev);
    cr_expect_eq(ops->reopen(sink), 0);
    write_lines(sink, &next, 10, 100, 1);
    cr_expect_eq(list_others(folder, "a.log").n, 1u);
    ops->close(sink);
    cr_expect_eq(fstat(taken, &mine), 0);
    close(taken);
    remove_folder(folder);
}

/* ---- failures ---- */

THL_TEST(sink_file_rotate, failed_rotation_writes_on_and_is_tried_again_by_reopen)
{
    const char *folder = make_folder(), *path = log_in(folder);
    unsigned next = 0;

    if (geteuid() != 0) {
        remove_folder(folder);
        cr_skip_test("needs root, to become another user");
    }
    fill_file(path, "");
    cr_assert(chmod(folder, 0755) == 0 && chown(path, 12345, 12345) == 0);
    cr_assert_eq(seteuid(12345), 0);
    void *sink = OPEN(path, "rotate", "4K");
    write_lines(sink, &next, 60, 100, 50);
    write_lines(sink, &next, 60, 100, 50);
    cr_expect(ops->wants_reopen(sink));
    cr_expect_eq(ops->reopen(sink), -EACCES);
    cr_expect(ops->wants_reopen(sink), "still");
    cr_expect_eq(list_others(folder, "a.log").n, 0u);
    cr_assert(seteuid(0) == 0 && chmod(folder, 0777) == 0 && seteuid(12345) == 0);
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_not(ops->wants_reopen(sink));
    write_lines(sink, &next, 1, 100, 1);
    cr_assert_eq(seteuid(0), 0);
    struct names l = list_others(folder, "a.log");
    cr_assert_eq(l.n, 1u);
    next = 0;
    expect_next_lines(path_in(folder, l.name[0]), &next, 100);
    cr_expect_eq(next, 120u);
    ops->close(sink);
    remove_folder(folder);
}

/* A folder in which the owner of a file alone may delete it. */
THL_TEST(sink_file_rotate, file_that_cannot_be_deleted_is_told_by_reopen_and_rotation_goes_on)
{
    const char *folder = make_folder(), *path = log_in(folder);
    const char *foreign = path_in(folder, "a.log.20200101T000000.000000Z");
    unsigned next = 0;

    if (geteuid() != 0) {
        remove_folder(folder);
        cr_skip_test("needs root, to become another user");
    }
    fill_file(foreign, "");
    cr_assert(chmod(folder, 01777) == 0 && seteuid(12345) == 0);
    void *sink = OPEN(path, "rotate", "4K", "keep", "1");
    write_lines(sink, &next, 121, 100, 1);
    cr_expect(ops->wants_reopen(sink));
    int rc = ops->reopen(sink);
    cr_expect(rc == -EPERM || rc == -EACCES, "%d", rc);
    cr_assert_eq(seteuid(0), 0);
    cr_expect_geq(list_others(folder, "a.log").n, 2u);
    cr_assert_eq(unlink(foreign), 0);
    cr_expect_eq(ops->reopen(sink), 0);
    cr_expect_not(ops->wants_reopen(sink));
    cr_expect_eq(list_others(folder, "a.log").n, 1u);
    ops->close(sink);
    remove_folder(folder);
}

/* renameat2 fails as it does where a file system cannot exchange names. */
static bool
forbid_exchange(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

THL_TEST(sink_file_rotate, file_system_without_exchange_is_rotated_by_rename)
{
    const char *folder = make_folder(), *path = log_in(folder);
    unsigned next = 0;
    struct stat st;

    if (!forbid_exchange()) {
        remove_folder(folder);
        cr_skip_test("no system call filters: %s", strerror(errno));
    }
    fill_file(path, "");
    cr_assert_eq(chmod(path, 0604), 0);
    void *sink = OPEN(path, "rotate", "4K", "keep", "60");
    write_lines(sink, &next, 300, 100, 33);
    expect_lines(folder, 300, 100, 4096);
    cr_expect_eq(list_others(folder, "a.log").n, 7u);
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0604);
    ops->close(sink);
    remove_folder(folder);
}
