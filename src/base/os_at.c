/* Names and data relative to open directories and files. */
#include "base/os_at.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os_fault.h"
#include "base/text.h"

int os_at_open_read(int dir_fd, const char *name, const char *path, int flags, struct pond_error *err)
{
    flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd;
    OS_CALL(fd, OS_FAULT_READ, openat(dir_fd, name, flags | O_NOATIME));
    if (fd < 0 && errno == EPERM) /* only the owner may leave the access time alone */
        OS_CALL(fd, OS_FAULT_READ, openat(dir_fd, name, flags));
    return fd < 0 ? pond_fail_errno(err, errno, path, "open") : fd;
}

int os_at_readlink(int dir_fd, const char *name, const char *path, struct pond_buf *out, struct pond_error *err)
{
    char target[PATH_MAX + 1]; /* the kernel's longest is PATH_MAX - 1 */
    ssize_t n;
    OS_CALL(n, OS_FAULT_READ, readlinkat(dir_fd, name, target, sizeof target));
    if (n < 0)
        return pond_fail_errno(err, errno, path, "read symlink");
    if ((size_t)n == sizeof target)
        return pond_fail_errno(err, ENAMETOOLONG, path, "read symlink");
    (void)pond_buf_append(out, target, (size_t)n);
    return pond_buf_error(out, err);
}

bool os_fd_birth(int fd, int64_t *seconds, uint32_t *nanoseconds)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) != 0 || (st.stx_mask & STATX_BTIME) == 0)
        return false;
    *seconds = st.stx_btime.tv_sec;
    *nanoseconds = st.stx_btime.tv_nsec;
    return true;
}

void os_fd_start_writeback(int fd)
{
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* ---- listing ---- */

#define LIST_BUFFER ((size_t)64 << 10)

/* Appends each entry of one kernel buffer: type, name, NUL. */
static void take_entries(const char *buffer, size_t size, struct pond_buf *bytes, size_t *count)
{
    for (size_t at = 0; at < size;) {
        const struct dirent64 *entry = (const struct dirent64 *)(const void *)(buffer + at);
        const char *name = entry->d_name;
        at += entry->d_reclen;
        if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
            continue;
        (void)pond_buf_append_byte(bytes, entry->d_type);
        (void)pond_buf_append(bytes, name, strlen(name) + 1);
        ++*count;
    }
}

static int read_entries(int fd, const char *path, struct pond_buf *bytes, size_t *count, struct pond_error *err)
{
    char *buffer = pond_alloc(LIST_BUFFER, 1);
    if (buffer == NULL)
        return pond_fail_nomem(err);
    int r = lseek(fd, 0, SEEK_SET) < 0 ? pond_fail_errno(err, errno, path, "read directory") : 0;
    while (r == 0) {
        ssize_t n;
        OS_CALL(n, OS_FAULT_READ, getdents64(fd, buffer, LIST_BUFFER));
        if (n < 0)
            r = pond_fail_errno(err, errno, path, "read directory");
        if (n <= 0)
            break;
        take_entries(buffer, (size_t)n, bytes, count);
        r = pond_buf_error(bytes, err);
    }
    pond_free(buffer);
    return r;
}

static int compare_offsets(const void *a, const void *b, void *bytes)
{
    return strcmp((const char *)bytes + *(const uint32_t *)a, (const char *)bytes + *(const uint32_t *)b);
}

int os_fd_names(int fd, const char *path, struct os_names *out, struct pond_error *err)
{
    struct pond_buf bytes;
    size_t count = 0;
    pond_buf_init(&bytes, UINT32_MAX); /* offsets are 32 bits wide */
    int r = read_entries(fd, path, &bytes, &count, err);
    uint32_t *offsets = r == 0 ? pond_alloc(count, sizeof *offsets) : NULL;
    if (offsets == NULL) {
        r = r == 0 ? pond_fail_nomem(err) : r;
        pond_buf_release(&bytes);
        return r;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        offsets[i] = (uint32_t)at + 1;
        at += 1 + strlen((const char *)bytes.data + at + 1) + 1;
    }
    assert(at == bytes.size);
    if (count > 1)
        qsort_r(offsets, count, sizeof *offsets, compare_offsets, bytes.data);
    *out = (struct os_names){.bytes = (char *)bytes.data, .offsets = offsets, .count = count};
    return 0;
}

void os_names_release(struct os_names *names)
{
    pond_free(names->bytes);
    pond_free(names->offsets);
    *names = (struct os_names){0};
}

/* ---- making and removing names ---- */

int os_at_mkdir(int dir_fd, const char *name, const char *path, mode_t mode, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, mkdirat(dir_fd, name, mode));
    return r < 0 ? pond_fail_errno(err, errno, path, "create directory") : 0;
}

