/* SPDX-License-Identifier: MIT */
/* Level words, severities, error names. */
#include "test.h"

#include "errname.h"
#include "level.h"

THL_TEST(level, words_and_back)
{
    for (int l = THOLE_TRACE; l <= THOLE_OFF; l++) {
        const char *word = thl_level_word((enum thole_level)l);
        cr_expect_eq(thl_level_parse(word, strlen(word)), l);
    }
    cr_expect_eq(thl_level_parse("WARNING", 7), THOLE_WARN);
    cr_expect_eq(thl_level_parse("err", 3), THOLE_ERROR);
    cr_expect_eq(thl_level_parse("inf", 3), -1);
    cr_expect_eq(thl_level_parse("infos", 5), -1);
    cr_expect_eq(thl_level_parse("", 0), -1);
}

THL_TEST(level, severities_are_syslogs)
{
    static const int want[] = {7, 7, 6, 5, 4, 3, 2, 1, 0};
    for (int l = THOLE_TRACE; l <= THOLE_EMERG; l++)
        cr_expect_eq(thl_level_severity((enum thole_level)l), want[l]);
}

THL_TEST(errname, names_and_texts)
{
    cr_expect_str_eq(thl_errname_name(ENOENT), "ENOENT");
    cr_expect_str_eq(thl_errname_text(ENOENT), "No such file or directory");
    cr_expect_str_eq(thl_errname_name(EAGAIN), "EAGAIN");
    cr_expect_str_eq(thl_errname_name(0), "E?");
    cr_expect_str_eq(thl_errname_name(-5), "E?");
    cr_expect_str_eq(thl_errname_name(INT64_MAX), "E?");
    cr_expect_str_eq(thl_errname_text(99999), "unknown error");
}

static int
parse(const char *s)
{
    return thl_level_parse(s, strlen(s));
}

THL_TEST(level, case_and_synonyms_do_not_matter)
{
    cr_expect_eq(parse("INFO"), THOLE_INFO);
    cr_expect_eq(parse("Warning"), THOLE_WARN);
    cr_expect_eq(parse("err"), THOLE_ERROR);
    cr_expect_eq(parse("CRITICAL"), THOLE_CRIT);
    cr_expect_eq(parse("panic"), THOLE_EMERG);
    cr_expect_eq(parse("none"), THOLE_OFF);
}

THL_TEST(level, anything_else_is_no_level)
{
    static const char *const wrong[] = {"",      "debgu", "inf", "infos",
                                        "info ", "1",     "of",  "\xC4\xB1nfo"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect_eq(parse(wrong[i]), -1, "%s", wrong[i]);
    cr_expect_eq(thl_level_parse("info", 3), -1, "only n bytes count");
    cr_expect_eq(thl_level_parse("information", 4), THOLE_INFO, "only n bytes count");
    cr_expect_eq(thl_level_parse("off\0off", 7), -1, "a NUL ends nothing");
}

THL_TEST(level, what_is_no_level_is_still_harmless)
{
    cr_expect_eq(thl_level_severity(THOLE_OFF), 0);
    cr_expect_eq(thl_level_severity((enum thole_level)77), 0);
    cr_expect_str_eq(thl_level_word((enum thole_level)77), "emerg");
}
