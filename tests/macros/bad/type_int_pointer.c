/* SPDX-License-Identifier: MIT */
/* wants c: not compatible with any */
/* wants c++: thole: unsupported value type */
#include <thole/thole.h>

void wrong(thole_logger lg, int *x);

void
wrong(thole_logger lg, int *x)
{
    thole_bind(&lg, "x", x);
}
