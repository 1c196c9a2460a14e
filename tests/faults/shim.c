/* Preloaded into the command by sqlite.sh and order.sh: sees the calls that do not pass through base/os.h, those of SQLite.
 *
 *     POND_SHIM=kill:N | ENOSPC:N | EIO:N   what happens instead of the N-th call that writes to a file of SQLite's
 *     POND_SHIM_COUNT=FILE                  their number, at exit
 *     POND_SHIM_TRACE=FILE                  all calls that write, as lines: what, path, second path, separated by tabs
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_ulong counted;
static unsigned long fault_at;
static int fault_errno; /* 0: kill */
static int trace_fd = -1;

__attribute__((constructor)) static void shim_start(void)
{
    const char *spec = getenv("POND_SHIM"), *trace = getenv("POND_SHIM_TRACE");
    const char *colon = spec != NULL ? strchr(spec, ':') : NULL;
    if (colon != NULL) {
        fault_at = strtoul(colon + 1, NULL, 10);
        fault_errno = spec[0] == 'k' ? 0 : strncmp(spec, "ENOSPC", 6) == 0 ? ENOSPC : EIO;
    }
    if (trace != NULL)
        trace_fd = (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

__attribute__((destructor)) static void shim_end(void)
{
    const char *path = getenv("POND_SHIM_COUNT");
    char text[32];
    if (path == NULL)
        return;
    int size = snprintf(text, sizeof text, "%lu\n", atomic_load(&counted));
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    (void)!syscall(SYS_write, fd, text, (size_t)size);
}

static void absolute(const char *path, char out[PATH_MAX])
{
    char here[PATH_MAX] = "";
    if (path[0] == '/' || getcwd(here, sizeof here) == NULL)
        (void)snprintf(out, PATH_MAX, "%s", path);
    else
        (void)snprintf(out, PATH_MAX, "%.*s/%.*s", PATH_MAX / 2 - 2, here, PATH_MAX / 2 - 2, path);
}

static void path_of(int fd, char out[PATH_MAX])
{
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, out, PATH_MAX - 1);
    out[size < 0 ? 0 : size] = '\0';
}

/* True: the call must not be made; errno is set. */
static bool meets(const char *what, const char *path, const char *second)
{
    int saved = errno;
    if (trace_fd >= 0) {
        char line[2 * PATH_MAX + 64];
        int size = snprintf(line, sizeof line, "%s\t%s\t%s\n", what, path, second);
        (void)!syscall(SYS_write, trace_fd, line, (size_t)size);
    }
    errno = saved;
    if (strstr(path, ".sqlite") == NULL || atomic_fetch_add(&counted, 1) + 1 != fault_at)
        return false;
    if (fault_errno == 0)
        (void)raise(SIGKILL);
    errno = fault_errno;
    return true;
}

static bool meets_fd(const char *what, int fd)
{
    char path[PATH_MAX];
    path_of(fd, path);
    return meets(what, path, "");
}

static bool meets_path(const char *what, const char *path, const char *second)
{
    char a[PATH_MAX], b[PATH_MAX] = "";
    absolute(path, a);
    if (second != NULL)
        absolute(second, b);
    return meets(what, a, b);
}

#define REAL(type, name, ...)                             \
    static type (*real)(__VA_ARGS__);                     \
    if (real == NULL)                                     \
        *(void **)&real = dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    return fd > STDERR_FILENO && meets_fd("write", fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return meets_fd("write", fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return meets_fd("write", fd) ? -1 : real(fd, data, size, at);
}

int ftruncate(int fd, off_t size)
{
    REAL(int, "ftruncate", int, off_t);
    return meets_fd("write", fd) ? -1 : real(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(int, "ftruncate64", int, off64_t);
    return meets_fd("write", fd) ? -1 : real(fd, size);
}

int ioctl(int fd, unsigned long request, ...)
{
    REAL(int, "ioctl", int, unsigned long, void *);
    va_list args;
    va_start(args, request);
    void *argument = va_arg(args, void *);
    va_end(args);
    /* FICLONE and FICLONERANGE are the only ones that write. */
    return (request & 0xff00) == 0x9400 && meets_fd("write", fd) ? -1 : real(fd, request, argument);
}

int fsync(int fd)
{
    REAL(int, "fsync", int);
    return meets_fd("sync", fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    REAL(int, "fdatasync", int);
    return meets_fd("sync", fd) ? -1 : real(fd);
}

int syncfs(int fd)
{
    REAL(int, "syncfs", int);
    return meets_fd("syncfs", fd) ? -1 : real(fd);
}

int unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    return meets_path("unlink", path, NULL) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(int, "mkdir", const char *, mode_t);
    struct stat st;
    return stat(path, &st) != 0 && meets_path("mkdir", path, NULL) ? -1 : real(path, mode);
}

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    return meets_path("rename", from, to) ? -1 : real(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
    return meets_path("rename", from, to) ? -1 : real(from_dir, from, to_dir, to, flags);
}

#define OPEN(name, type, parameters, path, arguments)                                        \
    int name parameters                                                                      \
    {                                                                                        \
        REAL(int, #name, type);                                                              \
        va_list args;                                                                        \
        va_start(args, flags);                                                               \
        mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;                     \
        va_end(args);                                                                        \
        return (flags & O_CREAT) != 0 && meets_path("create", path, NULL) ? -1 : real arguments; \
    }
#define COMMA ,
OPEN(open, const char * COMMA int COMMA mode_t, (const char *path, int flags, ...), path, (path, flags, mode))
OPEN(open64, const char * COMMA int COMMA mode_t, (const char *path, int flags, ...), path, (path, flags, mode))
OPEN(openat, int COMMA const char * COMMA int COMMA mode_t, (int dir, const char *path, int flags, ...), path,
     (dir, path, flags, mode))
OPEN(openat64, int COMMA const char * COMMA int COMMA mode_t, (int dir, const char *path, int flags, ...), path,
     (dir, path, flags, mode))
