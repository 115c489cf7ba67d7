/* SPDX-License-Identifier: MIT */
/* Datagram sockets. */
#include "dgram.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define REFUSAL_MS 50 /* within which a peer's refusal of a datagram is back */
#define TOGETHER 32   /* datagrams between two looks at the descriptor's identity */
#define PROMISES 100  /* of room, none of them kept: then the outbox tries later */
#define MEMORY_TRIES 3
#define MEMORY_MS 4 /* until the second of them; twice that until the third */

int
thl_dgram_connect(struct thl_dgram *d, int type, const struct sockaddr *address, socklen_t size)
{
    struct thl_descriptor fresh;
    int fd = socket(address->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, address, size) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    int rc = thl_descriptor_adopt(&fresh, fd);
    if (rc < 0)
        return rc;
    thl_descriptor_close(&d->d);
    d->d = fresh;
    return 0;
}

bool
thl_dgram_is_lost(int error)
{
    return error == ECONNREFUSED || error == ENOTCONN || error == ENOENT || error == ECONNRESET ||
           error == EPIPE || error == EDESTADDRREQ || error == EBADF || error == ENOTSOCK;
}

/* A refusal reaches a UDP socket as an error of a later send, and on a closed port every second
 * datagram would count as written. So, after a refusal, the datagrams are watched until one is not
 * refused. A datagram whose refusal comes later than that is lost unseen, as UDP has it. */
static int
watch_refusal(struct thl_dgram *d)
{
    static const struct timespec refusal = {0, REFUSAL_MS * 1000000};
    struct pollfd p = {d->d.fd, 0, 0};
    int error = 0;
    socklen_t size = sizeof(error);
    sigset_t all; /* in direct mode it is the daemon's thread, and its signals may not end this */

    sigfillset(&all);
    if (ppoll(&p, 1, &refusal, &all) > 0 && p.revents & POLLERR &&
        getsockopt(d->d.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0)
        return -error;
    d->doubtful = false;
    return 0;
}

/* Of one record, by what made them vain. */
struct tries {
    unsigned promises, memory;
};

/* Until another try makes sense after this error: 0 or a negative errno. poll() would not wait for
 * the kernel's memory. */
static int
wait_after(int error, int fd, struct tries *tries, int64_t deadline_ns)
{
    int rc;

    switch (error) {
    case EINTR:
        return 0;
    case EAGAIN:
        rc = thl_descriptor_wait(fd, deadline_ns);
        return rc < 0 ? rc : ++tries->promises < PROMISES ? 0 : -EAGAIN;
    case ENOBUFS:
    case ENOMEM:
        if (++tries->memory < MEMORY_TRIES &&
            thl_descriptor_pause(MEMORY_MS * (int)tries->memory, deadline_ns))
            return 0;
        return -EAGAIN;
    default:
        return -error;
    }
}

/* One record: 0 or a negative errno. */
static int
send_one(const struct thl_dgram *d, const struct thole_sink_record *r, int64_t deadline_ns)
{
    struct tries tries = {0};
    int rc = 0;

    while (rc == 0 && send(d->d.fd, r->bytes, r->size, MSG_NOSIGNAL) < 0)
        rc = wait_after(errno, d->d.fd, &tries, deadline_ns);
    return rc;
}

/* What a try before left behind: 0, or an errno that a try again would not show. */
static int
error_of(int error)
{
    switch (error) {
    case EAGAIN: /* these are there again, or gone: send_one finds out, and waits */
    case ENOBUFS:
    case ENOMEM:
    case EINTR:
    case EMSGSIZE:
    case EPERM:
    case ENOSYS: /* a filter that knows send(2) only */
        return 0;
    default:
        return error;
    }
}

/* As many as go at once, behind one that went: what that one met, a refusal say, is the first
 * error here, and is returned. Of an error in the middle the kernel does not tell: the record
 * there is sent alone next, and an error of the one before it, which only UDP has, comes with the
 * one after. */
static int
send_together(const struct thl_dgram *d, const struct thole_sink_record *records, size_t n,
              size_t *done)
{
    struct iovec bytes[TOGETHER];
    struct mmsghdr messages[TOGETHER];
    if (n > TOGETHER - 1)
        n = TOGETHER - 1;
    if (n == 0)
        return 0;
    memset(messages, 0, n * sizeof(messages[0]));
    for (size_t i = 0; i < n; i++) {
        bytes[i].iov_base = (void *)records[i].bytes; /* sent, and not written to */
        bytes[i].iov_len = records[i].size;
        messages[i].msg_hdr.msg_iov = &bytes[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(d->d.fd, messages, (unsigned)n, MSG_NOSIGNAL);
    if (sent < 0)
        return error_of(errno);
    *done += (size_t)sent;
    return 0;
}

/* One record, with all that may be done for it; `error`: of a try before. 0 or a negative errno. */
static int
send_surely(struct thl_dgram *d, const struct thole_sink_record *r, int error, int64_t deadline_ns,
            thl_dgram_again_fn again, void *sink)
{
    int rc = error ? -error : send_one(d, r, deadline_ns);
    if (rc < 0 && rc != -EAGAIN && rc != -EMSGSIZE) {
        rc = again(sink, -rc);
        if (rc == 0)
            rc = send_one(d, r, deadline_ns);
    }
    return rc == 0 && d->doubtful ? watch_refusal(d) : rc;
}

int
thl_dgram_write(struct thl_dgram *d, const struct thole_sink_record *records, size_t n,
                size_t *done, thl_dgram_again_fn again, void *sink)
{
    int64_t deadline_ns = thl_descriptor_deadline();
    size_t looked = 0;
    int error = 0;

    *done = 0;
    while (*done < n) {
        if (*done >= looked + TOGETHER) {
            looked = *done;
            if (!thl_descriptor_is_ours(&d->d))
                error = EBADF;
        }
        int rc = send_surely(d, &records[*done], error, deadline_ns, again, sink);
        if (rc < 0)
            return rc;
        ++*done;
        error = d->doubtful ? 0 : send_together(d, records + *done, n - *done, done);
    }
    return 0;
}
