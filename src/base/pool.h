/* base/pool.h - the only place that makes threads.
 *
 * A pipeline: the owner fills slots, workers run a job on each, the owner takes them back in the order in which
 * they were submitted. With 0 workers jobs run in pond_pipeline_submit, so single-threaded behaviour is the
 * same code; so it is when no thread can be had (and fewer threads than asked for will do). Memory is bounded by the
 * number of slots.
 *
 * Calling sequence, owner's thread only:
 *   pond_pipeline_new
 *   loop: slot = pond_pipeline_free_slot(p)   a slot that is the owner's; NULL: none free, take one first
 *         fill it; pond_pipeline_submit(p, slot)
 *         slot = pond_pipeline_take(p)        waits for the oldest submitted slot; NULL: nothing submitted
 *         use its result; pond_pipeline_put_back(p, slot)
 *   pond_pipeline_free                        waits for running jobs, drops the rest
 *
 * Slots are caller-defined blocks of slot_size bytes, aligned for any type, zeroed at the start, kept between uses.
 * Workers block all signals.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/error.h"

struct pond_pipeline;

/* Runs on a worker. It must not call pipeline functions. Results and errors go into the slot. */
typedef void pond_job_fn(void *context, void *slot);

/* workers may be 0; slots and slot_size may not. */
POND_CHECKED int pond_pipeline_new(struct pond_pipeline **out, unsigned workers, unsigned slots, size_t slot_size,
                                   pond_job_fn *job, void *context, struct pond_error *err);
void pond_pipeline_free(struct pond_pipeline *p);
void *pond_pipeline_free_slot(struct pond_pipeline *p);
void pond_pipeline_submit(struct pond_pipeline *p, void *slot);
void *pond_pipeline_take(struct pond_pipeline *p);
void pond_pipeline_put_back(struct pond_pipeline *p, void *slot);
/* Calls fn for each slot, whatever its state; only while nothing is submitted (set-up, tear-down). */
void pond_pipeline_each(struct pond_pipeline *p, void (*fn)(void *slot));

/* Processors this process may use, at least 1. */
unsigned pond_cpu_count(void);

#endif
