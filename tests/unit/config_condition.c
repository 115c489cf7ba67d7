/* SPDX-License-Identifier: MIT */
/* Conditions of a rule: which fields they hold for, how they are written, which rule goes first. */
#include "test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "config_condition.h"
#include "field.h"

/* A context being put together. */
struct context {
    unsigned char bytes[1024];
    size_t size;
};

static void
add(struct context *c, const char *key, uint32_t type, const void *p, size_t n)
{
    struct thl_value v = {type, (uint32_t)n, {.p = p}};
    c->size = (size_t)(thl_field_tagged_put(c->bytes + c->size, key, strlen(key), &v) - c->bytes);
}

static void
add_string(struct context *c, const char *key, const char *s)
{
    add(c, key, THOLE_FIELD_STRING, s, strlen(s));
}

static void
add_number(struct context *c, const char *key, uint32_t type, uint64_t u)
{
    struct thl_value v = {type, 0, {.u = u}};
    c->size = (size_t)(thl_field_tagged_put(c->bytes + c->size, key, strlen(key), &v) - c->bytes);
}

static struct thl_rules
parse(const char *text, enum thl_rule_source source)
{
    struct thl_rules rules = {0};
    struct thl_config_errors errors = {0};
    cr_assert_eq(thl_config_log("T", text, source, &rules, &errors), 0);
    cr_assert_eq(errors.n, 0u, "%s", errors.kept ? errors.text[0] : "");
    return rules;
}

/* Whether the conditions of "{...}=debug" hold in the context. */
static bool
holds(const struct context *c, const char *conditions)
{
    char text[512];
    snprintf(text, sizeof(text), "%s=debug", conditions);
    struct thl_rules rules = parse(text, THL_RULE_ENV);
    cr_assert_eq(rules.n, 1u);
    bool yes = thl_config_condition_hold(&rules.rule[0], c->bytes, c->size);
    thl_config_rules_fini(&rules);
    return yes;
}

#define EXPECT(c, conditions, want)                                                                \
    cr_expect_eq(holds((c), (conditions)), (want), "%s", (conditions))

static void
add_ipv4(struct context *c, const char *key, uint32_t address, uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    sa.sin_addr.s_addr = htonl(address);
    add(c, key, THOLE_FIELD_ADDR, &sa, sizeof(sa));
}

/* bytes: the first and the last four, zeros between. */
static void
add_ipv6(struct context *c, const char *key, uint32_t first, uint32_t last, uint16_t port,
         uint32_t scope)
{
    struct sockaddr_in6 sa = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope};
    first = htonl(first);
    last = htonl(last);
    memcpy(sa.sin6_addr.s6_addr, &first, 4);
    memcpy(sa.sin6_addr.s6_addr + 12, &last, 4);
    add(c, key, THOLE_FIELD_ADDR, &sa, sizeof(sa));
}

static void
add_mapped(struct context *c, const char *key, uint32_t address, uint16_t port)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    address = htonl(address);
    memset(sa.sin6_addr.s6_addr + 10, 0xFF, 2);
    memcpy(sa.sin6_addr.s6_addr + 12, &address, 4);
    add(c, key, THOLE_FIELD_ADDR, &sa, sizeof(sa));
}

