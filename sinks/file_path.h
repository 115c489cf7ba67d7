/* SPDX-License-Identifier: MIT */
/* The path of a file: sink: which target it names, how it is opened, and whether it still leads
 * there. */
#ifndef THOLE_SINK_FILE_PATH_H
#define THOLE_SINK_FILE_PATH_H

#include <fcntl.h>
#include <limits.h>
#include <sys/types.h>
#include <thole/sink.h>

#include "descriptor.h"

/* O_NONBLOCK is for FIFOs; O_APPEND so that copytruncate and other writers do no harm. */
#define THL_FILE_FLAGS (O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)

/* Splits into folder ("." where none is written) and name. */
int thl_file_path_split(const char *path, char folder[PATH_MAX], const char **name);

/* The sink of descriptor 1 or 2, when that is what the path means; NULL: another file. */
const struct thole_sink_ops *thl_file_path_find_standard(const char *path);

int thl_file_path_identify(const struct thole_sink_uri *uri, char *out, size_t size);

/* A fresh descriptor, or a negative errno. A file that is made gets `mode`: less the umask, or,
 * when `exact`, just so; with `durable` its name is on the disk. */
int thl_file_path_open(const char *path, mode_t mode, bool exact, bool durable);

/* 0 when the path leads to d's file, 1 when to another, or a negative errno: -ENOENT to none. */
int thl_file_path_look(const char *path, const struct thl_descriptor *d);

/* The text of an errno of open, or NULL. */
const char *thl_file_path_explain(int error);

#endif
