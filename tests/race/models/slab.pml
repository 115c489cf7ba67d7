/* SPDX-License-Identifier: MIT */
/*
 * Slots of child loggers: made, counted, ended, used again (src/slab.c, src/pool.c).
 *
 * Who: two users; each makes children (the first holds two at a time), hands a reference on through
 *   a mailbox, gives its own back, and then gives it back once more through the stale handle. A
 *   binder swaps a block of a child that may end at that moment.
 * Steps: each load, store, compare-and-swap of the C code is one step. `live`, which stands for the
 *   credits of quota.pml, and `made` are changed in one step. A free slot that is at hand on a rack
 *   (src/rack.c) is free all the same: here it goes through the list each time, which is harder. The
 *   first user takes both of its slots from the list in one exchange where it can.
 * Claims: a slot is popped only when nobody uses it, and the list holds none that is used; references
 *   counted are references held; a stale handle changes nothing; every block is freed exactly once;
 *   a holder finds its own gate; `live` never passes the limit; at the end all is free and shut.
 * Not here: weak memory (spin is sequentially consistent; the orders are argued in pool.h, slab.h),
 *   and a tag, version or generation that goes once around 2^32 during one preempted step.
 * Ghost variables (what the claims are about, not in the code): used, serial, held, block_used.
 *
 * MUTANT_NO_TAG          the top of the list without a tag: ABA
 * MUTANT_LOAD_STORE      unref by load and store
 * MUTANT_SAME_GENERATION the end of a life leaves the generation as it was
 * MUTANT_END_BY_STORE    the end takes the context by load and store: loses the block of a racing bind
 * MUTANT_PUSH_EARLY      the slot is pushed before its context and gate are done with
 * MUTANT_CHECK_THEN_ADD  the bound on live children is looked at, then added to
 *
 * run: -DSAFETY -DCOLLAPSE -m100000
 */
#define S 3     /* slots */
#if defined(VARIANT_ROOM_FOR_ALL) || defined(MUTANT_NO_TAG)
#define LIMIT 3 /* live children; ABA takes one thread in a pop and two children of another */
#define BINDERS 0
#else
#define LIMIT 2 /* creates are refused */
#define BINDERS 1
#endif
#define BLOCKS 4
#define NONE 255

typedef handle { byte slot, gen, serial }; /* serial: ghost */

byte head_tag, head_top = 1; /* one word; top is slot + 1, 0: empty. Two slots lie there, one is new */
byte next[S], made = 2;
byte gen[S] = 1, refs[S];      /* one word: life */
byte version[S], block[S] = NONE; /* one word: context */
byte gate_gen[S] = 1;
bool gate_open[S];
byte live;
handle mail, last;
bool mail_full;

bool used[S], block_used[BLOCKS];
byte serial[S], held[S], done;

inline check_list()
{
    i = head_top;
    n = 0;
    do
    :: i != 0 -> assert(!used[i - 1]); n++; assert(n <= S); i = next[i - 1]
    :: else -> break
    od;
    i = 0; n = 0
}

inline pop(item)
{
    if
    :: spare != NONE -> item = spare; spare = NONE; won = true
    :: else -> won = false
    fi;
    d_step { tag = head_tag; top = head_top };
    do
    :: won -> break
    :: !won && top == 0 -> /* take a new one */
        d_step {
            won = true;
            if
            :: made < S -> item = made; made++; assert(!used[item]); used[item] = true
            :: else -> item = NONE
            fi
        }
    :: !won && top != 0 ->
        below = next[top - 1];
        if /* follow(): what is read may be no link any more */
        :: two && below != 0 -> second = below; below = next[below - 1]
        :: else -> second = 0
        fi;
        d_step {
            if
#ifdef MUTANT_NO_TAG
            :: head_top == top ->
#else
            :: head_top == top && head_tag == tag ->
#endif
                item = top - 1; head_top = below; head_tag++; won = true;
                assert(!used[item]); used[item] = true;
                if
                :: second != 0 -> spare = second - 1; assert(!used[spare]); used[spare] = true
                :: else
                fi;
                check_list()
            :: else -> tag = head_tag; top = head_top
            fi
        }
    od;
    tag = 0; top = 0; below = 0; second = 0; won = false
}

