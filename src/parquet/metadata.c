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
    thrift_write_i32(w, 1, (int32_t)m->type);
    thrift_write_list(w, 2, THRIFT_I32, m->encoding_count);
    for (size_t i = 0; i < m->encoding_count; i++)
        thrift_put_i32(w, (int32_t)m->encodings[i]);
    write_path(w, s, leaf);
    thrift_write_i32(w, 4, (int32_t)m->codec);
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

/* ColumnChunk, ColumnMetaData and Statistics, being read. */
struct chunk_state {
    const struct pq_leaf *leaf;
    bool has_meta;
    bool path_differs;
    int32_t type;
};

/* Old min and max (fields 1 and 2) are not taken: their order was never sure. */
static void read_statistics(struct thrift_reader *r, const struct thrift_field *f, struct pq_statistics *out)
{
    struct thrift_field in = {0};
    bool has_min = false, has_max = false;

    if (!thrift_struct(r, f))
        return;
    while (thrift_next(r, &in)) {
        switch (in.id) {
        case 3: out->null_count = thrift_i64(r, &in); out->has_null_count = true; break;
        case 5: out->max = thrift_binary(r, &in, &out->max_size); has_max = true; break;
        case 6: out->min = thrift_binary(r, &in, &out->min_size); has_min = true; break;
        default: thrift_skip(r, &in); break;
        }
    }
    out->has_min_max = has_min && has_max;
}

static void read_encodings(struct thrift_reader *r, const struct thrift_field *f, struct pq_column_meta *m)
{
    struct thrift_field element;
    size_t count = thrift_list(r, f, THRIFT_I32, 1, &element);

    for (size_t i = 0; i < count; i++) {
        int32_t encoding = thrift_i32(r, &element);
        if (m->encoding_count < PQ_MAX_ENCODINGS)
            m->encodings[m->encoding_count++] = (enum pq_encoding)encoding;
    }
}

/* Compares the names with the leaf's path, in which dots join them. */
static void read_path(struct thrift_reader *r, const struct thrift_field *f, struct chunk_state *state)
{
    struct thrift_field element;
    size_t count = thrift_list(r, f, THRIFT_BINARY, 1, &element);
    const char *path = state->leaf->path;
    size_t left = strlen(path);

    for (size_t i = 0; i < count; i++) {
        size_t size;
        const uint8_t *name = thrift_binary(r, &element, &size);
        bool last = i + 1 == count;
        if (size > left || memcmp(name, path, size) != 0 || (last ? size != left : path[size] != '.')) {
            state->path_differs = true;
            left = 0;
            continue;
        }
        path += size + !last;
        left -= size + !last;
    }
}

static void read_column_meta(struct thrift_reader *r, const struct thrift_field *f, struct chunk_state *state,
                             struct pq_column_meta *m)
{
    struct thrift_field in = {0};

    if (!thrift_struct(r, f))
        return;
    state->has_meta = true;
    while (thrift_next(r, &in)) {
        switch (in.id) {
        case 1: state->type = thrift_i32(r, &in); break;
        case 2: read_encodings(r, &in, m); break;
        case 3: read_path(r, &in, state); break;
        case 4: m->codec = (enum pq_codec)thrift_i32(r, &in); break;
        case 5: m->num_values = thrift_i64(r, &in); break;
        case 6: m->total_uncompressed_size = thrift_i64(r, &in); break;
        case 7: m->total_compressed_size = thrift_i64(r, &in); break;
        case 9: m->data_page_offset = thrift_i64(r, &in); break;
        case 11: m->dictionary_page_offset = thrift_i64(r, &in); break;
        case 12: read_statistics(r, &in, &m->statistics); break;
        default: thrift_skip(r, &in); break;
        }
    }
}

/* A minimum of another size than its type's is none. */
static void check_statistics(struct pq_statistics *st, enum pq_type type)
{
    size_t size = type == PQ_BOOLEAN ? 1 : type == PQ_INT32 || type == PQ_FLOAT ? 4 : 8;

    if (type == PQ_BYTE_ARRAY || type == PQ_FIXED_LEN_BYTE_ARRAY)
        return;
    if (st->min_size != size || st->max_size != size)
        st->has_min_max = false;
}

