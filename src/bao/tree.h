/* bao/tree.h - the pieces of a chunk's tree, for code that hashes a chunk in parts, in parallel.
 *
 * A *piece* is a part of a chunk: a power of two of blocks at a multiple of itself, or the chunk's last. So it is a
 * node of the tree too. Its pairs are contiguous in the chunk's pre-order outboard, at bao_piece_pair_index.
 *
 * Calling sequence: bao_init once before threads (it settles the kernels' CPU detection, a data race in BLAKE3
 * 1.3.1). For each piece, on any thread: bao_subtree into its place in the chunk's outboard. Then bao_join.
 */
#ifndef BAO_TREE_H
#define BAO_TREE_H

#include <pond/bao.h>

void bao_init(void);

/* A node that is not the root of its file: data[0..size), size > 0, at file offset `offset` (a multiple of 1024). Pairs of
 * this node to outboard in pre-order (NULL: not wanted), its chaining value to cv. */
void bao_subtree(const uint8_t *data, size_t size, uint64_t offset, uint8_t *outboard, uint8_t cv[32]);

/* The same, finalised as the root of a whole file (offset 0; size may be 0). */
void bao_root(const uint8_t *data, size_t size, uint8_t *outboard, uint8_t root_hash[32]);

/* Index of the first pair of the node that covers blocks [first, first+count) of a chunk of `blocks` blocks. The range
 * must be a node. count == 1: where its pair would be (a leaf has none). */
uint64_t bao_piece_pair_index(uint64_t blocks, uint64_t first, uint64_t count);

/* Fills the pairs above the pieces and gives the chunk's chaining value (pieces >= 1). cvs: the pieces' chaining
 * values in order, each of piece_blocks blocks (a power of two) but the last; outboard may be NULL. */
void bao_join(const uint8_t (*cvs)[32], uint64_t pieces, uint64_t piece_blocks, uint64_t blocks, uint8_t *outboard,
              uint8_t cv[32]);

/* One parent: chaining value, or with is_root the root hash, of left and right. */
void bao_parent(const uint8_t left[32], const uint8_t right[32], bool is_root, uint8_t out[32]);

/* Checks every pair of a chunk's outboard against hash, and gives the blocks' chaining values in order (blocks x 32 bytes;
 * leaf_cvs may be NULL; undefined on failure), so that later reads cost one block hash each. Not for chunks of one block
 * (no outboard). 0 or POND_ECORRUPT. */
POND_CHECKED int bao_outboard_open(const uint8_t hash[32], bool is_root, uint64_t chunk_size_bytes,
                                   const uint8_t *outboard, size_t outboard_size, uint8_t (*leaf_cvs)[32]);

/* Streaming hash of a file of any length in any steps (OpLog parts, whole files). Same result as pond_blake3. */
struct bao_hasher {
    uint8_t stack[54 + 1][32]; /* chaining values of complete subtrees, by the bits of `pieces` */
    uint64_t pieces;           /* complete 64 KiB pieces merged so far */
    size_t pending_size;
    uint8_t pending[65536];
};
void bao_hasher_init(struct bao_hasher *h);
void bao_hasher_update(struct bao_hasher *h, const void *data, size_t size);
void bao_hasher_final(const struct bao_hasher *h, uint8_t root_hash[32]); /* h stays usable */

#endif
