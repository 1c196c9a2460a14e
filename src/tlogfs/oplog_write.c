/* tlogfs/oplog_write.c - rows to a part, streaming: one row group in memory, the part's hash made on the way. */
#include "tlogfs/oplog.h"

#include <assert.h>
#include <string.h>

#include "bao/tree.h"
#include "base/os.h"
#include "base/text.h"
#include "parquet/writer.h"
#include "tlogfs/oplog_schema.h"

/* Names the form, not the program's version: the same rows give the same bytes with every program that says so. */
#define CREATED_BY "pond version 1.0.0 (build oplog)"
#define ZSTD_LEVEL 1

struct oplog_writer {
    int fd;
    char *path;
    struct pq_schema schema;
    struct pq_writer *parquet;
    struct bao_hasher hasher;
    uint64_t size;
    uint64_t rows;
    struct pond_buf scratch; /* a lossy name, attributes */
};

static int sink_write(void *context, const void *bytes, size_t size, struct pond_error *err)
{
    struct oplog_writer *w = context;
    POND_TRY(os_write(w->fd, w->path, bytes, size, err));
    bao_hasher_update(&w->hasher, bytes, size);
    w->size += size;
    return 0;
}

int oplog_writer_new(struct oplog_writer **out, int fd, const char *path, struct pond_error *err)
{
    struct oplog_writer *w = pond_calloc(1, sizeof *w);
    if (w == NULL)
        return pond_fail_nomem(err);
    w->fd = fd;
    bao_hasher_init(&w->hasher);
    w->path = pond_strdup(path);
    int r = w->path != NULL ? oplog_schema_make(&w->schema, err) : pond_fail_nomem(err);
    if (r == 0) {
        const struct pq_sink sink = {.write = sink_write, .context = w};
        /* Statistics of some columns only make one reader lose rows; of all of them they would name every path. */
        const struct pq_writer_options options = {.created_by = CREATED_BY, .zstd_level = ZSTD_LEVEL};
        r = pq_writer_new(&w->parquet, &w->schema, &sink, &options, err);
    }
    if (r < 0) {
        oplog_writer_free(w);
        return r;
    }
    *out = w;
    return 0;
}

void oplog_writer_free(struct oplog_writer *w)
{
    if (w == NULL)
        return;
    pq_writer_free(w->parquet);
    pq_schema_release(&w->schema);
    pond_buf_release(&w->scratch);
    pond_free(w->path);
    pond_free(w);
}

static void put_text(struct pq_writer *p, enum oplog_column column, const char *text)
{
    if (text == NULL)
        pq_writer_null(p, column);
    else
        pq_writer_bytes(p, column, text, strlen(text));
}

static void put_uuid(struct pq_writer *p, enum oplog_column column, const uint8_t uuid[16])
{
    char text[POND_UUID_TEXT_SIZE];
    pond_uuid_format(uuid, text);
    put_text(p, column, text);
}

/* The name, and the attributes beside it: a name that is not UTF-8 stands there in full. */
static int put_name(struct oplog_writer *w, const struct oplog_row *row, struct pond_error *err)
{
    struct pq_writer *p = w->parquet;
    if (pond_utf8_valid(row->name, row->name_size)) {
        pq_writer_bytes(p, OPLOG_NAME, row->name, row->name_size);
        put_text(p, OPLOG_ATTRIBUTES, row->attributes);
        return 0;
    }
    struct pond_buf *b = &w->scratch;
    pond_buf_clear(b);
    pond_utf8_lossy(b, row->name, row->name_size);
    POND_TRY(pond_buf_error(b, err));
    pq_writer_bytes(p, OPLOG_NAME, b->data, b->size);

    const char *rest = row->attributes == NULL || strcmp(row->attributes, "{}") == 0 ? NULL : row->attributes;
    assert(rest == NULL || rest[0] == '{');
    pond_buf_clear(b);
    pond_buf_append_str(b, OPLOG_NAME_KEY);
    pond_base64_encode(b, (const uint8_t *)row->name, row->name_size);
    pond_buf_append_str(b, rest == NULL ? "\"}" : "\",");
    pond_buf_append_str(b, rest == NULL ? "" : rest + 1);
    POND_TRY(pond_buf_error(b, err));
    pq_writer_bytes(p, OPLOG_ATTRIBUTES, b->data, b->size);
    return 0;
}

static void put_content(struct pq_writer *p, const struct oplog_row *row)
{
    if (row->storage == POND_STORAGE_NONE)
        pq_writer_null(p, OPLOG_STORAGE);
    else
        put_text(p, OPLOG_STORAGE, oplog_storage_name(row->storage));
    if (row->content == NULL)
        pq_writer_null(p, OPLOG_CONTENT);
    else
        pq_writer_bytes(p, OPLOG_CONTENT, row->content, row->content_size);
    if (row->has_blake3) {
        char hex[2 * POND_HASH_SIZE + 1];
        pond_hex(row->blake3, sizeof row->blake3, hex);
        put_text(p, OPLOG_BLAKE3, hex);
    } else {
        pq_writer_null(p, OPLOG_BLAKE3);
    }
    pq_writer_null(p, OPLOG_SHA256);
    if (row->deleted)
        pq_writer_null(p, OPLOG_SIZE);
    else
        pq_writer_int64(p, OPLOG_SIZE, (int64_t)row->size);
}

static void put_times(struct pq_writer *p, const struct oplog_row *row)
{
    pq_writer_int64(p, OPLOG_TIMESTAMP, row->timestamp_us);
    pq_writer_int32(p, OPLOG_MODE, (int32_t)row->mode);
    pq_writer_int64(p, OPLOG_MTIME, row->mtime_us);
    pq_writer_int32(p, OPLOG_MTIME_NANOS, row->mtime_nanos);
}

int oplog_writer_put(struct oplog_writer *w, const struct oplog_row *row, struct pond_error *err)
{
    struct pq_writer *p = w->parquet;
    assert(row->mtime_nanos >= 0 && row->mtime_nanos <= 999);
    assert(row->version > 0);
    POND_TRY(put_name(w, row, err));
    pq_writer_int64(p, OPLOG_TXN_SEQ, row->txn_seq);
    put_uuid(p, OPLOG_NODE_ID, row->node_id);
    if (row->has_part)
        put_uuid(p, OPLOG_PART_ID, row->part_id);
    else
        pq_writer_null(p, OPLOG_PART_ID);
    put_text(p, OPLOG_ENTRY_TYPE, oplog_type_name(row->type));
    pq_writer_int64(p, OPLOG_VERSION, row->version);
    pq_writer_boolean(p, OPLOG_DELETED, row->deleted);
    put_content(p, row);
    put_times(p, row);
    pq_writer_end_row(p);
    w->rows++;
    if (pq_writer_buffered(p) >= OPLOG_GROUP_BYTES || pq_writer_rows(p) >= OPLOG_GROUP_ROWS)
        return pq_writer_flush(p, err);
    return 0;
}

int oplog_writer_finish(struct oplog_writer *w, struct oplog_part_info *out, struct pond_error *err)
{
    POND_TRY(pq_writer_finish(w->parquet, err));
    out->size = w->size;
    out->rows = w->rows;
    bao_hasher_final(&w->hasher, out->blake3);
    return 0;
}
