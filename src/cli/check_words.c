/* SPDX-License-Identifier: MIT */
/* What a configuration means, in plain words, on stdout. */
#include "check_words.h"

#include <stdio.h>
#include <string.h>

#include "check_look.h"
#include "level.h"
#include "sheet.h"

/* Values come from a command line or an environment: they are escaped like any other data. */
static void
put(const char *text)
{
    struct thl_sheet sheet;
    thl_sheet_init(&sheet, stdout, false);
    thl_sheet_put(&sheet, THL_STYLE_PLAIN, text);
}

static const char *
plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- rules ---- */

/* The rule as it would be written, and who is meant. */
static void
put_rule(const struct thl_rule *rule)
{
    char text[THL_RULE_PUT_MAX];
    struct thl_buf buf;
    enum thole_level level = (enum thole_level)rule->level;
    thl_buf_init(&buf, text, sizeof(text));
    thl_config_rule_put(&buf, rule);
    printf("  %.*s\n    ", (int)buf.size, text);
    if (rule->name[0] && rule->nconditions > 0)
        printf("children of %s and of all below it that match", rule->name);
    else if (rule->nconditions > 0)
        printf("children of every logger that match");
    else if (rule->name[0])
        printf("%s and all below it", rule->name);
    else
        printf("every logger");
    if (level == THOLE_OFF)
        printf(": nothing\n");
    else
        printf(": %s%s\n", thl_level_word(level), level == THOLE_EMERG ? "" : " and above");
}

void
thl_check_words_rules(const char *name, const struct thl_rules *rules)
{
    printf("%s: %zu rule%s; the longer name wins, then more conditions, then the "
           "later\n",
           name, rules->n, plural(rules->n));
    for (size_t i = 0; i < rules->n; i++)
        put_rule(&rules->rule[i]);
}

/* ---- sinks ---- */

static void
put_stream(const struct thl_sink_spec *s)
{
    printf("the program's %s", s->uri.scheme);
}

static void
put_file(const struct thl_sink_spec *s)
{
    printf("appends to the file ");
    put(s->uri.path);
}

static void
put_syslog(const struct thl_sink_spec *s)
{
    printf("the syslog socket ");
    put(s->uri.path[0] ? s->uri.path : "/dev/log");
}

static void
put_udp(const struct thl_sink_spec *s)
{
    printf("UDP datagrams to ");
    put(s->uri.host);
    printf(" port ");
    put(s->uri.port);
}

static void
put_memory(const struct thl_sink_spec *s)
{
    (void)s;
    printf("the process's own memory, for tests");
}

static void
put_null(const struct thl_sink_spec *s)
{
    (void)s;
    printf("nowhere: takes everything, keeps nothing");
}

static void
put_kind(const struct thl_sink_spec *s)
{
    static const struct {
        const char *scheme;
        void (*put)(const struct thl_sink_spec *);
    } kinds[] = {{"stderr", put_stream}, {"stdout", put_stream}, {"file", put_file},
                 {"syslog", put_syslog}, {"udp", put_udp},       {"memory", put_memory},
                 {"null", put_null}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].scheme, s->uri.scheme) == 0) {
            kinds[i].put(s);
            return;
        }
    }
    printf("a sink of the scheme %s", s->uri.scheme);
}

static void
put_format(const struct thl_sink_spec *s, const struct thl_target *target)
{
    bool stream = strcmp(s->uri.scheme, "stderr") == 0 || strcmp(s->uri.scheme, "stdout") == 0;
    bool others = target && target->format_given; /* whichever route to it said so */
    printf("    format  %s", thl_format_word(others ? target->format : s->format));
    if (stream && !s->format_given && !others)
        printf(", but pretty on a terminal");
    if (s->src)
        printf(", with file and line");
    if (s->seq)
        printf(", each record numbered");
    printf("\n");
}

static void
put_route(const struct thl_sink_spec *s)
{
    printf("    takes   ");
    if (s->level == THOLE_OFF)
        printf("nothing (level=off)");
    else if (s->level == THOLE_TRACE)
        printf("whatever the levels let pass");
    else
        printf("%s%s", thl_level_word(s->level), s->level == THOLE_EMERG ? "" : " and above");
    if (s->only[0])
        printf(", of %s and all below it only", s->only);
    if (s->rate)
        printf(", at most %u a second", (unsigned)s->rate);
    printf("\n");
}

