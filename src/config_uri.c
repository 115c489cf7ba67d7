/* SPDX-License-Identifier: MIT */
/* SCHEME:PATH?QUERY and SCHEME://HOST:PORT/PATH?QUERY taken apart, and percent-decoding. */
#include "config_uri.h"

/* The bytes up to the first of `stops`, or all. */
static struct thl_span
take_until(struct thl_span span, const char *stops)
{
    size_t n = 0;
    while (n < span.n && !strchr(stops, span.s[n]))
        n++;
    return (struct thl_span){span.s, n};
}

static struct thl_span
skip(struct thl_span span, size_t n)
{
    return (struct thl_span){span.s + n, span.n - n};
}

static bool
check_port(const struct thl_config_text *t, struct thl_span port)
{
    uint64_t x;
    if (port.n > 0 && port.s[port.n - 1] <= '9' && thl_config_text_number(port, &x) && x >= 1 &&
        x <= 65535)
        return true;
    struct thl_config_quote quote = thl_config_text_quote(port);
    thl_config_text_error(t, port.s, "port \"%s\": expected 1 to 65535", quote.text);
    return false;
}

/* An address in brackets may hold colons, and a zone behind a '%'; a name may not. */
static bool
check_host(const struct thl_config_text *t, struct thl_span host, const char *more)
{
    while (host.n > 0) {
        size_t good = thl_config_text_name(host);
        if (good == host.n)
            break;
        if (!strchr(more, host.s[good])) {
            thl_config_text_error(t, host.s + good, "bad character in a host's name or address");
            return false;
        }
        host = skip(host, good + 1);
    }
    return true;
}

static bool
split_bracketed(const struct thl_config_text *t, struct thl_span authority,
                struct thl_config_uri *uri)
{
    struct thl_span after;
    uri->host = thl_config_text_cut(skip(authority, 1), ']', &after);
    if (!after.s) {
        thl_config_text_error(t, authority.s, "no \"]\" behind the address");
        return false;
    }
    if (after.n > 0 && after.s[0] != ':') {
        thl_config_text_error(t, after.s, "expected \":PORT\" behind the address");
        return false;
    }
    if (after.n > 0)
        uri->port = skip(after, 1);
    return check_host(t, uri->host, ":%");
}

static bool
split_plain(const struct thl_config_text *t, struct thl_span authority, struct thl_config_uri *uri)
{
    uri->host = thl_config_text_cut(authority, ':', &uri->port);
    if (uri->port.s && memchr(uri->port.s, ':', uri->port.n)) {
        thl_config_text_error(t, authority.s,
                              "an IPv6 address stands in brackets: \"[::1]\" or \"[::1]:514\"");
        return false;
    }
    return check_host(t, uri->host, "");
}

static bool
split_authority(const struct thl_config_text *t, struct thl_config_uri *uri)
{
    struct thl_span rest = skip(uri->body, 2), authority = take_until(rest, "/");
    bool bracketed = authority.n > 0 && authority.s[0] == '[';
    uri->path = skip(rest, authority.n);
    if (bracketed ? !split_bracketed(t, authority, uri) : !split_plain(t, authority, uri))
        return false;
    return !uri->port.s || check_port(t, uri->port);
}

bool
thl_config_uri_split(const struct thl_config_text *t, struct thl_span text,
                     struct thl_config_uri *uri)
{
    *uri = (struct thl_config_uri){.text = text, .scheme = take_until(text, ":/?")};
    struct thl_span rest = skip(text, uri->scheme.n);
    uri->host = uri->path = uri->body = uri->query = skip(text, text.n);
    if (rest.n == 0 || rest.s[0] != ':')
        return true;
    uri->colon = true;
    uri->body = uri->path = take_until(skip(rest, 1), "?");
    rest = skip(rest, 1 + uri->body.n);
    if (rest.n > 0)
        uri->query = skip(rest, 1);
    if (uri->body.n >= 2 && memcmp(uri->body.s, "//", 2) == 0)
        return split_authority(t, uri);
    return true;
}

/* ---- schemes ---- */

static bool
is_later_scheme(struct thl_span scheme)
{
    return thl_config_text_is(scheme, "tcp") || thl_config_text_is(scheme, "journal");
}

