/* SPDX-License-Identifier: MIT */
/* wants c: not compatible with any */
/* wants c++: thole: unsupported value type */
#include <thole/thole.h>

void wrong(thole_logger lg, long double x);

void
wrong(thole_logger lg, long double x)
{
    thole_info(lg, "message", "x", x);
}
