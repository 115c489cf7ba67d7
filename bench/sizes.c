/* SPDX-License-Identifier: MIT */
/*
 * How large is it all?
 *
 *     library           code, constants and data of libthole.so; of what is zeroed, 8 MiB are the
 *                       gates of all possible loggers, of which only those in use are touched
 *     call_site         what one more call with a string and two integers adds to a program
 * (sites.c); the floor is a guarded fprintf record.FIELDS     bytes of a record in the queue, its
 * header included; counted by stopping the writer and logging until the queue is full. The floor is
 * floor.h's record start             address space, resident memory and threads that thole_start()
 * takes
 */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thole/sink.h>
#include <unistd.h>

#include "bench.h"
#include "workload.h"

#define QUEUE_BYTES (1024 * 1024)
#define FULL_BYTES (QUEUE_BYTES - QUEUE_BYTES / 8) /* the last eighth is for warn and above */
#define EXTRA_SITES 100

/* ---- files ---- */

struct sizes {
    uint64_t code, constants, data, zeroed; /* executable; read only; writable; not in the file */
};

static struct sizes
sum_sections(const unsigned char *elf, size_t size)
{
    struct sizes sum = {0};
    Elf64_Ehdr head;
    if (size < sizeof(head))
        bench_die("not an ELF file");
    memcpy(&head, elf, sizeof(head));
    if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_shoff + head.e_shnum * 64u > size)
        bench_die("not an ELF file of 64 bits");
    for (unsigned i = 0; i < head.e_shnum; i++) {
        Elf64_Shdr section;
        memcpy(&section, elf + head.e_shoff + i * sizeof(section), sizeof(section));
        if (!(section.sh_flags & SHF_ALLOC))
            continue;
        if (section.sh_flags & SHF_EXECINSTR)
            sum.code += section.sh_size;
        else if (section.sh_type == SHT_NOBITS)
            sum.zeroed += section.sh_size;
        else if (section.sh_flags & SHF_WRITE)
            sum.data += section.sh_size;
        else
            sum.constants += section.sh_size;
    }
    return sum;
}

static struct sizes
measure_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        bench_die("%s cannot be read", path);
    void *elf = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (elf == MAP_FAILED)
        bench_die("%s cannot be read", path);
    struct sizes sum = sum_sections(elf, (size_t)st.st_size);
    munmap(elf, (size_t)st.st_size);
    return sum;
}

static void
print_sizes(const char *subject, struct sizes s, double each)
{
    bench_row(subject, "code", (double)s.code / each, "bytes");
    bench_row(subject, "constants", (double)s.constants / each, "bytes");
    bench_row(subject, "data", (double)s.data / each, "bytes");
    bench_row(subject, "zeroed", (double)s.zeroed / each, "bytes");
    bench_row(subject, "bytes", (double)(s.code + s.constants + s.data + s.zeroed) / each, "bytes");
}

static void
run_library(void)
{
    Dl_info info;
    if (dladdr(dlsym(RTLD_DEFAULT, "thole_start"), &info) == 0)
        bench_die("where is the library?");
    print_sizes("thole", measure_file(info.dli_fname), 1);
}

/* The plug-ins lie beside this program. */
static struct sizes
measure_sites(const char *name)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
    if (n < 0)
        bench_die("where is this program?");
    path[n] = '\0';
    snprintf(strrchr(path, '/') + 1, 64, "%s.so", name);
    return measure_file(path);
}

static void
run_call_site(const char *subject, const char *one, const char *many)
{
    struct sizes a = measure_sites(one), b = measure_sites(many);
    struct sizes extra = {b.code - a.code, b.constants - a.constants, b.data - a.data,
                          b.zeroed - a.zeroed};
    print_sizes(subject, extra, EXTRA_SITES);
}

/* ---- records ---- */

/* Holds the writer up until the gate is opened. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int inside;

static int
open_gate(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = NULL;
    return 0;
}

static int
write_gate(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    (void)records;
    inside = 1;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    *done = n;
    return 0;
}

static void
close_gate(void *sink)
{
    (void)sink;
}

static void
log_one(thole_logger lg, unsigned fields, bool string, uint64_t i)
{
    if (fields == 0)
        thole_info(lg, "request done");
    else if (fields == 10)
        thole_info(lg, "request done", WORK_10(i));
    else if (string)
        thole_info(lg, "request done", WORK_3S(i));
    else
        thole_info(lg, "request done", WORK_3(i));
}

static unsigned
fill_queue(thole_logger lg, unsigned fields, bool string)
{
    struct thole_stats s = {.size = sizeof(s)};
    pthread_mutex_lock(&gate);
    log_one(lg, fields, string, 0);
    while (!inside) /* the writer has taken that one, and waits */
        ;
    for (uint64_t i = 0; i < QUEUE_BYTES / 16; i++)
        log_one(lg, fields, string, i);
    thole_stats(&s);
    pthread_mutex_unlock(&gate);
    if (s.dropped == 0)
        bench_die("the queue was never full");
    return (unsigned)(FULL_BYTES / s.queued); /* what is left over is where the next did not fit */
}

static void
run_record(const char *name)
{
    static const struct thole_sink_ops ops = {
        .size = sizeof(ops), .open = open_gate, .write = write_gate, .close = close_gate};
    unsigned fields = bench_part_number(name, 1);
    bool string = bench_part_is(name, 1, "3s"), child = bench_part_is(name, 2, "child");
    unsigned floor = fields == 0    ? WORK_BYTES_0
                     : fields == 10 ? WORK_BYTES_10
                     : string       ? WORK_BYTES_3S
                                    : WORK_BYTES_3;
    if (thole_sink_register("gate", &ops) < 0)
        bench_die("no sink");
    bench_start("gate:", NULL);
    thole_logger lg = thole_get(WORK_NAME);
    if (child)
        thole_child(&lg, lg, WORK_CONTEXT(1));
    bench_row("thole", "bytes", fill_queue(lg, fields, string), "bytes");
    thole_unref(&lg);
    bench_row("floor", "bytes", 16 + floor + (child ? WORK_BYTES_CONTEXT : 0), "bytes");
    bench_stop(1 + QUEUE_BYTES / 16);
}

/* ---- a start ---- */

static void
run_start(void)
{
    int64_t space = bench_address_space(), resident = bench_resident_now();
    bench_start("null:", NULL);
    thole_info(thole_get(WORK_NAME), "request done");
    thole_flush(1000);
    bench_row("thole", "address_space", (double)(bench_address_space() - space) / 1048576, "MiB");
    bench_row("thole", "resident", (double)(bench_resident_now() - resident) / 1024, "KiB");
    bench_stop(1);
}

static void
run(const char *name)
{
    if (bench_part_is(name, 0, "library")) {
        run_library();
    } else if (bench_part_is(name, 0, "call_site")) {
        run_call_site("thole", "sites_1", "sites_101");
        run_call_site("floor", "sites_guarded_1", "sites_guarded_101");
    } else if (bench_part_is(name, 0, "record")) {
        run_record(name);
    } else {
        run_start();
    }
}

int
main(int argc, char **argv)
{
    static const char *const cases[] = {"library",         "call_site",       "record.0.named",
                                        "record.3.named",  "record.3s.named", "record.10.named",
                                        "record.10.child", "start",           NULL};
    static const struct bench bench = {.question = "sizes", .cases = cases, .run = run};
    return bench_main(argc, argv, &bench);
}
