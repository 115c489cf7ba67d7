/* SPDX-License-Identifier: MIT */
/*
 * A body run in a process of its own, and what it wrote to stdout and stderr.
 *
 * Criterion's assertions do not work there: a body returns 0, or the line that failed (see
 * CAPTURED_CHECK), and the test asserts on `failed_line` and on the texts.
 */
#ifndef CAPTURED_H
#define CAPTURED_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct captured {
    int failed_line; /* 0: all went well */
    char out[16384], err[16384];
};

typedef int (*captured_fn)(const void *arg);

#define CAPTURED_CHECK(condition)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

static inline void
captured_read(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);

    text[n < 0 ? 0 : n] = '\0';
    close(fd);
}

/* The line goes through a file as well: an exit status has eight bits. */
static inline void
captured_run(struct captured *c, captured_fn body, const void *arg)
{
    int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
    int line = memfd_create("line", MFD_CLOEXEC), status = -1;
    pid_t pid = fork();

    cr_assert(out >= 0 && err >= 0 && line >= 0 && pid >= 0);
    if (pid == 0) {
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        int failed = body(arg);
        _exit(write(line, &failed, sizeof(failed)) == (ssize_t)sizeof(failed) ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    if (pread(line, &c->failed_line, sizeof(c->failed_line), 0) != (ssize_t)sizeof(c->failed_line))
        c->failed_line = -1;
    close(line);
    captured_read(out, c->out, sizeof(c->out));
    captured_read(err, c->err, sizeof(c->err));
    cr_assert_eq(status, 0, "the process ended with %d; it wrote: %s", status, c->err);
}

/* memmem: a sanitizer's strstr reads the whole rest of the text each time. */
static inline size_t
captured_count(const char *text, const char *part)
{
    const char *end = text + strlen(text), *at = text;
    size_t n = 0, size = strlen(part);

    while ((at = memmem(at, (size_t)(end - at), part, size)) != NULL) {
        at += size;
        n++;
    }
    return n;
}

#endif
