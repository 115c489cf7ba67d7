/* SPDX-License-Identifier: MIT */
/*
 * Sinks of your own: a URI scheme that the configuration can then open.
 *
 * A sink is handed finished bytes and returns errors. It never formats, never logs, never retries
 * on its own account: queueing, health, back-off, the ledger and the notices live in thole, once
 * for all sinks. The built-in sinks use nothing but this header.
 *
 * After an error of write thole calls write again, after a back-off, and nothing else: a sink whose
 * connection is gone dials in write, or says in wants_reopen that it wants to.
 *
 * Calls to one sink never overlap: thole serialises open, write, flush, reopen and close. A sink
 * that may block has a thread of its own; the others are called by the writer, which they must
 * never hold up. Before thole_start() it is the logging thread that calls. From inside a sink
 * thole_flush() and thole_stop() return -EDEADLK.
 *
 * Frozen since 0.1: members are only ever added at the end of a struct, and a zeroed one means what
 * its absence meant.
 */
#ifndef THOLE_SINK_H
#define THOLE_SINK_H

#include <thole/thole.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One finished record. The records of one write lie back to back in memory: bytes + size of one
 * is bytes of the next, so that a stream can write them all at once. */
struct thole_sink_record {
    const char *bytes;
    size_t size;
    enum thole_level level;
    int64_t unix_ns; /* when it was logged, as the record says it: nanoseconds since 1970 */
};

struct thole_sink_param {
    const char *key, *value; /* decoded; value "" where no '=' was given */
};

/* A URI taken apart and percent-decoded: SCHEME:PATH?KEY=VALUE&... or SCHEME://HOST:PORT?... */
struct thole_sink_uri {
    const char *text;                      /* as written, the query included, for messages */
    const char *scheme;                    /* without the colon */
    const char *path;                      /* "" when there is none */
    const char *host;                      /* of the // form, without brackets; else "" */
    const char *port;                      /* of the // form; else "" */
    const struct thole_sink_param *params; /* the sink's own keys; thole's are thole's */
    size_t nparams;
};

/* Any operation may wait: the sink gets a thread. The first open is the caller's of thole_start all
 * the same, for a daemon drops privileges after it; what is tried again, the thread opens. */
#define THOLE_SINK_MAY_BLOCK 1u
#define THOLE_SINK_LINES 2u /* a stream of lines: each record ends with LF, else with none */

/* After a fork the child process goes on with its copy of the state, even if another thread was
 * inside a call at that moment: whatever a call leaves half done is seen by the next one, without
 * memory that it freed or locks. A sink without this flag is opened anew then. (fork() waits up to
 * 100 ms for the calls of such a sink to end; _Fork() and clone() do not.) */
#define THOLE_SINK_FORK_SAFE 4u

struct thole_sink_ops {
    size_t size;             /* sizeof(struct thole_sink_ops) */
    unsigned flags;          /* THOLE_SINK_... */
    const char *format;      /* the default: "json" (or NULL), "logfmt", "pretty", "rfc5424" ... */
    size_t max_record;       /* default of the key size=, in bytes; 0: no bound */
    const char *const *keys; /* further keys that the URI may carry, ended by NULL; NULL: none */

    /* What the value of one of `keys` should have been ("an octal mode, as 0640"), or NULL when it
     * will do; else the configuration has an error at its place. NULL: open() judges. */
    const char *(*check)(const char *key, const char *value);

    /* Writes the target's identity, so that two spellings of one target share it: "udp:[::1]:514".
     * NULL: the URI without its query. Returns 0 or a negative errno (then the text is used). */
    int (*identify)(const struct thole_sink_uri *uri, char *out, size_t size);

    /* Opens the target, non-blocking where the kernel can, descriptors O_CLOEXEC and 3 or above.
     * On success *sink, NULL before, is the state handed to the others: NULL will do. Returns 0 or
     * a negative errno: whichever it is, stderr takes the records, and it is tried again. */
    int (*open)(const struct thole_sink_uri *uri, void **sink);

    /* Writes n >= 1 records in order, and sets *done to the number that were written whole.
     * Returns 0 when all were, or a negative errno that belongs to record *done:
     * -EAGAIN: no room now (the sink may wait up to 100 ms first); the rest is offered again soon;
     *   and so for -EINTR, -ENOBUFS and -ENOMEM.
     * -EMSGSIZE: that record can never be written; it is dropped as too_big, the rest goes on.
     * anything else: the target is in trouble; the rest waits for the next try, after a back-off.
     */
    int (*write)(void *sink, const struct thole_sink_record *records, size_t n, size_t *done);

    /* Everything written so far should be on its way (a file's with sync=, on its disk). Called for
     * thole_flush() and as flush_within says. NULL: nothing to do. 0 or a negative errno. */
    int (*flush)(void *sink);

    /* Opens the target anew and only then lets the old descriptor go; on failure keeps the old,
     * which is written on, and thole says so. NULL: nothing to do. 0 or a negative errno. */
    int (*reopen)(void *sink);

    /* Closes the target and frees the state. */
    void (*close)(void *sink);

    /* Whether the target should be opened anew by itself: its name leads elsewhere by now (a file
     * was renamed, a socket bound anew), or what failed the last time is due again. Asked before a
     * write, once a second at most; when true, reopen is called. NULL: never. */
    bool (*wants_reopen)(void *sink);

    /* Within how many milliseconds flush should be called, for what was written so far: asked after
     * each write; 0: it need not be. NULL: never. In time only where the sink has its thread: the
     * writer, and the logging thread before thole_start(), call it with the next record. */
    unsigned (*flush_within)(void *sink);

    /* What an errno of the others means here ("it is a symbolic link, which is not followed"), for
     * messages; NULL: what the C library says. NULL as the member: the same. */
    const char *(*explain)(int error);
};

/* Adds a scheme (lower-case letters, digits, '+', '-', '.'; at most 31), for configurations read
 * after it: call it before thole_start() and before the first log call.
 *
 * Ownership: ops and all it points at must stay valid for the life of the process.
 * Threads: any.
 * Blocking: a short lock.
 * Errors: -EINVAL for a bad scheme, size or format, or a missing open, write or close; -EEXIST for
 *   a scheme that is taken; -ENOSPC past 32 schemes.
 * Since: 0.1
 */
int thole_sink_register(const char *scheme, const struct thole_sink_ops *ops);

#ifdef __cplusplus
}
#endif

#endif