THL_TEST(config_condition, compares_what_a_line_shows)
{
    struct context c = {0};
    add_number(&c, "n", THOLE_FIELD_INT, (uint64_t)-17);
    add_number(&c, "u", THOLE_FIELD_UINT, UINT64_MAX);
    add_number(&c, "yes", THOLE_FIELD_BOOL, 1);
    add_number(&c, "no", THOLE_FIELD_BOOL, 0);
    add_number(&c, "hex", THOLE_FIELD_HEX, 42);
    add_number(&c, "took", THOLE_FIELD_DURATION, 1500000);
    add_number(&c, "err", THOLE_FIELD_ERRNO, 2);
    add(&c, "id", THOLE_FIELD_BYTES, "\x01\xAB", 2);
    add(&c, "none", THOLE_FIELD_NULL, NULL, 0);
    add(&c, "key", THOLE_FIELD_SECRET, NULL, 0);
    add_string(&c, "user", "alice");
    add_string(&c, "empty", "");
    double half = 2.5;
    uint64_t bits;
    memcpy(&bits, &half, sizeof(bits));
    add_number(&c, "half", THOLE_FIELD_DOUBLE, bits);
    static const char *const yes[] = {"{n=-17}",
                                      "{u=18446744073709551615}",
                                      "{yes=true}",
                                      "{no=false}",
                                      "{hex=0x2a}",
                                      "{err=2}",
                                      "{took=0.0015}",
                                      "{id=01ab}",
                                      "{none=null}",
                                      "{key=***}",
                                      "{half=2.5}",
                                      "{user=alice}",
                                      "{user=\"alice\"}",
                                      "{empty=\"\"}",
                                      "{ user = alice , n = -17 }",
                                      "{\"user\"=alice,,}"};
    static const char *const no[] = {
        "{n=17}",     "{n=-1}",         "{n=-170}",         "{yes=1}",         "{hex=42}",
        "{user=ali}", "{user=alicex}",  "{user=Alice}",     "{use=alice}",     "{empty=null}",
        "{id=01AB}",  "{nobody=alice}", "{user=alice,n=1}", "{n=1,user=alice}"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        EXPECT(&c, yes[i], true);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        EXPECT(&c, no[i], false);
    const struct context nothing = {.size = 0};
    EXPECT(&nothing, "{user=alice}", false);
}

THL_TEST(config_condition, ipv4_address_matches_by_prefix)
{
    struct context c = {0};
    add_ipv4(&c, "peer", 0x0A000007, 4123); /* 10.0.0.7 */
    static const char *const yes[] = {
        "{peer=10.0.0.7}",  "{peer=10.0.0.0/8}", "{peer=10.0.0.7/32}",    "{peer=10.0.0.6/31}",
        "{peer=0.0.0.0/0}", "{peer=10.9.9.9/8}", "{peer=\"10.0.0.4/30\"}"};
    static const char *const no[] = {
        "{peer=10.0.0.6}", "{peer=10.0.0.6/32}", "{peer=10.0.0.8/30}", "{peer=11.0.0.0/8}",
        "{peer=::/0}",     "{peer=10.0.0}",      "{host=10.0.0.7}"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        EXPECT(&c, yes[i], true);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        EXPECT(&c, no[i], false);
}

THL_TEST(config_condition, ipv6_address_matches_by_prefix)
{
    struct context c = {0};
    add_ipv6(&c, "peer", 0x20010DB8, 1, 80, 0); /* 2001:db8::1 */
    static const char *const yes[] = {
        "{peer=2001:db8::1}",    "{peer=2001:db8::/32}", "{peer=2001:DB8:0:0::/64}", "{peer=::/0}",
        "{peer=2001:db8::/127}", "{peer=[2001:db8::1]}", "{peer=2001:db9::/31}"};
    static const char *const no[] = {"{peer=2001:db8::2}", "{peer=2001:db9::/32}",
                                     "{peer=0.0.0.0/0}", "{peer=2001:db8::/128}",
                                     "{peer=2001:db8::2/127}"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        EXPECT(&c, yes[i], true);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        EXPECT(&c, no[i], false);
}

THL_TEST(config_condition, port_counts_where_it_is_given)
{
    struct context c = {0};
    add_ipv4(&c, "peer", 0x0A000007, 4123);
    add_ipv6(&c, "six", 0, 1, 80, 0); /* ::1 */
    EXPECT(&c, "{peer=10.0.0.7:4123}", true);
    EXPECT(&c, "{peer=10.0.0.7:4124}", false);
    EXPECT(&c, "{peer=10.0.0.7:0}", false);
    EXPECT(&c, "{six=[::1]:80}", true);
    EXPECT(&c, "{six=[::1]:81}", false);
    EXPECT(&c, "{six=[::1]}", true);
    EXPECT(&c, "{six=::1}", true);
}

THL_TEST(config_condition, mapped_address_is_its_ipv4_address)
{
    struct context c = {0};
    add_mapped(&c, "peer", 0x0A000007, 4123); /* ::ffff:10.0.0.7 */
    add_ipv4(&c, "four", 0x0A000007, 4123);
    EXPECT(&c, "{peer=10.0.0.0/8}", true);
    EXPECT(&c, "{peer=10.0.0.7:4123}", true);
    EXPECT(&c, "{peer=::ffff:10.0.0.7}", true);
    EXPECT(&c, "{peer=[::ffff:10.0.0.7]:4123}", true);
    EXPECT(&c, "{peer=::/0}", false);
    EXPECT(&c, "{peer=10.0.0.8}", false);
    EXPECT(&c, "{four=::ffff:10.0.0.0/104}", true);
    EXPECT(&c, "{four=::ffff:11.0.0.0/104}", false);
    EXPECT(&c, "{four=::ffff:10.0.0.7}", true);
}

THL_TEST(config_condition, scope_counts_where_it_is_given)
{
    struct context c = {0};
    add_ipv6(&c, "peer", 0xFE800000, 1, 80, 3);
    EXPECT(&c, "{peer=fe80::1}", true);
    EXPECT(&c, "{peer=fe80::1%3}", true);
    EXPECT(&c, "{peer=[fe80::1%3]:80}", true);
    EXPECT(&c, "{peer=fe80::1%4}", false);
    EXPECT(&c, "{peer=fe80::/10}", true);
}

static size_t
count_errors(const char *text)
{
    struct thl_rules rules = {0};
    struct thl_config_errors errors = {0};
    cr_assert_eq(thl_config_log("THOLE_LOG", text, THL_RULE_ENV, &rules, &errors), 0);
    size_t n = errors.n;
    cr_expect_eq(rules.n, n == 0 ? 1u : 0u, "%s", text);
    thl_config_rules_fini(&rules);
    thl_config_errors_fini(&errors);
    return n;
}

THL_TEST(config_condition, text_that_was_to_be_an_address_is_an_error)
{
    static const char *const slips[] = {
        "10.0.0.300/32", "10.0.0.300", "10.0.0.256:80", "10.0/8",     "10.0.0.01",
        "1.2.3.4.5/8",   "fe80::1::2", "[:::]:80",      "12345::/16", "1:2:3:4:5:6:7:8:9"};
    static const char *const texts[] = {
        "12:30", "std::vector", "6.1.55",      "120.0.6099.109", "\"10.0.0.300\"", "a/b",
        "24/12", "1.3.6.1.4.1", "1.2.3.4-rc1", "[debug]",        "0:1:2:3:4:5",    "10.0"};
    char text[64];
    for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
        snprintf(text, sizeof(text), "net{peer=%s}=info", slips[i]);
        cr_expect_eq(count_errors(text), 1u, "%s", text);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snprintf(text, sizeof(text), "net{peer=%s}=info", texts[i]);
        cr_expect_eq(count_errors(text), 0u, "%s", text);
    }
}

THL_TEST(config_condition, string_that_is_an_address_matches_as_one)
{
    struct context c = {0};
    add_string(&c, "peer", "10.0.0.7:4123");
    add_string(&c, "bare", "10.0.0.7");
    add_string(&c, "six", "[2001:db8::1]:80");
    add_string(&c, "net", "10.0.0.0/8");
    add_string(&c, "text", "a::b");
    add(&c, "nul", THOLE_FIELD_STRING, "10.0.0.7\0x", 10);
    add_string(&c, "version", "10.0.0");
    EXPECT(&c, "{peer=10.0.0.0/8}", true);
    EXPECT(&c, "{peer=10.0.0.7:4123}", true);
    EXPECT(&c, "{peer=10.0.0.7:4124}", false);
    EXPECT(&c, "{bare=10.0.0.0/8}", true);
    EXPECT(&c, "{bare=10.0.0.7:4123}", false);
    EXPECT(&c, "{bare=10.0.0.7:0}", false);
    EXPECT(&c, "{six=2001:db8::/32}", true);
    EXPECT(&c, "{six=2001:0db8::0001}", true);
    EXPECT(&c, "{net=10.0.0.0/8}", true);
    EXPECT(&c, "{net=10.0.0.0/9}", false);
    EXPECT(&c, "{text=a::b}", true);
    EXPECT(&c, "{nul=10.0.0.7}", false);
    EXPECT(&c, "{version=10.0.0.0/8}", false);
}

THL_TEST(config_condition, unix_address_matches_by_its_path)
{
    struct context c = {0};
    struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "/run/a.sock"};
    add(&c, "peer", THOLE_FIELD_ADDR, &sa, sizeof(sa));
    add(&c, "cut", THOLE_FIELD_ADDR, &sa, 1);
    EXPECT(&c, "{peer=/run/a.sock}", true);
    EXPECT(&c, "{peer=/run/b.sock}", false);
    EXPECT(&c, "{cut=10.0.0.7}", false);
}

THL_TEST(config_condition, quotes_hold_what_would_end_a_value)
{
    struct context c = {0};
    add_string(&c, "path", "a,b}=c \"d\" \\e");
    add_string(&c, "odd key", " x ");
    EXPECT(&c, "{path=\"a,b}=c \\\"d\\\" \\\\e\"}", true);
    EXPECT(&c, "{\"odd key\"=\" x \"}", true);
    EXPECT(&c, "{odd key=x}", false);
    struct context d = {0};
    add_string(&d, "path", "C:\\a=b c");
    EXPECT(&d, "{path=C:\\a=b c}", true);
}

THL_TEST(config_condition, reserved_key_matches_in_both_spellings)
{
    struct context c = {0};
    add_number(&c, "level_", THOLE_FIELD_INT, 3);
    add_number(&c, "thole_x", THOLE_FIELD_INT, 4);
    EXPECT(&c, "{level=3}", true);
    EXPECT(&c, "{level_=3}", true);
    EXPECT(&c, "{thole.x=4}", true);
    EXPECT(&c, "{thole_x=4}", true);
}

THL_TEST(config_condition, garbage_for_a_context_matches_nothing_and_harms_nobody)
{
    struct thl_rules rules = parse("{a=1,peer=10.0.0.0/8}=debug", THL_RULE_ENV);
    unsigned x = 1;
    for (int i = 0; i < 100000; i++) {
        unsigned char *bytes = malloc(48); /* so that ASan sees a byte too many */
        cr_assert_not_null(bytes);
        for (size_t j = 0; j < 48; j++)
            bytes[j] = (unsigned char)(((x = x * 1103515245u + 12345u) >> 16) % (j < 4 ? 20 : 256));
        thl_config_condition_hold(&rules.rule[0], bytes, x % 49);
        free(bytes);
    }
    thl_config_rules_fini(&rules);
}

/* ---- bounds ---- */

THL_TEST(config_condition, bounds_are_said)
{
    char text[1024], value[400];
    struct thl_rules rules = {0};
    struct thl_config_errors errors = {0};
    memset(value, 'v', sizeof(value));
    snprintf(text, sizeof(text), "{key=%.252s}=info,{k=%.*s,l=m}=info", value, 252, value);
    cr_assert_eq(thl_config_log("T", text, THL_RULE_ENV, &rules, &errors), 0);
    cr_expect_eq(errors.n, 0u, "255 bytes fit");
    snprintf(text, sizeof(text), "{key=%.253s}=info,{k=%.*s,l=m}=info,{k=%.256s}=info", value, 253,
             value, value);
    cr_assert_eq(thl_config_log("T", text, THL_RULE_ENV, &rules, &errors), 0);
    cr_assert_eq(errors.n, 3u);
    for (size_t i = 0; i < 3; i++)
        cr_expect_not_null(strstr(errors.text[i], "at most 255 bytes"), "%s", errors.text[i]);
    thl_config_errors_fini(&errors);
    snprintf(text, sizeof(text), "{%.240s=1}=info,{%.241s=1}=info", value, value);
    cr_assert_eq(thl_config_log("T", text, THL_RULE_ENV, &rules, &errors), 0);
    cr_assert_eq(errors.n, 1u);
    cr_expect_not_null(strstr(errors.text[0], "a key of 241 bytes: at most 240"), "%s",
                       errors.text[0]);
    cr_expect_eq(rules.n, 3u);
    thl_config_errors_fini(&errors);
    thl_config_rules_fini(&rules);
}

/* ---- which goes first ---- */

static int
level_of(const struct thl_rules *rules, const char *name, const struct context *c)
{
    struct thl_asker asker = {name, strlen(name), c ? c->bytes : NULL, c ? c->size : 0};
    const struct thl_rule *speaker = thl_config_speaker(rules, &asker, NULL);
    return speaker ? (int)speaker->level : -1;
}

/* Appends `text` as the rules of another source. */
static void
join(struct thl_rules *rules, const char *text, enum thl_rule_source source)
{
    struct thl_config_errors errors = {0};
    cr_assert_eq(thl_config_log("T", text, source, rules, &errors), 0);
    cr_assert_eq(errors.n, 0u);
}

THL_TEST(config_condition, rule_with_conditions_speaks_for_no_named_logger)
{
    struct thl_rules rules = parse("warn,net{conn=1}=debug,{conn=1}=trace", THL_RULE_ENV);
    struct context c = {0};
    add_number(&c, "conn", THOLE_FIELD_INT, 1);
    cr_expect_eq(level_of(&rules, "net", NULL), THOLE_WARN);
    cr_expect_eq(level_of(&rules, "net.http", &c), THOLE_DEBUG);
    cr_expect_eq(level_of(&rules, "db", &c), THOLE_TRACE, "a condition without a name");
    cr_expect_eq(level_of(&rules, "", &c), THOLE_TRACE);
    cr_expect_eq(level_of(&rules, "network", &c), THOLE_TRACE);
    thl_config_rules_fini(&rules);
}

THL_TEST(config_condition, operator_beats_longer_beats_more_beats_source_beats_order)
{
    struct context c = {0};
    add_number(&c, "a", THOLE_FIELD_INT, 1);
    add_number(&c, "b", THOLE_FIELD_INT, 2);
    struct thl_rules rules = parse("net.x=debug,net{a=1,b=2}=warn", THL_RULE_ENV);
    cr_expect_eq(level_of(&rules, "net.x", &c), THOLE_DEBUG, "the longer name");
    join(&rules, "net{a=1}=error", THL_RULE_RUNTIME);
    cr_expect_eq(level_of(&rules, "net", &c), THOLE_WARN, "more conditions before source, order");
    join(&rules, "net{b=2}=crit", THL_RULE_ENV);
    thl_config_rules_fini(&rules);
    rules = parse("net{a=1}=error", THL_RULE_RUNTIME);
    join(&rules, "net{b=2}=crit", THL_RULE_ENV);
    cr_expect_eq(level_of(&rules, "net", &c), THOLE_ERROR, "run time before environment");
    join(&rules, "net{b=2}=alert", THL_RULE_RUNTIME);
    cr_expect_eq(level_of(&rules, "net", &c), THOLE_ALERT, "the later");
    thl_config_rules_fini(&rules);
    rules = parse("trace", THL_RULE_OPERATOR);
    join(&rules, "net.x{a=1,b=2}=off", THL_RULE_RUNTIME);
    cr_expect_eq(level_of(&rules, "net.x", &c), THOLE_TRACE, "the operator");
    join(&rules, "net=debug,db=info", THL_RULE_OPERATOR);
    cr_expect_eq(level_of(&rules, "net.x", &c), THOLE_DEBUG, "the operator's longer name");
    thl_config_rules_fini(&rules);
}

/* ---- written and read again ---- */

static void
expect_same(const struct thl_rule *a, const struct thl_rule *b, const char *text)
{
    size_t used = 0;
    cr_expect_str_eq(a->name, b->name, "%s", text);
    cr_expect_eq(a->name_size, b->name_size);
    cr_expect_eq(a->level, b->level, "%s", text);
    cr_assert_eq(a->nconditions, b->nconditions, "%s", text);
    for (unsigned i = 0; i < a->nconditions; i++) {
        cr_expect_eq(a->condition[i].key_size, b->condition[i].key_size, "%s", text);
        cr_expect_eq(a->condition[i].value_size, b->condition[i].value_size, "%s", text);
        cr_expect_eq(a->condition[i].network.family, b->condition[i].network.family, "%s", text);
        used += (size_t)a->condition[i].key_size + a->condition[i].value_size;
    }
    cr_expect_eq(memcmp(a->text, b->text, used), 0, "%s", text);
}

/* Writes the rule, and compares what is read back from that. */
static void
expect_round_trip(const struct thl_rule *rule, char *text, size_t size)
{
    struct thl_buf out;
    thl_buf_init(&out, text, size - 1);
    thl_config_rule_put(&out, rule);
    cr_assert(!out.overflow);
    text[out.size] = '\0';
    struct thl_rules again = parse(text, (enum thl_rule_source)rule->source);
    cr_assert_eq(again.n, 1u, "%s", text);
    expect_same(&again.rule[0], rule, text);
    thl_config_rules_fini(&again);
}

THL_TEST(config_condition, rule_is_written_as_it_is_read)
{
    static const char *const rows[][2] = {
        {" WARN ", "warn"},
        {"net.http = \"debug\"", "net.http=debug"},
        {"net.conn{ peer = 10.0.0.0/8 }=trace", "net.conn{peer=10.0.0.0/8}=trace"},
        {"{peer=127.0.0.2}=off", "{peer=127.0.0.2}=off"},
        {"n{a=\"x y\",b=\"c\",\"d=e\"=\"\"}=info", "n{a=\"x y\",b=c,\"d=e\"=\"\"}=info"},
        {"n{a=\"\\\"\\\\,}\"}=info", "n{a=\"\\\"\\\\,}\"}=info"},
        {"n{v=\"1.2.3.456\"}=info", "n{v=\"1.2.3.456\"}=info"},
        {"n{msg=1,peer=[::1]:80}=info", "n{msg_=1,peer=[::1]:80}=info"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[THL_RULE_PUT_MAX + 1];
        struct thl_rules rules = parse(rows[i][0], THL_RULE_ENV);
        cr_assert_eq(rules.n, 1u);
        expect_round_trip(&rules.rule[0], text, sizeof(text));
        cr_expect_str_eq(text, rows[i][1]);
        thl_config_rules_fini(&rules);
    }
}

THL_TEST(config_condition, longest_rule_fits_its_text)
{
    char text[THL_RULE_PUT_MAX + 1], name[128], quotes[481], directive[1024];
    memset(name, 'n', sizeof(name));
    for (size_t i = 0; i < sizeof(quotes) - 1; i++)
        quotes[i] = i % 2 ? '"' : '\\';
    quotes[sizeof(quotes) - 1] = '\0';
    snprintf(directive, sizeof(directive), "%.128s{a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=\"%s\"}=notice",
             name, quotes);
    struct thl_rules rules = parse(directive, THL_RULE_ENV);
    cr_assert_eq(rules.n, 1u);
    expect_round_trip(&rules.rule[0], text, sizeof(text));
    thl_config_rules_fini(&rules);
}

/* ---- mutations ---- */

static unsigned seed = 42;

static unsigned
below(unsigned n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* One edit: a byte that matters to the grammar put in or in place of another, or bytes cut out. */
static size_t
mutate(char *text, size_t n, size_t room)
{
    static const char marks[] = "{}\"\\,= /:.[]%x0\x01\xc3\xa9~*9";
    size_t at = below((unsigned)n + 1);
    char c = below(4) ? marks[below(sizeof(marks) - 1)] : (char)(1 + below(255));
    switch (below(3)) {
    case 0:
        if (n + 1 < room) {
            memmove(text + at + 1, text + at, n - at);
            text[at] = c;
            n++;
        }
        break;
    case 1:
        if (at < n)
            text[at] = c;
        break;
    default:
        if (at < n) {
            size_t cut = 1 + below((unsigned)(n - at));
            cut = cut > 4 ? 4 : cut;
            memmove(text + at, text + at + cut, n - at - cut);
            n -= cut;
        }
    }
    return n;
}

/* The column of every error lies in the text, or one behind it. */
static void
check_columns(const struct thl_config_errors *errors, size_t n, const char *text)
{
    for (size_t i = 0; i < errors->kept; i++) {
        char *end;
        cr_assert_eq(strncmp(errors->text[i], "T:", 2), 0, "%s", errors->text[i]);
        unsigned long column = strtoul(errors->text[i] + 2, &end, 10);
        cr_assert(*end == ':' && column >= 1 && column <= n + 1, "%s: %s", text, errors->text[i]);
    }
}

THL_TEST(config_condition, mutated_texts_never_read_outside_and_errors_stand_inside)
{
    static const char *const valid[] = {
        "info,net.http=debug,net.conn{peer=10.0.0.0/8}=trace,db=off",
        "net{peer=\"10.0.0.7:4123\",user=\"a,b}=c\\\"\\\\\"}=warn",
        "{peer=[fe80::1%3]:80,a=1,b=2,c=3,d=4,e=5,f=6,g=7}=error,crit",
        " a-b_C.9 { level = x , \"odd key\" = ::ffff:10.0.0.0/104 } = \" OFF \" ,,",
    };
    size_t wrong = 0, right = 0;
    for (int i = 0; i < 200000; i++) {
        char text[160];
        size_t n = strlen(valid[i % 4]);
        memcpy(text, valid[i % 4], n);
        for (unsigned edits = 1 + below(4); edits > 0; edits--)
            n = mutate(text, n, sizeof(text));
        char *own = malloc(n + 1); /* so that ASan sees a byte too many */
        cr_assert_not_null(own);
        memcpy(own, text, n);
        own[n] = '\0';
        struct thl_rules rules = {0};
        struct thl_config_errors errors = {0};
        cr_assert_eq(thl_config_log("T", own, THL_RULE_ENV, &rules, &errors), 0);
        check_columns(&errors, n, own);
        for (size_t j = 0; j < rules.n && i % 16 == 0; j++) {
            char again[THL_RULE_PUT_MAX + 1];
            expect_round_trip(&rules.rule[j], again, sizeof(again));
        }
        wrong += errors.n;
        right += rules.n;
        thl_config_rules_fini(&rules);
        thl_config_errors_fini(&errors);
        free(own);
    }
    cr_expect(wrong > 100000 && right > 100000, "%zu errors, %zu rules", wrong, right);
}
