/* SPDX-License-Identifier: MIT */
/* thole check: parses a configuration and says what it means, or where it is wrong. */
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "check_words.h"
#include "commands.h"
#include "complain.h"
#include "environment.h"
#include "errname.h"
#include "scheme.h"
#include "target.h"

#define PREFIX "THOLE"
#define LABEL_MAX 96
#define DEFAULT_SINKS "stderr:, pretty on a terminal, JSON lines otherwise"
#define DEFAULT_LOG "every logger writes info and above"
#define DEFAULT_LIMITS "every limit has its default"

/* The texts to check; NULL: not given. `wanted`: say also what those that are unset mean. */
struct texts {
    const char *prefix;
    const char *sinks, *log, *limits, *strict, *state;
    bool wanted;
};

struct checking {
    const struct texts *texts;
    struct thl_config_errors errors;
    int rc; /* -ENOMEM */
};

/* A variable that says nothing is passed over, as the daemon does. False when the text is there. */
static bool
is_unset(const struct checking *c, const char *name, const char *text, const char *then)
{
    if (text && *text)
        return false;
    if (text)
        printf("%s is empty, which means unset: %s\n", name, then);
    else if (c->texts->wanted)
        printf("%s is unset: %s\n", name, then);
    return true;
}

static const char *
label(const struct texts *t, const char *name, char out[LABEL_MAX])
{
    snprintf(out, LABEL_MAX, "%s_%s", t->prefix, name);
    return out;
}

/* ---- one variable each ---- */

static void
check_log(struct checking *c)
{
    char name[LABEL_MAX];
    struct thl_rules rules = {0};
    size_t before = c->errors.n;
    label(c->texts, "LOG", name);
    if (is_unset(c, name, c->texts->log, DEFAULT_LOG))
        return;
    if (strcmp(c->texts->log, "help") == 0) {
        printf("%s=help prints the grammar, and means as much as unset\n", name);
        return;
    }
    c->rc = thl_config_log(name, c->texts->log, THL_RULE_ENV, &rules, &c->errors);
    bool good = c->rc == 0 && c->errors.n == before;
    if (good && rules.n == 0)
        printf("%s has no rule in it: %s\n", name, DEFAULT_LOG);
    else if (good)
        thl_check_words_rules(name, &rules);
    thl_config_rules_fini(&rules);
}

/* Targets as thole_start() makes them: URIs that contradict one another are found, and names of
 * hosts are looked up. */
static void
check_targets(struct checking *c, const char *name, const struct thl_sink_specs *specs)
{
    static struct thl_targets targets; /* large */
    const struct thl_target_env env = {.app = "thole", .host = ""};
    size_t before = c->errors.n;
    thl_target_build(&targets, specs, &env, &c->errors);
    if (c->errors.n == before)
        thl_check_words_sinks(name, specs, &targets);
}

static void
check_sinks(struct checking *c)
{
    char name[LABEL_MAX];
    struct thl_sink_specs specs = {0};
    size_t before = c->errors.n;
    label(c->texts, "SINKS", name);
    if (is_unset(c, name, c->texts->sinks, DEFAULT_SINKS))
        return;
    c->rc = thl_config_sinks(name, c->texts->sinks, thl_scheme_table(), &specs, &c->errors);
    bool good = c->rc == 0 && c->errors.n == before;
    if (good && specs.n == 0)
        printf("%s has no sink in it: %s\n", name, DEFAULT_SINKS);
    else if (good)
        check_targets(c, name, &specs);
    thl_config_sinks_fini(&specs);
}

static void
check_limits(struct checking *c)
{
    char name[LABEL_MAX];
    struct thl_limits limits;
    size_t before = c->errors.n;
    label(c->texts, "LIMITS", name);
    if (is_unset(c, name, c->texts->limits, DEFAULT_LIMITS))
        return;
    thl_config_limits_default(&limits);
    thl_config_limits(name, c->texts->limits, &limits, &c->errors);
    if (c->errors.n == before)
        thl_check_words_limits(name, &limits);
}

static void
check_strict(struct checking *c)
{
    char name[LABEL_MAX];
    const char *strict = c->texts->strict;
    label(c->texts, "STRICT", name);
    if (!strict)
        return;
    if (strcmp(strict, "0") != 0 && strcmp(strict, "1") != 0)
        thl_config_error(&c->errors, name, strict, 1, "expected 0 or 1");
    else if (*strict == '1')
        printf("%s=1: an error in the configuration makes thole_start() fail\n", name);
}

/* The words of settings.c, which the daemon prints. */
static void
check_state(struct checking *c)
{
    char name[LABEL_MAX];
    if (c->texts->state)
        thl_config_error(&c->errors, label(c->texts, "STATE", name), c->texts->state, 1,
                         "keeping the queue in a file is not built yet");
}

static int
check(const struct texts *texts)
{
    struct checking c = {.texts = texts};
    void (*const part[])(struct checking *) = {check_log, check_sinks, check_limits, check_strict,
                                               check_state};
    for (size_t i = 0; i < sizeof(part) / sizeof(part[0]) && c.rc == 0; i++)
        part[i](&c);
    fflush(stdout);
    if (c.rc < 0)
        thl_complain("%s", thl_errname_text(-c.rc));
    for (size_t i = 0; i < c.errors.kept; i++)
        fprintf(stderr, "%s\n", c.errors.text[i]); /* escaped where they were made */
    if (c.errors.n > c.errors.kept)
        thl_complain("%zu more errors", c.errors.n - c.errors.kept);
    int status = c.errors.n > 0 || c.rc < 0 ? THL_STATUS_ERROR : THL_STATUS_FINE;
    thl_config_errors_fini(&c.errors);
    return status;
}

/* ---- the command ---- */

static void
read_environment(struct texts *t)
{
    t->log = thl_environment_setting(t->prefix, "LOG");
    t->sinks = thl_environment_setting(t->prefix, "SINKS");
    t->limits = thl_environment_setting(t->prefix, "LIMITS");
    t->strict = thl_environment_setting(t->prefix, "STRICT");
    t->state = thl_environment_setting(t->prefix, "STATE");
    t->wanted = true;
}

int
thl_check_run(int argc, char **argv)
{
    static const char *const words[] = {"SINKS", NULL};
    const char *word[THL_ARGUMENTS_MAX];
    struct texts t = {.prefix = PREFIX};
    bool env = false;
    const struct thl_option options[] = {{"sinks", &t.sinks, NULL},
                                         {"log", &t.log, NULL},
                                         {"limits", &t.limits, NULL},
                                         {"env", NULL, &env},
                                         {"prefix", &t.prefix, NULL}};
    const struct thl_arguments arguments = {"check", options, 5, words, 0};
    if (!thl_arguments_read(&arguments, argc, argv, word))
        return THL_STATUS_ERROR;
    bool given = t.sinks || t.log || t.limits;
    if ((word[0] && strcmp(word[0], "help") == 0) || (!word[0] && !given && !env)) {
        thl_check_words_help();
        return THL_STATUS_FINE;
    }
    if ((env && (given || word[0])) || (word[0] && t.sinks)) {
        thl_complain("check: give sinks once, and --env alone");
        return THL_STATUS_ERROR;
    }
    if (word[0])
        t.sinks = word[0];
    if (env)
        read_environment(&t);
    return check(&t);
}
