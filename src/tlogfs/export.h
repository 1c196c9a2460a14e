/* tlogfs/export.h - private to export*.c.
 *
 *     owner (export.c):       walks the pond, makes directories, reads inline content  -> job -> batch -> pipeline
 *     worker (export_file.c): writes one file or symlink, verified, and gives it its name
 *
 * A directory's own metadata is set when the last of its entries is there (hostdir's on_close).
 */
#ifndef TLOGFS_EXPORT_H
#define TLOGFS_EXPORT_H

#include "base/pool.h"
#include "tlogfs/hostdir.h"
#include "tlogfs/hostmeta.h"
#include "tlogfs/pond.h"

#define EXPORT_BATCH 16u
#define EXPORT_BATCH_BYTES ((size_t)256 << 10)
#define EXPORT_BY_WORKER_MAX ((uint64_t)1 << 20) /* larger files are written by the owner with all threads */
#define EXPORT_WORKERS_MAX 8u

struct export_job {
    struct hostdir *dir;              /* held, its job too */
    char name[OPLOG_NAME_MAX + 1];
    enum pond_type type;
    enum pond_storage storage;
    uint64_t size;
    uint8_t blake3[POND_HASH_SIZE];
    uint32_t mode;
    int64_t mtime_us;
    int32_t mtime_nanos;
    char *attributes;                 /* or NULL */
    size_t content_at, content_size;  /* in the batch's bytes: verified inline content, a symlink's target */
    /* results */
    bool failed;                      /* nothing was written; err */
    struct pond_error err;
    unsigned problems;                /* metadata that could not be set; problem is the first */
    struct pond_error problem;
};

struct export_batch {
    struct export_job jobs[EXPORT_BATCH];
    size_t count;
    struct pond_buf bytes;
    struct pond_buf path;
    struct hostmeta_parsed meta;
};

struct export_links;

struct export {
    struct pond *pond;
    const struct pond_export_options *options;
    int64_t at;
    struct pond_export_result result;
    struct pond_pipeline *pipeline;
    struct export_batch *filling;
    struct export_batch *own;         /* of one job, for what the owner writes itself */
    struct hostmeta_parsed dir_meta;
    struct export_links *links;       /* made at the first hard link */
    struct hostdir *root;             /* DIR */
    struct pond_buf path;
    uid_t uid;                        /* what new files get */
    gid_t gid;
    bool aborted;
    uint64_t failures;
    struct pond_error failure;        /* the first; damage comes before all else */
};

/* ---- export_file.c: any thread ---- */

void export_job_run(const struct export *x, struct export_batch *b, struct export_job *job,
                    const struct pond_control *control);

/* ---- export_link.c: owner's thread ---- */

/* Makes the job's entry a link to the one exported before that is the same file: 1 done, 0 there is none. */
POND_CHECKED int export_link_make(struct export *x, const struct export_job *job, struct pond_error *err);
/* Remembers what was just exported under the job's name. */
POND_CHECKED int export_link_note(struct export *x, const struct export_job *job, struct pond_error *err);
void export_links_free(struct export_links *links);

#endif
