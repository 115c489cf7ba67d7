/* SPDX-License-Identifier: MIT */
/* The table of error names against the libc that the test runs with. */
#include "test.h"

#include <errno.h>

#include "errname.h"

THL_TEST(errname, common_errors_have_name_and_text)
{
    cr_expect_str_eq(thl_errname_name(ENOENT), "ENOENT");
    cr_expect_str_eq(thl_errname_text(ENOENT), "No such file or directory");
    cr_expect_str_eq(thl_errname_name(EAGAIN), "EAGAIN");
    cr_expect_str_eq(thl_errname_name(ECONNREFUSED), "ECONNREFUSED");
    cr_expect_str_eq(thl_errname_text(ECONNREFUSED), "Connection refused");
    cr_expect_str_eq(thl_errname_name(EHWPOISON), "EHWPOISON");
}

THL_TEST(errname, numbers_that_linux_does_not_use_are_unknown)
{
    static const int64_t wrong[] = {
        0, -1, -2, 41, 58, EHWPOISON + 1, 100000, INT64_MAX, INT64_MIN, (INT64_C(1) << 32) + 2};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect_str_eq(thl_errname_name(wrong[i]), "E?");
        cr_expect_str_eq(thl_errname_text(wrong[i]), "unknown error");
    }
}

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
THL_TEST(errname, table_is_complete_and_agrees_with_glibc)
{
    int known = 0;
    for (int e = 1; e < 4096; e++) {
        const char *name = strerrorname_np(e);
        cr_expect_str_eq(thl_errname_name(e), name ? name : "E?");
        cr_expect_str_eq(thl_errname_text(e), name ? strerrordesc_np(e) : "unknown error");
        known += name != NULL;
    }
    cr_expect_gt(known, 120);
}
#endif