int os_at_unlink(int dir_fd, const char *name, const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, unlinkat(dir_fd, name, 0));
    return r < 0 ? pond_fail_errno(err, errno, path, "remove") : 0;
}

int os_at_rmdir(int dir_fd, const char *name, const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, unlinkat(dir_fd, name, AT_REMOVEDIR));
    return r < 0 ? pond_fail_errno(err, errno, path, "remove directory") : 0;
}

int os_at_rename(int dir_fd, const char *from, const char *to, const char *to_path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, renameat(dir_fd, from, dir_fd, to));
    return r < 0 ? pond_fail_errno(err, errno, to_path, "create") : 0;
}

/* ".pond-<uuid>"; not kept apart from other names by anything but its randomness. */
static void temporary_name(char out[40])
{
    uint8_t uuid[16];
    char text[POND_UUID_TEXT_SIZE];
    pond_uuid7(uuid);
    pond_uuid_format(uuid, text);
    (void)snprintf(out, 40, ".pond-%.28s.tmp", text + 8);
}

/* The entry under its temporary name takes its place. rename leaves both names when they are links of one file. */
static int move_into_place(int dir_fd, const char *temporary, const char *name, const char *path,
                           struct pond_error *err)
{
    int r = os_at_rename(dir_fd, temporary, name, path, err);
    (void)unlinkat(dir_fd, temporary, 0);
    return r;
}

int os_at_symlink(const char *target, int dir_fd, const char *name, const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, symlinkat(target, dir_fd, name));
    if (r == 0)
        return 0;
    if (errno != EEXIST)
        return pond_fail_errno(err, errno, path, "create symlink");
    char temporary[40];
    temporary_name(temporary);
    OS_CALL(r, OS_FAULT_WRITE, symlinkat(target, dir_fd, temporary));
    if (r < 0)
        return pond_fail_errno(err, errno, path, "create symlink");
    return move_into_place(dir_fd, temporary, name, path, err);
}

static bool has_no_tmpfile(int error)
{
    return error == EOPNOTSUPP || error == EISDIR || error == ENOENT || error == EINVAL || error == ENOSYS;
}

int os_at_create_new(int dir_fd, const char *path, struct os_new_file *out, struct pond_error *err)
{
    struct os_new_file file = {.fd = -1};
    OS_CALL(file.fd, OS_FAULT_WRITE, openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file.fd < 0 && has_no_tmpfile(errno)) {
        temporary_name(file.name);
        OS_CALL(file.fd, OS_FAULT_WRITE,
                openat(dir_fd, file.name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    }
    if (file.fd < 0)
        return pond_fail_errno(err, errno, path, "create");
    *out = file;
    return 0;
}

/* 0, or -1 and errno. A file without a name can be linked by its descriptor alone where the kernel trusts its opener,
 * by way of /proc otherwise. */
static int link_descriptor(int fd, int dir_fd, const char *name)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, linkat(fd, "", dir_fd, name, AT_EMPTY_PATH));
    if (r == 0 || errno != ENOENT)
        return r;
    char proc[32];
    (void)snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    OS_CALL(r, OS_FAULT_WRITE, linkat(AT_FDCWD, proc, dir_fd, name, AT_SYMLINK_FOLLOW));
    return r;
}

int os_at_link_fd(int fd, int dir_fd, const char *name, const char *path, struct pond_error *err)
{
    if (link_descriptor(fd, dir_fd, name) == 0)
        return 0;
    if (errno != EEXIST)
        return pond_fail_errno(err, errno, path, "create");
    char temporary[40];
    temporary_name(temporary);
    if (link_descriptor(fd, dir_fd, temporary) < 0)
        return pond_fail_errno(err, errno, path, "create");
    return move_into_place(dir_fd, temporary, name, path, err);
}

int os_at_publish(int dir_fd, const char *name, const char *path, struct os_new_file *file, struct pond_error *err)
{
    int r = file->name[0] == '\0' ? os_at_link_fd(file->fd, dir_fd, name, path, err)
                                  : os_at_rename(dir_fd, file->name, name, path, err);
    if (r < 0)
        return r; /* still the caller's to discard */
    r = os_close_checked(file->fd, path, err);
    file->fd = -1;
    return r;
}

void os_at_discard(int dir_fd, struct os_new_file *file)
{
    if (file->fd < 0)
        return;
    os_close(file->fd);
    if (file->name[0] != '\0')
        (void)unlinkat(dir_fd, file->name, 0);
    file->fd = -1;
}
