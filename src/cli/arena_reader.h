/* SPDX-License-Identifier: MIT */
/*
 * Reads the arena of another process, of which nothing is believed: it may be cut short, of another
 * version, half written, or not an arena at all.
 *
 * Everything is read with pread() into memory of our own, so that a file cut under our hands is a
 * short read and no SIGBUS. Each offset, stride and count is compared with the file's size, in
 * arithmetic that cannot overflow, before it is used; strings are ended by force; loops are bounded
 * by the file's size and by constants. Attacked by tests/fuzz/arena_reader.c.
 */
#ifndef THL_ARENA_READER_H
#define THL_ARENA_READER_H

#include "picture.h"

#define THL_ARENA_READER_TRIES 200 /* a millisecond apart */

struct thl_arena_reader {
    int fd;            /* the reader's own; -1: closed */
    unsigned tries;    /* looks at tables that keep changing, before -EAGAIN */
    const char *fault; /* after an error: what is wrong, to be put after "its arena ..." */
    struct thl_arena_header header; /* as it was checked last; private */
};

/* Takes the descriptor, also when it fails (then it is closed). 0, or
 * -EBADMSG          not an arena, or a broken one
 * -EPROTONOSUPPORT  an arena of another version, or of a machine of the other byte order
 * or the error of a system call; `fault` says it in words. */
int thl_arena_reader_open(struct thl_arena_reader *reader, int fd);
void thl_arena_reader_close(struct thl_arena_reader *reader);

/* Copies the tables as they were at one moment; *out needs a thl_picture_fini(). The errors of open
 * and -EAGAIN (they change faster than they can be copied), -ENOMEM. *out is then untouched. */
int thl_arena_reader_look(struct thl_arena_reader *reader, struct thl_picture *out);

/* Whether the daemon has called thole_stop(); a negative errno when that cannot be read. */
int thl_arena_reader_is_stopped(struct thl_arena_reader *reader);

#endif
