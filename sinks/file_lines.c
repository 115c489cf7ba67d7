/* SPDX-License-Identifier: MIT */
/* Lines of files. */
#include "file_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LOOKS 8 /* at the end of a file to which others may append */

/* Another process may append a batch whose first pages alone are to be seen. To seek for a hole
 * waits for the file's lock, and so for that write, in Linux's common file systems; then the file
 * has grown. */
static bool
ends_inside_line(int fd, const struct thl_descriptor *d)
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

bool
thl_file_lines_is_torn(const char *path, const struct thl_descriptor *d)
{
    struct thl_descriptor reader = {.fd = -1};

    if (d->type != S_IFREG)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0 || thl_descriptor_adopt(&reader, fd) < 0)
        return false;
    bool torn = ends_inside_line(reader.fd, d);
    thl_descriptor_close(&reader);
    return torn;
}

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

int
thl_file_lines_end(int fd, bool *torn)
{
    size_t written, last;
    int rc = *torn ? write_all(fd, "\n", 1, &written, &last) : 0;

    if (rc == 0)
        *torn = false;
    return rc;
}

int
thl_file_lines_write(int fd, bool *torn, const struct thole_sink_record *records, size_t n,
                     size_t *done)
{
    const struct thole_sink_record *r = records, *end = records + n;
    size_t total = (size_t)(end[-1].bytes + end[-1].size - r->bytes), written, last;
    int rc = thl_file_lines_end(fd, torn);

    *done = 0;
    if (rc < 0)
        return rc;
    rc = write_all(fd, r->bytes, total, &written, &last);
    if (rc == 0) {
        *done = n;
        return 0;
    }
    for (; r < end && written >= r->size; r++)
        written -= r->size;
    *done = (size_t)(r - records);
    if (written > 0)
        *torn = written > last || !cut_off(fd, written);
    return rc;
}
