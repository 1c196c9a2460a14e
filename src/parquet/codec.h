/* parquet/codec.h - page compression: bytes to bytes, no I/O. One table; a codec comes in by adding its functions.
 *
 * A pq_codec_state ({0} at first) keeps what a codec wants to reuse from page to page; one thread at a time.
 */
#ifndef PARQUET_CODEC_H
#define PARQUET_CODEC_H

#include "parquet/format.h"

struct pq_codec_state {
    void *zstd_decoder; /* ZSTD_DCtx */
    void *zstd_encoder; /* ZSTD_CCtx */
};

void pq_codec_state_release(struct pq_codec_state *state);

struct pq_codec_ops {
    const char *name;
    /* What src says it decompresses to. 1: *out set; 0: it does not say; POND_ECORRUPT. May be NULL. */
    int (*content_size)(const uint8_t *src, size_t src_size, uint64_t *out);
    /* Fills dst exactly, else fails; *why: a reason without a place, static. NULL: this codec is not built in. */
    int (*decompress)(struct pq_codec_state *state, const uint8_t *src, size_t src_size, uint8_t *dst, size_t dst_size,
                      const char **why);
    /* Appends to out. NULL: not for writing. */
    int (*compress)(struct pq_codec_state *state, int level, const uint8_t *src, size_t src_size, struct pond_buf *out,
                    const char **why);
};

/* NULL: no such codec in the format. */
const struct pq_codec_ops *pq_codec_find(enum pq_codec codec);

#endif
