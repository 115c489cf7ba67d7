/* SPDX-License-Identifier: MIT */
/* thole ls: the processes that log through thole. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "arguments.h"
#include "clock.h"
#include "commands.h"
#include "complain.h"
#include "json.h"
#include "observer.h"
#include "quantity.h"
#include "sheet.h"

#define PROCESSES_MAX 4096

/* A process in the list; `rc` is its first error. The two pictures make a rate. */
struct entry {
    struct thl_observer observer;
    struct thl_picture before, now;
    int rc;
};

struct list {
    struct entry *entry;
    size_t n;
    size_t refused; /* not ours to look into */
};

/* ---- finding ---- */

static bool
make_room(struct list *list)
{
    if ((list->n & (list->n - 1)) != 0)
        return true; /* room doubles at the powers of two */
    size_t room = list->n ? 2 * list->n : 1;
    struct entry *more = realloc(list->entry, room * sizeof(*more));
    if (!more)
        return false;
    list->entry = more;
    return true;
}

static void
add_process(void *arg, pid_t pid)
{
    struct list *list = arg;
    struct entry e = {0};
    if (list->n == PROCESSES_MAX)
        return;
    e.rc = thl_observer_open(&e.observer, pid);
    if (e.rc == -EACCES || e.rc == -EPERM)
        list->refused++;
    else if (e.rc != -ENOENT && e.rc != -ESRCH && e.rc != -ESHUTDOWN && make_room(list))
        list->entry[list->n++] = e;
    else if (e.rc == 0)
        thl_observer_close(&e.observer);
}

/* ---- looking ---- */

/* All are asked before any is waited for: many that hang cost two seconds, not two each. */
static void
look_at_all(struct list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct entry *e = &list->entry[i];
        if (e->rc == 0)
            e->rc = thl_observer_ask(&e->observer, THL_ARENA_ASK_TABLES, 0, NULL);
    }
    int64_t deadline = thl_clock_mono_ms() + THL_MAILBOX_TIMEOUT_MS;
    for (size_t i = 0; i < list->n; i++) {
        struct entry *e = &list->entry[i];
        int answer = 0;
        if (e->rc == 0)
            e->rc = thl_observer_wait(&e->observer, deadline, &answer, NULL);
        if (e->rc == 0 && answer != 0)
            e->rc = -EBADMSG;
        if (e->rc != 0)
            continue;
        thl_picture_fini(&e->before);
        e->before = e->now;
        e->now = (struct thl_picture){0};
        e->rc = thl_observer_copy(&e->observer, false, &e->now);
    }
}

/* ---- showing ---- */

static void
show_title(struct thl_sheet *sheet)
{
    static const char *const heads[] = {"PID",      "APP",   "UPTIME", "RATE/s",
                                        "CHILDREN", "DROPS", "LEAKS"};
    static const int widths[] = {-8, 20, -8, -8, -9, -9, 12};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        thl_sheet_cell(sheet, THL_STYLE_TITLE, widths[i], heads[i]);
    thl_sheet_end_line(sheet);
}

/* What the process and its sinks lost. */
static uint64_t
count_drops(const struct thl_picture *p)
{
    uint64_t n = p->process.dropped;
    for (size_t i = 0; i < p->nsinks; i++)
        n += p->sink[i].dropped;
    return n;
}

static const char *
explain(const struct entry *e)
{
    switch (e->rc) {
    case -ETIMEDOUT:
        return thl_find_state(e->observer.pid) == 'T' ? "no answer: it is stopped" : "no answer";
    case -EPROTONOSUPPORT:
        return "of another version of thole";
    case -ENOLINK:
        return "closed its arena's descriptor: run thole as root";
    case -EBUSY:
        return "looked into by too many";
    default:
        return "what it shows cannot be read: another version of thole, or damaged";
    }
}

static void
show(struct thl_sheet *sheet, const struct entry *e)
{
    char text[64];
    const struct thl_picture *p = &e->now;
    size_t suspects = thl_picture_suspects(p);
    snprintf(text, sizeof(text), "%ld", (long)e->observer.pid);
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, -8, text);
    if (e->rc != 0) {
        thl_sheet_cell(sheet, THL_STYLE_PLAIN, 20,
                       thl_find_comm(e->observer.pid, text, sizeof(text)));
        thl_sheet_put(sheet, THL_STYLE_POOR, explain(e));
        thl_sheet_end_line(sheet);
        return;
    }
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, 20, p->app);
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, -8, thl_quantity_age(thl_picture_uptime_s(p)).text);
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, -8,
                   thl_quantity_rate(thl_picture_rate(&e->before, p)).text);
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, -9, thl_quantity_count(p->process.children).text);
    uint64_t drops = count_drops(p);
    thl_sheet_cell(sheet, drops ? THL_STYLE_POOR : THL_STYLE_PLAIN, -9,
                   thl_quantity_count(drops).text);
    snprintf(text, sizeof(text), suspects == 1 ? "%zu call site" : "%zu call sites", suspects);
    thl_sheet_put(sheet, suspects ? THL_STYLE_BAD : THL_STYLE_PLAIN, suspects ? text : "-");
    thl_sheet_end_line(sheet);
}

