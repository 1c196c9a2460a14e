/* tlogfs/index_impl.h - the index's SQLite side. Private to index*.c.
 *
 *     meta     one row: the tip taken in, the live entries there
 *     commits  a row for each transaction
 *     rows     a row for each operation; id = txn << 32 | ordinal, so "up to a transaction" is "up to an id", the newest
 *              of several is the largest, and rows are appended in order. The root's part is the empty blob
 *     pages    first row's id -> the content page in that transaction's part
 *     bundles  content hash -> the first transaction that stored it
 */
#ifndef TLOGFS_INDEX_IMPL_H
#define TLOGFS_INDEX_IMPL_H

#include <sqlite3.h>

#include "tlogfs/index.h"

enum index_query {
    INDEX_TIP, INDEX_LIVE, INDEX_BEGIN, INDEX_COMMIT, INDEX_ROLLBACK, INDEX_PUT_ROW, INDEX_PUT_PAGE, INDEX_PUT_BUNDLE,
    INDEX_PUT_COMMIT, INDEX_PUT_TIP, INDEX_CHILD, INDEX_CHILDREN, INDEX_ROW, INDEX_PLACE_ROWS, INDEX_NODE_ROWS,
    INDEX_NODE_LIVE, INDEX_TXN_ROWS, INDEX_PAGE, INDEX_COMMITS, INDEX_AT_TIME, INDEX_BUNDLES, INDEX_HAS_BUNDLE,
    INDEX_QUERIES
};

/* Statements not in use right now: a walk takes one for each level it is in. */
struct index_statements {
    sqlite3_stmt *idle[4];
    unsigned count;
};

struct index {
    sqlite3 *db;
    char *path;
    bool in_memory;
    bool damaged;
    bool in_transaction;
    uint64_t device, inode;   /* of the file at path when it was opened */
    int wal_pages;            /* after the last commit of this handle */
    int64_t live_change;      /* of live entries, by the open transaction */
    struct index_statements statements[INDEX_QUERIES];
};

/* Takes a prepared statement, to be given back with index_done. */
POND_CHECKED int index_take(struct index *ix, enum index_query query, sqlite3_stmt **out, struct pond_error *err);
void index_done(struct index *ix, enum index_query query, sqlite3_stmt *stmt);
void index_finalize_all(struct index *ix);
/* For a failed SQLite call; damage is noted in ix. */
int index_fail(struct index *ix, int rc, struct pond_error *err);
#define index_fail(ix, rc, err) POND_NEGATIVE((index_fail)(ix, rc, err))
/* A value in the index is not what it must be. */
int index_fail_value(struct index *ix, const char *what, struct pond_error *err);
#define index_fail_value(ix, what, err) POND_NEGATIVE((index_fail_value)(ix, what, err))
/* SQLITE_ROW: 1, SQLITE_DONE: 0. */
POND_CHECKED int index_step(struct index *ix, sqlite3_stmt *stmt, struct pond_error *err);
/* Takes, steps to the end, gives back: for statements without results and parameters. */
POND_CHECKED int index_run(struct index *ix, enum index_query query, struct pond_error *err);

#define INDEX_TXN_MAX INT32_MAX
static inline int64_t index_id(int64_t txn, uint64_t ordinal)
{
    return (int64_t)((uint64_t)txn << 32 | ordinal);
}
/* The largest id a row up to `at` can have. */
static inline int64_t index_bound(int64_t at)
{
    if (at < 0)
        return -1;
    return at >= INDEX_TXN_MAX ? INT64_MAX : index_id(at, UINT32_MAX);
}

/* Reads the current result (columns as in INDEX_ROW) into row, whose storage is used again. */
POND_CHECKED int index_read_row(struct index *ix, sqlite3_stmt *stmt, struct index_row *row, struct pond_error *err);
/* 1: *out is the newest row of the place, tombstone or not; 0: there never was one. */
POND_CHECKED int index_newest_at(struct index *ix, const struct oplog_row *place, int64_t bound, struct index_row *out,
                                 struct pond_error *err);
/* 1: *out is the newest live row of the node, and it is the newest of its place; 0: detached. */
POND_CHECKED int index_node_place(struct index *ix, const uint8_t node_id[16], int64_t bound, struct index_row *out,
                                  struct pond_error *err);
void index_bind_part(sqlite3_stmt *stmt, int parameter, bool has_part, const uint8_t part_id[16]);
void index_bind_name(sqlite3_stmt *stmt, int parameter, const char *name, size_t size);

#endif
