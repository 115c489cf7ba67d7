/* SPDX-License-Identifier: MIT */
/* {key=value,...}: read, written, compared. */
#include "config_condition.h"

#include "field.h"
#include "field_text.h"
#include "number.h"

#define FIELD_TEXT 320 /* of a value: the longest condition, the longest address, one more */
#define EXAMPLE "(for example \"peer=10.0.0.0/8\")"

/* A key or a value without its quotes. */
struct word {
    char text[THL_RULE_TEXT];
    size_t n;
};

/* ---- reading ---- */

static void
say_too_long(const struct thl_config_text *t, struct thl_span span)
{
    thl_config_text_error(t, span.s,
                          "too long: the keys and values of one rule have at most %d bytes",
                          THL_RULE_TEXT);
}

/* Appends the character at p, which must be one that the log shows as it is: its size, or 0. */
static size_t
add_character(const struct thl_config_text *t, struct word *w, struct thl_span span, const char *p)
{
    size_t size = thl_config_text_printable(p, (size_t)(span.s + span.n - p));
    if (size == 0) {
        thl_config_text_error(t, p, "a control character or invalid UTF-8, which matches nothing");
        return 0;
    }
    if (size > sizeof(w->text) - w->n) {
        say_too_long(t, span);
        return 0;
    }
    memcpy(w->text + w->n, p, size);
    w->n += size;
    return size;
}

static bool
read_quoted(const struct thl_config_text *t, struct thl_span span, struct word *w)
{
    const char *p = span.s + 1, *end = span.s + span.n;
    while (p < end && *p != '"') {
        if (*p == '\\' && (++p == end || (*p != '"' && *p != '\\'))) {
            thl_config_text_error(t, p - 1, "in quotes a backslash stands before \" or \\ only");
            return false;
        }
        size_t size = add_character(t, w, span, p);
        if (size == 0)
            return false;
        p += size;
    }
    if (p == end) {
        thl_config_text_error(t, span.s, "no closing quote");
        return false;
    }
    if (p + 1 < end)
        thl_config_text_error(t, p + 1, "unexpected text after the closing quote");
    return p + 1 == end;
}

static bool
read_word(const struct thl_config_text *t, struct thl_span span, struct word *w)
{
    const char *p = span.s, *end = span.s + span.n;
    w->n = 0;
    if (p < end && *p == '"')
        return read_quoted(t, span, w);
    while (p < end) {
        if (*p == '"') {
            thl_config_text_error(t, p, "a quote inside a word: put all of it in quotes");
            return false;
        }
        size_t size = add_character(t, w, span, p);
        if (size == 0)
            return false;
        p += size;
    }
    return true;
}

/* Where the text of the condition with this number begins. */
static size_t
text_before(const struct thl_rule *rule, unsigned number)
{
    size_t size = 0;
    for (unsigned i = 0; i < number; i++)
        size += (size_t)rule->condition[i].key_size + rule->condition[i].value_size;
    return size;
}

static bool
has_key(const struct thl_rule *rule, const char *key, size_t n)
{
    const char *text = rule->text;
    for (unsigned i = 0; i < rule->nconditions; i++) {
        const struct thl_condition *c = &rule->condition[i];
        if (c->key_size == n && memcmp(text, key, n) == 0)
            return true;
        text += c->key_size + c->value_size;
    }
    return false;
}

/* A text that begins as an address does and then goes wrong is taken for a slip: it would match no
 * address. In quotes it is text that merely looks so. */
static bool
check_other(const struct thl_config_text *t, struct thl_span span, const struct word *w)
{
    if (span.s[0] == '"' || !thl_network_looks_so(w->text, w->n))
        return true;
    struct thl_config_quote quote = thl_config_text_quote((struct thl_span){w->text, w->n});
    thl_config_text_error(t, span.s,
                          "\"%s\" is no address (text that only looks like one stands in quotes)",
                          quote.text);
    return false;
}

