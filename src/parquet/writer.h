/* parquet/writer.h - writing a flat Parquet file, row by row, in bounded memory. V1 data pages, PLAIN, definition
 * levels RLE; each column chunk UNCOMPRESSED or ZSTD.
 *
 *     pq_writer_new -> { one value or null for each column, pq_writer_end_row }* -> pq_writer_flush at will
 *     -> pq_writer_finish -> pq_writer_free
 *
 * The writer buffers one row group (encoded, pages closed at page_bytes); the caller decides when to flush it. Errors are
 * sticky: values are given without checks, flush and finish report the first failure.
 */
#ifndef PARQUET_WRITER_H
#define PARQUET_WRITER_H

#include "parquet/format.h"

/* Takes the file's bytes in order. */
struct pq_sink {
    int (*write)(void *context, const void *bytes, size_t size, struct pond_error *err);
    void *context;
};

struct pq_writer;

struct pq_writer_options {
    const char *created_by;
    const struct pq_key_value *key_values;   /* borrowed until finish */
    size_t key_value_count;
    size_t page_bytes;                       /* a page is closed when its values reach this; 0: 1 MiB. A value larger than
                                                that has a page of its own */
    int zstd_level;
    bool statistics;                         /* min/max (truncation: none; values over 64 bytes: no min/max) and
                                                null_count for columns that are not BYTE_ARRAY without STRING */
};

/* schema: borrowed until the writer is freed. */
POND_CHECKED int pq_writer_new(struct pq_writer **out, const struct pq_schema *schema, const struct pq_sink *sink,
                               const struct pq_writer_options *options, struct pond_error *err);
void pq_writer_free(struct pq_writer *w);

/* The codec of a column from the next row group on (default ZSTD for all). A chunk whose first page does not shrink by a
 * sixteenth is stored UNCOMPRESSED instead. */
void pq_writer_set_codec(struct pq_writer *w, size_t leaf, enum pq_codec codec);

void pq_writer_null(struct pq_writer *w, size_t leaf);
void pq_writer_boolean(struct pq_writer *w, size_t leaf, bool value);
void pq_writer_int32(struct pq_writer *w, size_t leaf, int32_t value);
void pq_writer_int64(struct pq_writer *w, size_t leaf, int64_t value);
/* BYTE_ARRAY; and any other type but BOOLEAN: exactly its bytes, little-endian. */
void pq_writer_bytes(struct pq_writer *w, size_t leaf, const void *bytes, size_t size);
void pq_writer_end_row(struct pq_writer *w); /* asserts that each column got exactly one value or null */

/* Bytes buffered for the current row group, and its rows. */
size_t pq_writer_buffered(const struct pq_writer *w);
uint64_t pq_writer_rows(const struct pq_writer *w);

/* Writes the buffered rows as one row group (nothing when there are none). */
POND_CHECKED int pq_writer_flush(struct pq_writer *w, struct pond_error *err);
/* Flushes, writes the footer. */
POND_CHECKED int pq_writer_finish(struct pq_writer *w, struct pond_error *err);

#endif