static int read_column(struct thrift_reader *r, const struct pq_schema *s, size_t leaf, struct pq_column_meta *out,
                       const struct pq_place *row_group, struct pond_error *err)
{
    struct pq_place at = {.file = row_group->file, .row_group = row_group->row_group,
                          .column = s->leaves[leaf].path};
    enum pq_type type = s->elements[s->leaves[leaf].element].type;
    struct chunk_state state = {.leaf = &s->leaves[leaf], .type = -1};
    struct pq_column_meta m = {.num_values = -1, .total_compressed_size = -1, .data_page_offset = -1};
    struct thrift_field f = {0};
    size_t size;

    while (thrift_next(r, &f)) {
        switch (f.id) {
        case 1:
            (void)thrift_binary(r, &f, &size);
            m.unreadable = "its pages are in another file";
            break;
        case 3: read_column_meta(r, &f, &state, &m); break;
        case 8:
            thrift_skip(r, &f);
            m.unreadable = "it is encrypted";
            break;
        default: thrift_skip(r, &f); break;
        }
    }
    if (r->fault != THRIFT_OK)
        return pq_fail_at(err, POND_ECORRUPT, &at, "its metadata %s", thrift_fault_name(r->fault));
    if (!state.has_meta && m.unreadable != NULL) { /* encrypted metadata */
        *out = (struct pq_column_meta){.type = type, .unreadable = m.unreadable};
        return 0;
    }
    if (state.type != (int32_t)type)
        return pq_fail_at(err, POND_ECORRUPT, &at, "of type %d, the schema says %s", state.type, pq_type_name(type));
    if (state.path_differs)
        return pq_fail_at(err, POND_ECORRUPT, &at, "its path is another than the schema's");
    if (m.num_values < 0 || m.total_compressed_size < 0 || m.total_uncompressed_size < 0 || m.data_page_offset < 0 ||
        m.dictionary_page_offset < 0)
        return pq_fail_at(err, POND_ECORRUPT, &at, "a size, count or offset is missing or negative");
    m.type = type;
    check_statistics(&m.statistics, type);
    *out = m;
    return 0;
}

static int read_columns(struct thrift_reader *r, const struct thrift_field *f, const struct pq_schema *s,
                        struct pq_row_group *rg, const struct pq_place *at, struct pond_error *err)
{
    struct thrift_field element;
    size_t count = thrift_list(r, f, THRIFT_STRUCT, 1, &element);

    if (r->fault != THRIFT_OK || count != s->leaf_count || rg->columns != NULL)
        return pq_fail_at(err, POND_ECORRUPT, at, "%zu column chunks, the schema has %zu columns", count,
                          s->leaf_count);
    rg->columns = pond_calloc(count, sizeof *rg->columns);
    if (rg->columns == NULL)
        return pond_fail_nomem(err);
    rg->column_count = count;
    for (size_t i = 0; i < count; i++)
        POND_TRY(read_column(r, s, i, &rg->columns[i], at, err));
    return 0;
}

void pq_row_group_release(struct pq_row_group *rg)
{
    pond_free(rg->columns);
    *rg = (struct pq_row_group){0};
}

int pq_row_group_read(struct thrift_reader *r, const struct pq_schema *s, struct pq_row_group *out,
                      const struct pq_place *at, struct pond_error *err)
{
    struct pq_row_group rg = {.num_rows = -1, .ordinal = -1};
    struct thrift_field f = {0};
    int code = 0;

    while (code == 0 && thrift_next(r, &f)) {
        switch (f.id) {
        case 1: code = read_columns(r, &f, s, &rg, at, err); break;
        case 2: rg.total_byte_size = thrift_i64(r, &f); break;
        case 3: rg.num_rows = thrift_i64(r, &f); break;
        case 5: rg.file_offset = thrift_i64(r, &f); break;
        case 6: rg.total_compressed_size = thrift_i64(r, &f); break;
        case 7: rg.ordinal = thrift_i16(r, &f); break;
        default: thrift_skip(r, &f); break;
        }
    }
    if (code == 0 && r->fault != THRIFT_OK)
        code = pq_fail_at(err, POND_ECORRUPT, at, "its metadata %s", thrift_fault_name(r->fault));
    if (code == 0 && (rg.num_rows < 0 || (rg.columns == NULL && s->leaf_count > 0)))
        code = pq_fail_at(err, POND_ECORRUPT, at, "its rows or columns are missing");
    if (code < 0) {
        pq_row_group_release(&rg);
        return code;
    }
    pq_row_group_release(out);
    *out = rg;
    return 0;
}
