/* SPDX-License-Identifier: MIT */
/* What one log call writes: the exact text of every kind of value, as JSON at the sink. */
#include "test.h"

#include "captured.h"

#include <arpa/inet.h>
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <thole/test.h>
#include <thole/thole.h>

static const thole_logger root = {0};

static void
start_with(const char *limits)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "memory:", .limits = limits, .log = "trace"};

    cr_assert_eq(thole_start(&opt), 0);
}

/* What follows the message "m" in the only line, and forgets it. */
static const char *
fields(void)
{
    static char line[70000];
    const char *lines = thole_test_lines(), *at = strstr(lines, "\"msg\":\"m\"");

    cr_expect_eq(captured_count(lines, "\n"), 1u, "not one line: %s", lines);
    snprintf(line, sizeof(line), "%s", at ? at + strlen("\"msg\":\"m\"") : lines);
    thole_test_clear();
    return line;
}

#define EXPECT_FIELDS(text) cr_expect_str_eq(fields(), text "}\n")

/* ---- values ---- */

THL_TEST(record, envelope_is_time_level_logger_msg)
{
    start_with(NULL);
    thole_notice(thole_get("a.b"), "m");
    const char *line = thole_test_lines();
    unsigned y, mo, d, h, mi, s, us;
    char end = 0;

    cr_expect_eq(sscanf(line, "{\"time\":\"%4u-%2u-%2uT%2u:%2u:%2u.%6u%c", &y, &mo, &d, &h, &mi, &s,
                        &us, &end),
                 8, "%s", line);
    cr_expect_eq(end, 'Z');
    cr_expect_str_eq(line + strlen("{\"time\":\"2026-11-22T12:54:01.123456Z\""),
                     ",\"level\":\"notice\",\"logger\":\"a.b\",\"msg\":\"m\"}\n");
}

THL_TEST(record, every_level_has_its_word)
{
    static const char *const words[] = {"trace", "debug", "info",  "notice", "warn",
                                        "error", "crit",  "alert", "emerg"};
    char part[64];

    start_with(NULL);
    thole_trace(root, "by macro");
    thole_debug(root, "by macro");
    thole_info(root, "by macro");
    thole_notice(root, "by macro");
    thole_warn(root, "by macro");
    thole_error(root, "by macro");
    thole_crit(root, "by macro");
    thole_alert(root, "by macro");
    thole_emerg(root, "by macro");
    for (int level = THOLE_TRACE; level <= THOLE_OFF; level++)
        thole_log(root, (enum thole_level)level, "by number");
    const char *lines = thole_test_lines();
    cr_expect_eq(captured_count(lines, "\n"), 18u, "nothing at THOLE_OFF");
    for (int level = THOLE_TRACE; level <= THOLE_EMERG; level++) {
        snprintf(part, sizeof(part), "\"level\":\"%s\",", words[level]);
        cr_expect_eq(captured_count(lines, part), 2u, "%s", part);
    }
}

THL_TEST(record, integers_of_every_width_reach_their_ends)
{
    start_with(NULL);
    thole_info(root, "m", "c", (signed char)-128, "uc", (unsigned char)255, "s", (short)-32768,
               "us", (unsigned short)65535, "i", INT_MIN, "u", UINT_MAX, "l", LONG_MIN, "ul",
               ULONG_MAX, "ll", LLONG_MAX, "ull", ULLONG_MAX);
    EXPECT_FIELDS(",\"c\":-128,\"uc\":255,\"s\":-32768,\"us\":65535,\"i\":-2147483648,"
                  "\"u\":4294967295,\"l\":-9223372036854775808,\"ul\":18446744073709551615,"
                  "\"ll\":9223372036854775807,\"ull\":18446744073709551615");
    thole_info(root, "m", "min", INT64_MIN, "max", INT64_MAX, "umax", UINT64_MAX, "size",
               sizeof(int), "diff", (ptrdiff_t)-1);
    EXPECT_FIELDS(",\"min\":-9223372036854775808,\"max\":9223372036854775807,"
                  "\"umax\":18446744073709551615,\"size\":4,\"diff\":-1");
}

enum colour { RED, GREEN = 7, BLUE = -3 };

THL_TEST(record, char_is_a_number_and_so_are_enums_and_bit_fields)
{
    const struct {
        unsigned bits : 3;
    } b = {5};
    const char c = 'a';
    const enum colour colour = BLUE;

    start_with(NULL);
    thole_info(root, "m", "char", c, "enum", GREEN, "colour", colour, "bits", +b.bits);
    EXPECT_FIELDS(",\"char\":97,\"enum\":7,\"colour\":-3,\"bits\":5");
}

