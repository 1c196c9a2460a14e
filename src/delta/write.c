/* delta/write.c - actions as lines of JSON, in the forms that every engine reads (PROTOCOL.md, "Actions"). */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "delta/delta.h"

/* A JSON string. Text that is not UTF-8 would spoil the whole commit for every reader: callers encode it first. */
static void put_text_n(struct pond_buf *out, const char *text, size_t size)
{
    assert(pond_utf8_valid(text, size));
    (void)pond_buf_append_byte(out, '"');
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        (void)pond_buf_append(out, text + start, i - start);
        if (c < 0x20)
            (void)pond_buf_printf(out, "\\u%04x", c);
        else
            (void)pond_buf_printf(out, "\\%c", c);
        start = i + 1;
    }
    (void)pond_buf_append(out, text + start, size - start);
    (void)pond_buf_append_byte(out, '"');
}

static void put_text(struct pond_buf *out, const char *text)
{
    put_text_n(out, text, strlen(text));
}

static void put_raw(struct pond_buf *out, const char *json)
{
    (void)pond_buf_append_str(out, json);
}

/* {"k":"v",...} from k, v, k, v, NULL. */
static void put_map(struct pond_buf *out, const char *const *pairs)
{
    put_raw(out, "{");
    for (size_t i = 0; pairs != NULL && pairs[i] != NULL; i += 2) {
        assert(pairs[i + 1] != NULL);
        put_raw(out, i > 0 ? "," : "");
        put_text(out, pairs[i]);
        put_raw(out, ":");
        put_text(out, pairs[i + 1]);
    }
    put_raw(out, "}");
}

/* Takes over a failure of a buffer that was made to be put into out. */
static bool inherit_error(struct pond_buf *out, const struct pond_buf *part)
{
    if (part->error != 0 && out->error == 0)
        out->error = part->error;
    return part->error != 0;
}

void delta_put_protocol(struct pond_buf *out)
{
    put_raw(out, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n");
}

/* The schema is JSON inside a JSON string. Columns are nullable in it whatever the files say: some readers stumble
 * over others. */
static void put_schema(struct pond_buf *out, const struct delta_field *fields, size_t field_count)
{
    struct pond_buf schema = {0};
    put_raw(&schema, "{\"type\":\"struct\",\"fields\":[");
    for (size_t i = 0; i < field_count; i++) {
        put_raw(&schema, i > 0 ? ",{\"name\":" : "{\"name\":");
        put_text(&schema, fields[i].name);
        put_raw(&schema, ",\"type\":");
        put_text(&schema, fields[i].type);
        put_raw(&schema, ",\"nullable\":true,\"metadata\":{}}");
    }
    put_raw(&schema, "]}");
    if (!inherit_error(out, &schema))
        put_text_n(out, (const char *)schema.data, schema.size);
    pond_buf_release(&schema);
}

void delta_put_metadata(struct pond_buf *out, const char *id, const struct delta_field *fields, size_t field_count,
                        const char *const *partition_columns, size_t partition_count,
                        const char *const *configuration, int64_t created_ms)
{
    put_raw(out, "{\"metaData\":{\"id\":");
    put_text(out, id);
    put_raw(out, ",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":");
    put_schema(out, fields, field_count);
    put_raw(out, ",\"partitionColumns\":[");
    for (size_t i = 0; i < partition_count; i++) {
        put_raw(out, i > 0 ? "," : "");
        put_text(out, partition_columns[i]);
    }
    put_raw(out, "],\"configuration\":");
    put_map(out, configuration);
    (void)pond_buf_printf(out, ",\"createdTime\":%" PRId64 "}}\n", created_ms);
}

static void put_path(struct pond_buf *out, const char *path)
{
    struct pond_buf encoded = {0};
    (void)pond_percent_encode(&encoded, path, strlen(path));
    if (!inherit_error(out, &encoded))
        put_text_n(out, (const char *)encoded.data, encoded.size);
    pond_buf_release(&encoded);
}

void delta_put_add(struct pond_buf *out, const struct delta_add *add)
{
    assert(pond_path_is_safe(add->path, strlen(add->path)));
    put_raw(out, "{\"add\":{\"path\":");
    put_path(out, add->path);
    put_raw(out, ",\"partitionValues\":{");
    if (add->partition_key != NULL) {
        put_text(out, add->partition_key);
        put_raw(out, ":");
        if (add->partition_value != NULL)
            put_text(out, add->partition_value);
        else
            put_raw(out, "null");
    }
    (void)pond_buf_printf(out,
                          "},\"size\":%" PRId64 ",\"modificationTime\":%" PRId64
                          ",\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":%" PRId64 "}\"",
                          add->size, add->modification_ms, add->num_records);
    if (add->tags != NULL) {
        put_raw(out, ",\"tags\":");
        put_map(out, add->tags);
    }
    put_raw(out, "}}\n");
}

void delta_put_txn(struct pond_buf *out, const char *app_id, int64_t version, int64_t last_updated_ms)
{
    put_raw(out, "{\"txn\":{\"appId\":");
    put_text(out, app_id);
    (void)pond_buf_printf(out, ",\"version\":%" PRId64 ",\"lastUpdated\":%" PRId64 "}}\n", version, last_updated_ms);
}

static int append_dumped(const char *bytes, size_t size, void *context)
{
    return pond_buf_append(context, bytes, size) == 0 ? 0 : -1;
}

void delta_put_commit_info(struct pond_buf *out, const json_t *info)
{
    assert(json_is_object(info));
    put_raw(out, "{\"commitInfo\":");
    if (json_dump_callback(info, append_dumped, out, JSON_COMPACT) != 0 && out->error == 0)
        out->error = POND_ENOMEM; /* jansson's only other reason is a value that contains itself */
    put_raw(out, "}\n");
}
