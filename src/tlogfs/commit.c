/* tlogfs/commit.c - commit files: building ours, and reading what another machine or a hostile hand has written.
 *
 *     commit := commitInfo, at version 0 protocol and metaData, txn, add?
 *     commitInfo.pond := {"txn_seq", "command", "user", "host", "pond_id", "parent_blake3" (from 1 on), "time_us",
 *                         "files_added", "files_changed", "files_removed", "bytes", "options" (at 0)}
 *     options := {"chunk_size", "compression", "format": "chunked"}
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tlogfs/oplog_schema.h"
#include "tlogfs/pond.h"

#define KEEP_LONG "interval 36500 days"

static const char *const compression_names[] = {
    [POND_COMPRESSION_AUTO] = "auto",
    [POND_COMPRESSION_ZSTD] = "zstd",
    [POND_COMPRESSION_NONE] = "none",
};

void pond_commit_release(struct pond_commit *c)
{
    pond_free(c->part_path);
    pond_free(c->command);
    pond_free(c->user);
    pond_free(c->host);
    *c = (struct pond_commit){0};
}

/* ---- building ---- */

/* Any bytes as a JSON string; the bad ones of what is not UTF-8 are lost. */
static json_t *json_text(const char *text)
{
    struct pond_buf lossy = {0};
    json_t *out = NULL;
    if (text == NULL || text[0] == '\0')
        return json_string("");
    if (pond_utf8_lossy(&lossy, text, strlen(text)) == 0)
        out = json_stringn((const char *)lossy.data, lossy.size);
    pond_buf_release(&lossy);
    return out;
}

static json_t *json_hash(const uint8_t hash[POND_HASH_SIZE])
{
    char hex[2 * POND_HASH_SIZE + 1];
    pond_hex(hash, POND_HASH_SIZE, hex);
    return json_string(hex);
}

static json_t *build_pond(const struct pond_commit *c)
{
    json_t *pond = json_object();
    int r = json_object_set_new(pond, "txn_seq", json_integer(c->txn));
    r |= json_object_set_new(pond, "command", json_text(c->command));
    r |= json_object_set_new(pond, "user", json_text(c->user));
    r |= json_object_set_new(pond, "host", json_text(c->host));
    r |= json_object_set_new(pond, "pond_id", json_string(c->pond_id));
    if (c->has_parent)
        r |= json_object_set_new(pond, "parent_blake3", json_hash(c->parent_blake3));
    r |= json_object_set_new(pond, "time_us", json_integer(c->time_us));
    r |= json_object_set_new(pond, "files_added", json_integer((json_int_t)c->files_added));
    r |= json_object_set_new(pond, "files_changed", json_integer((json_int_t)c->files_changed));
    r |= json_object_set_new(pond, "files_removed", json_integer((json_int_t)c->files_removed));
    r |= json_object_set_new(pond, "bytes", json_integer((json_int_t)c->bytes));
    if (c->has_options)
        r |= json_object_set_new(pond, "options",
                                 json_pack("{s:I,s:s,s:s}", "chunk_size", (json_int_t)c->chunk_size, "compression",
                                           compression_names[c->compression], "format", "chunked"));
    if (r != 0) {
        json_decref(pond);
        return NULL;
    }
    return pond;
}

/* Known keys keep their known types (readers refuse others); all that is ours stands under one key. */
static json_t *build_commit_info(const struct pond_commit *c)
{
    json_t *info = json_object();
    int r = json_object_set_new(info, "timestamp", json_integer(c->time_us / 1000));
    r |= json_object_set_new(info, "operation", json_string("WRITE"));
    r |= json_object_set_new(info, "operationParameters", json_object());
    r |= json_object_set_new(info, "isBlindAppend", json_true());
    r |= json_object_set_new(info, "engineInfo", json_sprintf("pond/%s", pond_version()));
    r |= json_object_set_new(info, "userName", json_text(c->user));
    r |= json_object_set_new(info, "userMetadata", json_text(c->command));
    r |= json_object_set_new(info, "pond", build_pond(c));
    if (r != 0) {
        json_decref(info);
        return NULL;
    }
    return info;
}

