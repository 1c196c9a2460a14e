/* pond_check: each kind of damage is found, at its place, and what is no damage is not told. */
#include "tlogfs/host_test.h"

#include <sqlite3.h>

static const struct pond_check_options structure = {.read_data = false};
static const struct pond_check_options everything = {.read_data = true};

static void run_sql(const char *pond, const char *sql)
{
    char path[300];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/_pond/index.sqlite", pond);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

static void commit_path(int txn, char out[64])
{
    (void)snprintf(out, 64, "p/_delta_log/%020d.json", txn);
}

static void test_check__counts_what_is_good(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_rich_tree("src");
    (void)copy_one(p, "src", "/");
    const struct pond_check_result quick = check_with(p, structure);
    assert_int_equal(quick.entries, 19);
    assert_int_equal(quick.bundles, 3);
    assert_int_equal(quick.damaged, 0);
    const struct pond_check_result whole = check_with(p, everything);
    assert_int_equal(whole.bundles, 3);
    assert_int_equal(whole.damaged, 0);
    assert_true(whole.bytes_read - quick.bytes_read > (3 << 20) + 300000);
    assert_string_equal(told.damage, "");
    pond_close(p);
}

static void test_check__finds_every_byte_of_a_bundle(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    char bundle[512];
    size_t intact = 0, lost = 0;
    write_noise("src", 70000, 1);
    (void)copy_one(p, "src", "/");
    find_bundle("p", bundle);
    const off_t size = size_of(bundle);
    for (off_t at = 0; at < size; at += at < 4200 || at > size - 2500 ? 61 : 4999) {
        flip_byte(bundle, at);
        const struct pond_check_result result = check_with(p, everything);
        if (result.damaged != 1)
            fail_msg("byte %lld of %lld: %s", (long long)at, (long long)size, told.damage);
        assert_non_null(strstr(told.damage, bundle));
        assert_memory_equal(told.damage, "bundle ", 7);
        intact += told.intact;
        lost += 1 - told.intact;
        flip_byte(bundle, at);
    }
    assert_true(intact > 0);
    assert_true(lost > 0);
    flip_byte(bundle, 30000); /* in the content: the block is named, and structure alone does not see it */
    assert_int_equal(check_with(p, structure).damaged, 0);
    (void)check_with(p, everything);
    assert_non_null(strstr(told.damage, "block 1"));
    assert_int_equal(told.intact, 0);
    pond_close(p);
}

static void test_check__finds_wrong_and_missing_bundles(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    char bundle[512], cut[600];
    write_noise("src", 3 << 20, 1);
    (void)copy_one(p, "src", "/");
    find_bundle("p", bundle);
    assert_int_equal(truncate(bundle, size_of(bundle) - 1), 0);
    assert_int_equal(check_with(p, structure).damaged, 1);
    (void)snprintf(cut, sizeof cut, "bundle %s 0", bundle);
    assert_non_null(strstr(told.damage, cut));
    assert_int_equal(unlink(bundle), 0);
    assert_int_equal(check_with(p, structure).damaged, 1);
    assert_non_null(strstr(told.damage, "is missing"));
    pond_close(p);
}

static void test_check__finds_every_byte_of_a_part(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    char part[512];
    make_dir("src");
    write_noise("src/one", 5000, 1);
    write_noise("src/two", 5000, 2);
    write_text("src/text", "some text");
    (void)copy_one(p, "src", "/");
    find_part("p", 1, part);
    const off_t size = size_of(part);
    for (off_t at = 0; at < size; at += 37) {
        flip_byte(part, at);
        for (int i = 0; i < 2; i++) {
            const struct pond_check_result result = check_with(p, i == 0 ? structure : everything);
            if (result.damaged != 1 || strstr(told.damage, part) == NULL)
                fail_msg("byte %lld of %lld: %s", (long long)at, (long long)size, told.damage);
            assert_memory_equal(told.damage, "oplog_part ", 11);
        }
        flip_byte(part, at);
    }
    flip_byte(part, size / 3); /* in a content: the page is named */
    (void)check_with(p, structure);
    assert_non_null(strstr(told.damage, "page at "));
    flip_byte(part, size / 3);
    assert_undamaged(p);
    assert_int_equal(truncate(part, size - 1), 0);
    assert_int_equal(check_with(p, structure).damaged, 1);
    assert_non_null(strstr(told.damage, "bytes, transaction 1 says"));
    assert_int_equal(unlink(part), 0);
    assert_int_equal(check_with(p, structure).damaged, 1);
    assert_non_null(strstr(told.damage, "is missing: transaction 1 names it"));
    pond_close(p);
}

static void test_check__finds_a_content_that_was_wrong_when_written(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "put");
    struct index_row root;
    assert_ok(pond_resolve(p, "/", POND_AT_TIP, &root, &err));
    struct oplog_row row = file_row(0, 9, 0, "liar", "what it holds");
    pond_blake3("what it says", 12, row.blake3);
    row.has_part = true;
    memcpy(row.part_id, root.row.node_id, 16);
    assert_ok(pond_txn_put(t, &row, &err));
    (void)commit(t);
    index_row_release(&root);
    assert_int_equal(check_with(p, structure).damaged, 0);
    assert_int_equal(check_with(p, everything).damaged, 1);
    assert_non_null(strstr(told.damage, "the content of row 0, 'liar', is not what its BLAKE3 says"));
    pond_close(p);
}

