/* SPDX-License-Identifier: MIT */
/*
 * SIGTRAP after every instruction of what stands between single_step_begin() and single_step_end():
 * the processor's trap flag. What a timer finds by luck, this finds in one pass. The kernel clears
 * the flag for the handler and restores it behind it. Nothing in between may block SIGTRAP.
 */
#ifndef THL_RACE_SINGLE_STEP_H
#define THL_RACE_SINGLE_STEP_H

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define SINGLE_STEP 1
#else
#define SINGLE_STEP 0 /* another processor, or a handler inside the sanitizer's own locks */
#endif
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#undef SINGLE_STEP
#define SINGLE_STEP 0
#endif
#endif

/* The 128 bytes below the stack pointer may be in use. */
static inline void
single_step_begin(void)
{
#if SINGLE_STEP
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
#endif
}

static inline void
single_step_end(void)
{
#if SINGLE_STEP
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
#endif
}

#endif
