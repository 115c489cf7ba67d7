/* SPDX-License-Identifier: MIT */
/* What the tests of sinks share: calls on a sink's operations, a folder, a way to see its
 * descriptor. */
#ifndef THL_TEST_SINK_KIT_H
#define THL_TEST_SINK_KIT_H

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thole/sink.h>
#include <time.h>
#include <unistd.h>

#define KIT_BATCH 64

/* Records back to back, as the outbox hands them over. */
struct batch {
    char bytes[128 * 1024];
    struct thole_sink_record record[KIT_BATCH];
    size_t n, used;
};

static inline void
add_bytes(struct batch *b, const char *bytes, size_t size)
{
    cr_assert_lt(b->n, (size_t)KIT_BATCH);
    cr_assert_leq(b->used + size, sizeof(b->bytes));
    memcpy(b->bytes + b->used, bytes, size);
    b->record[b->n++] = (struct thole_sink_record){b->bytes + b->used, size, THOLE_INFO, 0};
    b->used += size;
}

static inline void
add(struct batch *b, const char *text)
{
    add_bytes(b, text, strlen(text));
}

/* A record of `size` bytes: its number, dots, and `end`. */
static inline void
add_numbered(struct batch *b, unsigned number, size_t size, char end)
{
    char bytes[64 * 1024];
    char digits[16];
    cr_assert_leq(size, sizeof(bytes));
    memset(bytes, '.', size);
    int n = snprintf(digits, sizeof(digits), "%06u", number);
    memcpy(bytes, digits, (size_t)n);
    bytes[size - 1] = end;
    add_bytes(b, bytes, size);
}

/* One write of all; *done may be NULL. */
static inline int
write_all(const struct thole_sink_ops *ops, void *sink, const struct batch *b, size_t *done)
{
    size_t ignored = 0;
    return ops->write(sink, b->record, b->n, done ? done : &ignored);
}

static inline int
write_text(const struct thole_sink_ops *ops, void *sink, const char *text)
{
    struct batch *b = calloc(1, sizeof(*b));
    cr_assert_not_null(b);
    add(b, text);
    int rc = write_all(ops, sink, b, NULL);
    free(b);
    return rc;
}

static inline int
open_with(const struct thole_sink_ops *ops, const char *path, const char *key, const char *value,
          void **sink)
{
    struct thole_sink_param param = {key, value};
    struct thole_sink_uri uri = {.text = path, .scheme = "", .path = path, .host = "", .port = ""};
    uri.params = &param;
    uri.nparams = key ? 1 : 0;
    return ops->open(&uri, sink);
}

static inline void *
must_open(const struct thole_sink_ops *ops, const char *path)
{
    void *sink = NULL;
    int rc = open_with(ops, path, NULL, NULL, &sink);
    cr_assert_eq(rc, 0, "open %s: %s", path, strerror(-rc));
    return sink;
}

static inline const char *
identity_of(const struct thole_sink_ops *ops, const char *path)
{
    static char out[2][512];
    static unsigned turn;
    char *text = out[turn++ % 2];
    struct thole_sink_uri uri = {.text = path, .scheme = "", .path = path, .host = "", .port = ""};
    int rc = ops->identify(&uri, text, sizeof(out[0]));
    cr_assert_eq(rc, 0, "identify %s: %s", path, strerror(-rc));
    return text;
}

/* ---- folders and files ---- */

static inline const char *
make_folder(void)
{
    static char path[64];
    snprintf(path, sizeof(path), "/tmp/thole-sink-XXXXXX");
    cr_assert_not_null(mkdtemp(path));
    return path;
}

static inline int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void
remove_folder(const char *path)
{
    cr_expect_eq(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0, "%s stays behind", path);
}

static inline const char *
path_in(const char *folder, const char *name)
{
    static char out[4][4096];
    static unsigned turn;
    char *path = out[turn++ % 4];
    snprintf(path, sizeof(out[0]), "%s/%s", folder, name);
    return path;
}

static inline void
fill_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* The whole file, ended by NUL; malloc'ed. */
static inline char *
slurp(const char *path, size_t *size)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &st) == 0, "%s: %s", path, strerror(errno));
    char *bytes = calloc(1, (size_t)st.st_size + 1);
    cr_assert_not_null(bytes);
    cr_assert_eq(read(fd, bytes, (size_t)st.st_size), (ssize_t)st.st_size);
    close(fd);
    if (size)
        *size = (size_t)st.st_size;
    return bytes;
}

static inline void
expect_file(const char *path, const char *want)
{
    char *got = slurp(path, NULL);
    cr_expect_str_eq(got, want);
    free(got);
}

/* ---- descriptors ---- */

/* The highest descriptor whose link begins with `link`: the one that a sink has just opened. */
static inline int
find_fd(const char *link)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int found = -1;
    cr_assert_not_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char text[4096];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, text, sizeof(text) - 1);
        int fd = (int)strtol(entry->d_name, NULL, 10);
        text[n < 0 ? 0 : n] = '\0';
        if (strncmp(text, link, strlen(link)) == 0 && fd != dirfd(dir) && fd > found)
            found = fd;
    }
    closedir(dir);
    return found;
}

/* The socket that is connected to where `receiver` is bound. */
static inline int
find_sender(int receiver)
{
    char bound[128] = "", peer[128];
    socklen_t size = sizeof(bound);
    cr_assert_eq(getsockname(receiver, (struct sockaddr *)bound, &size), 0);
    for (int fd = 3; fd < 256; fd++) {
        socklen_t n = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)peer, &n) == 0 && n == size &&
            memcmp(bound, peer, n) == 0)
            return fd;
    }
    return -1;
}

/* What closefrom(3) and an open do: fd is now `victim`, which goes over to it. */
static inline void
steal_for(int fd, int victim)
{
    cr_assert_geq(fd, 3, "the sink's descriptor was not found");
    cr_assert_geq(victim, 0);
    cr_assert_eq(dup2(victim, fd), fd);
    close(victim);
}

static inline int
steal(int fd, const char *victim)
{
    steal_for(fd, open(victim, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    return fd;
}

/* The kernel lets the sender of a stream have but a few KiB under way: long records go in parts. */
static inline void
narrow(int fd)
{
    const int least = 1;
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
}

static inline long
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

#endif
