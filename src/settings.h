/* SPDX-License-Identifier: MIT */
/*
 * What a start is made of: the options of thole_start() and the environment, copied and parsed.
 * The only file that reads the environment (secure_getenv: a setuid program ignores it).
 */
#ifndef THL_SETTINGS_H
#define THL_SETTINGS_H

#include "config.h"
#include "target.h"

struct thl_settings {
    char *app, *prefix, *log, *sinks, *limits_text; /* malloc'ed copies of the options, or NULL */
    unsigned flags;
    struct thl_rules rules;
    struct thl_sink_specs specs;
    struct thl_limits limits;
    enum thole_level otherwise; /* the level where no rule speaks */
    bool strict;
    struct thl_target_env env; /* app, host: below */
    char short_name[64], host[256];
    struct thl_config_errors errors;
    struct thl_config_errors said; /* by a start that failed */
};

/* Copies the options; NULL gives all defaults. 0 or -ENOMEM. */
int thl_settings_set_options(struct thl_settings *s, const struct thole_options *opt);

/* The copied options, taken out and put back: a start that fails leaves those of the one before. */
struct thl_settings_texts {
    char *app, *prefix, *log, *sinks, *limits_text;
    unsigned flags;
};
struct thl_settings_texts thl_settings_take_texts(struct thl_settings *s);
void thl_settings_put_texts_back(struct thl_settings *s, const struct thl_settings_texts *texts);
void thl_settings_free_texts(const struct thl_settings_texts *texts);

/* Reads options and environment into rules, specs, limits, errors. 0 or -ENOMEM. */
int thl_settings_read(struct thl_settings *s);

/* Tells of the errors: stderr now, the other sinks when they can. Forgets them, but for direct
 * mode, which does not repeat what a start that failed just said. */
enum thl_settings_user { THL_SETTINGS_START, THL_SETTINGS_FAILED_START, THL_SETTINGS_DIRECT };
void thl_settings_report(struct thl_settings *s, enum thl_settings_user user);

bool thl_settings_limits_differ(const struct thl_limits *a, const struct thl_limits *b);

/* thole_configure(): 0, -EINVAL (reported, nothing changed), -ENOMEM. */
int thl_settings_configure(const char *text);

#endif
