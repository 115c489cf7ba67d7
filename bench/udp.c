/* SPDX-License-Identifier: MIT */
/*
 * How many records a second reach a receiver over UDP, beside a bare loop of sendmmsg()?
 *
 * The receiver is a process of its own on the loopback, with room for a whole turn. Turns
 * alternate: thole, from the first call to the end of thole_flush(), then the floor, which sends as
 * many datagrams of the same bytes, 64 at a time. After each turn every datagram must have arrived,
 * or have been dropped by the receiver's socket, which counts (`receiver_lost`).
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "workload.h"

#define TURNS 7
#define RECORDS 20000 /* of a turn */
#define BATCH 64
#define DATAGRAM_BYTES 2048
#define RECEIVE_BUFFER (8 * 1024 * 1024)
#define WAIT_NS INT64_C(5000000000)

/* The receiver writes, we read: relaxed, for only the counts matter, and we wait for them. */
struct received {
    _Atomic uint64_t datagrams, bytes;
};

static struct received *received;
static int receiver_fd;
static struct sockaddr_in address = {.sin_family = AF_INET};

static void
receive_for_ever(void)
{
    static char bytes[BATCH][DATAGRAM_BYTES];
    struct iovec iov[BATCH];
    struct mmsghdr message[BATCH] = {0};
    for (unsigned i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){bytes[i], sizeof(bytes[i])};
        message[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    for (;;) {
        int n = recvmmsg(receiver_fd, message, BATCH, MSG_WAITFORONE, NULL);
        if (n < 0 && errno != EINTR)
            _exit(1);
        uint64_t size = 0;
        for (int i = 0; i < n; i++)
            size += message[i].msg_len;
        atomic_fetch_add_explicit(&received->bytes, size, memory_order_relaxed);
        atomic_fetch_add_explicit(&received->datagrams, n > 0 ? (uint64_t)n : 0,
                                  memory_order_relaxed);
    }
}

static pid_t
start_receiver(void)
{
    const int room = RECEIVE_BUFFER;
    socklen_t size = sizeof(address);
    received =
        mmap(NULL, sizeof(*received), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    receiver_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (received == MAP_FAILED || receiver_fd < 0 ||
        bind(receiver_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockname(receiver_fd, (struct sockaddr *)&address, &size) < 0)
        bench_die("no receiver on the loopback");
    /* a wish: the kernel gives what net.core.rmem_max allows */
    (void)setsockopt(receiver_fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    pid_t pid = fork();
    bench_pin(bench_cores() - 1); /* as the writer and, but for the floor, the producer */
    if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) /* whatever ends this program */
        receive_for_ever();
    if (pid <= 0)
        _exit(1);
    return pid;
}

/* Dropped by the receiver's socket, which had no room. */
static uint64_t
receiver_lost(void)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(info);
    if (getsockopt(receiver_fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0)
        return 0;
    return info[SK_MEMINFO_DROPS];
}

static uint64_t
arrived(void)
{
    return atomic_load_explicit(&received->datagrams, memory_order_relaxed); /* struct received */
}

static void
await(uint64_t sent)
{
    int64_t until = bench_now_ns() + WAIT_NS;
    while (arrived() + receiver_lost() < sent)
        if (bench_now_ns() > until)
            bench_die("%llu datagrams were sent, %llu arrived, %llu were dropped there",
                      (unsigned long long)sent, (unsigned long long)arrived(),
                      (unsigned long long)receiver_lost());
}

static int64_t
turn_of_thole(thole_logger lg, uint64_t first)
{
    int64_t from = bench_now_ns();
    for (uint64_t i = 0; i < RECORDS; i++)
        thole_info(lg, "three numbers", WORK_3(first + i));
    if (thole_flush(60000) < 0)
        bench_die("not everything was sent within a minute");
    return bench_now_ns() - from;
}

static int64_t
turn_of_floor(int fd, size_t size)
{
    static char bytes[DATAGRAM_BYTES];
    struct iovec iov = {bytes, size};
    struct mmsghdr message[BATCH] = {0};
    memset(bytes, 'x', size);
    for (unsigned i = 0; i < BATCH; i++)
        message[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
    bench_pin(0);
    int64_t from = bench_now_ns();
    for (unsigned sent = 0; sent < RECORDS;) {
        unsigned n = RECORDS - sent < BATCH ? RECORDS - sent : BATCH;
        int rc = sendmmsg(fd, message, n, 0);
        if (rc < 0 && errno != EINTR)
            bench_die("the floor could not send: errno %d", errno);
        sent += rc > 0 ? (unsigned)rc : 0;
    }
    int64_t took = bench_now_ns() - from;
    bench_pin(bench_cores() - 1);
    return took;
}

static int
connect_floor(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        bench_die("no socket");
    return fd;
}

static void
measure(thole_logger lg, int fd)
{
    int64_t thole_ns = 0, floor_ns = 0;
    uint64_t sent = RECORDS;
    turn_of_thole(lg, 10000000); /* memory, threads, routes; and how long a datagram is */
    await(sent);
    size_t size = atomic_load_explicit(&received->bytes, memory_order_relaxed) / RECORDS;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        thole_ns += turn_of_thole(lg, 10000000);
        await(sent += RECORDS);
        floor_ns += turn_of_floor(fd, size);
        await(sent += RECORDS);
    }
    if (arrived() + receiver_lost() != sent)
        bench_die("more datagrams arrived than were sent");
    bench_row("thole", "records_s", (double)TURNS * RECORDS * 1e9 / (double)thole_ns, "1/s");
    bench_row("floor", "records_s", (double)TURNS * RECORDS * 1e9 / (double)floor_ns, "1/s");
    bench_row("thole", "bytes_line", (double)size, "bytes");
    bench_row("thole", "receiver_lost", (double)receiver_lost(), "records");
}

static void
run(const char *name)
{
    char sinks[64];
    (void)name;
    pid_t receiver = start_receiver();
    snprintf(sinks, sizeof(sinks), "udp://127.0.0.1:%u", ntohs(address.sin_port));
    int fd = connect_floor();
    bench_start(sinks, "overflow=block:60000");
    bench_pin_targets(0);
    measure(thole_get(WORK_NAME), fd);
    bench_stop((TURNS + 1) * RECORDS);
    kill(receiver, SIGKILL);
    waitpid(receiver, NULL, 0);
    close(fd);
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"loopback", NULL};
    static const struct bench bench = {.question = "udp", .cases = cases, .run = run};
    return bench_main(argc, argv, &bench);
}
