/* SPDX-License-Identifier: MIT */
/*
 * Values of fields: what may stand after a key in a log call.
 *
 * In C11 and C++11 a log call takes bool, every integer type, float, double, enums, `const char *`
 * (NULL prints as null), `void *`, and the result of any helper below. Everything is copied or
 * encoded before the call returns; nothing that a value points at is kept.
 *
 * Names that end in an underscore belong to the macros and may change in any release.
 */
#ifndef THOLE_FIELD_H
#define THOLE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sockaddr;

/* The type of a field whose key is known only at run time. */
enum thole_field_type {
    THOLE_FIELD_NULL,     /* no value */
    THOLE_FIELD_BOOL,     /* v.u: 0 or 1 */
    THOLE_FIELD_INT,      /* v.i */
    THOLE_FIELD_UINT,     /* v.u */
    THOLE_FIELD_DOUBLE,   /* v.d */
    THOLE_FIELD_FLOAT,    /* v.d, printed as the shortest text that reads back as the same float */
    THOLE_FIELD_STRING,   /* v.p, `size` bytes; need not be terminated */
    THOLE_FIELD_CSTRING,  /* v.p, terminated by NUL; `size` is not looked at */
    THOLE_FIELD_BYTES,    /* v.p, `size` bytes; printed as hex text */
    THOLE_FIELD_ADDR,     /* v.p: a struct sockaddr of `size` bytes */
    THOLE_FIELD_ERRNO,    /* v.i: printed as number, name and text */
    THOLE_FIELD_DURATION, /* v.i, nanoseconds; printed as a number of seconds */
    THOLE_FIELD_HEX,      /* v.u, printed as "0x2a" */
    THOLE_FIELD_POINTER,  /* v.u, printed like HEX; 0 prints as null */
    THOLE_FIELD_SECRET    /* nothing is read; prints "***" */
};

/* A field for thole_log_fields(): the key is borrowed for the call only. */
typedef struct thole_field {
    const char *key;
    uint32_t type, size; /* enum thole_field_type; bytes at v.p */
    union {
        int64_t i;
        uint64_t u;
        double d;
        const void *p;
    } v;
} thole_field;

/* What the helpers return: each a type of its own, so that the macros can tell them apart. */
typedef struct thole_str_ {
    const char *p;
    size_t n;
} thole_str_;
typedef struct thole_bytes_ {
    const void *p;
    size_t n;
} thole_bytes_;
typedef struct thole_addr_ {
    const struct sockaddr *p;
    size_t n;
} thole_addr_;
typedef struct thole_errno_ {
    int64_t e;
} thole_errno_;
typedef struct thole_duration_ {
    int64_t ns;
} thole_duration_;
typedef struct thole_hex_ {
    uint64_t x;
} thole_hex_;
typedef struct thole_secret_ {
    uint64_t nothing;
} thole_secret_;

/* A string of n bytes that need not be terminated. */
static __inline__ thole_str_
thole_str(const char *p, size_t n)
{
    thole_str_ r;
    r.p = p;
    r.n = n;
    return r;
}

/* A string terminated by NUL, or NULL; for the macros. */
static __inline__ thole_str_
thole_text_(const char *p)
{
    thole_str_ r;
    r.p = p;
    r.n = p ? __builtin_strlen(p) : 0;
    return r;
}

/* n bytes, printed as hex text. */
static __inline__ thole_bytes_
thole_bytes(const void *p, size_t n)
{
    thole_bytes_ r;
    r.p = p;
    r.n = n;
    return r;
}

/* A socket address of len bytes: "10.0.0.7:4123", "[::1]:80", or a path. */
static __inline__ thole_addr_
thole_addr(const struct sockaddr *sa, size_t len)
{
    thole_addr_ r;
    r.p = sa;
    r.n = len < 128 ? len : 128; /* more than any has */
    return r;
}

/* An error number: key `err` gives "err":2,"err_name":"ENOENT","err_text":"No such file ...". */
static __inline__ thole_errno_
thole_errno(int e)
{
    thole_errno_ r;
    r.e = e;
    return r;
}

