/* tests/store/store_test.h - for the tests of store/ and of what stands on it: a directory per test, and the calls that
 * decide about durability, watched.
 *
 * fsync, fdatasync, syncfs and renameat2 are defined here, so the library calls these. Each leaves a letter in
 * `events` (F file or f directory, d, s, r) and can be made to fail.
 */
#ifndef TESTS_STORE_STORE_TEST_H
#define TESTS_STORE_STORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"

static struct pond_error err;

static char events[4096];
static size_t event_count;
static char fail_event;           /* this kind fails with EIO ... */
static int fail_after = -1;       /* ... after so many that do not */
static void (*before_rename)(void); /* called once, before the next rename */

static bool event(char kind)
{
    if (event_count < sizeof events - 1)
        events[event_count++] = kind;
    events[event_count] = '\0';
    if (kind != fail_event || fail_after < 0 || fail_after-- > 0)
        return true;
    errno = EIO;
    return false;
}

static void events_clear(void)
{
    event_count = 0;
    events[0] = '\0';
    fail_event = '\0';
    fail_after = -1;
    before_rename = NULL;
}

int fsync(int fd)
{
    struct stat st;
    bool directory = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    return event(directory ? 'f' : 'F') ? (int)syscall(SYS_fsync, fd) : -1;
}

int fdatasync(int fd)
{
    return event('d') ? (int)syscall(SYS_fdatasync, fd) : -1;
}

int syncfs(int fd)
{
    return event('s') ? (int)syscall(SYS_syncfs, fd) : -1;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
    void (*hook)(void) = before_rename;
    before_rename = NULL;
    if (hook != NULL)
        hook();
    return event('r') ? (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags) : -1;
}

/* ---- a fresh directory for each test, which must close all it opens ---- */

static struct {
    char path[64];
    int home_fd;
    int lowest_fd;
} sandbox;

static inline int lowest_free_fd(void)
{
    int fd = open(".", O_RDONLY | O_CLOEXEC);
    (void)close(fd);
    return fd;
}

static inline int enter_sandbox(void **state)
{
    (void)state;
    memset(&err, 0, sizeof err);
    events_clear();
    (void)snprintf(sandbox.path, sizeof sandbox.path, "pond-test-store-XXXXXX");
    sandbox.home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (sandbox.home_fd < 0 || mkdtemp(sandbox.path) == NULL || chdir(sandbox.path) != 0)
        return -1;
    sandbox.lowest_fd = lowest_free_fd();
    return 0;
}

static inline int leave_sandbox(void **state)
{
    (void)state;
    pond_mem_fail_after(-1);
    int leaked = lowest_free_fd() != sandbox.lowest_fd;
    if (leaked)
        print_error("a descriptor was left open\n");
    if (fchdir(sandbox.home_fd) != 0 || close(sandbox.home_fd) != 0)
        return -1;
    return leaked || os_remove_tree(sandbox.path, NULL) != 0 ? -1 : 0;
}

#define IN_SANDBOX(test) cmocka_unit_test_setup_teardown(test, enter_sandbox, leave_sandbox)

/* ---- small helpers ---- */

#define assert_ok(expr)                                        \
    do {                                                       \
        int assert_ok_r_ = (expr);                             \
        if (assert_ok_r_ != 0)                                 \
            print_error("%s: %s\n", #expr, err.message);       \
        assert_int_equal(assert_ok_r_, 0);                     \
    } while (0)

/* expr fails with this code, and the message says `text`. */
#define assert_fails(expr, expected, text)                                       \
    do {                                                                         \
        memset(&err, 0, sizeof err);                                             \
        assert_int_equal((expr), (expected));                                    \
        assert_int_equal(err.code, (expected));                                  \
        if (strstr(err.message, (text)) == NULL)                                 \
            fail_msg("'%s' does not say '%s'", err.message, (text));             \
    } while (0)

static inline void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(close(fd), 0);
}

static inline bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static inline void assert_file(const char *path, const char *text)
{
    struct pond_buf got = {0};
    assert_ok(os_read_file(path, 1 << 20, &got, &err));
    assert_int_equal(got.size, strlen(text));
    assert_memory_equal(got.data, text, got.size);
    pond_buf_release(&got);
}

/* Names in a directory. */
static inline size_t count_names(const char *path)
{
    char **names;
    size_t count;
    assert_ok(os_dir_sorted(path, &names, &count, &err));
    pond_free(names);
    return count;
}

#endif
