/* SPDX-License-Identifier: MIT */
/*
 * thole: structured logging for network daemons, with a registry that cannot leak.
 *
 *     #include <thole/thole.h>
 *
 *     int main(void)
 *     {
 *         thole_logger net = thole_get("net"), conn;
 *         thole_start(NULL);
 *         thole_child(&conn, net, "conn", 42, "peer", "10.0.0.7:4123");
 *         thole_info(conn, "request done", "status", 200, "path", "/index.html");
 *         thole_unref(&conn);
 *         return thole_stop(1000) == 0 ? 0 : 1;
 *     }
 *
 * Contracts
 *
 *   A logger is a 64-bit value. A *named* logger lives as long as the process and carries a level;
 *   a *child* carries the context of one connection and lives until its last reference is given
 *   back. Neither has a sink of its own: sinks are opened by the configuration alone, so however
 *   many loggers there are, the descriptors are as many as the distinct targets.
 *   After thole_start() no log call blocks on I/O, allocates, takes a lock that I/O holds, or
 *   changes errno. Losses are counted by cause and level (thole_stats) and announced in the log.
 *   Any 64 bits are safe to log through, and zeroed memory is a working logger (the root).
 *
 * Caveats
 *
 *   fork         The child process is in direct mode until it calls thole_start() itself; the
 *                parent's queued records are written by the parent, once. Where one thread alone
 *                logs, fork() waits until they are, for up to 100 ms, so that daemon(3) loses
 *                none; with several, call thole_flush() before a fork whose parent _exits.
 *                _Fork() and clone() run no handlers, and wait for nothing: after them log, or
 *                exec; thole_start() allocates, and malloc may be locked there. A process made in
 *                a signal handler must not return into the log call that was interrupted. In
 *                handlers of pthread_atfork() flush, start and stop return -EDEADLK.
 *   signals      After thole_start() the log macros (not the printf bridge), thole_log_fields(),
 *                thole_enabled(), thole_reopen() and thole_emergency() are async-signal-safe. With
 *                overflow=block a handler waits too, unless it interrupted a log call.
 *   exit, _exit  exit() and quick_exit() drain for at most a second; _exit() and abort() do not
 *                drain.
 *   stack        thole_child(), thole_bind() and the printf bridge take up to 32 KiB of it.
 *   dlclose      A plug-in may be unloaded while its records are queued (C++ plug-ins need
 *                -fno-gnu-unique to be unloaded at all).
 *   thread exit  A thread's queue returns to the pool; log calls in late destructors still work.
 *
 * Environment (with the default prefix THOLE; see thole_options.env_prefix)
 *
 *   THOLE_LOG     levels: "info,net.http=debug,net{peer=10.0.0.0/8}=trace,db=off". A rule with
 *                 conditions speaks for the children whose context matches them; an address
 *                 matches by prefix too. Of the rules that match one speaks: a child's own
 *                 thole_set_level(), the operator's temporary ones, the longer name, more
 *                 conditions, run time over environment over options, the later. "help" prints
 *                 the grammar
 *   THOLE_SINKS   targets, separated by white space: "file:/var/log/d.log udp://127.0.0.1:514"
 *   THOLE_LIMITS  bounds: "children=65536,loggers=1024,queue=1M,overflow=drop" and others
 *   THOLE_STRICT  1: a configuration error makes thole_start() fail with -EINVAL
 *
 * Including this header from C89 or C99 gives the functions; the macros need C11 or C++11.
 */
#ifndef THOLE_H
#define THOLE_H

#include <errno.h>
#include <stdarg.h>
#include <thole/field.h>
#include <thole/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The eight syslog severities (RFC 5424, section 6.2.1) and one below. */
enum thole_level {
    THOLE_TRACE,
    THOLE_DEBUG,
    THOLE_INFO,
    THOLE_NOTICE,
    THOLE_WARN,
    THOLE_ERROR,
    THOLE_CRIT,
    THOLE_ALERT,
    THOLE_EMERG,
    THOLE_OFF /* a threshold that nothing passes; logging *at* it logs nothing */
};

/* A handle to a logger: a plain value, copied freely; {0} is the root logger. */
typedef struct thole_logger {
    uint64_t bits;
} thole_logger;

