/* SPDX-License-Identifier: MIT */
/* What a run would meet with at a sink's target, as far as looking tells: nothing is opened. */
#include "check_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errname.h"

#define SYSLOG_SOCKET "/dev/log"

static bool
may(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

/* ---- file: ---- */

static const char *
look_at_folder(const char *path, char *out)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 1;
    if (n >= sizeof(folder))
        return "the path is too long";
    memcpy(folder, slash ? path : ".", n);
    folder[n] = '\0';
    if (may(folder, W_OK | X_OK))
        return NULL;
    if (errno == ENOENT)
        snprintf(out, THL_CHECK_LOOK_MAX, "there is no folder %.200s", folder);
    else if (errno == EACCES || errno == EROFS)
        snprintf(out, THL_CHECK_LOOK_MAX, "you may not make files in %.200s", folder);
    else
        snprintf(out, THL_CHECK_LOOK_MAX, "%.180s: %s", folder, thl_errname_text(errno));
    return out;
}

static const char *
look_at_file(const char *path, char *out)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return look_at_folder(path, out);
    if (S_ISDIR(st.st_mode))
        return "it is a folder";
    if (S_ISLNK(st.st_mode))
        return "it is a symbolic link, which is not followed";
    if (S_ISREG(st.st_mode) && st.st_nlink > 1)
        return "it has several names (hard links), which is refused";
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return "it is no regular file, FIFO or character device";
    return may(path, W_OK) ? NULL : "you may not write it";
}

/* ---- sockets ---- */

static const char *
look_at_socket(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? "no socket there (is a syslog receiver running?)"
                               : thl_errname_text(errno);
    if (!S_ISSOCK(st.st_mode))
        return "it is no socket";
    return may(path, W_OK) ? NULL : "you may not write to it";
}

/* It was looked up for the identity, "udp:[ADDRESS]:PORT" when it was found; a name server that is
 * silent need not be asked twice. */
static const char *
look_at_host(const struct thl_target *target)
{
    return strncmp(target->identity, "udp:[", 5) == 0 ? NULL : "the name does not resolve";
}

const char *
thl_check_look(const struct thl_target *target, char out[THL_CHECK_LOOK_MAX])
{
    const char *scheme = target->uri.scheme, *path = target->uri.path;
    if (strcmp(scheme, "file") == 0 && strncmp(target->identity, "fd:", 3) != 0)
        return look_at_file(path, out);
    if (strcmp(scheme, "syslog") == 0)
        return look_at_socket(*path ? path : SYSLOG_SOCKET);
    return strcmp(scheme, "udp") == 0 ? look_at_host(target) : NULL;
}
