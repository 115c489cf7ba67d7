/* SPDX-License-Identifier: MIT */
/*
 * Writes that are interrupted, or take a part only: by turns each write(2), send(2) and poll(2) of
 * thole's comes back with EINTR, short, or whole. What a file, a FIFO and two syslog receivers (one
 * of a stream, one of datagrams) have got is compared with the ledger: no record is there twice,
 * none is torn, none is lost uncounted.
 *
 *     interrupted threads    after thole_start, whose threads write
 *     interrupted direct     in direct mode, while signals without SA_RESTART storm the caller
 */
#include "disturbed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thole/thole.h>
#include <time.h>
#include <unistd.h>

enum { RECORDS = 20000, WATCHDOG_S = 15, PATIENCE_MS = 30000, PERIOD_NS = 100000 };

static const thole_logger root = {0};

/* ---- receivers ---- */

struct receiver {
    const char *name;
    int fd;       /* what it reads from */
    char end;     /* what ends a record */
    bool packet;  /* each read is a record */
    size_t piece; /* that it reads at once */
    pthread_t thread;
    char *bytes;
    size_t size, room;
};

static char folder[40];

static const char *
path_of(const char *name)
{
    static char path[80];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool
receive_more(struct receiver *r)
{
    if (r->size + 65536 > r->room) {
        r->room = 2 * r->room + 131072;
        r->bytes = realloc(r->bytes, r->room);
        CHECK(r->bytes);
    }
    ssize_t n = read(r->fd, r->bytes + r->size, r->piece);
    if (n < 0 && errno == EINTR)
        return true;
    CHECK(n >= 0);
    r->size += (size_t)n;
    if (r->packet && n > 0)
        r->bytes[r->size++] = r->end;
    return n > 0;
}

static void *
receive(void *arg)
{
    struct receiver *r = arg;
    if (r->end == '\0' && !r->packet) { /* a listening socket */
        int fd = accept(r->fd, NULL, NULL);
        CHECK(fd >= 0);
        close(r->fd);
        r->fd = fd;
    }
    while (receive_more(r))
        continue;
    return NULL;
}

static int
bind_socket(const char *name, int type)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path_of(name));
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(type != SOCK_STREAM || listen(fd, 4) == 0);
    return fd;
}

