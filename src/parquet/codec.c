/* parquet/codec.c - see codec.h. */
#include "parquet/codec.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

void pq_codec_state_release(struct pq_codec_state *state)
{
    ZSTD_freeDCtx(state->zstd_decoder);
    ZSTD_freeCCtx(state->zstd_encoder);
    *state = (struct pq_codec_state){0};
}

static int stored_size(const uint8_t *src, size_t src_size, uint64_t *out)
{
    (void)src;
    *out = src_size;
    return 1;
}

static int stored_decompress(struct pq_codec_state *state, const uint8_t *src, size_t src_size, uint8_t *dst,
                             size_t dst_size, const char **why)
{
    (void)state;
    if (src_size != dst_size) {
        *why = "sizes of stored bytes differ";
        return POND_ECORRUPT;
    }
    if (src_size > 0)
        memcpy(dst, src, src_size);
    return 0;
}

static int stored_compress(struct pq_codec_state *state, int level, const uint8_t *src, size_t src_size,
                           struct pond_buf *out, const char **why)
{
    (void)state;
    (void)level;
    *why = "out of memory";
    return src_size == 0 ? 0 : pond_buf_append(out, src, src_size);
}

/* A page may be several frames, skippable ones among them. */
static int zstd_size(const uint8_t *src, size_t src_size, uint64_t *out)
{
    uint64_t total = 0;

    while (src_size > 0) {
        unsigned long long content = ZSTD_getFrameContentSize(src, src_size);
        size_t frame = ZSTD_findFrameCompressedSize(src, src_size);
        if (content == ZSTD_CONTENTSIZE_ERROR || ZSTD_isError(frame))
            return POND_ECORRUPT;
        if (content == ZSTD_CONTENTSIZE_UNKNOWN)
            return 0;
        if (!pond_add_u64(total, content, &total))
            return POND_ECORRUPT;
        src += frame;
        src_size -= frame;
    }
    *out = total;
    return 1;
}

static int zstd_decompress(struct pq_codec_state *state, const uint8_t *src, size_t src_size, uint8_t *dst,
                           size_t dst_size, const char **why)
{
    size_t n;

    if (state->zstd_decoder == NULL)
        state->zstd_decoder = ZSTD_createDCtx();
    if (state->zstd_decoder == NULL) {
        *why = "out of memory";
        return POND_ENOMEM;
    }
    n = ZSTD_decompressDCtx(state->zstd_decoder, dst, dst_size, src, src_size);
    if (ZSTD_isError(n)) {
        *why = ZSTD_getErrorName(n);
        return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? POND_ENOMEM : POND_ECORRUPT;
    }
    if (n != dst_size) {
        *why = "fewer bytes than the page header says";
        return POND_ECORRUPT;
    }
    return 0;
}

static int zstd_compress(struct pq_codec_state *state, int level, const uint8_t *src, size_t src_size,
                         struct pond_buf *out, const char **why)
{
    size_t bound = ZSTD_compressBound(src_size);
    size_t n;
    int r;

    *why = "out of memory";
    if (state->zstd_encoder == NULL)
        state->zstd_encoder = ZSTD_createCCtx();
    if (state->zstd_encoder == NULL)
        return POND_ENOMEM;
    r = pond_buf_reserve(out, bound);
    if (r < 0)
        return r;
    n = ZSTD_compressCCtx(state->zstd_encoder, out->data + out->size, bound, src, src_size, level);
    if (ZSTD_isError(n)) {
        *why = ZSTD_getErrorName(n);
        return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? POND_ENOMEM : POND_EFAILED;
    }
    out->size += n;
    return 0;
}

static const struct pq_codec_ops codecs[] = {
    [PQ_UNCOMPRESSED] = {"UNCOMPRESSED", stored_size, stored_decompress, stored_compress},
    [PQ_SNAPPY] = {"SNAPPY", NULL, NULL, NULL},
    [PQ_GZIP] = {"GZIP", NULL, NULL, NULL},
    [PQ_LZO] = {"LZO", NULL, NULL, NULL},
    [PQ_BROTLI] = {"BROTLI", NULL, NULL, NULL},
    [PQ_LZ4] = {"LZ4", NULL, NULL, NULL},
    [PQ_ZSTD] = {"ZSTD", zstd_size, zstd_decompress, zstd_compress},
    [PQ_LZ4_RAW] = {"LZ4_RAW", NULL, NULL, NULL},
};

const struct pq_codec_ops *pq_codec_find(enum pq_codec codec)
{
    return (size_t)codec < sizeof codecs / sizeof *codecs ? &codecs[codec] : NULL;
}

const char *pq_codec_name(enum pq_codec codec)
{
    const struct pq_codec_ops *ops = pq_codec_find(codec);

    return ops != NULL ? ops->name : "?";
}
