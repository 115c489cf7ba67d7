/* SPDX-License-Identifier: MIT */
/* Must fail under the address sanitizer: one byte past the end. */
#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    char *volatile bytes = malloc(8); /* volatile: the compiler shall not know its size */

    (void)argv;
    if (!bytes)
        return 0;
    bytes[7 + argc] = 'x';
    printf("%c\n", bytes[7 + argc]);
    free(bytes);
    return 0;
}
