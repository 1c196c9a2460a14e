/* pond_txn_copy. */
#include "tlogfs/host_test.h"

/* Called between a source's fstat and its first read: there the world changes. */
static void (*before_read)(void);
static int let_pass; /* so many reads before */

ssize_t flistxattr(int fd, char *list, size_t size)
{
    void (*hook)(void) = before_read;
    struct stat st;
    if (hook != NULL && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && let_pass-- == 0) {
        before_read = NULL;
        let_pass = 0;
        hook();
    }
    return syscall(SYS_flistxattr, fd, list, size);
}

/* ---- what is kept ---- */

static void test_copy__keeps_every_kind_and_all_metadata(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_rich_tree("src");
    const struct pond_copy_result result = copy_one(p, "src", "/tree");
    assert_string_equal(told.skipped, "");
    assert_int_equal(result.files, 15);
    assert_int_equal(result.directories, 4);
    assert_int_equal(result.unchanged, 0);
    const struct pond_export_result out = export_one(p, "/tree", "out");
    assert_int_equal(out.files, 15);
    assert_int_equal(out.directories, 4);
    assert_same_tree("src", "out/tree");
    assert_undamaged(p);
    assert_int_equal(count_names("p/_pond/tmp"), 0);
    pond_close(p);
}

static void test_copy__one_thread_gives_the_same(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_copy_options options = telling();
    struct pond_export_options back = {.at = POND_AT_TIP, .control = {.threads = 1}};
    struct pond_copy_result result;
    struct pond_export_result exported;
    make_rich_tree("src");
    options.control.threads = 1;
    (void)copy_with(p, "src", "/tree", &options, &result);
    assert_ok(export_with(p, "/tree", "out", &back, &exported));
    assert_same_tree("src", "out/tree");
    pond_close(p);
}

static void test_copy__stores_linked_content_once(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_dir("src");
    write_noise("src/a", 5 << 20, 1);
    write_noise("src/m", 100000, 2);
    assert_int_equal(link("src/a", "src/b"), 0);
    assert_int_equal(link("src/m", "src/n"), 0);
    (void)copy_one(p, "src", "/s");
    assert_int_equal(count_names("p/_large_files"), 2);
    struct pond_entry e;
    assert_ok(pond_stat(p, "/s/a", POND_AT_TIP, &e, &err));
    assert_non_null(strstr(e.attributes, "\"hard_link\":\""));
    write_text("lonely", "x");
    (void)copy_one(p, "lonely", "/");
    assert_ok(pond_stat(p, "/lonely", POND_AT_TIP, &e, &err));
    assert_null(strstr(e.attributes, "hard_link"));
    pond_close(p);
}

static void test_copy__goes_deeper_than_descriptors(void **state)
{
    (void)state;
    enum { DEPTH = 400 };
    struct pond *p = make_pond("p");
    int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_dir("src");
    assert_int_equal(chdir("src"), 0);
    for (int i = 0; i < DEPTH; i++) { /* entries before and after the way down */
        write_text("a", "a");
        write_text("z", "z");
        make_dir("m");
        assert_int_equal(chdir("m"), 0);
    }
    assert_int_equal(fchdir(home), 0);
    (void)close(home);
    assert_int_equal(copy_one(p, "src", "/s").files, 2 * DEPTH);
    assert_string_equal(told.skipped, "");
    assert_int_equal(export_one(p, "/s", "out").files, 2 * DEPTH);
    assert_same_tree("src", "out/s");
    pond_close(p);
}

/* ---- what is left out ---- */

static void test_copy__skips_what_cannot_be_kept(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "src/socket"};
    make_dir("src");
    write_text("src/file", "x");
    assert_int_equal(mkfifo("src/fifo", 0600), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
    const struct pond_copy_result result = copy_one(p, "src", "/s");
    assert_string_equal(told.skipped, "src/fifo: is a fifo: fifos are not stored\n"
                                      "src/socket: is a socket: sockets are not stored\n");
    assert_int_equal(result.skipped, 2);
    assert_int_equal(result.files, 1);
    (void)copy_one(p, "missing", "/s");
    assert_non_null(strstr(told.skipped, "missing: cannot stat"));
    (void)copy_one(p, "no/such", "/s");
    assert_string_equal(told.skipped, "no/such: there is no such file or directory\n");
    pond_close(p);
}

