/* SPDX-License-Identifier: MIT */
/* Call sites -> phrases, and lines put together from them. */
#include "phrase.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "compiler.h"
#include "escape.h"
#include "field.h"
#include "format_write.h"
#include "phrase_context.h"

#define PAIRS_LOG2 11
#define PAIRS (1u << PAIRS_LOG2) /* of phrases: two that meet do not drive each other out */
#define WHOLE_BYTES (32 * 1024)
#define FIELDS_MAX 16
#define TEXT_BYTES 960
#define CHUNK THL_PHRASE_SPARE /* text is copied in whole chunks */

/* Its text in pieces: before the time, up to where a context stands, before each value, the rest.
 */
enum { BEFORE_TIME, HEAD, BEFORE_VALUE };

struct thl_phrase {
    uint64_t name; /* 0: none */
    uint64_t keys; /* a bit for each: thl_record_key_bit */
    uint32_t room; /* of the line, but for its context and the bytes of its strings */
    bool usable;   /* else it is only known that there is none */
    uint8_t nfields;
    uint16_t size[BEFORE_VALUE + FIELDS_MAX + 1];
    uint8_t type[FIELDS_MAX];
    char text[TEXT_BYTES + CHUNK];
};

struct thl_phrases {
    struct thl_phrase_contexts *contexts;
    struct thl_format_clock clock[THL_FORMATS];
    struct thl_view view; /* while a phrase is made */
    char whole[WHOLE_BYTES];
    unsigned turn; /* which of a pair goes */
    struct thl_phrase phrase[PAIRS][2];
};

