/* SPDX-License-Identifier: MIT */
/* What a daemon gives up after its start: its root folder, its user. And what nobody may give it.
 */
#include "test.h"

#include "captured.h"
#include "folder.h"
#include "receivers.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <thole/test.h>
#include <thole/thole.h>

enum {
    NOBODY = 65534,
    TICK_MS = 100,
    TICKS = 22
}; /* two of the looks at the path, once a second */

static const thole_logger root = {0};

static bool
begin(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks};

    return thole_start(&opt) == 0 && thole_flush(20000) == 0;
}

static void
skip_without_root(void)
{
    if (geteuid() != 0)
        cr_skip_test("only root may chroot, or become another user");
}

static size_t
count_in_file(const char *name, const char *part)
{
    char *text = folder_read(name);
    size_t n = captured_count(text, part);

    free(text);
    return n;
}

/* ---- a while, in ticks ---- */

static int
start_ticking(void)
{
    const struct itimerspec each = {{0, TICK_MS * 1000000}, {0, TICK_MS * 1000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    return fd >= 0 && timerfd_settime(fd, 0, &each, NULL) == 0 ? fd : -1;
}

static bool
await_tick(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    uint64_t ticks;

    return poll(&p, 1, 10000) == 1 && read(fd, &ticks, sizeof(ticks)) == sizeof(ticks);
}

/* Whether the next datagram with `part` in it comes within five seconds; others are passed over,
 * and all are kept as lines in `all`. */
static bool
receives(int fd, const char *part, struct received *all)
{
    struct pollfd p = {fd, POLLIN, 0};
    char bytes[4096];

    while (poll(&p, 1, 5000) == 1) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n < 0)
            return false;
        receivers_keep(all, bytes, (size_t)n);
        receivers_keep(all, "\n", 1);
        if (memmem(bytes, (size_t)n, part, strlen(part)))
            return true;
    }
    return false;
}

/* One record a tick, each of which comes to the receiver. */
static int
log_for_a_while(int receiver, struct received *all)
{
    char part[32];
    int ticks = start_ticking();

    CAPTURED_CHECK(ticks >= 0);
    for (int i = 0; i < TICKS; i++) {
        CAPTURED_CHECK(await_tick(ticks));
        thole_infof(root, "tick %d.", i);
        snprintf(part, sizeof(part), "tick %d.", i);
        CAPTURED_CHECK(thole_flush(5000) == 0);
        CAPTURED_CHECK(receiver < 0 || receives(receiver, part, all));
    }
    close(ticks);
    return 0;
}

static int
nothing_was_lost(void)
{
    struct thole_stats s = {.size = sizeof(s)};

    thole_stats(&s);
    for (unsigned i = 0; i < s.nsinks; i++)
        CAPTURED_CHECK(s.sink[i].dropped == 0 && s.sink[i].written == s.sink[i].offered);
    return s.nsinks > 0 && s.dropped == 0 ? 0 : __LINE__;
}

/* ---- another root folder ---- */

/* The test's folder under the same name inside of the jail. */
static bool
make_jail(bool with_the_path)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/jail", folder);
    if (mkdir(path, 0755) < 0)
        return false;
    for (const char *at = folder; with_the_path && *at; at += strcspn(at, "/")) {
        at += strspn(at, "/");
        snprintf(path, sizeof(path), "%s/jail%.*s", folder,
                 (int)(at - folder + (long)strcspn(at, "/")), folder);
        if (mkdir(path, 0755) < 0)
            return false;
    }
    return true;
}

static const char *
path_in_jail(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "jail%s/%s", folder, name);
    return path;
}

