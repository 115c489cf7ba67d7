/* SPDX-License-Identifier: MIT */
/*
 * How often does a daemon wake up that logs nothing?
 *
 * File, syslog and UDP sinks, all used once; then ten seconds without a record. `wakeups` are the
 * switches of all threads but the main one, by the kernel's count, and `cpu` is their time.
 */
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "workload.h"

#define SETTLE_MS 1500 /* the writer lingers, then sleeps */
#define IDLE_MS 10000

static char folder[] = "/tmp/bench-idle-XXXXXX";

static uint64_t
read_switches(const char *task)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", task);
    int64_t willing = bench_read_number(path, "voluntary_ctxt_switches:");
    int64_t driven = bench_read_number(path, "nonvoluntary_ctxt_switches:");
    if (willing < 0 || driven < 0)
        bench_die("%s does not say how often a thread was switched to", path);
    return (uint64_t)(willing + driven);
}

static uint64_t
count_switches(unsigned *threads)
{
    struct dirent **task;
    char own[16];
    uint64_t sum = 0;
    int n = scandir("/proc/self/task", &task, NULL, NULL);
    if (n < 0)
        bench_die("no list of threads");
    snprintf(own, sizeof(own), "%d", (int)gettid());
    *threads = 0;
    for (int i = 0; i < n; i++) {
        if (task[i]->d_name[0] != '.' && strcmp(task[i]->d_name, own) != 0) {
            sum += read_switches(task[i]->d_name);
            ++*threads;
        }
        free(task[i]);
    }
    free(task);
    return sum;
}

/* Nobody reads from them: what is sent waits there. */
static unsigned
bind_udp(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        bench_die("no UDP receiver");
    return ntohs(a.sin_port);
}

static void
bind_syslog(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        bench_die("no syslog receiver");
}

static void
run(const char *name)
{
    char path[64], log[64], sinks[256];
    unsigned before_threads, threads;
    (void)name;
    if (!mkdtemp(folder))
        bench_die("no folder");
    snprintf(path, sizeof(path), "%s/syslog", folder);
    snprintf(log, sizeof(log), "%s/log", folder);
    bind_syslog(path);
    snprintf(sinks, sizeof(sinks), "file:%s syslog:%s udp://127.0.0.1:%u", log, path, bind_udp());
    bench_start(sinks, NULL);
    thole_info(thole_get(WORK_NAME), "three numbers", WORK_3(1));
    thole_flush(10000);
    poll(NULL, 0, SETTLE_MS);

    uint64_t before = count_switches(&before_threads);
    int64_t before_ns = bench_others_ns();
    poll(NULL, 0, IDLE_MS);
    int64_t after_ns = bench_others_ns();
    uint64_t after = count_switches(&threads);
    if (threads != before_threads || threads == 0)
        bench_die("%u threads became %u", before_threads, threads);
    bench_row("thole", "wakeups", (double)(after - before), "in 10 s");
    /* two clocks, read one after the other: a microsecond less than nothing is nothing */
    bench_row("thole", "cpu", after_ns > before_ns ? (double)(after_ns - before_ns) / 1000 : 0,
              "us");
    bench_row("thole", "threads", threads, "threads");
    bench_row("floor", "wakeups", 0, "in 10 s");
    bench_stop(1);
    unlink(path);
    unlink(log);
    rmdir(folder);
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"three_sinks", NULL};
    static const struct bench bench = {.question = "idle", .cases = cases, .run = run};
    return bench_main(argc, argv, &bench);
}
