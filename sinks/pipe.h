/* SPDX-License-Identifier: MIT */
/*
 * Whole records over a byte stream that can fill up: pipe, FIFO, terminal, stream socket.
 *
 * Records go out in groups of at most PIPE_BUF bytes, each after asking whether there is room. Such
 * a write to a pipe is atomic and does not block, even where O_NONBLOCK may not be set because
 * other processes share the description. A longer record can go through in part. Then it is kept,
 * and its remainder goes first at the next call, so that no other record ever stands inside it. It
 * counts as done only when the last byte is out. Should the caller have given the record up
 * meanwhile, it comes out whole all the same: one that was counted as lost and was not, never the
 * other way round.
 */
#ifndef THOLE_SINK_PIPE_H
#define THOLE_SINK_PIPE_H

#include <sys/stat.h>
#include <sys/types.h>
#include <thole/sink.h>

/* All zero: nothing is under way. */
struct thl_pipe {
    char *bytes;             /* the record that went out in part: malloc'ed, room bytes; or NULL */
    size_t room, size, sent; /* size 0: none is under way */
    pid_t owner;             /* who wrote last: a forked process leaves all to its parent */
    bool torn;               /* there was no memory to keep it: its line has yet to be ended */
    char end;                /* the byte that ends it */
};

/* What a descriptor is here: the type that it has; the null device, which has room always, is as a
 * file. */
mode_t thl_pipe_type(const struct stat *st);

/* Writes records to fd, which is of type S_IFREG, S_IFIFO, S_IFCHR or S_IFSOCK, as the operation
 * `write` of sink.h does; -EAGAIN when there is no room until the deadline. */
int thl_pipe_write(struct thl_pipe *p, int fd, mode_t type, int64_t deadline_ns,
                   const struct thole_sink_record *records, size_t n, size_t *done);

/* Completes what is under way, if that can be had within a write's time; then forgets it. */
void thl_pipe_finish(struct thl_pipe *p, int fd, mode_t type);

/* Forgets what is under way: the other end is another one now. */
void thl_pipe_forget(struct thl_pipe *p);

#endif
