#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bao/tree.h"
#include "base/mem.h"
#include "base/text.h"

#define KIB 1024u
#define MIB (1024u * 1024u)

/* The input of the official vectors. */
static uint8_t *make_input(size_t size)
{
    uint8_t *data = pond_alloc(size, 1);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i % 251);
    return data;
}

static void assert_hash(const uint8_t hash[32], const char *hex)
{
    char text[65];
    pond_hex(hash, 32, text);
    assert_string_equal(text, hex);
}

/* BLAKE3 as its specification words it, one compression at a time: the yardstick for the wide code. */
static void slow_node(const uint8_t *data, size_t size, uint64_t offset, bool is_root, uint8_t cv[32])
{
    if (size <= KIB) {
        if (is_root)
            bao_root(data, size, NULL, cv);
        else
            bao_subtree(data, size, offset, NULL, cv);
        return;
    }
    size_t left = KIB;
    while (left * 2 < size)
        left *= 2;
    uint8_t l[32];
    uint8_t r[32];
    slow_node(data, left, offset, false, l);
    slow_node(data + left, size - left, offset + left, false, r);
    bao_parent(l, r, is_root, cv);
}

/* The outboard by its grammar; returns its end. */
static uint8_t *slow_outboard(const uint8_t *data, size_t size, uint64_t offset, uint8_t *out)
{
    if (size <= POND_BLOCK_SIZE)
        return out;
    size_t left = POND_BLOCK_SIZE;
    while (left * 2 < size)
        left *= 2;
    slow_node(data, left, offset, false, out);
    slow_node(data + left, size - left, offset + left, false, out + 32);
    out = slow_outboard(data, left, offset, out + POND_PAIR_SIZE);
    return slow_outboard(data + left, size - left, offset + left, out);
}

