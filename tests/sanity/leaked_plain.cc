// SPDX-License-Identifier: MIT
// Must fail: the same in C++11.
#include <thole/test.h>
#include <thole/thole.h>

int
main()
{
    thole_logger child;
    thole_child(&child, thole_get("sanity"), "conn", 17);

    THOLE_TEST_NO_LEAKS();
    return 0;
}
