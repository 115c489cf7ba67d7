/* SPDX-License-Identifier: MIT */
/* Lines from phrases are, byte for byte, what the formats make of the same records. */
#include "test.h"

#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "../fuzz/random.h"
#include "field.h"
#include "phrase.h"

enum { SITES = 24, SLOTS = 3, STYLES = 12, FIELDS = 16, RECORDS = 60000 };

static unsigned
below(unsigned n)
{
    return (unsigned)(next_random() % n);
}

static bool
one_in(unsigned n)
{
    return below(n) == 0;
}

/* ---- what records are made of ---- */

static const char *const names[] = {
    "a",  "b",   "conn", "peer",        "status",        "http.path",
    "id", "src", "err",  "thole_stale", "thole_context", "http_path"};
static const char *const odd_names[] = {"",
                                        "two words",
                                        "x=y",
                                        "\xC3\xA9",
                                        "quo\"te",
                                        "http path",
                                        "http_path",
                                        "err_name",
                                        "a name that has more than thirty-two bytes",
                                        "a name that has more than thirty-two others"};

/* Odd ones make a format look at all keys again: not in each record. */
static struct thl_site_key
any_key(bool odd)
{
    const char *name = odd && one_in(4) ? odd_names[below(sizeof(odd_names) / sizeof(*odd_names))]
                                        : names[below(sizeof(names) / sizeof(*names))];
    return (struct thl_site_key){name, (uint32_t)strlen(name)};
}

static const char *
any_text(uint32_t *size)
{
    static char text[64];
    *size = below(4) ? below(20) : below(sizeof(text));
    const bool hostile = one_in(4);
    for (uint32_t i = 0; i < *size; i++)
        text[i] = hostile ? (char)below(256) : "abc 09-_/.:="[below(12)];
    return text;
}

static double
any_double(void)
{
    static const double special[] = {0, -0.0, 1e300, NAN, INFINITY, -INFINITY, 0.1, 3.25};
    return special[below(sizeof(special) / sizeof(special[0]))];
}

static struct thl_value
any_value(uint32_t type)
{
    static struct sockaddr_in peer;
    struct thl_value v = {type, 0, {.u = next_random() >> below(64)}};
    if (type == THOLE_FIELD_STRING || type == THOLE_FIELD_BYTES) {
        v.v.p = any_text(&v.size);
        if (one_in(8))
            v = (struct thl_value){THOLE_FIELD_NULL, 0, {.u = 0}};
    } else if (type == THOLE_FIELD_ADDR) {
        peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = (in_port_t)below(65536)};
        v.v.p = (const char *)&peer;
        v.size = one_in(4) ? below(sizeof(peer)) : (uint32_t)sizeof(peer);
    } else if (type == THOLE_FIELD_DOUBLE || type == THOLE_FIELD_FLOAT) {
        v.v.d = any_double();
    } else if (type == THOLE_FIELD_ERRNO || type == THOLE_FIELD_BOOL) {
        v.v.u = below(type == THOLE_FIELD_BOOL ? 2 : 140);
    }
    return v;
}

/* ---- sites, contexts, records ---- */

