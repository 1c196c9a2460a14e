#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
    "ok",    "io",      "no_memory", "corrupt", "not_found", "exists",   "limit",       "unsupported",
    "usage", "no_pond", "locked",    "denied",  "diverged",  "interrupted", "failed",
};

const char *pond_code_name(int code)
{
    static_assert(sizeof(code_names) / sizeof(code_names[0]) == 1 - POND_EFAILED, "a name for each code");
    if (code > 0 || code < POND_EFAILED)
        return "failed";
    return code_names[-code];
}

const char *pond_version(void)
{
    return POND_VERSION;
}

static void set_message(struct pond_error *err, int code, const char *path, const char *format, va_list args)
{
    if (err == NULL)
        return;
    err->code = code;
    if (vsnprintf(err->message, sizeof(err->message), format, args) < 0)
        err->message[0] = '\0';
    snprintf(err->path, sizeof(err->path), "%s", path == NULL ? "" : path);
}

/* The names are macros too: the brackets keep those out. */
int (pond_fail)(struct pond_error *err, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_message(err, code, NULL, format, args);
    va_end(args);
    return code;
}

int (pond_fail_path)(struct pond_error *err, int code, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_message(err, code, path, format, args);
    va_end(args);
    return code;
}

static int code_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
        return POND_ENOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return POND_EDENIED;
    case EEXIST:
        return POND_EEXISTS;
    case ENOMEM:
        return POND_ENOMEM;
    default:
        return POND_EIO;
    }
}

int (pond_fail_errno)(struct pond_error *err, int errno_value, const char *path, const char *what)
{
    char reason_buf[128];
    const char *reason = strerror_r(errno_value, reason_buf, sizeof(reason_buf));
    return (pond_fail_path)(err, code_of_errno(errno_value), path, "%s: cannot %s: %s", path, what, reason);
}

int (pond_fail_nomem)(struct pond_error *err)
{
    return (pond_fail)(err, POND_ENOMEM, "out of memory");
}
