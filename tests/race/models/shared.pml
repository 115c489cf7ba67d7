/* SPDX-License-Identifier: MIT */
/*
 * Who may write to which queue: rings of threads, the shared ring, and signal handlers that log
 * (push_somewhere, push_own, push_shared in src/emit.c, thl_emit_site; src/producer.c).
 *
 * Who: two threads. Each logs, gives its ring back as its end comes, and logs again from a later
 *   destructor. Each is interrupted up to twice, between any two steps, by a handler that logs; while
 *   the handler runs, its thread stands still.
 * A write is two steps, in and out, so that two writers in one ring are seen. What a write does is in
 * ring.pml, what a stop does in stop.pml, in what order records come out in order.pml. Not here: a
 * thread that logs first in the last round of its destructors; its ring is taken back
 * (thl_ring_reclaim) when its id is nobody's any more.
 * Claims: never two writers in a ring; nobody waits for ever (a handler never waits for its own
 *   thread); at the end every ring is free again, and the lock.
 *
 * MUTANT_IGNORE_BUSY     the handler uses its thread's ring in the middle of a write
 * MUTANT_HANDLER_WAITS   a nested handler waits for the lock
 * MUTANT_LATE_FLAG       in_shared is set after the lock
 * MUTANT_GIVE_BACK_FIRST the ring is given back before the thread forgets it: a handler in between
 *                        writes beside the next owner
 * MUTANT_TAKE_UNMARKED   a handler may take a ring in the middle of its thread's taking one: the
 *                        thread then holds two and knows of one
 * MUTANT_NO_RECHECK      the same, when the handler came just before the thread began to take
 *
 * run: -DSAFETY -DCOLLAPSE -DNOREDUCE -m100000
 */
#define THREADS 2
#define RINGS 2 /* and the shared one */
#define SHARED 2
#define NONE 3
#define INTERRUPTS 2

bool owned[RINGS], lock, busy[3];
byte inside[3], done; /* ghost */

typedef thread {
    byte ring = NONE, key = NONE; /* own.ring; pthread_setspecific */
    bool in_shared, taking, leaving;
    bool interrupted; /* its handler runs */
    byte interrupts;  /* ghost: handlers to come */
    bool alive
};
thread own[THREADS];

inline write(r)
{
    d_step { inside[r]++; assert(inside[r] == 1) };
    inside[r]--
}

/* The outcome is in ring: NONE, or the ring taken */
inline take_ring(t)
{
    if
    :: own[t].leaving -> skip
    :: else ->
#ifndef MUTANT_TAKE_UNMARKED
        own[t].taking = true;
#endif
#ifndef MUTANT_NO_RECHECK
        ring = own[t].ring;
#endif
        i = 0;
        do
        :: i == RINGS || ring != NONE -> break
        :: else ->
            d_step { if :: !owned[i] -> owned[i] = true; ring = i :: else fi };
            i++
        od;
        i = 0;
        if
        :: ring != NONE && ring != own[t].ring -> own[t].key = ring; own[t].ring = ring
        :: else
        fi;
        own[t].taking = false
    fi
}

inline push_own(r)
{
    busy[r] = true;
    write(r);
    busy[r] = false
}

inline push_shared(t)
{
    if
#ifndef MUTANT_HANDLER_WAITS
    :: nested -> d_step { locked = !lock; lock = true } /* else dropped, counted */
    :: !nested ->
#else
    :: true ->
#endif
#ifdef MUTANT_LATE_FLAG
        d_step { !lock -> lock = true; locked = true };
        own[t].in_shared = true
#else
        own[t].in_shared = true;
        d_step { !lock -> lock = true; locked = true }
#endif
    fi;
    if
    :: locked -> write(SHARED); lock = false; locked = false
    :: else
    fi;
    if
    :: !nested -> own[t].in_shared = false
    :: else
    fi
}

inline log_call(t)
{
    nested = own[t].in_shared || own[t].taking;
    ring = own[t].ring;
    if
    :: ring == NONE && !nested -> take_ring(t)
    :: else
    fi;
    if
#ifndef MUTANT_IGNORE_BUSY
    :: ring != NONE -> nested = nested || busy[ring]
#endif
    :: else
    fi;
    if
    :: ring != NONE && !nested -> push_own(ring)
    :: else -> push_shared(t)
    fi;
    d_step { ring = NONE; nested = false }
}

inline leave_ring(t)
{
    own[t].leaving = true;
    if
    :: own[t].ring == own[t].key && own[t].ring != NONE ->
#ifdef MUTANT_GIVE_BACK_FIRST
        owned[own[t].key] = false;
        own[t].ring = NONE
#else
        own[t].ring = NONE;
        owned[own[t].key] = false
#endif
    :: else -> own[t].ring = NONE
    fi
}

proctype body(byte t) provided (!own[t].interrupted)
{
    byte ring = NONE, i;
    bool nested, locked;
    log_call(t);
    leave_ring(t);
    log_call(t);
    d_step { own[t].alive = false; done++ }
}

proctype handlers(byte t)
{
    byte ring = NONE, i;
    bool nested, locked;
end:
    do
    :: d_step { own[t].alive && own[t].interrupts > 0 -> own[t].interrupts--; own[t].interrupted = true };
        log_call(t);
        own[t].interrupted = false
    od
}

init {
    d_step { own[0].alive = true; own[1].alive = true; own[0].interrupts = INTERRUPTS; own[1].interrupts = INTERRUPTS };
    atomic { run body(0); run body(1); run handlers(0); run handlers(1) };
    timeout;
    assert(done == THREADS && !own[0].interrupted && !own[1].interrupted);
    assert(!lock && !owned[0] && !owned[1])
}
