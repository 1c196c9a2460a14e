/* tlogfs/index.h: what the index says, and that it says the same however it was made. */
#include "tlogfs/tlogfs_test.h"

#include <sqlite3.h>

#define INDEX "index.sqlite"

static struct index *open_index(bool expect_fresh)
{
    struct index *ix = NULL;
    bool fresh = !expect_fresh;
    assert_ok(index_open(&ix, INDEX, &fresh, &err));
    assert_int_equal(fresh, expect_fresh);
    return ix;
}

static void take_in(struct index *ix, int64_t txn, const struct oplog_row *rows, size_t count)
{
    struct index_commit c = {.txn = txn, .time_us = 1000 * txn, .part_path = "part-x", .part_size = 7, .command = "c",
                             .user = "u", .host = "h", .bytes = (uint64_t)txn};
    memset(c.commit_blake3, (int)txn + 1, 32);
    assert_ok(index_begin(ix, &err));
    for (size_t i = 0; i < count; i++)
        assert_ok(index_put(ix, i, &rows[i], &err));
    assert_ok(index_put_page(ix, txn, 0, 0, 4, &err));
    assert_ok(index_end(ix, &c, &err));
}

/* Name and version of what stands somewhere, "" for nothing. */
static void look(struct index *ix, uint8_t part, const char *name, int64_t at, char out[64])
{
    uint8_t id[16];
    struct index_row row;
    set_id(id, part);
    out[0] = '\0';
    int r = index_child(ix, id, name, strlen(name), at, &row, &err);
    if (r == POND_ENOTFOUND)
        return;
    assert_ok(r);
    (void)snprintf(out, 64, "%s:%lld#%d", row.row.name, (long long)row.row.version, row.row.node_id[0]);
    index_row_release(&row);
}

static void assert_at(struct index *ix, uint8_t part, const char *name, int64_t at, const char *expected)
{
    char got[64];
    look(ix, part, name, at, got);
    assert_string_equal(got, expected);
}

static int add_row(void *context, const struct index_row *row, struct pond_error *e)
{
    char *out = context;
    (void)e;
    (void)snprintf(out + strlen(out), 512 - strlen(out), "%s%s:%lld ", row->row.name, row->row.deleted ? "-" : "",
                   (long long)row->row.version);
    return 0;
}

static void assert_children(struct index *ix, uint8_t part, int64_t at, const char *expected)
{
    uint8_t id[16];
    char got[512] = "";
    set_id(id, part);
    assert_ok(index_children(ix, id, at, add_row, got, &err));
    assert_string_equal(got, expected);
}

static void assert_node(struct index *ix, uint8_t node, const char *expected)
{
    uint8_t id[16];
    char got[512] = "";
    set_id(id, node);
    assert_ok(index_node_rows(ix, id, add_row, got, &err));
    assert_string_equal(got, expected);
}

static void assert_path(struct index *ix, uint8_t node, int64_t at, const char *expected)
{
    uint8_t id[16];
    struct pond_buf path = {0};
    set_id(id, node);
    int r = index_node_path(ix, id, at, &path, &err);
    if (expected == NULL) {
        assert_int_equal(r, POND_ENOTFOUND);
    } else {
        assert_ok(r);
        assert_string_equal(pond_buf_cstr(&path), expected);
    }
    pond_buf_release(&path);
}

static uint64_t live(struct index *ix)
{
    uint64_t count;
    int64_t time_us;
    assert_ok(index_live_entries(ix, &count, &time_us, &err));
    return count;
}

static struct oplog_row version(struct oplog_row row, int64_t txn, int64_t v)
{
    row.txn_seq = txn;
    row.version = v;
    return row;
}

/* 0: root (1). 1: directories d (2), d/e (3), files d/f (4), a (5). 2: a again, d/f removed. 3: e moves to the root as x.
 * 4: d is removed. */
static void fill(struct index *ix)
{
    const struct oplog_row root = dir_row(0, 1, 0, ""), d = dir_row(1, 2, 1, "d"), e = dir_row(1, 3, 2, "e");
    const struct oplog_row f = file_row(1, 4, 2, "f", "F"), a = file_row(1, 5, 1, "a", "A");
    take_in(ix, 0, &root, 1);
    const struct oplog_row first[] = {d, e, f, a};
    take_in(ix, 1, first, 4);
    const struct oplog_row second[] = {version(a, 2, 2), tombstone(&f, 2)};
    take_in(ix, 2, second, 2);
    const struct oplog_row third[] = {version(dir_row(3, 3, 1, "x"), 3, 2), tombstone(&e, 3)};
    take_in(ix, 3, third, 2);
    const struct oplog_row fourth[] = {tombstone(&d, 4)};
    take_in(ix, 4, fourth, 1);
}

