/* SPDX-License-Identifier: MIT */
/* Must fail: the end of a test sees a child logger that nobody gave back. */
#include "test.h"

#include <thole/thole.h>

THL_TEST(sanity, leaked_child)
{
    thole_logger child;

    thole_child(&child, thole_get("sanity"), "conn", 1);
}
