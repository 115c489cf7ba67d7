/* SPDX-License-Identifier: MIT */
/* Finds the arena of a process in /proc, and processes by what is there. */
#ifndef THL_FIND_H
#define THL_FIND_H

#include <sys/types.h>

#include "arena_reader.h"

/* Opens the arena of `pid`: a descriptor of the process or, when it closed that, one of its
 * mappings (which only root may open). An arena that a forked process got from its parent is not
 * its own. 0, or
 * -ESRCH   no such process
 * -EACCES  its /proc is not ours to read
 * -ENOLINK it has closed the descriptor, and its mappings are not ours to open
 * -ENOENT  it has no arena
 * or an error of thl_arena_reader_open(), with reader->fault. */
int thl_find_arena(pid_t pid, struct thl_arena_reader *reader);

/* Calls back for each process of /proc. */
void thl_find_each(void (*each)(void *arg, pid_t pid), void *arg);

/* The name of its program as the kernel has it; "?" when it is gone. */
const char *thl_find_comm(pid_t pid, char *out, size_t size);

/* Who may look into it: the owner of its /proc folder. False when it is gone. */
bool thl_find_user(pid_t pid, uid_t *user);

/* How many descriptors it has open; UINT32_MAX when that cannot be seen. */
uint32_t thl_find_descriptors(pid_t pid);

/* The letter of its state ('R', 'S', 'T', 'Z', ...), or '?'. */
char thl_find_state(pid_t pid);

/* Whether the shared library of thole is mapped there. */
bool thl_find_is_linked(pid_t pid);

#endif
