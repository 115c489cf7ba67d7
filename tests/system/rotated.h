/* SPDX-License-Identifier: MIT */
/* The files that rotation leaves in a test's folder, and what they hold together. */
#ifndef ROTATED_H
#define ROTATED_H

#include <dirent.h>
#include <string.h>

#include "folder.h"

enum { ROTATED_FILES = 1200 };

struct rotated {
    size_t n;
    char name[ROTATED_FILES][64];
};

static inline int
rotated_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The files "a.log.*", sorted: of our own rotation, by age. Good until the next call. */
static inline const struct rotated *
rotated_list(void)
{
    static struct rotated l;
    struct dirent *entry;
    DIR *dir = opendir(folder);

    cr_assert_not_null(dir);
    for (l.n = 0; (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, "a.log.", 6) != 0)
            continue;
        cr_assert(l.n < ROTATED_FILES && strlen(entry->d_name) < sizeof(l.name[0]), "%s",
                  entry->d_name);
        memcpy(l.name[l.n++], entry->d_name, strlen(entry->d_name) + 1);
    }
    closedir(dir);
    qsort(l.name, l.n, sizeof(l.name[0]), rotated_compare);
    return &l;
}

/* All that they and a.log hold, by age. The caller's to free. */
static inline char *
rotated_read_all(void)
{
    const struct rotated *l = rotated_list();
    char *all = strdup("");
    size_t size = 0;

    for (size_t i = 0; i <= l->n; i++) {
        char *one = folder_read(i < l->n ? l->name[i] : "a.log");
        size_t n = strlen(one);
        all = realloc(all, size + n + 1);
        cr_assert_not_null(all);
        memcpy(all + size, one, n + 1);
        size += n;
        free(one);
    }
    return all;
}

#endif
