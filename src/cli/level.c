/* SPDX-License-Identifier: MIT */
/* thole level: level rules in a running daemon, for a while; they go by themselves. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "clock.h"
#include "commands.h"
#include "complain.h"
#include "config.h"
#include "errname.h"
#include "observer.h"
#include "sheet.h"

#define DEFAULT_FOR "10m" /* a rule that nobody takes back must not stay */

/* With column and caret, before the daemon is bothered. */
static bool
check_rules(const char *rules, struct thl_rules *parsed)
{
    struct thl_config_errors errors = {0};
    int rc = thl_config_log("RULES", rules, THL_RULE_RUNTIME, parsed, &errors);
    bool good = rc == 0 && errors.n == 0 && parsed->n > 0;
    for (size_t i = 0; i < errors.kept; i++)
        fprintf(stderr, "%s\n", errors.text[i]); /* escaped where they were made */
    if (rc < 0)
        thl_complain("%s", thl_errname_text(-rc));
    else if (errors.n == 0 && parsed->n == 0)
        thl_complain("level: no rule, for example 'net.http=debug' (\"thole check help\" prints "
                     "the grammar)");
    thl_config_errors_fini(&errors);
    return good;
}

/* A letter, whose rules are NULL where there are none. */
struct letter {
    enum thl_arena_ask ask;
    const char *rules;
    uint64_t ms;
};

/* Sends it; 0 and the daemon's answer with its text. When the daemon did it, *after is a picture of
 * it, empty where there was none to get. */
static int
ask(pid_t pid, const struct letter *letter, int *answer, char *text, struct thl_picture *after)
{
    struct thl_observer observer;
    int rc = thl_observer_open(&observer, pid);
    if (rc == 0)
        rc = thl_observer_ask(&observer, letter->ask, letter->ms, letter->rules);
    if (rc == 0)
        rc = thl_observer_wait(&observer, thl_clock_mono_ms() + THL_MAILBOX_TIMEOUT_MS, answer,
                               text);
    if (rc == -EMSGSIZE)
        thl_complain("level: the rules are too long: at most %zu bytes", THL_MAILBOX_TEXT - 1);
    else if (rc < 0)
        thl_complain_process(pid, rc, &observer.reader);
    if (rc == -ETIMEDOUT)
        thl_complain("the request was withdrawn");
    if (rc == 0 && *answer == 0)
        thl_observer_look(&observer, 0, after);
    thl_observer_close(&observer);
    return rc;
}