inline push(item)
{
    won = false;
    d_step { tag = head_tag; top = head_top };
    do
    :: won -> break
    :: !won ->
        next[item] = top;
        d_step {
            if
            :: head_top == top && head_tag == tag ->
                head_top = item + 1; head_tag++; won = true;
                check_list()
            :: else -> tag = head_tag; top = head_top
            fi
        }
    od;
    tag = 0; top = 0; won = false
}

inline take_block(b)
{
    d_step {
        b = 0;
        do
        :: b < BLOCKS && block_used[b] -> b++
        :: else -> break
        od;
        assert(b < BLOCKS);
        block_used[b] = true
    }
}

inline free_block(b)
{
    d_step { assert(b == NONE || block_used[b]); if :: b != NONE -> block_used[b] = false :: else fi }
}

/* ok: whether h is a child now */
inline create(h)
{
#ifdef MUTANT_CHECK_THEN_ADD
    ok = live < LIMIT;
    if :: ok -> live++ :: else fi;
#else
    d_step { ok = live < LIMIT; if :: ok -> live++ :: else fi };
#endif
    assert(live <= LIMIT);
    if
    :: ok ->
        pop(h.slot);
        if
        :: h.slot == NONE -> live--; ok = false
        :: else ->
            take_block(b);
            d_step { version[h.slot]++; block[h.slot] = b; b = 0 };
            d_step { gate_gen[h.slot] = gen[h.slot]; gate_open[h.slot] = true };
            d_step {
                assert(refs[h.slot] == 0 && held[h.slot] == 0);
                h.gen = gen[h.slot]; serial[h.slot]++; h.serial = serial[h.slot];
                refs[h.slot] = 1; held[h.slot] = 1
            }
        fi
    :: else
    fi
}

inline end_life(h)
{
#ifdef MUTANT_PUSH_EARLY
    d_step { used[h.slot] = false };
    push(h.slot);
#endif
#ifdef MUTANT_END_BY_STORE
    b = block[h.slot];
    d_step { version[h.slot]++; block[h.slot] = NONE };
#else
    d_step { b = block[h.slot]; version[h.slot]++; block[h.slot] = NONE };
#endif
    free_block(b);
    d_step { b = 0; gate_gen[h.slot] = gen[h.slot]; gate_open[h.slot] = false };
    live--;
#ifndef MUTANT_PUSH_EARLY
    d_step { used[h.slot] = false }; /* ghost: just before the push makes it true */
    push(h.slot)
#endif
}

/* ok: whether h was live */
inline ref(h)
{
    ok = false; won = false;
    d_step { g = gen[h.slot]; r = refs[h.slot] };
    do
    :: won || g != h.gen || r == 0 -> break
    :: else ->
        d_step {
            if
            :: gen[h.slot] == g && refs[h.slot] == r ->
                refs[h.slot] = r + 1; won = true; ok = true;
                assert(serial[h.slot] == h.serial); held[h.slot]++;
                assert(refs[h.slot] == held[h.slot])
            :: else -> g = gen[h.slot]; r = refs[h.slot]
            fi
        }
    od;
    g = 0; r = 0; won = false
}

inline unref(h)
{
    ok = false; won = false;
    d_step { g = gen[h.slot]; r = refs[h.slot] };
    do
    :: won || g != h.gen || r == 0 -> break
    :: else ->
        d_step {
            if
#ifdef MUTANT_LOAD_STORE
            :: true ->
#else
            :: gen[h.slot] == g && refs[h.slot] == r ->
#endif
                won = true; ok = true;
                assert(serial[h.slot] == h.serial && held[h.slot] > 0);
                held[h.slot]--; refs[h.slot] = r - 1;
#ifndef MUTANT_SAME_GENERATION
                if :: r == 1 -> gen[h.slot] = g + 1 :: else fi;
#endif
                assert(refs[h.slot] == held[h.slot])
#ifndef MUTANT_LOAD_STORE
            :: else -> g = gen[h.slot]; r = refs[h.slot]
#endif
            fi
        }
    od;
    won = false;
    if
    :: ok && r == 1 -> g = 0; r = 0; end_life(h)
    :: else -> g = 0; r = 0
    fi
}

