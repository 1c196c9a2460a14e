/* tests/parquet/pq_memory.h - Parquet files in memory: a source, a sink, hand-made files of one column, and a reader of
 * everything.
 */
#ifndef TESTS_PQ_MEMORY_H
#define TESTS_PQ_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "parquet/reader.h"
#include "parquet/writer.h"

#define UNUSED_IN_SOME __attribute__((unused))

struct memory_file {
    const uint8_t *data;
    size_t size;
};

static int memory_read(void *context, uint64_t offset, void *buf, size_t size, struct pond_error *err)
{
    const struct memory_file *m = context;

    (void)err;
    /* The reader has to check places itself: this is not an error that a file could cause. */
    assert_true(offset <= m->size && size <= m->size - offset);
    if (size > 0)
        memcpy(buf, m->data + offset, size);
    return 0;
}

static struct pq_source memory_source(struct memory_file *m)
{
    return (struct pq_source){.read_at = memory_read, .context = m, .size = m->size, .name = "mem"};
}

UNUSED_IN_SOME static int memory_write(void *context, const void *bytes, size_t size, struct pond_error *err)
{
    struct pond_buf *out = context;

    if (pond_buf_append(out, bytes, size) < 0)
        return pond_buf_error(out, err);
    return 0;
}

#define assert_ok(call)                                             \
    do {                                                            \
        int assert_r_ = (call);                                     \
        if (assert_r_ < 0)                                          \
            fail_msg("%s: %d: %s", #call, assert_r_, err.message);  \
    } while (0)

/* Opens bytes as a file. */
UNUSED_IN_SOME static int open_memory(struct memory_file *m, struct pq_file **out, struct pond_error *err)
{
    struct pq_source source = memory_source(m);

    return pq_file_open(out, &source, err);
}

struct totals {
    uint64_t rows, values, nulls, sum; /* sum: over all bytes of all values, so that every one is touched */
};

static void add_page(const struct pq_page *p, struct totals *t)
{
    t->values += p->num_present;
    t->nulls += p->num_values - p->num_present;
    for (uint32_t i = 0; i < p->num_present; i++) {
        if (p->booleans != NULL)
            t->sum += p->booleans[i];
        else if (p->int32s != NULL)
            t->sum += (uint32_t)p->int32s[i];
        else if (p->int64s != NULL)
            t->sum += (uint64_t)p->int64s[i];
        else if (p->floats != NULL)
            t->sum += p->floats[i] > 0;
        else if (p->doubles != NULL)
            t->sum += p->doubles[i] > 0;
        else
            for (size_t k = 0; k < p->bytes[i].size; k++)
                t->sum += p->bytes[i].data[k];
    }
}

static int read_one_column(struct pq_file *f, uint64_t row_group, size_t leaf, size_t max_page, struct totals *t,
                           struct pond_error *err)
{
    struct pq_column *c = NULL;
    struct pq_page page;
    int r = pq_column_open(&c, f, row_group, leaf, max_page, err);

    if (r < 0)
        return r;
    while ((r = pq_column_next(c, &page, err)) == 1)
        add_page(&page, t);
    pq_column_free(c);
    return r;
}

/* Reads all columns of all row groups. A failing column does not stop the others; the first failure is returned, but
 * POND_EUNSUPPORTED only when there is no other. */
UNUSED_IN_SOME static int read_all(const struct pq_source *source, size_t max_page, struct totals *t,
                                   struct pond_error *err)
{
    struct pq_file *f = NULL;
    int result = pq_file_open(&f, source, err);

    *t = (struct totals){0};
    if (result < 0)
        return result;
    t->rows = (uint64_t)pq_file_num_rows(f);
    for (uint64_t g = 0; g < pq_file_num_row_groups(f); g++)
        for (size_t leaf = 0; leaf < pq_file_schema(f)->leaf_count; leaf++) {
            struct pond_error e = {0};
            int r = read_one_column(f, g, leaf, max_page, t, &e);
            if (r < 0 && (result == 0 || result == POND_EUNSUPPORTED)) {
                result = r;
                *err = e;
            }
        }
    pq_file_free(f);
    return result;
}

/* A file of one row group and one column, whose chunk is given as it is. */
UNUSED_IN_SOME static void make_file(struct pond_buf *out, const struct pq_element *column, enum pq_codec codec,
                                     const struct pond_buf *chunk, int64_t values, bool has_dictionary)
{
    struct pond_error err = {0};
    struct pq_schema s;
    struct pq_column_meta meta = {.type = column->type, .codec = codec, .encodings = {PQ_PLAIN}, .encoding_count = 1,
                                  .num_values = values, .total_uncompressed_size = (int64_t)chunk->size,
                                  .total_compressed_size = (int64_t)chunk->size, .data_page_offset = 4};
    struct pq_row_group rg = {.columns = &meta, .column_count = 1, .num_rows = values,
                              .total_byte_size = (int64_t)chunk->size,
                              .total_compressed_size = (int64_t)chunk->size, .file_offset = 4};
    struct pond_buf footer = {0};

    if (has_dictionary) { /* the reader needs only the place of the first page */
        meta.dictionary_page_offset = 4;
        meta.data_page_offset = 5;
    }
    assert_ok(pq_schema_init(&s, &err));
    assert_ok(pq_schema_add(&s, column, &err));
    assert_ok(pq_schema_finish(&s, &err));
    pond_buf_append(out, PQ_MAGIC, 4);
    pond_buf_append(out, chunk->data, chunk->size);
    pq_footer_begin(&footer, &s, values, 1);
    pq_footer_row_group(&footer, &s, &rg);
    pq_footer_end(&footer, &s, NULL, 0, "hand");
    pq_footer_tail(&footer, (uint32_t)footer.size);
    pond_buf_append(out, footer.data, footer.size);
    pond_buf_release(&footer);
    pq_schema_release(&s);
}

UNUSED_IN_SOME static void add_data_page(struct pond_buf *chunk, enum pq_encoding encoding, int32_t num_values,
                                         const void *body, size_t size)
{
    struct pq_page_header h = {.type = PQ_PAGE_DATA, .uncompressed_size = (int32_t)size,
                               .compressed_size = (int32_t)size, .num_values = num_values, .encoding = encoding,
                               .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE};

    pq_page_header_encode(chunk, &h);
    if (size > 0)
        pond_buf_append(chunk, body, size);
}

#endif
