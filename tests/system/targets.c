/* SPDX-License-Identifier: MIT */
/* Targets and routes: descriptors are as many as distinct targets, whatever else there is many of.
 */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thole/test.h>
#include <thole/thole.h>
#include <time.h>

enum { CHILDREN = 100000 };

static const thole_logger root = {0};

static void
start_with(const char *sinks, const char *limits)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .limits = limits};

    cr_assert_eq(thole_start(&opt), 0);
}

/* The descriptors of this process that are open on `path`. */
static int
count_open(const char *path)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    struct stat wanted, st;
    int n = 0;

    cr_assert(dir && stat(path, &wanted) == 0);
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && st.st_dev == wanted.st_dev &&
            st.st_ino == wanted.st_ino)
            n++;
    closedir(dir);
    return n;
}

static size_t
count_in_file(const char *name, const char *part)
{
    char *text = folder_read(name);
    size_t n = captured_count(text, part);

    free(text);
    return n;
}

/* ---- one target, many names ---- */

THL_TEST(targets, file_named_twice_is_one_descriptor_and_each_record_stands_once)
{
    char sinks[512];

    folder_make();
    cr_assert_eq(symlink(folder, folder_path("itself")), 0);
    snprintf(sinks, sizeof(sinks), "file:%s/a.log file:%s/./a.log file:%s/itself/a.log", folder,
             folder, folder);
    start_with(sinks, NULL);
    thole_info(root, "once");
    cr_assert_eq(thole_flush(5000), 0);
    cr_expect_eq(count_open(folder_path("a.log")), 1);
    cr_expect_eq(count_in_file("a.log", "once"), 1u);
    cr_expect_eq(take_stats().nsinks, 1u);
    folder_remove();
}

