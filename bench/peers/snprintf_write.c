/* SPDX-License-Identifier: MIT */
/* The peer without a buffer between: snprintf into the stack, one write(2) a line. */
#include "peer.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int fd = -1;

static void
write_line(const char *line, int size)
{
    if (write(fd, line, (size_t)size) != size)
        peer_count_error();
}

#define LOG(format, ...)                                                                           \
    do {                                                                                           \
        char stamp[PEER_STAMP], line[512];                                                         \
        peer_put_stamp(stamp);                                                                     \
        write_line(line,                                                                           \
                   snprintf(line, sizeof(line), "[%.*s] [" PEER_LOGGER "] [info] " format "\n",    \
                            PEER_STAMP, stamp, ##__VA_ARGS__));                                    \
    } while (0)

#include "printf_calls.h"

static void
open_file(const char *path)
{
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
}

static void
close_file(void)
{
    if (close(fd) != 0)
        peer_count_error();
}

int
main(int argc, char **argv)
{
    static const struct peer peer = {
        .subject = "snprintf+write",
        .open = open_file,
        .close = close_file,
        PRINTF_CALLS,
    };
    return peer_main(argc, argv, &peer);
}
