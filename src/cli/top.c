/* SPDX-License-Identifier: MIT */
/* thole top: a daemon at a glance, again and again; or once, as text or JSON. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "board.h"
#include "clock.h"
#include "commands.h"
#include "complain.h"
#include "environment.h"
#include "json_picture.h"
#include "observer.h"
#include "screen.h"

#define DEFAULT_INTERVAL "1s"
#define INTERVAL_MIN_MS 100

/* The two last pictures: the one before makes the rates. */
struct top {
    struct thl_observer observer;
    struct thl_picture before, now;
    bool seen;
    bool silent; /* it did not answer when it was asked last */
    int64_t answered_ms;
    int interval_ms;
};

static int
look(struct top *top)
{
    struct thl_picture fresh = {0};
    int rc = thl_observer_look(&top->observer, 0, &fresh);
    if (rc < 0)
        return rc;
    thl_picture_fini(&top->before);
    top->before = top->now;
    top->now = fresh;
    top->seen = true;
    top->answered_ms = thl_clock_mono_ms();
    return 0;
}

/* The same, but that a daemon which does not answer is no error: the last picture stays. One that
 * is stopped is not asked: it would find its mailbox full. */
static int
look_patiently(struct top *top)
{
    int rc = thl_find_state(top->observer.pid) == 'T' ? -ETIMEDOUT : look(top);
    top->silent = rc == -ETIMEDOUT || rc == -EBUSY || rc == -EAGAIN;
    return top->silent ? 0 : rc;
}

/* ---- once ---- */

static int
show_once(struct top *top, bool json)
{
    int rc = look(top);
    if (rc < 0)
        return rc;
    poll(NULL, 0, THL_COMMANDS_LOOK_MS);
    rc = look(top);
    if (rc < 0)
        return rc;
    if (json) {
        thl_json_picture_top(stdout, (long)top->observer.pid, &top->before, &top->now);
        return 0;
    }
    const struct thl_board board = {
        .before = &top->before, .now = &top->now, .pid = (long)top->observer.pid};
    struct thl_sheet sheet;
    thl_sheet_init(&sheet, stdout, isatty(STDOUT_FILENO));
    thl_board_draw(&sheet, &board);
    return 0;
}

/* ---- the screen ---- */

/* As many lines as the screen has, without the end of the last, which would scroll it. */
static size_t
fit_rows(const char *bytes, size_t size, unsigned rows)
{
    const char *p = bytes, *end = bytes + size;
    for (unsigned i = 0; i < rows; i++) {
        const char *line = memchr(p, '\n', (size_t)(end - p));
        if (!line)
            return size;
        if (i + 1 == rows || line + 1 == end)
            return (size_t)(line - bytes) - 1; /* \r */
        p = line + 1;
    }
    return 0;
}

/* A whole picture in one write, so that it never flickers. */
static int
draw(const struct top *top)
{
    const struct thl_picture *before = top->before.process.unix_ns ? &top->before : NULL;
    struct thl_board board = {.before = before, .now = &top->now, .pid = (long)top->observer.pid};
    struct thl_sheet sheet;
    char *bytes = NULL;
    size_t size = 0;
    if (top->silent)
        board.silent_ms = (uint64_t)(thl_clock_mono_ms() - top->answered_ms);
    FILE *out = open_memstream(&bytes, &size);
    if (!out)
        return -ENOMEM;
    thl_sheet_init(&sheet, out, true);
    thl_screen_size(&sheet.columns, &board.rows);
    fputs("\033[H", out);
    thl_board_draw(&sheet, &board);
    if (fclose(out) == 0) {
        fwrite(bytes, 1, fit_rows(bytes, size, board.rows), stdout);
        fputs("\033[J", stdout);
        fflush(stdout);
    }
    free(bytes);
    return ferror(stdout) ? -EIO : 0;
}

static int
refresh(struct top *top, struct thl_screen *screen)
{
    for (;;) {
        int rc = draw(top);
        if (rc < 0)
            return rc;
        enum thl_screen_event event;
        while ((event = thl_screen_wait(screen, top->interval_ms, top->observer.pidfd)) ==
               THL_SCREEN_REDRAW)
            draw(top);
        if (event == THL_SCREEN_QUIT)
            return 0;
        if (event == THL_SCREEN_OTHER)
            return -ESRCH;
        rc = look_patiently(top);
        if (rc < 0)
            return rc;
    }
}

static int
show_screen(struct top *top)
{
    struct thl_screen screen;
    int rc = look(top); /* what is wrong from the beginning is said without a screen */
    if (rc == 0)
        rc = thl_screen_open(&screen);
    if (rc < 0)
        return rc;
    rc = refresh(top, &screen);
    thl_screen_close(&screen);
    return rc;
}

/* ---- the command ---- */

static void
complain(const struct top *top, pid_t pid, int rc)
{
    if (rc == -ESRCH && top->seen)
        thl_complain("pid %ld (%s) has ended", (long)pid, top->now.app);
    else
        thl_complain_process(pid, rc, &top->observer.reader);
}

static int
run(pid_t pid, int interval_ms, bool once, bool json)
{
    struct top top = {.interval_ms = interval_ms};
    int rc = thl_observer_open(&top.observer, pid);
    if (rc == 0)
        rc = once || json ? show_once(&top, json) : show_screen(&top);
    if (rc < 0)
        complain(&top, pid, rc);
    int status = rc < 0 ? THL_STATUS_ERROR : thl_commands_judge(&top.now);
    thl_observer_close(&top.observer);
    thl_picture_fini(&top.before);
    thl_picture_fini(&top.now);
    return status;
}

int
thl_top_run(int argc, char **argv)
{
    static const char *const words[] = {"the process (a pid, or a program's name)", NULL};
    const char *word[THL_ARGUMENTS_MAX], *interval = DEFAULT_INTERVAL;
    bool once = false, json = false;
    const struct thl_option options[] = {
        {"once", NULL, &once}, {"json", NULL, &json}, {"interval", &interval, NULL}};
    const struct thl_arguments arguments = {"top", options, 3, words, 1};
    uint64_t ms;
    pid_t pid;
    if (!thl_arguments_read(&arguments, argc, argv, word) ||
        !thl_arguments_duration("interval", interval, INTERVAL_MIN_MS, &ms) ||
        !thl_arguments_process(word[0], &pid))
        return THL_STATUS_ERROR;
    if (ms > 86400000)
        ms = 86400000;
    if (!isatty(STDOUT_FILENO) || !thl_environment_has_screen())
        once = true;
    return run(pid, (int)ms, once, json);
}
