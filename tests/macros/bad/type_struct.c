/* SPDX-License-Identifier: MIT */
/* wants c: not compatible with any */
/* wants c++: thole: unsupported value type */
#include <thole/thole.h>

void wrong(thole_logger lg);

void
wrong(thole_logger lg)
{
    thole_info(lg, "message", "logger", lg);
}
