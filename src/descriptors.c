/* SPDX-License-Identifier: MIT */
/* /proc/PID/fd, counted. */
#include "descriptors.h"

#include <dirent.h>
#include <stddef.h>

uint32_t
thl_descriptors_count(const char *folder)
{
    uint32_t n = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return UINT32_MAX;
    /* one thread reads this folder, which is all that readdir() asks for */
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) // NOLINT(concurrency-mt-unsafe)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}
