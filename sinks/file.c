/* SPDX-License-Identifier: MIT */
/*
 * file:PATH  regular files, FIFOs, character devices.
 *
 * O_APPEND always, so that copytruncate and other writers do no harm; one write a batch; whole
 * records only. A write to a regular file that ends inside a record is taken back (ftruncate) while
 * nobody has written behind it, else the line is ended with LF before the next one; FIFOs and
 * devices complete it (pipe.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <thole/sink.h>
#include <time.h>
#include <unistd.h>

#include "descriptor.h"
#include "pipe.h"

extern const struct thole_sink_ops thl_sink_file, thl_sink_stdout, thl_sink_stderr;

#define DEFAULT_MODE 0640
#define LOOKS 8 /* at the end of a file to which others may append */
#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)

struct file {
    struct thl_descriptor d;
    char *path;
    mode_t mode;
    bool mode_given; /* then the file gets exactly it, whatever the umask */
    bool look;       /* reopen=auto: look at the path once a second */
    bool gone;       /* the file has no name any more, and the path cannot be opened */
    bool torn;       /* regular: the file ends inside a line, which LF has to end first */
    time_t looked;   /* CLOCK_MONOTONIC, seconds */
    dev_t root_dev;  /* of "/" when the path was opened */
    ino_t root_ino;
    struct thl_pipe pipe;
    const struct thole_sink_ops *standard; /* PATH is descriptor 1 or 2: its sink does it all */
    void *stream;
};

/* ---- the path ---- */

/* Splits into folder ("." where none is written) and name. */
static int
split_path(const char *path, char folder[PATH_MAX], const char **name)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 1;

    if (n >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(folder, slash ? path : ".", n);
    folder[n] = '\0';
    *name = slash ? slash + 1 : path;
    return 0;
}

static bool
is_same_folder(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* /dev/stdout and its like are the descriptors 1 and 2, however spelled and whatever a kernel's
 * link there would open. NULL: another file. */
static const struct thole_sink_ops *
find_standard(const char *path)
{
    static const struct {
        const char *folder, *name;
        const struct thole_sink_ops *ops;
    } known[] = {
        {"/dev/", "stdout", &thl_sink_stdout},
        {"/dev/", "stderr", &thl_sink_stderr},
        {"/proc/self/fd/", "1", &thl_sink_stdout},
        {"/proc/self/fd/", "2", &thl_sink_stderr},
    };
    char folder[PATH_MAX];
    const char *name;

    if (split_path(path, folder, &name) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i].name) == 0 &&
            (strcmp(folder, known[i].folder) == 0 || is_same_folder(folder, known[i].folder)))
            return known[i].ops;
    return NULL;
}

static int
identify(const struct thole_sink_uri *uri, char *out, size_t size)
{
    const struct thole_sink_ops *standard = find_standard(uri->path);
    char folder[PATH_MAX];
    const char *name;
    struct stat st;

    if (standard)
        return standard->identify(uri, out, size);
    if (lstat(uri->path, &st) == 0) { /* whatever its names are: hard links are one target */
        int own = snprintf(out, size, "file:%llu:%llu", (unsigned long long)st.st_dev,
                           (unsigned long long)st.st_ino);
        return own < (int)size ? 0 : -ENAMETOOLONG;
    }
    int rc = split_path(uri->path, folder, &name);
    if (rc == 0 && stat(folder, &st) < 0)
        rc = -errno;
    if (rc < 0)
        return rc;
    int n = snprintf(out, size, "file:%llu:%llu/%s", (unsigned long long)st.st_dev,
                     (unsigned long long)st.st_ino, name);
    return n < (int)size ? 0 : -ENAMETOOLONG;
}

/* ---- opening ---- */

static int
check_type(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) ? 0 : -EINVAL;
}

/* Whether the file ends inside a line that nobody is writing now: another process may append a
 * batch whose first pages alone are to be seen. To seek for a hole waits for the file's lock, and
 * so for that write, in Linux's common file systems; then the file has grown. */
static bool
is_torn(int fd, const struct thl_descriptor *d)
{
    struct stat st;
    off_t end = -1;
    char last;

    for (int looks = 0; looks < LOOKS; looks++) {
        if (fstat(fd, &st) < 0 || st.st_dev != d->dev || st.st_ino != d->ino || st.st_size == 0)
            return false;
        if (pread(fd, &last, 1, st.st_size - 1) != 1 || last == '\n')
            return false;
        if (st.st_size == end)
            return true;
        end = st.st_size;
        (void)lseek(fd, 0, SEEK_HOLE);
    }
    return false;
}

