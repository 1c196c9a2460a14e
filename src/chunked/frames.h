/* chunked/frames.h - the payload of a ZSTD chunk: the zstd seekable format.
 *
 *     payload    := frame+ seek-table
 *     frame      := a zstd frame of 256 KiB of the chunk (the last may be shorter), independent of the others; the first also
 *                   holds, before them, the value's length (u32 LE), since the Parquet page is the value with its length
 *     seek-table := 0x184D2A5E u32, size u32, (compressed size u32, content size u32)*, frames u32, 0x00,
 *                   0x8F92EAB1 u32                                         (a zstd skippable frame; all LE)
 * Source: facebook/zstd contrib/seekable_format/zstd_seekable_compression_format.md. The table is a hint: what it says is
 * checked against the sizes known, and the content against the tree.
 */
#ifndef CHUNKED_FRAMES_H
#define CHUNKED_FRAMES_H

#include <assert.h>

#include "base/mem.h"

#define FRAME_SIZE ((uint64_t)256 << 10)
#define FRAMES_PER_PIECE 4u
#define FRAME_BOUND ((size_t)(264 << 10)) /* a compressed frame of 256 KiB + 4 is never larger */

static inline uint64_t frames_count(uint64_t chunk_size) { return chunk_size == 0 ? 1 : (chunk_size - 1) / FRAME_SIZE + 1; }
static inline uint64_t frames_table_size(uint64_t frames) { return 8 + frames * 8 + 9; }

struct frame_codec; /* contexts of one thread */
POND_CHECKED int frame_codec_new(struct frame_codec **out, int level, struct pond_error *err);
void frame_codec_free(struct frame_codec *c);

/* Compresses one frame. length_prefix: < 0 none, else the value's length to put before the content. Returns the
 * compressed size (out holds FRAME_BOUND bytes). */
POND_CHECKED int64_t frame_compress(struct frame_codec *c, int64_t length_prefix, const uint8_t *content, size_t size,
                                    uint8_t *out, struct pond_error *err);
/* Decompresses exactly one frame of exactly `size` bytes of content (and its length prefix, which must be equal to
 * length_prefix when that is >= 0). POND_ECORRUPT without a place: the caller knows it. */
POND_CHECKED int frame_decompress(struct frame_codec *c, int64_t length_prefix, const uint8_t *frame, size_t frame_size,
                                  uint8_t *out, size_t size, struct pond_error *err);

/* sizes: the compressed size of each frame. */
void frames_table_encode(struct pond_buf *out, const uint32_t *sizes, uint64_t frames, uint64_t chunk_size);
/* Reads the table that ends a payload of stored_size bytes; table holds its frames_table_size bytes. Checks that it is exactly
 * what frames_table_encode would write for some sizes that fill the payload. */
POND_CHECKED int frames_table_decode(const uint8_t *table, uint64_t frames, uint64_t chunk_size, uint64_t stored_size,
                                     uint32_t *sizes, struct pond_error *err);

/* Whether compressing pays: 1 when samples of these bytes (size > 0), four of 16 KiB at quarters, shrink by a sixteenth or more
 * at level 1; 0 when not. Part of the format: it decides about the bytes of a file. */
POND_CHECKED int frame_probe(struct frame_codec *c, const uint8_t *content, size_t size, struct pond_error *err);

#endif
