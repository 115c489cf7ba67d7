/* SPDX-License-Identifier: MIT */
/*
 * A daemon that loads a plug-in and lets it go while its records wait. 0: all went well.
 *
 *     plugin_host PLUGIN queued         unloaded, and its place taken, before the writer looks
 *     plugin_host PLUGIN rounds N       loaded and unloaded N times: nothing grows
 *     plugin_host PLUGIN amid N         the same while three other threads log
 */
#include "observe.h"
#include "seen.h"

#include <dlfcn.h>
#include <link.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plugin.h"

#define QUEUED 100
#define EACH 4 /* records a round */
#define OTHERS 3
#define FLAT_BYTES (1024 * 1024)

static const thole_logger root = {0};

/* ---- a plug-in, loaded and unloaded ---- */

struct place {
    const char *path;
    uintptr_t low, high; /* where it was mapped */
    char file[32], name[32];
    int line[PLUGIN_LINES], objects;
};

static int
note_place(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct place *p = arg;
    (void)size;
    if (!info->dlpi_name || strcmp(info->dlpi_name, p->path) != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t low = (info->dlpi_addr + h->p_vaddr) & ~UINT64_C(4095);
        uintptr_t high = (info->dlpi_addr + h->p_vaddr + h->p_memsz + 4095) & ~UINT64_C(4095);
        if (h->p_type != PT_LOAD)
            continue;
        p->low = p->low && p->low < low ? p->low : low;
        p->high = p->high > high ? p->high : high;
    }
    return 1;
}

static bool
is_loaded(const char *path)
{
    struct place p = {.path = path};
    return dl_iterate_phdr(note_place, &p) == 1;
}

struct task {
    const struct plugin *plugin;
    int thread, from, n;
};

static void *
run_task(void *arg)
{
    const struct task *t = arg;
    t->plugin->log(t->thread, t->from, t->n);
    return NULL;
}

/* The plug-in logs on a thread that ends before it is unloaded: what a C++ thread_local object is
 * registered for stays loaded as long as the thread lives. */
static struct place
use_plugin(const char *path, int thread, int from, int n)
{
    struct place p = {.path = path};
    pthread_t worker;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(handle);
    plugin_fn entry;
    *(void **)(void *)&entry = dlsym(handle, "plugin");
    CHECK(entry);
    struct task t = {entry(), thread, from, n};
    CHECK(pthread_create(&worker, NULL, run_task, &t) == 0);
    pthread_join(worker, NULL);
    CHECK(dl_iterate_phdr(note_place, &p) == 1);
    memcpy(p.line, t.plugin->line, sizeof(p.line));
    p.objects = t.plugin->objects;
    snprintf(p.file, sizeof(p.file), "%s", t.plugin->file);
    snprintf(p.name, sizeof(p.name), "%s", t.plugin->name);
    CHECK(dlclose(handle) == 0);
    CHECK(!is_loaded(path));
    return p;
}

/* Other bytes where the plug-in's words were. */
static void
cover(const struct place *p)
{
    size_t size = p->high - p->low;
    void *place = (void *)p->low; /* NOLINT: an address that was one */
    void *got = mmap(place, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED) {
        printf("the plug-in's place could not be taken\n");
        return;
    }
    CHECK(got == place);
    memset(got, 'Z', size);
}

/* ---- queued ---- */

/* The line of record i, but for its time. */
static void
expect(char *line, size_t size, const struct place *p, int i)
{
    if (i % 2 != 0)
        snprintf(line, size,
                 "\"level\":\"info\",\"logger\":\"%s\",\"msg\":\"from a plug-in\","
                 "\"src\":\"%s:%d\",\"thread\":0,\"i\":%d,\"text\":\"of its own\"}\n",
                 p->file, p->file, p->line[PLUGIN_LINE_OWN], i);
    else
        snprintf(line, size,
                 "\"level\":\"warn\",\"logger\":\"%s\",\"msg\":\"from its child\","
                 "\"src\":\"%s:%d\",\"plugin\":\"%s\",\"thread\":0,\"i\":%d,\"late\":\"word\"}\n",
                 p->file, p->file, p->line[PLUGIN_LINE_CHILD], p->name, i);
}

static const char *
find_next(const char *at, const char *part)
{
    const char *found = strstr(at, part);
    if (!found)
        fprintf(stderr, "missing or out of order: %s\nin %s\n", part, kept_text());
    CHECK(found);
    return found + strlen(part);
}

static void
unload_while_queued(const char *path)
{
    char line[400];
    start_with("kept:?src=1", NULL);
    kept_set_gate(true);
    thole_info(root, "stops the writer");
    kept_await_write();
    struct place p = use_plugin(path, 0, 0, QUEUED);
    cover(&p);
    kept_set_gate(false);
    CHECK(thole_flush(20000) == 0);
    const char *at = kept_text();
    if (p.objects)
        at = find_next(at, "\"object\":\"static\"}\n");
    if (p.objects)
        at = find_next(at, "\"object\":\"thread\"}\n");
    for (int i = 0; i < QUEUED; i++) {
        expect(line, sizeof(line), &p, i);
        at = find_next(at, line);
    }
    if (p.objects)
        at = find_next(at, "\"msg\":\"an object ends\",");
    if (p.objects)
        at = find_next(at, "\"object\":\"thread\"}\n");
    if (p.objects)
        at = find_next(at, "\"object\":\"static\"}\n");
    CHECK(*at == '\0' && check_identities().children == 0);
    CHECK(check_identities().called == 1u + QUEUED + 2u * (unsigned)p.objects);
}