/* An earlier crash may have left half a line: what we write must not be glued to it. A file that
 * may be written and not read is taken as it is. */
static bool
ends_inside_line(const char *path, const struct thl_descriptor *d)
{
    if (d->type != S_IFREG)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool torn = is_torn(fd, d);
    close(fd);
    return torn;
}

/* A fresh descriptor, or a negative errno. Creating is a second step, for only then is it known
 * whose mode is to be set; whoever creates the file in between has it opened by the third. */
static int
open_or_create(const struct file *f)
{
    int fd = open(f->path, OPEN_FLAGS);

    if (fd < 0 && errno == ENOENT) {
        fd = open(f->path, OPEN_FLAGS | O_CREAT | O_EXCL, f->mode);
        if (fd >= 0 && f->mode_given && fchmod(fd, f->mode) < 0) {
            int error = errno;
            close(fd);
            return -error;
        }
        if (fd < 0 && errno == EEXIST)
            fd = open(f->path, OPEN_FLAGS);
    }
    return fd < 0 ? -errno : fd;
}

static void
remember_root(struct file *f)
{
    struct stat st;

    if (stat("/", &st) < 0)
        return;
    f->root_dev = st.st_dev;
    f->root_ino = st.st_ino;
}

/* After a chroot the path is another one: a look at it must not open a second log in the jail. */
static bool
is_in_its_root(const struct file *f)
{
    struct stat st;

    return stat("/", &st) == 0 && st.st_dev == f->root_dev && st.st_ino == f->root_ino;
}

/* Opens the path anew and only then lets the old descriptor go. */
static int
open_again(struct file *f)
{
    struct thl_descriptor fresh;
    int fd = open_or_create(f);

    if (fd < 0)
        return fd;
    int rc = check_type(fd);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    rc = thl_descriptor_adopt(&fresh, fd);
    if (rc < 0)
        return rc;
    if (fresh.dev != f->d.dev || fresh.ino != f->d.ino)
        thl_pipe_forget(&f->pipe);
    thl_descriptor_close(&f->d);
    f->d = fresh;
    remember_root(f);
    f->torn = ends_inside_line(f->path, &f->d);
    return 0;
}

static int
reopen_file(void *sink)
{
    struct file *f = sink;

    return f->standard ? 0 : open_again(f);
}

static const char *
find_param(const struct thole_sink_uri *uri, const char *key)
{
    for (size_t i = 0; i < uri->nparams; i++)
        if (strcmp(uri->params[i].key, key) == 0)
            return uri->params[i].value;
    return NULL;
}

/* Without write permission its owner could not open the file again. */
static bool
parse_mode(const char *text, mode_t *mode)
{
    if (*text == '\0' || strlen(text) > 4 || strspn(text, "01234567") != strlen(text))
        return false;
    *mode = (mode_t)strtoul(text, NULL, 8);
    return *mode <= 0777 && (*mode & S_IWUSR);
}

static const char *
check_param(const char *key, const char *value)
{
    mode_t mode;

    if (strcmp(key, "mode") == 0)
        return parse_mode(value, &mode) ? NULL : "an octal mode that lets its owner write, as 0640";
    return strcmp(value, "auto") == 0 || strcmp(value, "call") == 0 ? NULL : "auto or call";
}

static int
read_params(struct file *f, const struct thole_sink_uri *uri)
{
    const char *mode = find_param(uri, "mode"), *reopen = find_param(uri, "reopen");

    f->mode = DEFAULT_MODE;
    f->mode_given = mode != NULL;
    f->look = !reopen || strcmp(reopen, "call") != 0;
    if (reopen && check_param("reopen", reopen))
        return -EINVAL;
    return !mode || parse_mode(mode, &f->mode) ? 0 : -EINVAL;
}

static void
close_file(void *sink)
{
    struct file *f = sink;

    if (f->standard && f->stream)
        f->standard->close(f->stream);
    if (thl_descriptor_is_ours(&f->d))
        thl_pipe_finish(&f->pipe, f->d.fd, f->d.type);
    thl_pipe_forget(&f->pipe);
    thl_descriptor_close(&f->d);
    free(f->path);
    free(f);
}

