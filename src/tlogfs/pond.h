/* tlogfs/pond.h - inside a pond handle: places, config, the open log; what the files of this layer share, and what the remote
 * layer may use (the second half).
 */
#ifndef TLOGFS_POND_H
#define TLOGFS_POND_H

#include <pond/fs.h>

#include "delta/delta.h"
#include "tlogfs/index.h"

/* Parts whose footer and last content page stay decoded: reading many small files in order costs one decoding a page. */
#define POND_OPEN_PARTS 4
struct pond_open_part {
    int64_t txn;
    uint64_t used;                /* larger: later */
    struct oplog_part *part;      /* NULL: the slot is free */
};

struct pond {
    char *dir;                    /* as given */
    char *state_dir;              /* <dir>/_pond */
    char *tmp_dir;                /* <dir>/_pond/tmp */
    struct store *store;          /* of dir */
    struct delta_table table;     /* the OpLog: prefix "" */
    struct index *index;
    int lock_fd;                  /* -1: opened for reading */
    struct pond_info info;        /* info.txn: the snapshot this handle reads */
    json_t *config;               /* _pond/config.json: role, remotes, options; made from commit 0 when missing */
    struct pond_txn *txn;         /* the open transaction, or NULL */
    struct pond_open_part parts[POND_OPEN_PARTS];
    uint64_t part_clock;
    struct index_row stat_row;    /* what pond_stat's entry points into */
    struct pond_buf stat_path;
    struct sqlite3 *state;        /* _pond/state.sqlite, opened at the first use */
};

/* "<dir>/_large_files/blake3=<hex>/chunks.parquet", fresh memory (pond_free). */
char *pond_bundle_path(const struct pond *p, const uint8_t root_hash[32]);
/* "<tmp_dir>/<uuid>"; the directory is there once the pond is open for writing. */
char *pond_tmp_path(const struct pond *p);
/* Removes a temporary; what can't be removed, gc finds. */
void pond_discard(const char *path);
/* Writes config.json (os_replace_file). */
POND_CHECKED int pond_config_save(struct pond *p, struct pond_error *err);

/* Resolves a pond path to its row at a transaction (POND_AT_TIP: with what the open transaction has put); trailing slashes are
 * fine but only for directories. */
POND_CHECKED int pond_resolve(struct pond *p, const char *path, int64_t at, struct index_row *out,
                              struct pond_error *err);
/* "/a//b/../c/" -> "/a/c". POND_EUSAGE: not absolute, a name over 255 bytes. POND_ELIMIT: deeper than INDEX_DEPTH_MAX. */
POND_CHECKED int pond_normalize(const char *path, struct pond_buf *out, struct pond_error *err);

/* The transaction number that `at` means: POND_AT_TIP is the open transaction, else the snapshot. POND_ENOTFOUND: none such. */
POND_CHECKED int pond_at(const struct pond *p, int64_t at, int64_t *txn, struct pond_error *err);
/* An inline file's content, verified, is appended. */
POND_CHECKED int pond_inline_content(struct pond *p, const struct index_row *row, struct pond_buf *out,
                                     struct pond_error *err);
/* What the public interface says of a row. Borrows from row and path. */
void pond_fill_entry(const struct index_row *row, const char *path, struct pond_entry *out);

/* The index catches up with the log to `to` (-1: the newest), reading commits and parts from the pond's own files. Verifies
 * the hash chain and each part's hash as it goes. */
POND_CHECKED int pond_catch_up(struct pond *p, int64_t to, struct pond_error *err);

/* What a pond's commit says of itself. The struct owns its strings. */
struct pond_commit {
    int64_t txn, time_us;
    char pond_id[37];
    bool has_parent;
    uint8_t parent_blake3[32], commit_blake3[32];
    char *part_path;              /* NULL: no add */
    int64_t part_size;
    uint64_t part_rows;           /* only for building: add.stats */
    uint8_t part_blake3[32];
    char *command, *user, *host;
    uint64_t files_added, files_changed, files_removed, bytes;
    uint64_t chunk_size;          /* commit 0: the pond's options */
    enum pond_compression compression;
    bool has_options;
};
/* Parses and checks a commit file's bytes; POND_ECORRUPT when it is no commit of a pond (version 0 carries protocol and
 * metadata, which are checked too: POND_EUNSUPPORTED). */
POND_CHECKED int pond_commit_parse(const char *name, int64_t version, const void *bytes, size_t size,
                                   struct pond_commit *out, struct pond_error *err);
void pond_commit_release(struct pond_commit *c);
/* The bytes of a commit file; commit_blake3 is not used. */
POND_CHECKED int pond_commit_build(const struct pond_commit *c, struct pond_buf *out, struct pond_error *err);

/* ---- transactions, for the files of this layer ---- */

struct pond_txn {
    struct pond *pond;
    int64_t txn_seq;              /* tip + 1 */
    int64_t time_us;
    char *command;
    struct oplog_writer *writer;  /* made at the first row */
    char *part_tmp;
    int part_fd;
    uint64_t rows;
    int failed;                   /* code of the first row that could not be put: then there is nothing to commit */
    struct store_batch *bundles;  /* bundles written by this transaction, not yet under their final names */
    struct pond_txn_result result;
};
/* Appends a row to the part and the index. Fills txn_seq and timestamp. The caller keeps the counters in t->result. */
POND_CHECKED int pond_txn_put(struct pond_txn *t, struct oplog_row *row, struct pond_error *err);
/* Finishes fd (a bundle written to tmp_path): under its final name by the commit, at the latest. Takes fd over. A bundle that is
 * there already wins. */
POND_CHECKED int pond_txn_add_bundle(struct pond_txn *t, int fd, const char *tmp_path,
                                     const struct pond_chunked_info *info, struct pond_error *err);
/* 1 when a bundle of that content is in the pond or in this transaction. */
POND_CHECKED int pond_txn_has_bundle(struct pond_txn *t, const uint8_t root_hash[32], struct pond_error *err);
/* The options new bundles of this pond are written with, for this transaction. */
struct pond_chunked_options pond_txn_chunked_options(const struct pond_txn *t, const struct pond_control *control);

/* ---- for the remote layer ---- */

/* An empty replica in dir: folders, lock, config with role replica and that id. dir must be missing or empty, or an unfinished
 * replica of the same pond (then it is opened). Holds the lock. */
POND_CHECKED int pond_replica_open(struct pond **out, const char *dir, const char *pond_id, struct pond_error *err);
/* Puts a commit of another copy of this pond in place, literally. Its bundles and its part must be under their names. The hash
 * chain is checked (POND_EDIVERGED), the index takes it in. */
POND_CHECKED int pond_apply_commit(struct pond *p, int64_t txn, const void *bytes, size_t size,
                                   struct pond_error *err);

/* _pond/state.sqlite: this machine's own notes (hints that may be lost at any time): a small key-value table, and what `copy`
 * knows of unchanged sources. */
POND_CHECKED int pond_state_get(struct pond *p, const char *key, struct pond_buf *out, struct pond_error *err); /* 1, 0 */
POND_CHECKED int pond_state_put(struct pond *p, const char *key, const char *value, struct pond_error *err);
void pond_state_close(struct pond *p);

#endif
