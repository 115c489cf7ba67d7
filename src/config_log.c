/* SPDX-License-Identifier: MIT */
/* Level rules: the grammar of THOLE_LOG, and which rule speaks for a logger or a child. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_condition.h"
#include "escape.h"
#include "level.h"

struct log_text {
    struct thl_config_text t;
    enum thl_rule_source source;
    struct thl_rules *rules;
};

/* Room doubles whenever n is a power of two, so nobody needs to store it; that holds because only
 * this function lets `rules` grow. */
static int
add_rule(const struct log_text *log, const struct thl_rule *rule)
{
    struct thl_rules *rules = log->rules;
    if ((rules->n & (rules->n - 1)) == 0) {
        size_t room = rules->n ? 2 * rules->n : 1;
        struct thl_rule *more = realloc(rules->rule, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        rules->rule = more;
    }
    rules->rule[rules->n++] = *rule;
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

/* Gives the rule its name and the level that `value` names, and adds it. */
static int
finish_rule(const struct log_text *log, struct thl_rule *rule, struct thl_span name,
            struct thl_span value, const char *hint)
{
    int level = read_level(&log->t, value, hint);
    if (level < 0)
        return 0;
    rule->level = (uint8_t)level;
    rule->source = (uint8_t)log->source;
    rule->name_size = (uint8_t)name.n;
    if (name.n > 0)
        memcpy(rule->name, name.s, name.n);
    return add_rule(log, rule);
}

static int
read_lone_level(const struct log_text *log, struct thl_span word)
{
    struct thl_rule rule = {0};
    char hint[128] = "";
    if (thl_config_text_name(word) == word.n) {
        struct thl_config_quote quote = thl_config_text_quote(word);
        snprintf(hint, sizeof(hint), "; for a logger write \"%s=LEVEL\"", quote.text);
    }
    return finish_rule(log, &rule, (struct thl_span){"", 0}, word, hint);
}

static int
read_named_level(const struct log_text *log, struct thl_span name, const char *equals,
                 struct thl_span value)
{
    struct thl_rule rule = {0};
    if (name.n == 0) {
        thl_config_text_error(&log->t, equals,
                              "no logger's name before \"=\" (a level alone covers everything)");
        return 0;
    }
    return check_name(&log->t, name) ? finish_rule(log, &rule, name, value, "") : 0;
}

/* The conditions begin at the first byte of `rest`. */
static int
read_conditional_level(const struct log_text *log, struct thl_span name, struct thl_span rest)
{
    struct thl_rule rule = {0};
    const char *end = rest.s + rest.n;
    if (!check_name(&log->t, name))
        return 0;
    const char *shut = thl_config_condition_read(&log->t, rest, &rule);
    if (!shut)
        return 0;
    rest = thl_config_text_trim(thl_config_text_span(shut + 1, end));
    if (rest.n == 0 || rest.s[0] != '=') {
        thl_config_text_error(&log->t, rest.s, "expected \"=LEVEL\" after the conditions");
        return 0;
    }
    struct thl_span value = thl_config_text_trim(thl_config_text_span(rest.s + 1, end));
    return finish_rule(log, &rule, name, value, "");
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
    if (*mark == '{')
        return read_conditional_level(log, name, thl_config_text_span(mark, end));
    struct thl_span value = {mark + 1, (size_t)(end - mark) - 1};
    return read_named_level(log, name, mark, thl_config_text_trim(value));
}

/* ---- the list ---- */

/* The comma that ends the directive at p, or the text's end: braces and quotes hide commas, and so
 * does one that is never closed. */
static const char *
find_end(const char *p, const char *end)
{
    const char *unclosed;
    for (;;) {
        p = thl_config_text_find(thl_config_text_span(p, end), ",{", &unclosed);
        if (p == end || *p == ',')
            return p;
        p = thl_config_text_find(thl_config_text_span(p, end), "}", &unclosed);
    }
}

int
thl_config_log(const char *label, const char *text, enum thl_rule_source source,
               struct thl_rules *rules, struct thl_config_errors *errors)
{
    struct log_text log = {{label, text, errors}, source, rules};
    const char *end = text + strlen(text);
    if (strcmp(text, "help") == 0)
        return 0;
    for (const char *p = text;;) {
        const char *comma = find_end(p, end);
        int rc = read_directive(&log, thl_config_text_span(p, comma));
        if (rc < 0 || comma == end)
            return rc;
        p = comma + 1;
    }
}

void
thl_config_rules_fini(struct thl_rules *rules)
{
    free(rules->rule);
    *rules = (struct thl_rules){0};
}

void
thl_config_rule_put(struct thl_buf *out, const struct thl_rule *rule)
{
    thl_buf_put(out, rule->name, rule->name_size);
    thl_config_condition_put(out, rule);
    if (rule->name_size > 0 || rule->nconditions > 0)
        thl_buf_putc(out, '=');
    thl_buf_puts(out, thl_level_word((enum thole_level)rule->level));
}

/* ---- use ---- */

static bool
covers(const struct thl_rule *rule, const struct thl_asker *asker)
{
    size_t n = rule->name_size;
    if (n > asker->name_size || memcmp(rule->name, asker->name, n) != 0 ||
        (n > 0 && n < asker->name_size && asker->name[n] != '.'))
        return false;
    return thl_config_condition_hold(rule, asker->context, asker->context_size);
}

/* Whether `rule`, the later of the two, speaks before `best`. */
static bool
goes_before(const struct thl_rule *rule, const struct thl_rule *best)
{
    bool operators = rule->source == THL_RULE_OPERATOR;
    if (operators != (best->source == THL_RULE_OPERATOR))
        return operators;
    if (rule->name_size != best->name_size)
        return rule->name_size > best->name_size;
    if (rule->nconditions != best->nconditions)
        return rule->nconditions > best->nconditions;
    return rule->source >= best->source;
}

const struct thl_rule *
thl_config_speaker(const struct thl_rules *rules, const struct thl_asker *asker,
                   const struct thl_rule *best)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct thl_rule *rule = &rules->rule[i];
        if ((!best || goes_before(rule, best)) && covers(rule, asker))
            best = rule;
    }
    return best;
}

