/* SPDX-License-Identifier: MIT */
/* wants: thole: a key must be a string literal */
#include <thole/thole.h>

void wrong(thole_logger lg);

void
wrong(thole_logger lg)
{
    static const char text[] = "a text";
    thole_info(lg, "message", text, 1);
}
