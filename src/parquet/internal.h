/* parquet/internal.h - what the files of this layer share beyond the public headers. Not for other layers.
 */
#ifndef PARQUET_INTERNAL_H
#define PARQUET_INTERNAL_H

#include "parquet/format.h"
#include "parquet/reader.h"
#include "parquet/thrift.h"

/* Where in a file something is, for messages. */
struct pq_place {
    const char *file;
    uint64_t row_group;
    const char *column; /* its path */
    uint64_t offset;    /* of the page header */
};
/* "FILE: row group 3, column \"x\", page at 4711: ..." */
int pq_fail_at(struct pond_error *err, int code, const struct pq_place *at, const char *format, ...) POND_PRINTF(4, 5);

/* schema.c: the schema as Thrift. `name` is the file's, for messages. */
void pq_schema_write(struct thrift_writer *w, int16_t field_id, const struct pq_schema *s);
int pq_schema_read(struct thrift_reader *r, const struct thrift_field *f, struct pq_schema *out, const char *name,
                   struct pond_error *err);

/* metadata.c: one row group, whose bytes begin at the reader's place. The result's columns are allocated. */
int pq_row_group_read(struct thrift_reader *r, const struct pq_schema *s, struct pq_row_group *out,
                      const struct pq_place *at, struct pond_error *err);

uint32_t pq_crc32(const uint8_t *bytes, size_t size);

/* file.c */
const struct pq_source *pq_file_source(const struct pq_file *f);
/* Where the pages of a column chunk are. */
void pq_column_range(const struct pq_column_meta *m, uint64_t *begin, uint64_t *end);

#endif
