/* SPDX-License-Identifier: MIT */
/* Servers of many processes: what each costs, and a file that all of them write to. */
#include "test.h"

#include "captured.h"
#include "folder.h"

#include <poll.h>
#include <thole/thole.h>

enum { WORKERS = 4, RECORDS = 2000, MOST_KIB = 1024 };
#ifdef __SANITIZE_ADDRESS__ /* its shadow is memory, too: there, only the records are looked at */
enum { PROCESSES = 40, IS_MEASURED = 0 };
#else
enum { PROCESSES = 200, IS_MEASURED = 1 };
#endif

static const thole_logger root = {0};

static void
start_with(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .app = "server", .sinks = sinks};

    cr_assert_eq(thole_start(&opt), 0);
    cr_assert_eq(thole_flush(20000), 0);
}

/* The sum of the lines of /proc/PID/smaps_rollup that begin so, in KiB. */
static long
resident_kib(pid_t pid, const char *key)
{
    char path[64], line[256];
    long sum = 0;

    snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", (long)pid);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, key, strlen(key)) == 0)
            sum += strtol(strchr(line, ':') + 1, NULL, 10);
    }
    fclose(f);
    return sum;
}

/* Says that it is ready, and lives until the parent closes the other end. */
static int
live(int ready, int over, bool starts)
{
    struct pollfd end = {over, POLLIN, 0};

    if (starts && thole_start(NULL) != 0)
        return 1;
    for (int i = 0; i < 5; i++)
        thole_info(root, "alive", "i", i);
    if (starts && thole_flush(20000) != 0)
        return 2;
    if (write(ready, "", 1) != 1 || poll(&end, 1, 50000) != 1)
        return 3;
    return starts && thole_stop(20000) != 0 ? 4 : 0;
}

static void
await_all(int ready, int n)
{
    char bytes[PROCESSES];

    while (n > 0) {
        struct pollfd p = {ready, POLLIN, 0};
        cr_assert_eq(poll(&p, 1, 40000), 1);
        ssize_t got = read(ready, bytes, (size_t)n);
        cr_assert_gt(got, 0);
        n -= (int)got;
    }
}

/* A 64 MiB queue that came along, or was touched anew, would show here. */
THL_TEST(prefork, two_hundred_processes_cost_less_than_a_mebibyte_each)
{
    pid_t pid[PROCESSES];
    int ready[2], over[2];
    long most = 0;

    folder_make();
    char sink[128];
    snprintf(sink, sizeof(sink), "file:%s/a.log", folder);
    start_with(sink);
    for (int i = 0; i < 20000; i++)
        thole_info(root, "of the parent", "i", i);
    cr_assert_eq(thole_flush(20000), 0);
    cr_assert(pipe(ready) == 0 && pipe(over) == 0);
    for (int i = 0; i < PROCESSES; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            close(over[1]);
            _exit(live(ready[1], over[0], i % 2 == 0));
        }
    }
    await_all(ready[0], PROCESSES);
    for (int i = 0; i < PROCESSES; i++) {
        long kib = resident_kib(pid[i], "Private_");
        most = kib > most ? kib : most;
    }
    close(over[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        waitpid(pid[i], &status, 0);
        cr_expect_eq(status, 0, "a process ended with %#x", (unsigned)status);
    }
    close(over[0]);
    close(ready[0]);
    close(ready[1]);
    cr_expect(!IS_MEASURED || most <= MOST_KIB, "one has %ld KiB of its own", most);
    char *text = folder_read("a.log");
    cr_expect_eq(captured_count(text, "\"msg\":\"alive\""), 5u * PROCESSES);
    free(text);
    folder_remove();
}

static int
work(int id)
{
    if (thole_start(NULL) != 0)
        return 1;
    for (int i = 0; i < RECORDS; i++)
        thole_info(root, "work", "worker", id, "i", i);
    return thole_stop(20000) != 0 ? 2 : 0;
}

/* Every record of a worker is there once, in order, and each line is whole. */
static void
check_worker(const char *text, int id)
{
    const char *at = text;
    char part[80];

    for (int i = 0; i < RECORDS; i++) {
        snprintf(part, sizeof(part), "\"msg\":\"work\",\"worker\":%d,\"i\":%d}\n", id, i);
        at = memmem(at, strlen(at), part, strlen(part));
        cr_assert_not_null(at, "missing or out of order: %s", part);
        at += strlen(part);
    }
}

THL_TEST(prefork, workers_with_writers_of_their_own_share_a_file)
{
    pid_t pid[WORKERS];
    size_t lines = 0;

    folder_make();
    char sink[128];
    snprintf(sink, sizeof(sink), "file:%s/a.log", folder);
    start_with(sink);
    for (int i = 0; i < WORKERS; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(work(i));
    }
    for (int i = 0; i < WORKERS; i++) {
        int status = -1;
        waitpid(pid[i], &status, 0);
        cr_expect_eq(status, 0, "a worker ended with %#x", (unsigned)status);
    }
    char *text = folder_read("a.log");
    for (int i = 0; i < WORKERS; i++)
        check_worker(text, i);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    cr_expect_eq(lines, (size_t)WORKERS * RECORDS, "%zu lines", lines);
    free(text);
    folder_remove();
}
