/* tlogfs/index.h - _pond/index.sqlite: a materialised view of the log. Deleted at any time, it comes back the same.
 *
 * Invariants
 *   I1  meta.txn and meta.commit_blake3 name the last commit taken in; one SQLite transaction takes in one commit.
 *   I2  Its content is a function of the log up to there: the writer's own insertions and a rebuild give the same rows.
 *   I3  It is never truth: content read through it is checked against its hash, `check` compares it with the log.
 *
 * A row lists one operation; the newest row of (part, name) up to a transaction is what stands there then. Of several rows of
 * one (part, name) in one transaction the last put wins. A rename puts the row at the new place before the tombstone at the old
 * one: so a tombstone tells whether what stood there went away or only moved.
 *
 * Processes: any number read; SQLite's own locking lets one at a time take in a commit, others wait for it.
 */
#ifndef TLOGFS_INDEX_H
#define TLOGFS_INDEX_H

#include "tlogfs/oplog.h"

struct index;

#define INDEX_DEPTH_MAX 1024u /* directories below each other; deeper ones are refused (a hostile log may hold a loop) */

/* Opens or makes the file (WAL, synchronous NORMAL, cache bounded to a few MiB; no mmap: pages mapped count as memory, and
 * a file cut short would end the process). A file that is no index of this version, or damaged, is removed and made again:
 * *fresh is set. Where it can't be written, an in-memory index, *fresh. */
POND_CHECKED int index_open(struct index **out, const char *path, bool *fresh, struct pond_error *err);
/* An index in which damage was met meanwhile is removed, so that the next open makes it again. */
void index_close(struct index *ix);
/* Throws the content away: an empty index, or the one that another process made again meanwhile. Not inside begin and end. */
POND_CHECKED int index_remake(struct index *ix, struct pond_error *err);
bool index_in_memory(const struct index *ix);
/* Damage was met since it was opened or made. */
bool index_is_damaged(const struct index *ix);

/* -1 and zeros for an empty index. */
POND_CHECKED int index_tip(struct index *ix, int64_t *txn, uint8_t commit_blake3[32], struct pond_error *err);

/* ---- taking in one transaction: begin, put rows in ordinal order, pages, end (or rollback). Between begin and end the same
 * handle sees the new rows in look-ups. */
struct index_commit {
    int64_t txn, time_us;
    uint8_t commit_blake3[32];
    const char *part_path;        /* "part-....parquet"; "" when the commit has no part */
    uint64_t part_size;
    uint8_t part_blake3[32];
    const char *command, *user, *host;
    uint64_t files_added, files_changed, files_removed, bytes;
};
POND_CHECKED int index_begin(struct index *ix, struct pond_error *err);
POND_CHECKED int index_put(struct index *ix, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err);
POND_CHECKED int index_put_page(struct index *ix, int64_t txn, uint64_t first_ordinal, uint64_t row_group,
                                uint64_t offset, struct pond_error *err);
POND_CHECKED int index_end(struct index *ix, const struct index_commit *commit, struct pond_error *err);
void index_rollback(struct index *ix);

/* ---- looking. `at` is a transaction number (any number over the newest: everything, the rows of an open transaction too);
 * tombstones are "not there" (POND_ENOTFOUND, without a message: the caller knows the path) except where said. `out` is
 * overwritten whole on success; index_row_release it. */
struct index_row {
    struct oplog_row row;         /* content: symlink targets only (kept in the index); pointers into storage below */
    uint64_t ordinal;             /* in its part */
    struct pond_buf storage;      /* owns name, target, attributes */
};
void index_row_release(struct index_row *r);
POND_CHECKED int index_root(struct index *ix, int64_t at, struct index_row *out, struct pond_error *err);
POND_CHECKED int index_child(struct index *ix, const uint8_t part_id[16], const char *name, size_t name_size, int64_t at,
                             struct index_row *out, struct pond_error *err);
/* The newest row even if it is a tombstone. */
POND_CHECKED int index_child_any(struct index *ix, const uint8_t part_id[16], const char *name, size_t name_size,
                                 int64_t at, struct index_row *out, struct pond_error *err);
typedef int index_row_fn(void *context, const struct index_row *row, struct pond_error *err); /* 0 on, 1 stop */
/* Live children sorted by name bytes. */
POND_CHECKED int index_children(struct index *ix, const uint8_t part_id[16], int64_t at, index_row_fn *fn, void *context,
                                struct pond_error *err);
/* Every row of one place, newest first (tombstones too). */
POND_CHECKED int index_place_rows(struct index *ix, const uint8_t part_id[16], const char *name, size_t name_size,
                                  int64_t at, index_row_fn *fn, void *context, struct pond_error *err);
/* Every row of a node, newest first (tombstones too); every row of a transaction, by ordinal. */
POND_CHECKED int index_node_rows(struct index *ix, const uint8_t node_id[16], index_row_fn *fn, void *context,
                                 struct pond_error *err);
POND_CHECKED int index_txn_rows(struct index *ix, int64_t txn, index_row_fn *fn, void *context,
                                struct pond_error *err);
/* One row; POND_ECORRUPT when it is not there. */
POND_CHECKED int index_row_at(struct index *ix, int64_t txn, uint64_t ordinal, struct index_row *out,
                              struct pond_error *err);
/* Where a directory node stands at `at`: its absolute path appended (through parents); POND_ENOTFOUND when detached. */
POND_CHECKED int index_node_path(struct index *ix, const uint8_t node_id[16], int64_t at, struct pond_buf *out,
                                 struct pond_error *err);
/* The content page that holds a row. */
POND_CHECKED int index_page_of(struct index *ix, int64_t txn, uint64_t ordinal, uint64_t *first_ordinal,
                               uint64_t *row_group, uint64_t *offset, struct pond_error *err);
/* Part of a transaction, its size and hash; commits newest first from `from` down. */
typedef int index_commit_fn(void *context, const struct index_commit *commit, struct pond_error *err);
POND_CHECKED int index_commits(struct index *ix, int64_t from, index_commit_fn *fn, void *context,
                               struct pond_error *err);
/* The highest transaction up to `at` whose time is not later; POND_ENOTFOUND. */
POND_CHECKED int index_commit_at_time(struct index *ix, int64_t time_us, int64_t at, int64_t *txn, struct pond_error *err);
/* Distinct bundles (storage chunked): each content hash with the first transaction that stored it and its size; those of one
 * transaction in hash order; one hash: 1 known, 0 not. */
typedef int index_bundle_fn(void *context, const uint8_t blake3[32], int64_t first_txn, uint64_t size,
                            struct pond_error *err);
POND_CHECKED int index_bundles(struct index *ix, int64_t from_txn, int64_t to_txn, index_bundle_fn *fn, void *context,
                               struct pond_error *err);
POND_CHECKED int index_has_bundle(struct index *ix, const uint8_t blake3[32], int64_t *first_txn, uint64_t *size,
                                  struct pond_error *err);
/* Everything live below a directory node, itself not counted. */
POND_CHECKED int index_count_below(struct index *ix, const uint8_t node_id[16], int64_t at, uint64_t *files,
                                   uint64_t *entries, struct pond_error *err);
/* Live entries, and the time of the tip. */
POND_CHECKED int index_live_entries(struct index *ix, uint64_t *count, int64_t *time_us, struct pond_error *err);

#endif
