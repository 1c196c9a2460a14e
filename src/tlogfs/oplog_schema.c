/* tlogfs/oplog_schema.c - the OpLog's columns, as Parquet and as Delta name them. */
#include "tlogfs/oplog_schema.h"

#include <assert.h>
#include <string.h>

const struct delta_field oplog_fields[OPLOG_COLUMNS] = {
    [OPLOG_TXN_SEQ] = {"txn_seq", "long"},
    [OPLOG_NODE_ID] = {"node_id", "string"},
    [OPLOG_PART_ID] = {"part_id", "string"},
    [OPLOG_NAME] = {"name", "string"},
    [OPLOG_ENTRY_TYPE] = {"entry_type", "string"},
    [OPLOG_VERSION] = {"version", "long"},
    [OPLOG_TIMESTAMP] = {"timestamp", "timestamp"},
    [OPLOG_DELETED] = {"deleted", "boolean"},
    [OPLOG_SIZE] = {"size", "long"},
    [OPLOG_STORAGE] = {"storage", "string"},
    [OPLOG_CONTENT] = {"content", "binary"},
    [OPLOG_BLAKE3] = {"blake3", "string"},
    [OPLOG_SHA256] = {"sha256", "string"},
    [OPLOG_MODE] = {"mode", "integer"},
    [OPLOG_MTIME] = {"mtime", "timestamp"},
    [OPLOG_MTIME_NANOS] = {"mtime_nanos", "integer"},
    [OPLOG_ATTRIBUTES] = {"attributes", "string"},
};

static int add_column(struct pq_schema *s, const struct delta_field *field, struct pond_error *err)
{
    static const struct {
        const char *type;
        int (*add)(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err);
    } kinds[] = {
        {"long", pq_schema_add_int64},           {"string", pq_schema_add_string},
        {"binary", pq_schema_add_binary},        {"integer", pq_schema_add_int32},
        {"boolean", pq_schema_add_boolean},      {"timestamp", pq_schema_add_timestamp},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].type, field->type) == 0)
            return kinds[i].add(s, field->name, PQ_OPTIONAL, err);
    }
    assert(false && "a column of a type without a Parquet form");
    return POND_EUSAGE;
}

int oplog_schema_make(struct pq_schema *out, struct pond_error *err)
{
    struct pq_schema s;
    int r = pq_schema_init(&s, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < OPLOG_COLUMNS && r == 0; i++)
        r = add_column(&s, &oplog_fields[i], err);
    if (r == 0)
        r = pq_schema_finish(&s, err);
    if (r < 0) {
        pq_schema_release(&s);
        return r;
    }
    *out = s;
    return 0;
}

static const char *const type_names[] = {
    [POND_DIRECTORY] = "directory",
    [POND_FILE] = "file",
    [POND_SYMLINK] = "symlink",
};
static const char *const storage_names[] = {
    [POND_STORAGE_INLINE] = "inline",
    [POND_STORAGE_CHUNKED] = "chunked",
};

static size_t find_name(const char *const *names, size_t count, const void *text, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i] != NULL && strlen(names[i]) == size && memcmp(names[i], text, size) == 0)
            return i;
    }
    return 0;
}

const char *oplog_type_name(enum pond_type type)
{
    assert(type >= POND_DIRECTORY && type <= POND_SYMLINK);
    return type_names[type];
}

enum pond_type oplog_type_parse(const void *text, size_t size)
{
    return (enum pond_type)find_name(type_names, sizeof type_names / sizeof type_names[0], text, size);
}

const char *oplog_storage_name(enum pond_storage storage)
{
    assert(storage == POND_STORAGE_INLINE || storage == POND_STORAGE_CHUNKED);
    return storage_names[storage];
}

enum pond_storage oplog_storage_parse(const void *text, size_t size)
{
    return (enum pond_storage)find_name(storage_names, sizeof storage_names / sizeof storage_names[0], text, size);
}
