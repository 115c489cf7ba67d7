/* SPDX-License-Identifier: MIT */
/* Every call here is right: it compiles without a warning as C11 to 17 and as C++11 to 20. */
#define v1 a macro of the user
#define none another
#include <netinet/in.h>
#include <thole/test.h>
#include <thole/thole.h>

enum colour { RED, GREEN = 7 };

#ifdef __cplusplus
enum class scoped : unsigned char { one, two };
#endif

struct conn {
    thole_logger log;
    int fd;
    unsigned flag : 3;
    unsigned long wide : 40;
    struct sockaddr_in peer;
};

#define MESSAGE "a message from a macro"
#define KEY "key"

#ifdef __cplusplus
struct session {
    thole_logger log;
    int bytes;
    int
    size() const
    {
        return bytes;
    }
    void
    of_a_class()
    {
        thole_info(log, "of a class", "member", bytes, "this", this->bytes, "call", size());
        thole_bind(&log, "size", size());
        [this] { thole_info(log, "in a lambda", "size", size(), "this", this->bytes); }();
#if __cplusplus >= 201703L
        const struct {
            int a, b;
        } pair = {1, 2};
        auto [first, second] = pair;
        thole_info(log, "structured bindings", "first", first, "second", second);
#endif
    }
};
#endif

void every_integer(thole_logger lg, long l, unsigned long ul, long long ll, unsigned long long ull);
void every_other_type(thole_logger lg, struct conn *conn, const char *text, void *pointer);
void every_helper(thole_logger lg, const struct conn *conn, const char *text);
void every_count(thole_logger lg, struct conn *conn);
void every_level(thole_logger lg, enum thole_level level, const char *text);
int every_statement(thole_logger lg, int x, bool b);
void contexts(thole_logger net, struct conn *conn, const char *text);
void run_time_fields(thole_logger lg);
void test_kit(int if_any);

static inline void
log_from_a_header(thole_logger lg, int x)
{
    if (x)
        thole_info(lg, "in an inline function", "x", x);
    else
        thole_debug(lg, "in an inline function");
}

void
every_integer(thole_logger lg, long l, unsigned long ul, long long ll, unsigned long long ull)
{
    char c = 'c';
    signed char sc = -1;
    unsigned char uc = 1;
    short s = -2;
    unsigned short us = 2;
    const int i = -3;
    volatile unsigned u = 3;
    size_t size = sizeof(i);

    thole_info(lg, "integers", "c", c, "sc", sc, "uc", uc, "s", s, "us", us, "i", i, "u", u, "l", l,
               "ul", ul, "ll", ll, "ull", ull, "size", size);
    thole_info(lg, "fixed", "i8", (int8_t)-1, "u8", (uint8_t)1, "i16", (int16_t)-1, "u16",
               (uint16_t)1, "i32", (int32_t)-1, "u32", (uint32_t)1, "i64", (int64_t)-1, "u64",
               (uint64_t)1);
}

void
every_other_type(thole_logger lg, struct conn *conn, const char *text, void *pointer)
{
    char local[16] = "local";
    static const char fixed[] = "fixed";
    bool b = conn != NULL;
    enum colour colour = GREEN;
    float f = 1.5F;
    double d = 2.5;
    const void *fixed_pointer = pointer;

    thole_info(lg, "texts", "text", text, "local", local, "fixed", fixed, "literal", "literal");
    thole_info(lg, "others", "b", b, "colour", colour, "f", f, "d", d, "pointer", pointer,
               "fixed_pointer", fixed_pointer, "conn", (void *)conn);
    thole_info(lg, "nothing", "null", (void *)0, "no text", (const char *)NULL);
    thole_info(lg, "this function", "func", __func__);
    thole_info(lg, "bit-fields", "flag", +conn->flag, "wide", (uint64_t)conn->wide);
    thole_info(lg, MESSAGE " and a literal", KEY, 1, KEY "2", 2, "1digit", 3, "", 4);
#ifdef __cplusplus
    thole_info(lg, "scoped", "enum", scoped::two, "null", nullptr);
#endif
}

void
every_helper(thole_logger lg, const struct conn *conn, const char *text)
{
    thole_info(lg, "helpers", "str", thole_str(text, 3), "bytes", thole_bytes(text, 3), "addr",
               thole_addr((const struct sockaddr *)(const void *)&conn->peer, sizeof(conn->peer)),
               "errno", thole_errno(ENOENT), "ns", thole_ns(1), "us", thole_us(2), "ms",
               thole_ms(3), "s", thole_s(4), "hex", thole_hex(0xffU), "bool",
               thole_bool(conn->fd > 0), "secret", thole_secret(text));
}