static void test_copy__goes_on_after_unreadable_ones(void **state)
{
    (void)state;
    const bool root = geteuid() == 0;
    if (root) { /* who may read everything */
        assert_int_equal(chown(".", 65534, 65534), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    struct pond *p = make_pond("p");
    make_dir("src");
    make_dir("src/closed");
    write_text("src/a", "a");
    write_text("src/b", "b");
    write_text("src/c", "c");
    assert_int_equal(chmod("src/b", 0), 0);
    assert_int_equal(chmod("src/closed", 0), 0);
    const struct pond_copy_result result = copy_one(p, "src", "/s");
    assert_int_equal(chmod("src/closed", 0700), 0);
    assert_int_equal(result.files, 2);
    assert_int_equal(result.skipped, 2);
    assert_non_null(strstr(told.skipped, "src/b: cannot open: Permission denied"));
    assert_non_null(strstr(told.skipped, "src/closed: cannot open: Permission denied"));
    assert_list(p, "/", POND_AT_TIP, true, "/s /s/a /s/c ");
    pond_close(p);
    if (root)
        assert_int_equal(seteuid(0), 0);
}

static void shrink_small(void)
{
    assert_int_equal(truncate("src/b", 3), 0);
}

static void shrink_large(void)
{
    assert_int_equal(truncate("src/b", 4 << 20), 0);
}

static void shrinks(size_t size, bool known, void (*hook)(void))
{
    struct pond *p = make_pond("p");
    struct pond_copy_options options = telling();
    struct pond_copy_result result;
    make_dir("src");
    write_noise("src/b", size, 7);
    if (known) { /* of this size, so this is hashed first */
        (void)copy_one(p, "src/b", "/");
        write_noise("src/b", size, 8);
    }
    options = telling();
    options.control.threads = 1;
    let_pass = size > 1 << 20; /* a large one is looked at by a worker first */
    before_read = hook;
    assert_false(copy_with(p, "src/b", "/", &options, &result).committed);
    assert_null(before_read);
    assert_int_equal(result.skipped, 1);
    assert_int_equal(result.files, 0);
    assert_non_null(strstr(told.skipped, "src/b: "));
    assert_non_null(strstr(told.skipped, "shrank"));
    assert_undamaged(p);
    assert_int_equal(count_names("p/_pond/tmp"), 0);
    pond_close(p);
    assert_ok(os_remove_tree("p", &err));
    assert_ok(os_remove_tree("src", &err));
}

static void test_copy__skips_a_file_that_shrinks(void **state)
{
    (void)state;
    shrinks(10, false, shrink_small);
    shrinks(100000, false, shrink_small);
    shrinks(100000, true, shrink_small);
    shrinks(5 << 20, false, shrink_large);
    shrinks(5 << 20, true, shrink_large);
}

static void vanish(void)
{
    assert_int_equal(unlink("src/b"), 0);
}

static void grow(void)
{
    int fd = open("src/a", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "more", 4), 4);
    (void)close(fd);
}

static void test_copy__takes_the_world_as_it_changes(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_copy_options options = telling();
    struct pond_copy_result result;
    options.control.threads = 1;
    make_dir("src");
    write_text("src/a", "content");
    write_text("src/b", "content");
    before_read = vanish;
    (void)copy_with(p, "src", "/s", &options, &result);
    assert_int_equal(result.files, 1);
    assert_string_equal(told.skipped, "src/b: cannot open: No such file or directory\n");
    before_read = grow;
    write_text("src/a", "CONTENT");
    options = telling();
    options.control.threads = 1;
    (void)copy_with(p, "src/a", "/s", &options, &result);
    assert_content(p, "/s/a", POND_AT_TIP, 0, "CONTENT");
    assert_int_equal(size_of("src/a"), 11);
    (void)copy_one(p, "src/a", "/s"); /* what was added is not forgotten */
    assert_content(p, "/s/a", POND_AT_TIP, 0, "CONTENTmore");
    pond_close(p);
}

/* ---- the second time ---- */

static void test_copy__reads_nothing_twice(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_copy_result result;
    make_rich_tree("src");
    pass_tick();
    (void)copy_one(p, "src", "/tree");
    uint64_t before = bytes_read();
    const struct pond_copy_options options = telling();
    const struct pond_txn_result txn = copy_with(p, "src/.", "/tree", &options, &result);
    assert_true(bytes_read() - before < 100000);
    assert_int_equal(result.unchanged, 15);
    assert_int_equal(result.files, 0);
    assert_int_equal(result.directories, 0);
    assert_false(txn.committed);
    assert_string_equal(told.entries, "");

    struct pond_copy_options force = telling();
    force.force = true;
    before = bytes_read();
    assert_false(copy_with(p, "src/.", "/tree", &force, &result).committed);
    assert_int_equal(result.unchanged, 15);
    assert_true(bytes_read() - before > (3 << 20));

    pond_close(p); /* without its memory, it reads, and finds the same */
    write_text("p/_pond/seen.sqlite", "no database at all, but long enough to be looked at as one..............");
    p = open_pond("p", POND_WRITE);
    (void)copy_with(p, "src/.", "/tree", &options, &result);
    assert_int_equal(result.unchanged, 15);
    before = bytes_read();
    (void)copy_with(p, "src/.", "/tree", &options, &result);
    assert_true(bytes_read() - before < 100000);
    pond_close(p);
}

static void test_copy__sees_every_change(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_copy_result result;
    struct pond_copy_options options = telling();
    make_dir("src");
    write_text("src/content", "abc");
    write_text("src/mode", "abc");
    write_text("src/time", "abc");
    write_noise("src/large", 2 << 20, 1);
    write_text("src/same", "abc");
    set_mtime("src/content", 1000, 0);
    pass_tick();
    (void)copy_one(p, "src/.", "/");
    write_text("src/content", "xyz"); /* the same size, and soon the same time */
    set_mtime("src/content", 1000, 0);
    assert_int_equal(chmod("src/mode", 0600), 0);
    set_mtime("src/time", 2000, 1);
    set_mtime("src/large", 2000, 1);
    options = telling();
    const struct pond_txn_result txn = copy_with(p, "src/.", "/", &options, &result);
    assert_string_equal(told.entries, "*/content */large */mode */time ");
    assert_int_equal(result.unchanged, 1);
    assert_int_equal(txn.files_changed, 4);
    assert_int_equal(txn.files_added, 0);
    assert_int_equal(result.bytes_stored, 9); /* the bundle is there already */
    assert_content(p, "/content", POND_AT_TIP, 0, "xyz");
    assert_content(p, "/content", txn.txn - 1, 0, "abc");
    struct pond_entry e;
    assert_ok(pond_stat(p, "/time", POND_AT_TIP, &e, &err));
    assert_int_equal(e.version, 2);
    assert_int_equal(e.mtime_us, 2000000000);
    assert_int_equal(e.mtime_nanos, 1);
    assert_undamaged(p);
    pond_close(p);
}

static void test_copy__believes_no_memory_of_another_content(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_dir("src");
    write_text("src/a", "first");
    pass_tick();
    (void)copy_one(p, "src/a", "/");
    (void)commit_text(p, "/a", "the pond's own");
    assert_int_equal(copy_one(p, "src/a", "/").files, 1);
    assert_content(p, "/a", POND_AT_TIP, 0, "first");
    struct pond_txn *t = begin(p, "rm");
    assert_ok(pond_txn_remove(t, "/a", false, &err));
    (void)commit(t);
    assert_int_equal(copy_one(p, "src/a", "/").files, 1);
    assert_content(p, "/a", POND_AT_TIP, 0, "first");
    write_text("src/b", "other"); /* which differs from a in nothing but its content */
    set_mtime("src/a", 1000, 1);
    set_mtime("src/b", 1000, 1);
    pass_tick();
    (void)copy_one(p, "src/a", "/c");
    assert_int_equal(copy_one(p, "src/b", "/c").files, 1);
    assert_int_equal(copy_one(p, "src/a", "/c").files, 1);
    assert_content(p, "/c", POND_AT_TIP, 0, "first");
    write_text("src/m", "first"); /* nothing but its mode, its attributes */
    write_text("src/x", "first");
    assert_int_equal(chmod("src/m", 0600), 0);
    bool attributes = set_xattr("src/x", "user.x", "x");
    set_mtime("src/m", 1000, 1);
    set_mtime("src/x", 1000, 1);
    assert_int_equal(copy_one(p, "src/m", "/c").files, 1);
    assert_int_equal(copy_one(p, "src/a", "/c").files, 1);
    assert_int_equal(copy_one(p, "src/x", "/c").files, attributes);
    assert_int_equal(copy_one(p, "src/a", "/c").files, attributes);
    pond_close(p);
}

/* ---- where it goes ---- */

static void test_copy__finds_its_destination(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_dir("src");
    write_text("src/f", "x");
    write_text("g", "y");
    (void)copy_one(p, "src", "/new");           /* under that name */
    (void)copy_one(p, "src", "/new");           /* into it */
    (void)copy_one(p, "src/", "/made/");        /* made */
    (void)copy_one(p, "src/.", "/flat/");
    (void)copy_one(p, "./g", "/h");
    (void)copy_one(p, "./src/../g", "/flat");
    assert_list(p, "/", POND_AT_TIP, true,
                "/flat /flat/f /flat/g /h /made /made/src /made/src/f /new /new/f /new/src /new/src/f ");
    struct pond_txn *t = begin(p, "copy");
    const char *both[] = {"g", "src"};
    assert_ok(pond_txn_copy(t, both, 2, "/two", NULL, NULL, &err));
    assert_list(p, "/two", POND_AT_TIP, true, "/two/g /two/src /two/src/f ");
    const char *one = "g";
    assert_fails(pond_txn_copy(t, &one, 1, "/no/such", NULL, NULL, &err), POND_ENOTFOUND, "/no: there is no such");
    assert_fails(pond_txn_copy(t, both, 2, "/h", NULL, NULL, &err), POND_EEXISTS, "/h: is no directory");
    assert_fails(pond_txn_copy(t, &one, 1, "relative", NULL, NULL, &err), POND_EUSAGE, "relative");
    assert_fails(pond_txn_copy(t, &one, 0, "/", NULL, NULL, &err), POND_EUSAGE, "no source");
    pond_txn_abort(t);
    pond_close(p);
}

static void test_copy__replaces_no_kind_by_another(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    make_dir("src");
    write_text("src/a", "x");
    make_dir("src/b");
    write_text("src/b/c", "x");
    (void)copy_one(p, "src", "/s");
    assert_int_equal(unlink("src/a"), 0);
    make_dir("src/a");
    write_text("src/a/below", "x");
    assert_ok(os_remove_tree("src/b", &err));
    write_text("src/b", "x");
    const struct pond_copy_result result = copy_one(p, "src/.", "/s");
    assert_int_equal(result.skipped, 2);
    assert_non_null(strstr(told.skipped, "src/./a: is no directory in the pond"));
    assert_non_null(strstr(told.skipped, "src/./b: is a directory in the pond"));
    assert_list(p, "/", POND_AT_TIP, true, "/s /s/a /s/b /s/b/c ");
    pond_close(p);
}

static void test_copy__turns_files_into_links_and_back(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_entry e;
    write_text("x", "text");
    (void)copy_one(p, "x", "/");
    assert_int_equal(unlink("x"), 0);
    assert_int_equal(symlink("elsewhere", "x"), 0);
    assert_int_equal(copy_one(p, "x", "/").files, 1);
    assert_int_equal(copy_one(p, "x", "/").unchanged, 1);
    assert_ok(pond_stat(p, "/x", POND_AT_TIP, &e, &err));
    assert_int_equal(e.type, POND_SYMLINK);
    assert_string_equal(e.target, "elsewhere");
    assert_content(p, "/x", 1, 0, "text");
    assert_undamaged(p);
    pond_close(p);
}

static void test_copy__refuses_two_sources_of_one_name(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_txn *t = begin(p, "copy");
    struct pond_copy_options options = telling();
    struct pond_copy_result result;
    make_dir("a");
    make_dir("b");
    write_text("a/x", "1");
    write_text("b/x", "2");
    const char *sources[] = {"a/x", "b/x"};
    assert_ok(pond_txn_copy(t, sources, 2, "/", &options, &result, &err));
    (void)commit(t);
    assert_string_equal(told.skipped, "b/x: another source of this name is already stored\n");
    assert_content(p, "/x", POND_AT_TIP, 0, "1");
    pond_close(p);
}

static void test_copy__leaves_the_pond_itself_out(void **state)
{
    (void)state;
    make_dir("src");
    struct pond *p = make_pond("src/p");
    write_text("src/x", "1");
    assert_int_equal(copy_one(p, "src", "/").skipped, 1);
    assert_string_equal(told.skipped, "src/p: is the pond itself, which does not go into itself\n");
    assert_list(p, "/", POND_AT_TIP, true, "/src /src/x ");
    (void)copy_one(p, "src/p/_delta_log", "/");
    assert_non_null(strstr(told.skipped, "src/p/_delta_log: is in the pond itself"));
    (void)copy_one(p, "src/p/", "/");
    assert_non_null(strstr(told.skipped, "src/p/: is in the pond itself"));
    assert_list(p, "/", POND_AT_TIP, true, "/src /src/x ");
    pond_close(p);
}

static void test_copy__excludes(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_copy_result result;
    static const char *const globs[] = {"*.tmp", "build/out", "/top", "**/cache/*"};
    struct pond_copy_options options = telling();
    options.exclude = globs;
    options.exclude_count = 4;
    static const char *const dirs[] = {"src.tmp", "src.tmp/build", "src.tmp/build/out", "src.tmp/build/top",
                                       "src.tmp/cache"};
    for (size_t i = 0; i < 5; i++)
        make_dir(dirs[i]);
    static const char *const files[] = {"src.tmp/a.tmp", "src.tmp/b", "src.tmp/build/c.tmp", "src.tmp/build/out/x",
                                        "src.tmp/top", "src.tmp/cache/y"};
    for (size_t i = 0; i < 6; i++)
        write_text(files[i], "x");
    (void)copy_with(p, "src.tmp", "/s", &options, &result);
    assert_list(p, "/", POND_AT_TIP, true, "/s /s/b /s/build /s/build/top /s/cache ");
    assert_int_equal(result.skipped, 0);
    pond_close(p);
}

static void test_copy__dry_run_stores_nothing(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    struct pond_copy_result result;
    make_dir("src");
    write_text("src/a", "1");
    write_noise("src/l", 2 << 20, 1);
    write_noise("src/m", 100000, 1);
    (void)copy_one(p, "src", "/s");
    write_text("src/a", "2");
    write_text("src/n", "3");
    write_noise("src/l", 2 << 20, 2);
    write_noise("src/new-large", 2 << 20, 3);
    struct pond_copy_options options = telling();
    options.dry_run = true;
    assert_false(copy_with(p, "src/.", "/s", &options, &result).committed);
    assert_string_equal(told.entries, "*/s/a */s/l +/s/n +/s/new-large ");
    assert_int_equal(result.files, 4);
    assert_int_equal(result.unchanged, 1);
    assert_int_equal(result.bytes_stored, 0);
    options = telling();
    options.dry_run = true;
    assert_false(copy_with(p, "src", "/not/yet/", &options, &result).committed);
    assert_int_equal(result.files, 5);
    assert_int_equal(count_names("p/_large_files"), 2);
    assert_int_equal(count_names("p/_pond/tmp"), 0);
    assert_content(p, "/s/a", POND_AT_TIP, 0, "1");
    pond_close(p);
}

static void test_copy__cancelled_leaves_nothing(void **state)
{
    (void)state;
    struct pond *p = make_pond("p");
    volatile int cancel = 1;
    struct pond_copy_options options = telling();
    const char *src = "src";
    make_dir("src");
    for (int i = 0; i < 50; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "src/%d", i);
        write_noise(path, 70000, (uint32_t)i);
    }
    options.control.cancel = &cancel;
    struct pond_txn *t = begin(p, "copy");
    assert_fails(pond_txn_copy(t, &src, 1, "/", &options, NULL, &err), POND_EINTERRUPTED, "interrupted");
    pond_txn_abort(t);
    assert_list(p, "/", POND_AT_TIP, true, "");
    assert_int_equal(count_names("p/_pond/tmp"), 0);
    pond_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_copy__keeps_every_kind_and_all_metadata),
        IN_SANDBOX(test_copy__one_thread_gives_the_same),
        IN_SANDBOX(test_copy__stores_linked_content_once),
        IN_SANDBOX(test_copy__goes_deeper_than_descriptors),
        IN_SANDBOX(test_copy__skips_what_cannot_be_kept),
        IN_SANDBOX(test_copy__goes_on_after_unreadable_ones),
        IN_SANDBOX(test_copy__skips_a_file_that_shrinks),
        IN_SANDBOX(test_copy__takes_the_world_as_it_changes),
        IN_SANDBOX(test_copy__reads_nothing_twice),
        IN_SANDBOX(test_copy__sees_every_change),
        IN_SANDBOX(test_copy__believes_no_memory_of_another_content),
        IN_SANDBOX(test_copy__finds_its_destination),
        IN_SANDBOX(test_copy__replaces_no_kind_by_another),
        IN_SANDBOX(test_copy__turns_files_into_links_and_back),
        IN_SANDBOX(test_copy__refuses_two_sources_of_one_name),
        IN_SANDBOX(test_copy__leaves_the_pond_itself_out),
        IN_SANDBOX(test_copy__excludes),
        IN_SANDBOX(test_copy__dry_run_stores_nothing),
        IN_SANDBOX(test_copy__cancelled_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