static void put_table(const struct pond_commit *c, struct pond_buf *out)
{
    static const char *const configuration[] = {
        "delta.appendOnly", "true",
        "delta.logRetentionDuration", KEEP_LONG,
        "delta.deletedFileRetentionDuration", KEEP_LONG,
        "delta.enableExpiredLogCleanup", "false",
        NULL,
    };
    delta_put_protocol(out);
    delta_put_metadata(out, c->pond_id, oplog_fields, OPLOG_COLUMNS, NULL, 0, configuration, c->time_us / 1000);
}

int pond_commit_build(const struct pond_commit *c, struct pond_buf *out, struct pond_error *err)
{
    json_t *info = build_commit_info(c);
    if (info == NULL)
        return pond_fail_nomem(err);
    delta_put_commit_info(out, info);
    json_decref(info);
    if (c->txn == 0)
        put_table(c, out);
    char app_id[sizeof "pond-" + POND_UUID_TEXT_SIZE];
    (void)snprintf(app_id, sizeof app_id, "pond-%s", c->pond_id);
    delta_put_txn(out, app_id, c->txn, c->time_us / 1000);
    if (c->part_path != NULL) {
        char hex[2 * POND_HASH_SIZE + 1];
        pond_hex(c->part_blake3, POND_HASH_SIZE, hex);
        const char *const tags[] = {"blake3", hex, NULL};
        const struct delta_add add = {
            .path = c->part_path,
            .size = c->part_size,
            .modification_ms = c->time_us / 1000,
            .num_records = (int64_t)c->part_rows,
            .tags = tags,
        };
        delta_put_add(out, &add);
    }
    return pond_buf_error(out, err);
}

/* ---- parsing ---- */

struct parse {
    const char *name;
    struct pond_commit c;
    bool has_info, has_protocol, has_metadata, has_txn, has_add;
    int64_t app_version;
    char app_id[sizeof "pond-" + POND_UUID_TEXT_SIZE];
    char table_id[POND_UUID_TEXT_SIZE];
};

static int fail(const struct parse *ps, struct pond_error *err, const char *what)
{
    return pond_fail_path(err, POND_ECORRUPT, ps->name, "%s: is no commit of a pond: %s", ps->name, what);
}

static bool get_int(const json_t *object, const char *key, int64_t *out)
{
    const json_t *v = json_object_get(object, key);
    if (!json_is_integer(v))
        return false;
    *out = json_integer_value(v);
    return true;
}

static bool get_count(const json_t *object, const char *key, uint64_t *out)
{
    int64_t n;
    if (!get_int(object, key, &n) || n < 0)
        return false;
    *out = (uint64_t)n;
    return true;
}

static bool get_hash(const json_t *object, const char *key, uint8_t out[POND_HASH_SIZE])
{
    const json_t *v = json_object_get(object, key);
    return json_is_string(v) && pond_unhex(json_string_value(v), json_string_length(v), out, POND_HASH_SIZE);
}

/* 0; 1: missing or no string; negative: out of memory. */
static int get_text(const json_t *object, const char *key, char **out, struct pond_error *err)
{
    const json_t *v = json_object_get(object, key);
    if (!json_is_string(v))
        return 1;
    *out = pond_memdup(json_string_value(v), json_string_length(v));
    return *out != NULL ? 0 : pond_fail_nomem(err);
}

/* Canonical: 36 characters, lower case. */
static bool get_id(const json_t *object, const char *key, char out[POND_UUID_TEXT_SIZE])
{
    const json_t *v = json_object_get(object, key);
    uint8_t uuid[16];
    char canonical[POND_UUID_TEXT_SIZE];
    if (!json_is_string(v) || !pond_uuid_parse(json_string_value(v), json_string_length(v), uuid))
        return false;
    pond_uuid_format(uuid, canonical);
    if (strcmp(canonical, json_string_value(v)) != 0)
        return false;
    memcpy(out, canonical, sizeof canonical);
    return true;
}