struct thl_phrases *
thl_phrases_new(void)
{
    void *p = mmap(NULL, sizeof(struct thl_phrases), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct thl_phrases *all = p == MAP_FAILED ? NULL : p;
    if (!all || (all->contexts = thl_phrase_contexts_new()))
        return all;
    munmap(all, sizeof(*all));
    return NULL;
}

void
thl_phrases_free(struct thl_phrases *all)
{
    if (!all)
        return;
    thl_phrase_contexts_free(all->contexts);
    munmap(all, sizeof(*all));
}

void
thl_phrases_forget(struct thl_phrases *all)
{
    struct thl_phrase_contexts *contexts = all->contexts;
    madvise(all, sizeof(*all), MADV_DONTNEED); /* zeros: no phrase, no time */
    all->contexts = contexts;
    thl_phrase_contexts_forget(contexts);
}

/* ---- making one ---- */

/* The site as a record with holes; false when its fields are not all plain and different. */
static bool
view_site(struct thl_view *view, const struct thl_phrase_line *line)
{
    const struct thl_value hole = {THL_VALUE_HOLE, 0, {.u = 0}};
    const struct thl_site_text *site = line->site;
    thl_record_view(view, line->record, line->size, site);
    view->unix_ns = line->unix_ns;
    view->logger = line->logger;
    view->logger_size = line->logger_size;
    view->nfields = view->ncontext = 0;
    if (line->record->context_size > 0)
        view->field[view->nfields++] = (struct thl_view_field){"thole.context", 13, hole};
    for (unsigned i = 0; i < site->nfields; i++) {
        if (site->tags[i] == THOLE_FIELD_ERRNO)
            return false;
        for (unsigned j = 0; j < i; j++)
            if (site->key[j].size == site->key[i].size &&
                memcmp(site->key[j].text, site->key[i].text, site->key[i].size) == 0)
                return false;
        view->field[view->nfields++] =
            (struct thl_view_field){site->key[i].text, site->key[i].size, hole};
    }
    return true;
}

/* A line with holes, as it is taken apart. */
struct pieces {
    struct thl_phrase *phrase;
    const char *at, *end;
    size_t used;
    unsigned n;
};

static void
take_piece(struct pieces *p, const char *end)
{
    const size_t n = (size_t)(end - p->at);
    memcpy(p->phrase->text + p->used, p->at, n);
    p->phrase->size[p->n++] = (uint16_t)n;
    p->used += n;
    p->at = end;
}

static const char *
find_hole(const struct pieces *p)
{
    return memchr(p->at, THL_VIEW_HOLE, (size_t)(p->end - p->at));
}

static bool
take_until_time(struct pieces *p, const struct thl_phrase_line *line)
{
    char text[THL_FORMAT_WRITE_TIME_ROOM];
    struct thl_buf time;
    thl_buf_init(&time, text, sizeof(text));
    thl_format_time(&time, line->options, line->unix_ns);
    const char *at = memmem(p->at, (size_t)(p->end - p->at), text, time.size);
    if (!at)
        return false;
    take_piece(p, at);
    p->at = at + time.size;
    return true;
}

/* The field that stands for a context goes; what is before it is the head. */
static bool
take_until_context(struct pieces *p, const struct thl_phrase_line *line, struct thl_view *view)
{
    char text[64];
    struct thl_buf alone;
    const char *hole = find_hole(p), *begin;
    const size_t nfields = view->nfields;
    thl_buf_init(&alone, text, sizeof(text));
    view->nfields = 1;
    thl_format_fields(&alone, line->options->format, view);
    view->nfields = nfields;
    begin = memchr(text, THL_VIEW_HOLE, alone.size);
    if (!hole || !begin)
        return false;
    begin = hole - (begin - text);
    if (begin < p->at || (size_t)(p->end - begin) < alone.size ||
        memcmp(begin, text, alone.size) != 0)
        return false;
    take_piece(p, begin);
    p->at = begin + alone.size;
    return true;
}

/* Up to each hole, which goes, and the rest. */
static bool
take_values(struct pieces *p, unsigned nfields)
{
    for (unsigned i = 0; i < nfields; i++) {
        const char *hole = find_hole(p);
        if (!hole)
            return false;
        take_piece(p, hole);
        p->at = hole + 1;
    }
    if (find_hole(p))
        return false;
    take_piece(p, p->end);
    return true;
}

static bool
take_apart(struct thl_phrase *phrase, struct thl_buf *text, const struct thl_phrase_line *line,
           struct thl_view *view)
{
    struct pieces p = {phrase, text->bytes, text->bytes + text->size, 0, 0};
    if (!take_until_time(&p, line))
        return false;
    if (line->record->context_size == 0)
        take_piece(&p, p.at); /* the head is part of what comes next */
    else if (!take_until_context(&p, line, view))
        return false;
    return take_values(&p, line->site->nfields);
}

/* What is asked about fields for each line; keys matter when there is a context, too. */
static bool
note_fields(struct thl_phrase *phrase, const struct thl_phrase_line *line)
{
    const struct thl_site_text *site = line->site;
    for (unsigned i = 0; i < site->nfields; i++) {
        const struct thl_site_key *key = &site->key[i];
        phrase->type[i] = site->tags[i];
        phrase->keys |= thl_record_key_bit(key->text, key->size);
        if (line->record->context_size > 0 &&
            !thl_phrase_is_ordinary_key(line->options->format, key->text, key->size))
            return false;
    }
    return true;
}

static uint32_t
room_of(const struct thl_phrase_line *line, size_t text_size)
{
    size_t room = text_size + THL_FORMAT_WRITE_TIME_ROOM + CHUNK;
    for (unsigned i = 0; i < line->site->nfields; i++)
        room += line->site->tags[i] == THOLE_FIELD_ADDR ? THL_FORMAT_WRITE_ADDR_ROOM
                                                        : THL_FORMAT_WRITE_VALUE_ROOM;
    return (uint32_t)room;
}

THL_COLD static void
make(struct thl_phrases *all, struct thl_phrase *phrase, uint64_t name,
     const struct thl_phrase_line *line)
{
    struct thl_format_options whole = *line->options;
    struct thl_buf text;
    whole.max_bytes = 0;
    phrase->name = name;
    phrase->keys = 0;
    phrase->nfields = line->site->nfields;
    phrase->usable = false;
    thl_buf_init(&text, all->whole, sizeof(all->whole));
    if (line->site->nfields > FIELDS_MAX || !note_fields(phrase, line) ||
        !view_site(&all->view, line) || thl_format_put(&text, &whole, &all->view) != 0 ||
        text.size > TEXT_BYTES)
        return;
    phrase->room = room_of(line, text.size);
    phrase->usable = take_apart(phrase, &text, line, &all->view);
}

/* ---- finding one ---- */

/* The logger's number stands above the slot's in the lower half of a handle: record.h. */
static uint64_t
name_of(const struct thl_phrase_line *line)
{
    const struct thl_record *r = line->record;
    return UINT64_C(1) << 63 | (uint64_t)(r->context_size > 0) << 62 |
           (uint64_t)(line->style & 0x7F) << 48 | (uint64_t)r->level << 44 |
           (uint64_t)(line->number & 0xFFFu) << 32 | r->site;
}

static bool
is_out_of_the_ordinary(const struct thl_phrase_line *line)
{
    const struct thl_record *r = line->record;
    return !line->site || (r->flags | r->suppressed | r->cut) || r->level >= THOLE_OFF ||
           line->size < sizeof(*r) + thl_field_pad(r->context_size);
}

static inline const struct thl_phrase *
find_or_make(struct thl_phrases *all, uint64_t name, const struct thl_phrase_line *line)
{
    struct thl_phrase *pair =
        all->phrase[(name * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - PAIRS_LOG2)];
    if (THL_LIKELY(pair[0].name == name))
        return &pair[0];
    if (THL_UNLIKELY(pair[1].name != name))
        make(all, &pair[all->turn++ % 2], name, line);
    return pair[1].name == name ? &pair[1] : &pair[0];
}

THL_APART static bool
find_context(struct thl_phrases *all, struct thl_phrase_line *line)
{
    const enum thl_format format = line->options->format;
    line->context = thl_phrase_context_find(all->contexts, format, line->record, line->size);
    if (!line->context || (line->options->src && line->context->has_src) ||
        thl_phrase_context_has_any(line->context, line->site, line->phrase->keys))
        return false;
    line->room += line->context->text_size;
    return true;
}

bool
thl_phrase_find(struct thl_phrases *all, struct thl_phrase_line *line)
{
    if (THL_UNLIKELY(is_out_of_the_ordinary(line)))
        return false;
    const struct thl_phrase *p = find_or_make(all, name_of(line), line);
    line->phrase = p;
    line->context = NULL;
    line->room = p->room + line->size * THL_ESCAPE_WORST;
    return p->usable && (line->record->context_size == 0 || find_context(all, line));
}

/* ---- writing ---- */

/* Whole chunks: there is room for them, and text to read. */
static inline char *
write_text(char *to, const char *from, size_t n)
{
    memcpy(to, from, CHUNK);
    for (size_t i = CHUNK; THL_UNLIKELY(i < n); i += CHUNK)
        memcpy(to + i, from + i, CHUNK);
    return to + n;
}

/* The values of a record that are still to come. */
struct values {
    const unsigned char *at, *end;
};

/* Made for each type apart where `type` is a constant. NULL for what cannot be decoded. */
static THL_ALWAYS_INLINE char *
write_value(char *to, enum thl_format format, uint32_t type, struct values *values)
{
    struct thl_value v;
    size_t eaten = thl_field_site_get(&v, type, values->at, (size_t)(values->end - values->at));
    values->at += eaten;
    return THL_LIKELY(eaten > 0) ? thl_format_write_value(to, format, v) : NULL;
}

static inline char *
write_next(char *to, enum thl_format format, uint32_t type, struct values *values)
{
    switch (type) {
    case THOLE_FIELD_INT:
        return write_value(to, format, THOLE_FIELD_INT, values);
    case THOLE_FIELD_UINT:
        return write_value(to, format, THOLE_FIELD_UINT, values);
    case THOLE_FIELD_STRING:
        return write_value(to, format, THOLE_FIELD_STRING, values);
    case THOLE_FIELD_DOUBLE:
        return write_value(to, format, THOLE_FIELD_DOUBLE, values);
    case THOLE_FIELD_BOOL:
        return write_value(to, format, THOLE_FIELD_BOOL, values);
    default:
        return write_value(to, format, type, values);
    }
}

/* The fields of the record, from their first piece of text on, and what follows them. */
static inline char *
write_fields(char *to, const struct thl_phrase_line *line, const char *text)
{
    const struct thl_phrase *p = line->phrase;
    const enum thl_format format = line->options->format;
    const unsigned char *record = (const unsigned char *)line->record;
    const uint16_t *size = p->size + BEFORE_VALUE;
    struct values values = {record + sizeof(*line->record) +
                                thl_field_pad(line->record->context_size),
                            record + line->size};
    for (const uint8_t *type = p->type, *end = type + p->nfields; type < end; type++) {
        const size_t n = *size++;
        to = write_next(write_text(to, text, n), format, *type, &values);
        text += n;
        if (THL_UNLIKELY(!to))
            return NULL;
    }
    return write_text(to, text, *size);
}

size_t
thl_phrase_write(struct thl_phrases *all, const struct thl_phrase_line *line, char *to)
{
    const struct thl_format_options *o = line->options;
    const struct thl_phrase *p = line->phrase;
    const char *text = p->text + p->size[BEFORE_TIME];
    char *end = write_text(to, p->text, p->size[BEFORE_TIME]);
    end = thl_format_write_time(end, &all->clock[o->format], o, line->unix_ns);
    end = write_text(end, text, p->size[HEAD]);
    if (line->context)
        end = write_text(end, line->context->text, line->context->text_size);
    end = write_fields(end, line, text + p->size[HEAD]);
    const size_t n = end ? (size_t)(end - to) : 0;
    return o->max_bytes > 0 && n > o->max_bytes ? 0 : n;
}
