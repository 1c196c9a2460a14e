/* tlogfs/index_read.c - look-ups. Values are checked for their size: the file may be damaged. */
#include "tlogfs/index_impl.h"

#include <assert.h>
#include <string.h>

void index_row_release(struct index_row *r)
{
    pond_buf_release(&r->storage);
}

void index_bind_part(sqlite3_stmt *stmt, int parameter, bool has_part, const uint8_t part_id[16])
{
    sqlite3_bind_blob(stmt, parameter, has_part ? (const void *)part_id : "", has_part ? 16 : 0, SQLITE_STATIC);
}

void index_bind_name(sqlite3_stmt *stmt, int parameter, const char *name, size_t size)
{
    sqlite3_bind_blob64(stmt, parameter, size == 0 ? "" : name, size, SQLITE_STATIC);
}

/* ---- values ---- */

static bool get_bytes(sqlite3_stmt *s, int column, void *out, size_t size)
{
    const void *bytes = sqlite3_column_blob(s, column);
    if (bytes == NULL || (size_t)sqlite3_column_bytes(s, column) != size)
        return false;
    memcpy(out, bytes, size);
    return true;
}

/* Appends a value and a NUL to storage; false: NULL there. */
static bool get_string(sqlite3_stmt *s, int column, struct pond_buf *storage, size_t *at, size_t *size)
{
    if (sqlite3_column_type(s, column) == SQLITE_NULL)
        return false;
    const void *bytes = sqlite3_column_blob(s, column);
    *size = (size_t)sqlite3_column_bytes(s, column);
    *at = storage->size;
    if (*size > 0)
        pond_buf_append(storage, bytes, *size);
    pond_buf_append_byte(storage, 0);
    return true;
}

static int get_strings(sqlite3_stmt *s, struct index_row *out, struct pond_error *err)
{
    struct pond_buf *b = &out->storage;
    size_t name = 0, target = 0, attributes = 0, size;
    pond_buf_clear(b);
    get_string(s, 2, b, &name, &out->row.name_size);
    const bool has_target = get_string(s, 14, b, &target, &out->row.content_size);
    const bool has_attributes = get_string(s, 15, b, &attributes, &size);
    POND_TRY(pond_buf_error(b, err));
    out->row.name = (const char *)b->data + name;
    if (has_target)
        out->row.content = b->data + target;
    if (has_attributes)
        out->row.attributes = (const char *)b->data + attributes;
    return 0;
}

int index_read_row(struct index *ix, sqlite3_stmt *s, struct index_row *row, struct pond_error *err)
{
    struct oplog_row *o = &row->row;
    *o = (struct oplog_row){0};
    const uint64_t id = (uint64_t)sqlite3_column_int64(s, 0);
    o->txn_seq = (int64_t)(id >> 32);
    row->ordinal = id & UINT32_MAX;
    o->has_part = sqlite3_column_bytes(s, 1) != 0;
    if ((o->has_part && !get_bytes(s, 1, o->part_id, 16)) || !get_bytes(s, 3, o->node_id, 16))
        return index_fail_value(ix, "an identifier that is not 16 bytes", err);
    const int type = sqlite3_column_int(s, 4);
    const int storage = sqlite3_column_int(s, 9);
    if (type < POND_DIRECTORY || type > POND_SYMLINK || storage < POND_STORAGE_NONE || storage > POND_STORAGE_CHUNKED)
        return index_fail_value(ix, "an unknown type of entry or storage", err);
    o->type = (enum pond_type)type;
    o->storage = (enum pond_storage)storage;
    o->version = sqlite3_column_int64(s, 5);
    o->timestamp_us = sqlite3_column_int64(s, 6);
    o->deleted = sqlite3_column_int(s, 7) != 0;
    o->size = (uint64_t)sqlite3_column_int64(s, 8);
    o->has_blake3 = sqlite3_column_type(s, 10) != SQLITE_NULL;
    if (o->has_blake3 && !get_bytes(s, 10, o->blake3, POND_HASH_SIZE))
        return index_fail_value(ix, "a hash that is not 32 bytes", err);
    o->mode = (uint32_t)sqlite3_column_int64(s, 11);
    o->mtime_us = sqlite3_column_int64(s, 12);
    o->mtime_nanos = sqlite3_column_int(s, 13);
    return get_strings(s, row, err);
}

