/* SPDX-License-Identifier: MIT */
/* Rotation of files. No memory is allocated: a process may have been forked amid malloc(). */
#include "file_rotate.h"

#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "file_path.h"

#define S_PER_DAY 86400
#define US_PER_S 1000000
#define DAYS_TO_1970 719162                                  /* from 0001-01-01 */
#define LAST_STAMP_US ((int64_t)253402300800 * US_PER_S - 1) /* of the year 9999 */

/* ---- names ---- */

/* A moment in microseconds since 1970, as a rotated file's name says it. */
typedef int64_t stamp_us;

static const short days_before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};

/* From 0001-01-01 to the first of January. */
static int64_t
days_before_year(int64_t year)
{
    int64_t past = year - 1;

    return past * 365 + past / 4 - past / 100 + past / 400;
}

static bool
is_leap(int64_t year)
{
    return days_before_year(year + 1) - days_before_year(year) == 366;
}

static int64_t
days_to_month(int64_t year, int month)
{
    return days_before_year(year) + days_before_month[month - 1] + (month > 2 && is_leap(year));
}

/* gmtime_r takes a lock that a fork may leave locked. */
static void
write_name(char *out, size_t size, const char *base, stamp_us stamp)
{
    int64_t seconds = stamp / US_PER_S, days = seconds / S_PER_DAY + DAYS_TO_1970;
    int64_t year = days / 365 + 1;
    int month = 12, of_day = (int)(seconds % S_PER_DAY);

    while (days_before_year(year) > days)
        year--;
    while (days_to_month(year, month) > days)
        month--;
    snprintf(out, size, "%s.%04d%02d%02dT%02d%02d%02d.%06dZ", base, (int)year, month,
             (int)(days - days_to_month(year, month)) + 1, of_day / 3600, of_day / 60 % 60,
             of_day % 60, (int)(stamp % US_PER_S));
}

