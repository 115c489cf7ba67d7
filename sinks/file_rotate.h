/* SPDX-License-Identifier: MIT */
/*
 * Rotation of a file by its own writers: what was written so far goes on under another name, and
 * PATH is a new, empty file.
 *
 * Rotated files are PATH.YYYYMMDDThhmmss.uuuuuuZ, the moment in UTC: sorted by name is sorted by
 * age, since each is named later than all that are there, whatever the clock does. (PATH.1 and its
 * like are what logrotate uses, and overwrites.)
 *
 * The new file is made under the rotated name, where nobody looks for it, with the old one's mode
 * and owner; then one system call exchanges the two names. So PATH exists at every moment, nothing
 * is ever overwritten, and a failure before that changes nothing. A crash in between leaves one
 * empty file, which grows old like the others. Where the file system cannot exchange names, PATH is
 * renamed and then made: for a moment there is none.
 *
 * Among several processes who has the lock (flock) of the file that PATH is rotates it; the others
 * go on writing to what they have open, even past the limit, find that PATH is another file by now,
 * and follow. Nothing written meanwhile is lost: it stands in the rotated file. The lock spares
 * files that are almost empty, and no more: whoever may read the file can hold it, so who has
 * waited for long rotates without. tests/system/rotation.c attacks this.
 */
#ifndef THOLE_SINK_FILE_ROTATE_H
#define THOLE_SINK_FILE_ROTATE_H

#include <stdint.h>
#include <thole/sink.h>

#include "descriptor.h"

#define THL_FILE_ROTATE_SUFFIX 24 /* characters of ".YYYYMMDDThhmmss.uuuuuuZ" */
#define THL_FILE_ROTATE_KEEP_MAX 1000

/* Today's number, in UTC as the records' times are. */
int64_t thl_file_rotate_today(void);

/* The day of a record; of one without a time, today. */
int64_t thl_file_rotate_day_of(const struct thole_sink_record *record);

/* The day of the last byte that the file holds; of an empty one, today. */
int64_t thl_file_rotate_day(const struct stat *st);

enum { THL_FILE_ROTATE_DURABLE = 1, THL_FILE_ROTATE_OVERDUE = 2 };

/* Rotates `path`, which is open as *d; *fresh is then the new file. DURABLE: its name is on the
 * disk. OVERDUE: whoever has the lock. Returns 0 or a negative errno, and *fresh untouched:
 * -EWOULDBLOCK: another process is at it; -ESTALE: the path leads to another file already, or to
 * none. */
int thl_file_rotate(const char *path, const struct thl_descriptor *d, unsigned how,
                    struct thl_descriptor *fresh);

/* Deletes the oldest rotated files but `keep`, and nothing else. 0 or a negative errno. */
int thl_file_rotate_prune(const char *path, unsigned keep);

#endif
