/* SPDX-License-Identifier: MIT */
/*
 * One target of each kind with a real receiver of the test's own, and all that the receivers got:
 * a file, a FIFO, a UDP port, a datagram and a stream socket of syslog's.
 *
 *     struct receivers r;
 *     CHECK(receivers_open(&r, folder));
 *     ... start thole with r.sinks, log ...
 *     CHECK(receivers_await(&r, "hello", 10, 1000) == NULL);
 *
 * Plain C, without Criterion; one thread at a time. What a receiver got is kept as lines; of a
 * stream's connection that ends inside a record, whole records only.
 */
#ifndef RECEIVERS_H
#define RECEIVERS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* In the order in which `sinks` names them. */
enum { RECEIVER_FILE, RECEIVER_FIFO, RECEIVER_UDP, RECEIVER_DGRAM, RECEIVER_STREAM, RECEIVERS };

static const char *const receiver_names[RECEIVERS] = {
    "file:", "file: on a FIFO", "udp:", "syslog: of datagrams", "syslog: of a stream"};

struct received {
    char *text; /* lines, ended by '\0' */
    size_t size, room;
};

struct receivers {
    char sinks[640];
    int fd[RECEIVERS]; /* RECEIVER_STREAM: the socket that listens */
    int connection;    /* its number is the same for all connections */
    bool connected;
    struct received got[RECEIVERS];
};

static inline int64_t
receivers_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- opening ---- */

static inline int
receivers_bind_unix(const char *in, const char *name, int type)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", in, name);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        return -1;
    return type == SOCK_STREAM && listen(fd, 16) < 0 ? -1 : fd;
}

static inline int
receivers_bind_udp(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof(at);
    const int room = 4 << 20; /* a wish */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    *port = ntohs(at.sin_port);
    return fd;
}

/* The FIFO is open for writing as well, so that it never ends. */
static inline bool
receivers_open(struct receivers *r, const char *in)
{
    char path[128];
    int port = 0;
    memset(r, 0, sizeof(*r));
    snprintf(path, sizeof(path), "%s/a.log", in);
    r->fd[RECEIVER_FILE] = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0640);
    snprintf(path, sizeof(path), "%s/fifo", in);
    r->fd[RECEIVER_FIFO] =
        mkfifo(path, 0600) < 0 ? -1 : open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    r->fd[RECEIVER_UDP] = receivers_bind_udp(&port);
    r->fd[RECEIVER_DGRAM] = receivers_bind_unix(in, "dgram", SOCK_DGRAM);
    r->fd[RECEIVER_STREAM] = receivers_bind_unix(in, "stream", SOCK_STREAM);
    r->connection = open("/dev/null", O_RDONLY | O_CLOEXEC); /* keeps its number free */
    snprintf(r->sinks, sizeof(r->sinks),
             "file:%s/a.log file:%s/fifo udp://127.0.0.1:%d syslog:%s/dgram syslog:%s/stream", in,
             in, port, in, in);
    for (int i = 0; i < RECEIVERS; i++)
        if (r->fd[i] < 0)
            return false;
    return r->connection >= 0;
}

static inline void
receivers_close(struct receivers *r)
{
    for (int i = 0; i < RECEIVERS; i++) {
        close(r->fd[i]);
        free(r->got[i].text);
    }
    close(r->connection);
}

/* ---- reading ---- */

static inline void
receivers_keep(struct received *g, const char *bytes, size_t size)
{
    if (g->size + size + 2 > g->room) {
        g->room = 2 * (g->size + size + 2);
        g->text = realloc(g->text, g->room);
        if (!g->text)
            abort();
    }
    memcpy(g->text + g->size, bytes, size);
    g->size += size;
    g->text[g->size] = '\0';
}

static inline void
receivers_drain_bytes(struct received *g, int fd)
{
    char bytes[65536];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        receivers_keep(g, bytes, (size_t)n);
}

