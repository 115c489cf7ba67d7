/* SPDX-License-Identifier: MIT */
/* wants: not compatible with any */
/* only: c gcc */
#include <thole/thole.h>

struct conn {
    unsigned flag : 3;
};

void wrong(thole_logger lg, struct conn *conn);

void
wrong(thole_logger lg, struct conn *conn)
{
    thole_info(lg, "message", "flag", conn->flag);
}
