/* SPDX-License-Identifier: MIT */
/* thole leaks: the census of live children, and what of it looks leaked. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arguments.h"
#include "board.h"
#include "commands.h"
#include "complain.h"
#include "json_picture.h"
#include "observer.h"
#include "quantity.h"

static void
show(const struct thl_picture *now)
{
    struct thl_sheet sheet;
    char text[200];
    size_t n, suspects = thl_picture_suspects(now);
    struct thl_board_order *order = thl_board_order_census(now, &n);
    free(order);
    thl_sheet_init(&sheet, stdout, isatty(STDOUT_FILENO));
    thl_board_draw_census(&sheet, now);
    if (n > 0)
        thl_sheet_end_line(&sheet);
    snprintf(text, sizeof(text),
             "%s live children (bound: %s; refused: %s) of %zu call site%s: %zu look%s leaked",
             thl_quantity_count(now->process.children).text,
             thl_quantity_count(now->process.children_limit).text,
             thl_quantity_count(now->process.children_refused).text, n, n == 1 ? "" : "s", suspects,
             suspects == 1 ? "s" : "");
    thl_sheet_put(&sheet, THL_STYLE_PLAIN, text);
    thl_sheet_end_line(&sheet);
}

static int
look(pid_t pid, uint32_t silent_s, bool json)
{
    struct thl_observer observer;
    struct thl_picture now = {0};
    int rc = thl_observer_open(&observer, pid);
    if (rc == 0)
        rc = thl_observer_look(&observer, silent_s, &now);
    if (rc < 0)
        thl_complain_process(pid, rc, &observer.reader);
    thl_observer_close(&observer);
    if (rc < 0)
        return THL_STATUS_ERROR;
    if (json)
        thl_json_picture_leaks(stdout, (long)pid, &now);
    else
        show(&now);
    int status = thl_commands_judge(&now);
    thl_picture_fini(&now);
    return status;
}

int
thl_leaks_run(int argc, char **argv)
{
    static const char *const words[] = {"the process (a pid, or a program's name)", NULL};
    const char *word[THL_ARGUMENTS_MAX], *silent = NULL;
    bool json = false;
    const struct thl_option options[] = {{"json", NULL, &json}, {"silent", &silent, NULL}};
    const struct thl_arguments arguments = {"leaks", options, 2, words, 1};
    uint64_t silent_ms = 0;
    pid_t pid;
    if (!thl_arguments_read(&arguments, argc, argv, word) ||
        (silent && !thl_arguments_duration("silent", silent, 1000, &silent_ms)) ||
        !thl_arguments_process(word[0], &pid))
        return THL_STATUS_ERROR;
    return look(pid, (uint32_t)(silent_ms / 1000), json);
}
