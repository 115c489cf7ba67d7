/* SPDX-License-Identifier: MIT */
/* wants: thole: a key must be a string literal */
#include <thole/thole.h>

void wrong(thole_logger lg, const char *text);

void
wrong(thole_logger lg, const char *text)
{
    thole_info(lg, "message", text, 1);
}
