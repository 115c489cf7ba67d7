/* SPDX-License-Identifier: MIT */
/* Contexts -> their text, once. */
#include "phrase_context.h"

#include <string.h>
#include <sys/mman.h>

#include "field.h"

#define ENTRIES 4096
#define FIELDS_MAX 64

/* Formats that print fields alike share the texts. */
enum kind { KIND_JSON, KIND_LOGFMT, KIND_SD, KINDS };

struct thl_phrase_contexts {
    struct thl_view view; /* while one is rendered */
    struct thl_phrase_context entry[ENTRIES];
};

struct thl_phrase_contexts *
thl_phrase_contexts_new(void)
{
    void *p = mmap(NULL, sizeof(struct thl_phrase_contexts), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void
thl_phrase_contexts_free(struct thl_phrase_contexts *all)
{
    if (all)
        munmap(all, sizeof(*all));
}

void
thl_phrase_contexts_forget(struct thl_phrase_contexts *all)
{
    madvise(all, sizeof(*all), MADV_DONTNEED); /* zeros: no entry */
}

static enum kind
kind_of(enum thl_format format)
{
    return format == THL_FORMAT_JSON      ? KIND_JSON
           : format == THL_FORMAT_RFC5424 ? KIND_SD
                                          : KIND_LOGFMT;
}

bool
thl_phrase_is_ordinary_key(enum thl_format format, const char *key, size_t size)
{
    const enum kind kind = kind_of(format);
    if (kind == KIND_JSON)
        return true;
    for (size_t i = 0; i < size; i++) {
        const char c = key[i];
        const bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                          (c >= 'a' && c <= 'z') || c == '_' || c == '-' ||
                          (c == '.' && kind == KIND_LOGFMT);
        if (!fine)
            return false;
    }
    return size > 0 && size <= 32;
}

static bool
render(struct thl_phrase_context *e, struct thl_view *view, enum thl_format format)
{
    struct thl_buf out;
    if (!thl_record_view_context(view, e->bytes, e->size) || view->nfields == 0 ||
        view->nfields > FIELDS_MAX)
        return false;
    for (size_t i = 0; i < view->nfields; i++) {
        const struct thl_view_field *f = &view->field[i];
        if (!thl_phrase_is_ordinary_key(format, f->key, f->key_size))
            return false;
        e->keys |= thl_record_key_bit(f->key, f->key_size);
        e->has_src |= f->key_size == 3 && memcmp(f->key, "src", 3) == 0;
    }
    thl_buf_init(&out, e->text, THL_PHRASE_CONTEXT_TEXT);
    thl_format_fields(&out, format, view);
    e->text_size = (uint16_t)out.size;
    return !out.overflow;
}

const struct thl_phrase_context *
thl_phrase_context_find(struct thl_phrase_contexts *all, enum thl_format format,
                        const struct thl_record *record, size_t size)
{
    const uint32_t n = record->context_size;
    const enum kind kind = kind_of(format);
    const size_t slot = record->handle & 0xFFFFF;
    struct thl_phrase_context *e = &all->entry[(slot + kind * (ENTRIES / KINDS)) % ENTRIES];
    if (e->size == n && e->kind == kind && memcmp(e->bytes, record + 1, n) == 0)
        return e->ordinary ? e : NULL;
    if (n > sizeof(e->bytes) || size < sizeof(*record) + n)
        return NULL;
    e->keys = 0;
    e->size = n;
    e->kind = (uint16_t)kind;
    e->has_src = false;
    memcpy(e->bytes, record + 1, n);
    e->ordinary = render(e, &all->view, format);
    return e->ordinary ? e : NULL;
}

static bool
has_key(const struct thl_phrase_context *context, const struct thl_site_key *key)
{
    struct thl_view_field f;
    size_t eaten;
    for (size_t at = 0; at < context->size; at += eaten) {
        eaten = thl_field_tagged_get(&f, context->bytes + at, context->size - at);
        if (eaten == 0)
            return false;
        if (f.key_size == key->size && memcmp(f.key, key->text, key->size) == 0)
            return true;
    }
    return false;
}

bool
thl_phrase_context_has_any(const struct thl_phrase_context *context,
                           const struct thl_site_text *site, uint64_t keys)
{
    if ((keys & context->keys) == 0)
        return false;
    for (unsigned i = 0; i < site->nfields; i++)
        if ((thl_record_key_bit(site->key[i].text, site->key[i].size) & context->keys) &&
            has_key(context, &site->key[i]))
            return true;
    return false;
}
