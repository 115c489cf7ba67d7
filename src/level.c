/* SPDX-License-Identifier: MIT */
/* Level words. */
#include "level.h"

#include <stdbool.h>
#include <string.h>

static const char *const words[] = {"trace", "debug", "info",  "notice", "warn",
                                    "error", "crit",  "alert", "emerg",  "off"};

const char *
thl_level_word(enum thole_level level)
{
    return (unsigned)level <= THOLE_OFF ? words[level] : "emerg";
}

/* Not strncasecmp(): in a Turkish locale "INFO" would not be "info". */
static bool
is_word(const char *word, const char *s, size_t n)
{
    if (strlen(word) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
        if (c != word[i])
            return false;
    }
    return true;
}

int
thl_level_parse(const char *s, size_t n)
{
    static const struct {
        const char *word;
        enum thole_level level;
    } synonyms[] = {{"warning", THOLE_WARN}, {"err", THOLE_ERROR},       {"critical", THOLE_CRIT},
                    {"panic", THOLE_EMERG},  {"emergency", THOLE_EMERG}, {"none", THOLE_OFF}};
    for (int i = 0; i <= THOLE_OFF; i++)
        if (is_word(words[i], s, n))
            return i;
    for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++)
        if (is_word(synonyms[i].word, s, n))
            return (int)synonyms[i].level;
    return -1;
}

/* A level that is none is as urgent as the last: PRI must stay a valid number. */
int
thl_level_severity(enum thole_level level)
{
    if ((unsigned)level >= THOLE_EMERG)
        return 0;
    return level <= THOLE_DEBUG ? 7 : THOLE_EMERG - (int)level;
}
