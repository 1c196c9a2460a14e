/* base/os.h against the real file system. Failures that only a fault can bring about: test_os_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"

static struct pond_error err;

/* Each test runs in a fresh directory of its own and must close all it opens. */
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
    memset(&err, 0, sizeof err);
    (void)snprintf(box.path, sizeof box.path, "pond-test-os-XXXXXX");
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
    if (fchdir(box->home_fd) != 0 || close(box->home_fd) != 0)
        return -1;
    return leaked || os_remove_tree(box->path, NULL) != 0 ? -1 : 0;
}

static void assert_failed(int r, int code, const char *message, const char *path)
{
    assert_int_equal(r, code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.message, message);
    assert_string_equal(err.path, path);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void assert_content(const char *path, const char *text)
{
    char buf[256] = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, buf, sizeof buf - 1) >= 0);
    assert_int_equal(close(fd), 0);
    assert_string_equal(buf, text);
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static bool on_tmpfs(void)
{
    struct statfs fs;
    return statfs(".", &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static int open_new(const char *path)
{
    int fd = os_open(path, O_RDWR | O_CREAT | O_EXCL, 0644, &err);
    assert_true(fd >= 0);
    return fd;
}

static void test_open__names_what_failed(void **state)
{
    (void)state;
    assert_failed(os_open("missing", O_RDONLY, 0, &err), POND_ENOTFOUND,
                  "missing: cannot open: No such file or directory", "missing");
    put("there", "");
    assert_failed(os_open("there", O_WRONLY | O_CREAT | O_EXCL, 0644, &err), POND_EEXISTS,
                  "there: cannot create: File exists", "there");
    assert_failed(os_open(".", O_WRONLY, 0, &err), POND_EIO, ".: cannot open: Is a directory", ".");
    assert_int_equal(os_open("missing", O_RDONLY, 0, NULL), POND_ENOTFOUND);
}

static void test_open__is_close_on_exec(void **state)
{
    (void)state;
    int fd = open_new("f");
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    int dir = os_open(".", O_RDONLY | O_DIRECTORY, 0, &err);
    assert_true(dir >= 0);
    int at = os_openat(dir, "f", "x/f", O_RDONLY, 0, &err);
    assert_true(at >= 0 && (fcntl(at, F_GETFD) & FD_CLOEXEC) != 0);
    assert_failed(os_openat(dir, "g", "x/g", O_RDONLY, 0, &err), POND_ENOTFOUND,
                  "x/g: cannot open: No such file or directory", "x/g");
    os_close(at);
    os_close(dir);
    os_close(-1);
    assert_int_equal(os_close_checked(fd, "f", &err), 0);
    assert_int_equal(os_close_checked(fd, "f", &err), POND_EIO);
}

/* A pipe holds less than this, and both ends are non-blocking: every transfer is cut and must be continued. */
static void test_read_write__continue_when_cut_short(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    uint8_t *bytes = pond_alloc(SIZE + 8, 1);
    assert_non_null(bytes);
    for (unsigned i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(os_write(ends[1], "pipe", bytes, SIZE, NULL) == 0 ? 0 : 1);
    (void)close(ends[1]);

    uint8_t *got = pond_calloc(SIZE + 8, 1);
    assert_non_null(got);
    assert_int_equal(os_read(ends[0], "pipe", got, SIZE + 8, &err), SIZE);
    assert_memory_equal(got, bytes, SIZE);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(ends[0]);
    pond_free(got);
    pond_free(bytes);
}

static void test_pread__is_short_only_at_the_end(void **state)
{
    (void)state;
    int fd = open_new("f");
    char buf[16] = { 0 };
    assert_int_equal(os_pwrite(fd, "f", "3456", 4, 3, &err), 0);
    assert_int_equal(os_pwrite(fd, "f", "012", 3, 0, &err), 0);
    assert_int_equal(os_pread(fd, "f", buf, 3, 2, &err), 3);
    assert_memory_equal(buf, "234", 3);
    assert_int_equal(os_pread(fd, "f", buf, sizeof buf, 2, &err), 5);
    assert_memory_equal(buf, "23456", 5);
    assert_int_equal(os_pread(fd, "f", buf, sizeof buf, 7, &err), 0);
    assert_int_equal(os_pread_exact(fd, "f", buf, 7, 0, &err), 0);
    assert_failed(os_pread_exact(fd, "f", buf, 4, 5, &err), POND_ECORRUPT,
                  "f: file ends at 7, 4 bytes expected at 5", "f");
    assert_failed(os_pread_exact(fd, "f", buf, 4, 90, &err), POND_ECORRUPT,
                  "f: file ends at 7, 4 bytes expected at 90", "f");
    os_close(fd);
    assert_failed(os_pread_exact(fd, "f", buf, 4, 0, &err), POND_EIO, "f: cannot read: Bad file descriptor", "f");
}

static void test_offsets__beyond_the_kernel_are_refused(void **state)
{
    (void)state;
    int fd = open_new("f");
    char buf[2] = { 0 };
    assert_int_equal(os_pread(fd, "f", buf, 1, UINT64_MAX, &err), POND_EIO);
    assert_int_equal(os_pread(fd, "f", buf, 2, INT64_MAX - 1, &err), POND_EIO);
    assert_int_equal(os_pwrite(fd, "f", buf, 1, UINT64_MAX, &err), POND_EIO);
    assert_int_equal(os_ftruncate(fd, "f", UINT64_MAX, &err), POND_EIO);
    assert_int_equal(os_preallocate(fd, "f", UINT64_MAX, &err), POND_EIO);
    assert_int_equal(os_cached_256th(fd, UINT64_MAX), 0);
    os_fadvise_dontneed(fd, UINT64_MAX, UINT64_MAX);
    os_close(fd);
    assert_content("f", "");
}

static void test_sync_and_truncate(void **state)
{
    (void)state;
    int fd = open_new("f");
    assert_int_equal(os_write(fd, "f", "hello", 5, &err), 0);
    assert_int_equal(os_fsync(fd, "f", &err), 0);
    assert_int_equal(os_fdatasync(fd, "f", &err), 0);
    assert_int_equal(os_syncfs(fd, "f", &err), 0);
    assert_int_equal(os_ftruncate(fd, "f", 2, &err), 0);
    struct stat st;
    assert_int_equal(os_fstat(fd, "f", &st, &err), 0);
    assert_int_equal(st.st_size, 2);
    os_close(fd);
    assert_int_equal(os_fsync_dir(".", &err), 0);
    assert_int_equal(os_fsync_dir("missing", &err), POND_ENOTFOUND);
    assert_int_equal(os_fsync_dir("f", &err), POND_EIO);
    assert_failed(os_fsync(fd, "f", &err), POND_EIO, "f: cannot sync: Bad file descriptor", "f");
    assert_failed(os_write(fd, "f", "x", 1, &err), POND_EIO, "f: cannot write: Bad file descriptor", "f");
}

static void write_mebibytes(int fd, unsigned count)
{
    static uint8_t bytes[1 << 20];
    memset(bytes, 1, sizeof bytes);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(os_write(fd, "f", bytes, sizeof bytes, &err), 0);
}

static void test_cached__tells_what_the_page_cache_holds(void **state)
{
    (void)state;
    enum { MEBIBYTES = 48 }; /* more than the sample covers */
    uint64_t size = (uint64_t)MEBIBYTES << 20;
    int fd = open_new("f");
    assert_int_equal(os_cached_256th(fd, 0), 0);
    write_mebibytes(fd, MEBIBYTES);
    os_fadvise_sequential(fd);
    assert_int_equal(os_cached_256th(fd, size), 256);
    assert_int_equal(os_cached_256th(fd, 3 * 4096 + 1), 256);
    if (!on_tmpfs()) { /* which has no other place for its pages */
        assert_int_equal(os_fsync(fd, "f", &err), 0);
        os_fadvise_dontneed(fd, 0, size / 2);
        unsigned half = os_cached_256th(fd, size);
        assert_true(half >= 112 && half <= 144);
        os_fadvise_dontneed(fd, size / 2, 0); /* nothing */
        assert_int_equal(os_cached_256th(fd, size), half);
        os_fadvise_dontneed(fd, 0, size);
        assert_true(os_cached_256th(fd, size) <= 8);
    }
    os_close(fd);
    assert_int_equal(os_cached_256th(fd, size), 0);
}

static void test_cached__of_a_huge_file_is_quick(void **state)
{
    (void)state;
    int fd = open_new("f");
    if (os_ftruncate(fd, "f", (uint64_t)1 << 40, &err) == 0)
        assert_int_equal(os_cached_256th(fd, (uint64_t)1 << 40), 0);
    os_close(fd);
}

static void test_preallocate__makes_the_file_that_long(void **state)
{
    (void)state;
    int fd = open_new("f");
    struct stat st;
    assert_int_equal(os_preallocate(fd, "f", 0, &err), 0);
    assert_int_equal(os_preallocate(fd, "f", 1 << 20, &err), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_size == 1 << 20 || st.st_size == 0); /* 0: the file system can't */
    assert_int_equal(os_preallocate(fd, "f", (uint64_t)1 << 60, &err), POND_EIO);
    os_close(fd);
}

static void test_clone__shares_or_says_that_it_cannot(void **state)
{
    (void)state;
    enum { SIZE = 3 * OS_BLOCK };
    uint8_t bytes[SIZE];
    uint8_t got[SIZE] = { 0 };
    for (unsigned i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i % 251);
    int src = open_new("src");
    int dst = open_new("dst");
    assert_int_equal(os_write(src, "src", bytes, SIZE - 5, &err), 0);
    assert_int_equal(os_clone_range(src, 0, 0, dst, 0, "dst", &err), 1);
    struct stat st;
    assert_int_equal(fstat(dst, &st), 0);
    assert_int_equal(st.st_size, 0); /* size 0 shared nothing */

    int r = os_clone_range(src, OS_BLOCK, SIZE - OS_BLOCK - 5, dst, 0, "dst", &err);
    assert_true(r == 0 || r == 1);
    if (r == 1) {
        assert_int_equal(os_pread(dst, "dst", got, SIZE, 0, &err), SIZE - OS_BLOCK - 5);
        assert_memory_equal(got, bytes + OS_BLOCK, SIZE - OS_BLOCK - 5);
    } else {
        print_message("blocks cannot be shared here\n");
    }
    assert_int_equal(os_clone_range(src, 1, OS_BLOCK, dst, 0, "dst", &err), 0); /* not aligned */
    int read_only = os_open("dst", O_RDONLY, 0, &err);
    assert_int_equal(os_clone_range(src, 0, OS_BLOCK, read_only, 0, "dst", &err), 0);
    int null = os_open("/dev/null", O_WRONLY, 0, &err);
    assert_int_equal(os_clone_range(src, 0, OS_BLOCK, null, 0, "/dev/null", &err), 0);
    os_close(null);
    os_close(read_only);
    os_close(dst);
    os_close(src);
}

static void test_stat__follows_or_not(void **state)
{
    (void)state;
    struct stat st;
    put("f", "abc");
    assert_int_equal(os_symlink("f", "link", &err), 0);
    assert_int_equal(os_symlink("nowhere", "dangling", &err), 0);
    assert_int_equal(os_stat("link", &st, &err), 0);
    assert_true(S_ISREG(st.st_mode) && st.st_size == 3);
    assert_int_equal(os_lstat("link", &st, &err), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(os_lstatat(AT_FDCWD, "link", "x/link", &st, &err), 0);
    assert_true(S_ISLNK(st.st_mode));

    st.st_size = 77; /* written only on success */
    assert_failed(os_stat("dangling", &st, &err), POND_ENOTFOUND,
                  "dangling: cannot stat: No such file or directory", "dangling");
    assert_failed(os_lstatat(AT_FDCWD, "no", "x/no", &st, &err), POND_ENOTFOUND,
                  "x/no: cannot stat: No such file or directory", "x/no");
    assert_int_equal(st.st_size, 77);
}

static void test_exists__tells_missing_from_failed(void **state)
{
    (void)state;
    char long_name[300];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    put("f", "");
    assert_int_equal(os_symlink("nowhere", "dangling", &err), 0);
    assert_int_equal(os_exists("f", &err), 1);
    assert_int_equal(os_exists(".", &err), 1);
    assert_int_equal(os_exists("g", &err), 0);
    assert_int_equal(os_exists("f/below", &err), 0);
    assert_int_equal(os_exists("dangling", &err), 0);
    assert_int_equal(os_exists(long_name, &err), POND_EIO);
}

static void test_mkdir(void **state)
{
    (void)state;
    assert_int_equal(os_mkdir("d", 0755, &err), 0);
    assert_failed(os_mkdir("d", 0755, &err), POND_EEXISTS, "d: cannot create directory: File exists", "d");
    assert_int_equal(os_rmdir("d", &err), 0);
    assert_failed(os_rmdir("d", &err), POND_ENOTFOUND,
                  "d: cannot remove directory: No such file or directory", "d");
}

static void test_mkdirs__makes_what_is_missing(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(os_mkdirs("a", 0755, &err), 0);
    assert_int_equal(os_mkdirs("a/b/c/d", 0700, &err), 0);
    assert_int_equal(os_mkdirs("a/b/c/d", 0700, &err), 0);
    assert_int_equal(os_mkdirs("a/e//f/", 0755, &err), 0);
    assert_int_equal(os_mkdirs(".", 0755, &err), 0);
    assert_int_equal(os_mkdirs("/", 0755, &err), 0);
    assert_int_equal(stat("a/b/c/d", &st), 0);
    assert_true(S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0700);
    assert_int_equal(stat("a/e/f", &st), 0);

    put("file", "");
    assert_failed(os_mkdirs("file", 0755, &err), POND_EEXISTS, "file: cannot create directory: File exists",
                  "file");
    assert_failed(os_mkdirs("file/x/y", 0755, &err), POND_EIO,
                  "file/x/y: cannot create directory: Not a directory", "file/x/y");
    assert_int_equal(os_symlink("a", "to_a", &err), 0);
    assert_int_equal(os_mkdirs("to_a", 0755, &err), 0);
    assert_int_equal(os_mkdirs("to_a/g", 0755, &err), 0);
    assert_true(is_there("a/g"));
    assert_int_equal(os_mkdirs("", 0755, &err), POND_ENOTFOUND);
}

static void test_rename_noreplace__never_replaces(void **state)
{
    (void)state;
    put("from", "new");
    put("to", "old");
    assert_failed(os_rename_noreplace("from", "to", &err), POND_EEXISTS, "to: cannot create: File exists", "to");
    assert_content("to", "old");
    assert_content("from", "new");
    assert_int_equal(os_symlink("nowhere", "dangling", &err), 0);
    assert_int_equal(os_rename_noreplace("from", "dangling", &err), POND_EEXISTS);
    assert_int_equal(os_rename_noreplace("from", "free", &err), 0);
    assert_false(is_there("from"));
    assert_content("free", "new");
    assert_failed(os_rename_noreplace("from", "other", &err), POND_ENOTFOUND,
                  "from: cannot rename to other: No such file or directory", "from");
}

static void test_rename__replaces(void **state)
{
    (void)state;
    put("from", "new");
    put("to", "old");
    assert_int_equal(os_rename("from", "to", &err), 0);
    assert_content("to", "new");
    assert_false(is_there("from"));
    assert_failed(os_rename("from", "to", &err), POND_ENOTFOUND,
                  "from: cannot rename to to: No such file or directory", "from");
}

static void test_links(void **state)
{
    (void)state;
    struct pond_buf target = { 0 };
    put("f", "x");
    assert_int_equal(os_link("f", "g", &err), 0);
    assert_failed(os_link("f", "g", &err), POND_EEXISTS, "g: cannot create: File exists", "g");
    assert_failed(os_link(".", "h", &err), POND_EDENIED, ".: cannot link to h: Operation not permitted", ".");
    assert_int_equal(os_unlink("f", &err), 0);
    assert_failed(os_unlink("f", &err), POND_ENOTFOUND, "f: cannot remove: No such file or directory", "f");
    assert_content("g", "x");

    assert_int_equal(os_symlink("\xff/target", "s", &err), 0);
    assert_int_equal(os_symlink("t", "s", &err), POND_EEXISTS);
    assert_int_equal(pond_buf_append_str(&target, ">"), 0);
    assert_int_equal(os_readlink("s", &target, &err), 0);
    assert_string_equal(pond_buf_cstr(&target), ">\xff/target");
    assert_failed(os_readlink("g", &target, &err), POND_EIO, "g: cannot read symlink: Invalid argument", "g");
    assert_int_equal(target.size, 9);
    pond_buf_release(&target);

    pond_buf_init(&target, 4);
    assert_int_equal(os_readlink("s", &target, &err), POND_ELIMIT);
    pond_buf_release(&target);
}

static void test_attributes(void **state)
{
    (void)state;
    struct stat st;
    struct stat before;
    put("f", "x");
    assert_int_equal(os_symlink("f", "link", &err), 0);
    assert_int_equal(os_chmod("f", 0640, &err), 0);
    assert_int_equal(stat("f", &before), 0);
    assert_int_equal(before.st_mode & 07777, 0640);

    assert_int_equal(os_set_mtime("f", -5, 999999999, &err), 0);
    assert_int_equal(os_set_mtime("link", 1000, 1, &err), 0);
    assert_int_equal(stat("f", &st), 0);
    assert_true(st.st_mtim.tv_sec == -5 && st.st_mtim.tv_nsec == 999999999);
    assert_memory_equal(&st.st_atim, &before.st_atim, sizeof st.st_atim);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(st.st_mtim.tv_sec == 1000 && st.st_mtim.tv_nsec == 1);

    assert_int_equal(os_set_mtime("f", 7, UTIME_NOW, &err), POND_EIO);
    assert_int_equal(os_set_mtime("f", 7, UTIME_OMIT, &err), POND_EIO);
    assert_int_equal(os_set_mtime("f", 7, -1, &err), POND_EIO);
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, -5);

    assert_int_equal(os_lchown("link", getuid(), getgid(), &err), 0);
    assert_int_equal(os_lchown("no", getuid(), getgid(), &err), POND_ENOTFOUND);
    assert_int_equal(os_chmod("no", 0600, &err), POND_ENOTFOUND);
    assert_int_equal(os_set_mtime("no", 0, 0, &err), POND_ENOTFOUND);
}

static bool has_name(const struct pond_buf *names, const char *name)
{
    for (size_t at = 0; at < names->size; at += strlen((const char *)names->data + at) + 1)
        if (strcmp((const char *)names->data + at, name) == 0)
            return true;
    return false;
}

static void test_xattr__round_trip(void **state)
{
    (void)state;
    struct pond_buf buf = { 0 };
    put("f", "x");
    int r = os_xattr_set("f", "user.pond.test", "va\0lue", 6, &err);
    if (r == POND_EUNSUPPORTED) {
        print_message("extended attributes are not supported here\n");
        return;
    }
    assert_int_equal(r, 0);
    assert_int_equal(os_xattr_set("f", "user.empty", "", 0, &err), 0);
    assert_int_equal(os_xattr_list("f", &buf, &err), 0);
    assert_true(has_name(&buf, "user.pond.test") && has_name(&buf, "user.empty"));

    pond_buf_clear(&buf);
    assert_int_equal(os_xattr_get("f", "user.pond.test", &buf, &err), 0);
    assert_int_equal(os_xattr_get("f", "user.empty", &buf, &err), 0);
    assert_int_equal(buf.size, 6);
    assert_memory_equal(buf.data, "va\0lue", 6);
    assert_failed(os_xattr_get("f", "user.no", &buf, &err), POND_ENOTFOUND,
                  "f: cannot read extended attribute user.no: No data available", "f");

    assert_int_equal(os_symlink("f", "link", &err), 0);
    pond_buf_clear(&buf);
    assert_int_equal(os_xattr_list("link", &buf, &err), 0);
    assert_false(has_name(&buf, "user.pond.test"));
    assert_int_equal(os_xattr_list("no", &buf, &err), POND_ENOTFOUND);
    pond_buf_release(&buf);

    pond_buf_init(&buf, 3);
    assert_int_equal(os_xattr_get("f", "user.pond.test", &buf, &err), POND_ELIMIT);
    pond_buf_release(&buf);
}

static void test_dir__gives_names_and_types(void **state)
{
    (void)state;
    struct os_dir *dir;
    const char *name;
    unsigned char type;
    unsigned files = 0;
    unsigned dirs = 0;
    assert_int_equal(os_mkdir("d", 0755, &err), 0);
    assert_int_equal(os_dir_open("d", &dir, &err), 0);
    assert_int_equal(os_dir_next(dir, &name, &type, &err), 0);
    os_dir_close(dir);
    put("d/..f", "");
    put("d/...", "");
    assert_int_equal(os_mkdir("d/sub", 0755, &err), 0);
    assert_int_equal(os_dir_open("d", &dir, &err), 0);
    while (os_dir_next(dir, &name, &type, &err) == 1) {
        bool is_sub = strcmp(name, "sub") == 0;
        assert_true(type == DT_UNKNOWN || type == (is_sub ? DT_DIR : DT_REG));
        dirs += is_sub;
        files += strcmp(name, "..f") == 0 || strcmp(name, "...") == 0;
    }
    os_dir_close(dir);
    os_dir_close(NULL);
    assert_int_equal(files, 2);
    assert_int_equal(dirs, 1);
    assert_failed(os_dir_open("no", &dir, &err), POND_ENOTFOUND,
                  "no: cannot open: No such file or directory", "no");
    assert_int_equal(os_dir_open("d/..f", &dir, &err), POND_EIO);
}

static void test_dir_sorted__is_by_bytes(void **state)
{
    (void)state;
    static const char *const sorted[] = { "B", "a", "a!", "a.b", "aa", "b", "z", "\xc3\xa4", "\xff" };
    enum { COUNT = sizeof sorted / sizeof *sorted };
    char path[16];
    char **names;
    size_t count;
    assert_int_equal(os_mkdir("d", 0755, &err), 0);
    assert_int_equal(os_dir_sorted("d", &names, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_null(names[0]);
    pond_free(names);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(path, sizeof path, "d/%s", sorted[(i * 5) % COUNT]);
        put(path, "");
    }
    assert_int_equal(os_dir_sorted("d", &names, &count, &err), 0);
    assert_int_equal(count, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        assert_string_equal(names[i], sorted[i]);
    assert_null(names[COUNT]);
    pond_free(names);
    assert_int_equal(os_dir_sorted("no", &names, &count, &err), POND_ENOTFOUND);
}

static void test_remove_tree__does_not_follow_symlinks(void **state)
{
    (void)state;
    assert_int_equal(os_mkdirs("outside/dir", 0755, &err), 0);
    put("outside/f", "precious");
    assert_int_equal(os_mkdirs("tree/a/b", 0755, &err), 0);
    put("tree/a/f", "");
    assert_int_equal(os_symlink("../outside", "tree/dir_link", &err), 0);
    assert_int_equal(os_symlink("../../outside", "tree/a/dir_link", &err), 0);
    assert_int_equal(os_symlink("../../outside/f", "tree/a/file_link", &err), 0);
    assert_int_equal(os_symlink("nowhere", "tree/a/b/dangling", &err), 0);
    assert_int_equal(os_symlink("outside", "link", &err), 0);

    assert_int_equal(os_remove_tree("tree", &err), 0);
    assert_false(is_there("tree"));
    assert_int_equal(os_remove_tree("link/", &err), 0);
    assert_false(is_there("link"));
    assert_content("outside/f", "precious");
    assert_true(is_there("outside/dir"));
}

static void test_remove_tree__of_what_is_no_directory(void **state)
{
    (void)state;
    put("f", "");
    assert_int_equal(os_remove_tree("f", &err), 0);
    assert_false(is_there("f"));
    assert_failed(os_remove_tree("f", &err), POND_ENOTFOUND, "f: cannot remove: No such file or directory", "f");
    assert_int_equal(os_mkdir("d", 0755, &err), 0);
    assert_int_equal(os_remove_tree("d//", &err), 0);
    assert_false(is_there("d"));
}

/* Much deeper than directories are held open, with names taken that the removal would use itself. */
static void test_remove_tree__of_any_depth(void **state)
{
    (void)state;
    enum { DEPTH = 700 };
    char path[2 * DEPTH + 16] = "t";
    for (unsigned i = 0; i < DEPTH; i++) {
        (void)strcat(path, "/d");
        if (i % 50 == 49) {
            assert_int_equal(os_mkdirs(path, 0755, &err), 0);
            size_t size = strlen(path);
            (void)strcat(path, "/f");
            put(path, "");
            path[size] = '\0';
        }
    }
    put("t/.removing-0", "");
    assert_int_equal(os_mkdirs("t/.removing-1/x", 0755, &err), 0);
    for (unsigned i = 0; i < 500; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "t/d/d/wide-%u", i);
        put(name, "");
    }
    assert_int_equal(os_remove_tree("t", &err), 0);
    assert_false(is_there("t"));
}

static void test_lock__holds_against_a_second_open_file(void **state)
{
    (void)state;
    int fd = os_lock("lock", &err);
    assert_true(fd >= 0);
    assert_failed(os_lock("lock", &err), POND_ELOCKED, "lock: held by another writer", "lock");
    os_close(fd);
    fd = os_lock("lock", &err);
    assert_true(fd >= 0);
    os_close(fd);
    assert_int_equal(os_lock("no/lock", &err), POND_ENOTFOUND);
}

/* The kernel frees the lock of a process that died. */
static void test_lock__of_a_dead_process_is_free(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(os_lock("lock", NULL) >= 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    int fd = os_lock("lock", &err);
    assert_true(fd >= 0);
    os_close(fd);
}

static void test_read_file__keeps_to_its_limit(void **state)
{
    (void)state;
    struct pond_buf buf = { 0 };
    put("f", "0123456789");
    put("empty", "");
    assert_int_equal(os_read_file("f", 10, &buf, &err), 0);
    assert_int_equal(os_read_file("empty", 0, &buf, &err), 0);
    assert_int_equal(os_read_file("f", 1 << 20, &buf, &err), 0);
    assert_string_equal(pond_buf_cstr(&buf), "01234567890123456789");
    assert_failed(os_read_file("f", 9, &buf, &err), POND_ELIMIT, "f: larger than the limit of 9 bytes", "f");
    assert_int_equal(os_read_file("f", 0, &buf, &err), POND_ELIMIT);
    assert_int_equal(os_read_file("no", 9, &buf, &err), POND_ENOTFOUND);
    assert_failed(os_read_file(".", 9, &buf, &err), POND_EIO, ".: cannot read: Is a directory", ".");
    assert_int_equal(buf.size, 20); /* as before the failures */
    pond_buf_release(&buf);
}

static void test_read_file__of_many_steps(void **state)
{
    (void)state;
    struct pond_buf buf = { 0 };
    int fd = open_new("f");
    write_mebibytes(fd, 3);
    os_close(fd);
    assert_int_equal(os_read_file("f", 3 << 20, &buf, &err), 0);
    assert_int_equal(buf.size, 3 << 20);
    pond_buf_clear(&buf);
    assert_int_equal(os_read_file("f", (3 << 20) - 1, &buf, &err), POND_ELIMIT);
    pond_buf_release(&buf);
}

static size_t names_in(const char *path)
{
    char **names;
    size_t count;
    assert_int_equal(os_dir_sorted(path, &names, &count, &err), 0);
    pond_free(names);
    return count;
}

static void test_replace_file__leaves_only_the_new(void **state)
{
    (void)state;
    struct stat st;
    mode_t mask = umask(022);
    assert_int_equal(os_mkdir("d", 0755, &err), 0);
    assert_int_equal(os_replace_file("d/f", "one", 3, &err), 0);
    assert_content("d/f", "one");
    assert_int_equal(stat("d/f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(chmod("d/f", 0666), 0); /* more than the mask would give */
    assert_int_equal(os_replace_file("d/f", "", 0, &err), 0);
    assert_content("d/f", "");
    assert_int_equal(stat("d/f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
    (void)umask(mask);
    assert_int_equal(names_in("d"), 1);
    assert_int_equal(os_replace_file("here", "x", 1, &err), 0);
    assert_content("here", "x");

    assert_int_equal(os_replace_file("no/f", "x", 1, &err), POND_ENOTFOUND);
    assert_int_equal(os_mkdirs("d/dir/x", 0755, &err), 0);
    assert_int_equal(os_replace_file("d/dir", "x", 1, &err), POND_EIO);
    assert_int_equal(names_in("d"), 2); /* no temporary is left */
}

/* Invariants 1 and 3. */
static void test_install_file__never_replaces(void **state)
{
    (void)state;
    assert_int_equal(os_mkdir("tmp", 0755, &err), 0);
    assert_int_equal(os_mkdir("d", 0755, &err), 0);
    put("tmp/t", "left by a process that died");
    assert_int_equal(os_install_file("tmp/t", "d/f", "first", 5, &err), 0);
    assert_content("d/f", "first");
    assert_int_equal(names_in("tmp"), 0);

    assert_failed(os_install_file("tmp/t", "d/f", "second", 6, &err), POND_EEXISTS,
                  "d/f: cannot create: File exists", "d/f");
    assert_content("d/f", "first");
    assert_int_equal(names_in("tmp"), 0);

    assert_int_equal(os_install_file("tmp/t", "no/f", "x", 1, &err), POND_ENOTFOUND);
    assert_int_equal(names_in("tmp"), 0);
    assert_int_equal(os_install_file("no/t", "d/g", "x", 1, &err), POND_ENOTFOUND);
    assert_int_equal(names_in("d"), 1);
    assert_int_equal(os_install_file("t", "here", "", 0, &err), 0);
    assert_content("here", "");
}

/* What stands under the temporary's name may be a link to something dear. */
static void test_install_file__does_not_write_through_a_symlink(void **state)
{
    (void)state;
    put("precious", "precious");
    assert_int_equal(os_symlink("precious", "t", &err), 0);
    assert_int_equal(os_install_file("t", "f", "new", 3, &err), 0);
    assert_content("precious", "precious");
    assert_content("f", "new");
}

static void test_path_join(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "/", "b", "/b" }, { "", "b", "b" }, { "a", "b/c", "a/b/c" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = os_path_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        pond_free(path);
    }
}

/* Every allocation that can fail, fails once: an error, no crash, nothing lost. */
static void test_out_of_memory(void **state)
{
    (void)state;
    char **names;
    size_t count;
    int r;
    long n;
    assert_int_equal(os_mkdirs("t/a/b", 0755, &err), 0);
    for (n = 0, r = -1; r != 0; n++) {
        pond_mem_fail_after(n);
        r = os_dir_sorted("t", &names, &count, &err);
        pond_mem_fail_after(-1);
        assert_true(r == 0 || r == POND_ENOMEM);
    }
    assert_true(n > 3);
    pond_free(names);
    for (n = 0, r = -1; r != 0; n++) {
        pond_mem_fail_after(n);
        r = os_replace_file("f", "x", 1, &err);
        pond_mem_fail_after(-1);
        assert_true(r == 0 || r == POND_ENOMEM);
    }
    assert_true(n > 2);
    for (n = 0, r = -1; r != 0; n++) {
        pond_mem_fail_after(n);
        r = os_remove_tree("t", &err);
        pond_mem_fail_after(-1);
        assert_true(r == 0 || r == POND_ENOMEM);
    }
    assert_true(n > 2);
    assert_false(is_there("t"));
}

#define IN_SANDBOX(test) cmocka_unit_test_setup_teardown(test, enter_sandbox, leave_sandbox)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_open__names_what_failed),
        IN_SANDBOX(test_open__is_close_on_exec),
        IN_SANDBOX(test_read_write__continue_when_cut_short),
        IN_SANDBOX(test_pread__is_short_only_at_the_end),
        IN_SANDBOX(test_offsets__beyond_the_kernel_are_refused),
        IN_SANDBOX(test_sync_and_truncate),
        IN_SANDBOX(test_cached__tells_what_the_page_cache_holds),
        IN_SANDBOX(test_cached__of_a_huge_file_is_quick),
        IN_SANDBOX(test_preallocate__makes_the_file_that_long),
        IN_SANDBOX(test_clone__shares_or_says_that_it_cannot),
        IN_SANDBOX(test_stat__follows_or_not),
        IN_SANDBOX(test_exists__tells_missing_from_failed),
        IN_SANDBOX(test_mkdir),
        IN_SANDBOX(test_mkdirs__makes_what_is_missing),
        IN_SANDBOX(test_rename_noreplace__never_replaces),
        IN_SANDBOX(test_rename__replaces),
        IN_SANDBOX(test_links),
        IN_SANDBOX(test_attributes),
        IN_SANDBOX(test_xattr__round_trip),
        IN_SANDBOX(test_dir__gives_names_and_types),
        IN_SANDBOX(test_dir_sorted__is_by_bytes),
        IN_SANDBOX(test_remove_tree__does_not_follow_symlinks),
        IN_SANDBOX(test_remove_tree__of_what_is_no_directory),
        IN_SANDBOX(test_remove_tree__of_any_depth),
        IN_SANDBOX(test_lock__holds_against_a_second_open_file),
        IN_SANDBOX(test_lock__of_a_dead_process_is_free),
        IN_SANDBOX(test_read_file__keeps_to_its_limit),
        IN_SANDBOX(test_read_file__of_many_steps),
        IN_SANDBOX(test_replace_file__leaves_only_the_new),
        IN_SANDBOX(test_install_file__never_replaces),
        IN_SANDBOX(test_install_file__does_not_write_through_a_symlink),
        IN_SANDBOX(test_path_join),
        IN_SANDBOX(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("base/os", tests, NULL, NULL);
}
