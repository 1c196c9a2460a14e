/* parquet/writer.c - see writer.h.
 *
 * A value goes into its column's open page, encoded PLAIN. A page that is full is closed: levels and values are
 * compressed and appended, behind their header, to the column's chunk. A flush writes the chunks one after
 * another and keeps only the row group's metadata, as the bytes that the footer will hold.
 */
#include "parquet/writer.h"

#include <assert.h>
#include <string.h>

#include "parquet/codec.h"
#include "parquet/levels.h"

#define DEFAULT_PAGE_BYTES ((size_t)1 << 20)
/* A page of nulls has no value bytes, so rows are bounded too. */
#define MAX_PAGE_ROWS ((size_t)1 << 18)
/* A page's size is an int32 in its header. */
#define MAX_PAGE_SIZE ((size_t)1 << 30)
#define MAX_CHUNK_SIZE ((size_t)4 << 30)
#define MAX_STATISTICS_VALUE 64

struct extreme {
    uint8_t bytes[MAX_STATISTICS_VALUE];
    size_t size;
};

struct column {
    enum pq_type type;
    size_t value_size;          /* of fixed-width values, 0: BYTE_ARRAY */
    bool is_optional;
    bool wants_statistics, wants_min_max;
    enum pq_codec next_codec;   /* from the next row group on */

    enum pq_codec codec;        /* of the current chunk */
    uint64_t rows;              /* in the current row group */
    struct pond_buf values;     /* the open page */
    struct pond_buf levels;     /* its definition levels, a byte each; REQUIRED: empty */
    size_t page_rows;
    unsigned boolean_bits;      /* used in the last byte of values */
    struct pond_buf chunk;      /* closed pages */
    uint64_t uncompressed_size; /* of them, with headers */
    int64_t null_count;
    bool has_min_max, min_max_lost;
    struct extreme min, max;
};

struct pq_writer {
    const struct pq_schema *schema;
    struct pq_sink sink;
    struct pq_writer_options options;
    struct pq_codec_state codec;
    struct column *columns;
    uint64_t offset;             /* bytes given to the sink */
    uint64_t rows, total_rows;   /* in the current row group; in the ones before */
    uint64_t row_groups;
    struct pond_buf footer;      /* the row groups so far, as Thrift */
    struct pond_buf page;        /* scratch: levels and values together */
    struct pond_buf header;      /* scratch */
    struct pond_error error;     /* the first failure */
    bool finished;
};

static size_t fixed_size(const struct pq_element *e)
{
    switch (e->type) {
    case PQ_INT32:
    case PQ_FLOAT: return 4;
    case PQ_INT64:
    case PQ_DOUBLE: return 8;
    case PQ_INT96: return 12;
    case PQ_FIXED_LEN_BYTE_ARRAY: return (size_t)e->type_length;
    case PQ_BOOLEAN:
    case PQ_BYTE_ARRAY: break;
    }
    return 0;
}

/* Only where the order of values is the plain one of their type. */
static bool has_plain_order(const struct pq_element *e)
{
    switch (e->type) {
    case PQ_BOOLEAN: return true;
    case PQ_INT32:
    case PQ_INT64: return e->logical != PQ_LOGICAL_INTEGER || e->int_signed;
    case PQ_BYTE_ARRAY: return e->logical == PQ_LOGICAL_STRING;
    case PQ_FLOAT:
    case PQ_DOUBLE:
    case PQ_INT96:
    case PQ_FIXED_LEN_BYTE_ARRAY: break;
    }
    return false;
}

static void init_column(struct column *c, const struct pq_element *e, bool statistics)
{
    *c = (struct column){.type = e->type, .value_size = fixed_size(e), .is_optional = e->repetition == PQ_OPTIONAL,
                         .next_codec = PQ_ZSTD};
    c->wants_statistics = statistics && (e->type != PQ_BYTE_ARRAY || e->logical == PQ_LOGICAL_STRING);
    c->wants_min_max = c->wants_statistics && has_plain_order(e);
    pond_buf_init(&c->values, MAX_PAGE_SIZE);
    pond_buf_init(&c->levels, MAX_PAGE_SIZE);
    pond_buf_init(&c->chunk, MAX_CHUNK_SIZE);
}

