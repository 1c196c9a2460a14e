/* pond/bao.h - BLAKE3 trees over 16 KiB blocks: chunk hashes, outboards, verification.
 *
 * Terms. A *block* is 16 KiB of a file (the last may be shorter). A *chunk* is a power of two of 4 to 64 MiB at a
 * multiple of itself (the last may be shorter), so it is a node of the file's own BLAKE3 tree. Its *chunk hash* is
 * that node's chaining value; a file that is one chunk has a chunk hash (not finalised as root) and a root hash.
 * The *outboard* of a chunk is its tree above the blocks:
 *     outboard := pair*        (blocks - 1 of them, pre-order: a node's pair, its left subtree's, its right's)
 *     pair     := left chaining value (32 bytes) right chaining value (32 bytes)
 * without a length header. Left subtrees hold the largest power of two of blocks that leaves at least one byte
 * to the right. Source: the BLAKE3 specification, sections 2.1, 2.4 and 2.5; the order is that of Bao.
 *
 * Nothing here allocates or does I/O. All functions may be called from any thread. Sizes are in bytes.
 */
#ifndef POND_BAO_H
#define POND_BAO_H

#include <stdbool.h>

#include <pond/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POND_HASH_SIZE 32
#define POND_BLOCK_SIZE 16384u
#define POND_PAIR_SIZE 64u

/* Bytes of the outboard of `size` bytes: 0 for up to one block. */
POND_API uint64_t pond_outboard_size(uint64_t size);

/* Hash of a whole file or buffer, what `b3sum` prints. */
POND_API void pond_blake3(const void *data, size_t size, uint8_t root_hash[POND_HASH_SIZE]);

/* The tree of one chunk: data[0..size) at byte `offset` of its file (a multiple of the chunk size; size > 0 unless the
 * file is empty). Writes pond_outboard_size(size) bytes to outboard (may be NULL: not wanted) and the chaining
 * value, never finalised as root, to chunk_hash; except the empty file, whose only hash is BLAKE3(""). */
POND_API void pond_chunk_tree(const void *data, size_t size, uint64_t offset, uint8_t *outboard,
                              uint8_t chunk_hash[POND_HASH_SIZE]);

/* Root hash of a file of total_size bytes from its chunk hashes alone, in order (Spark users: this is how rows combine).
 * POND_EUSAGE when count is not ceil(total_size / chunk_size) (an empty file has one chunk, whose hash is the root hash)
 * or chunk_size is no power of two of at least one block. A file of one chunk needs more than its chunk
 * hash: give that chunk's outboard (its first pair is finalised as root), or for at most one block its data; both
 * are ignored otherwise and may then be NULL. POND_ECORRUPT when these do not belong to the chunk hash. */
POND_API POND_CHECKED int pond_combine_chunk_hashes(const uint8_t (*chunk_hashes)[POND_HASH_SIZE], uint64_t count,
                                                    uint64_t total_size, uint64_t chunk_size,
                                                    const uint8_t *first_outboard, const uint8_t *first_data,
                                                    uint8_t root_hash[POND_HASH_SIZE]);

/* Verifies a range of a chunk before any of it is used. `chunk_size_bytes` is this chunk's real length, `chunk_offset` its place
 * in the file; data holds the bytes of the blocks first_block .. first_block + block_count - 1 (the chunk's last block may
 * be short). The outboard must have exactly pond_outboard_size(chunk_size_bytes) bytes. With `is_root` the
 * hash is the root hash of a file of one chunk (chunk_offset 0), else a chunk hash. A chunk of 0 bytes is the empty
 * file's. POND_EUSAGE: the range is not within the chunk.
 * 0, or POND_ECORRUPT: *bad_block (may be NULL) is the first block that does not verify. */
POND_API POND_CHECKED int pond_chunk_verify(const uint8_t hash[POND_HASH_SIZE], bool is_root,
                                            uint64_t chunk_size_bytes, uint64_t chunk_offset,
                                            const uint8_t *outboard, size_t outboard_size,
                                            const void *data, uint64_t first_block, uint64_t block_count,
                                            uint64_t *bad_block);

#ifdef __cplusplus
}
#endif
#endif
