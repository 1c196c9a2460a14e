/* parquet/encoding.h - the values of a page: PLAIN, dictionary, RLE booleans. One table; an encoding comes in by adding
 * its function there. No I/O.
 */
#ifndef PARQUET_ENCODING_H
#define PARQUET_ENCODING_H

#include "parquet/internal.h"

/* Memory that is used again and only grows. {0} is empty. */
struct pq_block {
    void *data;
    size_t capacity;
};
/* Room for count things of size bytes; what was in it is lost. POND_ELIMIT when over max_bytes. */
POND_CHECKED int pq_block_ensure(struct pq_block *b, size_t count, size_t size, size_t max_bytes,
                                 const struct pq_place *at, struct pond_error *err);
void pq_block_release(struct pq_block *b);

/* Decoded values: an array of what pq_page tells for the type. */
struct pq_values {
    struct pq_block block;
    size_t count;
};

struct pq_decoding {
    enum pq_type type;
    size_t type_length;               /* FIXED_LEN_BYTE_ARRAY; INT96: 12 */
    const uint8_t *bytes;             /* the encoded values */
    size_t size;
    size_t count;                     /* how many are to come out */
    const struct pq_values *dictionary; /* NULL: none */
    size_t max_bytes;                 /* for the decoded array */
    const struct pq_place *at;
};

/* POND_EUNSUPPORTED for an encoding that is not built in (or not for this type), by name. Byte values point into
 * d->bytes or at the dictionary's. */
POND_CHECKED int pq_decode(enum pq_encoding encoding, const struct pq_decoding *d, struct pq_values *out,
                           struct pond_error *err);
/* Bytes of one decoded value in memory. */
size_t pq_value_size(enum pq_type type);

#endif
