/* SPDX-License-Identifier: MIT */
/*
 * A daemon to look into: daemon APP [leak] [fork] [closefrom]
 *
 * Prints a line when it runs, logs now and then, and ends when its stdin does. With leak it forgets
 * loggers whose parents end; with fork it prints the pid of a forked process that does not use
 * thole; with closefrom it closes all descriptors that are not its own.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <thole/test.h>
#include <thole/thole.h>
#include <unistd.h>

#include "close_from.h"

#define LEAKED 20
#define TICK_MS 20

static thole_logger conns;

static void
leak(void)
{
    for (int i = 0; i < LEAKED; i++) {
        thole_logger parent, forgotten;
        thole_child(&parent, conns, "conn", i);
        thole_child(&forgotten, parent, "request", i); /* leaks here */
        thole_unref(&parent);
    }
}

/* Requests that end a little later than their connection are no sign: these are older. */
static void
leak_and_age(void)
{
    leak();
    thole_test_advance_clock(INT64_C(4000000000));
    thole_test_release_clock();
}

/* One connection that lives, and others that pass. Says that it runs when the first is there. */
static void
serve(pid_t child)
{
    struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
    thole_logger conn, passing;
    thole_child(&conn, conns, "conn", 17, "peer", "10.0.0.7\x1b[31m:4123"); /* lives here */
    thole_info(conn, "accepted");
    printf("%ld\n", (long)child);
    fflush(stdout);
    do {
        thole_info(thole_current(), "tick");
        thole_trace(conn, "traced");
        thole_child(&passing, conns, "conn", 18);
        thole_trace(passing, "not traced");
        thole_unref(&passing);
    } while (poll(&end, 1, TICK_MS) == 0);
    thole_unref(&conn);
}

static pid_t
start_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

int
main(int argc, char **argv)
{
    struct thole_options options = {.size = sizeof(options), .app = argc > 1 ? argv[1] : "daemon"};
    pid_t child = 0;
    if (thole_start(&options) != 0)
        return 1;
    conns = thole_get("app.conn");
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "leak") == 0)
            leak_and_age();
        else if (strcmp(argv[i], "fork") == 0)
            child = start_child();
        else if (strcmp(argv[i], "closefrom") == 0)
            close_from(3);
    }
    serve(child);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return thole_stop(1000) == 0 ? 0 : 1;
}
