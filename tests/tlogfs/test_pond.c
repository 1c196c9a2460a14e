/* pond/fs.h: ponds, their trees, transactions and history. */
#include "tlogfs/tlogfs_test.h"

#include <sys/wait.h>

#define COMMIT(n) "p/_delta_log/0000000000000000000" #n ".json"

static void assert_no_litter(const char *dir)
{
    char tmp[64];
    (void)snprintf(tmp, sizeof tmp, "%s/_pond/tmp", dir);
    assert_int_equal(count_names(tmp), 0);
}

static void remove_index(void)
{
    assert_ok(os_unlink("p/_pond/index.sqlite", &err));
    int r = os_unlink("p/_pond/index.sqlite-wal", NULL);
    r |= os_unlink("p/_pond/index.sqlite-shm", NULL);
    (void)r;
}

static char *read_text(const char *path)
{
    struct pond_buf b = {0};
    assert_ok(os_read_file(path, 1 << 20, &b, &err));
    char *text = pond_strdup(pond_buf_cstr(&b));
    pond_buf_release(&b);
    return text;
}

/* Replaces `from` by `to` (as long) in a file, once. */
static void tamper(const char *path, const char *from, const char *to)
{
    char *text = read_text(path);
    char *at = strstr(text, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    write_file(path, text, strlen(text));
    pond_free(text);
}

static uint64_t entries_of(const char *dir)
{
    struct pond *p = open_pond(dir, POND_READ);
    struct pond_info info;
    assert_ok(pond_get_info(p, &info, &err));
    pond_close(p);
    return info.entries;
}

/* ---- making and opening ---- */

static void test_init__makes_a_pond(void **state)
{
    (void)state;
    struct pond *p = make_pond("a/p");
    struct pond_info info;
    struct pond_entry root;
    assert_ok(pond_get_info(p, &info, &err));
    assert_int_equal(info.txn, 0);
    assert_int_equal(info.role, POND_PRIMARY);
    assert_int_equal(info.entries, 0);
    assert_int_equal(info.chunk_size, POND_CHUNK_SIZE_MIN);
    assert_int_equal(info.compression, POND_COMPRESSION_NONE);
    assert_list(p, "/", POND_AT_TIP, true, "");
    assert_ok(pond_stat(p, "/", POND_AT_TIP, &root, &err));
    assert_int_equal(root.type, POND_DIRECTORY);
    assert_string_equal(pond_dir(p), "a/p");
    pond_close(p);
    assert_no_litter("a/p");
    assert_fails(pond_init("a/p", NULL, &err), POND_EEXISTS, "is a pond already");
    assert_ok(pond_init("defaults", NULL, &err));
    p = open_pond("defaults", POND_WRITE);
    struct pond_txn *t = begin(p, NULL);
    put_text(t, "/a", "A");
    assert_int_equal(commit(t).txn, 1);
    pond_close(p);
}

static void test_init__refuses_what_is_there(void **state)
{
    (void)state;
    const struct pond_init_options bad = {.chunk_size = 5 << 20};
    assert_fails(pond_init("p", &bad, &err), POND_EUSAGE, "power of two");
    assert_false(exists("p"));
    assert_ok(os_mkdir("full", 0777, &err));
    write_file("full/precious", "x", 1);
    assert_fails(pond_init("full", NULL, &err), POND_EEXISTS, "\"precious\"");
    assert_int_equal(count_names("full"), 1);
    assert_ok(os_mkdirs("table/_delta_log", 0777, &err));
    write_file("table/_delta_log/00000000000000000000.json", "{\"commitInfo\":{}}\n", 18);
    assert_fails(pond_init("table", NULL, &err), POND_EEXISTS, "not empty");
}

static void test_init__goes_on_after_it_was_cut_off(void **state)
{
    (void)state;
    pond_close(make_pond("p"));
    assert_ok(os_unlink(COMMIT(0), &err)); /* all but the commit was done */
    assert_fails(pond_open(&(struct pond *){NULL}, "p", POND_READ, &err), POND_ENOPOND, "is not a pond");
    struct pond *p = make_pond("p");
    assert_list(p, "/", POND_AT_TIP, true, "");
    commit_text(p, "/a", "A");
    pond_close(p);
    assert_int_equal(count_names("p"), 4); /* _delta_log, _pond and a part for each commit: the old one is gone */
}

static void test_open__no_pond(void **state)
{
    (void)state;
    struct pond *p = NULL;
    assert_fails(pond_open(&p, "nowhere", POND_READ, &err), POND_ENOPOND, "nowhere");
    assert_ok(os_mkdir("empty", 0777, &err));
    assert_fails(pond_open(&p, "empty", POND_WRITE, &err), POND_ENOPOND, "is not a pond");
    assert_int_equal(count_names("empty"), 0);
}

static void test_find__looks_upwards(void **state)
{
    (void)state;
    char *found = NULL, here[512], path[600];
    pond_close(make_pond("p"));
    assert_ok(os_mkdirs("p/x/y", 0777, &err));
    assert_ok(pond_find("p/x/y", &found, &err));
    assert_string_equal(found, "p");
    pond_string_free(found);
    assert_non_null(getcwd(here, sizeof here));
    (void)snprintf(path, sizeof path, "%s/p/x/", here);
    assert_ok(pond_find(path, &found, &err));
    path[strlen(path) - 3] = '\0';
    assert_string_equal(found, path);
    pond_string_free(found);
    assert_int_equal(chdir("p/x/y"), 0);
    assert_ok(pond_find(".", &found, &err));
    assert_string_equal(found, "../..");
    pond_string_free(found);
    assert_int_equal(chdir("../../.."), 0);
    assert_fails(pond_find("/", &found, &err), POND_ENOPOND, "pond init");
}

static void test_lock__one_writer(void **state)
{
    (void)state;
    struct pond *p = make_pond("p"), *q = NULL;
    assert_fails(pond_open(&q, "p", POND_WRITE, &err), POND_ELOCKED, "another process is writing");
    q = open_pond("p", POND_READ);
    struct pond_txn *t = NULL;
    assert_fails(pond_begin(&t, q, "x", &err), POND_EUSAGE, "for reading only");
    pond_close(q);
    pond_close(p);
    pond_close(open_pond("p", POND_WRITE));
}

/* ---- the tree ---- */

static void test_mkdir(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "mkdir");
    assert_ok(pond_txn_mkdir(t, "/a", false, &err));
    assert_fails(pond_txn_mkdir(t, "/a", false, &err), POND_EEXISTS, "/a: is there already");
    assert_fails(pond_txn_mkdir(t, "/", false, &err), POND_EEXISTS, "is there already");
    assert_fails(pond_txn_mkdir(t, "/x/y", false, &err), POND_ENOTFOUND, "its parent \"x\" does not exist");
    assert_fails(pond_txn_mkdir(t, "relative", true, &err), POND_EUSAGE, "begins with '/'");
    assert_ok(pond_txn_mkdir(t, "/a/b//../c/./d/", true, &err));
    assert_ok(pond_txn_mkdir(t, "/a/c/d", true, &err));
    put_text(t, "/a/file", "x");
    assert_fails(pond_txn_mkdir(t, "/a/file/x", true, &err), POND_EEXISTS, "\"file\" is there and is not a directory");
    char long_name[300] = "/";
    memset(long_name + 1, 'n', 256);
    assert_fails(pond_txn_mkdir(t, long_name, true, &err), POND_EUSAGE, "a name of 256 bytes");
    long_name[256] = '\0';
    assert_ok(pond_txn_mkdir(t, long_name, true, &err));
    assert_ok(pond_txn_remove(t, long_name, false, &err));
    assert_int_equal(commit(t).txn, 1);
    assert_list(p, "/", POND_AT_TIP, true, "/a /a/c /a/c/d /a/file ");
    pond_close(p);
    assert_int_equal(entries_of("p"), 4);
}

