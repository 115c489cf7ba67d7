/* SPDX-License-Identifier: MIT */
/* Must fail: under Criterion the test kit's line against leaks is a failed assertion. */
#include "test.h"

#include <thole/test.h>
#include <thole/thole.h>

THL_TEST(sanity, leaked_in_body)
{
    thole_logger child;

    thole_info(thole_get("sanity"), "two connections");
    for (int i = 0; i < 2; i++)
        thole_child(&child, thole_get("sanity"), "conn", i);
    THOLE_TEST_NO_LEAKS();
}
