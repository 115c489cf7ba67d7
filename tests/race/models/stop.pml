/* SPDX-License-Identifier: MIT */
/*
 * thole_stop against log calls that are under way (close_gate, thl_writer_stop in src/writer.c;
 * push_own, push_shared in src/emit.c; src/producer.c).
 *
 * Who: a producer that takes ring 0 for itself and logs twice; two producers that share ring 1 behind
 *   its lock; a stopper that stops, starts again and stops. The rings outlive a stop, and so does who
 *   owns them: the epoch is the same again after the second start.
 * Store buffers: plain and release stores of a producer wait in its buffer, first in first out, until
 *   a step of their own; exchanges wait for it to be empty; membarrier empties all (see wake.pml).
 * Claims: no record is published once the final drain has begun, until the next start; the final
 *   drain leaves nothing behind; at the end nobody is busy and the lock is free.
 *
 * MUTANT_NO_MEMBARRIER   busy may still be in a buffer when the stopper looks
 * MUTANT_CHECK_FIRST     the run word is looked at before busy is set, and not again
 * MUTANT_USED_EARLY      the stopper reads the number of rings in use before it closes the gate: a ring
 *                        taken in between is not waited for
 * MUTANT_GIVE_UP         the deadline ends the wait for busy, and the stop is called done
 * MUTANT_UNLOCK_FIRST    the shared ring is unlocked, then not busy: clears the next holder's busy
 *
 * run: -DSAFETY -DCOLLAPSE -m100000
 */
#define PRODUCERS 3
#define RINGS 2

mtype = { BUSY, TAIL, LOCK };
chan buffer[PRODUCERS] = [4] of { mtype, byte };

bool run_word = true, lock;
bool busy[RINGS];
byte tail[RINGS], head[RINGS], used;
bool drained, finished; /* ghost */

#define RING(producer) ((producer) == 0 -> 0 : 1)

inline apply(p)
{
    if
    :: what == BUSY -> busy[RING(p)] = value
    :: what == TAIL -> assert(!drained); tail[RING(p)] = tail[RING(p)] + value
    :: what == LOCK -> lock = value
    fi;
    what = 0; value = 0
}

inline flush_all()
{
    d_step {
        i = 0;
        do
        :: i < PRODUCERS && nempty(buffer[i]) -> buffer[i]?what,value; apply(i)
        :: i < PRODUCERS && empty(buffer[i]) -> i++
        :: i == PRODUCERS -> break
        od;
        i = 0
    }
}

/* What store buffers do by themselves, at any time */
proctype memory()
{
    mtype what;
    byte value;
end:
    do
    :: d_step { nempty(buffer[0]) -> buffer[0]?what,value; apply(0) }
    :: d_step { nempty(buffer[1]) -> buffer[1]?what,value; apply(1) }
    :: d_step { nempty(buffer[2]) -> buffer[2]?what,value; apply(2) }
    od
}

/* An exchange: in memory at once, after all that the producer stored before */
inline note_used(n)
{
    d_step { empty(buffer[me]) -> if :: used < n -> used = n :: else fi }
}

inline push()
{
#ifdef MUTANT_CHECK_FIRST
    buffer[me]!BUSY,1;
    buffer[me]!TAIL,1;
#else
    buffer[me]!BUSY,1;
    if
    :: run_word -> buffer[me]!TAIL,1
    :: else
    fi;
#endif
}

proctype own(byte me; byte records)
{
    do
    :: records == 0 -> break
    :: else ->
        records--;
        if
        :: run_word ->
            note_used(1);
            push();
            buffer[me]!BUSY,0
        :: else /* direct mode, or counted */
        fi
    od
}

proctype shared(byte me)
{
    if
    :: run_word ->
        d_step { empty(buffer[me]) && !lock -> lock = true };
        note_used(RINGS);
#ifdef MUTANT_CHECK_FIRST
        if :: run_word -> push() :: else fi;
#else
        push();
#endif
#ifdef MUTANT_UNLOCK_FIRST
        buffer[me]!LOCK,0;
        buffer[me]!BUSY,0
#else
        buffer[me]!BUSY,0;
        buffer[me]!LOCK,0
#endif
    :: else
    fi
}

inline stop()
{
#ifdef MUTANT_USED_EARLY
    n = used;
#endif
    run_word = false;
#ifndef MUTANT_NO_MEMBARRIER
    flush_all();
#endif
#ifndef MUTANT_USED_EARLY
    n = used;
#endif
    ring = 0;
    do
    :: ring == n -> break
    :: ring < n ->
        if
        :: !busy[ring]
#ifdef MUTANT_GIVE_UP
        :: busy[ring]
#endif
        fi;
        ring++
    od;
    drained = true; /* the writer's last round */
    n = used;
    ring = 0;
    do
    :: ring == n -> break
    :: ring < n -> head[ring] = tail[ring]; ring++
    od;
    assert(head[0] == tail[0] && head[1] == tail[1]);
    n = 0; ring = 0
}

proctype stopper()
{
    mtype what;
    byte value, i, n, ring;
    stop();
    drained = false;
    run_word = true;
    stop();
    finished = true
}

init {
    atomic { run own(0, 2); run shared(1); run shared(2); run stopper(); run memory() };
    timeout;
    assert(finished && !lock && !busy[0] && !busy[1]);
    assert(head[0] == tail[0] && head[1] == tail[1])
}
