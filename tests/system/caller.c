/* SPDX-License-Identifier: MIT */
/* What every public function leaves of its caller as it was: errno, and the mask of signals. */
#include "test.h"

#include "captured.h"
#include "gated_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <thole/test.h>
#include <thole/thole.h>

static const thole_logger root = {0};
static thole_logger net, child, stale;
static int devnull;

static void
get_a_known_name(void)
{
    thole_get("caller.net");
}

static void
get_a_new_name(void)
{
    static int n;
    char name[32];
    snprintf(name, sizeof(name), "caller.new%d", n++);
    thole_get(name);
}

static void
get_no_name(void)
{
    thole_get(NULL);
}

static void
make_a_child(void)
{
    thole_logger made;
    thole_child(&made, net, "conn", 1, "word", "hello");
    thole_unref(&made);
}

/* children= is 8 */
static void
make_too_many_children(void)
{
    thole_logger made[12];
    for (int i = 0; i < 12; i++)
        thole_child(&made[i], net, "conn", i);
    for (int i = 0; i < 12; i++)
        thole_unref(&made[i]);
}

static void
make_a_child_of_nothing(void)
{
    thole_child(NULL, net, "conn", 1);
    thole_bind(NULL, "conn", 1);
    thole_unref(NULL);
}

static void
bind_a_child(void)
{
    thole_bind(&child, "late", "bound");
}

static void
count_references(void)
{
    thole_logger copy = thole_ref(child);
    thole_unref(&copy);
}

static void
use_a_stale_handle(void)
{
    thole_logger copy = thole_ref(stale);
    thole_bind(&copy, "late", 1);
    thole_unref(&copy);
    thole_set_level(stale, THOLE_DEBUG);
    thole_get_level(stale);
    thole_info(stale, "m");
}

static void
set_levels(void)
{
    thole_set_level(net, THOLE_DEBUG);
    thole_set_level(child, THOLE_DEBUG);
    thole_set_level(net, (enum thole_level)77);
    thole_get_level(net);
    thole_enabled(net, THOLE_DEBUG);
    thole_enabled(stale, THOLE_DEBUG);
}

static void
log_at_all_levels(void)
{
    thole_trace(net, "m", "a", 1);
    thole_debug(net, "m", "a", 1);
    thole_info(child, "m", "a", 1);
    thole_notice(root, "m", "a", "text");
    thole_warn(root, "m", "err", thole_errno(ENOENT));
    thole_error(root, "m");
    thole_crit(root, "m");
    thole_alert(root, "m");
    thole_emerg(root, "m");
    thole_log(root, THOLE_WARN, "m");
    thole_log(root, THOLE_OFF, "m");
}

static void
log_through_the_bridge(void)
{
    thole_infof(net, "%s %d", "m", 1);
    thole_logf(net, THOLE_WARN, "%d", 1);
    thole_debugf(root, "%s", "off");
    thole_logf(net, THOLE_WARN, NULL);
}

static void
log_fields(void)
{
    const thole_field fields[] = {{"a", THOLE_FIELD_INT, 0, {.i = 1}}, {"b", 0xFFFF, 0, {.i = 1}}};
    thole_log_fields(net, THOLE_INFO, "m", fields, 2);
    thole_log_fields(net, THOLE_INFO, NULL, NULL, 3);
}

static void
log_too_much(void)
{
    static char text[20000];
    memset(text, 'x', sizeof(text) - 1);
    thole_info(net, "m", "text", text);
    thole_infof(net, "%s", text);
}

static void
log_through_garbage(void)
{
    thole_info((thole_logger){UINT64_C(0x123456789ABCDEF0)}, "m");
}

static void
enter_a_scope(void)
{
    thole_logger before = thole_scope_enter(net);
    thole_current();
    thole_scope_leave(before);
}

static void
configure_levels(void)
{
    thole_configure("info,caller=debug");
    thole_configure(NULL);
}

static void
configure_nonsense(void)
{
    thole_configure("info,caller=debgu");
}

static void
flush(void)
{
    thole_flush(0);
    thole_flush(20000);
}

static void
take_stats(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    thole_stats(&s);
    thole_stats(NULL);
}

static void
report(void)
{
    thole_report(devnull);
}

static void
report_to_a_bad_descriptor(void)
{
    thole_report(-1);
}