static bool
is_syslog_kind(const struct thl_sink_spec *s)
{
    return s->format == THL_FORMAT_RFC5424 || s->format == THL_FORMAT_RFC3164;
}

static const char *
find_param(const struct thl_sink_spec *s, const char *key)
{
    for (size_t i = 0; i < s->uri.nparams; i++)
        if (strcmp(s->uri.params[i].key, key) == 0)
            return s->uri.params[i].value;
    return NULL;
}

static void
put_file_keys(const struct thl_sink_spec *s)
{
    const char *rotate = find_param(s, "rotate"), *keep = find_param(s, "keep");
    const char *sync = find_param(s, "sync");
    if (rotate && strcmp(rotate, "daily") == 0)
        printf("    rotate  with the first record of a day (UTC)");
    else if (rotate)
        printf("    rotate  before it is larger than %s", rotate);
    if (rotate)
        printf("; the last %s rotated files are kept\n", keep ? keep : "7");
    else if (keep)
        printf("    keep    %s, which says nothing without rotate=\n", keep);
    if (sync && sync[0] >= '0' && sync[0] <= '9')
        printf("    sync    records are on the disk within %s ms\n", sync);
    else if (sync && strcmp(sync, "none") != 0)
        printf("    sync    %s and above are on the disk before the next batch\n", sync);
}

static void
put_keys(const struct thl_sink_spec *s)
{
    const bool file = strcmp(s->uri.scheme, "file") == 0;
    if (file)
        put_file_keys(s);
    if (is_syslog_kind(s)) {
        printf("    syslog  facility %d", s->facility);
        if (s->ident[0])
            printf(", ident %s", s->ident);
        if (s->format == THL_FORMAT_RFC5424)
            printf(", fields in [%s]", s->sdid);
        printf("\n");
    }
    if (s->size > 0)
        printf("    longest record %zu bytes\n", s->size);
    for (size_t i = 0; i < s->uri.nparams; i++) {
        const char *key = s->uri.params[i].key;
        if (file &&
            (strcmp(key, "rotate") == 0 || strcmp(key, "keep") == 0 || strcmp(key, "sync") == 0))
            continue; /* said already */
        printf("    %s=", key);
        put(s->uri.params[i].value);
        printf("\n");
    }
}

static const struct thl_target *
find_target(const struct thl_targets *targets, const struct thl_sink_spec *s)
{
    for (size_t i = 0; i < targets->n; i++)
        for (size_t k = 0; k < targets->target[i].nroutes; k++)
            if (targets->target[i].route[k].spec == s)
                return &targets->target[i];
    return NULL;
}

/* What is the same under another spelling. */
static void
put_target(const struct thl_target *target, const struct thl_sink_spec *s)
{
    bool file = strcmp(s->uri.scheme, "file") == 0;
    if (file && strcmp(target->identity, "fd:1") == 0)
        printf("    target  the same as stdout:\n");
    else if (file && strcmp(target->identity, "fd:2") == 0)
        printf("    target  the same as stderr:\n");
    if (target->route[0].spec != s) {
        printf("    target  the same as that of ");
        put(target->route[0].spec->uri.text);
        printf("\n");
        return;
    }
    char text[THL_CHECK_LOOK_MAX];
    const char *remark = thl_check_look(target, text);
    if (!remark)
        return;
    printf("    remark  as things are it cannot be opened: ");
    put(remark);
    printf("\n");
}

void
thl_check_words_sinks(const char *name, const struct thl_sink_specs *specs,
                      const struct thl_targets *targets)
{
    printf("%s: %zu sink%s", name, specs->n, plural(specs->n));
    if (targets->n != specs->n)
        printf(", %zu target%s: a record reaches each once, by the first that takes it", targets->n,
               plural(targets->n));
    printf("\n");
    for (size_t i = 0; i < specs->n; i++) {
        const struct thl_sink_spec *s = &specs->spec[i];
        const struct thl_target *target = find_target(targets, s);
        printf("  ");
        put(s->uri.text);
        printf("\n    what    ");
        put_kind(s);
        printf("\n");
        if (target)
            put_target(target, s);
        put_format(s, target);
        put_route(s);
        put_keys(s);
    }
}