static inline void
receivers_drain_datagrams(struct received *g, int fd)
{
    char bytes[65536];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof(bytes), 0)) >= 0) {
        receivers_keep(g, bytes, (size_t)n);
        receivers_keep(g, "\n", 1);
    }
}

static inline void
receivers_end_connection(struct receivers *r)
{
    struct received *g = &r->got[RECEIVER_STREAM];
    while (g->size > 0 && g->text[g->size - 1] != '\n')
        g->size--;
    if (g->text)
        g->text[g->size] = '\0';
    r->connected = false;
}

/* One connection after the other: the next is looked at when this one has ended. */
static inline void
receivers_drain_stream(struct receivers *r)
{
    char bytes[65536];
    ssize_t n = -1;
    if (!r->connected) {
        int fd = accept4(r->fd[RECEIVER_STREAM], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        dup3(fd, r->connection, O_CLOEXEC);
        close(fd);
        r->connected = true;
    }
    while ((n = read(r->connection, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            bytes[i] = bytes[i] == '\0' ? '\n' : bytes[i];
        receivers_keep(&r->got[RECEIVER_STREAM], bytes, (size_t)n);
    }
    if (n == 0)
        receivers_end_connection(r);
}

/* Waits for at most timeout_ms until something comes. */
static inline void
receivers_wait(struct receivers *r, int timeout_ms)
{
    struct pollfd p[] = {
        {r->fd[RECEIVER_FIFO], POLLIN, 0},
        {r->fd[RECEIVER_UDP], POLLIN, 0},
        {r->fd[RECEIVER_DGRAM], POLLIN, 0},
        {r->connected ? r->connection : r->fd[RECEIVER_STREAM], POLLIN, 0},
    };
    (void)poll(p, sizeof(p) / sizeof(p[0]), timeout_ms);
}

/* The same, and takes all that is there. */
static inline void
receivers_pump(struct receivers *r, int timeout_ms)
{
    receivers_wait(r, timeout_ms);
    receivers_drain_bytes(&r->got[RECEIVER_FILE], r->fd[RECEIVER_FILE]);
    receivers_drain_bytes(&r->got[RECEIVER_FIFO], r->fd[RECEIVER_FIFO]);
    receivers_drain_datagrams(&r->got[RECEIVER_UDP], r->fd[RECEIVER_UDP]);
    receivers_drain_datagrams(&r->got[RECEIVER_DGRAM], r->fd[RECEIVER_DGRAM]);
    receivers_drain_stream(r);
}

/* ---- what came ---- */

/* How often `part` stands in what came after the first `from` bytes. memmem: a sanitizer's strstr
 * reads the whole rest of the text each time. */
static inline size_t
receivers_count(const struct received *g, size_t from, const char *part)
{
    const char *at = g->text + from, *end = g->text + g->size;
    size_t n = 0, size = strlen(part);
    while (g->size > from && (at = memmem(at, (size_t)(end - at), part, size)) != NULL) {
        at += size;
        n++;
    }
    return n;
}

/* Waits until `part` has come n times to each receiver: NULL, or who lacks it at the end. Texts of
 * the receivers before `from` (NULL: the beginning) do not count. Nor does the time that a busy
 * machine keeps this thread from running: a look counts for no more than twice what it asked for.
 */
static inline const char *
receivers_await(struct receivers *r, const size_t *from, const char *part, size_t n,
                int64_t timeout_ms)
{
    const int look_ms = 10;
    int64_t left_ms = timeout_ms;
    for (int lacking = 0;;) {
        while (lacking < RECEIVERS &&
               receivers_count(&r->got[lacking], from ? from[lacking] : 0, part) >= n)
            lacking++;
        if (lacking == RECEIVERS)
            return NULL;
        if (left_ms <= 0)
            return receiver_names[lacking];
        int64_t before = receivers_now_ms();
        receivers_pump(r, look_ms);
        int64_t took = receivers_now_ms() - before;
        left_ms -= took < 2 * look_ms ? took : 2 * look_ms;
    }
}

#endif
