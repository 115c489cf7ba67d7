/* SPDX-License-Identifier: MIT */
/*
 * Claim: whatever an arena holds, the reader answers with an error that says what is wrong, or with
 * a picture whose strings end and whose tables lie in the file; what is drawn of it has no byte
 * that drives a terminal; and no picture mixes two editions.
 *
 *     arena_reader [COUNT]       how many arenas; default 1000000
 *
 * Arenas in order are cut short, overwritten with random bytes, and given fields at the edges of
 * what fits, strings without an end, editions that are odd. Then a thread goes on making tables
 * while they are copied. Seeds are fixed.
 */
#include "arena_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "board.h"
#include "json_picture.h"
#include "random.h"

#define DEFAULT_COUNT 1000000ul
#define SINKS 2
#define LOGGERS 3
#define SITES 5
#define EDITIONS 400

struct image {
    union {
        struct thl_arena_header header;
        char header_page[THL_ARENA_PAGE];
    };
    char mailbox[THL_ARENA_PAGE];
    struct thl_arena_process process;
    struct thl_arena_sink sink[SINKS];
    struct thl_arena_logger logger[LOGGERS];
    struct thl_arena_site site[SITES];
};

static uint64_t
below(uint64_t n)
{
    return next_random() % n;
}

static void
fail(const char *what, unsigned long input)
{
    printf("arena %lu: %s\n", input, what);
    exit(1);
}

/* ---- an arena in order ---- */

static void
place(struct thl_arena_table *t, size_t offset, size_t stride, uint32_t n)
{
    *t = (struct thl_arena_table){.offset = offset, .stride = (uint32_t)stride, .n = n, .used = n};
}

static void
make_arena(struct image *a)
{
    struct thl_arena_header *h = &a->header;
    memset(a, 0, sizeof(*a));
    *h = (struct thl_arena_header){.magic = THL_ARENA_MAGIC,
                                   .version = THL_ARENA_VERSION,
                                   .endian = THL_ARENA_ENDIAN,
                                   .bytes = sizeof(*a),
                                   .pid = 4123,
                                   .start_unix_ns = 1790000000000000000,
                                   .state = THL_ARENA_RUNNING,
                                   .edition = 2,
                                   .app = "fuzzed",
                                   .library = "0.1.0"};
    place(&h->mailbox, offsetof(struct image, mailbox), THL_ARENA_PAGE, 1);
    place(&h->process, offsetof(struct image, process), sizeof(a->process), 1);
    place(&h->sinks, offsetof(struct image, sink), sizeof(a->sink[0]), SINKS);
    place(&h->loggers, offsetof(struct image, logger), sizeof(a->logger[0]), LOGGERS);
    place(&h->sites, offsetof(struct image, site), sizeof(a->site[0]), SITES);
    a->process.unix_ns = 1790000001000000000;
    for (uint32_t i = 0; i < SINKS; i++)
        snprintf(a->sink[i].name, sizeof(a->sink[i].name), "file:/var/log/%u.log", i);
    for (uint32_t i = 0; i < LOGGERS; i++)
        snprintf(a->logger[i].name, sizeof(a->logger[i].name), "net.%u", i);
    for (uint32_t i = 0; i < SITES; i++) {
        snprintf(a->site[i].src, sizeof(a->site[i].src), "f.c:%u", i);
        snprintf(a->site[i].sample, sizeof(a->site[i].sample), "conn=%u", i);
        a->site[i].made = a->site[i].live = i;
        a->site[i].verdict = i;
        a->site[i].records = i;
    }
}

/* ---- what is done to it ---- */

static uint64_t
edge(void)
{
    static const uint64_t edges[] = {0,          1,          2,          7,
                                     8,          4096,       8192,       65536,
                                     65537,      1u << 20,   0x7fffffff, 0x80000000,
                                     0xffffffff, UINT64_MAX, INT64_MAX,  (uint64_t)INT64_MAX + 1};
    switch (below(4)) {
    case 0:
        return sizeof(struct image) + below(17) - 8;
    case 1:
        return next_random();
    case 2:
        return next_random() >> below(64);
    default:
        return edges[below(sizeof(edges) / sizeof(edges[0]))];
    }
}

/* A word of the header, or of anything. */
static void
change_words(struct image *a)
{
    char *bytes = (char *)a;
    for (uint64_t i = 1 + below(4); i > 0; i--) {
        size_t range = below(8) ? sizeof(struct thl_arena_header) : sizeof(*a);
        size_t size = below(2) ? 4 : 8, at = below(range / size) * size;
        uint64_t value = edge();
        memcpy(bytes + at, &value, size);
    }
}

