/* base/os.h - every call to the operating system that touches files. No other layer calls open, write, fsync,
 * rename and their like directly, so that a test can make the n-th one fail or kill the process there.
 *
 * All calls return 0 (or a count) or a negative POND_E*, with a message "PATH: cannot WHAT: reason"; EINTR is
 * retried, short reads and writes are continued. `path` arguments beside an fd serve only for messages.
 *
 * Faults (only in objects compiled with POND_FAULTS, never in the released library): the environment variable
 * POND_FAULT=ACTION:N[:MASK] with ACTION `kill` (SIGKILL to itself before the call), or an errno name such as
 * `ENOSPC`, `EIO`; N counts from 1 the calls in MASK (only the N-th fails; 0: none, they are but counted): `w` the
 * calls that write, sync or change names (default), `r` the ones that only look, `rw` all. POND_FAULT_COUNT=FILE: at
 * exit, the number of counted calls is written to FILE. What is not understood ends the process with 99.
 */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/mem.h"

#define OS_BLOCK 4096u /* alignment for reflinks, mmap and direct I/O */

/* flags as open(2); O_CLOEXEC is always added. The fd is returned (>= 0). */
POND_CHECKED int os_open(const char *path, int flags, mode_t mode, struct pond_error *err);
POND_CHECKED int os_openat(int dir_fd, const char *name, const char *path, int flags, mode_t mode,
                           struct pond_error *err);
void os_close(int fd); /* fd < 0: nothing; errors ignored (data was synced or does not matter) */
/* For files just written: a failing close is a failed write. */
POND_CHECKED int os_close_checked(int fd, const char *path, struct pond_error *err);

/* Reads up to size bytes; fewer only at end of file. Returns the count. */
POND_CHECKED ssize_t os_read(int fd, const char *path, void *buf, size_t size, struct pond_error *err);
POND_CHECKED ssize_t os_pread(int fd, const char *path, void *buf, size_t size, uint64_t offset,
                              struct pond_error *err);
/* Exactly size bytes, else POND_ECORRUPT "PATH: file ends at ... , ... bytes expected at ...". */
POND_CHECKED int os_pread_exact(int fd, const char *path, void *buf, size_t size, uint64_t offset,
                                struct pond_error *err);
POND_CHECKED int os_write(int fd, const char *path, const void *buf, size_t size, struct pond_error *err);
POND_CHECKED int os_pwrite(int fd, const char *path, const void *buf, size_t size, uint64_t offset,
                           struct pond_error *err);

POND_CHECKED int os_fsync(int fd, const char *path, struct pond_error *err);
POND_CHECKED int os_fdatasync(int fd, const char *path, struct pond_error *err);
POND_CHECKED int os_fsync_dir(const char *path, struct pond_error *err);   /* opens, syncs, closes */
POND_CHECKED int os_syncfs(int fd, const char *path, struct pond_error *err);
POND_CHECKED int os_ftruncate(int fd, const char *path, uint64_t size, struct pond_error *err);

void os_fadvise_sequential(int fd);
void os_fadvise_dontneed(int fd, uint64_t offset, uint64_t size);
/* Writing behind: the kernel begins to write the range's dirty pages; and does so and waits for them. Hints: a failed write is
 * told by the sync that follows. */
void os_writeback_start(int fd, uint64_t offset, uint64_t size);
void os_writeback_wait(int fd, uint64_t offset, uint64_t size);
/* How many of the file's bytes the page cache holds, in 1/256: 0 none, 256 all (by mincore over a sample). */
unsigned os_cached_256th(int fd, uint64_t size);
/* Reserves space up to size and makes the file that long (zeros); not supported: 0 all the same, nothing changed. A full disk fails
 * here, early. */
POND_CHECKED int os_preallocate(int fd, const char *path, uint64_t size, struct pond_error *err);

/* Shares blocks (FICLONERANGE). Returns 1 done, 0 the file system (pair) can't; offsets and size multiples of
 * OS_BLOCK, except that a range reaching the source's end may have a ragged size. */
POND_CHECKED int os_clone_range(int src_fd, uint64_t src_offset, uint64_t size, int dst_fd, uint64_t dst_offset,
                                const char *dst_path, struct pond_error *err);

POND_CHECKED int os_stat(const char *path, struct stat *out, struct pond_error *err);
POND_CHECKED int os_lstat(const char *path, struct stat *out, struct pond_error *err);
POND_CHECKED int os_fstat(int fd, const char *path, struct stat *out, struct pond_error *err);
POND_CHECKED int os_lstatat(int dir_fd, const char *name, const char *path, struct stat *out,
                            struct pond_error *err);