/* It ended while we looked. */
static bool
is_gone(const struct entry *e)
{
    return e->rc == -ESRCH || e->rc == -ESHUTDOWN;
}

static void
show_rows(struct thl_sheet *sheet, const struct list *list)
{
    show_title(sheet);
    for (size_t i = 0; i < list->n; i++)
        if (!is_gone(&list->entry[i]))
            show(sheet, &list->entry[i]);
}

static void
show_table(const struct list *list)
{
    struct thl_sheet sheet;
    thl_sheet_init(&sheet, stdout, isatty(STDOUT_FILENO));
    if (list->n == 0)
        return;
    thl_sheet_measure(&sheet, true);
    show_rows(&sheet, list);
    thl_sheet_measure(&sheet, false);
    show_rows(&sheet, list);
}

static void
put_entry(struct thl_json *j, const struct entry *e)
{
    char comm[64];
    const struct thl_picture *p = &e->now;
    thl_json_open(j, NULL, '{');
    thl_json_uint(j, "pid", (uint64_t)e->observer.pid);
    if (e->rc != 0) {
        thl_json_string(j, "app", thl_find_comm(e->observer.pid, comm, sizeof(comm)));
        thl_json_string(j, "error", explain(e));
        thl_json_close(j, '}');
        return;
    }
    thl_json_string(j, "app", p->app);
    thl_json_null(j, "error");
    thl_json_uint(j, "uptime_s", thl_picture_uptime_s(p));
    thl_json_rate(j, "rate", thl_picture_rate(&e->before, p));
    thl_json_uint(j, "children", p->process.children);
    thl_json_uint(j, "drops", count_drops(p));
    thl_json_uint(j, "suspects", thl_picture_suspects(p));
    thl_json_close(j, '}');
}

static void
put_json(const struct list *list)
{
    struct thl_json j = {.out = stdout};
    thl_json_open(&j, NULL, '{');
    thl_json_open(&j, "processes", '[');
    for (size_t i = 0; i < list->n; i++)
        if (!is_gone(&list->entry[i]))
            put_entry(&j, &list->entry[i]);
    thl_json_close(&j, ']');
    thl_json_uint(&j, "refused", list->refused);
    thl_json_close(&j, '}');
    fputc('\n', stdout);
}

static int
judge(const struct list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (!is_gone(&list->entry[i]) && thl_picture_suspects(&list->entry[i].now) > 0)
            return THL_STATUS_LEAKED;
    return THL_STATUS_FINE;
}

static void
show_all(const struct list *list, bool json)
{
    if (json)
        put_json(list);
    else
        show_table(list);
    fflush(stdout);
    if (list->n == 0)
        thl_complain("no process logs through thole%s",
                     list->refused ? ", among those that you may look into" : "");
    if (list->refused > 0)
        thl_complain("%zu processes of other users were not looked into (run thole as root)",
                     list->refused);
}

int
thl_ls_run(int argc, char **argv)
{
    static const char *const words[] = {NULL};
    bool json = false;
    const struct thl_option options[] = {{"json", NULL, &json}};
    const struct thl_arguments arguments = {"ls", options, 1, words, 0};
    const char *word[THL_ARGUMENTS_MAX];
    struct list list = {0};
    if (!thl_arguments_read(&arguments, argc, argv, word))
        return THL_STATUS_ERROR;
    thl_find_each(add_process, &list);
    look_at_all(&list);
    if (list.n > 0) {
        poll(NULL, 0, THL_COMMANDS_LOOK_MS);
        look_at_all(&list);
    }
    show_all(&list, json);
    int status = judge(&list);
    for (size_t i = 0; i < list.n; i++) {
        thl_picture_fini(&list.entry[i].before);
        thl_picture_fini(&list.entry[i].now);
        thl_observer_close(&list.entry[i].observer);
    }
    free(list.entry);
    return status;
}
