/* SPDX-License-Identifier: MIT */
/* Options and environment. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "logger.h"
#include "notice.h"
#include "scheme.h"
#include "zone.h"

#define DEFAULT_PREFIX "THOLE"
#define LABEL_MAX 96

static char *
copy(const char *s, bool *failed)
{
    char *c = s ? strdup(s) : NULL;
    if (s && !c)
        *failed = true;
    return c;
}

int
thl_settings_set_options(struct thl_settings *s, const struct thole_options *opt)
{
    static const struct thole_options none = {.size = sizeof(none)};
    bool failed = false;
    if (!opt)
        opt = &none;
    char *text[] = {copy(opt->app, &failed), copy(opt->env_prefix, &failed),
                    copy(opt->log, &failed), copy(opt->sinks, &failed), copy(opt->limits, &failed)};
    char **to[] = {&s->app, &s->prefix, &s->log, &s->sinks, &s->limits_text};
    for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        free(failed ? text[i] : *to[i]);
        if (!failed)
            *to[i] = text[i];
    }
    if (!failed)
        s->flags = opt->flags;
    return failed ? -ENOMEM : 0;
}

struct thl_settings_texts
thl_settings_take_texts(struct thl_settings *s)
{
    struct thl_settings_texts t = {s->app, s->prefix, s->log, s->sinks, s->limits_text, s->flags};
    s->app = s->prefix = s->log = s->sinks = s->limits_text = NULL;
    return t;
}

void
thl_settings_free_texts(const struct thl_settings_texts *texts)
{
    free(texts->app);
    free(texts->prefix);
    free(texts->log);
    free(texts->sinks);
    free(texts->limits_text);
}

void
thl_settings_put_texts_back(struct thl_settings *s, const struct thl_settings_texts *texts)
{
    struct thl_settings_texts failed = thl_settings_take_texts(s);
    thl_settings_free_texts(&failed);
    s->app = texts->app;
    s->prefix = texts->prefix;
    s->log = texts->log;
    s->sinks = texts->sinks;
    s->limits_text = texts->limits_text;
    s->flags = texts->flags;
}

/* PREFIX_NAME, or NULL when unset, empty, or not to be read. */
static const char *
variable(const struct thl_settings *s, const char *name, char *label)
{
    snprintf(label, LABEL_MAX, "%s_%s", s->prefix ? s->prefix : DEFAULT_PREFIX, name);
    const char *value = s->flags & THOLE_NO_ENV ? NULL : secure_getenv(label);
    return value && *value ? value : NULL;
}

static bool
is_set(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value;
}

static bool
is_one(const char *name)
{
    const char *value = secure_getenv(name);
    return value && strcmp(value, "1") == 0;
}

static void
read_process(struct thl_settings *s)
{
    const char *term = secure_getenv("TERM");
    snprintf(s->short_name, sizeof(s->short_name), "%s",
             s->app && *s->app ? s->app : program_invocation_short_name);
    if (gethostname(s->host, sizeof(s->host) - 1) < 0)
        s->host[0] = '\0';
    s->env.app = s->short_name;
    s->env.host = s->host;
    s->env.pid = (long)getpid();
    thl_zone_refresh();
    s->env.utc_offset = thl_zone_offset();
    s->env.no_color = is_set("NO_COLOR");
    const char *force = secure_getenv("CLICOLOR_FORCE");
    s->env.force_color = force && *force && strcmp(force, "0") != 0;
    s->env.dumb = term && strcmp(term, "dumb") == 0;
    s->otherwise =
        is_one("DEBUG_INVOCATION") && !(s->flags & THOLE_NO_ENV) ? THOLE_DEBUG : THOLE_INFO;
}

static int
read_rules(struct thl_settings *s)
{
    char label[LABEL_MAX];
    const char *text = variable(s, "LOG", label);
    int rc =
        s->log ? thl_config_log("options.log", s->log, THL_RULE_OPTIONS, &s->rules, &s->errors) : 0;
    if (rc < 0 || !text)
        return rc;
    if (strcmp(text, "help") == 0) {
        thl_console_print("%s", thl_config_log_help());
        return 0;
    }
    return thl_config_log(label, text, THL_RULE_ENV, &s->rules, &s->errors);
}