inline stale_unref(h)
{
    if
    :: serial[h.slot] != h.serial || held[h.slot] == 0 -> unref(h); assert(!ok)
    :: else
    fi
}

inline use_and_drop(h)
{
    assert(gate_gen[h.slot] == h.gen && gate_open[h.slot]);
    unref(h);
    assert(ok)
}

#define LOCALS byte tag, top, below, second, spare = NONE, g, r, b, i, n; bool won, ok

proctype user(bool two; byte rounds)
{
    handle one, other, got;
    bool have_other;
    LOCALS;
    do
    :: rounds == 0 -> break
    :: rounds > 0 ->
        rounds--;
        create(one);
        if
        :: ok ->
            d_step { last.slot = one.slot; last.gen = one.gen; last.serial = one.serial };
            if
            :: two -> create(other); have_other = ok
            :: !two && !mail_full ->
                ref(one);
                assert(ok);
                d_step {
                    if
                    :: !mail_full ->
                        mail.slot = one.slot; mail.gen = one.gen; mail.serial = one.serial;
                        mail_full = true; ok = false
                    :: else
                    fi
                };
                if :: ok -> unref(one) :: else fi
            :: !two && mail_full -> skip
            fi;
            use_and_drop(one);
            stale_unref(one);
            if :: have_other -> use_and_drop(other); have_other = false :: else fi
        :: else
        fi;
        d_step {
            ok = mail_full;
            if
            :: ok -> got.slot = mail.slot; got.gen = mail.gen; got.serial = mail.serial;
                mail_full = false
            :: else
            fi
        };
        if :: ok -> use_and_drop(got) :: else fi
    od;
    if
    :: spare != NONE -> d_step { used[spare] = false }; push(spare); spare = NONE
    :: else
    fi;
    done++
}

/* thl_slab_replace through a copy of a handle, without a reference of its own */
proctype binder()
{
    byte v, old, fresh;
    handle h;
    last.gen > 0;
    d_step { h.slot = last.slot; h.gen = last.gen };
    if
    :: gen[h.slot] == h.gen && refs[h.slot] > 0 ->
        d_step { v = version[h.slot]; old = block[h.slot] };
        if /* thl_slab_copy's second look */
        :: gen[h.slot] == h.gen && version[h.slot] == v ->
            take_block(fresh);
            d_step {
                if
                :: version[h.slot] == v && block[h.slot] == old ->
                    version[h.slot]++; block[h.slot] = fresh
                :: else -> old = fresh
                fi
            };
            free_block(old)
        :: else
        fi
    :: else
    fi;
    done++
}

init {
    byte i, n;
    d_step { next[0] = 2; next[1] = 0; made = 2 };
    atomic { run user(true, 1); run user(false, 2); if :: BINDERS -> run binder() :: else fi };
    done == 2 + BINDERS;
    d_step {
        if /* the last one in the mailbox is still held */
        :: mail_full -> assert(live == 1)
        :: else ->
            assert(live == 0);
            check_list();
            i = head_top;
            do
            :: i != 0 -> n++; i = next[i - 1]
            :: else -> break
            od;
            assert(n == made);
            i = 0;
            do
            :: i < S -> assert(refs[i] == 0 && block[i] == NONE && !gate_open[i] && !used[i]); i++
            :: else -> break
            od;
            i = 0;
            do
            :: i < BLOCKS -> assert(!block_used[i]); i++
            :: else -> break
            od
        fi
    }
}
