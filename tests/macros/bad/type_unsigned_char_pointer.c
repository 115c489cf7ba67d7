/* SPDX-License-Identifier: MIT */
/* wants c: not compatible with any */
/* wants c++: thole: unsupported value type */
#include <thole/thole.h>

void wrong(thole_logger lg, const unsigned char *bytes);

void
wrong(thole_logger lg, const unsigned char *bytes)
{
    thole_info(lg, "message", "bytes", bytes);
}