THL_TEST(record, bool_is_a_word)
{
    const bool yes = true, no = false;

    start_with(NULL);
    thole_info(root, "m", "yes", yes, "no", no, "cmp", thole_bool(2 > 1), "flag", thole_bool(0));
    EXPECT_FIELDS(",\"yes\":true,\"no\":false,\"cmp\":true,\"flag\":false");
}

THL_TEST(record, double_is_the_shortest_text_that_reads_back)
{
    start_with(NULL);
    thole_info(root, "m", "a", 0.1, "b", 1.0, "c", -0.0, "d", 1e300, "e", 5e-324, "f", 0.1f, "g",
               123456789.125);
    const char *line = fields();
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g"};
    static const double values[] = {0.1, 1.0, -0.0, 1e300, 5e-324, 0.1, 123456789.125};
    for (int i = 0; i < 7; i++) {
        char key[16];
        snprintf(key, sizeof(key), "\"%s\":", keys[i]);
        const char *at = strstr(line, key);
        cr_assert_not_null(at, "%s", line);
        double read = strtod(at + strlen(key), NULL);
        cr_expect_eq(memcmp(&read, &values[i], sizeof(read)), 0, "%s in %s", key, line);
    }
    cr_expect_not_null(strstr(line, "\"a\":0.1,"), "%s", line);
    cr_expect_not_null(strstr(line, "\"f\":0.1,"), "a float as short as a float can be: %s", line);
}

THL_TEST(record, nan_and_infinities_are_strings)
{
    start_with(NULL);
    thole_info(root, "m", "nan", (double)NAN, "inf", (double)INFINITY, "minus", -(double)INFINITY);
    const char *line = fields();
    cr_expect_not_null(strstr(line, "\"nan\":\""), "%s", line);
    cr_expect_not_null(strstr(line, "\"inf\":\""), "%s", line);
    cr_expect_not_null(strstr(line, "\"minus\":\"-"), "%s", line);
}

THL_TEST(record, null_string_and_null_pointer_print_as_null)
{
    const char *none = NULL;
    void *nowhere = NULL, *somewhere = (void *)(uintptr_t)0x2a;

    start_with(NULL);
    thole_info(root, "m", "s", none, "p", nowhere, "q", somewhere, "n", thole_str(NULL, 0));
    const char *line = fields();
    cr_expect_not_null(strstr(line, ",\"s\":null,\"p\":null,\"q\":\"0x2a\","), "%s", line);
}

THL_TEST(record, string_is_escaped_and_always_valid)
{
    start_with(NULL);
    thole_info(root, "m", "s", "q\" b\\ n\n t\t e\x1b d\x7f", "utf8", "h\xc3\xa9", "bad",
               "a\xff\xc3z", "sep", "\xe2\x80\xa8", "c1", "\xc2\x85");
    EXPECT_FIELDS(",\"s\":\"q\\\" b\\\\ n\\n t\\t e\\u001b d\\u007f\",\"utf8\":\"h\xc3\xa9\","
                  "\"bad\":\"a\xef\xbf\xbd\xef\xbf\xbdz\",\"sep\":\"\\u2028\",\"c1\":\"\\u0085\"");
}

THL_TEST(record, helpers_print_as_they_say)
{
    start_with(NULL);
    thole_info(root, "m", "str", thole_str("abcdef", 3), "nul", thole_str("a\0b", 3), "bytes",
               thole_bytes("\x00\xff\x10", 3), "hex", thole_hex(0xdeadbeefu), "secret",
               thole_secret("hunter2"));
    EXPECT_FIELDS(",\"str\":\"abc\",\"nul\":\"a\\u0000b\",\"bytes\":\"00ff10\","
                  "\"hex\":\"0xdeadbeef\",\"secret\":\"***\"");
}

THL_TEST(record, duration_is_a_number_of_seconds)
{
    start_with(NULL);
    thole_info(root, "m", "ns", thole_ns(1), "us", thole_us(1500), "ms", thole_ms(-250), "s",
               thole_s(3));
    const char *line = fields();
    static const char *const keys[] = {"ns", "us", "ms", "s"};
    static const double values[] = {1e-9, 0.0015, -0.25, 3};
    for (int i = 0; i < 4; i++) {
        char key[16];
        snprintf(key, sizeof(key), "\"%s\":", keys[i]);
        const char *at = strstr(line, key);
        cr_assert_not_null(at, "%s", line);
        double read = strtod(at + strlen(key), NULL);
        cr_expect_eq(memcmp(&read, &values[i], sizeof(read)), 0, "%s in %s", key, line);
    }
}