static void test_files__inline_and_bundles(void **state)
{
    (void)state;
    static char large[POND_INLINE_MAX + 1], got[POND_INLINE_MAX + 2];
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "put");
    memset(large, 'L', sizeof large);
    put_text(t, "/empty", "");
    put_bytes(t, "/inline", large, POND_INLINE_MAX);
    put_bytes(t, "/bundle", large, POND_INLINE_MAX + 1);
    put_bytes(t, "/again", large, POND_INLINE_MAX + 1);
    assert_fails(pond_txn_write_fd(t, "/no/such", 0, "stdin", 0, NULL, &err), POND_ENOTFOUND, "/no");
    assert_fails(pond_txn_write_fd(t, "/dir/", 0, "stdin", 0, NULL, &err), POND_EUSAGE, "/dir/");
    struct pond_txn_result r = commit(t);
    assert_int_equal(r.files_added, 4);
    assert_int_equal(r.bytes, 3 * POND_INLINE_MAX + 2);
    assert_int_equal(count_names("p/_large_files"), 1);
    assert_no_litter("p");

    struct pond_entry e;
    assert_ok(pond_stat(p, "/inline", POND_AT_TIP, &e, &err));
    assert_int_equal(e.storage, POND_STORAGE_INLINE);
    assert_int_equal(e.size, POND_INLINE_MAX);
    assert_ok(pond_stat(p, "/bundle", POND_AT_TIP, &e, &err));
    assert_int_equal(e.storage, POND_STORAGE_CHUNKED);
    assert_int_equal(e.mode, 0644);
    uint8_t hash[32];
    pond_blake3(large, sizeof large, hash);
    assert_memory_equal(e.blake3, hash, 32);
    assert_content(p, "/empty", POND_AT_TIP, 0, "");
    static const char *const paths[] = {"/inline", "/bundle", "/again"};
    for (size_t i = 0; i < 3; i++) {
        struct pond_reader *rd = NULL;
        const size_t size = i == 0 ? POND_INLINE_MAX : POND_INLINE_MAX + 1;
        assert_ok(pond_reader_open(&rd, p, paths[i], POND_AT_TIP, 0, &err));
        assert_int_equal(pond_reader_size(rd), size);
        assert_int_equal(pond_reader_read(rd, 0, got, sizeof got, &err), size);
        assert_memory_equal(got, large, size);
        assert_int_equal(pond_reader_read(rd, size - 3, got, sizeof got, &err), 3);
        assert_int_equal(pond_reader_read(rd, size + 3, got, sizeof got, &err), 0);
        pond_reader_close(rd);
    }
    assert_fails(pond_reader_open(&(struct pond_reader *){NULL}, p, "/", POND_AT_TIP, 0, &err), POND_EUSAGE,
                 "is a directory");
    pond_close(p);
}

