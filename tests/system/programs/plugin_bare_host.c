/* SPDX-License-Identifier: MIT */
/*
 * A daemon that has never heard of thole loads a plug-in that brings it along, and unloads it: what
 * runs in the library must go on or end, and the end of the process write what waits. 0: it did.
 *
 *     plugin_bare_host PLUGIN SINKS
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static pthread_barrier_t logged, unloaded;

static void *
load(const char *path, const struct plugin **plugin)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    plugin_fn entry;
    if (!handle)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(handle);
    *(void **)(void *)&entry = dlsym(handle, "plugin");
    CHECK(entry);
    *plugin = entry();
    return handle;
}

/* It logs before the plug-in goes, and ends after that. */
static void *
outlive_the_plugin(void *arg)
{
    const struct plugin *plugin = arg;
    plugin->log(1, 0, 10);
    pthread_barrier_wait(&logged);
    pthread_barrier_wait(&unloaded);
    return NULL;
}

static int
count_mapped(const char *part)
{
    char line[512];
    int n = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    CHECK(f);
    while (fgets(line, sizeof(line), f))
        n += strstr(line, part) != NULL;
    fclose(f);
    return n;
}

int
main(int argc, char **argv)
{
    const struct plugin *plugin;
    pthread_t thread;
    CHECK(argc > 2 && !dlsym(RTLD_DEFAULT, "thole_start"));
    alarm(60);
    CHECK(pthread_barrier_init(&logged, NULL, 2) == 0);
    CHECK(pthread_barrier_init(&unloaded, NULL, 2) == 0);
    void *handle = load(argv[1], &plugin);
    CHECK(plugin->start(argv[2]) == 0);
    plugin->log(0, 0, 10);
    CHECK(pthread_create(&thread, NULL, outlive_the_plugin, (void *)plugin) == 0);
    pthread_barrier_wait(&logged);

    CHECK(dlclose(handle) == 0);
    CHECK(count_mapped(strrchr(argv[1], '/')) == 0);
    CHECK(count_mapped("/libthole.so") > 0);
    pthread_barrier_wait(&unloaded);
    pthread_join(thread, NULL);

    handle = load(argv[1], &plugin); /* the library is where it was, and runs */
    CHECK(plugin->start(argv[2]) != 0);
    plugin->log(0, 10, 10);
    CHECK(dlclose(handle) == 0);
    return 0; /* exit() drains */
}
