/* SPDX-License-Identifier: MIT */
/*
 * Configuration text -> plain structs. Never calls getenv, never opens anything, never prints.
 *
 * Every error is one message with the source's name, the column (bytes, from 1), what was found,
 * what was expected, a suggestion where one is near, and the text with a caret under the column:
 *
 *     THOLE_LOG:10: unknown level "debgu" (did you mean "debug"?)
 *         info,net=debgu
 *                  ^
 *
 * Everything valid in a text is applied; errors do not stop the rest. All memory is malloc'ed and
 * released by the fini functions. Control bytes of the text are shown as \xNN in messages.
 */
#ifndef THL_CONFIG_H
#define THL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thole/sink.h>

#include "buf.h"
#include "compiler.h"
#include "format.h"
#include "network.h"

#define THL_NAME_MAX 128 /* bytes of a logger's name */

/* ---- errors ---- */

#define THL_CONFIG_ERRORS 32 /* more are counted, not kept */

struct thl_config_errors {
    size_t n;                      /* errors found */
    size_t kept;                   /* of them, in text[] */
    char *text[THL_CONFIG_ERRORS]; /* malloc'ed; several lines, no LF at the end */
};

/* Adds "LABEL:COLUMN: what" with the text and a caret; column 0 leaves column and caret out. */
void thl_config_error(struct thl_config_errors *errors, const char *label, const char *text,
                      size_t column, const char *fmt, ...) THL_PRINTF(5, 6);
void thl_config_errors_fini(struct thl_config_errors *errors);

/* The word of `words` (n of them) nearest to s, at most two edits (or a third of it) away; or NULL.
 */
const char *thl_config_suggest(const char *s, size_t size, const char *const *words, size_t n);

/* ---- levels: THOLE_LOG ---- */

enum thl_rule_source {
    THL_RULE_BUILTIN,
    THL_RULE_OPTIONS,
    THL_RULE_ENV,
    THL_RULE_RUNTIME,
    THL_RULE_OPERATOR /* temporary: speaks before all others */
};

#define THL_RULE_CONDITIONS 8 /* of one rule */
#define THL_RULE_TEXT 255     /* bytes of their keys and values together */
#define THL_RULE_PUT_MAX 1024 /* more than any rule takes as text */

/* A key and a value in the rule's text, behind those of the condition before. */
struct thl_condition {
    uint8_t key_size, value_size;
    struct thl_network network; /* the value, where it is an address */
};

struct thl_rule {
    char name[THL_NAME_MAX + 1]; /* "" covers everything */
    uint8_t name_size;
    uint8_t level;  /* enum thole_level */
    uint8_t source; /* enum thl_rule_source */
    uint8_t nconditions;
    char text[THL_RULE_TEXT];
    struct thl_condition condition[THL_RULE_CONDITIONS];
};

struct thl_rules {
    struct thl_rule *rule; /* in the order given */
    size_t n;
};

/* Appends the directives of `text`. `text` "help" appends nothing (see thl_config_log_help). 0, or
 * -ENOMEM. */
int thl_config_log(const char *label, const char *text, enum thl_rule_source source,
                   struct thl_rules *rules, struct thl_config_errors *errors);
void thl_config_rules_fini(struct thl_rules *rules);
const char *thl_config_log_help(void); /* the grammar, for people; ends with LF */

/* The rule as a directive, "net.conn{peer=10.0.0.0/8}=trace": read again it is the same rule. Has
 * no control characters; at most THL_RULE_PUT_MAX bytes. */
void thl_config_rule_put(struct thl_buf *out, const struct thl_rule *rule);

/* Who asks for a level: a named logger has no context. */
struct thl_asker {
    const char *name;
    size_t name_size;
    const void *context; /* tagged fields */
    size_t context_size;
};

