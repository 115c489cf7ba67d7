/* SPDX-License-Identifier: MIT */
/*
 * A queue whose producer is torn away: cancelled asynchronously in a push, or its thread is gone
 * (thl_ring_commit, thl_ring_recover, thl_ring_reclaim in src/ring.h and src/ring.c; leave_ring in
 * src/producer.c).
 *
 * Who: a producer that publishes records of 0 or 1 words and may give one reservation up (the context
 *   changed while it was copied). Once, between any two steps, it stands still for ever; whoever gives
 *   its ring back completes what was committed, and the next owner goes on. The consumer takes
 *   records meanwhile. Payloads, and what a reader finds after the process's death, are in ring.pml.
 * Claims: each record whose header was stored is taken once; `pushed` never lags behind what was
 *   taken, and counts each such record once, at the end.
 * Not here: the header's stale place (a value could hold the bytes of a header): the header is cleared
 *   before `reserved` names its place, see thl_ring_reserve.
 *
 * MUTANT_NO_RECOVER    the ring is given back as it is
 * MUTANT_RECOVER_ADDS  recover adds to `pushed` instead of storing `counted` + 1
 * MUTANT_COUNTED_LATE  `counted` is stored after the header
 * MUTANT_PUSHED_LATE   `pushed` is stored after tail
 * MUTANT_RECOVER_SKIP  recover takes the header of skipped cells for a record's
 *
 * run: -DSAFETY -DCOLLAPSE -DNOREDUCE -m100000 -E
 */
#define CAPACITY 4
#define RECORDS 4
#define SKIP 7

typedef cell {
    byte position, size;
    bool committed
};
cell at[CAPACITY];
byte tail, head, reserved, pushed, counted;
byte stored, taken; /* ghost: headers of records */
bool gave_up, gone;

#define AT(p) at[(p) % CAPACITY]

inline store_header(p, n)
{
    d_step { AT(p).position = p; AT(p).size = n; AT(p).committed = true }
}

inline reserve()
{
    d_step {
        skip_cells = (tail % CAPACITY + 1 + size > CAPACITY -> CAPACITY - tail % CAPACITY : 0)
    };
    tail + skip_cells + 1 + size - head <= CAPACITY; /* else dropped: the next call */
    if
    :: skip_cells > 0 -> store_header(tail, SKIP)
    :: else
    fi;
    d_step { AT(tail + skip_cells).committed = false; AT(tail + skip_cells).position = 0 };
    reserved = tail + skip_cells;
    skip_cells = 0
}

inline commit()
{
#ifndef MUTANT_COUNTED_LATE
    counted = pushed;
#endif
    d_step {
        AT(reserved).position = reserved; AT(reserved).size = size; AT(reserved).committed = true;
        stored++
    };
#ifdef MUTANT_COUNTED_LATE
    counted = pushed;
#endif
#ifdef MUTANT_PUSHED_LATE
    tail = reserved + 1 + size;
    pushed = counted + 1
#else
    pushed = counted + 1;
    tail = reserved + 1 + size
#endif
}

inline produce()
{
    do
    :: stored == RECORDS -> break
    :: else ->
        if
        :: size = 0
        :: size = 1
        fi;
        reserve();
        if
        :: !gave_up -> gave_up = true
        :: true -> commit()
        fi
    od
}

#define IS_COMMITTED (reserved >= tail && AT(reserved).committed && AT(reserved).position == reserved)
#ifdef MUTANT_RECOVER_SKIP
#define IS_RECORD IS_COMMITTED
#else
#define IS_RECORD (IS_COMMITTED && AT(reserved).size != SKIP)
#endif

inline recover()
{
    if
#ifndef MUTANT_NO_RECOVER
    :: IS_RECORD ->
#ifdef MUTANT_RECOVER_ADDS
        pushed = pushed + 1;
#else
        pushed = counted + 1;
#endif
        tail = reserved + 1 + AT(reserved).size
#endif
    :: else
    fi
}

proctype producer() provided (!gone)
{
    byte size, skip_cells;
    produce()
}

proctype successor()
{
    byte size, skip_cells;
    recover();
    produce()
}

/* At any moment, or never */
proctype fate()
{
    if
    :: gone = true; run successor()
    :: true
    fi
}

proctype consumer()
{
    do
    :: taken == RECORDS -> break
    :: taken < RECORDS ->
        d_step {
            head != tail;
            assert(AT(head).committed && AT(head).position == head);
            if
            :: AT(head).size == SKIP -> head = head + CAPACITY - head % CAPACITY
            :: else -> head = head + 1 + AT(head).size; taken++; assert(taken <= pushed)
            fi
        }
    od
}

init {
    atomic { run producer(); run consumer(); run fate() };
    timeout;
    assert(head == tail && stored == RECORDS && taken == RECORDS && pushed == RECORDS)
}
