/* SPDX-License-Identifier: MIT */
/* Where the lines go: the grammar of THOLE_SINKS. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_uri.h"

#define DEFAULT_PORT "514"         /* of udp: (RFC 5426, section 3.3) */
#define DEFAULT_SDID "thole@32473" /* an enterprise number kept for examples (RFC 5612) */
#define DEFAULT_FACILITY 3         /* daemon (RFC 5424, table 1) */
#define SIZE_MIN 480               /* every receiver takes so much (RFC 5424, section 6.1) */
#define SIZE_MAX_UDP 65507         /* the payload of the largest IPv4 datagram */
#define IDENT_MAX 48               /* APP-NAME (RFC 5424, section 6) */
#define SDID_MAX 32                /* SD-NAME (RFC 5424, section 6) */
#define KEYS_MAX 64
#define RATE_MAX 1000000

/* One URI while it is being read. `out` fills the block that the spec will own. */
struct reading {
    const struct thl_config_text *t;
    struct thl_sink_spec *spec;
    struct thole_sink_param *params;
    struct thl_buf out;
    const char *at; /* the value that is being read, for its errors */
    unsigned given; /* bits of those of common_keys that were read */
};

/* ---- keys that thole itself handles; each reader answers false after an error ---- */

static bool
refuse_value(const struct reading *r, const char *key, struct thl_span value, const char *expected)
{
    struct thl_config_quote quote = thl_config_text_quote(value);
    thl_config_text_error(r->t, r->at, "%s=%s: expected %s", key, quote.text, expected);
    return false;
}

static bool
read_level(struct reading *r, struct thl_span value)
{
    int level = thl_config_text_level(r->t, r->at, value, "");
    if (level < 0)
        return false;
    r->spec->level = (enum thole_level)level;
    return true;
}

static bool
read_only(struct reading *r, struct thl_span value)
{
    if (value.n == 0 || value.n > THL_NAME_MAX || thl_config_text_name(value) < value.n)
        return refuse_value(r, "only", value,
                            "a logger's name (letters, digits, \"_\", \".\", \"-\"; 128 bytes)");
    memcpy(r->spec->only, value.s, value.n);
    r->spec->only[value.n] = '\0';
    return true;
}

static bool
read_format(struct reading *r, struct thl_span value)
{
    const char *words[THL_FORMATS];
    int format = thl_format_parse(value.s, value.n);
    if (format >= 0) {
        r->spec->format = (enum thl_format)format;
        r->spec->format_given = true;
        return true;
    }
    if (thl_config_text_is(value, "gelf") || thl_config_text_is(value, "cee")) {
        thl_config_text_error(r->t, r->at, "format \"%.*s\" is not supported yet", (int)value.n,
                              value.s);
        return false;
    }
    for (int i = 0; i < THL_FORMATS; i++)
        words[i] = thl_format_word((enum thl_format)i);
    thl_config_text_unknown(r->t, r->at, "format", value, words, THL_FORMATS, "");
    return false;
}

static bool
read_switch(struct reading *r, const char *key, struct thl_span value, bool *out)
{
    if (value.n != 1 || (value.s[0] != '0' && value.s[0] != '1'))
        return refuse_value(r, key, value, "0 or 1");
    *out = value.s[0] == '1';
    return true;
}

static bool
read_src(struct reading *r, struct thl_span value)
{
    return read_switch(r, "src", value, &r->spec->src);
}

static bool
read_seq(struct reading *r, struct thl_span value)
{
    return read_switch(r, "seq", value, &r->spec->seq);
}

static bool
is_digits(struct thl_span span)
{
    for (size_t i = 0; i < span.n; i++)
        if (span.s[i] < '0' || span.s[i] > '9')
            return false;
    return span.n > 0;
}

static bool
read_rate(struct reading *r, struct thl_span value)
{
    struct thl_span per, number = thl_config_text_cut(value, '/', &per);
    uint64_t rate = 0;
    if (!per.s || !thl_config_text_is(per, "s") || !is_digits(number) ||
        !thl_config_text_number(number, &rate) || rate < 1 || rate > RATE_MAX)
        return refuse_value(r, "rate", value, "N/s, as 100/s (N 1 to 1000000)");
    r->spec->rate = (uint32_t)rate;
    return true;
}

