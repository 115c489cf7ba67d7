/* SPDX-License-Identifier: MIT */
/* THOLE_SINKS: forms of URIs, keys by scheme, decoding, and the words of each refusal. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

/* Schemes as the built-in ones are, with keys that are not all built yet; none is ever opened. */
static const char *const file_keys[] = {"mode", "keep", NULL};
static const char *const own_keys[] = {"size", "facility", "depth", NULL};
static const struct thole_sink_ops stream_ops = {.format = "json"}, null_ops = {.format = "json"},
                                   file_ops = {.format = "json", .keys = file_keys},
                                   syslog_ops = {.format = "rfc3164", .max_record = 8000},
                                   udp_ops = {.format = "rfc5424", .max_record = 1232},
                                   own_ops = {.format = "logfmt", .keys = own_keys};
static const char *const names[] = {"stderr", "stdout", "file", "syslog",
                                    "udp",    "memory", "null", "own+1"};
static const struct thole_sink_ops *const ops[] = {&stream_ops, &stream_ops, &file_ops, &syslog_ops,
                                                   &udp_ops,    &null_ops,   &null_ops, &own_ops};

static const struct thole_sink_ops *
find_scheme(const char *scheme, size_t n)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == n && memcmp(names[i], scheme, n) == 0)
            return ops[i];
    return NULL;
}

static const struct thl_scheme_table schemes = {find_scheme, names,
                                                sizeof(names) / sizeof(names[0])};

struct parsed {
    struct thl_sink_specs specs;
    struct thl_config_errors errors;
};

static struct parsed
parse(const char *text)
{
    struct parsed p = {{0}, {0}};
    cr_assert_eq(thl_config_sinks("THOLE_SINKS", text, &schemes, &p.specs, &p.errors), 0);
    return p;
}

static void
fini(struct parsed *p)
{
    thl_config_sinks_fini(&p->specs);
    thl_config_errors_fini(&p->errors);
}

/* One valid URI. */
static struct parsed
parse_one(const char *text)
{
    struct parsed p = parse(text);
    cr_assert_eq(p.errors.n, 0u, "%s: %s", text, p.errors.kept ? p.errors.text[0] : "");
    cr_assert_eq(p.specs.n, 1u, "%s", text);
    return p;
}

#define FILE_KEYS "(expected level, only, format, src, seq, rate, mode or keep)"
#define IDENT "1 to 48 printable ASCII characters, no blanks"
#define SDID "NAME@NUMBER, 32 characters at most, NAME without blanks = ] \""
#define LEVELS "trace, debug, info, notice, warn, error, crit, alert, emerg or off"

static const struct row {
    const char *text;
    int column;
    const char *what;
} wrong_places[] = {
    {"stderr", 1, "\"stderr\" is no URI (did you mean \"stderr:\"?)"},
    {"null: stdrr", 7, "\"stdrr\" is no URI (did you mean \"stderr:\"?)"},
    {"/var/log/x", 1, "\"/var/log/x\" is no URI (did you mean \"file:/var/log/x\"?)"},
    {"what", 1, "\"what\" is no URI (for example \"stderr:\" or \"file:/PATH\")"},
    {"fil:/x", 1, "unknown scheme \"fil\" (did you mean \"file\"?)"},
    {"gopher:x", 1,
     "unknown scheme \"gopher\" (expected stderr, stdout, file, syslog, udp, memory, null or "
     "own+1)"},
    {":x", 1,
     "unknown scheme \"\" (expected stderr, stdout, file, syslog, udp, memory, null or own+1)"},
    {"tcp://h:1", 1, "tcp: is not supported yet"},
    {"journal:", 1, "journal: is not supported yet"},
    {"file:", 6, "file: needs a path"},
    {"file://var/log/x", 6, "file: takes no host (did you mean \"file:/var/log/x\"?)"},
    {"stderr:,null:", 8, "stderr: takes no path (blanks separate URIs)"},
    {"udp:10.0.0.1:514", 5, "udp: needs a host (did you mean \"udp://10.0.0.1:514\"?)"},
    {"udp://", 5, "udp: needs a host (for example \"udp://127.0.0.1:514\")"},
    {"udp://:514", 5, "udp: needs a host (for example \"udp://127.0.0.1:514\")"},
    {"udp://h:0", 9, "port \"0\": expected 1 to 65535"},
    {"udp://h:65536", 9, "port \"65536\": expected 1 to 65535"},
    {"udp://h:syslog", 9, "port \"syslog\": expected 1 to 65535"},
    {"udp://h:1K", 9, "port \"1K\": expected 1 to 65535"},
    {"udp://h:", 9, "port \"\": expected 1 to 65535"},
    {"udp://::1", 7, "an IPv6 address stands in brackets: \"[::1]\" or \"[::1]:514\""},
    {"udp://[::1", 7, "no \"]\" behind the address"},
    {"udp://[::1]514", 12, "expected \":PORT\" behind the address"},
    {"udp://me@h", 9, "bad character in a host's name or address"},
    {"udp://h/x", 8, "udp: takes no path (blanks separate URIs)"},
    {"file:/a%zz", 8, "\"%\" without two hex digits (\"%25\" is a \"%\")"},
    {"file:/a%2", 8, "\"%\" without two hex digits (\"%25\" is a \"%\")"},
    {"file:/a%00b", 8, "\"%00\" can be no part of a path or value"},
};