/* What ends another day says so. */
static void
format_end(char *out, size_t size, uint64_t ms)
{
    time_t end = (time_t)(thl_clock_unix_ns() / 1000000000 + (int64_t)(ms / 1000));
    struct tm tm;
    if (!localtime_r(&end, &tm) ||
        strftime(out, size, ms < 43200000 ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(out, size, "?");
}

static void
put_line(const char *before, const char *text)
{
    struct thl_sheet sheet;
    thl_sheet_init(&sheet, stdout, false);
    thl_sheet_put(&sheet, THL_STYLE_PLAIN, before);
    thl_sheet_put(&sheet, THL_STYLE_PLAIN, text);
    thl_sheet_end_line(&sheet);
}

static bool
has_logger(const struct thl_picture *picture, const struct thl_rule *rule)
{
    size_t n = rule->name_size;
    for (size_t i = 0; i < picture->nloggers; i++) {
        const char *name = picture->logger[i].name;
        if (strncmp(name, rule->name, n) == 0 && (name[n] == '\0' || name[n] == '.'))
            return true;
    }
    return false;
}

/* A rule for loggers yet to be made is a good one; it may also be a slip. */
static void
remark_names(const struct thl_rules *rules, const struct thl_picture *after)
{
    char line[THL_NAME_MAX + 128];
    for (size_t i = 0; i < rules->n && after->nloggers > 0; i++) {
        const struct thl_rule *rule = &rules->rule[i];
        if (rule->name_size == 0 || has_logger(after, rule))
            continue;
        snprintf(line, sizeof(line), "no logger is named %s yet%s", rule->name,
                 strcmp(rule->name, "root") == 0
                     ? "; the root logger has no name: its level stands alone, as in 'debug'"
                     : ": the rule waits for one");
        put_line(line, "");
    }
}

static int
show_answer(pid_t pid, const char *rules, const char *duration, uint64_t ms, int answer,
            const char *text)
{
    char end[32], line[128];
    if (answer != 0) {
        thl_complain("pid %ld refused the rules: %s", (long)pid,
                     thl_errname_text(-(int64_t)answer));
        thl_complain_lines(text);
        return THL_STATUS_ERROR;
    }
    format_end(end, sizeof(end), ms);
    snprintf(line, sizeof(line), "pid %ld, for %s, until %s: ", (long)pid, duration, end);
    put_line(line, rules);
    if (*text)
        put_line("", text);
    return THL_STATUS_FINE;
}

static int
change(pid_t pid, const char *text, const struct thl_rules *rules, const char *duration,
       uint64_t ms)
{
    char said[THL_MAILBOX_TEXT] = "";
    struct thl_picture after = {0};
    int answer = 0;
    const struct letter letter = {THL_ARENA_ASK_LEVEL, text, ms};
    if (ask(pid, &letter, &answer, said, &after) < 0)
        return THL_STATUS_ERROR;
    if (!duration)
        duration = DEFAULT_FOR " (the default; --for says otherwise)";
    int status = show_answer(pid, text, duration, ms, answer, said);
    remark_names(rules, &after);
    thl_picture_fini(&after);
    return status;
}

static int
set(pid_t pid, const char *text, const char *duration)
{
    struct thl_rules rules = {0};
    uint64_t ms;
    int status = THL_STATUS_ERROR;
    if (thl_arguments_duration("for", duration ? duration : DEFAULT_FOR, 1, &ms) &&
        check_rules(text, &rules))
        status = change(pid, text, &rules, duration, ms);
    thl_config_rules_fini(&rules);
    return status;
}

static int
clear(pid_t pid)
{
    const struct letter letter = {.ask = THL_ARENA_ASK_CLEAR};
    char said[THL_MAILBOX_TEXT] = "", line[64];
    struct thl_picture after = {0};
    int answer = 0;
    if (ask(pid, &letter, &answer, said, &after) < 0)
        return THL_STATUS_ERROR;
    thl_picture_fini(&after);
    if (answer != 0) {
        thl_complain("pid %ld: %s", (long)pid, thl_errname_text(-(int64_t)answer));
        return THL_STATUS_ERROR;
    }
    snprintf(line, sizeof(line), "pid %ld: all rules of thole level are taken back", (long)pid);
    put_line(line, *said ? " (there was none)" : "");
    return THL_STATUS_FINE;
}

int
thl_level_run(int argc, char **argv)
{
    static const char *const words[] = {"the process (a pid, or a program's name)",
                                        "the rule ('net.http=debug')", NULL};
    const char *word[THL_ARGUMENTS_MAX], *duration = NULL;
    bool is_clear = false;
    const struct thl_option options[] = {{"for", &duration, NULL}, {"clear", NULL, &is_clear}};
    const struct thl_arguments arguments = {"level", options, 2, words, 1};
    pid_t pid;
    if (!thl_arguments_read(&arguments, argc, argv, word))
        return THL_STATUS_ERROR;
    if (word[1] && strcmp(word[1], "help") == 0) {
        fputs(thl_config_log_help(), stdout);
        return THL_STATUS_FINE;
    }
    if (is_clear == (word[1] != NULL) || (is_clear && duration)) {
        thl_complain(is_clear ? "level: --clear stands alone: it takes all rules back"
                              : "level: the rule ('net.http=debug') is missing, or --clear");
        return THL_STATUS_ERROR;
    }
    if (!thl_arguments_process(word[0], &pid))
        return THL_STATUS_ERROR;
    return is_clear ? clear(pid) : set(pid, word[1], duration);
}
