/* SPDX-License-Identifier: MIT */
/* Extensions of the compilers we use, under one name each. */
#ifndef THL_COMPILER_H
#define THL_COMPILER_H

#define THL_EXPORT __attribute__((visibility("default")))
#define THL_COLD __attribute__((cold, noinline))
#define THL_TLS _Thread_local __attribute__((tls_model("initial-exec")))
#define THL_LIKELY(x) __builtin_expect(!!(x), 1)
#define THL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define THL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define THL_CACHE_LINE 64

#endif
