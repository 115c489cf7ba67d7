/* SPDX-License-Identifier: MIT */
/* URIs -> targets, routes, styles. */
#include "target.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scheme.h"

static void
copy_text(char *to, size_t room, const char *from)
{
    size_t n = strlen(from);
    if (n >= room)
        n = room - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

/* What is the same for two spellings of one target. */
static void
identify(char *out, size_t size, const struct thl_sink_spec *spec)
{
    if (spec->ops->identify && spec->ops->identify(&spec->uri, out, size) == 0)
        return;
    snprintf(out, size, "%s:%s//%s:%s", spec->uri.scheme, spec->uri.path, spec->uri.host,
             spec->uri.port);
}

static int
descriptor_of(const char *identity)
{
    if (strcmp(identity, "fd:1") == 0)
        return STDOUT_FILENO;
    return strcmp(identity, "fd:2") == 0 ? STDERR_FILENO : -1;
}

/* ---- styles ---- */

static bool
wants_color(const struct thl_sink_spec *spec, bool terminal, const struct thl_target_env *env)
{
    if (spec->color != THL_COLOR_AUTO)
        return spec->color == THL_COLOR_ALWAYS;
    if (env->no_color)
        return false;
    return env->force_color || (terminal && !env->dumb);
}

static bool
same_style(const struct thl_format_options *a, const struct thl_format_options *b)
{
    return a->format == b->format && a->src == b->src && a->color == b->color &&
           a->max_bytes == b->max_bytes && a->facility == b->facility &&
           strcmp(a->app, b->app) == 0 && strcmp(a->sdid, b->sdid) == 0;
}

static struct thl_format_options
make_style(const struct thl_sink_spec *spec, const char *identity, const struct thl_target_env *env)
{
    int fd = descriptor_of(identity);
    bool stream = spec->ops == &thl_sink_stderr || spec->ops == &thl_sink_stdout;
    bool terminal = stream && isatty(fd);
    struct thl_format_options o = {.format = spec->format};
    if (terminal && !spec->format_given)
        o.format = THL_FORMAT_PRETTY;
    o.color = o.format == THL_FORMAT_PRETTY && wants_color(spec, terminal, env);
    o.src = spec->src;
    o.max_bytes = spec->size;
    o.facility = spec->facility;
    o.app = spec->ident[0] ? spec->ident : env->app;
    o.host = env->host;
    o.sdid = spec->sdid;
    o.pid = env->pid;
    o.utc_offset = env->utc_offset;
    return o;
}

/* Numbered lines (seq=1) are a target's own, so they share with nobody. */
static unsigned
find_or_add_style(struct thl_targets *targets, const struct thl_format_options *style, bool alone)
{
    for (unsigned i = 0; i < targets->nstyles && !alone; i++)
        if (same_style(&targets->style[i], style))
            return i;
    if (targets->nstyles == THL_STYLES)
        return THL_STYLES - 1;
    targets->style[targets->nstyles] = *style;
    return (unsigned)targets->nstyles++;
}

/* ---- targets ---- */

static const char *
param_of(const struct thl_sink_spec *spec, const char *key)
{
    for (size_t i = 0; i < spec->uri.nparams; i++)
        if (strcmp(spec->uri.params[i].key, key) == 0)
            return spec->uri.params[i].value;
    return NULL;
}

/* The key that two URIs of one target disagree about, or NULL. A key that only one names is fine.
 */
static const char *
find_conflict(const struct thl_sink_spec *first, const struct thl_sink_spec *spec)
{
    if (first->ops->flags & THOLE_SINK_LINES && first->format_given && spec->format_given &&
        first->format != spec->format)
        return "format";
    for (size_t i = 0; i < spec->uri.nparams; i++) {
        const char *value = param_of(first, spec->uri.params[i].key);
        if (value && strcmp(value, spec->uri.params[i].value) != 0)
            return spec->uri.params[i].key;
    }
    return NULL;
}

static struct thl_target *
find_target(struct thl_targets *targets, const char *identity)
{
    for (size_t i = 0; i < targets->n; i++)
        if (strcmp(targets->target[i].identity, identity) == 0)
            return &targets->target[i];
    return NULL;
}

static void
add_route(struct thl_targets *targets, struct thl_target *target, const struct thl_sink_spec *spec,
          const struct thl_target_env *env)
{
    struct thl_route *route = &target->route[target->nroutes++];
    struct thl_format_options style = make_style(spec, target->identity, env);
    if (target->spec != spec && !spec->format_given)
        style.format = targets->style[target->route[0].style].format;
    target->seq |= spec->seq;
    route->level = spec->level;
    route->only = spec->only;
    route->only_size = strlen(spec->only);
    route->style = find_or_add_style(targets, &style, target->seq);
}

static void
add_spec(struct thl_targets *targets, const struct thl_sink_spec *spec,
         const struct thl_target_env *env, struct thl_config_errors *errors)
{
    char identity[sizeof(targets->target[0].identity)];
    identify(identity, sizeof(identity), spec);
    struct thl_target *target = find_target(targets, identity);
    const char *conflict = target ? find_conflict(target->spec, spec) : NULL;
    if (conflict) {
        thl_config_error(errors, spec->label, spec->text, spec->column,
                         "%s= of %s contradicts %s, which is the same target", conflict,
                         spec->uri.text, target->spec->uri.text);
        return;
    }
    if (!target && targets->n == THL_TARGETS) {
        thl_config_error(errors, spec->label, spec->text, spec->column,
                         "more than %d targets: %s left out", THL_TARGETS, spec->uri.text);
        return;
    }
    if (target && target->nroutes == THL_ROUTES) {
        thl_config_error(errors, spec->label, spec->text, spec->column,
                         "more than %d routes to one target: %s left out", THL_ROUTES,
                         spec->uri.text);
        return;
    }
    if (!target) {
        target = &targets->target[targets->n++];
        target->spec = spec;
        target->is_stderr = strcmp(identity, "fd:2") == 0;
        copy_text(target->name, sizeof(target->name), spec->uri.text);
        copy_text(target->identity, sizeof(target->identity), identity);
    }
    add_route(targets, target, spec, env);
}

void
thl_target_build(struct thl_targets *targets, const struct thl_sink_specs *specs,
                 const struct thl_target_env *env, struct thl_config_errors *errors)
{
    memset(targets, 0, sizeof(*targets));
    for (size_t i = 0; i < specs->n; i++)
        add_spec(targets, &specs->spec[i], env, errors);
}

static bool
covers(const struct thl_route *route, const char *logger, size_t size)
{
    size_t n = route->only_size;
    return n == 0 ||
           (size >= n && memcmp(logger, route->only, n) == 0 && (size == n || logger[n] == '.'));
}

const struct thl_route *
thl_target_route(const struct thl_target *target, enum thole_level level, const char *logger,
                 size_t logger_size, bool notice)
{
    for (size_t i = 0; i < target->nroutes; i++) {
        const struct thl_route *route = &target->route[i];
        if (notice || (level >= route->level && covers(route, logger, logger_size)))
            return route;
    }
    return NULL;
}
