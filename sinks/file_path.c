/* SPDX-License-Identifier: MIT */
/* Paths of files. */
#include "file_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct thole_sink_ops thl_sink_stdout, thl_sink_stderr;

int
thl_file_path_split(const char *path, char folder[PATH_MAX], const char **name)
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

/* ---- which target ---- */

static bool
is_same_folder(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* /dev/stdout and its like are the descriptors 1 and 2, however spelled and whatever a kernel's
 * link there would open. */
const struct thole_sink_ops *
thl_file_path_find_standard(const char *path)
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

    if (thl_file_path_split(path, folder, &name) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i].name) == 0 &&
            (strcmp(folder, known[i].folder) == 0 || is_same_folder(folder, known[i].folder)))
            return known[i].ops;
    return NULL;
}

int
thl_file_path_identify(const struct thole_sink_uri *uri, char *out, size_t size)
{
    const struct thole_sink_ops *standard = thl_file_path_find_standard(uri->path);
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
    int rc = thl_file_path_split(uri->path, folder, &name);
    if (rc == 0 && stat(folder, &st) < 0)
        rc = -errno;
    if (rc < 0)
        return rc;
    int n = snprintf(out, size, "file:%llu:%llu/%s", (unsigned long long)st.st_dev,
                     (unsigned long long)st.st_ino, name);
    return n < (int)size ? 0 : -ENAMETOOLONG;
}

int
thl_file_path_look(const char *path, const struct thl_descriptor *d)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return -errno;
    return st.st_dev != d->dev || st.st_ino != d->ino;
}

/* ---- opening ---- */

/* A file that was made a moment ago has its bytes on the disk by fdatasync, its name only by this.
 */
static int
sync_folder(const char *path)
{
    struct thl_descriptor d = {.fd = -1};
    char folder[PATH_MAX];
    const char *name;
    int rc = thl_file_path_split(path, folder, &name);

    if (rc < 0)
        return rc;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = fd < 0 ? -errno : thl_descriptor_adopt(&d, fd);
    if (rc < 0)
        return rc;
    rc = fsync(d.fd) < 0 ? -errno : 0;
    thl_descriptor_close(&d);
    return rc;
}

/* Creating is a second step, for only then is it known whose mode is to be set; whoever creates the
 * file in between has it opened by the third. */
int
thl_file_path_open(const char *path, mode_t mode, bool exact, bool durable)
{
    int fd = open(path, THL_FILE_FLAGS);

    if (fd >= 0 || errno != ENOENT)
        return fd < 0 ? -errno : fd;
    fd = open(path, THL_FILE_FLAGS | O_CREAT | O_EXCL, mode);
    if (fd < 0 && errno == EEXIST) {
        fd = open(path, THL_FILE_FLAGS);
        return fd < 0 ? -errno : fd;
    }
    if (fd < 0)
        return -errno;
    int rc = exact && fchmod(fd, mode) < 0 ? -errno : 0;
    if (rc == 0 && durable)
        rc = sync_folder(path);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

const char *
thl_file_path_explain(int error)
{
    switch (error) {
    case ENOENT:
        return "its folder does not exist";
    case ENOTDIR:
        return "a part of its path is a file, not a folder";
    case EISDIR:
        return "it is a folder";
    case ELOOP:
        return "it is a symbolic link, which is not followed";
    case EMLINK:
        return "it has several names (hard links), which is refused";
    case EACCES:
        return "no permission to write to it, or to create it in its folder";
    case EROFS:
        return "it is on a read-only file system";
    case ENXIO:
        return "it is a socket, or a FIFO that nobody reads";
    case EINVAL:
        return "it is neither a file nor a FIFO nor a character device";
    case EOPNOTSUPP:
        return "rotate=, keep= and sync= are for regular files, and it is none";
    case ENAMETOOLONG:
        return "its name is too long (a rotated file has 24 characters more)";
    case EXDEV:
        return "it is outside the root folder that the process has now";
    default:
        return NULL;
    }
}
