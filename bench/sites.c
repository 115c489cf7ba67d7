/* SPDX-License-Identifier: MIT */
/*
 * A plug-in of SITES call sites, for `sizes` to measure; what is beyond the first is their size.
 * With GUARDED they are what one writes by hand: an if before an fprintf.
 */
#include <stdio.h>
#include <thole/thole.h>

#include "workload.h"

void bench_sites(thole_logger lg, FILE *out, const int *level, int i);

#define TEXT(n) "request " #n
#ifdef GUARDED
#define SITE(n)                                                                                    \
    if (*level >= 6)                                                                               \
        fprintf(out, TEXT(n) " path=%s status=%d bytes=%d\n", "/index.html", 200, i);              \
    __asm__ volatile("" ::: "memory"); /* the level is read again */
#else
#define SITE(n) thole_info(lg, TEXT(n), WORK_3S(i));
#endif

#define TEN(t)                                                                                     \
    SITE(t##0)                                                                                     \
    SITE(t##1)                                                                                     \
    SITE(t##2) SITE(t##3) SITE(t##4) SITE(t##5) SITE(t##6) SITE(t##7) SITE(t##8) SITE(t##9)

void
bench_sites(thole_logger lg, FILE *out, const int *level, int i)
{
    (void)lg;
    (void)out;
    (void)level;
    SITE(100)
#if SITES == 101
    TEN(11)
    TEN(12)
    TEN(13)
    TEN(14)
    TEN(15)
    TEN(16)
    TEN(17)
    TEN(18)
    TEN(19)
    TEN(20)
#endif
}
