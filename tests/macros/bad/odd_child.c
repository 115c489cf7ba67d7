/* SPDX-License-Identifier: MIT */
/* wants: thole: every key needs a value */
#include <thole/thole.h>

void wrong(thole_logger lg);

void
wrong(thole_logger lg)
{
    thole_logger out;
    thole_child(&out, lg, "key");
    (void)out;
}
