/* SPDX-License-Identifier: MIT */
/* Must fail under -fsanitize=undefined -fno-sanitize-recover=all: without the latter it would
 * report and go on with status 0. */
#include <limits.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    int most = INT_MAX;

    (void)argv;
    printf("%d\n", most + argc);
    return 0;
}
