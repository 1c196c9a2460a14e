#include "bao/kernel.h"

#include <assert.h>
#include <string.h>

#include "blake3_impl.h"

/* Inputs are given to the kernels by pointer; so many pointers are made at a time. A multiple of every width. */
#define BATCH 128u

static_assert(KERNEL_CHUNK_SIZE == BLAKE3_CHUNK_LEN, "the leaf of BLAKE3's tree");

void bao_kernel_init(void)
{
    blake3_simd_degree();
}

/* Before main, hence before any thread: in BLAKE3 1.3.1 the detection is a data race. */
__attribute__((constructor)) static void settle_cpu_detection(void)
{
    bao_kernel_init();
}

static void store_cv(const uint32_t words[8], uint8_t cv[32])
{
    for (size_t i = 0; i < 8; i++)
        for (size_t b = 0; b < 4; b++)
            cv[4 * i + b] = (uint8_t)(words[i] >> (8 * b));
}

void bao_kernel_leaf(const uint8_t *data, size_t size, uint64_t index, bool is_root, uint8_t cv[32])
{
    uint32_t words[8];
    uint8_t flags = CHUNK_START;
    assert(size <= KERNEL_CHUNK_SIZE && (size > 0 || is_root));
    memcpy(words, IV, sizeof(words));

    for (; size > BLAKE3_BLOCK_LEN; data += BLAKE3_BLOCK_LEN, size -= BLAKE3_BLOCK_LEN) {
        blake3_compress_in_place(words, data, BLAKE3_BLOCK_LEN, index, flags);
        flags = 0;
    }

    uint8_t last[BLAKE3_BLOCK_LEN] = {0};
    if (size > 0)
        memcpy(last, data, size);
    flags = (uint8_t)(flags | CHUNK_END | (is_root ? ROOT : 0));
    blake3_compress_in_place(words, last, (uint8_t)size, index, flags);
    store_cv(words, cv);
}

void bao_kernel_leaves_wide(const uint8_t *data, size_t count, uint64_t index, uint8_t *cvs)
{
    const uint8_t *inputs[BATCH];
    while (count > 0) {
        size_t n = count < BATCH ? count : BATCH;
        for (size_t i = 0; i < n; i++)
            inputs[i] = data + i * KERNEL_CHUNK_SIZE;
        blake3_hash_many(inputs, n, KERNEL_CHUNK_SIZE / BLAKE3_BLOCK_LEN, IV, index, true, 0, CHUNK_START, CHUNK_END,
                         cvs);
        data += n * KERNEL_CHUNK_SIZE;
        cvs += n * BLAKE3_OUT_LEN;
        index += n;
        count -= n;
    }
}

void bao_kernel_parent(const uint8_t pair[64], bool is_root, uint8_t cv[32])
{
    uint32_t words[8];
    memcpy(words, IV, sizeof(words));
    blake3_compress_in_place(words, pair, BLAKE3_BLOCK_LEN, 0, (uint8_t)(PARENT | (is_root ? ROOT : 0)));
    store_cv(words, cv);
}

void bao_kernel_parents_wide(const uint8_t *pairs, size_t count, uint8_t *cvs)
{
    const uint8_t *inputs[BATCH];
    while (count > 0) {
        size_t n = count < BATCH ? count : BATCH;
        for (size_t i = 0; i < n; i++)
            inputs[i] = pairs + i * BLAKE3_BLOCK_LEN;
        blake3_hash_many(inputs, n, 1, IV, 0, false, PARENT, 0, 0, cvs);
        pairs += n * BLAKE3_BLOCK_LEN;
        cvs += n * BLAKE3_OUT_LEN;
        count -= n;
    }
}