static bool
read_network(const struct thl_config_text *t, struct thl_span span, const struct word *w,
             struct thl_network *net)
{
    size_t at = 0;
    enum thl_network_fault fault = thl_network_parse(net, w->text, w->n, &at);
    const char *place = span.s + at + (span.s[0] == '"');
    struct thl_config_quote quote;
    if (fault == THL_NETWORK_BAD_PREFIX || fault == THL_NETWORK_BAD_PORT)
        quote = thl_config_text_quote((struct thl_span){w->text + at, w->n - at});
    if (fault == THL_NETWORK_BAD_PREFIX)
        thl_config_text_error(t, place, "bad prefix length \"%s\" (0 to %d)", quote.text,
                              net->prefix);
    else if (fault == THL_NETWORK_BAD_PORT)
        thl_config_text_error(t, place, "bad port \"%s\" (0 to 65535)", quote.text);
    if (fault != THL_NETWORK_NO_ADDRESS)
        return fault == THL_NETWORK_FINE;
    *net = (struct thl_network){0};
    return check_other(t, span, w);
}

static bool
add_condition(const struct thl_config_text *t, struct thl_span key_span, const struct word *key,
              struct thl_span value_span, const struct word *value, struct thl_rule *rule)
{
    char name[THL_FIELD_KEY_MAX + 16];
    struct thl_condition *c = &rule->condition[rule->nconditions];
    size_t n = thl_field_canonical(name, key->text, key->n), used;
    if (key->n > THL_FIELD_KEY_MAX) {
        thl_config_text_error(t, key_span.s, "a key of %zu bytes: at most %d", key->n,
                              THL_FIELD_KEY_MAX);
        return false;
    }
    if (has_key(rule, name, n)) {
        thl_config_text_error(t, key_span.s, "the same key twice");
        return false;
    }
    used = text_before(rule, rule->nconditions);
    if (used + n + value->n > sizeof(rule->text)) {
        say_too_long(t, key_span);
        return false;
    }
    if (!read_network(t, value_span, value, &c->network))
        return false;
    memcpy(rule->text + used, name, n);
    memcpy(rule->text + used + n, value->text, value->n);
    c->key_size = (uint8_t)n;
    c->value_size = (uint8_t)value->n;
    rule->nconditions++;
    return true;
}

static bool
read_condition(const struct thl_config_text *t, struct thl_span span, struct thl_rule *rule)
{
    const char *unclosed, *end = span.s + span.n;
    const char *equals = thl_config_text_find(span, "=", &unclosed);
    struct thl_span key_span = thl_config_text_trim(thl_config_text_span(span.s, equals));
    struct word key, value;
    if (rule->nconditions == THL_RULE_CONDITIONS) {
        thl_config_text_error(t, span.s, "more than %d conditions", THL_RULE_CONDITIONS);
        return false;
    }
    if (!read_word(t, key_span, &key))
        return false;
    if (key.n == 0) {
        thl_config_text_error(t, span.s, "no key " EXAMPLE);
        return false;
    }
    const char *from = equals < end ? equals + 1 : end;
    struct thl_span value_span = thl_config_text_trim(thl_config_text_span(from, end));
    if (value_span.n == 0) {
        struct thl_config_quote quote = thl_config_text_quote((struct thl_span){key.text, key.n});
        thl_config_text_error(t, from, "no value for \"%s\" " EXAMPLE, quote.text);
        return false;
    }
    return read_word(t, value_span, &value) &&
           add_condition(t, key_span, &key, value_span, &value, rule);
}

