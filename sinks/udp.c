/* SPDX-License-Identifier: MIT */
/*
 * udp://HOST:PORT  one record a datagram (RFC 5426, 3.1), 1232 octets by default: what fits into
 * the smallest IPv6 MTU without fragments.
 *
 * An error may belong to an earlier datagram, which counts as written, and takes the place of this
 * one, which was not sent: it is sent again, once, and watched (dgram.c). Where refusals come too
 * late for that, each send tells of the one before; after three of these no more is sent until the
 * next try. Any other error may be the socket's own (the machine has another address now): the next
 * try begins with a fresh one.
 *
 * A host's name is looked up when the target is opened, after three failed tries in a row, and
 * about every 300 s, for a receiver that moved away tells nobody. While it cannot be looked up the
 * address known is as good as before. Addresses are not asked for.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dgram.h"

extern const struct thole_sink_ops thl_sink_udp;

#define DEFAULT_PORT "514"
#define SEND_BUFFER (1024 * 1024)
#define LOOK_UP_AFTER 3 /* failed tries */
#define LOOK_UP_S 240   /* and up to two minutes more, so that a fleet does not ask at once */
#define DOUBT_TOLD 2    /* a write that was told of an earlier datagram's end; a good one takes 1 */
#define DOUBT_DOWN 6

struct udp {
    struct thl_dgram socket;
    char *host, *port;
    struct sockaddr_storage address; /* the one of the host's that could be connected to */
    socklen_t address_size;
    bool numeric;    /* the host is an address: there is nothing to look up */
    bool worn;       /* the socket had an error of its own */
    bool told;       /* in this write, of an earlier datagram's end */
    unsigned doubt;  /* that the peer takes anything */
    unsigned failed; /* writes in a row */
    pid_t owner;     /* who opened it: a forked process may have inherited the resolver's locks */
    time_t looked_up;
};

/* ---- names and addresses ---- */

/* A zone may stand behind "%25", as in a URI (RFC 6874), or behind "%". */
static const char *
decode_zone(const char *host, char out[NI_MAXHOST])
{
    const char *zone = strstr(host, "%25");

    if (!zone || zone[3] == '\0')
        return host;
    snprintf(out, NI_MAXHOST, "%.*s%%%s", (int)(zone - host), host, zone + 3);
    return out;
}

static int
errno_of(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case EAI_SYSTEM:
        return -errno;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SERVICE:
        return -EINVAL;
    case EAI_AGAIN:
    case EAI_FAIL:
        return -ETIMEDOUT;
    default: /* the name: no errno is its own, and this one's text says "no such ... address" */
        return -ENXIO;
    }
}

/* Without AI_ADDRCONFIG: that would not find ::1 on a machine whose only IPv6 is the loopback. */
static int
resolve(const char *host, const char *port, bool *numeric, struct addrinfo **found)
{
    struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
    char plain[NI_MAXHOST];
    const char *name = decode_zone(host, plain);
    int rc = getaddrinfo(name, *port ? port : DEFAULT_PORT, &hints, found);

    *numeric = rc == 0 || strchr(host, ':');
    hints.ai_flags = 0;
    if (rc == EAI_NONAME && !*numeric)
        rc = getaddrinfo(name, *port ? port : DEFAULT_PORT, &hints, found);
    return errno_of(rc);
}

static int
identify(const struct thole_sink_uri *uri, char *out, size_t size)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    struct addrinfo *found;
    bool numeric;
    int rc = resolve(uri->host, uri->port, &numeric, &found);

    if (rc < 0)
        return rc;
    rc = getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), port, sizeof(port),
                     NI_NUMERICHOST | NI_NUMERICSERV);
    freeaddrinfo(found);
    if (rc != 0)
        return -EINVAL;
    return snprintf(out, size, "udp:[%s]:%s", host, port) < (int)size ? 0 : -ENAMETOOLONG;
}

/* ---- connecting ---- */

