/* SPDX-License-Identifier: MIT */
/* URIs -> targets, routes, styles. */
#include "target.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "errname.h"
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

/* A long one ends with "...", on a UTF-8 boundary. */
static void
copy_name(char *to, size_t room, const char *text)
{
    size_t n = strlen(text), cut = room - sizeof("...");
    if (n < room) {
        copy_text(to, room, text);
        return;
    }
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    memcpy(to, text, cut);
    memcpy(to + cut, "...", sizeof("..."));
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
make_style(const struct thl_sink_spec *spec, const struct thl_target *target,
           const struct thl_target_env *env)
{
    int fd = descriptor_of(target->identity);
    bool stream = spec->ops == &thl_sink_stderr || spec->ops == &thl_sink_stdout;
    bool terminal = stream && isatty(fd);
    struct thl_format_options o = {.format = target->format_given ? target->format : spec->format};
    if (terminal && !target->format_given)
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

/* Numbered lines (seq=1) are a target's own, so they share with nobody. There is room for a style
 * of each route. */
static unsigned
find_or_add_style(struct thl_targets *targets, const struct thl_format_options *style, bool alone)
{
    for (unsigned i = 0; i < targets->nstyles && !alone; i++)
        if (!targets->numbered[i] && same_style(&targets->style[i], style))
            return i;
    targets->style[targets->nstyles] = *style;
    targets->numbered[targets->nstyles] = alone;
    return (unsigned)targets->nstyles++;
}

/* ---- targets ---- */

static const char *
param_of(const struct thole_sink_uri *uri, const char *key)
{
    for (size_t i = 0; i < uri->nparams; i++)
        if (strcmp(uri->params[i].key, key) == 0)
            return uri->params[i].value;
    return NULL;
}

static bool
is_lines(const struct thole_sink_ops *ops)
{
    return (ops->flags & THOLE_SINK_LINES) != 0;
}

/* The key that a URI and those before it disagree about, or NULL. */
static const char *
find_conflict(const struct thl_target *target, const struct thl_sink_spec *spec)
{
    if (is_lines(spec->ops) && target->format_given && spec->format_given &&
        target->format != spec->format)
        return "format";
    for (size_t i = 0; i < spec->uri.nparams; i++) {
        const char *value = param_of(&target->uri, spec->uri.params[i].key);
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

/* A daemon goes to another folder soon after its start; its files stay where they were named. */
static void
anchor_path(struct thl_target *target)
{
    const char *path = target->uri.path;
    if (!*path || *path == '/' || !getcwd(target->path, sizeof(target->path)))
        return;
    size_t n = strlen(target->path), size = strlen(path) + 1;
    if (n + 1 + size > sizeof(target->path))
        return;
    target->path[n] = '/';
    memcpy(target->path + n + 1, path, size);
    target->uri.path = target->path;
}

static struct thl_target *
add_target(struct thl_targets *targets, const struct thl_sink_spec *spec, const char *identity)
{
    struct thl_target *target = &targets->target[targets->n++];
    target->ops = spec->ops;
    target->uri = spec->uri;
    target->uri.nparams = 0;
    target->uri.params = target->param;
    if (spec->ops == &thl_sink_file || spec->ops == &thl_sink_syslog)
        anchor_path(target);
    target->is_stderr = strcmp(identity, "fd:2") == 0;
    copy_name(target->name, sizeof(target->name), spec->uri.text);
    copy_text(target->identity, sizeof(target->identity), identity);
    return target;
}

/* What belongs to the target holds for all routes to it, whichever of them says it. */
static void
add_keys(struct thl_target *target, const struct thl_sink_spec *spec)
{
    for (size_t i = 0; i < spec->uri.nparams && target->uri.nparams < THL_PARAMS; i++)
        if (!param_of(&target->uri, spec->uri.params[i].key))
            target->param[target->uri.nparams++] = spec->uri.params[i];
    if (spec->format_given && is_lines(spec->ops)) {
        target->format = spec->format;
        target->format_given = true;
    }
    target->seq |= spec->seq;
}

static void
add_route(struct thl_target *target, const struct thl_sink_spec *spec)
{
    struct thl_route *route = &target->route[target->nroutes++];
    route->spec = spec;
    route->level = spec->level;
    route->only = spec->only;
    route->only_size = strlen(spec->only);
    route->rate = spec->rate;
}

static void
add_spec(struct thl_targets *targets, const struct thl_sink_spec *spec,
         struct thl_config_errors *errors)
{
    char identity[sizeof(targets->target[0].identity)];
    identify(identity, sizeof(identity), spec);
    struct thl_target *target = find_target(targets, identity);
    const char *conflict = target ? find_conflict(target, spec) : NULL;
    if (conflict) {
        thl_config_error(errors, spec->label, spec->text, spec->column,
                         "%s= of %s contradicts %s, which is the same target: left out", conflict,
                         spec->uri.text, target->uri.text);
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
    if (!target)
        target = add_target(targets, spec, identity);
    add_keys(target, spec);
    add_route(target, spec);
}

/* When all routes are known, and with them the target's format. */
static void
set_styles(struct thl_targets *targets, struct thl_target *target, const struct thl_target_env *env)
{
    for (size_t i = 0; i < target->nroutes; i++) {
        struct thl_route *route = &target->route[i];
        struct thl_format_options style = make_style(route->spec, target, env);
        route->style = find_or_add_style(targets, &style, target->seq);
    }
    target->plain = target->nroutes == 1 && target->route[0].only_size == 0;
}

static bool
has_style(const struct thl_target *target, unsigned style)
{
    for (size_t i = 0; i < target->nroutes; i++)
        if (target->route[i].style == style)
            return true;
    return false;
}

static void
find_lonely_styles(struct thl_targets *targets)
{
    for (unsigned style = 0; style < targets->nstyles; style++) {
        unsigned n = 0;
        for (size_t i = 0; i < targets->n; i++)
            n += has_style(&targets->target[i], style);
        targets->alone[style] = n == 1 && !targets->numbered[style];
    }
}

void
thl_target_build(struct thl_targets *targets, const struct thl_sink_specs *specs,
                 const struct thl_target_env *env, struct thl_config_errors *errors)
{
    memset(targets, 0, sizeof(*targets));
    for (size_t i = 0; i < specs->n; i++)
        add_spec(targets, &specs->spec[i], errors);
    for (size_t i = 0; i < targets->n; i++)
        set_styles(targets, &targets->target[i], env);
    find_lonely_styles(targets);
}

static bool
covers(const struct thl_route *route, const char *logger, size_t size)
{
    size_t n = route->only_size;
    return n == 0 ||
           (size >= n && memcmp(logger, route->only, n) == 0 && (size == n || logger[n] == '.'));
}

struct thl_route *
thl_target_find_route(struct thl_target *target, enum thole_level level, const char *logger,
                      size_t logger_size, bool notice)
{
    for (size_t i = 0; i < target->nroutes; i++) {
        struct thl_route *route = &target->route[i];
        if (notice || (level >= route->level && covers(route, logger, logger_size)))
            return route;
    }
    return NULL;
}

bool
thl_target_takes_all(const struct thl_target *target, enum thole_level level)
{
    for (size_t i = 0; i < target->nroutes; i++) {
        const struct thl_route *route = &target->route[i];
        if (level < route->level)
            continue;
        if (route->rate > 0)
            return false;
        if (route->only_size == 0)
            return true;
    }
    return false;
}

const char *
thl_target_explain(const struct thl_target *target, int error)
{
    const char *text = target->ops->explain ? target->ops->explain(error) : NULL;
    return text ? text : thl_errname_text(error);
}

/* In units of 1/rate milliseconds a record costs 1000 of them, and a second has rate * 1000. */
bool
thl_target_admit(struct thl_route *route, int64_t now_ms)
{
    const int64_t cost = 1000, second = (int64_t)route->rate * 1000;
    int64_t now = now_ms * route->rate;
    if (route->worked_off < now || route->worked_off > now + second) /* a test's clock set back */
        route->worked_off = now;
    if (route->worked_off + cost - now > second)
        return false;
    route->worked_off += cost;
    return true;
}