static bool
read_facility(struct reading *r, struct thl_span value)
{
    /* By number; those from 12 to 15 have no name that systems agree on. */
    static const char *const names[] = {"kern",     "user",   "mail",   "daemon", "auth",
                                        "syslog",   "lpr",    "news",   "uucp",   "cron",
                                        "authpriv", "ftp",    "local0", "local1", "local2",
                                        "local3",   "local4", "local5", "local6", "local7"};
    enum { NAMES = sizeof(names) / sizeof(names[0]), FIRST_LOCAL = 12, LOCAL0 = 16 };
    uint64_t number;
    for (int i = 0; i < NAMES; i++) {
        if (thl_config_text_is(value, names[i])) {
            r->spec->facility = i < FIRST_LOCAL ? i : i - FIRST_LOCAL + LOCAL0;
            return true;
        }
    }
    if (!is_digits(value) || !thl_config_text_number(value, &number)) {
        thl_config_text_unknown(r->t, r->at, "facility", value, names, NAMES, "; or 0 to 23");
        return false;
    }
    if (number > 23)
        return refuse_value(r, "facility", value, "0 to 23, or a name");
    r->spec->facility = (int)number;
    return true;
}

/* PRINTUSASCII of RFC 5424 but for the bytes in `refused`. */
static bool
is_printable(struct thl_span span, const char *refused)
{
    for (size_t i = 0; i < span.n; i++)
        if (span.s[i] < '!' || span.s[i] > '~' || strchr(refused, span.s[i]))
            return false;
    return true;
}

static bool
read_ident(struct reading *r, struct thl_span value)
{
    if (value.n == 0 || value.n > IDENT_MAX || !is_printable(value, ""))
        return refuse_value(r, "ident", value, "1 to 48 printable ASCII characters, no blanks");
    memcpy(r->spec->ident, value.s, value.n);
    r->spec->ident[value.n] = '\0';
    return true;
}

static bool
read_sdid(struct reading *r, struct thl_span value)
{
    struct thl_span pen, name = thl_config_text_cut(value, '@', &pen);
    if (value.n > SDID_MAX || name.n == 0 || !is_printable(name, "=]\"") || !is_digits(pen))
        return refuse_value(r, "sdid", value,
                            "NAME@NUMBER, 32 characters at most, NAME without blanks = ] \"");
    memcpy(r->spec->sdid, value.s, value.n);
    r->spec->sdid[value.n] = '\0';
    return true;
}

static bool
read_size(struct reading *r, struct thl_span value)
{
    uint64_t size;
    if (!thl_config_text_number(value, &size) || size < SIZE_MIN || size > SIZE_MAX_UDP)
        return refuse_value(r, "size", value, "480 to 65507");
    r->spec->size = (size_t)size;
    return true;
}

static bool
read_color(struct reading *r, struct thl_span value)
{
    static const char *const words[] = {"auto", "always", "never"}; /* enum thl_color */
    for (int i = 0; i < 3; i++) {
        if (thl_config_text_is(value, words[i])) {
            r->spec->color = (enum thl_color)i;
            return true;
        }
    }
    thl_config_text_unknown(r->t, r->at, "color", value, words, 3, "");
    return false;
}

/* ---- which keys belong to which scheme ---- */

enum holder { EVERY_SINK, SYSLOG_KIND, STREAM, NOT_YET };

static const struct key {
    const char *name;
    enum holder holder;
    bool (*read)(struct reading *r, struct thl_span value);
} common_keys[] = {
    {"level", EVERY_SINK, read_level},
    {"only", EVERY_SINK, read_only},
    {"format", EVERY_SINK, read_format},
    {"src", EVERY_SINK, read_src},
    {"seq", EVERY_SINK, read_seq},
    {"rate", EVERY_SINK, read_rate},
    {"facility", SYSLOG_KIND, read_facility},
    {"ident", SYSLOG_KIND, read_ident},
    {"sdid", SYSLOG_KIND, read_sdid},
    {"size", SYSLOG_KIND, read_size},
    {"color", STREAM, read_color},
    {"schema", NOT_YET, NULL},
};
#define COMMON_KEYS (sizeof(common_keys) / sizeof(common_keys[0]))

static bool
is_stream(const char *scheme)
{
    return strcmp(scheme, "stderr") == 0 || strcmp(scheme, "stdout") == 0;
}

static enum thl_format
default_format(const struct thole_sink_ops *ops)
{
    const char *word = ops->format ? ops->format : "json";
    return (enum thl_format)thl_format_parse(word, strlen(word)); /* register has looked */
}

