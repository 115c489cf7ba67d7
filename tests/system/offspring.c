/* SPDX-License-Identifier: MIT */
/* Daemons, and other programs that a program runs: nothing is lost, nothing is handed on. */
#include "test.h"

#include "captured.h"
#include "folder.h"
#include "kept.h"
#include "whole_program.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { QUEUED = 100, THREADS = 3, PER_THREAD = 20000 }; /* as in programs/forker.c */

/* ---- daemons ---- */

/* The lines that bear this pid and message. */
static size_t
count_lines_of(const char *text, long pid, const char *msg)
{
    char head[64], tail[64];
    size_t n = 0;

    snprintf(head, sizeof(head), " ends %ld ", pid);
    snprintf(tail, sizeof(tail), "] %s", msg);
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        size_t size = (size_t)(end - line);
        n += memmem(line, size, head, strlen(head)) && size > strlen(tail) &&
             memcmp(end - strlen(tail), tail, strlen(tail)) == 0;
    }
    return n;
}

static void
expect_a_daemons_records(const char *mode, size_t in_between)
{
    struct program p;
    char sinks[128];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?format=rfc5424", folder);
    program_begin(&p, "THOLE_TEST_FORKER", mode, sinks, NULL);
    program_end(&p);
    cr_expect_eq(p.status, 0);
    /* the parent's threads are not in the child process: LSan says that it misses them */
    cr_expect(!strstr(p.err, "thole") && !strstr(p.err, "does not hold"), "%s", p.err);
    cr_assert_eq(strncmp(p.out, "daemon ", 7), 0, "it did not come to its end: %s", p.out);
    long pid = strtol(p.out + 7, NULL, 10);
    cr_expect_neq(pid, p.pid);
    char *text = folder_read("a.log");
    cr_expect_eq(count_lines_of(text, p.pid, "before"), (size_t)QUEUED, "%zu of the parent",
                 count_lines_of(text, p.pid, "before"));
    cr_expect_eq(count_lines_of(text, pid, "direct"), (size_t)QUEUED);
    cr_expect_eq(count_lines_of(text, pid, "started"), (size_t)QUEUED);
    cr_expect_eq(captured_count(text, " in between\n"), in_between);
    cr_expect_eq(captured_count(text, "\n"), 3u * QUEUED + in_between, "each once");
    free(text);
    program_forget(&p);
    folder_remove();
}

THL_TEST(offspring, daemon_keeps_what_was_logged_before_it_detached)
{
    expect_a_daemons_records("become_a_daemon", 0);
}

THL_TEST(offspring, daemon_by_two_forks_keeps_what_was_logged_before)
{
    expect_a_daemons_records("fork_twice", 1);
}

/* ---- other programs ---- */

/* vfork, posix_spawn, system, popen: the ledger is the program's own claim. */
THL_TEST(offspring, programs_run_beside_threads_that_log_disturb_no_record)
{
    struct program p;
    char sinks[128];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log", folder);
    program_begin(&p, "THOLE_TEST_FORKER", "run_programs_beside_threads", sinks, NULL);
    program_end(&p);
    cr_expect_eq(p.status, 31, "%d: %s", p.status, p.err);
    cr_expect_str_empty(p.err);
    char *text = folder_read("a.log");
    struct kept k = kept_read(text);
    for (int source = 0; source < THREADS; source++)
        kept_expect_all(&k, source, PER_THREAD);
    cr_expect_eq(k.others, 0u);
    free(text);
    program_forget(&p);
    folder_remove();
}

static int
bind_udp(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, size), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int
bind_log_socket(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/log", folder);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* What was listed before thole_start is the first part, then one part for each way to run ls. */
THL_TEST(offspring, programs_see_no_descriptor_of_ours)
{
    struct program p;
    char sinks[320];
    int port, udp, log;
    size_t parts = 0;

    folder_make();
    udp = bind_udp(&port);
    log = bind_log_socket();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log udp://127.0.0.1:%d syslog:%s/log", folder, port,
             folder);
    program_begin(&p, "THOLE_TEST_FORKER", "list_descriptors_of_programs", sinks, NULL);
    program_end(&p);
    cr_expect_eq(p.status, 32, "%d: %s", p.status, p.err);
    size_t size = strcspn(p.out, "=");
    cr_expect_not_null(strstr(p.out, "2\n"), "ls has listed something: %s", p.out);
    for (const char *at = p.out + size; (at = strstr(at, "==\n")) != NULL; parts++) {
        at += 3;
        cr_expect(strncmp(at, p.out, size) == 0 && (at[size] == '=' || at[size] == '\0'), "%s",
                  p.out);
    }
    cr_expect_eq(parts, 5u);
    program_forget(&p);
    close(udp);
    close(log);
    folder_remove();
}
