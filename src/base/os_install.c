/* Whole files: reading small ones, and the two ways of writing one that is complete or not there (invariants 1
 * and 3). */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/os_fault.h"

#define READ_STEP ((size_t)64 << 10)

/* Appends all that is left, at most max bytes. */
static int read_to_end(int fd, const char *path, size_t max, struct pond_buf *out, struct pond_error *err)
{
    size_t got = 0;
    for (;;) {
        size_t want = max - got < READ_STEP ? max - got : READ_STEP;
        uint8_t probe;
        if (want > 0 && pond_buf_reserve(out, want) < 0)
            return pond_buf_error(out, err);
        ssize_t n = os_read(fd, path, want > 0 ? out->data + out->size : &probe, want > 0 ? want : 1, err);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return 0;
        if (want == 0)
            return pond_fail_path(err, POND_ELIMIT, path, "%s: larger than the limit of %zu bytes", path, max);
        out->size += (size_t)n;
        got += (size_t)n;
    }
}

int os_read_file(const char *path, size_t max, struct pond_buf *out, struct pond_error *err)
{
    int fd = os_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return fd;
    size_t start = out->size;
    int r = read_to_end(fd, path, max, out, err);
    if (r < 0)
        out->size = start;
    os_close(fd);
    return r;
}

/* "a/b" -> "a", "/b" -> "/", "b" -> ".": the directory whose sync makes the name last. NULL: out of memory. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return pond_strdup(".");
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    return pond_memdup(path, size);
}

/* After a failure, whose error is the one to report. */
static void discard(const char *path)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, unlink(path));
}

/* A new, synced, closed file. On failure there is none. */
static int write_new(const char *path, mode_t mode, const void *bytes, size_t size, struct pond_error *err)
{
    int fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, mode, err);
    if (fd < 0)
        return fd;
    int r = os_write(fd, path, bytes, size, err);
    if (r == 0)
        r = os_fsync(fd, path, err);
    if (r == 0)
        r = os_close_checked(fd, path, err);
    else
        os_close(fd);
    if (r < 0)
        discard(path);
    return r;
}

/* 64 random bits, so that neither another process nor an earlier life of this one uses the same name. */
static int temporary_beside(const char *path, struct pond_buf *out, struct pond_error *err)
{
    uint64_t random;
    ssize_t n;
    OS_CALL(n, OS_FAULT_READ, getrandom(&random, sizeof random, 0));
    if (n != (ssize_t)sizeof random)
        return pond_fail_errno(err, n < 0 ? errno : EIO, path, "name a temporary file");
    (void)pond_buf_printf(out, "%s.%016llx.tmp", path, (unsigned long long)random);
    return pond_buf_cstr(out) != NULL ? 0 : pond_buf_error(out, err);
}

/* The mode the old file has, so that a file made private stays so. */
static int create_with_mode_of(const char *path, const char *tmp_path, const void *bytes, size_t size,
                               struct pond_error *err)
{
    struct stat st;
    int r;
    OS_CALL(r, OS_FAULT_READ, stat(path, &st));
    if (r < 0 && errno != ENOENT)
        return pond_fail_errno(err, errno, path, "stat");
    bool replaces = r == 0;
    POND_TRY(write_new(tmp_path, replaces ? 0600 : 0666, bytes, size, err));
    if (!replaces)
        return 0;
    r = os_chmod(tmp_path, st.st_mode & 07777, err);
    if (r < 0)
        discard(tmp_path);
    return r;
}

int os_replace_file(const char *path, const void *bytes, size_t size, struct pond_error *err)
{
    struct pond_buf tmp;
    pond_buf_init(&tmp, 0);
    char *parent = parent_of(path);
    int r = parent == NULL ? pond_fail_nomem(err) : temporary_beside(path, &tmp, err);
    if (r < 0)
        goto out;
    const char *tmp_path = (const char *)tmp.data;
    r = create_with_mode_of(path, tmp_path, bytes, size, err);
    if (r < 0)
        goto out;
    r = os_rename(tmp_path, path, err);
    if (r < 0)
        discard(tmp_path);
    else
        r = os_fsync_dir(parent, err);
out:
    pond_free(parent);
    pond_buf_release(&tmp);
    return r;
}

int os_install_file(const char *tmp_path, const char *path, const void *bytes, size_t size,
                    struct pond_error *err)
{
    char *parent = parent_of(path);
    if (parent == NULL)
        return pond_fail_nomem(err);
    int r;
    OS_CALL(r, OS_FAULT_WRITE, unlink(tmp_path)); /* left by a process that died */
    if (r < 0 && errno != ENOENT) {
        r = pond_fail_errno(err, errno, tmp_path, "remove");
        goto out;
    }
    r = write_new(tmp_path, 0666, bytes, size, err);
    if (r < 0)
        goto out;
    r = os_rename_noreplace(tmp_path, path, err);
    if (r < 0)
        discard(tmp_path);
    else
        r = os_fsync_dir(parent, err);
out:
    pond_free(parent);
    return r;
}