static bool
has_key(const struct thl_sink_spec *spec, const struct key *key)
{
    switch (key->holder) {
    case SYSLOG_KIND:
        return default_format(spec->ops) == THL_FORMAT_RFC5424 ||
               default_format(spec->ops) == THL_FORMAT_RFC3164;
    case STREAM:
        return is_stream(spec->uri.scheme);
    default:
        return true;
    }
}

static const struct key *
find_common_key(const struct thl_sink_spec *spec, struct thl_span name)
{
    for (size_t i = 0; i < COMMON_KEYS; i++)
        if (thl_config_text_is(name, common_keys[i].name))
            return has_key(spec, &common_keys[i]) ? &common_keys[i] : NULL;
    return NULL;
}

static const char *
find_own_key(const struct thole_sink_ops *ops, struct thl_span name)
{
    for (const char *const *key = ops->keys; key && *key; key++)
        if (thl_config_text_is(name, *key))
            return *key;
    return NULL;
}

static bool
refuse_key(const struct reading *r, struct thl_span key)
{
    const struct thole_sink_ops *ops = r->spec->ops;
    const char *words[KEYS_MAX];
    char what[48]; /* a scheme has at most 31 characters */
    size_t n = 0;
    for (size_t i = 0; i < COMMON_KEYS; i++)
        if (common_keys[i].holder != NOT_YET && has_key(r->spec, &common_keys[i]))
            words[n++] = common_keys[i].name;
    for (const char *const *own = ops->keys; own && *own && n < KEYS_MAX; own++)
        words[n++] = *own;
    snprintf(what, sizeof(what), "%s: key", r->spec->uri.scheme);
    thl_config_text_unknown(r->t, key.s, what, key, words, n, "");
    return false;
}

/* ---- the parts of a URI, copied into the spec's block ---- */

/* The bytes of the span, ended by NUL. The block has room: see block_size(). */
static const char *
keep(struct thl_buf *out, struct thl_span span)
{
    const char *begin = out->bytes + out->size;
    thl_buf_put(out, span.s, span.n);
    thl_buf_putc(out, '\0');
    return begin;
}

/* The same, percent-decoded; NULL after an error. */
static const char *
keep_decoded(struct reading *r, struct thl_span span)
{
    const char *begin = r->out.bytes + r->out.size;
    if (!thl_config_uri_decode(r->t, span, &r->out))
        return NULL;
    thl_buf_putc(&r->out, '\0');
    return begin;
}

/* Of two values one would be passed over in silence. It also holds the params to as many as the
 * scheme has keys. */
static bool
is_given(const struct reading *r, const struct key *common, const char *own)
{
    if (common)
        return (r->given & 1u << (common - common_keys)) != 0;
    for (size_t i = 0; i < r->spec->uri.nparams; i++)
        if (r->params[i].key == own)
            return true;
    return false;
}

static bool
read_pair(struct reading *r, struct thl_span pair)
{
    struct thl_span written, name = thl_config_text_cut(pair, '=', &written);
    const struct key *common = find_common_key(r->spec, name);
    const char *own = find_own_key(r->spec->ops, name);
    if (name.n == 0) {
        thl_config_text_error(r->t, name.s, "no key before \"=\"");
        return false;
    }
    if (!common && !own)
        return refuse_key(r, name);
    if (common && common->holder == NOT_YET) {
        thl_config_text_error(r->t, name.s, "%s= is not supported yet", common->name);
        return false;
    }
    if (is_given(r, common, own)) {
        thl_config_text_error(r->t, name.s, "%.*s= twice in one URI", (int)name.n, name.s);
        return false;
    }
    if (!written.s)
        written = (struct thl_span){name.s + name.n, 0};
    r->at = written.s;
    const char *value = keep_decoded(r, written);
    if (!value)
        return false;
    struct thl_span span = {value, strlen(value)};
    if (common) {
        r->given |= 1u << (common - common_keys);
        return common->read(r, span);
    }
    const char *expected = r->spec->ops->check ? r->spec->ops->check(own, value) : NULL;
    if (expected)
        return refuse_value(r, own, span, expected);
    r->params[r->spec->uri.nparams++] = (struct thole_sink_param){own, value};
    return true;
}

static bool
read_query(struct reading *r, struct thl_span query)
{
    bool good = true;
    while (query.s) {
        struct thl_span pair = thl_config_text_cut(query, '&', &query);
        if (pair.n > 0)
            good &= read_pair(r, pair);
    }
    return good;
}

/* ---- one URI ---- */

