/* SPDX-License-Identifier: MIT */
/* Must pass: the test kit's line against leaks after children that were given back. */
#include <thole/test.h>
#include <thole/thole.h>

int
main(void)
{
    thole_logger child, other;

    THOLE_TEST_NO_LEAKS();
    thole_child(&child, thole_get("sanity"), "conn", 17);
    thole_child(&other, child, "stream", 3);
    thole_unref(&child);
    thole_unref(&other);
    THOLE_TEST_NO_LEAKS();
    return 0;
}