static int
read_sinks(struct thl_settings *s)
{
    char label[LABEL_MAX];
    const struct thl_scheme_table *schemes = thl_scheme_table();
    const char *text = variable(s, "SINKS", label);
    int rc = 0;
    if (text)
        rc = thl_config_sinks(label, text, schemes, &s->specs, &s->errors);
    else if (s->sinks && *s->sinks)
        rc = thl_config_sinks("options.sinks", s->sinks, schemes, &s->specs, &s->errors);
    if (rc == 0 && s->specs.n == 0) /* nothing said, or nothing valid: never silent */
        rc = thl_config_sinks("default", "stderr:", schemes, &s->specs, &s->errors);
    return rc;
}

static void
read_limits(struct thl_settings *s)
{
    char label[LABEL_MAX];
    const char *text = variable(s, "LIMITS", label);
    thl_config_limits_default(&s->limits);
    if (s->limits_text)
        thl_config_limits("options.limits", s->limits_text, &s->limits, &s->errors);
    if (text)
        thl_config_limits(label, text, &s->limits, &s->errors);
}

static void
read_rest(struct thl_settings *s)
{
    char label[LABEL_MAX];
    const char *text = variable(s, "STATE", label);
    if (text)
        thl_config_error(&s->errors, label, text, 1,
                         "keeping the queue in a file is not built yet");
    text = variable(s, "STRICT", label);
    s->strict = (s->flags & THOLE_STRICT) != 0;
    if (text && strcmp(text, "1") == 0)
        s->strict = true;
    else if (text && strcmp(text, "0") != 0)
        thl_config_error(&s->errors, label, text, 1, "expected 0 or 1");
}

int
thl_settings_read(struct thl_settings *s)
{
    static bool said;
    if (getauxval(AT_SECURE) && !(s->flags & THOLE_NO_ENV) && !said) {
        said = true;
        thl_console_print("thole: a setuid program: the environment is ignored\n");
    }
    thl_config_rules_fini(&s->rules);
    thl_config_sinks_fini(&s->specs);
    read_process(s);
    read_limits(s);
    read_rest(s);
    int rc = read_rules(s);
    return rc < 0 ? rc : read_sinks(s);
}

static bool
was_said(const struct thl_settings *s, const char *text)
{
    for (size_t i = 0; i < s->said.kept; i++)
        if (strcmp(s->said.text[i], text) == 0)
            return true;
    return false;
}

void
thl_settings_report(struct thl_settings *s, enum thl_settings_user user)
{
    for (size_t i = 0; i < s->errors.kept; i++) {
        if (user == THL_SETTINGS_DIRECT && was_said(s, s->errors.text[i]))
            continue;
        thl_console_print("%s\n", s->errors.text[i]);
        thl_notice_config_error(s->errors.text[i]);
    }
    if (s->errors.n > s->errors.kept)
        thl_console_print("thole: %zu more configuration errors\n", s->errors.n - s->errors.kept);
    thl_config_errors_fini(&s->said);
    if (user == THL_SETTINGS_FAILED_START)
        s->said = s->errors;
    else
        thl_config_errors_fini(&s->errors);
    s->errors = (struct thl_config_errors){0};
}

bool
thl_settings_limits_differ(const struct thl_limits *a, const struct thl_limits *b)
{
    return a->children != b->children || a->loggers != b->loggers || a->sites != b->sites ||
           a->queues != b->queues || a->context != b->context || a->record != b->record ||
           a->queue != b->queue || a->block != b->block || a->block_ms != b->block_ms ||
           a->site_rate != b->site_rate || a->site_burst != b->site_burst ||
           a->site_below != b->site_below;
}

int
thl_settings_configure(const char *text)
{
    struct thl_rules rules = {0};
    struct thl_config_errors errors = {0};
    int rc = text ? thl_config_log("thole_configure", text, THL_RULE_RUNTIME, &rules, &errors) : 0;
    if (rc == 0 && errors.n > 0)
        rc = -EINVAL;
    for (size_t i = 0; i < errors.kept; i++) {
        thl_console_print("%s\n", errors.text[i]);
        thl_notice_config_error(errors.text[i]);
    }
    if (rc == 0)
        rc = thl_logger_configure(&rules);
    thl_config_errors_fini(&errors);
    thl_config_rules_fini(&rules);
    return rc;
}