/* What comes through a pipe has no size. */
static void test_files__from_a_pipe(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    static const size_t sizes[] = {5, POND_INLINE_MAX, POND_INLINE_MAX + 1, 3000000};
    struct pond_txn *t = begin(p, "put");
    for (size_t i = 0; i < 4; i++) {
        int ends[2];
        char path[8];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            for (size_t k = 0; k < sizes[i]; k++) {
                char c = (char)(k % 251);
                if (write(ends[1], &c, 1) != 1)
                    _exit(1);
            }
            _exit(0);
        }
        assert_int_equal(close(ends[1]), 0);
        (void)snprintf(path, sizeof path, "/%zu", i);
        assert_ok(pond_txn_write_fd(t, path, ends[0], "pipe", 0600, NULL, &err));
        assert_int_equal(close(ends[0]), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    (void)commit(t);
    for (size_t i = 0; i < 4; i++) {
        char path[8];
        uint8_t byte;
        struct pond_entry e;
        struct pond_reader *rd = NULL;
        (void)snprintf(path, sizeof path, "/%zu", i);
        assert_ok(pond_stat(p, path, POND_AT_TIP, &e, &err));
        assert_int_equal(e.size, sizes[i]);
        assert_int_equal(e.mode, 0600);
        assert_int_equal(e.storage, sizes[i] > POND_INLINE_MAX ? POND_STORAGE_CHUNKED : POND_STORAGE_INLINE);
        assert_ok(pond_reader_open(&rd, p, path, POND_AT_TIP, 0, &err));
        assert_int_equal(pond_reader_read(rd, sizes[i] - 1, &byte, 1, &err), 1);
        assert_int_equal(byte, (sizes[i] - 1) % 251);
        pond_reader_close(rd);
    }
    pond_close(p);
}

static void test_versions__and_time_travel(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_entry e;
    assert_int_equal(commit_text(p, "/f", "one"), 1);
    assert_ok(pond_stat(p, "/f", POND_AT_TIP, &e, &err));
    char node[37];
    strcpy(node, e.node_id);
    assert_int_equal(commit_text(p, "/f", "two"), 2);
    assert_int_equal(commit_text(p, "/f", "two"), 2); /* unchanged: no transaction */
    assert_ok(pond_stat(p, "/f", POND_AT_TIP, &e, &err));
    assert_string_equal(e.node_id, node);
    assert_int_equal(e.version, 2);
    assert_int_equal(e.txn, 2);

    struct pond_txn *t = begin(p, "rm");
    assert_ok(pond_txn_remove(t, "/f", false, &err));
    assert_int_equal(commit(t).files_removed, 1);
    assert_int_equal(commit_text(p, "/f", "new"), 4);
    assert_ok(pond_stat(p, "/f", POND_AT_TIP, &e, &err));
    assert_string_not_equal(e.node_id, node); /* a name made again is a new node */
    assert_int_equal(e.version, 1);

    assert_content(p, "/f", 1, 0, "one");
    assert_content(p, "/f", 2, 0, "two");
    assert_content(p, "/f", 2, 1, "one");
    assert_content(p, "/f", POND_AT_TIP, 0, "new");
    struct pond_reader *rd = NULL;
    assert_fails(pond_reader_open(&rd, p, "/f", 3, 0, &err), POND_ENOTFOUND, "at transaction 3");
    assert_fails(pond_reader_open(&rd, p, "/f", 2, 3, &err), POND_ENOTFOUND, "has no version 3");
    assert_fails(pond_reader_open(&rd, p, "/f", 5, 0, &err), POND_ENOTFOUND, "no transaction 5, the newest is 4");
    assert_fails(pond_reader_open(&rd, p, "/f", -1, 0, &err), POND_ENOTFOUND, "no transaction -1");
    pond_close(p);
}

static int collect_version(void *context, const struct pond_entry *e, struct pond_error *unused)
{
    char *out = context;
    (void)unused;
    (void)snprintf(out + strlen(out), 512 - strlen(out), "%lld:%s@%lld%s ", (long long)e->version, e->path,
                   (long long)e->txn, e->deleted ? "-" : "");
    return 0;
}

static void test_versions__of_what_moved_and_went(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "1");
    assert_ok(pond_txn_mkdir(t, "/d/e", true, &err));
    put_text(t, "/d/e/f", "1");
    (void)commit(t);
    commit_text(p, "/d/e/f", "2");
    t = begin(p, "3");
    assert_ok(pond_txn_rename(t, "/d/e/f", "/g", &err));
    (void)commit(t);
    t = begin(p, "4");
    assert_ok(pond_txn_rename(t, "/d/e", "/h", &err));
    assert_ok(pond_txn_remove(t, "/g", false, &err));
    (void)commit(t);

    char got[512] = "";
    assert_ok(pond_versions(p, "/g", collect_version, got, &err));
    assert_string_equal(got, "4:/g@4- 3:/g@3 2:/d/e/f@2 1:/d/e/f@1 ");
    got[0] = '\0';
    assert_ok(pond_versions(p, "/d/e/f", collect_version, got, &err)); /* it was there last */
    assert_string_equal(got, "4:/g@4- 3:/g@3 2:/d/e/f@2 1:/d/e/f@1 ");
    got[0] = '\0';
    assert_ok(pond_versions(p, "/h/", collect_version, got, &err));
    assert_string_equal(got, "2:/h@4 1:/d/e@1 ");
    assert_fails(pond_versions(p, "/never", collect_version, got, &err), POND_ENOTFOUND, "never was");
    pond_close(p);
}

/* What stood below a directory that was made anew is still found. */
static void test_versions__below_an_older_directory(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "1");
    assert_ok(pond_txn_mkdir(t, "/d", false, &err));
    put_text(t, "/d/f", "1");
    (void)commit(t);
    t = begin(p, "2");
    assert_ok(pond_txn_remove(t, "/d", true, &err));
    assert_ok(pond_txn_mkdir(t, "/d", false, &err));
    assert_int_equal(commit(t).files_removed, 1);
    char got[512] = "";
    assert_ok(pond_versions(p, "/d/f", collect_version, got, &err));
    assert_string_equal(got, "1:/d/f@1 ");
    assert_list(p, "/", POND_AT_TIP, true, "/d ");
    pond_close(p);
    assert_int_equal(entries_of("p"), 1);
}

static void test_remove(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "1");
    assert_ok(pond_txn_mkdir(t, "/d/e", true, &err));
    put_text(t, "/d/1", "1");
    put_text(t, "/d/e/2", "2");
    put_text(t, "/x", "x");
    (void)commit(t);
    t = begin(p, "2");
    assert_fails(pond_txn_remove(t, "/", true, &err), POND_EUSAGE, "root");
    assert_fails(pond_txn_remove(t, "/none", true, &err), POND_ENOTFOUND, "/none");
    assert_fails(pond_txn_remove(t, "/x/", true, &err), POND_ENOTFOUND, "is not a directory");
    assert_fails(pond_txn_remove(t, "/d", false, &err), POND_EFAILED, "3 entries below it");
    assert_ok(pond_txn_remove(t, "/d", true, &err));
    assert_list(p, "/", POND_AT_TIP, true, "/x ");
    assert_list(p, "/", 1, true, "/d /d/1 /d/e /d/e/2 /x ");
    struct pond_txn_result r = commit(t);
    assert_int_equal(r.files_removed, 2);
    assert_list(p, "/", POND_AT_TIP, true, "/x ");
    assert_list(p, "/d", 1, false, "/d/1 /d/e ");
    pond_close(p);
    assert_int_equal(entries_of("p"), 1);
}

