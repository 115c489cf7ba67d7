/* SPDX-License-Identifier: MIT */
/* thole: looks into running daemons that log through thole. */
#include <stdio.h>
#include <string.h>
#include <thole/version.h>

#include "commands.h"
#include "complain.h"
#include "config.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help;
} commands[] = {
    {"ls", thl_ls_run, "thole ls [--json]",
     "Lists the processes that log through thole: their rate of records, live children, what was\n"
     "dropped, and whether call sites look leaked.\n"
     "\n"
     "    --json                {\"processes\":[{\"pid\":17,\"app\":\"echod\",\"error\":null,\n"
     "                          \"uptime_s\":60,\"rate\":1.5,\"children\":3,\"drops\":0,\n"
     "                          \"suspects\":0},...],\"refused\":0}; error: a text, or null\n"},
    {"top", thl_top_run, "thole top PID [--interval DURATION] [--once] [--json]",
     "Shows loggers, sinks, hot call sites and live children, again each second; q quits. While a\n"
     "daemon does not answer the last picture stays.\n"
     "\n"
     "    --interval DURATION   how often: 100ms to 1d\n"
     "    --once                one picture as plain text (so also when stdout is no terminal)\n"
     "    --json                one picture as one JSON object\n"},
    {"leaks", thl_leaks_run, "thole leaks PID [--silent DURATION] [--json]",
     "The census: live child loggers by the call site that made them, and which look leaked.\n"
     "\n"
     "    --silent DURATION     children that did not log for so long are suspect (1h)\n"
     "    --json                {\"sites\":[{\"site\":\"f.c:12\",\"live\":3,\"peak\":9,\n"
     "                          \"oldest_s\":17,\"suspect\":true,...},...],...}\n"},
    {"level", thl_level_run, "thole level PID 'RULES' [--for DURATION] | --clear",
     "Changes levels in a running daemon; the rules go by themselves. Several calls add up;\n"
     "of two rules that say the same the later speaks.\n"
     "\n"
     "    --for DURATION        how long: 500ms, 30s, 5m, 1h30m, 2d (10m when not given)\n"
     "    --clear               takes all rules that were given so back at once\n"
     "\n"
     "    thole level echod 'echod.conn{conn=17}=trace' --for 5m\n"},
    {"check", thl_check_run,
     "thole check 'SINKS' | [--sinks S] [--log L] [--limits L] | --env [--prefix NAME]",
     "Says what a configuration means, or where it is wrong. \"thole check help\" prints the "
     "grammar.\n"
     "It looks at files and sockets, as the user who runs it, and looks names of hosts up, but "
     "opens "
     "nothing.\n"
     "\n"
     "    --env                 the THOLE_... variables of this environment\n"
     "    --prefix NAME         of variables that begin with NAME_ instead\n"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int
thl_commands_judge(const struct thl_picture *picture)
{
    return thl_picture_suspects(picture) > 0 ? THL_STATUS_LEAKED : THL_STATUS_FINE;
}

static void
print_help(FILE *out)
{
    fputs("thole looks into running daemons that log through thole.\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %s\n", commands[i].usage);
    fputs("\nPID is a process, or the name of a program that runs once. Exit status: 0 fine,\n"
          "1 something looks leaked, 2 error. \"thole help COMMAND\" says more.\n",
          out);
}

static const struct command *
find_command(const char *name)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        names[i] = commands[i].name;
    }
    const char *near = thl_config_suggest(name, strlen(name), names, COMMANDS);
    if (near)
        thl_complain("unknown command \"%s\" (did you mean \"%s\"?)", name, near);
    else
        thl_complain("unknown command \"%s\"; \"thole help\" lists them", name);
    return NULL;
}

static int
print_command_help(const char *name)
{
    const struct command *c = find_command(name);
    if (!c)
        return THL_STATUS_ERROR;
    printf("%s\n\n%s", c->usage, c->help);
    return THL_STATUS_FINE;
}

static bool
is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int
run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return THL_STATUS_ERROR;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("thole " THOLE_VERSION);
        return THL_STATUS_FINE;
    }
    if (is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        if (argc > 2)
            return print_command_help(argv[2]);
        print_help(stdout);
        return THL_STATUS_FINE;
    }
    const struct command *c = find_command(argv[1]);
    if (!c)
        return THL_STATUS_ERROR;
    if (argc > 2 && is_help(argv[2]))
        return print_command_help(argv[1]);
    return c->run(argc - 1, argv + 1);
}

int
main(int argc, char **argv)
{
    int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        thl_complain("stdout cannot be written");
        return THL_STATUS_ERROR;
    }
    return status;
}
