/* tlogfs/copy.h - private to copy*.c: a copy from the host, and what its parts share.
 *
 *     owner (copy.c, copy_walk.c): walks, looks up what the pond has  -> entry -> batch -> pipeline
 *     worker (copy_read.c):        opens, stats, reads, hashes, encodes small bundles; knows no index, no transaction
 *     owner (copy_store.c):        takes batches back in order, encodes large files, puts rows
 *
 * Memory: the names of one directory per level, and the batches.
 */
#ifndef TLOGFS_COPY_H
#define TLOGFS_COPY_H

#include "base/pool.h"
#include "tlogfs/hostdir.h"
#include "tlogfs/hostmeta.h"
#include "tlogfs/pond.h"
#include "tlogfs/seen.h"

#define COPY_BATCH 16u                           /* entries in a slot: the queue's cost is shared among them */
#define COPY_BY_WORKER_MAX ((uint64_t)1 << 20)   /* larger files are encoded by the owner with all threads */
#define COPY_WORKERS_MAX 8u                      /* more only wait for the index */

enum copy_outcome {
    COPY_SKIPPED,     /* the source can't be read: err tells why */
    COPY_FATAL,       /* the copy as a whole fails: err */
    COPY_LOOKS_SAME,  /* not read */
    COPY_LATER,       /* too large for a worker */
    COPY_READ,
};

struct copy_entry {
    /* filled by the walk */
    struct hostdir *dir;             /* held, its job too */
    char name[OPLOG_NAME_MAX + 1];   /* on the host */
    char target[OPLOG_NAME_MAX + 1]; /* in the pond */
    bool is_symlink;
    bool has_old;                    /* old: what the pond has there */
    struct index_row old;
    bool may_look_same;              /* seen: vouches for old's content and attributes */
    struct seen_value seen;

    /* filled by a worker, or the owner */
    enum copy_outcome outcome;
    struct pond_error err;
    struct stat st;
    int64_t stat_time_us;
    char link_id[HOSTMETA_LINK_SIZE];
    size_t content_at, content_size; /* in the batch's bytes: inline content, a symlink's target */
    size_t xattrs_at, xattrs_size;
    uint8_t node_id[16];             /* for an entry that is new */
    bool has_hash;                   /* false: a dry run that need not know it, or a symlink */
    uint8_t blake3[POND_HASH_SIZE];
    int bundle_fd;                   /* -1: no bundle was written */
    char *bundle_tmp;
    struct pond_chunked_info bundle;
};

struct copy_batch {
    struct copy_entry entries[COPY_BATCH];
    size_t count;
    struct pond_buf bytes;
    struct pond_buf path;
};

struct copy {
    struct pond_txn *txn;
    const struct pond_copy_options *options;
    struct pond_copy_result result;
    struct pond_pipeline *pipeline;
    struct copy_batch *filling;
    struct hostmeta_owners *owners;
    struct seen *seen;
    struct pond_chunked_options worker_options;
    struct stat pond_stat;           /* of the pond's own directory: never copied */
    char *pond_real;                 /* its canonical path; NULL: unknown */
    uint64_t unwritten;              /* bytes in the part since its writing was begun */
    size_t top_size;                 /* of the pond path of the source that is walked */
    struct pond_buf path, pond_path, attributes, scratch;
};

/* ---- copy_read.c ---- */

void copy_read_job(void *context, void *slot);  /* a pond_job_fn; context: struct copy */
/* The same for one entry on the owner's thread, of any size. */
void copy_read_large(struct copy *c, struct copy_batch *b, struct copy_entry *e);
void copy_entry_release(struct copy_entry *e);

/* ---- copy_store.c ---- */

POND_CHECKED int copy_store_batch(struct copy *c, struct copy_batch *b, struct pond_error *err);
/* A directory whose metadata is st's and xattrs: its node goes to node_id. *stored: it has a new row. */
POND_CHECKED int copy_store_directory(struct copy *c, const struct hostdir *parent, const char *target,
                                      const struct index_row *old, const struct stat *st, const struct pond_buf *xattrs,
                                      uint8_t node_id[16], struct pond_error *err);
void copy_skip(struct copy *c, const char *host_path, const struct pond_error *why);

/* ---- copy_walk.c ---- */

/* One source: `name` in the open directory parent, to be `target` in the pond directory that parent stands for; target
 * NULL: its entries go straight into that. Returns with all of it stored. */
POND_CHECKED int copy_walk(struct copy *c, struct hostdir *parent, const char *name, const char *target,
                           struct pond_error *err);
/* Waits for all jobs and forgets their results. */
void copy_discard(struct copy *c);

static inline bool copy_cancelled(const struct copy *c)
{
    return c->options->control.cancel != NULL && *c->options->control.cancel != 0;
}

#endif