static void
start_with_a_wrong_size(void)
{
    const struct thole_options small = {.size = 8};
    thole_start(&small);
}

static void
start_with_state(void)
{
    const struct thole_options state = {.size = sizeof(state), .state = "/nonexistent"};
    thole_start(&state);
}

static void
register_what_is_taken(void)
{
    static const struct thole_sink_ops wrong = {.size = 8};
    thole_sink_register("file", &wrong);
    thole_sink_register("Bad scheme", &wrong);
}

static void
use_the_test_kit(void)
{
    thole_test_lines();
    thole_test_clear();
    thole_test_live_children();
}

static void
look_at_the_version(void)
{
    thole_version();
}

static const struct call {
    const char *name;
    void (*make)(void);
} calls[] = {
#define CALL(function)                                                                             \
    {                                                                                              \
#function, function                                                                        \
    }
    CALL(get_a_known_name),
    CALL(get_a_new_name),
    CALL(get_no_name),
    CALL(make_a_child),
    CALL(make_too_many_children),
    CALL(make_a_child_of_nothing),
    CALL(bind_a_child),
    CALL(count_references),
    CALL(use_a_stale_handle),
    CALL(set_levels),
    CALL(log_at_all_levels),
    CALL(log_through_the_bridge),
    CALL(log_fields),
    CALL(log_too_much),
    CALL(log_through_garbage),
    CALL(enter_a_scope),
    CALL(configure_levels),
    CALL(configure_nonsense),
    CALL(flush),
    CALL(thole_reopen),
    CALL(take_stats),
    CALL(report),
    CALL(report_to_a_bad_descriptor),
    CALL(start_with_a_wrong_size),
    CALL(start_with_state),
    CALL(register_what_is_taken),
    CALL(use_the_test_kit),
    CALL(look_at_the_version),
};

/* errno, and a mask that is no default. */
static void
expect_nothing_changed(const struct call *c, const char *when)
{
    sigset_t odd, before, after;

    sigemptyset(&odd);
    sigaddset(&odd, SIGUSR2);
    sigaddset(&odd, SIGCHLD);
    cr_assert_eq(pthread_sigmask(SIG_SETMASK, &odd, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    errno = EXDEV;
    c->make();
    cr_expect_eq(errno, EXDEV, "%s, %s: errno is %d", c->name, when, errno);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int s = 1; s <= 64; s++)
        cr_expect_eq(sigismember(&before, s), sigismember(&after, s), "%s, %s: the mask of %d",
                     c->name, when, s);
}

static void
expect_nothing_changed_by_all(const char *when)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        expect_nothing_changed(&calls[i], when);
}

static void
start_ours(void)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "memory:", .limits = "children=8,loggers=16,queue=64K"};
    cr_expect_eq(thole_start(&opt), 0);
}

static void
start_again(void)
{
    cr_expect_eq(thole_start(NULL), -EALREADY);
}

static void
stop(void)
{
    cr_expect_eq(thole_stop(20000), 0);
}

static void
make_loggers(void)
{
    net = thole_get("caller.net");
    thole_child(&child, net, "conn", 1);
    thole_child(&stale, net, "conn", 2);
    thole_logger copy = stale;
    thole_unref(&copy);
    devnull = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

THL_TEST(caller, keeps_errno_and_mask_in_every_call_of_every_mode)
{
    setenv("THOLE_SINKS", "memory:", 1);
    make_loggers();
    expect_nothing_changed_by_all("direct mode");
    unsetenv("THOLE_SINKS");
    expect_nothing_changed(&(struct call)CALL(start_ours), "start");
    expect_nothing_changed(&(struct call)CALL(start_again), "start again");
    expect_nothing_changed_by_all("running");
    expect_nothing_changed(&(struct call)CALL(stop), "stop");
    expect_nothing_changed_by_all("stopped");
    expect_nothing_changed(&(struct call)CALL(stop), "stop again");
    thole_unref(&child);
    close(devnull);
}

/* ---- when things fail ---- */

static void
flush_in_vain(void)
{
    cr_expect_eq(thole_flush(1), -ETIMEDOUT);
}

static void
stop_in_vain(void)
{
    cr_expect_eq(thole_stop(40), -ETIMEDOUT);
}

static void
log_into_a_full_queue(void)
{
    struct thole_stats s = {.size = sizeof(s)};
    do {
        thole_info(root, "too many");
        thole_stats(&s);
    } while (s.dropped == 0);
    thole_info(root, "too many");
}

static void
stand_before_a_gate(const char *limits)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "inline:", .limits = limits};

    gate_register();
    cr_assert_eq(thole_start(&opt), 0);
    gate_set(true);
    thole_info(root, "stops the writer");
    gate_await_write();
}

