/* SPDX-License-Identifier: MIT */
/* Claim: any 64 bits are safe to log through, bind, count, give back, ask; a million random ones.
 */
#include "check.h"

#define HANDLES 1000000u

static uint64_t
next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void
use(thole_logger lg, uint64_t n)
{
    thole_logger copy = lg, child;
    thole_info(lg, "through random bits", "n", n);
    (void)thole_enabled(lg, THOLE_TRACE);
    (void)thole_get_level(lg);
    thole_ref(lg);
    thole_bind(&copy, "k", n);
    thole_child(&child, lg, "k", n);
    thole_unref(&child);
    thole_unref(&copy);
}

int
main(int argc, char **argv)
{
    uint64_t x = 88172645463325252u, handles = argc > 1 ? strtoull(argv[1], NULL, 10) : HANDLES;
    thole_logger live;
    start_with("null:", "children=1000");
    thole_child(&live, thole_get("race.handles"), "conn", 1);
    for (uint64_t n = 0; n < handles; n++) {
        thole_logger lg = {next(&x)};
        if (n % 4 == 0) /* slots and generations that are in use, with other bits wrong */
            lg.bits = (live.bits & 0xFFFFFu) | (next(&x) & 0x3FFF00000u);
        if (lg.bits != live.bits)
            use(lg, n);
    }
    thole_unref(&live);
    CHECK(thole_flush(10000) == 0);
    struct thole_stats s = check_identities();
    CHECK(s.children == 0 && s.stale > handles);
    CHECK(thole_stop(10000) == 0);
    printf("%llu random handles, %llu stale uses counted\n", (unsigned long long)handles,
           (unsigned long long)s.stale);
    return 0;
}