static void test_lookups__at_every_transaction(void **state)
{
    (void)state;
    struct index *ix = open_index(true);
    fill(ix);
    index_close(ix);
    ix = open_index(false);
    assert_at(ix, 1, "a", 0, "");
    assert_at(ix, 1, "a", 1, "a:1#5");
    assert_at(ix, 1, "a", 2, "a:2#5");
    assert_at(ix, 1, "a", POND_AT_TIP, "a:2#5");
    assert_at(ix, 2, "f", 1, "f:1#4");
    assert_at(ix, 2, "f", 2, "");
    assert_at(ix, 2, "e", 2, "e:1#3");
    assert_at(ix, 2, "e", 3, "");
    assert_at(ix, 1, "x", 3, "x:2#3");
    assert_at(ix, 1, "a", -1, "");
    assert_children(ix, 1, 0, "");
    assert_children(ix, 1, 1, "a:1 d:1 ");
    assert_children(ix, 1, 3, "a:2 d:1 x:2 ");
    assert_children(ix, 1, POND_AT_TIP, "a:2 x:2 ");
    assert_children(ix, 2, 1, "e:1 f:1 ");
    assert_children(ix, 2, 4, "");
    assert_node(ix, 3, "e-:2 x:2 e:1 ");
    assert_node(ix, 5, "a:2 a:1 ");
    assert_path(ix, 1, 0, "/");
    assert_path(ix, 3, 2, "/d/e");
    assert_path(ix, 3, 3, "/x");
    assert_path(ix, 2, 4, NULL);
    assert_path(ix, 2, 3, "/d");
    assert_path(ix, 9, 3, NULL);
    char rows[512] = "";
    assert_ok(index_txn_rows(ix, 2, add_row, rows, &err));
    assert_string_equal(rows, "a:2 f-:2 ");
    assert_int_equal(live(ix), 2);

    struct index_row any;
    uint8_t id[16];
    set_id(id, 2);
    assert_ok(index_child_any(ix, id, "f", 1, 4, &any, &err));
    assert_true(any.row.deleted);
    index_row_release(&any);
    assert_int_equal(index_child_any(ix, id, "g", 1, 4, &any, &err), POND_ENOTFOUND);
    index_close(ix);
}

static void test_rows__come_back_whole(void **state)
{
    (void)state;
    struct index *ix = open_index(true);
    struct oplog_row link = link_row(1, 7, 1, "l\xff", "\xfe target");
    link.attributes = "{\"uid\":7}";
    struct oplog_row big = file_row(1, 8, 1, "big", "");
    big.storage = POND_STORAGE_CHUNKED;
    big.size = (uint64_t)INT64_MAX;
    const struct oplog_row root = dir_row(0, 1, 0, ""), rows[] = {link, big};
    take_in(ix, 0, &root, 1);
    take_in(ix, 1, rows, 2);
    struct index_row got;
    assert_ok(index_root(ix, 1, &got, &err));
    assert_false(got.row.has_part);
    assert_int_equal(got.row.mode, 0755);
    index_row_release(&got);
    uint8_t id[16];
    set_id(id, 1);
    assert_ok(index_child(ix, id, "l\xff", 2, 1, &got, &err));
    assert_int_equal(got.row.txn_seq, 1);
    assert_int_equal(got.ordinal, 0);
    assert_int_equal(got.row.type, POND_SYMLINK);
    assert_int_equal(got.row.timestamp_us, link.timestamp_us);
    assert_int_equal(got.row.mtime_us, -5);
    assert_int_equal(got.row.mtime_nanos, 999);
    assert_string_equal((const char *)got.row.content, "\xfe target");
    assert_int_equal(got.row.content_size, 8);
    assert_string_equal(got.row.attributes, "{\"uid\":7}");
    assert_false(got.row.has_blake3);
    index_row_release(&got);
    assert_ok(index_row_at(ix, 1, 1, &got, &err));
    assert_string_equal(got.row.name, "big");
    assert_int_equal(got.row.size, INT64_MAX);
    assert_memory_equal(got.row.blake3, big.blake3, 32);
    assert_null(got.row.attributes);
    index_row_release(&got);
    index_close(ix);
}

