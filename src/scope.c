/* SPDX-License-Identifier: MIT */
/* The thread's current logger: one thread-local value, so thread exit, fork and dlclose need
 * nothing. */
#include "scope.h"

#include "compiler.h"

static THL_TLS thole_logger current;

thole_logger
thl_scope_enter(thole_logger lg)
{
    thole_logger previous = current;
    current = lg;
    return previous;
}

void
thl_scope_leave(thole_logger previous)
{
    current = previous;
}

thole_logger
thl_scope_current(void)
{
    return current;
}