/* ---- one row ---- */

/* Gives the statement back. 1: *out filled, 0: no row. */
static int finish_one(struct index *ix, enum index_query query, sqlite3_stmt *s, struct index_row *out,
                      struct pond_error *err)
{
    struct index_row row = {0};
    int r = index_step(ix, s, err);
    if (r == 1) {
        r = index_read_row(ix, s, &row, err);
        r = r < 0 ? r : 1;
    }
    index_done(ix, query, s);
    if (r == 1)
        *out = row;
    else
        index_row_release(&row);
    return r;
}

int index_newest_at(struct index *ix, const struct oplog_row *place, int64_t bound, struct index_row *out,
                    struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_CHILD, &s, err));
    index_bind_part(s, 1, place->has_part, place->part_id);
    index_bind_name(s, 2, place->name, place->name_size);
    sqlite3_bind_int64(s, 3, bound);
    return finish_one(ix, INDEX_CHILD, s, out, err);
}

static int drop_tombstone(int r, struct index_row *out)
{
    if (r == 0)
        return POND_ENOTFOUND;
    if (r == 1 && out->row.deleted) {
        index_row_release(out);
        return POND_ENOTFOUND;
    }
    return r < 0 ? r : 0;
}

int index_root(struct index *ix, int64_t at, struct index_row *out, struct pond_error *err)
{
    const struct oplog_row place = {.name = ""};
    struct index_row row = {0};
    int r = drop_tombstone(index_newest_at(ix, &place, index_bound(at), &row, err), &row);
    if (r == 0)
        *out = row;
    return r;
}

int index_child_any(struct index *ix, const uint8_t part_id[16], const char *name, size_t name_size, int64_t at,
                    struct index_row *out, struct pond_error *err)
{
    struct oplog_row place = {.has_part = true, .name = name, .name_size = name_size};
    memcpy(place.part_id, part_id, sizeof place.part_id);
    int r = index_newest_at(ix, &place, index_bound(at), out, err);
    if (r == 0)
        return POND_ENOTFOUND;
    return r < 0 ? r : 0;
}

int index_child(struct index *ix, const uint8_t part_id[16], const char *name, size_t name_size, int64_t at,
                struct index_row *out, struct pond_error *err)
{
    struct index_row row = {0};
    POND_TRY(index_child_any(ix, part_id, name, name_size, at, &row, err));
    int r = drop_tombstone(1, &row);
    if (r == 0)
        *out = row;
    return r;
}

int index_node_place(struct index *ix, const uint8_t node_id[16], int64_t bound, struct index_row *out,
                     struct pond_error *err)
{
    sqlite3_stmt *s;
    struct index_row row = {0}, newest = {0};
    POND_TRY(index_take(ix, INDEX_NODE_LIVE, &s, err));
    sqlite3_bind_blob(s, 1, node_id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, bound);
    int r = finish_one(ix, INDEX_NODE_LIVE, s, &row, err);
    if (r <= 0)
        return r;
    r = index_newest_at(ix, &row.row, bound, &newest, err);
    if (r == 1) {
        r = newest.row.txn_seq == row.row.txn_seq && newest.ordinal == row.ordinal;
        index_row_release(&newest);
    }
    if (r == 1)
        *out = row;
    else
        index_row_release(&row);
    return r;
}

int index_row_at(struct index *ix, int64_t txn, uint64_t ordinal, struct index_row *out, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_ROW, &s, err));
    sqlite3_bind_int64(s, 1, index_id(txn, ordinal));
    int r = finish_one(ix, INDEX_ROW, s, out, err);
    return r == 0 ? index_fail_value(ix, "a row is missing", err) : r < 0 ? r : 0;
}

/* ---- several rows ---- */