static const struct {
    size_t size;
    const char *hex;
} vectors[] = {
    {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
    {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
    {2, "7b7015bb92cf0b318037702a6cdd81dee41224f734684c2c122cd6359cb1ee63"},
    {3, "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f"},
    {4, "f30f5ab28fe047904037f77b6da4fea1e27241c5d132638d8bedce9d40494f32"},
    {5, "b40b44dfd97e7a84a996a91af8b85188c66c126940ba7aad2e7ae6b385402aa2"},
    {6, "06c4e8ffb6872fad96f9aaca5eee1553eb62aed0ad7198cef42e87f6a616c844"},
    {7, "3f8770f387faad08faa9d8414e9f449ac68e6ff0417f673f602a646a891419fe"},
    {8, "2351207d04fc16ade43ccab08600939c7c1fa70a5c0aaca76063d04c3228eaeb"},
    {63, "e9bc37a594daad83be9470df7f7b3798297c3d834ce80ba85d6e207627b7db7b"},
    {64, "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98"},
    {65, "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee"},
    {127, "d81293fda863f008c09e92fc382a81f5a0b4a1251cba1634016a0f86a6bd640d"},
    {128, "f17e570564b26578c33bb7f44643f539624b05df1a76c81f30acd548c44b45ef"},
    {129, "683aaae9f3c5ba37eaaf072aed0f9e30bac0865137bae68b1fde4ca2aebdcb12"},
    {1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"},
    {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
    {1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"},
    {2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"},
    {2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"},
    {3072, "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2"},
    {3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"},
    {4096, "015094013f57a5277b59d8475c0501042c0b642e531b0a1c8f58d2163229e969"},
    {4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995"},
    {5120, "9cadc15fed8b5d854562b26a9536d9707cadeda9b143978f319ab34230535833"},
    {5121, "628bd2cb2004694adaab7bbd778a25df25c47b9d4155a55f8fbd79f2fe154cff"},
    {6144, "3e2e5b74e048f3add6d21faab3f83aa44d3b2278afb83b80b3c35164ebeca205"},
    {6145, "f1323a8631446cc50536a9f705ee5cb619424d46887f3c376c695b70e0f0507f"},
    {7168, "61da957ec2499a95d6b8023e2b0e604ec7f6b50e80a9678b89d2628e99ada77a"},
    {7169, "a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e7817"},
    {8192, "aae792484c8efe4f19e2ca7d371d8c467ffb10748d8a5a1ae579948f718a2a63"},
    {8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b"},
    {16384, "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4"},
    {31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"},
    {102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"},
};

static void test_bao__official_vectors(void **state)
{
    (void)state;
    uint8_t *data = make_input(102400);
    uint8_t hash[32];
    assert_int_equal(sizeof(vectors) / sizeof(vectors[0]), 35);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        pond_blake3(data, vectors[i].size, hash);
        assert_hash(hash, vectors[i].hex);
    }
    pond_free(data);
}

/* b3sum (first 8 bytes) of the outboards of one whole "chunk" of these sizes. */
static void test_bao__known_outboards(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *prefix;
    } known[] = {{16385, "5626a11c3fae6289"}, {4243461, "fc4e03332489310f"}, {33554433, "b35ddca497c2381a"}};
    for (size_t i = 0; i < 3; i++) {
        size_t size = known[i].size;
        size_t outboard_size = (size_t)pond_outboard_size(size);
        uint8_t *data = make_input(size);
        uint8_t *outboard = pond_alloc(outboard_size, 1);
        uint8_t hash[32];
        char text[65];
        assert_non_null(outboard);
        pond_chunk_tree(data, size, 0, outboard, hash);
        pond_blake3(outboard, outboard_size, hash);
        pond_hex(hash, 8, text);
        assert_string_equal(text, known[i].prefix);
        bao_root(data, size, NULL, hash);
        if (size == 33554433) {
            pond_hex(hash, 8, text);
            assert_string_equal(text, "afecfe49a931b464");
        }
        pond_free(outboard);
        pond_free(data);
    }
}

static void test_bao__outboard_size(void **state)
{
    (void)state;
    assert_int_equal(pond_outboard_size(0), 0);
    assert_int_equal(pond_outboard_size(1), 0);
    assert_int_equal(pond_outboard_size(POND_BLOCK_SIZE), 0);
    assert_int_equal(pond_outboard_size(POND_BLOCK_SIZE + 1), 64);
    assert_int_equal(pond_outboard_size(16 * MIB), 65472);
    assert_int_equal(pond_outboard_size(64 * MIB), 262080);
    assert_true(pond_outboard_size(UINT64_MAX) == (UINT64_MAX / POND_BLOCK_SIZE) * 64);
}

static void check_size(const uint8_t *data, size_t size, uint64_t offset)
{
    static uint8_t outboard[80 * POND_PAIR_SIZE];
    static uint8_t expected[80 * POND_PAIR_SIZE];
    static uint8_t leaf_cvs[81][32];
    uint8_t hash[32];
    uint8_t slow[32];
    size_t outboard_size = (size_t)pond_outboard_size(size);
    uint64_t blocks = outboard_size / POND_PAIR_SIZE + 1;

    memset(outboard, 0xAA, sizeof(outboard));
    assert_ptr_equal(slow_outboard(data, size, offset, expected), expected + outboard_size);
    slow_node(data, size, offset, false, slow);
    pond_chunk_tree(data, size, offset, outboard, hash);
    assert_memory_equal(hash, slow, 32);
    assert_memory_equal(outboard, expected, outboard_size);
    assert_int_equal(outboard[outboard_size], 0xAA);
    assert_int_equal(pond_chunk_verify(hash, false, size, offset, outboard, outboard_size, data, 0, blocks, NULL), 0);
    if (blocks > 1) {
        assert_int_equal(bao_outboard_open(hash, false, size, outboard, outboard_size, leaf_cvs), 0);
        for (uint64_t b = 0; b < blocks; b++) {
            size_t at = (size_t)b * POND_BLOCK_SIZE;
            size_t n = size - at < POND_BLOCK_SIZE ? size - at : POND_BLOCK_SIZE;
            slow_node(data + at, n, offset + at, false, slow);
            assert_memory_equal(leaf_cvs[b], slow, 32);
        }
    }
    if (offset != 0)
        return;
    slow_node(data, size, 0, true, slow);
    bao_root(data, size, outboard, hash);
    assert_memory_equal(hash, slow, 32);
    assert_memory_equal(outboard, expected, outboard_size);
    assert_int_equal(pond_chunk_verify(hash, true, size, 0, outboard, outboard_size, data, 0, blocks, NULL), 0);
    if (blocks > 1)
        assert_int_equal(bao_outboard_open(hash, true, size, outboard, outboard_size, NULL), 0);
}

/* Around each boundary of leaf, block, and the sizes at which the code changes its way. */
static void test_bao__sizes_around_boundaries(void **state)
{
    (void)state;
    static const size_t steps[] = {64,        KIB,        2 * KIB,    3 * KIB,    16 * KIB,   17 * KIB,       32 * KIB, 48 * KIB,
                                   64 * KIB,  80 * KIB,   128 * KIB,  240 * KIB,  256 * KIB,  257 * KIB,      272 * KIB,
                                   512 * KIB, 768 * KIB,  MIB,        MIB + 1040, MIB + 16 * KIB};
    uint8_t *data = make_input(MIB + 64 * KIB);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        for (size_t size = steps[i] - 1; size <= steps[i] + 1; size++) {
            check_size(data, size, 0);
            check_size(data, size, 4 * MIB);
            /* Leaf counters beyond 32 bits. */
            check_size(data, size, (uint64_t)MIB << 24);
        }
    for (size_t size = 1; size < 300 * KIB; size += 3331)
        check_size(data, size, (uint64_t)3 << 32);
    pond_free(data);
}

static void test_bao__offset_matters(void **state)
{
    (void)state;
    uint8_t *data = make_input(64 * KIB);
    uint8_t at_0[32];
    uint8_t at_4m[32];
    uint8_t outboard[3 * POND_PAIR_SIZE];
    pond_chunk_tree(data, 64 * KIB, 0, NULL, at_0);
    pond_chunk_tree(data, 64 * KIB, 4 * MIB, outboard, at_4m);
    assert_memory_not_equal(at_0, at_4m, 32);
    assert_int_equal(pond_chunk_verify(at_4m, false, 64 * KIB, 4 * MIB, outboard, sizeof(outboard), data, 0, 4, NULL), 0);
    uint64_t bad = 99;
    assert_int_equal(pond_chunk_verify(at_4m, false, 64 * KIB, 8 * MIB, outboard, sizeof(outboard), data, 0, 4, &bad),
                     POND_ECORRUPT);
    assert_int_equal(bad, 0);
    /* Block 2's bytes asked for as block 1. */
    assert_int_equal(pond_chunk_verify(at_4m, false, 64 * KIB, 4 * MIB, outboard, sizeof(outboard),
                                       data + 2 * POND_BLOCK_SIZE, 1, 1, &bad),
                     POND_ECORRUPT);
    assert_int_equal(bad, 1);
    pond_free(data);
}

static void test_bao__empty_file(void **state)
{
    (void)state;
    static const char *const empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    uint8_t hash[1][32];
    uint8_t root[32];
    pond_chunk_tree(NULL, 0, 0, NULL, hash[0]);
    assert_hash(hash[0], empty);
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, 0, 16 * MIB, NULL, NULL, root), 0);
    assert_hash(root, empty);
    assert_int_equal(pond_combine_chunk_hashes(hash, 2, 0, 16 * MIB, NULL, NULL, root), POND_EUSAGE);
    assert_int_equal(pond_chunk_verify(hash[0], true, 0, 0, NULL, 0, NULL, 0, 0, NULL), 0);
    hash[0][31] ^= 1;
    assert_int_equal(pond_chunk_verify(hash[0], true, 0, 0, NULL, 0, NULL, 0, 0, NULL), POND_ECORRUPT);
}

static void check_combine(const uint8_t *data, size_t size, size_t chunk_size)
{
    static uint8_t hashes[4096][32];
    static uint8_t outboard[255 * POND_PAIR_SIZE + POND_PAIR_SIZE * 1024];
    uint8_t direct[32];
    uint8_t combined[32];
    uint64_t count = 0;
    for (size_t at = 0; at < size; at += chunk_size, count++) {
        size_t n = size - at < chunk_size ? size - at : chunk_size;
        pond_chunk_tree(data + at, n, at, at == 0 ? outboard : NULL, hashes[count]);
    }
    pond_blake3(data, size, direct);
    assert_int_equal(pond_combine_chunk_hashes(hashes, count, size, chunk_size, outboard, data, combined), 0);
    assert_memory_equal(direct, combined, 32);
    assert_int_equal(pond_combine_chunk_hashes(hashes, count + 1, size, chunk_size, outboard, data, combined),
                     POND_EUSAGE);
}

static void test_bao__chunk_hashes_combine(void **state)
{
    (void)state;
    uint8_t *data = make_input(37 * MIB);
    for (size_t size = 1; size < 40 * POND_BLOCK_SIZE; size = size * 3 / 2 + 1)
        check_combine(data, size, POND_BLOCK_SIZE);
    for (size_t chunks = 1; chunks <= 33; chunks++) {
        check_combine(data, chunks * POND_BLOCK_SIZE, POND_BLOCK_SIZE);
        check_combine(data, chunks * POND_BLOCK_SIZE + 1, POND_BLOCK_SIZE);
    }
    static const size_t boundaries[] = {4 * MIB, 8 * MIB, 12 * MIB, 16 * MIB, 20 * MIB, 32 * MIB};
    for (size_t i = 0; i < sizeof(boundaries) / sizeof(boundaries[0]); i++)
        for (size_t size = boundaries[i] - 1; size <= boundaries[i] + 1; size++) {
            check_combine(data, size, 4 * MIB);
            check_combine(data, size, 16 * MIB);
        }
    pond_free(data);
}

static void test_bao__combine_checks_its_input(void **state)
{
    (void)state;
    uint8_t *data = make_input(5 * POND_BLOCK_SIZE);
    uint8_t outboard[4 * POND_PAIR_SIZE];
    uint8_t hash[1][32];
    uint8_t root[32];
    pond_chunk_tree(data, sizeof(outboard) / 64 * POND_BLOCK_SIZE + 1, 0, outboard, hash[0]);
    uint64_t size = sizeof(outboard) / 64 * POND_BLOCK_SIZE + 1;
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, size, 4 * MIB, outboard, NULL, root), 0);
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, size, 4 * MIB, NULL, data, root), POND_EUSAGE);
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, size, 4 * MIB + 1, outboard, NULL, root), POND_EUSAGE);
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, size, 0, outboard, NULL, root), POND_EUSAGE);
    outboard[63] ^= 0x80;
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, size, 4 * MIB, outboard, NULL, root), POND_ECORRUPT);

    pond_chunk_tree(data, 100, 0, NULL, hash[0]);
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, 100, 4 * MIB, NULL, data, root), 0);
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, 100, 4 * MIB, NULL, NULL, root), POND_EUSAGE);
    assert_int_equal(pond_combine_chunk_hashes(hash, 1, 99, 4 * MIB, NULL, data, root), POND_ECORRUPT);
    pond_free(data);
}

