/* SPDX-License-Identifier: MIT */
/* Must fail: a plain program's one line against leaks names the site of a child that is one. */
#include <thole/test.h>
#include <thole/thole.h>

int
main(void)
{
    thole_logger child;

    thole_child(&child, thole_get("sanity"), "conn", 17, "peer", "10.0.0.7:4123");
    thole_ref(child); /* two references, and one is given back */
    thole_unref(&child);
    THOLE_TEST_NO_LEAKS();
    return 0;
}
