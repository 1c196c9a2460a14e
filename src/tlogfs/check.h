/* tlogfs/check.h - private to check*.c. */
#ifndef TLOGFS_CHECK_H
#define TLOGFS_CHECK_H

#include "tlogfs/pond.h"

struct check {
    struct pond *pond;
    const struct pond_check_options *options;
    struct pond_check_result result;
    int64_t tip;
    struct pond_buf name, path;
};

/* Damage is told and 0 returned; what keeps the check from going on is passed through. */
POND_CHECKED int check_found(struct check *k, const char *what, const char *path, bool content_intact, int code,
                             const struct pond_error *why, struct pond_error *err);

/* check_rows.c: a commit's part, whose hash was as `part_code` says, against the log and the index. */
POND_CHECKED int check_rows(struct check *k, const struct pond_commit *c, int fd, const char *path,
                            const struct pond_error *part_error, struct pond_error *err);
/* check_bundles.c */
POND_CHECKED int check_bundles(struct check *k, struct pond_error *err);

#endif
