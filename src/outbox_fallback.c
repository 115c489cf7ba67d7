/* SPDX-License-Identifier: MIT */
/* Where records go while their target is not open: stderr. */
#include <stdlib.h>
#include <string.h>

#include "outbox_state.h"
#include "scheme.h"

/* One record as a line of stderr's; a datagram's record has no LF of its own. Whether it is there.
 */
static bool
write_to_stderr(void *sink, const struct thole_sink_record *record)
{
    struct thole_sink_record line = *record;
    size_t done;
    if (record->size > 0 && record->bytes[record->size - 1] == '\n')
        return thl_sink_stderr.write(sink, record, 1, &done) == 0;
    char *bytes = malloc(record->size + 1);
    if (!bytes)
        return false;
    memcpy(bytes, record->bytes, record->size);
    bytes[line.size++] = '\n';
    line.bytes = bytes;
    bool there = thl_sink_stderr.write(sink, &line, 1, &done) == 0;
    free(bytes);
    return there;
}

/* The first of the batch's records, as many as descriptor 2 takes. */
static size_t
show_batch(struct thl_outbox *o, const struct thole_sink_record *record, size_t n)
{
    size_t shown = 0;
    void *sink;
    thl_outbox_inside = o;
    if (!o->target->is_stderr && thl_sink_stderr.open(&o->target->uri, &sink) == 0) {
        while (shown < n && write_to_stderr(sink, &record[shown]))
            shown++;
        thl_sink_stderr.close(sink);
    }
    thl_outbox_inside = NULL;
    return shown;
}

/* The same where stderr: is a target itself: into its queue, for only one may write there; but for
 * what it has already, by a route of its own. */
static size_t
hand_batch(struct thl_outbox *o, const struct thole_sink_record *record, size_t n)
{
    struct thl_outbox *to = o->fallback;
    size_t handed = 0;
    pthread_mutex_lock(&to->lock);
    bool runs = !to->stop;
    while (runs && handed < n &&
           (thl_target_takes_all(to->target, record[handed].level) ||
            thl_outbox_append_locked(to, &record[handed])))
        handed++;
    pthread_cond_signal(&to->work);
    pthread_mutex_unlock(&to->lock);
    if (!thl_outbox_has_thread(to))
        thl_outbox_serve(to);
    return runs ? handed : show_batch(o, record, n);
}

void
thl_outbox_fall_back(struct thl_outbox *o)
{
    struct thl_batch *b = &o->drain;
    pthread_mutex_lock(&o->lock); /* whoever leaves it alone moves b->next to the end */
    const struct thole_sink_record *record = &b->record[b->next];
    size_t n = o->left_alone ? 0 : b->n - b->next;
    pthread_mutex_unlock(&o->lock);
    size_t shown = o->fallback ? hand_batch(o, record, n) : show_batch(o, record, n);
    pthread_mutex_lock(&o->lock);
    if (!o->left_alone) { /* else thl_outbox_stop has counted these already */
        for (b->next += shown; shown > 0; shown--)
            thl_outbox_book_drop_locked(o, THOLE_DOWN);
        thl_outbox_drop_batch_locked(o, b, THOLE_DOWN);
    }
    pthread_cond_broadcast(&o->done);
    pthread_mutex_unlock(&o->lock);
}