static void test_rename(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "1");
    assert_ok(pond_txn_mkdir(t, "/d/e", true, &err));
    assert_ok(pond_txn_mkdir(t, "/empty", true, &err));
    put_text(t, "/d/f", "F");
    put_text(t, "/a", "A");
    put_text(t, "/b", "B");
    (void)commit(t);

    t = begin(p, "2");
    assert_fails(pond_txn_rename(t, "/none", "/x", &err), POND_ENOTFOUND, "/none");
    assert_fails(pond_txn_rename(t, "/d", "/d/e/x", &err), POND_EUSAGE, "below itself");
    assert_fails(pond_txn_rename(t, "/d", "/d", &err), POND_EUSAGE, "below itself");
    assert_fails(pond_txn_rename(t, "/", "/x", &err), POND_EUSAGE, "root");
    assert_fails(pond_txn_rename(t, "/d", "/a", &err), POND_EEXISTS, "/a: is there and is not a directory");
    assert_fails(pond_txn_rename(t, "/a", "/none/", &err), POND_ENOTFOUND, "no such directory");
    assert_fails(pond_txn_rename(t, "/a", "/none/x", &err), POND_ENOTFOUND, "/none");
    assert_ok(pond_txn_rename(t, "/a", "/a", &err)); /* nothing to do */
    assert_ok(pond_txn_rename(t, "/a", "/b", &err)); /* replaces */
    assert_ok(pond_txn_rename(t, "/d/f", "/", &err));
    assert_ok(pond_txn_rename(t, "/d", "/empty", &err)); /* into it */
    assert_list(p, "/", POND_AT_TIP, true, "/b /empty /empty/d /empty/d/e /f ");
    struct pond_txn_result r = commit(t);
    assert_int_equal(r.files_removed, 1);
    assert_int_equal(r.files_changed, 2);
    assert_content(p, "/b", POND_AT_TIP, 0, "A");
    assert_content(p, "/f", POND_AT_TIP, 0, "F");
    assert_list(p, "/", 1, true, "/a /b /d /d/e /d/f /empty ");
    struct pond_entry e;
    assert_ok(pond_stat(p, "/b", POND_AT_TIP, &e, &err));
    assert_int_equal(e.version, 2);

    t = begin(p, "3");
    assert_ok(pond_txn_mkdir(t, "/other/d/full", true, &err));
    assert_fails(pond_txn_rename(t, "/empty/d", "/other", &err), POND_EEXISTS, "/other/d: is a directory that is not empty");
    assert_ok(pond_txn_remove(t, "/other/d/full", false, &err));
    assert_ok(pond_txn_rename(t, "/empty/d", "/other", &err)); /* replaces an empty one */
    (void)commit(t);
    assert_list(p, "/", POND_AT_TIP, true, "/b /empty /f /other /other/d /other/d/e ");
    pond_close(p);
    assert_int_equal(entries_of("p"), 6);
}

/* Away and back in one transaction: several rows of one place. */
static void test_rename__away_and_back(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "1");
    assert_ok(pond_txn_mkdir(t, "/d", true, &err));
    put_text(t, "/d/f", "F");
    (void)commit(t);
    t = begin(p, "2");
    assert_ok(pond_txn_rename(t, "/d", "/x", &err));
    assert_ok(pond_txn_rename(t, "/x", "/d", &err));
    assert_ok(pond_txn_rename(t, "/d/f", "/y", &err));
    assert_ok(pond_txn_remove(t, "/y", false, &err));
    assert_list(p, "/", POND_AT_TIP, true, "/d ");
    (void)commit(t);
    assert_list(p, "/", POND_AT_TIP, true, "/d ");
    struct names shown = {{0}, 0, 0};
    assert_ok(pond_show(p, 2, add_name, &shown, &err));
    assert_string_equal(shown.text, "/d /d/f- ");
    pond_close(p);
    assert_int_equal(entries_of("p"), 1);
    remove_index();
    assert_int_equal(entries_of("p"), 1);
}

/* ---- lists and globs ---- */

static void make_tree(struct pond *p)
{
    struct pond_txn *t = begin(p, "tree");
    static const char *const directories[] = {"/logs/2025", "/logs/2026/11", "/logs-old", "/\xff"};
    static const char *const files[] = {"/logs/2025/a.txt", "/logs/2025/b.dat", "/logs/2026/a.txt", "/logs/2026/11/c.txt",
                                        "/logs/x*y", "/logs-old/a.txt", "/Z", "/\xff/\xfe.txt"};
    for (size_t i = 0; i < 4; i++)
        assert_ok(pond_txn_mkdir(t, directories[i], true, &err));
    for (size_t i = 0; i < 8; i++)
        put_text(t, files[i], files[i]);
    (void)commit(t);
}

static void test_list(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_tree(p);
    assert_list(p, "/", POND_AT_TIP, false, "/Z /logs /logs-old /\xff ");
    assert_list(p, "/logs/", POND_AT_TIP, false, "/logs/2025 /logs/2026 /logs/x*y ");
    assert_list(p, "/logs/2026", POND_AT_TIP, true, "/logs/2026/11 /logs/2026/11/c.txt /logs/2026/a.txt ");
    assert_list(p, "/Z", POND_AT_TIP, true, "/Z ");
    assert_list(p, "/\xff", 1, true, "/\xff/\xfe.txt ");
    assert_list(p, "/", 0, true, "");
    struct names n = {{0}, 3, 0};
    assert_ok(pond_list(p, "/", POND_AT_TIP, true, add_name, &n, &err));
    assert_string_equal(n.text, "/Z /logs /logs/2025 "); /* the callback stops it, however deep */
    assert_fails(pond_list(p, "/none", POND_AT_TIP, true, add_name, &n, &err), POND_ENOTFOUND, "/none");
    pond_close(p);
}

static void assert_glob(struct pond *p, const char *pattern, const char *expected)
{
    struct names n = {{0}, 0, 0};
    int r = pond_glob(p, pattern, POND_AT_TIP, add_name, &n, &err);
    assert_string_equal(n.text, expected);
    assert_int_equal(r, expected[0] == '\0' ? POND_ENOTFOUND : 0);
}

static void test_glob(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_tree(p);
    assert_glob(p, "/*", "/Z /logs /logs-old /\xff ");
    assert_glob(p, "/logs*/", "/logs /logs-old ");
    assert_glob(p, "/logs/20[0-9]?/*.txt", "/logs/2025/a.txt /logs/2026/a.txt ");
    assert_glob(p, "/logs/*/[!a]*", "/logs/2025/b.dat /logs/2026/11 ");
    assert_glob(p, "/**/a.txt", "/logs/2025/a.txt /logs/2026/a.txt /logs-old/a.txt ");
    assert_glob(p, "/logs/**", "/logs/2025 /logs/2025/a.txt /logs/2025/b.dat /logs/2026 /logs/2026/11 "
                               "/logs/2026/11/c.txt /logs/2026/a.txt /logs/x*y ");
    assert_glob(p, "/logs/**/", "/logs/2025 /logs/2026 /logs/2026/11 ");
    assert_glob(p, "/l*/2026/**/*.txt", "/logs/2026/11/c.txt /logs/2026/a.txt ");
    assert_glob(p, "/logs/x\\*y", "/logs/x*y ");
    assert_glob(p, "/logs/2025/a.txt", "/logs/2025/a.txt ");
    assert_glob(p, "/logs/2025/*/x", "");
    assert_glob(p, "/none/*", "");
    assert_glob(p, "/Z/*", "");
    struct names n = {{0}, 2, 0};
    assert_ok(pond_glob(p, "/**", POND_AT_TIP, add_name, &n, &err));
    assert_string_equal(n.text, "/Z /logs ");
    pond_close(p);
}

/* ---- history ---- */

