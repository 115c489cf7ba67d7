/* SPDX-License-Identifier: MIT */
/*
 * stderr: and stdout:, the descriptors 2 and 1 themselves, whatever they are at the time.
 *
 * Their open file descriptions are shared with other processes, so O_NONBLOCK is never set on them;
 * pipe.h says how a full pipe is not waited for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <thole/sink.h>
#include <unistd.h>

#include "descriptor.h"
#include "pipe.h"

extern const struct thole_sink_ops thl_sink_stderr, thl_sink_stdout;

struct stream {
    int fd;
    dev_t dev; /* what fd was at the last write */
    ino_t ino;
    mode_t type;
    struct thl_pipe pipe;
};

static int
identify_stderr(const struct thole_sink_uri *uri, char *out, size_t size)
{
    (void)uri;
    return size >= sizeof("fd:2") ? (memcpy(out, "fd:2", sizeof("fd:2")), 0) : -ENAMETOOLONG;
}

static int
identify_stdout(const struct thole_sink_uri *uri, char *out, size_t size)
{
    (void)uri;
    return size >= sizeof("fd:1") ? (memcpy(out, "fd:1", sizeof("fd:1")), 0) : -ENAMETOOLONG;
}

static int
open_descriptor(int fd, void **sink)
{
    struct stream *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->fd = fd;
    *sink = s;
    return 0;
}

static int
open_stderr(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    return open_descriptor(STDERR_FILENO, sink);
}

static int
open_stdout(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    return open_descriptor(STDOUT_FILENO, sink);
}

/* What fd is now; a line under way ends with what it was. */
static int
look(struct stream *s)
{
    struct stat st;

    if (fstat(s->fd, &st) < 0)
        return -errno;
    if (st.st_dev != s->dev || st.st_ino != s->ino)
        thl_pipe_forget(&s->pipe);
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    s->type = thl_pipe_type(&st);
    return 0;
}

static int
write_stream(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct stream *s = sink;
    int rc = look(s);

    *done = 0;
    return rc < 0 ? rc
                  : thl_pipe_write(&s->pipe, s->fd, s->type, thl_descriptor_deadline(), records, n,
                                   done);
}

static void
close_stream(void *sink)
{
    struct stream *s = sink;

    if (look(s) == 0)
        thl_pipe_finish(&s->pipe, s->fd, s->type);
    thl_pipe_forget(&s->pipe);
    free(s);
}

const struct thole_sink_ops thl_sink_stderr = {
    .size = sizeof(thl_sink_stderr),
    .flags = THOLE_SINK_FORK_SAFE | THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
    .format = "json",
    .identify = identify_stderr,
    .open = open_stderr,
    .write = write_stream,
    .close = close_stream,
};

const struct thole_sink_ops thl_sink_stdout = {
    .size = sizeof(thl_sink_stdout),
    .flags = THOLE_SINK_FORK_SAFE | THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
    .format = "json",
    .identify = identify_stdout,
    .open = open_stdout,
    .write = write_stream,
    .close = close_stream,
};