const char *
thl_config_condition_read(const struct thl_config_text *t, struct thl_span span,
                          struct thl_rule *rule)
{
    const char *p = span.s + 1, *end = span.s + span.n, *quote, *unclosed;
    const char *shut = thl_config_text_find(thl_config_text_span(p, end), "}", &unclosed);
    if (shut == end) {
        if (unclosed)
            thl_config_text_error(t, unclosed, "no closing quote");
        else
            thl_config_text_error(t, span.s, "no closing brace");
        return NULL;
    }
    while (p < shut) {
        const char *comma = thl_config_text_find(thl_config_text_span(p, shut), ",", &quote);
        struct thl_span one = thl_config_text_trim(thl_config_text_span(p, comma));
        if (one.n > 0 && !read_condition(t, one, rule))
            return NULL;
        p = comma + 1;
    }
    if (rule->nconditions == 0) {
        thl_config_text_error(t, span.s, "no condition in the braces " EXAMPLE);
        return NULL;
    }
    return shut;
}

/* ---- writing ---- */

static bool
is_bare(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (thl_config_text_is_blank(s[i]) || strchr("\"\\{},=", s[i]))
            return false;
    return n > 0;
}

static void
put_word(struct thl_buf *out, const char *s, size_t n, bool quoted)
{
    if (!quoted && is_bare(s, n)) {
        thl_buf_put(out, s, n);
        return;
    }
    thl_buf_putc(out, '"');
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"' || s[i] == '\\')
            thl_buf_putc(out, '\\');
        thl_buf_putc(out, s[i]);
    }
    thl_buf_putc(out, '"');
}

void
thl_config_condition_put(struct thl_buf *out, const struct thl_rule *rule)
{
    const char *text = rule->text;
    for (unsigned i = 0; i < rule->nconditions; i++) {
        const struct thl_condition *c = &rule->condition[i];
        thl_buf_putc(out, i == 0 ? '{' : ',');
        const char *value = text + c->key_size;
        bool slip = c->network.family == 0 && thl_network_looks_so(value, c->value_size);
        put_word(out, text, c->key_size, false);
        thl_buf_putc(out, '=');
        put_word(out, value, c->value_size, slip);
        text += c->key_size + c->value_size;
    }
    if (rule->nconditions > 0)
        thl_buf_putc(out, '}');
}

/* ---- comparing ---- */

static bool
is_address(const struct thl_value *v, struct thl_network *out)
{
    size_t at;
    if (v->type == THOLE_FIELD_ADDR)
        return thl_network_read(out, v->v.p, v->size);
    return v->type == THOLE_FIELD_STRING &&
           thl_network_parse(out, v->v.p, v->size, &at) == THL_NETWORK_FINE;
}

static bool
has_text(const struct thl_value *v, const char *text, size_t n)
{
    char own[FIELD_TEXT];
    struct thl_buf b;
    if (v->type == THOLE_FIELD_STRING)
        return v->size == n && memcmp(v->v.p, text, n) == 0;
    thl_buf_init(&b, own, sizeof(own));
    if (v->type == THOLE_FIELD_ERRNO)
        thl_number_put_int(&b, v->v.i);
    else
        thl_field_text_put(&b, v);
    return !b.overflow && b.size == n && memcmp(own, text, n) == 0;
}

static bool
holds_for(const struct thl_condition *c, const char *text, const struct thl_value *v)
{
    struct thl_network address;
    if (c->network.family == 0)
        return has_text(v, text, c->value_size);
    return is_address(v, &address) && thl_network_covers(&c->network, &address);
}

static bool
holds(const struct thl_condition *c, const char *text, const unsigned char *context, size_t size)
{
    struct thl_view_field f;
    for (size_t i = 0, eaten; i < size; i += eaten) {
        eaten = thl_field_tagged_get(&f, context + i, size - i);
        if (eaten == 0)
            return false;
        if (f.key_size == c->key_size && memcmp(f.key, text, f.key_size) == 0)
            return holds_for(c, text + c->key_size, &f.value);
    }
    return false;
}

bool
thl_config_condition_hold(const struct thl_rule *rule, const void *context, size_t size)
{
    const char *text = rule->text;
    for (unsigned i = 0; i < rule->nconditions; i++) {
        const struct thl_condition *c = &rule->condition[i];
        if (!holds(c, text, context, size))
            return false;
        text += c->key_size + c->value_size;
    }
    return true;
}