static int collect_log(void *context, const struct pond_log_entry *e, struct pond_error *unused)
{
    char *out = context;
    (void)unused;
    (void)snprintf(out + strlen(out), 512 - strlen(out), "%lld:%s +%llu ~%llu -%llu; ", (long long)e->txn, e->command,
                   (unsigned long long)e->files_added, (unsigned long long)e->files_changed,
                   (unsigned long long)e->files_removed);
    return 0;
}

static void assert_log(struct pond *p, const char *path, uint64_t limit, const char *expected)
{
    char got[512] = "";
    assert_ok(pond_log(p, path, limit, collect_log, got, &err));
    assert_string_equal(got, expected);
}

static void assert_show(struct pond *p, int64_t txn, const char *expected)
{
    struct names n = {{0}, 0, 0};
    assert_ok(pond_show(p, txn, add_name, &n, &err));
    assert_string_equal(n.text, expected);
}

static void test_log_and_show(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "one");
    assert_ok(pond_txn_mkdir(t, "/d/e", true, &err));
    put_text(t, "/d/e/f", "1");
    put_text(t, "/z", "1");
    (void)commit(t);
    t = begin(p, "two");
    put_text(t, "/z", "2");
    put_text(t, "/gone", "never seen");
    assert_ok(pond_txn_remove(t, "/gone", false, &err));
    (void)commit(t);
    t = begin(p, "three");
    assert_ok(pond_txn_rename(t, "/d", "/moved", &err));
    put_text(t, "/moved/e/g", "g");
    (void)commit(t);
    t = begin(p, "four");
    assert_ok(pond_txn_remove(t, "/moved/e/f", false, &err));
    assert_ok(pond_txn_remove(t, "/moved", true, &err));
    (void)commit(t);

    assert_log(p, NULL, 0, "4:four +0 ~0 -2; 3:three +1 ~0 -0; 2:two +1 ~1 -1; 1:one +2 ~0 -0; 0:pond init +0 ~0 -0; ");
    assert_log(p, NULL, 2, "4:four +0 ~0 -2; 3:three +1 ~0 -0; ");
    assert_log(p, "/z", 0, "2:two +1 ~1 -1; 1:one +2 ~0 -0; ");
    assert_log(p, "/d/e/f", 0, "3:three +1 ~0 -0; 1:one +2 ~0 -0; "); /* it left with its directory */
    assert_log(p, "/moved", 1, "4:four +0 ~0 -2; ");
    assert_log(p, "/moved/e/g", 0, "4:four +0 ~0 -2; 3:three +1 ~0 -0; ");
    assert_log(p, "/never", 0, "");
    assert_show(p, 0, "/ ");
    assert_show(p, 1, "/d /d/e /d/e/f /z ");
    assert_show(p, 2, "/z ");
    assert_show(p, 3, "/d- /moved /moved/e/g ");
    assert_show(p, 4, "/moved- /moved/e/f- ");
    assert_fails(pond_show(p, 5, add_name, &(struct names){{0}, 0, 0}, &err), POND_ENOTFOUND, "no transaction 5");
    char got[512] = "";
    assert_ok(pond_log_get(p, 2, collect_log, got, &err));
    assert_string_equal(got, "2:two +1 ~1 -1; ");
    pond_close(p);
}

static int copy_time(void *context, const struct pond_log_entry *e, struct pond_error *unused)
{
    (void)unused;
    *(int64_t *)context = e->time_us;
    return 0;
}

static void test_parse_txn(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    int64_t txn = -1, time_us = 0;
    char text[32];
    commit_text(p, "/a", "1");
    commit_text(p, "/a", "2");
    assert_ok(pond_parse_txn(p, "2", &txn, &err));
    assert_int_equal(txn, 2);
    assert_ok(pond_log_get(p, 1, copy_time, &time_us, &err));
    pond_format_time(time_us, text);
    assert_ok(pond_parse_txn(p, text, &txn, &err));
    assert_int_equal(txn, 1);
    pond_format_time(time_us - 1, text);
    assert_ok(pond_parse_txn(p, text, &txn, &err));
    assert_int_equal(txn, 0);
    assert_ok(pond_parse_txn(p, "2999-01-01", &txn, &err));
    assert_int_equal(txn, 2);
    assert_fails(pond_parse_txn(p, "1999-01-01", &txn, &err), POND_ENOTFOUND, "younger");
    assert_fails(pond_parse_txn(p, "3", &txn, &err), POND_ENOTFOUND, "the newest is 2");
    assert_fails(pond_parse_txn(p, "yesterday", &txn, &err), POND_EUSAGE, "yesterday");
    assert_fails(pond_parse_txn(p, "", &txn, &err), POND_EUSAGE, "neither");
    assert_fails(pond_parse_txn(p, "99999999999999999999999", &txn, &err), POND_EUSAGE, "neither");
    pond_close(p);
}

/* ---- transactions ---- */

static void test_abort__leaves_nothing(void **state)
{
    (void)state;
    static char large[200000];
    struct pond *p = make_pond("p");
    commit_text(p, "/a", "A");
    const size_t before = count_names("p");
    struct pond_txn *t = begin(p, "abort");
    put_text(t, "/b", "B");
    put_bytes(t, "/large", large, sizeof large);
    assert_ok(pond_txn_remove(t, "/a", false, &err));
    pond_txn_abort(t);
    pond_txn_abort(NULL);
    assert_no_litter("p");
    /* A folder that was made for the bundle may stay, empty: gc removes it. */
    assert_in_range(count_names("p"), before, before + 1);
    assert_int_equal(system("test -z \"$(find p/_large_files -type f)\""), 0);
    assert_list(p, "/", POND_AT_TIP, true, "/a ");
    assert_int_equal(commit_text(p, "/c", "C"), 2);
    t = begin(p, "closed");
    put_text(t, "/d", "D");
    pond_close(p); /* aborts */
    assert_no_litter("p");
    p = open_pond("p", POND_READ);
    assert_list(p, "/", POND_AT_TIP, true, "/a /c ");
    pond_close(p);
}

static void test_commit__nothing_changed(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "nothing"), *second = NULL;
    assert_fails(pond_begin(&second, p, "x", &err), POND_EUSAGE, "is open already");
    struct pond_txn_result r = commit(t);
    assert_false(r.committed);
    assert_int_equal(r.txn, 0);
    assert_false(exists(COMMIT(1)));
    pond_close(p);
}

