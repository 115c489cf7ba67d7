/* SPDX-License-Identifier: MIT */
/*
 * What does a log call cost when a sink takes less than is logged, and what is lost?
 *
 *     flood.ERRORS  a FIFO whose reader takes 20,000 records a second, and ten times as many calls,
 * so many percent of them errors. What found no room was dropped, and no error should be among it:
 * room is kept for them. The floor copies the same (floor.h) running       syslog's receiver takes
 * everything, and a file does stopped       the receiver is stopped (SIGSTOP): the file must lose
 * nothing, and what syslog lost must be said in the file once the receiver runs again
 *
 * Each call is timed by itself, so a clock's own time is in each. The reader counts lines; they
 * must be as many as the ledger says were written.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "floor.h"
#include "workload.h"

#define CALLS 200000
#define CALL_EVERY_NS 5000 /* 200,000 a second */
#define READ_BYTES_MS 3000 /* about 20,000 records a second */
#define QUIET_CALLS 20000
#define BATCH 20
#define PAUSE_US 100

static char folder[] = "/tmp/bench-overload-XXXXXX";
static char log_path[64], peer_path[64];

/* The reader's, at its end. */
struct seen {
    uint64_t lines, info, errors;
};
static struct seen *seen;

static void
make_folder(void)
{
    if (!mkdtemp(folder))
        bench_die("no folder");
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    snprintf(peer_path, sizeof(peer_path), "%s/peer", folder);
}

static void
drop_folder(void)
{
    unlink(log_path);
    unlink(peer_path);
    rmdir(folder);
}

/* ---- flood ---- */

static void
count_line(const char *line)
{
    seen->lines++;
    if (!strstr(line, "\"logger\":\"" WORK_NAME "\""))
        return; /* thole's own */
    seen->info += strstr(line, "\"level\":\"info\"") != NULL;
    seen->errors += strstr(line, "\"level\":\"error\"") != NULL;
}

/* Takes so many bytes a millisecond, until the writer's end is closed. */
static void
read_slowly(int fd)
{
    static char bytes[65536 + 1];
    struct pollfd first = {fd, POLLIN, 0}; /* until somebody writes there is an end, too */
    size_t kept = 0;
    poll(&first, 1, 10000);
    for (int64_t due = bench_now_ns();; due += 1000000) {
        struct timespec at = {due / 1000000000, due % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        ssize_t n = read(fd, bytes + kept, READ_BYTES_MS);
        if (n == 0)
            return;
        kept += n > 0 ? (size_t)n : 0;
        bytes[kept] = '\0';
        char *from = bytes, *end;
        for (; (end = memchr(from, '\n', (size_t)(bytes + kept - from))) != NULL; from = end + 1) {
            *end = '\0';
            count_line(from);
        }
        kept = (size_t)(bytes + kept - from);
        memmove(bytes, from, kept);
    }
}

static pid_t
start_reader(void)
{
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED || mkfifo(log_path, 0600) < 0)
        bench_die("no FIFO");
    int fd = open(log_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_SETFL, O_RDONLY) < 0)
        bench_die("no reader");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever ends this program */
        read_slowly(fd);
        _exit(0);
    }
    if (pid < 0)
        bench_die("no reader");
    close(fd);
    return pid;
}

/* One call each CALL_EVERY_NS, timed. */
static void
flood(thole_logger lg, uint64_t error_every, struct hist *h)
{
    int64_t due = bench_now_ns();
    for (uint64_t i = 0; i < CALLS; i++, due += CALL_EVERY_NS) {
        while (bench_now_ns() < due)
            ;
        uint64_t from = bench_ticks();
        if (i % error_every == 0)
            thole_error(lg, "three numbers", WORK_3(i));
        else
            thole_info(lg, "three numbers", WORK_3(i));
        hist_add(h, (double)(bench_ticks() - from));
    }
}

static void
flood_floor(struct hist *h)
{
    static struct floor floor;
    static const unsigned char payload[WORK_BYTES_3] = {1, 2, 3};
    floor_start(&floor, 1);
    int64_t due = bench_now_ns();
    for (uint64_t i = 0; i < QUIET_CALLS; i++, due += CALL_EVERY_NS) {
        while (bench_now_ns() < due)
            ;
        uint64_t from = bench_ticks();
        floor_push(&floor.ring[0], payload, sizeof(payload));
        hist_add(h, (double)(bench_ticks() - from));
    }
    floor_stop(&floor, QUIET_CALLS);
}