static int parse_options(struct parse *ps, const json_t *options, struct pond_error *err)
{
    struct pond_commit *c = &ps->c;
    const char *format = json_string_value(json_object_get(options, "format"));
    const char *compression = json_string_value(json_object_get(options, "compression"));
    if (format == NULL || compression == NULL || !get_count(options, "chunk_size", &c->chunk_size))
        return fail(ps, err, "its options lack chunk_size, compression or format");
    if (strcmp(format, "chunked") != 0)
        return pond_fail_path(err, POND_EUNSUPPORTED, ps->name, "%s: the pond holds large files as \"%s\", which this "
                              "version does not know", ps->name, format);
    for (size_t i = 0; i < sizeof compression_names / sizeof compression_names[0]; i++) {
        if (strcmp(compression, compression_names[i]) == 0) {
            c->compression = (enum pond_compression)i;
            c->has_options = true;
        }
    }
    if (!c->has_options)
        return pond_fail_path(err, POND_EUNSUPPORTED, ps->name, "%s: the pond compresses by \"%s\", which this version "
                              "does not know", ps->name, compression);
    if (c->chunk_size != 0 && (c->chunk_size < POND_CHUNK_SIZE_MIN || c->chunk_size > POND_CHUNK_SIZE_MAX ||
                               (c->chunk_size & (c->chunk_size - 1)) != 0))
        return fail(ps, err, "chunk_size is not a power of two of 4 to 64 MiB");
    return 0;
}

static int parse_info(struct parse *ps, const json_t *json, struct pond_error *err)
{
    struct pond_commit *c = &ps->c;
    const json_t *pond = json_object_get(json, "pond");
    if (ps->has_info)
        return fail(ps, err, "it has two commitInfo");
    ps->has_info = true;
    if (!json_is_object(pond))
        return fail(ps, err, "its commitInfo has no \"pond\" (another program has written it)");
    if (!get_int(pond, "txn_seq", &c->txn) || c->txn < 0 || !get_int(pond, "time_us", &c->time_us) ||
        c->time_us < OPLOG_TIME_MIN || c->time_us > OPLOG_TIME_MAX || !get_id(pond, "pond_id", c->pond_id))
        return fail(ps, err, "txn_seq, time_us or pond_id is missing or impossible");
    if (!get_count(pond, "files_added", &c->files_added) || !get_count(pond, "files_changed", &c->files_changed) ||
        !get_count(pond, "files_removed", &c->files_removed) || !get_count(pond, "bytes", &c->bytes))
        return fail(ps, err, "a count is missing or negative");
    int r = get_text(pond, "command", &c->command, err);
    if (r == 0)
        r = get_text(pond, "user", &c->user, err);
    if (r == 0)
        r = get_text(pond, "host", &c->host, err);
    if (r != 0)
        return r < 0 ? r : fail(ps, err, "command, user or host is missing");
    c->has_parent = json_object_get(pond, "parent_blake3") != NULL;
    if (c->has_parent != (c->txn > 0) || (c->has_parent && !get_hash(pond, "parent_blake3", c->parent_blake3)))
        return fail(ps, err, "parent_blake3 must be a hash, and missing in transaction 0 only");
    const json_t *options = json_object_get(pond, "options");
    if ((options != NULL) != (c->txn == 0))
        return fail(ps, err, "options must be in transaction 0, and only there");
    return options == NULL ? 0 : parse_options(ps, options, err);
}

