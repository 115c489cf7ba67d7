/* SPDX-License-Identifier: MIT */
/* Bounds: the grammar of THOLE_LIMITS. */
#include "config_text.h"

#define RECORDS_IN_QUEUE 8u /* a queue that holds fewer drops at the first burst */
#define BLOCK_MAX_MS 3600000u
#define SITE_RATE_MAX 1000000u
#define SITE_BELOW THOLE_ERROR /* where below= is not given */

/* The keys that are a number in a range. */
enum field { CHILDREN, LOGGERS, SITES, QUEUES, CONTEXT, RECORD, QUEUE, NUMBERS };

static const struct number {
    const char *key;
    uint64_t low, high;
    const char *range; /* the same, for people */
} numbers[NUMBERS] = {
    [CHILDREN] = {"children", 1, THL_LIMITS_CHILDREN_MAX, "1 to 1044480"},
    [LOGGERS] = {"loggers", 1, 4096, "1 to 4096"},
    [SITES] = {"sites", 1, 1048576, "1 to 1048576"},
    [QUEUES] = {"queues", 2, 1024, "2 to 1024"},
    [CONTEXT] = {"context", 64, 8192, "64 to 8K"},
    [RECORD] = {"record", 512, 64000, "512 to 64000"},
    [QUEUE] = {"queue", 16384, 1u << 30, "16K to 1G"},
};

/* What one text has said so far; `written` is empty (s NULL) where it said nothing valid. */
struct reading {
    struct thl_config_text t;
    uint64_t value[NUMBERS];
    struct thl_span written[NUMBERS];
};

void
thl_config_limits_default(struct thl_limits *limits)
{
    *limits = (struct thl_limits){
        .children = 65536,
        .loggers = 1024,
        .sites = 16384,
        .queues = 64,
        .context = 512,
        .record = 8192,
        .queue = 1048576,
        .site_below = SITE_BELOW,
    };
}

uint32_t
thl_config_limits_context(const struct thl_limits *limits)
{
    return limits->context < limits->record / 2 ? limits->context : limits->record / 2;
}

/* ---- single keys ---- */

static void
read_number(struct reading *r, enum field field, struct thl_span value)
{
    const struct number *number = &numbers[field];
    uint64_t x;
    if (!thl_config_text_number(value, &x) || x < number->low || x > number->high) {
        struct thl_config_quote quote = thl_config_text_quote(value);
        thl_config_text_error(&r->t, value.s, "%s=%s: expected %s", number->key, quote.text,
                              number->range);
        return;
    }
    r->value[field] = x;
    r->written[field] = value;
}

static void
read_overflow(const struct reading *r, struct thl_span value, struct thl_limits *limits)
{
    static const char block[] = "block:";
    const size_t prefix = sizeof(block) - 1;
    uint64_t ms;
    if (thl_config_text_is(value, "drop")) {
        limits->block = false;
        limits->block_ms = 0;
        return;
    }
    if (value.n > prefix && memcmp(value.s, block, prefix) == 0 && value.s[value.n - 1] <= '9' &&
        thl_config_text_number((struct thl_span){value.s + prefix, value.n - prefix}, &ms) &&
        ms >= 1 && ms <= BLOCK_MAX_MS) {
        limits->block = true;
        limits->block_ms = (uint32_t)ms;
        return;
    }
    struct thl_config_quote quote = thl_config_text_quote(value);
    thl_config_text_error(&r->t, value.s, "overflow=%s: expected drop or block:MS (MS 1 to %u)",
                          quote.text, BLOCK_MAX_MS);
}

/* What one site-rate= says. */
struct site_rate {
    uint64_t rate, burst; /* burst 0: not given */
    int below;            /* -1: an error was told */
};

/* A number of site-rate=, 1 to the bound; an error at it otherwise. */
static bool
read_site_number(const struct reading *r, const char *what, struct thl_span value, uint64_t *out)
{
    if (value.n > 0 && value.s[value.n - 1] <= '9' && thl_config_text_number(value, out) &&
        *out >= 1 && *out <= SITE_RATE_MAX)
        return true;
    struct thl_config_quote quote = thl_config_text_quote(value);
    thl_config_text_error(&r->t, value.s, "%s%s: expected 1 to %u", what, quote.text,
                          SITE_RATE_MAX);
    return false;
}

/* ":burst=M" or ":below=LEVEL", without the colon. */
static bool
read_site_option(const struct reading *r, struct thl_span option, struct site_rate *to)
{
    static const char *const words[] = {"burst", "below"};
    struct thl_span value, key = thl_config_text_cut(option, '=', &value);
    if (!value.s)
        value = (struct thl_span){key.s + key.n, 0};
    if (thl_config_text_is(key, "burst"))
        return read_site_number(r, "burst=", value, &to->burst);
    if (thl_config_text_is(key, "below")) {
        to->below = thl_config_text_level(&r->t, value.s, value, "");
        return to->below >= 0;
    }
    thl_config_text_unknown(&r->t, key.s, "part of site-rate", key, words, 2, "");
    return false;
}

