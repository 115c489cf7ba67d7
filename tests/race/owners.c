/* SPDX-License-Identifier: MIT */
/*
 * Claim: closing a descriptor twice never takes the reference of who has the number by then, though
 * it is the same file: threads adopt, copy, write, and close both, and each finds its own open and
 * its own until it closes it itself.
 */
#include "check.h"

#include <fcntl.h>
#include <unistd.h>

#include "../../sinks/descriptor.h"

enum { THREADS = 4 };

static int rounds = 50000;
static char path[] = "/tmp/thole-owners-XXXXXX";

static int
adopt(struct thl_descriptor *d)
{
    return thl_descriptor_adopt(d, open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
}

static void *
close_twice(void *arg)
{
    struct thl_descriptor d, copy;
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        CHECK(adopt(&d) == 0);
        copy = d;
        CHECK(thl_descriptor_is_ours(&d));
        CHECK(thl_descriptor_write(d.fd, "", 0) == 0);
        thl_descriptor_close(i % 2 ? &d : &copy);
        thl_descriptor_close(i % 2 ? &copy : &d);
        CHECK(d.fd == -1 && copy.fd == -1);
    }
    return NULL;
}

int
main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int fd = mkstemp(path);
    CHECK(fd >= 0 && close(fd) == 0);
    if (argc > 1)
        rounds = (int)strtol(argv[1], NULL, 10);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, close_twice, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (fd = 40; fd < 64; fd++)
        CHECK(fcntl(fd, F_GETFD) < 0);
    printf("%d descriptors closed twice\n", THREADS * rounds);
    return unlink(path);
}
