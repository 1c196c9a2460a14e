/* store/store.h over a local directory. */
#include "store/store_test.h"

#include <sys/wait.h>

#include "base/text.h"
#include "store/store.h"

static struct store *open_store(void)
{
    struct store *s = NULL;
    assert_ok(store_open(&s, "remote", true, &err));
    events_clear();
    return s;
}

static void put(struct store *s, const char *key, const char *text)
{
    assert_ok(store_put_if_absent(s, key, text, strlen(text), &err));
}

static void assert_object(struct store *s, const char *key, const char *text)
{
    struct pond_buf got = {0};
    assert_ok(store_get(s, key, 1 << 20, &got, &err));
    assert_int_equal(got.size, strlen(text));
    assert_memory_equal(got.data, text, got.size);
    pond_buf_release(&got);
}

/* ---- opening ---- */

static void test_open__makes_directories_only_when_told(void **state)
{
    (void)state;
    struct store *s = NULL;
    assert_fails(store_open(&s, "a/b/c", false, &err), POND_ENOPOND, "a/b/c");
    assert_false(exists("a"));
    assert_null(s);
    assert_ok(store_open(&s, "a/b/c//", true, &err));
    assert_string_equal(events, "fff"); /* a new directory lasts only once its parent is synced: ".", a, a/b */
    assert_string_equal(store_url(s), "a/b/c//");
    assert_string_equal(store_local_dir(s), "a/b/c");
    store_free(s);
    assert_ok(store_open(&s, "a/b/c", false, &err));
    store_free(s);
    store_free(NULL);
}

static void test_open__file_urls(void **state)
{
    (void)state;
    char here[512], url[600];
    assert_non_null(getcwd(here, sizeof here));
    struct store *s = NULL;
    (void)snprintf(url, sizeof url, "file://%s/with%%20space", here);
    assert_ok(store_open(&s, url, true, &err));
    assert_true(exists("with space"));
    assert_string_equal(store_url(s), url);
    store_free(s);
    (void)snprintf(url, sizeof url, "file://localhost%s/with%%20space", here);
    assert_ok(store_open(&s, url, false, &err));
    store_free(s);
    assert_fails(store_open(&s, "file://elsewhere/x", true, &err), POND_EUSAGE, "three slashes");
    assert_fails(store_open(&s, "file:///x%zz", true, &err), POND_EUSAGE, "percent");
    assert_fails(store_open(&s, "file:///x%00y", true, &err), POND_EUSAGE, "percent");
}

static void test_open__refuses_what_is_no_directory(void **state)
{
    (void)state;
    struct store *s = NULL;
    write_file("plain", "x", 1);
    assert_fails(store_open(&s, "plain", false, &err), POND_ENOPOND, "not a directory");
    assert_fails(store_open(&s, "plain", true, &err), POND_ENOPOND, "not a directory");
    assert_fails(store_open(&s, "gopher://host/x", true, &err), POND_EUNSUPPORTED, "'gopher'");
    assert_fails(store_open(&s, "", true, &err), POND_EUSAGE, "empty");
    assert_null(s);
}

/* ---- objects ---- */

static void test_put_if_absent__never_replaces(void **state)
{
    (void)state;
    struct store *s = open_store();
    put(s, "oplog/_delta_log/0.json", "first");
    assert_fails(store_put_if_absent(s, "oplog/_delta_log/0.json", "second", 6, &err), POND_EEXISTS, "already");
    assert_object(s, "oplog/_delta_log/0.json", "first");
    assert_file("remote/oplog/_delta_log/0.json", "first");
    assert_int_equal(count_names("remote/_tmp"), 0);
    put(s, "empty", "");
    assert_object(s, "empty", "");
    store_free(s);
}

/* Invariant 3: the bytes are synced before they have their name, then the directory; and each new directory's
 * parent. */
static void test_put_if_absent__syncs_in_order(void **state)
{
    (void)state;
    struct store *s = open_store();
    put(s, "a/b/one", "1");
    assert_string_equal(events, "ffFrf"); /* remote (a), a (b); the file; its name; a/b */
    events_clear();
    put(s, "a/b/two", "2");
    assert_string_equal(events, "Frf");
    events_clear();
    assert_int_equal(store_put_if_absent(s, "a/b/two", "3", 1, NULL), POND_EEXISTS);
    assert_string_equal(events, ""); /* the loser pays nothing */
    store_free(s);
}

