/* pond/remote.h - backups and replicas: literal copies of a pond's files in a Delta Lake remote, and back.
 *
 * A remote is a place (a directory, file:///dir) that holds two Delta tables, `files` and `oplog`, and pond.json, which says
 * whose it is. All work here is idempotent and resumable: a call that was cut off leaves the remote as it was, or
 * with complete, unnamed files; called again, it goes on.
 */
#ifndef POND_REMOTE_H
#define POND_REMOTE_H

#include <pond/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names: [A-Za-z0-9._-]+. Add probes that the place works (it is made when missing) and whose pond is there: POND_EDIVERGED
 * when it belongs to another one. POND_EEXISTS: the name is taken. Needs no POND_WRITE; takes the lock for the moment. */
POND_API POND_CHECKED int pond_remote_add(struct pond *p, const char *name, const char *url, struct pond_error *err);
POND_API POND_CHECKED int pond_remote_remove(struct pond *p, const char *name, struct pond_error *err);
typedef int pond_remote_fn(void *context, const char *name, const char *url, struct pond_error *err);
POND_API POND_CHECKED int pond_remote_list(struct pond *p, pond_remote_fn *fn, void *context, struct pond_error *err);

struct pond_transfer_options {
    bool dry_run;                         /* backup: counts what would be sent */
    int64_t at;                           /* restore: up to this transaction; POND_AT_TIP */
    const char *at_text;                  /* restore: the same as text (number or RFC 3339), wins when not NULL */
    struct pond_control control;
};
struct pond_transfer_result {
    int64_t txn;                          /* both sides are at this transaction now */
    uint64_t transactions;                /* that were sent or fetched */
    uint64_t bundles;
    uint64_t bytes_copied;                /* bundle bytes copied literally */
    uint64_t bytes_encoded;               /* that had to be made again on the way: 0 */
};
/* name NULL: the only remote there is (POND_EUSAGE when there are several, POND_ENOPOND when none).
 * POND_EDIVERGED: the remote has transactions that this pond has not. */
POND_API POND_CHECKED int pond_backup(struct pond *p, const char *name, const struct pond_transfer_options *options,
                                      struct pond_transfer_result *out, struct pond_error *err);
/* A new pond in dir, role replica, with the remote remembered as "origin". An unfinished restore of the same remote in dir is
 * continued; anything else there: POND_EEXISTS. */
POND_API POND_CHECKED int pond_restore(const char *url, const char *dir, const struct pond_transfer_options *options,
                                       struct pond_transfer_result *out, struct pond_error *err);
/* p opened with POND_WRITE_REPLICA. POND_EDIVERGED: this pond has transactions that the remote has not, or others. */
POND_API POND_CHECKED int pond_pull(struct pond *p, const char *name, const struct pond_transfer_options *options,
                                    struct pond_transfer_result *out, struct pond_error *err);

struct pond_remote_status {
    const char *name, *url;               /* borrowed until the callback returns */
    int64_t txn;                          /* the remote's newest transaction; -1: empty */
    int64_t behind;                       /* transactions it lacks; negative: it has more than this pond */
    int code;                             /* 0, or why it could not be asked (message beside) */
    const char *message;
};
typedef int pond_remote_status_fn(void *context, const struct pond_remote_status *status, struct pond_error *err);
POND_API POND_CHECKED int pond_status(struct pond *p, pond_remote_status_fn *fn, void *context, struct pond_error *err);

/* pond_check for a remote: both logs, presence and sizes, or every byte. */
POND_API POND_CHECKED int pond_check_remote(struct pond *p, const char *name, const struct pond_check_options *options,
                                            struct pond_check_result *out, struct pond_error *err);

#ifdef __cplusplus
}
#endif
#endif
