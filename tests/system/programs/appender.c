/* SPDX-License-Identifier: MIT */
/* One of several processes that append to one file: PROGRAM append SINKS SOURCE. */
#include "program.h"

#include <stdlib.h>

enum { RECORDS = 5000, BURST = 50 };

static int
append(void)
{
    char go;

    CHECK(other_sinks);
    int source = (int)strtol(other_sinks, NULL, 10);
    start_with(given_sinks, "queue=16M");
    CHECK(read(STDIN_FILENO, &go, 1) == 0); /* the test has closed its end: all are there */
    for (int i = 0; i < RECORDS; i++) {
        thole_info(root, "kept", "t", source, "i", i);
        if (i % BURST == 0)
            CHECK(thole_flush(10000) == 0);
    }
    CHECK(thole_stop(10000) == 0);
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct mode modes[] = {{"append", append}};

    return run_mode(argc, argv, modes, sizeof(modes) / sizeof(modes[0]));
}
