/* chunked/reader.h - inside a reader: what random reads and whole scans share. */
#ifndef CHUNKED_READER_H
#define CHUNKED_READER_H

#include "chunked/piece.h"
#include "parquet/reader.h"

/* Opened chunks: the verified chaining values of their blocks, so that a read costs the hash of the blocks it touches. */
struct open_chunk {
    uint64_t id;                   /* UINT64_MAX: empty */
    uint8_t (*leaf_cvs)[32];
    uint32_t *frame_offsets;       /* compressed: of frame i in the payload, and one more for the end */
};

struct pond_chunked_reader {
    int fd;
    char *name;
    struct pq_source source;
    struct pq_file *file;
    struct form form;
    struct form_chunk *chunks;
    struct pond_chunked_info info;

    struct open_chunk *open;       /* direct-mapped by chunk id */
    uint64_t open_count;
    uint8_t *outboard;             /* of outboard_chunk */
    uint64_t outboard_chunk;       /* UINT64_MAX: none */
    uint8_t *block;                /* one block, for reads that take a part of it */

    struct frame_codec *codec;
    uint8_t *packed, *frame;       /* the frame last decoded, and its compressed bytes */
    uint64_t frame_chunk, frame_index;
    uint32_t frame_verified;       /* a bit for each of its blocks */
};

/* Offset in the file of a chunk's outboard. */
uint64_t reader_outboard_offset(const struct form_chunk *c);
/* Reads the seek table of a compressed chunk: frames + 1 offsets into out. */
POND_CHECKED int reader_frame_offsets(struct pond_chunked_reader *r, uint64_t chunk_id, uint32_t *out,
                                      struct pond_error *err);
/* "NAME: chunk C, block B (content bytes A to Z): does not match its hash": POND_ECORRUPT. */
int reader_bad_block(const struct pond_chunked_reader *r, uint64_t chunk_id, uint64_t block, struct pond_error *err);

#endif