/* ---- limits ---- */

static bool
put_limit(const char *key, const char *meaning, uint64_t value, uint64_t otherwise)
{
    if (value == otherwise)
        return false;
    printf("  %s=%llu: %s (default %llu)\n", key, (unsigned long long)value, meaning,
           (unsigned long long)otherwise);
    return true;
}

void
thl_check_words_limits(const char *name, const struct thl_limits *l)
{
    struct thl_limits d;
    thl_config_limits_default(&d);
    const struct {
        const char *key, *meaning;
        uint64_t value, otherwise;
    } limits[] = {
        {"children", "child loggers alive at once", l->children, d.children},
        {"loggers", "named loggers", l->loggers, d.loggers},
        {"sites", "call sites that are kept by number", l->sites, d.sites},
        {"queues", "threads with a queue of their own, and one that the others share", l->queues,
         d.queues},
        {"context", "bytes of a child's context", thl_config_limits_context(l), d.context},
        {"record", "bytes of the longest record", l->record, d.record},
        {"queue", "bytes of each queue", l->queue, d.queue},
    };
    bool any = l->block || l->site_rate > 0;
    printf("%s:\n", name);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        any |= put_limit(limits[i].key, limits[i].meaning, limits[i].value, limits[i].otherwise);
    if (thl_config_limits_context(l) < l->context)
        printf("    (context=%u was said: a context takes at most half of a record)\n",
               (unsigned)l->context);
    if (l->block)
        printf("  overflow=block:%u: a log call waits up to %u ms for room (default: drop)\n",
               (unsigned)l->block_ms, (unsigned)l->block_ms);
    if (l->site_rate > 0)
        printf("  site-rate=%u/s: records a second of one call site and logger, %u at once, below "
               "%s (default: no limit)\n",
               (unsigned)l->site_rate, (unsigned)l->site_burst,
               thl_level_word((enum thole_level)l->site_below));
    if (!any)
        printf("  every limit has its default\n");
}

/* ---- the grammar ---- */

void
thl_check_words_help(void)
{
    fputs(thl_config_log_help(), stdout);
    fputs(
        "\n"
        "THOLE_SINKS says where the lines go. URIs, separated by blanks (%20 is a blank inside "
        "one):\n"
        "\n"
        "    stderr:  stdout:      pretty on a terminal, else JSON lines; color=auto|always|never\n"
        "    file:PATH             JSON lines; mode=0640, reopen=auto|call, sync=none|LEVEL|MS,\n"
        "                          rotate=SIZE|daily, keep=7 (rotated files)\n"
        "    syslog:[SOCKET]       rfc3164, /dev/log; facility=daemon, ident=NAME\n"
        "    udp://HOST:PORT       rfc5424, port 514; facility=, ident=, sdid=NAME@PEN,\n"
        "                          size=1232 (rfc3164: 1024)\n"
        "    null:  memory:        nowhere; for tests\n"
        "\n"
        "Keys follow a \"?\", with \"&\" between them. Of every sink: level=LEVEL, only=NAME,\n"
        "format=json|logfmt|pretty|rfc5424|rfc3164, src=1 (file and line), seq=1 (numbers),\n"
        "rate=N/s (records a second).\n"
        "\n"
        "    THOLE_SINKS='file:/var/log/d.log syslog:?level=warn'\n"
        "\n"
        "THOLE_LIMITS bounds what is used. KEY=VALUE, separated by commas; K and M are 1024 and\n"
        "1048576. What they are when nothing is said:\n"
        "\n"
        "    children=65536  loggers=1024   alive at once (up to 1044480 and 4096)\n"
        "    context=512     record=8K      bytes of a child's context, of the longest record\n"
        "    queue=1M        queues=64      bytes of a thread's queue, and how many of these\n"
        "    sites=16384                    call sites\n"
        "    overflow=drop                  or block:MS, how long a log call waits for room\n"
        "    site-rate=0                    or N/s[:burst=M][:below=LEVEL]: records a second of\n"
        "                                   one call site and logger, below error if not said\n"
        "\n"
        "An application may have another prefix than THOLE (see --prefix).\n",
        stdout);
}