/* ---- rounds ---- */

static uint64_t object_lines; /* the sink's */

static void
look(const char *line, size_t size)
{
    static const char key[] = ",\"object\":\"";
    if (memmem(line, size, key, sizeof(key) - 1))
        object_lines += seen_is_whole(line, size);
    else
        seen_look(line, size);
}

static long
count_sites(void)
{
    char text[4096];
    int fd = memfd_create("report", MFD_CLOEXEC);
    CHECK(fd >= 0 && thole_report(fd) == 0);
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    close(fd);
    CHECK(n > 0);
    text[n] = '\0';
    const char *at = strstr(text, "sites ");
    CHECK(at);
    return strtol(at + strlen("sites "), NULL, 10);
}

static long
resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    CHECK(f && fscanf(f, "%*d %ld", &pages) == 1);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

struct sizes {
    long sites, bytes;
    int descriptors;
};

static struct sizes
take_sizes(void)
{
    CHECK(thole_flush(20000) == 0);
    return (struct sizes){count_sites(), resident_bytes(), count_entries("/proc/self/fd")};
}

/* A sanitizer keeps memory of its own for what is gone. */
static void
check_sizes(const struct sizes *before, const struct sizes *after)
{
    CHECK(after->sites == before->sites);
    CHECK(after->descriptors == before->descriptors);
#ifndef __SANITIZE_ADDRESS__
    if (after->bytes - before->bytes >= FLAT_BYTES)
        fprintf(stderr, "%ld bytes, then %ld\n", before->bytes, after->bytes);
    CHECK(after->bytes - before->bytes < FLAT_BYTES);
#endif
}

/* Returns the records that the plug-in's objects must have logged. */
static uint64_t
load_often(const char *path, int rounds)
{
    struct sizes first = {0};
    uint64_t objects = 0;
    for (int round = 0; round < rounds; round++) {
        struct place p = use_plugin(path, 0, round * EACH, EACH);
        objects += 2 * (uint64_t)p.objects;
        if (round == rounds / 10)
            first = take_sizes();
        if (round % 16 == 0) /* so that none of its records is dropped */
            CHECK(thole_flush(20000) == 0);
    }
    struct sizes last = take_sizes();
    check_sizes(&first, &last);
    return objects;
}

static void
check_end(uint64_t logged, uint64_t objects)
{
    CHECK(thole_stop(20000) == 0);
    struct thole_stats s = check_identities();
    CHECK(seen.strange == 0 && seen.disorder == 0);
    CHECK(s.queued == 0 && s.children == 0);
    CHECK(seen.records + object_lines + s.dropped == logged + objects);
    CHECK(s.called == logged + objects + seen.notices);
    printf("%llu records, %llu of objects, %llu dropped\n", (unsigned long long)seen.records,
           (unsigned long long)object_lines, (unsigned long long)s.dropped);
}

static void
unload_again_and_again(const char *path, int rounds)
{
    kept.look = look;
    start_with("kept:", "queue=64K");
    uint64_t objects = load_often(path, rounds);
    check_end((uint64_t)rounds * EACH, objects);
    CHECK(object_lines == objects);
}

/* ---- amid others ---- */

static _Atomic bool stop;
static _Atomic uint64_t by_others;

static void *
log_meanwhile(void *arg)
{
    int id = *(int *)arg;
    uint64_t i = 0;
    for (; !atomic_load(&stop); i++) {
        thole_info(root, "meanwhile", "thread", id, "i", i);
        if (i % 256 == 0)
            sched_yield();
    }
    atomic_fetch_add(&by_others, i);
    return NULL;
}

static void
unload_amid_others(const char *path, int rounds)
{
    pthread_t threads[OTHERS];
    int ids[OTHERS];
    kept.look = look;
    start_with("kept:", "queue=64K");
    for (int i = 0; i < OTHERS; i++) {
        ids[i] = 1 + i;
        CHECK(pthread_create(&threads[i], NULL, log_meanwhile, &ids[i]) == 0);
    }
    uint64_t objects = load_often(path, rounds);
    atomic_store(&stop, true);
    for (int i = 0; i < OTHERS; i++)
        pthread_join(threads[i], NULL);
    check_end((uint64_t)rounds * EACH + atomic_load(&by_others), objects);
    CHECK(seen.count[0] == (uint64_t)rounds * EACH); /* its ring is its own: nothing is dropped */
}

int
main(int argc, char **argv)
{
    int rounds = argc > 3 ? atoi(argv[3]) : 0;
    CHECK(argc > 2 && kept_register());
    alarm(60);
    if (strcmp(argv[2], "queued") == 0)
        unload_while_queued(argv[1]);
    else if (strcmp(argv[2], "rounds") == 0)
        unload_again_and_again(argv[1], rounds);
    else if (strcmp(argv[2], "amid") == 0)
        unload_amid_others(argv[1], rounds);
    else
        return 2;
    kept_forget();
    return thole_stop(10000) == 0 ? 0 : 1;
}