/* The one list. Of the rules that cover the asker ("net" covers "net" and "net.*") and whose
 * conditions all hold, and of `best` from a list before (or NULL), that one speaks which is the
 * operator's, then has the longer name, then more conditions, then the higher source, then is the
 * later. NULL when none does. */
const struct thl_rule *thl_config_speaker(const struct thl_rules *rules,
                                          const struct thl_asker *asker,
                                          const struct thl_rule *best);

/* ---- limits: THOLE_LIMITS ---- */

struct thl_limits {
    uint32_t children, loggers, sites, queues;
    uint32_t context, record; /* bytes */
    uint64_t queue;           /* bytes of one queue; rounded up to a power of two */
    bool block;               /* overflow=block:MS */
    uint32_t block_ms;
    uint32_t site_rate;  /* records a second of one call site and logger; 0: no limit */
    uint32_t site_burst; /* at once */
    uint32_t site_below; /* enum thole_level: from this one up there is no limit */
};

/* What the table of gates holds beside those of named loggers. */
#define THL_LIMITS_CHILDREN_MAX 1044480u

void thl_config_limits_default(struct thl_limits *limits);

/* The bytes that a child's context may take: what context= says, and at most half of a record, for
 * the other half is the event's. */
uint32_t thl_config_limits_context(const struct thl_limits *limits);

/* Merges the keys of `text` into *limits. K and M are 1024 and 1048576. Ranges:
 * children 1..1044480, loggers 1..4096, sites 1..1048576, queues 2..1024, context 64..8K, record
 * 512..64000, queue 16K..1G and at least 8 times record, overflow drop|block:MS (MS 1..3600000),
 * site-rate 0|N/s[:burst=M][:below=LEVEL] (N and M 1..1000000). A value out of range is an error
 * and is not applied. */
void thl_config_limits(const char *label, const char *text, struct thl_limits *limits,
                       struct thl_config_errors *errors);

/* ---- sinks: THOLE_SINKS ---- */

enum thl_color { THL_COLOR_AUTO, THL_COLOR_ALWAYS, THL_COLOR_NEVER };

/* One URI: the sink's own view of it, and the keys that thole itself handles. */
struct thl_sink_spec {
    struct thole_sink_uri
        uri; /* everything in one malloc'ed block; params: the scheme's own keys */
    const struct thole_sink_ops *ops;
    const char *label; /* the source, for later messages; in the same block */
    const char *text;  /* borrowed until thl_target_build: what the URI stands in */
    size_t column;     /* where the URI begins in it */
    /* route */
    enum thole_level level;      /* level=; THOLE_TRACE when not given */
    char only[THL_NAME_MAX + 1]; /* only=; "" when not given */
    int facility;                /* facility=; default daemon (3) */
    uint32_t rate;               /* rate=N/s; 0 when not given: no limit */
    /* target */
    enum thl_format format; /* format=, or the scheme's default */
    bool format_given;
    bool src;             /* src=1 */
    bool seq;             /* seq=1 */
    enum thl_color color; /* color=: only for pretty */
    size_t size;          /* size= in bytes, or ops->max_record */
    char ident[64];       /* ident=; "" when not given */
    char sdid[33];        /* sdid=NAME@PEN; default thole@32473 */
};

struct thl_sink_specs {
    struct thl_sink_spec *spec;
    size_t n;
};

/* Finds the ops of a scheme, or NULL; `schemes` lists all names for suggestions. */
struct thl_scheme_table {
    const struct thole_sink_ops *(*find)(const char *scheme, size_t n);
    const char *const *names;
    size_t n;
};

/* Appends the URIs of `text`. Unknown schemes and keys, bad values, keys that do not belong to the
 * scheme are errors; such a URI is left out whole. rate= is "not supported yet". 0, or -ENOMEM. */
int thl_config_sinks(const char *label, const char *text, const struct thl_scheme_table *schemes,
                     struct thl_sink_specs *specs, struct thl_config_errors *errors);
void thl_config_sinks_fini(struct thl_sink_specs *specs);

#endif
