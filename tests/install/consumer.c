/* SPDX-License-Identifier: MIT */
/* A user's program: it knows the installed files and nothing else. C and C++ compile it. */
#include <stdio.h>
#include <string.h>
#include <thole/sink.h>
#include <thole/test.h>
#include <thole/thole.h>

int
main(void)
{
    struct thole_options options;
    thole_logger conn;

    memset(&options, 0, sizeof(options));
    options.size = sizeof(options);
    options.sinks = "memory:";
    if (thole_start(&options) != 0 || strcmp(thole_version(), THOLE_VERSION) != 0)
        return 1;
    thole_child(&conn, thole_get("net"), "conn", 42);
    thole_info(conn, "installed", "status", 200);
    thole_unref(&conn);
    fputs(thole_test_lines(), stdout);
    return thole_test_live_children() == 0 && thole_stop(1000) == 0 ? 0 : 1;
}