/* x units of `unit` nanoseconds; a duration past the range of int64_t stays at its end. */
static __inline__ thole_duration_
thole_duration_of_(int64_t x, int64_t unit)
{
    thole_duration_ r;
    if (x > INT64_MAX / unit)
        r.ns = INT64_MAX;
    else if (x < -(INT64_MAX / unit))
        r.ns = -INT64_MAX;
    else
        r.ns = x * unit;
    return r;
}

/* Durations, given in nano-, micro-, milliseconds or seconds; printed as a number of seconds. */
static __inline__ thole_duration_
thole_ns(int64_t x)
{
    return thole_duration_of_(x, 1);
}

static __inline__ thole_duration_
thole_us(int64_t x)
{
    return thole_duration_of_(x, 1000);
}

static __inline__ thole_duration_
thole_ms(int64_t x)
{
    return thole_duration_of_(x, 1000000);
}

static __inline__ thole_duration_
thole_s(int64_t x)
{
    return thole_duration_of_(x, 1000000000);
}

/* An integer, printed as the text "0x2a". */
static __inline__ thole_hex_
thole_hex(uint64_t x)
{
    thole_hex_ r;
    r.x = x;
    return r;
}

/* Any scalar as true or false (in C, `true` and comparisons are int). */
#define thole_bool(x) ((bool)((x) ? 1 : 0))

/* A secret: the value never leaves the call, the record says "***". */
static __inline__ thole_secret_
thole_secret(const void *s)
{
    thole_secret_ r = {0};
    (void)s;
    return r;
}

/*
 * From here on, the macros' own. A call site lays down one constant object: thole_site_, then one
 * tag for each value (enum thole_field_type; 0 ends them), then "file\0message\0key1\0key2" as one
 * literal: no pointers, so that it needs no relocations and can be compared by content after a
 * plug-in was unloaded.
 *
 * The values of one call are a block on its stack, widened to 8 bytes each by the compiler itself:
 * what is a number goes into the record as it stands. STRING, BYTES and ADDR are pointer and size;
 * the size of a literal is known when it is compiled.
 */
typedef struct thole_site_ {
    uint32_t line;
    uint16_t blob_len; /* bytes of the literal, its last NUL included */
    uint8_t level;     /* enum thole_level; 255: known only at run time */
    uint8_t nfields;
} thole_site_;

#ifdef __cplusplus
}
#endif

#if defined(__cplusplus) ? __cplusplus >= 201103L                                                  \
                         : defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define THOLE_MACROS_ 1
#endif

#ifdef THOLE_MACROS_

