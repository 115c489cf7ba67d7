/* SPDX-License-Identifier: MIT */
/* wants: thole: more than 16 key and value pairs */
#include <thole/thole.h>

void wrong(thole_logger lg);

void
wrong(thole_logger lg)
{
    thole_info(lg, "message", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i",
               9, "j", 10, "k", 11, "l", 12, "m", 13, "n", 14, "o", 15, "p", 16, "q");
}
