/* SPDX-License-Identifier: MIT */
/*
 * echod, the sample daemon: an epoll echo server with one child logger for each connection.
 *
 *     echod PORT [--forget|--leak]    PORT 0 takes a free one; the port is printed on stdout
 *
 * What a client sends comes back. Its first line may be "hello NAME", which names it in the log
 * from then on, or "STATS", which is answered with thole's ledger as one line of JSON. SIGHUP
 * reopens the log files, SIGTERM and SIGINT end it. Where records go is the operator's choice:
 * THOLE_SINKS, THOLE_LOG, THOLE_LIMITS.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <thole/thole.h>
#include <time.h>
#include <unistd.h>

#include "stats.h"

#define MAX_CONNS 4096 /* more wait in the listener's backlog */
#define EVENTS 64

struct conn {
    thole_logger log; /* this connection's own: one reference, given back in close_conn */
    int fd;
    size_t slot; /* in server.conn */
    uint64_t id, bytes;
    int64_t opened_ns;
    bool greeted; /* its first line is complete, or too long to be one of ours */
    size_t line_size;
    char line[80];
    size_t sent, filled; /* buf[sent..filled) is still to be sent back */
    char buf[4096];
};

struct server {
    thole_logger net, conns; /* conns: what each connection's logger hangs from */
    int epoll, listener, signals;
    bool accepting, stopping;
    bool forget, leak; /* faults on purpose: the incident's, and one that is harder to see */
    uint64_t accepted;
    size_t open;
    struct conn *conn[MAX_CONNS];
};

static int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
watch(struct server *s, int op, int fd, void *what, uint32_t events)
{
    return epoll_ctl(s->epoll, op, fd, &(struct epoll_event){events, {.ptr = what}});
}

/* Without room for another connection the listener is left alone until one has closed. */
static void
set_accepting(struct server *s, bool on)
{
    if (s->accepting == on)
        return;
    s->accepting = on;
    watch(s, EPOLL_CTL_MOD, s->listener, &s->listener, on ? EPOLLIN : 0);
}

static void
close_conn(struct server *s, struct conn *c)
{
    thole_info(c->log, "closed", "bytes", c->bytes, "took", thole_ns(now_ns() - c->opened_ns));
    if (!s->forget)
        thole_unref(&c->log);
    s->conn[c->slot] = s->conn[--s->open];
    s->conn[c->slot]->slot = c->slot;
    close(c->fd);
    free(c);
    set_accepting(s, true);
}

static void
open_conn(struct server *s, struct conn *c, const struct sockaddr *peer, socklen_t size)
{
    c->id = ++s->accepted;
    c->opened_ns = now_ns();
    c->slot = s->open;
    s->conn[s->open++] = c;
    thole_child(&c->log, s->conns, "conn", c->id, "peer", thole_addr(peer, size));
    thole_info(c->log, "accepted");
    set_accepting(s, s->open < MAX_CONNS);
    if (watch(s, EPOLL_CTL_ADD, c->fd, c, EPOLLIN) < 0)
        close_conn(s, c);
}

static void
accept_conn(struct server *s)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    int fd = accept4(s->listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct conn *c = fd < 0 ? NULL : calloc(1, sizeof(*c));
    if (c) {
        c->fd = fd;
        open_conn(s, c, (struct sockaddr *)&peer, size);
    } else if (errno != EAGAIN && errno != ECONNABORTED) {
        thole_warn(s->net, "cannot accept", "err", thole_errno(errno), "open", s->open);
        set_accepting(s, s->open == 0);
        if (fd >= 0)
            close(fd);
    }
}

/* Nobody hands it a logger: the scope knows whose request this is. */
static void
note_request(size_t size, bool leak)
{
    thole_logger request = thole_current();
    if (leak) /* a logger for the request alone, which nobody gives back */
        thole_child(&request, thole_current(), "request", size);
    thole_info(request, "first request", "size", size);
}

static void
obey_first_line(struct server *s, struct conn *c)
{
    if (c->line_size > 6 && memcmp(c->line, "hello ", 6) == 0) {
        thole_bind(&c->log, "client", thole_str(c->line + 6, c->line_size - 6));
    } else if (c->line_size == 5 && memcmp(c->line, "STATS", 5) == 0) {
        c->filled = stats_print(c->buf, sizeof(c->buf), s->accepted, s->open);
    }
    note_request(c->line_size, s->leak);
}