static void test_put_if_absent__a_failed_sync_leaves_nothing(void **state)
{
    (void)state;
    struct store *s = open_store();
    fail_event = 'F';
    fail_after = 0;
    assert_fails(store_put_if_absent(s, "a/one", "1", 1, &err), POND_EIO, "sync");
    assert_false(exists("remote/a/one"));
    assert_int_equal(count_names("remote/_tmp"), 0);
    fail_event = 'F';
    fail_after = 0;
    assert_fails(store_replace(s, "a/one", "1", 1, &err), POND_EIO, "sync");
    assert_false(exists("remote/a/one"));
    assert_int_equal(count_names("remote/_tmp"), 0);
    put(s, "a/one", "1");
    store_free(s);
}

static void remove_target_directory(void)
{
    assert_int_equal(rmdir("remote/a/b"), 0);
}

/* store_delete of another process removes directories that are empty. */
static void test_put_if_absent__survives_a_vanishing_directory(void **state)
{
    (void)state;
    struct store *s = open_store();
    before_rename = remove_target_directory;
    put(s, "a/b/one", "1");
    assert_object(s, "a/b/one", "1");
    assert_int_equal(count_names("remote/_tmp"), 0);
    store_free(s);
}

/* Invariant 1: of many processes that want one key, one gets it, and its bytes are whole. */
static void test_put_if_absent__one_of_many_processes_wins(void **state)
{
    (void)state;
    enum { PROCESSES = 12, KEYS = 20 };
    struct store *s = open_store();
    for (int p = 0; p < PROCESSES; p++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
            continue;
        int won = 0;
        for (int k = 0; k < KEYS; k++) {
            char key[64], text[1000];
            (void)snprintf(key, sizeof key, "log/%020d.json", k);
            memset(text, 'a' + p, sizeof text);
            int r = store_put_if_absent(s, key, text, sizeof text, NULL);
            if (r != 0 && r != POND_EEXISTS)
                _exit(100);
            won += r == 0;
        }
        _exit(won);
    }
    int won = 0;
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status));
        assert_in_range(WEXITSTATUS(status), 0, KEYS);
        won += WEXITSTATUS(status);
    }
    assert_int_equal(won, KEYS);
    for (int k = 0; k < KEYS; k++) {
        char key[64];
        (void)snprintf(key, sizeof key, "log/%020d.json", k);
        struct pond_buf got = {0};
        assert_ok(store_get(s, key, 1000, &got, &err));
        assert_int_equal(got.size, 1000);
        for (size_t i = 1; i < got.size; i++)
            assert_int_equal(got.data[i], got.data[0]);
        pond_buf_release(&got);
    }
    store_free(s);
}

static void test_replace(void **state)
{
    (void)state;
    struct store *s = open_store();
    assert_ok(store_replace(s, "log/_last_checkpoint", "one", 3, &err));
    assert_ok(store_replace(s, "log/_last_checkpoint", "second", 6, &err));
    assert_object(s, "log/_last_checkpoint", "second");
    assert_int_equal(count_names("remote/_tmp"), 0);
    assert_int_equal(count_names("remote/log"), 1);
    store_free(s);
}

static void test_head(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct store_stat st = {.size = 77};
    put(s, "d/object", "12345");
    struct stat real;
    assert_int_equal(stat("remote/d/object", &real), 0);
    assert_int_equal(store_head(s, "d/object", &st, &err), 1);
    assert_int_equal(st.size, 5);
    assert_int_equal(st.mtime_us, real.st_mtim.tv_sec * 1000000 + real.st_mtim.tv_nsec / 1000);
    st.size = 77;
    assert_int_equal(store_head(s, "d", &st, &err), 0);            /* a directory is no object */
    assert_int_equal(store_head(s, "none", &st, &err), 0);
    assert_int_equal(store_head(s, "d/object/below", &st, &err), 0);
    assert_int_equal(st.size, 77);
    store_free(s);
}

static void test_get__keeps_to_its_limit(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct pond_buf got = {0};
    put(s, "object", "12345");
    assert_fails(store_get(s, "object", 4, &got, &err), POND_ELIMIT, "limit");
    assert_fails(store_get(s, "none", 4, &got, &err), POND_ENOTFOUND, "none");
    assert_fails(store_get(s, "object/x", 4, &got, &err), POND_ENOTFOUND, "object/x");
    assert_int_equal(got.size, 0);
    assert_ok(store_get(s, "object", 5, &got, &err));
    assert_ok(store_get(s, "object", 5, &got, &err)); /* appends */
    assert_int_equal(got.size, 10);
    pond_buf_release(&got);
    store_free(s);
}