/* Text without a colon: a scheme whose colon was forgotten, a bare path, or neither. */
static void
refuse_word(const struct thl_config_text *t, const struct thl_scheme_table *schemes,
            const struct thl_config_uri *uri)
{
    struct thl_config_quote quote = thl_config_text_quote(uri->text);
    const char *near = thl_config_suggest(uri->scheme.s, uri->scheme.n, schemes->names, schemes->n);
    if (near)
        thl_config_text_error(t, uri->text.s, "\"%s\" is no URI (did you mean \"%s:\"?)",
                              quote.text, near);
    else if (memchr("/.", quote.text[0], 2))
        thl_config_text_error(t, uri->text.s, "\"%s\" is no URI (did you mean \"file:%s\"?)",
                              quote.text, quote.text);
    else
        thl_config_text_error(t, uri->text.s,
                              "\"%s\" is no URI (for example \"stderr:\" or \"file:/PATH\")",
                              quote.text);
}

const struct thole_sink_ops *
thl_config_uri_find(const struct thl_config_text *t, const struct thl_config_uri *uri,
                    const struct thl_scheme_table *schemes)
{
    const struct thole_sink_ops *ops = schemes->find(uri->scheme.s, uri->scheme.n);
    if (!uri->colon)
        refuse_word(t, schemes, uri);
    else if (!ops && is_later_scheme(uri->scheme))
        thl_config_text_error(t, uri->text.s, "%.*s: is not supported yet", (int)uri->scheme.n,
                              uri->scheme.s);
    else if (!ops)
        thl_config_text_unknown(t, uri->text.s, "scheme", uri->scheme, schemes->names, schemes->n,
                                "");
    return uri->colon ? ops : NULL;
}

/* ---- what a scheme asks of host and path ---- */

enum part { NONE, MAY, MUST };

/* The built-in schemes. */
static const struct form {
    const char *scheme;
    enum part host, path;
} forms[] = {
    {"stderr", NONE, NONE}, {"stdout", NONE, NONE}, {"file", NONE, MUST}, {"syslog", NONE, MAY},
    {"udp", MUST, NONE},    {"memory", NONE, MAY},  {"null", NONE, MAY},  {"fault", NONE, MAY},
};

static bool
check_host_of(const struct thl_config_text *t, const struct form *form,
              const struct thl_config_uri *uri)
{
    const char *name = form->scheme;
    bool given = uri->host.n > 0 || uri->port.s;
    struct thl_config_quote body = thl_config_text_quote(uri->body);
    if (form->host == MUST && uri->host.n == 0) {
        bool bare = uri->body.n > 0 && uri->body.s[0] != '/';
        thl_config_text_error(t, uri->body.s, "%s: needs a host (%s \"%s://%s\"%s)", name,
                              bare ? "did you mean" : "for example", name,
                              bare ? body.text : "127.0.0.1:514", bare ? "?" : "");
        return false;
    }
    if (form->host == NONE && given) {
        thl_config_text_error(t, uri->body.s, "%s: takes no host (did you mean \"%s:%s\"?)", name,
                              name, form->path == NONE ? "" : body.text + 1);
        return false;
    }
    return true;
}

static bool
check_path(const struct thl_config_text *t, const struct form *form,
           const struct thl_config_uri *uri)
{
    if (form->path == MUST && uri->path.n == 0) {
        thl_config_text_error(t, uri->path.s, "%s: needs a path", form->scheme);
        return false;
    }
    if (form->path == NONE && uri->path.n > 0) {
        thl_config_text_error(t, uri->path.s, "%s: takes no path (blanks separate URIs)",
                              form->scheme);
        return false;
    }
    return true;
}

bool
thl_config_uri_check(const struct thl_config_text *t, const struct thl_config_uri *uri)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (thl_config_text_is(uri->scheme, forms[i].scheme))
            return check_host_of(t, &forms[i], uri) && check_path(t, &forms[i], uri);
    return true;
}

/* ---- percent-decoding ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char small = (char)(c | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/* The byte that the % at the beginning of the span stands for, or -1. */
static int
escaped_byte(struct thl_span span)
{
    int high = span.n > 1 ? hex_digit(span.s[1]) : -1;
    int low = span.n > 2 ? hex_digit(span.s[2]) : -1;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool
thl_config_uri_decode(const struct thl_config_text *t, struct thl_span span, struct thl_buf *out)
{
    while (span.n > 0) {
        size_t plain = take_until(span, "%").n;
        thl_buf_put(out, span.s, plain);
        span = skip(span, plain);
        if (span.n == 0)
            break;
        int byte = escaped_byte(span);
        if (byte < 0) {
            thl_config_text_error(t, span.s,
                                  "\"%%\" without two hex digits (\"%%25\" is a \"%%\")");
            return false;
        }
        if (byte == 0) {
            thl_config_text_error(t, span.s, "\"%%00\" can be no part of a path or value");
            return false;
        }
        thl_buf_putc(out, (char)byte);
        span = skip(span, 3);
    }
    return true;
}