#ifdef __cplusplus
#include <type_traits>
extern "C++" {
template <class T, class E = void> struct thole_tag_of_ {
    static_assert(sizeof(T) == 0, "thole: unsupported value type");
    static constexpr unsigned char v = 0;
};
#define THOLE_TAG_OF_(T, V)                                                                        \
    template <> struct thole_tag_of_<T, void> {                                                    \
        static constexpr unsigned char v = V;                                                      \
    };
THOLE_TAG_OF_(bool, THOLE_FIELD_BOOL)
THOLE_TAG_OF_(char, THOLE_FIELD_INT)
THOLE_TAG_OF_(signed char, THOLE_FIELD_INT)
THOLE_TAG_OF_(unsigned char, THOLE_FIELD_INT)
THOLE_TAG_OF_(short, THOLE_FIELD_INT)
THOLE_TAG_OF_(unsigned short, THOLE_FIELD_INT)
THOLE_TAG_OF_(int, THOLE_FIELD_INT)
THOLE_TAG_OF_(unsigned, THOLE_FIELD_UINT)
THOLE_TAG_OF_(long, THOLE_FIELD_INT)
THOLE_TAG_OF_(unsigned long, THOLE_FIELD_UINT)
THOLE_TAG_OF_(long long, THOLE_FIELD_INT)
THOLE_TAG_OF_(unsigned long long, THOLE_FIELD_UINT)
THOLE_TAG_OF_(float, THOLE_FIELD_FLOAT)
THOLE_TAG_OF_(double, THOLE_FIELD_DOUBLE)
THOLE_TAG_OF_(char *, THOLE_FIELD_STRING)
THOLE_TAG_OF_(const char *, THOLE_FIELD_STRING)
THOLE_TAG_OF_(void *, THOLE_FIELD_POINTER)
THOLE_TAG_OF_(const void *, THOLE_FIELD_POINTER)
THOLE_TAG_OF_(decltype(nullptr), THOLE_FIELD_POINTER)
THOLE_TAG_OF_(thole_str_, THOLE_FIELD_STRING)
THOLE_TAG_OF_(thole_bytes_, THOLE_FIELD_BYTES)
THOLE_TAG_OF_(thole_addr_, THOLE_FIELD_ADDR)
THOLE_TAG_OF_(thole_errno_, THOLE_FIELD_ERRNO)
THOLE_TAG_OF_(thole_duration_, THOLE_FIELD_DURATION)
THOLE_TAG_OF_(thole_hex_, THOLE_FIELD_HEX)
THOLE_TAG_OF_(thole_secret_, THOLE_FIELD_SECRET)
#undef THOLE_TAG_OF_
/* An enum travels as the integer it is made of; a scoped one does not convert by itself. */
template <class T>
struct thole_tag_of_<T, typename std::enable_if<std::is_enum<T>::value>::type>
    : thole_tag_of_<typename std::underlying_type<T>::type> {
};
/* A value as the block keeps it. */
template <class T>
constexpr typename std::enable_if<std::is_class<T>::value, T>::type
thole_pass_(T x)
{
    return x;
}
template <class T>
constexpr
    typename std::enable_if<std::is_integral<T>::value && std::is_signed<T>::value, int64_t>::type
    thole_pass_(T x)
{
    return x;
}
template <class T>
constexpr
    typename std::enable_if<std::is_integral<T>::value && !std::is_signed<T>::value, uint64_t>::type
    thole_pass_(T x)
{
    return x;
}
template <class T>
constexpr typename std::enable_if<
    std::is_enum<T>::value,
    typename std::conditional<std::is_signed<typename std::underlying_type<T>::type>::value,
                              int64_t, uint64_t>::type>::type
thole_pass_(T x)
{
    return static_cast<typename std::underlying_type<T>::type>(x);
}
constexpr double
thole_pass_(double x)
{
    return x;
}
constexpr const void *
thole_pass_(const void *x)
{
    return x;
}
constexpr const void *
thole_pass_(decltype(nullptr))
{
    return nullptr;
}
inline thole_str_
thole_pass_(const char *x)
{
    return thole_text_(x);
}
/* The block: a member for each value. Not a class of the call's own: there `this` is another. */
template <class... T> struct thole_block_;
template <class T> struct thole_block_<T> {
    T thole_v_ __attribute__((aligned(8)));
    const void *
    thole_at_() const
    {
        return this;
    }
};
template <class T, class... U> struct thole_block_<T, U...> {
    T thole_v_ __attribute__((aligned(8)));
    thole_block_<U...> thole_rest_;
    const void *
    thole_at_() const
    {
        return this;
    }
};
template <class T>
constexpr thole_block_<T>
thole_block_of_(T v)
{
    return {v};
}
template <class T, class... U>
constexpr thole_block_<T, U...>
thole_block_of_(T v, U... rest)
{
    return {v, thole_block_of_(rest...)};
}
}
#define THOLE_TAG_(x) thole_tag_of_<typename std::decay<decltype(x)>::type>::v
#define THOLE_ARG_(x) thole_pass_(x)
#define THOLE_UNSIGNED_(x) static_cast<unsigned>(x)
#define THOLE_ASSERT_ static_assert
#define THOLE_IS_LITERAL_(s)                                                                       \
    (std::is_same<decltype((s)), const char(&)[sizeof(s)]>::value && __builtin_constant_p(s))
