/* SPDX-License-Identifier: MIT */
/* A crash is the daemon's own affair: its handler runs, may log and shout, and the process dies. */
#include "test.h"

#include "captured.h"
#include "whole_program.h"

#include <signal.h>
#include <sys/resource.h>

/* No core is left, and sanitizers leave the program's faults to its own handler. */
static void
run_crasher(struct program *p, const char *where)
{
    const struct rlimit no_core = {0, 0};

    cr_assert_eq(setrlimit(RLIMIT_CORE, &no_core), 0);
    setenv("ASAN_OPTIONS", "allow_user_segv_handler=1", 1);
    program_begin(p, "THOLE_TEST_CRASHER", where, NULL);
    program_end(p);
}

static void
expect_death_after_the_handler(const struct program *p)
{
    cr_expect_eq(p->status, -SIGSEGV, "status %d; it wrote: %s", p->status, p->err);
    cr_expect_eq(captured_count(p->err, "crashed\n"), 1u, "it wrote: %s", p->err);
}

THL_TEST(crash, handler_on_its_own_stack_may_log_and_shout)
{
    struct program p;

    run_crasher(&p, "call");
    expect_death_after_the_handler(&p);
    cr_expect_null(strstr(p.err, "on another stack"), "%s", p.err);
    program_forget(&p);
}

THL_TEST(crash, handler_may_log_and_shout_in_the_midst_of_log_calls)
{
    struct program p;

    run_crasher(&p, "log");
    expect_death_after_the_handler(&p);
    program_forget(&p);
}

/* thole's threads block what is sent to the process, not what they raise themselves by a fault. */
THL_TEST(crash, in_a_sink_of_the_daemons_own_reaches_its_handler)
{
    struct program p;

    run_crasher(&p, "sink");
    expect_death_after_the_handler(&p);
    program_forget(&p);
}
