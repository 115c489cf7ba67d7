/* SPDX-License-Identifier: MIT */
/* A process's open descriptors. */
#ifndef THL_DESCRIPTORS_H
#define THL_DESCRIPTORS_H

#include <stdint.h>

/* How many there are in `folder`, "/proc/PID/fd"; UINT32_MAX when that cannot be seen. */
uint32_t thl_descriptors_count(const char *folder);

#endif
