/* base/os.h when calls fail or the process is killed: each OS call in turn. The sources are compiled here once
 * more, with their fault points, and take the place of the ordinary objects. */
#define POND_FAULTS 1

#include "base/os_dir.c"
#include "base/os_fault.c"
#include "base/os_file.c"
#include "base/os_install.c"
#include "base/os_path.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <sys/wait.h>

static struct pond_error err;
static char self[4096];

struct sandbox {
    char path[64];
    int home_fd;
    int lowest_fd;
};

static int lowest_free_fd(void)
{
    int fd = open(".", O_RDONLY | O_CLOEXEC);
    (void)close(fd);
    return fd;
}

static int enter_sandbox(void **state)
{
    static struct sandbox box;
    (void)snprintf(box.path, sizeof box.path, "pond-test-faults-XXXXXX");
    box.home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (box.home_fd < 0 || mkdtemp(box.path) == NULL || chdir(box.path) != 0)
        return -1;
    box.lowest_fd = lowest_free_fd();
    *state = &box;
    return 0;
}

static int leave_sandbox(void **state)
{
    struct sandbox *box = *state;
    int leaked = lowest_free_fd() != box->lowest_fd;
    if (leaked)
        print_error("a descriptor was left open\n");
    (void)os_fault_set(NULL);
    if (fchdir(box->home_fd) != 0 || close(box->home_fd) != 0)
        return -1;
    return leaked || os_remove_tree(box->path, NULL) != 0 ? -1 : 0;
}

static void arm(const char *action, unsigned long n, const char *mask)
{
    char spec[64];
    (void)snprintf(spec, sizeof spec, "%s:%lu:%s", action, n, mask);
    assert_true(os_fault_set(spec));
}

/* Disarms, and tells whether the fault came to pass at all. */
static bool disarm(unsigned long n)
{
    bool happened = os_fault_count() >= n;
    assert_true(os_fault_set(NULL));
    return happened;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void assert_content(const char *path, const char *text)
{
    struct pond_buf buf = { 0 };
    assert_int_equal(os_read_file(path, 1000, &buf, &err), 0);
    assert_string_equal(pond_buf_cstr(&buf), text);
    pond_buf_release(&buf);
}

static void put(const char *path, const char *text)
{
    int fd = os_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &err);
    assert_true(fd >= 0);
    assert_int_equal(os_write(fd, path, text, strlen(text), &err), 0);
    os_close(fd);
}

static size_t names_in(const char *path)
{
    char **names;
    size_t count;
    assert_int_equal(os_dir_sorted(path, &names, &count, &err), 0);
    pond_free(names);
    return count;
}