static const struct row wrong_keys[] = {
    {"file:/x?modee=1", 9, "unknown file: key \"modee\" (did you mean \"mode\"?)"},
    {"file:/x?colour=auto", 9, "unknown file: key \"colour\" " FILE_KEYS},
    {"file:/x?facility=mail", 9, "unknown file: key \"facility\" " FILE_KEYS},
    {"udp://h?color=auto", 9,
     "unknown udp: key \"color\" (expected level, only, format, src, seq, rate, facility, ident, "
     "sdid or "
     "size)"},
    {"null:?levle=info", 7, "unknown null: key \"levle\" (did you mean \"level\"?)"},
    {"null:?src=1&=2", 13, "no key before \"=\""},
    {"null:?level=warn&level=info", 18, "level= twice in one URI"},
    {"file:/x?mode=0640&src=1&mode=0640", 25, "mode= twice in one URI"},
    {"null:?rate=5", 12, "rate=5: expected N/s, as 100/s (N 1 to 1000000)"},
    {"null:?rate=0/s", 12, "rate=0/s: expected N/s, as 100/s (N 1 to 1000000)"},
    {"null:?rate=1000001/s", 12, "rate=1000001/s: expected N/s, as 100/s (N 1 to 1000000)"},
    {"null:?rate=1K/s", 12, "rate=1K/s: expected N/s, as 100/s (N 1 to 1000000)"},
    {"null:?rate=5/m", 12, "rate=5/m: expected N/s, as 100/s (N 1 to 1000000)"},
    {"null:?schema=ecs", 7, "schema= is not supported yet"},
    {"null:?mode=%g0", 7,
     "unknown null: key \"mode\" (expected level, only, format, src, seq or rate)"},
    {"file:/x?mode=%g0", 14, "\"%\" without two hex digits (\"%25\" is a \"%\")"},
    {"null:?level=debgu", 13, "unknown level \"debgu\" (did you mean \"debug\"?)"},
    {"null:?level", 12, "unknown level \"\" (expected " LEVELS ")"},
    {"null:?format=jsno", 14, "unknown format \"jsno\" (did you mean \"json\"?)"},
    {"null:?format=xml", 14,
     "unknown format \"xml\" (expected json, logfmt, pretty, rfc5424 or rfc3164)"},
    {"null:?format=gelf", 14, "format \"gelf\" is not supported yet"},
    {"null:?format=cee", 14, "format \"cee\" is not supported yet"},
    {"null:?src=yes", 11, "src=yes: expected 0 or 1"},
    {"null:?seq", 10, "seq=: expected 0 or 1"},
    {"null:?only=a/b", 12,
     "only=a/b: expected a logger's name (letters, digits, \"_\", \".\", \"-\"; 128 bytes)"},
    {"null:?only=", 12,
     "only=: expected a logger's name (letters, digits, \"_\", \".\", \"-\"; 128 bytes)"},
    {"syslog:?facility=lokal0", 18, "unknown facility \"lokal0\" (did you mean \"local0\"?)"},
    {"syslog:?facility=24", 18, "facility=24: expected 0 to 23, or a name"},
    {"syslog:?ident=", 15, "ident=: expected " IDENT},
    {"syslog:?ident=a%20b", 15, "ident=a b: expected " IDENT},
    {"syslog:?ident=a%0ab", 15, "ident=a\\x0ab: expected " IDENT},
    {"syslog:?sdid=x", 14, "sdid=x: expected " SDID},
    {"syslog:?sdid=x@", 14, "sdid=x@: expected " SDID},
    {"syslog:?sdid=@1", 14, "sdid=@1: expected " SDID},
    {"syslog:?sdid=x@1.2", 14, "sdid=x@1.2: expected " SDID},
    {"syslog:?sdid=x]@1", 14, "sdid=x]@1: expected " SDID},
    {"syslog:?sdid=x=@1", 14, "sdid=x=@1: expected " SDID},
    {"syslog:?size=479", 14, "size=479: expected 480 to 65507"},
    {"syslog:?size=64K", 14, "size=64K: expected 480 to 65507"},
    {"stdout:?color=alway", 15, "unknown color \"alway\" (did you mean \"always\"?)"},
    {"stdout:?color=", 15, "unknown color \"\" (expected auto, always or never)"},
};

