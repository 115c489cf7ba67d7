/* SPDX-License-Identifier: MIT */
/*
 * Choosing a format, and cutting a record that is too long for its target.
 *
 * What fits is rendered once and nothing is copied. Only a record that does not fit is cut, on a
 * copy of its view, by three limits: bytes of each value, bytes of the message, number of fields.
 * Each is searched by halves for the largest that fits, with the mark "thole.truncated" counted in;
 * so a record fills the room it has. Which limit gives way first, and which fields, depends on the
 * format: see cut_values_first and cut_message_first.
 */
#include "format.h"

#include <string.h>

#include "compiler.h"
#include "escape.h"
#include "field.h"
#include "format_value.h"
#include "number.h"

#define KEPT 16           /* bytes of a value or message that stay as long as any field gives way */
#define MESSAGE_ROOM 8192 /* of a cut message in the rfc formats, "..." included */

static const char *const words[THL_FORMATS] = {"json", "logfmt", "pretty", "rfc5424", "rfc3164"};

typedef void (*format_fn)(struct thl_buf *out, const struct thl_format_options *o,
                          const struct thl_view *v);
static const format_fn formatters[THL_FORMATS] = {
    thl_format_json, thl_format_logfmt, thl_format_pretty, thl_format_rfc5424, thl_format_rfc3164};

int
thl_format_parse(const char *s, size_t n)
{
    for (int i = 0; i < THL_FORMATS; i++)
        if (strlen(words[i]) == n && memcmp(words[i], s, n) == 0)
            return i;
    return -1;
}

const char *
thl_format_word(enum thl_format format)
{
    return words[format];
}

static bool
try_format(struct thl_buf *out, const struct thl_format_options *o, const struct thl_view *v)
{
    struct thl_buf limited = *out;
    if (o->max_bytes > 0 && o->max_bytes < out->capacity - out->size)
        limited.capacity = out->size + o->max_bytes;
    formatters[o->format](&limited, o, v);
    if (limited.overflow)
        return false;
    out->size = limited.size;
    return true;
}

/* ---- cutting ---- */

struct cutter {
    struct thl_buf *out;
    const struct thl_format_options *options;
    const struct thl_view *whole;
    size_t value_limit, msg_limit, field_limit;
    size_t nfields;                /* of the whole, without thole's marks */
    uint8_t rank[THL_VIEW_FIELDS]; /* of each of them: as many stay longer than it */
    uint64_t before;               /* cut earlier, as the view's own mark says */
    size_t nmarks;                 /* others of thole's own, which stay as they are */
    bool rfc;
    uint64_t cut; /* by the last try */
    struct thl_view view;
    char msg[MESSAGE_ROOM];
};

static bool
is_named(const struct thl_view_field *f, const char *key, size_t n)
{
    return f->key_size == n && memcmp(f->key, key, n) == 0;
}

/* thole's marks stand at the end. They are taken off, and put back whatever else must go. */
static void
take_marks(struct cutter *c)
{
    size_t n = c->whole->nfields;
    c->before = c->nmarks = 0;
    if (n > 0 && is_named(&c->whole->field[n - 1], "thole.truncated", 15))
        c->before = c->whole->field[--n].value.v.u;
    if (n > 0 && is_named(&c->whole->field[n - 1], "thole.suppressed", 16))
        c->nmarks++;
    if (n > c->nmarks && is_named(&c->whole->field[n - c->nmarks - 1], "thole.stale", 11))
        c->nmarks++;
    c->nfields = n - c->nmarks;
}

static void
put_marks(struct cutter *c)
{
    struct thl_view *v = &c->view;
    for (size_t i = 0; i < c->nmarks; i++)
        v->field[v->nfields++] = c->whole->field[c->nfields + i];
    v->field[v->nfields++] = (struct thl_view_field){
        "thole.truncated", 15, {THOLE_FIELD_UINT, 0, {.u = c->before + c->cut}}};
}

static size_t
limit_value(const struct thl_value *v, size_t limit)
{
    if (!thl_field_may_cut(v) || v->size <= limit)
        return v->size;
    return v->type == THOLE_FIELD_STRING ? thl_escape_cut(v->v.p, v->size, limit) : limit;
}

/* Within the limits, and with room for the marks. A field that goes counts one byte at least, so
 * that no loss is reported as none. */
static void
limit_fields(struct cutter *c)
{
    const size_t room = THL_VIEW_FIELDS - THL_VIEW_MARKS;
    size_t n = c->field_limit < room ? c->field_limit : room;
    c->view.nfields = 0;
    for (size_t i = 0; i < c->nfields; i++) {
        const struct thl_value *from = &c->whole->field[i].value;
        if (c->rank[i] >= n) {
            c->cut += thl_field_may_cut(from) && from->size > 0 ? from->size : 1;
            continue;
        }
        size_t size = limit_value(from, c->value_limit);
        struct thl_view_field *to = &c->view.field[c->view.nfields++];
        *to = c->whole->field[i];
        to->value.size = (uint32_t)size;
        c->cut += from->size - size;
    }
}

/* The rfc formats mark the place: a message is all that many a reader of syslog sees. */
static void
limit_message(struct cutter *c)
{
    const struct thl_view *whole = c->whole;
    size_t limit = c->msg_limit;
    c->view.msg_size = whole->msg_size;
    if (whole->msg_size <= limit)
        return;
    if (c->rfc && limit > sizeof(c->msg) - 3)
        limit = sizeof(c->msg) - 3;
    size_t size = thl_escape_cut(whole->msg, whole->msg_size, limit);
    c->cut += whole->msg_size - size;
    c->view.msg_size = size;
    if (!c->rfc || size == 0)
        return;
    memcpy(c->msg, whole->msg, size);
    memcpy(c->msg + size, "...", 3);
    c->view.msg = c->msg;
    c->view.msg_size = size + 3;
}

