/* SPDX-License-Identifier: MIT */
/* Must fail: the end of a test sees a descriptor that was not open before it. */
#include "test.h"

#include <fcntl.h>

THL_TEST(sanity, leaked_descriptor)
{
    cr_assert_geq(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
}