static void test_read_at(void **state)
{
    (void)state;
    struct store *s = open_store();
    char buf[4] = "....";
    put(s, "object", "12345");
    assert_ok(store_read_at(s, "object", 1, buf, 4, &err));
    assert_memory_equal(buf, "2345", 4);
    assert_fails(store_read_at(s, "object", 2, buf, 4, &err), POND_ECORRUPT, "object");
    assert_fails(store_read_at(s, "object", UINT64_MAX - 1, buf, 4, &err), POND_ECORRUPT, "object");
    assert_fails(store_read_at(s, "object", INT64_MAX - 1, buf, 4, &err), POND_ECORRUPT, "object");
    assert_fails(store_read_at(s, "none", 0, buf, 1, &err), POND_ENOTFOUND, "none");
    assert_fails(store_read_at(s, "object/x", 0, buf, 1, &err), POND_ENOTFOUND, "object/x");
    store_free(s);
}

static void test_delete__removes_empty_directories_too(void **state)
{
    (void)state;
    struct store *s = open_store();
    put(s, "files/bundle_id=A/part", "1");
    put(s, "files/bundle_id=B/part", "2");
    assert_ok(store_delete(s, "files/bundle_id=A/part", &err));
    assert_false(exists("remote/files/bundle_id=A"));
    assert_true(exists("remote/files/bundle_id=B/part"));
    assert_ok(store_delete(s, "files/bundle_id=A/part", &err)); /* absent: fine */
    assert_ok(store_delete(s, "files/bundle_id=B/part/x", &err));
    assert_ok(store_delete(s, "files/bundle_id=B/part", &err));
    assert_false(exists("remote/files"));
    assert_true(exists("remote"));
    store_free(s);
}

/* Invariant 8. */
static void test_keys__never_lead_outside(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a/.", ".."};
    struct store *s = open_store();
    write_file("x", "outside", 7);
    struct pond_buf got = {0};
    struct store_stat st;
    char byte;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(store_head(s, bad[i], &st, &err), POND_EUSAGE, bad[i]);
        assert_fails(store_get(s, bad[i], 10, &got, &err), POND_EUSAGE, bad[i]);
        assert_fails(store_read_at(s, bad[i], 0, &byte, 1, &err), POND_EUSAGE, bad[i]);
        assert_fails(store_put_if_absent(s, bad[i], "x", 1, &err), POND_EUSAGE, bad[i]);
        assert_fails(store_replace(s, bad[i], "x", 1, &err), POND_EUSAGE, bad[i]);
        assert_fails(store_delete(s, bad[i], &err), POND_EUSAGE, bad[i]);
        assert_fails(store_set_tmp_dir(s, bad[i], &err), POND_EUSAGE, bad[i]);
    }
    assert_file("x", "outside");
    assert_int_equal(count_names("remote"), 0);
    store_free(s);
}

/* ---- listing ---- */

struct names {
    char text[8192]; /* each followed by a space */
    uint64_t bytes;
    const char *stop_at;
    int fail_with;
};

static int note_name(void *context, const char *key, const struct store_stat *stat, struct pond_error *e)
{
    struct names *n = context;
    (void)e;
    assert_true(strlen(n->text) + strlen(key) + 2 < sizeof n->text);
    (void)strcat(strcat(n->text, key), " ");
    n->bytes += stat->size;
    if (n->stop_at != NULL && strcmp(key, n->stop_at) == 0)
        return n->fail_with != 0 ? n->fail_with : 1;
    return 0;
}

static void assert_listing(struct store *s, const char *prefix, const char *start_after, const char *expected)
{
    struct names n = {0};
    assert_ok(store_list(s, prefix, start_after, note_name, &n, &err));
    assert_string_equal(n.text, expected);
}

