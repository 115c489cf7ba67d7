/* SPDX-License-Identifier: MIT */
/*
 * Claim: a daemon may call closefrom(3) while its threads log, and open files and sockets of its
 * own at once: no byte of thole's reaches one of these, in 100 of 100 times. Each target is open
 * again within a second; the file has every record once, in the order of its thread; and the ledger
 * is exact in each snapshot meanwhile.
 */
#include "check.h"

#include <ftw.h>
#include <sys/ioctl.h>

#include "close_from.h"
#include "receivers.h"

enum {
    THREADS = 3,
    ROUNDS = 100,
    LOWEST = 24, /* below it are the test's own, which closefrom spares */
    OPENED = 2,  /* of each kind, after each closefrom: 8 numbers */
    BURST = 16,
    BURST_US = 5000,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stopping = PTHREAD_COND_INITIALIZER;
static bool stop;                /* (lock) */
static uint64_t logged[THREADS]; /* (lock) */
static char folder[64];

/* ---- the daemon's threads ---- */

static void
wait_a_little_locked(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += BURST_US * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&stopping, &lock, &until);
}

static void *
log_in_bursts(void *arg)
{
    unsigned id = *(unsigned *)arg;
    uint64_t n = 0;
    for (bool last = false; !last;) {
        for (int i = 0; i < BURST; i++)
            thole_info((thole_logger){0}, "burst", "thread", id, "n", n++);
        pthread_mutex_lock(&lock);
        logged[id] = n;
        if (!stop)
            wait_a_little_locked();
        last = stop;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* ---- what the daemon opens ---- */

struct opened {
    int file[OPENED], reader[OPENED], writer[OPENED], socket[OPENED];
};

static int
connect_to_port(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    at.sin_port = htons((uint16_t)port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ? fd : -1;
}

static void
open_own(struct opened *o, int port)
{
    char path[128];
    for (int i = 0; i < OPENED; i++) {
        int ends[2];
        snprintf(path, sizeof(path), "%s/own.%d", folder, i);
        o->file[i] = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        o->socket[i] = connect_to_port(port);
        CHECK(o->file[i] >= 0 && o->socket[i] >= 0 && pipe(ends) == 0);
        o->reader[i] = ends[0];
        o->writer[i] = ends[1];
    }
}

/* Empty, and still there. */
static void
check_own(const struct opened *o, int port_fd)
{
    struct stat st;
    int n = 0;
    char byte;
    for (int i = 0; i < OPENED; i++) {
        CHECK(fstat(o->file[i], &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0);
        CHECK(ioctl(o->reader[i], FIONREAD, &n) == 0 && n == 0);
        CHECK(fstat(o->writer[i], &st) == 0 && S_ISFIFO(st.st_mode));
        CHECK(fstat(o->socket[i], &st) == 0 && S_ISSOCK(st.st_mode));
    }
    CHECK(recv(port_fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

/* ---- what must have come ---- */

/* Logs until each receiver has a mark of this round. */
static void
await_marks(struct receivers *r, int round)
{
    size_t from[RECEIVERS];
    char mark[32];
    const char *who = "nobody";
    for (int i = 0; i < RECEIVERS; i++)
        from[i] = r->got[i].size;
    snprintf(mark, sizeof(mark), "mark %d.", round);
    for (int ms = 0; who && ms < 1000; ms += 20) {
        thole_infof((thole_logger){0}, "mark %d.", round);
        who = receivers_await(r, from, mark, 1, 20);
    }
    if (who)
        fprintf(stderr, "round %d: %s is not open again within a second\n", round, who);
    CHECK(!who);
}

/* Each thread's records stand there once and in order; returns how many. */
static uint64_t
count_in_order(const char *text)
{
    uint64_t next[THREADS] = {0}, all = 0;
    static const char part[] = "\"msg\":\"burst\",\"thread\":";
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        size_t size = strcspn(line, "\n");
        const char *at = memmem(line, size, part, strlen(part));
        char *end;
        CHECK(line[size] == '\n' && line[0] == '{' && line[size - 1] == '}');
        if (!at)
            continue;
        unsigned long thread = strtoul(at + strlen(part), &end, 10);
        CHECK(thread < THREADS && strncmp(end, ",\"n\":", 5) == 0);
        CHECK(strtoull(end + 5, NULL, 10) == next[thread]);
        next[thread]++;
        all++;
    }
    return all;
}

/* What the ledger calls written is what has come; UDP may lose what the kernel had no room for. */
static void
check_all(struct receivers *r)
{
    struct thole_stats s = check_identities();
    uint64_t bursts = 0;
    for (int i = 0; i < THREADS; i++)
        bursts += logged[i];
    receivers_pump(r, 0);
    CHECK(s.nsinks == RECEIVERS && s.queued == 0 && s.dropped == 0);
    for (int i = 0; i < RECEIVERS; i++) {
        size_t lines = receivers_count(&r->got[i], 0, "\n");
        printf("%s written %llu, dropped %llu, came %zu\n", receiver_names[i],
               (unsigned long long)s.sink[i].written, (unsigned long long)s.sink[i].dropped, lines);
        CHECK(s.sink[i].pending == 0 && s.sink[i].dropped == 0);
        CHECK(lines == s.sink[i].written || (i == RECEIVER_UDP && lines < s.sink[i].written));
    }
    CHECK(count_in_order(r->got[RECEIVER_FILE].text) == bursts);
}

/* ---- the receivers are read all the time, or the targets would fill up ---- */

static bool
have_all_logged_since(const uint64_t *from)
{
    bool all = true;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < THREADS; i++)
        all &= logged[i] > from[i];
    pthread_mutex_unlock(&lock);
    return all;
}

/* Until each thread has logged a burst more. */
static void
await_bursts(struct receivers *r)
{
    uint64_t from[THREADS];
    int64_t end = mono_ms() + 20000;
    pthread_mutex_lock(&lock);
    memcpy(from, logged, sizeof(from));
    pthread_mutex_unlock(&lock);
    while (!have_all_logged_since(from)) {
        CHECK(mono_ms() < end);
        receivers_pump(r, 1);
    }
}

/* Until all is written; when nobody logs any more. */
static void
flush_all(struct receivers *r)
{
    int64_t end = mono_ms() + 20000;
    while (thole_flush(0) != 0) {
        CHECK(mono_ms() < end);
        receivers_pump(r, 5);
    }
    receivers_pump(r, 0);
}

/* ---- the run ---- */

static int
forget_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void
fill_low_numbers(void)
{
    int fd = 0;
    while (fd < LOWEST)
        CHECK((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    close(fd);
}

static void
close_and_open(struct receivers *r, int rounds, int port, int port_fd)
{
    struct opened own;
    for (int round = 0; round < rounds; round++) {
        await_bursts(r);
        receivers_wait(r, 100); /* amid the sinks' writes */
        close_from(LOWEST);
        open_own(&own, port);
        await_marks(r, round);
        await_bursts(r);
        check_own(&own, port_fd);
    }
    pthread_mutex_lock(&lock);
    stop = true;
    pthread_cond_broadcast(&stopping);
    pthread_mutex_unlock(&lock);
}

int
main(int argc, char **argv)
{
    static struct receivers r;
    struct sampler sampler;
    pthread_t threads[THREADS];
    unsigned ids[THREADS];
    int port = 0, rounds = (int)duration_ms(argc, argv, ROUNDS); /* here: a number of rounds */
    snprintf(folder, sizeof(folder), "%s/thole-XXXXXX", P_tmpdir);
    CHECK(mkdtemp(folder) && receivers_open(&r, folder));
    int port_fd = receivers_bind_udp(&port);
    CHECK(port_fd >= 0);
    fill_low_numbers();
    start_with(r.sinks, NULL);
    CHECK(sampler_start(&sampler));
    for (unsigned i = 0; i < THREADS; i++) {
        ids[i] = i;
        CHECK(pthread_create(&threads[i], NULL, log_in_bursts, &ids[i]) == 0);
    }
    close_and_open(&r, rounds, port, port_fd);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    flush_all(&r);
    CHECK(sampler_stop(&sampler) > 0);
    check_all(&r);
    CHECK(thole_stop(10000) == 0);
    receivers_close(&r);
    return nftw(folder, forget_entry, 8, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}
