/* SPDX-License-Identifier: MIT */
/* The shared mapping. */
#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ring.h"

/* The daemon may have been started with 0, 1 or 2 closed: never take one of those.
 * sinks/descriptor.h says why 40. */
static int
open_memfd(const char *app)
{
    char name[80];
    snprintf(name, sizeof(name), "thole:%.60s", app);
    int low = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (low < 0)
        return -errno;
    int fd = fcntl(low, F_DUPFD_CLOEXEC, 40);
    if (fd < 0 && low > 2)
        return low;
    if (fd < 0)
        fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
    int error = errno;
    close(low);
    return fd < 0 ? -error : fd;
}

static void
fill_header(struct thl_arena_header *h, const char *app, size_t bytes, uint32_t nrings,
            uint64_t capacity)
{
    h->version = THL_ARENA_VERSION;
    h->endian = 0x01020304;
    h->bytes = bytes;
    h->pid = (uint64_t)getpid();
    h->rings_offset = THL_ARENA_HEADER;
    h->ring_stride = THL_RING_BYTES_OFFSET + capacity;
    h->ring_capacity = capacity;
    h->nrings = nrings;
    snprintf(h->app, sizeof(h->app), "%s", app);
    h->magic = THL_ARENA_MAGIC;
}

/* RLIMIT_FSIZE bounds a memfd, too, and passing it raises a deadly signal: do not try. */
static bool
may_grow_to(size_t bytes)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
           limit.rlim_cur >= bytes;
}

/* A descriptor of `bytes` bytes, or -1: then the arena is an anonymous mapping, without observers.
 */
static int
open_sized(struct thl_arena *arena, const char *app, size_t bytes)
{
    struct stat st;
    int fd = may_grow_to(bytes) ? open_memfd(app) : -1;
    if (fd < 0)
        return -1;
    /* sealed: whoever opens it through /proc could cut it, and our next access would be a SIGBUS */
    if (ftruncate(fd, (off_t)bytes) < 0 || fstat(fd, &st) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        close(fd);
        return -1;
    }
    arena->dev = st.st_dev;
    arena->ino = st.st_ino;
    return fd;
}

int
thl_arena_open(struct thl_arena *arena, const char *app, uint32_t nrings, uint64_t capacity)
{
    size_t bytes = THL_ARENA_HEADER + nrings * (THL_RING_BYTES_OFFSET + (size_t)capacity);
    int fd = open_sized(arena, app, bytes);
    int flags = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (p == MAP_FAILED) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return -error;
    }
    madvise(p, bytes, MADV_DONTFORK);
    madvise(p, bytes, MADV_DONTDUMP);
    arena->header = p;
    arena->bytes = bytes;
    arena->fd = fd;
    fill_header(arena->header, app, bytes, nrings, capacity);
    for (uint32_t i = 0; i < nrings; i++)
        thl_ring_init(thl_arena_ring(arena, i), capacity);
    return 0;
}

void
thl_arena_forget(struct thl_arena *arena)
{
    struct stat st;
    if (arena->header && arena->fd >= 0 && fstat(arena->fd, &st) == 0 && st.st_dev == arena->dev &&
        st.st_ino == arena->ino)
        close(arena->fd);
    arena->header = NULL;
    arena->fd = -1;
}
