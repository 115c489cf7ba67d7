/* SPDX-License-Identifier: MIT */
/* Error numbers -> names and untranslated texts, the same in every libc and locale. */
#ifndef THL_ERRNAME_H
#define THL_ERRNAME_H

#include <stdint.h>

/* "ENOENT"; "E?" for a number that Linux does not use. A constant of the library. */
const char *thl_errname_name(int64_t e);

/* "No such file or directory"; "unknown error". A constant of the library. */
const char *thl_errname_text(int64_t e);

#endif