/* A chunk hashed in pieces, each into its place, then joined, is the chunk hashed at once. */
static void check_join(const uint8_t *data, size_t size, uint64_t piece_blocks)
{
    size_t outboard_size = (size_t)pond_outboard_size(size);
    uint64_t blocks = outboard_size / POND_PAIR_SIZE + 1;
    size_t piece = (size_t)piece_blocks * POND_BLOCK_SIZE;
    uint64_t offset = 64 * MIB;
    uint8_t *direct = pond_calloc(outboard_size + 1, 1);
    uint8_t *joined = pond_calloc(outboard_size + 1, 1);
    static uint8_t cvs[512][32];
    uint8_t direct_hash[32];
    uint8_t joined_hash[32];
    assert_non_null(direct);
    assert_non_null(joined);

    uint64_t pieces = 0;
    for (size_t at = 0; at < size; at += piece, pieces++) {
        size_t n = size - at < piece ? size - at : piece;
        uint64_t first = pieces * piece_blocks;
        uint64_t count = blocks - first < piece_blocks ? blocks - first : piece_blocks;
        uint64_t index = bao_piece_pair_index(blocks, first, count);
        bao_subtree(data + at, n, offset + at, joined + index * POND_PAIR_SIZE, cvs[pieces]);
    }
    bao_join(cvs, pieces, piece_blocks, blocks, joined, joined_hash);
    pond_chunk_tree(data, size, offset, direct, direct_hash);
    assert_memory_equal(direct_hash, joined_hash, 32);
    assert_memory_equal(direct, joined, outboard_size + 1);
    bao_join(cvs, pieces, piece_blocks, blocks, NULL, joined_hash);
    assert_memory_equal(direct_hash, joined_hash, 32);
    pond_free(direct);
    pond_free(joined);
}

