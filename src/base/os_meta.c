/* Modes, owners, times and extended attributes of open files; names of users and groups. */
#include "base/os_at.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/os_fault.h"

int os_fd_chmod(int fd, const char *path, mode_t mode, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, fchmod(fd, mode));
    return r < 0 ? pond_fail_errno(err, errno, path, "set mode") : 0;
}

int os_fd_chown(int fd, const char *path, uid_t uid, gid_t gid, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, fchown(fd, uid, gid));
    return r < 0 ? pond_fail_errno(err, errno, path, "set owner") : 0;
}

int os_at_lchown(int dir_fd, const char *name, const char *path, uid_t uid, gid_t gid, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW));
    return r < 0 ? pond_fail_errno(err, errno, path, "set owner") : 0;
}

/* Beyond this range lie UTIME_NOW and UTIME_OMIT, and the numbers may come from a log. */
static bool time_fits(int64_t seconds, int64_t nanoseconds)
{
    return nanoseconds >= 0 && nanoseconds <= 999999999 && seconds == (int64_t)(time_t)seconds;
}

static void mtime_only(struct timespec times[2], int64_t seconds, int64_t nanoseconds)
{
    times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    times[1] = (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds};
}

int os_fd_set_mtime(int fd, const char *path, int64_t seconds, int64_t nanoseconds, struct pond_error *err)
{
    if (!time_fits(seconds, nanoseconds))
        return pond_fail_errno(err, EINVAL, path, "set modification time");
    struct timespec times[2];
    mtime_only(times, seconds, nanoseconds);
    int r;
    OS_CALL(r, OS_FAULT_WRITE, futimens(fd, times));
    return r < 0 ? pond_fail_errno(err, errno, path, "set modification time") : 0;
}

int os_at_set_mtime(int dir_fd, const char *name, const char *path, int64_t seconds, int64_t nanoseconds,
                    struct pond_error *err)
{
    if (!time_fits(seconds, nanoseconds))
        return pond_fail_errno(err, EINVAL, path, "set modification time");
    struct timespec times[2];
    mtime_only(times, seconds, nanoseconds);
    int r;
    OS_CALL(r, OS_FAULT_WRITE, utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW));
    return r < 0 ? pond_fail_errno(err, errno, path, "set modification time") : 0;
}

/* ---- extended attributes ---- */

/* There are no calls for an entry of a directory; /proc names it, and its last component is not followed. */
static void entry_path(int fd, const char *name, char out[NAME_MAX + 40])
{
    (void)snprintf(out, NAME_MAX + 40, "/proc/self/fd/%d/%.255s", fd, name);
}

/* As the system calls do, size 0 asks for the size; attribute NULL asks for the list. */
static ssize_t xattr_call(int fd, const char *name, const char *attribute, void *buf, size_t size)
{
    char path[NAME_MAX + 40];
    ssize_t n;
    if (name != NULL)
        entry_path(fd, name, path);
    if (attribute == NULL && name == NULL)
        OS_CALL(n, OS_FAULT_READ, flistxattr(fd, buf, size));
    else if (attribute == NULL)
        OS_CALL(n, OS_FAULT_READ, llistxattr(path, buf, size));
    else if (name == NULL)
        OS_CALL(n, OS_FAULT_READ, fgetxattr(fd, attribute, buf, size));
    else
        OS_CALL(n, OS_FAULT_READ, lgetxattr(path, attribute, buf, size));
    return n;
}

static int fail_xattr(struct pond_error *err, int error, const char *path, const char *verb, const char *attribute)
{
    char what[XATTR_NAME_MAX + 64];
    if (attribute == NULL)
        return pond_fail_errno(err, error, path, "list extended attributes");
    (void)snprintf(what, sizeof what, "%s extended attribute %s", verb, attribute);
    if (error == ENODATA)
        return pond_fail_path(err, POND_ENOTFOUND, path, "%s: cannot %s: %s", path, what, strerror(error));
    if (error == EOPNOTSUPP)
        return pond_fail_path(err, POND_EUNSUPPORTED, path, "%s: cannot %s: %s", path, what, strerror(error));
    return pond_fail_errno(err, error, path, what);
}

static int xattr_append(int fd, const char *name, const char *path, const char *attribute, struct pond_buf *out,
                        struct pond_error *err)
{
    for (;;) {
        ssize_t size = xattr_call(fd, name, attribute, NULL, 0);
        ssize_t n = size;
        if (size > 0) {
            if (pond_buf_reserve(out, (size_t)size) < 0)
                return pond_buf_error(out, err);
            n = xattr_call(fd, name, attribute, out->data + out->size, (size_t)size);
        }
        if (n >= 0) {
            out->size += (size_t)n;
            return 0;
        }
        if (errno == EOPNOTSUPP)
            return 0;
        if (errno != ERANGE) /* ERANGE: it has grown between the two calls; they end at XATTR_SIZE_MAX */
            return fail_xattr(err, errno, path, "read", attribute);
    }
}

int os_fd_xattr_list(int fd, const char *name, const char *path, struct pond_buf *out, struct pond_error *err)
{
    return xattr_append(fd, name, path, NULL, out, err);
}

int os_fd_xattr_get(int fd, const char *name, const char *path, const char *attribute, struct pond_buf *out,
                    struct pond_error *err)
{
    return xattr_append(fd, name, path, attribute, out, err);
}

int os_fd_xattr_set(int fd, const char *name, const char *path, const char *attribute, const void *value,
                    size_t size, struct pond_error *err)
{
    char entry[NAME_MAX + 40];
    int r;
    if (name != NULL) {
        entry_path(fd, name, entry);
        OS_CALL(r, OS_FAULT_WRITE, lsetxattr(entry, attribute, value, size, 0));
    } else {
        OS_CALL(r, OS_FAULT_WRITE, fsetxattr(fd, attribute, value, size, 0));
    }
    return r < 0 ? fail_xattr(err, errno, path, "set", attribute) : 0;
}

/* ---- users and groups ---- */

#define ACCOUNT_BUFFER 16384u /* entries of the account databases that are larger count as unknown */

static int copy_name(const char *name, char *out, size_t size)
{
    int n = snprintf(out, size, "%s", name);
    return n > 0 && (size_t)n < size;
}

int os_user_name(uid_t uid, char *out, size_t size)
{
    char buffer[ACCOUNT_BUFFER];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return 0;
    return copy_name(found->pw_name, out, size);
}

int os_group_name(gid_t gid, char *out, size_t size)
{
    char buffer[ACCOUNT_BUFFER];
    struct group entry;
    struct group *found = NULL;
    if (getgrgid_r(gid, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return 0;
    return copy_name(found->gr_name, out, size);
}

int os_user_id(const char *name, uid_t *out)
{
    char buffer[ACCOUNT_BUFFER];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwnam_r(name, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return 0;
    *out = found->pw_uid;
    return 1;
}

int os_group_id(const char *name, gid_t *out)
{
    char buffer[ACCOUNT_BUFFER];
    struct group entry;
    struct group *found = NULL;
    if (getgrnam_r(name, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return 0;
    *out = found->gr_gid;
    return 1;
}