static const unsigned char kinds[] = {
    THOLE_FIELD_BOOL,   THOLE_FIELD_INT,    THOLE_FIELD_UINT,   THOLE_FIELD_FLOAT,
    THOLE_FIELD_DOUBLE, THOLE_FIELD_STRING, THOLE_FIELD_STRING, THOLE_FIELD_POINTER,
    THOLE_FIELD_BYTES,  THOLE_FIELD_ADDR,   THOLE_FIELD_HEX,    THOLE_FIELD_DURATION,
    THOLE_FIELD_SECRET, THOLE_FIELD_ERRNO,
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static struct site {
    struct thl_site_text text;
    struct thl_site_key key[FIELDS];
    unsigned char tag[FIELDS];
} sites[SITES];

/* errno fields are the last kind: seldom. */
static unsigned
any_kind(bool odd)
{
    return odd && one_in(4) ? KINDS - 1 : below(KINDS - 1);
}

static void
make_sites(void)
{
    static const char *const messages[] = {"request done", "", "say \"hi\"\n", "caf\xC3\xA9 \xFF"};
    for (unsigned i = 0; i < SITES; i++) {
        struct site *s = &sites[i];
        const bool odd = one_in(3);
        s->text = (struct thl_site_text){.file = "src/some file.c",
                                         .file_size = 15,
                                         .msg = messages[below(4)],
                                         .line = i,
                                         .tags = s->tag,
                                         .key = s->key};
        s->text.msg_size = (uint32_t)strlen(s->text.msg);
        s->text.nfields = (uint8_t)(one_in(8) ? below(FIELDS + 1) : below(5));
        for (unsigned j = 0; j < s->text.nfields; j++) {
            const unsigned kind = any_kind(odd);
            s->key[j] = any_key(odd);
            s->tag[j] = kinds[kind];
        }
    }
}

static struct context {
    unsigned char bytes[512];
    uint16_t size;
} contexts[SLOTS];

static void
amend(struct context *c)
{
    const bool odd = one_in(3);
    unsigned char *to = c->bytes;
    const unsigned n = below(odd ? 8 : 4);
    if (one_in(8)) {
        *c = contexts[below(SLOTS)];
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct thl_site_key key = any_key(odd);
        const struct thl_value v = any_value(kinds[any_kind(odd)]);
        if (to + thl_field_tagged_size(key.size, &v) <= c->bytes + sizeof(c->bytes) - 32)
            to = thl_field_tagged_put(to, key.text, key.size, &v);
    }
    if (one_in(10)) {
        const struct thl_value cut = {THOLE_FIELD_UINT, 0, {.u = 5}};
        to = thl_field_tagged_put(to, "thole.truncated", 15, &cut);
    }
    c->size = (uint16_t)(to - c->bytes);
}

static _Alignas(8) unsigned char record_bytes[8192];

static size_t
make_record(const struct site *s)
{
    struct thl_record *r = (struct thl_record *)(void *)record_bytes;
    unsigned char *to = (unsigned char *)(r + 1);
    const unsigned slot = below(SLOTS + 1);
    *r = (struct thl_record){.handle = (uint64_t)below(2) << 20,
                             .site = (uint32_t)(s - sites) + 1,
                             .level = (uint8_t)below(THOLE_OFF)};
    if (slot < SLOTS) {
        r->handle |= slot * 1365u; /* that share entries of the table, in some formats */
        r->context_size = contexts[slot].size;
        memcpy(to, contexts[slot].bytes, contexts[slot].size);
        to += thl_field_pad(contexts[slot].size);
    }
    if (one_in(20))
        r->flags = THL_RECORD_STALE;
    r->suppressed = one_in(20) ? 3 : 0;
    r->cut = one_in(20) ? 9 : 0;
    for (unsigned i = 0; i < s->text.nfields; i++) {
        struct thl_value v = any_value(s->tag[i]);
        to = thl_field_site_put(to, &v, 1);
    }
    const size_t size = (size_t)(to - record_bytes);
    return one_in(50) && s->text.nfields > 0 ? size - 8 : size; /* and what nobody can decode */
}

/* ---- the claim ---- */

static struct thl_format_options styles[STYLES];

static void
make_styles(void)
{
    for (unsigned i = 0; i < STYLES; i++)
        styles[i] = (struct thl_format_options){.format = (enum thl_format)(i % THL_FORMATS),
                                                .src = i >= THL_FORMATS,
                                                .color = i == THL_FORMAT_PRETTY,
                                                .max_bytes = i >= 2 * THL_FORMATS ? 180 : 0,
                                                .facility = 3,
                                                .app = "echod",
                                                .host = "host",
                                                .sdid = "thole@32473",
                                                .pid = 77,
                                                .utc_offset = -19800};
}

/* Steps of microseconds, and leaps over seconds, days and 1970. */
static int64_t
next_time(int64_t ns)
{
    if (one_in(500))
        return (int64_t)next_random();
    ns += below(300000);
    return one_in(100) ? ns - ns % 1000000000 - (int64_t)below(3) : ns;
}

/* Where a line comes from phrases, in a place that has only the room it asked for. True then. */
static bool
compare_with_format(struct thl_phrases *all, struct thl_phrase_line *line)
{
    static char want[65536];
    static struct thl_view view;
    struct thl_buf out;
    if (!thl_phrase_find(all, line))
        return false;
    char *got = malloc(line->room);
    const size_t n = thl_phrase_write(all, line, got);
    if (n > 0) {
        thl_record_view(&view, line->record, line->size, line->site);
        view.unix_ns = line->unix_ns;
        view.logger = line->logger;
        view.logger_size = line->logger_size;
        thl_buf_init(&out, want, sizeof(want));
        cr_assert_eq(thl_format_put(&out, line->options, &view), 0u, "it had to be cut");
        cr_assert(n == out.size && memcmp(got, want, n) == 0, "got  %.*s\nwant %.*s", (int)n, got,
                  (int)out.size, want);
    }
    free(got);
    return n > 0;
}

THL_TEST(phrase, lines_are_those_of_the_formats)
{
    struct thl_phrases *all = thl_phrases_new();
    unsigned found[STYLES] = {0};
    int64_t now = 1795352041123456789;
    make_sites();
    make_styles();
    for (unsigned i = 0; i < RECORDS; i++) {
        const struct site *s = &sites[below(SITES)];
        if (one_in(4))
            amend(&contexts[below(SLOTS)]);
        const unsigned style = below(STYLES);
        const struct thl_record *r = (const struct thl_record *)(const void *)record_bytes;
        struct thl_phrase_line line = {.record = r, .size = make_record(s), .site = &s->text};
        const unsigned logger = thl_record_logger(r);
        line.number = logger;
        line.logger = logger ? "net.http" : "";
        line.logger_size = logger ? 8 : 0;
        line.unix_ns = now = next_time(now);
        line.style = style;
        line.options = &styles[style];
        found[style] += compare_with_format(all, &line);
        if (one_in(5000))
            thl_phrases_forget(all);
    }
    for (unsigned i = 0; i < STYLES; i++)
        cr_expect_gt(found[i], RECORDS / STYLES / 8, "style %u: only %u lines", i, found[i]);
    thl_phrases_free(all);
}
