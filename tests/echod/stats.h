/* SPDX-License-Identifier: MIT */
/* thole's ledger for those who watch echod from outside. */
#ifndef ECHOD_STATS_H
#define ECHOD_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Writes thole_stats and the two numbers as one line of JSON, LF at the end, at most `size` bytes
 * (1 KiB at least; sinks that find no room are left out). Returns its length. */
size_t stats_print(char *out, size_t size, uint64_t served, size_t open);

#endif