/* One sync each for the part, its directory, the commit, its directory; in that order, each before the next rename counts. */
static void test_commit__syncs_in_order(void **state)
{
    (void)state;
    static char large[200000];
    struct pond *p = make_pond("p");
    commit_text(p, "/warm", "up"); /* the index's own log is set up */
    struct pond_txn *t = begin(p, "put");
    put_text(t, "/a", "A");
    events_clear();
    (void)commit(t);
    assert_string_equal(events, "FrfFrf");
    t = begin(p, "put");
    put_bytes(t, "/large", large, sizeof large);
    events_clear();
    (void)commit(t);
    /* The bundle first, and the three directories whose names are new; then as above. */
    assert_string_equal(events, "drfff" "FrfFrf");
    pond_close(p);
}

static void test_commit__a_failed_sync_commits_nothing(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    commit_text(p, "/a", "A");
    for (int n = 0; n < 3; n++) { /* the part, its directory, the commit */
        struct pond_txn *t = begin(p, "put");
        struct pond_txn_result r;
        put_text(t, "/b", "B");
        events_clear();
        fail_event = n == 1 ? 'f' : 'F';
        fail_after = n == 2 ? 1 : 0;
        assert_fails(pond_txn_commit(t, &r, &err), POND_EIO, "sync");
        events_clear();
        assert_false(exists(COMMIT(2)));
        assert_list(p, "/", POND_AT_TIP, true, "/a ");
    }
    assert_int_equal(commit_text(p, "/c", "C"), 2);
    pond_close(p);
    p = open_pond("p", POND_READ);
    assert_list(p, "/", POND_AT_TIP, true, "/a /c ");
    pond_close(p);
}

/* The commit is there, the index was not told: killed between the two. */
static void test_commit__the_next_open_catches_up(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    commit_text(p, "/a", "A");
    pond_close(p);
    assert_ok(os_mkdir("kept", 0777, &err));
    assert_int_equal(system("cp p/_pond/index.sqlite* kept/"), 0);
    p = open_pond("p", POND_WRITE);
    commit_text(p, "/b", "B");
    commit_text(p, "/c", "C");
    pond_close(p);
    assert_int_equal(system("rm p/_pond/index.sqlite*; cp kept/* p/_pond/"), 0);
    p = open_pond("p", POND_READ);
    assert_list(p, "/", POND_AT_TIP, true, "/a /b /c ");
    assert_content(p, "/b", POND_AT_TIP, 0, "B");
    assert_log(p, NULL, 1, "3:put +1 ~0 -0; ");
    pond_close(p);
}

static void test_reader__keeps_its_snapshot(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    commit_text(p, "/a", "old");
    struct pond *q = open_pond("p", POND_READ);
    struct pond_txn *t = begin(p, "2");
    put_text(t, "/a", "new");
    put_text(t, "/b", "B");
    assert_list(q, "/", POND_AT_TIP, true, "/a ");
    struct pond *early = open_pond("p", POND_READ); /* while a transaction is open */
    assert_list(early, "/", POND_AT_TIP, true, "/a ");
    pond_close(early);
    (void)commit(t);
    assert_list(q, "/", POND_AT_TIP, true, "/a ");
    assert_content(q, "/a", POND_AT_TIP, 0, "old");
    struct names n = {{0}, 0, 0};
    assert_ok(pond_versions(q, "/a", add_name, &n, &err));
    assert_string_equal(n.text, "/a ");
    assert_log(q, NULL, 1, "1:put +1 ~0 -0; ");
    assert_fails(pond_show(q, 2, add_name, &n, &err), POND_ENOTFOUND, "no transaction 2");
    struct pond_reader *rd = NULL;
    assert_fails(pond_reader_open(&rd, q, "/a", POND_AT_TIP, 2, &err), POND_ENOTFOUND, "no version 2");
    pond_close(q);
    q = open_pond("p", POND_READ);
    assert_content(q, "/a", POND_AT_TIP, 0, "new");
    pond_close(q);
    pond_close(p);
}

/* ---- damage ---- */

static void fill(struct pond *p)
{
    struct pond_txn *t = begin(p, "fill");
    assert_ok(pond_txn_mkdir(t, "/d", false, &err));
    put_text(t, "/d/f", "F");
    (void)commit(t);
    commit_text(p, "/g", "G");
    commit_text(p, "/g", "G2");
}
#define FILLED "/d /d/f /g "

static void test_index__missing_truncated_or_garbage(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    fill(p);
    pond_close(p);
    struct stat st;
    for (int i = 0; i < 6; i++) {
        if (i == 0) {
            remove_index();
        } else if (i == 1) {
            assert_ok(os_remove_tree("p/_pond", &err));
        } else {
            /* Fold the log of the index in first, so that the damage is not healed from there. */
            assert_int_equal(system("rm -f p/_pond/index.sqlite-wal p/_pond/index.sqlite-shm"), 0);
            assert_ok(os_stat("p/_pond/index.sqlite", &st, &err));
            if (i == 2)
                assert_int_equal(truncate("p/_pond/index.sqlite", st.st_size / 2), 0);
            else if (i == 3)
                assert_int_equal(truncate("p/_pond/index.sqlite", 0), 0);
            else if (i == 4)
                write_file("p/_pond/index.sqlite", "garbage", 7);
            else
                assert_int_equal(system("dd if=/dev/zero of=p/_pond/index.sqlite bs=4096 seek=1 count=4 conv=notrunc "
                                        "2>/dev/null"), 0);
        }
        p = open_pond("p", POND_READ);
        assert_list(p, "/", POND_AT_TIP, true, FILLED);
        assert_content(p, "/g", POND_AT_TIP, 0, "G2");
        assert_content(p, "/g", 2, 0, "G");
        pond_close(p);
        assert_int_equal(entries_of("p"), 3);
    }
}

static void test_index__ahead_of_the_log(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    fill(p);
    pond_close(p);
    assert_ok(os_unlink(COMMIT(3), &err)); /* as after an older copy of the log was put back */
    p = open_pond("p", POND_WRITE);
    assert_content(p, "/g", POND_AT_TIP, 0, "G");
    assert_int_equal(commit_text(p, "/h", "H"), 3);
    pond_close(p);
}

static void test_index__of_another_pond(void **state)
{
    (void)state;
    struct pond *p = make_pond("p"), *q = make_pond("q");
    fill(p);
    commit_text(q, "/other", "O");
    pond_close(p);
    pond_close(q);
    assert_int_equal(system("rm p/_pond/index.sqlite*; cp q/_pond/index.sqlite* p/_pond/"), 0);
    p = open_pond("p", POND_READ);
    assert_list(p, "/", POND_AT_TIP, true, FILLED);
    pond_close(p);
}

