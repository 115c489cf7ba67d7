/* SPDX-License-Identifier: MIT */
/*
 * A whole program of tests/system/programs/, run by its path: how it ended, when, and what it wrote
 * to stdout and stderr.
 *
 *     struct program p;
 *     program_begin(&p, "THOLE_TEST_ENDER", "exit_from_main", sinks, NULL);
 *     program_end(&p);
 *     cr_expect_eq(p.status, 12);
 *     program_forget(&p);
 */
#ifndef WHOLE_PROGRAM_H
#define WHOLE_PROGRAM_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROGRAM_ENDS_MS = 20000 }; /* the program's own watchdog is earlier */

struct program {
    pid_t pid;
    int alive; /* EOF when the program and its children have all ended */
    int out_fd, err_fd;
    int status; /* the exit status, or minus the signal that ended it */
    double ended_at;
    char *out, *err;
};

static inline void
program_exec(const struct program *p, int lifeline, const char *path, const char *const *args)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(p->out_fd, STDOUT_FILENO);
    dup2(p->err_fd, STDERR_FILENO);
    fcntl(lifeline, F_SETFD, 0);
    execv(path, (char *const *)args);
    _exit(127);
}

/* `variable` is the one of the environment that holds the path; arguments end with NULL. */
__attribute__((sentinel)) static inline void
program_begin(struct program *p, const char *variable, ...)
{
    const char *args[8] = {getenv(variable)};
    size_t n = 1;
    int lifeline[2];
    va_list rest;

    cr_assert_not_null(args[0], "%s is not set: run the test with meson", variable);
    va_start(rest, variable);
    while ((args[n] = va_arg(rest, const char *)) != NULL && n + 2 < sizeof(args) / sizeof(*args))
        n++;
    va_end(rest);
    args[n] = NULL;
    *p = (struct program){.out_fd = memfd_create("out", MFD_CLOEXEC),
                          .err_fd = memfd_create("err", MFD_CLOEXEC)};
    cr_assert(p->out_fd >= 0 && p->err_fd >= 0 && pipe2(lifeline, O_CLOEXEC) == 0);
    p->alive = lifeline[0];
    p->pid = fork();
    cr_assert_geq(p->pid, 0);
    if (p->pid == 0)
        program_exec(p, lifeline[1], args[0], args);
    close(lifeline[1]);
}

static inline char *
program_text(int fd)
{
    struct stat st;
    size_t size = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    char *text = malloc(size + 1);

    cr_assert_not_null(text);
    ssize_t n = pread(fd, text, size, 0);
    text[n < 0 ? 0 : n] = '\0';
    close(fd);
    return text;
}

static inline double
program_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Waits until it and its children have ended; a hang is ended, and fails the test. */
static inline void
program_end(struct program *p)
{
    struct pollfd alive = {p->alive, POLLIN, 0};
    int status = -1;

    if (poll(&alive, 1, PROGRAM_ENDS_MS) == 0) {
        cr_expect_fail("the program hangs");
        kill(p->pid, SIGKILL);
    }
    cr_assert_eq(waitpid(p->pid, &status, 0), p->pid);
    p->ended_at = program_clock();
    p->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    close(p->alive);
    p->out = program_text(p->out_fd);
    p->err = program_text(p->err_fd);
}

static inline void
program_forget(struct program *p)
{
    free(p->out);
    free(p->err);
}

#endif