/* Of several rows of one place in one transaction the last counts. */
static void test_rows__the_last_put_wins(void **state)
{
    (void)state;
    struct index *ix = open_index(true);
    const struct oplog_row root = dir_row(0, 1, 0, ""), a = file_row(1, 5, 1, "a", "A");
    const struct oplog_row b = version(file_row(1, 5, 1, "b", "A"), 1, 2);
    const struct oplog_row rows[] = {a, b, tombstone(&a, 1), version(a, 1, 3), tombstone(&b, 1)};
    take_in(ix, 0, &root, 1);
    take_in(ix, 1, rows, 5);
    assert_children(ix, 1, 1, "a:3 ");
    assert_int_equal(live(ix), 1);
    index_close(ix);
}

static void test_live__a_tree_goes_with_its_directory(void **state)
{
    (void)state;
    struct index *ix = open_index(true);
    const struct oplog_row root = dir_row(0, 1, 0, ""), d = dir_row(1, 2, 1, "d"), e = dir_row(1, 3, 2, "e");
    const struct oplog_row rows[] = {d, e, file_row(1, 4, 3, "f", ""), file_row(1, 5, 3, "g", "")};
    take_in(ix, 0, &root, 1);
    assert_int_equal(live(ix), 0);
    take_in(ix, 1, rows, 4);
    assert_int_equal(live(ix), 4);
    /* Moved, and removed under its new name, in one transaction. */
    const struct oplog_row moved = version(dir_row(2, 2, 1, "x"), 2, 2);
    const struct oplog_row second[] = {moved, tombstone(&d, 2), tombstone(&moved, 2)};
    take_in(ix, 2, second, 3);
    assert_int_equal(live(ix), 0);
    uint64_t files, entries;
    assert_ok(index_count_below(ix, d.node_id, 1, &files, &entries, &err));
    assert_int_equal(files, 2);
    assert_int_equal(entries, 3);
    index_close(ix);
}

static void test_transactions__are_seen_by_their_handle_only(void **state)
{
    (void)state;
    struct index *ix = open_index(true);
    const struct oplog_row root = dir_row(0, 1, 0, ""), a = file_row(1, 5, 1, "a", "A");
    take_in(ix, 0, &root, 1);
    struct index *other = open_index(false);
    assert_ok(index_begin(ix, &err));
    assert_ok(index_put(ix, 0, &a, &err));
    assert_at(ix, 1, "a", 1, "a:1#5");
    assert_at(ix, 1, "a", POND_AT_TIP, "a:1#5");
    assert_at(ix, 1, "a", 0, "");
    assert_at(other, 1, "a", POND_AT_TIP, "");
    index_rollback(ix);
    assert_at(ix, 1, "a", POND_AT_TIP, "");
    assert_int_equal(live(ix), 0);
    take_in(ix, 1, &a, 1);
    assert_at(other, 1, "a", POND_AT_TIP, "a:1#5");
    int64_t txn;
    uint8_t hash[32], expected[32];
    assert_ok(index_tip(other, &txn, hash, &err));
    assert_int_equal(txn, 1);
    memset(expected, 2, 32);
    assert_memory_equal(hash, expected, 32);
    index_close(other);
    index_close(ix);
}

static int add_bundle(void *context, const uint8_t hash[32], int64_t first_txn, uint64_t size, struct pond_error *e)
{
    char *out = context;
    (void)e;
    (void)snprintf(out + strlen(out), 256 - strlen(out), "%02x@%lld/%llu ", hash[0], (long long)first_txn,
                   (unsigned long long)size);
    return 0;
}

static void test_bundles__by_first_transaction_and_hash(void **state)
{
    (void)state;
    struct index *ix = open_index(true);
    const struct oplog_row root = dir_row(0, 1, 0, "");
    struct oplog_row rows[4];
    static const uint8_t hashes[] = {0x33, 0x11, 0x22, 0x11};
    for (size_t i = 0; i < 4; i++) {
        rows[i] = file_row(i == 3 ? 2 : 1, (uint8_t)(10 + i), 1, "x", "");
        rows[i].name = &"abcd"[i];
        rows[i].name_size = 1;
        rows[i].storage = POND_STORAGE_CHUNKED;
        rows[i].size = 100 + hashes[i];
        memset(rows[i].blake3, hashes[i], 32);
    }
    take_in(ix, 0, &root, 1);
    take_in(ix, 1, rows, 3);
    memset(rows[2].blake3, 0x01, 32);
    rows[2].txn_seq = 2;
    take_in(ix, 2, &rows[2], 2);
    char got[256] = "";
    assert_ok(index_bundles(ix, 0, 2, add_bundle, got, &err));
    assert_string_equal(got, "11@1/117 22@1/134 33@1/151 01@2/134 ");
    got[0] = '\0';
    assert_ok(index_bundles(ix, 2, 2, add_bundle, got, &err));
    assert_string_equal(got, "01@2/134 ");
    int64_t first = 0;
    uint64_t size = 0;
    assert_int_equal(index_has_bundle(ix, rows[3].blake3, &first, &size, &err), 1);
    assert_int_equal(first, 1);
    assert_int_equal(size, 0x11 + 100);
    memset(rows[3].blake3, 0x99, 32);
    assert_int_equal(index_has_bundle(ix, rows[3].blake3, &first, &size, &err), 0);
    index_close(ix);
}

