/* Checking data and outboards from the top down: nothing is used before the hash above it has vouched for it. */
#include <assert.h>
#include <string.h>

#include "bao/kernel.h"
#include "bao/tree.h"
#include "base/error.h"

/* Nodes of up to so many blocks that lie wholly in the range are first tried as one, which is faster than block by
 * block; only where that fails the culprit is looked for. */
#define TRY_BLOCKS 16u
#define OPEN_BATCH 128u

/* One range of one chunk. The node being looked at is passed beside it. */
struct range {
    const uint8_t *data; /* of block `first` */
    uint64_t first;
    uint64_t end;
    uint64_t chunk_size;
    uint64_t chunk_offset;
    uint64_t bad_block;
};

struct node {
    const uint8_t *hash;
    const uint8_t *outboard; /* its own pair first */
    uint64_t first;
    uint64_t blocks;
    bool is_root;
};

static uint64_t blocks_of(uint64_t size)
{
    return size / POND_BLOCK_SIZE + (size % POND_BLOCK_SIZE != 0);
}

static uint64_t left_blocks(const struct node *node)
{
    return (uint64_t)1 << (63 - __builtin_clzll(node->blocks - 1));
}

static struct node left_child(const struct node *node)
{
    return (struct node){.hash = node->outboard,
                         .outboard = node->outboard + POND_PAIR_SIZE,
                         .first = node->first,
                         .blocks = left_blocks(node)};
}

static struct node right_child(const struct node *node)
{
    uint64_t left = left_blocks(node);
    return (struct node){.hash = node->outboard + POND_HASH_SIZE,
                         .outboard = node->outboard + left * POND_PAIR_SIZE,
                         .first = node->first + left,
                         .blocks = node->blocks - left};
}

/* The node's data, all of it in the range, hashes to what the node's hash and its part of the outboard say. Not inlined:
 * its stack is needed only at the bottom of the recursion. */
__attribute__((noinline)) static bool node_matches(const struct range *range, const struct node *node)
{
    uint8_t outboard[(TRY_BLOCKS - 1) * POND_PAIR_SIZE];
    uint8_t hash[POND_HASH_SIZE];
    const uint8_t *data = range->data + (node->first - range->first) * POND_BLOCK_SIZE;
    uint64_t start = node->first * POND_BLOCK_SIZE;
    uint64_t size = node->blocks * POND_BLOCK_SIZE;
    if (size > range->chunk_size - start)
        size = range->chunk_size - start;

    assert(node->blocks <= TRY_BLOCKS);
    if (node->is_root)
        bao_root(data, (size_t)size, outboard, hash);
    else
        bao_subtree(data, (size_t)size, range->chunk_offset + start, outboard, hash);
    return memcmp(hash, node->hash, POND_HASH_SIZE) == 0 &&
           (node->blocks == 1 || memcmp(outboard, node->outboard, (node->blocks - 1) * POND_PAIR_SIZE) == 0);
}

static int verify_node(struct range *range, const struct node *node)
{
    uint8_t hash[POND_HASH_SIZE];
    uint64_t end = node->first + node->blocks;
    if (node->first >= range->end || end <= range->first)
        return 0;

    bool inside = node->first >= range->first && end <= range->end;
    if (inside && node->blocks <= TRY_BLOCKS && node_matches(range, node))
        return 0;

    if (node->blocks > 1) {
        bao_kernel_parent(node->outboard, node->is_root, hash);
        if (memcmp(hash, node->hash, POND_HASH_SIZE) == 0) {
            struct node left = left_child(node);
            struct node right = right_child(node);
            POND_TRY(verify_node(range, &left));
            return verify_node(range, &right);
        }
    }
    range->bad_block = node->first > range->first ? node->first : range->first;
    return POND_ECORRUPT;
}

int pond_chunk_verify(const uint8_t hash[POND_HASH_SIZE], bool is_root, uint64_t chunk_size_bytes,
                      uint64_t chunk_offset, const uint8_t *outboard, size_t outboard_size, const void *data,
                      uint64_t first_block, uint64_t block_count, uint64_t *bad_block)
{
    struct range range = {.data = data,
                          .first = first_block,
                          .chunk_size = chunk_size_bytes,
                          .chunk_offset = chunk_offset,
                          .bad_block = first_block};
    int r = POND_ECORRUPT;

    if (chunk_size_bytes == 0) {
        uint8_t empty[POND_HASH_SIZE];
        pond_blake3(NULL, 0, empty);
        if (outboard_size == 0 && memcmp(empty, hash, POND_HASH_SIZE) == 0)
            r = 0;
    } else if (outboard_size == pond_outboard_size(chunk_size_bytes)) {
        struct node top = {
            .hash = hash, .outboard = outboard, .blocks = blocks_of(chunk_size_bytes), .is_root = is_root};
        if (first_block > top.blocks || block_count > top.blocks - first_block || (is_root && chunk_offset != 0))
            return POND_EUSAGE;
        range.end = first_block + block_count;
        r = verify_node(&range, &top);
    }
    if (r < 0 && bad_block != NULL)
        *bad_block = range.bad_block;
    return r;
}

/* The walk below meets the pairs in the order in which they stand, so they are hashed ahead, many at a time. */
struct outboard_walk {
    const uint8_t *outboard;
    uint64_t pairs;
    uint64_t next;       /* the pair that the walk meets next */
    uint64_t batch_end;  /* pairs before this one are hashed */
    uint8_t batch[OPEN_BATCH * 32];
    uint8_t (*leaf_cvs)[32];
};

static const uint8_t *next_pair_hash(struct outboard_walk *walk)
{
    if (walk->next == walk->batch_end) {
        uint64_t n = walk->pairs - walk->next < OPEN_BATCH ? walk->pairs - walk->next : OPEN_BATCH;
        bao_kernel_parents_wide(walk->outboard + walk->next * POND_PAIR_SIZE, (size_t)n, walk->batch);
        walk->batch_end += n;
    }
    return walk->batch + walk->next++ % OPEN_BATCH * 32;
}

static int open_node(struct outboard_walk *walk, const struct node *node)
{
    if (node->blocks == 1) {
        if (walk->leaf_cvs != NULL)
            memcpy(walk->leaf_cvs[node->first], node->hash, 32);
        return 0;
    }
    uint8_t root[32];
    const uint8_t *hash = next_pair_hash(walk);
    if (node->is_root) {
        bao_kernel_parent(node->outboard, true, root);
        hash = root;
    }
    if (memcmp(hash, node->hash, 32) != 0)
        return POND_ECORRUPT;
    struct node left = left_child(node);
    struct node right = right_child(node);
    POND_TRY(open_node(walk, &left));
    return open_node(walk, &right);
}

int bao_outboard_open(const uint8_t hash[32], bool is_root, uint64_t chunk_size_bytes, const uint8_t *outboard,
                      size_t outboard_size, uint8_t (*leaf_cvs)[32])
{
    assert(chunk_size_bytes > POND_BLOCK_SIZE);
    if (outboard_size != pond_outboard_size(chunk_size_bytes))
        return POND_ECORRUPT;
    struct outboard_walk walk = {
        .outboard = outboard, .pairs = outboard_size / POND_PAIR_SIZE, .leaf_cvs = leaf_cvs};
    struct node top = {
        .hash = hash, .outboard = outboard, .blocks = blocks_of(chunk_size_bytes), .is_root = is_root};
    return open_node(&walk, &top);
}