static void replace_in_file(const char *path, const char *from, const char *to)
{
    struct pond_buf text = {0};
    assert_ok(os_read_file(path, 1 << 20, &text, &err));
    assert_int_equal(strlen(from), strlen(to));
    char *at = strstr(pond_buf_cstr(&text), from);
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    write_file(path, text.data, text.size);
    pond_buf_release(&text);
}

static void test_check__follows_the_chain_of_commits(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    char path[64];
    for (int i = 1; i <= 4; i++)
        (void)commit_text(p, "/a", i % 2 == 0 ? "even" : "odd");
    commit_path(2, path);
    replace_in_file(path, "\"command\":\"put\"", "\"command\":\"got\"");
    const struct pond_check_result result = check_with(p, structure);
    assert_int_equal(result.damaged, 2); /* the next commit says so, and the index */
    assert_non_null(strstr(told.damage, "commit p/_delta_log/00000000000000000003.json"));
    assert_non_null(strstr(told.damage, "says that commit 2 has the BLAKE3"));
    assert_non_null(strstr(told.damage, "does not say of transaction 2"));
    assert_int_equal(truncate(path, 100), 0);
    (void)check_with(p, structure);
    assert_non_null(strstr(told.damage, "commit p/_delta_log/00000000000000000002.json"));
    assert_int_equal(unlink(path), 0);
    (void)check_with(p, structure);
    assert_non_null(strstr(told.damage, "00000000000000000002.json: is missing: the log has a gap"));
    assert_null(strstr(told.damage, "00000000000000000004.json"));
    pond_close(p);
}

static void test_check__compares_the_index(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "UPDATE rows SET size = size + 1 WHERE name = CAST('a' AS BLOB)",
        "DELETE FROM rows WHERE name = CAST('a' AS BLOB)",
        "UPDATE pages SET offset = offset + 1 WHERE first >> 32 = 2",
        "UPDATE commits SET command = 'other' WHERE txn = 1",
        "DELETE FROM bundles",
        "UPDATE bundles SET first_txn = 2",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct pond *p = make_pond("p");
        write_noise("large", 70000, 1);
        (void)copy_one(p, "large", "/");
        (void)commit_text(p, "/a", "text");
        pond_close(p);
        run_sql("p", changes[i]);
        p = open_pond("p", POND_READ);
        const struct pond_check_result result = check_with(p, structure);
        if (result.damaged != 1)
            fail_msg("%s: %s", changes[i], told.damage);
        assert_memory_equal(told.damage, "index ", 6);
        pond_close(p);
        assert_int_equal(unlink("p/_pond/index.sqlite"), 0);
        p = open_pond("p", POND_READ);
        assert_undamaged(p);
        pond_close(p);
        assert_ok(os_remove_tree("p", &err));
    }
}

static void test_check__reads_a_part_of_all(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_dir("src");
    for (int i = 0; i < 12; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "src/%d", i);
        write_noise(path, 70000, (uint32_t)i + 1);
    }
    (void)copy_one(p, "src", "/");
    const uint64_t none = check_with(p, structure).bytes_read;
    const uint64_t all = check_with(p, everything).bytes_read - none;
    uint64_t sum = 0;
    for (uint32_t n = 1; n <= 3; n++) {
        const struct pond_check_options some = {.read_data = true, .subset_n = n, .subset_of = 3};
        const struct pond_check_result result = check_with(p, some);
        assert_int_equal(result.bundles, 12);
        assert_true(result.bytes_read - none < all);
        sum += result.bytes_read - none;
    }
    assert_int_equal(sum, all);
    const struct pond_check_options wrong = {.read_data = true, .subset_n = 4, .subset_of = 3};
    assert_fails(pond_check(p, &wrong, NULL, &err), POND_EUSAGE, "no part 4 of 3");
    pond_close(p);
}

static void test_check__takes_no_stray_for_damage(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    (void)commit_text(p, "/a", "text");
    write_text("p/part-00000000000000000007-00000000-0000-7000-8000-000000000000.parquet", "?");
    write_text("p/_pond/tmp/x", "?");
    assert_ok(os_mkdirs("p/_large_files/blake3=x", 0777, &err));
    write_text("p/notes.txt", "?");
    assert_undamaged(p);
    pond_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_check__counts_what_is_good),
        IN_SANDBOX(test_check__finds_every_byte_of_a_bundle),
        IN_SANDBOX(test_check__finds_wrong_and_missing_bundles),
        IN_SANDBOX(test_check__finds_every_byte_of_a_part),
        IN_SANDBOX(test_check__finds_a_content_that_was_wrong_when_written),
        IN_SANDBOX(test_check__follows_the_chain_of_commits),
        IN_SANDBOX(test_check__compares_the_index),
        IN_SANDBOX(test_check__reads_a_part_of_all),
        IN_SANDBOX(test_check__takes_no_stray_for_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
