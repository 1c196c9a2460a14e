/* Speed of the tree layer on one thread: bench_bao [SIZE_MIB [ROUNDS]], best of the rounds, GB = 10^9 bytes, by processor
 * time, so that neighbours count little.
 * The yardstick: the user time of `b3sum --num-threads 1` on a cached file of the same size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bao/tree.h"
#include "base/mem.h"

#define PIECE ((size_t)1 << 20)

struct bench {
    const uint8_t *data;
    size_t size;
    uint8_t *outboards; /* a place for each piece's */
    uint8_t hash[32];
};

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run_whole(struct bench *b)
{
    pond_blake3(b->data, b->size, b->hash);
}

static void run_pieces(struct bench *b)
{
    for (size_t at = 0; at < b->size; at += PIECE)
        bao_subtree(b->data + at, PIECE, at, b->outboards + at / POND_BLOCK_SIZE * POND_PAIR_SIZE, b->hash);
}

static void run_hasher(struct bench *b)
{
    static struct bao_hasher h;
    bao_hasher_init(&h);
    for (size_t at = 0; at < b->size; at += PIECE)
        bao_hasher_update(&h, b->data + at, PIECE);
    bao_hasher_final(&h, b->hash);
}

static void run_verify(struct bench *b)
{
    for (size_t at = 0; at < b->size; at += PIECE) {
        const uint8_t *outboard = b->outboards + at / POND_BLOCK_SIZE * POND_PAIR_SIZE;
        bao_parent(outboard, outboard + 32, false, b->hash);
        if (pond_chunk_verify(b->hash, false, PIECE, at, outboard, pond_outboard_size(PIECE), b->data + at, 0,
                              PIECE / POND_BLOCK_SIZE, NULL) != 0)
            abort();
    }
}

static void measure(const char *name, void (*run)(struct bench *b), struct bench *b, int rounds)
{
    double best = 1e9;
    for (int i = 0; i < rounds; i++) {
        double start = cpu_s();
        run(b);
        double took = cpu_s() - start;
        best = took < best ? took : best;
    }
    printf("%-36s %6.2f GB/s\n", name, (double)b->size / best / 1e9);
}

int main(int argc, char **argv)
{
    size_t mib = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 256;
    int rounds = argc > 2 ? atoi(argv[2]) : 7;
    size_t size = mib * PIECE;
    uint8_t *data = pond_alloc(1, size);
    uint8_t *outboards = pond_alloc(1, size / POND_BLOCK_SIZE * POND_PAIR_SIZE);
    if (mib == 0 || data == NULL || outboards == NULL) {
        fprintf(stderr, "usage: bench_bao [SIZE_MIB [ROUNDS]]\n");
        return 2;
    }
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i % 251);

    struct bench b = {.data = data, .size = size, .outboards = outboards};
    measure("hash (pond_blake3)", run_whole, &b, rounds);
    measure("hash + outboard, 1 MiB pieces", run_pieces, &b, rounds);
    measure("streaming hash, 1 MiB steps", run_hasher, &b, rounds);
    measure("verify, 1 MiB pieces", run_verify, &b, rounds);
    pond_free(outboards);
    pond_free(data);
    return 0;
}
