/* SPDX-License-Identifier: MIT */
/* Handlers of a test's own. */
#ifndef SIGNAL_KIT_H
#define SIGNAL_KIT_H

#include <criterion/criterion.h>
#include <signal.h>

static inline void
handle(int number, void (*handler)(int), int flags)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    cr_assert_eq(sigaction(number, &action, NULL), 0);
}

#endif
