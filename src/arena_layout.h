/* SPDX-License-Identifier: MIT */
/*
 * The arena's layout: what the daemon publishes and the operator's program reads. Offsets, never
 * pointers; every field has one size on every machine, and a reader believes none of them unseen.
 *
 *   header | mailbox | process | sinks | loggers | sites | queues
 *
 * A table is `n` rows of `stride` bytes at `offset`; `used` rows of it are filled. A later version
 * may add fields at the end of a row and tables at the end of the header: a reader takes the
 * smaller of the two sizes. What would break that grows THL_ARENA_VERSION.
 *
 * Writers. The header: whoever opens the arena, but for `state` (the lifecycle) and `edition`. The
 * tables: the writer, all at once when it is asked, `edition` being odd meanwhile: a reader copies
 * them between two looks at an equal, even edition. The mailbox: observers, and the writer its
 * answers. Observers have nothing else to write, and nothing that the daemon reads but the mailbox.
 *
 * A letter's way, each step by compare-and-swap or a store with release of `state`:
 *
 *   FREE -> CLAIMED (observer writes) -> ASKED (bell + 1, futex wake) -> ANSWERED -> FREE
 *
 * A letter that was claimed longer than THL_ARENA_CLAIM_S ago may be claimed anew: its observer
 * is gone. One that gives up leaves its letter CLAIMED, to age: were it FREE, the answer that is on
 * its way could be taken for the next letter's.
 */
#ifndef THL_ARENA_LAYOUT_H
#define THL_ARENA_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define THL_ARENA_NAME "thole:" /* of the memfd, before the program's */
#define THL_ARENA_MAGIC UINT64_C(0x31656c6f68742e61)
#define THL_ARENA_VERSION 2u
#define THL_ARENA_ENDIAN 0x01020304u
#define THL_ARENA_PAGE 4096u
#define THL_ARENA_LETTERS 6
#define THL_ARENA_CLAIM_S 5
#define THL_ARENA_NEVER UINT32_MAX /* seconds: has not happened */
#define THL_ARENA_CAUSES 16

enum thl_arena_state { THL_ARENA_RUNNING = 1, THL_ARENA_STOPPED = 2 };

struct thl_arena_table {
    uint64_t offset;
    uint32_t stride, n;
    _Atomic uint32_t used;
    uint32_t pad;
};

struct thl_arena_header {
    _Atomic uint64_t magic;   /* stored last */
    uint32_t version, endian; /* endian: THL_ARENA_ENDIAN as its writer stores it */
    uint64_t bytes;           /* of the whole mapping */
    uint64_t pid;             /* in the daemon's own namespace */
    int64_t start_unix_ns;
    _Atomic uint32_t state;
    _Atomic uint32_t edition;
    struct thl_arena_table mailbox, process, sinks, loggers, sites, queues;
    char app[64], library[16]; /* library: its version */
};

/* ---- the tables ---- */

struct thl_arena_process {
    int64_t unix_ns; /* when the tables were made */
    uint64_t called, routed, dropped, suppressed, queued;
    uint64_t dropped_level[9]; /* by enum thole_level */
    uint64_t loggers, loggers_refused, loggers_limit;
    uint64_t children, children_peak, children_made, children_refused, children_limit;
    uint64_t stale, truncated;
    uint32_t silent_limit_s; /* what `silent` of a site was counted with */
    uint32_t pad;
};

enum thl_arena_health {
    THL_ARENA_OK = 1,
    THL_ARENA_DOWN = 2,
    THL_ARENA_HANGS = 3,
    THL_ARENA_BLOCKED = 4,
    THL_ARENA_HEALTHS
};

struct thl_arena_sink {
    char name[64];
    uint64_t offered, written, dropped, suppressed, pending;
    uint64_t cause[THL_ARENA_CAUSES]; /* of dropped, by enum thole_cause */
    uint32_t health;                  /* enum thl_arena_health */
    uint32_t error;                   /* errno; of OK: of a reopen that failed, or 0 */
    uint32_t lag_ms;                  /* the age of the oldest record that waits; 0: none does */
    uint32_t health_s;                /* how long it has been down, or hangs */
};

