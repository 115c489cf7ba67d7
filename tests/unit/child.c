/* SPDX-License-Identifier: MIT */
/* Contexts: what a call site lays down at once is what its pairs make one by one. */
#include "test.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <thole/thole.h>

#include "child.h"
#include "slab.h"
#include "slab_context.h"

struct context {
    _Alignas(8) unsigned char bytes[THL_CHILD_CONTEXT_MAX + 8];
    size_t size;
};

static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";

static void
start(const char *limits)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = "null:", .limits = limits};
    cr_assert_eq(thole_start(&opt), 0);
}

static void
read_context(struct context *c, thole_logger child)
{
    struct thl_slab_ref ref;
    cr_assert(thl_slab_open(&ref, child));
    c->size = ref.size;
    cr_assert(thl_slab_copy(&ref, c->bytes));
}

/* The context that thole_child makes of the pairs, and that thole_bind makes of them, are equal. */
#define EXPECT_SAME(...)                                                                           \
    do {                                                                                           \
        static struct context made, bound;                                                         \
        thole_logger at_once, late;                                                                \
        thole_child(&at_once, thole_get("net"), __VA_ARGS__);                                      \
        thole_child(&late, thole_get("net"));                                                      \
        thole_bind(&late, __VA_ARGS__);                                                            \
        read_context(&made, at_once);                                                              \
        read_context(&bound, late);                                                                \
        cr_expect_eq(made.size, bound.size);                                                       \
        cr_expect(made.size > 0 && memcmp(made.bytes, bound.bytes, made.size) == 0);               \
        thole_unref(&at_once);                                                                     \
        thole_unref(&late);                                                                        \
    } while (0)

THL_TEST(child, keys_of_any_length_are_laid_down_whole)
{
    start(NULL);
    EXPECT_SAME("a", 1, "ab", 2, "abc", 3, "abcd", 4, "abcde", 5, "abcdef", 6, "abcdefg", 7);
    EXPECT_SAME("abcdefgh", 8, "abcdefghi", 9, "abcdefghijklmnop", 16, "abcdefghijklmnopq", 17);
    EXPECT_SAME("", 1, "msg", 2, "thole.x", 3, "\xFF", 4);
    EXPECT_SAME("a", 1, "b", 2, "a", 3);
    cr_assert_eq(thole_stop(1000), 0);
}

THL_TEST(child, values_of_any_length_at_any_place_are_laid_down_whole)
{
    start(NULL);
    for (size_t n = 0; n < sizeof(letters); n++) {
        EXPECT_SAME("s", thole_str(letters, n));
        EXPECT_SAME("s", thole_str(letters, n), "t", thole_str(letters + 1, n / 2), "i", -1);
        EXPECT_SAME("i", UINT64_MAX, "abc", thole_bytes(letters, n), "d", 0.1, "e",
                    thole_errno(ENOENT));
    }
    EXPECT_SAME("null", (const char *)NULL, "secret", thole_secret("x"), "yes", thole_bool(1),
                "hex", thole_hex(255), "took", thole_ms(12), "p", (void *)letters);
    cr_assert_eq(thole_stop(1000), 0);
}

THL_TEST(child, what_is_too_long_is_cut_alike)
{
    start("context=128");
    for (size_t n = 0; n < sizeof(letters); n++)
        EXPECT_SAME("first", thole_str(letters, n), "second",
                    thole_str(letters, sizeof(letters) - 1), "third", thole_str(letters, n));
    cr_assert_eq(thole_stop(1000), 0);
}