/* The first line may come in pieces. */
static void
read_first_line(struct server *s, struct conn *c)
{
    for (size_t i = 0; !c->greeted && i < c->filled; i++) {
        if (c->buf[i] == '\n' || c->line_size == sizeof(c->line)) {
            c->greeted = true;
            obey_first_line(s, c);
        } else {
            c->line[c->line_size++] = c->buf[i];
        }
    }
}

/* Takes what the client sent; false at its end. */
static bool
fill(struct server *s, struct conn *c)
{
    ssize_t n = read(c->fd, c->buf, sizeof(c->buf));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n < 0 && errno != ECONNRESET)
        thole_warn(c->log, "cannot read", "err", thole_errno(errno));
    if (n <= 0)
        return false;
    thole_trace(c->log, "read", "bytes", n);
    c->bytes += (uint64_t)n;
    c->sent = 0;
    c->filled = (size_t)n;
    read_first_line(s, c);
    return true;
}

/* Sends back what waits; a client that does not read is not read from either. */
static bool
drain(struct server *s, struct conn *c)
{
    if (c->sent == c->filled)
        return true;
    ssize_t n = send(c->fd, c->buf + c->sent, c->filled - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    c->sent += n > 0 ? (size_t)n : 0;
    thole_debug(c->log, "echoed", "bytes", n, "left", c->filled - c->sent);
    return watch(s, EPOLL_CTL_MOD, c->fd, c, c->sent < c->filled ? EPOLLOUT : EPOLLIN) == 0;
}

static void
dispatch(struct server *s, struct conn *c)
{
    thole_logger before = thole_scope_enter(c->log);
    bool alive = (c->sent < c->filled || fill(s, c)) && drain(s, c);
    thole_scope_leave(before);
    if (!alive)
        close_conn(s, c);
}

static void
take_signal(struct server *s)
{
    struct signalfd_siginfo signal;
    if (read(s->signals, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
        return;
    if (signal.ssi_signo == SIGHUP)
        thole_reopen();
    else
        s->stopping = true;
}

static void
serve(struct server *s)
{
    struct epoll_event event[EVENTS];
    while (!s->stopping) {
        int n = epoll_wait(s->epoll, event, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (event[i].data.ptr == &s->listener)
                accept_conn(s);
            else if (event[i].data.ptr == &s->signals)
                take_signal(s);
            else
                dispatch(s, event[i].data.ptr);
        }
    }
    while (s->open)
        close_conn(s, s->conn[s->open - 1]);
}

/* Signals are blocked before thole_start, so that they reach nothing but the descriptor. */
static int
open_server(struct server *s, struct sockaddr_in *at)
{
    socklen_t size = sizeof(*at);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    s->accepting = true;
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (s->signals < 0 || s->epoll < 0 || s->listener < 0 ||
        bind(s->listener, (struct sockaddr *)at, size) < 0 || listen(s->listener, SOMAXCONN) < 0 ||
        getsockname(s->listener, (struct sockaddr *)at, &size) < 0 ||
        watch(s, EPOLL_CTL_ADD, s->signals, &s->signals, EPOLLIN) < 0)
        return -1;
    return watch(s, EPOLL_CTL_ADD, s->listener, &s->listener, EPOLLIN);
}

/* A descriptor for each connection, as far as the hard limit lets it. */
static void
raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= MAX_CONNS + 64)
        return;
    limit.rlim_cur = limit.rlim_max < MAX_CONNS + 64 ? limit.rlim_max : MAX_CONNS + 64;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int
parse_port(const char *text, struct sockaddr_in *at)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (end == text || *end || port > UINT16_MAX)
        return -1;
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return 0;
}

int
main(int argc, char **argv)
{
    struct sockaddr_in at;
    struct server s = {.forget = argc == 3 && strcmp(argv[2], "--forget") == 0,
                       .leak = argc == 3 && strcmp(argv[2], "--leak") == 0};
    char ledger[4096];
    if (argc != 2 + s.forget + s.leak || parse_port(argv[1], &at) < 0)
        return fprintf(stderr, "usage: echod PORT [--forget|--leak]\n"), 2;
    if (open_server(&s, &at) < 0)
        return perror("echod"), 1;

    raise_limit();
    int started = thole_start(NULL);
    s.net = thole_get("echod.net");
    s.conns = thole_get("echod.conn");
    thole_info(s.net, "listening", "at", thole_addr((struct sockaddr *)&at, sizeof(at)));
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    serve(&s);
    thole_info(s.net, "stopping", "served", s.accepted);
    int stopped = thole_stop(5000);
    printf("%.*s", (int)stats_print(ledger, sizeof(ledger), s.accepted, s.open), ledger);
    return started < 0 || stopped < 0;
}
