/* Open files: reading, writing, syncing, and what the kernel can do with their blocks. */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os_fault.h"

/* Most bytes per call: the kernel cuts at 2 GiB less one page. */
#define CALL_MAX ((size_t)1 << 30)

static size_t call_size(size_t left)
{
    return left < CALL_MAX ? left : CALL_MAX;
}

int os_openat(int dir_fd, const char *name, const char *path, int flags, mode_t mode, struct pond_error *err)
{
    int fd;
    OS_CALL(fd, os_open_kind(flags), openat(dir_fd, name, flags | O_CLOEXEC, mode));
    if (fd < 0)
        return pond_fail_errno(err, errno, path, (flags & O_CREAT) != 0 ? "create" : "open");
    return fd;
}

int os_open(const char *path, int flags, mode_t mode, struct pond_error *err)
{
    return os_openat(AT_FDCWD, path, path, flags, mode, err);
}

void os_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

int os_close_checked(int fd, const char *path, struct pond_error *err)
{
    int error = 0;
    bool faulty = os_fault(OS_FAULT_WRITE, &error);
    if (close(fd) < 0 && !faulty)
        error = errno;
    /* Whatever close returns, the descriptor is gone: it is not closed twice, not even after EINTR. */
    return error != 0 && error != EINTR ? pond_fail_errno(err, error, path, "close") : 0;
}

/* A descriptor handed to us may be non-blocking (a terminal, a pipe that ssh set so). True: try again. */
static bool wait_if_nonblocking(int fd, short events)
{
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return false;
    struct pollfd one = { .fd = fd, .events = events };
    int r;
    do
        r = poll(&one, 1, -1);
    while (r < 0 && errno == EINTR);
    return r > 0;
}

