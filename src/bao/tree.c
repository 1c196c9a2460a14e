#include "bao/tree.h"

#include <assert.h>
#include <string.h>

#include "bao/kernel.h"

/* A node of up to WIDE_SIZE bytes is hashed breadth first: all its leaves side by side, then each layer of parents.
 * Larger ones are split. The chaining values of the leaves live on the stack and should stay in the first cache. */
#define WIDE_SIZE ((size_t)256 << 10)
#define WIDE_LEAVES (WIDE_SIZE / KERNEL_CHUNK_SIZE)
#define LAYERS_IN_BLOCK 4 /* a block is 16 leaves */

static_assert(POND_BLOCK_SIZE == KERNEL_CHUNK_SIZE << LAYERS_IN_BLOCK, "layers in a block");
static_assert(WIDE_SIZE % POND_BLOCK_SIZE == 0, "a wide node is whole blocks");

/* The largest power of two below n; n >= 2. */
static uint64_t power_of_two_below(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

static uint64_t blocks_of(uint64_t size)
{
    return size / POND_BLOCK_SIZE + (size % POND_BLOCK_SIZE != 0);
}

void bao_init(void)
{
    bao_kernel_init();
}

void bao_parent(const uint8_t left[32], const uint8_t right[32], bool is_root, uint8_t out[32])
{
    uint8_t pair[POND_PAIR_SIZE];
    memcpy(pair, left, 32);
    memcpy(pair + 32, right, 32);
    bao_kernel_parent(pair, is_root, out);
}

uint64_t bao_piece_pair_index(uint64_t blocks, uint64_t first, uint64_t count)
{
    uint64_t index = 0;
    assert(count > 0 && first < blocks && count <= blocks - first);
    while (first != 0 || count != blocks) {
        /* Not this node: past its pair, and past the left subtree's pairs when it lies to the right. */
        assert(blocks > 1);
        uint64_t left = power_of_two_below(blocks);
        if (first < left) {
            index += 1;
            blocks = left;
        } else {
            index += left;
            first -= left;
            blocks -= left;
        }
    }
    return index;
}

/* Pairs of one layer of a wide node to their places: a pair's two values cover 2 * step blocks from its first. */
static void place_pairs(const uint8_t *cvs, size_t pairs, uint64_t step, uint64_t blocks, uint8_t *outboard)
{
    for (size_t i = 0; i < pairs; i++) {
        uint64_t first = i * 2 * step;
        uint64_t count = blocks - first < 2 * step ? blocks - first : 2 * step;
        uint64_t index = bao_piece_pair_index(blocks, first, count);
        memcpy(outboard + index * POND_PAIR_SIZE, cvs + i * POND_PAIR_SIZE, POND_PAIR_SIZE);
    }
}

/* The two chaining values below the top of a node of 1 KiB < size <= WIDE_SIZE. Not inlined: its stack is needed only at
 * the bottom of the recursion. */
__attribute__((noinline)) static void wide_pair(const uint8_t *data, size_t size, uint64_t offset, uint8_t *outboard,
                                                uint8_t pair[POND_PAIR_SIZE])
{
    uint8_t buffer_a[WIDE_LEAVES * 32];
    uint8_t buffer_b[WIDE_LEAVES * 32 / 2];
    uint8_t *cvs = buffer_a;
    uint8_t *next = buffer_b;
    uint64_t blocks = blocks_of(size);
    uint64_t leaf_index = offset / KERNEL_CHUNK_SIZE;
    size_t count = size / KERNEL_CHUNK_SIZE;
    size_t rest = size % KERNEL_CHUNK_SIZE;

    bao_kernel_leaves_wide(data, count, leaf_index, cvs);
    if (rest > 0) {
        bao_kernel_leaf(data + size - rest, rest, leaf_index + count, false, cvs + count * 32);
        count++;
    }

    for (unsigned layer = 0; count > 2; layer++) {
        size_t pairs = count / 2;
        if (layer >= LAYERS_IN_BLOCK && outboard != NULL)
            place_pairs(cvs, pairs, (uint64_t)1 << (layer - LAYERS_IN_BLOCK), blocks, outboard);
        bao_kernel_parents_wide(cvs, pairs, next);
        /* An odd one out moves up as it is. */
        if (count % 2 != 0)
            memcpy(next + pairs * 32, cvs + (count - 1) * 32, 32);
        count = pairs + count % 2;
        uint8_t *done = cvs;
        cvs = next;
        next = done;
    }

    memcpy(pair, cvs, POND_PAIR_SIZE);
    if (blocks > 1 && outboard != NULL)
        memcpy(outboard, pair, POND_PAIR_SIZE);
}

/* The two chaining values below the top of a node of more than 1 KiB. */
static void node_pair(const uint8_t *data, size_t size, uint64_t offset, uint8_t *outboard,
                      uint8_t pair[POND_PAIR_SIZE])
{
    assert(size > KERNEL_CHUNK_SIZE);
    if (size <= WIDE_SIZE) {
        wide_pair(data, size, offset, outboard, pair);
        return;
    }

    size_t left = power_of_two_below(size);
    uint8_t *left_outboard = NULL;
    uint8_t *right_outboard = NULL;
    if (outboard != NULL) {
        left_outboard = outboard + POND_PAIR_SIZE;
        right_outboard = outboard + left / POND_BLOCK_SIZE * POND_PAIR_SIZE;
    }
    bao_subtree(data, left, offset, left_outboard, pair);
    bao_subtree(data + left, size - left, offset + left, right_outboard, pair + 32);
    if (outboard != NULL)
        memcpy(outboard, pair, POND_PAIR_SIZE);
}

void bao_subtree(const uint8_t *data, size_t size, uint64_t offset, uint8_t *outboard, uint8_t cv[32])
{
    uint8_t pair[POND_PAIR_SIZE];
    assert(size > 0 && offset % KERNEL_CHUNK_SIZE == 0);
    if (size <= KERNEL_CHUNK_SIZE) {
        bao_kernel_leaf(data, size, offset / KERNEL_CHUNK_SIZE, false, cv);
        return;
    }
    node_pair(data, size, offset, outboard, pair);
    bao_kernel_parent(pair, false, cv);
}

void bao_root(const uint8_t *data, size_t size, uint8_t *outboard, uint8_t root_hash[32])
{
    uint8_t pair[POND_PAIR_SIZE];
    if (size <= KERNEL_CHUNK_SIZE) {
        bao_kernel_leaf(data, size, 0, true, root_hash);
        return;
    }
    node_pair(data, size, 0, outboard, pair);
    bao_kernel_parent(pair, true, root_hash);
}

void bao_join(const uint8_t (*cvs)[32], uint64_t pieces, uint64_t piece_blocks, uint64_t blocks, uint8_t *outboard,
              uint8_t cv[32])
{
    assert(pieces > 0 && (piece_blocks & (piece_blocks - 1)) == 0);
    assert(pieces == blocks / piece_blocks + (blocks % piece_blocks != 0));
    if (pieces == 1) {
        memcpy(cv, cvs[0], 32);
        return;
    }

    uint8_t pair[POND_PAIR_SIZE];
    uint64_t left = power_of_two_below(pieces);
    uint64_t left_blocks = left * piece_blocks;
    uint8_t *left_outboard = NULL;
    uint8_t *right_outboard = NULL;
    if (outboard != NULL) {
        left_outboard = outboard + POND_PAIR_SIZE;
        right_outboard = outboard + left_blocks * POND_PAIR_SIZE;
    }
    bao_join(cvs, left, piece_blocks, left_blocks, left_outboard, pair);
    bao_join(cvs + left, pieces - left, piece_blocks, blocks - left_blocks, right_outboard, pair + 32);
    if (outboard != NULL)
        memcpy(outboard, pair, POND_PAIR_SIZE);
    bao_kernel_parent(pair, false, cv);
}

void bao_hasher_init(struct bao_hasher *h)
{
    h->pieces = 0;
    h->pending_size = 0;
}

/* Puts a complete subtree of `pieces` pieces (a power of two that divides h->pieces) on the stack and merges what it
 * completes. More bytes follow, so nothing merged here is the root. */
static void hasher_push(struct bao_hasher *h, uint64_t pieces, const uint8_t cv[32])
{
    assert(h->pieces % pieces == 0);
    size_t top = (size_t)__builtin_popcountll(h->pieces);
    memcpy(h->stack[top], cv, 32);
    for (uint64_t n = h->pieces / pieces; n % 2 != 0; n /= 2) {
        top--;
        bao_parent(h->stack[top], h->stack[top + 1], false, h->stack[top]);
    }
    h->pieces += pieces;
}

/* The largest subtree that may stand next and that `size` bytes fill with at least one byte left over. */
static uint64_t hasher_next_pieces(const struct bao_hasher *h, size_t size)
{
    uint64_t pieces = power_of_two_below((size - 1) / sizeof(h->pending) + 1);
    uint64_t alignment = h->pieces & -h->pieces;
    return h->pieces != 0 && alignment < pieces ? alignment : pieces;
}

void bao_hasher_update(struct bao_hasher *h, const void *data, size_t size)
{
    const uint8_t *p = data;
    const size_t piece = sizeof(h->pending);
    uint8_t cv[32];

    while (size > 0) {
        if (h->pending_size == piece) {
            bao_subtree(h->pending, piece, h->pieces * piece, NULL, cv);
            hasher_push(h, 1, cv);
            h->pending_size = 0;
        }
        if (h->pending_size == 0 && size > piece) {
            uint64_t pieces = hasher_next_pieces(h, size);
            bao_subtree(p, pieces * piece, h->pieces * piece, NULL, cv);
            hasher_push(h, pieces, cv);
            p += pieces * piece;
            size -= pieces * piece;
            continue;
        }
        size_t room = piece - h->pending_size;
        size_t n = size < room ? size : room;
        memcpy(h->pending + h->pending_size, p, n);
        h->pending_size += n;
        p += n;
        size -= n;
    }
}

void bao_hasher_final(const struct bao_hasher *h, uint8_t root_hash[32])
{
    if (h->pieces == 0) {
        bao_root(h->pending, h->pending_size, NULL, root_hash);
        return;
    }
    uint8_t cv[32];
    assert(h->pending_size > 0);
    bao_subtree(h->pending, h->pending_size, h->pieces * sizeof(h->pending), NULL, cv);
    for (size_t top = (size_t)__builtin_popcountll(h->pieces); top-- > 0;)
        bao_parent(h->stack[top], cv, top == 0, cv);
    memcpy(root_hash, cv, 32);
}