static int first_commit(void *context, const struct index_commit *c, struct pond_error *e)
{
    (void)e;
    *(int64_t *)context = c->txn;
    assert_string_equal(c->part_path, "part-x");
    assert_int_equal(c->part_size, 7);
    assert_int_equal(c->bytes, c->txn);
    return 1;
}

static void test_commits_and_pages(void **state)
{
    (void)state;
    struct index *ix = open_index(true);
    int64_t txn = -1;
    fill(ix);
    assert_ok(index_commits(ix, 3, first_commit, &txn, &err));
    assert_int_equal(txn, 3);
    assert_ok(index_commit_at_time(ix, 2999, 4, &txn, &err));
    assert_int_equal(txn, 2);
    assert_ok(index_commit_at_time(ix, INT64_MAX, 3, &txn, &err));
    assert_int_equal(txn, 3);
    assert_int_equal(index_commit_at_time(ix, -1, 3, &txn, &err), POND_ENOTFOUND);
    assert_ok(index_begin(ix, &err));
    assert_ok(index_put_page(ix, 5, 0, 0, 4, &err));
    assert_ok(index_put_page(ix, 5, 100, 0, 900, &err));
    assert_ok(index_put_page(ix, 5, 200, 1, 2000, &err));
    uint64_t first, group, offset;
    assert_ok(index_page_of(ix, 5, 199, &first, &group, &offset, &err));
    assert_int_equal(first, 100);
    assert_int_equal(group, 0);
    assert_int_equal(offset, 900);
    assert_ok(index_page_of(ix, 5, 200, &first, &group, &offset, &err));
    assert_int_equal(group, 1);
    assert_fails(index_page_of(ix, 7, 0, &first, &group, &offset, &err), POND_ECORRUPT, "page of a row is missing");
    index_close(ix);
}

/* ---- rebuilding ---- */

static const char dump_sql[] =
    "SELECT 'meta', * FROM meta UNION ALL SELECT 'x',1,2,3,4,5 WHERE 0;"
    "SELECT 'commits', * FROM commits ORDER BY txn; SELECT 'rows', * FROM rows ORDER BY id;"
    "SELECT 'pages', * FROM pages ORDER BY first; SELECT 'bundles', * FROM bundles ORDER BY blake3";

static void dump(const char *path, struct pond_buf *out)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    for (const char *sql = dump_sql; *sql != '\0';) {
        sqlite3_stmt *s = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, &sql), SQLITE_OK);
        while (sqlite3_step(s) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(s); i++) {
                const int type = sqlite3_column_type(s, i);
                pond_buf_printf(out, "|%d:", type);
                pond_buf_append(out, sqlite3_column_blob(s, i), (size_t)sqlite3_column_bytes(s, i));
            }
            pond_buf_append_byte(out, '\n');
        }
        sqlite3_finalize(s);
        while (*sql == ' ' || *sql == ';')
            sql++;
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void fill_pond(struct pond *p)
{
    static char large[100000];
    for (int i = 0; i < 12; i++) {
        struct pond_txn *t = begin(p, i % 2 ? "odd \xff command" : "even");
        char a[32], b[32];
        (void)snprintf(a, sizeof a, "/d%d/e", i % 3);
        assert_ok(pond_txn_mkdir(t, a, true, &err));
        (void)snprintf(b, sizeof b, "/d%d/e/\xff%d", i % 3, i);
        put_text(t, b, b);
        large[0] = (char)(i % 5);
        put_bytes(t, "/large", large, sizeof large);
        if (i > 6) {
            (void)snprintf(a, sizeof a, "/d%d/e", (i + 1) % 3);
            (void)snprintf(b, sizeof b, "/moved %d", i);
            assert_ok(pond_txn_rename(t, a, b, &err));
            if (i % 3 == 0)
                assert_ok(pond_txn_remove(t, b, true, &err));
        }
        struct index_row root;
        assert_ok(pond_resolve(p, "/", POND_AT_TIP, &root, &err));
        struct oplog_row link = {.has_part = true, .name = b + 1, .name_size = 2, .type = POND_SYMLINK, .version = 1,
                                 .content = (const uint8_t *)"\xfe/t", .content_size = 3, .size = 3,
                                 .attributes = i % 2 ? NULL : "{\"uid\":1}"};
        link.name = "l\xfe";
        pond_uuid7(link.node_id);
        memcpy(link.part_id, root.row.node_id, 16);
        index_row_release(&root);
        assert_ok(pond_txn_put(t, &link, &err));
        (void)commit(t);
    }
}