/* Calls fn for each result and gives the statement back. */
static int finish_rows(struct index *ix, enum index_query query, sqlite3_stmt *s, index_row_fn *fn, void *context,
                       struct pond_error *err)
{
    struct index_row row = {0};
    int r;
    while ((r = index_step(ix, s, err)) == 1) {
        r = index_read_row(ix, s, &row, err);
        if (r == 0)
            r = fn(context, &row, err);
        if (r != 0)
            break;
    }
    index_done(ix, query, s);
    index_row_release(&row);
    return r < 0 ? r : 0;
}

int index_place_rows(struct index *ix, const uint8_t part_id[16], const char *name, size_t name_size, int64_t at,
                     index_row_fn *fn, void *context, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_PLACE_ROWS, &s, err));
    index_bind_part(s, 1, true, part_id);
    index_bind_name(s, 2, name, name_size);
    sqlite3_bind_int64(s, 3, index_bound(at));
    return finish_rows(ix, INDEX_PLACE_ROWS, s, fn, context, err);
}

int index_node_rows(struct index *ix, const uint8_t node_id[16], index_row_fn *fn, void *context,
                    struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_NODE_ROWS, &s, err));
    sqlite3_bind_blob(s, 1, node_id, 16, SQLITE_STATIC);
    return finish_rows(ix, INDEX_NODE_ROWS, s, fn, context, err);
}

int index_txn_rows(struct index *ix, int64_t txn, index_row_fn *fn, void *context, struct pond_error *err)
{
    sqlite3_stmt *s;
    if (txn < 0 || txn >= INDEX_TXN_MAX)
        return 0;
    POND_TRY(index_take(ix, INDEX_TXN_ROWS, &s, err));
    sqlite3_bind_int64(s, 1, index_id(txn, 0));
    sqlite3_bind_int64(s, 2, index_id(txn, UINT32_MAX));
    return finish_rows(ix, INDEX_TXN_ROWS, s, fn, context, err);
}

struct children {
    struct index *ix;
    index_row_fn *fn;
    void *context;
    char name[OPLOG_NAME_MAX]; /* the name whose newest id so far is `id` */
    size_t name_size;
    int64_t id;                /* -1: no name yet */
    struct index_row row;
};

static int give_child(struct children *c, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(c->ix, INDEX_ROW, &s, err));
    sqlite3_bind_int64(s, 1, c->id);
    int r = index_step(c->ix, s, err);
    if (r == 0)
        r = index_fail_value(c->ix, "a row is missing", err);
    if (r == 1)
        r = index_read_row(c->ix, s, &c->row, err);
    index_done(c->ix, INDEX_ROW, s);
    if (r < 0 || c->row.row.deleted)
        return r;
    return c->fn(c->context, &c->row, err);
}

/* The scan runs over one B-tree in order (name, id), so it needs no sorting; the last id of a name is its newest row. */
static int scan_children(struct children *c, sqlite3_stmt *s, struct pond_error *err)
{
    int r;
    while ((r = index_step(c->ix, s, err)) == 1) {
        const void *name = sqlite3_column_blob(s, 0);
        const size_t size = (size_t)sqlite3_column_bytes(s, 0);
        if (size == 0 || size > sizeof c->name)
            return index_fail_value(c->ix, "a name of no possible length", err);
        const bool same = c->id >= 0 && size == c->name_size && memcmp(name, c->name, size) == 0;
        if (!same && c->id >= 0 && (r = give_child(c, err)) != 0)
            return r;
        if (!same) {
            /* give_child ran other statements, but not this one: its columns are still valid. */
            memcpy(c->name, name, size);
            c->name_size = size;
        }
        c->id = sqlite3_column_int64(s, 1);
    }
    return r == 0 && c->id >= 0 ? give_child(c, err) : r;
}

int index_children(struct index *ix, const uint8_t part_id[16], int64_t at, index_row_fn *fn, void *context,
                   struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_CHILDREN, &s, err));
    index_bind_part(s, 1, true, part_id);
    sqlite3_bind_int64(s, 2, index_bound(at));
    struct children c = {.ix = ix, .fn = fn, .context = context, .id = -1};
    int r = scan_children(&c, s, err);
    index_done(ix, INDEX_CHILDREN, s);
    index_row_release(&c.row);
    return r < 0 ? r : 0;
}