void
every_count(thole_logger lg, struct conn *conn)
{
    thole_info(lg, "0");
    thole_info(lg, "1", "a", 1);
    thole_info(lg, "2", "a", 1, "b", 2);
    thole_info(lg, "3", "a", 1, "b", 2, "c", 3);
    thole_info(lg, "4", "a", 1, "b", 2, "c", 3, "d", 4);
    thole_info(lg, "5", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5);
    thole_info(lg, "6", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6);
    thole_info(lg, "7", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7);
    thole_info(lg, "8", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8);
    thole_info(lg, "9", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9);
    thole_info(lg, "10", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10);
    thole_info(lg, "11", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10, "k", 11);
    thole_info(lg, "12", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10, "k", 11, "l", 12);
    thole_info(lg, "13", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10, "k", 11, "l", 12, "m", 13);
    thole_info(lg, "14", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10, "k", 11, "l", 12, "m", 13, "n", 14);
    thole_info(lg, "15", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10, "k", 11, "l", 12, "m", 13, "n", 14, "o", 15);
    thole_info(lg, "16", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10, "k", 11, "l", 12, "m", 13, "n", 14, "o", 15, "p", 16);
    thole_child(&conn->log, lg, "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i",
                9, "j", 10, "k", 11, "l", 12, "m", 13, "n", 14, "o", 15, "p", 16);
    thole_bind(&conn->log, "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6, "g", 7, "h", 8, "i", 9,
               "j", 10, "k", 11, "l", 12, "m", 13, "n", 14, "o", 15, "p", 16);
}

void
every_level(thole_logger lg, enum thole_level level, const char *text)
{
    thole_trace(lg, "trace");
    thole_debug(lg, "debug", "k", 1);
    thole_info(lg, "info", "k", 1);
    thole_notice(lg, "notice", "k", 1);
    thole_warn(lg, "warn", "k", 1);
    thole_error(lg, "error", "k", 1);
    thole_crit(lg, "crit", "k", 1);
    thole_alert(lg, "alert", "k", 1);
    thole_emerg(lg, "emerg", "k", 1);
    thole_log(lg, level, "any", "k", 1);
    thole_infof(lg, "listening on %s:%d", text, 80);
    thole_errorf(lg, "nothing to fill in");
    thole_logf(lg, level, "%s", text);
}

int
every_statement(thole_logger lg, int x, bool b)
{
    if (x)
        thole_info(lg, "if");
    else
        thole_error(lg, "else", "x", x);
    if (x)
        thole_log(lg, x > 3 ? THOLE_WARN : THOLE_DEBUG, "then", "x", x);
    else if (b)
        thole_infof(lg, "else if %d", x);
    else
        thole_debug(lg, "else");
    for (int i = 0; i < x; i++)
        thole_trace(lg, "for", "i", i);
    while (x-- > 0)
        thole_trace(lg, "while", "x", x);
    do
        thole_trace(lg, "do");
    while (x > 0);
    switch (x) {
    case 1:
        thole_info(lg, "case");
        break;
    default:
        thole_info(lg, "default", "x", x ? x : 1);
    }
    thole_info(b ? lg : thole_current(), "any expression", "x", (x++, x));
    log_from_a_header(lg, x);
    return x;
}

void
contexts(thole_logger net, struct conn *conn, const char *text)
{
    thole_logger previous = thole_scope_enter(conn->log);

    thole_child(&conn->log, net);
    thole_child(&conn->log, thole_get("net"), "conn", conn->fd, "peer", text);
    if (text)
        thole_bind(&conn->log, "client_id", text);
    else
        thole_child(&conn->log, net, "conn", conn->fd);
    thole_unref(&conn->log);
    thole_scope_leave(previous);
}

void
run_time_fields(thole_logger lg)
{
    thole_field fields[2];

    fields[0].key = "i";
    fields[0].type = THOLE_FIELD_INT;
    fields[0].v.i = -1;
    fields[1].key = "s";
    fields[1].type = THOLE_FIELD_STRING;
    fields[1].size = 1;
    fields[1].v.p = "s";
    thole_log_fields(lg, THOLE_INFO, "fields", fields, 2);
}

void
test_kit(int if_any)
{
    if (if_any)
        THOLE_TEST_NO_LEAKS();
    else
        thole_test_set_clock(INT64_C(1795352041) * 1000000000);
    THOLE_TEST_NO_LEAKS();
}
