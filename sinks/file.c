/* SPDX-License-Identifier: MIT */
/*
 * file:PATH  regular files, FIFOs, character devices.
 *
 * O_APPEND always, so that copytruncate and other writers do no harm; one write a batch; whole
 * records only. A write to a regular file that ends inside a record is taken back (ftruncate) while
 * nobody has written behind it, else the line is ended with LF before the next one; FIFOs and
 * devices complete it (pipe.h).
 *
 * With rotate= (file_rotate.h) a batch is written in pieces, so that the file passes the limit only
 * where one record alone is longer, and before each batch the path is looked at, so that the
 * rotations of other processes are followed at once. A rotation that fails is tried again by
 * reopen(), which says why; until then the file grows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <thole/sink.h>
#include <time.h>
#include <unistd.h>

#include "file_lines.h"
#include "file_path.h"
#include "file_rotate.h"
#include "file_state.h"

extern const struct thole_sink_ops thl_sink_file;

/* ---- sync= ---- */

int64_t
thl_file_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

int
thl_file_sync(struct thl_file *f)
{
    if (f->dirty_since_ms == 0)
        return 0;
    if (!thl_descriptor_is_ours(&f->d))
        return -EBADF;
    while (fdatasync(f->d.fd) < 0)
        if (errno != EINTR)
            return -errno;
    f->dirty_since_ms = 0;
    return 0;
}

static int
flush_file(void *sink)
{
    struct thl_file *f = sink;

    if (f->standard)
        return f->standard->flush ? f->standard->flush(f->stream) : 0;
    return thl_file_sync(f);
}

static unsigned
flush_within(void *sink)
{
    struct thl_file *f = sink;

    if (f->keys.sync != THL_FILE_SYNC_MS || f->dirty_since_ms == 0)
        return 0;
    int64_t left = f->dirty_since_ms + f->keys.sync_ms - thl_file_now_ms();
    return left < 1 ? 1 : (unsigned)left;
}

/* ---- opening ---- */

static void
remember_root(struct thl_file *f)
{
    struct stat st;

    if (stat("/", &st) < 0)
        return;
    f->root_dev = st.st_dev;
    f->root_ino = st.st_ino;
}

bool
thl_file_is_in_its_root(const struct thl_file *f)
{
    struct stat st;

    return stat("/", &st) == 0 && st.st_dev == f->root_dev && st.st_ino == f->root_ino;
}

static bool
needs_regular(const struct thl_file_keys *keys)
{
    return thl_file_keys_rotate(keys) || keys->keep_given || keys->sync != THL_FILE_SYNC_NONE;
}

static int
check_type(const struct thl_file *f, const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return -EISDIR;
    if (S_ISREG(st->st_mode)) /* a second name may be another's trap, or his log */
        return st->st_nlink > 1 ? -EMLINK : 0;
    if (!S_ISFIFO(st->st_mode) && !S_ISCHR(st->st_mode))
        return -EINVAL;
    return needs_regular(&f->keys) ? -EOPNOTSUPP : 0;
}

void
thl_file_change_to(struct thl_file *f, const struct thl_descriptor *fresh, off_t size, int64_t day)
{
    if (fresh->dev != f->d.dev || fresh->ino != f->d.ino) {
        thl_pipe_forget(&f->pipe);
        f->dirty_since_ms = f->refused_since_ms = 0;
        f->owed = f->owed == THL_FILE_OWES_DELETION ? f->owed : THL_FILE_OWES_NOTHING;
    }
    thl_descriptor_close(&f->d);
    f->d = *fresh;
    f->size = size;
    f->day = day;
}

