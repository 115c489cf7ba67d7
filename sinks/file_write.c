/* SPDX-License-Identifier: MIT */
/* Writing to a file, and rotating it. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "file_lines.h"
#include "file_path.h"
#include "file_rotate.h"
#include "file_state.h"

#define TRIES 4 /* at a file with room, of one that other processes rotate as well */
#define REFUSED_MS 2000

/* ---- rotation ---- */

/* Another process may have put a new file there. None at all is left to the look of each second:
 * who moved the file away may be about to make the new one, as logrotate is. */
static bool
follow(struct thl_file *f)
{
    int rc = thl_file_path_look(f->path, &f->d);

    if (rc != 1 || !thl_file_is_in_its_root(f))
        return rc == 0;
    rc = thl_file_open_again(f);
    f->owed = rc < 0 ? THL_FILE_OWES_REOPENING : THL_FILE_OWES_NOTHING;
    return rc == 0;
}

/* Nobody who rotates has the lock for so long. */
static bool
is_overdue(const struct thl_file *f)
{
    return f->refused_since_ms != 0 && thl_file_now_ms() - f->refused_since_ms >= REFUSED_MS;
}

static int
rotate(struct thl_file *f)
{
    struct thl_descriptor fresh;
    unsigned how = f->keys.sync != THL_FILE_SYNC_NONE ? THL_FILE_ROTATE_DURABLE : 0;
    int rc = thl_file_is_in_its_root(f) ? thl_file_lines_end(f->d.fd, &f->torn) : -EXDEV;

    if (rc == 0)
        rc = thl_file_sync(f);
    if (rc == 0 && is_overdue(f))
        how |= THL_FILE_ROTATE_OVERDUE;
    if (rc == 0)
        rc = thl_file_rotate(f->path, &f->d, how, &fresh);
    if (rc == -EWOULDBLOCK && f->refused_since_ms == 0)
        f->refused_since_ms = thl_file_now_ms();
    if (rc < 0)
        return rc;
    thl_file_change_to(f, &fresh, 0, thl_file_rotate_today());
    return 0;
}

static int
prune(struct thl_file *f)
{
    int rc = thl_file_rotate_prune(f->path, f->keys.keep);

    f->owed = rc < 0 ? THL_FILE_OWES_DELETION : THL_FILE_OWES_NOTHING;
    return rc;
}

/* False when what comes goes to the file as it is: another process is about to rotate it, somebody
 * has just moved it away, or the rotation fails. */
static bool
rotate_now(struct thl_file *f)
{
    int rc = rotate(f);

    if (rc == -EWOULDBLOCK)
        return false;
    if (rc == -ESTALE)
        return follow(f);
    if (rc < 0)
        f->owed = THL_FILE_OWES_ROTATION;
    else
        (void)prune(f);
    return rc == 0;
}

/* An empty file is of its first record's day. Around midnight those of two days come mixed: a late
 * one stays in the new file. A clock that was set back further begins its day anew. */
static bool
is_new_day(struct thl_file *f, int64_t day)
{
    if (f->size > 0 && day > f->day)
        return true;
    if (f->size == 0 || day < f->day - 1)
        f->day = day;
    return false;
}

/* Whether a record belongs into a new file. */
static bool
is_due(struct thl_file *f, const struct thole_sink_record *record)
{
    if (f->keys.daily)
        return is_new_day(f, thl_file_rotate_day_of(record));
    return f->size > 0 && f->size + f->torn + (off_t)record->size > f->keys.limit;
}

/* False when there is no room, and the record goes to the file all the same. */
static bool
make_room(struct thl_file *f, const struct thole_sink_record *record)
{
    for (int tries = 0; is_due(f, record); tries++)
        if (tries == TRIES || f->owed == THL_FILE_OWES_ROTATION ||
            f->owed == THL_FILE_OWES_REOPENING || !rotate_now(f))
            return false;
    return true;
}

/* How many of the records have room: one at least. */
static size_t
count_fitting(const struct thl_file *f, const struct thole_sink_record *records, size_t n)
{
    off_t size = f->size + f->torn + (off_t)records[0].size;
    size_t count = 1;

    if (f->keys.daily) {
        while (count < n && thl_file_rotate_day_of(&records[count]) <= f->day)
            count++;
        return count;
    }
    while (count < n && size + (off_t)records[count].size <= f->keys.limit)
        size += (off_t)records[count++].size;
    return count;
}

/* Between the look before a batch and its write others may have rotated the file so often that it
 * was deleted: then the records are written again. */
