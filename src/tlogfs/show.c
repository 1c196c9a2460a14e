/* tlogfs/show.c - what a transaction changed, sorted by path: rows come in the order they were put, so paths are sorted in a
 * scratch database, on disk when they are many.
 */
#include <sqlite3.h>
#include <string.h>

#include "base/os.h"
#include "tlogfs/paths.h"
#include "tlogfs/pond.h"

#define SORT_IN_MEMORY 20000u

struct sorter {
    struct pond *pond;
    struct row_paths paths;
    sqlite3 *db;
    sqlite3_stmt *insert;
    uint64_t rows;
};

static int fail_sort(const struct sorter *s, struct pond_error *err)
{
    return pond_fail_path(err, POND_EIO, s->pond->tmp_dir, "%s: sorting failed: %s", s->pond->tmp_dir,
                          s->db != NULL ? sqlite3_errmsg(s->db) : "no database");
}

static int count_row(void *context, const struct index_row *row, struct pond_error *err)
{
    uint64_t *count = context;
    (void)row;
    (void)err;
    return ++*count > SORT_IN_MEMORY;
}

static int open_scratch(struct sorter *s, bool large, struct pond_error *err)
{
    char *path = large ? pond_tmp_path(s->pond) : pond_strdup(":memory:");
    if (path == NULL)
        return pond_fail_nomem(err);
    int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db,
                          "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192;"
                          "PRAGMA locking_mode = EXCLUSIVE; BEGIN;"
                          "CREATE TABLE sorted(path BLOB, id INTEGER, PRIMARY KEY(path, id)) WITHOUT ROWID",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, "INSERT INTO sorted VALUES (?1, ?2)", -1, &s->insert, NULL);
    if (large)
        pond_discard(path); /* its descriptor lives on */
    pond_free(path);
    return rc == SQLITE_OK ? 0 : fail_sort(s, err);
}

/* Whether the transaction's row is what counts at its place: the last put there, and for a tombstone, of something that was
 * there before. */
static int is_shown(const struct sorter *s, const struct index_row *row, struct pond_error *err)
{
    const struct oplog_row *o = &row->row;
    struct index_row other;
    if (!o->has_part)
        return 1;
    POND_TRY(index_child_any(s->pond->index, o->part_id, o->name, o->name_size, o->txn_seq, &other, err));
    const bool last = other.row.txn_seq == o->txn_seq && other.ordinal == row->ordinal;
    index_row_release(&other);
    if (!last || !o->deleted)
        return last;
    int r = index_child(s->pond->index, o->part_id, o->name, o->name_size, o->txn_seq - 1, &other, err);
    if (r == 0)
        index_row_release(&other);
    return r == POND_ENOTFOUND ? 0 : r < 0 ? r : 1;
}

static int sort_row(void *context, const struct index_row *row, struct pond_error *err)
{
    struct sorter *s = context;
    const char *path;
    int r = is_shown(s, row, err);
    if (r == 1)
        r = row_path(&s->paths, row, &path, err);
    if (r <= 0)
        return r;
    sqlite3_bind_blob64(s->insert, 1, path, strlen(path), SQLITE_STATIC);
    sqlite3_bind_int64(s->insert, 2, (int64_t)row->ordinal);
    const bool done = sqlite3_step(s->insert) == SQLITE_DONE;
    sqlite3_reset(s->insert);
    return done ? 0 : fail_sort(s, err);
}

static int give_sorted(struct sorter *s, int64_t txn, pond_entry_fn *fn, void *context, struct pond_error *err)
{
    sqlite3_stmt *read = NULL;
    struct pond_buf path = {0};
    int r = 0, rc = SQLITE_DONE;
    if (sqlite3_prepare_v2(s->db, "SELECT path, id FROM sorted ORDER BY path, id", -1, &read, NULL) != SQLITE_OK)
        return fail_sort(s, err);
    while (r == 0 && (rc = sqlite3_step(read)) == SQLITE_ROW) {
        struct index_row row;
        struct pond_entry entry;
        pond_buf_clear(&path);
        pond_buf_append(&path, sqlite3_column_blob(read, 0), (size_t)sqlite3_column_bytes(read, 0));
        const char *text = pond_buf_cstr(&path);
        r = text != NULL ? index_row_at(s->pond->index, txn, (uint64_t)sqlite3_column_int64(read, 1), &row, err)
                         : pond_fail_nomem(err);
        if (r < 0)
            break;
        pond_fill_entry(&row, text, &entry);
        r = fn(context, &entry, err);
        index_row_release(&row);
    }
    if (r == 0 && rc != SQLITE_DONE)
        r = fail_sort(s, err);
    sqlite3_finalize(read);
    pond_buf_release(&path);
    return r < 0 ? r : 0;
}

int pond_show(struct pond *p, int64_t txn, pond_entry_fn *fn, void *context, struct pond_error *err)
{
    struct sorter s = {.pond = p, .paths = {.index = p->index}};
    uint64_t rows = 0;
    POND_TRY(pond_at(p, txn, &txn, err));
    POND_TRY(index_txn_rows(p->index, txn, count_row, &rows, err));
    int r = open_scratch(&s, rows > SORT_IN_MEMORY && !index_in_memory(p->index), err);
    if (r == 0)
        r = index_txn_rows(p->index, txn, sort_row, &s, err);
    if (r == 0)
        r = give_sorted(&s, txn, fn, context, err);
    sqlite3_finalize(s.insert);
    sqlite3_close(s.db);
    row_paths_release(&s.paths);
    return r;
}
