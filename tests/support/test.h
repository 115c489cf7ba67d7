/* SPDX-License-Identifier: MIT */
/*
 * The one way to declare a test: Criterion's Test() with a beginning and an end of our own.
 *
 *     THL_TEST(child, stale_handle_logs_through_parent)
 *     {
 *         ...
 *         cr_assert_eq(got, want);
 *     }
 *
 * Criterion alone hides what thole promises: a test that leaks memory under ASan still passes. So
 * the end of each test looks by itself, inside the test's process, where a failure counts: no child
 * logger is alive, no descriptor is open that was not open before, and LSan (in builds that have
 * it) finds nothing. tests/sanity/ proves that each of these can fail.
 */
#ifndef THL_TEST_H
#define THL_TEST_H

#include <criterion/criterion.h>

/* Remembers the open descriptors; forgets thole's variables of the environment. */
void thl_test_begin(void);

/* Fails the test for live children; stops thole when it was started or used; then fails the test
 * for descriptors that are new or have become another file, and for leaks that LSan sees. */
void thl_test_end(void);

/* The process may take a minute, sanitizers included: past that it hangs, and is ended. */
#define THL_TEST(suite, name)                                                                      \
    static void suite##_##name##_body(void);                                                       \
    Test(suite, name, .timeout = 60)                                                               \
    {                                                                                              \
        thl_test_begin();                                                                          \
        suite##_##name##_body();                                                                   \
        thl_test_end();                                                                            \
    }                                                                                              \
    static void suite##_##name##_body(void)

#endif
