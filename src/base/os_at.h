/* base/os_at.h - calls relative to an open directory, or on an open file: for walking trees that others may change
 * meanwhile. A directory is resolved once, when it is opened; no symlink is followed in the last component.
 *
 * As in base/os.h: 0 (or a count) or a negative POND_E* with a message; `path` serves only for messages.
 */
#ifndef BASE_OS_AT_H
#define BASE_OS_AT_H

#include "base/os.h"

/* Opens for reading without touching the access time, where the kernel permits that. Never follows a symlink, never
 * waits for a fifo's writer. flags: 0 or O_DIRECTORY. */
POND_CHECKED int os_at_open_read(int dir_fd, const char *name, const char *path, int flags, struct pond_error *err);
/* Appends a symlink's target. */
POND_CHECKED int os_at_readlink(int dir_fd, const char *name, const char *path, struct pond_buf *out,
                                struct pond_error *err);
/* Seconds and nanoseconds of birth; false where the file system keeps none. */
bool os_fd_birth(int fd, int64_t *seconds, uint32_t *nanoseconds);

/* Lets the kernel begin to write what a file holds, so that a later sync waits for less. A hint. */
void os_fd_start_writeback(int fd);

/* The names of an open directory, sorted by bytes. Each is preceded by its DT_* type. */
struct os_names {
    char *bytes;
    uint32_t *offsets; /* of each name in bytes */
    size_t count;
};
POND_CHECKED int os_fd_names(int fd, const char *path, struct os_names *out, struct pond_error *err);
void os_names_release(struct os_names *names);
static inline const char *os_name_at(const struct os_names *names, size_t index)
{
    return names->bytes + names->offsets[index];
}
static inline unsigned char os_name_type(const struct os_names *names, size_t index)
{
    return (unsigned char)names->bytes[names->offsets[index] - 1];
}

POND_CHECKED int os_at_mkdir(int dir_fd, const char *name, const char *path, mode_t mode, struct pond_error *err);
POND_CHECKED int os_at_symlink(const char *target, int dir_fd, const char *name, const char *path,
                               struct pond_error *err);
POND_CHECKED int os_at_unlink(int dir_fd, const char *name, const char *path, struct pond_error *err);
POND_CHECKED int os_at_rmdir(int dir_fd, const char *name, const char *path, struct pond_error *err);
/* Replaces what is at `to`. */
POND_CHECKED int os_at_rename(int dir_fd, const char *from, const char *to, const char *to_path,
                              struct pond_error *err);

/* A file that has no final name yet. Without a name at all where the file system can (then a crash leaves nothing),
 * else as a hidden temporary in the directory. */
struct os_new_file {
    int fd;            /* open for reading and writing */
    char name[40];     /* of the temporary; "": it has none */
};
POND_CHECKED int os_at_create_new(int dir_fd, const char *path, struct os_new_file *out, struct pond_error *err);
/* Gives it its name, at once and whole, replacing a file (never a directory) that is there, and closes it. */
POND_CHECKED int os_at_publish(int dir_fd, const char *name, const char *path, struct os_new_file *file,
                               struct pond_error *err);
void os_at_discard(int dir_fd, struct os_new_file *file);
/* One more name for an open file (O_PATH will do), replacing a file that is there. */
POND_CHECKED int os_at_link_fd(int fd, int dir_fd, const char *name, const char *path, struct pond_error *err);

POND_CHECKED int os_fd_chmod(int fd, const char *path, mode_t mode, struct pond_error *err);
POND_CHECKED int os_fd_chown(int fd, const char *path, uid_t uid, gid_t gid, struct pond_error *err);
POND_CHECKED int os_fd_set_mtime(int fd, const char *path, int64_t seconds, int64_t nanoseconds,
                                 struct pond_error *err);
POND_CHECKED int os_at_lchown(int dir_fd, const char *name, const char *path, uid_t uid, gid_t gid,
                              struct pond_error *err);
POND_CHECKED int os_at_set_mtime(int dir_fd, const char *name, const char *path, int64_t seconds,
                                 int64_t nanoseconds, struct pond_error *err);

/* Extended attributes of an open file, or with a name of the entry `name` in the directory fd (a symlink's own).
 * Not supported by the file system: none. */
POND_CHECKED int os_fd_xattr_list(int fd, const char *name, const char *path, struct pond_buf *out,
                                  struct pond_error *err);
POND_CHECKED int os_fd_xattr_get(int fd, const char *name, const char *path, const char *attribute,
                                 struct pond_buf *out, struct pond_error *err);
POND_CHECKED int os_fd_xattr_set(int fd, const char *name, const char *path, const char *attribute,
                                 const void *value, size_t size, struct pond_error *err);

/* Names of users and groups, by number and back. 1 known, 0 not. `out` is NUL-terminated. */
POND_CHECKED int os_user_name(uid_t uid, char *out, size_t size);
POND_CHECKED int os_group_name(gid_t gid, char *out, size_t size);
POND_CHECKED int os_user_id(const char *name, uid_t *out);
POND_CHECKED int os_group_id(const char *name, gid_t *out);

#endif