/* true: there. Any failure but ENOENT and ENOTDIR is an error (-). Returns 1, 0 or negative. Symlinks are followed:
 * one that leads nowhere is 0. */
POND_CHECKED int os_exists(const char *path, struct pond_error *err);

POND_CHECKED int os_mkdir(const char *path, mode_t mode, struct pond_error *err);  /* EXISTS is an error */
/* Makes path and its missing parents; one that is there is fine. Does not sync. */
POND_CHECKED int os_mkdirs(const char *path, mode_t mode, struct pond_error *err);
POND_CHECKED int os_rmdir(const char *path, struct pond_error *err);
POND_CHECKED int os_unlink(const char *path, struct pond_error *err);
/* Atomic, never replaces: POND_EEXISTS when `to` is there. renameat2(RENAME_NOREPLACE), else link + unlink. */
POND_CHECKED int os_rename_noreplace(const char *from, const char *to, struct pond_error *err);
POND_CHECKED int os_rename(const char *from, const char *to, struct pond_error *err); /* replaces */
POND_CHECKED int os_symlink(const char *target, const char *path, struct pond_error *err);
POND_CHECKED int os_link(const char *from, const char *to, struct pond_error *err);
/* Appends the target's bytes. */
POND_CHECKED int os_readlink(const char *path, struct pond_buf *out, struct pond_error *err);

POND_CHECKED int os_chmod(const char *path, mode_t mode, struct pond_error *err);
POND_CHECKED int os_lchown(const char *path, uid_t uid, gid_t gid, struct pond_error *err);
/* mtime of the path itself (symlinks are not followed); atime is left. */
POND_CHECKED int os_set_mtime(const char *path, int64_t seconds, int64_t nanoseconds, struct pond_error *err);
/* Names: NUL-terminated, appended to out. Values: appended; POND_ENOTFOUND when there is none of that name. Not
 * supported by the file system: nothing, 0; but setting one is then POND_EUNSUPPORTED. Symlinks are not followed. */
POND_CHECKED int os_xattr_list(const char *path, struct pond_buf *out, struct pond_error *err);
POND_CHECKED int os_xattr_get(const char *path, const char *name, struct pond_buf *out, struct pond_error *err);
POND_CHECKED int os_xattr_set(const char *path, const char *name, const void *value, size_t size,
                              struct pond_error *err);

/* Walks a directory's names, without "." and "..", in the order the kernel gives. */
struct os_dir;
POND_CHECKED int os_dir_open(const char *path, struct os_dir **out, struct pond_error *err);
/* 1: *name (valid until the next call; *type a DT_* value, DT_UNKNOWN possible), 0: end. */
POND_CHECKED int os_dir_next(struct os_dir *dir, const char **name, unsigned char *type, struct pond_error *err);
void os_dir_close(struct os_dir *dir);
/* All names of a directory sorted by bytes, as one NULL-terminated block: free with pond_free. *count names. */
POND_CHECKED int os_dir_sorted(const char *path, char ***out, size_t *count, struct pond_error *err);
/* Removes everything below path and path itself. Symlinks are removed, not followed. Any depth, in bounded memory. */
POND_CHECKED int os_remove_tree(const char *path, struct pond_error *err);

/* An exclusive advisory lock; POND_ELOCKED when another process (or open file) holds it. The fd is returned;
 * closing it, or dying, frees the lock. The file is created when missing. */
POND_CHECKED int os_lock(const char *path, struct pond_error *err);

/* Appends a whole small file. POND_ELIMIT over max bytes; on failure out holds what it held. */
POND_CHECKED int os_read_file(const char *path, size_t max, struct pond_buf *out, struct pond_error *err);
/* Durable, atomic, replacing: temporary beside it, fsync, rename, fsync of the directory. For local state. The
 * mode of the old file is kept. A process that dies may leave its temporary, "PATH.<16 hex>.tmp". */
POND_CHECKED int os_replace_file(const char *path, const void *bytes, size_t size, struct pond_error *err);
/* Durable, atomic, never replacing: tmp_path is written, synced, renamed (noreplace), the directory synced.
 * POND_EEXISTS: another was first (tmp_path is gone). A leftover under tmp_path is removed first. When only the last
 * step, the directory's sync, fails, path is there all the same. Invariants 1 and 3. */
POND_CHECKED int os_install_file(const char *tmp_path, const char *path, const void *bytes, size_t size,
                                 struct pond_error *err);

/* path behind the working directory, unless it is absolute, in fresh memory (pond_free). Nothing is resolved. */
POND_CHECKED int os_absolute(const char *path, char **out, struct pond_error *err);

/* "dir/name" in fresh memory (pond_free); NULL: out of memory. */
char *os_path_join(const char *dir, const char *name);

#endif