static void test_spec__is_understood_or_refused(void **state)
{
    (void)state;
    static const char *const good[] = { "kill:1", "EIO:2:w", "ENOSPC:30:r", "EINTR:4:rw", "EIO:0" };
    static const char *const bad[] = { "", "kill", "kill:", "kill:x", "kill:-1", "kill:+1", "EIO: 1", "EWHAT:1",
                                       ":1", "EIO:1:", "EIO:1:x", "EIO:1:wx", "EIO:1w", "killer:1" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(os_fault_set(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(os_fault_set(bad[i]));
}

static void test_mask__decides_what_is_counted(void **state)
{
    (void)state;
    struct stat st;
    static const struct {
        const char *mask;
        unsigned long count;
    } cases[] = { { "w", 3 }, { "r", 2 }, { "rw", 5 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arm("EIO", 0, cases[i].mask);
        assert_int_equal(os_mkdir("d", 0700, &err), 0);
        assert_int_equal(os_stat("d", &st, &err), 0);
        assert_int_equal(os_chmod("d", 0755, &err), 0);
        assert_int_equal(os_exists("d", &err), 1);
        assert_int_equal(os_rmdir("d", &err), 0);
        assert_int_equal(os_fault_count(), cases[i].count);
    }
    arm("EIO", 2, "w");
    assert_int_equal(os_mkdir("d", 0700, &err), 0);
    assert_int_equal(os_rmdir("d", &err), POND_EIO); /* the second, and no other */
    assert_int_equal(os_rmdir("d", &err), 0);
}

static void test_errno__is_mapped(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int code;
        const char *message;
    } cases[] = {
        { "ENOENT", POND_ENOTFOUND, "f: cannot create: No such file or directory" },
        { "EACCES", POND_EDENIED, "f: cannot create: Permission denied" },
        { "EPERM", POND_EDENIED, "f: cannot create: Operation not permitted" },
        { "EROFS", POND_EDENIED, "f: cannot create: Read-only file system" },
        { "EEXIST", POND_EEXISTS, "f: cannot create: File exists" },
        { "ENOMEM", POND_ENOMEM, "f: cannot create: Cannot allocate memory" },
        { "ENOSPC", POND_EIO, "f: cannot create: No space left on device" },
        { "EDQUOT", POND_EIO, "f: cannot create: Disk quota exceeded" },
        { "EMFILE", POND_EIO, "f: cannot create: Too many open files" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arm(cases[i].name, 1, "w");
        assert_int_equal(os_open("f", O_WRONLY | O_CREAT, 0644, &err), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.path, "f");
        assert_false(is_there("f"));
    }
}

/* Invariants 1 and 3: a failure anywhere leaves no temporary, and the file whole or not there. */
static void test_install_file__fails_cleanly(void **state)
{
    (void)state;
    unsigned long n = 1;
    for (;; n++) {
        arm("ENOSPC", n, "rw");
        int r = os_install_file("t", "f", "whole", 5, &err);
        if (!disarm(n)) {
            assert_int_equal(r, 0);
            break;
        }
        assert_false(is_there("t"));
        assert_int_equal(r, POND_EIO);
        if (is_there("f")) { /* only the sync of the directory failed */
            assert_content("f", "whole");
            assert_int_equal(os_unlink("f", &err), 0);
        }
    }
    /* Each was made, and made to fail: unlink, open, write, sync, close, rename, open and sync of the directory. */
    assert_int_equal(n, 8 + 1);
    assert_content("f", "whole");
    assert_int_equal(names_in("."), 1);
}

/* Should one with our temporary's name come back meanwhile, it is not ours to write to. */
static void test_install_file__makes_its_own_temporary(void **state)
{
    (void)state;
    put("t", "another's");
    arm("ENOENT", 1, "w");
    assert_int_equal(os_install_file("t", "f", "x", 1, &err), POND_EEXISTS);
    assert_string_equal(err.path, "t");
    assert_content("t", "another's");
    assert_false(is_there("f"));
}

/* The child is killed before its n-th call. False: it ended before. */
static bool killed_at(unsigned long n, int (*action)(void))
{
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        arm("kill", n, "w");
        _exit(action() == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

static int install_whole(void)
{
    return os_install_file("t", "f", "whole", 5, NULL);
}

static void test_install_file__survives_a_kill(void **state)
{
    (void)state;
    unsigned long n = 1;
    unsigned installed = 0;
    for (; killed_at(n, install_whole); n++) {
        if (is_there("f")) {
            assert_content("f", "whole");
            assert_int_equal(os_unlink("f", &err), 0);
            installed++;
        } else { /* run again, it continues, whatever the dead process left (invariant 7) */
            assert_int_equal(install_whole(), 0);
            assert_content("f", "whole");
            assert_int_equal(os_unlink("f", &err), 0);
        }
        assert_false(is_there("t"));
    }
    assert_true(n > 6);
    assert_int_equal(installed, 1); /* after the rename there is but one call: the directory's sync */
}

static int replace_by_new(void)
{
    return os_replace_file("f", "new", 3, NULL);
}

static void test_replace_file__is_old_or_new(void **state)
{
    (void)state;
    unsigned long n = 1;
    for (;; n++) {
        put("f", "old");
        arm("EIO", n, "rw");
        int r = os_replace_file("f", "new", 3, &err);
        if (!disarm(n)) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, POND_EIO);
        struct pond_buf buf = { 0 };
        assert_int_equal(os_read_file("f", 10, &buf, &err), 0);
        assert_true(buf.size == 3 && (memcmp(buf.data, "old", 3) == 0 || memcmp(buf.data, "new", 3) == 0));
        pond_buf_release(&buf);
        assert_int_equal(names_in("."), 1);
    }
    /* random, stat, open, write, sync, close, chmod, rename, open and sync of the directory */
    assert_int_equal(n, 10 + 1);
    assert_content("f", "new");
    for (n = 1; put("f", "old"), killed_at(n, replace_by_new); n++) {
        struct pond_buf buf = { 0 };
        assert_int_equal(os_read_file("f", 10, &buf, &err), 0);
        assert_true(buf.size == 3 && (memcmp(buf.data, "old", 3) == 0 || memcmp(buf.data, "new", 3) == 0));
        pond_buf_release(&buf);
    }
    assert_true(n > 5);
}

static int many_calls(void)
{
    char buf[8];
    char **names;
    size_t count;
    const char *failing = NULL;
    struct pond_buf bytes = { 0 };
    int lock = os_lock("lock", &err);
    int fd = os_open("data", O_RDWR | O_CREAT, 0644, &err);
    if (lock < 0 || fd < 0)
        failing = "open";
    else if (os_pwrite(fd, "data", "12345678", 8, 0, &err) < 0 || os_pread(fd, "data", buf, 8, 0, &err) != 8 ||
             os_read(fd, "data", buf, 8, &err) != 8 || os_write(fd, "data", "9", 1, &err) < 0 ||
             os_fdatasync(fd, "data", &err) < 0 || os_ftruncate(fd, "data", 3, &err) < 0 ||
             os_preallocate(fd, "data", 4096, &err) < 0)
        failing = "data";
    else if (os_mkdirs("t/u/v", 0755, &err) < 0 || os_symlink("x", "t/u/s", &err) < 0 ||
             os_readlink("t/u/s", &bytes, &err) < 0 || os_dir_sorted("t/u", &names, &count, &err) < 0)
        failing = "names";
    else {
        pond_free(names);
        if (count != 2 || os_install_file("tmp", "t/u/f", "x", 1, &err) < 0 || os_remove_tree("t", &err) < 0)
            failing = "tree";
    }
    pond_buf_release(&bytes);
    os_close(fd);
    os_close(lock);
    if (failing != NULL)
        print_error("%s: %s\n", failing, err.message);
    return failing == NULL ? 0 : -1;
}

static void test_interrupted_calls__are_retried(void **state)
{
    (void)state;
    unsigned long n = 1;
    do {
        arm("EINTR", n, "rw");
        assert_int_equal(many_calls(), 0);
    } while (disarm(n++));
    assert_true(n > 30);
}

static void test_rename_noreplace__without_renameat2(void **state)
{
    (void)state;
    static const char *const refusals[] = { "EINVAL", "ENOSYS" };
    for (size_t i = 0; i < 2; i++) {
        put("from", "new");
        arm(refusals[i], 1, "w");
        assert_int_equal(os_rename_noreplace("from", "to", &err), 0);
        assert_int_equal(os_fault_count(), 3); /* rename, link, unlink */
        assert_content("to", "new");
        assert_false(is_there("from"));

        put("from", "newer");
        arm(refusals[i], 1, "w");
        assert_int_equal(os_rename_noreplace("from", "to", &err), POND_EEXISTS);
        assert_string_equal(err.message, "to: cannot create: File exists");
        assert_content("to", "new");
        assert_content("from", "newer");
        assert_int_equal(os_unlink("to", &err), 0);
    }
    arm("EIO", 1, "w");
    assert_int_equal(os_rename_noreplace("from", "to", &err), POND_EIO);
    assert_int_equal(os_fault_count(), 1); /* no second try after a true failure */
    assert_false(is_there("to"));
}

static void test_preallocate__needs_no_support_but_space(void **state)
{
    (void)state;
    int fd = os_open("f", O_RDWR | O_CREAT, 0644, &err);
    arm("EOPNOTSUPP", 1, "w");
    assert_int_equal(os_preallocate(fd, "f", 4096, &err), 0);
    arm("ENOSPC", 1, "w");
    assert_int_equal(os_preallocate(fd, "f", 4096, &err), POND_EIO);
    assert_string_equal(err.message, "f: cannot reserve space: No space left on device");
    os_close(fd);
}

static void test_clone__tells_unsupported_from_failed(void **state)
{
    (void)state;
    static const char *const unsupported[] = { "EOPNOTSUPP", "EXDEV", "EINVAL", "ENOSYS", "EPERM" };
    int fd = os_open("f", O_RDWR | O_CREAT, 0644, &err);
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
        arm(unsupported[i], 1, "w");
        assert_int_equal(os_clone_range(fd, 0, OS_BLOCK, fd, OS_BLOCK, "f", &err), 0);
    }
    arm("ENOSPC", 1, "w");
    assert_int_equal(os_clone_range(fd, 0, OS_BLOCK, fd, OS_BLOCK, "f", &err), POND_EIO);
    assert_string_equal(err.message, "f: cannot share blocks: No space left on device");
    os_close(fd);
}

static void test_xattr__without_support(void **state)
{
    (void)state;
    struct pond_buf buf = { 0 };
    put("f", "x");
    arm("EOPNOTSUPP", 1, "r");
    assert_int_equal(os_xattr_list("f", &buf, &err), 0);
    arm("EOPNOTSUPP", 1, "r");
    assert_int_equal(os_xattr_get("f", "user.a", &buf, &err), 0);
    assert_int_equal(buf.size, 0);
    arm("EOPNOTSUPP", 1, "w");
    assert_int_equal(os_xattr_set("f", "user.a", "1", 1, &err), POND_EUNSUPPORTED);
    assert_string_equal(err.message, "f: cannot set extended attribute user.a: Operation not supported");
    arm("EIO", 1, "r");
    assert_int_equal(os_xattr_list("f", &buf, &err), POND_EIO);
    arm("EACCES", 1, "r");
    assert_int_equal(os_xattr_get("f", "user.a", &buf, &err), POND_EDENIED);
    pond_buf_release(&buf);
}

static void test_fsync_dir__where_directories_have_no_sync(void **state)
{
    (void)state;
    arm("EINVAL", 1, "w");
    assert_int_equal(os_fsync_dir(".", &err), 0);
    arm("EIO", 1, "w");
    assert_int_equal(os_fsync_dir(".", &err), POND_EIO);
    assert_string_equal(err.message, ".: cannot sync directory: Input/output error");
}

static void test_close_checked__closes_even_when_it_fails(void **state)
{
    (void)state;
    int fd = os_open("f", O_RDWR | O_CREAT, 0644, &err);
    arm("ENOSPC", 1, "w");
    assert_int_equal(os_close_checked(fd, "f", &err), POND_EIO);
    assert_string_equal(err.message, "f: cannot close: No space left on device");
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void make_tree(void)
{
    char path[256] = "t";
    for (unsigned i = 0; i < REMOVE_DEPTH + 1; i++) /* one more than stay open */
        (void)strcat(path, "/d");
    assert_int_equal(os_mkdirs(path, 0755, &err), 0);
    assert_int_equal(os_symlink("x", "t/d/link", &err), 0);
    put("t/d/f", "x");
}

static void test_remove_tree__continues_after_a_failure(void **state)
{
    (void)state;
    unsigned long n = 1;
    for (;; n++) {
        make_tree();
        arm("EIO", n, "rw");
        int r = os_remove_tree("t", &err);
        if (!disarm(n)) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, POND_EIO);
        assert_memory_equal(err.path, "t", 1);
        assert_int_equal(os_remove_tree("t", &err), 0);
        assert_false(is_there("t"));
    }
    assert_true(n > 60);
    assert_false(is_there("t"));
}

static void test_remove_tree__names_what_it_could_not_remove(void **state)
{
    (void)state;
    assert_int_equal(os_mkdirs("t/a/b", 0755, &err), 0);
    put("t/a/b/f", "x");
    arm("EPERM", 3, "w"); /* rmdir of a and of b, in vain; then the file */
    assert_int_equal(os_remove_tree("t", &err), POND_EDENIED);
    assert_string_equal(err.message, "t/a/b/f: cannot remove: Operation not permitted");
    assert_string_equal(err.path, "t/a/b/f");
    arm("EPERM", 4, "w"); /* this time the file goes, b does not */
    assert_int_equal(os_remove_tree("t", &err), POND_EDENIED);
    assert_string_equal(err.message, "t/a/b: cannot remove: Operation not permitted");
    assert_int_equal(names_in("t/a/b"), 0);
}

static void test_dir_sorted__reports_a_failing_read(void **state)
{
    (void)state;
    char **names = NULL;
    size_t count = 99;
    unsigned long n = 1;
    put("a", "");
    put("b", "");
    for (;; n++) {
        arm("EIO", n, "r");
        int r = os_dir_sorted(".", &names, &count, &err);
        if (!disarm(n)) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, POND_EIO);
        assert_true(names == NULL && count == 99);
    }
    assert_true(n > 3);
    assert_int_equal(count, 2);
    pond_free(names);
}

/* The kernel takes less than 2 GiB per call; the calls are counted, the bytes go nowhere. */
static void test_write__of_more_than_a_call_takes(void **state)
{
    (void)state;
    size_t size = ((size_t)2 << 30) + 1;
    void *zeros = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int fd = os_open("/dev/null", O_WRONLY, 0, &err);
    if (zeros == MAP_FAILED || fd < 0)
        skip();
    arm("EIO", 0, "w");
    assert_int_equal(os_write(fd, "/dev/null", zeros, size, &err), 0);
    assert_int_equal(os_fault_count(), 3);
    arm("ENOSPC", 3, "w");
    assert_int_equal(os_pwrite(fd, "/dev/null", zeros, size, 0, &err), POND_EIO);
    assert_string_equal(err.message, "/dev/null: cannot write: No space left on device");
    os_close(fd);
    assert_int_equal(munmap(zeros, size), 0);
}

/* Runs this program again as `self calls`, with these two in its environment. */
static int status_of_self(const char *spec, const char *count_file)
{
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setenv("POND_FAULT", spec, 1) == 0 && setenv("POND_FAULT_COUNT", count_file, 1) == 0)
            (void)execl(self, self, "calls", (char *)NULL);
        _exit(98);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_environment__asks_for_faults(void **state)
{
    (void)state;
    int status = status_of_self("kill:3", "count");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(is_there("d2") && !is_there("d3"));
    assert_int_equal(os_remove_tree("d1", &err), 0);
    assert_int_equal(os_remove_tree("d2", &err), 0);

    status = status_of_self("ENOSPC:4", "count");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_content("count", "3\n");
    status = status_of_self("EEXIST:1:r", "count");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3); /* none was counted, all three were there */
    assert_content("count", "0\n");
    status = status_of_self("EWHAT:1", "count");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 99);
}

/* Three counted calls. Returns how many failed. */
static int calls(void)
{
    int failed = 0;
    failed += os_mkdir("d1", 0755, NULL) < 0;
    failed += os_mkdir("d2", 0755, NULL) < 0;
    failed += os_mkdir("d3", 0755, NULL) < 0;
    return failed;
}

#define IN_SANDBOX(test) cmocka_unit_test_setup_teardown(test, enter_sandbox, leave_sandbox)

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "calls") == 0)
        return calls();
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_spec__is_understood_or_refused),
        IN_SANDBOX(test_mask__decides_what_is_counted),
        IN_SANDBOX(test_errno__is_mapped),
        IN_SANDBOX(test_install_file__fails_cleanly),
        IN_SANDBOX(test_install_file__makes_its_own_temporary),
        IN_SANDBOX(test_install_file__survives_a_kill),
        IN_SANDBOX(test_replace_file__is_old_or_new),
        IN_SANDBOX(test_interrupted_calls__are_retried),
        IN_SANDBOX(test_rename_noreplace__without_renameat2),
        IN_SANDBOX(test_preallocate__needs_no_support_but_space),
        IN_SANDBOX(test_clone__tells_unsupported_from_failed),
        IN_SANDBOX(test_xattr__without_support),
        IN_SANDBOX(test_fsync_dir__where_directories_have_no_sync),
        IN_SANDBOX(test_close_checked__closes_even_when_it_fails),
        IN_SANDBOX(test_remove_tree__continues_after_a_failure),
        IN_SANDBOX(test_remove_tree__names_what_it_could_not_remove),
        IN_SANDBOX(test_dir_sorted__reports_a_failing_read),
        IN_SANDBOX(test_write__of_more_than_a_call_takes),
        IN_SANDBOX(test_environment__asks_for_faults),
    };
    return cmocka_run_group_tests_name("base/os (faults)", tests, NULL, NULL);
}
