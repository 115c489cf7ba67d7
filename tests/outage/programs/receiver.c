/* SPDX-License-Identifier: MIT */
/*
 * A receiver of logs in a process of its own, so that signals can stop and kill it:
 *
 *     receiver dgram|stream|udp|file WHERE OUT
 *
 * WHERE is the socket's path (bound anew, whoever has it), the port on loopback (0: any), or the
 * file that it follows. Each record is a line of OUT: "NANOSECONDS RECORD", the time of
 * CLOCK_MONOTONIC at which it came; "# open NANOSECONDS" when it begins to listen. Prints the port,
 * or 0, when it does for the first time.
 *
 * Commands are lines of stdin: "c" closes the port, "o" opens it again. At the end of stdin it
 * takes what waits, and leaves as a receiver should: its path is gone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FOLLOW_MS = 1, CONNECTIONS = 4, ROOM = 1 << 20 };

/* What came over one descriptor and is no whole record yet. */
struct connection {
    int fd;
    char bytes[65536];
    size_t size;
};

static struct {
    const char *kind, *where;
    char end; /* what ends a record of a stream */
    int port, out;
    int listener;  /* of a stream; -1 */
    bool followed; /* a file: nobody says when it grows */
    struct connection connection[CONNECTIONS];
} self = {.listener = -1};

static void
fail(const char *what)
{
    fprintf(stderr, "receiver %s %s: %s: %s\n", self.kind, self.where, what, strerror(errno));
    exit(1);
}

/* ---- what came ---- */

static long long
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* At once: what a kill finds unwritten here would look like a loss of the sender's. */
static void
put_line(const char *head, const char *bytes, size_t size)
{
    char line[70000];
    int n = snprintf(line, sizeof(line), "%s%lld ", head, now_ns());
    memcpy(line + n, bytes, size);
    line[(size_t)n + size] = '\n';
    if (write(self.out, line, (size_t)n + size + 1) < 0)
        fail("write");
}

static void
take_records(struct connection *c)
{
    char *from = c->bytes, *end = c->bytes + c->size, *at;
    while ((at = memchr(from, self.end, (size_t)(end - from))) != NULL) {
        put_line("", from, (size_t)(at - from));
        from = at + 1;
    }
    c->size = (size_t)(end - from);
    memmove(c->bytes, from, c->size);
}

/* All that is there; false when the connection has ended. A torn record at its end is no record. */
static bool
drain_stream(struct connection *c)
{
    for (;;) {
        ssize_t n = read(c->fd, c->bytes + c->size, sizeof(c->bytes) - c->size);
        if (n <= 0)
            return n < 0 || self.followed;
        c->size += (size_t)n;
        take_records(c);
    }
}

static bool
drain_datagrams(struct connection *c)
{
    ssize_t n;
    while ((n = recv(c->fd, c->bytes, sizeof(c->bytes), MSG_DONTWAIT)) >= 0)
        put_line("", c->bytes, (size_t)n);
    return true;
}

/* ---- sockets ---- */

static int
bind_path(int type)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", self.where);
    unlink(self.where);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        fail("bind");
    if (type == SOCK_STREAM && listen(fd, 16) < 0)
        fail("listen");
    return fd;
}

static int
bind_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(at);
    const int room = 4 * ROOM; /* a wish */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    at.sin_port = htons((uint16_t)self.port);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        fail("bind");
    self.port = ntohs(at.sin_port);
    return fd;
}

static void
open_all(void)
{
    int fd = -1;
    if (strcmp(self.kind, "stream") == 0)
        self.listener = bind_path(SOCK_STREAM);
    else if (strcmp(self.kind, "dgram") == 0)
        fd = bind_path(SOCK_DGRAM);
    else if (strcmp(self.kind, "udp") == 0)
        fd = bind_port();
    else
        fd = open(self.where, O_RDONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 && self.listener < 0)
        fail("open");
    self.connection[0].fd = fd;
    put_line("# open ", "", 0);
}

static void
accept_one(void)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &self.connection[i];
        if (c->fd >= 0)
            continue;
        c->fd = accept4(self.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        c->size = 0;
        return;
    }
    fail("connections");
}

static void
drain(struct connection *c)
{
    bool packets = strcmp(self.kind, "dgram") == 0 || strcmp(self.kind, "udp") == 0;
    if (c->fd < 0 || (packets ? drain_datagrams(c) : drain_stream(c)))
        return;
    close(c->fd);
    c->fd = -1;
}

static void
drain_all(void)
{
    for (int i = 0; i < CONNECTIONS; i++)
        drain(&self.connection[i]);
}

static void
close_port(void)
{
    drain_all();
    close(self.connection[0].fd);
    self.connection[0].fd = -1;
}

/* ---- the loop ---- */

/* False at the end. */
static bool
obey(void)
{
    char commands[16];
    ssize_t n = read(STDIN_FILENO, commands, sizeof(commands));
    for (ssize_t i = 0; i < n; i++) {
        if (commands[i] == 'c')
            close_port();
        else if (commands[i] == 'o')
            open_all();
    }
    return n > 0;
}

static bool
serve_once(void)
{
    struct pollfd p[CONNECTIONS + 2] = {{STDIN_FILENO, POLLIN, 0}, {self.listener, POLLIN, 0}};
    for (int i = 0; i < CONNECTIONS; i++)
        p[i + 2] = (struct pollfd){self.followed ? -1 : self.connection[i].fd, POLLIN, 0};
    if (poll(p, CONNECTIONS + 2, self.followed ? FOLLOW_MS : -1) < 0 && errno != EINTR)
        fail("poll");
    if (p[1].revents)
        accept_one();
    drain_all();
    return !p[0].revents || obey();
}

/* A connection that waits to be accepted may hold records. */
static void
leave(void)
{
    while (self.listener >= 0 && poll(&(struct pollfd){self.listener, POLLIN, 0}, 1, 0) > 0)
        accept_one();
    drain_all();
    if (self.listener >= 0 || strcmp(self.kind, "dgram") == 0)
        unlink(self.where);
}

int
main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
    self.kind = argv[1];
    self.where = argv[2];
    self.followed = strcmp(self.kind, "file") == 0;
    self.end = self.followed ? '\n' : '\0';
    self.port = strcmp(self.kind, "udp") == 0 ? (int)strtol(self.where, NULL, 10) : 0;
    self.out = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (self.out < 0)
        fail("output");
    for (int i = 0; i < CONNECTIONS; i++)
        self.connection[i].fd = -1;
    open_all();
    printf("%d\n", self.port);
    fflush(stdout);
    while (serve_once())
        continue;
    leave();
    return 0;
}