static bool
read_digits(const char **p, int n, int64_t *out)
{
    for (*out = 0; n > 0; n--, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

/* Only what write_name would write is a rotated file's name. */
static bool
read_name(const char *name, const char *base, stamp_us *stamp)
{
    size_t n = strlen(base);
    int64_t year, month, day, hour, minute, second, us;
    char again[NAME_MAX + 1];
    const char *p = name + n + 1;

    if (strlen(name) != n + THL_FILE_ROTATE_SUFFIX || strncmp(name, base, n) != 0)
        return false;
    if (!read_digits(&p, 4, &year) || !read_digits(&p, 2, &month) || !read_digits(&p, 2, &day))
        return false;
    p++;
    if (!read_digits(&p, 2, &hour) || !read_digits(&p, 2, &minute) || !read_digits(&p, 2, &second))
        return false;
    p++;
    if (!read_digits(&p, 6, &us) || year < 1970 || month < 1 || month > 12)
        return false;
    int64_t days = days_to_month(year, (int)month) + day - 1 - DAYS_TO_1970;
    *stamp = (((days * 24 + hour) * 60 + minute) * 60 + second) * US_PER_S + us;
    write_name(again, sizeof(again), base, *stamp);
    return strcmp(again, name) == 0;
}

static stamp_us
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < 0 ? 0 : (stamp_us)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t
thl_file_rotate_today(void)
{
    return now_us() / US_PER_S / S_PER_DAY;
}

int64_t
thl_file_rotate_day_of(const struct thole_sink_record *record)
{
    return record->unix_ns ? record->unix_ns / 1000 / US_PER_S / S_PER_DAY
                           : thl_file_rotate_today();
}

int64_t
thl_file_rotate_day(const struct stat *st)
{
    return st->st_size > 0 ? (int64_t)st->st_mtime / S_PER_DAY : thl_file_rotate_today();
}

/* ---- the folder ---- */

/* Its descriptor has an owner like a file's: the daemon may close the number under a rotation, and
 * take it for itself. */
struct folder {
    struct thl_descriptor d;
    const char *base; /* the file's name in it */
    char path[PATH_MAX];
};

static int
open_folder(struct folder *f, const char *path)
{
    int rc = thl_file_path_split(path, f->path, &f->base);

    if (rc < 0)
        return rc;
    int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : thl_descriptor_adopt(&f->d, fd);
}

/* The kernel's own listing: opendir allocates. */
struct listing {
    int fd;
    long at, size; /* size negative: an errno */
    _Alignas(8) char bytes[4096];
};

struct entry {
    uint64_t ino;
    int64_t off;
    unsigned short size;
    unsigned char type;
    char name[];
};

static void
begin_listing(struct listing *l, const struct folder *f)
{
    l->fd = f->d.fd;
    l->at = l->size = lseek(f->d.fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

/* NULL at the end. */
static const struct entry *
next_entry(struct listing *l)
{
    if (l->size >= 0 && l->at == l->size) {
        l->at = 0;
        l->size = syscall(SYS_getdents64, l->fd, l->bytes, sizeof(l->bytes));
        if (l->size < 0)
            l->size = -errno;
    }
    if (l->size <= 0)
        return NULL;
    const struct entry *e = (const void *)(l->bytes + l->at);
    l->at += e->size;
    return e;
}

/* The next rotated file. */
static const struct entry *
next_rotated(struct listing *l, const char *base, stamp_us *stamp)
{
    const struct entry *e;

    while ((e = next_entry(l)) != NULL)
        if ((e->type == DT_REG || e->type == DT_UNKNOWN) && read_name(e->name, base, stamp))
            return e;
    return NULL;
}

/* ---- deleting ---- */

struct newest {
    unsigned n, keep;
    bool more;                                /* there are others */
    stamp_us stamp[THL_FILE_ROTATE_KEEP_MAX]; /* falling */
};

static void
add_stamp(struct newest *k, stamp_us stamp)
{
    unsigned at = k->n;

    k->more |= k->n == k->keep;
    while (at > 0 && k->stamp[at - 1] < stamp)
        at--;
    if (at == k->keep)
        return;
    k->n += k->n < k->keep;
    memmove(&k->stamp[at + 1], &k->stamp[at], (k->n - at - 1) * sizeof(k->stamp[0]));
    k->stamp[at] = stamp;
}

static int
delete_older(const struct folder *f, stamp_us than)
{
    struct listing l;
    const struct entry *e;
    stamp_us stamp;

    begin_listing(&l, f);
    while ((e = next_rotated(&l, f->base, &stamp)) != NULL)
        if (stamp < than && unlinkat(f->d.fd, e->name, 0) < 0 && errno != ENOENT)
            return -errno;
    return (int)l.size;
}

static int
prune_folder(const struct folder *f, unsigned keep)
{
    struct newest k = {.keep = keep};
    struct listing l;
    stamp_us stamp;

    begin_listing(&l, f);
    while (next_rotated(&l, f->base, &stamp))
        add_stamp(&k, stamp);
    if (l.size < 0)
        return (int)l.size;
    return k.more ? delete_older(f, k.stamp[k.n - 1]) : 0;
}

int
thl_file_rotate_prune(const char *path, unsigned keep)
{
    struct folder f;
    int rc = open_folder(&f, path);

    if (rc < 0)
        return rc;
    rc = prune_folder(&f, keep);
    thl_descriptor_close(&f.d);
    return rc;
}

/* ---- rotating ---- */

/* The name for the file that is rotated now: later than all that are there. */
static int
choose_name(const struct folder *f, char *out, size_t size)
{
    struct listing l;
    stamp_us stamp, newest = now_us() - 1;

    begin_listing(&l, f);
    while (next_rotated(&l, f->base, &stamp))
        newest = stamp > newest ? stamp : newest;
    if (l.size < 0)
        return (int)l.size;
    if (newest >= LAST_STAMP_US)
        return -EOVERFLOW;
    write_name(out, size, f->base, newest + 1);
    return 0;
}

/* Its mode and, as far as the process may, its owner. Root always may, or says that it could not.
 */
static int
make_alike(int fd, const struct stat *old)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if ((st.st_uid != old->st_uid || st.st_gid != old->st_gid) &&
        fchown(fd, geteuid() == 0 ? old->st_uid : (uid_t)-1, old->st_gid) < 0 && geteuid() == 0)
        return -errno;
    return fchmod(fd, old->st_mode & 07777) < 0 ? -errno : 0;
}

/* A new file like `old`, in nobody's way; none on failure. */
static int
create(const struct folder *f, const char *name, const struct stat *old, bool durable,
       struct thl_descriptor *made)
{
    int fd = openat(f->d.fd, name, THL_FILE_FLAGS | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);

    if (fd < 0)
        return -errno;
    int rc = thl_descriptor_adopt(made, fd);
    if (rc == 0)
        rc = make_alike(made->fd, old);
    if (rc == 0 && durable && fsync(f->d.fd) < 0)
        rc = -errno;
    if (rc == 0)
        return 0;
    (void)unlinkat(f->d.fd, name, 0);
    thl_descriptor_close(made);
    return rc;
}

/* Nothing was moved: the empty file goes again. */
static int
give_up(const struct folder *f, const char *name, int error)
{
    (void)unlinkat(f->d.fd, name, 0);
    return error == ENOENT ? -ESTALE : -error;
}

/* For file systems that cannot exchange names: what is renamed over is the empty file that we have
 * just made. From there on `name` is the log. */
static int
rename_and_create(const struct folder *f, const char *name, const struct stat *old, bool durable,
                  struct thl_descriptor *made)
{
    if (renameat(f->d.fd, f->base, f->d.fd, name) < 0)
        return give_up(f, name, errno);
    int rc = create(f, f->base, old, durable, made);
    return rc == -EEXIST ? -ESTALE : rc;
}

/* *made becomes the file that the path leads to now. */
static int
put_in_place(const struct folder *f, const char *name, const struct stat *old, bool durable,
             struct thl_descriptor *made)
{
    if (syscall(SYS_renameat2, f->d.fd, name, f->d.fd, f->base, RENAME_EXCHANGE) == 0)
        return 0;
    int error = errno;
    thl_descriptor_close(made);
    if (error == EINVAL || error == ENOSYS || error == EOPNOTSUPP)
        return rename_and_create(f, name, old, durable, made);
    return give_up(f, name, error);
}

/* Not so where another process rotated it at once, or where the daemon had taken the number before
 * it was adopted. */
static int
check_in_place(const struct folder *f, struct thl_descriptor *made)
{
    struct stat st;

    if (fstatat(f->d.fd, f->base, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == made->dev &&
        st.st_ino == made->ino)
        return 0;
    thl_descriptor_close(made);
    return -ESTALE;
}

static int
rotate_in_folder(const struct folder *f, const struct thl_descriptor *d, bool durable,
                 struct thl_descriptor *fresh)
{
    char name[NAME_MAX + THL_FILE_ROTATE_SUFFIX + 1];
    struct stat old;
    int rc = choose_name(f, name, sizeof(name));

    if (rc < 0)
        return rc;
    if (fstatat(f->d.fd, f->base, &old, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    if (old.st_dev != d->dev || old.st_ino != d->ino)
        return -ESTALE;
    rc = create(f, name, &old, durable, fresh);
    if (rc == 0)
        rc = put_in_place(f, name, &old, durable, fresh);
    return rc < 0 ? rc : check_in_place(f, fresh);
}

/* A description of its own: that of *d, and so a lock on it, is shared with forked processes. */
static int
lock_path(const char *path, const struct thl_descriptor *d, bool overdue,
          struct thl_descriptor *lock)
{
    int fd = open(path, THL_FILE_FLAGS);

    if (fd < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    int rc = thl_descriptor_adopt(lock, fd);
    if (rc < 0)
        return rc;
    if (lock->dev != d->dev || lock->ino != d->ino)
        rc = -ESTALE;
    else if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0 && !(overdue && errno == EWOULDBLOCK))
        rc = -errno;
    if (rc < 0)
        thl_descriptor_close(lock);
    return rc;
}

int
thl_file_rotate(const char *path, const struct thl_descriptor *d, unsigned how,
                struct thl_descriptor *fresh)
{
    struct thl_descriptor lock = {.fd = -1};
    struct folder f;
    int rc = lock_path(path, d, how & THL_FILE_ROTATE_OVERDUE, &lock);

    if (rc < 0)
        return rc;
    rc = open_folder(&f, path);
    if (rc == 0) {
        rc = rotate_in_folder(&f, d, how & THL_FILE_ROTATE_DURABLE, fresh);
        thl_descriptor_close(&f.d);
    }
    (void)flock(lock.fd, LOCK_UN); /* a process forked meanwhile has it, too */
    thl_descriptor_close(&lock);
    return rc;
}
