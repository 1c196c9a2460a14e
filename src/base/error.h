/* base/error.h - setting a pond_error, once, at the place where the failure is found. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <pond/error.h>

/* Sets code and message; returns code, so that a failure is one line:
 *     return pond_fail(err, POND_ECORRUPT, "%s: page at %llu: ...", name, ...);
 * Messages never end in a full stop or a newline. err may be NULL. */
int pond_fail(struct pond_error *err, int code, const char *format, ...) POND_PRINTF(3, 4);

/* The same for a failure of one path: err->path is set; the message should still name it. */
int pond_fail_path(struct pond_error *err, int code, const char *path, const char *format, ...)
    POND_PRINTF(4, 5);

/* For a failed OS call: maps errno_value (ENOENT -> NOT_FOUND; EACCES, EPERM, EROFS -> DENIED;
 * EEXIST -> EXISTS; ENOMEM -> NOMEM; else IO) and makes the message "PATH: cannot WHAT: strerror". */
int pond_fail_errno(struct pond_error *err, int errno_value, const char *path, const char *what);

/* Out of memory. */
int pond_fail_nomem(struct pond_error *err);

/* The same calls, in a form that shows compilers and analyzers in the caller that the result is negative; else they warn of
 * paths that go on after a failure. */
#define POND_NEGATIVE(...) /* for a layer's own calls of this kind, which must never return 0 or more */ \
    __extension__({                                                                                     \
        const int pond_negative_ = (__VA_ARGS__);                                                       \
        if (pond_negative_ >= 0)                                                                        \
            __builtin_unreachable();                                                                    \
        pond_negative_;                                                                                 \
    })
#define pond_fail(err, code, ...)                        \
    __extension__({                                      \
        const int pond_code_ = (code);                   \
        (void)(pond_fail)(err, pond_code_, __VA_ARGS__); \
        pond_code_;                                      \
    })
#define pond_fail_path(err, code, path, ...)                        \
    __extension__({                                                 \
        const int pond_code_ = (code);                              \
        (void)(pond_fail_path)(err, pond_code_, path, __VA_ARGS__); \
        pond_code_;                                                 \
    })
#define pond_fail_errno(err, errno_value, path, what) \
    POND_NEGATIVE((pond_fail_errno)(err, errno_value, path, what))
#define pond_fail_nomem(err)          \
    __extension__({                   \
        (void)(pond_fail_nomem)(err); \
        (int)POND_ENOMEM;             \
    })

#define POND_TRY(expr)                \
    do {                              \
        int pond_try_r_ = (expr);     \
        if (pond_try_r_ < 0)          \
            return pond_try_r_;       \
    } while (0)

#endif
