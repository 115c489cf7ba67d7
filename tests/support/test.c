/* SPDX-License-Identifier: MIT */
/* What stands before and after the body of each test: see test.h. */
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <thole/test.h>
#include <thole/thole.h>
#include <unistd.h>

enum { MAX_DESCRIPTORS = 4096 };

/* Weak: tests of single files may be linked without the public functions. */
#pragma weak thole_stats
#pragma weak thole_stop
#pragma weak thole_test_leaks
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

struct descriptor {
    int fd;
    dev_t device;
    ino_t inode;
};

/* Written by thl_test_begin() only; a test process has one of each. */
static struct descriptor before[MAX_DESCRIPTORS];
static size_t nbefore;

/* The number of a /proc/self/fd entry, or -1 for "." and ".." and the folder's own descriptor. */
static int
parse_fd(const char *name, DIR *dir)
{
    char *end;
    long fd = strtol(name, &end, 10);

    return end == name || *end != '\0' || fd == dirfd(dir) ? -1 : (int)fd;
}

static size_t
list_descriptors(struct descriptor *out)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    struct stat st;
    size_t n = 0;

    cr_assert_not_null(dir, "/proc/self/fd cannot be read");
    while ((entry = readdir(dir)) != NULL) {
        int fd = parse_fd(entry->d_name, dir);

        if (fd < 0 || fstat(fd, &st) != 0)
            continue;
        cr_assert_lt(n, (size_t)MAX_DESCRIPTORS, "too many descriptors to compare");
        out[n++] = (struct descriptor){fd, st.st_dev, st.st_ino};
    }
    closedir(dir);
    return n;
}

static bool
was_open_before(const struct descriptor *d)
{
    for (size_t i = 0; i < nbefore; i++) {
        if (before[i].fd == d->fd)
            return before[i].device == d->device && before[i].inode == d->inode;
    }
    return false;
}

static void
check_descriptors(void)
{
    static struct descriptor after[MAX_DESCRIPTORS];
    size_t n = list_descriptors(after);

    for (size_t i = 0; i < n; i++) {
        char path[64], link[256];
        ssize_t len;

        if (was_open_before(&after[i]))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", after[i].fd);
        len = readlink(path, link, sizeof link - 1);
        link[len < 0 ? 0 : len] = '\0';
        /* The arena outlives thole_stop() by design: observers may still read it. */
        if (strncmp(link, "/memfd:thole", strlen("/memfd:thole")) == 0)
            continue;
        cr_expect_fail("descriptor %d (%s) was left open", after[i].fd, link);
    }
}

static void
check_children_and_stop(void)
{
    struct thole_stats stats = {.size = sizeof stats};

    if (!thole_stats || !thole_test_leaks)
        return;
    thole_stats(&stats);
    cr_expect_eq(stats.children, 0u, "%s", thole_test_leaks());
    if (stats.nsinks > 0 && thole_stop)
        (void)thole_stop(2000); /* a hanging sink is the test's own matter */
}

void
thl_test_begin(void)
{
    static const char *const names[] = {"THOLE_LOG",   "THOLE_SINKS",   "THOLE_LIMITS",
                                        "THOLE_STATE", "THOLE_STRICT",  "DEBUG_INVOCATION",
                                        "NO_COLOR",    "CLICOLOR_FORCE"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    nbefore = list_descriptors(before);
}

void
thl_test_end(void)
{
    check_children_and_stop();
    check_descriptors();
    if (__lsan_do_recoverable_leak_check)
        cr_expect_eq(__lsan_do_recoverable_leak_check(), 0, "LSan found a leak");
}