struct thl_arena_logger {
    char name[132]; /* "" is the root */
    uint32_t level; /* enum thole_level */
    uint64_t records;
};

/* A call site: of log calls, of children, or of both. What is said of children is of those alive,
 * but for made, ended, peak, longest_s and others_ended. */
struct thl_arena_site {
    char src[96];          /* "conn.c:12" */
    char msg[64];          /* its message, cut; "" of one that makes children */
    char sample[160];      /* "conn=17 peer=10.0.0.7:4123": the context of the oldest child */
    uint64_t records;      /* that were logged there */
    uint64_t suppressed;   /* by site-rate */
    uint64_t made, ended;  /* children */
    uint64_t others_ended; /* children of other sites, since this one made its first */
    uint32_t live, peak;
    uint32_t oldest_s;      /* age of the oldest */
    uint32_t spread_ds;     /* tenths of a second from the oldest's birth to the youngest's */
    uint32_t thirds[3];     /* born in the first third of the site's life, ... */
    uint32_t last_logged_s; /* since any of them logged; THL_ARENA_NEVER */
    uint32_t logged;        /* that ever logged */
    uint32_t logged_later;  /* that logged later than a second after their birth */
    uint32_t heard;         /* whose level lets info pass */
    uint32_t silent;        /* that neither were made nor logged for silent_limit_s */
    uint32_t nested;        /* that were made of a child */
    uint32_t orphans;       /* whose parent was a child and has ended, silent for three seconds */
    uint32_t longest_s;     /* the longest life of any that ended */
    uint32_t stranded;      /* silent for ten seconds, and for ten times the longest life */
    uint32_t has_peer;      /* 1: the sample holds an address, so these may be connections */
    uint32_t level;         /* enum thole_level; 255: not fixed at the site */
    uint32_t verdict;       /* enum thl_verdict_why: the reader's, who knows more; 0 here */
    uint32_t pad;
};

/* ---- the mailbox ---- */

enum thl_arena_letter_state {
    THL_ARENA_FREE,
    THL_ARENA_CLAIMED,
    THL_ARENA_ASKED,
    THL_ARENA_ANSWERED
};

enum thl_arena_ask {
    THL_ARENA_ASK_TABLES = 1, /* number: silent_limit_s, 0 for the default */
    THL_ARENA_ASK_LEVEL = 2,  /* text: rules in the grammar of THOLE_LOG; number: for how many ms */
    THL_ARENA_ASK_CLEAR = 3,  /* takes all such rules back */
};

struct thl_arena_letter {
    _Atomic uint32_t state;
    _Atomic uint32_t claimed_s; /* CLOCK_MONOTONIC */
    uint32_t ask;               /* enum thl_arena_ask */
    int32_t answer;             /* 0 or a negative errno */
    uint64_t number;
    char text[448]; /* ended by NUL; in an answer: what was wrong, or what was done */
};

struct thl_arena_mailbox {
    _Atomic uint32_t bell; /* a futex, shared between processes: one more with each letter */
    uint32_t pad[15];
    struct thl_arena_letter letter[THL_ARENA_LETTERS];
};

_Static_assert(sizeof(struct thl_arena_header) <= THL_ARENA_PAGE, "a page of its own");
_Static_assert(sizeof(struct thl_arena_mailbox) <= THL_ARENA_PAGE, "a page of its own");
_Static_assert(sizeof(struct thl_arena_sink) % 8 == 0, "rows keep alignment");
_Static_assert(sizeof(struct thl_arena_logger) % 8 == 0, "rows keep alignment");
_Static_assert(sizeof(struct thl_arena_site) % 8 == 0, "rows keep alignment");

#endif