static bool
try_limits(struct cutter *c)
{
    c->cut = 0;
    c->view.msg = c->whole->msg;
    limit_fields(c);
    limit_message(c);
    put_marks(c);
    return try_format(c->out, c->options, &c->view);
}

/* Raises one limit from `low` to the largest below `high` that fits; false when `low` does not.
 * Nothing stays in the output. */
static bool
search(struct cutter *c, size_t *limit, size_t low, size_t high)
{
    const size_t begin = c->out->size;
    *limit = low;
    if (!try_limits(c))
        return false;
    c->out->size = begin;
    while (high - low > 1) {
        size_t middle = *limit = low + (high - low) / 2;
        if (try_limits(c)) {
            c->out->size = begin;
            low = middle;
        } else {
            high = middle;
        }
    }
    *limit = low;
    return true;
}

static bool
search_message(struct cutter *c)
{
    const size_t size = c->whole->msg_size;
    return size > KEPT && search(c, &c->msg_limit, KEPT, size + 1);
}

/* As few fields go as will do; then what is left of the message may have the room they gave. */
static bool
search_fields(struct cutter *c)
{
    if (!search(c, &c->field_limit, 0, c->nfields + 1))
        return search(c, &c->msg_limit, 0, KEPT);
    search_message(c);
    return true;
}

static size_t
longest_value(const struct thl_view *v)
{
    size_t longest = 0;
    for (size_t i = 0; i < v->nfields; i++)
        if (thl_field_may_cut(&v->field[i].value) && v->field[i].value.size > longest)
            longest = v->field[i].value.size;
    return longest;
}

static bool
search_values(struct cutter *c)
{
    const size_t longest = longest_value(c->whole);
    return longest > KEPT && search(c, &c->value_limit, KEPT, longest);
}

static void
rank_from_the_end(struct cutter *c)
{
    for (size_t i = 0; i < c->nfields; i++)
        c->rank[i] = (uint8_t)i;
}

static bool
cut_values_first(struct cutter *c)
{
    rank_from_the_end(c);
    return search_values(c) || search_message(c) || search_fields(c);
}

/* Bytes of a record that holds this field alone; SIZE_MAX when there is no room for that. */
static size_t
size_alone(struct cutter *c, size_t i)
{
    const size_t begin = c->out->size;
    c->view.msg_size = 0;
    c->view.nfields = 1;
    c->view.field[0] = c->whole->field[i];
    if (!try_format(c->out, c->options, &c->view))
        return SIZE_MAX;
    const size_t size = c->out->size - begin;
    c->out->size = begin;
    return size;
}

/* The longest goes first, as it will be written: so the fewest go. Of equals, the later. */
static void
rank_by_size(struct cutter *c)
{
    size_t size[THL_VIEW_FIELDS];
    for (size_t i = 0; i < c->nfields; i++) {
        size[i] = size_alone(c, i);
        c->rank[i] = 0;
        for (size_t j = 0; j < i; j++)
            c->rank[size[j] > size[i] ? j : i]++;
    }
}

/* A receiver of syslog shows the message of a record that was cut, and relies on the values that it
 * shows: the message gives way first (RFC 5424, 6.1), then parameters go, and none goes in part. */
static bool
cut_message_first(struct cutter *c)
{
    rank_by_size(c);
    return search_message(c) || search_fields(c);
}

/* Apart and cold: its 16 KiB of stack are for the record that needs them. */
THL_COLD static size_t
put_cut(struct thl_buf *out, const struct thl_format_options *o, const struct thl_view *whole)
{
    struct cutter c;
    c.out = out;
    c.options = o;
    c.whole = whole;
    c.rfc = o->format == THL_FORMAT_RFC5424 || o->format == THL_FORMAT_RFC3164;
    c.value_limit = c.msg_limit = SIZE_MAX;
    take_marks(&c);
    c.field_limit = c.nfields;
    memcpy(&c.view, whole, offsetof(struct thl_view, field));
    if (!(c.rfc ? cut_message_first(&c) : cut_values_first(&c)) || !try_limits(&c))
        return SIZE_MAX;
    return (size_t)c.cut;
}

size_t
thl_format_put(struct thl_buf *out, const struct thl_format_options *options,
               const struct thl_view *view)
{
    return try_format(out, options, view) ? 0 : put_cut(out, options, view);
}

/* ---- pieces ---- */

void
thl_format_time(struct thl_buf *out, const struct thl_format_options *o, int64_t unix_ns)
{
    if (o->format == THL_FORMAT_PRETTY)
        thl_format_time_pretty(out, unix_ns);
    else if (o->format == THL_FORMAT_RFC3164)
        thl_format_time_rfc3164(out, unix_ns, o->utc_offset);
    else
        thl_number_put_rfc3339(out, unix_ns);
}

void
thl_format_fields(struct thl_buf *out, enum thl_format format, const struct thl_view *v)
{
    if (format == THL_FORMAT_JSON)
        thl_format_fields_json(out, v);
    else if (format == THL_FORMAT_RFC5424)
        thl_format_fields_sd(out, v);
    else
        thl_format_fields_logfmt(out, v);
}

void
thl_format_value(struct thl_buf *out, enum thl_format format, const struct thl_value *v)
{
    if (format == THL_FORMAT_JSON)
        thl_format_value_json(out, v);
    else if (format == THL_FORMAT_RFC5424)
        thl_format_value_escaped(out, THL_ESCAPE_SD_VALUE, v);
    else
        thl_format_value_logfmt(out, v);
}
