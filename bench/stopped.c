/* SPDX-License-Identifier: MIT */
/*
 * What does a log call cost while syslog's receiver is stopped, beside one that runs?
 *
 *     stopped                  a table: percentiles of a call, running, stopped, running again
 *     stopped NAME COUNT       COUNT calls with the receiver `running` or `stopped`, for callgrind
 *
 * The receiver is a process of its own on a unix socket; SIGSTOP stops it. A file takes every
 * record as well: it must not be held up. Exits non-zero when the ledger does not add up, the file
 * loses a record, or a stopped receiver's drops are not announced once it runs again.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thole/thole.h>
#include <time.h>
#include <unistd.h>

#define CALLS 40000
#define BATCH 20

static char folder[] = "/tmp/thole-stopped-XXXXXX";
static uint32_t ns[CALLS];

static int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
die(const char *what)
{
    fprintf(stderr, "stopped: %s\n", what);
    exit(1);
}

/* Receives until it is killed; `ready` tells that the socket is bound. */
static pid_t
start_receiver(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char bytes[16384];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        die("cannot bind the receiver's socket");
    pid_t pid = fork();
    if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) /* whatever ends this program */
        while (recv(fd, bytes, sizeof(bytes), 0) >= 0 || errno == EINTR)
            ;
    if (pid <= 0)
        _exit(1);
    close(fd);
    return pid;
}

static void
call(thole_logger lg, uint64_t i)
{
    thole_info(lg, "request done", "i", i, "status", 200, "path", "/index.html");
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Batches, then a pause: the latency of a call, not the length of the queue. */
static void
measure(thole_logger lg, const char *what)
{
    struct timespec pause = {0, 500000};
    for (uint64_t i = 0; i < CALLS; i++) {
        int64_t begin = now_ns();
        call(lg, i);
        ns[i] = (uint32_t)(now_ns() - begin);
        if (i % BATCH == BATCH - 1)
            clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    qsort(ns, CALLS, sizeof(ns[0]), compare);
    printf("%-24s %8u %8u %8u\n", what, ns[CALLS / 2], ns[CALLS / 100 * 99],
           ns[CALLS / 1000 * 999]);
}

static struct thole_stats
check_ledger(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    thole_stats(&s);
    if (s.called != s.routed + s.dropped + s.suppressed + s.queued)
        die("the process's identity does not hold");
    for (unsigned i = 0; i < s.nsinks; i++)
        if (s.sink[i].offered !=
            s.sink[i].written + s.sink[i].dropped + s.sink[i].suppressed + s.sink[i].pending)
            die("a sink's identity does not hold");
    if (s.sink[0].dropped)
        die("the file lost records");
    return s;
}

static void
print_ledger(const char *what)
{
    struct thole_stats s = check_ledger();
    for (unsigned i = 0; i < s.nsinks; i++)
        printf("  %-8s %-6.6s offered %8llu  written %8llu  pending %6llu  dropped %7llu"
               "  (would_block %llu)\n",
               what, s.sink[i].name, (unsigned long long)s.sink[i].offered,
               (unsigned long long)s.sink[i].written, (unsigned long long)s.sink[i].pending,
               (unsigned long long)s.sink[i].dropped,
               (unsigned long long)s.sink[i].cause[THOLE_WOULD_BLOCK]);
}

static bool
is_announced(const char *log)
{
    char line[4096];
    bool found = false;
    FILE *f = fopen(log, "r");
    while (f && fgets(line, sizeof(line), f))
        if (strstr(line, "\"msg\":\"records dropped\"") && strstr(line, "would_block")) {
            printf("  announced: %s", strstr(line, "\"msg\""));
            found = true;
        }
    if (f)
        fclose(f);
    return found;
}

static void
print_table(thole_logger lg, pid_t receiver, const char *log)
{
    struct timespec second = {1, 200000000};
    printf("%-24s %8s %8s %8s  ns a call\n", "receiver", "p50", "p99", "p99.9");
    measure(lg, "running");
    print_ledger("running");
    kill(receiver, SIGSTOP);
    measure(lg, "stopped");
    print_ledger("stopped");
    kill(receiver, SIGCONT);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &second, NULL); /* drops are announced once a second */
    measure(lg, "running again");
    if (thole_flush(20000) < 0)
        die("not everything was written after the receiver went on");
    print_ledger("again");
    if (!is_announced(log))
        die("the drops were not announced");
}

int
main(int argc, char **argv)
{
    char path[64], log[64], sinks[256];
    if (!mkdtemp(folder))
        die("no folder");
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(log, sizeof(log), "%s/log", folder);
    snprintf(sinks, sizeof(sinks), "file:%s syslog:%s", log, path);
    pid_t receiver = start_receiver(path);
    struct thole_options opt = {
        .size = sizeof(opt), .sinks = sinks, .limits = "queue=1M", .flags = THOLE_NO_ENV};
    if (thole_start(&opt) < 0)
        die("thole_start");
    thole_logger lg = thole_get("bench.stopped");
    if (argc > 2) {
        if (strcmp(argv[1], "stopped") == 0)
            kill(receiver, SIGSTOP);
        for (uint64_t i = 0, n = strtoull(argv[2], NULL, 10); i < n; i++)
            call(lg, i);
    } else {
        print_table(lg, receiver, log);
    }
    thole_stop(1000);
    kill(receiver, SIGKILL);
    waitpid(receiver, NULL, 0);
    check_ledger();
    unlink(path);
    unlink(log);
    rmdir(folder);
    return 0;
}