int pq_writer_new(struct pq_writer **out, const struct pq_schema *schema, const struct pq_sink *sink,
                  const struct pq_writer_options *options, struct pond_error *err)
{
    struct pq_writer *w;

    assert(schema->leaf_count > 0);
    for (size_t i = 0; i < schema->leaf_count; i++)
        if (schema->leaves[i].max_repetition > 0 || schema->element_count != schema->leaf_count + 1)
            return pond_fail(err, POND_EUNSUPPORTED, "column \"%s\": nested columns cannot be written",
                             schema->leaves[i].path);
    w = pond_calloc(1, sizeof *w);
    if (w == NULL)
        return pond_fail_nomem(err);
    w->columns = pond_calloc(schema->leaf_count, sizeof *w->columns);
    if (w->columns == NULL) {
        pond_free(w);
        return pond_fail_nomem(err);
    }
    w->schema = schema;
    w->sink = *sink;
    if (options != NULL)
        w->options = *options;
    if (w->options.page_bytes == 0)
        w->options.page_bytes = DEFAULT_PAGE_BYTES;
    for (size_t i = 0; i < schema->leaf_count; i++)
        init_column(&w->columns[i], &schema->elements[schema->leaves[i].element], w->options.statistics);
    pond_buf_init(&w->page, MAX_PAGE_SIZE);
    pond_buf_init(&w->footer, (size_t)PQ_MAX_FOOTER);
    *out = w;
    return 0;
}

void pq_writer_free(struct pq_writer *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->schema->leaf_count; i++) {
        pond_buf_release(&w->columns[i].values);
        pond_buf_release(&w->columns[i].levels);
        pond_buf_release(&w->columns[i].chunk);
    }
    pond_free(w->columns);
    pond_buf_release(&w->footer);
    pond_buf_release(&w->page);
    pond_buf_release(&w->header);
    pq_codec_state_release(&w->codec);
    pond_free(w);
}

void pq_writer_set_codec(struct pq_writer *w, size_t leaf, enum pq_codec codec)
{
    const struct pq_codec_ops *ops = pq_codec_find(codec);

    assert(leaf < w->schema->leaf_count);
    if (ops == NULL || ops->compress == NULL) {
        if (w->error.code == 0)
            (void)pond_fail(&w->error, POND_EUNSUPPORTED, "codec %s is not supported for writing",
                            pq_codec_name(codec));
        return;
    }
    w->columns[leaf].next_codec = codec;
}

/* Appends what the page's body is to the chunk, and says how many bytes that was. The first page of a chunk decides
 * whether compressing pays. */
static int append_body(struct pq_writer *w, struct column *c, const struct pond_buf *body, struct pond_buf *out)
{
    const struct pq_codec_ops *ops = pq_codec_find(c->codec);
    const char *why = "";
    int r;

    r = ops->compress(&w->codec, w->options.zstd_level, body->data, body->size, out, &why);
    if (r < 0)
        return pond_fail(&w->error, r, "compressing a page of %zu bytes (%s): %s", body->size, ops->name, why);
    if (c->codec != PQ_UNCOMPRESSED && c->chunk.size == 0 && out->size > body->size - body->size / 16) {
        c->codec = PQ_UNCOMPRESSED;
        pond_buf_clear(out);
        return body->size == 0 ? 0 : pond_buf_append(out, body->data, body->size);
    }
    return 0;
}

