/* SPDX-License-Identifier: MIT */
/* The words of a command line. */
#include "arguments.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "complain.h"
#include "config.h"
#include "find.h"
#include "quantity.h"

#define OPTIONS_MAX 8

/* ---- options ---- */

static bool
refuse_option(const struct thl_arguments *a, const char *name, size_t n)
{
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (; count < a->noptions && count < OPTIONS_MAX; count++)
        names[count] = a->option[count].name;
    const char *near = thl_config_suggest(name, n, names, count);
    if (near)
        thl_complain("%s: unknown option \"--%.*s\" (did you mean \"--%s\"?)", a->command, (int)n,
                     name, near);
    else
        thl_complain("%s: unknown option \"--%.*s\"; \"thole help %s\" lists them", a->command,
                     (int)n, name, a->command);
    return false;
}

/* Reads the option at argv[*i], and its value. */
static bool
read_option(const struct thl_arguments *a, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    for (size_t k = 0; k < a->noptions; k++) {
        const struct thl_option *o = &a->option[k];
        if (strlen(o->name) != n || memcmp(o->name, name, n) != 0)
            continue;
        if (!o->value && !equals) {
            *o->given = true;
            return true;
        }
        if (!o->value) {
            thl_complain("%s: --%s takes no value", a->command, o->name);
            return false;
        }
        if (!equals && *i + 1 >= argc) {
            thl_complain("%s: --%s needs a value", a->command, o->name);
            return false;
        }
        *o->value = equals ? equals + 1 : argv[++*i];
        return true;
    }
    return refuse_option(a, name, n);
}

bool
thl_arguments_read(const struct thl_arguments *a, int argc, char **argv,
                   const char *word[THL_ARGUMENTS_MAX])
{
    size_t n = 0;
    bool words_only = false;
    memset(word, 0, THL_ARGUMENTS_MAX * sizeof(*word));
    for (int i = 1; i < argc; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0) {
            words_only = true;
        } else if (!words_only && strncmp(argv[i], "--", 2) == 0) {
            if (!read_option(a, argc, argv, &i))
                return false;
        } else if (!words_only && argv[i][0] == '-' && argv[i][1] != '\0') {
            thl_complain("%s: unknown option \"%s\"; options begin with two dashes", a->command,
                         argv[i]);
            return false;
        } else if (n < THL_ARGUMENTS_MAX && a->words[n]) {
            word[n++] = argv[i];
        } else {
            thl_complain("%s: \"%s\" is one word too many (put quotes around what has blanks)",
                         a->command, argv[i]);
            return false;
        }
    }
    if (n < a->least) {
        thl_complain("%s: %s is missing; \"thole help %s\" says more", a->command, a->words[n],
                     a->command);
        return false;
    }
    return true;
}

/* What is wrong with one that was refused, where that has a name. */
static const char *
explain_duration(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && text[digits] == '\0')
        return "no unit; ";
    return digits > 0 && strchr(".,", text[digits]) ? "no fractions, take a smaller unit; " : "";
}

bool
thl_arguments_duration(const char *name, const char *text, uint64_t least_ms, uint64_t *ms)
{
    if (!thl_quantity_parse_duration(text, ms)) {
        thl_complain("--%s %s: %sexpected " THL_QUANTITY_DURATIONS ", at most 365d", name, text,
                     explain_duration(text));
        return false;
    }
    if (*ms < least_ms) {
        thl_complain("--%s %s: expected %llums or more", name, text, (unsigned long long)least_ms);
        return false;
    }
    return true;
}

/* ---- processes ---- */

#define NAMED_MAX 8 /* pids that a message lists */

struct named {
    const char *app;
    pid_t pid[NAMED_MAX];
    size_t n;
    bool refused; /* some processes were not ours to look into */
};

static void
compare_app(void *arg, pid_t pid)
{
    struct named *named = arg;
    struct thl_arena_reader reader;
    int rc = thl_find_arena(pid, &reader);
    if (rc == -EACCES || rc == -ENOLINK)
        named->refused = true;
    if (rc == 0 && strcmp(reader.header.app, named->app) == 0) {
        if (named->n < NAMED_MAX)
            named->pid[named->n] = pid;
        named->n++;
    }
    thl_arena_reader_close(&reader);
}

static void
complain_ambiguity(const struct named *named)
{
    char list[NAMED_MAX * 12 + 4] = "";
    size_t used = 0;
    for (size_t i = 0; i < named->n && i < NAMED_MAX; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, " %ld", (long)named->pid[i]);
    thl_complain("%zu processes of the name \"%s\" log through thole: say which by its pid:%s%s",
                 named->n, named->app, list, named->n > NAMED_MAX ? " ..." : "");
}

bool
thl_arguments_process(const char *word, pid_t *pid)
{
    char *end;
    errno = 0;
    long number = strtol(word, &end, 10);
    if (end != word && *end == '\0') {
        if (errno == 0 && number > 0 && number <= INT_MAX) {
            *pid = (pid_t)number;
            return true;
        }
        thl_complain("\"%s\" is no pid", word);
        return false;
    }
    struct named named = {.app = word};
    thl_find_each(compare_app, &named);
    if (named.n == 1) {
        *pid = named.pid[0];
        return true;
    }
    if (named.n > 1)
        complain_ambiguity(&named);
    else
        thl_complain("no process of the name \"%s\" logs through thole%s", word,
                     named.refused ? " among those that you may look into (run thole as root)"
                                   : " (\"thole ls\" lists those that do)");
    return false;
}
