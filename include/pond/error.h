/* pond/error.h - how every call of libpond reports failure.
 *
 * A call returns 0 (or a non-negative count, where its comment says so) on success and one of the negative
 * codes below on failure. Where the call takes a `struct pond_error *`, it may be NULL; otherwise it receives
 * the same code, one message made at the origin (it names the file, the place and what was found) and, where
 * one file or path is concerned, that path. Outputs are written only on success.
 */
#ifndef POND_ERROR_H
#define POND_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define POND_API __attribute__((visibility("default")))
#define POND_CHECKED __attribute__((warn_unused_result))
#define POND_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define POND_API
#define POND_CHECKED
#define POND_PRINTF(fmt, args)
#endif

/* A code exists only where a caller acts on it. `pond` maps them to its exit codes (in brackets). */
enum pond_code {
    POND_OK = 0,
    POND_EIO = -1,           /* the operating system or the medium failed; also a full disk        [1] */
    POND_ENOMEM = -2,        /* out of memory                                                      [1] */
    POND_ECORRUPT = -3,      /* bytes that are not what they must be: damage                       [4] */
    POND_ENOTFOUND = -4,     /* no such path, version, transaction, file                           [1] */
    POND_EEXISTS = -5,       /* it is there already; at a log: another writer took this version    [1] */
    POND_ELIMIT = -6,        /* larger than a stated limit                                         [1] */
    POND_EUNSUPPORTED = -7,  /* valid, but of a kind this version does not handle (named)          [1] */
    POND_EUSAGE = -8,        /* the caller's arguments make no sense together                      [2] */
    POND_ENOPOND = -9,       /* no pond, or no remote, in that place                              [10] */
    POND_ELOCKED = -10,      /* another writer holds the pond                                     [11] */
    POND_EDENIED = -11,      /* access denied by the operating system or the remote               [12] */
    POND_EDIVERGED = -12,    /* two histories of one pond have diverged                           [13] */
    POND_EINTERRUPTED = -13, /* the caller's cancel flag was set                                 [130] */
    POND_EFAILED = -14,      /* anything else that failed                                          [1] */
};

#define POND_ERROR_MESSAGE_SIZE 1024
#define POND_ERROR_PATH_SIZE 512

struct pond_error {
    int code;                            /* enum pond_code; 0: nothing set */
    char message[POND_ERROR_MESSAGE_SIZE]; /* UTF-8 or raw path bytes, NUL-terminated, cut if longer */
    char path[POND_ERROR_PATH_SIZE];       /* the file or path concerned; empty when there is none */
};

/* The stable lower-case name of a code ("corrupt", "not_found", "io", ...), as `--json` prints it.
 * Never NULL. */
POND_API const char *pond_code_name(int code);

/* "MAJOR.MINOR.PATCH" of the library in use. Never NULL, static. */
POND_API const char *pond_version(void);

#ifdef __cplusplus
}
#endif
#endif
