/* store_batch: many files in place with few syncs, and none visible before its bytes are safe. */
#include "store/store_test.h"

#include "store/store.h"

#define LARGE ((uint64_t)8 << 20)

/* A batch that flushes only when told. */
static struct store_batch *new_batch(void)
{
    struct store_batch *b = NULL;
    assert_ok(store_batch_new(&b, 10000, UINT64_MAX, &err));
    assert_int_equal(mkdir("pond", 0777), 0);
    assert_int_equal(mkdir("tmp", 0777), 0);
    return b;
}

static int tmp_number;

/* Writes a temporary (its name goes to tmp) and adds it; size is what the batch is told. */
static int add_sized(struct store_batch *b, const char *final_path, const char *text, uint64_t size, char tmp[64])
{
    (void)snprintf(tmp, 64, "tmp/%d", tmp_number++);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return store_batch_add(b, fd, tmp, final_path, size, &err);
}

static void add(struct store_batch *b, const char *final_path, const char *text)
{
    char tmp[64];
    assert_ok(add_sized(b, final_path, text, strlen(text), tmp));
}

static void assert_placed(const char *final_path, const char *text)
{
    assert_file(final_path, text);
}

static size_t count_events(char kind)
{
    size_t n = 0;
    for (size_t i = 0; i < event_count; i++)
        n += events[i] == kind;
    return n;
}

static void test_few__each_synced_then_named_then_directories(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    add(b, "pond/large/blake3=a/chunks.parquet", "aaa");
    add(b, "pond/large/blake3=b/chunks.parquet", "bbb");
    assert_string_equal(events, "");
    assert_false(exists("pond/large/blake3=a/chunks.parquet")); /* not before the flush */
    assert_ok(store_batch_flush(b, &err));
    /* directories: pond (large), large (blake3=a, blake3=b), and those two */
    assert_string_equal(events, "ddrrffff");
    assert_placed("pond/large/blake3=a/chunks.parquet", "aaa");
    assert_placed("pond/large/blake3=b/chunks.parquet", "bbb");
    assert_int_equal(count_names("tmp"), 0);
    events_clear();
    assert_ok(store_batch_flush(b, &err)); /* nothing to do costs nothing */
    assert_string_equal(events, "");
    store_batch_free(b);
}

static void test_few__one_directory_is_synced_once(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    for (int i = 0; i < 16; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "pond/sha256=%02d", i);
        add(b, path, "x");
    }
    assert_ok(store_batch_flush(b, &err));
    assert_string_equal(events, "ddddddddddddddddrrrrrrrrrrrrrrrrff"); /* pond, and its parent */
    store_batch_free(b);
}

static void add_many(struct store_batch *b, int count)
{
    for (int i = 0; i < count; i++) {
        char path[64], text[32];
        (void)snprintf(path, sizeof path, "pond/large/blake3=%04d/chunks.parquet", i);
        (void)snprintf(text, sizeof text, "text %d", i);
        add(b, path, text);
    }
}

static void test_many__the_file_system_is_synced_twice(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    add_many(b, 100);
    assert_ok(store_batch_flush(b, &err));
    assert_int_equal(event_count, 102);
    assert_int_equal(events[0], 's');
    assert_int_equal(count_events('r'), 100);
    assert_int_equal(events[101], 's');
    for (int i = 0; i < 100; i++) {
        char path[64], text[32];
        (void)snprintf(path, sizeof path, "pond/large/blake3=%04d/chunks.parquet", i);
        (void)snprintf(text, sizeof text, "text %d", i);
        assert_placed(path, text);
    }
    assert_int_equal(count_names("tmp"), 0);
    store_batch_free(b);
}

/* More files than descriptors. */
static void test_many__few_descriptors_are_held(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    add_many(b, 300);
    assert_true(lowest_free_fd() <= sandbox.lowest_fd + 1);
    assert_ok(store_batch_flush(b, &err));
    assert_int_equal(count_events('r'), 300);
    assert_int_equal(count_events('s'), 2);
    store_batch_free(b);
}

static void test_large__each_is_synced_alone(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    for (int i = 0; i < 20; i++) {
        char path[64], tmp[64];
        (void)snprintf(path, sizeof path, "pond/%02d", i);
        assert_ok(add_sized(b, path, "x", LARGE, tmp));
    }
    assert_ok(store_batch_flush(b, &err));
    assert_int_equal(count_events('d'), 20);
    assert_int_equal(count_events('s'), 0);
    assert_int_equal(count_events('f'), 2);
    store_batch_free(b);
}

static void test_limits__flush_by_themselves(void **state)
{
    (void)state;
    struct store_batch *b = NULL, *unused = new_batch();
    store_batch_free(unused);
    char tmp[64];
    assert_ok(store_batch_new(&b, 3, 1000, &err));
    add(b, "pond/1", "x");
    add(b, "pond/2", "x");
    assert_false(exists("pond/1"));
    add(b, "pond/3", "x");
    assert_true(exists("pond/1") && exists("pond/2") && exists("pond/3"));
    assert_ok(add_sized(b, "pond/4", "x", 999, tmp));
    assert_false(exists("pond/4"));
    assert_ok(add_sized(b, "pond/5", "x", 1, tmp));
    assert_true(exists("pond/4") && exists("pond/5"));
    assert_ok(add_sized(b, "pond/6", "x", UINT64_MAX, tmp));
    assert_true(exists("pond/6"));
    store_batch_free(b);
}

