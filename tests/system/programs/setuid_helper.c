/* SPDX-License-Identifier: MIT */
/*
 * A program that may be setuid: says on stdout which level it found and where its records went.
 * It has thole inside, for a setuid program is not told where a library lies.
 */
#include <stdio.h>
#include <thole/thole.h>
#include <unistd.h>

int
main(void)
{
    const thole_logger root = {0};
    struct thole_stats stats = {.size = sizeof(stats)};
    char line[160];
    int rc = thole_start(NULL);

    thole_info(root, "from the helper");
    thole_trace(root, "in detail");
    thole_stats(&stats);
    int n = snprintf(line, sizeof(line), "euid %ld, started %d, level %d, sinks %u, first %s\n",
                     (long)geteuid(), rc, (int)thole_get_level(root), stats.nsinks,
                     stats.nsinks ? stats.sink[0].name : "none");
    if (n < 0 || write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(2);
    _exit(thole_stop(5000) == 0 ? 0 : 1); /* without the leak check: it cannot look at a setuid */
}
