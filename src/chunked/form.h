/* chunked/form.h - the one form of a chunked Parquet file: where every byte that is not payload comes from.
 *
 *     file        := "PAR1" row-group+ footer
 *     row-group   := filler pages                                          (one row: one chunk)
 *     filler      := zero bytes, as few as make the payload start at a multiple of 4096 (zstd chunks: none)
 *     pages       := bundle_id pond_txn_id path chunk_id chunk_hash total_size root_hash chunk_outboard chunk_data
 *     page        := Thrift page header (V1 data, PLAIN, one value) value
 *     chunk_data  := page header, length (u32 LE), payload                 UNCOMPRESSED: payload = the chunk's bytes
 *                  | page header, payload                                  ZSTD: payload = frames, see chunked/frames.h
 *     footer      := Thrift FileMetaData, its length (u32 LE), "PAR1"
 * The schema's order is bundle_id, pond_txn_id, path, chunk_id, chunk_hash, chunk_outboard, chunk_data, total_size,
 * root_hash. A row group's *prefix* is its pages up to the payload; the *small pages* are the seven before chunk_outboard.
 *
 * Pure functions of their arguments; no I/O.
 */
#ifndef CHUNKED_FORM_H
#define CHUNKED_FORM_H

#include <pond/chunked.h>

#include "parquet/format.h"

#define FORM_PIECE ((uint64_t)1 << 20) /* the unit of work: a node of every chunk's tree, four zstd frames */
#define FORM_MAX_PREFIX ((size_t)270 << 10) /* prefix and filler of a chunk of 64 MiB */

#define FORM_COMPRESSOR_SIZE 48

struct form {
    uint64_t chunk_size, total_size;
    int64_t txn_id;
    enum pond_compression compression;
    int level;                     /* 0 when compression is NONE */
    char compressor[FORM_COMPRESSOR_SIZE];           /* "zstd 1.5.4"; "" when compression is NONE */
    uint8_t root_hash[32];
    char root_hex[65];
    char bundle_id[80];            /* POND-FILE-<hex> */
    char path[128];                /* _large_files/blake3=<hex>/chunks.parquet */
    struct pq_schema schema;
    size_t small_size;             /* bytes of the small pages: the same for every chunk of every file */
};

/* One chunk's row, as far as its place and pages depend on it. */
struct form_chunk {
    uint8_t hash[32];
    uint64_t size;                 /* of the chunk's content */
    uint64_t stored_size;          /* of the payload: size, or the frames with their seek table */
    uint64_t start;                /* of the first page */
    uint64_t payload;              /* offset of the payload */
    bool compressed;
};

/* root_hash and total_size may be set later by form_set_content (they are zero until then). level and compressor are ignored for
 * NONE. The schema is freed by form_release. */
POND_CHECKED int form_init(struct form *f, uint64_t chunk_size, int64_t txn_id, enum pond_compression compression,
                           int level, const char *compressor, struct pond_error *err);
void form_release(struct form *f);
void form_set_content(struct form *f, const uint8_t root_hash[32], uint64_t total_size);
/* The compressor in use here: "zstd 1.5.4". */
void form_own_compressor(char out[FORM_COMPRESSOR_SIZE]);

static inline uint64_t form_chunk_count(uint64_t total_size, uint64_t chunk_size)
{
    return total_size == 0 ? 1 : (total_size - 1) / chunk_size + 1;
}
static inline uint64_t form_chunk_length(const struct form *f, uint64_t id)
{
    uint64_t offset = id * f->chunk_size;
    return f->total_size - offset < f->chunk_size ? f->total_size - offset : f->chunk_size;
}

/* Sets start and payload from size, stored_size, compressed and the end of what stands before. */
void form_place(const struct form *f, uint64_t end_before, struct form_chunk *c);
static inline uint64_t form_chunk_end(const struct form_chunk *c) { return c->payload + c->stored_size; }

/* Appends the small pages of a chunk; the whole prefix (payload - start bytes). Failures are sticky in out. */
void form_small_pages(struct pond_buf *out, const struct form *f, uint64_t id, const struct form_chunk *c);
void form_prefix(struct pond_buf *out, const struct form *f, uint64_t id, const struct form_chunk *c,
                 const uint8_t *outboard);

/* The footer, given to emit in parts of some 64 KiB, in order; the first part begins where the last chunk ended. */
typedef int form_emit_fn(void *context, const uint8_t *bytes, size_t size, struct pond_error *err);
POND_CHECKED int form_footer(const struct form *f, const struct form_chunk *chunks, uint64_t count, form_emit_fn *emit,
                             void *context, struct pond_error *err);

/* The bundle's name at a remote: 16 bytes of BLAKE3 over all that determines its bytes, marked as a UUID of version 8. */
void form_uuid(const struct form *f, uint8_t uuid[16]);
void form_info(const struct form *f, uint64_t file_size, struct pond_chunked_info *out); /* all but form_hash */

/* Reading: the form a footer's key-values claim. POND_ECORRUPT, POND_EUNSUPPORTED (a later format version). */
struct pq_file;
POND_CHECKED int form_from_file(struct form *f, const struct pq_file *file, const char *name, struct pond_error *err);
/* One row group's chunk from its metadata: hash, size, stored_size, compressed; start and payload are computed from
 * end_before and must be what the metadata says. */
POND_CHECKED int form_chunk_from_row_group(const struct form *f, const struct pq_row_group *rg, uint64_t id,
                                           uint64_t end_before, const char *name, struct form_chunk *out,
                                           struct pond_error *err);

#endif