static void
expect_refused(const struct row *row)
{
    struct parsed p = parse(row->text);
    char want[512];
    snprintf(want, sizeof(want), "THOLE_SINKS:%d: %s\n    %s\n    %*s^", row->column, row->what,
             row->text, row->column - 1, "");
    cr_assert_eq(p.errors.n, 1u, "%s: %zu errors", row->text, p.errors.n);
    cr_expect_str_eq(p.errors.text[0], want);
    for (size_t i = 0; i < p.specs.n; i++)
        cr_expect_lt(p.specs.spec[i].column, (size_t)row->column, "left out: %s", row->text);
    fini(&p);
}

THL_TEST(config_sinks, wrong_place_gives_one_positioned_message)
{
    for (size_t i = 0; i < sizeof(wrong_places) / sizeof(wrong_places[0]); i++)
        expect_refused(&wrong_places[i]);
}

THL_TEST(config_sinks, wrong_key_or_value_gives_one_positioned_message_and_leaves_the_uri_out)
{
    for (size_t i = 0; i < sizeof(wrong_keys) / sizeof(wrong_keys[0]); i++) {
        struct parsed p = parse(wrong_keys[i].text);
        cr_expect_eq(p.specs.n, 0u, "%s", wrong_keys[i].text);
        fini(&p);
        expect_refused(&wrong_keys[i]);
    }
}

THL_TEST(config_sinks, column_counts_in_the_whole_text)
{
    struct parsed p = parse(" null:a\t\nfile:/x?src=2&seq=3  memory:\r\n");
    cr_assert_eq(p.errors.kept, 2u, "each error of a URI is told");
    cr_expect_eq(strncmp(p.errors.text[0], "THOLE_SINKS:22: src=2", 21), 0);
    cr_expect_eq(strncmp(p.errors.text[1], "THOLE_SINKS:28: seq=3", 21), 0);
    cr_assert_eq(p.specs.n, 2u, "what is valid stays");
    cr_expect_str_eq(p.specs.spec[0].uri.text, "null:a");
    cr_expect_eq(p.specs.spec[0].column, 2u);
    cr_expect_str_eq(p.specs.spec[1].uri.scheme, "memory");
    cr_expect_eq(p.specs.spec[1].column, 31u);
    fini(&p);
}

THL_TEST(config_sinks, nothing_gives_nothing)
{
    struct parsed p = parse(" \t\r\n ");
    cr_expect_eq(p.specs.n, 0u);
    cr_expect_eq(p.errors.n, 0u);
    fini(&p);
}