/* ---- trees ---- */

struct below {
    struct index *ix;
    int64_t at;
    unsigned depth;
    uint64_t files, entries;
};

static int count_child(void *context, const struct index_row *row, struct pond_error *err)
{
    struct below *b = context;
    b->entries++;
    if (row->row.type != POND_DIRECTORY) {
        b->files++;
        return 0;
    }
    if (b->depth == INDEX_DEPTH_MAX)
        return pond_fail(err, POND_ELIMIT, "directory \"%s\" is more than %u levels deep", row->row.name,
                         INDEX_DEPTH_MAX);
    b->depth++;
    int r = index_children(b->ix, row->row.node_id, b->at, count_child, b, err);
    b->depth--;
    return r;
}

int index_count_below(struct index *ix, const uint8_t node_id[16], int64_t at, uint64_t *files, uint64_t *entries,
                      struct pond_error *err)
{
    struct below b = {.ix = ix, .at = at};
    POND_TRY(index_children(ix, node_id, at, count_child, &b, err));
    *files = b.files;
    *entries = b.entries;
    return 0;
}

static int collect_names(struct index *ix, const uint8_t node_id[16], int64_t bound, struct pond_buf *reversed,
                         struct pond_error *err)
{
    uint8_t node[16];
    memcpy(node, node_id, sizeof node);
    for (unsigned depth = 0; depth <= INDEX_DEPTH_MAX; depth++) {
        struct index_row row = {0};
        int r = index_node_place(ix, node, bound, &row, err);
        if (r <= 0)
            return r < 0 ? r : POND_ENOTFOUND;
        const bool is_root = !row.row.has_part;
        memcpy(node, row.row.part_id, sizeof node);
        for (size_t i = row.row.name_size; i > 0; i--)
            pond_buf_append_byte(reversed, (uint8_t)row.row.name[i - 1]);
        index_row_release(&row);
        if (is_root)
            return pond_buf_error(reversed, err);
        pond_buf_append_byte(reversed, '/');
    }
    return pond_fail(err, POND_ELIMIT, "a directory is more than %u levels deep", INDEX_DEPTH_MAX);
}

int index_node_path(struct index *ix, const uint8_t node_id[16], int64_t at, struct pond_buf *out,
                    struct pond_error *err)
{
    struct pond_buf reversed = {0};
    int r = collect_names(ix, node_id, index_bound(at), &reversed, err);
    if (r == 0) {
        if (reversed.size == 0)
            pond_buf_append_byte(out, '/');
        for (size_t i = reversed.size; i > 0; i--)
            pond_buf_append_byte(out, reversed.data[i - 1]);
        r = pond_buf_error(out, err);
    }
    pond_buf_release(&reversed);
    return r;
}

/* ---- commits, pages, bundles ---- */

int index_tip(struct index *ix, int64_t *txn, uint8_t commit_blake3[32], struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_TIP, &s, err));
    int r = index_step(ix, s, err);
    if (r == 1) {
        *txn = sqlite3_column_int64(s, 0);
        r = get_bytes(s, 1, commit_blake3, POND_HASH_SIZE) ? 1 : index_fail_value(ix, "the tip's hash", err);
    } else if (r == 0) {
        r = index_fail_value(ix, "the tip is missing", err);
    }
    index_done(ix, INDEX_TIP, s);
    return r < 0 ? r : 0;
}

int index_page_of(struct index *ix, int64_t txn, uint64_t ordinal, uint64_t *first_ordinal, uint64_t *row_group,
                  uint64_t *offset, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_PAGE, &s, err));
    sqlite3_bind_int64(s, 1, index_id(txn, ordinal));
    int r = index_step(ix, s, err);
    if (r == 1) {
        const uint64_t first = (uint64_t)sqlite3_column_int64(s, 0);
        *first_ordinal = first & UINT32_MAX;
        *row_group = (uint64_t)sqlite3_column_int64(s, 1);
        *offset = (uint64_t)sqlite3_column_int64(s, 2);
        r = (int64_t)(first >> 32) == txn;
    }
    if (r == 0)
        r = index_fail_value(ix, "the content page of a row is missing", err);
    index_done(ix, INDEX_PAGE, s);
    return r < 0 ? r : 0;
}