THL_TEST(record, errno_value_is_number_name_and_text)
{
    start_with(NULL);
    thole_info(root, "m", "err", thole_errno(ENOENT));
    EXPECT_FIELDS(",\"err\":2,\"err_name\":\"ENOENT\",\"err_text\":\"No such file or directory\"");
}

THL_TEST(record, address_prints_with_its_port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(4123)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/x.sock"};

    start_with(NULL);
    inet_pton(AF_INET, "10.0.0.7", &v4.sin_addr);
    inet_pton(AF_INET6, "::1", &v6.sin6_addr);
    thole_info(root, "m", "v4", thole_addr((struct sockaddr *)&v4, sizeof(v4)), "v6",
               thole_addr((struct sockaddr *)&v6, sizeof(v6)), "un",
               thole_addr((struct sockaddr *)&local, sizeof(local)));
    EXPECT_FIELDS(",\"v4\":\"10.0.0.7:4123\",\"v6\":\"[::1]:80\",\"un\":\"/run/x.sock\"");
}

THL_TEST(record, takes_sixteen_pairs)
{
    start_with(NULL);
    thole_info(root, "m", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10, "k", 11, "l", 12, "n", 13, "o", 14, "p", 15, "q", 16);
    EXPECT_FIELDS(",\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,"
                  "\"j\":10,\"k\":11,\"l\":12,\"n\":13,\"o\":14,\"p\":15,\"q\":16");
}

THL_TEST(record, fields_known_at_run_time_take_every_type)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(1)};
    const thole_field all[] = {
        {"null", THOLE_FIELD_NULL, 0, {.u = 0}},
        {"bool", THOLE_FIELD_BOOL, 0, {.u = 1}},
        {"int", THOLE_FIELD_INT, 0, {.i = INT64_MIN}},
        {"uint", THOLE_FIELD_UINT, 0, {.u = UINT64_MAX}},
        {"double", THOLE_FIELD_DOUBLE, 0, {.d = 0.5}},
        {"float", THOLE_FIELD_FLOAT, 0, {.d = 0.1f}},
        {"string", THOLE_FIELD_STRING, 3, {.p = "abcdef"}},
        {"cstring", THOLE_FIELD_CSTRING, 0, {.p = "abcdef"}},
        {"bytes", THOLE_FIELD_BYTES, 2, {.p = "\x01\xfe"}},
        {"addr", THOLE_FIELD_ADDR, sizeof(v4), {.p = &v4}},
        {"err", THOLE_FIELD_ERRNO, 0, {.i = EPERM}},
        {"hex", THOLE_FIELD_HEX, 0, {.u = 42}},
        {"pointer", THOLE_FIELD_POINTER, 0, {.u = 42}},
        {"nowhere", THOLE_FIELD_POINTER, 0, {.u = 0}},
        {"secret", THOLE_FIELD_SECRET, 7, {.p = "hunter2"}},
        {"unknown", 999, 0, {.u = 42}},
    };

    start_with(NULL);
    thole_log_fields(root, THOLE_INFO, "m", all, sizeof(all) / sizeof(all[0]));
    EXPECT_FIELDS(
        ",\"null\":null,\"bool\":true,\"int\":-9223372036854775808,"
        "\"uint\":18446744073709551615,\"double\":0.5,\"float\":0.1,\"string\":\"abc\","
        "\"cstring\":\"abcdef\",\"bytes\":\"01fe\",\"addr\":\"0.0.0.0:1\",\"err\":1,"
        "\"err_name\":\"EPERM\",\"err_text\":\"Operation not permitted\",\"hex\":\"0x2a\","
        "\"pointer\":\"0x2a\",\"nowhere\":null,\"secret\":\"***\",\"unknown\":null");
}

THL_TEST(record, fields_known_at_run_time_may_be_none_and_count_to_64)
{
    static thole_field many[100];

    start_with(NULL);
    thole_log_fields(root, THOLE_INFO, "m", NULL, 0);
    EXPECT_FIELDS("");
    thole_log_fields(root, THOLE_INFO, NULL, NULL, 5);
    cr_expect_not_null(strstr(thole_test_lines(), "\"msg\":\"\"}"));
    thole_test_clear();
    static char keys[100][8];
    for (int i = 0; i < 100; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%d", i);
        many[i] = (thole_field){keys[i], THOLE_FIELD_INT, 0, {.i = i}};
    }
    thole_log_fields(root, THOLE_INFO, "m", many, 100);
    const char *line = fields();
    cr_expect_not_null(strstr(line, "\"k63\":63"), "%s", line);
    cr_expect_null(strstr(line, "\"k64\""), "%s", line);
    cr_expect_not_null(strstr(line, "\"thole.truncated\":"), "%s", line);
}