/* A FIFO's reader that has it open for writing too would never see its end. */
static int
open_fifo(const char *name)
{
    CHECK(mkfifo(path_of(name), 0600) == 0);
    int fd = open(path_of(name), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(fd >= 0 && fcntl(fd, F_SETPIPE_SZ, 4096) > 0); /* so that it is full at times */
    return fd;
}

enum { A_FILE, A_FIFO, A_STREAM, PACKETS, RECEIVERS };

static struct receiver receivers[RECEIVERS] = {
    [A_FILE] = {.name = "file", .end = '\n', .piece = 65536},
    [A_FIFO] = {.name = "fifo", .end = '\n', .piece = 512},
    [A_STREAM] = {.name = "stream", .end = '\0', .piece = 512},
    [PACKETS] = {.name = "packets", .end = '\0', .piece = 65536, .packet = true},
};

/* Reading, none of them is ever signalled. */
static void
start_receivers(void)
{
    sigset_t all, old;
    sigfillset(&all);
    receivers[A_FIFO].fd = open_fifo("fifo");
    receivers[A_STREAM].fd = bind_socket("stream", SOCK_STREAM);
    receivers[PACKETS].fd = bind_socket("packets", SOCK_DGRAM);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
    for (int i = A_STREAM; i < RECEIVERS; i++)
        CHECK(pthread_create(&receivers[i].thread, NULL, receive, &receivers[i]) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
}

/* The FIFO's begins when thole has opened it: before, a read would see the end. */
static void
start_fifo_receiver(void)
{
    sigset_t all, old;
    sigfillset(&all);
    CHECK(fcntl(receivers[A_FIFO].fd, F_SETFL, 0) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
    CHECK(pthread_create(&receivers[A_FIFO].thread, NULL, receive, &receivers[A_FIFO]) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
}

/* Closed by thole_stop, the FIFO and the stream end by themselves; a datagram of no bytes is the
 * other's end. */
static void
end_receivers(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path_of("packets"));
    CHECK(fd >= 0 && sendto(fd, "", 0, 0, (struct sockaddr *)&at, sizeof(at)) == 0);
    close(fd);
    for (int i = A_FIFO; i < RECEIVERS; i++)
        CHECK(pthread_join(receivers[i].thread, NULL) == 0);
    receivers[A_FILE].fd = open(path_of("file"), O_RDONLY | O_CLOEXEC);
    CHECK(receivers[A_FILE].fd >= 0);
    (void)receive(&receivers[A_FILE]);
    for (int i = 0; i < RECEIVERS; i++)
        close(receivers[i].fd);
}

/* ---- what they have got ---- */

/* "... numbered i=7 twice=7" and its like in JSON; anything else is a notice, or torn. */
static long
number_in(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void
check_line(const char *name, const char *line, long *last, uint64_t *numbered)
{
    bool json = line[0] == '{';
    long i = number_in(line, json ? "\"i\":" : " i="), end = 0;
    if (!strstr(line, "numbered")) {
        CHECK(strstr(line, "records dropped") || strstr(line, "sink "));
        return;
    }
    const char *twice = strstr(line, json ? "\"twice\":" : " twice=");
    end = twice ? strtol(twice + (json ? 8 : 7), NULL, 10) : -2;
    if (i != end || i <= *last || (json && line[strlen(line) - 1] != '}') ||
        strncmp(line, json ? "{\"time\":\"" : "<30>", json ? 9 : 4) != 0)
        fprintf(stderr, "%s: after %ld comes: %s\n", name, *last, line);
    CHECK(i == end && i > *last);
    CHECK(strncmp(line, json ? "{\"time\":\"" : "<30>", json ? 9 : 4) == 0);
    CHECK(!json || line[strlen(line) - 1] == '}');
    *last = i;
    ++*numbered;
}

static void
check_receiver(const struct receiver *r, const struct thole_sink_stats *k)
{
    uint64_t lines = 0, numbered = 0;
    long last = -1;
    for (char *at = r->bytes, *end; at < r->bytes + r->size; at = end + 1, lines++) {
        end = memchr(at, r->end, (size_t)(r->bytes + r->size - at));
        CHECK(end); /* else the last one is torn */
        *end = '\0';
        check_line(r->name, at, &last, &numbered);
    }
    printf("%s: %llu records, %llu of them numbered; %llu dropped\n", r->name,
           (unsigned long long)lines, (unsigned long long)numbered, (unsigned long long)k->dropped);
    CHECK(strstr(k->name, r->name));
    CHECK(k->offered == k->written + k->dropped + k->suppressed + k->pending);
    CHECK(lines == k->written && numbered + k->dropped >= RECORDS && numbered > RECORDS / 2);
}

/* ---- */

static void
do_nothing(int number)
{
    (void)number;
}

static timer_t timer;

static void
storm(void)
{
    const struct sigaction action = {.sa_handler = do_nothing}; /* and no SA_RESTART */
    const struct itimerspec every = {{0, PERIOD_NS}, {0, PERIOD_NS}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &every, NULL) == 0);
}

/* The first record opens all targets, in both modes. */
static void
begin(bool direct)
{
    char sinks[512];
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .flags = THOLE_NO_ENV};
    snprintf(folder, sizeof(folder), "%s/thole-XXXXXX", P_tmpdir);
    CHECK(mkdtemp(folder));
    start_receivers();
    snprintf(sinks, sizeof(sinks), "file:%s/file file:%s/fifo syslog:%s/stream syslog:%s/packets",
             folder, folder, folder, folder);
    setenv("THOLE_SINKS", sinks, 1);
    CHECK(direct || thole_start(&opt) == 0);
    thole_info(root, "numbered", "i", 0, "twice", 0);
    CHECK(thole_flush(PATIENCE_MS) == 0);
    start_fifo_receiver();
}

static void
end(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    CHECK(thole_stop(PATIENCE_MS) == 0);
    atomic_store(&disturbed.on, false);
    CHECK(timer_delete(timer) == 0);
    end_receivers();
    thole_stats(&s);
    CHECK(s.nsinks == RECEIVERS && s.called == s.routed + s.dropped + s.suppressed + s.queued);
    for (int i = 0; i < RECEIVERS; i++) {
        check_receiver(&receivers[i], &s.sink[i]);
        unlink(path_of(receivers[i].name));
        free(receivers[i].bytes);
    }
    rmdir(folder);
}

int
main(int argc, char **argv)
{
    bool direct = argc > 1 && strcmp(argv[1], "direct") == 0;
    alarm(WATCHDOG_S);
    find_real(3); /* stderr is left alone */
    begin(direct);
    storm();
    atomic_store(&disturbed.on, true);
    for (int i = 1; i < RECORDS; i++) {
        errno = 4242;
        thole_info(root, "numbered", "i", i, "filler", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "twice",
                   i);
        CHECK(errno == 4242);
        if (i % 16 == 0)
            (void)thole_flush(PATIENCE_MS);
    }
    (void)thole_flush(PATIENCE_MS);
    end();
    printf("%u calls were interrupted, %u shortened\n", atomic_load(&disturbed.interrupted),
           atomic_load(&disturbed.shortened));
    CHECK(atomic_load(&disturbed.interrupted) > 100 && atomic_load(&disturbed.shortened) > 100);
    return 0;
}
