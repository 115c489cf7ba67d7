/* SPDX-License-Identifier: MIT */
/* THOLE_LIMITS: units, ranges with their words, and what must hold between keys. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static const struct thl_limits defaults = {.children = 65536,
                                           .loggers = 1024,
                                           .sites = 16384,
                                           .queues = 64,
                                           .context = 512,
                                           .record = 8192,
                                           .queue = 1048576,
                                           .site_below = THOLE_ERROR};

/* The limits after `text` upon the defaults; *errors is the caller's to end. */
static struct thl_limits
parse(const char *text, struct thl_config_errors *errors)
{
    struct thl_limits limits;
    thl_config_limits_default(&limits);
    *errors = (struct thl_config_errors){0};
    thl_config_limits("THOLE_LIMITS", text, &limits, errors);
    return limits;
}

static struct thl_limits
parse_valid(const char *text)
{
    struct thl_config_errors errors;
    struct thl_limits limits = parse(text, &errors);
    cr_expect_eq(errors.n, 0u, "%s: %s", text, errors.kept ? errors.text[0] : "");
    thl_config_errors_fini(&errors);
    return limits;
}

static bool
equal(const struct thl_limits *a, const struct thl_limits *b)
{
    return a->children == b->children && a->loggers == b->loggers && a->sites == b->sites &&
           a->queues == b->queues && a->context == b->context && a->record == b->record &&
           a->queue == b->queue && a->block == b->block && a->block_ms == b->block_ms &&
           a->site_rate == b->site_rate && a->site_burst == b->site_burst &&
           a->site_below == b->site_below;
}

THL_TEST(config_limits, defaults_are_those_of_the_contract)
{
    struct thl_limits limits = parse_valid("");
    cr_expect(equal(&limits, &defaults));
}

THL_TEST(config_limits, the_contract_s_own_line_is_the_default)
{
    struct thl_limits limits = parse_valid("children=65536,loggers=1024,context=512,record=8K,"
                                           "queue=1M,queues=64,sites=16384,overflow=drop,"
                                           "site-rate=0");
    cr_expect(equal(&limits, &defaults));
}

