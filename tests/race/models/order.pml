/* SPDX-License-Identifier: MIT */
/*
 * A thread's records keep their order though its handlers use the shared ring (push_somewhere in
 * src/emit.c, thl_producer_is_shared_empty in src/producer.c, thl_merge_begin in src/merge.c).
 *
 * Who: a thread that logs; a handler that interrupts it between any two steps, up to twice; the writer
 *   with its rounds: it notes how far the shared ring reaches, then the thread's own, then takes what
 *   is there, the earlier time first. A handler in the middle of a use of a ring goes to the shared
 *   one; from then on its thread goes there too, until the writer has taken that out.
 * Claims: of the thread's records each is taken after the one that it logged before; of the handler's
 *   as well; all are taken.
 * Not here: who may write where, and the lock: shared.pml.
 *
 * MUTANT_BACK_AT_ONCE  the thread goes back to its own ring while its records wait in the shared one
 * MUTANT_OWN_FIRST     the writer looks at the thread's own ring first
 *
 * run: -DSAFETY -DCOLLAPSE -DNOREDUCE -m100000
 */
#define RECORDS 4
#define INTERRUPTS 2

mtype = { BODY, HANDLER };
chan own = [8] of { byte, mtype };
chan shared = [8] of { byte, mtype };
byte clock, popped, pushed, last; /* of the shared ring; last: the thread's last record there */
byte taken, logged, dropped;     /* ghost */
bool elsewhere, busy, in_shared, interrupted, done;
byte interrupts = INTERRUPTS;

inline push_shared(who)
{
    d_step { shared!ticks,who; pushed++; logged++ };
    elsewhere = true;
    last = pushed
}

inline log_call(who)
{
    d_step { clock++; ticks = clock };
    nested = busy || in_shared;
    if
    :: in_shared -> dropped++ /* the lock is its own thread's */
    :: !in_shared ->
        if
#ifdef MUTANT_BACK_AT_ONCE
        :: !nested -> elsewhere = false
#else
        :: !nested && elsewhere && popped >= last -> elsewhere = false
#endif
        :: else
        fi;
        if
        :: !nested && !elsewhere ->
            busy = true;
            d_step { own!ticks,who; logged++ };
            busy = false
        :: else ->
            if :: !nested -> in_shared = true :: else fi;
            push_shared(who);
            if :: !nested -> in_shared = false :: else fi
        fi
    fi;
    nested = false
}

proctype thread() provided (!interrupted)
{
    byte ticks, n;
    bool nested;
    do
    :: n < RECORDS -> log_call(BODY); n++
    :: else -> break
    od;
    done = true
}

proctype handler()
{
    byte ticks;
    bool nested;
end:
    do
    :: d_step { !done && !interrupted && interrupts > 0 -> interrupts--; interrupted = true };
        log_call(HANDLER);
        interrupted = false
    od
}

inline take(queue, n)
{
    queue?ticks,who;
    n--;
    taken++;
    if
    :: who == BODY -> assert(ticks > last_body); last_body = ticks
    :: who == HANDLER -> assert(ticks > last_handler); last_handler = ticks
    fi
}

proctype writer()
{
    byte s, o, ticks, other, last_body, last_handler;
    mtype who;
end:
    do
    :: nempty(own) || nempty(shared) ->
#ifdef MUTANT_OWN_FIRST
        o = len(own);
        s = len(shared);
#else
        s = len(shared);
        o = len(own);
#endif
        do
        :: s == 0 && o == 0 -> break
        :: else ->
            d_step {
                ticks = 255; other = 255;
                if :: s > 0 -> shared?<ticks,who> :: else fi;
                if :: o > 0 -> own?<other,who> :: else fi;
                if
                :: ticks < other -> take(shared, s); popped++
                :: else -> take(own, o)
                fi;
                ticks = 0; other = 0
            }
        od
    od
}

init {
    atomic { run thread(); run handler(); run writer() };
    timeout;
    assert(done && !interrupted && taken == logged)
}
