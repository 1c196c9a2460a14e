/* parquet/format.h - the parts of Apache Parquet that others build on: schema, metadata, page headers, and how they
 * are written as Thrift compact. Source: apache/parquet-format, parquet.thrift, Encodings.md, BinaryProtocol.
 *
 *     file   := "PAR1" (filler row-group)* footer footer-size(u32 LE) "PAR1"
 *     row group := column chunk, each in one run of bytes; column chunk := page*
 *     page   := page-header(Thrift) body
 *     body of a V1 data page := repetition levels? definition levels? values      (all compressed together)
 *
 * This layer knows nothing of what a pond keeps in such files.
 */
#ifndef PARQUET_FORMAT_H
#define PARQUET_FORMAT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"

enum pq_type {
    PQ_BOOLEAN = 0, PQ_INT32 = 1, PQ_INT64 = 2, PQ_INT96 = 3, PQ_FLOAT = 4, PQ_DOUBLE = 5, PQ_BYTE_ARRAY = 6,
    PQ_FIXED_LEN_BYTE_ARRAY = 7,
};
enum pq_repetition { PQ_REQUIRED = 0, PQ_OPTIONAL = 1, PQ_REPEATED = 2 };
enum pq_codec {
    PQ_UNCOMPRESSED = 0, PQ_SNAPPY = 1, PQ_GZIP = 2, PQ_LZO = 3, PQ_BROTLI = 4, PQ_LZ4 = 5, PQ_ZSTD = 6,
    PQ_LZ4_RAW = 7,
};
enum pq_encoding {
    PQ_PLAIN = 0, PQ_PLAIN_DICTIONARY = 2, PQ_RLE = 3, PQ_BIT_PACKED = 4, PQ_DELTA_BINARY_PACKED = 5,
    PQ_DELTA_LENGTH_BYTE_ARRAY = 6, PQ_DELTA_BYTE_ARRAY = 7, PQ_RLE_DICTIONARY = 8, PQ_BYTE_STREAM_SPLIT = 9,
};
enum pq_page_type { PQ_PAGE_DATA = 0, PQ_PAGE_INDEX = 1, PQ_PAGE_DICTIONARY = 2, PQ_PAGE_DATA_V2 = 3 };
enum pq_logical {
    PQ_LOGICAL_NONE = 0, PQ_LOGICAL_STRING = 1, PQ_LOGICAL_MAP = 2, PQ_LOGICAL_LIST = 3, PQ_LOGICAL_ENUM = 4,
    PQ_LOGICAL_DECIMAL = 5, PQ_LOGICAL_DATE = 6, PQ_LOGICAL_TIME = 7, PQ_LOGICAL_TIMESTAMP = 8,
    PQ_LOGICAL_INTEGER = 10, PQ_LOGICAL_UNKNOWN = 11, PQ_LOGICAL_JSON = 12, PQ_LOGICAL_BSON = 13,
    PQ_LOGICAL_UUID = 14, PQ_LOGICAL_FLOAT16 = 15,
};
enum pq_time_unit { PQ_MILLIS = 1, PQ_MICROS = 2, PQ_NANOS = 3 };

const char *pq_type_name(enum pq_type type);         /* "INT64"; "?" for none of them */
const char *pq_codec_name(enum pq_codec codec);
const char *pq_encoding_name(enum pq_encoding encoding);

/* One element of the schema tree, depth first, element 0 the root (as in the file). A flat schema is a root and
 * its leaves. */
struct pq_element {
    char *name;                      /* owned by the schema, NUL-terminated */
    bool is_group;                   /* no type: its num_children elements follow */
    enum pq_type type;
    int32_t type_length;             /* FIXED_LEN_BYTE_ARRAY */
    enum pq_repetition repetition;
    int32_t num_children;
    int32_t converted_type;          /* -1: none; as in parquet.thrift ConvertedType */
    enum pq_logical logical;
    enum pq_time_unit time_unit;     /* TIME, TIMESTAMP */
    bool adjusted_to_utc;
    int32_t scale, precision;        /* DECIMAL */
    int8_t int_width;                /* INTEGER */
    bool int_signed;
    int32_t field_id;                /* -1: none */
};

/* A leaf: what a column chunk holds. */
struct pq_leaf {
    uint32_t element;                /* its place in elements */
    uint16_t max_definition, max_repetition;
    char *path;                      /* "a.b.c", owned */
};

struct pq_schema {
    struct pq_element *elements;
    size_t element_count;
    struct pq_leaf *leaves;          /* in file order */
    size_t leaf_count;
};

