/* Fault injection for tests (base/os.h says how it is asked for). Empty in ordinary builds. */
#include "base/os_fault.h"

#ifdef POND_FAULTS

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Written before any thread exists (at program start, or by os_fault_set); only the counter changes later. */
static struct {
    bool kill;
    int error;
    unsigned long at; /* the call that fails, from 1; 0: none */
    bool reads;
    bool writes;
} fault = { .writes = true };
static atomic_ulong counted;
static char count_path[4096];

static const struct {
    const char *name;
    int value;
} errno_names[] = {
    { "EACCES", EACCES }, { "EAGAIN", EAGAIN }, { "EBUSY", EBUSY },   { "EDQUOT", EDQUOT },
    { "EEXIST", EEXIST }, { "EFBIG", EFBIG },   { "EINTR", EINTR },   { "EINVAL", EINVAL },
    { "EIO", EIO },       { "ELOOP", ELOOP },   { "EMFILE", EMFILE }, { "ENODEV", ENODEV },
    { "ENOENT", ENOENT }, { "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "ENOSYS", ENOSYS },
    { "ENOTDIR", ENOTDIR }, { "ENOTEMPTY", ENOTEMPTY }, { "EOPNOTSUPP", EOPNOTSUPP }, { "EPERM", EPERM },
    { "EPIPE", EPIPE },   { "EROFS", EROFS },   { "ESTALE", ESTALE }, { "EXDEV", EXDEV },
};

static int errno_by_name(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof errno_names / sizeof *errno_names; i++)
        if (strlen(errno_names[i].name) == size && memcmp(errno_names[i].name, name, size) == 0)
            return errno_names[i].value;
    return 0;
}

bool os_fault_set(const char *spec)
{
    bool kill_self = false;
    bool reads = false;
    bool writes = true;
    int error = 0;
    unsigned long at = 0;
    if (spec != NULL) {
        const char *colon = strchr(spec, ':');
        if (colon == NULL || colon[1] < '0' || colon[1] > '9')
            return false;
        size_t size = (size_t)(colon - spec);
        kill_self = size == 4 && memcmp(spec, "kill", 4) == 0;
        error = kill_self ? 0 : errno_by_name(spec, size);
        char *rest = NULL;
        at = strtoul(colon + 1, &rest, 10);
        if (!kill_self && error == 0)
            return false;
        if (*rest == ':') {
            rest++;
            if (*rest == '\0' || rest[strspn(rest, "rw")] != '\0')
                return false;
            reads = strchr(rest, 'r') != NULL;
            writes = strchr(rest, 'w') != NULL;
        } else if (*rest != '\0') {
            return false;
        }
    }
    fault.kill = kill_self;
    fault.error = error;
    fault.at = at;
    fault.reads = reads;
    fault.writes = writes;
    atomic_store(&counted, 0);
    return true;
}

unsigned long os_fault_count(void)
{
    return atomic_load(&counted);
}

bool os_fault(enum os_fault_kind kind, int *errno_out)
{
    if (kind == OS_FAULT_READ ? !fault.reads : !fault.writes)
        return false;
    if (atomic_fetch_add(&counted, 1) + 1 != fault.at)
        return false;
    if (fault.kill)
        (void)raise(SIGKILL);
    *errno_out = fault.error;
    return true;
}

static void write_count(void)
{
    FILE *file = fopen(count_path, "we");
    if (file == NULL || fprintf(file, "%lu\n", os_fault_count()) < 0 || fclose(file) != 0) {
        (void)fprintf(stderr, "POND_FAULT_COUNT: cannot write %s\n", count_path);
        _exit(99);
    }
}

/* A request that is not understood must not pass for a run without faults: it ends the process. */
__attribute__((constructor)) static void configure(void)
{
    const char *spec = getenv("POND_FAULT");
    if (spec != NULL && !os_fault_set(spec)) {
        (void)fprintf(stderr, "POND_FAULT: not ACTION:N[:MASK]: %s\n", spec);
        _exit(99);
    }
    const char *path = getenv("POND_FAULT_COUNT");
    if (path == NULL)
        return;
    int size = snprintf(count_path, sizeof count_path, "%s", path);
    if (size < 0 || (size_t)size >= sizeof count_path || atexit(write_count) != 0) {
        (void)fprintf(stderr, "POND_FAULT_COUNT: cannot use %s\n", path);
        _exit(99);
    }
}

#else
typedef int os_fault_is_not_compiled_in; /* ISO C wants something in every file */
#endif
