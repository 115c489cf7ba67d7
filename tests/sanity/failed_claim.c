/* SPDX-License-Identifier: MIT */
/* Must fail: an assertion inside THL_TEST reaches the exit status. */
#include "test.h"

THL_TEST(sanity, failed_claim)
{
    cr_assert(false, "the claim does not hold");
}