static int
open_file(const struct thole_sink_uri *uri, void **sink)
{
    struct file *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->d.fd = -1;
    f->path = strdup(uri->path);
    f->standard = find_standard(uri->path);
    int rc = f->path ? read_params(f, uri) : -ENOMEM;
    if (rc == 0)
        rc = f->standard ? f->standard->open(uri, &f->stream) : open_again(f);
    if (rc < 0)
        close_file(f);
    else
        *sink = f;
    return rc;
}

/* ---- before a batch ---- */

static bool
is_moved(const struct file *f)
{
    struct stat st;

    if (lstat(f->path, &st) < 0)
        return errno == ENOENT;
    return st.st_dev != f->d.dev || st.st_ino != f->d.ino;
}

/* A file without a name is read by nobody: what is written there is lost. */
static bool
is_unlinked(const struct file *f)
{
    struct stat st;

    return fstat(f->d.fd, &st) == 0 && st.st_nlink == 0;
}

/* Makes sure that the descriptor is ours, and the path's. Where the path cannot be opened anew the
 * old descriptor is kept, and used as long as its file has a name. */
static int
check_descriptor(struct file *f)
{
    struct timespec now;

    if (!thl_descriptor_is_ours(&f->d)) {
        thl_descriptor_close(&f->d); /* somebody else's now: forgotten, not closed */
        return open_again(f);
    }
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (!f->look || (now.tv_sec == f->looked && !f->gone))
        return 0;
    f->looked = now.tv_sec;
    if (!is_in_its_root(f))
        return 0;
    int rc = is_moved(f) ? open_again(f) : 0;
    f->gone = rc < 0 && is_unlinked(f);
    return f->gone ? rc : 0;
}

/* ---- regular files ---- */

/* *last: how many of the *written bytes the last write took. */
static int
write_all(int fd, const char *bytes, size_t n, size_t *written, size_t *last)
{
    *written = *last = 0;
    while (*written < n) {
        ssize_t rc = thl_descriptor_write(fd, bytes + *written, n - *written);
        if (rc == -EINTR)
            continue;
        if (rc < 0)
            return (int)rc;
        *last = (size_t)rc;
        *written += *last;
    }
    return 0;
}

/* The last `extra` bytes of the file belong to no whole record, and were written by one write. Who
 * appends between the look and the cut loses what he appended: the kernel has no such cut with a
 * condition, and without it each full disk would leave torn lines. */
static bool
cut_off(int fd, size_t extra)
{
    struct stat st;
    off_t end = lseek(fd, 0, SEEK_CUR); /* O_APPEND: where our last write ended */

    return end >= (off_t)extra && fstat(fd, &st) == 0 && st.st_size == end &&
           ftruncate(fd, end - (off_t)extra) == 0;
}

static int
write_regular(struct file *f, const struct thole_sink_record *records, size_t n, size_t *done)
{
    const struct thole_sink_record *r = records, *end = records + n;
    size_t total = (size_t)(end[-1].bytes + end[-1].size - r->bytes), written, last;
    int rc = f->torn ? write_all(f->d.fd, "\n", 1, &written, &last) : 0;

    if (rc < 0)
        return rc;
    f->torn = false;
    rc = write_all(f->d.fd, r->bytes, total, &written, &last);
    for (; r < end && written >= r->size; r++)
        written -= r->size;
    *done = (size_t)(r - records);
    if (written > 0)
        f->torn = written > last || !cut_off(f->d.fd, written);
    return rc;
}

static int
try_write(struct file *f, const struct thole_sink_record *records, size_t n, size_t *done)
{
    int rc = check_descriptor(f);

    *done = 0;
    if (rc < 0)
        return rc;
    if (f->d.type == S_IFREG)
        return write_regular(f, records, n, done);
    return thl_pipe_write(&f->pipe, f->d.fd, f->d.type, thl_descriptor_deadline(), records, n,
                          done);
}

static int
write_file(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    struct file *f = sink;
    size_t more = 0;

    if (f->standard)
        return f->standard->write(f->stream, records, n, done);
    int rc = try_write(f, records, n, done);
    if (rc == -EBADF && *done < n) /* closed by the daemon after the look: open it anew */
        rc = try_write(f, records + *done, n - *done, &more);
    *done += more;
    return rc;
}

static const char *const keys[] = {"mode", "reopen", NULL};

const struct thole_sink_ops thl_sink_file = {
    .size = sizeof(thl_sink_file),
    .flags = THOLE_SINK_FORK_SAFE | THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
    .format = "json",
    .keys = keys,
    .check = check_param,
    .identify = identify,
    .open = open_file,
    .write = write_file,
    .reopen = reopen_file,
    .close = close_file,
};