/* A run that was cut off left it; it is kept, and its directories are synced all the same. */
static void test_existing__wins(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    assert_int_equal(mkdir("pond/large", 0777), 0);
    assert_int_equal(mkdir("pond/large/blake3=a", 0777), 0);
    write_file("pond/large/blake3=a/chunks.parquet", "there before", 12);
    add(b, "pond/large/blake3=a/chunks.parquet", "new");
    add(b, "pond/large/blake3=c/chunks.parquet", "one");
    add(b, "pond/large/blake3=c/chunks.parquet", "two"); /* the same content twice in one batch */
    assert_ok(store_batch_flush(b, &err));
    assert_placed("pond/large/blake3=a/chunks.parquet", "there before");
    assert_placed("pond/large/blake3=c/chunks.parquet", "one");
    assert_int_equal(count_names("tmp"), 0);
    assert_int_equal(count_events('f'), 3); /* blake3=a, blake3=c, large */
    store_batch_free(b);
}

static void remove_target_directory(void)
{
    assert_int_equal(rmdir("pond/blake3=a"), 0);
}

static void test_vanished_directory__is_made_again(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    add(b, "pond/blake3=a/chunks.parquet", "aaa");
    before_rename = remove_target_directory;
    assert_ok(store_batch_flush(b, &err));
    assert_placed("pond/blake3=a/chunks.parquet", "aaa");
    store_batch_free(b);
}

/* Invariant 3: bytes that could not be synced get no name, neither now nor by trying again. */
static void test_failed_sync__nothing_is_named(void **state)
{
    (void)state;
    static const struct {
        int files;
        char kind;
        int after;
    } cases[] = {{3, 'd', 0}, {3, 'd', 2}, {40, 's', 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_batch *b = new_batch();
        events_clear();
        add_many(b, cases[i].files);
        fail_event = cases[i].kind;
        fail_after = cases[i].after;
        assert_fails(store_batch_flush(b, &err), POND_EIO, "sync");
        assert_int_equal(count_events('r'), 0);
        assert_false(exists("pond/large/blake3=0000/chunks.parquet"));
        assert_int_equal(count_names("tmp"), 0);
        assert_fails(store_batch_flush(b, &err), POND_EIO, "earlier");
        char tmp[64];
        assert_fails(add_sized(b, "pond/x", "x", 1, tmp), POND_EIO, "earlier");
        assert_false(exists(tmp));
        store_batch_free(b);
        assert_int_equal(os_remove_tree("pond", NULL), 0);
        assert_int_equal(os_remove_tree("tmp", NULL), 0);
    }
}

static void test_failed_rename__leaves_no_temporaries(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    add_many(b, 5);
    fail_event = 'r';
    fail_after = 2;
    assert_fails(store_batch_flush(b, &err), POND_EIO, "rename");
    assert_int_equal(count_names("tmp"), 0);
    assert_true(exists("pond/large/blake3=0001/chunks.parquet"));
    assert_false(exists("pond/large/blake3=0002/chunks.parquet"));
    store_batch_free(b);
}

static void test_failed_directory_sync__is_reported(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    add_many(b, 2);
    fail_event = 'f';
    fail_after = 3; /* the last of them */
    assert_fails(store_batch_flush(b, &err), POND_EIO, "sync");
    store_batch_free(b);
}

static void test_free__removes_what_was_not_flushed(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    add_many(b, 30);
    assert_int_equal(count_names("tmp"), 30);
    store_batch_free(b);
    assert_int_equal(count_names("tmp"), 0);
    assert_string_equal(events, "");
    store_batch_free(NULL);
}

static void test_add__takes_the_temporary_when_it_fails(void **state)
{
    (void)state;
    struct store_batch *b = new_batch();
    char tmp[64];
    write_file("pond/file", "x", 1);
    assert_int_not_equal(add_sized(b, "pond/file/sub/x", "x", 1, tmp), 0);
    assert_false(exists(tmp));
    add(b, "pond/good", "y");
    assert_ok(store_batch_flush(b, &err));
    assert_placed("pond/good", "y");
    store_batch_free(b);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct store_batch *unused = new_batch();
    store_batch_free(unused);
    for (long n = 0;; n++) {
        struct store_batch *b = NULL;
        char tmp[64];
        pond_mem_fail_after(n);
        int r = store_batch_new(&b, 100, UINT64_MAX, NULL);
        for (int i = 0; i < 20 && r == 0; i++) {
            char path[64];
            (void)snprintf(path, sizeof path, "pond/%ld/%d", n, i % 3);
            r = add_sized(b, path, "x", 1, tmp);
        }
        if (r == 0)
            r = store_batch_flush(b, NULL);
        store_batch_free(b);
        pond_mem_fail_after(-1);
        assert_int_equal(count_names("tmp"), 0);
        if (r == 0) {
            assert_true(n > 20);
            break;
        }
        assert_int_equal(r, POND_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_few__each_synced_then_named_then_directories),
        IN_SANDBOX(test_few__one_directory_is_synced_once),
        IN_SANDBOX(test_many__the_file_system_is_synced_twice),
        IN_SANDBOX(test_many__few_descriptors_are_held),
        IN_SANDBOX(test_large__each_is_synced_alone),
        IN_SANDBOX(test_limits__flush_by_themselves),
        IN_SANDBOX(test_existing__wins),
        IN_SANDBOX(test_vanished_directory__is_made_again),
        IN_SANDBOX(test_failed_sync__nothing_is_named),
        IN_SANDBOX(test_failed_rename__leaves_no_temporaries),
        IN_SANDBOX(test_failed_directory_sync__is_reported),
        IN_SANDBOX(test_free__removes_what_was_not_flushed),
        IN_SANDBOX(test_add__takes_the_temporary_when_it_fails),
        IN_SANDBOX(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("store/batch", tests, NULL, NULL);
}
