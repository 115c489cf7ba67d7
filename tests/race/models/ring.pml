/* SPDX-License-Identifier: MIT */
/*
 * The queue between one producer and one consumer (src/ring.h, src/ring.c).
 *
 * Who: the producer publishes up to RECORDS records of 0 to 2 words of payload each (any order of
 *   sizes), the consumer takes them, and a post-mortem reader may look once, at any moment, as if the
 *   producer had died there.
 * A cell is 8 bytes. The header cell holds position, size and the commit bit, a skip header fills the
 *   rest of a lap, `head_cache` is the producer's old view of head. Stores of one cell are one step.
 * Claims: the consumer finds a committed header of the right position at head, whole payloads, all
 *   records in order, none twice; the producer overwrites no cell that was not read; a reader after
 *   death at any step finds whole records up to tail.
 * Not here: a producer that is torn away while the process lives on (recover.pml); weak memory: the
 *   release and acquire pairs are listed in ring.h, tests/race/ring.c runs them under TSan.
 *
 * MUTANT_TAIL_FIRST      tail is stored before the payload
 * MUTANT_HEADER_LAST     tail is stored before the header
 * MUTANT_ROOM_OFF_BY_ONE one cell too many is taken for free
 * MUTANT_NO_SKIP         the skipped end of a lap gets no header
 * MUTANT_SKIP_UNCOUNTED  the room check leaves out the cells that are skipped
 * MUTANT_HEAD_EARLY      the consumer lets a record go before it has read it
 *
 * run: -DSAFETY -DCOLLAPSE -m100000
 */
#define CAPACITY 6
#define RECORDS 5
#define SKIP 7

typedef cell {
    byte position, size, payload;
    bool committed;
    bool unread /* ghost: published, not yet read */
};
cell at[CAPACITY];
byte tail, head;
byte published, taken; /* ghost */

#define AT(p) at[(p) % CAPACITY]

inline store_header(p, n)
{
    d_step {
        assert(!AT(p).unread);
        AT(p).position = p; AT(p).size = n; AT(p).committed = true
    }
}

inline publish()
{
    d_step { /* ghost: what lies before the new tail is the consumer's */
        i = tail;
        do
        :: i < place + 1 + size -> AT(i).unread = true; i++
        :: else -> break
        od;
        i = 0; published++;
        tail = place + 1 + size
    }
}

/* room: whether the record fits; place: where */
inline reserve()
{
    skip_cells = 0;
    if
    :: tail % CAPACITY + 1 + size > CAPACITY -> skip_cells = CAPACITY - tail % CAPACITY
    :: else
    fi;
#ifdef MUTANT_ROOM_OFF_BY_ONE
#define ROOM (CAPACITY + 1)
#else
#define ROOM CAPACITY
#endif
#ifdef MUTANT_SKIP_UNCOUNTED
#define NEED (tail + 1 + size - head_cache)
#else
#define NEED (tail + skip_cells + 1 + size - head_cache)
#endif
    if
    :: NEED > ROOM -> head_cache = head
    :: else
    fi;
    room = NEED <= ROOM;
    if
    :: room && skip_cells > 0 ->
#ifndef MUTANT_NO_SKIP
        store_header(tail, SKIP);
#endif
        skip
    :: else
    fi;
    place = tail + skip_cells;
    if
    :: room -> d_step { assert(!AT(place).unread); AT(place).committed = false; AT(place).size = 0; AT(place).position = 0 }
    :: else
    fi
}

proctype producer()
{
    byte head_cache, place, size, n, i, skip_cells;
    bool room;
    do
    :: published == RECORDS -> break
    :: else ->
        if
        :: size = 0
        :: size = 1
        :: size = 2
        fi;
        reserve();
        if
        :: room ->
#ifdef MUTANT_TAIL_FIRST
            store_header(place, size);
            publish();
#endif
            n = 0;
            do
            :: n == size -> break
            :: n < size ->
#ifdef MUTANT_TAIL_FIRST
                AT(place + 1 + n).payload = published;
#else
                d_step {
                    assert(!AT(place + 1 + n).unread);
                    AT(place + 1 + n).payload = published + 1
                };
#endif
                n++
            od;
#ifdef MUTANT_HEADER_LAST
            publish();
            store_header(place, size);
#else
#ifndef MUTANT_TAIL_FIRST
            store_header(place, size);
            publish();
#endif
#endif
            skip
        :: else -> size = 0; head != head_cache /* full: dropped; the next call after it has moved */
        fi
    od
}

inline check_header(p)
{
    assert(AT(p).committed && AT(p).position == p)
}

proctype consumer()
{
    byte until, n, size, own_head;
    do
    :: taken == RECORDS -> break
    :: else ->
        tail != own_head;
        until = tail;
        do
        :: own_head >= until -> break
        :: else ->
            d_step { check_header(own_head); size = AT(own_head).size };
            if
            :: size == SKIP ->
                d_step {
                    n = own_head % CAPACITY;
                    do
                    :: n < CAPACITY -> AT(own_head).unread = false; own_head++; n++
                    :: else -> break
                    od;
                    n = 0
                };
                head = own_head
            :: else ->
#ifdef MUTANT_HEAD_EARLY
                head = own_head + 1 + size;
#endif
                n = 0;
                d_step { AT(own_head).unread = false };
                do
                :: n == size -> break
                :: n < size ->
                    d_step {
                        assert(AT(own_head + 1 + n).payload == taken + 1);
                        AT(own_head + 1 + n).unread = false
                    };
                    n++
                od;
                n = 0;
                d_step { own_head = own_head + 1 + size; taken++; size = 0 };
#ifndef MUTANT_HEAD_EARLY
                head = own_head
#endif
            fi
        od
    od
}

/* The producer and the consumer die here: all in one step. */
proctype post_mortem()
{
    byte p, n, previous;
    d_step {
        p = head;
        do
        :: p >= tail -> break
        :: else ->
            check_header(p);
            if
            :: AT(p).size == SKIP -> p = p + CAPACITY - p % CAPACITY
            :: else ->
                n = 1;
                do
                :: n > AT(p).size -> break
                :: else ->
                    assert(n == 1 && AT(p + n).payload > previous || n > 1 && AT(p + n).payload == AT(p + 1).payload);
                    n++
                od;
                if :: AT(p).size > 0 -> previous = AT(p + 1).payload :: else fi;
                p = p + 1 + AT(p).size
            fi
        od;
        assert(p == tail);
        p = 0; n = 0; previous = 0
    }
}

init {
    atomic { run producer(); run consumer(); run post_mortem() };
    (_nr_pr == 1);
    assert(head == tail && published == RECORDS && taken == RECORDS)
}