static void
print_ticks(const char *subject, struct hist *h)
{
    const double ns = bench_ns_per_tick();
    for (size_t i = 0; i < h->n; i++)
        h->sample[i] *= ns;
    bench_row_percentiles(subject, h);
    hist_fini(h);
}

static void
begin_hist(struct hist *h, size_t n)
{
    if (hist_init(h, n) < 0)
        bench_die("no memory");
}

static void
print_losses(const struct thole_stats *s, uint64_t error_every)
{
    const uint64_t errors = CALLS / error_every, info = CALLS - errors;
    const uint64_t lost = s->dropped + s->sink[0].dropped;
    if (seen->lines != s->called - lost)
        bench_die("%llu lines arrived of %llu called, %llu dropped",
                  (unsigned long long)seen->lines, (unsigned long long)s->called,
                  (unsigned long long)lost);
    bench_row("thole", "lost_info", (double)(info - seen->info), "records");
    bench_row("thole", "lost_error", (double)(errors - seen->errors), "records");
}

static void
run_flood(uint64_t error_every)
{
    struct thole_stats s = {.size = sizeof(s)};
    struct hist h;
    char sinks[128];
    int status = 1;
    pid_t reader = start_reader();
    snprintf(sinks, sizeof(sinks), "file:%s", log_path);
    begin_hist(&h, CALLS);
    bench_start(sinks, NULL);
    bench_pin(0);
    flood(thole_get(WORK_NAME), error_every, &h);
    bench_unpin();
    print_ticks("thole", &h);
    bench_stop(CALLS);
    thole_stats(&s);
    if (waitpid(reader, &status, 0) < 0 || status != 0)
        bench_die("the reader failed");
    print_losses(&s, error_every);
    begin_hist(&h, QUIET_CALLS);
    flood_floor(&h);
    print_ticks("floor", &h);
}

/* ---- a receiver that is stopped ---- */

static pid_t
start_receiver(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    static char bytes[16384];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", peer_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        bench_die("no receiver");
    pid_t pid = fork();
    if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0)
        while (recv(fd, bytes, sizeof(bytes), 0) >= 0 || errno == EINTR)
            ;
    if (pid <= 0)
        _exit(1);
    close(fd);
    return pid;
}

static void
log_quietly(thole_logger lg, struct hist *h)
{
    for (uint64_t i = 0; i < QUIET_CALLS; i++) {
        uint64_t from = bench_ticks();
        thole_info(lg, "three numbers", WORK_3(i));
        hist_add(h, (double)(bench_ticks() - from));
        if (i % BATCH == BATCH - 1)
            bench_pause_us(PAUSE_US);
    }
}

static uint64_t
count_lines(const char *with)
{
    char line[4096];
    uint64_t n = 0;
    FILE *f = fopen(log_path, "r");
    while (f && fgets(line, sizeof(line), f))
        n += strstr(line, with) != NULL;
    if (f)
        fclose(f);
    return n;
}

static void
run_receiver(bool stopped)
{
    struct thole_stats s = {.size = sizeof(s)};
    struct hist h;
    char sinks[256];
    pid_t receiver = start_receiver();
    snprintf(sinks, sizeof(sinks), "file:%s syslog:%s", log_path, peer_path);
    begin_hist(&h, QUIET_CALLS);
    bench_start(sinks, NULL);
    if (stopped)
        kill(receiver, SIGSTOP);
    bench_pin(0);
    log_quietly(thole_get(WORK_NAME), &h);
    bench_unpin();
    kill(receiver, SIGCONT);
    print_ticks("thole", &h);
    uint64_t lost = bench_stop(QUIET_CALLS);
    thole_stats(&s);
    if (s.dropped + s.sink[0].dropped > 0 ||
        count_lines("\"logger\":\"" WORK_NAME "\"") != QUIET_CALLS)
        bench_die("the file lost records");
    if (lost > 0 && count_lines("\"msg\":\"records dropped\"") == 0)
        bench_die("%llu records were lost, and not a word of it", (unsigned long long)lost);
    kill(receiver, SIGKILL);
    waitpid(receiver, NULL, 0);
}

static void
run(const char *name)
{
    bool is_flood = bench_part_is(name, 0, "flood");
    unsigned percent = is_flood ? bench_part_number(name, 1) : 1;
    if (percent < 1 || percent > 100)
        bench_die("1 to 100 percent");
    make_folder();
    if (is_flood)
        run_flood(100 / percent);
    else
        run_receiver(bench_part_is(name, 0, "stopped"));
    drop_folder();
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"flood.1", "flood.5", "running", "stopped", NULL};
    static const struct bench bench = {.question = "overload", .cases = cases, .run = run};
    return bench_main(argc, argv, &bench);
}
