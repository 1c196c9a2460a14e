/* tlogfs/index_write.c - taking rows in. */
#include "tlogfs/index_impl.h"

#include <assert.h>
#include <string.h>

static void bind_optional(sqlite3_stmt *s, int parameter, const void *bytes, size_t size)
{
    if (bytes != NULL)
        sqlite3_bind_blob64(s, parameter, bytes, size, SQLITE_STATIC);
}

static int insert_row(struct index *ix, int64_t id, const struct oplog_row *row, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_PUT_ROW, &s, err));
    sqlite3_bind_int64(s, 1, id);
    index_bind_part(s, 2, row->has_part, row->part_id);
    index_bind_name(s, 3, row->name, row->name_size);
    sqlite3_bind_blob(s, 4, row->node_id, sizeof row->node_id, SQLITE_STATIC);
    sqlite3_bind_int(s, 5, (int)row->type);
    sqlite3_bind_int64(s, 6, row->version);
    sqlite3_bind_int64(s, 7, row->timestamp_us);
    sqlite3_bind_int(s, 8, row->deleted);
    sqlite3_bind_int64(s, 9, (int64_t)row->size);
    sqlite3_bind_int(s, 10, (int)row->storage);
    bind_optional(s, 11, row->has_blake3 ? row->blake3 : NULL, sizeof row->blake3);
    sqlite3_bind_int64(s, 12, row->mode);
    sqlite3_bind_int64(s, 13, row->mtime_us);
    sqlite3_bind_int(s, 14, row->mtime_nanos);
    if (row->type == POND_SYMLINK)
        bind_optional(s, 15, row->content, row->content_size);
    if (row->attributes != NULL)
        sqlite3_bind_text(s, 16, row->attributes, -1, SQLITE_STATIC);
    int r = index_step(ix, s, err);
    index_done(ix, INDEX_PUT_ROW, s);
    return r;
}

static int insert_bundle(struct index *ix, const struct oplog_row *row, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_PUT_BUNDLE, &s, err));
    sqlite3_bind_blob(s, 1, row->blake3, sizeof row->blake3, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, row->txn_seq);
    sqlite3_bind_int64(s, 3, (int64_t)row->size);
    int r = index_step(ix, s, err);
    index_done(ix, INDEX_PUT_BUNDLE, s);
    return r;
}

static bool same_place(const struct oplog_row *a, const struct oplog_row *b)
{
    return a->has_part == b->has_part && memcmp(a->part_id, b->part_id, sizeof a->part_id) == 0 &&
           a->name_size == b->name_size && memcmp(a->name, b->name, a->name_size) == 0;
}

/* A directory's tombstone takes all below it along, unless its node has just got another place. */
static int count_vanished(struct index *ix, int64_t id, const struct oplog_row *row, struct pond_error *err)
{
    ix->live_change--;
    if (row->type != POND_DIRECTORY)
        return 0;
    struct index_row place;
    int r = index_node_place(ix, row->node_id, id - 1, &place, err);
    if (r < 0)
        return r;
    const bool moved = r == 1 && place.row.txn_seq == row->txn_seq && !same_place(&place.row, row);
    if (r == 1)
        index_row_release(&place);
    if (moved)
        return 0;
    uint64_t files, entries;
    POND_TRY(index_count_below(ix, row->node_id, row->txn_seq, &files, &entries, err));
    ix->live_change -= (int64_t)entries;
    return 0;
}

static int count_live(struct index *ix, int64_t id, const struct oplog_row *row, struct pond_error *err)
{
    if (!row->has_part)
        return 0; /* the root is not counted */
    struct index_row before;
    int r = index_newest_at(ix, row, id - 1, &before, err);
    if (r < 0)
        return r;
    const bool was_live = r == 1 && !before.row.deleted;
    if (r == 1)
        index_row_release(&before);
    if (!row->deleted && !was_live)
        ix->live_change++;
    if (row->deleted && was_live)
        return count_vanished(ix, id, row, err);
    return 0;
}

int index_put(struct index *ix, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err)
{
    assert(ix->in_transaction);
    if (row->txn_seq < 0 || row->txn_seq >= INDEX_TXN_MAX || ordinal > UINT32_MAX)
        return pond_fail_path(err, POND_ELIMIT, ix->path, "%s: transaction %lld, row %llu: over the limit of the index",
                              ix->path, (long long)row->txn_seq, (unsigned long long)ordinal);
    const int64_t id = index_id(row->txn_seq, ordinal);
    POND_TRY(count_live(ix, id, row, err));
    POND_TRY(insert_row(ix, id, row, err));
    if (row->storage == POND_STORAGE_CHUNKED && !row->deleted)
        return insert_bundle(ix, row, err);
    return 0;
}

int index_put_page(struct index *ix, int64_t txn, uint64_t first_ordinal, uint64_t row_group, uint64_t offset,
                   struct pond_error *err)
{
    assert(ix->in_transaction);
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_PUT_PAGE, &s, err));
    sqlite3_bind_int64(s, 1, index_id(txn, first_ordinal));
    sqlite3_bind_int64(s, 2, (int64_t)row_group);
    sqlite3_bind_int64(s, 3, (int64_t)offset);
    int r = index_step(ix, s, err);
    index_done(ix, INDEX_PUT_PAGE, s);
    return r;
}
