/* SPDX-License-Identifier: MIT */
/*
 * The contexts of children, rendered: what phrase.h puts between a line's head and its fields.
 *
 * An entry is found by the child's slot and known by the context's own bytes, which it keeps: a
 * child that was amended, or that has another's slot, has other bytes. All is the dispatching
 * thread's.
 */
#ifndef THL_PHRASE_CONTEXT_H
#define THL_PHRASE_CONTEXT_H

#include "format.h"
#include "record.h"

#define THL_PHRASE_CONTEXT_BYTES 384 /* of a context that is kept */
#define THL_PHRASE_CONTEXT_TEXT 576
#define THL_PHRASE_SPARE 16 /* bytes past a text that may be read with it */

struct thl_phrase_context {
    uint64_t keys; /* a bit for each: thl_record_key_bit */
    uint32_t size; /* 0: the entry is empty */
    uint16_t text_size, kind;
    bool ordinary; /* it may be used; else it is only known */
    bool has_src;  /* a key "src", which src=1 gives way to */
    unsigned char bytes[THL_PHRASE_CONTEXT_BYTES];
    char text[THL_PHRASE_CONTEXT_TEXT + THL_PHRASE_SPARE];
};

struct thl_phrase_contexts;

struct thl_phrase_contexts *thl_phrase_contexts_new(void);
void thl_phrase_contexts_free(struct thl_phrase_contexts *all);
void thl_phrase_contexts_forget(struct thl_phrase_contexts *all);

/* The record's context in a format, or NULL when it is out of the ordinary. */
const struct thl_phrase_context *thl_phrase_context_find(struct thl_phrase_contexts *all,
                                                         enum thl_format format,
                                                         const struct thl_record *record,
                                                         size_t size);

/* Whether the context has one of the site's keys, whose bits `keys` are. */
bool thl_phrase_context_has_any(const struct thl_phrase_context *context,
                                const struct thl_site_text *site, uint64_t keys);

/* Whether a format that maps keys leaves this one as it is. */
bool thl_phrase_is_ordinary_key(enum thl_format format, const char *key, size_t size);

#endif