#else
#define THOLE_TAG_(x)                                                                              \
    _Generic((x), _Bool                                                                            \
             : THOLE_FIELD_BOOL, char                                                              \
             : THOLE_FIELD_INT, signed char                                                        \
             : THOLE_FIELD_INT, unsigned char                                                      \
             : THOLE_FIELD_INT, short                                                              \
             : THOLE_FIELD_INT, unsigned short                                                     \
             : THOLE_FIELD_INT, int                                                                \
             : THOLE_FIELD_INT, unsigned                                                           \
             : THOLE_FIELD_UINT, long                                                              \
             : THOLE_FIELD_INT, unsigned long                                                      \
             : THOLE_FIELD_UINT, long long                                                         \
             : THOLE_FIELD_INT, unsigned long long                                                 \
             : THOLE_FIELD_UINT, float                                                             \
             : THOLE_FIELD_FLOAT, double                                                           \
             : THOLE_FIELD_DOUBLE, char *                                                          \
             : THOLE_FIELD_STRING, const char *                                                   \
             : THOLE_FIELD_STRING, void *                                                         \
             : THOLE_FIELD_POINTER, const void *                                                   \
             : THOLE_FIELD_POINTER, thole_str_                                                     \
             : THOLE_FIELD_STRING, thole_bytes_                                                    \
             : THOLE_FIELD_BYTES, thole_addr_                                                      \
             : THOLE_FIELD_ADDR, thole_errno_                                                      \
             : THOLE_FIELD_ERRNO, thole_duration_                                                  \
             : THOLE_FIELD_DURATION, thole_hex_                                                    \
             : THOLE_FIELD_HEX, thole_secret_                                                      \
             : THOLE_FIELD_SECRET)
/* A value as the block keeps it; whatever THOLE_ARG_ does not name is an integer, or an error of
 * THOLE_TAG_. */
#define THOLE_SAME_(name, type)                                                                    \
    static __inline__ type name(type x)                                                            \
    {                                                                                              \
        return x;                                                                                  \
    }
THOLE_SAME_(thole_int_, int64_t)
THOLE_SAME_(thole_uint_, uint64_t)
THOLE_SAME_(thole_double_, double)
THOLE_SAME_(thole_pointer_, const void *)
THOLE_SAME_(thole_same_str_, thole_str_)
THOLE_SAME_(thole_same_bytes_, thole_bytes_)
THOLE_SAME_(thole_same_addr_, thole_addr_)
THOLE_SAME_(thole_same_errno_, thole_errno_)
THOLE_SAME_(thole_same_duration_, thole_duration_)
THOLE_SAME_(thole_same_hex_, thole_hex_)
THOLE_SAME_(thole_same_secret_, thole_secret_)
#undef THOLE_SAME_
#define THOLE_ARG_(x)                                                                              \
    _Generic((x), unsigned long                                                                    \
             : thole_uint_, unsigned long long                                                     \
             : thole_uint_, float                                                                  \
             : thole_double_, double                                                               \
             : thole_double_, char *                                                               \
             : thole_text_, const char *                                                           \
             : thole_text_, void *                                                                 \
             : thole_pointer_, const void *                                                        \
             : thole_pointer_, thole_str_                                                          \
             : thole_same_str_, thole_bytes_                                                       \
             : thole_same_bytes_, thole_addr_                                                      \
             : thole_same_addr_, thole_errno_                                                      \
             : thole_same_errno_, thole_duration_                                                  \
             : thole_same_duration_, thole_hex_                                                    \
             : thole_same_hex_, thole_secret_                                                      \
             : thole_same_secret_, default                                                         \
             : thole_int_)(x)
#define THOLE_UNSIGNED_(x) ((unsigned)(x))
#define THOLE_ASSERT_ _Static_assert
/* -Wwrite-strings makes literals const in C, so both spellings count. */
#define THOLE_IS_LITERAL_(s)                                                                       \
    ((__builtin_types_compatible_p(__typeof__(&(s)), char(*)[sizeof(s)]) ||                        \
      __builtin_types_compatible_p(__typeof__(&(s)), const char(*)[sizeof(s)])) &&                 \
     __builtin_constant_p(s))
#endif

#define THOLE_CHECK_LITERAL_(s, what)                                                              \
    THOLE_ASSERT_(THOLE_IS_LITERAL_(s), "thole: " what " must be a string literal");               \
    THOLE_ASSERT_(sizeof("" s "") - 1 == __builtin_strlen("" s ""),                                \
                  "thole: " what " must not contain a NUL");

