/* SPDX-License-Identifier: MIT */
/* Byte streams. */
#include "pipe.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "descriptor.h"

/* A forked process frees nothing: the allocator's locks may be held there for ever, and the memory
 * half changed by a thread that did not come along. */
static void
disown(struct thl_pipe *p)
{
    pid_t self = getpid();

    if (p->owner != self)
        *p = (struct thl_pipe){.owner = self};
}

void
thl_pipe_forget(struct thl_pipe *p)
{
    disown(p);
    free(p->bytes);
    memset(p, 0, sizeof(*p));
}

mode_t
thl_pipe_type(const struct stat *st)
{
    const bool null = S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3); /* Linux */

    return null ? S_IFREG : st->st_mode & S_IFMT;
}

/* The kernel can tell of these whether they have room; a file always has, or fails. */
static bool
can_fill_up(mode_t type)
{
    return type != S_IFREG;
}

static ssize_t
put_once(int fd, mode_t type, const char *bytes, size_t n)
{
    if (type == S_IFSOCK) {
        ssize_t rc = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        return rc < 0 ? -errno : rc;
    }
    return thl_descriptor_write(fd, bytes, can_fill_up(type) && n > PIPE_BUF ? PIPE_BUF : n);
}

/* Writes n bytes, or as many as go: *sent says how many, also on failure. */
static int
put(int fd, mode_t type, const char *bytes, size_t n, int64_t deadline_ns, size_t *sent)
{
    for (*sent = 0; *sent < n;) {
        int rc = can_fill_up(type) ? thl_descriptor_wait(fd, deadline_ns) : 0;
        if (rc < 0)
            return rc;
        ssize_t got = put_once(fd, type, bytes + *sent, n - *sent);
        if (got < 0 && got != -EINTR)
            return (int)got;
        *sent += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static bool
is_under_way(struct thl_pipe *p)
{
    disown(p);
    return p->size > 0 || p->torn;
}

static bool
make_room(struct thl_pipe *p, size_t size)
{
    if (p->room >= size)
        return true;
    free(p->bytes);
    p->bytes = malloc(size);
    p->room = p->bytes ? size : 0;
    return p->bytes != NULL;
}

static void
keep(struct thl_pipe *p, const struct thole_sink_record *r, size_t sent)
{
    p->owner = getpid();
    p->end = r->bytes[r->size - 1];
    p->torn = !make_room(p, r->size);
    if (p->torn)
        return;
    memcpy(p->bytes, r->bytes, r->size);
    p->size = r->size;
    p->sent = sent;
}

static int
put_remainder(struct thl_pipe *p, int fd, mode_t type, int64_t deadline_ns)
{
    const char *bytes = p->torn ? &p->end : p->bytes + p->sent;
    size_t sent;
    int rc = put(fd, type, bytes, p->torn ? 1 : p->size - p->sent, deadline_ns, &sent);

    if (!p->torn)
        p->sent += sent;
    return rc;
}

/* Completes the record that is under way. *is_first: it is the one offered again now. */
static int
complete(struct thl_pipe *p, int fd, mode_t type, int64_t deadline_ns,
         const struct thole_sink_record *first, bool *is_first)
{
    *is_first = false;
    if (!is_under_way(p))
        return 0;
    int rc = put_remainder(p, fd, type, deadline_ns);
    if (rc < 0)
        return rc;
    *is_first = !p->torn && p->size == first->size && memcmp(p->bytes, first->bytes, p->size) == 0;
    thl_pipe_forget(p);
    return 0;
}

/* As many records as one write may carry, at least one. */
static size_t
group(const struct thole_sink_record *records, size_t n, mode_t type, size_t *bytes)
{
    size_t count = 1;

    *bytes = records[0].size;
    while (count < n && (!can_fill_up(type) || *bytes + records[count].size <= PIPE_BUF))
        *bytes += records[count++].size;
    return count;
}

int
thl_pipe_write(struct thl_pipe *p, int fd, mode_t type, int64_t deadline_ns,
               const struct thole_sink_record *records, size_t n, size_t *done)
{
    bool is_first;
    int rc = complete(p, fd, type, deadline_ns, &records[0], &is_first);

    for (*done = rc == 0 && is_first; rc == 0 && *done < n;) {
        size_t bytes, sent;
        const struct thole_sink_record *r = &records[*done], *end;

        end = r + group(r, n - *done, type, &bytes);
        rc = put(fd, type, r->bytes, bytes, deadline_ns, &sent);
        for (; r < end && sent >= r->size; r++)
            sent -= r->size;
        *done = (size_t)(r - records);
        if (sent > 0)
            keep(p, r, sent);
    }
    return rc;
}

void
thl_pipe_finish(struct thl_pipe *p, int fd, mode_t type)
{
    if (is_under_way(p))
        (void)put_remainder(p, fd, type, thl_descriptor_deadline());
    thl_pipe_forget(p);
}
