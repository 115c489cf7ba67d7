/* SPDX-License-Identifier: MIT */
/* The terminal: the alternate screen and its end, keys, signals and the size. */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"

/* The alternate screen, no cursor, no wrapping of long lines; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};

static void
write_all(const char *s)
{
    size_t n = strlen(s);
    while (n > 0) {
        ssize_t done = write(STDOUT_FILENO, s, n);
        if (done < 0 && errno != EINTR)
            return;
        if (done > 0) {
            s += done;
            n -= (size_t)done;
        }
    }
}

/* Keys come one by one and are not shown. Signals of keys stay. */
static void
take_terminal(struct thl_screen *screen)
{
    struct termios raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (screen->keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    write_all(ENTER);
}

static void
give_terminal_back(struct thl_screen *screen)
{
    write_all(LEAVE);
    if (screen->keys)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->before);
}

static void
set_of_caught(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        sigaddset(set, caught[i]);
}

int
thl_screen_open(struct thl_screen *screen)
{
    sigset_t set;
    set_of_caught(&set);
    *screen = (struct thl_screen){0};
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    screen->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (screen->signals < 0) {
        int error = errno;
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        return -error;
    }
    screen->keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen->before) == 0;
    screen->input = screen->keys;
    take_terminal(screen);
    return 0;
}

void
thl_screen_close(struct thl_screen *screen)
{
    sigset_t set;
    give_terminal_back(screen);
    close(screen->signals);
    set_of_caught(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void
thl_screen_size(unsigned *columns, unsigned *rows)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0) {
        *columns = 80;
        *rows = 24;
        return;
    }
    *columns = size.ws_col;
    *rows = size.ws_row;
}

/* ---- events ---- */

/* Stops as the shell expects it, and goes on when it says so. */
static void
suspend(struct thl_screen *screen)
{
    give_terminal_back(screen);
    raise(SIGSTOP);
    take_terminal(screen);
}

static bool
read_signal(struct thl_screen *screen, enum thl_screen_event *event)
{
    struct signalfd_siginfo info;
    if (read(screen->signals, &info, sizeof(info)) != sizeof(info))
        return false;
    *event = THL_SCREEN_REDRAW;
    if (info.ssi_signo == SIGTSTP)
        suspend(screen);
    else if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT)
        *event = THL_SCREEN_QUIT;
    return true;
}

static bool
read_key(struct thl_screen *screen, enum thl_screen_event *event)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (n <= 0) { /* the terminal is gone: SIGHUP may be ignored, as under nohup */
        screen->input = false;
        *event = THL_SCREEN_QUIT;
        return true;
    }
    *event = key == 'q' || key == 'Q' ? THL_SCREEN_QUIT : THL_SCREEN_REDRAW;
    return key == 'q' || key == 'Q' || key == ' ' || key == '\f'; /* ^L */
}

enum thl_screen_event
thl_screen_wait(struct thl_screen *screen, int timeout_ms, int other)
{
    int64_t deadline = thl_clock_mono_ms() + timeout_ms;
    for (;;) {
        enum thl_screen_event event;
        int64_t left = deadline - thl_clock_mono_ms();
        struct pollfd fds[] = {{.fd = screen->signals, .events = POLLIN},
                               {.fd = screen->input ? STDIN_FILENO : -1, .events = POLLIN},
                               {.fd = other, .events = POLLIN}};
        if (left <= 0)
            return THL_SCREEN_TIME;
        if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
            return THL_SCREEN_QUIT;
        if (fds[0].revents && read_signal(screen, &event))
            return event;
        if (fds[1].revents && read_key(screen, &event))
            return event;
        if (fds[2].revents)
            return THL_SCREEN_OTHER;
    }
}