/* ---- loggers ---------------------------------------------------------------------------- */

/* The named logger `name` ("net.http"), made if need be together with its parents. Characters
 * outside [A-Za-z0-9_.-] become '_'; at most 128 bytes count; NULL and "" are the root. Past the
 * bound (loggers=) it gives the nearest existing ancestor and warns once a minute. In C11 and
 * C++11 a macro of this name passes the caller's file and line, so that the warning names them.
 *
 * Ownership: the handle is good for the life of the process; the name is copied.
 * Threads: any.
 * Blocking: a short lock when the name is new; no I/O after thole_start().
 * Errors: none; never fails.
 * Since: 0.1
 */
thole_logger thole_get(const char *name);

/* One more reference to a child; the same handle. A no-op on a named logger, counted on a stale
 * handle.
 *
 * Ownership: the caller owes one more thole_unref().
 * Threads: any.
 * Blocking: never.
 * Errors: none.
 * Since: 0.1
 */
thole_logger thole_ref(thole_logger lg);

/* Gives one reference back and sets *lg to the named logger the child hung from, so that a
 * forgotten use afterwards still logs. A no-op on a named logger, counted on a stale handle.
 *
 * Ownership: consumes one reference.
 * Threads: any; *lg itself is the caller's to guard.
 * Blocking: never.
 * Errors: none; NULL is allowed.
 * Since: 0.1
 */
void thole_unref(thole_logger *lg);

/* Sets the level of a named logger and all below it, or of one child: debug one connection. A
 * child's own level beats every rule; children made of it later begin with it, those made before
 * do not follow.
 *
 * Ownership: nothing changes hands.
 * Threads: any.
 * Blocking: a short lock; no I/O.
 * Errors: -EINVAL for a level outside THOLE_TRACE..THOLE_OFF, -ESTALE for a stale handle.
 * Since: 0.1
 */
int thole_set_level(thole_logger lg, enum thole_level level);

/* The lowest level that `lg` logs, or THOLE_OFF.
 *
 * Ownership: nothing changes hands.
 * Threads: any.
 * Blocking: never (the very first call of a process reads the configuration).
 * Errors: none; a stale handle answers for the named logger it hung from.
 * Since: 0.1
 */
enum thole_level thole_get_level(thole_logger lg);

/* ---- records ---------------------------------------------------------------------------- */

/* printf bridge: formats in the caller, at most 8 KiB, then logs the text as the message.
 *
 * Ownership: everything is copied before the call returns.
 * Threads: any; not from signal handlers.
 * Blocking: as vsnprintf(3); no I/O after thole_start().
 * Errors: none; a loss is counted. errno is kept.
 * Since: 0.1
 */
