/* SPDX-License-Identifier: MIT */
/*
 * udp://HOST:PORT  one record a datagram (RFC 5426, 3.1), 1232 octets by default: what fits into
 * the smallest IPv6 MTU without fragments.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dgram.h"

extern const struct thole_sink_ops thl_sink_udp;

#define DEFAULT_PORT "514"
#define SEND_BUFFER (1024 * 1024)

struct udp {
    struct thl_dgram socket;
    char *host, *port;
    struct sockaddr_storage address; /* the one of the host's that could be connected to */
    socklen_t address_size;
};

/* Without AI_ADDRCONFIG: that would not find ::1 on a machine whose only IPv6 is the loopback. */
static int
resolve(const char *host, const char *port, struct addrinfo **found)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
    int rc = getaddrinfo(host, *port ? port : DEFAULT_PORT, &hints, found);

    switch (rc) {
    case 0:
        return 0;
    case EAI_SYSTEM:
        return -errno;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SERVICE:
        return -EINVAL;
    default: /* the name: no errno is its own, and this one's text says "no such ... address" */
        return -ENXIO;
    }
}

static int
identify(const struct thole_sink_uri *uri, char *out, size_t size)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    struct addrinfo *found;
    int rc = resolve(uri->host, uri->port, &found);

    if (rc < 0)
        return rc;
    rc = getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), port, sizeof(port),
                     NI_NUMERICHOST | NI_NUMERICSERV);
    freeaddrinfo(found);
    if (rc != 0)
        return -EINVAL;
    return snprintf(out, size, "udp:[%s]:%s", host, port) < (int)size ? 0 : -ENAMETOOLONG;
}

static int
connect_to(struct udp *u, const struct sockaddr *address, socklen_t size)
{
    const int bytes = SEND_BUFFER;
    int rc = thl_dgram_connect(&u->socket, SOCK_DGRAM, address, size);

    if (rc < 0)
        return rc;
    /* A wish: the kernel gives what net.core.wmem_max allows. */
    (void)setsockopt(u->socket.d.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    return 0;
}

/* Looks the host up and connects to the first address of its that has a route. */
static int
connect_by_name(struct udp *u)
{
    struct addrinfo *found, *a;
    int rc = resolve(u->host, u->port, &found);

    if (rc < 0)
        return rc;
    for (a = found, rc = -EHOSTUNREACH; a && rc < 0; a = a->ai_next) {
        rc = connect_to(u, a->ai_addr, a->ai_addrlen);
        if (rc < 0)
            continue;
        memcpy(&u->address, a->ai_addr, a->ai_addrlen);
        u->address_size = a->ai_addrlen;
    }
    freeaddrinfo(found);
    return rc;
}

static void
close_udp(void *sink)
{
    struct udp *u = sink;

    thl_descriptor_close(&u->socket.d);
    free(u->host);
    free(u->port);
    free(u);
}

static int
open_udp(const struct thole_sink_uri *uri, void **sink)
{
    struct udp *u = calloc(1, sizeof(*u));

    if (!u)
        return -ENOMEM;
    u->socket.d.fd = -1;
    u->host = strdup(uri->host);
    u->port = strdup(uri->port);
    int rc = u->host && u->port ? connect_by_name(u) : -ENOMEM;
    if (rc < 0)
        close_udp(u);
    else
        *sink = u;
    return rc;
}

static int
connect_again(struct udp *u)
{
    return connect_to(u, (const struct sockaddr *)&u->address, u->address_size);
}

/* ECONNREFUSED belongs to an earlier datagram, and took this one's place: the socket is good, and
 * may send it now. */
static int
send_again(void *sink, int error)
{
    struct udp *u = sink;

    if (error == EBADF || error == ENOTSOCK) /* closed by the daemon */
        return connect_again(u);
    u->socket.doubtful = true;
    return error == ECONNREFUSED ? 0 : connect_again(u);
}

static int
write_udp(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct udp *u = sink;

    *done = 0;
    if (!thl_descriptor_is_ours(&u->socket.d)) {
        thl_descriptor_close(&u->socket.d); /* somebody else's now: forgotten, not closed */
        int rc = connect_again(u);
        if (rc < 0)
            return rc;
    }
    return thl_dgram_write(&u->socket, records, n, done, send_again, u);
}

static int
reopen_udp(void *sink)
{
    return connect_by_name(sink);
}

const struct thole_sink_ops thl_sink_udp = {
    .size = sizeof(thl_sink_udp),
    .flags = THOLE_SINK_FORK_SAFE | THOLE_SINK_MAY_BLOCK,
    .format = "rfc5424",
    .max_record = 1232,
    .identify = identify,
    .open = open_udp,
    .write = write_udp,
    .reopen = reopen_udp,
    .close = close_udp,
};