static const char *text_of(sqlite3_stmt *s, int column)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    return text != NULL ? (const char *)text : "";
}

int index_commits(struct index *ix, int64_t from, index_commit_fn *fn, void *context, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_COMMITS, &s, err));
    sqlite3_bind_int64(s, 1, from);
    int r;
    while ((r = index_step(ix, s, err)) == 1) {
        struct index_commit c = {
            .txn = sqlite3_column_int64(s, 0),
            .time_us = sqlite3_column_int64(s, 1),
            .part_path = text_of(s, 3),
            .part_size = (uint64_t)sqlite3_column_int64(s, 4),
            .command = text_of(s, 6),
            .user = text_of(s, 7),
            .host = text_of(s, 8),
            .files_added = (uint64_t)sqlite3_column_int64(s, 9),
            .files_changed = (uint64_t)sqlite3_column_int64(s, 10),
            .files_removed = (uint64_t)sqlite3_column_int64(s, 11),
            .bytes = (uint64_t)sqlite3_column_int64(s, 12),
        };
        if (!get_bytes(s, 2, c.commit_blake3, POND_HASH_SIZE) || !get_bytes(s, 5, c.part_blake3, POND_HASH_SIZE))
            r = index_fail_value(ix, "the hashes of a commit", err);
        else
            r = fn(context, &c, err);
        if (r != 0)
            break;
    }
    index_done(ix, INDEX_COMMITS, s);
    return r < 0 ? r : 0;
}

int index_commit_at_time(struct index *ix, int64_t time_us, int64_t at, int64_t *txn, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_AT_TIME, &s, err));
    sqlite3_bind_int64(s, 1, time_us);
    sqlite3_bind_int64(s, 2, at);
    int r = index_step(ix, s, err);
    if (r == 1)
        *txn = sqlite3_column_int64(s, 0);
    index_done(ix, INDEX_AT_TIME, s);
    return r == 0 ? POND_ENOTFOUND : r < 0 ? r : 0;
}

int index_bundles(struct index *ix, int64_t from_txn, int64_t to_txn, index_bundle_fn *fn, void *context,
                  struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_BUNDLES, &s, err));
    sqlite3_bind_int64(s, 1, from_txn);
    sqlite3_bind_int64(s, 2, to_txn);
    int r;
    while ((r = index_step(ix, s, err)) == 1) {
        uint8_t hash[POND_HASH_SIZE];
        if (!get_bytes(s, 0, hash, sizeof hash))
            r = index_fail_value(ix, "the hash of a bundle", err);
        else
            r = fn(context, hash, sqlite3_column_int64(s, 1), (uint64_t)sqlite3_column_int64(s, 2), err);
        if (r != 0)
            break;
    }
    index_done(ix, INDEX_BUNDLES, s);
    return r < 0 ? r : 0;
}

int index_has_bundle(struct index *ix, const uint8_t blake3[32], int64_t *first_txn, uint64_t *size,
                     struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_HAS_BUNDLE, &s, err));
    sqlite3_bind_blob(s, 1, blake3, POND_HASH_SIZE, SQLITE_STATIC);
    int r = index_step(ix, s, err);
    if (r == 1) {
        *first_txn = sqlite3_column_int64(s, 0);
        *size = (uint64_t)sqlite3_column_int64(s, 1);
    }
    index_done(ix, INDEX_HAS_BUNDLE, s);
    return r;
}

int index_live_entries(struct index *ix, uint64_t *count, int64_t *time_us, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_LIVE, &s, err));
    int r = index_step(ix, s, err);
    if (r == 1) {
        *count = (uint64_t)sqlite3_column_int64(s, 0);
        *time_us = sqlite3_column_int64(s, 1);
    }
    index_done(ix, INDEX_LIVE, s);
    return r < 0 ? r : 0;
}
