/* SPDX-License-Identifier: MIT */
/* wants: thole: a message is missing */
#include <thole/thole.h>

void wrong(thole_logger lg);

void
wrong(thole_logger lg)
{
    thole_log(lg, THOLE_WARN);
}
