/* SPDX-License-Identifier: MIT */
/*
 * The writer's deep sleep and who wakes it (rest, wait_for_bell in src/writer.c; push, thl_emit_wake
 * in src/emit.c).
 *
 * Who: the writer; two producers with two records each; an asker (flush, stop) that draws a ticket and
 *   wakes surely. Once a producer may be torn away between its exchange and its wake: others find the
 *   bell AWAKE then and do not wake. At its end it wakes surely (leave_ring in src/producer.c), or a
 *   handler left the call for good. Naps are left out: they end by themselves.
 * Store buffers: spin is sequentially consistent, so the one reordering that matters (a store passes
 *   a later load) is modelled: a producer's store of tail and the writer's relaxed store of AWAKE wait
 *   in a buffer until a step of their own; exchanges, seq_cst stores and membarrier empty it.
 *   Weaker machines also reorder loads; membarrier and the exchange order those as well.
 * Claim: when nothing can move any more, the writer asleep for good, everything that was asked for
 *   has been served, and everything that was published, unless a call was left for good.
 *
 * MUTANT_NO_MEMBARRIER   the second look without it
 * MUTANT_NO_SECOND_LOOK  sleep at once
 * MUTANT_NO_COMPARE      the kernel does not compare the bell before it lets the writer sleep
 * MUTANT_SILENT_ASK      the asker does not ring
 * MUTANT_RING_FIRST      the asker rings before it draws its ticket
 * MUTANT_ASK_PLAINLY     the asker wakes only if it finds the bell ASLEEP
 * MUTANT_LEAVE_QUIETLY   who was torn away does the same at its end
 * MUTANT_LOOK_FIRST      the writer looks, then sets the bell
 *
 * run: -DSAFETY -DCOLLAPSE -m100000
 */
#define PRODUCERS 2
#define RECORDS 2

byte tail[PRODUCERS], head[PRODUCERS]; /* in memory */
byte own_tail[PRODUCERS];              /* as its producer sees it: the store buffer is behind */
bool asleep, own_asleep;               /* the bell, and the writer's view of it */
bool waiting, woken;                   /* the kernel's side of the futex */
byte asked, served;
bool torn, left;                       /* ghost */

#define FLUSH_ALL d_step { tail[0] = own_tail[0]; tail[1] = own_tail[1]; asleep = own_asleep }

/* A seq_cst store or an exchange of the writer */
#define SET_BELL(value) d_step { own_asleep = value; asleep = value }

inline wake()
{
    d_step { if :: waiting -> waiting = false; woken = true :: else fi }
}

/* The exchange takes effect in memory. When the writer has a store of AWAKE waiting it is of no
 * matter: both write the same. */
inline ring()
{
    d_step { was = asleep; asleep = false; if :: was -> own_asleep = false :: else fi };
    if
    :: was -> wake()
    :: else
    fi;
    was = false
}

/* thl_emit_wake_surely */
inline ring_surely()
{
    d_step { asleep = false; own_asleep = false };
    wake()
}

proctype producer(byte me)
{
    byte n;
    bool was, me_torn;
    do
    :: n == RECORDS -> break
    :: else ->
        d_step { n++; own_tail[me] = n }; /* into the store buffer */
        if
        :: asleep ->
            tail[me] = own_tail[me]; /* an exchange empties the buffer first */
            if
            :: ring()
            :: d_step { asleep && !torn -> asleep = false; own_asleep = false; torn = true; me_torn = true }; break
            fi
        :: else
        fi
    od;
    if
    :: !me_torn
    :: me_torn ->
        if
        :: true ->
#ifdef MUTANT_LEAVE_QUIETLY
            ring()
#else
            ring_surely()
#endif
        :: left = true
        fi
    fi
}

/* What a store buffer does by itself, at any time */
proctype memory()
{
end:
    do
    :: d_step { tail[0] != own_tail[0] -> tail[0] = own_tail[0] }
    :: d_step { tail[1] != own_tail[1] -> tail[1] = own_tail[1] }
    :: d_step { asleep && !own_asleep -> asleep = false }
    od
}

proctype asker()
{
    bool was;
#ifdef MUTANT_RING_FIRST
    ring();
#endif
    asked = 1;
#ifndef MUTANT_RING_FIRST
#ifndef MUTANT_SILENT_ASK
#ifdef MUTANT_ASK_PLAINLY
    ring()
#else
    ring_surely()
#endif
#endif
#endif
}

inline drain()
{
    want = asked;
    head[0] = tail[0];
    head[1] = tail[1];
    served = want;
    want = 0
}

inline second_look()
{
    found = tail[0] != head[0];
    found = found || tail[1] != head[1];
    found = found || asked != served
}

proctype writer()
{
    byte want;
    bool found;
    do
    :: true ->
        drain();
#ifdef MUTANT_LOOK_FIRST
        second_look();
#endif
        SET_BELL(true);
#ifndef MUTANT_NO_MEMBARRIER
        FLUSH_ALL;
#endif
#ifndef MUTANT_NO_SECOND_LOOK
#ifndef MUTANT_LOOK_FIRST
        second_look();
#endif
#endif
        if
        :: found -> skip
        :: else ->
#ifdef MUTANT_NO_COMPARE
            waiting = true;
#else
            d_step { waiting = asleep };
#endif
            if
            :: waiting || woken ->
end:            woken;
                woken = false
            :: else
            fi
        fi;
        found = false;
        own_asleep = false /* relaxed: into the store buffer */
    od
}

init {
    atomic { run producer(0); run producer(1); run asker(); run writer(); run memory() };
    timeout;
    assert(served == 1 && (left || head[0] == own_tail[0] && head[1] == own_tail[1]))
}
