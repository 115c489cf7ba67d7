/* SPDX-License-Identifier: MIT */
/* What went wrong, on stderr: what it is, and what to do. */
#include "complain.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <thole/version.h>
#include <unistd.h>

#include "errname.h"
#include "escape.h"
#include "find.h"
#include "mailbox.h"

#define LINE_MAX 1024 /* bytes of a line that are shown */

void
thl_complain(const char *fmt, ...)
{
    char message[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    fputs("thole: ", stderr);
    thl_complain_lines(message);
}

/* Backslashes stay single: these texts are for people, and some were escaped where they were made.
 */
static void
put_line(const char *s, size_t n)
{
    char bytes[LINE_MAX * 6];
    struct thl_buf out;
    thl_buf_init(&out, bytes, sizeof(bytes) - 1);
    for (const char *end = s + n; s < end; s++) {
        const char *slash = memchr(s, '\\', (size_t)(end - s));
        thl_escape_put(&out, THL_ESCAPE_TEXT, s, (size_t)((slash ? slash : end) - s));
        if (!slash)
            break;
        thl_buf_putc(&out, '\\');
        s = slash;
    }
    fprintf(stderr, "%.*s\n", (int)out.size, bytes);
}

void
thl_complain_lines(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        put_line(text, n > LINE_MAX ? thl_escape_cut(text, n, LINE_MAX) : n);
        text += text[n] ? n + 1 : n;
    }
}

/* ---- processes ---- */

static void
complain_permission(const char *who, pid_t pid)
{
    uid_t user = 0;
    if (!thl_find_user(pid, &user) || user == geteuid()) {
        thl_complain("%s: it may not be looked into by other processes: run thole as root", who);
        return;
    }
    struct passwd entry, *found = NULL;
    char names[4096];
    if (user == 0)
        thl_complain("%s: no permission, it belongs to root: run thole as root", who);
    else if (getpwuid_r(user, &entry, names, sizeof(names), &found) == 0 && found)
        thl_complain("%s: no permission, it belongs to %s: run thole as root or as %s", who,
                     entry.pw_name, entry.pw_name);
    else
        thl_complain("%s: no permission, it belongs to user %lu: run thole as root or as that user",
                     who, (unsigned long)user);
}

static void
complain_absence(const char *who, pid_t pid)
{
    if (thl_find_state(pid) == 'Z')
        thl_complain("%s: it has ended (its parent has not noticed yet)", who);
    else if (thl_find_is_linked(pid))
        thl_complain("%s: linked with thole, but there is nothing to look into: it has not called "
                     "thole_start(), or has called thole_stop()",
                     who);
    else
        thl_complain("%s: it does not log through thole, or has not called thole_start() yet "
                     "(\"thole ls\" lists those that do)",
                     who);
}

static void
complain_silence(const char *who, pid_t pid)
{
    if (thl_find_state(pid) == 'T')
        thl_complain("%s: no answer in %d s: the process is stopped (kill -CONT %ld lets it go on)",
                     who, THL_MAILBOX_TIMEOUT_MS / 1000, (long)pid);
    else
        thl_complain("%s: no answer in %d s: its writer hangs, or the machine is too busy; "
                     "try again",
                     who, THL_MAILBOX_TIMEOUT_MS / 1000);
}

/* The fault names the byte order, where it is that. Nothing was checked of such a header. */
static void
complain_version(const char *who, const struct thl_arena_reader *reader)
{
    const struct thl_arena_header *h = &reader->header;
    char versions[128] = "";
    if (h->endian == THL_ARENA_ENDIAN)
        snprintf(versions, sizeof(versions),
                 " (%lu, of library %.16s; this is program " THOLE_VERSION " and reads %u)",
                 (unsigned long)h->version, h->library, THL_ARENA_VERSION);
    thl_complain("%s: its arena %s%s: use the program thole of the version that it is linked with",
                 who, reader->fault, versions);
}

void
thl_complain_process(pid_t pid, int error, const struct thl_arena_reader *reader)
{
    const char *fault = reader->fault;
    char comm[64], who[96];
    thl_find_comm(pid, comm, sizeof(comm));
    snprintf(who, sizeof(who), "pid %ld (%s)", (long)pid, comm);
    switch (error) {
    case -ESRCH:
        thl_complain("pid %ld: no such process", (long)pid);
        break;
    case -EACCES:
    case -EPERM:
        complain_permission(who, pid);
        break;
    case -ENOENT:
        complain_absence(who, pid);
        break;
    case -ENOLINK:
        thl_complain("%s: it has closed the descriptor of its arena (as closefrom(3) does), and "
                     "only root can find that now: run thole as root",
                     who);
        break;
    case -ESHUTDOWN:
        thl_complain("%s: it has stopped logging (thole_stop() was called)", who);
        break;
    case -ETIMEDOUT:
        complain_silence(who, pid);
        break;
    case -EBUSY:
        thl_complain("%s: too many look into it at once; try again in %d s", who,
                     THL_ARENA_CLAIM_S);
        break;
    case -EPROTONOSUPPORT:
        complain_version(who, reader);
        break;
    case -EBADMSG:
    case -EAGAIN:
    case -ENOMEM:
        thl_complain("%s: its arena %s", who, fault);
        break;
    default:
        thl_complain("%s: its arena %s: %s", who, fault && *fault ? fault : "cannot be read",
                     thl_errname_text(-error));
        break;
    }
}