/* Levels and values of the open page, into w->page. */
static void assemble_page(struct pq_writer *w, const struct column *c)
{
    pond_buf_clear(&w->page);
    if (c->is_optional) {
        uint32_t size;
        pond_buf_append_u32le(&w->page, 0);
        pq_levels_encode_bits(&w->page, c->levels.data, c->levels.size);
        if (w->page.error == 0) {
            size = (uint32_t)w->page.size - 4;
            memcpy(w->page.data, &size, 4);
        }
    }
    if (c->values.size > 0)
        pond_buf_append(&w->page, c->values.data, c->values.size);
}

static void close_page(struct pq_writer *w, struct column *c)
{
    struct pq_page_header h = {.type = PQ_PAGE_DATA, .encoding = PQ_PLAIN, .definition_encoding = PQ_RLE,
                               .repetition_encoding = PQ_RLE};
    struct pond_buf body = {.max = MAX_CHUNK_SIZE};
    int r = w->error.code;

    if (c->page_rows == 0)
        return;
    if (r == 0)
        r = pond_buf_error(&c->values, &w->error);
    if (r == 0)
        r = pond_buf_error(&c->levels, &w->error);
    if (r == 0)
        assemble_page(w, c);
    if (r == 0)
        r = pond_buf_error(&w->page, &w->error);
    if (r == 0)
        r = append_body(w, c, &w->page, &body);
    if (r == 0)
        r = pond_buf_error(&body, &w->error);
    if (r == 0) {
        h.uncompressed_size = (int32_t)w->page.size;
        h.compressed_size = (int32_t)body.size;
        h.num_values = (int32_t)c->page_rows;
        pq_page_header_encode(&c->chunk, &h);
        c->uncompressed_size += pq_page_header_size(&h) + w->page.size;
        if (body.size > 0)
            pond_buf_append(&c->chunk, body.data, body.size);
        r = pond_buf_error(&c->chunk, &w->error);
        (void)r; /* w->error keeps it */
    }
    pond_buf_release(&body);
    pond_buf_clear(&c->values);
    pond_buf_clear(&c->levels);
    c->page_rows = 0;
    c->boolean_bits = 0;
}

/* Begins a value of `size` bytes, or a null. */
static struct column *begin_value(struct pq_writer *w, size_t leaf, size_t size, bool is_null)
{
    struct column *c;

    assert(leaf < w->schema->leaf_count && !w->finished);
    c = &w->columns[leaf];
    assert(c->rows == w->rows); /* one value for each row */
    assert(!is_null || c->is_optional);
    if (c->rows == 0)
        c->codec = c->next_codec;
    if (c->values.size > 0 && size > w->options.page_bytes - pond_min_u64(c->values.size, w->options.page_bytes))
        close_page(w, c);
    if (c->is_optional)
        pond_buf_append_byte(&c->levels, !is_null);
    return c;
}

static void end_value(struct pq_writer *w, struct column *c)
{
    c->rows++;
    c->page_rows++;
    if (c->values.size >= w->options.page_bytes || c->page_rows >= MAX_PAGE_ROWS)
        close_page(w, c);
}

static int compare(enum pq_type type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    int64_t x64, y64;
    int32_t x32, y32;
    int r;

    if (type == PQ_INT64) {
        memcpy(&x64, a, 8);
        memcpy(&y64, b, 8);
        return (x64 > y64) - (x64 < y64);
    }
    if (type == PQ_INT32) {
        memcpy(&x32, a, 4);
        memcpy(&y32, b, 4);
        return (x32 > y32) - (x32 < y32);
    }
    r = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return r != 0 ? r : (a_size > b_size) - (a_size < b_size);
}

static void note_value(struct column *c, const void *bytes, size_t size)
{
    if (!c->wants_min_max || c->min_max_lost)
        return;
    if (size > MAX_STATISTICS_VALUE) {
        c->min_max_lost = true;
        return;
    }
    if (!c->has_min_max || compare(c->type, bytes, size, c->min.bytes, c->min.size) < 0) {
        c->min.size = size;
        if (size > 0)
            memcpy(c->min.bytes, bytes, size);
    }
    if (!c->has_min_max || compare(c->type, bytes, size, c->max.bytes, c->max.size) > 0) {
        c->max.size = size;
        if (size > 0)
            memcpy(c->max.bytes, bytes, size);
    }
    c->has_min_max = true;
}

