/* The pipeline (base/pool.h).
 *
 * Submitted slots stand in a ring in order of submission. Three running numbers cut it:
 *
 *        taken        started       submitted
 *     ....[ running or done [ queued      [ ....
 *
 * Invariants:
 *   1. taken <= started <= submitted <= taken + slot_count.
 *   2. A slot belongs to the owner when FREE or HELD, to one worker from start to done, and to nobody while it
 *      is queued or done; the mutex passes its bytes on.
 *   3. No job runs under the mutex.
 */
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

enum slot_state { SLOT_FREE, SLOT_HELD, SLOT_SUBMITTED };

struct pond_pipeline {
    /* Set once, before any thread is there. */
    pond_job_fn *job;
    void *context;
    size_t stride;
    size_t slot_count;
    unsigned char *slots;
    pthread_t *threads;
    unsigned thread_count; /* the owner's: workers do not look at it */

    /* The owner's alone. */
    unsigned char *state; /* enum slot_state, by slot */
    size_t *free_slots;   /* a stack: the slot last used is the one still in the cache */
    size_t free_count;
    uint64_t taken;

    pthread_mutex_t mutex; /* ring, started, submitted, done, stopping */
    size_t *ring;          /* slot numbers; the n-th submitted stands at n % slot_count */
    uint64_t started;
    uint64_t submitted;
    bool *done; /* by slot */
    bool stopping;
    pthread_cond_t queued;   /* started < submitted, or stopping */
    pthread_cond_t finished; /* some slot became done */
};

static void *slot_at(const struct pond_pipeline *p, size_t index)
{
    return p->slots + index * p->stride;
}

static size_t index_of(const struct pond_pipeline *p, const void *slot)
{
    size_t offset = (size_t)((const unsigned char *)slot - p->slots);
    assert(offset % p->stride == 0 && offset / p->stride < p->slot_count);
    return offset / p->stride;
}