THL_TEST(config_limits, wrong_value_gives_one_positioned_message_and_changes_nothing)
{
    static const struct {
        const char *text;
        int column;
        const char *what;
    } rows[] = {
        {"children=0", 10, "children=0: expected 1 to 1044480"},
        {"children=1044481", 10, "children=1044481: expected 1 to 1044480"},
        {"children=many", 10, "children=many: expected 1 to 1044480"},
        {"children=-1", 10, "children=-1: expected 1 to 1044480"},
        {"children=+1", 10, "children=+1: expected 1 to 1044480"},
        {"loggers=4097", 9, "loggers=4097: expected 1 to 4096"},
        {"sites=2M", 7, "sites=2M: expected 1 to 1048576"},
        {"queues=1", 8, "queues=1: expected 2 to 1024"},
        {"queues", 7, "queues=: expected 2 to 1024"},
        {"queues=", 8, "queues=: expected 2 to 1024"},
        {"context=9K", 9, "context=9K: expected 64 to 8K"},
        {"record=8KB", 8, "record=8KB: expected 512 to 64000"},
        {"record=K", 8, "record=K: expected 512 to 64000"},
        {"record=0x400", 8, "record=0x400: expected 512 to 64000"},
        {"record=18446744073709552640", 8, "record=18446744073709552640: expected 512 to 64000"},
        {"queue=17179869184G", 7, "queue=17179869184G: expected 16K to 1G"},
        {"queue=17179869185G", 7, "queue=17179869185G: expected 16K to 1G"},
        {"queue=2G", 7, "queue=2G: expected 16K to 1G"},
        {"queue=16K", 7, "queue=16K: expected at least 65536, with record=8192"},
        {"overflow=", 10, "overflow=: expected drop or block:MS (MS 1 to 3600000)"},
        {"overflow=block", 10, "overflow=block: expected drop or block:MS (MS 1 to 3600000)"},
        {"overflow=block:0", 10, "overflow=block:0: expected drop or block:MS (MS 1 to 3600000)"},
        {"overflow=block:1K", 10, "overflow=block:1K: expected drop or block:MS (MS 1 to 3600000)"},
        {"overflow=block:3600001", 10,
         "overflow=block:3600001: expected drop or block:MS (MS 1 to 3600000)"},
        {"site-rate=5", 11, "site-rate=5: expected 0 or N/s, as in 100/s:burst=200:below=error"},
        {"site-rate", 10, "site-rate=: expected 0 or N/s, as in 100/s:burst=200:below=error"},
        {"site-rate=/s", 11, "site-rate=/s: expected 0 or N/s, as in 100/s:burst=200:below=error"},
        {"site-rate=0/s", 11, "site-rate=0: expected 1 to 1000000"},
        {"site-rate=1K/s", 11, "site-rate=1K: expected 1 to 1000000"},
        {"site-rate=1000001/s", 11, "site-rate=1000001: expected 1 to 1000000"},
        {"site-rate=5/s:", 15, "unknown part of site-rate \"\" (expected burst or below)"},
        {"site-rate=5/s:brust=9", 15,
         "unknown part of site-rate \"brust\" (did you mean \"burst\"?)"},
        {"site-rate=5/s:burst", 20, "burst=: expected 1 to 1000000"},
        {"site-rate=5/s:burst=0", 21, "burst=0: expected 1 to 1000000"},
        {"site-rate=5/s:burst=9:below=eror", 29,
         "unknown level \"eror\" (did you mean \"error\"?)"},
        {" chidren = 5", 2, "unknown key \"chidren\" (did you mean \"children\"?)"},
        {"zz=5", 1,
         "unknown key \"zz\" (expected children, loggers, sites, queues, context, record, queue, "
         "overflow or site-rate)"},
        {",=5", 2, "no key before \"=\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct thl_config_errors errors;
        struct thl_limits limits = parse(rows[i].text, &errors);
        char want[512];
        snprintf(want, sizeof(want), "THOLE_LIMITS:%d: %s\n    %s\n    %*s^", rows[i].column,
                 rows[i].what, rows[i].text, rows[i].column - 1, "");
        cr_assert_eq(errors.n, 1u, "%s: %zu errors", rows[i].text, errors.n);
        cr_expect_str_eq(errors.text[0], want);
        cr_expect(equal(&limits, &defaults), "%s", rows[i].text);
        thl_config_errors_fini(&errors);
    }
}

THL_TEST(config_limits, ends_of_each_range_are_inside)
{
    struct thl_limits low = parse_valid("children=1,loggers=1,sites=1,queues=2,context=64,"
                                        "record=512,queue=16K,overflow=block:1");
    cr_expect(
        equal(&low, &(struct thl_limits){1, 1, 1, 2, 64, 512, 16384, true, 1, 0, 0, THOLE_ERROR}));
    struct thl_limits high = parse_valid("children=1044480,loggers=4096,sites=1M,queues=1K,"
                                         "context=8K,record=64000,queue=1G,"
                                         "overflow=block:3600000");
    cr_expect(equal(&high, &(struct thl_limits){1044480, 4096, 1048576, 1024, 8192, 64000, 1u << 30,
                                                true, 3600000, 0, 0, THOLE_ERROR}));
}

THL_TEST(config_limits, site_rate_has_a_burst_of_one_second_and_spares_errors)
{
    struct thl_limits limits = parse_valid("site-rate=100/s");
    cr_expect_eq(limits.site_rate, 100u);
    cr_expect_eq(limits.site_burst, 100u);
    cr_expect_eq(limits.site_below, (unsigned)THOLE_ERROR);
    limits = parse_valid("site-rate=1000000/s:below=off:burst=1000000,loggers=5");
    cr_expect_eq(limits.site_rate, 1000000u);
    cr_expect_eq(limits.site_burst, 1000000u);
    cr_expect_eq(limits.site_below, (unsigned)THOLE_OFF);
    cr_expect_eq(limits.loggers, 5u);
    limits = parse_valid("site-rate=1/s:burst=1:below=trace");
    cr_expect_eq(limits.site_burst, 1u);
    cr_expect_eq(limits.site_below, (unsigned)THOLE_TRACE);
}

THL_TEST(config_limits, a_later_site_rate_replaces_the_earlier_whole)
{
    struct thl_limits limits = parse_valid("site-rate=9/s:burst=7:below=off,site-rate=5/s");
    cr_expect_eq(limits.site_rate, 5u);
    cr_expect_eq(limits.site_burst, 5u);
    cr_expect_eq(limits.site_below, (unsigned)THOLE_ERROR);
    limits = parse_valid("site-rate=9/s:burst=7:below=off,site-rate=0");
    cr_expect(equal(&limits, &defaults));
}

THL_TEST(config_limits, a_queue_is_rounded_up_to_a_power_of_two)
{
    cr_expect_eq(parse_valid("queue=1000000").queue, 1048576u);
    cr_expect_eq(parse_valid("queue=1048577").queue, 2097152u);
    cr_expect_eq(parse_valid("queue=60000").queue, 65536u, "holds eight records once rounded");
}

THL_TEST(config_limits, blanks_units_and_repeats)
{
    struct thl_limits limits = parse_valid(" record = 2k ,, sites= 5 ,\tsites=6,overflow=block:9,"
                                           "overflow=drop,");
    cr_expect_eq(limits.record, 2048u);
    cr_expect_eq(limits.sites, 6u, "the later wins");
    cr_expect_eq(limits.block, false);
    cr_expect_eq(limits.block_ms, 0u);
}

THL_TEST(config_limits, order_of_keys_that_belong_together_does_not_matter)
{
    cr_expect_eq(parse_valid("queue=16K,record=2K").queue, 16384u);
    cr_expect_eq(parse_valid("record=2K,queue=16K").queue, 16384u);
}

THL_TEST(config_limits, of_two_that_contradict_the_later_word_goes)
{
    struct thl_config_errors errors;
    struct thl_limits limits = parse("queue=64K,sites=9,record=8193", &errors);
    cr_assert_eq(errors.n, 1u);
    cr_expect_not_null(
        strstr(errors.text[0], ":26: record=8193: expected at most 8192, with queue=65536"));
    cr_expect_eq(limits.queue, 65536u);
    cr_expect_eq(limits.record, 8192u);
    cr_expect_eq(limits.sites, 9u, "the rest is applied");
    thl_config_errors_fini(&errors);
}

THL_TEST(config_limits, context_holds_half_of_a_record_at_most)
{
    struct thl_limits limits = parse_valid("record=512,context=8K");
    cr_expect_eq(thl_config_limits_context(&limits), 256u);
    limits = parse_valid("record=8K,context=6K");
    cr_expect_eq(thl_config_limits_context(&limits), 4096u);
    cr_expect_eq(thl_config_limits_context(&defaults), 512u);
}

THL_TEST(config_limits, both_go_when_either_contradicts_what_was_before)
{
    struct thl_config_errors errors;
    struct thl_limits limits = parse("queue=16K,record=64000", &errors);
    cr_assert_eq(errors.n, 2u);
    cr_expect_not_null(strstr(errors.text[0], ":18: record=64000: expected at most 2048, with"));
    cr_expect_not_null(strstr(errors.text[1], ":7: queue=16K: expected at least 65536, with"));
    cr_expect(equal(&limits, &defaults));
    thl_config_errors_fini(&errors);
}

THL_TEST(config_limits, keys_merge_upon_what_was_before)
{
    struct thl_config_errors errors;
    struct thl_limits limits = parse("loggers=10,record=1K", &errors);
    thl_config_limits("THOLE_LIMITS", "record=2K,children=0", &limits, &errors);
    cr_expect_eq(limits.loggers, 10u);
    cr_expect_eq(limits.record, 2048u);
    cr_expect_eq(limits.children, 65536u);
    cr_expect_eq(errors.n, 1u);
    thl_config_errors_fini(&errors);
}

THL_TEST(config_limits, has_no_bound_on_the_length_of_its_text)
{
    enum { SIZE = 200000 };
    char *text = malloc(SIZE + 1);
    cr_assert_not_null(text);
    memset(text, ',', SIZE);
    memcpy(text + SIZE - 7, "sites=8", 8);
    cr_expect_eq(parse_valid(text).sites, 8u);
    memset(text, '9', SIZE);
    memcpy(text, "sites=", 6);
    struct thl_config_errors errors;
    parse(text, &errors);
    cr_assert_eq(errors.kept, 1u);
    cr_expect_lt(strlen(errors.text[0]), 500u);
    thl_config_errors_fini(&errors);
    free(text);
}
