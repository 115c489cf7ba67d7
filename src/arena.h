/* SPDX-License-Identifier: MIT */
/*
 * The arena: one shared mapping that holds what another process may look at: a header, a mailbox,
 * the tables that the writer publishes, and the queues (arena_layout.h). It holds offsets and never
 * pointers. It is not inherited by fork (MADV_DONTFORK), so a child process can never become a
 * second producer of its parent's queues.
 *
 * For now it is a memfd named "thole:APP"; its descriptor stays open so that an observer finds it.
 * Whoever may open it can also write to it. So the daemon takes no offset from it again: where
 * things are is kept in struct thl_arena.
 */
#ifndef THL_ARENA_H
#define THL_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena_layout.h"

struct thl_arena {
    struct thl_arena_header *header; /* NULL: not open */
    struct thl_arena_mailbox *mailbox;
    struct thl_arena_process *process;
    struct thl_arena_sink *sinks;
    struct thl_arena_logger *loggers;
    struct thl_arena_site *sites;
    unsigned char *rings;
    size_t ring_stride, bytes;
    uint32_t nrings, nsinks, nloggers, nsites; /* rows that there is room for */
    int fd;                                    /* -1: an anonymous mapping */
    uint64_t dev, ino; /* of fd: a daemon may have closed it and opened a file of its own there */
};

struct thl_arena_size {
    uint32_t nrings, nsinks, nloggers, nsites;
    uint64_t ring_capacity; /* bytes, a power of two */
};

/* Maps an arena. Memory is taken as it is touched. 0 or a negative errno. */
int thl_arena_open(struct thl_arena *arena, const char *app, const struct thl_arena_size *size);

/* Whether somebody else can find it. */
static inline bool
thl_arena_is_shared(const struct thl_arena *arena)
{
    return arena->header && arena->fd >= 0;
}

void thl_arena_set_state(struct thl_arena *arena, enum thl_arena_state state);

/* After a fork: the mapping is not there; its descriptor is closed, if it still is ours. */
void thl_arena_forget(struct thl_arena *arena);

static inline void *
thl_arena_ring(const struct thl_arena *arena, uint32_t i)
{
    return arena->rings + i * arena->ring_stride;
}

#endif
