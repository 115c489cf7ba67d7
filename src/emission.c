/* SPDX-License-Identifier: MIT */
/* Encoding: values, keys and a copied context -> the bytes of a record. */
#include "emission.h"

#include <string.h>

#include "child.h"
#include "compiler.h"
#include "emit.h"
#include "logger.h"
#include "slab_context.h"

static size_t
body_size(const struct thl_emission *e)
{
    if (e->site)
        return thl_field_site_size(e->values, e->n);
    size_t size = thl_field_pad(e->file_size + e->msg_size);
    for (unsigned i = 0; i < e->n; i++)
        size += thl_field_tagged_size(e->keys[i].size, &e->values[i]);
    return size;
}

/* Cuts an inline record's message and values, a site's values, to `room` bytes. */
static THL_COLD void
cut_to(struct thl_emission *e, size_t room)
{
    struct thl_value text[THL_EMISSION_FIELDS + 1];
    size_t fixed = 0;
    if (e->site) {
        e->cut += thl_field_fit(e->values, e->n, room);
        return;
    }
    text[0] = (struct thl_value){THOLE_FIELD_STRING, (uint32_t)e->msg_size, {.p = e->msg}};
    if (e->n)
        memcpy(&text[1], e->values, e->n * sizeof(*text));
    for (unsigned i = 0; i < e->n; i++)
        fixed += e->keys[i].size + THL_FIELD_TAG_BYTES;
    fixed += e->file_size + 16;
    e->cut += thl_field_fit(text, e->n + 1, room > fixed ? room - fixed : 0);
    e->msg_size = text[0].size;
    if (e->n)
        memcpy(e->values, &text[1], e->n * sizeof(*text));
    while (e->n > 0 && body_size(e) > room) { /* keys alone are too long */
        e->n--;
        e->cut += (uint32_t)thl_field_tagged_size(e->keys[e->n].size, &e->values[e->n]);
    }
}

size_t
thl_emission_fit(struct thl_emission *e, size_t context_size)
{
    size_t limit = atomic_load_explicit(&thl_emit_queues.record_limit, memory_order_relaxed);
    size_t head = sizeof(struct thl_record) + thl_field_pad(context_size), body = body_size(e);
    if (THL_UNLIKELY(head + body > limit)) {
        uint32_t before = e->cut;
        cut_to(e, limit > head ? limit - head : 0);
        if (e->cut != before && before == 0)
            atomic_fetch_add_explicit(&thl_emit_ledger.truncated, 1, memory_order_relaxed);
        body = body_size(e);
    }
    return head + body;
}

static void
put_inline(unsigned char *to, const struct thl_emission *e)
{
    memcpy(to, e->file, e->file_size);
    memcpy(to + e->file_size, e->msg, e->msg_size);
    to += thl_field_pad(e->file_size + e->msg_size);
    for (unsigned i = 0; i < e->n; i++)
        to = thl_field_tagged_put(to, e->keys[i].text, e->keys[i].size, &e->values[i]);
}

bool
thl_emission_put(void *place, const struct thl_emission *e, const struct thl_slab_ref *ref)
{
    struct thl_record *r = place;
    unsigned char *to = (unsigned char *)(r + 1);
    if (ref && !thl_slab_copy(ref, to)) /* also without a context: it may have ended */
        return false;
    r->ticks = e->ticks;
    r->handle = e->lg.bits;
    r->site = e->site;
    r->version = ref ? (uint32_t)(ref->context >> 32) : 0;
    r->cut = e->cut;
    r->line = e->line;
    r->context_size = ref ? (uint16_t)ref->size : 0;
    r->nfields = (uint16_t)e->n;
    r->msg_size = (uint16_t)e->msg_size;
    r->file_size = (uint16_t)e->file_size;
    r->level = (uint8_t)e->level;
    r->flags = e->flags;
    r->suppressed = e->suppressed;
    to += thl_field_pad(r->context_size);
    if (e->site)
        thl_field_site_put(to, e->values, e->n);
    else
        put_inline(to, e);
    return true;
}

const struct thl_slab_ref *
thl_emission_open(struct thl_emission *e, struct thl_slab_ref *ref)
{
    if (thl_slab_is_named(e->lg))
        return NULL;
    if (thl_slab_open(ref, e->lg))
        return ref;
    if (!(e->flags & THL_RECORD_STALE))
        thl_child_count_stale();
    e->flags |= THL_RECORD_STALE;
    e->lg = thl_slab_named(thl_logger_known(thl_slab_logger_of(e->lg)));
    return NULL;
}

/* ---- keys of their own ---- */

/* False when there is no room for a copy: five long keys that must change, in one record. */
static bool
take_key(struct thl_emission_keys *to, struct thl_site_key *key, bool canonical)
{
    if (!canonical || thl_field_is_canonical(key->text, key->size))
        return true;
    if (sizeof(to->text) - to->used < THL_FIELD_KEY_MAX + 16)
        return false;
    char *copy = to->text + to->used;
    key->size = (uint32_t)thl_field_canonical(copy, key->text, key->size);
    key->text = copy;
    to->used += key->size;
    return true;
}

unsigned
thl_emission_take_fields(struct thl_emission_keys *to, const thole_field *fields, unsigned n,
                         bool canonical, uint32_t *cut)
{
    unsigned taken = 0;
    to->used = 0;
    for (unsigned i = 0; i < n; i++) {
        const char *text = fields[i].key ? fields[i].key : "";
        struct thl_site_key key = {text, (uint32_t)strlen(text)};
        struct thl_value value = thl_field_value(&fields[i]);
        if (!take_key(to, &key, canonical)) {
            *cut += (uint32_t)thl_field_tagged_size(key.size, &value);
            continue;
        }
        to->keys[taken] = key;
        to->values[taken++] = value;
    }
    return taken;
}
