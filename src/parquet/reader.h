/* parquet/reader.h - reading any flat Parquet file, in bounded memory: a row group, a column, a page at a time.
 *
 *     pq_file_open -> pq_file_row_group -> pq_column_open -> pq_column_next ... -> pq_column_free -> pq_file_free
 *
 * Every number in the file is checked before it is used or allocated. Errors name file, row group, column, page
 * and offset. Objects are single-threaded; several may read one source. What is nested, or in an encoding or codec that
 * is not built in, is refused by name (POND_EUNSUPPORTED) when that column is read, not when the file is opened.
 */
#ifndef PARQUET_READER_H
#define PARQUET_READER_H

#include "parquet/format.h"

/* Where the bytes are. read_at gives exactly size bytes or fails. */
struct pq_source {
    int (*read_at)(void *context, uint64_t offset, void *buf, size_t size, struct pond_error *err);
    void *context;
    uint64_t size;
    const char *name; /* for messages; lives as long as the source */
};

struct pq_file;

/* Reads and checks the footer (its Thrift structure, the schema, the place of each row group in it: 8 bytes a row
 * group stay in memory beside the footer's bytes). The source must stay valid. */
POND_CHECKED int pq_file_open(struct pq_file **out, const struct pq_source *source, struct pond_error *err);
void pq_file_free(struct pq_file *f);

const struct pq_schema *pq_file_schema(const struct pq_file *f);
int64_t pq_file_num_rows(const struct pq_file *f); /* of all row groups; a footer that claims more was refused */
uint64_t pq_file_num_row_groups(const struct pq_file *f);
const char *pq_file_created_by(const struct pq_file *f);                /* "" when absent */
/* The value of a key; NULL when there is none. Valid until the file is freed. */
const char *pq_file_key_value(const struct pq_file *f, const char *key);
/* Where the footer's Thrift bytes begin, and how many they are. */
uint64_t pq_file_footer_offset(const struct pq_file *f, uint32_t *footer_size);

/* Decodes one row group: out->columns is (re)allocated by the call, {0} at first; freed by pq_row_group_release.
 * Columns stand in schema order, their types equal the schema's, their byte ranges lie inside the file. */
POND_CHECKED int pq_file_row_group(struct pq_file *f, uint64_t index, struct pq_row_group *out,
                                   struct pond_error *err);
void pq_row_group_release(struct pq_row_group *rg);

/* A decoded data page. Everything is borrowed from the reader until its next call. */
struct pq_bytes {
    const uint8_t *data;
    size_t size;
};
struct pq_page {
    uint64_t offset;                  /* of the page header, in the file */
    uint64_t body_offset;             /* of the (compressed) body */
    struct pq_page_header header;
    uint32_t num_values;              /* with nulls: rows, for a flat column */
    uint32_t num_present;             /* values that are not null */
    const uint16_t *definition;       /* num_values levels; NULL when max_definition is 0 */
    /* The present values, by the column's type: */
    const uint8_t *booleans;          /* 0 or 1 each */
    const int32_t *int32s;
    const int64_t *int64s;
    const float *floats;
    const double *doubles;
    const struct pq_bytes *bytes;     /* BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY, INT96 (12 bytes) */
};

struct pq_column;
/* max_page_bytes bounds what one page may take decompressed (POND_ELIMIT above); 0: 64 MiB + 64 KiB. Its decoded values,
 * and its levels, may take twice that each (or 1 MiB): a long run of one value is a few bytes in the file. */
POND_CHECKED int pq_column_open(struct pq_column **out, struct pq_file *f, uint64_t row_group, size_t leaf,
                                size_t max_page_bytes, struct pond_error *err);
void pq_column_free(struct pq_column *c);
/* 1: the next data page, decoded (dictionary pages are taken in on the way); 0: the chunk is at its end and had as many
 * values as its metadata says; else an error. page CRCs are checked when present. */
POND_CHECKED int pq_column_next(struct pq_column *c, struct pq_page *out, struct pond_error *err);
/* The same without reading the body: only offset, body_offset, header, num_values are set. The way to learn where pages
 * lie. */
POND_CHECKED int pq_column_next_header(struct pq_column *c, struct pq_page *out, struct pond_error *err);
/* Decodes the one data page whose header is at `offset` in this column chunk (as pq_column_next_header told). */
POND_CHECKED int pq_column_page_at(struct pq_column *c, uint64_t offset, struct pq_page *out,
                                   struct pond_error *err);

#endif
