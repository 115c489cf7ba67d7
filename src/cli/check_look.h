/* SPDX-License-Identifier: MIT */
/* What a run would meet with at a sink's target, as far as looking tells: nothing is opened. */
#ifndef THL_CHECK_LOOK_H
#define THL_CHECK_LOOK_H

#include "target.h"

#define THL_CHECK_LOOK_MAX 256

/* A remark about the target as it is now and for the caller, or NULL. */
const char *thl_check_look(const struct thl_target *target, char out[THL_CHECK_LOOK_MAX]);

#endif