/* Building a schema: begin with pq_schema_init (a root called "schema"), add columns or groups, pq_schema_finish. */
int pq_schema_init(struct pq_schema *s, struct pond_error *err);
void pq_schema_release(struct pq_schema *s);
/* element: copied with its name; num_children is given for groups (their children are added next). */
int pq_schema_add(struct pq_schema *s, const struct pq_element *element, struct pond_error *err);
/* Computes leaves; POND_ECORRUPT when children are missing, too many or nested over 64 deep. */
int pq_schema_finish(struct pq_schema *s, struct pond_error *err);
/* Index of the leaf with that path, or -1. */
int pq_schema_leaf(const struct pq_schema *s, const char *path);
/* Short cuts for flat columns: string (UTF8), binary, int64, int32, boolean, timestamp (INT64 micros, UTC). */
int pq_schema_add_string(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err);
int pq_schema_add_binary(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err);
int pq_schema_add_int64(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err);
int pq_schema_add_int32(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err);
int pq_schema_add_boolean(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err);
int pq_schema_add_timestamp(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err);

/* min_value/max_value/null_count of a column chunk or page; borrowed bytes. */
struct pq_statistics {
    bool has_min_max, has_null_count;
    const uint8_t *min, *max;
    size_t min_size, max_size;
    int64_t null_count;
};

#define PQ_MAX_ENCODINGS 8
struct pq_column_meta {
    enum pq_type type;
    enum pq_codec codec;
    enum pq_encoding encodings[PQ_MAX_ENCODINGS];
    size_t encoding_count;           /* writing and reading; more than fit are ignored when reading */
    int64_t num_values;
    int64_t total_uncompressed_size; /* with page headers */
    int64_t total_compressed_size;   /* with page headers */
    int64_t data_page_offset;
    int64_t dictionary_page_offset;  /* 0: none */
    struct pq_statistics statistics; /* reading: borrowed from the file object's footer */
    const char *unreadable;          /* reading: why the pages can't be had ("it is encrypted"); NULL: they can */
};

struct pq_row_group {
    struct pq_column_meta *columns;  /* leaf_count of them */
    size_t column_count;
    int64_t num_rows;
    int64_t total_byte_size;         /* uncompressed */
    int64_t total_compressed_size;
    int64_t file_offset;
    int16_t ordinal;                 /* left out of the file when negative (over 32767 row groups) */
};

struct pq_page_header {
    enum pq_page_type type;
    int32_t uncompressed_size, compressed_size;
    bool has_crc;
    uint32_t crc;
    int32_t num_values;              /* data: with nulls; dictionary: entries */
    enum pq_encoding encoding, definition_encoding, repetition_encoding;
    int32_t num_nulls, num_rows, definition_size, repetition_size; /* V2 */
    bool is_compressed;              /* V2; true when absent */
};

/* Appends a page header. V1 data, dictionary and V2 pages, no statistics. */
void pq_page_header_encode(struct pond_buf *out, const struct pq_page_header *h);
/* Bytes of that header, without writing it. */
size_t pq_page_header_size(const struct pq_page_header *h);
/* Decodes one from bytes[0..size). Returns the header's length, 0 when size is too small (need more), or
 * POND_ECORRUPT. Sizes and counts are checked to be >= 0. */
POND_CHECKED int pq_page_header_decode(const uint8_t *bytes, size_t size, struct pq_page_header *out,
                                       struct pond_error *err);

struct pq_key_value {
    const char *key;
    const char *value;               /* NULL: absent */
};

/* Writing the footer, in parts, so that its memory need not grow with the row groups: the caller may write out and
 * clear `out` between the calls. Order: begin, row_group x row_groups, end. Column paths, types and so on come
 * from the schema. `end` does not append the footer-size and magic: pq_footer_tail does. */
void pq_footer_begin(struct pond_buf *out, const struct pq_schema *s, int64_t num_rows, uint64_t row_groups);
void pq_footer_row_group(struct pond_buf *out, const struct pq_schema *s, const struct pq_row_group *rg);
void pq_footer_end(struct pond_buf *out, const struct pq_schema *s, const struct pq_key_value *kvs, size_t kv_count,
                   const char *created_by);
void pq_footer_tail(struct pond_buf *out, uint32_t footer_size);

#define PQ_MAGIC "PAR1"
#define PQ_MAX_FOOTER ((uint64_t)512 << 20)

#endif
