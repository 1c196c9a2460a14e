/* The public calls of pond/bao.h that build trees and combine them. */
#include <string.h>

#include "bao/kernel.h"
#include "bao/tree.h"

uint64_t pond_outboard_size(uint64_t size)
{
    return size == 0 ? 0 : (size - 1) / POND_BLOCK_SIZE * POND_PAIR_SIZE;
}

void pond_blake3(const void *data, size_t size, uint8_t root_hash[POND_HASH_SIZE])
{
    bao_root(data, size, NULL, root_hash);
}

void pond_chunk_tree(const void *data, size_t size, uint64_t offset, uint8_t *outboard,
                     uint8_t chunk_hash[POND_HASH_SIZE])
{
    if (size == 0)
        bao_root(data, 0, NULL, chunk_hash);
    else
        bao_subtree(data, size, offset, outboard, chunk_hash);
}

/* A file of one chunk: what stands below the chunk hash is finalised as root, once it is known to stand there. */
static int single_chunk_root(const uint8_t chunk_hash[POND_HASH_SIZE], uint64_t total_size, const uint8_t *outboard,
                             const uint8_t *data, uint8_t root_hash[POND_HASH_SIZE])
{
    uint8_t cv[POND_HASH_SIZE];
    uint8_t root[POND_HASH_SIZE];
    if (total_size > POND_BLOCK_SIZE) {
        if (outboard == NULL)
            return POND_EUSAGE;
        bao_kernel_parent(outboard, false, cv);
        bao_kernel_parent(outboard, true, root);
    } else {
        if (data == NULL)
            return POND_EUSAGE;
        bao_subtree(data, (size_t)total_size, 0, NULL, cv);
        bao_root(data, (size_t)total_size, NULL, root);
    }
    if (memcmp(cv, chunk_hash, POND_HASH_SIZE) != 0)
        return POND_ECORRUPT;
    memcpy(root_hash, root, POND_HASH_SIZE);
    return 0;
}

int pond_combine_chunk_hashes(const uint8_t (*chunk_hashes)[POND_HASH_SIZE], uint64_t count, uint64_t total_size,
                              uint64_t chunk_size, const uint8_t *first_outboard, const uint8_t *first_data,
                              uint8_t root_hash[POND_HASH_SIZE])
{
    if (chunk_size < POND_BLOCK_SIZE || (chunk_size & (chunk_size - 1)) != 0)
        return POND_EUSAGE;
    uint64_t expected = total_size == 0 ? 1 : (total_size - 1) / chunk_size + 1;
    if (count != expected)
        return POND_EUSAGE;
    if (total_size == 0) {
        memcpy(root_hash, chunk_hashes[0], POND_HASH_SIZE);
        return 0;
    }
    if (count == 1)
        return single_chunk_root(chunk_hashes[0], total_size, first_outboard, first_data, root_hash);

    /* The halves below the root; only their merge is finalised. A chunk counts as one block here: no outboard is made. */
    uint64_t left = (uint64_t)1 << (63 - __builtin_clzll(count - 1));
    uint8_t pair[POND_PAIR_SIZE];
    bao_join(chunk_hashes, left, 1, left, NULL, pair);
    bao_join(chunk_hashes + left, count - left, 1, count - left, NULL, pair + POND_HASH_SIZE);
    bao_kernel_parent(pair, true, root_hash);
    return 0;
}
