/* Names and attributes: everything about a path that needs no open file. */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/os_fault.h"

static int fail_between(struct pond_error *err, int error, const char *from, const char *verb, const char *to)
{
    char what[POND_ERROR_PATH_SIZE + 32];
    (void)snprintf(what, sizeof what, "%s %s", verb, to);
    return pond_fail_errno(err, error, from, what);
}

int os_lstatat(int dir_fd, const char *name, const char *path, struct stat *out, struct pond_error *err)
{
    struct stat st;
    int r;
    OS_CALL(r, OS_FAULT_READ, fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW));
    if (r < 0)
        return pond_fail_errno(err, errno, path, "stat");
    *out = st;
    return 0;
}

int os_lstat(const char *path, struct stat *out, struct pond_error *err)
{
    return os_lstatat(AT_FDCWD, path, path, out, err);
}

int os_stat(const char *path, struct stat *out, struct pond_error *err)
{
    struct stat st;
    int r;
    OS_CALL(r, OS_FAULT_READ, stat(path, &st));
    if (r < 0)
        return pond_fail_errno(err, errno, path, "stat");
    *out = st;
    return 0;
}

int os_exists(const char *path, struct pond_error *err)
{
    struct stat st;
    int r;
    OS_CALL(r, OS_FAULT_READ, stat(path, &st));
    if (r == 0)
        return 1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : pond_fail_errno(err, errno, path, "stat");
}

/* 0, or an errno value. A directory that is there already is EEXIST. */
static int try_mkdir(const char *path, mode_t mode)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, mkdir(path, mode));
    return r < 0 ? errno : 0;
}

int os_mkdir(const char *path, mode_t mode, struct pond_error *err)
{
    int error = try_mkdir(path, mode);
    return error != 0 ? pond_fail_errno(err, error, path, "create directory") : 0;
}

/* The length of path without its last component; 0: no parent that could be missing. */
static size_t parent_size(const char *path, size_t size)
{
    while (size > 0 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    while (size > 0 && path[size - 1] == '/')
        size--;
    return size;
}

int os_mkdirs(const char *path, mode_t mode, struct pond_error *err)
{
    size_t path_size = strlen(path);
    char *prefix = pond_strdup(path);
    if (prefix == NULL)
        return pond_fail_nomem(err);
    /* From the end upwards, to touch no parent that is there: it may not even be ours to look into. Each prefix
     * is cut by a NUL where a slash stood; mending the cuts one by one leads down again. */
    size_t size = path_size;
    int error = try_mkdir(prefix, mode);
    while (error == ENOENT && (size = parent_size(prefix, size)) > 0) {
        prefix[size] = '\0';
        error = try_mkdir(prefix, mode);
    }
    while ((error == 0 || error == EEXIST) && (size = strlen(prefix)) < path_size) {
        prefix[size] = '/';
        error = try_mkdir(prefix, mode);
    }
    pond_free(prefix);

    struct stat st;
    if (error == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        error = 0;
    return error != 0 ? pond_fail_errno(err, error, path, "create directory") : 0;
}

int os_rmdir(const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, rmdir(path));
    return r < 0 ? pond_fail_errno(err, errno, path, "remove directory") : 0;
}

int os_unlink(const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, unlink(path));
    return r < 0 ? pond_fail_errno(err, errno, path, "remove") : 0;
}

/* For file systems that know no RENAME_NOREPLACE. 0, or -1 and errno. Once the link stands `to` is there for
 * all to see, so it has happened: a failing unlink leaves a second name, which is garbage and no failure. */
static int link_and_unlink(const char *from, const char *to)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, link(from, to));
    if (r < 0)
        return r;
    OS_CALL(r, OS_FAULT_WRITE, unlink(from));
    return 0;
}

int os_rename_noreplace(const char *from, const char *to, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));
    if (r < 0 && (errno == EINVAL || errno == ENOSYS))
        r = link_and_unlink(from, to);
    if (r == 0)
        return 0;
    if (errno == EEXIST)
        return pond_fail_errno(err, EEXIST, to, "create");
    return fail_between(err, errno, from, "rename to", to);
}

int os_rename(const char *from, const char *to, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, rename(from, to));
    return r < 0 ? fail_between(err, errno, from, "rename to", to) : 0;
}

int os_symlink(const char *target, const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, symlink(target, path));
    return r < 0 ? pond_fail_errno(err, errno, path, "create symlink") : 0;
}

int os_link(const char *from, const char *to, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, link(from, to));
    if (r == 0)
        return 0;
    if (errno == EEXIST)
        return pond_fail_errno(err, EEXIST, to, "create");
    return fail_between(err, errno, from, "link to", to);
}

int os_readlink(const char *path, struct pond_buf *out, struct pond_error *err)
{
    char target[PATH_MAX + 1]; /* the kernel's longest is PATH_MAX - 1 */
    ssize_t n;
    OS_CALL(n, OS_FAULT_READ, readlink(path, target, sizeof target));
    if (n < 0)
        return pond_fail_errno(err, errno, path, "read symlink");
    if ((size_t)n == sizeof target)
        return pond_fail_errno(err, ENAMETOOLONG, path, "read symlink");
    (void)pond_buf_append(out, target, (size_t)n);
    return pond_buf_error(out, err);
}

