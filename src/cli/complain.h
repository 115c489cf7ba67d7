/* SPDX-License-Identifier: MIT */
/* What went wrong, on stderr: what it is, and what to do. */
#ifndef THL_COMPLAIN_H
#define THL_COMPLAIN_H

#include <stdbool.h>
#include <sys/types.h>

#include "arena_reader.h"
#include "compiler.h"

/* "thole: ...": one line, escaped. */
void thl_complain(const char *fmt, ...) THL_PRINTF(1, 2);

/* Text of several lines as it is, but for bytes that would drive a terminal. */
void thl_complain_lines(const char *text);

/* Why process `pid` cannot be looked into: `error` of thl_observer_...(), and its reader. */
void thl_complain_process(pid_t pid, int error, const struct thl_arena_reader *reader);

#endif
