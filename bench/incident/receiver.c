/* SPDX-License-Identifier: MIT */
/*
 * The two log receivers of the incident: a UDP port and a syslog socket, drained as fast as they
 * fill.
 *
 *     receiver SOCKET_PATH
 *
 * Prints the UDP port when both are ready. SIGTERM: takes what still waits, prints the counts as
 * one line of JSON and ends. `bad` counts datagrams that do not begin with a priority "<N" or that
 * hold a control byte: nothing of the kind may leave thole.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH 64
#define DATAGRAM 2048 /* longer ones are cut: they are counted, not kept */
#define WANTED_BUFFER (8 << 20)

struct receiver {
    int fd;
    unsigned long datagrams, bytes, bad;
};

static void
count(struct receiver *r, const unsigned char *p, size_t n)
{
    bool bad = n < 2 || p[0] != '<' || p[1] < '0' || p[1] > '9';
    for (size_t i = 0; i < n && !bad; i++)
        bad = p[i] < ' ' || p[i] == 0x7f;
    r->datagrams++;
    r->bytes += n;
    r->bad += bad;
}

static void
drain(struct receiver *r)
{
    static unsigned char buf[BATCH][DATAGRAM];
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];
    for (int n = BATCH; n == BATCH;) {
        memset(msg, 0, sizeof(msg));
        for (int i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){buf[i], DATAGRAM};
            msg[i].msg_hdr.msg_iov = &iov[i];
            msg[i].msg_hdr.msg_iovlen = 1;
        }
        n = recvmmsg(r->fd, msg, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
            count(r, buf[i], msg[i].msg_len);
    }
}

static int
open_udp(struct receiver *r, uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof(at);
    int wanted = WANTED_BUFFER;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (r->fd < 0 || bind(r->fd, (struct sockaddr *)&at, size) < 0 ||
        getsockname(r->fd, (struct sockaddr *)&at, &size) < 0)
        return -1;
    /* Past the system's limit when we may, up to it otherwise. */
    if (setsockopt(r->fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) < 0)
        setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    *port = ntohs(at.sin_port);
    return 0;
}

static int
open_syslog(struct receiver *r, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof(at.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(at.sun_path, path, n);
    r->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return r->fd < 0 ? -1 : bind(r->fd, (struct sockaddr *)&at, sizeof(at));
}

static int
open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static void
print_counts(const char *name, const struct receiver *r, const char *after)
{
    printf("\"%s\":{\"datagrams\":%lu,\"bytes\":%lu,\"bad\":%lu}%s", name, r->datagrams, r->bytes,
           r->bad, after);
}

int
main(int argc, char **argv)
{
    struct receiver udp = {.fd = -1}, local = {.fd = -1};
    uint16_t port;
    int signals = open_signals();
    if (argc != 2)
        return fprintf(stderr, "usage: receiver SOCKET_PATH\n"), 2;
    if (signals < 0 || open_udp(&udp, &port) < 0 || open_syslog(&local, argv[1]) < 0)
        return perror("receiver"), 1;
    printf("%d\n", port);
    fflush(stdout);
    struct pollfd on[] = {{signals, POLLIN, 0}, {udp.fd, POLLIN, 0}, {local.fd, POLLIN, 0}};
    while (!on[0].revents) {
        if (poll(on, 3, -1) < 0 && errno != EINTR)
            return perror("poll"), 1;
        drain(&local); /* holds ten datagrams or so: first */
        drain(&udp);
    }
    drain(&local);
    printf("{");
    print_counts("udp", &udp, ",");
    print_counts("syslog", &local, "}\n");
    return 0;
}
