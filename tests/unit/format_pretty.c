/* SPDX-License-Identifier: MIT */
/* pretty, byte for byte: columns, colours, and no escape byte but its own. */
#include "format_kit.h"

#include <stdio.h>

#define AT NOON

static const struct thl_format_options plain = {.format = THL_FORMAT_PRETTY, .src = true};
static const struct thl_format_options colored = {.format = THL_FORMAT_PRETTY, .color = true};

static char line[4096];

static void
render(const struct thl_format_options *o, const struct thl_view *v)
{
    struct thl_buf b;
    thl_buf_init(&b, line, sizeof(line) - 1);
    cr_expect_eq(thl_format_put(&b, o, v), 0u);
    line[b.size] = '\0';
    cr_expect_eq(strlen(line), b.size);
}

THL_TEST(format_pretty, columns_line_up)
{
    struct thl_view v = {
        AT,
        .level = THOLE_INFO,
        TEXT(logger, "echod.conn"),
        TEXT(msg, "request done"),
        .nfields = 2,
        .field = {{KEY("conn"), {THOLE_FIELD_UINT, 0, {.u = 42}}}, {KEY("path"), STR("/a b")}}};
    render(&plain, &v);
    cr_expect_str_eq(line, "12:54:01.123 info   echod.conn  "
                           "request done                             conn=42 path=\"/a b\"");
    v.level = THOLE_NOTICE;
    v.logger_size = 0;
    render(&plain, &v);
    cr_expect_str_eq(line, "12:54:01.123 notice "
                           "request done                             conn=42 path=\"/a b\"");
}

THL_TEST(format_pretty, message_alone_is_not_padded)
{
    const struct thl_view v = {AT, .level = THOLE_ERROR, TEXT(logger, "a"), TEXT(msg, "m")};
    render(&plain, &v);
    cr_expect_str_eq(line, "12:54:01.123 error  a  m");
    render(&colored, &v);
    cr_expect_str_eq(line, "\x1b[2m12:54:01.123\x1b[0m \x1b[1;31merror\x1b[0m  a  m");
}

THL_TEST(format_pretty, padding_counts_characters_not_bytes)
{
    struct thl_view v = {AT, TEXT(msg, "\xC3\xA9\xE2\x82\xAC"), .nfields = 1,
                         .field = {{KEY("k"), STR("v")}}};
    render(&plain, &v);
    cr_expect_str_eq(line, "12:54:01.123 trace  \xC3\xA9\xE2\x82\xAC"
                           "                                       k=v");
    v.msg = "a message that is longer than the column of forty";
    v.msg_size = strlen(v.msg);
    render(&plain, &v);
    cr_expect_str_eq(line,
                     "12:54:01.123 trace  a message that is longer than the column of forty k=v");
}

THL_TEST(format_pretty, source_and_sequence_come_last)
{
    const struct thl_view v = {
        AT, .level = THOLE_WARN, TEXT(msg, "m"), TEXT(file, "/x/f.c"), .line = 12, .seq = 3};
    render(&plain, &v);
    cr_expect_str_eq(line, "12:54:01.123 warn   "
                           "m                                        src=f.c:12 thole.seq=3");
}

THL_TEST(format_pretty, color_is_dim_and_by_level_and_always_reset)
{
    static const char *const want[] = {
        "\x1b[2mtrace\x1b[0m  ",    "\x1b[36mdebug\x1b[0m  ",   "\x1b[32minfo\x1b[0m   ",
        "\x1b[1;32mnotice\x1b[0m ", "\x1b[33mwarn\x1b[0m   ",   "\x1b[1;31merror\x1b[0m  ",
        "\x1b[1;31mcrit\x1b[0m   ", "\x1b[1;35malert\x1b[0m  ", "\x1b[1;35memerg\x1b[0m  "};
    char full[256];
    for (int i = THOLE_TRACE; i <= THOLE_EMERG; i++) {
        const struct thl_view v = {AT, .level = (enum thole_level)i, TEXT(msg, "m"), .nfields = 1,
                                   .field = {{KEY("k"), STR("v")}}};
        snprintf(full, sizeof(full), "\x1b[2m12:54:01.123\x1b[0m %s%-40s\x1b[2m k=v\x1b[0m",
                 want[i], "m");
        render(&colored, &v);
        cr_expect_str_eq(line, full);
    }
}

THL_TEST(format_pretty, hostile_bytes_cannot_drive_the_terminal)
{
    const struct thl_view v = {AT,
                               .level = THOLE_INFO,
                               TEXT(logger, "a\x1b[1m"),
                               TEXT(msg, "m\x1b]0;t\x07\r\n\xC2\x9B\xff\\"),
                               .nfields = 2,
                               .field = {{KEY("k\x1b"), STR("\x1b[2J")}, {KEY(""), STR("\b\0\n")}}};
    render(&plain, &v);
    cr_expect_str_eq(line, "12:54:01.123 info   a\\x1b[1m  "
                           "m\\x1b]0;t\\x07\\x0d\\x0a\\x9b\xEF\xBF\xBD\\\\            "
                           " k_=\"\\x1b[2J\" _=\"\\x08\\x00\\x0a\"");
    cr_expect_null(strchr(line, '\x1b'));
}

THL_TEST(format_pretty, level_that_is_none_is_painted_as_the_last)
{
    const struct thl_view v = {AT, .level = (enum thole_level)77, TEXT(msg, "m")};
    render(&colored, &v);
    cr_expect_str_eq(line, "\x1b[2m12:54:01.123\x1b[0m \x1b[1;35memerg\x1b[0m  m");
}
