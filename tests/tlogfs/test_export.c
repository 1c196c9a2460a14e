/* pond_export. (That all metadata comes back is in test_copy.c.) */
#include "tlogfs/host_test.h"

static void test_export__knows_where_things_arrive(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_dir("src");
    make_dir("src/d");
    write_text("src/d/f", "f");
    write_text("src/g", "g");
    (void)copy_one(p, "src/.", "/a/b/");
    (void)export_one(p, "/a/b/g", "made/for it");
    assert_file("made/for it/g", "g");
    (void)export_one(p, "/a/b/", "o1");
    assert_file("o1/b/d/f", "f");
    (void)export_one(p, "/", "o2");
    assert_file("o2/a/b/d/f", "f");
    struct pond_export_result result;
    struct pond_export_options options = {.at = POND_AT_TIP};
    assert_fails(export_with(p, "/no", "o3", &options, &result), POND_ENOTFOUND, "/no");
    options.at = 99;
    assert_fails(export_with(p, "/a", "o3", &options, &result), POND_ENOTFOUND, "99");
    assert_fails(pond_export(p, NULL, 0, "o3", NULL, NULL, &err), POND_EUSAGE, "no path");
    const char *both[] = {"/a/b/g", "/a/b/d"};
    assert_ok(pond_export(p, both, 2, "o4", NULL, NULL, &err));
    assert_file("o4/g", "g");
    assert_file("o4/d/f", "f");
    pond_close(p);
}

static void test_export__goes_back_in_time(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    int64_t first = commit_text(p, "/f", "old");
    (void)commit_text(p, "/f", "new");
    (void)commit_text(p, "/g", "later");
    struct pond_export_result result;
    struct pond_export_options options = {.at = first};
    assert_ok(export_with(p, "/", "out", &options, &result));
    assert_file("out/f", "old");
    assert_false(exists("out/g"));
    pond_close(p);
}

static void test_export__overwrites_as_told(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_export_result result;
    struct pond_export_options options = {.at = POND_AT_TIP, .overwrite = POND_OVERWRITE_NEVER};
    make_dir("src");
    write_text("src/a", "aa");
    write_text("src/b", "bb");
    assert_int_equal(symlink("a", "src/l"), 0);
    (void)copy_one(p, "src", "/");
    (void)export_one(p, "/src", "out");
    write_text("out/src/a", "mine");
    assert_ok(export_with(p, "/src", "out", &options, &result));
    assert_int_equal(result.files, 0);
    assert_int_equal(result.unchanged, 3);
    assert_file("out/src/a", "mine");
    options.overwrite = POND_OVERWRITE_IF_CHANGED;
    assert_ok(export_with(p, "/src", "out", &options, &result));
    assert_int_equal(result.files, 1);
    assert_int_equal(result.unchanged, 2);
    assert_file("out/src/a", "aa");
    struct stat before, after;
    assert_int_equal(lstat("out/src/b", &before), 0);
    options.overwrite = POND_OVERWRITE_ALWAYS;
    assert_ok(export_with(p, "/src", "out", &options, &result));
    assert_int_equal(result.files, 3);
    assert_int_equal(lstat("out/src/b", &after), 0);
    assert_true(before.st_ino != after.st_ino); /* another file took its place at once */
    assert_same_tree("src", "out/src");
    assert_int_equal(count_names("out/src"), 3);
    pond_close(p);
}

static void test_export__replaces_no_directory(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_export_result result;
    struct pond_export_options options = {.at = POND_AT_TIP};
    make_dir("src");
    make_dir("src/d");
    write_text("src/d/x", "x");
    write_text("src/f", "f");
    write_text("src/z", "z");
    (void)copy_one(p, "src/.", "/");
    make_dir("out");
    make_dir("out/f");
    write_text("out/d", "a file");
    assert_int_equal(export_with(p, "/", "out", &options, &result), POND_EEXISTS);
    assert_non_null(strstr(told.skipped, "out/f: cannot create"));
    assert_non_null(strstr(told.skipped, "out/d: is there and no directory"));
    assert_file("out/d", "a file");
    assert_file("out/z", "z");
    assert_int_equal(count_names("out"), 3);
    pond_close(p);
}

