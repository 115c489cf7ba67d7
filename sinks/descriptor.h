/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that know what they were opened as. A daemon's closefrom(3) may close ours, and the
 * number may come back as its own file or socket: before each batch the identity is compared, and a
 * descriptor that became something else is forgotten, never closed and never written to.
 *
 * Between that look and the write the number could still change hands. So ours are 40 and above:
 * what the daemon opens next gets the lowest number, and a write under way finds no descriptor
 * (EBADF) rather than the daemon's.
 *
 * The number may also come back as the same file, opened by another target or by a call that hung
 * when its state was left alone. Identity does not tell these apart. So whoever adopts a number
 * gets a token, and a table keeps the last one of each number: only its holder writes to the number
 * or closes it, and once.
 */
#ifndef THOLE_SINK_DESCRIPTOR_H
#define THOLE_SINK_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define THL_DESCRIPTOR_WAIT_MS 100 /* what sink.h allows one write call to wait, in all */

struct thl_descriptor {
    int fd; /* -1: none */
    dev_t dev;
    ino_t ino;
    mode_t type;    /* S_IFREG, S_IFIFO ... */
    int access;     /* the daemon may open the same file, for reading */
    unsigned token; /* of who adopted it */
};

/* Moves fd to 40 or above, else to 3 or above (a daemon may run with 0, 1, 2 closed),
 * close-on-exec, and remembers what it is. On failure fd is closed, *d untouched and a negative
 * errno returned. */
int thl_descriptor_adopt(struct thl_descriptor *d, int fd);

/* Whether the number still is what it was, and nobody else's of ours. */
bool thl_descriptor_is_ours(const struct thl_descriptor *d);

/* The same; *st is then what the kernel says of it. */
bool thl_descriptor_look(const struct thl_descriptor *d, struct stat *st);

/* Closes it if it still is ours, forgets it otherwise. A copy that is closed as well is forgotten.
 */
void thl_descriptor_close(struct thl_descriptor *d);

/* The moment until which a write call that begins now may wait. */
int64_t thl_descriptor_deadline(void);

/* Waits until fd takes bytes (or has an error to tell): 0, -EAGAIN at the deadline, or -EBADF. */
int thl_descriptor_wait(int fd, int64_t deadline_ns);

/* Waits so long, but not past the deadline: whether there was time for it. */
bool thl_descriptor_pause(int ms, int64_t deadline_ns);

/* write(2) that neither SIGPIPE nor SIGXFSZ can make deadly: bytes written or a negative errno. */
ssize_t thl_descriptor_write(int fd, const void *bytes, size_t n);

#endif