static void test_log__a_changed_commit_is_found(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    fill(p);
    pond_close(p);
    tamper(COMMIT(1), "\"command\":\"fill\"", "\"command\":\"FILL\"");
    remove_index();
    assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "00000000000000000002.json: says that commit 1");
    assert_non_null(strstr(err.path, COMMIT(2)));
    tamper(COMMIT(1), "\"command\":\"FILL\"", "\"command\":\"fill\"");
    pond_close(open_pond("p", POND_READ));
    /* The tip has no child that vouches for it, but the index remembers it; and what it says of its part must hold. */
    tamper(COMMIT(3), "\"txn_seq\":3", "\"txn_seq\":4");
    assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "do not agree");
}

static void test_log__gaps_and_garbage(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    fill(p);
    pond_close(p);
    assert_int_equal(rename(COMMIT(1), "away"), 0);
    remove_index();
    assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "gap");
    assert_int_equal(rename("away", COMMIT(1)), 0);
    pond_close(open_pond("p", POND_READ));
    char *good = read_text(COMMIT(2));
    static const char *const bad[] = {"", "garbage\n", "{}\n", "{\"commitInfo\":{\"pond\":1}}\n", "\xff\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file(COMMIT(2), bad[i], strlen(bad[i]));
        remove_index();
        assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "00000000000000000002.json");
    }
    write_file(COMMIT(2), good, strlen(good));
    pond_free(good);
    p = open_pond("p", POND_READ);
    assert_list(p, "/", POND_AT_TIP, true, FILLED);
    pond_close(p);
}

static void test_log__a_commit_of_another_pond(void **state)
{
    (void)state;
    struct pond *p = make_pond("p"), *q = make_pond("q");
    commit_text(p, "/a", "A");
    commit_text(q, "/a", "A");
    pond_close(p);
    pond_close(q);
    assert_int_equal(system("cp q/_delta_log/00000000000000000001.json p/_delta_log/"), 0);
    assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "belongs to pond");
}

static void test_parts__damaged_or_missing(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    commit_text(p, "/a", "some content");
    pond_close(p);
    assert_int_equal(system("cp p/part-00000000000000000001-* kept"), 0);
    assert_int_equal(system("printf X | dd of=$(ls p/part-00000000000000000001-*) bs=1 seek=100 conv=notrunc 2>/dev/null"),
                     0);
    remove_index();
    assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "its BLAKE3 is");
    assert_int_equal(system("printf X >> $(ls p/part-00000000000000000001-*)"), 0);
    assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "bytes, the log says");
    assert_int_equal(system("mv p/part-00000000000000000001-* gone"), 0);
    assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "is missing, transaction 1 names it");
}

/* With a good index, damaged content is found when it is read. */
static void test_content__is_verified(void **state)
{
    (void)state;
    static char large[200000];
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "put");
    put_text(t, "/small", "precious content");
    put_bytes(t, "/large", large, sizeof large);
    (void)commit(t);
    pond_close(p);
    assert_int_equal(system("LC_ALL=C sed -i s/precious/Precious/ p/part-00000000000000000001-*"), 0);
    p = open_pond("p", POND_READ);
    struct pond_reader *rd = NULL;
    assert_fails(pond_reader_open(&rd, p, "/small", POND_AT_TIP, 0, &err), POND_ECORRUPT, "small");
    assert_int_equal(system("rm -r p/_large_files/*"), 0);
    assert_fails(pond_reader_open(&rd, p, "/large", POND_AT_TIP, 0, &err), POND_ECORRUPT, "is missing");
    pond_close(p);
    /* What was lost is stored again when its content comes by. */
    p = open_pond("p", POND_WRITE);
    t = begin(p, "heal");
    put_bytes(t, "/copy", large, sizeof large);
    (void)commit(t);
    assert_ok(pond_reader_open(&rd, p, "/large", POND_AT_TIP, 0, &err));
    pond_reader_close(rd);
    pond_close(p);
}

static void test_config__missing_or_damaged(void **state)
{
    (void)state;
    pond_close(make_pond("p"));
    write_file("p/_pond/config.json", "{", 1);
    struct pond *p;
    assert_fails(pond_open(&p, "p", POND_WRITE, &err), POND_ECORRUPT, "p/_pond/config.json: is damaged");
    assert_fails(pond_open(&p, "p", POND_READ, &err), POND_ECORRUPT, "p/_pond/config.json: is damaged");
    assert_ok(os_unlink("p/_pond/config.json", &err));
    p = open_pond("p", POND_WRITE);
    assert_int_equal(p->info.role, POND_PRIMARY);
    pond_close(p);
}

/* A log that makes a directory its own child: walks end, by an error. */
static void test_hostile__a_loop_of_directories(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "loop");
    struct index_row root;
    assert_ok(pond_resolve(p, "/", POND_AT_TIP, &root, &err));
    struct oplog_row loop = {.has_part = true, .name = "loop", .name_size = 4, .type = POND_DIRECTORY, .version = 1};
    memcpy(loop.part_id, root.row.node_id, 16);
    memcpy(loop.node_id, root.row.node_id, 16);
    index_row_release(&root);
    assert_ok(pond_txn_put(t, &loop, &err));
    (void)commit(t);
    struct pond_entry e;
    assert_ok(pond_stat(p, "/loop/loop/loop", POND_AT_TIP, &e, &err));
    uint64_t files, entries;
    assert_fails(index_count_below(p->index, loop.node_id, 1, &files, &entries, &err), POND_ELIMIT, "1024 levels");
    struct names n = {{0}, 300, 0};
    assert_ok(pond_list(p, "/", POND_AT_TIP, false, add_name, &n, &err));
    pond_close(p);
}

/* ---- replicas ---- */

static void copy_commit(const char *dir, int64_t txn, struct pond_buf *out)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/_delta_log/%020lld.json", dir, (long long)txn);
    pond_buf_clear(out);
    assert_ok(os_read_file(path, 1 << 20, out, &err));
}

