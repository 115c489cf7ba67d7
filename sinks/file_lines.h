/* SPDX-License-Identifier: MIT */
/* Whole lines in a regular file, to which other processes may append as well. */
#ifndef THOLE_SINK_FILE_LINES_H
#define THOLE_SINK_FILE_LINES_H

#include <thole/sink.h>

#include "descriptor.h"

/* Whether the file ends inside a line that nobody is writing now: an earlier crash may have left
 * it, and what we write must not be glued to it. A file that may be written and not read is taken
 * as it is. */
bool thl_file_lines_is_torn(const char *path, const struct thl_descriptor *d);

/* Ends the line that the file ends inside of, when *torn says that there is one. 0 or a negative
 * errno. */
int thl_file_lines_end(int fd, bool *torn);

/* Writes the records at once, as the operation `write` of sink.h does. A record that went out in
 * part is cut off again; where that cannot be, *torn. */
int thl_file_lines_write(int fd, bool *torn, const struct thole_sink_record *records, size_t n,
                         size_t *done);

#endif