THL_TEST(config_sinks, what_is_not_said_has_its_default)
{
    struct parsed p = parse("file:/x syslog: udp://h");
    cr_assert_eq(p.specs.n, 3u);
    const struct thl_sink_spec *file = &p.specs.spec[0], *syslog = file + 1, *udp = file + 2;
    cr_expect_eq(file->ops, &file_ops);
    cr_expect_eq(file->level, THOLE_TRACE);
    cr_expect_str_eq(file->only, "");
    cr_expect_eq(file->format, THL_FORMAT_JSON);
    cr_expect_not(file->format_given || file->src || file->seq);
    cr_expect_eq(file->size, 0u);
    cr_expect_eq(file->uri.nparams, 0u);
    cr_expect_str_eq(syslog->uri.path, "");
    cr_expect_eq(syslog->facility, 3);
    cr_expect_eq(syslog->format, THL_FORMAT_RFC3164);
    cr_expect_eq(syslog->size, 8000u);
    cr_expect_str_eq(syslog->ident, "");
    cr_expect_str_eq(udp->sdid, "thole@32473");
    cr_expect_eq(udp->format, THL_FORMAT_RFC5424);
    cr_expect_str_eq(udp->uri.host, "h");
    cr_expect_str_eq(udp->uri.port, "514");
    fini(&p);
}

THL_TEST(config_sinks, each_key_is_taken)
{
    struct parsed p =
        parse_one("syslog:/run/log?level=WARN&only=net.http&format=rfc5424&src=1&seq=1"
                  "&facility=local7&ident=my-app%5b1%5d&sdid=a@9&size=2K");
    const struct thl_sink_spec *spec = &p.specs.spec[0];
    cr_expect_str_eq(spec->uri.path, "/run/log");
    cr_expect_eq(spec->level, THOLE_WARN);
    cr_expect_str_eq(spec->only, "net.http");
    cr_expect_eq(spec->format, THL_FORMAT_RFC5424);
    cr_expect(spec->format_given && spec->src && spec->seq);
    cr_expect_eq(spec->facility, 23);
    cr_expect_str_eq(spec->ident, "my-app[1]");
    cr_expect_str_eq(spec->sdid, "a@9");
    cr_expect_eq(spec->size, 2048u);
    cr_expect_eq(spec->uri.nparams, 0u, "thole's own keys are not the sink's");
    fini(&p);
    p = parse_one("stderr:?color=never&src=0&");
    cr_expect_eq(p.specs.spec[0].color, THL_COLOR_NEVER);
    cr_expect_not(p.specs.spec[0].src);
    fini(&p);
}

THL_TEST(config_sinks, size_of_udp_is_that_of_its_format_unless_it_is_given)
{
    static const char *const texts[] = {"udp://h?format=json", "udp://h?format=rfc3164",
                                        "udp://h?size=1232&format=rfc3164"};
    static const size_t sizes[] = {1232, 1024, 1232};
    for (size_t i = 0; i < 3; i++) {
        struct parsed p = parse_one(texts[i]);
        cr_expect_eq(p.specs.spec[0].size, sizes[i], "%s", texts[i]);
        fini(&p);
    }
}

/* `prefix`, then n times 'x', then `suffix`: is it taken? */
static bool
takes_repeated(const char *prefix, int n, const char *suffix)
{
    char text[256];
    int size = snprintf(text, sizeof(text), "%s%*s%s", prefix, n, "", suffix);
    cr_assert(size > 0 && size < (int)sizeof(text));
    memset(text + strlen(prefix), 'x', (size_t)n);
    struct parsed p = parse(text);
    bool taken = p.specs.n == 1 && p.errors.n == 0;
    cr_expect(taken || (p.specs.n == 0 && p.errors.n == 1), "%s", text);
    fini(&p);
    return taken;
}

THL_TEST(config_sinks, values_are_taken_up_to_their_bounds_and_no_further)
{
    cr_expect(takes_repeated("null:?only=", 128, "") && !takes_repeated("null:?only=", 129, ""));
    cr_expect(takes_repeated("syslog:?ident=", 48, ""));
    cr_expect_not(takes_repeated("syslog:?ident=", 49, ""));
    cr_expect(takes_repeated("syslog:?sdid=", 30, "@1"));
    cr_expect_not(takes_repeated("syslog:?sdid=", 31, "@1"));
    cr_expect(takes_repeated("syslog:?size=480", 0, "") &&
              takes_repeated("syslog:?size=65507", 0, ""));
    cr_expect_not(takes_repeated("syslog:?size=65508", 0, ""));
    cr_expect_not(takes_repeated("syslog:?size=18446744073709551616", 0, ""));
}

