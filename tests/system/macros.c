/* SPDX-License-Identifier: MIT */
/* What the log macros put into a record, by the type of the value; and what they leave alone. */
#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <thole/test.h>
#include <thole/thole.h>

enum colour { RED, GREEN = 7 };

static thole_logger
start(const char *levels)
{
    struct thole_options options = {
        .size = sizeof(options), .log = levels, .sinks = "memory:", .flags = THOLE_STRICT};

    cr_assert_eq(thole_start(&options), 0);
    return thole_get("macros");
}

/* The one line that was logged, from after its envelope's time to its last brace. */
static const char *
line_after_time(void)
{
    const char *lines = thole_test_lines();
    const char *level = strstr(lines, "\"level\":");

    cr_assert_not_null(level, "nothing was logged: %s", lines);
    cr_assert_eq(strchr(lines, '\n'), lines + strlen(lines) - 1, "not one line: %s", lines);
    return level;
}

#define ASSERT_FIELDS(text)                                                                        \
    do {                                                                                           \
        cr_assert_str_eq(line_after_time(),                                                        \
                         "\"level\":\"info\",\"logger\":\"macros\",\"msg\":\"m\"" text "}\n");     \
        thole_test_clear();                                                                        \
    } while (0)

THL_TEST(macros, integers_print_as_numbers)
{
    thole_logger lg = start(NULL);

    thole_info(lg, "m", "c", (char)'A', "sc", (signed char)-128, "uc", (unsigned char)255);
    ASSERT_FIELDS(",\"c\":65,\"sc\":-128,\"uc\":255");
    thole_info(lg, "m", "s", (short)-32768, "us", (unsigned short)65535, "i", INT32_MIN, "u",
               UINT32_MAX);
    ASSERT_FIELDS(",\"s\":-32768,\"us\":65535,\"i\":-2147483648,\"u\":4294967295");
    thole_info(lg, "m", "l", INT64_MIN, "ul", UINT64_MAX, "ll", -1LL, "ull", 1ULL);
    ASSERT_FIELDS(",\"l\":-9223372036854775808,\"ul\":18446744073709551615,\"ll\":-1,\"ull\":1");
}

THL_TEST(macros, other_scalars_print_as_what_they_are)
{
    thole_logger lg = start(NULL);
    struct {
        unsigned flag : 3;
    } bits = {5};

    thole_info(lg, "m", "t", (bool)true, "f", thole_bool(0), "d", 0.1, "float", 0.1F, "e", GREEN,
               "bits", +bits.flag);
    ASSERT_FIELDS(",\"t\":true,\"f\":false,\"d\":0.1,\"float\":0.1,\"e\":7,\"bits\":5");
}

THL_TEST(macros, texts_and_pointers_print_and_null_is_null)
{
    thole_logger lg = start(NULL);
    char local[] = "local";

    thole_info(lg, "m", "lit", "x\ny", "arr", local, "none", (const char *)NULL, "p",
               (void *)(uintptr_t)0x2a, "np", (void *)0);
    ASSERT_FIELDS(",\"lit\":\"x\\ny\",\"arr\":\"local\",\"none\":null,\"p\":\"0x2a\",\"np\":null");
}

THL_TEST(macros, helpers_print_in_their_own_way)
{
    thole_logger lg = start(NULL);
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(4123)};

    peer.sin_addr.s_addr = htonl(0x0a000007);
    thole_info(lg, "m", "str", thole_str("abcdef", 3), "bytes", thole_bytes("\x01\xff", 2), "peer",
               thole_addr((const struct sockaddr *)&peer, sizeof(peer)), "hex", thole_hex(255));
    ASSERT_FIELDS(
        ",\"str\":\"abc\",\"bytes\":\"01ff\",\"peer\":\"10.0.0.7:4123\",\"hex\":\"0xff\"");
    thole_info(lg, "m", "err", thole_errno(ENOENT));
    ASSERT_FIELDS(",\"err\":2,\"err_name\":\"ENOENT\",\"err_text\":\"No such file or directory\"");
    thole_info(lg, "m", "ns", thole_ns(1500), "us", thole_us(1500), "ms", thole_ms(-1500), "s",
               thole_s(2));
    ASSERT_FIELDS(",\"ns\":0.0000015,\"us\":0.0015,\"ms\":-1.5,\"s\":2");
}

THL_TEST(macros, a_secret_never_leaves_the_call)
{
    thole_logger lg = start(NULL);

    thole_info(lg, "m", "password", thole_secret("hunter2"));
    cr_assert_null(strstr(thole_test_lines(), "hunter2"));
    ASSERT_FIELDS(",\"password\":\"***\"");
}

THL_TEST(macros, sixteen_pairs_keep_their_order)
{
    thole_logger lg = start(NULL);

    thole_info(lg, "m", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9, "j",
               10, "k", 11, "l", 12, "m", 13, "n", 14, "o", 15, "p", 16);
    ASSERT_FIELDS(",\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,"
                  "\"j\":10,\"k\":11,\"l\":12,\"m\":13,\"n\":14,\"o\":15,\"p\":16");
}

THL_TEST(macros, arguments_are_evaluated_once_or_not_at_all)
{
    thole_logger lg = start("info");
    int loggers = 0, levels = 0, values = 0;

    thole_info((loggers++, lg), "m", "n", ++values);
    cr_assert_eq(loggers, 1);
    ASSERT_FIELDS(",\"n\":1");
    thole_log((loggers++, lg), (levels++, THOLE_INFO), "m", "n", ++values);
    cr_assert_eq(loggers, 2);
    cr_assert_eq(levels, 1);
    ASSERT_FIELDS(",\"n\":2");
    thole_debug(lg, "m", "n", ++values);
    thole_debugf(lg, "%d", ++values);
    cr_assert_eq(values, 2, "a call that is off evaluated its value");
    cr_assert_str_empty(thole_test_lines());
}

THL_TEST(macros, levels_outside_the_eight_and_one_log_nothing)
{
    thole_logger lg = start("trace");

    thole_log(lg, THOLE_OFF, "m");
    thole_log(lg, (enum thole_level)77, "m");
    thole_log(lg, (enum thole_level) - 1, "m");
    cr_assert_str_empty(thole_test_lines());
}

THL_TEST(macros, errno_is_what_it_was_before_the_call)
{
    thole_logger lg = start(NULL), child;

    errno = ENOTTY;
    thole_info(lg, "m", "err", thole_errno(errno), "text", "x");
    cr_assert_eq(errno, ENOTTY);
    thole_infof(lg, "%s", "m");
    cr_assert_eq(errno, ENOTTY);
    thole_child(&child, lg, "k", 1);
    cr_assert_eq(errno, ENOTTY);
    thole_unref(&child);
    cr_assert_eq(errno, ENOTTY);
}

THL_TEST(macros, min_level_compiles_calls_out)
{
    thole_logger lg = start("trace");
    int values = 0;

#undef THOLE_MIN_LEVEL
#define THOLE_MIN_LEVEL THOLE_WARN
    thole_info(lg, "m", "n", ++values);
    thole_infof(lg, "%d", ++values);
    cr_assert_str_empty(thole_test_lines());
    cr_assert_eq(values, 0);
    thole_warn(lg, "m", "n", ++values);
    cr_assert_not_null(strstr(line_after_time(), "\"level\":\"warn\""));
#undef THOLE_MIN_LEVEL
#define THOLE_MIN_LEVEL THOLE_TRACE
}
