/* SPDX-License-Identifier: MIT */
/* wants: thole: a key must not contain a NUL */
#include <thole/thole.h>

void wrong(thole_logger lg);

void
wrong(thole_logger lg)
{
    thole_info(lg, "message", "key\0", 1);
}
