/* tlogfs/oplog.h - the OpLog's rows and parts: one row per operation, one Parquet part per transaction.
 *
 *     part := Parquet file, "part-%020d-<uuid>.parquet", columns in this order, all OPTIONAL:
 *             txn_seq INT64, node_id STRING, part_id STRING, name STRING, entry_type STRING, version INT64,
 *             timestamp TIMESTAMP(us, UTC), deleted BOOLEAN, size INT64, storage STRING, content BINARY,
 *             blake3 STRING, sha256 STRING, mode INT32, mtime TIMESTAMP(us, UTC), mtime_nanos INT32,
 *             attributes STRING
 * The root directory is the row of transaction 0 with part_id null and name "". A name that is not UTF-8 is
 * in attributes as name_base64, its first key, with a lossy copy in its column (a symlink's target stands as it is in
 * content, which is binary). Content pages are closed at 1 MiB, row groups at OPLOG_GROUP_BYTES of
 * buffered bytes or OPLOG_GROUP_ROWS rows, so memory is bounded and one small file is read without its neighbours.
 */
#ifndef TLOGFS_OPLOG_H
#define TLOGFS_OPLOG_H

#include <pond/fs.h>

#include "base/mem.h"

#define OPLOG_GROUP_BYTES ((size_t)8 << 20)
#define OPLOG_GROUP_ROWS 16384u
#define OPLOG_NAME_MAX 255u

struct oplog_row {
    int64_t txn_seq;
    uint8_t node_id[16];
    bool has_part;                /* false: the root */
    uint8_t part_id[16];          /* node_id of the directory it stands in */
    const char *name;             /* raw bytes, name_size of them, no NUL inside; also NUL-terminated */
    size_t name_size;
    enum pond_type type;
    int64_t version;              /* of the node, from 1; a tombstone counts too */
    int64_t timestamp_us;
    bool deleted;
    uint64_t size;
    enum pond_storage storage;    /* NONE: directories, symlinks, tombstones */
    const uint8_t *content;       /* inline files, symlink targets; NULL: null */
    size_t content_size;
    bool has_blake3;
    uint8_t blake3[32];
    uint32_t mode;
    int64_t mtime_us;
    int32_t mtime_nanos;
    const char *attributes;       /* a JSON object without name_base64 (the writer adds that), or NULL */
};

/* ---- writing ---- */

struct oplog_writer;
struct oplog_part_info {
    uint64_t size;                /* bytes of the part */
    uint64_t rows;
    uint8_t blake3[32];           /* of its bytes */
};
/* fd: an empty file, stays the caller's. Streams: memory does not grow with the rows. */
POND_CHECKED int oplog_writer_new(struct oplog_writer **out, int fd, const char *path, struct pond_error *err);
/* The row's pointers are used during the call only. */
POND_CHECKED int oplog_writer_put(struct oplog_writer *w, const struct oplog_row *row, struct pond_error *err);
POND_CHECKED int oplog_writer_finish(struct oplog_writer *w, struct oplog_part_info *out, struct pond_error *err);
void oplog_writer_free(struct oplog_writer *w);

/* ---- reading ---- */

/* Every row of a part in order, `ordinal` from 0, with the content of symlinks only (row->content of others is NULL). All that comes from
 * the file is checked: types, ranges, names (no '/', NUL, "." or "..", 1..255 bytes), UUIDs, hashes, txn_seq equal to `txn`. */
typedef int oplog_row_fn(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err);
POND_CHECKED int oplog_read_rows(int fd, const char *path, int64_t txn, oplog_row_fn *fn, void *context,
                                 struct pond_error *err);
/* Where the content pages lie, in order: each page's header offset, its row group, the ordinal of its first row. */
typedef int oplog_page_fn(void *context, uint64_t first_ordinal, uint64_t row_group, uint64_t offset,
                          struct pond_error *err);
POND_CHECKED int oplog_read_pages(int fd, const char *path, oplog_page_fn *fn, void *context, struct pond_error *err);
/* One row's content: decodes the one page at (row_group, offset) whose first row is first_ordinal. POND_ECORRUPT when
 * the row is not there or null. */
POND_CHECKED int oplog_read_content(int fd, const char *path, uint64_t row_group, uint64_t offset,
                                    uint64_t first_ordinal, uint64_t ordinal, struct pond_buf *out,
                                    struct pond_error *err);

/* The same for many rows of one part: the footer and the last page used stay decoded. */
struct oplog_part;
/* Takes fd over, failures too. */
POND_CHECKED int oplog_part_open(struct oplog_part **out, int fd, const char *path, struct pond_error *err);
POND_CHECKED int oplog_part_content(struct oplog_part *part, uint64_t row_group, uint64_t offset,
                                    uint64_t first_ordinal, uint64_t ordinal, struct pond_buf *out,
                                    struct pond_error *err);
void oplog_part_close(struct oplog_part *part);

#endif