void thole_logf(thole_logger lg, enum thole_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a va_list.
 *
 * Ownership: everything is copied before the call returns; `args` is left as by vsnprintf(3).
 * Threads: any; not from signal handlers.
 * Blocking: as vsnprintf(3); no I/O after thole_start().
 * Errors: none; a loss is counted. errno is kept.
 * Since: 0.1
 */
void thole_vlogf(thole_logger lg, enum thole_level level, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* A record whose message and keys are known only at run time: for bindings to other languages.
 * At most 64 fields count; a longer record is cut, marked and counted.
 *
 * Ownership: message, keys and values are copied before the call returns.
 * Threads: any; async-signal-safe after thole_start().
 * Blocking: never after thole_start() (overflow=block:MS waits at most that long).
 * Errors: none; an unknown field type prints as null, a loss is counted. errno is kept.
 * Since: 0.1
 */
void thole_log_fields(thole_logger lg, enum thole_level level, const char *msg,
                      const thole_field *fields, size_t n);

/* Writes "msg\n" straight to stderr and to nothing else; control bytes are written as \xNN.
 *
 * Ownership: nothing is kept.
 * Threads: any; async-signal-safe, at any time.
 * Blocking: as write(2) to stderr.
 * Errors: none; errno is kept.
 * Since: 0.1
 */
void thole_emergency(const char *msg);

/* ---- scope ------------------------------------------------------------------------------ */

/* Makes lg the thread's current logger, for code that has none in its hands, and returns the one
 * before. An event loop enters a scope around each dispatch.
 *
 * Ownership: no reference is taken; keep lg alive until the scope is left.
 * Threads: the calling thread's own.
 * Blocking: never.
 * Errors: none.
 * Since: 0.1
 */
thole_logger thole_scope_enter(thole_logger lg);

/* Restores what thole_scope_enter() returned.
 *
 * Ownership: nothing changes hands.
 * Threads: the calling thread's own.
 * Blocking: never.
 * Errors: none.
 * Since: 0.1
 */
void thole_scope_leave(thole_logger previous);

/* The thread's current logger; the root where no scope was entered.
 *
 * Ownership: borrowed from whoever entered the scope.
 * Threads: the calling thread's own.
 * Blocking: never.
 * Errors: none.
 * Since: 0.1
 */
thole_logger thole_current(void);

/* ---- life ------------------------------------------------------------------------------- */

#define THOLE_NO_ENV 1u /* thole_options.flags: the environment is not read */
#define THOLE_STRICT 2u /* thole_options.flags: a configuration error makes thole_start() fail */

struct thole_options {
    size_t size;            /* sizeof(struct thole_options) */
    const char *app;        /* the program's name in records; NULL: its short name */
    const char *env_prefix; /* NULL: "THOLE" */
    const char *log;        /* as THOLE_LOG */
    const char *sinks;      /* as THOLE_SINKS */
    const char *limits;     /* as THOLE_LIMITS */
    const char *state;      /* as THOLE_STATE; not built yet: must be NULL */
    unsigned flags;
};

/* Reads the environment, opens the sinks, starts the writer. NULL: all defaults or, after an
 * earlier start (also in a forked process), that start's options again. A sink that cannot open
 * does not fail the start: stderr takes its records, and it is retried.
 *
 * Ownership: the options are copied.
 * Threads: any; once at a time.
 * Blocking: opens files and resolves names.
 * Errors: -EALREADY while running; -EINVAL for a bad size, or in strict mode for a configuration
 *   error; -EBUSY when limits differ from those of the first start, while another thread is in
 *   thole_stop(), or while sinks that hung at earlier stops do so still (four times, or once where
 *   THOLE_SINK_MAY_BLOCK was missing); -EDEADLK inside a sink; -ENOTSUP for `state`; -ENOMEM,
 *   -EAGAIN when memory or threads cannot be had.
 * Since: 0.1
 */
int thole_start(const struct thole_options *opt);

/* Waits until all records called before it are with their sinks. In direct mode: 0 at once.
 *
 * Ownership: nothing changes hands.
 * Threads: any; not from signal handlers.
 * Blocking: at most timeout_ms; negative waits without end.
 * Errors: -ETIMEDOUT; -EDEADLK inside a sink.
 * Since: 0.1
 */
int thole_flush(int timeout_ms);

/* Flushes, reports children that are still alive (notices "children left at stop" and, for each of
 * eight call sites at most, "children left by site"), closes the sinks and ends the threads.
 * Returns in time even if a sink hangs: what that sink had pending is counted as dropped (stopped).
 * Records logged afterwards are dropped and counted until the next thole_start().
 *
 * Ownership: handles stay valid.
 * Threads: any; not from signal handlers.
 * Blocking: at most timeout_ms; negative waits without end.
 * Errors: -ETIMEDOUT when not everything was written; -EDEADLK inside a sink.
 * Since: 0.1
 */
int thole_stop(int timeout_ms);

/* Level directives at run time, in the grammar of THOLE_LOG; replaces its own previous text.
 *
 * Ownership: the text is copied; NULL and "" take the previous text back.
 * Threads: any.
 * Blocking: a short lock; no I/O.
 * Errors: -EINVAL changes nothing, and the error is reported like one of the environment's.
 * Since: 0.1
 */
int thole_configure(const char *log_directives);

/* Asks the sinks to open their files anew: call it from the SIGHUP handler.
 *
 * Ownership: nothing changes hands.
 * Threads: any; async-signal-safe after thole_start().
 * Blocking: never.
 * Errors: none; a sink that cannot reopen keeps its old descriptor and says so.
 * Since: 0.1
 */
void thole_reopen(void);

/* Why a record was lost; in notices: queue_full outbox_full would_block refused too_big no_space
 * io_error down stopped. */
enum thole_cause {
    THOLE_QUEUE_FULL,
    THOLE_OUTBOX_FULL,
    THOLE_WOULD_BLOCK,
    THOLE_REFUSED,
    THOLE_TOO_BIG,
    THOLE_NO_SPACE,
    THOLE_IO_ERROR,
    THOLE_DOWN,
    THOLE_STOPPED
};

/* The ledger of one sink: offered = written + dropped + suppressed + pending. */
struct thole_sink_stats {
    char name[64];
    uint64_t offered, written, dropped, suppressed, pending;
    uint64_t cause[16]; /* of dropped, by enum thole_cause */
};

/* One snapshot of the ledger: called = routed + dropped + suppressed + queued. */
struct thole_stats {
    size_t size; /* set by the caller to sizeof(struct thole_stats) */
    uint64_t called, routed, dropped, suppressed, queued;
    uint64_t dropped_level[9]; /* of dropped, by enum thole_level */
    uint64_t loggers, loggers_refused;
    uint64_t children, children_peak, children_made, children_refused;
    uint64_t stale, truncated;
    unsigned nsinks;
    struct thole_sink_stats sink[16];
};

/* g++ -Wshadow would warn that the function hides the struct's constructor; C has both names. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
/* Fills one consistent snapshot. Only `size` bytes are written.
 *
 * Ownership: *out is the caller's.
 * Threads: any; not from signal handlers.
 * Blocking: short locks that no I/O holds.
 * Errors: none; a `size` of 0 writes nothing.
 * Since: 0.1
 */
void thole_stats(struct thole_stats *out);
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* Writes the census as text: for each call site that holds children how many live, the most that
 * ever did, the age of the oldest, when one of them logged last, the context of the oldest, and
 * whether and why it looks leaked. What is queued has not been logged yet. (From outside:
 * `thole leaks PID`.)
 *
 * Ownership: fd stays the caller's.
 * Threads: any; not from signal handlers.
 * Blocking: as write(2) to fd.
 * Errors: a negative errno of write(2).
 * Since: 0.1
 */
int thole_report(int fd);

/* ---- the inline gate -------------------------------------------------------------------- */

/*
 * A handle is generation:32 | named logger:12 | slot:20. The gate of its slot is
 * generation:32 | 0:28 | state:4, where state 0 is "not known" and t + 1 is threshold t. One
 * subtraction compares both: a difference of level + 2 .. 10 is "off", 1 .. level + 1 is "on", and
 * everything else (another generation, not configured yet) asks the library. The table covers all
 * 2^20 slots, so no bit pattern reaches outside it.
 */
extern uint64_t *thole_gates_;

bool thole_on_slow_(thole_logger lg, unsigned level) __attribute__((cold));
void thole_emit_(thole_logger lg, unsigned level, const thole_site_ *site, uint64_t *word,
                 const void *values);
void thole_child_(thole_logger *out, thole_logger parent, const thole_site_ *site, uint64_t *word,
                  const void *values);
void thole_bind_(thole_logger *lg, const thole_site_ *site, uint64_t *word, const void *values);
thole_logger thole_get_(const char *name, const char *file, unsigned line);
void thole_logf_(thole_logger lg, unsigned level, const char *file, unsigned line, const char *fmt,
                 ...) __attribute__((format(printf, 5, 6)));

static __inline__ bool
thole_on_(thole_logger lg, unsigned level)
{
    uint64_t gate = __atomic_load_n(&thole_gates_[lg.bits & 0xFFFFFu], __ATOMIC_RELAXED);
    uint64_t d = gate - (lg.bits & 0xFFFFFFFF00000000u);
    if (level > THOLE_EMERG || d - (level + 2u) <= 8u - level)
        return false;
    return d - 1u <= level || thole_on_slow_(lg, level);
}

/* Whether lg logs at `level` now; never true for a level outside trace .. emerg.
 *
 * Ownership: nothing changes hands.
 * Threads: any; async-signal-safe after thole_start().
 * Blocking: never (the very first call of a process reads the configuration).
 * Errors: none.
 * Since: 0.1
 */
static __inline__ bool
thole_enabled(thole_logger lg, enum thole_level level)
{
    return thole_on_(lg, level);
}

#ifdef __cplusplus
}
#endif

#ifdef THOLE_MACROS_

/* Calls below this level are compiled out; their arguments are still checked. */
#ifndef THOLE_MIN_LEVEL
#define THOLE_MIN_LEVEL THOLE_TRACE
#endif

#define thole_get(name) thole_get_((name), __FILE__, __LINE__)

/* thole_trace .. thole_emerg(lg, "message", key, value, ...): message and keys are string
 * literals, 0 to 16 pairs. Arguments are evaluated at most once, not at all when the level is off,
 * and errno is what it was before them. */
#define thole_trace(lg, ...) THOLE_LOG_(lg, THOLE_TRACE, THOLE_TRACE, __VA_ARGS__)
#define thole_debug(lg, ...) THOLE_LOG_(lg, THOLE_DEBUG, THOLE_DEBUG, __VA_ARGS__)
#define thole_info(lg, ...) THOLE_LOG_(lg, THOLE_INFO, THOLE_INFO, __VA_ARGS__)
#define thole_notice(lg, ...) THOLE_LOG_(lg, THOLE_NOTICE, THOLE_NOTICE, __VA_ARGS__)
#define thole_warn(lg, ...) THOLE_LOG_(lg, THOLE_WARN, THOLE_WARN, __VA_ARGS__)
#define thole_error(lg, ...) THOLE_LOG_(lg, THOLE_ERROR, THOLE_ERROR, __VA_ARGS__)
#define thole_crit(lg, ...) THOLE_LOG_(lg, THOLE_CRIT, THOLE_CRIT, __VA_ARGS__)
#define thole_alert(lg, ...) THOLE_LOG_(lg, THOLE_ALERT, THOLE_ALERT, __VA_ARGS__)
#define thole_emerg(lg, ...) THOLE_LOG_(lg, THOLE_EMERG, THOLE_EMERG, __VA_ARGS__)

/* thole_log(lg, level, "message", ...): the level is any expression. */
#define thole_log(lg, level, ...) THOLE_LOG_(lg, level, 255, __VA_ARGS__)

/* The printf bridge, one for each level. */
#define thole_tracef(lg, ...) THOLE_LOGF_(lg, THOLE_TRACE, __VA_ARGS__)
#define thole_debugf(lg, ...) THOLE_LOGF_(lg, THOLE_DEBUG, __VA_ARGS__)
#define thole_infof(lg, ...) THOLE_LOGF_(lg, THOLE_INFO, __VA_ARGS__)
#define thole_noticef(lg, ...) THOLE_LOGF_(lg, THOLE_NOTICE, __VA_ARGS__)
#define thole_warnf(lg, ...) THOLE_LOGF_(lg, THOLE_WARN, __VA_ARGS__)
#define thole_errorf(lg, ...) THOLE_LOGF_(lg, THOLE_ERROR, __VA_ARGS__)
#define thole_critf(lg, ...) THOLE_LOGF_(lg, THOLE_CRIT, __VA_ARGS__)
#define thole_alertf(lg, ...) THOLE_LOGF_(lg, THOLE_ALERT, __VA_ARGS__)
#define thole_emergf(lg, ...) THOLE_LOGF_(lg, THOLE_EMERG, __VA_ARGS__)

/* thole_child(out, parent, key, value, ...): a child of `parent` with 0 to 16 pairs of context in
 * *out; one reference, the caller's. Past the bound (children=) *out is the parent's named logger,
 * counted and warned about once a minute. thole_child(&x, x, ...) loses the reference that x held:
 * use thole_bind(). While a rule has conditions both take a short lock, which no I/O holds. */
#define thole_child(out, ...) THOLE_CHILD_(out, THOLE_PAIRS_(__VA_ARGS__), __VA_ARGS__)

/* thole_bind(logger_ptr, key, value, ...): late fields. A child is amended in place: its handle
 * stays, every holder sees the new context, a key bound again replaces the old value. On a named
 * logger it makes a child and puts it into *logger_ptr; on a stale handle it only counts. */
#define thole_bind(lg_ptr, ...) THOLE_BIND_(lg_ptr, THOLE_PAIRS_(0, __VA_ARGS__), __VA_ARGS__)

#define THOLE_LOG_(lg, lvl, site_lvl, ...)                                                         \
    THOLE_LOG_N_(lg, lvl, site_lvl, THOLE_PAIRS_(__VA_ARGS__), __VA_ARGS__)
#define THOLE_LOG_N_(lg, lvl, site_lvl, n, ...) THOLE_LOG_DO_(lg, lvl, site_lvl, n, __VA_ARGS__)
#define THOLE_LOG_DO_(lg, lvl, site_lvl, n, ...)                                                   \
    do {                                                                                           \
        THOLE_CHECK_PAIRS_(n, __VA_ARGS__)                                                         \
        THOLE_CHECK_MESSAGE_(THOLE_FIRST_(__VA_ARGS__))                                            \
        THOLE_SITE_(site_lvl, n, THOLE_FIRST_(__VA_ARGS__), __VA_ARGS__)                           \
        THOLE_BLOCK_TYPE_(n, __VA_ARGS__)                                                          \
        const thole_logger thole_lg_ = (lg);                                                       \
        const unsigned thole_lvl_ = THOLE_UNSIGNED_(lvl);                                          \
        if (thole_lvl_ + 1u > THOLE_UNSIGNED_(THOLE_MIN_LEVEL) &&                                  \
            thole_on_(thole_lg_, thole_lvl_)) {                                                    \
            int *const thole_errno_at_ = &errno;                                                   \
            const int thole_errno_was_ = *thole_errno_at_;                                         \
            thole_emit_(thole_lg_, thole_lvl_, &thole_here_.site, &thole_word_,                    \
                        THOLE_BLOCK_(n, __VA_ARGS__));                                             \
            *thole_errno_at_ = thole_errno_was_;                                                   \
        }                                                                                          \
    } while (0)

#define THOLE_LOGF_(lg, lvl, ...)                                                                  \
    do {                                                                                           \
        const thole_logger thole_lg_ = (lg);                                                       \
        if ((lvl) >= (THOLE_MIN_LEVEL) && thole_on_(thole_lg_, (lvl))) {                           \
            int *const thole_errno_at_ = &errno;                                                   \
            const int thole_errno_was_ = *thole_errno_at_;                                         \
            thole_logf_(thole_lg_, (lvl), __FILE__, __LINE__, __VA_ARGS__);                        \
            *thole_errno_at_ = thole_errno_was_;                                                   \
        }                                                                                          \
    } while (0)

#define THOLE_CHILD_(out, n, ...) THOLE_CHILD_DO_(out, n, __VA_ARGS__)
#define THOLE_CHILD_DO_(out, n, ...)                                                               \
    do {                                                                                           \
        THOLE_CHECK_PAIRS_(n, __VA_ARGS__)                                                         \
        THOLE_SITE_(255, n, "", __VA_ARGS__)                                                       \
        THOLE_BLOCK_TYPE_(n, __VA_ARGS__)                                                          \
        thole_child_((out), THOLE_FIRST_(__VA_ARGS__), &thole_here_.site, &thole_word_,            \
                     THOLE_BLOCK_(n, __VA_ARGS__));                                                \
    } while (0)

#define THOLE_BIND_(lg_ptr, n, ...) THOLE_BIND_DO_(lg_ptr, n, __VA_ARGS__)
#define THOLE_BIND_DO_(lg_ptr, n, ...)                                                             \
    do {                                                                                           \
        THOLE_CHECK_PAIRS_(n, 0, __VA_ARGS__)                                                      \
        THOLE_SITE_(255, n, "", 0, __VA_ARGS__)                                                    \
        THOLE_BLOCK_TYPE_(n, 0, __VA_ARGS__)                                                       \
        thole_bind_((lg_ptr), &thole_here_.site, &thole_word_, THOLE_BLOCK_(n, 0, __VA_ARGS__));   \
    } while (0)

#endif /* THOLE_MACROS_ */
#endif
