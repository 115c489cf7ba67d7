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
#include <thole/version.h>
#include <unistd.h>

#include "clock.h"
#include "ring.h"

/* The daemon may have been started with 0, 1 or 2 closed: never take one of those.
 * sinks/descriptor.h says why 40. */
static int
open_memfd(const char *app)
{
    char name[80];
    snprintf(name, sizeof(name), THL_ARENA_NAME "%.60s", app);
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

/* ---- the layout ---- */

/* The place of a table behind all before it; each begins on a page of its own. */
static struct thl_arena_table
place_table(size_t *end, uint32_t n, size_t stride)
{
    struct thl_arena_table t = {.offset = *end, .stride = (uint32_t)stride, .n = n};
    size_t bytes = (size_t)n * stride;
    *end += (bytes + THL_ARENA_PAGE - 1) / THL_ARENA_PAGE * THL_ARENA_PAGE;
    return t;
}

/* Its size in bytes; *h holds the tables. */
static size_t
plan(struct thl_arena_header *h, const struct thl_arena_size *size)
{
    size_t end = THL_ARENA_PAGE;
    h->mailbox = place_table(&end, 1, sizeof(struct thl_arena_mailbox));
    h->process = place_table(&end, 1, sizeof(struct thl_arena_process));
    h->sinks = place_table(&end, size->nsinks, sizeof(struct thl_arena_sink));
    h->loggers = place_table(&end, size->nloggers, sizeof(struct thl_arena_logger));
    h->sites = place_table(&end, size->nsites, sizeof(struct thl_arena_site));
    h->queues =
        place_table(&end, size->nrings, THL_RING_BYTES_OFFSET + (size_t)size->ring_capacity);
    atomic_store_explicit(&h->mailbox.used, 1, memory_order_relaxed); /* not shown yet */
    atomic_store_explicit(&h->queues.used, size->nrings, memory_order_relaxed);
    return end;
}

static void
find_tables(struct thl_arena *arena, const struct thl_arena_header *h, unsigned char *base)
{
    arena->mailbox = (void *)(base + h->mailbox.offset);
    arena->process = (void *)(base + h->process.offset);
    arena->sinks = (void *)(base + h->sinks.offset);
    arena->loggers = (void *)(base + h->loggers.offset);
    arena->sites = (void *)(base + h->sites.offset);
    arena->rings = base + h->queues.offset;
    arena->ring_stride = h->queues.stride;
    arena->nrings = h->queues.n;
    arena->nsinks = h->sinks.n;
    arena->nloggers = h->loggers.n;
    arena->nsites = h->sites.n;
}

/* The magic comes last: whoever sees it finds the rest. */
static void
fill_header(struct thl_arena_header *h, const char *app, size_t bytes)
{
    h->version = THL_ARENA_VERSION;
    h->endian = THL_ARENA_ENDIAN;
    h->bytes = bytes;
    h->pid = (uint64_t)getpid();
    h->start_unix_ns = thl_clock_unix_ns();
    snprintf(h->app, sizeof(h->app), "%s", app);
    snprintf(h->library, sizeof(h->library), "%s", THOLE_VERSION);
    atomic_store_explicit(&h->magic, THL_ARENA_MAGIC, memory_order_release); /* observers */
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
thl_arena_open(struct thl_arena *arena, const char *app, const struct thl_arena_size *size)
{
    struct thl_arena_header header = {0};
    size_t bytes = plan(&header, size);
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
    *arena->header = header;
    find_tables(arena, &header, p);
    fill_header(arena->header, app, bytes);
    for (uint32_t i = 0; i < size->nrings; i++)
        thl_ring_init(thl_arena_ring(arena, i), size->ring_capacity);
    return 0;
}

void
thl_arena_set_state(struct thl_arena *arena, enum thl_arena_state state)
{
    if (arena->header)
        atomic_store_explicit(&arena->header->state, state, memory_order_release); /* observers */
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