static void test_replica__follows_commit_by_commit(void **state)
{
    (void)state;
    struct pond *p = make_pond("p"), *r = NULL;
    struct pond_buf bytes = {0};
    fill(p);
    assert_ok(pond_replica_open(&r, "r", p->info.id, &err));
    assert_int_equal(r->info.txn, -1);
    copy_commit("p", 0, &bytes);
    assert_fails(pond_apply_commit(r, 0, bytes.data, bytes.size, &err), POND_ECORRUPT, "is missing"); /* its part is */
    assert_int_equal(system("cp p/part-* r/"), 0);
    assert_ok(pond_apply_commit(r, 0, bytes.data, bytes.size, &err));
    copy_commit("p", 2, &bytes);
    assert_fails(pond_apply_commit(r, 2, bytes.data, bytes.size, &err), POND_EUSAGE, "can't follow");
    pond_close(r);
    assert_ok(pond_replica_open(&r, "r", p->info.id, &err)); /* it goes on */
    for (int64_t txn = 0; txn <= 3; txn++) {
        copy_commit("p", txn, &bytes);
        assert_ok(pond_apply_commit(r, txn, bytes.data, bytes.size, &err));
    }
    assert_int_equal(r->info.txn, 3);
    assert_memory_equal(r->info.tip_blake3, p->info.tip_blake3, 32);
    assert_list(r, "/", POND_AT_TIP, true, FILLED);
    assert_content(r, "/g", POND_AT_TIP, 0, "G2");
    pond_close(r);
    assert_int_equal(system("diff -r --exclude=_pond p r"), 0);

    assert_fails(pond_open(&r, "r", POND_WRITE, &err), POND_EDENIED, "pond promote");
    r = open_pond("r", POND_WRITE_REPLICA);
    struct pond_txn *t = NULL;
    assert_fails(pond_begin(&t, r, "x", &err), POND_EDENIED, "pond promote");
    assert_ok(pond_promote(r, &err));
    assert_fails(pond_promote(r, &err), POND_EUSAGE, "is a primary already");
    pond_close(r);
    r = open_pond("r", POND_WRITE);
    assert_int_equal(commit_text(r, "/mine", "M"), 4);
    commit_text(p, "/yours", "Y");
    copy_commit("p", 4, &bytes);
    assert_fails(pond_apply_commit(r, 4, bytes.data, bytes.size, &err), POND_EDIVERGED, "diverged");
    commit_text(p, "/yours", "Y2");
    copy_commit("p", 5, &bytes);
    assert_fails(pond_apply_commit(r, 5, bytes.data, bytes.size, &err), POND_EDIVERGED, "diverged");
    pond_close(r);
    pond_close(p);
    pond_buf_release(&bytes);
}

static void test_replica__refuses_other_places(void **state)
{
    (void)state;
    struct pond *p = make_pond("p"), *r = NULL;
    assert_ok(os_mkdir("full", 0777, &err));
    write_file("full/x", "", 0);
    assert_fails(pond_replica_open(&r, "full", p->info.id, &err), POND_EEXISTS, "not empty");
    assert_fails(pond_replica_open(&r, "r", "no id", &err), POND_ECORRUPT, "no id");
    assert_ok(pond_replica_open(&r, "r", p->info.id, &err));
    pond_close(r);
    assert_fails(pond_replica_open(&r, "r", "01020304-0506-7708-890a-0b0c0d0e0f10", &err), POND_EEXISTS, "belongs to pond");
    assert_fails(pond_init("r", NULL, &err), POND_EEXISTS, "unfinished restore");
    assert_fails(pond_open(&r, "r", POND_READ, &err), POND_ENOPOND, "is not a pond");
    char id[37];
    strcpy(id, p->info.id);
    pond_close(p);
    assert_fails(pond_replica_open(&r, "p", id, &err), POND_EEXISTS, "no replica");
}

static void test_state__is_kept(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_buf b = {0};
    assert_int_equal(pond_state_get(p, "k", &b, &err), 0);
    assert_ok(pond_state_put(p, "k", "1", &err));
    assert_ok(pond_state_put(p, "k", "2", &err));
    pond_close(p);
    p = open_pond("p", POND_READ);
    assert_int_equal(pond_state_get(p, "k", &b, &err), 1);
    assert_string_equal((char *)b.data, "2");
    pond_close(p);
    assert_int_equal(system("rm -f p/_pond/state.sqlite-*; echo garbage > p/_pond/state.sqlite"), 0);
    p = open_pond("p", POND_WRITE);
    pond_buf_clear(&b);
    assert_int_equal(pond_state_get(p, "k", &b, &err), 0);
    assert_ok(pond_state_put(p, "k", "3", &err));
    pond_close(p);
    pond_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_init__makes_a_pond),
        IN_SANDBOX(test_init__refuses_what_is_there),
        IN_SANDBOX(test_init__goes_on_after_it_was_cut_off),
        IN_SANDBOX(test_open__no_pond),
        IN_SANDBOX(test_find__looks_upwards),
        IN_SANDBOX(test_lock__one_writer),
        IN_SANDBOX(test_mkdir),
        IN_SANDBOX(test_files__inline_and_bundles),
        IN_SANDBOX(test_files__from_a_pipe),
        IN_SANDBOX(test_versions__and_time_travel),
        IN_SANDBOX(test_versions__of_what_moved_and_went),
        IN_SANDBOX(test_versions__below_an_older_directory),
        IN_SANDBOX(test_remove),
        IN_SANDBOX(test_rename),
        IN_SANDBOX(test_rename__away_and_back),
        IN_SANDBOX(test_list),
        IN_SANDBOX(test_glob),
        IN_SANDBOX(test_log_and_show),
        IN_SANDBOX(test_parse_txn),
        IN_SANDBOX(test_abort__leaves_nothing),
        IN_SANDBOX(test_commit__nothing_changed),
        IN_SANDBOX(test_commit__syncs_in_order),
        IN_SANDBOX(test_commit__a_failed_sync_commits_nothing),
        IN_SANDBOX(test_commit__the_next_open_catches_up),
        IN_SANDBOX(test_reader__keeps_its_snapshot),
        IN_SANDBOX(test_index__missing_truncated_or_garbage),
        IN_SANDBOX(test_index__ahead_of_the_log),
        IN_SANDBOX(test_index__of_another_pond),
        IN_SANDBOX(test_log__a_changed_commit_is_found),
        IN_SANDBOX(test_log__gaps_and_garbage),
        IN_SANDBOX(test_log__a_commit_of_another_pond),
        IN_SANDBOX(test_parts__damaged_or_missing),
        IN_SANDBOX(test_content__is_verified),
        IN_SANDBOX(test_config__missing_or_damaged),
        IN_SANDBOX(test_hostile__a_loop_of_directories),
        IN_SANDBOX(test_replica__follows_commit_by_commit),
        IN_SANDBOX(test_replica__refuses_other_places),
        IN_SANDBOX(test_state__is_kept),
    };
    return cmocka_run_group_tests_name("tlogfs/pond", tests, NULL, NULL);
}
