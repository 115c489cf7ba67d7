/* SPDX-License-Identifier: MIT */
/*
 * A daemon with a SIGSEGV handler of its own, on a stack of its own, that logs, shouts and raises
 * the signal again.
 *
 *     crash call    it crashes between log calls
 *     crash log     a timer's handler crashes in the midst of them
 *     crash sink    a sink of its own crashes in write
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <thole/sink.h>
#include <unistd.h>

#define WATCHDOG_S 15

static const thole_logger root = {0};
static volatile char *forbidden; /* a page that nobody may touch */
static bool crash_in_sink;
static char stack[64 * 1024];

static void
crash(void)
{
    *forbidden = 1;
}

static void
on_crash(int number)
{
    char here;

    thole_crit(root, "crashed", "number", number);
    thole_emergency("crashed");
    if (&here < stack || &here >= stack + sizeof(stack))
        thole_emergency("on another stack");
    signal(number, SIG_DFL);
    raise(number);
}

static void
on_timer(int number)
{
    (void)number;
    crash();
}

static int
open_own(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = stack;
    return 0;
}

static int
write_own(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    if (crash_in_sink)
        crash();
    *done = n;
    return 0;
}

static void
close_own(void *sink)
{
    (void)sink;
}

static const struct thole_sink_ops own = {.size = sizeof(own),
                                          .flags = THOLE_SINK_MAY_BLOCK,
                                          .format = "json",
                                          .open = open_own,
                                          .write = write_own,
                                          .close = close_own};

static bool
begin(void)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "own:", .flags = THOLE_NO_ENV};
    const struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};

    forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    alarm(WATCHDOG_S);
    return forbidden != MAP_FAILED && sigaltstack(&other, NULL) == 0 &&
           sigaction(SIGSEGV, &action, NULL) == 0 && thole_sink_register("own", &own) == 0 &&
           thole_start(&opt) == 0;
}

int
main(int argc, char **argv)
{
    const struct itimerval soon = {.it_value = {0, 5000}};
    const char *where = argc > 1 ? argv[1] : "call";

    if (!begin())
        return 2;
    crash_in_sink = strcmp(where, "sink") == 0;
    if (strcmp(where, "log") == 0) {
        signal(SIGALRM, on_timer);
        setitimer(ITIMER_REAL, &soon, NULL);
    }
    if (strcmp(where, "call") == 0) {
        thole_info(root, "before");
        crash();
    }
    for (;;) /* until it crashes, or the watchdog barks */
        thole_info(root, "in between");
}
