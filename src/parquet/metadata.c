/* parquet/metadata.c - row groups and the frame of the footer, to and from Thrift. */
#include "parquet/internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *pq_type_name(enum pq_type type)
{
    static const char *const names[] = {"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY",
                                        "FIXED_LEN_BYTE_ARRAY"};

    return (size_t)type < sizeof names / sizeof *names ? names[type] : "?";
}

int pq_fail_at(struct pond_error *err, int code, const struct pq_place *at, const char *format, ...)
{
    char what[POND_ERROR_MESSAGE_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (at->column == NULL)
        return pond_fail(err, code, "%s: row group %llu: %s", at->file, (unsigned long long)at->row_group, what);
    if (at->offset == 0)
        return pond_fail(err, code, "%s: row group %llu, column \"%s\": %s", at->file,
                         (unsigned long long)at->row_group, at->column, what);
    return pond_fail(err, code, "%s: row group %llu, column \"%s\", page at %llu: %s", at->file,
                     (unsigned long long)at->row_group, at->column, (unsigned long long)at->offset, what);
}

void pq_footer_begin(struct pond_buf *out, const struct pq_schema *s, int64_t num_rows, uint64_t row_groups)
{
    struct thrift_writer w = {.out = out};

    thrift_write_i32(&w, 1, 1);
    pq_schema_write(&w, 2, s);
    thrift_write_i64(&w, 3, num_rows);
    thrift_write_list(&w, 4, THRIFT_STRUCT, row_groups);
}

/* path_in_schema: the names from below the root to the leaf. */
static void write_path(struct thrift_writer *w, const struct pq_schema *s, const struct pq_leaf *leaf)
{
    size_t names[64 + 1]; /* pq_schema_finish bounds the depth */
    int32_t left[64 + 1];
    size_t depth = 0;

    for (size_t i = 1; i < s->element_count; i++) {
        while (depth > 0 && left[depth - 1] == 0)
            depth--;
        if (depth > 0)
            left[depth - 1]--;
        if (i != leaf->element && !s->elements[i].is_group)
            continue;
        names[depth] = i;
        left[depth++] = s->elements[i].num_children;
        if (i == leaf->element)
            break;
    }
    thrift_write_list(w, 3, THRIFT_BINARY, depth);
    for (size_t i = 0; i < depth; i++) {
        const char *name = s->elements[names[i]].name;
        thrift_put_binary(w, name, strlen(name));
    }
}

static void write_statistics(struct thrift_writer *w, int16_t id, const struct pq_statistics *st)
{
    int16_t outer;

    if (!st->has_min_max && !st->has_null_count)
        return;
    outer = thrift_begin_struct(w, id);
    if (st->has_null_count)
        thrift_write_i64(w, 3, st->null_count);
    if (st->has_min_max) {
        thrift_write_binary(w, 5, st->max, st->max_size);
        thrift_write_binary(w, 6, st->min, st->min_size);
    }
    thrift_end_struct(w, outer);
}

static void write_column(struct thrift_writer *w, const struct pq_schema *s, const struct pq_leaf *leaf,
                         const struct pq_column_meta *m)
{
    int16_t outer = thrift_begin_struct(w, 0);
    int16_t chunk;

    thrift_write_i64(w, 2, 0); /* file_offset: deprecated, 0 as parquet.thrift asks */
    chunk = thrift_begin_struct(w, 3);
    thrift_write_i32(w, 1, m->type);
    thrift_write_list(w, 2, THRIFT_I32, m->encoding_count);
    for (size_t i = 0; i < m->encoding_count; i++)
        thrift_put_i32(w, m->encodings[i]);
    write_path(w, s, leaf);
    thrift_write_i32(w, 4, m->codec);
    thrift_write_i64(w, 5, m->num_values);
    thrift_write_i64(w, 6, m->total_uncompressed_size);
    thrift_write_i64(w, 7, m->total_compressed_size);
    thrift_write_i64(w, 9, m->data_page_offset);
    if (m->dictionary_page_offset != 0)
        thrift_write_i64(w, 11, m->dictionary_page_offset);
    write_statistics(w, 12, &m->statistics);
    thrift_end_struct(w, chunk);
    thrift_end_struct(w, outer);
}

void pq_footer_row_group(struct pond_buf *out, const struct pq_schema *s, const struct pq_row_group *rg)
{
    struct thrift_writer w = {.out = out};

    assert(rg->column_count == s->leaf_count);
    thrift_write_list(&w, 1, THRIFT_STRUCT, rg->column_count);
    for (size_t i = 0; i < rg->column_count; i++)
        write_column(&w, s, &s->leaves[i], &rg->columns[i]);
    thrift_write_i64(&w, 2, rg->total_byte_size);
    thrift_write_i64(&w, 3, rg->num_rows);
    thrift_write_i64(&w, 5, rg->file_offset);
    thrift_write_i64(&w, 6, rg->total_compressed_size);
    if (rg->ordinal >= 0)
        thrift_write_i16(&w, 7, rg->ordinal);
    thrift_end_struct(&w, 0);
}

void pq_footer_end(struct pond_buf *out, const struct pq_schema *s, const struct pq_key_value *kvs, size_t kv_count,
                   const char *created_by)
{
    struct thrift_writer w = {.out = out, .last_id = 4}; /* after the row groups */

    if (kv_count > 0) {
        thrift_write_list(&w, 5, THRIFT_STRUCT, kv_count);
        for (size_t i = 0; i < kv_count; i++) {
            int16_t outer = thrift_begin_struct(&w, 0);
            thrift_write_string(&w, 1, kvs[i].key);
            if (kvs[i].value != NULL)
                thrift_write_string(&w, 2, kvs[i].value);
            thrift_end_struct(&w, outer);
        }
    }
    if (created_by != NULL)
        thrift_write_string(&w, 6, created_by);
    /* Without column_orders readers ignore min_value and max_value. Each is a union with TYPE_ORDER (1) set. */
    thrift_write_list(&w, 7, THRIFT_STRUCT, s->leaf_count);
    for (size_t i = 0; i < s->leaf_count; i++) {
        int16_t outer = thrift_begin_struct(&w, 0);
        thrift_end_struct(&w, thrift_begin_struct(&w, 1));
        thrift_end_struct(&w, outer);
    }
    thrift_end_struct(&w, 0);
}

void pq_footer_tail(struct pond_buf *out, uint32_t footer_size)
{
    pond_buf_append_u32le(out, footer_size);
    pond_buf_append(out, PQ_MAGIC, 4);
}
