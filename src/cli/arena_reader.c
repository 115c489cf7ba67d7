/* SPDX-License-Identifier: MIT */
/* Reads the arena of another process, of which nothing is believed. */
#include "arena_reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "level.h"

/* No row of a later version is longer, and no table of ours has more rows: a file full of holes
 * must not make us ask for all memory. */
#define STRIDE_MAX 65536u
#define SINKS_MAX 1024u
#define ROWS_MAX (1u << 20)
#define LEVEL_UNKNOWN 255u

/* Each check that tests/fuzz takes away, to see that it would notice. */
#ifdef THL_ARENA_READER_TRUSTS_STRINGS
#define end_string(s) ((void)(s))
#else
#define end_string(s) ((s)[sizeof(s) - 1] = '\0')
#endif
#ifdef THL_ARENA_READER_TRUSTS_COUNTS
#define TRUSTS_COUNTS true
#else
#define TRUSTS_COUNTS false
#endif
#ifdef THL_ARENA_READER_TRUSTS_EDITION
#define TRUSTS_EDITION true
#else
#define TRUSTS_EDITION false
#endif

static int
fail(struct thl_arena_reader *r, int error, const char *fault)
{
    r->fault = fault;
    return error;
}

/* All of the n bytes at `offset`, or an error. */
static int
read_at(struct thl_arena_reader *r, void *out, size_t n, uint64_t offset)
{
    char *to = out;
    while (n > 0) {
        ssize_t got = pread(r->fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(r, -errno, "cannot be read");
        if (got == 0)
            return fail(r, -EBADMSG, "is cut short");
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

/* ---- the header ---- */

static uint32_t
used_of(const struct thl_arena_table *table)
{
    return atomic_load_explicit(&table->used, memory_order_relaxed); /* a private copy */
}

/* Subtractions only: no field can overflow anything. */
static bool
is_inside(const struct thl_arena_table *t, uint64_t bytes)
{
    if (t->n == 0)
        return true;
    return t->offset % 8 == 0 && t->offset >= sizeof(struct thl_arena_header) &&
           t->offset <= bytes && t->stride > 0 && (bytes - t->offset) / t->stride >= t->n;
}

static int
check_tables(struct thl_arena_reader *r)
{
    const struct thl_arena_header *h = &r->header;
    const struct {
        const struct thl_arena_table *table;
        uint32_t most;
        const char *outside;
    } tables[] = {
        {&h->process, 1, "has its process table outside of itself"},
        {&h->sinks, SINKS_MAX, "has its table of sinks outside of itself"},
        {&h->loggers, ROWS_MAX, "has its table of loggers outside of itself"},
        {&h->sites, ROWS_MAX, "has its table of call sites outside of itself"},
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const struct thl_arena_table *t = tables[i].table;
        if (!is_inside(t, h->bytes))
            return fail(r, -EBADMSG, tables[i].outside);
        if (t->n > 0 && (t->stride % 8 != 0 || t->stride > STRIDE_MAX))
            return fail(r, -EBADMSG, "has a table with rows of a size that cannot be");
        if (used_of(t) > (TRUSTS_COUNTS ? tables[i].most : t->n) || used_of(t) > tables[i].most)
            return fail(r, -EBADMSG, "has a table with more rows than it holds");
    }
    if (h->mailbox.offset % THL_ARENA_PAGE != 0 || h->mailbox.offset < THL_ARENA_PAGE ||
        h->mailbox.offset > h->bytes || h->bytes - h->mailbox.offset < THL_ARENA_PAGE)
        return fail(r, -EBADMSG, "has its mailbox outside of itself");
    return 0;
}

static int
check_header(struct thl_arena_reader *r, uint64_t size)
{
    struct thl_arena_header *h = &r->header;
    if (h->magic != THL_ARENA_MAGIC)
        return fail(r, -EBADMSG, "does not begin as one of thole's");
    if (h->endian != THL_ARENA_ENDIAN)
        return fail(r, -EPROTONOSUPPORT, "was written by a machine of the other byte order");
    if (h->version != THL_ARENA_VERSION)
        return fail(r, -EPROTONOSUPPORT, "is of another version");
    if (h->bytes > size)
        return fail(r, -EBADMSG, "is cut short");
    end_string(h->app);
    end_string(h->library);
    return check_tables(r);
}

static int
read_header(struct thl_arena_reader *r)
{
    struct stat st;
    if (fstat(r->fd, &st) < 0)
        return fail(r, -errno, "cannot be read");
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(r->header))
        return fail(r, -EBADMSG, "is too short to be one");
    int rc = read_at(r, &r->header, sizeof(r->header), 0);
    return rc < 0 ? rc : check_header(r, (uint64_t)st.st_size);
}

int
thl_arena_reader_open(struct thl_arena_reader *r, int fd)
{
    *r = (struct thl_arena_reader){.fd = fd, .tries = THL_ARENA_READER_TRIES};
    int rc = read_header(r);
    if (rc < 0)
        thl_arena_reader_close(r);
    return rc;
}

void
thl_arena_reader_close(struct thl_arena_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

int
thl_arena_reader_is_stopped(struct thl_arena_reader *r)
{
    int rc = read_header(r);
    if (rc < 0)
        return rc;
    /* relaxed: a private copy */
    return atomic_load_explicit(&r->header.state, memory_order_relaxed) == THL_ARENA_STOPPED;
}

/* ---- the tables ---- */

/* The used rows of a table, each `row` bytes of ours: what a shorter row of the daemon's lacks is
 * zero. */
static int
copy_rows(struct thl_arena_reader *r, const struct thl_arena_table *table, size_t row, void **rows,
          size_t *n)
{
    size_t used = used_of(table), width = table->stride < row ? table->stride : row;
    if (used == 0)
        return 0;
    char *to = calloc(used, row);
    if (!to)
        return fail(r, -ENOMEM, "is too large for the memory of this machine");
    int rc = 0;
    if (table->stride == row)
        rc = read_at(r, to, used * row, table->offset);
    else
        for (size_t i = 0; i < used && rc == 0; i++)
            rc = read_at(r, to + i * row, width, table->offset + i * table->stride);
    if (rc < 0) {
        free(to);
        return rc;
    }
    *rows = to;
    *n = used;
    return 0;
}

static void
tame(struct thl_picture *p)
{
    for (size_t i = 0; i < p->nsinks; i++) {
        end_string(p->sink[i].name);
        if (p->sink[i].health >= THL_ARENA_HEALTHS)
            p->sink[i].health = 0;
    }
    for (size_t i = 0; i < p->nloggers; i++) {
        end_string(p->logger[i].name);
        if (p->logger[i].level > THOLE_OFF)
            p->logger[i].level = LEVEL_UNKNOWN;
    }
    for (size_t i = 0; i < p->nsites; i++) {
        struct thl_arena_site *site = &p->site[i];
        end_string(site->src);
        end_string(site->msg);
        end_string(site->sample);
        if (site->level > THOLE_OFF)
            site->level = LEVEL_UNKNOWN;
        if (site->silent > site->live)
            site->silent = site->live;
    }
}

static int
copy_tables(struct thl_arena_reader *r, struct thl_picture *p)
{
    const struct thl_arena_header *h = &r->header;
    void *process = NULL, *sink = NULL, *logger = NULL, *site = NULL;
    size_t n = 0;
    int rc = copy_rows(r, &h->process, sizeof(p->process), &process, &n);
    if (rc == 0)
        rc = copy_rows(r, &h->sinks, sizeof(*p->sink), &sink, &p->nsinks);
    if (rc == 0)
        rc = copy_rows(r, &h->loggers, sizeof(*p->logger), &logger, &p->nloggers);
    if (rc == 0)
        rc = copy_rows(r, &h->sites, sizeof(*p->site), &site, &p->nsites);
    if (process)
        memcpy(&p->process, process, sizeof(p->process));
    free(process);
    p->sink = sink;
    p->logger = logger;
    p->site = site;
    if (rc < 0)
        return rc;
    memcpy(p->app, h->app, sizeof(p->app));
    memcpy(p->library, h->library, sizeof(p->library));
    p->pid = h->pid;
    p->start_unix_ns = h->start_unix_ns;
    p->state = atomic_load_explicit(&h->state, memory_order_relaxed); /* a private copy */
    tame(p);
    return 0;
}

/* The edition now; odd while the tables are being made. The fences stand in for acquire: the
 * kernel's copies are this thread's loads. They pair with the release of whoever makes them. */
static int
read_edition(struct thl_arena_reader *r, uint32_t *edition)
{
    atomic_thread_fence(memory_order_acquire);
    int rc = read_at(r, edition, sizeof(*edition), offsetof(struct thl_arena_header, edition));
    atomic_thread_fence(memory_order_acquire);
    return rc;
}

/* One try: 0, -EAGAIN when the tables changed meanwhile, or what is wrong with them. A fault seen
 * while they change is none. */
static int
try_look(struct thl_arena_reader *r, struct thl_picture *p)
{
    uint32_t before, after;
    int rc = read_edition(r, &before);
    if (rc < 0)
        return rc;
    if (before % 2 != 0 && !TRUSTS_EDITION)
        return -EAGAIN;
    int copied = read_header(r);
    if (copied == 0)
        copied = copy_tables(r, p);
    rc = read_edition(r, &after);
    if (rc < 0)
        return rc;
    return before == after || TRUSTS_EDITION ? copied : -EAGAIN;
}

int
thl_arena_reader_look(struct thl_arena_reader *r, struct thl_picture *out)
{
    for (unsigned i = 0; i < r->tries; i++) {
        struct thl_picture fresh = {0};
        int rc = try_look(r, &fresh);
        if (rc == 0) {
            *out = fresh;
            return 0;
        }
        thl_picture_fini(&fresh);
        if (rc != -EAGAIN)
            return rc;
        if (i + 1 < r->tries)
            poll(NULL, 0, 1);
    }
    return fail(r, -EAGAIN, "changes faster than it can be copied");
}