/* "part-%020d-<uuid>.parquet" with the commit's own number. */
static bool is_part_path(const char *path, int64_t txn)
{
    char prefix[32];
    uint8_t uuid[16];
    (void)snprintf(prefix, sizeof prefix, "part-%020" PRId64 "-", txn);
    const size_t prefix_size = strlen(prefix);
    const size_t uuid_size = POND_UUID_TEXT_SIZE - 1;
    return strlen(path) == prefix_size + uuid_size + strlen(".parquet") && memcmp(path, prefix, prefix_size) == 0 &&
           pond_uuid_parse(path + prefix_size, uuid_size, uuid) &&
           strcmp(path + prefix_size + uuid_size, ".parquet") == 0;
}

static int parse_add(struct parse *ps, const struct delta_action *a, struct pond_error *err)
{
    struct pond_commit *c = &ps->c;
    if (ps->has_add)
        return fail(ps, err, "it adds two parts");
    ps->has_add = true;
    if (!get_hash(json_object_get(a->json, "tags"), "blake3", c->part_blake3))
        return fail(ps, err, "its part has no hash (add.tags.blake3)");
    c->part_size = a->size;
    c->part_path = pond_strdup(a->path);
    return c->part_path != NULL ? 0 : pond_fail_nomem(err);
}

static int parse_metadata(struct parse *ps, const json_t *json, struct pond_error *err)
{
    ps->has_metadata = true;
    const json_t *partitions = json_object_get(json, "partitionColumns");
    if (!get_id(json, "id", ps->table_id))
        return fail(ps, err, "metaData.id is not a UUID");
    if (json_array_size(partitions) != 0)
        return fail(ps, err, "the table is partitioned");
    return 0;
}

static int parse_action(void *context, const struct delta_action *a, struct pond_error *err)
{
    struct parse *ps = context;
    switch (a->kind) {
    case DELTA_COMMIT_INFO:
        return parse_info(ps, a->json, err);
    case DELTA_PROTOCOL:
        ps->has_protocol = true;
        return delta_check_protocol(ps->name, a->json, true, err);
    case DELTA_METADATA:
        return parse_metadata(ps, a->json, err);
    case DELTA_ADD:
        return parse_add(ps, a, err);
    case DELTA_REMOVE:
        return fail(ps, err, "it removes a part");
    case DELTA_TXN:
        if (ps->has_txn || strlen(a->app_id) >= sizeof ps->app_id)
            return fail(ps, err, "its txn action is not one of a pond");
        ps->has_txn = true;
        ps->app_version = a->txn_version;
        memcpy(ps->app_id, a->app_id, strlen(a->app_id) + 1);
        return 0;
    }
    return 0;
}

/* What the actions must say together. */
static int check_commit(const struct parse *ps, struct pond_error *err)
{
    const struct pond_commit *c = &ps->c;
    if (!ps->has_info || !ps->has_txn)
        return fail(ps, err, "commitInfo or txn is missing");
    if (strncmp(ps->app_id, "pond-", 5) != 0 || strcmp(ps->app_id + 5, c->pond_id) != 0 || ps->app_version != c->txn)
        return fail(ps, err, "txn and commitInfo do not agree on pond and transaction");
    if (ps->has_protocol != (c->txn == 0) || ps->has_metadata != (c->txn == 0))
        return fail(ps, err, "protocol and metaData must be in transaction 0, and only there");
    if (c->txn == 0 && strcmp(ps->table_id, c->pond_id) != 0)
        return fail(ps, err, "metaData.id is not the pond's");
    if (ps->has_add && !is_part_path(c->part_path, c->txn))
        return fail(ps, err, "its part has a name that is not one of a part");
    return 0;
}

int pond_commit_parse(const char *name, int64_t version, const void *bytes, size_t size, struct pond_commit *out,
                      struct pond_error *err)
{
    struct parse ps = {.name = name};
    int r = delta_parse_commit(name, version, bytes, size, parse_action, &ps, err);
    if (r == 0)
        r = check_commit(&ps, err);
    if (r < 0) {
        pond_commit_release(&ps.c);
        return r;
    }
    pond_blake3(bytes, size, ps.c.commit_blake3);
    *out = ps.c;
    return 0;
}
