/* SPDX-License-Identifier: MIT */
/*
 * Credits for children, and free slots at hand with theirs (src/quota.c, src/rack.c).
 *
 * Who: three threads, each with a rack of its own, of one cell. Two make two children each; one ends
 *   its own, the other hands them to the third, which ends them. Then each makes and ends one more.
 * Steps: each load, store, exchange of the C code is one step; what is done under a rack's lock and
 *   seen by nobody else is no step. Slots are numbers: pool.c has its own model (slab.pml).
 * Claims: credits are what children and slots at hand have; children never pass the limit; where a
 *   child is refused, or the peak raised for it, no free slot was at hand anywhere, nor on its way,
 *   and the credits were as many, in the moment in which the racks' bits were read; at the end the
 *   peak is what lived at a time, a child that is being made counted from that moment on.
 * Not here: a recall that gives up waiting (ROUNDS in rack.c), weak memory (quota.h, ordering).
 * Ghost variables: busy (children that live, are being made or ended), hand (credits of free slots),
 *   most (the greatest busy).
 *
 * MUTANT_NO_CHANGES   credits are compared without the number of their changes
 * MUTANT_LIST_LATE    a rack sets its bit after it has the credits for what it will have at hand
 * MUTANT_PUT_FIRST    a slot is put into the cell before the bit is set, and found by nobody
 * MUTANT_CLEAR_EARLY  a recall clears the bit before it subtracts the credits
 * MUTANT_NO_LOOK      the limit is compared with the credits alone
 *
 * run: -DSAFETY -DCOLLAPSE -m100000
 */
#define RACKS 3
#ifdef VARIANT_ROOM_FOR_ALL
#define LIMIT 4
#else
#define LIMIT 2
#endif
#define CELL 2
#define BIT(r) (1 << (r))

byte credits, changes; /* one word */
byte stocked, peak;
bool lock[RACKS], listed[RACKS];
byte cell[RACKS];
byte mail; /* children handed on */

byte busy, hand, most, done;

inline check()
{
    assert(credits == busy + hand && busy <= LIMIT);
    if :: busy > most -> most = busy :: else fi
}

inline acquire(r) { atomic { !lock[r] -> lock[r] = true } }

inline set_bit(r)
{
    if
    :: !listed[r] -> d_step { stocked = stocked | BIT(r); listed[r] = true }
    :: else
    fi
}

inline recall()
{
    s = stocked;
    i = 0;
    do
    :: i == RACKS -> break
    :: i < RACKS && (s & BIT(i)) == 0 -> i++
    :: i < RACKS && (s & BIT(i)) != 0 ->
        acquire(i);
#ifdef MUTANT_CLEAR_EARLY
        d_step { listed[i] = false; stocked = stocked & (7 ^ BIT(i)) };
#endif
        d_step { n = cell[i]; cell[i] = 0 };
        if
        :: n > 0 -> d_step { credits = credits - n; changes++; hand = hand - n; n = 0; check() }
        :: else
        fi;
#ifndef MUTANT_CLEAR_EARLY
        d_step { listed[i] = false; stocked = stocked & (7 ^ BIT(i)) };
#endif
        lock[i] = false;
        i++
    od;
    i = 0; s = 0
}

/* ok: whether there is a child now */
inline make()
{
    ok = false; refused = false;
    do
    :: ok || refused -> break
    :: else ->
        acquire(own);
        if
        :: cell[own] > 0 -> d_step { cell[own]--; hand--; busy++; ok = true; check() }
        :: else ->
            d_step { want = 1; if :: peak > credits + 1 -> want = 2 :: else fi };
#ifndef MUTANT_LIST_LATE
            if :: want > 1 -> set_bit(own) :: else fi;
#endif
            d_step { c = credits; v = changes; again = false };
            do
            :: ok || refused || again -> break
            :: else ->
                p = peak;
                if
                :: c < LIMIT && c < p ->
                    d_step {
                        exact = false; n = p - c;
                        if :: n > LIMIT - c -> n = LIMIT - c :: else fi;
                        if :: n > want -> n = want :: else fi
                    }
                :: else ->
                    d_step { exact = true; n = 1; free = hand + (credits != c); at_a_time = busy + 1;
#ifdef MUTANT_NO_LOOK
                        again = false
#else
                        again = (stocked & (7 ^ BIT(own))) != 0
#endif
                    }
                fi;
                if
                :: again -> skip
                :: !again && c >= LIMIT -> /* looked at again */
                    d_step {
                        if
                        :: credits == c && changes == v -> refused = true; assert(free == 0)
                        :: else -> c = credits; v = changes
                        fi
                    }
                :: !again && c < LIMIT ->
                    d_step {
                        if
#ifdef MUTANT_NO_CHANGES
                        :: credits == c ->
#else
                        :: credits == c && changes == v ->
#endif
                            credits = credits + n; changes++; busy++; hand = hand + n - 1;
                            ok = true; check();
                            assert(!exact || free == 0);
                            if :: exact && at_a_time > most -> most = at_a_time :: else fi
                        :: else -> c = credits; v = changes
                        fi
                    };
                    if
                    :: ok ->
                        d_step { if :: peak < c + n -> peak = c + n :: else fi };
#ifdef MUTANT_LIST_LATE
                        if :: n > 1 -> set_bit(own) :: else fi;
#endif
                        cell[own] = cell[own] + n - 1
                    :: else
                    fi
                fi
            od
        fi;
        lock[own] = false;
        d_step { c = 0; v = 0; p = 0; n = 0; want = 0; free = 0; at_a_time = 0; exact = false };
        if :: again -> again = false; recall() :: else fi
    od
}

inline end()
{
    acquire(own);
    if
    :: cell[own] == CELL ->
        cell[own]--;
        d_step { credits--; changes++; hand--; check() }
    :: else
    fi;
#ifdef MUTANT_PUT_FIRST
    d_step { cell[own]++; hand++; busy--; check() };
#endif
    set_bit(own);
#ifndef MUTANT_PUT_FIRST
    d_step { cell[own]++; hand++; busy--; check() };
#endif
    lock[own] = false
}

#define LOCALS byte c, v, p, n, i, s, want, free, at_a_time, have; bool ok, refused, again, exact

proctype maker(byte own)
{
    LOCALS;
    make();
    if :: ok -> have++ :: else fi;
    make();
    if :: ok -> have++ :: else fi;
    if
    :: own == 0 -> d_step { mail = have; have = 0 }
    :: else -> do :: have > 0 -> end(); have-- :: else -> break od
    fi;
    make();
    if :: ok -> end() :: else fi;
    done++
}

proctype ender(byte own)
{
    LOCALS;
    do
    :: atomic { mail > 0 -> mail-- }; end()
    :: atomic { done == 2 && mail == 0 -> break }
    od;
    done++
}

init {
    atomic { run maker(0); run maker(1); run ender(2) };
    done == 3;
    d_step { assert(busy == 0 && credits == hand && peak == most && peak <= LIMIT) }
}
