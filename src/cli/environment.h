/* SPDX-License-Identifier: MIT */
/* The program's environment: nothing else of it is read anywhere else. */
#ifndef THL_ENVIRONMENT_H
#define THL_ENVIRONMENT_H

#include <stdbool.h>

/* PREFIX_NAME, or NULL when it is unset or empty. */
const char *thl_environment_setting(const char *prefix, const char *name);

/* TERM names a terminal that can do more than print lines. */
bool thl_environment_has_screen(void);

/* NO_COLOR is unset, and so it may be coloured. */
bool thl_environment_wants_color(void);

#endif
