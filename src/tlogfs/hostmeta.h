/* tlogfs/hostmeta.h - a host file's metadata as the row's attributes, and back.
 *
 *     attributes := {"gid":N,"group":S,"hard_link":S,"owner":S,"uid":N,"xattrs":{S:B,...},"xattrs_base64":{B:B,...}}
 *
 * compact, keys sorted, so that equal metadata is equal text. N: a number; S: a string; B: base64. group and owner are
 * left out when the host knows no name; hard_link when the file has one name; the xattrs when there are none.
 * xattrs_base64 holds those whose names are not UTF-8. hard_link is the same for all names of one file.
 */
#ifndef TLOGFS_HOSTMETA_H
#define TLOGFS_HOSTMETA_H

#include <sys/stat.h>

#include "base/mem.h"

struct oplog_row;

/* ---- from the host ---- */

/* Appends what xattrs give to the attributes: nothing, or `,"xattrs":{...}` and so on. Any thread. */
POND_CHECKED int hostmeta_xattrs(int fd, const char *name, const char *path, struct pond_buf *out,
                                 struct pond_error *err);
#define HOSTMETA_LINK_SIZE 33
/* The hard_link of a file that has several names, "" for others. fd -1: without the time of birth. Any thread. */
void hostmeta_link_id(int fd, const struct stat *st, char out[HOSTMETA_LINK_SIZE]);

/* Names of owners, looked up once. One thread. */
struct hostmeta_owners;
struct hostmeta_owners *hostmeta_owners_new(void); /* NULL: out of memory */
void hostmeta_owners_free(struct hostmeta_owners *o);
/* The whole attributes text replaces what `out` held. xattrs as hostmeta_xattrs made them. */
POND_CHECKED int hostmeta_attributes(struct hostmeta_owners *o, const struct stat *st, const char *link_id,
                                     const char *xattrs, size_t xattrs_size, struct pond_buf *out,
                                     struct pond_error *err);
/* Mode and mtime of st into the row. */
void hostmeta_stat_to_row(const struct stat *st, struct oplog_row *row);

/* ---- to the host ---- */

/* What attributes say, parsed once for many files that share the text. {0} is valid. One thread. */
struct hostmeta_parsed {
    char *text;              /* that was parsed last */
    bool has_owner;
    uid_t uid;
    gid_t gid;
    void *json;              /* of text, or NULL */
};
POND_CHECKED int hostmeta_parse(struct hostmeta_parsed *m, const char *attributes, struct pond_error *err);
void hostmeta_parsed_release(struct hostmeta_parsed *m);
/* The id, or NULL; valid until m changes. */
const char *hostmeta_hard_link(const struct hostmeta_parsed *m);

/* Sets owner, xattrs, mode and mtime, in an order in which none undoes another. `name` NULL: of fd; else of the symlink
 * `name` in the directory fd (no mode there). What can't be set is told through `problem`, the rest goes on. That an
 * unprivileged user can't give files away is no problem. */
typedef void hostmeta_problem_fn(void *context, const char *path, const struct pond_error *why);
struct hostmeta_target {
    int fd;
    const char *name, *path;
    uid_t uid;               /* what it has now */
    gid_t gid;
};
void hostmeta_apply(const struct hostmeta_target *target, const struct hostmeta_parsed *m, uint32_t mode,
                    int64_t mtime_us, int32_t mtime_nanos, hostmeta_problem_fn *problem, void *context);

#endif