static void test_export__follows_no_symlink_below_dir(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_export_result result;
    struct pond_export_options options = {.at = POND_AT_TIP};
    make_dir("src");
    make_dir("src/d");
    write_text("src/d/f", "from the pond");
    write_text("src/g", "from the pond");
    write_text("src/h", "from the pond");
    (void)copy_one(p, "src/.", "/");
    make_dir("outside");
    write_text("outside/f", "precious");
    make_dir("real");
    assert_int_equal(symlink("real", "out"), 0); /* DIR itself may be one */
    assert_int_equal(symlink("../outside", "real/d"), 0);
    assert_int_equal(symlink("../outside/f", "real/g"), 0);
    assert_int_equal(export_with(p, "/", "out", &options, &result), POND_EEXISTS);
    assert_non_null(strstr(told.skipped, "out/d: is there and no directory: nothing is written through it"));
    assert_file("outside/f", "precious");
    assert_int_equal(count_names("outside"), 1);
    assert_file("real/g", "from the pond"); /* in the link's place */
    struct stat st;
    assert_int_equal(lstat("real/g", &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_file("real/h", "from the pond");
    pond_close(p);
}

static void test_export__links_again_over_what_is_there(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_dir("src");
    write_text("src/a", "x");
    assert_int_equal(link("src/a", "src/b"), 0);
    assert_int_equal(link("src/a", "src/c"), 0);
    (void)copy_one(p, "src", "/");
    (void)export_one(p, "/src", "out");
    (void)export_one(p, "/src", "out");
    assert_same_tree("src", "out/src");
    assert_int_equal(count_names("out/src"), 3);
    /* Files that were one when they were copied, and are not any more. */
    assert_int_equal(unlink("src/c"), 0);
    write_text("src/c", "y");
    (void)copy_one(p, "src", "/");
    (void)export_one(p, "/src", "again");
    assert_same_tree("src", "again/src");
    pond_close(p);
}

/* ---- damage ---- */

static void damaged_bundle(size_t size)
{
    struct pond *p = make_pond("p");
    struct pond_export_result result;
    struct pond_export_options options = {.at = POND_AT_TIP};
    char bundle[512];
    make_dir("src");
    write_text("src/a", "a");
    write_noise("src/b", size, 1);
    write_text("src/c", "c");
    (void)copy_one(p, "src/.", "/");
    find_bundle("p", bundle);
    flip_byte(bundle, size_of(bundle) / 2);
    assert_int_equal(export_with(p, "/", "out", &options, &result), POND_ECORRUPT);
    assert_non_null(strstr(err.message, "1 of the entries could not be exported"));
    assert_string_equal(err.path, bundle);
    assert_memory_equal(told.skipped, "out/b: ", 7);
    assert_file("out/a", "a");
    assert_file("out/c", "c");
    assert_int_equal(count_names("out"), 2);
    assert_int_equal(unlink(bundle), 0);
    assert_int_equal(export_with(p, "/", "out", &options, &result), POND_ECORRUPT);
    assert_non_null(strstr(err.message, "is missing"));
    assert_int_equal(count_names("out"), 2);
    pond_close(p);
    assert_ok(os_remove_tree("p", &err));
    assert_ok(os_remove_tree("src", &err));
    assert_ok(os_remove_tree("out", &err));
}

static void test_export__names_damaged_bundles_and_goes_on(void **state)
{
    (void)state;
    damaged_bundle(100000);
    damaged_bundle(9 << 20);
}

static void test_export__names_damaged_content_and_goes_on(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_export_result result;
    struct pond_export_options options = {.at = POND_AT_TIP};
    char part[512];
    uint8_t *bytes = noise(60000, 5);
    int64_t txn;
    (void)commit_text(p, "/a", "a");
    struct pond_txn *t = begin(p, "put");
    put_bytes(t, "/b", bytes, 60000);
    txn = commit(t).txn;
    (void)commit_text(p, "/c", "c");
    find_part("p", (int)txn, part);
    flip_byte(part, 30000);
    assert_int_equal(export_with(p, "/", "out", &options, &result), POND_ECORRUPT);
    assert_memory_equal(told.skipped, "out/b: ", 7);
    assert_file("out/a", "a");
    assert_file("out/c", "c");
    assert_int_equal(count_names("out"), 2);
    pond_free(bytes);
    pond_close(p);
}

static void test_export__cancelled(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_export_result result;
    volatile int cancel = 1;
    struct pond_export_options options = {.at = POND_AT_TIP, .control = {.cancel = &cancel}};
    (void)commit_text(p, "/a", "a");
    assert_fails(export_with(p, "/", "out", &options, &result), POND_EINTERRUPTED, "interrupted");
    assert_int_equal(count_names("out"), 0);
    pond_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_export__knows_where_things_arrive),
        IN_SANDBOX(test_export__goes_back_in_time),
        IN_SANDBOX(test_export__overwrites_as_told),
        IN_SANDBOX(test_export__replaces_no_directory),
        IN_SANDBOX(test_export__follows_no_symlink_below_dir),
        IN_SANDBOX(test_export__links_again_over_what_is_there),
        IN_SANDBOX(test_export__names_damaged_bundles_and_goes_on),
        IN_SANDBOX(test_export__names_damaged_content_and_goes_on),
        IN_SANDBOX(test_export__cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
