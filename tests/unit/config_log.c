/* SPDX-License-Identifier: MIT */
/* THOLE_LOG: what is accepted, what is refused and with which words, which rule speaks. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

struct parsed {
    struct thl_rules rules;
    struct thl_config_errors errors;
};

static void
parse_as(struct parsed *p, const char *text, enum thl_rule_source source)
{
    cr_assert_eq(thl_config_log("THOLE_LOG", text, source, &p->rules, &p->errors), 0);
}

static struct parsed
parse(const char *text)
{
    struct parsed p = {0};
    parse_as(&p, text, THL_RULE_ENV);
    return p;
}

static void
fini(struct parsed *p)
{
    thl_config_rules_fini(&p->rules);
    thl_config_errors_fini(&p->errors);
}

static int
level_of(const struct parsed *p, const char *name)
{
    const struct thl_asker asker = {.name = name, .name_size = strlen(name)};
    const struct thl_rule *speaker = thl_config_speaker(&p->rules, &asker, NULL);
    return speaker ? speaker->level : THOLE_INFO;
}

#define LEVELS "trace, debug, info, notice, warn, error, crit, alert, emerg or off"
#define EXAMPLE "(for example \"peer=10.0.0.0/8\")"
#define CHARACTERS "(letters, digits, \"_\", \".\" and \"-\" only)"

THL_TEST(config_log, wrong_value_gives_one_positioned_message)
{
    static const struct {
        const char *text;
        int column;
        const char *what;
    } rows[] = {
        {"info,net=debgu", 10, "unknown level \"debgu\" (did you mean \"debug\"?)"},
        {"wran", 1, "unknown level \"wran\" (did you mean \"warn\"?)"},
        {"info,foo", 6,
         "unknown level \"foo\" (expected " LEVELS "; for a logger write \"foo=LEVEL\")"},
        {"a=7", 3, "unknown level \"7\" (expected " LEVELS ")"},
        {"net=", 5, "no level (for example \"debug\")"},
        {"net= ,info", 5, "no level (for example \"debug\")"},
        {"net=\"\"", 6, "no level (for example \"debug\")"},
        {"info,=debug", 6, "no logger's name before \"=\" (a level alone covers everything)"},
        {"net{peer=1.2.3.4,info", 4, "no closing brace"},
        {"net{peer=\"1.2.3.4}=trace,info", 10, "no closing quote"},
        {"net{}=debug", 4, "no condition in the braces " EXAMPLE},
        {"net{ , }=debug", 4, "no condition in the braces " EXAMPLE},
        {"net{peer}=debug", 9, "no value for \"peer\" " EXAMPLE},
        {"net{peer= }=debug", 10, "no value for \"peer\" " EXAMPLE},
        {"net{peer=,a=1}=debug", 10, "no value for \"peer\" " EXAMPLE},
        {"net{=1.2.3.4}=debug", 5, "no key " EXAMPLE},
        {"net{\"\"=1.2.3.4}=debug", 5, "no key " EXAMPLE},
        {"net{peer=1.2.3.4}", 18, "expected \"=LEVEL\" after the conditions"},
        {"net{peer=1.2.3.4}debug", 18, "expected \"=LEVEL\" after the conditions"},
        {"net{peer=1.2.3.4}=", 19, "no level (for example \"debug\")"},
        {"net{peer=1.2.3.4}=debgu", 19, "unknown level \"debgu\" (did you mean \"debug\"?)"},
        {"net{peer=10.0.0.0/33}=debug", 19, "bad prefix length \"33\" (0 to 32)"},
        {"net{peer=\"10.0.0.0/8x\"}=debug", 20, "bad prefix length \"8x\" (0 to 32)"},
        {"net{peer=fe80::/129}=debug", 17, "bad prefix length \"129\" (0 to 128)"},
        {"net{peer=10.0.0.0/}=debug", 19, "bad prefix length \"\" (0 to 32)"},
        {"net{peer=10.0.0.7:65536}=debug", 19, "bad port \"65536\" (0 to 65535)"},
        {"net{peer=[::1]:http}=debug", 16, "bad port \"http\" (0 to 65535)"},
        {"net{conn=1,peer=a,conn=1}=debug", 19, "the same key twice"},
        {"net{level=1,level_=2}=debug", 13, "the same key twice"},
        {"net{a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9}=debug", 37, "more than 8 conditions"},
        {"net{a=\"x\\n\"}=debug", 9, "in quotes a backslash stands before \" or \\ only"},
        {"net{a=\"x\"y}=debug", 10, "unexpected text after the closing quote"},
        {"net{a=x\"y\"}=debug", 8, "a quote inside a word: put all of it in quotes"},
        {"n*t{a=1}=debug", 2,
         "bad character \"*\" in a logger's name (\"net\" covers all below it, a level alone "
         "everything)"},
        {"n t{a=1}=debug", 2, "bad character \" \" in a logger's name " CHARACTERS},
        {"*=off", 1,
         "bad character \"*\" in a logger's name (\"net\" covers all below it, a level alone "
         "everything)"},
        {"a/b=info", 2, "bad character \"/\" in a logger's name " CHARACTERS},
        {"a b=info", 2, "bad character \" \" in a logger's name " CHARACTERS},
        {"a}=info", 2, "bad character \"}\" in a logger's name " CHARACTERS},
        {"a=\"debug", 3, "no closing quote"},
        {"a=\"debug\"x", 10, "unexpected text after the closing quote"},
        {"a=\"b,c\",info", 4, "unknown level \"b,c\" (expected " LEVELS ")"},
        {"a=debug=info", 3, "unknown level \"debug=info\" (expected " LEVELS ")"},
        {"help,info", 1,
         "unknown level \"help\" (expected " LEVELS "; for a logger write \"help=LEVEL\")"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed p = parse(rows[i].text);
        char want[512];
        snprintf(want, sizeof(want), "THOLE_LOG:%d: %s\n    %s\n    %*s^", rows[i].column,
                 rows[i].what, rows[i].text, rows[i].column - 1, "");
        cr_assert_eq(p.errors.n, 1u, "%s: %zu errors", rows[i].text, p.errors.n);
        cr_expect_str_eq(p.errors.text[0], want);
        fini(&p);
    }
}

THL_TEST(config_log, the_promised_message_byte_for_byte)
{
    struct parsed p = parse("info,net=debgu");
    cr_assert_eq(p.errors.kept, 1u);
    cr_expect_str_eq(p.errors.text[0],
                     "THOLE_LOG:10: unknown level \"debgu\" (did you mean \"debug\"?)\n"
                     "    info,net=debgu\n"
                     "             ^");
    cr_expect_eq(level_of(&p, "other"), THOLE_INFO);
    fini(&p);
}

THL_TEST(config_log, columns_count_bytes)
{
    struct parsed p = parse("n\xc3\xa9t=debug,b\x01=info");
    cr_assert_eq(p.errors.kept, 2u);
    cr_expect_eq(strncmp(p.errors.text[0], "THOLE_LOG:2: bad character \"\xc3\xa9\"", 30), 0);
    cr_expect_eq(strncmp(p.errors.text[1], "THOLE_LOG:13: bad character \"\\x01\"", 34), 0);
    fini(&p);
}

THL_TEST(config_log, all_that_is_valid_is_applied_beside_errors)
{
    struct parsed p = parse("debug,net=wrong,a=b=c,db{x=1}=info,db{x=1=info},io=off,*=info");
    cr_expect_eq(p.errors.n, 4u);
    cr_expect_eq(p.rules.n, 3u);
    cr_expect_eq(level_of(&p, "net"), THOLE_DEBUG);
    cr_expect_eq(level_of(&p, "io.disk"), THOLE_OFF);
    fini(&p);
}

THL_TEST(config_log, blanks_quotes_and_spare_commas_are_harmless)
{
    struct parsed p = parse(" warn ,, net.http\t=\n\"debug\" ,a-b_C.9=\" OFF \",\"net\"=info,");
    cr_expect_eq(p.errors.n, 1u, "a quoted name is none");
    cr_expect_eq(p.rules.n, 3u);
    cr_expect_eq(level_of(&p, "net"), THOLE_WARN);
    cr_expect_eq(level_of(&p, "net.http"), THOLE_DEBUG);
    cr_expect_eq(level_of(&p, "a-b_C.9"), THOLE_OFF);
    fini(&p);
}

THL_TEST(config_log, nothing_and_help_give_no_rule)
{
    static const char *const texts[] = {"", "  ", ",", " , ,", "help"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct parsed p = parse(texts[i]);
        cr_expect_eq(p.rules.n, 0u);
        cr_expect_eq(p.errors.n, 0u);
        fini(&p);
    }
}

THL_TEST(config_log, name_has_at_most_128_bytes)
{
    char text[160];
    memset(text, 'n', sizeof(text));
    memcpy(text + 128, "=debug", 7);
    struct parsed p = parse(text);
    cr_expect_eq(p.errors.n, 0u);
    cr_assert_eq(p.rules.n, 1u);
    cr_expect_eq(strlen(p.rules.rule[0].name), 128u);
    fini(&p);
    memset(text, 'n', sizeof(text));
    memcpy(text + 129, "=debug", 7);
    p = parse(text);
    cr_expect_eq(p.rules.n, 0u);
    cr_assert_eq(p.errors.n, 1u);
    cr_expect_eq(strncmp(p.errors.text[0], "THOLE_LOG:1: a logger's name of 129 bytes", 41), 0);
    fini(&p);
}

THL_TEST(config_log, covers_what_is_below_and_never_what_only_begins_alike)
{
    struct parsed p = parse("net=debug");
    cr_expect_eq(level_of(&p, "net"), THOLE_DEBUG);
    cr_expect_eq(level_of(&p, "net.http.x"), THOLE_DEBUG);
    cr_expect_eq(level_of(&p, "network"), THOLE_INFO);
    cr_expect_eq(level_of(&p, "ne"), THOLE_INFO);
    cr_expect_eq(level_of(&p, ""), THOLE_INFO);
    fini(&p);
}

THL_TEST(config_log, longer_name_beats_source_beats_order)
{
    struct parsed p = {0};
    parse_as(&p, "net.http=trace", THL_RULE_OPTIONS);
    parse_as(&p, "net=alert", THL_RULE_RUNTIME);
    parse_as(&p, "net=error,net.http.x=crit,warn,db=off,db=debug", THL_RULE_ENV);
    cr_expect_eq(level_of(&p, "net.http"), THOLE_TRACE, "the longer name");
    cr_expect_eq(level_of(&p, "net.http.x.y"), THOLE_CRIT, "the longest name");
    cr_expect_eq(level_of(&p, "net"), THOLE_ALERT, "run time over environment, though earlier");
    cr_expect_eq(level_of(&p, "db"), THOLE_DEBUG, "the later");
    cr_expect_eq(level_of(&p, "x"), THOLE_WARN);
    fini(&p);
}

THL_TEST(config_log, options_for_a_name_hold_against_an_environment_for_all)
{
    struct parsed p = {0};
    parse_as(&p, "net=debug", THL_RULE_OPTIONS);
    parse_as(&p, "warn", THL_RULE_ENV);
    cr_expect_eq(level_of(&p, "net"), THOLE_DEBUG);
    cr_expect_eq(level_of(&p, "db"), THOLE_WARN);
    fini(&p);
}

THL_TEST(config_log, has_no_bound_on_the_length_of_its_text)
{
    enum { RULES = 20000 };
    char *text = malloc(RULES * 16 + 1), *end = text;
    cr_assert_not_null(text);
    for (int i = 0; i < RULES; i++)
        end += snprintf(end, 16, "n%d=debug,", i);
    struct parsed p = parse(text);
    cr_expect_eq(p.errors.n, 0u);
    cr_expect_eq(p.rules.n, (size_t)RULES);
    cr_expect_str_eq(p.rules.rule[RULES - 1].name, "n19999");
    fini(&p);
    free(text);
}

THL_TEST(config_log, help_fits_a_terminal)
{
    const char *line = thl_config_log_help();
    int lines = 0;
    for (; *line; lines++) {
        const char *end = strchr(line, '\n');
        cr_assert_not_null(end, "ends with LF");
        cr_expect_leq(end - line, 90, "%.*s", (int)(end - line), line);
        line = end + 1;
    }
    cr_expect(lines >= 12 && lines <= 44, "%d lines", lines);
}
