/* SPDX-License-Identifier: MIT */
/* A test's own folder: names in it, what its files hold, and its end. */
#ifndef FOLDER_H
#define FOLDER_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static inline void
folder_make(void)
{
    snprintf(folder, sizeof(folder), "%s/thole-XXXXXX", P_tmpdir);
    cr_assert_not_null(mkdtemp(folder));
}

/* Good until the eighth call after this one. */
static inline const char *
folder_path(const char *name)
{
    static char paths[8][160];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* The whole file; "" when there is none. The caller's to free. */
static inline char *
folder_read(const char *name)
{
    struct stat st;
    int fd = open(folder_path(name), O_RDONLY | O_CLOEXEC);
    size_t size = fd >= 0 && fstat(fd, &st) == 0 ? (size_t)st.st_size : 0, n = 0;
    char *text = malloc(size + 1);

    cr_assert_not_null(text);
    while (n < size) {
        ssize_t got = read(fd, text + n, size - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    text[n] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static int
folder_forget_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void
folder_remove(void)
{
    cr_expect_eq(nftw(folder, folder_forget_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
