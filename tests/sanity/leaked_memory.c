/* SPDX-License-Identifier: MIT */
/* Must fail in a build with LSan: memory that nothing points at any more. */
#include "test.h"

#include <stdlib.h>

/* Overwrites what registers and the stack may still hold of the pointer. */
static void __attribute__((noinline)) lose_memory(void)
{
    void *volatile lost = malloc(100);

    cr_assert_not_null(lost);
    lost = NULL;
}

THL_TEST(sanity, leaked_memory)
{
    for (int i = 0; i < 16; i++)
        lose_memory();
}
