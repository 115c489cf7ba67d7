/* SPDX-License-Identifier: MIT */
/* Logs from a constructor that runs before all others, and from a destructor after all others. */
#include "program.h"

__attribute__((constructor(101))) static void
log_first(void)
{
    thole_info(root, "from a constructor");
}

/* main stays in direct mode, in which the constructor began. */
static int
stay_in_direct_mode(void)
{
    thole_info(root, "from main");
    return 41;
}

static int
start_and_leave_the_end_to_exit(void)
{
    start_with(given_sinks, NULL);
    thole_info(root, "from main");
    return 42;
}

static int
start_and_stop(void)
{
    start_with(given_sinks, NULL);
    thole_info(root, "from main");
    CHECK(thole_stop(10000) == 0);
    return 43;
}

/* Written at once, or counted as dropped: the test looks for the record in the file. */
__attribute__((destructor(101))) static void
log_last(void)
{
    struct thole_stats before = sampler_look();
    thole_info(root, "from a destructor");
    struct thole_stats after = sampler_look();
    CHECK(after.called == before.called + 1 && after.queued == 0);
    dprintf(STDOUT_FILENO, "dropped %llu\n", (unsigned long long)(after.dropped - before.dropped));
}

int
main(int argc, char **argv)
{
    static const struct mode modes[] = {
        {"stay_in_direct_mode", stay_in_direct_mode},
        {"start_and_leave_the_end_to_exit", start_and_leave_the_end_to_exit},
        {"start_and_stop", start_and_stop},
    };
    return run_mode(argc, argv, modes, sizeof(modes) / sizeof(modes[0]));
}
