/* SPDX-License-Identifier: MIT */
/* Words of thole's own to stderr: never deadly, never waiting long. */
#ifndef THL_CONSOLE_H
#define THL_CONSOLE_H

#include <stddef.h>
#include <sys/types.h>

#include "compiler.h"

/* write(2) that neither SIGPIPE nor SIGXFSZ can make deadly: bytes written or a negative errno. */
ssize_t thl_console_write_to(int fd, const char *bytes, size_t n);

/* Writes to descriptor 2. Neither SIGPIPE nor SIGXFSZ reaches the daemon; what finds no room within
 * 100 ms is left out. Async-signal-safe. */
void thl_console_write(const char *bytes, size_t n);

/* The same with printf, at most 4 KiB. */
void thl_console_print(const char *fmt, ...) THL_PRINTF(1, 2);

#endif
