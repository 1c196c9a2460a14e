/* tlogfs/logread.h - the log itself, whatever the index says: for check and gc. */
#ifndef TLOGFS_LOGREAD_H
#define TLOGFS_LOGREAD_H

#include "tlogfs/pond.h"

/* Commit `txn`, parsed. name (NUL-terminated, for messages) replaces what it holds. A missing one is POND_ECORRUPT. */
POND_CHECKED int logread_commit(const struct pond *p, int64_t txn, struct pond_commit *out, struct pond_buf *name,
                                struct pond_error *err);
/* Opens a commit's part (c->part_path is not NULL); path replaces what it holds. The fd. POND_ECORRUPT: it is missing
 * or has another size. */
POND_CHECKED int logread_part_open(const struct pond *p, const struct pond_commit *c, struct pond_buf *path,
                                   struct pond_error *err);
/* Its bytes against the hash in the log. */
POND_CHECKED int logread_part_verify(int fd, const char *path, const struct pond_commit *c,
                                     const struct pond_control *control, struct pond_error *err);

#endif
