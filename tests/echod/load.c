/* SPDX-License-Identifier: MIT */
/*
 * Opens, uses and closes COUNT connections to an echo server, CONCURRENT at a time, on one thread.
 *
 *     load PORT COUNT CONCURRENT
 *
 * Clients come from 127.0.0.2 to 127.0.0.250, for ports are few. Each says hello with its own
 * address as its name, so that whoever reads the server's log can tell whether a record bears the
 * right peer; sends a line; and compares every byte that comes back. The end is a reset: it leaves
 * no TIME_WAIT behind. Prints the counts as one line of JSON; exits with 1 when a connection
 * failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define CONCURRENT_MAX 4096
#define EVENTS 64
#define STALL_MS 20000 /* without any event for so long the server is taken for dead */
#define ADDRESSES 249

struct client {
    int fd;
    bool asked;
    size_t size, got;
    char expected[128], answer[128];
};

struct load {
    int epoll;
    uint16_t port;
    unsigned long count, begun, done, failed;
};

static const char *
open_client(struct load *l, struct client *c)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(l->port)};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(l->begun % ADDRESSES));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(c, 0, sizeof(*c));
    l->begun++;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return "socket";
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0 ||
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int)) < 0)
        return "setsockopt";
    if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        return "bind";
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
        return "connect";
    struct epoll_event wanted = {EPOLLOUT, {.ptr = c}};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &wanted) < 0 ? "epoll_ctl" : NULL;
}

/* The connection is there: says hello and one line more, in one piece. */
static const char *
ask(struct load *l, struct client *c)
{
    struct sockaddr_in me;
    int error = 0;
    socklen_t size = sizeof(me), error_size = sizeof(error);
    char address[INET_ADDRSTRLEN];
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) < 0 || error) {
        errno = error ? error : errno;
        return "connect";
    }
    if (getsockname(c->fd, (struct sockaddr *)&me, &size) < 0 ||
        !inet_ntop(AF_INET, &me.sin_addr, address, sizeof(address)))
        return "getsockname";
    c->size = (size_t)snprintf(c->expected, sizeof(c->expected), "hello c-%s:%d\nis it you, %d?\n",
                               address, ntohs(me.sin_port), ntohs(me.sin_port));
    if (send(c->fd, c->expected, c->size, MSG_NOSIGNAL) != (ssize_t)c->size)
        return "send";
    c->asked = true;
    struct epoll_event wanted = {EPOLLIN, {.ptr = c}};
    return epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &wanted) < 0 ? "epoll_ctl" : NULL;
}

static const char *
listen_to(struct client *c)
{
    ssize_t n = recv(c->fd, c->answer + c->got, c->size - c->got, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    if (n <= 0)
        return n ? "recv" : "closed too early";
    c->got += (size_t)n;
    return memcmp(c->answer, c->expected, c->got) ? "wrong echo" : NULL;
}

/* Keeps the client's place busy until all have begun. */
static void
begin_next(struct load *l, struct client *c)
{
    const char *failure = NULL;
    while (l->begun < l->count && (failure = open_client(l, c)) != NULL) {
        l->failed++;
        perror(failure);
        if (c->fd >= 0)
            close(c->fd);
    }
}

static void
advance(struct load *l, struct client *c)
{
    const char *failure = c->asked ? listen_to(c) : ask(l, c);
    if (!failure && (!c->asked || c->got < c->size))
        return;
    if (failure) {
        l->failed++;
        fprintf(stderr, "load: %s: %s\n", failure, strerror(errno));
    } else {
        l->done++;
    }
    close(c->fd);
    begin_next(l, c);
}

static int
run(struct load *l, struct client *clients, unsigned long concurrent)
{
    struct epoll_event event[EVENTS];
    for (unsigned long i = 0; i < concurrent; i++)
        begin_next(l, &clients[i]);
    while (l->done + l->failed < l->count) {
        int n = epoll_wait(l->epoll, event, EVENTS, STALL_MS);
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        for (int i = 0; i < n; i++)
            advance(l, event[i].data.ptr);
    }
    return 0;
}

static double
now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool
parse(const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || end == text || *end || n == 0 || n > max)
        return false;
    *out = n;
    return true;
}

int
main(int argc, char **argv)
{
    struct load l = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    unsigned long port, concurrent;
    if (argc != 4 || !parse(argv[1], 65535, &port) || !parse(argv[2], 100000000, &l.count) ||
        !parse(argv[3], CONCURRENT_MAX, &concurrent))
        return fprintf(stderr, "usage: load PORT COUNT CONCURRENT\n"), 2;
    struct client *clients = calloc(concurrent, sizeof(*clients));
    if (!clients || l.epoll < 0)
        return perror("load"), 1;
    l.port = (uint16_t)port;
    double begin = now_s();
    if (run(&l, clients, concurrent) < 0)
        fprintf(stderr, "load: no answer for %d s\n", STALL_MS / 1000);
    printf("{\"count\":%lu,\"done\":%lu,\"failed\":%lu,\"seconds\":%.3f}\n", l.count, l.done,
           l.failed, now_s() - begin);
    free(clients);
    return l.done == l.count ? 0 : 1;
}
