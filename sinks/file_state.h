/* SPDX-License-Identifier: MIT */
/* What an open file: sink is, and the operations of file.c that file_write.c builds upon. */
#ifndef THOLE_SINK_FILE_STATE_H
#define THOLE_SINK_FILE_STATE_H

#include "descriptor.h"
#include "file_keys.h"
#include "pipe.h"

struct thl_file {
    struct thl_descriptor d;
    pid_t owner; /* who opened it */
    char *path;
    struct thl_file_keys keys;
    bool torn;      /* regular: the file ends inside a line, which LF has to end first */
    bool by_itself; /* the next reopen is what wants_reopen asked for */
    enum {
        THL_FILE_OWES_NOTHING,
        THL_FILE_OWES_REOPENING,
        THL_FILE_OWES_ROTATION,
        THL_FILE_OWES_DELETION
    } owed;                   /* what failed, and is due again */
    int64_t refused_since_ms; /* the lock that who rotates takes; 0: it is not */
    off_t size;               /* when last looked at */
    int64_t day;              /* of what the file holds: see file_rotate.h */
    int64_t dirty_since_ms;   /* with sync=: of the first byte that is not on the disk; 0: none */
    dev_t root_dev;           /* of "/" when the path was opened */
    ino_t root_ino;
    struct thl_pipe pipe;
    const struct thole_sink_ops *standard; /* PATH is descriptor 1 or 2: its sink does it all */
    void *stream;
};

/* After a chroot the path is another one: a look at it must not open a second log in the jail. */
bool thl_file_is_in_its_root(const struct thl_file *f);

/* The fresh descriptor takes the old one's place. */
void thl_file_change_to(struct thl_file *f, const struct thl_descriptor *fresh, off_t size,
                        int64_t day);

/* Opens the path anew and only then lets the old descriptor go. */
int thl_file_open_again(struct thl_file *f);

/* With sync=: what was written so far is on the disk. */
int thl_file_sync(struct thl_file *f);

/* Milliseconds of CLOCK_MONOTONIC; never 0. */
int64_t thl_file_now_ms(void);

/* ---- file_write.c ---- */

/* As `write` of sink.h. */
int thl_file_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done);

/* What failed of a rotation is tried again. */
int thl_file_write_catch_up(struct thl_file *f);

#endif