static int
write_to_two_names(const void *sinks)
{
    start_with(sinks, NULL);
    thole_info(root, "once");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    CAPTURED_CHECK(take_stats().nsinks == 1);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(targets, hard_link_to_a_target_is_that_target_and_neither_is_written_to)
{
    struct captured c;
    char sinks[512];

    folder_make();
    close(open(folder_path("a.log"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    cr_assert_eq(link(folder_path("a.log"), folder_path("b.log")), 0);
    snprintf(sinks, sizeof(sinks), "file:%s/a.log file:%s/b.log", folder, folder);
    captured_run(&c, write_to_two_names, sinks);
    cr_expect_eq(c.failed_line, 0, "line %d; %s", c.failed_line, c.err);
    cr_expect_eq(captured_count(c.err, "cannot open"), 1u, "%s", c.err);
    cr_expect_geq(captured_count(c.err, "hard links"), 1u, "%s", c.err);
    cr_expect_eq(captured_count(c.err, "\"msg\":\"once\""), 1u, "stderr has it: %s", c.err);
    cr_expect_eq(count_in_file("a.log", "\n"), 0u);
    folder_remove();
}

static int
write_to_stdout_twice(const void *arg)
{
    start_with(arg, NULL);
    thole_info(root, "once");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    CAPTURED_CHECK(take_stats().nsinks == 1);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(targets, name_that_is_too_long_says_that_it_was_cut)
{
    char sinks[256];

    folder_make();
    snprintf(sinks, sizeof(sinks),
             "file:%s/a-file-with-a-name-that-is-long-and-\xC3\xA9\xC3\xA9\xC3\xA9", folder);
    start_with(sinks, NULL);
    const struct thole_stats s = take_stats();
    size_t n = strlen(s.sink[0].name);
    cr_expect(n >= 60 && n < sizeof(s.sink[0].name), "%s", s.sink[0].name);
    cr_expect_eq(strncmp(s.sink[0].name, sinks, n - 3), 0, "%s", s.sink[0].name);
    cr_expect_str_eq(s.sink[0].name + n - 3, "...");
    cr_assert_eq(thole_stop(5000), 0);
    folder_remove();
}

THL_TEST(targets, stdout_has_two_names_and_gets_each_record_once)
{
    struct captured c;

    captured_run(&c, write_to_stdout_twice, "stdout: file:/dev/stdout");
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_eq(captured_count(c.out, "once"), 1u, "%s", c.out);
}

/* ---- routes ---- */

THL_TEST(targets, record_takes_the_first_route_that_takes_it)
{
    char sinks[512];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?level=warn file:%s/a.log?only=net", folder,
             folder);
    start_with(sinks, NULL);
    thole_warn(thole_get("db"), "by the first");
    thole_warn(thole_get("net"), "by both");
    thole_info(thole_get("net.http"), "by the second");
    thole_info(thole_get("db"), "by none");
    thole_info(thole_get("network"), "by none");
    cr_assert_eq(thole_flush(5000), 0);
    cr_expect_eq(count_in_file("a.log", "by the first"), 1u);
    cr_expect_eq(count_in_file("a.log", "by both"), 1u);
    cr_expect_eq(count_in_file("a.log", "by the second"), 1u);
    cr_expect_eq(count_in_file("a.log", "by none"), 0u);
    cr_expect_eq(take_stats().sink[0].offered, 3u, "after the sink's own filters");
    folder_remove();
}

THL_TEST(targets, level_and_only_hold_for_their_own_target)
{
    char sinks[512];

    folder_make();
    snprintf(sinks, sizeof(sinks),
             "file:%s/errors?level=error file:%s/net?only=net memory:", folder, folder);
    start_with(sinks, NULL);
    thole_error(thole_get("db"), "bad");
    thole_info(thole_get("net"), "good");
    cr_assert_eq(thole_flush(5000), 0);
    cr_expect_eq(count_in_file("errors", "\n"), 1u);
    cr_expect_eq(count_in_file("errors", "bad"), 1u);
    cr_expect_eq(count_in_file("net", "\n"), 1u);
    cr_expect_eq(count_in_file("net", "good"), 1u);
    cr_expect_eq(captured_count(thole_test_lines(), "\n"), 2u);
    folder_remove();
}

static int
contradict(const void *arg)
{
    struct thole_options opt = {.size = sizeof(opt), .sinks = arg};

    CAPTURED_CHECK(thole_start(&opt) == 0);
    thole_info(root, "the first holds");
    CAPTURED_CHECK(thole_stop(5000) == 0);
    opt.flags = THOLE_STRICT;
    CAPTURED_CHECK(thole_start(&opt) == -EINVAL);
    return 0;
}

THL_TEST(targets, two_formats_for_one_file_are_a_configuration_error)
{
    struct captured c;
    char sinks[512];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?format=json file:%s/a.log?format=logfmt", folder,
             folder);
    captured_run(&c, contradict, sinks);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_eq(captured_count(c.err, "options.sinks:"), 2u, "once a start: %s", c.err);
    cr_expect_not_null(strstr(c.err, "format"), "%s", c.err);
    cr_expect_eq(count_in_file("a.log", "\"msg\":\"the first holds\""), 1u);
    folder_remove();
}

static int
name_it_twice(const void *sinks)
{
    start_with(sinks, NULL);
    thole_info(root, "by the second route");
    thole_error(root, "by the first");
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(targets, what_belongs_to_the_target_holds_whichever_route_names_it)
{
    struct captured c;
    struct stat st;
    char sinks[512];

    folder_make();
    snprintf(sinks, sizeof(sinks),
             "file:%s/a.log?level=error file:%s/a.log?format=logfmt&mode=0600", folder, folder);
    captured_run(&c, name_it_twice, sinks);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_str_eq(c.err, "");
    cr_expect_eq(count_in_file("a.log", " level=info logger=\"\" msg=\"by the second route\""), 1u);
    cr_expect_eq(count_in_file("a.log", " level=error logger=\"\" msg=\"by the first\""), 1u,
                 "one file, one format");
    cr_assert_eq(stat(folder_path("a.log"), &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600u);
    folder_remove();
}

static int
go_elsewhere(const void *arg)
{
    (void)arg;
    CAPTURED_CHECK(chdir(folder) == 0 && mkdir("elsewhere", 0700) == 0);
    start_with("file:a.log?reopen=call", NULL);
    thole_info(root, "before");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    CAPTURED_CHECK(chdir("elsewhere") == 0);
    thole_reopen();
    thole_info(root, "after");
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(targets, relative_path_is_of_the_folder_at_the_start)
{
    struct captured c;

    folder_make();
    captured_run(&c, go_elsewhere, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_eq(count_in_file("a.log", "\n"), 2u);
    cr_expect_eq(access(folder_path("elsewhere/a.log"), F_OK), -1);
    folder_remove();
}

static int
number_one_of_two(const void *sinks)
{
    start_with(sinks, NULL);
    thole_info(root, "first");
    thole_info(root, "second");
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(targets, numbers_are_in_the_records_of_their_own_target_alone)
{
    struct captured c;
    char sinks[512];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?level=info file:%s/b.log file:%s/a.log?seq=1",
             folder, folder, folder);
    captured_run(&c, number_one_of_two, sinks);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
    cr_expect_eq(count_in_file("a.log", "\"msg\":\"first\",\"thole.seq\":1}"), 1u);
    cr_expect_eq(count_in_file("a.log", "\"msg\":\"second\",\"thole.seq\":2}"), 1u);
    cr_expect_eq(count_in_file("b.log", "\n"), 2u);
    cr_expect_eq(count_in_file("b.log", "thole.seq"), 0u);
    folder_remove();
}

/* ---- the incident ---- */

static int
bind_udp(char *sink, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(sink, size, "udp://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    return fd;
}

static int
bind_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    return fd;
}

THL_TEST(targets, hundred_thousand_children_over_three_sinks_add_no_descriptor)
{
    static thole_logger child[CHILDREN];
    char sinks[512], udp[64], line[2048];

    folder_make();
    int datagrams = bind_udp(udp, sizeof(udp)), syslog = bind_unix(folder_path("log"));
    int at_first = count_entries("/proc/self/fd");
    snprintf(sinks, sizeof(sinks), "file:%s/a.log %s syslog:%s/log", folder, udp, folder);
    start_with(sinks, "children=100000");
    thole_info(root, "hello");
    cr_assert_eq(thole_flush(5000), 0);
    cr_expect_gt(recv(datagrams, line, sizeof(line), MSG_DONTWAIT), 0, "udp:");
    cr_expect_gt(recv(syslog, line, sizeof(line), MSG_DONTWAIT), 0, "syslog:");
    int before = count_entries("/proc/self/fd");
    cr_expect_leq(before - at_first, 6, "%d descriptors are thole's", before - at_first);

    for (int i = 0; i < CHILDREN; i++) {
        thole_child(&child[i], thole_get("net"), "conn", i);
        if (i % 1000 != 0)
            continue;
        thole_info(child[i], "hello");
        cr_assert_eq(thole_flush(5000), 0);
        cr_expect_gt(recv(datagrams, line, sizeof(line), MSG_DONTWAIT), 0, "udp: %d", i);
        cr_expect_gt(recv(syslog, line, sizeof(line), MSG_DONTWAIT), 0, "syslog: %d", i);
    }
    cr_expect_eq(thole_test_live_children(), (uint64_t)CHILDREN);
    cr_expect_eq(count_entries("/proc/self/fd"), before);
    cr_expect_eq(count_in_file("a.log", "\n"), 1u + CHILDREN / 1000);
    for (int i = 0; i < CHILDREN; i++)
        thole_unref(&child[i]);
    cr_expect_eq(count_entries("/proc/self/fd"), before);
    cr_expect_eq(thole_stop(5000), 0);
    close(datagrams);
    close(syslog);
    folder_remove();
}

/* ---- a target that cannot be opened ---- */

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Logs until the file holds a record, as a daemon would; the sink is tried again meanwhile. */
static bool
log_until_in_file(const char *name, const char *part)
{
    double end = now() + 20;

    while (now() < end) {
        thole_info(root, "again");
        thole_flush(100);
        if (count_in_file(name, part) > 0)
            return true;
    }
    return false;
}

static int
open_the_door_late(const void *arg)
{
    char sinks[512];

    (void)arg;
    snprintf(sinks, sizeof(sinks), "file:%s/late/a.log memory:", folder);
    start_with(sinks, NULL);
    thole_info(root, "nowhere to go");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    CAPTURED_CHECK(mkdir(folder_path("late"), 0700) == 0);
    CAPTURED_CHECK(log_until_in_file("late/a.log", "\"msg\":\"again\""));
    CAPTURED_CHECK(thole_stop(5000) == 0);
    CAPTURED_CHECK(captured_count(thole_test_lines(), "\"msg\":\"nowhere to go\"") == 1);
    CAPTURED_CHECK(captured_count(thole_test_lines(), "\"msg\":\"sink down\"") == 1);
    CAPTURED_CHECK(captured_count(thole_test_lines(), "\"msg\":\"sink recovered\"") == 1);
    CAPTURED_CHECK(take_stats().sink[0].written > 0);
    CAPTURED_CHECK(take_stats().sink[0].cause[THOLE_DOWN] > 0);
    return 0;
}

THL_TEST(targets, sink_that_cannot_open_falls_back_to_stderr_and_recovers)
{
    struct captured c;

    folder_make();
    captured_run(&c, open_the_door_late, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d; %s", c.failed_line, c.err);
    cr_expect_eq(captured_count(c.err, "\"msg\":\"nowhere to go\""), 1u, "%s", c.err);
    cr_expect_eq(count_in_file("late/a.log", "\"msg\":\"sink recovered\""), 1u);
    folder_remove();
}

static int
start_without_a_receiver(const void *arg)
{
    char sinks[512];
    double end = now() + 20;
    char line[1024];

    (void)arg;
    snprintf(sinks, sizeof(sinks), "syslog:%s/log", folder);
    start_with(sinks, NULL);
    thole_info(root, "nobody listens");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    int fd = bind_unix(folder_path("log"));
    while (now() < end) {
        thole_info(root, "again");
        thole_flush(100);
        if (recv(fd, line, sizeof(line), MSG_DONTWAIT) > 0)
            break;
    }
    CAPTURED_CHECK(now() < end);
    thole_stop(5000);
    close(fd);
    return 0;
}

THL_TEST(targets, syslog_without_its_receiver_falls_back_to_stderr_and_recovers)
{
    struct captured c;

    folder_make();
    captured_run(&c, start_without_a_receiver, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d; %s", c.failed_line, c.err);
    cr_expect_eq(captured_count(c.err, "nobody listens"), 1u, "%s", c.err);
    folder_remove();
}
