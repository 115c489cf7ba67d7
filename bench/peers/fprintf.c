/* SPDX-License-Identifier: MIT */
/*
 * The peer that every daemon begins with: fprintf to a FILE of the usual buffer; with FLUSHED,
 * fflush after each line, as one does who wants to see the lines. fprintf locks the FILE by itself.
 */
#include <stdio.h>
#include <stdlib.h>

static FILE *out;
int peer_level = 6; /* as a program's own "if (level >= LOG_DEBUG)" reads it */

#ifdef FLUSHED
#define SUBJECT "fprintf+fflush"
#define FLUSH() fflush(out)
#else
#define SUBJECT "fprintf"
#define FLUSH() 0
#endif
#define LOG(format, ...)                                                                           \
    do {                                                                                           \
        char stamp[PEER_STAMP];                                                                    \
        peer_put_stamp(stamp);                                                                     \
        if (fprintf(out, "[%.*s] [" PEER_LOGGER "] [info] " format "\n", PEER_STAMP, stamp,        \
                    ##__VA_ARGS__) < 0 ||                                                          \
            FLUSH() != 0)                                                                          \
            peer_count_error();                                                                    \
    } while (0)

#include "printf_calls.h"

static void
open_file(const char *path)
{
    out = fopen(path, "we");
    if (out == NULL) {
        perror(path);
        exit(1);
    }
}

static void
close_file(void)
{
    if (fclose(out) != 0)
        peer_count_error();
}

#ifndef FLUSHED
static void
call_off(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        PEER_FORGET();
        if (peer_level >= 7)
            LOG("off i=%" PRIu64, i);
    }
}
#endif

int
main(int argc, char **argv)
{
    static const struct peer peer = {
        .subject = SUBJECT,
        .open = open_file,
        .close = close_file,
        PRINTF_CALLS,
#ifndef FLUSHED
        .off = call_off,
#endif
    };
    return peer_main(argc, argv, &peer);
}