static int
connect_to(struct udp *u, const struct sockaddr *address, socklen_t size)
{
    const int bytes = SEND_BUFFER;
    int rc = thl_dgram_connect(&u->socket, SOCK_DGRAM, address, size);

    if (rc < 0)
        return rc;
    /* A wish: the kernel gives what net.core.wmem_max allows. */
    (void)setsockopt(u->socket.d.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    u->worn = false;
    return 0;
}

static int
connect_again(struct udp *u)
{
    return connect_to(u, (const struct sockaddr *)&u->address, u->address_size);
}

static bool
has_address(const struct addrinfo *found, const struct udp *u)
{
    for (const struct addrinfo *a = found; a; a = a->ai_next)
        if (a->ai_addrlen == u->address_size && memcmp(a->ai_addr, &u->address, a->ai_addrlen) == 0)
            return true;
    return false;
}

/* To the first address that has a route. */
static int
connect_first(struct udp *u, const struct addrinfo *found)
{
    int rc = -EHOSTUNREACH;

    for (const struct addrinfo *a = found; a && rc < 0; a = a->ai_next) {
        rc = connect_to(u, a->ai_addr, a->ai_addrlen);
        if (rc < 0)
            continue;
        memcpy(&u->address, a->ai_addr, a->ai_addrlen);
        u->address_size = a->ai_addrlen;
    }
    return rc;
}

static time_t
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

/* The address in use stays as long as it is one of the host's: a name server may turn the order
 * with each answer. */
static int
look_up(struct udp *u)
{
    struct addrinfo *found;
    int rc = resolve(u->host, u->port, &u->numeric, &found);

    u->looked_up = now_s();
    if (rc < 0)
        return rc;
    rc = has_address(found, u) ? connect_again(u) : connect_first(u, found);
    freeaddrinfo(found);
    return rc;
}

static bool
may_look_up(const struct udp *u)
{
    return !u->numeric && u->owner == getpid();
}

/* ---- the operations ---- */

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
    u->owner = getpid();
    u->host = strdup(uri->host);
    u->port = strdup(uri->port);
    int rc = u->host && u->port ? look_up(u) : -ENOMEM;
    if (rc < 0)
        close_udp(u);
    else
        *sink = u;
    return rc;
}

/* A firewall's refusal is EHOSTUNREACH, EACCES or ENOPROTOOPT. */
static bool
may_be_of_an_earlier(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == EACCES ||
           error == ENOPROTOOPT;
}

static int
send_again(void *sink, int error)
{
    struct udp *u = sink;

    if (!may_be_of_an_earlier(error))
        return thl_dgram_is_lost(error) ? connect_again(u) : -error;
    u->socket.doubtful = u->told = true;
    u->doubt += DOUBT_TOLD;
    return u->doubt < DOUBT_DOWN ? 0 : -error;
}

static int
check_socket(struct udp *u)
{
    if (u->failed >= LOOK_UP_AFTER && may_look_up(u)) {
        u->failed = 0;
        if (look_up(u) == 0)
            return 0;
    }
    if (thl_descriptor_is_ours(&u->socket.d))
        return u->worn ? connect_again(u) : 0;
    thl_descriptor_close(&u->socket.d); /* somebody else's now: forgotten, not closed */
    return connect_again(u);
}

static void
judge(struct udp *u, int rc)
{
    const bool failed = rc < 0 && rc != -EAGAIN && rc != -EMSGSIZE;

    u->failed = failed ? u->failed + 1 : 0;
    u->worn = failed && rc != -ECONNREFUSED;
    if (!u->told && u->doubt > 0)
        u->doubt--;
    if (u->doubt > DOUBT_DOWN - 1)
        u->doubt = DOUBT_DOWN - 1;
}

static int
write_udp(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct udp *u = sink;
    int rc = check_socket(u);

    *done = 0;
    u->told = false;
    if (rc == 0)
        rc = thl_dgram_write(&u->socket, records, n, done, send_again, u);
    judge(u, rc);
    return rc;
}

static int
reopen_udp(void *sink)
{
    struct udp *u = sink;

    return may_look_up(u) ? look_up(u) : connect_again(u);
}

static bool
is_look_up_due(void *sink)
{
    const struct udp *u = sink;

    return may_look_up(u) && now_s() - u->looked_up >= LOOK_UP_S + u->owner % 120;
}

static const char *
explain(int error)
{
    switch (error) {
    case ENXIO:
        return "no such host";
    case ETIMEDOUT:
        return "no answer from the name server";
    case EINVAL:
        return "a link-local address without its zone (as in [fe80::1%eth0])";
    case EACCES:
        return "not allowed (a broadcast address?)";
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return "this machine has no address of that kind";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "no route to the host";
    default:
        return NULL;
    }
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
    .wants_reopen = is_look_up_due,
    .explain = explain,
};