THL_TEST(config_sinks, facilities_have_the_numbers_of_rfc5424)
{
    static const struct {
        const char *text;
        int facility;
    } rows[] = {{"syslog:?facility=kern", 0},    {"syslog:?facility=daemon", 3},
                {"syslog:?facility=ftp", 11},    {"syslog:?facility=authpriv", 10},
                {"syslog:?facility=local0", 16}, {"syslog:?facility=local7", 23},
                {"syslog:?facility=13", 13},     {"syslog:?facility=0", 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed p = parse_one(rows[i].text);
        cr_expect_eq(p.specs.spec[0].facility, rows[i].facility, "%s", rows[i].text);
        fini(&p);
    }
}

THL_TEST(config_sinks, hosts_and_ports)
{
    static const struct {
        const char *text, *host, *port;
    } rows[] = {{"udp://10.0.0.1:5140", "10.0.0.1", "5140"},
                {"udp://log.example", "log.example", "514"},
                {"udp://[::1]", "::1", "514"},
                {"udp://[fe80::1%eth0]:65535?level=warn", "fe80::1%eth0", "65535"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed p = parse_one(rows[i].text);
        cr_expect_str_eq(p.specs.spec[0].uri.host, rows[i].host);
        cr_expect_str_eq(p.specs.spec[0].uri.port, rows[i].port);
        cr_expect_str_eq(p.specs.spec[0].uri.path, "");
        cr_expect_str_eq(p.specs.spec[0].uri.text, rows[i].text);
        fini(&p);
    }
}

THL_TEST(config_sinks, paths_and_values_are_decoded_and_the_text_kept)
{
    struct parsed p = parse_one("file:/a%20b/%E2%82%ac%25?mode=%30640&keep=a=b%26c");
    const struct thole_sink_uri *uri = &p.specs.spec[0].uri;
    cr_expect_str_eq(uri->text, "file:/a%20b/%E2%82%ac%25?mode=%30640&keep=a=b%26c");
    cr_expect_str_eq(uri->path, "/a b/\xe2\x82\xac%");
    cr_assert_eq(uri->nparams, 2u);
    cr_expect_str_eq(uri->params[0].key, "mode");
    cr_expect_str_eq(uri->params[0].value, "0640");
    cr_expect_str_eq(uri->params[1].key, "keep");
    cr_expect_str_eq(uri->params[1].value, "a=b&c");
    fini(&p);
    p = parse_one("file:///var/log/x?keep");
    cr_expect_str_eq(p.specs.spec[0].uri.path, "/var/log/x", "an empty host is none");
    cr_expect_str_eq(p.specs.spec[0].uri.params[0].value, "");
    fini(&p);
}

THL_TEST(config_sinks, a_registered_scheme_checks_its_own_uri_and_may_reuse_key_names)
{
    struct parsed p = parse_one("own+1://h/p%41?size=big&depth=3&facility=x&level=off");
    const struct thl_sink_spec *spec = &p.specs.spec[0];
    cr_expect_str_eq(spec->uri.host, "h");
    cr_expect_str_eq(spec->uri.port, "");
    cr_expect_str_eq(spec->uri.path, "/pA");
    cr_assert_eq(spec->uri.nparams, 3u);
    cr_expect_str_eq(spec->uri.params[0].value, "big");
    cr_expect_eq(spec->facility, 3);
    cr_expect_eq(spec->level, THOLE_OFF);
    fini(&p);
}

THL_TEST(config_sinks, label_is_the_spec_s_own)
{
    char label[] = "ECHOD_SINKS";
    struct parsed p = {{0}, {0}};
    cr_assert_eq(thl_config_sinks(label, "null:", &schemes, &p.specs, &p.errors), 0);
    memset(label, 'x', sizeof(label) - 1);
    cr_expect_str_eq(p.specs.spec[0].label, "ECHOD_SINKS");
    fini(&p);
}

THL_TEST(config_sinks, a_value_of_100_kilobytes_is_one)
{
    enum { SIZE = 100000 };
    char *text = malloc(SIZE + 1);
    cr_assert_not_null(text);
    memset(text, 'p', SIZE);
    text[SIZE] = '\0';
    memcpy(text, "file:/", 6);
    struct parsed p = parse_one(text);
    cr_expect_eq(strlen(p.specs.spec[0].uri.path), (size_t)SIZE - 5);
    fini(&p);
    memcpy(text, "file:/?mode=", 12);
    p = parse_one(text);
    cr_expect_eq(strlen(p.specs.spec[0].uri.params[0].value), (size_t)SIZE - 12);
    fini(&p);
    free(text);
}

THL_TEST(config_sinks, many_uris_and_many_repeats_of_a_key)
{
    enum { URIS = 5000, REPEATS = 10000 };
    char *text = calloc(REPEATS, 16), *end = text;
    cr_assert_not_null(text);
    for (int i = 0; i < URIS; i++)
        end += snprintf(end, 16, "null:%d ", i);
    struct parsed p = parse(text);
    cr_expect_eq(p.errors.n, 0u);
    cr_assert_eq(p.specs.n, (size_t)URIS);
    cr_expect_str_eq(p.specs.spec[URIS - 1].uri.path, "4999");
    fini(&p);
    end = text + snprintf(text, 16, "file:/x?");
    for (int i = 0; i < REPEATS; i++)
        end += snprintf(end, 16, "&keep=%d", i);
    p = parse(text);
    cr_expect_eq(p.specs.n, 0u);
    cr_expect_eq(p.errors.n, REPEATS - 1u, "each but the first");
    fini(&p);
    free(text);
}

/* xorshift: the same strings in every run. */
static uint32_t
next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void
parse_with_all(const char *text)
{
    struct thl_limits limits;
    struct thl_rules rules = {0};
    struct parsed p = parse(text);
    thl_config_limits_default(&limits);
    thl_config_limits("L", text, &limits, &p.errors);
    cr_assert_eq(thl_config_log("R", text, THL_RULE_ENV, &rules, &p.errors), 0);
    cr_assert(limits.queue >= 8 * (uint64_t)limits.record);
    cr_assert(limits.children + limits.loggers <= 1048576u);
    for (size_t i = 0; i < p.errors.kept; i++)
        for (const char *c = p.errors.text[i]; *c; c++)
            cr_assert(*c == '\n' || (unsigned char)*c >= 0x20, "a control byte in a message");
    thl_config_rules_fini(&rules);
    fini(&p);
}

THL_TEST(config_sinks, random_pieces_of_every_grammar_do_no_harm)
{
    static const char *const pieces[] = {"file:",
                                         "udp://",
                                         "[::1]",
                                         ":",
                                         "/",
                                         "?",
                                         "&",
                                         "=",
                                         "%",
                                         "%41",
                                         "%00",
                                         " ",
                                         ",",
                                         "\"",
                                         "{",
                                         "}",
                                         "level",
                                         "only",
                                         "mode",
                                         "facility",
                                         "sdid",
                                         "size",
                                         "children",
                                         "queue",
                                         "record",
                                         "overflow",
                                         "block:",
                                         "1",
                                         "16K",
                                         "99999999999999999999",
                                         "debug",
                                         "net",
                                         "@",
                                         "\x01",
                                         "\xff",
                                         "\xc3\xa9",
                                         "\xe2\x80\xa8",
                                         "\x1b[",
                                         "loggers",
                                         "null:",
                                         "stderr",
                                         "format"};
    uint32_t state = 2463534242u;
    for (int round = 0; round < 5000; round++) {
        char text[400] = "";
        for (uint32_t n = next_random(&state) % 24; n > 0; n--) {
            size_t at = strlen(text),
                   i = next_random(&state) % (sizeof(pieces) / sizeof(pieces[0]));
            snprintf(text + at, sizeof(text) - at, "%s", pieces[i]);
        }
        parse_with_all(text);
    }
}
