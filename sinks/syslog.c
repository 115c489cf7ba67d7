/* SPDX-License-Identifier: MIT */
/*
 * syslog:[SOCKET PATH]  the local receiver's socket, /dev/log by default. Never syslog(3): that
 * blocks with the receiver and shares its state with the whole process.
 *
 * A receiver that restarts binds its path anew. While the old socket is gone a send fails and a new
 * connection heals it; while the old receiver still lives no error tells, so the path is compared
 * with what was connected to (wants_reopen). In a chroot without that path the connection from
 * before goes on. A receiver with a stream socket gets records ended by NUL, as from glibc.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "dgram.h"
#include "pipe.h"

extern const struct thole_sink_ops thl_sink_syslog;

#define DEFAULT_PATH "/dev/log"

struct syslog_sink {
    struct thl_dgram socket;
    char *path;
    int type;  /* SOCK_DGRAM or SOCK_STREAM */
    dev_t dev; /* of the path when it was connected to */
    ino_t ino;
    struct thl_pipe pipe; /* of a stream */
};

static const char *
path_of(const struct thole_sink_uri *uri)
{
    return *uri->path ? uri->path : DEFAULT_PATH;
}

static int
identify(const struct thole_sink_uri *uri, char *out, size_t size)
{
    char real[PATH_MAX];
    const char *path = path_of(uri);
    int n = snprintf(out, size, "syslog:%s", realpath(path, real) ? real : path);

    return n < (int)size ? 0 : -ENAMETOOLONG;
}

/* ---- connecting ---- */

/* A path longer than sun_path is reached through a descriptor of the socket's own name. */
static int
set_address(struct sockaddr_un *a, const char *path, int *name_fd)
{
    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    *name_fd = -1;
    if (strlen(path) < sizeof(a->sun_path)) {
        memcpy(a->sun_path, path, strlen(path));
        return 0;
    }
    *name_fd = open(path, O_PATH | O_CLOEXEC);
    if (*name_fd < 0)
        return -errno;
    snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d", *name_fd);
    return 0;
}

static int
connect_either_type(struct syslog_sink *s, const struct sockaddr_un *a)
{
    int type = s->type;
    int rc = thl_dgram_connect(&s->socket, type, (const struct sockaddr *)a, sizeof(*a));

    if (rc == -EPROTOTYPE) {
        type = type == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM;
        rc = thl_dgram_connect(&s->socket, type, (const struct sockaddr *)a, sizeof(*a));
    }
    if (rc == 0)
        s->type = type;
    return rc;
}

/* On failure the old connection stays. The path is looked at before it is connected to: should a
 * new receiver bind it in between, the next look sees a difference, and connects once too often. */
static int
connect_path(struct syslog_sink *s)
{
    struct sockaddr_un a;
    struct stat st;
    int name_fd = -1, rc = stat(s->path, &st) < 0 ? -errno : 0;

    if (rc == 0) /* connect() says ECONNREFUSED of any file */
        rc = S_ISSOCK(st.st_mode) ? set_address(&a, s->path, &name_fd) : -ENOTSOCK;
    if (rc == 0)
        rc = connect_either_type(s, &a);
    if (name_fd >= 0)
        close(name_fd);
    if (rc < 0)
        return rc;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    thl_pipe_forget(&s->pipe); /* the new connection gets that record from its first byte */
    return 0;
}

static void
close_syslog(void *sink)
{
    struct syslog_sink *s = sink;

    if (thl_descriptor_is_ours(&s->socket.d))
        thl_pipe_finish(&s->pipe, s->socket.d.fd, S_IFSOCK);
    thl_pipe_forget(&s->pipe);
    thl_descriptor_close(&s->socket.d);
    free(s->path);
    free(s);
}

static int
open_syslog(const struct thole_sink_uri *uri, void **sink)
{
    struct syslog_sink *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->socket.d.fd = -1;
    s->type = SOCK_DGRAM;
    s->path = strdup(path_of(uri));
    int rc = s->path ? connect_path(s) : -ENOMEM;
    if (rc < 0)
        close_syslog(s);
    else
        *sink = s;
    return rc;
}

/* ---- before a batch ---- */

static int
check_connection(struct syslog_sink *s)
{
    if (thl_descriptor_is_ours(&s->socket.d))
        return 0;
    thl_descriptor_close(&s->socket.d); /* somebody else's now: forgotten, not closed */
    return connect_path(s);
}

/* A successor of the other type takes its records in the next call, which the caller makes soon. */
static int
connect_again(void *sink, int error)
{
    struct syslog_sink *s = sink;
    int type = s->type, rc = thl_dgram_is_lost(error) ? connect_path(s) : -error;

    return rc == 0 && s->type != type ? -EAGAIN : rc;
}

/* ---- stream receivers ---- */

/* One record with its NUL. */
static int
write_frame(struct syslog_sink *s, const struct thole_sink_record *r, int64_t deadline_ns)
{
    size_t sent;
    char *bytes = malloc(r->size + 1);
    struct thole_sink_record frame = {bytes, r->size + 1, r->level, r->unix_ns};

    if (!bytes)
        return -EAGAIN;
    memcpy(bytes, r->bytes, r->size);
    bytes[r->size] = '\0';
    int rc = thl_pipe_write(&s->pipe, s->socket.d.fd, S_IFSOCK, deadline_ns, &frame, 1, &sent);
    free(bytes);
    return rc;
}

static int
write_stream(struct syslog_sink *s, const struct thole_sink_record *records, size_t n, size_t *done)
{
    int64_t deadline_ns = thl_descriptor_deadline();

    for (*done = 0; *done < n; ++*done) {
        int rc = write_frame(s, &records[*done], deadline_ns);
        if (rc < 0 && thl_dgram_is_lost(-rc)) {
            rc = connect_again(s, -rc);
            if (rc == 0)
                rc = write_frame(s, &records[*done], deadline_ns);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
write_syslog(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct syslog_sink *s = sink;
    int rc = check_connection(s);

    *done = 0;
    if (rc < 0)
        return rc;
    if (s->type == SOCK_STREAM)
        return write_stream(s, records, n, done);
    return thl_dgram_write(&s->socket, records, n, done, connect_again, s);
}

/* ---- a path that leads elsewhere ---- */

static int
reopen_syslog(void *sink)
{
    return connect_path(sink);
}

static bool
is_bound_anew(void *sink)
{
    const struct syslog_sink *s = sink;
    struct stat st;

    return stat(s->path, &st) == 0 && (st.st_dev != s->dev || st.st_ino != s->ino);
}

static const char *
explain(int error)
{
    switch (error) {
    case ENOENT:
        return "no socket there (is a syslog receiver running?)";
    case ECONNREFUSED:
        return "a socket that nobody listens at (is the syslog receiver running?)";
    case ENOTSOCK:
        return "not a socket";
    case EPROTOTYPE:
        return "a socket of neither datagrams nor a stream";
    case EAGAIN:
        return "its receiver takes nothing now";
    case EACCES:
        return "no permission to write to that socket, or to enter its folder";
    default:
        return NULL;
    }
}

const struct thole_sink_ops thl_sink_syslog = {
    .size = sizeof(thl_sink_syslog),
    .flags = THOLE_SINK_FORK_SAFE | THOLE_SINK_MAY_BLOCK,
    .format = "rfc3164",
    .max_record = 8000,
    .identify = identify,
    .open = open_syslog,
    .write = write_syslog,
    .reopen = reopen_syslog,
    .close = close_syslog,
    .wants_reopen = is_bound_anew,
    .explain = explain,
};
