/* base/pool.h: order, hand-over, tear-down. Meant to be run under the thread sanitizer as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* pool.c is compiled in here, so that a test can act at the very moment when pond_pipeline_free has told the
 * workers to stop and begins to wait for them. */
static void (*before_join)(void);

static int join_with_hook(pthread_t thread, void **result)
{
    if (before_join != NULL)
        before_join();
    return pthread_join(thread, result);
}

#define pthread_join join_with_hook
#include "base/pool.c"
#undef pthread_join

static struct pond_error err;

struct item {
    uint32_t number;
    uint32_t uses; /* kept between uses */
    uint64_t result;
};

static uint64_t slow_sum(uint32_t number)
{
    uint64_t sum = number;
    uint32_t rounds = number % 5 == 0 ? 40000 : 10; /* the slow ones are overtaken */
    for (uint32_t i = 0; i < rounds; i++)
        sum = sum * 6364136223846793005u + 1442695040888963407u;
    return sum;
}

static void sum_job(void *context, void *slot)
{
    struct item *item = slot;
    item->result = slow_sum(item->number);
    item->uses++;
    (void)atomic_fetch_add((atomic_uint *)context, 1);
}

static void run_in_order(unsigned workers, unsigned slots, uint32_t count)
{
    atomic_uint runs = 0;
    struct pond_pipeline *p = NULL;
    uint32_t submitted = 0;
    uint32_t taken = 0;
    uint64_t uses = 0;
    assert_int_equal(pond_pipeline_new(&p, workers, slots, sizeof(struct item), sum_job, &runs, &err), 0);
    while (taken < count) {
        struct item *item = submitted < count ? pond_pipeline_free_slot(p) : NULL;
        if (item != NULL) {
            item->number = submitted++;
            item->result = 0;
            pond_pipeline_submit(p, item);
            continue;
        }
        item = pond_pipeline_take(p);
        assert_non_null(item);
        assert_int_equal(item->number, taken);
        assert_int_equal(item->result, slow_sum(taken));
        taken++;
        pond_pipeline_put_back(p, item);
    }
    assert_null(pond_pipeline_take(p));
    assert_int_equal(atomic_load(&runs), count);
    for (unsigned i = 0; i < slots; i++) {
        struct item *item = pond_pipeline_free_slot(p);
        assert_non_null(item);
        uses += item->uses;
    }
    assert_int_equal(uses, count);
    pond_pipeline_free(p);
}

static void test_pipeline__takes_in_the_order_of_submission(void **state)
{
    (void)state;
    static const unsigned workers[] = { 0, 1, 4 };
    static const unsigned slots[] = { 1, 3, 8 };
    for (size_t w = 0; w < sizeof workers / sizeof *workers; w++)
        for (size_t s = 0; s < sizeof slots / sizeof *slots; s++)
            run_in_order(workers[w], slots[s], 1000);
}

/* Job 0 cannot end before job 1 has: it is done last and still taken first. */
static void overtaken_job(void *context, void *slot)
{
    struct item *item = slot;
    sem_t *second_done = context;
    if (item->number == 0)
        while (sem_wait(second_done) != 0)
            ;
    item->result = item->number + 100;
    if (item->number == 1)
        (void)sem_post(second_done);
}

static void test_pipeline__waits_for_the_oldest(void **state)
{
    (void)state;
    sem_t second_done;
    struct pond_pipeline *p = NULL;
    assert_int_equal(sem_init(&second_done, 0, 0), 0);
    assert_int_equal(pond_pipeline_new(&p, 2, 2, sizeof(struct item), overtaken_job, &second_done, &err), 0);
    for (uint32_t i = 0; i < 2; i++) {
        struct item *item = pond_pipeline_free_slot(p);
        item->number = i;
        pond_pipeline_submit(p, item);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const struct item *item = pond_pipeline_take(p);
        assert_int_equal(item->number, i);
        assert_int_equal(item->result, i + 100);
    }
    pond_pipeline_free(p);
    (void)sem_destroy(&second_done);
}

static void no_job(void *context, void *slot)
{
    (void)context;
    (void)slot;
}

static void test_pipeline__slots(void **state)
{
    (void)state;
    struct pond_pipeline *p = NULL;
    char zeros[13] = { 0 };
    assert_int_equal(pond_pipeline_new(&p, 1, 2, sizeof zeros, no_job, NULL, &err), 0);
    assert_null(pond_pipeline_take(p));
    char *a = pond_pipeline_free_slot(p);
    char *b = pond_pipeline_free_slot(p);
    assert_true(a != NULL && b != NULL && a != b);
    assert_null(pond_pipeline_free_slot(p));
    assert_int_equal((uintptr_t)a % alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)b % alignof(max_align_t), 0);
    assert_memory_equal(a, zeros, sizeof zeros);
    memset(a, 'a', sizeof zeros);
    memset(b, 'b', sizeof zeros);
    pond_pipeline_put_back(p, a); /* without having been submitted */
    assert_ptr_equal(pond_pipeline_free_slot(p), a);
    pond_pipeline_submit(p, a);
    assert_null(pond_pipeline_free_slot(p));
    assert_ptr_equal(pond_pipeline_take(p), a);
    assert_null(pond_pipeline_take(p));
    assert_int_equal(a[sizeof zeros - 1], 'a');
    assert_int_equal(b[0], 'b');
    pond_pipeline_free(p);
    pond_pipeline_free(NULL);
}

static void count_slot(void *slot)
{
    ((struct item *)slot)->uses += 10;
}

