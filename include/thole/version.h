/* SPDX-License-Identifier: MIT */
/* The version of the headers a program was compiled with, and of the library it runs with. */
#ifndef THOLE_VERSION_H
#define THOLE_VERSION_H

#define THOLE_VERSION_MAJOR 0
#define THOLE_VERSION_MINOR 1
#define THOLE_VERSION_PATCH 0
#define THOLE_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is running, as text ("0.1.0").
 *
 * Ownership: a constant of the library.
 * Threads: any, at any time.
 * Blocking: never.
 * Errors: none.
 * Since: 0.1
 */
const char *thole_version(void);

#ifdef __cplusplus
}
#endif

#endif