ssize_t os_read(int fd, const char *path, void *buf, size_t size, struct pond_error *err)
{
    assert(size <= (size_t)SSIZE_MAX);
    uint8_t *bytes = buf;
    size_t done = 0;
    while (done < size) {
        ssize_t n;
        OS_CALL(n, OS_FAULT_READ, read(fd, bytes + done, call_size(size - done)));
        if (n < 0) {
            if (wait_if_nonblocking(fd, POLLIN))
                continue;
            return pond_fail_errno(err, errno, path, "read");
        }
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* True when offset + size is a place a file can have. */
static bool offset_fits(uint64_t offset, size_t size)
{
    return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

ssize_t os_pread(int fd, const char *path, void *buf, size_t size, uint64_t offset, struct pond_error *err)
{
    if (!offset_fits(offset, size))
        return pond_fail_errno(err, EOVERFLOW, path, "read");
    uint8_t *bytes = buf;
    size_t done = 0;
    while (done < size) {
        ssize_t n;
        OS_CALL(n, OS_FAULT_READ,
                pread(fd, bytes + done, call_size(size - done), (off_t)(offset + done)));
        if (n < 0)
            return pond_fail_errno(err, errno, path, "read");
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int os_pread_exact(int fd, const char *path, void *buf, size_t size, uint64_t offset, struct pond_error *err)
{
    ssize_t n = os_pread(fd, path, buf, size, offset, err);
    if (n < 0)
        return (int)n;
    if ((size_t)n == size)
        return 0;
    struct stat st;
    uint64_t end = offset + (uint64_t)n;
    if (n == 0 && fstat(fd, &st) == 0) /* the end may lie well before offset */
        end = (uint64_t)st.st_size;
    return pond_fail_path(err, POND_ECORRUPT, path, "%s: file ends at %llu, %zu bytes expected at %llu", path,
                          (unsigned long long)end, size, (unsigned long long)offset);
}

int os_write(int fd, const char *path, const void *buf, size_t size, struct pond_error *err)
{
    const uint8_t *bytes = buf;
    size_t done = 0;
    while (done < size) {
        ssize_t n;
        OS_CALL(n, OS_FAULT_WRITE, write(fd, bytes + done, call_size(size - done)));
        if (n < 0 && wait_if_nonblocking(fd, POLLOUT))
            continue;
        if (n <= 0) /* 0 would be no progress, for ever */
            return pond_fail_errno(err, n < 0 ? errno : EIO, path, "write");
        done += (size_t)n;
    }
    return 0;
}

int os_pwrite(int fd, const char *path, const void *buf, size_t size, uint64_t offset, struct pond_error *err)
{
    if (!offset_fits(offset, size))
        return pond_fail_errno(err, EOVERFLOW, path, "write");
    const uint8_t *bytes = buf;
    size_t done = 0;
    while (done < size) {
        ssize_t n;
        OS_CALL(n, OS_FAULT_WRITE,
                pwrite(fd, bytes + done, call_size(size - done), (off_t)(offset + done)));
        if (n <= 0)
            return pond_fail_errno(err, n < 0 ? errno : EIO, path, "write");
        done += (size_t)n;
    }
    return 0;
}

int os_fsync(int fd, const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, fsync(fd));
    return r < 0 ? pond_fail_errno(err, errno, path, "sync") : 0;
}

int os_fdatasync(int fd, const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, fdatasync(fd));
    return r < 0 ? pond_fail_errno(err, errno, path, "sync") : 0;
}

int os_fsync_dir(const char *path, struct pond_error *err)
{
    int fd = os_open(path, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0)
        return fd;
    int r;
    OS_CALL(r, OS_FAULT_WRITE, fsync(fd));
    int error = errno;
    os_close(fd);
    /* EINVAL: this file system (CIFS, some FUSE) has no sync for directories; there is nothing more to do. */
    if (r < 0 && error != EINVAL)
        return pond_fail_errno(err, error, path, "sync directory");
    return 0;
}

int os_syncfs(int fd, const char *path, struct pond_error *err)
{
    int r;
    OS_CALL(r, OS_FAULT_WRITE, syncfs(fd));
    return r < 0 ? pond_fail_errno(err, errno, path, "sync file system") : 0;
}

int os_ftruncate(int fd, const char *path, uint64_t size, struct pond_error *err)
{
    if (size > INT64_MAX)
        return pond_fail_errno(err, EFBIG, path, "resize");
    int r;
    OS_CALL(r, OS_FAULT_WRITE, ftruncate(fd, (off_t)size));
    return r < 0 ? pond_fail_errno(err, errno, path, "resize") : 0;
}

/* Hints and questions without an error to report are not counted as faults. */

void os_fadvise_sequential(int fd)
{
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

void os_writeback_start(int fd, uint64_t offset, uint64_t size)
{
    (void)sync_file_range(fd, (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE);
}

void os_writeback_wait(int fd, uint64_t offset, uint64_t size)
{
    (void)sync_file_range(fd, (off_t)offset, (off_t)size,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

void os_fadvise_dontneed(int fd, uint64_t offset, uint64_t size)
{
    if (size != 0 && offset <= INT64_MAX && size <= INT64_MAX) /* size 0 would mean: to the end */
        (void)posix_fadvise(fd, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
}

/* The sample: at most this many windows, evenly spread; small files are covered whole. */
#define SAMPLE_WINDOWS 64u
#define SAMPLE_WINDOW_PAGES 64u

/* Adds the pages of one window and those of them in the page cache; nothing when the kernel won't tell. */
static void sample_window(int fd, uint64_t offset, size_t size, size_t page_size, unsigned *pages,
                          unsigned *resident)
{
    unsigned char in_core[SAMPLE_WINDOW_PAGES];
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)offset);
    if (map == MAP_FAILED)
        return;
    unsigned count = (unsigned)((size + page_size - 1) / page_size);
    if (mincore(map, size, in_core) == 0) {
        *pages += count;
        for (unsigned i = 0; i < count; i++)
            *resident += in_core[i] & 1u;
    }
    (void)munmap(map, size);
}

unsigned os_cached_256th(int fd, uint64_t size)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    size_t window_size = page_size * SAMPLE_WINDOW_PAGES;
    if (size > INT64_MAX)
        return 0;
    uint64_t windows = size / window_size + (size % window_size != 0);
    uint64_t samples = pond_min_u64(windows, SAMPLE_WINDOWS);
    unsigned pages = 0;
    unsigned resident = 0;
    for (uint64_t i = 0; i < samples; i++) {
        uint64_t offset = (windows / samples * i + windows % samples * i / samples) * window_size;
        sample_window(fd, offset, (size_t)pond_min_u64(window_size, size - offset), page_size, &pages, &resident);
    }
    return pages == 0 ? 0 : resident * 256u / pages;
}

int os_preallocate(int fd, const char *path, uint64_t size, struct pond_error *err)
{
    if (size > INT64_MAX)
        return pond_fail_errno(err, EFBIG, path, "reserve space");
    if (size == 0) /* the kernel would refuse it */
        return 0;
    int r;
    OS_CALL(r, OS_FAULT_WRITE, fallocate(fd, 0, 0, (off_t)size));
    if (r < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return pond_fail_errno(err, errno, path, "reserve space");
    return 0;
}

/* Refusals after which an ordinary copy may well succeed, or at least name the true reason. */
static bool clone_is_unsupported(int error)
{
    switch (error) {
    case EOPNOTSUPP:
    case EXDEV:
    case EINVAL:
    case ENOTTY:
    case ENOSYS:
    case EBADF:
    case EISDIR:
    case EPERM:
    case ETXTBSY:
        return true;
    default:
        return false;
    }
}

int os_clone_range(int src_fd, uint64_t src_offset, uint64_t size, int dst_fd, uint64_t dst_offset,
                   const char *dst_path, struct pond_error *err)
{
    if (size == 0) /* to the kernel 0 means: all the rest */
        return 1;
    struct file_clone_range range = {
        .src_fd = src_fd,
        .src_offset = src_offset,
        .src_length = size,
        .dest_offset = dst_offset,
    };
    int r;
    OS_CALL(r, OS_FAULT_WRITE, ioctl(dst_fd, FICLONERANGE, &range));
    if (r == 0)
        return 1;
    return clone_is_unsupported(errno) ? 0 : pond_fail_errno(err, errno, dst_path, "share blocks");
}

int os_fstat(int fd, const char *path, struct stat *out, struct pond_error *err)
{
    struct stat st;
    int r;
    OS_CALL(r, OS_FAULT_READ, fstat(fd, &st));
    if (r < 0)
        return pond_fail_errno(err, errno, path, "stat");
    *out = st;
    return 0;
}

int os_lock(const char *path, struct pond_error *err)
{
    int fd = os_open(path, O_RDWR | O_CREAT, 0666, err);
    if (fd < 0)
        return fd;
    int r;
    OS_CALL(r, OS_FAULT_READ, flock(fd, LOCK_EX | LOCK_NB));
    if (r == 0)
        return fd;
    int error = errno;
    os_close(fd);
    if (error == EWOULDBLOCK)
        return pond_fail_path(err, POND_ELOCKED, path, "%s: held by another writer", path);
    return pond_fail_errno(err, error, path, "lock");
}