static int
live_in_a_jail(const void *with_the_path)
{
    struct received all = {0};
    char sinks[256], log[256];
    int receiver = receivers_bind_unix(folder, "log", SOCK_DGRAM);
    int outside = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    snprintf(log, sizeof(log), "%s", path_in_jail("a.log"));
    snprintf(sinks, sizeof(sinks), "file:%s/a.log syslog:%s/log", folder, folder);
    CAPTURED_CHECK(receiver >= 0 && outside >= 0 && make_jail(with_the_path != NULL));
    CAPTURED_CHECK(begin(sinks));
    thole_info(root, "outside");
    CAPTURED_CHECK(thole_flush(5000) == 0 && receives(receiver, "outside", &all));
    CAPTURED_CHECK(chroot(folder_path("jail")) == 0 && chdir("/") == 0);
    int failed = log_for_a_while(receiver, &all);
    if (!failed)
        failed = nothing_was_lost();
    CAPTURED_CHECK(failed || faccessat(outside, log, F_OK, 0) < 0);
    thole_reopen();
    thole_info(root, "after the reopen");
    CAPTURED_CHECK(failed || (thole_flush(5000) == 0 && receives(receiver, "after the", &all)));
    CAPTURED_CHECK(failed || thole_stop(5000) == 0);
    if (!failed)
        failed = nothing_was_lost();
    while (recv(receiver, log, sizeof(log), MSG_DONTWAIT) > 0)
        continue;
    fprintf(stdout, "%s", all.text);
    fflush(stdout);
    free(all.text);
    return failed;
}