int os_chmod(const char *path, mode_t mode, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, chmod(path, mode));
    return r < 0 ? pond_fail_errno(err, errno, path, "set mode") : 0;
}

int os_lchown(const char *path, uid_t uid, gid_t gid, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, lchown(path, uid, gid));
    return r < 0 ? pond_fail_errno(err, errno, path, "set owner") : 0;
}

int os_set_mtime(const char *path, int64_t seconds, int64_t nanoseconds, struct pond_error *err)
{
    /* Checked here: beyond this range lie UTIME_NOW and UTIME_OMIT, and the numbers may come from a remote. */
    if (nanoseconds < 0 || nanoseconds > 999999999 || seconds != (int64_t)(time_t)seconds)
        return pond_fail_errno(err, EINVAL, path, "set modification time");
    const struct timespec times[2] = {
        { .tv_nsec = UTIME_OMIT },
        { .tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds },
    };
    int r;
    OS_CALL(r, OS_FAULT_WRITE, utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
    return r < 0 ? pond_fail_errno(err, errno, path, "set modification time") : 0;
}

static int fail_xattr(struct pond_error *err, int error, const char *path, const char *verb, const char *name)
{
    char what[XATTR_NAME_MAX + 64];
    (void)snprintf(what, sizeof what, "%s extended attribute %s", verb, name);
    if (error == ENODATA)
        return pond_fail_path(err, POND_ENOTFOUND, path, "%s: cannot %s: %s", path, what, strerror(error));
    if (error == EOPNOTSUPP)
        return pond_fail_path(err, POND_EUNSUPPORTED, path, "%s: cannot %s: %s", path, what, strerror(error));
    return pond_fail_errno(err, error, path, what);
}

/* The list of names (name NULL) or one value; as the system calls do, size 0 asks for the size. */
static ssize_t xattr_call(const char *path, const char *name, void *buf, size_t size)
{
    ssize_t n;
    if (name == NULL)
        OS_CALL(n, OS_FAULT_READ, llistxattr(path, buf, size));
    else
        OS_CALL(n, OS_FAULT_READ, lgetxattr(path, name, buf, size));
    return n;
}

/* Appends what xattr_call gives. 0, a buffer's error, or POND_EIO and *error the errno value. */
static int xattr_append(const char *path, const char *name, struct pond_buf *out, int *error)
{
    for (;;) {
        ssize_t size = xattr_call(path, name, NULL, 0);
        ssize_t n = size;
        if (size > 0) {
            if (pond_buf_reserve(out, (size_t)size) < 0)
                return out->error;
            n = xattr_call(path, name, out->data + out->size, (size_t)size);
        }
        if (n >= 0) {
            out->size += (size_t)n;
            return 0;
        }
        if (errno != ERANGE) { /* ERANGE: it has grown between the two calls; they end at XATTR_SIZE_MAX */
            *error = errno;
            return POND_EIO;
        }
    }
}

int os_xattr_list(const char *path, struct pond_buf *out, struct pond_error *err)
{
    int error = 0;
    int r = xattr_append(path, NULL, out, &error);
    if (r == 0 || error == EOPNOTSUPP)
        return 0;
    if (error != 0)
        return pond_fail_errno(err, error, path, "list extended attributes");
    return pond_buf_error(out, err);
}

int os_xattr_get(const char *path, const char *name, struct pond_buf *out, struct pond_error *err)
{
    assert(name != NULL);
    int error = 0;
    int r = xattr_append(path, name, out, &error);
    if (r == 0 || error == EOPNOTSUPP)
        return 0;
    return error != 0 ? fail_xattr(err, error, path, "read", name) : pond_buf_error(out, err);
}

int os_xattr_set(const char *path, const char *name, const void *value, size_t size, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, lsetxattr(path, name, value, size, 0));
    return r < 0 ? fail_xattr(err, errno, path, "set", name) : 0;
}

char *os_path_join(const char *dir, const char *name)
{
    size_t dir_size = strlen(dir);
    const char *slash = dir_size > 0 && dir[dir_size - 1] != '/' ? "/" : "";
    size_t size = dir_size + strlen(slash) + strlen(name) + 1;
    char *path = pond_alloc(size, 1);
    if (path != NULL)
        (void)snprintf(path, size, "%s%s%s", dir, slash, name);
    return path;
}

int os_absolute(const char *path, char **out, struct pond_error *err)
{
    char here[PATH_MAX];
    if (path[0] == '/') {
        *out = pond_strdup(path);
    } else {
        if (getcwd(here, sizeof here) == NULL)
            return pond_fail_errno(err, errno, path, "find the working directory");
        *out = os_path_join(here, path);
    }
    return *out != NULL ? 0 : pond_fail_nomem(err);
}
