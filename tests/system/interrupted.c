/* SPDX-License-Identifier: MIT */
/* EINTR and short writes: no record twice, none torn, none lost uncounted. */
#include "test.h"

#include "whole_program.h"

static void
expect_success(const char *program, const char *mode)
{
    struct program p;

    program_begin(&p, program, mode, NULL);
    program_end(&p);
    cr_expect_eq(p.status, 0, "status %d; it wrote: %s%s", p.status, p.out, p.err);
    program_forget(&p);
}

THL_TEST(interrupted, writes_of_the_threads_are_whole_and_written_once)
{
    expect_success("THOLE_TEST_INTERRUPTED", "threads");
}

THL_TEST(interrupted, writes_of_the_caller_in_direct_mode_are_whole_and_written_once)
{
    expect_success("THOLE_TEST_INTERRUPTED", "direct");
}

THL_TEST(interrupted, emergency_and_stderr_are_whole_lines_written_once)
{
    expect_success("THOLE_TEST_EMERGENCY", NULL);
}