static int
look_behind(struct thl_file *f)
{
    struct stat st;

    if (!thl_descriptor_look(&f->d, &st))
        return 0; /* the look before the next piece sees to it */
    f->size = st.st_size;
    return st.st_nlink == 0 && thl_file_path_look(f->path, &f->d) != 0 ? -EAGAIN : 0;
}

static int
write_piece(struct thl_file *f, const struct thole_sink_record *records, size_t n, size_t *done)
{
    int rc = thl_file_lines_write(f->d.fd, &f->torn, records, n, done);

    if (*done > 0 && f->keys.sync != THL_FILE_SYNC_NONE && f->dirty_since_ms == 0)
        f->dirty_since_ms = thl_file_now_ms();
    return rc;
}

static int
write_pieces(struct thl_file *f, const struct thole_sink_record *records, size_t n, size_t *done)
{
    bool as_it_is = false;
    int rc = 0;

    for (*done = 0; rc == 0 && *done < n;) {
        const struct thole_sink_record *r = records + *done;
        size_t written, left = n - *done;
        as_it_is = as_it_is || !make_room(f, r);
        rc = write_piece(f, r, as_it_is ? left : count_fitting(f, r, left), &written);
        int lost = look_behind(f);
        if (lost < 0)
            return lost;
        *done += written;
    }
    return rc;
}

int
thl_file_write_catch_up(struct thl_file *f)
{
    int rc = 0;

    if (f->owed == THL_FILE_OWES_ROTATION && f->size > 0)
        rc = rotate(f);
    if (rc == -EWOULDBLOCK || rc == -ESTALE) /* somebody else does it */
        rc = 0;
    return rc < 0 ? rc : prune(f);
}

/* ---- writing ---- */

/* Records of the batch were written: those that ask for it are on the disk before this returns. */
static int
sync_batch(struct thl_file *f, const struct thole_sink_record *records, size_t done)
{
    if (f->keys.sync != THL_FILE_SYNC_LEVEL)
        return 0;
    for (size_t i = 0; i < done; i++)
        if (records[i].level >= f->keys.sync_level)
            return thl_file_sync(f);
    return 0;
}

/* A forked process shares the description, and with it the place in the file at which a torn end is
 * cut off: it takes one of its own, where the path leads to the same file still. */
static bool
open_own(struct thl_file *f)
{
    f->owner = getpid();
    return f->d.type == S_IFREG && thl_file_path_look(f->path, &f->d) == 0 &&
           thl_file_is_in_its_root(f) && thl_file_open_again(f) == 0;
}

/* Makes sure that the descriptor is ours and, with rotate=, the path's. A file without a name is
 * read by nobody: what is written there is lost. */
static int
check_descriptor(struct thl_file *f)
{
    struct stat st;

    if (!thl_descriptor_look(&f->d, &st)) {
        thl_descriptor_close(&f->d); /* somebody else's now: forgotten, not closed */
        return thl_file_open_again(f);
    }
    f->size = st.st_size;
    f->torn = f->torn && st.st_size > 0; /* somebody has emptied it */
    if (f->owner != getpid() && open_own(f))
        return 0;
    if (st.st_nlink == 0 && thl_file_path_look(f->path, &f->d) != 0)
        return thl_file_is_in_its_root(f) ? thl_file_open_again(f) : -ENOENT;
    if (thl_file_keys_rotate(&f->keys) && !f->keys.call && f->owed != THL_FILE_OWES_REOPENING)
        (void)follow(f);
    return 0;
}

static int
write_stream(struct thl_file *f, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct stat st;

    *done = 0;
    if (fstat(f->d.fd, &st) < 0)
        return -errno;
    return thl_pipe_write(&f->pipe, f->d.fd, thl_pipe_type(&st), thl_descriptor_deadline(), records,
                          n, done);
}

static int
try_write(struct thl_file *f, const struct thole_sink_record *records, size_t n, size_t *done)
{
    int rc = check_descriptor(f);

    *done = 0;
    if (rc < 0)
        return rc;
    if (f->d.type != S_IFREG)
        return write_stream(f, records, n, done);
    rc = thl_file_keys_rotate(&f->keys) ? write_pieces(f, records, n, done)
                                        : write_piece(f, records, n, done);
    int synced = sync_batch(f, records, *done);
    return rc < 0 ? rc : synced;
}

int
thl_file_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct thl_file *f = sink;
    size_t more = 0;

    if (f->standard)
        return f->standard->write(f->stream, records, n, done);
    int rc = try_write(f, records, n, done);
    if (rc == -EBADF && *done < n) /* closed by the daemon after the look: open it anew */
        rc = try_write(f, records + *done, n - *done, &more);
    *done += more;
    return rc;
}