static void
change_tables(struct image *a)
{
    struct thl_arena_header *h = &a->header;
    struct thl_arena_table *tables[] = {&h->process, &h->sinks, &h->loggers, &h->sites,
                                        &h->mailbox};
    struct thl_arena_table *t = tables[below(5)];
    switch (below(4)) {
    case 0:
        t->offset = edge();
        break;
    case 1:
        t->stride = (uint32_t)edge();
        break;
    case 2:
        t->n = (uint32_t)edge();
        break;
    default:
        t->used = (uint32_t)edge();
        break;
    }
}

static void
fill_random(char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(1 + below(255));
}

static void
change_strings(struct image *a)
{
    fill_random(a->header.app, sizeof(a->header.app));
    fill_random(a->header.library, sizeof(a->header.library));
    fill_random(a->sink[below(SINKS)].name, sizeof(a->sink[0].name));
    fill_random(a->logger[below(LOGGERS)].name, sizeof(a->logger[0].name));
    fill_random(a->site[below(SITES)].src, sizeof(a->site[0].src));
    fill_random(a->site[below(SITES)].msg, sizeof(a->site[0].msg));
    fill_random(a->site[below(SITES)].sample, sizeof(a->site[0].sample));
}

static void
change_tables_of_random(struct image *a)
{
    uint64_t *words = (void *)&a->process;
    for (size_t i = 0; i < (sizeof(*a) - offsetof(struct image, process)) / 8; i++)
        words[i] = next_random();
}

static void
change_all(struct image *a)
{
    uint64_t *words = (void *)a;
    for (size_t i = below(2) ? 0 : 4; i < sizeof(*a) / 8; i++)
        words[i] = next_random();
}

static void
change_edition(struct image *a)
{
    a->header.edition = (uint32_t)next_random();
    a->header.state = (uint32_t)edge();
}

static void
damage(struct image *a)
{
    void (*const ways[])(struct image *) = {change_words,  change_words,   change_tables,
                                            change_tables, change_strings, change_tables_of_random,
                                            change_all,    change_edition};
    size_t n = sizeof(ways) / sizeof(ways[0]);
    for (uint64_t i = 1 + below(3); i > 0; i--)
        ways[below(n)](a);
}

/* ---- what must hold ---- */

#define check_string(s, input)                                                                     \
    do {                                                                                           \
        if (!memchr((s), '\0', sizeof(s)))                                                         \
            fail("a string without end", input);                                                   \
    } while (0)

static void
check_picture(const struct thl_arena_reader *r, const struct thl_picture *p, unsigned long input)
{
    const struct thl_arena_header *h = &r->header;
    if (p->nsinks > h->sinks.n || p->nloggers > h->loggers.n || p->nsites > h->sites.n ||
        p->nsinks + p->nloggers + p->nsites > sizeof(struct image) / 8)
        fail("more rows than the file holds", input);
    check_string(p->app, input);
    check_string(p->library, input);
    for (size_t i = 0; i < p->nsinks; i++)
        check_string(p->sink[i].name, input);
    for (size_t i = 0; i < p->nloggers; i++)
        check_string(p->logger[i].name, input);
    for (size_t i = 0; i < p->nsites; i++) {
        check_string(p->site[i].src, input);
        check_string(p->site[i].msg, input);
        check_string(p->site[i].sample, input);
    }
}

static void
check_bytes(const char *bytes, size_t n, unsigned long input)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if ((c < 0x20 && c != '\n') || c == 0x7f)
            fail("a control byte is drawn", input);
    }
}

/* As text, as text with the picture before it, and as JSON. */
static void
draw(const struct thl_picture *before, const struct thl_picture *p, unsigned long input)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&bytes, &size);
    struct thl_board board = {.before = before, .now = p, .pid = 1};
    struct thl_sheet sheet;
    if (!out)
        fail("no memory", input);
    thl_sheet_init(&sheet, out, false);
    thl_board_draw(&sheet, &board);
    thl_json_picture_top(out, 1, before, p);
    fflush(out);
    check_bytes(bytes, size, input);
    sheet.columns = (unsigned)(1 + below(200));
    board.rows = (unsigned)(1 + below(60));
    thl_board_draw(&sheet, &board); /* its line ends clear: not checked */
    fclose(out);
    free(bytes);
}

static bool
is_known(int rc)
{
    return rc == -EBADMSG || rc == -EPROTONOSUPPORT || rc == -EAGAIN || rc == -ENOMEM;
}

