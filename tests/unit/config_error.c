/* SPDX-License-Identifier: MIT */
/* Positioned messages: column, window, caret, what a terminal may see; suggestions. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"

/* The only message of an error at `column` of `text`; the caller frees it. */
static char *
message_of(const char *text, size_t column, const char *what)
{
    struct thl_config_errors errors = {0};
    thl_config_error(&errors, "X", text, column, "%s", what);
    cr_assert_eq(errors.kept, 1u);
    char *message = errors.text[0];
    errors.kept = 0;
    thl_config_errors_fini(&errors);
    return message;
}

static void
expect_message(const char *text, size_t column, const char *what, const char *want)
{
    char *got = message_of(text, column, what);
    cr_expect_str_eq(got, want);
    free(got);
}

/* The byte that stands above the caret. */
static char
above_caret(const char *message)
{
    const char *shown = strchr(message, '\n') + 1, *line = strchr(shown, '\n') + 1;
    return shown[strchr(line, '^') - line];
}

THL_TEST(config_error, stands_under_the_column)
{
    expect_message("info,net=debgu", 10, "no", "X:10: no\n    info,net=debgu\n             ^");
    expect_message("a", 1, "no", "X:1: no\n    a\n    ^");
    expect_message("a=", 3, "no", "X:3: no\n    a=\n      ^");
}

THL_TEST(config_error, without_column_or_text_is_one_line)
{
    expect_message("abc", 0, "no", "X: no");
    expect_message("", 7, "no", "X:7: no");
}

THL_TEST(config_error, column_past_the_end_stands_at_the_end)
{
    expect_message("ab", 99, "no", "X:99: no\n    ab\n      ^");
}

THL_TEST(config_error, control_bytes_are_widened_and_the_caret_moves_with_them)
{
    expect_message("a\x01\x1b[m\x7fz", 7, "no",
                   "X:7: no\n    a\\x01\\x1b[m\\x7fz\n                   ^");
    expect_message("\xff\xc3z", 3, "no", "X:3: no\n    \\xff\\xc3z\n            ^");
    expect_message("\xc2\x9bz", 3, "no", "X:3: no\n    \\xc2\\x9bz\n            ^");
    expect_message("\xe2\x80\xa8z", 4, "no", "X:4: no\n    \\xe2\\x80\\xa8z\n                ^");
}

THL_TEST(config_error, a_character_of_several_bytes_takes_one_place)
{
    expect_message("\xc3\xa9=x", 4, "no", "X:4: no\n    \xc3\xa9=x\n      ^");
    expect_message("z\xe2\x82\xac", 3, "no", "X:3: no\n    z\xe2\x82\xac\n     ^");
}

THL_TEST(config_error, message_itself_cannot_drive_a_terminal)
{
    expect_message("", 0, "a\nb\x1b[2J", "X: a\\x0ab\\x1b[2J");
}

THL_TEST(config_error, long_text_is_shown_around_the_column)
{
    static char text[100001];
    memset(text, 'a', sizeof(text) - 1);
    for (size_t at = 0; at < sizeof(text) - 1; at += at < 300 || at > 99700 ? 1 : 997) {
        text[at] = '#';
        char *message = message_of(text, at + 1, "no");
        cr_expect_eq(above_caret(message), '#', "column %zu", at + 1);
        cr_expect_lt(strlen(message), 300u);
        free(message);
        text[at] = 'a';
    }
}

THL_TEST(config_error, marks_what_a_window_leaves_out)
{
    char text[301];
    memset(text, 'a', 300);
    text[300] = '\0';
    char *first = message_of(text, 1, "no"), *middle = message_of(text, 150, "no");
    cr_expect(strncmp(strchr(first, '\n'), "\n    aaa", 8) == 0 && strstr(first, "a...\n"));
    cr_expect(strncmp(strchr(middle, '\n'), "\n    ...a", 9) == 0 && strstr(middle, "a...\n"));
    free(first);
    free(middle);
}

THL_TEST(config_error, window_never_splits_a_character)
{
    char text[3 * 200 + 2];
    for (size_t i = 0; i < 200; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 3);
    memcpy(text + sizeof(text) - 2, "z", 2); /* so that the last window begins inside one */
    for (size_t column = 1; column < sizeof(text); column++) {
        char *message = message_of(text, column, "no");
        cr_expect_null(strstr(message, "\\x"), "column %zu: %s", column, message);
        free(message);
    }
}

THL_TEST(config_error, long_message_is_cut_and_marked)
{
    char what[5000];
    memset(what, 'w', sizeof(what) - 1);
    what[sizeof(what) - 1] = '\0';
    char *message = message_of("ab", 2, what);
    cr_expect_not_null(strstr(message, "www...\n    ab\n     ^"));
    cr_expect_lt(strlen(message), 800u);
    free(message);
}

THL_TEST(config_error, worst_text_and_message_still_fit)
{
    char what[700], text[121];
    memset(what, '\x01', sizeof(what) - 1);
    memset(text, '\x01', sizeof(text) - 1);
    what[sizeof(what) - 1] = text[sizeof(text) - 1] = '\0';
    char *message = message_of(text, 121, what);
    cr_expect_eq(message[strlen(message) - 1], '^');
    free(message);
}

THL_TEST(config_error, counts_more_than_it_keeps)
{
    struct thl_config_errors errors = {0};
    for (int i = 0; i < 100; i++)
        thl_config_error(&errors, "X", "text", 1, "number %d", i);
    cr_expect_eq(errors.n, 100u);
    cr_expect_eq(errors.kept, (size_t)THL_CONFIG_ERRORS);
    thl_config_errors_fini(&errors);
    cr_expect_eq(errors.n, 0u);
    cr_expect_eq(errors.kept, 0u);
}

THL_TEST(config_error, suggests_the_nearest_word)
{
    static const char *const words[] = {"trace", "debug", "info", "warn", "off", "facility"};
    static const struct {
        const char *word, *near;
    } rows[] = {{"debgu", "debug"},
                {"DEBUG", "debug"},
                {"dbug", "debug"},
                {"debugg", "debug"},
                {"wran", "warn"},
                {"of", "off"},
                {"fof", "off"},
                {"offf", "off"},
                {"facilty", "facility"},
                {"facitily", "facility"},
                {"foo", NULL},
                {"x", NULL},
                {"", NULL},
                {"completely", NULL},
                {"net", NULL},
                {"facilityfacility", NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *near = thl_config_suggest(rows[i].word, strlen(rows[i].word), words, 6);
        cr_expect_str_eq(near ? near : "(none)", rows[i].near ? rows[i].near : "(none)", "for %s",
                         rows[i].word);
    }
}

THL_TEST(config_error, suggests_nothing_for_long_words)
{
    static const char *const words[] = {"debug"};
    static char word[100000];
    memset(word, 'd', sizeof(word));
    cr_expect_null(thl_config_suggest(word, sizeof(word), words, 1));
}
