/* SPDX-License-Identifier: MIT */
/*
 * Copying a child's context while others bind, end, make and overwrite (thl_slab_open, _copy,
 * _replace in src/slab.c; thl_emission_put in src/emission.c).
 *
 * Who: a reader with a handle of child 1 that it need not hold. The owner of child 1 (slot 0) binds
 *   it twice and ends it, then makes child 2 in the same slot, binds and ends it. A neighbour makes
 *   child 3 in slot 1, binds and ends it, so that it takes and overwrites the blocks that the first
 *   let go, and the other way round.
 * A block is a size word and two words of content, each stored on its own; in the pool the size word
 *   is a link, which may well read 0 (the bottom of the stack). Content is a number that is
 *   different for each fill, so a torn copy and a foreign copy both show.
 * The reader's second look reads `life` and `context` in either order: they are relaxed loads.
 * Claim: a copy that is accepted is whole, is of child 1, and is one of its own contexts, and is never
 *   empty; every block is free at the end.
 * Not here: weak memory. That a reader which saw a foreign word also sees the change of `context` or
 *   `life` rests on release and acquire of each word, argued in slab.h.
 *
 * MUTANT_FREE_FIRST      bind frees the old block before its compare-and-swap
 * MUTANT_NO_SECOND_LOOK  the copy is accepted as it is
 * MUTANT_NO_LIFE_LOOK    the second look leaves `life` out: the child of the same slot is taken
 * MUTANT_NO_CONTEXT_LOOK the second look leaves `context` out: torn by bind
 * MUTANT_VERSION_RESET   create begins the versions at 0 again. Found: reader looks at `life` (still
 *                        child 1), is preempted, the slot is made again with the same block and the
 *                        same version, then it looks at `context`
 * MUTANT_EMPTY_UNCHECKED a context whose size reads 0 is accepted without the second look
 *
 * run: -DSAFETY -DCOLLAPSE -m100000
 */
#define SLOTS 2
#define BLOCKS 3
#define NONE 255
#define CHILD(content) ((content) >> 4) /* content: child and number of the fill */

byte gen[SLOTS] = 1;
bool alive[SLOTS];                     /* references > 0 */
byte version[SLOTS], block[SLOTS] = NONE; /* one word */
byte size[BLOCKS], first[BLOCKS], second[BLOCKS];
bool free[BLOCKS] = true;
byte fills[4]; /* ghost: of each child */
bool handed_out; /* the reader has the handle */

inline take_block(b)
{
    atomic { /* any free one: more orders than the stack of pool.c has */
        if
        :: free[0] -> b = 0
        :: free[1] -> b = 1
        :: free[2] -> b = 2
        fi;
        free[b] = false
    }
}

inline fill(b, child)
{
    size[b] = 2;
    first[b] = child << 4 | fills[child];
    second[b] = child << 4 | fills[child];
    d_step { fills[child]++ }
}

inline free_block(b)
{
    size[b] = 0; /* the link */
    d_step { assert(!free[b]); free[b] = true }
}

inline create(slot, child)
{
    take_block(b);
    fill(b, child);
    d_step {
#ifdef MUTANT_VERSION_RESET
        version[slot] = 0;
#else
        version[slot]++;
#endif
        block[slot] = b
    };
    alive[slot] = true;
    b = 0
}

/* The caller holds a reference; nobody else binds. A lost race with the end is in slab.pml. */
inline bind(slot, child)
{
    old = block[slot];
    take_block(b);
    fill(b, child);
#ifdef MUTANT_FREE_FIRST
    free_block(old);
#endif
    d_step { version[slot]++; block[slot] = b };
#ifndef MUTANT_FREE_FIRST
    free_block(old);
#endif
    b = 0; old = 0
}

inline unref(slot)
{
    d_step { gen[slot]++; alive[slot] = false };
    d_step { old = block[slot]; version[slot]++; block[slot] = NONE };
    free_block(old);
    old = 0
}

proctype owner()
{
    byte b, old;
    create(0, 1);
    handed_out = true;
    bind(0, 1);
    bind(0, 1);
    unref(0);
    create(0, 2);
    bind(0, 2);
    unref(0)
}

proctype neighbour()
{
    byte b, old;
    create(1, 3);
    bind(1, 3);
    unref(1)
}

inline look_at_life()
{
#ifndef MUTANT_NO_LIFE_LOOK
    d_step { same = same && gen[0] == 1 && alive[0] }
#else
    skip
#endif
}

inline look_at_context()
{
#ifndef MUTANT_NO_CONTEXT_LOOK
    d_step { same = same && version[0] == v && block[0] == b }
#else
    skip
#endif
}

inline second_look()
{
    same = true;
#ifndef MUTANT_NO_SECOND_LOOK
    if
    :: look_at_life(); look_at_context()
    :: look_at_context(); look_at_life()
    fi
#endif
}

proctype reader()
{
    byte v, b, n, x, y;
    bool same, stale, accepted;
    handed_out;
    do
    :: accepted || stale -> break
    :: else ->
        d_step { stale = !(gen[0] == 1 && alive[0]); same = true; n = 0; x = 0; y = 0 };
        if
        :: stale -> skip
        :: else ->
            d_step { v = version[0]; b = block[0] };
            if :: b != NONE -> n = size[b] :: else fi;
            if
#ifdef MUTANT_EMPTY_UNCHECKED
            :: n == 0 -> skip
#else
            :: n == 0 -> second_look()
#endif
            :: n != 0 ->
                same = size[b] == n;
                if
                :: same ->
                    x = first[b];
                    y = second[b];
                    second_look()
                :: else
                fi
            fi;
            accepted = same
        fi
    od;
    if
    :: accepted -> assert(n == 2 && x == y && CHILD(x) == 1)
    :: else
    fi
}

init {
    atomic { run owner(); run neighbour(); run reader() };
    (_nr_pr == 1);
    assert(free[0] && free[1] && free[2] && !alive[0] && !alive[1])
}