int
thl_file_open_again(struct thl_file *f)
{
    struct thl_descriptor fresh;
    struct stat st;
    bool durable = f->keys.sync != THL_FILE_SYNC_NONE;
    int rc = thl_descriptor_is_ours(&f->d) ? thl_file_sync(f) : 0;
    int fd = rc < 0 ? rc : thl_file_path_open(f->path, f->keys.mode, f->keys.mode_given, durable);

    if (fd < 0)
        return fd;
    rc = fstat(fd, &st) < 0 ? -errno : check_type(f, &st);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    rc = thl_descriptor_adopt(&fresh, fd);
    if (rc < 0)
        return rc;
    thl_file_change_to(f, &fresh, st.st_size, thl_file_rotate_day(&st));
    f->owner = getpid();
    remember_root(f);
    f->torn = thl_file_lines_is_torn(f->path, &f->d);
    return 0;
}

static void
close_file(void *sink)
{
    struct thl_file *f = sink;

    if (f->standard && f->stream)
        f->standard->close(f->stream);
    (void)thl_file_sync(f);
    if (thl_descriptor_is_ours(&f->d))
        thl_pipe_finish(&f->pipe, f->d.fd, f->d.type);
    thl_pipe_forget(&f->pipe);
    thl_descriptor_close(&f->d);
    free(f->path);
    free(f);
}

/* So that what can never be rotated is said at once. */
static int
check_name(const struct thl_file *f)
{
    char folder[PATH_MAX];
    const char *name;
    int rc = thl_file_path_split(f->path, folder, &name);

    if (rc == 0 && thl_file_keys_rotate(&f->keys) &&
        strlen(name) + THL_FILE_ROTATE_SUFFIX > NAME_MAX)
        rc = -ENAMETOOLONG;
    return rc;
}

static int
open_standard(struct thl_file *f, const struct thole_sink_uri *uri)
{
    return needs_regular(&f->keys) ? -EOPNOTSUPP : f->standard->open(uri, &f->stream);
}

static int
open_file(const struct thole_sink_uri *uri, void **sink)
{
    struct thl_file *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->d.fd = -1;
    f->path = strdup(uri->path);
    f->standard = thl_file_path_find_standard(uri->path);
    int rc = f->path ? thl_file_keys_read(&f->keys, uri) : -ENOMEM;
    if (rc == 0)
        rc = check_name(f);
    if (rc == 0)
        rc = f->standard ? open_standard(f, uri) : thl_file_open_again(f);
    if (rc < 0)
        close_file(f);
    else
        *sink = f;
    return rc;
}

/* ---- reopening ---- */

static bool
wants_reopen(void *sink)
{
    struct thl_file *f = sink;

    if (f->standard)
        return false;
    int look = f->keys.call ? 0 : thl_file_path_look(f->path, &f->d);
    f->by_itself = f->owed != THL_FILE_OWES_NOTHING ||
                   ((look == 1 || look == -ENOENT) && thl_file_is_in_its_root(f));
    return f->by_itself;
}

static int
reopen_file(void *sink)
{
    struct thl_file *f = sink;
    bool by_itself = f->by_itself;

    f->by_itself = false;
    if (f->standard)
        return 0;
    if (by_itself && !thl_file_is_in_its_root(f))
        return -EXDEV;
    int rc = thl_file_open_again(f);
    if (rc < 0)
        f->owed = THL_FILE_OWES_REOPENING;
    else if (f->owed == THL_FILE_OWES_REOPENING)
        f->owed = THL_FILE_OWES_NOTHING;
    return rc < 0 || f->owed == THL_FILE_OWES_NOTHING ? rc : thl_file_write_catch_up(f);
}

const struct thole_sink_ops thl_sink_file = {
    .size = sizeof(thl_sink_file),
    .flags = THOLE_SINK_FORK_SAFE | THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
    .format = "json",
    .keys = thl_file_keys_names,
    .check = thl_file_keys_check,
    .identify = thl_file_path_identify,
    .open = open_file,
    .write = thl_file_write,
    .flush = flush_file,
    .reopen = reopen_file,
    .close = close_file,
    .wants_reopen = wants_reopen,
    .flush_within = flush_within,
    .explain = thl_file_path_explain,
};