static void *work(void *argument)
{
    struct pond_pipeline *p = argument;
    (void)pthread_mutex_lock(&p->mutex);
    for (;;) {
        while (!p->stopping && p->started == p->submitted)
            (void)pthread_cond_wait(&p->queued, &p->mutex);
        if (p->stopping)
            break;
        size_t index = p->ring[p->started++ % p->slot_count];
        (void)pthread_mutex_unlock(&p->mutex);
        p->job(p->context, slot_at(p, index));
        (void)pthread_mutex_lock(&p->mutex);
        p->done[index] = true;
        (void)pthread_cond_signal(&p->finished);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Workers take no signals: a handler runs in a thread of the program that uses us. Those that report a fault
 * of the thread itself stay as they are. Fewer threads than asked for is slower, not wrong, so that a limit on
 * threads (a container's, a user's) is no failure: with none at all, jobs run in submit. */
static void start_workers(struct pond_pipeline *p, unsigned workers)
{
    sigset_t blocked;
    sigset_t before;
    (void)sigfillset(&blocked);
    (void)sigdelset(&blocked, SIGSEGV);
    (void)sigdelset(&blocked, SIGBUS);
    (void)sigdelset(&blocked, SIGFPE);
    (void)sigdelset(&blocked, SIGILL);
    (void)sigdelset(&blocked, SIGTRAP);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    while (p->thread_count < workers &&
           pthread_create(&p->threads[p->thread_count], NULL, work, p) == 0)
        p->thread_count++;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void free_memory(struct pond_pipeline *p)
{
    if (p == NULL)
        return;
    pond_free(p->slots);
    pond_free(p->threads);
    pond_free(p->state);
    pond_free(p->free_slots);
    pond_free(p->ring);
    pond_free(p->done);
    pond_free(p);
}

static struct pond_pipeline *new_memory(unsigned workers, size_t slots, size_t stride)
{
    struct pond_pipeline *p = pond_calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->slots = pond_calloc(slots, stride);
    p->threads = pond_calloc(workers, sizeof *p->threads);
    p->state = pond_calloc(slots, sizeof *p->state);
    p->free_slots = pond_calloc(slots, sizeof *p->free_slots);
    p->ring = pond_calloc(slots, sizeof *p->ring);
    p->done = pond_calloc(slots, sizeof *p->done);
    if (p->slots != NULL && p->threads != NULL && p->state != NULL && p->free_slots != NULL &&
        p->ring != NULL && p->done != NULL)
        return p;
    free_memory(p);
    return NULL;
}

int pond_pipeline_new(struct pond_pipeline **out, unsigned workers, unsigned slots, size_t slot_size,
                      pond_job_fn *job, void *context, struct pond_error *err)
{
    assert(slots > 0 && slot_size > 0 && job != NULL);
    if (slot_size > SIZE_MAX / 2)
        return pond_fail_nomem(err);
    size_t stride = (size_t)pond_align_up(slot_size, alignof(max_align_t));
    struct pond_pipeline *p = new_memory(workers, slots, stride);
    if (p == NULL)
        return pond_fail_nomem(err);
    p->job = job;
    p->context = context;
    p->stride = stride;
    p->slot_count = slots;
    for (size_t i = 0; i < slots; i++) /* slot 0 on top */
        p->free_slots[i] = slots - 1 - i;
    p->free_count = slots;
    /* With default attributes these three cannot fail on Linux. */
    (void)pthread_mutex_init(&p->mutex, NULL);
    (void)pthread_cond_init(&p->queued, NULL);
    (void)pthread_cond_init(&p->finished, NULL);
    start_workers(p, workers);
    *out = p;
    return 0;
}

void pond_pipeline_free(struct pond_pipeline *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->queued);
    (void)pthread_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < p->thread_count; i++)
        (void)pthread_join(p->threads[i], NULL);
    (void)pthread_cond_destroy(&p->finished);
    (void)pthread_cond_destroy(&p->queued);
    (void)pthread_mutex_destroy(&p->mutex);
    free_memory(p);
}

void *pond_pipeline_free_slot(struct pond_pipeline *p)
{
    if (p->free_count == 0)
        return NULL;
    size_t index = p->free_slots[--p->free_count];
    assert(p->state[index] == SLOT_FREE);
    p->state[index] = SLOT_HELD;
    return slot_at(p, index);
}

void pond_pipeline_submit(struct pond_pipeline *p, void *slot)
{
    size_t index = index_of(p, slot);
    assert(p->state[index] == SLOT_HELD);
    p->state[index] = SLOT_SUBMITTED;
    bool at_once = p->thread_count == 0;
    if (at_once)
        p->job(p->context, slot);

    (void)pthread_mutex_lock(&p->mutex);
    assert(p->submitted - p->taken < p->slot_count); /* invariant 1 */
    p->ring[p->submitted++ % p->slot_count] = index;
    p->done[index] = at_once;
    if (at_once)
        p->started++;
    else
        (void)pthread_cond_signal(&p->queued);
    (void)pthread_mutex_unlock(&p->mutex);
}

void *pond_pipeline_take(struct pond_pipeline *p)
{
    (void)pthread_mutex_lock(&p->mutex);
    if (p->taken == p->submitted) {
        (void)pthread_mutex_unlock(&p->mutex);
        return NULL;
    }
    size_t index = p->ring[p->taken % p->slot_count];
    while (!p->done[index])
        (void)pthread_cond_wait(&p->finished, &p->mutex);
    assert(p->taken < p->started); /* invariant 1 */
    p->taken++;
    (void)pthread_mutex_unlock(&p->mutex);
    assert(p->state[index] == SLOT_SUBMITTED);
    p->state[index] = SLOT_HELD;
    return slot_at(p, index);
}

void pond_pipeline_put_back(struct pond_pipeline *p, void *slot)
{
    size_t index = index_of(p, slot);
    assert(p->state[index] == SLOT_HELD);
    p->state[index] = SLOT_FREE;
    p->free_slots[p->free_count++] = index;
}

void pond_pipeline_each(struct pond_pipeline *p, void (*fn)(void *slot))
{
    for (size_t i = 0; i < p->slot_count; i++) {
        assert(p->state[i] != SLOT_SUBMITTED);
        fn(slot_at(p, i));
    }
}

unsigned pond_cpu_count(void)
{
    /* A fixed set holds 1024 processors; on a larger machine the call fails, and we take its limit. */
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return CPU_SETSIZE;
    int count = CPU_COUNT(&set);
    return count > 0 ? (unsigned)count : 1;
}