static void test_list__is_sorted_by_the_bytes_of_whole_keys(void **state)
{
    (void)state;
    struct store *s = open_store();
    static const char *const keys[] = {"a/x", "a-b", "a0", "a/y/z", "B", "\xc3\xa9", "b/c", "a.b/c"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        put(s, keys[i], keys[i]);
    /* '-' and '.' are less than '/', digits more: a directory stands where its keys stand */
    assert_listing(s, "", NULL, "B a-b a.b/c a/x a/y/z a0 b/c \xc3\xa9 ");
    assert_listing(s, "a/", NULL, "a/x a/y/z ");
    assert_listing(s, "a", NULL, "a-b a.b/c a/x a/y/z a0 ");
    assert_listing(s, "a/y/", NULL, "a/y/z ");
    assert_listing(s, "a/y", NULL, "a/y/z ");
    assert_listing(s, "none/", NULL, "");
    assert_listing(s, "B/", NULL, "");
    assert_listing(s, "", "a/x", "a/y/z a0 b/c \xc3\xa9 ");
    assert_listing(s, "", "a/", "a/x a/y/z a0 b/c \xc3\xa9 ");
    assert_listing(s, "", "a/y/z", "a0 b/c \xc3\xa9 ");
    assert_listing(s, "", "a/y/zz", "a0 b/c \xc3\xa9 ");
    assert_listing(s, "a/", "a", "a/x a/y/z ");
    assert_listing(s, "a/", "zzz", "");
    assert_fails(store_list(s, "../", NULL, note_name, NULL, &err), POND_EUSAGE, "../");
    assert_fails(store_list(s, "/", NULL, note_name, NULL, &err), POND_EUSAGE, "/");
    store_free(s);
}

static void test_list__leaves_out_what_is_no_object(void **state)
{
    (void)state;
    struct store *s = open_store();
    put(s, "one", "1");
    char *tmp;
    assert_ok(store_tmp_path(s, &tmp, &err));
    write_file(tmp, "temporary", 9);
    pond_free(tmp);
    assert_int_equal(symlink("nowhere", "remote/dangling"), 0);
    assert_int_equal(symlink("one", "remote/link"), 0);
    assert_int_equal(symlink("..", "remote/circle"), 0);
    assert_int_equal(mkdir("remote/empty", 0777), 0);
    assert_int_equal(mkdir("remote/sub", 0777), 0);
    assert_int_equal(mkdir("remote/sub/_tmp", 0777), 0);
    write_file("remote/sub/_tmp/x", "x", 1); /* only the store's own _tmp is left out */
    assert_listing(s, "", NULL, "link one sub/_tmp/x ");
    store_free(s);
}

static void test_list__the_callback_decides(void **state)
{
    (void)state;
    struct store *s = open_store();
    put(s, "a/1", "x");
    put(s, "a/2", "xx");
    put(s, "b", "xxx");
    struct names n = {.stop_at = "a/2"};
    assert_ok(store_list(s, "", NULL, note_name, &n, &err));
    assert_string_equal(n.text, "a/1 a/2 ");
    assert_int_equal(n.bytes, 3);
    n = (struct names){.stop_at = "a/1", .fail_with = POND_EINTERRUPTED};
    assert_int_equal(store_list(s, "", NULL, note_name, &n, &err), POND_EINTERRUPTED);
    assert_string_equal(n.text, "a/1 ");
    store_free(s);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int expect_next(void *context, const char *key, const struct store_stat *stat, struct pond_error *e)
{
    const char(**next)[32] = context;
    (void)stat, (void)e;
    assert_string_equal(key, **next);
    ++*next;
    return 0;
}

/* Against the plain definition: all keys sorted, those after start_after. */
static void test_list__many_against_a_plain_sort(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    static const char letters[] = "-./0aA=_";
    static char keys[COUNT + 1][32];
    struct store *s = open_store();
    uint32_t seed = 12345;
    size_t count = 0;
    while (count < COUNT) {
        char key[32];
        size_t size = 0;
        for (size_t n = 3 + count % 9; size < n; size++) {
            seed = seed * 1664525 + 1013904223;
            key[size] = letters[(seed >> 16) % (sizeof letters - 1)];
        }
        key[size] = '\0';
        if (!pond_path_is_safe(key, size) || store_put_if_absent(s, key, "", 0, NULL) != 0)
            continue; /* taken, or a directory where a file would be */
        memcpy(keys[count++], key, sizeof key);
    }
    qsort(keys, COUNT, sizeof keys[0], compare_keys);
    for (size_t i = 0; i <= COUNT; i += 7) {
        const char(*next)[32] = &keys[i];
        assert_ok(store_list(s, "", i == 0 ? NULL : keys[i - 1], expect_next, &next, &err));
        assert_ptr_equal(next, &keys[COUNT]);
    }
    store_free(s);
}

/* ---- temporaries ---- */

static void test_tmp__is_cleared_by_age(void **state)
{
    (void)state;
    struct store *s = open_store();
    char *old, *fresh;
    assert_ok(store_tmp_clear(s, 0, &err)); /* nothing there yet, and nothing made */
    assert_false(exists("remote/_tmp"));
    assert_ok(store_tmp_path(s, &old, &err));
    assert_ok(store_tmp_path(s, &fresh, &err));
    assert_string_not_equal(old, fresh);
    assert_int_equal(strncmp(old, "remote/_tmp/", 12), 0);
    write_file(old, "x", 1);
    write_file(fresh, "y", 1);
    struct stat now;
    assert_int_equal(stat(fresh, &now), 0);
    assert_ok(os_set_mtime(old, now.st_mtim.tv_sec - 3600, 0, &err));
    assert_ok(store_tmp_clear(s, 3000, &err));
    assert_false(exists(old));
    assert_true(exists(fresh));
    assert_int_equal(count_names("remote/_tmp"), 1);
    assert_ok(store_tmp_clear(s, 0, &err));
    assert_false(exists("remote/_tmp"));
    pond_free(old);
    pond_free(fresh);
    put(s, "after", "1"); /* makes the directory anew */
    store_free(s);
}

static void test_tmp__stands_where_it_is_set(void **state)
{
    (void)state;
    struct store *s = open_store();
    assert_ok(store_set_tmp_dir(s, "_pond/tmp", &err));
    put(s, "object", "1");
    assert_false(exists("remote/_tmp"));
    assert_true(exists("remote/_pond/tmp"));
    write_file("remote/_pond/tmp/t", "x", 1);
    write_file("remote/_pond/config.json", "x", 1);
    assert_listing(s, "", NULL, "_pond/config.json object ");
    assert_listing(s, "_pond/", NULL, "_pond/config.json ");
    store_free(s);
}

/* ---- memory ---- */

static int use_store(struct store *s)
{
    char *tmp;
    struct pond_buf got = {0};
    struct names n = {0};
    int r = store_put_if_absent(s, "a/one", "1", 1, NULL);
    if (r == 0 || r == POND_EEXISTS)
        r = store_replace(s, "b/two", "22", 2, NULL);
    if (r == 0)
        r = store_get(s, "a/one", 10, &got, NULL);
    if (r == 0)
        r = store_list(s, "", NULL, note_name, &n, NULL);
    if (r == 0)
        assert_string_equal(n.text, "a/one b/two ");
    if (r == 0)
        r = store_tmp_path(s, &tmp, NULL);
    if (r == 0)
        pond_free(tmp);
    if (r == 0)
        r = store_tmp_clear(s, 0, NULL);
    if (r == 0)
        r = store_delete(s, "a/one", NULL);
    pond_buf_release(&got);
    return r;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        struct store *s = NULL;
        pond_mem_fail_after(n);
        int r = store_open(&s, "remote", true, NULL);
        if (r == 0)
            r = use_store(s);
        store_free(s);
        if (r == 0) {
            assert_true(n > 20);
            break;
        }
        assert_int_equal(r, POND_ENOMEM);
    }
    assert_false(exists("remote/a/one"));
    assert_file("remote/b/two", "22");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_open__makes_directories_only_when_told),
        IN_SANDBOX(test_open__file_urls),
        IN_SANDBOX(test_open__refuses_what_is_no_directory),
        IN_SANDBOX(test_put_if_absent__never_replaces),
        IN_SANDBOX(test_put_if_absent__syncs_in_order),
        IN_SANDBOX(test_put_if_absent__a_failed_sync_leaves_nothing),
        IN_SANDBOX(test_put_if_absent__survives_a_vanishing_directory),
        IN_SANDBOX(test_put_if_absent__one_of_many_processes_wins),
        IN_SANDBOX(test_replace),
        IN_SANDBOX(test_head),
        IN_SANDBOX(test_get__keeps_to_its_limit),
        IN_SANDBOX(test_read_at),
        IN_SANDBOX(test_delete__removes_empty_directories_too),
        IN_SANDBOX(test_keys__never_lead_outside),
        IN_SANDBOX(test_list__is_sorted_by_the_bytes_of_whole_keys),
        IN_SANDBOX(test_list__leaves_out_what_is_no_object),
        IN_SANDBOX(test_list__the_callback_decides),
        IN_SANDBOX(test_list__many_against_a_plain_sort),
        IN_SANDBOX(test_tmp__is_cleared_by_age),
        IN_SANDBOX(test_tmp__stands_where_it_is_set),
        IN_SANDBOX(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("store/dir", tests, NULL, NULL);
}
