/* SPDX-License-Identifier: MIT */
/* What a test looks at in its own process: the ledger, the time, folders of /proc. Plain C. */
#ifndef OBSERVE_H
#define OBSERVE_H

#include <dirent.h>
#include <stdlib.h>
#include <thole/thole.h>
#include <time.h>

static inline struct thole_stats
take_stats(void)
{
    struct thole_stats stats = {.size = sizeof(stats)};

    thole_stats(&stats);
    return stats;
}

/* Milliseconds of CLOCK_MONOTONIC. */
static inline int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Of "/proc/self/fd" (with the descriptor that reads it), "/proc/self/task". */
static inline int
count_entries(const char *folder_name)
{
    DIR *dir = opendir(folder_name);
    struct dirent *entry;
    int n = 0;

    if (!dir)
        abort(); /* a claim about nothing would hold */
    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

#endif
