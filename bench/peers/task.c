/* SPDX-License-Identifier: MIT */
/* What a peer's measurement stands on: rehearsal, files, the kernel's counts, cores, the time of
 * day. */
#include "task.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *peer_filler = "";
static char filler[TASK_LINE_BYTES + 1];
static atomic_ullong
    errors; /* any thread adds; read when the threads have ended: relaxed will do */

void
peer_count_error(void)
{
    atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
}

void
peer_put_stamp(char out[PEER_STAMP])
{
    static _Thread_local time_t kept;
    static _Thread_local char text[PEER_STAMP + 1];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != kept) {
        struct tm parts;
        localtime_r(&now.tv_sec, &parts);
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S.000", &parts);
        kept = now.tv_sec;
    }
    unsigned ms = (unsigned)(now.tv_nsec / 1000000);
    memcpy(out, text, PEER_STAMP);
    out[PEER_STAMP - 3] = (char)('0' + ms / 100);
    out[PEER_STAMP - 2] = (char)('0' + ms / 10 % 10);
    out[PEER_STAMP - 1] = (char)('0' + ms % 10);
}

void
task_pin(unsigned producer)
{
    const char *wish = secure_getenv("BENCH_PIN");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    if (cores < 1 || (wish != NULL && strcmp(wish, "0") == 0))
        return;
    CPU_ZERO(&set);
    CPU_SET(producer % (unsigned long)cores, &set);
    (void)sched_setaffinity(0, sizeof(set), &set); /* containers may refuse it */
}

void
task_fail(const struct task *task, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s, %s %s: ", task->peer->subject, task->question, task->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void
task_print(const struct task *task, const char *metric, double value, const char *unit)
{
    printf("%s\t%s\t%s\t%s\t%.10g\t%s\n", task->question, task->name, task->peer->subject, metric,
           value, unit);
}

/* The number behind `key` in a file of /proc/self; negative: it is not there. */
double
task_read_proc(const char *path, const char *key)
{
    char line[256];
    double found = -1;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            found = strtod(line + strlen(key), NULL);
    fclose(file);
    return found;
}

/* Lines and bytes of a file, which is then removed. */
static void
count_file(const struct task *task, const char *path, uint64_t *lines, uint64_t *bytes)
{
    static char block[1 << 16];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        task_fail(task, "%s cannot be read", path);
    unlink(path);
    *lines = *bytes = 0;
    while ((got = read(fd, block, sizeof(block))) > 0) {
        *bytes += (uint64_t)got;
        for (const char *at = block; (at = memchr(at, '\n', (size_t)(block + got - at))); at++)
            ++*lines;
    }
    close(fd);
}

void
task_make_file(const struct task *task, char *path, size_t size)
{
    const char *folder = secure_getenv("TMPDIR");
    snprintf(path, size, "%s/peer-XXXXXX", folder != NULL ? folder : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        task_fail(task, "%s cannot be made", path);
    close(fd);
}

/* A child logs TASK_REHEARSED lines into a file, so many at a time, and ends. Fills task->bytes. */
void
task_rehearse(struct task *task, uint64_t at_a_time)
{
    char path[256];
    uint64_t lines;
    int status;
    task_make_file(task, path, sizeof(path));
    pid_t child = fork();
    if (child == 0) {
        task->peer->open(path);
        for (uint64_t done = 0; done < TASK_REHEARSED; done += at_a_time)
            task->calls(at_a_time);
        task->peer->close();
        _exit(atomic_load_explicit(&errors, memory_order_relaxed) != 0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        task_fail(task, "no rehearsal");
    count_file(task, path, &lines, &task->bytes);
    if (status != 0)
        task_fail(task, "the rehearsal ended with status %#x", (unsigned)status);
    if (lines != TASK_REHEARSED)
        task_fail(task, "%" PRIu64 " lines of %d arrived in the rehearsal", lines, TASK_REHEARSED);
}

/* So many x that a text line has its 100 bytes. */
void
task_set_filler(struct task *task)
{
    task_rehearse(task, TASK_REHEARSED);
    uint64_t bare = task->bytes / TASK_REHEARSED;
    if (bare > TASK_LINE_BYTES)
        task_fail(task, "a line without text has %" PRIu64 " bytes", bare);
    memset(filler, 'x', (size_t)(TASK_LINE_BYTES - bare));
    peer_filler = filler;
}

/* Bytes that this process has handed to write(2); negative: the kernel does not say. */
double
task_count_written(void)
{
    return task_read_proc("/proc/self/io", "wchar:");
}

/* `written`: what went to /dev/null, negative when that is not known. */
void
task_check_arrival(const struct task *task, uint64_t lines, double written)
{
    uint64_t failed = atomic_load_explicit(&errors, memory_order_relaxed), arrived = lines;
    double wanted = (double)task->bytes / TASK_REHEARSED * (double)lines;
    if (failed != 0)
        task_fail(task, "%" PRIu64 " errors", failed);
    if (task->peer->arrived != NULL)
        arrived = task->peer->arrived();
    else if (written >= 0 && (written < wanted - 0.5 || written > wanted + 0.5))
        task_fail(task, "%.0f bytes of %.0f were written", written, wanted);
    if (arrived != lines)
        task_fail(task, "%" PRIu64 " lines of %" PRIu64 " arrived", arrived, lines);
}

void
task_check_file(const struct task *task, const char *path, uint64_t wanted)
{
    uint64_t lines, bytes;
    count_file(task, path, &lines, &bytes);
    if (lines != wanted)
        task_fail(task, "%" PRIu64 " lines of %" PRIu64 " arrived", lines, wanted);
    if (bytes * TASK_REHEARSED != task->bytes * lines)
        task_fail(task, "%" PRIu64 " bytes in %" PRIu64 " lines", bytes, lines);
}