THL_TEST(privilege,
         descriptors_from_before_a_chroot_go_on_in_the_jail_and_a_reopen_says_that_it_failed)
{
    struct captured c;

    skip_without_root();
    folder_make();
    captured_run(&c, live_in_a_jail, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    cr_expect_eq(count_in_file("a.log", "tick "), (size_t)TICKS);
    cr_expect_eq(count_in_file("a.log", "\"msg\":\"after the reopen\""), 1u);
    size_t said = captured_count(c.err, "sink reopen failed") +
                  captured_count(c.out, "sink reopen failed") +
                  count_in_file("a.log", "sink reopen failed");
    cr_expect_geq(said, 1u, "the failed reopen is in no log: %s", c.err);
    folder_remove();
}

THL_TEST(privilege, same_path_in_the_jail_is_another_file_that_is_not_made_without_a_reopen)
{
    struct captured c;

    skip_without_root();
    folder_make();
    captured_run(&c, live_in_a_jail, "with the path");
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    cr_expect_eq(count_in_file("a.log", "tick "), (size_t)TICKS);
    cr_expect_eq(count_in_file("a.log", "\"msg\":\"after the reopen\"") +
                     count_in_file(path_in_jail("a.log"), "\"msg\":\"after the reopen\""),
                 1u, "either file has it, and one alone");
    folder_remove();
}

/* ---- another user ---- */

/* A process that keeps what the daemon gives up; it renames the log when it is told to. */
static int
start_rotator(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(ends[0]);
        while (read(ends[1], &byte, 1) == 1) {
            byte = rename(folder_path("a.log"), folder_path("a.log.1")) == 0 ? 'y' : 'n';
            if (write(ends[1], &byte, 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    return pid > 0 ? ends[0] : -1;
}

static bool
rotate(int rotator)
{
    struct pollfd p = {rotator, POLLIN, 0};
    char byte = 'r';

    return write(rotator, &byte, 1) == 1 && poll(&p, 1, 10000) == 1 &&
           read(rotator, &byte, 1) == 1 && byte == 'y';
}

static bool
become_nobody(void)
{
    return setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0 && setuid(0) < 0;
}

static int
drop_privileges(const void *arg)
{
    struct received all = {0};
    char sinks[256];
    int receiver = receivers_bind_unix(folder, "log", SOCK_DGRAM), rotator = start_rotator();

    (void)arg;
    snprintf(sinks, sizeof(sinks), "file:%s/a.log syslog:%s/log", folder, folder);
    CAPTURED_CHECK(receiver >= 0 && rotator >= 0 && begin(sinks));
    thole_info(root, "as root");
    CAPTURED_CHECK(thole_flush(5000) == 0 && become_nobody());
    thole_info(root, "as nobody");
    CAPTURED_CHECK(thole_flush(5000) == 0 && receives(receiver, "as nobody", &all));
    CAPTURED_CHECK(open(folder_path("b.log"), O_WRONLY | O_CREAT, 0600) < 0);
    CAPTURED_CHECK(rotate(rotator));
    int failed = log_for_a_while(receiver, &all);
    thole_reopen();
    thole_info(root, "after the reopen");
    CAPTURED_CHECK(failed || receives(receiver, "err_name=EACCES", &all));
    CAPTURED_CHECK(failed || thole_stop(5000) == 0);
    free(all.text);
    close(rotator);
    return failed ? failed : nothing_was_lost();
}

THL_TEST(privilege, file_rotated_away_from_a_daemon_that_may_not_make_another_is_kept)
{
    struct captured c;
    struct stat st;

    skip_without_root();
    folder_make();
    cr_assert_eq(chmod(folder, 0755), 0);
    captured_run(&c, drop_privileges, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    cr_expect_eq(count_in_file("a.log.1", "as nobody"), 1u);
    cr_expect_eq(count_in_file("a.log.1", "tick "), (size_t)TICKS);
    cr_expect_eq(count_in_file("a.log.1", "after the reopen"), 1u);
    cr_expect_lt(stat(folder_path("a.log"), &st), 0);
    folder_remove();
}

/* ---- modes and links ---- */

/* Moves the log away and lets a record make another; the mode of that, or -1. */
static int
mode_after_rotation(mode_t mask)
{
    struct stat st;

    umask(mask);
    if (rename(folder_path("a.log"), folder_path("a.log.1")) < 0)
        return -1;
    thole_reopen();
    thole_info(root, "in a new file");
    if (thole_flush(5000) != 0 || stat(folder_path("a.log"), &st) < 0 || umask(0) != mask)
        return -1;
    return (int)(st.st_mode & 07777);
}

static int
reopen_under_umasks(const void *key)
{
    static const mode_t masks[] = {0, 077, 022, 0777};
    const bool given = *(const char *)key != '\0';
    char sinks[128];

    snprintf(sinks, sizeof(sinks), "file:%s/a.log%s", folder, (const char *)key);
    CAPTURED_CHECK(begin(sinks));
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        int wanted = given ? 0660 : (int)(0640 & ~masks[i]);
        CAPTURED_CHECK(mode_after_rotation(masks[i]) == wanted);
    }
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(privilege, file_made_by_a_reopen_has_mode_0640_less_the_umask_or_the_mode_given)
{
    static const char *const keys[] = {"", "?mode=0660"};
    struct captured c;

    for (int i = 0; i < 2; i++) {
        folder_make();
        captured_run(&c, reopen_under_umasks, keys[i]);
        cr_expect_eq(c.failed_line, 0, "%s: line %d: %s", keys[i], c.failed_line, c.err);
        folder_remove();
    }
}

static int
find_a_link_at_the_path(const void *target)
{
    char sinks[128];

    snprintf(sinks, sizeof(sinks), "file:%s/a.log memory:", folder);
    CAPTURED_CHECK(begin(sinks));
    CAPTURED_CHECK(rename(folder_path("a.log"), folder_path("a.log.1")) == 0);
    CAPTURED_CHECK(symlink(folder_path(target), folder_path("a.log")) == 0);
    thole_reopen();
    thole_info(root, "after the reopen");
    CAPTURED_CHECK(thole_flush(5000) == 0 && thole_stop(5000) == 0);
    CAPTURED_CHECK(captured_count(thole_test_lines(), "\"err_name\":\"ELOOP\"") == 1);
    return nothing_was_lost();
}

THL_TEST(privilege, link_planted_at_the_path_is_not_followed_by_a_reopen)
{
    static const char *const targets[] = {"shadow", "missing"};
    struct captured c;

    for (int i = 0; i < 2; i++) {
        folder_make();
        close(open(folder_path("shadow"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        captured_run(&c, find_a_link_at_the_path, targets[i]);
        cr_expect_eq(c.failed_line, 0, "%s: line %d: %s", targets[i], c.failed_line, c.err);
        cr_expect_eq(count_in_file("shadow", "\n"), 0u);
        cr_expect_lt(access(folder_path("missing"), F_OK), 0);
        cr_expect_eq(count_in_file("a.log.1", "after the reopen"), 1u);
        folder_remove();
    }
}

/* ---- setuid ---- */

static void
skip_where_setuid_is_ignored(void)
{
    struct statvfs fs;

    cr_assert_eq(statvfs(P_tmpdir, &fs), 0);
    if (fs.f_flag & (ST_NOSUID | ST_NOEXEC))
        cr_skip_test("%s is mounted nosuid or noexec", P_tmpdir);
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        cr_skip_test("no_new_privs is set");
    if (access(getenv("THOLE_TEST_SETUID_HELPER"), R_OK) < 0)
        cr_skip_test("the helper was not built");
}

/* A copy in the test's folder, where only a path that is known leads, with this mode. */
static void
copy_helper(mode_t mode)
{
    int from = open(getenv("THOLE_TEST_SETUID_HELPER"), O_RDONLY | O_CLOEXEC);
    int to = open(folder_path("helper"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    char bytes[65536];
    ssize_t n;

    cr_assert(from >= 0 && to >= 0);
    while ((n = read(from, bytes, sizeof(bytes))) > 0)
        cr_assert_eq(write(to, bytes, (size_t)n), n);
    cr_assert(n == 0 && fchown(to, 0, 0) == 0 && fchmod(to, mode) == 0);
    close(from);
    close(to);
    cr_assert_eq(chmod(folder, 0711), 0);
}

/* As whoever attacks it. The folder "drop" is one where anybody may make files. */
static int
run_helper_as_nobody(const void *arg)
{
    char path[128], sinks[160];
    char *argv[] = {path, NULL}, *env[] = {sinks, (char[]){"THOLE_LOG=trace"}, NULL};

    (void)arg;
    snprintf(path, sizeof(path), "%s/helper", folder);
    snprintf(sinks, sizeof(sinks), "THOLE_SINKS=file:%s/drop/attack.log", folder);
    CAPTURED_CHECK(become_nobody());
    execve(path, argv, env);
    return __LINE__;
}

/* The program took the place of the body, so it is its exit status that counts. */
static void
run_helper(struct captured *c, mode_t mode)
{
    skip_without_root();
    skip_where_setuid_is_ignored();
    folder_make();
    copy_helper(mode);
    cr_assert(mkdir(folder_path("drop"), 0700) == 0 && chmod(folder_path("drop"), 0777) == 0);
    captured_run(c, run_helper_as_nobody, NULL);
    cr_expect_eq(c->failed_line, -1, "exec: line %d: %s", c->failed_line, c->err);
}

static void
check_ignored(mode_t mode, const char *euid)
{
    struct captured c;

    run_helper(&c, mode);
    cr_expect_not_null(strstr(c.out, euid), "%s", c.out);
    cr_expect_not_null(strstr(c.out, "started 0, level 2, sinks 1, first stderr:\n"), "%s", c.out);
    cr_expect_eq(captured_count(c.err, "the environment is ignored\n"), 1u, "%s", c.err);
    cr_expect_eq(captured_count(c.err, "\"msg\":\"from the helper\""), 1u, "%s", c.err);
    cr_expect_eq(captured_count(c.err, "\n"), 2u, "and nothing else: %s", c.err);
    cr_expect_lt(access(folder_path("drop/attack.log"), F_OK), 0);
    folder_remove();
}

THL_TEST(privilege, setuid_program_ignores_the_environment_and_says_so_once)
{
    check_ignored(04755, "euid 0,");
}

THL_TEST(privilege, setgid_program_ignores_the_environment_and_says_so_once)
{
    check_ignored(02755, "euid 65534,");
}

THL_TEST(privilege, same_program_without_the_bit_honours_the_environment)
{
    struct captured c;

    run_helper(&c, 0755);
    cr_expect_not_null(strstr(c.out, "euid 65534, started 0, level 0, sinks 1"), "%s", c.out);
    cr_expect_str_eq(c.err, "");
    cr_expect_eq(count_in_file("drop/attack.log", "\"msg\":\"from the helper\""), 1u);
    cr_expect_eq(count_in_file("drop/attack.log", "\"msg\":\"in detail\""), 1u);
    folder_remove();
}
