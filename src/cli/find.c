/* SPDX-License-Identifier: MIT */
/* Finds the arena of a process in /proc, and processes by what is there. */
#include "find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"

#define LINK "/memfd:" THL_ARENA_NAME
#define PIDS 32 /* a process has one in each nested namespace: the kernel allows 32 levels */

/* ---- /proc/PID/status ---- */

/* What follows "KEY:\t"; false when the process, or the line, is not there. */
static bool
read_status(pid_t pid, const char *key, char *out, size_t size)
{
    char path[64], line[512];
    size_t n = strlen(key);
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof(line), f)) {
        found = strncmp(line, key, n) == 0 && line[n] == ':';
        if (found)
            snprintf(out, size, "%s", line + n + 1 + strspn(line + n + 1, "\t "));
    }
    fclose(f);
    return found;
}

/* The daemon wrote its pid as its own namespace has it. */
static bool
has_pid(pid_t pid, uint64_t written)
{
    char text[512], *rest = text;
    if (!read_status(pid, "NSpid", text, sizeof(text)))
        return written == (uint64_t)pid; /* a kernel without namespaces */
    for (int i = 0; i < PIDS; i++) {
        char *end;
        uint64_t one = strtoull(rest, &end, 10);
        if (end == rest)
            return false;
        if (one == written)
            return true;
        rest = end;
    }
    return false;
}

char
thl_find_state(pid_t pid)
{
    char text[64];
    return read_status(pid, "State", text, sizeof(text)) && *text ? *text : '?';
}

const char *
thl_find_comm(pid_t pid, char *out, size_t size)
{
    snprintf(out, size, "?");
    if (read_status(pid, "Name", out, size))
        out[strcspn(out, "\n")] = '\0';
    return out;
}

bool
thl_find_user(pid_t pid, uid_t *user)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%ld", (long)pid);
    if (stat(path, &st) < 0)
        return false;
    *user = st.st_uid;
    return true;
}

static bool
has_mapping(pid_t pid, const char *name)
{
    char path[64], line[4096];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%ld/maps", (long)pid);
    FILE *f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof(line), f))
        found = strstr(line, name) != NULL;
    if (f)
        fclose(f);
    return found;
}

bool
thl_find_is_linked(pid_t pid)
{
    return has_mapping(pid, "/libthole.so");
}

/* One thread reads a folder here, which is all that readdir() asks for. */
static const char *
next_name(DIR *dir)
{
    const struct dirent *entry = readdir(dir); /* NOLINT(concurrency-mt-unsafe) */
    return entry ? entry->d_name : NULL;
}

uint32_t
thl_find_descriptors(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
    return thl_descriptors_count(path);
}

/* ---- its arena ---- */

/* What was found so far: the first arena that is this process's and runs wins; else one that it has
 * stopped; else what was wrong with the last candidate. */
struct search {
    pid_t pid;
    struct thl_arena_reader best;
    int rc; /* of `best`; 1: it is stopped */
};

static bool
is_arena(int folder, const char *name)
{
    char target[128];
    ssize_t n = readlinkat(folder, name, target, sizeof(target));
    return n >= (ssize_t)strlen(LINK) && memcmp(target, LINK, strlen(LINK)) == 0;
}

/* What a link of that name leads to may be a device or a pipe of somebody who likes to see root
 * open it: only a regular file is opened. */
static int
open_regular(int folder, const char *name)
{
    char path[64];
    struct stat st;
    int place = openat(folder, name, O_PATH | O_CLOEXEC);
    if (place < 0)
        return -errno;
    int fd = -EBADF;
    if (fstat(place, &st) == 0 && S_ISREG(st.st_mode)) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
        fd = open(path, O_RDWR | O_CLOEXEC);
        fd = fd < 0 ? -errno : fd;
    }
    close(place);
    return fd;
}

static int
open_candidate(const struct search *s, int folder, const char *name, struct thl_arena_reader *r)
{
    int fd = open_regular(folder, name);
    *r = (struct thl_arena_reader){.fd = -1, .fault = "cannot be opened"};
    if (fd < 0)
        return fd;
    int rc = thl_arena_reader_open(r, fd);
    if (rc == 0 && !has_pid(s->pid, r->header.pid)) {
        thl_arena_reader_close(r); /* inherited by a fork: its parent's */
        return -ENOENT;
    }
    return rc < 0 ? rc : thl_arena_reader_is_stopped(r);
}

static void
consider(struct search *s, int folder, const char *name)
{
    struct thl_arena_reader r;
    if (!is_arena(folder, name))
        return;
    int rc = open_candidate(s, folder, name, &r);
    bool better = rc == 0 || (rc == 1 && s->rc < 0) || (s->rc < 0 && rc != -ENOENT);
    if (!better) {
        thl_arena_reader_close(&r);
        return;
    }
    thl_arena_reader_close(&s->best);
    s->best = r;
    s->rc = rc;
}

/* Looks through /proc/PID/WHERE until a running arena is found. -EACCES, -ESRCH or 0. */
static int
search_folder(struct search *s, const char *where)
{
    char path[64];
    const char *name;
    snprintf(path, sizeof(path), "/proc/%ld/%s", (long)s->pid, where);
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    while (s->rc != 0 && (name = next_name(dir)))
        consider(s, dirfd(dir), name);
    closedir(dir);
    return 0;
}

/* Whether a mapping is there that could not be opened: kernels tell in different places that only
 * root may. A forked process has its parent's descriptor and not the mapping. */
static bool
is_hidden(const struct search *s)
{
    if (s->rc == -ENOENT)
        return geteuid() != 0 && has_mapping(s->pid, " " LINK);
    return s->rc == -EPERM || s->rc == -EACCES;
}

int
thl_find_arena(pid_t pid, struct thl_arena_reader *reader)
{
    struct search s = {.pid = pid, .best = {.fd = -1, .fault = ""}, .rc = -ENOENT};
    uid_t user;
    int rc = thl_find_user(pid, &user) ? search_folder(&s, "fd") : -ESRCH;
    /* The daemon may have closed our descriptor, as with closefrom(3). */
    if (rc == 0 && s.rc == -ENOENT) {
        search_folder(&s, "map_files");
        if (is_hidden(&s))
            rc = -ENOLINK;
    }
    if (rc == 0)
        rc = s.rc < 0 ? s.rc : 0;
    *reader = s.best;
    return rc;
}

void
thl_find_each(void (*each)(void *arg, pid_t pid), void *arg)
{
    const char *name;
    DIR *proc = opendir("/proc");
    while (proc && (name = next_name(proc))) {
        char *end;
        long pid = strtol(name, &end, 10);
        if (isdigit((unsigned char)name[0]) && *end == '\0')
            each(arg, (pid_t)pid);
    }
    if (proc)
        closedir(proc);
}
