/* tlogfs/oplog_schema.h - the columns of an OpLog part, as its writer and its reader share them. Private to oplog_*.c and
 * commit.c (the table's Delta schema).
 */
#ifndef TLOGFS_OPLOG_SCHEMA_H
#define TLOGFS_OPLOG_SCHEMA_H

#include "delta/delta.h"
#include "parquet/format.h"
#include "tlogfs/oplog.h"

enum oplog_column {
    OPLOG_TXN_SEQ, OPLOG_NODE_ID, OPLOG_PART_ID, OPLOG_NAME, OPLOG_ENTRY_TYPE, OPLOG_VERSION, OPLOG_TIMESTAMP,
    OPLOG_DELETED, OPLOG_SIZE, OPLOG_STORAGE, OPLOG_CONTENT, OPLOG_BLAKE3, OPLOG_SHA256, OPLOG_MODE, OPLOG_MTIME,
    OPLOG_MTIME_NANOS, OPLOG_ATTRIBUTES, OPLOG_COLUMNS
};

/* Name and Delta type of each column, in order. */
extern const struct delta_field oplog_fields[OPLOG_COLUMNS];

/* Fills an empty schema. */
POND_CHECKED int oplog_schema_make(struct pq_schema *out, struct pond_error *err);

/* "file" <-> POND_FILE, "chunked" <-> POND_STORAGE_CHUNKED. NULL, 0: none of them. */
const char *oplog_type_name(enum pond_type type);
enum pond_type oplog_type_parse(const void *text, size_t size);
const char *oplog_storage_name(enum pond_storage storage);
enum pond_storage oplog_storage_parse(const void *text, size_t size);

/* Attributes of a row whose name is not UTF-8 begin so; the rest of the text is the row's own attributes. */
#define OPLOG_NAME_KEY "{\"name_base64\":\""

/* Bounds of numbers in a row: a version can be counted up, times stay within years 0001 to 9999. */
#define OPLOG_VERSION_MAX ((int64_t)1 << 62)
#define OPLOG_TIME_MIN (-62135596800000000)
#define OPLOG_TIME_MAX 253402300799999999

#endif
