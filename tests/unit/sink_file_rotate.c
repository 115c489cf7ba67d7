/* SPDX-License-Identifier: MIT */
/* file: rotation and what is kept of it, one process; several are in system/rotation.c. */
#include "test.h"

#include <ctype.h>

#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_file;

static const struct thole_sink_ops *const ops = &thl_sink_file;

#define ROTATED_MAX 64

/* The names of a folder's files but `log`, sorted. */
struct names {
    size_t n;
    char name[ROTATED_MAX][64];
};

static int
compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct names
list_others(const char *folder, const char *log)
{
    struct names l = {0};
    struct dirent *entry;
    DIR *dir = opendir(folder);

    cr_assert_not_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, log) == 0)
            continue;
        cr_assert_lt(l.n, (size_t)ROTATED_MAX);
        snprintf(l.name[l.n++], sizeof(l.name[0]), "%s", entry->d_name);
    }
    closedir(dir);
    qsort(l.name, l.n, sizeof(l.name[0]), compare_names);
    return l;
}

/* "a.log.20261122T125401.123456Z" */
static bool
is_rotated_name(const char *name)
{
    static const char form[] = "a.log.dddddddd"
                               "Tdddddd.ddddddZ";

    if (strlen(name) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (i > 5 && form[i] == 'd' ? !isdigit((unsigned char)name[i]) : name[i] != form[i])
            return false;
    return true;
}

/* Opens with up to three pairs of a key and a value. */
static void *
open_keys(const char *path, const char *const *pairs)
{
    struct thole_sink_param params[4];
    struct thole_sink_uri uri = {.text = path, .scheme = "", .path = path, .host = "", .port = ""};
    void *sink = NULL;

    for (; pairs[0]; pairs += 2)
        params[uri.nparams++] = (struct thole_sink_param){pairs[0], pairs[1]};
    uri.params = params;
    int rc = ops->open(&uri, &sink);
    cr_assert_eq(rc, 0, "open %s: %s", path, strerror(-rc));
    return sink;
}

#define OPEN(path, ...) open_keys(path, (const char *const[]){__VA_ARGS__, NULL})

/* Writes the numbered lines from *next on, in batches of `each_batch`. */
static void
write_lines(void *sink, unsigned *next, unsigned n, size_t each, unsigned each_batch)
{
    static struct batch b;
    size_t done;

    while (n > 0) {
        b.n = b.used = 0;
        for (; n > 0 && b.n < each_batch; n--)
            add_numbered(&b, (*next)++, each, '\n');
        cr_assert_eq(write_all(ops, sink, &b, &done), 0);
        cr_assert_eq(done, b.n);
    }
}

/* Adds the file's lines, which are numbered on from *next. Returns its size. */
static size_t
expect_next_lines(const char *path, unsigned *next, size_t each)
{
    size_t size;
    char *bytes = slurp(path, &size);

    cr_assert_eq(size % each, 0u, "%s: a torn line", path);
    for (size_t at = 0; at < size; at += each, ++*next) {
        cr_assert_eq(strtoul(bytes + at, NULL, 10), *next, "%s: another line", path);
        cr_assert_eq(bytes[at + each - 1], '\n');
    }
    free(bytes);
    return size;
}

/* All of the files together hold the lines 0 to n - 1, by age, and none is over the limit. */
static void
expect_lines(const char *folder, unsigned n, size_t each, size_t limit)
{
    struct names l = list_others(folder, "a.log");
    unsigned next = 0;

    for (size_t i = 0; i < l.n; i++) {
        cr_assert(is_rotated_name(l.name[i]), "%s", l.name[i]);
        size_t size = expect_next_lines(path_in(folder, l.name[i]), &next, each);
        cr_expect(size <= limit && size + each > limit, "%s: %zu bytes", l.name[i], size);
    }
    cr_expect_leq(expect_next_lines(path_in(folder, "a.log"), &next, each), limit);
    cr_expect_eq(next, n);
}

/* ---- by size ---- */

THL_TEST(sink_file_rotate, file_never_passes_its_limit_and_no_line_is_lost_or_split)
{
    const char *folder = make_folder();
    unsigned next = 0;
    void *sink = OPEN(path_in(folder, "a.log"), "rotate", "4K", "keep", "60");

    write_lines(sink, &next, 100, 100, 7);
    write_lines(sink, &next, 100, 100, 64); /* a batch that is longer than a file */
    write_lines(sink, &next, 100, 100, 1);
    expect_lines(folder, 300, 100, 4096);
    cr_expect_eq(list_others(folder, "a.log").n, 7u);
    ops->close(sink);
    remove_folder(folder);
}
