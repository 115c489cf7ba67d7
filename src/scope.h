/* SPDX-License-Identifier: MIT */
/* The thread's current logger. */
#ifndef THL_SCOPE_H
#define THL_SCOPE_H

#include <thole/thole.h>

thole_logger thl_scope_enter(thole_logger lg);
void thl_scope_leave(thole_logger previous);
thole_logger thl_scope_current(void);

#endif
