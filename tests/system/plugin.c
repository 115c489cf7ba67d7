/* SPDX-License-Identifier: MIT */
/*
 * Plug-ins: one may be unloaded while its records are queued, as often as it likes, and beside
 * threads that log. What loads them is a program of its own (programs/plugin_host.c).
 */
#include "test.h"

#include "captured.h"
#include "folder.h"

#include <errno.h>
#include <spawn.h>

extern char **environ;

/* Runs a program to its end, which its own alarm bounds; "" for what it does not need. */
static void
run(const char *program, const char *plugin, const char *mode, const char *rounds)
{
    char *argv[] = {(char *)program, (char *)plugin, (char *)mode, (char *)rounds, NULL};
    int status = -1;
    pid_t pid;

    cr_assert_eq(posix_spawn(&pid, program, NULL, NULL, argv, environ), 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    cr_expect_eq(status, 0, "%s %s %s %s: status %d", program, plugin, mode, rounds, status);
}

/* The path that the build gave; a test without it is skipped. */
static const char *
path_of(const char *variable, const char *why_not)
{
    const char *path = getenv(variable);

    if (!path)
        cr_skip_test("%s", why_not);
    return path;
}

static void
host(const char *plugin, const char *mode, const char *rounds)
{
    const char *program = path_of("THOLE_TEST_PLUGIN_HOST", "run it by `meson test`");

    run(program, path_of(plugin, "there is no C++ compiler"), mode, rounds);
}

static const char *
rounds(void)
{
    return getenv("THOLE_TEST_PLUGIN_ROUNDS");
}

THL_TEST(plugin, unloaded_while_its_records_are_queued_keeps_its_words)
{
    host("THOLE_TEST_PLUGIN_C", "queued", "");
}

THL_TEST(plugin, of_cc_unloaded_while_its_records_are_queued_keeps_its_words_and_its_objects)
{
    host("THOLE_TEST_PLUGIN_CC", "queued", "");
}

THL_TEST(plugin, unloaded_again_and_again_costs_nothing)
{
    host("THOLE_TEST_PLUGIN_C", "rounds", rounds());
}

THL_TEST(plugin, of_cc_unloaded_again_and_again_costs_nothing)
{
    host("THOLE_TEST_PLUGIN_CC", "rounds", rounds());
}

THL_TEST(plugin, unloaded_amid_threads_that_log_is_no_matter_to_them)
{
    host("THOLE_TEST_PLUGIN_C", "amid", "100");
}

THL_TEST(plugin, of_cc_unloaded_amid_threads_that_log_is_no_matter_to_them)
{
    host("THOLE_TEST_PLUGIN_CC", "amid", "100");
}

THL_TEST(plugin, that_brings_thole_along_leaves_it_running_and_what_waits_is_written_at_exit)
{
    char sink[160];
    const char *program = path_of("THOLE_TEST_PLUGIN_BARE_HOST",
                                  "a sanitizer's build of the library can be unloaded");

    folder_make();
    snprintf(sink, sizeof(sink), "file:%s/a.log", folder);
    run(program, path_of("THOLE_TEST_PLUGIN_C", "run it by `meson test`"), sink, "");
    char *text = folder_read("a.log");
    cr_expect_eq(captured_count(text, "\"thread\":0,"), 20u, "%s", text);
    cr_expect_eq(captured_count(text, "\"thread\":1,"), 10u, "%s", text);
    cr_expect_eq(captured_count(text, "\n"), 30u, "%s", text);
    free(text);
    folder_remove();
}
