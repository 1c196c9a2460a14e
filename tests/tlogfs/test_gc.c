/* pond_gc removes exactly the garbage. */
#include "tlogfs/host_test.h"

#include <sqlite3.h>

#define STRAY_PART "part-00000000000000000007-00000000-0000-7000-8000-000000000000.parquet"
#define STRAY_HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char removed[8192];

static void tell_removed(void *context, const char *path)
{
    const size_t used = strlen(removed);
    (void)context;
    (void)snprintf(removed + used, sizeof removed - used, "%s\n", path);
}

static struct pond_gc_result run_gc(struct pond *p, bool dry_run)
{
    struct pond_gc_result result = {0};
    removed[0] = '\0';
    assert_ok(pond_gc(p, dry_run, tell_removed, NULL, &result, &err));
    return result;
}

static struct pond *make_busy_pond(void)
{
    struct pond *p = make_pond("p");
    make_rich_tree("src");
    (void)copy_one(p, "src", "/");
    (void)commit_text(p, "/a", "first");
    (void)commit_text(p, "/a", "second");
    struct pond_txn *t = begin(p, "rm"); /* what is removed is still named */
    assert_ok(pond_txn_remove(t, "/src", true, &err));
    (void)commit(t);
    return p;
}

/* Everything but the machine's own databases. */
static char *tell_pond(void)
{
    struct pond_buf all = {0};
    static const char *const dirs[] = {"p/_delta_log", "p/_large_files", "p/_pond/tmp"};
    for (size_t i = 0; i < 3; i++) {
        if (!exists(dirs[i]))
            continue;
        struct tree *t = pond_calloc(1, sizeof *t);
        tell_below(t, dirs[i], 0);
        (void)pond_buf_append(&all, t->text.data, t->text.size);
        pond_buf_release(&t->text);
        pond_free(t);
    }
    char **names;
    size_t count;
    assert_ok(os_dir_sorted("p", &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        (void)pond_buf_printf(&all, "%s\n", names[i]);
    pond_free(names);
    char *text = pond_strdup(pond_buf_cstr(&all));
    pond_buf_release(&all);
    return text;
}

static void test_gc__finds_nothing_in_a_clean_pond(void **state)
{
    (void)state;
    struct pond *p = make_busy_pond();
    char *before = tell_pond();
    assert_int_equal(run_gc(p, false).files, 0);
    char *after = tell_pond();
    assert_string_equal(before, after);
    assert_undamaged(p);
    pond_free(before);
    pond_free(after);
    pond_close(p);
}

static void test_gc__removes_garbage_and_nothing_else(void **state)
{
    (void)state;
    struct pond *p = make_busy_pond();
    /* Not ours, or not garbage: */
    write_text("p/notes.parquet", "?");
    write_text("p/part-7.parquet", "?");
    make_dir("p/_large_files/blake3=short");
    make_dir("p/_large_files/sha256=" STRAY_HASH);
    make_dir("p/_large_files/cache");
    char *before = tell_pond();
    write_text("p/_pond/config.json.0123456789abcdef.tmp", "12");
    write_text("p/_pond/tmp/left", "123");
    make_dir("p/_pond/tmp/dir");
    write_text("p/_pond/tmp/dir/left", "?");
    make_dir("p/_tmp");
    write_text("p/_tmp/left", "?");
    write_text("p/" STRAY_PART, "12345");
    make_dir("p/_large_files/blake3=" STRAY_HASH);
    write_text("p/_large_files/blake3=" STRAY_HASH "/chunks.parquet", "1234567");
    static const char expected[] = "p/_pond/tmp/dir\np/_pond/tmp/left\np/_pond/config.json.0123456789abcdef.tmp\n"
                                   "p/_tmp/left\np/" STRAY_PART "\n"
                                   "p/_large_files/blake3=" STRAY_HASH "/chunks.parquet\n";
    char *with_garbage = tell_pond();
    struct pond_gc_result result = run_gc(p, true);
    assert_string_equal(removed, expected);
    assert_int_equal(result.files, 6);
    assert_int_equal(result.bytes, 2 + 3 + 1 + 5 + 7);
    char *untouched = tell_pond();
    assert_string_equal(untouched, with_garbage);
    result = run_gc(p, false);
    assert_string_equal(removed, expected);
    assert_int_equal(result.bytes, 18);
    assert_int_equal(rmdir("p/_tmp"), 0);
    char *after = tell_pond();
    set_mtime("p/_large_files", 0, 0);
    assert_string_equal(after, before);
    assert_int_equal(run_gc(p, false).files, 0);
    assert_undamaged(p);
    pond_free(before);
    pond_free(with_garbage);
    pond_free(untouched);
    pond_free(after);
    pond_close(p);
}

static void test_gc__follows_no_symlink(void **state)
{
    (void)state;
    struct pond *p = make_busy_pond();
    make_dir("outside");
    write_text("outside/chunks.parquet", "precious");
    assert_int_equal(symlink("../../../outside", "p/_pond/tmp/link"), 0);
    assert_int_equal(symlink("../outside", "p/_tmp"), 0);
    assert_int_equal(symlink("../../outside", "p/_large_files/blake3=" STRAY_HASH), 0);
    assert_int_equal(symlink("../outside/chunks.parquet", "p/" STRAY_PART), 0);
    (void)run_gc(p, false);
    assert_string_equal(removed, "p/_pond/tmp/link\n");
    assert_file("outside/chunks.parquet", "precious");
    pond_close(p);
}

/* A bundle that the index has forgotten, and another that nobody names. */
static struct pond *forgetful_pond(void)
{
    sqlite3 *db = NULL;
    pond_close(make_busy_pond());
    assert_int_equal(sqlite3_open("p/_pond/index.sqlite", &db), SQLITE_OK);
    static const char forget[] = "DELETE FROM bundles; UPDATE commits SET part_path = '' WHERE txn = 2";
    assert_int_equal(sqlite3_exec(db, forget, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    make_dir("p/_large_files/blake3=" STRAY_HASH);
    write_text("p/_large_files/blake3=" STRAY_HASH "/chunks.parquet", "1234567");
    return open_pond("p", POND_WRITE);
}

static void test_gc__believes_the_log_not_the_index(void **state)
{
    (void)state;
    struct pond *p = forgetful_pond();
    (void)run_gc(p, false);
    assert_string_equal(removed, "p/_large_files/blake3=" STRAY_HASH "/chunks.parquet\n");
    pond_close(p);
    assert_int_equal(unlink("p/_pond/index.sqlite"), 0);
    p = open_pond("p", POND_WRITE);
    assert_undamaged(p);
    pond_close(p);
}

static void test_gc__removes_no_bundle_while_the_log_is_damaged(void **state)
{
    (void)state;
    struct pond *p = forgetful_pond();
    struct pond_gc_result result;
    char part[512];
    find_part("p", 1, part);
    flip_byte(part, size_of(part) / 2);
    assert_fails(pond_gc(p, false, NULL, NULL, &result, &err), POND_ECORRUPT, part);
    flip_byte(part, size_of(part) / 2);
    assert_true(exists("p/_large_files/blake3=" STRAY_HASH "/chunks.parquet"));
    assert_int_equal(unlink("p/_delta_log/00000000000000000002.json"), 0);
    assert_fails(pond_gc(p, false, NULL, NULL, &result, &err), POND_ECORRUPT, "gap in the log");
    assert_int_equal(count_names("p/_large_files"), 4);
    pond_close(p);
}

static void test_gc__needs_the_lock_and_no_transaction(void **state)
{
    (void)state;
    struct pond_gc_result result;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "x");
    assert_fails(pond_gc(p, true, NULL, NULL, &result, &err), POND_EUSAGE, "open transaction");
    pond_txn_abort(t);
    pond_close(p);
    p = open_pond("p", POND_READ);
    assert_fails(pond_gc(p, true, NULL, NULL, &result, &err), POND_EUSAGE, "reading only");
    pond_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_gc__finds_nothing_in_a_clean_pond),
        IN_SANDBOX(test_gc__removes_garbage_and_nothing_else),
        IN_SANDBOX(test_gc__follows_no_symlink),
        IN_SANDBOX(test_gc__believes_the_log_not_the_index),
        IN_SANDBOX(test_gc__removes_no_bundle_while_the_log_is_damaged),
        IN_SANDBOX(test_gc__needs_the_lock_and_no_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