static void test_pipeline__each_visits_every_slot(void **state)
{
    (void)state;
    struct pond_pipeline *p = NULL;
    assert_int_equal(pond_pipeline_new(&p, 0, 3, sizeof(struct item), no_job, NULL, &err), 0);
    struct item *held = pond_pipeline_free_slot(p);
    pond_pipeline_each(p, count_slot);
    assert_int_equal(held->uses, 10);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(((struct item *)pond_pipeline_free_slot(p))->uses, 10);
    pond_pipeline_free(p);
}

enum { GATE_WORKERS = 2, GATE_SLOTS = 8 };

static struct {
    sem_t started;
    sem_t open;
    atomic_uint ended;
} gate;

static void gated_job(void *context, void *slot)
{
    (void)context;
    struct item *item = slot;
    (void)sem_post(&gate.started);
    while (sem_wait(&gate.open) != 0)
        ;
    for (uint32_t i = 0; i < 50; i++) /* time enough for one who does not wait to leave us behind */
        item->result += slow_sum(i * 5);
    (void)atomic_fetch_add(&gate.ended, 1);
}

static void open_gate(void)
{
    before_join = NULL;
    for (unsigned i = 0; i < GATE_SLOTS; i++) /* for all jobs, so that too many are seen, not stuck */
        (void)sem_post(&gate.open);
}

static void test_pipeline_free__waits_for_running_jobs_and_drops_the_rest(void **state)
{
    (void)state;
    struct pond_pipeline *p = NULL;
    assert_int_equal(sem_init(&gate.started, 0, 0), 0);
    assert_int_equal(sem_init(&gate.open, 0, 0), 0);
    assert_int_equal(
        pond_pipeline_new(&p, GATE_WORKERS, GATE_SLOTS, sizeof(struct item), gated_job, NULL, &err), 0);
    for (unsigned i = 0; i < GATE_SLOTS; i++)
        pond_pipeline_submit(p, pond_pipeline_free_slot(p));
    for (unsigned i = 0; i < GATE_WORKERS; i++)
        assert_int_equal(sem_wait(&gate.started), 0);
    before_join = open_gate;
    pond_pipeline_free(p);
    assert_int_equal(atomic_load(&gate.ended), GATE_WORKERS);
    (void)sem_destroy(&gate.open);
    (void)sem_destroy(&gate.started);
}

static void test_pipeline_free__with_nothing_done(void **state)
{
    (void)state;
    struct pond_pipeline *p = NULL;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(pond_pipeline_new(&p, 4, 4, 1, no_job, NULL, &err), 0);
        pond_pipeline_free(p);
    }
}

struct mask_report {
    sigset_t mask;
    pthread_t thread;
};

static void mask_job(void *context, void *slot)
{
    (void)context;
    struct mask_report *report = slot;
    report->thread = pthread_self();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &report->mask);
}

static void test_pipeline__workers_take_no_signals(void **state)
{
    (void)state;
    struct pond_pipeline *p = NULL;
    sigset_t before;
    sigset_t after;
    sigset_t masked;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    for (unsigned workers = 0; workers < 2; workers++) {
        assert_int_equal(pond_pipeline_new(&p, workers, 1, sizeof(struct mask_report), mask_job, NULL, &err), 0);
        pond_pipeline_submit(p, pond_pipeline_free_slot(p));
        const struct mask_report *report = pond_pipeline_take(p);
        assert_int_equal(pthread_equal(report->thread, pthread_self()) != 0, workers == 0);
        masked = report->mask;
        assert_int_equal(sigismember(&masked, SIGINT), workers == 1);
        assert_int_equal(sigismember(&masked, SIGSEGV), 0);
        pond_pipeline_free(p);
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < NSIG; number++)
        assert_int_equal(sigismember(&after, number), sigismember(&before, number));
}

static void test_pipeline_new__out_of_memory(void **state)
{
    (void)state;
    struct pond_pipeline *p = NULL;
    long n = 0;
    int r = -1;
    for (; r != 0; n++) {
        pond_mem_fail_after(n);
        r = pond_pipeline_new(&p, 2, 2, 8, no_job, NULL, &err);
        pond_mem_fail_after(-1);
        assert_true(r == 0 || (r == POND_ENOMEM && p == NULL));
    }
    assert_true(n > 6);
    pond_pipeline_free(p);
    p = NULL;
    assert_int_equal(pond_pipeline_new(&p, 0, 2, SIZE_MAX, no_job, NULL, &err), POND_ENOMEM);
    assert_int_equal(pond_pipeline_new(&p, 0, 2, SIZE_MAX / 3, no_job, NULL, &err), POND_ENOMEM);
    assert_null(p);
}

static void test_cpu_count__is_what_this_process_may_use(void **state)
{
    (void)state;
    cpu_set_t before;
    assert_true(pond_cpu_count() >= 1);
    if (sched_getaffinity(0, sizeof before, &before) != 0)
        skip();
    assert_int_equal(pond_cpu_count(), CPU_COUNT(&before));
    size_t first = 0;
    while (!CPU_ISSET(first, &before))
        first++;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(pond_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    (void)alarm(120); /* a worker that is never woken is a failure, not a test that hangs */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipeline__takes_in_the_order_of_submission),
        cmocka_unit_test(test_pipeline__waits_for_the_oldest),
        cmocka_unit_test(test_pipeline__slots),
        cmocka_unit_test(test_pipeline__each_visits_every_slot),
        cmocka_unit_test(test_pipeline_free__waits_for_running_jobs_and_drops_the_rest),
        cmocka_unit_test(test_pipeline_free__with_nothing_done),
        cmocka_unit_test(test_pipeline__workers_take_no_signals),
        cmocka_unit_test(test_pipeline_new__out_of_memory),
        cmocka_unit_test(test_cpu_count__is_what_this_process_may_use),
    };
    return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
