/* SPDX-License-Identifier: MIT */
/* Level rules: the grammar of THOLE_LOG, and which rule speaks for a logger. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_text.h"
#include "escape.h"

struct log_text {
    struct thl_config_text t;
    enum thl_rule_source source;
    struct thl_rules *rules;
};

/* Room doubles whenever n is a power of two, so nobody needs to store it; that holds because only
 * this function lets `rules` grow. */
static int
add_rule(const struct log_text *log, struct thl_span name, int level)
{
    struct thl_rules *rules = log->rules;
    if ((rules->n & (rules->n - 1)) == 0) {
        size_t room = rules->n ? 2 * rules->n : 1;
        struct thl_rule *more = realloc(rules->rule, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        rules->rule = more;
    }
    struct thl_rule *rule = &rules->rule[rules->n++];
    *rule = (struct thl_rule){.level = (uint8_t)level, .source = (uint8_t)log->source};
    if (name.n > 0)
        memcpy(rule->name, name.s, name.n);
    return 0;
}

/* ---- one directive ---- */

static bool
check_name(const struct thl_config_text *t, struct thl_span name)
{
    size_t good = thl_config_text_name(name);
    if (good < name.n) {
        const char *bad = name.s + good;
        size_t size = thl_escape_utf8(bad, name.n - good);
        thl_config_text_error(t, bad, "bad character \"%.*s\" in a logger's name (%s)",
                              size ? (int)size : 1, bad,
                              *bad == '*' ? "\"net\" covers all below it, a level alone everything"
                                          : "letters, digits, \"_\", \".\" and \"-\" only");
        return false;
    }
    if (name.n > THL_NAME_MAX) {
        thl_config_text_error(t, name.s, "a logger's name of %zu bytes: at most %d", name.n,
                              THL_NAME_MAX);
        return false;
    }
    return true;
}

/* The level of a value, quoted or not; -1 and an error when there is none. */
static int
read_level(const struct thl_config_text *t, struct thl_span value, const char *hint)
{
    if (value.n > 0 && value.s[0] == '"') {
        const char *open = value.s, *end = value.s + value.n;
        const char *shut = memchr(open + 1, '"', value.n - 1);
        if (!shut) {
            thl_config_text_error(t, open, "no closing quote");
            return -1;
        }
        if (shut + 1 < end) {
            thl_config_text_error(t, shut + 1, "unexpected text after the closing quote");
            return -1;
        }
        value = thl_config_text_trim((struct thl_span){open + 1, (size_t)(shut - open) - 1});
    }
    if (value.n > 0)
        return thl_config_text_level(t, value.s, value, hint);
    thl_config_text_error(t, value.s, "no level (for example \"debug\")");
    return -1;
}

static int
read_lone_level(const struct log_text *log, struct thl_span word)
{
    char hint[128] = "";
    if (thl_config_text_name(word) == word.n) {
        struct thl_config_quote quote = thl_config_text_quote(word);
        snprintf(hint, sizeof(hint), "; for a logger write \"%s=LEVEL\"", quote.text);
    }
    int level = read_level(&log->t, word, hint);
    return level < 0 ? 0 : add_rule(log, (struct thl_span){"", 0}, level);
}

static int
read_named_level(const struct log_text *log, struct thl_span name, const char *equals,
                 struct thl_span value)
{
    if (name.n == 0) {
        thl_config_text_error(&log->t, equals,
                              "no logger's name before \"=\" (a level alone covers everything)");
        return 0;
    }
    if (!check_name(&log->t, name))
        return 0;
    int level = read_level(&log->t, value, "");
    return level < 0 ? 0 : add_rule(log, name, level);
}

/* The first byte of the span that begins something other than a word; its end when there is none.
 */
static const char *
find_mark(struct thl_span span)
{
    const char *p = span.s, *end = span.s + span.n;
    while (p < end && *p != '=' && *p != '{' && *p != '"')
        p++;
    return p;
}

/* 0, or -ENOMEM; what is wrong with the directive itself is said and passed over. */
static int
read_directive(const struct log_text *log, struct thl_span span)
{
    span = thl_config_text_trim(span);
    if (span.n == 0)
        return 0;
    const char *mark = find_mark(span), *end = span.s + span.n;
    struct thl_span name = {span.s, (size_t)(mark - span.s)};
    name = thl_config_text_trim(name);
    if (mark == end || *mark == '"')
        return read_lone_level(log, span);
    if (*mark == '{') {
        if (check_name(&log->t, name))
            thl_config_text_error(&log->t, mark, "conditions are not supported yet");
        return 0;
    }
    struct thl_span value = {mark + 1, (size_t)(end - mark) - 1};
    return read_named_level(log, name, mark, thl_config_text_trim(value));
}

/* ---- the list ---- */

/* The comma that ends the directive at p, or the text's end: braces and quotes hide commas, and so
 * does one that is never closed. */
static const char *
find_end(const char *p)
{
    bool quoted = false, braced = false;
    for (; *p; p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (*p == '{' || *p == '}')
            braced = *p == '{';
        else if (*p == ',' && !braced)
            break;
    }
    return p;
}

int
thl_config_log(const char *label, const char *text, enum thl_rule_source source,
               struct thl_rules *rules, struct thl_config_errors *errors)
{
    struct log_text log = {{label, text, errors}, source, rules};
    if (strcmp(text, "help") == 0)
        return 0;
    for (const char *p = text;;) {
        const char *end = find_end(p);
        int rc = read_directive(&log, (struct thl_span){p, (size_t)(end - p)});
        if (rc < 0 || !*end)
            return rc;
        p = end + 1;
    }
}

void
thl_config_rules_fini(struct thl_rules *rules)
{
    free(rules->rule);
    *rules = (struct thl_rules){0};
}

/* ---- use ---- */

static bool
covers(const struct thl_rule *rule, size_t size, const char *name, size_t n)
{
    return size == 0 ||
           (size <= n && memcmp(rule->name, name, size) == 0 && (size == n || name[size] == '.'));
}

enum thole_level
thl_config_level(const struct thl_rules *rules, const char *name, size_t n,
                 enum thole_level otherwise)
{
    const struct thl_rule *best = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < rules->n; i++) {
        const struct thl_rule *rule = &rules->rule[i];
        size_t size = strlen(rule->name);
        if (!covers(rule, size, name, n))
            continue;
        if (best && (size < longest || (size == longest && rule->source < best->source)))
            continue;
        best = rule;
        longest = size;
    }
    return best ? (enum thole_level)best->level : otherwise;
}

const char *
thl_config_log_help(void)
{
    return "THOLE_LOG says how much each logger writes. Directives, separated by commas:\n"
           "\n"
           "    LEVEL          for everything\n"
           "    NAME=LEVEL     for the logger NAME and all below it: net covers net and net.http,\n"
           "                   never network; loggers that do not exist yet are covered as well\n"
           "\n"
           "Levels: trace debug info notice warn error crit alert emerg, or off. Default: info.\n"
           "The longer name wins; of equal names run time over environment over program, then\n"
           "the later. Blanks around words are fine, and a level may stand in \"quotes\".\n"
           "\n"
           "    THOLE_LOG=debug                      everything from debug upwards\n"
           "    THOLE_LOG=warn,net.http=debug        quiet, but for net.http\n"
           "    THOLE_LOG=info,db=off                without the logger db\n"
           "    THOLE_LOG=help                       this text\n"
           "\n"
           "Where the lines go is THOLE_SINKS, how much memory is used THOLE_LIMITS.\n";
}
