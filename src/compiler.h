/* SPDX-License-Identifier: MIT */
/* Extensions of the compilers we use, under one name each. */
#ifndef THL_COMPILER_H
#define THL_COMPILER_H

#define THL_EXPORT __attribute__((visibility("default")))
#define THL_COLD __attribute__((cold, noinline))
#define THL_APART __attribute__((noinline)) /* its registers cost those who do not call it */
#define THL_ALWAYS_INLINE inline __attribute__((always_inline))
#define THL_TLS _Thread_local __attribute__((tls_model("initial-exec")))
#define THL_LIKELY(x) __builtin_expect(!!(x), 1)
#define THL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define THL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define THL_CACHE_LINE 64

/* Asks for a line that will be written, and perhaps still is another core's; any address will do.
 * __builtin_prefetch only reads it on x86, unless all of the program is for newer processors; the
 * instruction itself is of every x86-64, if only as one that does nothing. */
#if defined(__x86_64__)
#define THL_PREFETCH_TO_WRITE(p) __asm__ volatile("prefetchw %0" : : "m"(*(const char *)(p)))
#else
#define THL_PREFETCH_TO_WRITE(p) __builtin_prefetch((p), 1)
#endif

#endif
