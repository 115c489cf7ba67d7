/* SPDX-License-Identifier: MIT */
/* wants: thole: the message must not contain a NUL */
#include <thole/thole.h>

void wrong(thole_logger lg);

void
wrong(thole_logger lg)
{
    thole_info(lg, "message\0forged", "key", 1);
}