static size_t
count_own_keys(const struct thole_sink_ops *ops)
{
    size_t n = 0;
    while (ops->keys && ops->keys[n])
        n++;
    return n;
}

/* Room for the params, the label, the text, and the text's parts: those are no longer decoded than
 * written, and what separates them leaves room for the NUL of each, but for the first few. */
static size_t
block_size(const struct thl_config_text *t, struct thl_span text, size_t params)
{
    return params * sizeof(struct thole_sink_param) + strlen(t->label) + 2 * text.n + 16;
}

/* RFC 3164, 4.1: a packet has 1024 bytes at most. */
static size_t
default_size(const struct thl_sink_spec *spec)
{
    const bool old = strcmp(spec->uri.scheme, "udp") == 0 && spec->format == THL_FORMAT_RFC3164;
    return old ? 1024 : spec->ops->max_record;
}

static bool
fill_spec(struct reading *r, const struct thl_config_uri *uri)
{
    struct thl_sink_spec *spec = r->spec;
    struct thl_span none = {"", 0}, port = uri->port.s ? uri->port : none;
    if (thl_config_text_is(uri->scheme, "udp") && !uri->port.s)
        port = (struct thl_span){DEFAULT_PORT, strlen(DEFAULT_PORT)};
    spec->uri.params = r->params;
    spec->uri.text = keep(&r->out, uri->text);
    spec->uri.scheme = keep(&r->out, uri->scheme);
    spec->uri.host = keep(&r->out, uri->host);
    spec->uri.port = keep(&r->out, port);
    spec->uri.path = keep_decoded(r, uri->path);
    spec->level = THOLE_TRACE;
    spec->facility = DEFAULT_FACILITY;
    spec->format = default_format(spec->ops);
    memcpy(spec->sdid, DEFAULT_SDID, sizeof(DEFAULT_SDID));
    if (!spec->uri.path || !read_query(r, uri->query))
        return false;
    if (spec->size == 0)
        spec->size = default_size(spec);
    return true;
}

/* Doubles the room whenever n is a power of two, like add_rule() in config_log.c. */
static int
add_spec(struct thl_sink_specs *specs, const struct thl_sink_spec *spec)
{
    if ((specs->n & (specs->n - 1)) == 0) {
        size_t room = specs->n ? 2 * specs->n : 1;
        struct thl_sink_spec *more = realloc(specs->spec, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        specs->spec = more;
    }
    specs->spec[specs->n++] = *spec;
    return 0;
}

static int
read_uri(const struct thl_config_text *t, const struct thl_scheme_table *schemes,
         struct thl_span text, struct thl_sink_specs *specs)
{
    struct thl_config_uri uri;
    struct thl_sink_spec spec = {.text = t->text, .column = (size_t)(text.s - t->text) + 1};
    if (!thl_config_uri_split(t, text, &uri))
        return 0;
    spec.ops = thl_config_uri_find(t, &uri, schemes);
    if (!spec.ops || !thl_config_uri_check(t, &uri))
        return 0;
    size_t params = count_own_keys(spec.ops), size = block_size(t, text, params);
    void *block = malloc(size);
    if (!block)
        return -ENOMEM;
    struct reading r = {.t = t, .spec = &spec, .params = block};
    size_t begin = params * sizeof(*r.params);
    thl_buf_init(&r.out, (char *)block + begin, size - begin);
    spec.label = keep(&r.out, (struct thl_span){t->label, strlen(t->label)});
    int rc = 0;
    bool good = fill_spec(&r, &uri);
    if (good)
        rc = add_spec(specs, &spec);
    if (!good || rc < 0)
        free(block);
    return rc;
}

int
thl_config_sinks(const char *label, const char *text, const struct thl_scheme_table *schemes,
                 struct thl_sink_specs *specs, struct thl_config_errors *errors)
{
    struct thl_config_text t = {label, text, errors};
    for (const char *p = text; *p;) {
        const char *begin = p;
        while (*p && !thl_config_text_is_blank(*p))
            p++;
        if (p > begin) {
            int rc = read_uri(&t, schemes, (struct thl_span){begin, (size_t)(p - begin)}, specs);
            if (rc < 0)
                return rc;
        } else {
            p++;
        }
    }
    return 0;
}

void
thl_config_sinks_fini(struct thl_sink_specs *specs)
{
    for (size_t i = 0; i < specs->n; i++)
        free((void *)specs->spec[i].uri.params); /* where the block begins */
    free(specs->spec);
    *specs = (struct thl_sink_specs){0};
}
