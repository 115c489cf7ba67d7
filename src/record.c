/* SPDX-License-Identifier: MIT */
/* Records -> views. */
#include "record.h"

#include <string.h>

#include "errname.h"

/* While fields are collected: a bit for each (size, first byte) seen, so that keys are compared
 * only when two may be equal. */
struct collector {
    struct thl_view *view;
    size_t room; /* fields */
    uint64_t seen;
    uint64_t cut; /* bytes, of context and record */
};

/* Removes an earlier field of the same key: the later one wins. */
static void
remove_key(struct thl_view *view, const char *key, size_t n)
{
    for (size_t i = 0; i < view->nfields; i++) {
        struct thl_view_field *f = &view->field[i];
        if (f->key_size != n || memcmp(f->key, key, n) != 0)
            continue;
        memmove(f, f + 1, (view->nfields - i - 1) * sizeof(*f));
        view->nfields--;
        if (i < view->ncontext)
            view->ncontext--;
        return;
    }
}

static void
add(struct collector *c, const char *key, size_t n, const struct thl_value *value)
{
    struct thl_view *view = c->view;
    uint64_t bit = thl_record_key_bit(key, n);
    if (c->seen & bit)
        remove_key(view, key, n);
    c->seen |= bit;
    if (view->nfields == c->room)
        return;
    struct thl_view_field *f = &view->field[view->nfields++];
    f->key = key;
    f->key_size = (uint32_t)n;
    f->value = *value;
}

/* key + suffix, kept in the view's scratch; NULL when that is full. */
static const char *
join(struct thl_view *view, const char *key, size_t n, const char *suffix)
{
    size_t suffix_size = strlen(suffix);
    char *to = view->scratch + view->scratch_size;
    if (n + suffix_size > sizeof(view->scratch) - view->scratch_size)
        return NULL;
    memcpy(to, key, n);
    memcpy(to + n, suffix, suffix_size);
    view->scratch_size += n + suffix_size;
    return to;
}

static void
add_text(struct collector *c, const char *key, size_t n, const char *suffix, const char *text)
{
    struct thl_value v = {THOLE_FIELD_STRING, (uint32_t)strlen(text), {.p = text}};
    const char *joined = join(c->view, key, n, suffix);
    if (joined)
        add(c, joined, n + strlen(suffix), &v);
}

static void
add_expanded(struct collector *c, const char *key, size_t n, const struct thl_value *value)
{
    struct thl_value number = *value;
    if (value->type != THOLE_FIELD_ERRNO) {
        add(c, key, n, value);
        return;
    }
    number.type = THOLE_FIELD_INT;
    add(c, key, n, &number);
    add_text(c, key, n, "_name", thl_errname_name(value->v.i));
    add_text(c, key, n, "_text", thl_errname_text(value->v.i));
}

/* A context that was cut says so in a field of its own: no other key begins with "thole.". */
static bool
is_mark(const struct thl_view_field *f)
{
    return f->key_size == 15 && memcmp(f->key, "thole.truncated", 15) == 0;
}

static void
add_tagged(struct collector *c, const unsigned char *from, size_t size, unsigned n)
{
    struct thl_view_field f;
    while (n-- > 0) {
        size_t eaten = thl_field_tagged_get(&f, from, size);
        if (eaten == 0)
            return;
        if (is_mark(&f))
            c->cut += f.value.v.u;
        else
            add_expanded(c, f.key, f.key_size, &f.value);
        from += eaten;
        size -= eaten;
    }
}

static void
add_site_values(struct collector *c, const struct thl_site_text *site, const unsigned char *from,
                size_t size)
{
    for (unsigned i = 0; i < site->nfields; i++) {
        struct thl_value v;
        size_t eaten = thl_field_site_get(&v, site->tags[i], from, size);
        if (eaten == 0)
            return;
        add_expanded(c, site->key[i].text, site->key[i].size, &v);
        from += eaten;
        size -= eaten;
    }
}

static void
view_inline(struct collector *c, const struct thl_record *r, const unsigned char *from, size_t size)
{
    struct thl_view *view = c->view;
    size_t head = thl_field_pad((size_t)r->file_size + r->msg_size);
    if (head > size)
        return;
    view->line = r->line;
    view->file = r->file_size ? (const char *)from : NULL;
    view->file_size = r->file_size;
    view->msg = (const char *)from + r->file_size;
    view->msg_size = r->msg_size;
    add_tagged(c, from + head, size - head, r->nfields);
}

static void
add_marks(struct collector *c, const struct thl_record *r)
{
    struct thl_value yes = {THOLE_FIELD_BOOL, 0, {.u = 1}};
    struct thl_value suppressed = {THOLE_FIELD_UINT, 0, {.u = r->suppressed}};
    struct thl_value cut = {THOLE_FIELD_UINT, 0, {.u = c->cut + r->cut}};
    c->room = THL_VIEW_FIELDS;
    if (r->flags & THL_RECORD_STALE)
        add(c, "thole.stale", 11, &yes);
    if (r->suppressed)
        add(c, "thole.suppressed", 16, &suppressed);
    if (cut.v.u)
        add(c, "thole.truncated", 15, &cut);
}

void
thl_record_view(struct thl_view *view, const struct thl_record *record, size_t size,
                const struct thl_site_text *site)
{
    struct collector c = {view, THL_VIEW_FIELDS - THL_VIEW_MARKS, 0, 0};
    const unsigned char *from = (const unsigned char *)(record + 1);
    size_t context = thl_field_pad(record->context_size);
    view->level = record->level < THOLE_OFF ? (enum thole_level)record->level : THOLE_EMERG;
    view->msg = view->file = NULL;
    view->msg_size = view->file_size = view->nfields = view->ncontext = view->scratch_size = 0;
    view->line = 0;
    view->seq = 0;
    if (size < sizeof(*record) || context > size - sizeof(*record))
        return;
    size -= sizeof(*record) + context;
    add_tagged(&c, from, record->context_size, THL_VIEW_FIELDS);
    view->ncontext = view->nfields;
    from += context;
    if (site) {
        view->file = site->file;
        view->file_size = site->file_size;
        view->line = site->line;
        view->msg = site->msg;
        view->msg_size = site->msg_size;
        add_site_values(&c, site, from, size);
    } else {
        view_inline(&c, record, from, size);
    }
    add_marks(&c, record);
}

bool
thl_record_view_context(struct thl_view *view, const void *context, size_t size)
{
    struct collector c = {view, THL_VIEW_FIELDS - THL_VIEW_MARKS, 0, 0};
    view->nfields = view->ncontext = view->scratch_size = 0;
    add_tagged(&c, context, size, THL_VIEW_FIELDS);
    return c.cut == 0 && view->scratch_size == 0;
}