/* "N/s" and what follows it. */
static bool
read_site_parts(const struct reading *r, struct thl_span value, struct site_rate *to)
{
    struct thl_span rest, rate = thl_config_text_cut(value, ':', &rest);
    if (rate.n < 3 || memcmp(rate.s + rate.n - 2, "/s", 2) != 0) {
        struct thl_config_quote quote = thl_config_text_quote(rate);
        thl_config_text_error(&r->t, rate.s,
                              "site-rate=%s: expected 0 or N/s, as in 100/s:burst=200:below=error",
                              quote.text);
        return false;
    }
    rate.n -= 2;
    if (!read_site_number(r, "site-rate=", rate, &to->rate))
        return false;
    while (rest.s) {
        struct thl_span option = thl_config_text_cut(rest, ':', &rest);
        if (!read_site_option(r, option, to))
            return false;
    }
    return true;
}

static void
read_site_rate(const struct reading *r, struct thl_span value, struct thl_limits *limits)
{
    struct site_rate said = {0, 0, SITE_BELOW};
    if (!thl_config_text_is(value, "0") && !read_site_parts(r, value, &said))
        return;
    limits->site_rate = (uint32_t)said.rate;
    limits->site_burst = (uint32_t)(said.burst ? said.burst : said.rate);
    limits->site_below = (uint32_t)said.below;
}

static void
refuse_key(const struct reading *r, struct thl_span key)
{
    const char *words[NUMBERS + 2];
    for (size_t i = 0; i < NUMBERS; i++)
        words[i] = numbers[i].key;
    words[NUMBERS] = "overflow";
    words[NUMBERS + 1] = "site-rate";
    thl_config_text_unknown(&r->t, key.s, "key", key, words, NUMBERS + 2, "");
}

static void
read_value(struct reading *r, struct thl_span key, struct thl_span value, struct thl_limits *limits)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        if (thl_config_text_is(key, numbers[i].key)) {
            read_number(r, (enum field)i, value);
            return;
        }
    }
    if (thl_config_text_is(key, "overflow"))
        read_overflow(r, value, limits);
    else if (thl_config_text_is(key, "site-rate"))
        read_site_rate(r, value, limits);
    else
        refuse_key(r, key);
}

static void
read_pair(struct reading *r, struct thl_span pair, struct thl_limits *limits)
{
    struct thl_span value, key = thl_config_text_cut(pair, '=', &value);
    key = thl_config_text_trim(key);
    if (key.n == 0 && !value.s)
        return; /* two commas, or one at the end */
    if (key.n == 0)
        thl_config_text_error(&r->t, value.s - 1, "no key before \"=\"");
    else if (value.s)
        read_value(r, key, thl_config_text_trim(value), limits);
    else
        read_value(r, key, (struct thl_span){key.s + key.n, 0}, limits);
}

/* ---- what must hold between keys ---- */

/* The limits as they were fit together, so what this text said is at fault: its later word first.
 */
static enum field
find_blamed(const struct reading *r, enum field a, enum field b)
{
    return !r->written[a].s || r->written[b].s > r->written[a].s ? b : a;
}

/* Says so, and gives a key of this text its earlier value back. */
static void
take_back(struct reading *r, const struct reading *before, enum field field, const char *bound,
          uint64_t limit, enum field other)
{
    struct thl_config_quote quote = thl_config_text_quote(r->written[field]);
    thl_config_text_error(&r->t, r->written[field].s, "%s=%s: expected at %s %llu, with %s=%llu",
                          numbers[field].key, quote.text, bound, (unsigned long long)limit,
                          numbers[other].key, (unsigned long long)r->value[other]);
    r->value[field] = before->value[field];
    r->written[field] = (struct thl_span){NULL, 0};
}

static uint64_t
round_up(uint64_t x)
{
    uint64_t power = 1;
    while (power < x)
        power <<= 1;
    return power;
}

/* When all is read, so that the order of the keys does not matter. */
static void
check_queue(struct reading *r, const struct reading *before)
{
    while (round_up(r->value[QUEUE]) < RECORDS_IN_QUEUE * r->value[RECORD]) {
        enum field field = find_blamed(r, QUEUE, RECORD);
        if (!r->written[field].s)
            return;
        if (field == QUEUE)
            take_back(r, before, QUEUE, "least", RECORDS_IN_QUEUE * r->value[RECORD], RECORD);
        else
            take_back(r, before, RECORD, "most", round_up(r->value[QUEUE]) / RECORDS_IN_QUEUE,
                      QUEUE);
    }
}

static struct reading
begin_reading(struct thl_config_text t, const struct thl_limits *limits)
{
    return (struct reading){
        .t = t,
        .value = {[CHILDREN] = limits->children,
                  [LOGGERS] = limits->loggers,
                  [SITES] = limits->sites,
                  [QUEUES] = limits->queues,
                  [CONTEXT] = limits->context,
                  [RECORD] = limits->record,
                  [QUEUE] = limits->queue},
    };
}

void
thl_config_limits(const char *label, const char *text, struct thl_limits *limits,
                  struct thl_config_errors *errors)
{
    struct reading before = begin_reading((struct thl_config_text){label, text, errors}, limits);
    struct reading r = before;
    struct thl_span rest = {text, strlen(text)};
    while (rest.s) {
        struct thl_span pair = thl_config_text_cut(rest, ',', &rest);
        read_pair(&r, pair, limits);
    }
    check_queue(&r, &before);
    limits->children = (uint32_t)r.value[CHILDREN];
    limits->loggers = (uint32_t)r.value[LOGGERS];
    limits->sites = (uint32_t)r.value[SITES];
    limits->queues = (uint32_t)r.value[QUEUES];
    limits->context = (uint32_t)r.value[CONTEXT];
    limits->record = (uint32_t)r.value[RECORD];
    limits->queue = round_up(r.value[QUEUE]);
}
