/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and their identity.
 *
 * owners[] is shared by all threads that serve a target. adopt() stores a fresh token under its
 * number; close() exchanges its own token for 0, and only who succeeds calls close(2). While a
 * number is open nobody else can adopt it, so its token changes hands only after the daemon closed
 * it, and then the former holder's exchange fails. A forked process has numbers and tokens alike.
 * tests/race/owners attacks it.
 */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000
#define FIRST_NUMBER 40  /* of the 64 that a process has without another table */
#define NUMBERS 24       /* more than there are targets */
#define OWNERS (1 << 14) /* numbers above are told by their identity alone */

/* The token of who adopted a number last, or 0. Pages of it come as they are used. All relaxed:
 * the word is all that is handed over, what it stands for is asked of the kernel. */
static _Atomic unsigned owners[OWNERS];

static int
close_with(int fd, int error)
{
    close(fd);
    return -error;
}

/* After a closefrom all targets open anew while a write of one may still be under way: each gets a
 * number that none of the others had just before, or that write would reach the wrong target.
 * Under a limit so low any number above 2 will do. */
static int
move_up(int fd)
{
    static _Atomic unsigned turn;
    unsigned next = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % NUMBERS;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_NUMBER + (int)next);

    if (moved < 0)
        moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_NUMBER);

    if (moved < 0 && fd >= 3)
        return fd;
    if (moved < 0)
        moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (moved < 0)
        return close_with(fd, errno);
    close(fd);
    return moved;
}

/* ---- owners ---- */

static void
own(struct thl_descriptor *d)
{
    static _Atomic unsigned last; /* relaxed: any number will do that no other has */

    do
        d->token = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    while (d->token == 0);
    if (d->fd < OWNERS)
        atomic_store_explicit(&owners[d->fd], d->token, memory_order_relaxed);
}

static bool
is_owner(const struct thl_descriptor *d)
{
    return d->fd >= OWNERS ||
           atomic_load_explicit(&owners[d->fd], memory_order_relaxed) == d->token;
}

/* True once for each adopt, at most. */
static bool
disown(const struct thl_descriptor *d)
{
    unsigned token = d->token;

    return d->fd >= OWNERS ||
           atomic_compare_exchange_strong_explicit(&owners[d->fd], &token, 0, memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* ---- identity ---- */

static int
access_of(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 ? flags : flags & (O_ACCMODE | O_APPEND);
}

int
thl_descriptor_adopt(struct thl_descriptor *d, int fd)
{
    struct stat st;

    fd = move_up(fd);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return close_with(fd, errno);
    *d = (struct thl_descriptor){fd, st.st_dev, st.st_ino, st.st_mode & S_IFMT, access_of(fd), 0};
    own(d);
    return 0;
}

static bool
is_same(const struct thl_descriptor *d, const struct stat *st)
{
    return st->st_dev == d->dev && st->st_ino == d->ino && (st->st_mode & S_IFMT) == d->type &&
           access_of(d->fd) == d->access;
}

bool
thl_descriptor_look(const struct thl_descriptor *d, struct stat *st)
{
    return d->fd >= 0 && is_owner(d) && fstat(d->fd, st) == 0 && is_same(d, st);
}

bool
thl_descriptor_is_ours(const struct thl_descriptor *d)
{
    struct stat st;

    return thl_descriptor_look(d, &st);
}

void
thl_descriptor_close(struct thl_descriptor *d)
{
    struct stat st;

    /* One that exists and cannot be looked at (ESTALE on NFS) is ours gone bad: left open, each
     * outage of that server would leak one. */
    if (d->fd >= 0 && disown(d) && (fstat(d->fd, &st) == 0 ? is_same(d, &st) : errno != EBADF))
        close(d->fd);
    d->fd = -1;
}

/* ---- time ---- */

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

int64_t
thl_descriptor_deadline(void)
{
    return now_ns() + (int64_t)THL_DESCRIPTOR_WAIT_MS * NS_PER_MS;
}

int
thl_descriptor_wait(int fd, int64_t deadline_ns)
{
    struct pollfd p = {fd, POLLOUT, 0};
    int rc = poll(&p, 1, 0); /* room is the common case: no clock is read for it */

    while (rc == 0 || (rc < 0 && errno == EINTR)) {
        int64_t left_ns = deadline_ns - now_ns();
        if (left_ns <= 0)
            return -EAGAIN;
        rc = poll(&p, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
    }
    if (rc < 0)
        return -errno;
    return p.revents & POLLNVAL ? -EBADF : 0;
}

bool
thl_descriptor_pause(int ms, int64_t deadline_ns)
{
    if (deadline_ns - now_ns() < (int64_t)ms * NS_PER_MS)
        return false;
    (void)poll(NULL, 0, ms);
    return true;
}

/* The threads of thole have both signals blocked; in direct mode it is the daemon's own thread that
 * writes. A signal that was pending before stays pending, one that our write raised is taken back.
 */
ssize_t
thl_descriptor_write(int fd, const void *bytes, size_t n)
{
    static const struct timespec at_once = {0, 0};
    sigset_t deadly, raised, old, pending;

    sigemptyset(&deadly);
    sigaddset(&deadly, SIGPIPE);
    sigaddset(&deadly, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &deadly, &old);
    sigpending(&pending);

    ssize_t rc = write(fd, bytes, n);
    int error = rc < 0 ? errno : 0;
    int signal = error == EPIPE ? SIGPIPE : SIGXFSZ;

    sigemptyset(&raised);
    sigaddset(&raised, signal);
    if ((error == EPIPE || error == EFBIG) && !sigismember(&pending, signal))
        while (sigtimedwait(&raised, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc < 0 ? -error : rc;
}