/* ---- keys ---- */

THL_TEST(record, key_of_the_envelope_gets_an_underscore)
{
    start_with(NULL);
    thole_info(root, "m", "time", 1, "level", 2, "logger", 3, "msg", 4);
    EXPECT_FIELDS(",\"time_\":1,\"level_\":2,\"logger_\":3,\"msg_\":4");
}

THL_TEST(record, key_of_tholes_own_is_renamed)
{
    const thole_field field = {"thole.truncated", THOLE_FIELD_INT, 0, {.i = 2}};

    start_with(NULL);
    thole_info(root, "m", "thole.stale", 1, "thole", 2, "tholes", 3);
    EXPECT_FIELDS(",\"thole_stale\":1,\"thole\":2,\"tholes\":3");
    thole_log_fields(root, THOLE_INFO, "m", &field, 1);
    EXPECT_FIELDS(",\"thole_truncated\":2");
}

THL_TEST(record, no_key_stands_twice)
{
    const thole_field twice[] = {{"k", THOLE_FIELD_INT, 0, {.i = 1}},
                                 {"k", THOLE_FIELD_INT, 0, {.i = 2}}};
    thole_logger child;

    start_with(NULL);
    thole_info(root, "m", "k", 1, "x", 0, "k", 2);
    const char *line = fields();
    cr_expect_eq(captured_count(line, "\"k\":"), 1u, "%s", line);
    cr_expect_eq(captured_count(line, "\"k\":2"), 1u, "the later wins: %s", line);
    thole_log_fields(root, THOLE_INFO, "m", twice, 2);
    EXPECT_FIELDS(",\"k\":2");
    thole_child(&child, root, "k", 1, "k", 2);
    thole_info(child, "m");
    EXPECT_FIELDS(",\"k\":2");
    thole_unref(&child);
}

THL_TEST(record, what_errno_adds_does_not_stand_twice)
{
    start_with(NULL);
    thole_info(root, "m", "err", thole_errno(ENOENT), "err_name", "mine");
    const char *line = fields();
    cr_expect_eq(captured_count(line, "\"err_name\":"), 1u, "%s", line);
}

/* ---- bounds ---- */

THL_TEST(record, has_room_for_its_own_fields_beside_the_longest_context)
{
    thole_logger child;
    char text[1000];

    setenv("THOLE_SINKS", "memory:", 1);
    setenv("THOLE_LIMITS", "record=512,context=8K", 1); /* in direct mode, and after a start */
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    for (int started = 0; started < 2; started++) {
        thole_child(&child, root, "a", text, "b", text);
        thole_info(child, "hello", "n", 1, "m", 2, "o", 3, "long", text, "p", 4);
        const char *lines = thole_test_lines();
        cr_expect_eq(captured_count(lines, "\"msg\":\"hello\""), 1u, "%s", lines);
        cr_expect_not_null(strstr(lines, "\"n\":1,\"m\":2,\"o\":3,\"long\":\"xxx"), "%s", lines);
        cr_expect_not_null(strstr(lines, "\"p\":4,\"thole.truncated\":"), "%s", lines);
        thole_unref(&child);
        thole_test_clear();
        if (!started)
            cr_assert_eq(thole_start(NULL), 0);
    }
}

THL_TEST(record, past_its_limit_is_cut_in_its_longest_value_marked_and_counted)
{
    struct thole_stats stats = {.size = sizeof(stats)};
    static char blob[100000];

    start_with("record=1K");
    memset(blob, 'x', sizeof(blob) - 1);
    thole_info(root, "m", "short", "kept", "blob", blob, "n", 7);
    const char *line = fields();
    cr_expect_not_null(strstr(line, "\"short\":\"kept\""), "%.100s", line);
    cr_expect_not_null(strstr(line, "\"n\":7"), "%.100s", line);
    cr_expect_not_null(strstr(line, "\"thole.truncated\":"), "%.100s", line);
    cr_expect_lt(strlen(line), 1400u);
    cr_expect_gt(strlen(line), 600u);
    thole_stats(&stats);
    cr_expect_eq(stats.truncated, 1u);
}