/* An argument that was left out is an empty one: then its text is "". */
#define THOLE_CHECK_MESSAGE_(s) THOLE_CHECK_MESSAGE_DO_(s)
#define THOLE_CHECK_MESSAGE_DO_(s)                                                                 \
    THOLE_ASSERT_(sizeof(#s) > 1, "thole: a message is missing");                                  \
    THOLE_CHECK_LITERAL_(s, "the message")

/* The number of pairs among the arguments that follow a first one: 0 to 16, ODD or MANY. */
#define THOLE_PAIRS_(...)                                                                          \
    THOLE_PAIRS_PICK_(__VA_ARGS__, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY,     \
                      MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY,      \
                      MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, 16, ODD, 15, ODD, 14, ODD,   \
                      13, ODD, 12, ODD, 11, ODD, 10, ODD, 9, ODD, 8, ODD, 7, ODD, 6, ODD, 5, ODD,  \
                      4, ODD, 3, ODD, 2, ODD, 1, ODD, 0, dummy)
#define THOLE_PAIRS_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16,   \
                          a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30,    \
                          a31, a32, a33, a34, a35, a36, a37, a38, a39, a40, a41, a42, a43, a44,    \
                          a45, a46, a47, a48, a49, a50, a51, a52, a53, a54, a55, a56, a57, a58,    \
                          a59, a60, a61, a62, a63, N, ...)                                         \
    N

#define THOLE_FIRST_(...) THOLE_FIRST_PICK_(__VA_ARGS__, dummy)
#define THOLE_FIRST_PICK_(first, ...) first

/* A name of its own, so that it reads and is formatted as a statement. */
#define THOLE_CHECK_PAIRS_(n, ...) THOLE_CHECK_##n(__VA_ARGS__)

/* One rung a pair; `m` is the argument before the pairs and stays in front on every rung. */
#define THOLE_CHECK_0(m)
#define THOLE_CHECK_1(m, k, v) THOLE_CHECK_LITERAL_(k, "a key")
#define THOLE_CHECK_2(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_1(m, __VA_ARGS__)
#define THOLE_CHECK_3(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_2(m, __VA_ARGS__)
#define THOLE_CHECK_4(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_3(m, __VA_ARGS__)
#define THOLE_CHECK_5(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_4(m, __VA_ARGS__)
#define THOLE_CHECK_6(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_5(m, __VA_ARGS__)
#define THOLE_CHECK_7(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_6(m, __VA_ARGS__)
#define THOLE_CHECK_8(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_7(m, __VA_ARGS__)
#define THOLE_CHECK_9(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_8(m, __VA_ARGS__)
#define THOLE_CHECK_10(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_9(m, __VA_ARGS__)
#define THOLE_CHECK_11(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_10(m, __VA_ARGS__)
#define THOLE_CHECK_12(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_11(m, __VA_ARGS__)
#define THOLE_CHECK_13(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_12(m, __VA_ARGS__)
#define THOLE_CHECK_14(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_13(m, __VA_ARGS__)
#define THOLE_CHECK_15(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_14(m, __VA_ARGS__)
#define THOLE_CHECK_16(m, k, v, ...) THOLE_CHECK_1(m, k, v) THOLE_CHECK_15(m, __VA_ARGS__)
#define THOLE_CHECK_ODD(...)                                                                       \
    THOLE_ASSERT_(0, "thole: every key needs a value (odd number of key and value arguments)");
#define THOLE_CHECK_MANY(...) THOLE_ASSERT_(0, "thole: more than 16 key and value pairs");

#define THOLE_KEYS_0(m)
#define THOLE_KEYS_1(m, k, v) "\0" k
#define THOLE_KEYS_2(m, k, v, ...) "\0" k THOLE_KEYS_1(m, __VA_ARGS__)
#define THOLE_KEYS_3(m, k, v, ...) "\0" k THOLE_KEYS_2(m, __VA_ARGS__)
#define THOLE_KEYS_4(m, k, v, ...) "\0" k THOLE_KEYS_3(m, __VA_ARGS__)
#define THOLE_KEYS_5(m, k, v, ...) "\0" k THOLE_KEYS_4(m, __VA_ARGS__)
#define THOLE_KEYS_6(m, k, v, ...) "\0" k THOLE_KEYS_5(m, __VA_ARGS__)
#define THOLE_KEYS_7(m, k, v, ...) "\0" k THOLE_KEYS_6(m, __VA_ARGS__)
#define THOLE_KEYS_8(m, k, v, ...) "\0" k THOLE_KEYS_7(m, __VA_ARGS__)
#define THOLE_KEYS_9(m, k, v, ...) "\0" k THOLE_KEYS_8(m, __VA_ARGS__)
#define THOLE_KEYS_10(m, k, v, ...) "\0" k THOLE_KEYS_9(m, __VA_ARGS__)
#define THOLE_KEYS_11(m, k, v, ...) "\0" k THOLE_KEYS_10(m, __VA_ARGS__)
#define THOLE_KEYS_12(m, k, v, ...) "\0" k THOLE_KEYS_11(m, __VA_ARGS__)
#define THOLE_KEYS_13(m, k, v, ...) "\0" k THOLE_KEYS_12(m, __VA_ARGS__)
#define THOLE_KEYS_14(m, k, v, ...) "\0" k THOLE_KEYS_13(m, __VA_ARGS__)
#define THOLE_KEYS_15(m, k, v, ...) "\0" k THOLE_KEYS_14(m, __VA_ARGS__)
#define THOLE_KEYS_16(m, k, v, ...) "\0" k THOLE_KEYS_15(m, __VA_ARGS__)
#define THOLE_KEYS_ODD(...)
#define THOLE_KEYS_MANY(...)

#define THOLE_TAGS_0(m) THOLE_FIELD_NULL
#define THOLE_TAGS_1(m, k, v) THOLE_TAG_(v), THOLE_FIELD_NULL
#define THOLE_TAGS_2(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_1(m, __VA_ARGS__)
#define THOLE_TAGS_3(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_2(m, __VA_ARGS__)
#define THOLE_TAGS_4(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_3(m, __VA_ARGS__)
#define THOLE_TAGS_5(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_4(m, __VA_ARGS__)
#define THOLE_TAGS_6(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_5(m, __VA_ARGS__)
#define THOLE_TAGS_7(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_6(m, __VA_ARGS__)
#define THOLE_TAGS_8(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_7(m, __VA_ARGS__)
#define THOLE_TAGS_9(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_8(m, __VA_ARGS__)
#define THOLE_TAGS_10(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_9(m, __VA_ARGS__)
#define THOLE_TAGS_11(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_10(m, __VA_ARGS__)
#define THOLE_TAGS_12(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_11(m, __VA_ARGS__)
#define THOLE_TAGS_13(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_12(m, __VA_ARGS__)
#define THOLE_TAGS_14(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_13(m, __VA_ARGS__)
#define THOLE_TAGS_15(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_14(m, __VA_ARGS__)
#define THOLE_TAGS_16(m, k, v, ...) THOLE_TAG_(v), THOLE_TAGS_15(m, __VA_ARGS__)
#define THOLE_TAGS_ODD(...) THOLE_FIELD_NULL
#define THOLE_TAGS_MANY(...) THOLE_FIELD_NULL

/* The block in C: a type and a member for each value, named by the rung. The types stand outside of
 * the struct, where __func__ is not at home. */
#define THOLE_TYPE_(v, n) typedef __typeof__(THOLE_ARG_(v)) thole_t##n##_;
#define THOLE_TYPES_0(m)
#define THOLE_TYPES_1(m, k, v) THOLE_TYPE_(v, 1)
#define THOLE_TYPES_2(m, k, v, ...)                                                                \
    THOLE_TYPE_(v, 2)                                                                              \
    THOLE_TYPES_1(m, __VA_ARGS__)
#define THOLE_TYPES_3(m, k, v, ...)                                                                \
    THOLE_TYPE_(v, 3)                                                                              \
    THOLE_TYPES_2(m, __VA_ARGS__)
#define THOLE_TYPES_4(m, k, v, ...)                                                                \
    THOLE_TYPE_(v, 4)                                                                              \
    THOLE_TYPES_3(m, __VA_ARGS__)
#define THOLE_TYPES_5(m, k, v, ...)                                                                \
    THOLE_TYPE_(v, 5)                                                                              \
    THOLE_TYPES_4(m, __VA_ARGS__)
#define THOLE_TYPES_6(m, k, v, ...)                                                                \
    THOLE_TYPE_(v, 6)                                                                              \
    THOLE_TYPES_5(m, __VA_ARGS__)
#define THOLE_TYPES_7(m, k, v, ...)                                                                \
    THOLE_TYPE_(v, 7)                                                                              \
    THOLE_TYPES_6(m, __VA_ARGS__)
#define THOLE_TYPES_8(m, k, v, ...)                                                                \
    THOLE_TYPE_(v, 8)                                                                              \
    THOLE_TYPES_7(m, __VA_ARGS__)
#define THOLE_TYPES_9(m, k, v, ...)                                                                \
    THOLE_TYPE_(v, 9)                                                                              \
    THOLE_TYPES_8(m, __VA_ARGS__)
#define THOLE_TYPES_10(m, k, v, ...)                                                               \
    THOLE_TYPE_(v, 10)                                                                             \
    THOLE_TYPES_9(m, __VA_ARGS__)
#define THOLE_TYPES_11(m, k, v, ...)                                                               \
    THOLE_TYPE_(v, 11)                                                                             \
    THOLE_TYPES_10(m, __VA_ARGS__)
#define THOLE_TYPES_12(m, k, v, ...)                                                               \
    THOLE_TYPE_(v, 12)                                                                             \
    THOLE_TYPES_11(m, __VA_ARGS__)
#define THOLE_TYPES_13(m, k, v, ...)                                                               \
    THOLE_TYPE_(v, 13)                                                                             \
    THOLE_TYPES_12(m, __VA_ARGS__)
#define THOLE_TYPES_14(m, k, v, ...)                                                               \
    THOLE_TYPE_(v, 14)                                                                             \
    THOLE_TYPES_13(m, __VA_ARGS__)
#define THOLE_TYPES_15(m, k, v, ...)                                                               \
    THOLE_TYPE_(v, 15)                                                                             \
    THOLE_TYPES_14(m, __VA_ARGS__)
#define THOLE_TYPES_16(m, k, v, ...)                                                               \
    THOLE_TYPE_(v, 16)                                                                             \
    THOLE_TYPES_15(m, __VA_ARGS__)
#define THOLE_TYPES_ODD(...)
#define THOLE_TYPES_MANY(...)

#define THOLE_MEMBER_(n) thole_t##n##_ thole_v##n##_ __attribute__((aligned(8)));
#define THOLE_MEMBERS_0 uint64_t thole_none_;
#define THOLE_MEMBERS_1 THOLE_MEMBER_(1)
#define THOLE_MEMBERS_2                                                                            \
    THOLE_MEMBER_(2)                                                                               \
    THOLE_MEMBERS_1
#define THOLE_MEMBERS_3                                                                            \
    THOLE_MEMBER_(3)                                                                               \
    THOLE_MEMBERS_2
#define THOLE_MEMBERS_4                                                                            \
    THOLE_MEMBER_(4)                                                                               \
    THOLE_MEMBERS_3
#define THOLE_MEMBERS_5                                                                            \
    THOLE_MEMBER_(5)                                                                               \
    THOLE_MEMBERS_4
#define THOLE_MEMBERS_6                                                                            \
    THOLE_MEMBER_(6)                                                                               \
    THOLE_MEMBERS_5
#define THOLE_MEMBERS_7                                                                            \
    THOLE_MEMBER_(7)                                                                               \
    THOLE_MEMBERS_6
#define THOLE_MEMBERS_8                                                                            \
    THOLE_MEMBER_(8)                                                                               \
    THOLE_MEMBERS_7
#define THOLE_MEMBERS_9                                                                            \
    THOLE_MEMBER_(9)                                                                               \
    THOLE_MEMBERS_8
#define THOLE_MEMBERS_10                                                                           \
    THOLE_MEMBER_(10)                                                                              \
    THOLE_MEMBERS_9
#define THOLE_MEMBERS_11                                                                           \
    THOLE_MEMBER_(11)                                                                              \
    THOLE_MEMBERS_10
#define THOLE_MEMBERS_12                                                                           \
    THOLE_MEMBER_(12)                                                                              \
    THOLE_MEMBERS_11
#define THOLE_MEMBERS_13                                                                           \
    THOLE_MEMBER_(13)                                                                              \
    THOLE_MEMBERS_12
#define THOLE_MEMBERS_14                                                                           \
    THOLE_MEMBER_(14)                                                                              \
    THOLE_MEMBERS_13
#define THOLE_MEMBERS_15                                                                           \
    THOLE_MEMBER_(15)                                                                              \
    THOLE_MEMBERS_14
#define THOLE_MEMBERS_16                                                                           \
    THOLE_MEMBER_(16)                                                                              \
    THOLE_MEMBERS_15
#define THOLE_MEMBERS_ODD THOLE_MEMBERS_0
#define THOLE_MEMBERS_MANY THOLE_MEMBERS_0

#define THOLE_VALUES_0(m) 0
#define THOLE_VALUES_1(m, k, v) THOLE_ARG_(v)
#define THOLE_VALUES_2(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_1(m, __VA_ARGS__)
#define THOLE_VALUES_3(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_2(m, __VA_ARGS__)
#define THOLE_VALUES_4(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_3(m, __VA_ARGS__)
#define THOLE_VALUES_5(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_4(m, __VA_ARGS__)
#define THOLE_VALUES_6(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_5(m, __VA_ARGS__)
#define THOLE_VALUES_7(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_6(m, __VA_ARGS__)
#define THOLE_VALUES_8(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_7(m, __VA_ARGS__)
#define THOLE_VALUES_9(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_8(m, __VA_ARGS__)
#define THOLE_VALUES_10(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_9(m, __VA_ARGS__)
#define THOLE_VALUES_11(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_10(m, __VA_ARGS__)
#define THOLE_VALUES_12(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_11(m, __VA_ARGS__)
#define THOLE_VALUES_13(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_12(m, __VA_ARGS__)
#define THOLE_VALUES_14(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_13(m, __VA_ARGS__)
#define THOLE_VALUES_15(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_14(m, __VA_ARGS__)
#define THOLE_VALUES_16(m, k, v, ...) THOLE_ARG_(v), THOLE_VALUES_15(m, __VA_ARGS__)
#define THOLE_VALUES_ODD(...) 0
#define THOLE_VALUES_MANY(...) 0

/* The number of fields: an error has reported itself already, so it counts as none. */
#define THOLE_N_0 0
#define THOLE_N_1 1
#define THOLE_N_2 2
#define THOLE_N_3 3
#define THOLE_N_4 4
#define THOLE_N_5 5
#define THOLE_N_6 6
#define THOLE_N_7 7
#define THOLE_N_8 8
#define THOLE_N_9 9
#define THOLE_N_10 10
#define THOLE_N_11 11
#define THOLE_N_12 12
#define THOLE_N_13 13
#define THOLE_N_14 14
#define THOLE_N_15 15
#define THOLE_N_16 16
#define THOLE_N_ODD 0
#define THOLE_N_MANY 0

/* The constant object of a call site and its mutable word; `head` is the message ("" for none). */
#define THOLE_SITE_(lvl, n, head, ...)                                                             \
    THOLE_ASSERT_(sizeof(__FILE__ "\0" head THOLE_KEYS_##n(__VA_ARGS__)) <= 65535,                 \
                  "thole: file, message and keys are longer than 65535 bytes");                    \
    static const struct {                                                                          \
        thole_site_ site;                                                                          \
        unsigned char tags[THOLE_N_##n + 1];                                                       \
        char blob[sizeof(__FILE__ "\0" head THOLE_KEYS_##n(__VA_ARGS__))];                         \
    } thole_here_ __attribute__((aligned(4))) = {                                                  \
        {__LINE__, sizeof(__FILE__ "\0" head THOLE_KEYS_##n(__VA_ARGS__)), lvl, THOLE_N_##n},      \
        {THOLE_TAGS_##n(__VA_ARGS__)},                                                             \
        __FILE__ "\0" head THOLE_KEYS_##n(__VA_ARGS__)};                                           \
    static uint64_t thole_word_;

/* The values of one call, evaluated in the expression that this is part of: what they point at may
 * be temporaries, which live as long as that. */
#ifdef __cplusplus
#define THOLE_BLOCK_TYPE_(n, ...)
#define THOLE_BLOCK_(n, ...) thole_block_of_(THOLE_VALUES_##n(__VA_ARGS__)).thole_at_()
#else
#define THOLE_BLOCK_TYPE_(n, ...)                                                                  \
    THOLE_TYPES_##n(__VA_ARGS__) struct thole_values_ {                                            \
        THOLE_MEMBERS_##n                                                                          \
    };
#define THOLE_BLOCK_(n, ...)                                                                       \
    &(const struct thole_values_)                                                                  \
    {                                                                                              \
        THOLE_VALUES_##n(__VA_ARGS__)                                                              \
    }
#endif

#endif /* THOLE_MACROS_ */
#endif
