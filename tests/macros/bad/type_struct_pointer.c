/* SPDX-License-Identifier: MIT */
/* wants c: not compatible with any */
/* wants c++: thole: unsupported value type */
#include <thole/thole.h>

struct conn;

void wrong(thole_logger lg, struct conn *conn);

void
wrong(thole_logger lg, struct conn *conn)
{
    thole_info(lg, "message", "conn", conn);
}