/* True when there was a picture. */
static bool
read_arena(int fd, struct thl_picture *before, unsigned long input)
{
    struct thl_arena_reader r;
    struct thl_picture p = {0};
    int rc = thl_arena_reader_open(&r, dup(fd));
    if (rc < 0) {
        if (!is_known(rc) || !*r.fault || r.fd != -1)
            fail("an error without words", input);
        return false;
    }
    r.tries = 1;
    rc = thl_arena_reader_look(&r, &p);
    if (rc < 0 && (!is_known(rc) || !*r.fault))
        fail("an error without words", input);
    thl_arena_reader_close(&r);
    if (rc < 0)
        return false;
    check_picture(&r, &p, input);
    if (input % 16 == 0)
        draw(before, &p, input);
    thl_picture_fini(before);
    *before = p;
    return true;
}

static void
fuzz(int fd, unsigned long count)
{
    static struct image good, bad;
    struct thl_picture before = {0};
    unsigned long pictures = 0;
    make_arena(&good);
    for (unsigned long i = 0; i < count; i++) {
        size_t size = below(8) ? sizeof(bad) : below(sizeof(bad) + 1);
        bad = good;
        if (size == sizeof(bad) || below(2))
            damage(&bad);
        if (ftruncate(fd, (off_t)size) < 0 || pwrite(fd, &bad, size, 0) != (ssize_t)size)
            fail("cannot be written", i);
        pictures += read_arena(fd, &before, i);
    }
    thl_picture_fini(&before);
    if (pictures < count / 100 || pictures > count - count / 100)
        fail("too few of one kind: the fuzzing is dead", pictures);
    printf("%lu arenas, %lu of them gave a picture\n", count, pictures);
}

/* ---- tables that are made while they are copied ---- */

static void *
make_tables(void *arg)
{
    struct image *a = arg;
    for (uint64_t k = 1; k <= EDITIONS; k++) {
        atomic_fetch_add_explicit(&a->header.edition, 1, memory_order_seq_cst);
        atomic_thread_fence(memory_order_seq_cst);
        a->process.called = k;
        for (size_t i = 0; i < LOGGERS; i++)
            a->logger[i].records = k;
        if (k % 4 == 0)
            poll(NULL, 0, 1); /* half made, for long enough to be looked at */
        for (size_t i = 0; i < SITES; i++)
            a->site[i].records = k;
        /* pairs with read_edition() */
        atomic_fetch_add_explicit(&a->header.edition, 1, memory_order_release);
        if (k % 2 == 0)
            poll(NULL, 0, (int)(1 + k % 5)); /* out of step with who looks again */
    }
    return NULL;
}

static void
check_whole(const struct thl_picture *p, unsigned long input)
{
    for (size_t i = 0; i < p->nloggers; i++)
        if (p->logger[i].records != p->process.called)
            fail("a picture of two editions", input);
    for (size_t i = 0; i < p->nsites; i++)
        if (p->site[i].records != p->process.called)
            fail("a picture of two editions", input);
}

static void
race(int fd)
{
    struct image *a;
    struct thl_arena_reader r;
    pthread_t thread;
    unsigned long looks = 0, whole = 0;
    if (ftruncate(fd, sizeof(*a)) < 0)
        fail("cannot be written", 0);
    a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (a == MAP_FAILED)
        fail("cannot be mapped", 0);
    make_arena(a);
    for (size_t i = 0; i < SITES; i++)
        a->site[i].records = 0;
    if (thl_arena_reader_open(&r, dup(fd)) < 0 || pthread_create(&thread, NULL, make_tables, a))
        fail("cannot begin", 0);
    r.tries = 20;
    /* relaxed: each look reads the editions itself */
    for (; atomic_load_explicit(&a->header.edition, memory_order_relaxed) < 2 * EDITIONS; looks++) {
        struct thl_picture p = {0};
        int rc = thl_arena_reader_look(&r, &p);
        if (rc == 0)
            check_whole(&p, looks);
        else if (rc != -EAGAIN)
            fail(r.fault, looks);
        whole += rc == 0;
        thl_picture_fini(&p);
    }
    pthread_join(thread, NULL);
    thl_arena_reader_close(&r);
    munmap(a, sizeof(*a));
    if (whole < EDITIONS / 4)
        fail("hardly a picture", whole);
    printf("%lu looks at %d editions, %lu whole\n", looks, EDITIONS, whole);
}

int
main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : DEFAULT_COUNT;
    int fd = memfd_create("thole:fuzz", MFD_CLOEXEC);
    if (fd < 0)
        fail("no memfd", 0);
    fuzz(fd, count);
    race(fd);
    close(fd);
    return 0;
}