void pq_writer_null(struct pq_writer *w, size_t leaf)
{
    struct column *c = begin_value(w, leaf, 0, true);

    c->null_count++;
    end_value(w, c);
}

void pq_writer_boolean(struct pq_writer *w, size_t leaf, bool value)
{
    struct column *c = begin_value(w, leaf, 0, false);
    uint8_t byte = value;

    assert(c->type == PQ_BOOLEAN);
    note_value(c, &byte, 1);
    if (c->boolean_bits % 8 == 0)
        pond_buf_append_byte(&c->values, byte);
    else if (c->values.error == 0)
        c->values.data[c->values.size - 1] |= (uint8_t)(byte << c->boolean_bits % 8);
    c->boolean_bits++;
    end_value(w, c);
}

static void put_fixed(struct pq_writer *w, size_t leaf, const void *bytes, size_t size)
{
    struct column *c = begin_value(w, leaf, size, false);

    note_value(c, bytes, size);
    if (size > 0)
        pond_buf_append(&c->values, bytes, size);
    end_value(w, c);
}

void pq_writer_int32(struct pq_writer *w, size_t leaf, int32_t value)
{
    assert(w->columns[leaf].type == PQ_INT32);
    put_fixed(w, leaf, &value, sizeof value);
}

void pq_writer_int64(struct pq_writer *w, size_t leaf, int64_t value)
{
    assert(w->columns[leaf].type == PQ_INT64);
    put_fixed(w, leaf, &value, sizeof value);
}

void pq_writer_bytes(struct pq_writer *w, size_t leaf, const void *bytes, size_t size)
{
    struct column *c;

    if (w->columns[leaf].type != PQ_BYTE_ARRAY) {
        assert(w->columns[leaf].type != PQ_BOOLEAN && size == w->columns[leaf].value_size);
        put_fixed(w, leaf, bytes, size);
        return;
    }
    if (size > MAX_PAGE_SIZE - 4 && w->error.code == 0)
        (void)pond_fail(&w->error, POND_ELIMIT, "a value of %zu bytes, the limit is %zu", size, MAX_PAGE_SIZE - 4);
    c = begin_value(w, leaf, size > MAX_PAGE_SIZE ? MAX_PAGE_SIZE : size + 4, false);
    if (w->error.code == 0) {
        note_value(c, bytes, size);
        pond_buf_append_u32le(&c->values, (uint32_t)size);
        if (size > 0)
            pond_buf_append(&c->values, bytes, size);
    }
    end_value(w, c);
}

void pq_writer_end_row(struct pq_writer *w)
{
    w->rows++;
    for (size_t i = 0; i < w->schema->leaf_count; i++)
        assert(w->columns[i].rows == w->rows);
}

size_t pq_writer_buffered(const struct pq_writer *w)
{
    size_t total = 0;

    for (size_t i = 0; i < w->schema->leaf_count; i++)
        total += w->columns[i].chunk.size + w->columns[i].values.size + w->columns[i].levels.size;
    return total;
}

uint64_t pq_writer_rows(const struct pq_writer *w)
{
    return w->rows;
}

static int emit(struct pq_writer *w, const void *bytes, size_t size)
{
    int r = w->sink.write(w->sink.context, bytes, size, &w->error);

    if (r < 0 && w->error.code == 0)
        w->error.code = r;
    w->offset += size;
    return r < 0 ? r : 0;
}

static int begin_file(struct pq_writer *w)
{
    return w->offset == 0 ? emit(w, PQ_MAGIC, 4) : 0;
}

