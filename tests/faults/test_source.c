/* Sources that change while a copy reads them: at the first chunk that is done, the test does it to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <pond/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((uint64_t)4 << 20)
#define BIG (10 * CHUNK + 12345)

static struct pond_error err;
#define assert_ok(call) assert_int_equal((call), 0)

/* ---- files ---- */

static uint8_t byte_at(uint64_t offset, uint8_t salt)
{
    uint64_t x = (offset / 8 + salt) * 0x9e3779b97f4a7c15u;
    return (uint8_t)(x >> (offset % 8 * 8));
}

static void write_range(const char *path, uint64_t from, uint64_t to, uint8_t salt)
{
    static uint8_t step[1 << 16];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    while (from < to) {
        size_t n = to - from < sizeof step ? (size_t)(to - from) : sizeof step;
        for (size_t i = 0; i < n; i++)
            step[i] = byte_at(from + i, salt);
        assert_int_equal(pwrite(fd, step, n, (off_t)from), n);
        from += n;
    }
    close(fd);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static int enter_sandbox(void **state)
{
    char dir[] = "/tmp/pond-test-XXXXXX";
    if (mkdtemp(dir) == NULL || chdir(dir) != 0)
        return -1;
    *state = strdup(dir);
    write_range("big", 0, BIG, 1);
    assert_int_equal(mkdir("tree", 0755), 0);
    write_range("tree/a", 0, 1000, 2);
    write_range("tree/b", 0, 200000, 3);
    const struct pond_init_options options = {.chunk_size = CHUNK, .command = "test"};
    assert_ok(pond_init("p", &options, &err));
    return 0;
}

static int leave_sandbox(void **state)
{
    if (chdir("/") != 0 || nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        return -1;
    free(*state);
    return 0;
}

/* ---- a copy that is disturbed ---- */

struct disturbance {
    void (*act)(void);
    int calls;
    int skips;
    char skipped[256], why[POND_ERROR_MESSAGE_SIZE];
};

static void on_progress(void *context, uint64_t bytes)
{
    struct disturbance *d = context;
    (void)bytes;
    if (d->calls++ == 0 && d->act != NULL)
        d->act();
}

static void on_skip(void *context, const char *host_path, const struct pond_error *why)
{
    struct disturbance *d = context;
    d->skips++;
    (void)snprintf(d->skipped, sizeof d->skipped, "%s", host_path);
    (void)snprintf(d->why, sizeof d->why, "%s", why->message);
}

/* big, then what is in extra, into /. */
static struct pond_copy_result copy(const char *extra, struct disturbance *d)
{
    const char *const sources[] = {"big", extra};
    struct pond *p;
    struct pond_txn *t;
    struct pond_txn_result committed;
    struct pond_copy_result result;
    const struct pond_copy_options options = {
        .control = {.threads = 1, .progress = on_progress, .context = d},
        .on_skip = on_skip,
        .context = d,
    };
    assert_ok(pond_open(&p, "p", POND_WRITE, &err));
    assert_ok(pond_begin(&t, p, "copy", &err));
    assert_ok(pond_txn_copy(t, sources, 2, "/", &options, &result, &err));
    assert_ok(pond_txn_commit(t, &committed, &err));
    pond_close(p);
    return result;
}

static void assert_sound(void)
{
    struct pond *p;
    struct pond_check_result result;
    const struct pond_check_options options = {.read_data = true};
    assert_ok(pond_open(&p, "p", POND_READ, &err));
    assert_ok(pond_check(p, &options, &result, &err));
    assert_int_equal(result.damaged, 0);
    pond_close(p);
}

static int size_in_pond(const char *path, uint64_t *size)
{
    struct pond *p;
    struct pond_entry entry;
    assert_ok(pond_open(&p, "p", POND_READ, &err));
    int r = pond_stat(p, path, POND_AT_TIP, &entry, &err);
    *size = r == 0 ? entry.size : 0;
    pond_close(p);
    return r;
}

static void assert_content(const char *path, uint64_t size, uint8_t salt)
{
    static uint8_t step[1 << 16];
    struct pond *p;
    struct pond_reader *reader;
    assert_ok(pond_open(&p, "p", POND_READ, &err));
    assert_ok(pond_reader_open(&reader, p, path, POND_AT_TIP, 0, &err));
    assert_int_equal(pond_reader_size(reader), size);
    for (uint64_t at = 0; at < size;) {
        int64_t n = pond_reader_read(reader, at, step, sizeof step, &err);
        assert_true(n > 0);
        for (int64_t i = 0; i < n; i++)
            if (step[i] != byte_at(at + (uint64_t)i, salt))
                fail_msg("%s: another byte at %llu", path, (unsigned long long)at + (unsigned long long)i);
        at += (uint64_t)n;
    }
    pond_reader_close(reader);
    pond_close(p);
}

/* A copy without disturbance stores everything as it is now. */
static void assert_next_copy_completes(uint64_t size, uint8_t salt)
{
    struct disturbance none = {0};
    struct pond_copy_result result = copy("tree", &none);
    assert_int_equal(result.skipped, 0);
    assert_content("/big", size, salt);
    assert_content("/tree/a", 1000, 2);
    assert_content("/tree/b", 200000, 3);
    assert_sound();
}

/* ---- tests ---- */

static void shrink(void)
{
    assert_int_equal(truncate("big", (off_t)CHUNK + 1000), 0);
}

static void test_source__shrinks(void **state)
{
    (void)state;
    uint64_t size;
    struct disturbance d = {.act = shrink};
    struct pond_copy_result result = copy("tree", &d);
    assert_int_equal(result.skipped, 1);
    assert_int_equal(d.skips, 1);
    assert_string_equal(d.skipped, "big");
    assert_non_null(strstr(d.why, "big: "));
    assert_int_equal(size_in_pond("/big", &size), POND_ENOTFOUND);
    assert_content("/tree/b", 200000, 3);
    assert_sound();
    assert_next_copy_completes(CHUNK + 1000, 1);
}

static void test_source__shrinks_in_its_second_version(void **state)
{
    (void)state;
    struct disturbance none = {0}, d = {.act = shrink};
    (void)copy("tree", &none);
    write_range("big", 0, BIG + 1, 4); /* of another size: not hashed before it is stored */
    struct pond_copy_result result = copy("tree", &d);
    assert_int_equal(result.skipped, 1);
    assert_content("/big", BIG, 1); /* the old version stays */
    assert_next_copy_completes(CHUNK + 1000, 4);
}

static void grow(void)
{
    write_range("big", BIG, BIG + 3 * CHUNK, 1);
}

static void test_source__grows(void **state)
{
    (void)state;
    struct disturbance d = {.act = grow};
    struct pond_copy_result result = copy("tree", &d);
    assert_int_equal(result.skipped, 0);
    assert_content("/big", BIG, 1); /* as long as it was when it was opened */
    assert_sound();
    assert_next_copy_completes(BIG + 3 * CHUNK, 1);
}

static void vanish(void)
{
    assert_int_equal(unlink("big"), 0);
}

static void test_source__vanishes(void **state)
{
    (void)state;
    struct disturbance d = {.act = vanish};
    struct pond_copy_result result = copy("tree", &d);
    assert_int_equal(result.skipped, 0);
    assert_content("/big", BIG, 1); /* it was open */
    assert_sound();
}

static void overwrite(void)
{
    write_range("big", 0, BIG, 5);
}

/* What is stored is one of many mixtures; it is stored as what it is, and not taken for the final one. */
static void test_source__is_overwritten(void **state)
{
    (void)state;
    uint64_t size;
    struct disturbance d = {.act = overwrite};
    struct pond_copy_result result = copy("tree", &d);
    assert_int_equal(result.skipped, 0);
    assert_ok(size_in_pond("/big", &size));
    assert_int_equal(size, BIG);
    assert_sound();
    assert_next_copy_completes(BIG, 5);
}

static void remove_next(void)
{
    assert_int_equal(unlink("tree/b"), 0);
}

static void test_source__is_gone_when_its_turn_comes(void **state)
{
    (void)state;
    uint64_t size;
    struct disturbance d = {.act = remove_next};
    struct pond_copy_result result = copy("tree/b", &d);
    assert_int_equal(result.skipped, 1);
    assert_string_equal(d.skipped, "tree/b");
    assert_non_null(strstr(d.why, "tree/b"));
    assert_content("/big", BIG, 1);
    assert_int_equal(size_in_pond("/b", &size), POND_ENOTFOUND);
    assert_sound();
}

static void become_fifo(void)
{
    assert_int_equal(unlink("tree/b"), 0);
    assert_int_equal(mkfifo("tree/b", 0644), 0);
}

static void test_source__becomes_a_fifo(void **state)
{
    (void)state;
    struct disturbance d = {.act = become_fifo};
    struct pond_copy_result result = copy("tree", &d);
    assert_int_equal(result.skipped, 1);
    assert_string_equal(d.skipped, "tree/b");
    assert_content("/tree/a", 1000, 2);
    assert_sound();
}

#define IN_SANDBOX(test) cmocka_unit_test_setup_teardown(test, enter_sandbox, leave_sandbox)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_source__shrinks),
        IN_SANDBOX(test_source__shrinks_in_its_second_version),
        IN_SANDBOX(test_source__grows),
        IN_SANDBOX(test_source__vanishes),
        IN_SANDBOX(test_source__is_overwritten),
        IN_SANDBOX(test_source__is_gone_when_its_turn_comes),
        IN_SANDBOX(test_source__becomes_a_fifo),
    };
    return cmocka_run_group_tests_name("faults/source", tests, NULL, NULL);
}