static void test_bao__pieces_join(void **state)
{
    (void)state;
    uint8_t *data = make_input(5 * MIB);
    for (uint64_t piece_blocks = 1; piece_blocks <= 64; piece_blocks *= 4)
        for (size_t size = 1; size <= 5 * MIB; size = size * 2 + 4095)
            check_join(data, size, piece_blocks);
    for (size_t blocks = 1; blocks <= 70; blocks++) {
        check_join(data, blocks * POND_BLOCK_SIZE, 1);
        check_join(data, blocks * POND_BLOCK_SIZE - 1, 4);
    }
    pond_free(data);
}

/* Every bit of the data and of the outboard: found, and in the block (or above the block) where it is. */
static void check_flips(size_t size, bool is_root)
{
    uint8_t *data = make_input(size);
    size_t outboard_size = (size_t)pond_outboard_size(size);
    uint64_t blocks = outboard_size / POND_PAIR_SIZE + 1;
    uint64_t offset = is_root ? 0 : 16 * MIB;
    uint8_t outboard[8 * POND_PAIR_SIZE];
    uint8_t hash[32];
    uint64_t bad;
    assert_true(outboard_size <= sizeof(outboard));
    if (is_root)
        bao_root(data, size, outboard, hash);
    else
        pond_chunk_tree(data, size, offset, outboard, hash);

    /* Every bit near each block's edges and a spread of the others: all of them would take minutes. */
    for (size_t i = 0; i < size; i += (i % POND_BLOCK_SIZE < 3 || i % POND_BLOCK_SIZE > POND_BLOCK_SIZE - 4) ? 1 : 509) {
        for (unsigned bit = 0; bit < 8; bit++) {
            data[i] ^= (uint8_t)(1u << bit);
            bad = UINT64_MAX;
            assert_int_equal(pond_chunk_verify(hash, is_root, size, offset, outboard, outboard_size, data, 0, blocks, &bad),
                             POND_ECORRUPT);
            assert_int_equal(bad, i / POND_BLOCK_SIZE);
            data[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t i = 0; i < outboard_size * 8; i++) {
        outboard[i / 8] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(pond_chunk_verify(hash, is_root, size, offset, outboard, outboard_size, data, 0, blocks, NULL),
                         POND_ECORRUPT);
        assert_int_equal(bao_outboard_open(hash, is_root, size, outboard, outboard_size, NULL), POND_ECORRUPT);
        outboard[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    for (size_t i = 0; i < 256; i++) {
        hash[i / 8] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(pond_chunk_verify(hash, is_root, size, offset, outboard, outboard_size, data, 0, blocks, NULL),
                         POND_ECORRUPT);
        hash[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    assert_int_equal(pond_chunk_verify(hash, is_root, size, offset, outboard, outboard_size, data, 0, blocks, NULL), 0);
    pond_free(data);
}

static void test_bao__flipped_bits_are_found(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 1024, 16384, 16385, 40000, 65536, 90001};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_flips(sizes[i], false);
        check_flips(sizes[i], true);
    }
}

/* All bits of the smallest data that has an outboard. */
static void test_bao__every_bit_of_two_blocks(void **state)
{
    (void)state;
    size_t size = POND_BLOCK_SIZE + 5;
    uint8_t *data = make_input(size);
    uint8_t outboard[POND_PAIR_SIZE];
    uint8_t hash[32];
    uint64_t bad;
    pond_chunk_tree(data, size, 4 * MIB, outboard, hash);
    for (size_t i = 0; i < size * 8; i++) {
        data[i / 8] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(pond_chunk_verify(hash, false, size, 4 * MIB, outboard, sizeof(outboard), data, 0, 2, &bad),
                         POND_ECORRUPT);
        assert_int_equal(bad, i / 8 / POND_BLOCK_SIZE);
        data[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    pond_free(data);
}

static void test_bao__ranges(void **state)
{
    (void)state;
    size_t size = 41 * POND_BLOCK_SIZE + 77;
    uint64_t blocks = 42;
    uint8_t *data = make_input(size);
    uint8_t outboard[41 * POND_PAIR_SIZE];
    uint8_t hash[32];
    uint64_t bad;
    pond_chunk_tree(data, size, 4 * MIB, outboard, hash);
    data[20 * POND_BLOCK_SIZE + 3] ^= 4;
    for (uint64_t first = 0; first < blocks; first++)
        for (uint64_t count = 0; count <= blocks - first; count++) {
            bool hit = first <= 20 && 20 < first + count;
            int r = pond_chunk_verify(hash, false, size, 4 * MIB, outboard, sizeof(outboard),
                                      data + first * POND_BLOCK_SIZE, first, count, &bad);
            assert_int_equal(r, hit ? POND_ECORRUPT : 0);
            if (hit)
                assert_int_equal(bad, 20);
        }
    /* A bad pair above the range: the range's first block is what cannot be vouched for. */
    outboard[0] ^= 1;
    assert_int_equal(pond_chunk_verify(hash, false, size, 4 * MIB, outboard, sizeof(outboard),
                                       data + 30 * POND_BLOCK_SIZE, 30, 2, &bad),
                     POND_ECORRUPT);
    assert_int_equal(bad, 30);
    assert_int_equal(pond_chunk_verify(hash, false, size, 4 * MIB, outboard, sizeof(outboard), data, 0, 43, NULL),
                     POND_EUSAGE);
    assert_int_equal(pond_chunk_verify(hash, false, size, 4 * MIB, outboard, sizeof(outboard), data, 43, 0, NULL),
                     POND_EUSAGE);
    assert_int_equal(pond_chunk_verify(hash, true, size, 4 * MIB, outboard, sizeof(outboard), data, 0, 1, NULL),
                     POND_EUSAGE);
    pond_free(data);
}

static void test_bao__outboard_of_wrong_size_is_refused(void **state)
{
    (void)state;
    size_t size = 3 * POND_BLOCK_SIZE;
    uint8_t *data = make_input(size);
    uint8_t outboard[3 * POND_PAIR_SIZE] = {0};
    uint8_t hash[32];
    uint64_t bad;
    pond_chunk_tree(data, size, 0, outboard, hash);
    static const size_t wrong[] = {0, 64, 127, 129, 192};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(pond_chunk_verify(hash, false, size, 0, outboard, wrong[i], data, 1, 1, &bad), POND_ECORRUPT);
        assert_int_equal(bad, 1);
        assert_int_equal(bao_outboard_open(hash, false, size, outboard, wrong[i], NULL), POND_ECORRUPT);
    }
    assert_int_equal(pond_chunk_verify(hash, false, size, 0, outboard, 128, data, 0, 3, NULL), 0);
    /* A chunk of one block has none. */
    pond_chunk_tree(data, 5, 0, NULL, hash);
    assert_int_equal(pond_chunk_verify(hash, false, 5, 0, outboard, 64, data, 0, 1, NULL), POND_ECORRUPT);
    pond_free(data);
}

static void test_bao__root_and_chunk_hash_are_not_interchangeable(void **state)
{
    (void)state;
    uint8_t *data = make_input(POND_BLOCK_SIZE);
    uint8_t root[32];
    uint8_t chunk[32];
    pond_blake3(data, 999, root);
    pond_chunk_tree(data, 999, 0, NULL, chunk);
    assert_memory_not_equal(root, chunk, 32);
    assert_int_equal(pond_chunk_verify(root, false, 999, 0, NULL, 0, data, 0, 1, NULL), POND_ECORRUPT);
    assert_int_equal(pond_chunk_verify(chunk, true, 999, 0, NULL, 0, data, 0, 1, NULL), POND_ECORRUPT);
    pond_free(data);
}

static void test_bao__hasher_takes_any_steps(void **state)
{
    (void)state;
    static struct bao_hasher h;
    static const size_t steps[] = {1000, 16384, 65535, 65536, 65537, 200000, MIB, 3 * MIB + 11};
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 196608, 196609, MIB, 3 * MIB, 5 * MIB - 1, 5 * MIB};
    uint8_t *data = make_input(5 * MIB);
    uint8_t expected[32];
    uint8_t hash[32];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        pond_blake3(data, sizes[i], expected);
        for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
            bao_hasher_init(&h);
            size_t at = 0;
            /* Steps that vary, so that pieces meet pending bytes of all sizes. */
            for (size_t step = steps[k]; at < sizes[i]; step = step * 5 / 3 % (2 * MIB) + 1) {
                size_t n = sizes[i] - at < step ? sizes[i] - at : step;
                bao_hasher_update(&h, data + at, n);
                at += n;
                if (at % 7 == 0)
                    bao_hasher_final(&h, hash);
            }
            bao_hasher_final(&h, hash);
            assert_memory_equal(hash, expected, 32);
        }
    }
    pond_free(data);
}

int main(void)
{
    bao_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bao__official_vectors),
        cmocka_unit_test(test_bao__known_outboards),
        cmocka_unit_test(test_bao__outboard_size),
        cmocka_unit_test(test_bao__sizes_around_boundaries),
        cmocka_unit_test(test_bao__offset_matters),
        cmocka_unit_test(test_bao__empty_file),
        cmocka_unit_test(test_bao__chunk_hashes_combine),
        cmocka_unit_test(test_bao__combine_checks_its_input),
        cmocka_unit_test(test_bao__pieces_join),
        cmocka_unit_test(test_bao__flipped_bits_are_found),
        cmocka_unit_test(test_bao__every_bit_of_two_blocks),
        cmocka_unit_test(test_bao__ranges),
        cmocka_unit_test(test_bao__outboard_of_wrong_size_is_refused),
        cmocka_unit_test(test_bao__root_and_chunk_hash_are_not_interchangeable),
        cmocka_unit_test(test_bao__hasher_takes_any_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
