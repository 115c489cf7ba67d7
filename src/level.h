/* SPDX-License-Identifier: MIT */
/* Level words. */
#ifndef THL_LEVEL_H
#define THL_LEVEL_H

#include <stddef.h>
#include <thole/thole.h>

#define THL_LEVELS 9 /* trace .. emerg */

/* "trace" .. "emerg", "off". A constant of the library. */
const char *thl_level_word(enum thole_level level);

/* The level that the n bytes at s name: the output words, any case, and the usual synonyms
 * ("warning", "err", "critical", "panic", "none"); -1 when there is none. */
int thl_level_parse(const char *s, size_t n);

/* The syslog severity (RFC 5424, table 2): trace and debug 7, info 6 ... emerg 0. */
int thl_level_severity(enum thole_level level);

#endif
