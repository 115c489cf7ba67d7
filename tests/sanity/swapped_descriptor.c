/* SPDX-License-Identifier: MIT */
/* Must fail: a descriptor that was open before the test is another file after it. */
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

THL_TEST(sanity, swapped_descriptor)
{
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
}