THL_TEST(caller, keeps_errno_and_mask_when_the_queue_is_full_and_time_is_up)
{
    stand_before_a_gate("queue=16K,record=512");
    expect_nothing_changed(&(struct call)CALL(log_into_a_full_queue), "drop");
    expect_nothing_changed(&(struct call)CALL(flush_in_vain), "hanging");
    gate_set(false);
    cr_assert_eq(thole_flush(20000), 0);
    gate_forget();
}

THL_TEST(caller, keeps_errno_and_mask_while_it_waits_for_room)
{
    stand_before_a_gate("queue=16K,record=512,overflow=block:5");
    expect_nothing_changed(&(struct call)CALL(log_into_a_full_queue), "block");
    gate_set(false);
    gate_forget();
}

THL_TEST(caller, keeps_errno_and_mask_when_a_stop_is_late)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "gated:"};

    gate_register();
    cr_assert_eq(thole_start(&opt), 0);
    gate_set(true);
    thole_info(root, "waits at the gate");
    gate_await_write();
    expect_nothing_changed(&(struct call)CALL(stop_in_vain), "hanging");
    gate_set(false);
    pthread_mutex_lock(&gate.lock);
    while (gate.inside)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void
start_with_a_sink_that_cannot_open(void)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "file:/nonexistent/a.log"};
    cr_expect_eq(thole_start(&opt), 0);
}

static void
start_with_an_error(void)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "memory:", .log = "net=loud", .flags = THOLE_STRICT};
    cr_expect_eq(thole_start(&opt), -EINVAL);
}

THL_TEST(caller, keeps_errno_and_mask_when_a_start_goes_wrong)
{
    expect_nothing_changed(&(struct call)CALL(start_with_an_error), "strict");
    expect_nothing_changed(&(struct call)CALL(log_at_all_levels), "after a start that failed");
    expect_nothing_changed(&(struct call)CALL(stop), "after a start that failed");
    expect_nothing_changed(&(struct call)CALL(start_with_a_sink_that_cannot_open), "start");
    expect_nothing_changed(&(struct call)CALL(log_at_all_levels), "a sink is down");
    expect_nothing_changed(&(struct call)CALL(flush), "a sink is down");
    thole_reopen();
    expect_nothing_changed(&(struct call)CALL(stop), "a sink is down");
}

/* Whichever call is the first of a process reads the environment and opens the sinks. */
static int
make_the_first_call(const void *arg)
{
    const struct call *c = arg;

    errno = EXDEV;
    c->make();
    CAPTURED_CHECK(errno == EXDEV);
    return 0;
}

THL_TEST(caller, keeps_errno_when_its_first_call_finds_a_sink_that_cannot_open)
{
    setenv("THOLE_SINKS", "file:/nonexistent/a.log", 1);
    devnull = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct captured c;
        captured_run(&c, make_the_first_call, &calls[i]);
        cr_expect_eq(c.failed_line, 0, "%s changed it", calls[i].name);
    }
    close(devnull);
}

/* stderr is a pipe that nobody reads: EPIPE, and a SIGPIPE that must not stay behind. */
static int
shout_into_a_broken_pipe(const void *arg)
{
    sigset_t before, after, pending;
    int ends[2];

    (void)arg;
    CAPTURED_CHECK(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[0]);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    errno = EXDEV;
    thole_emergency("nobody reads this");
    CAPTURED_CHECK(errno == EXDEV);
    thole_info(root, "nor this, in direct mode");
    CAPTURED_CHECK(errno == EXDEV);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    sigpending(&pending);
    for (int s = 1; s <= 64; s++)
        CAPTURED_CHECK(sigismember(&before, s) == sigismember(&after, s));
    CAPTURED_CHECK(sigismember(&pending, SIGPIPE) == 0);
    return 0;
}

THL_TEST(caller, keeps_errno_and_mask_and_lives_when_stderr_is_a_broken_pipe)
{
    struct captured c;

    captured_run(&c, shout_into_a_broken_pipe, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d", c.failed_line);
}