static int write_chunk(struct pq_writer *w, struct column *c, struct pq_column_meta *m)
{
    *m = (struct pq_column_meta){
        .type = c->type, .codec = c->codec, .encodings = {PQ_PLAIN, PQ_RLE}, .encoding_count = c->is_optional ? 2 : 1,
        .num_values = (int64_t)c->rows, .total_uncompressed_size = (int64_t)c->uncompressed_size,
        .total_compressed_size = (int64_t)c->chunk.size, .data_page_offset = (int64_t)w->offset,
    };
    if (c->wants_statistics) {
        m->statistics.has_null_count = true;
        m->statistics.null_count = c->null_count;
        m->statistics.has_min_max = c->has_min_max && !c->min_max_lost;
        m->statistics.min = c->min.bytes;
        m->statistics.min_size = c->min.size;
        m->statistics.max = c->max.bytes;
        m->statistics.max_size = c->max.size;
    }
    return emit(w, c->chunk.data, c->chunk.size);
}

static void reset_column(struct column *c)
{
    pond_buf_clear(&c->chunk);
    c->rows = 0;
    c->uncompressed_size = 0;
    c->null_count = 0;
    c->has_min_max = c->min_max_lost = false;
}

static int write_row_group(struct pq_writer *w)
{
    size_t count = w->schema->leaf_count;
    struct pq_row_group rg = {.column_count = count, .num_rows = (int64_t)w->rows, .ordinal = -1};
    int r;

    for (size_t i = 0; i < count; i++)
        close_page(w, &w->columns[i]);
    if (w->error.code != 0 || begin_file(w) < 0)
        return w->error.code;
    rg.columns = pond_calloc(count, sizeof *rg.columns);
    if (rg.columns == NULL)
        return pond_fail_nomem(&w->error);
    rg.file_offset = (int64_t)w->offset;
    if (w->row_groups <= INT16_MAX)
        rg.ordinal = (int16_t)w->row_groups;
    r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = write_chunk(w, &w->columns[i], &rg.columns[i]);
        rg.total_byte_size += rg.columns[i].total_uncompressed_size;
        rg.total_compressed_size += rg.columns[i].total_compressed_size;
    }
    if (r == 0) {
        pq_footer_row_group(&w->footer, w->schema, &rg);
        r = pond_buf_error(&w->footer, &w->error);
    }
    pond_free(rg.columns);
    return r;
}

/* Hands the sticky failure out. */
static int failed(const struct pq_writer *w, struct pond_error *err)
{
    if (err != NULL)
        *err = w->error;
    return w->error.code;
}

int pq_writer_flush(struct pq_writer *w, struct pond_error *err)
{
    if (w->error.code != 0)
        return failed(w, err);
    if (w->rows == 0)
        return 0;
    if (write_row_group(w) < 0)
        return failed(w, err);
    for (size_t i = 0; i < w->schema->leaf_count; i++)
        reset_column(&w->columns[i]);
    w->total_rows += w->rows;
    w->rows = 0;
    w->row_groups++;
    return 0;
}

int pq_writer_finish(struct pq_writer *w, struct pond_error *err)
{
    struct pond_buf footer = {.max = (size_t)PQ_MAX_FOOTER};
    int r;

    assert(!w->finished);
    POND_TRY(pq_writer_flush(w, err));
    w->finished = true;
    if (begin_file(w) < 0)
        return failed(w, err);
    pq_footer_begin(&footer, w->schema, (int64_t)w->total_rows, w->row_groups);
    if (w->footer.size > 0)
        pond_buf_append(&footer, w->footer.data, w->footer.size);
    pq_footer_end(&footer, w->schema, w->options.key_values, w->options.key_value_count, w->options.created_by);
    if (footer.error == 0)
        pq_footer_tail(&footer, (uint32_t)footer.size);
    r = pond_buf_error(&footer, &w->error);
    if (r == 0)
        r = emit(w, footer.data, footer.size);
    pond_buf_release(&footer);
    return r < 0 ? failed(w, err) : 0;
}
