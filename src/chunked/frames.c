#include "chunked/frames.h"

#include <string.h>

#include <zstd.h>

#define SKIPPABLE_MAGIC 0x184D2A5Eu
#define SEEKABLE_MAGIC 0x8F92EAB1u
#define PROBE_SAMPLE ((size_t)16 << 10)
#define PROBE_SAMPLES 4u

struct frame_codec {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    int level;
    uint8_t scratch[FRAME_SIZE + 4]; /* a first frame with its length prefix */
};

static_assert(FRAME_BOUND >= ZSTD_COMPRESSBOUND(FRAME_SIZE + 4), "a frame must fit its bound");

int frame_codec_new(struct frame_codec **out, int level, struct pond_error *err)
{
    struct frame_codec *c = pond_calloc(1, sizeof(*c));
    if (!c)
        return pond_fail_nomem(err);
    c->level = level;
    *out = c;
    return 0;
}

void frame_codec_free(struct frame_codec *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->compressor);
    ZSTD_freeDCtx(c->decompressor);
    pond_free(c);
}

int64_t frame_compress(struct frame_codec *c, int64_t length_prefix, const uint8_t *content, size_t size, uint8_t *out,
                       struct pond_error *err)
{
    if (!c->compressor && !(c->compressor = ZSTD_createCCtx()))
        return pond_fail_nomem(err);
    if (length_prefix >= 0) {
        for (unsigned i = 0; i < 4; i++)
            c->scratch[i] = (uint8_t)((uint64_t)length_prefix >> (8 * i));
        memcpy(c->scratch + 4, content, size);
        content = c->scratch;
        size += 4;
    }
    size_t n = ZSTD_compressCCtx(c->compressor, out, FRAME_BOUND, content, size, c->level);
    if (ZSTD_isError(n))
        return pond_fail(err, POND_EFAILED, "zstd cannot compress a frame: %s", ZSTD_getErrorName(n));
    return (int64_t)n;
}

int frame_decompress(struct frame_codec *c, int64_t length_prefix, const uint8_t *frame, size_t frame_size, uint8_t *out,
                     size_t size, struct pond_error *err)
{
    if (!c->decompressor && !(c->decompressor = ZSTD_createDCtx()))
        return pond_fail_nomem(err);
    uint8_t *target = length_prefix >= 0 ? c->scratch : out;
    size_t want = length_prefix >= 0 ? size + 4 : size;
    if (ZSTD_findFrameCompressedSize(frame, frame_size) != frame_size)
        return pond_fail(err, POND_ECORRUPT, "zstd frame does not have the %zu bytes its seek table says", frame_size);
    size_t n = ZSTD_decompressDCtx(c->decompressor, target, want, frame, frame_size);
    if (ZSTD_isError(n))
        return pond_fail(err, POND_ECORRUPT, "zstd frame does not decode: %s", ZSTD_getErrorName(n));
    if (n != want)
        return pond_fail(err, POND_ECORRUPT, "zstd frame holds %zu bytes instead of %zu", n, want);
    if (length_prefix < 0)
        return 0;
    uint64_t length = 0;
    for (unsigned i = 0; i < 4; i++)
        length |= (uint64_t)c->scratch[i] << (8 * i);
    if (length != (uint64_t)length_prefix)
        return pond_fail(err, POND_ECORRUPT, "value's length is %llu instead of %lld", (unsigned long long)length,
                         (long long)length_prefix);
    memcpy(out, c->scratch + 4, size);
    return 0;
}

void frames_table_encode(struct pond_buf *out, const uint32_t *sizes, uint64_t frames, uint64_t chunk_size)
{
    pond_buf_append_u32le(out, SKIPPABLE_MAGIC);
    pond_buf_append_u32le(out, (uint32_t)(frames_table_size(frames) - 8));
    for (uint64_t i = 0; i < frames; i++) {
        uint64_t left = chunk_size - i * FRAME_SIZE;
        uint64_t content = (left < FRAME_SIZE ? left : FRAME_SIZE) + (i == 0 ? 4 : 0);
        pond_buf_append_u32le(out, sizes[i]);
        pond_buf_append_u32le(out, (uint32_t)content);
    }
    pond_buf_append_u32le(out, (uint32_t)frames);
    pond_buf_append_byte(out, 0);
    pond_buf_append_u32le(out, SEEKABLE_MAGIC);
}

int frames_table_decode(const uint8_t *table, uint64_t frames, uint64_t chunk_size, uint64_t stored_size,
                        uint32_t *sizes, struct pond_error *err)
{
    struct pond_cursor c = {table + 8, table + frames_table_size(frames)};
    uint64_t sum = frames_table_size(frames);
    for (uint64_t i = 0; i < frames; i++) {
        uint32_t content;
        if (!pond_cursor_u32le(&c, &sizes[i]) || !pond_cursor_u32le(&c, &content))
            return pond_fail(err, POND_ECORRUPT, "zstd seek table ends early");
        if (sizes[i] == 0 || sizes[i] > FRAME_BOUND)
            return pond_fail(err, POND_ECORRUPT, "zstd seek table: frame %llu has %u bytes", (unsigned long long)i,
                             sizes[i]);
        sum += sizes[i];
    }
    if (sum != stored_size)
        return pond_fail(err, POND_ECORRUPT, "zstd seek table: its frames have %llu bytes, the page %llu",
                         (unsigned long long)sum, (unsigned long long)stored_size);
    struct pond_buf expected = {0};
    frames_table_encode(&expected, sizes, frames, chunk_size);
    int r = pond_buf_error(&expected, err);
    if (r == 0 && memcmp(expected.data, table, expected.size) != 0)
        r = pond_fail(err, POND_ECORRUPT, "zstd seek table is damaged");
    pond_buf_release(&expected);
    return r;
}

int frame_probe(struct frame_codec *c, const uint8_t *content, size_t size, struct pond_error *err)
{
    static_assert(ZSTD_COMPRESSBOUND(PROBE_SAMPLE) <= sizeof(c->scratch), "a packed sample must fit");
    if (!c->compressor && !(c->compressor = ZSTD_createCCtx()))
        return pond_fail_nomem(err);
    size_t taken = 0, packed = 0;
    size_t stride = size / PROBE_SAMPLES;
    for (unsigned i = 0; i < PROBE_SAMPLES; i++) {
        size_t at = stride * i;
        size_t n = size - at < PROBE_SAMPLE ? size - at : PROBE_SAMPLE;
        size_t p = ZSTD_compressCCtx(c->compressor, c->scratch, sizeof(c->scratch), content + at, n, 1);
        if (ZSTD_isError(p))
            return pond_fail(err, POND_EFAILED, "zstd cannot compress a sample: %s", ZSTD_getErrorName(p));
        taken += n;
        packed += p;
    }
    return packed + taken / 16 <= taken;
}
