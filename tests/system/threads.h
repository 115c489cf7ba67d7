/* SPDX-License-Identifier: MIT */
/* The threads of this process, as the kernel lists them, and what it says of each. */
#ifndef THREADS_H
#define THREADS_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { THREADS_MAX = 64 };

struct threads {
    size_t n;
    pid_t tid[THREADS_MAX];
};

static inline struct threads
threads_list(void)
{
    struct threads t = {0};
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;

    cr_assert_not_null(dir);
    while ((entry = readdir(dir)) != NULL && t.n < THREADS_MAX)
        if (entry->d_name[0] != '.')
            t.tid[t.n++] = (pid_t)strtol(entry->d_name, NULL, 10);
    closedir(dir);
    return t;
}

static inline bool
threads_have(const struct threads *t, pid_t tid)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->tid[i] == tid)
            return true;
    return false;
}

/* Those that are not in `before`. */
static inline struct threads
threads_since(const struct threads *before)
{
    struct threads now = threads_list(), fresh = {0};

    for (size_t i = 0; i < now.n; i++)
        if (!threads_have(before, now.tid[i]))
            fresh.tid[fresh.n++] = now.tid[i];
    return fresh;
}

/* The number behind "NAME:" in its status. */
static inline uint64_t
thread_status(pid_t tid, const char *name, int base)
{
    char path[64], line[256], key[64];
    uint64_t value = 0;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
    snprintf(key, sizeof(key), "%s:", name);
    FILE *f = fopen(path, "re");
    cr_assert_not_null(f);
    while (!found && fgets(line, sizeof(line), f)) {
        found = strncmp(line, key, strlen(key)) == 0;
        if (found)
            value = strtoull(line + strlen(key), NULL, base);
    }
    fclose(f);
    cr_assert(found, "no %s in %s", name, path);
    return value;
}

#endif