static void test_rebuild__equals_what_the_writer_put(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_buf by_writer = {0}, rebuilt = {0};
    fill_pond(p);
    pond_close(p);
    dump("p/_pond/index.sqlite", &by_writer);
    assert_int_equal(system("rm p/_pond/index.sqlite*"), 0);
    pond_close(open_pond("p", POND_READ));
    dump("p/_pond/index.sqlite", &rebuilt);
    assert_true(by_writer.size > 5000);
    assert_int_equal(by_writer.size, rebuilt.size);
    assert_memory_equal(by_writer.data, rebuilt.data, rebuilt.size);
    pond_buf_release(&by_writer);
    pond_buf_release(&rebuilt);
}

static uint64_t walked;
static int count_entry(void *context, const struct pond_entry *e, struct pond_error *unused)
{
    (void)context;
    (void)e;
    (void)unused;
    walked++;
    return 0;
}

static void test_live__equals_what_a_walk_finds(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    fill_pond(p);
    walked = 0;
    assert_ok(pond_list(p, "/", POND_AT_TIP, true, count_entry, NULL, &err));
    assert_int_equal(p->info.entries, walked);
    assert_true(walked > 5);
    pond_close(p);
}

/* ---- making again ---- */

static void test_remake(void **state)
{
    (void)state;
    struct index *ix = open_index(true);
    fill(ix);
    assert_ok(index_remake(ix, &err));
    int64_t txn;
    uint8_t hash[32];
    assert_ok(index_tip(ix, &txn, hash, &err));
    assert_int_equal(txn, -1);
    /* Made again by two: the second takes the first one's. */
    struct index *other = open_index(false);
    assert_ok(index_remake(other, &err));
    fill(other);
    assert_ok(index_remake(ix, &err));
    assert_ok(index_tip(ix, &txn, hash, &err));
    assert_int_equal(txn, 4);
    index_close(other);
    index_close(ix);
}

static void test_open__what_is_no_index(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    write_file(INDEX, "not a database, but long enough to be taken for one by its size alone ...", 70);
    index_close(open_index(true));
    index_close(open_index(false));
    assert_int_equal(sqlite3_open(INDEX, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    index_close(open_index(true));
    assert_int_equal(sqlite3_open(INDEX, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE commits", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    index_close(open_index(true));
    index_close(open_index(false));
}

static void test_open__where_nothing_can_be_written(void **state)
{
    (void)state;
    struct index *ix = NULL;
    bool fresh = false;
    assert_ok(index_open(&ix, "no/such/folder/index.sqlite", &fresh, &err));
    assert_true(fresh);
    assert_true(index_in_memory(ix));
    fill(ix);
    assert_at(ix, 1, "a", 2, "a:2#5");
    assert_ok(index_remake(ix, &err));
    assert_at(ix, 1, "a", 2, "");
    index_close(ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_lookups__at_every_transaction),
        IN_SANDBOX(test_rows__come_back_whole),
        IN_SANDBOX(test_rows__the_last_put_wins),
        IN_SANDBOX(test_live__a_tree_goes_with_its_directory),
        IN_SANDBOX(test_transactions__are_seen_by_their_handle_only),
        IN_SANDBOX(test_bundles__by_first_transaction_and_hash),
        IN_SANDBOX(test_commits_and_pages),
        IN_SANDBOX(test_rebuild__equals_what_the_writer_put),
        IN_SANDBOX(test_live__equals_what_a_walk_finds),
        IN_SANDBOX(test_remake),
        IN_SANDBOX(test_open__what_is_no_index),
        IN_SANDBOX(test_open__where_nothing_can_be_written),
    };
    return cmocka_run_group_tests_name("tlogfs/index", tests, NULL, NULL);
}
