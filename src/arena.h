/* SPDX-License-Identifier: MIT */
/*
 * The arena: one shared mapping that holds what another process may look at: a header and the
 * queues. It holds offsets and never pointers. It is not inherited by fork (MADV_DONTFORK), so a
 * child process can never become a second producer of its parent's queues.
 *
 * For now it is a memfd named "thole:APP"; its descriptor stays open so that an observer finds it.
 */
#ifndef THL_ARENA_H
#define THL_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define THL_ARENA_MAGIC UINT64_C(0x31656c6f68742e61)
#define THL_ARENA_VERSION 1u
#define THL_ARENA_HEADER 4096

struct thl_arena_header {
    uint64_t magic;
    uint32_t version, endian; /* endian: 0x01020304 as its writer stores it */
    uint64_t bytes;           /* of the whole mapping */
    uint64_t pid;
    uint64_t rings_offset, ring_stride, ring_capacity;
    uint32_t nrings, pad;
    char app[64];
};

struct thl_arena {
    struct thl_arena_header *header; /* NULL: not open */
    size_t bytes;
    int fd;            /* -1: an anonymous mapping */
    uint64_t dev, ino; /* of fd: a daemon may have closed it and opened a file of its own there */
};

/* Maps an arena with room for nrings queues of `capacity` bytes (a power of two). Memory is taken
 * as it is touched. 0 or a negative errno. */
int thl_arena_open(struct thl_arena *arena, const char *app, uint32_t nrings, uint64_t capacity);

/* After a fork: the mapping is not there; its descriptor is closed, if it still is ours. */
void thl_arena_forget(struct thl_arena *arena);

static inline void *
thl_arena_ring(const struct thl_arena *arena, uint32_t i)
{
    const struct thl_arena_header *h = arena->header;
    return (char *)arena->header + h->rings_offset + i * h->ring_stride;
}

#endif