const char *
thl_config_log_help(void)
{
    return "THOLE_LOG says how much each logger writes. Directives, separated by commas:\n"
           "\n"
           "    LEVEL                    for everything\n"
           "    NAME=LEVEL               for the logger NAME and all below it: net covers net and\n"
           "                             net.http, never network; also loggers yet to be made\n"
           "    NAME{KEY=VALUE}=LEVEL    for those children of NAME whose context says so: one\n"
           "                             connection, one peer. {KEY=VALUE,...}: all must match,\n"
           "                             8 at most. Without NAME: for children of all loggers\n"
           "\n"
           "Levels: trace debug info notice warn error crit alert emerg, or off. Default: info.\n"
           "\n"
           "A VALUE is what a line of the log shows for KEY. One that holds a comma, a brace or a\n"
           "quote stands in \"quotes\", and in them \\\" is a quote and \\\\ a backslash. Levels "
           "may be\n"
           "quoted, too. Blanks around words are fine. An address also matches by prefix:\n"
           "\n"
           "    10.0.0.7         this host, any port     ::1        likewise, IPv6\n"
           "    10.0.0.0/8       this network            fe80::/10\n"
           "    10.0.0.7:4123    with this port          [::1]:80\n"
           "\n"
           "Where several rules match, this one speaks:\n"
           "    a child's own thole_set_level(), before all rules;\n"
           "    then the operator's temporary rules (thole level PID ... --for TIME);\n"
           "    then the longer name;\n"
           "    then more conditions;\n"
           "    then run time over environment over program;\n"
           "    then the later.\n"
           "\n"
           "    THOLE_LOG=debug                                   everything from debug upwards\n"
           "    THOLE_LOG=warn,net.http=debug                     quiet, but for net.http\n"
           "    THOLE_LOG=info,db=off                             without the logger db\n"
           "    THOLE_LOG='info,net{peer=10.0.0.0/8}=trace'       all about one network's peers\n"
           "    THOLE_LOG='warn,{user=\"Doe, J.\",conn=17}=debug'   one connection of one user\n"
           "    THOLE_LOG=help                                    this text\n"
           "\n"
           "Where the lines go is THOLE_SINKS, how much memory is used THOLE_LIMITS.\n";
}
