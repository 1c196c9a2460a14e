/* bench_read POND PATH SOURCE [READS [ROUNDS]]: verified reads of 16 KiB at random places of a stored file through the
 * library, against pread(2) of SOURCE (the same content on the host), in turns, all in the page cache. With zstd content the
 * yardstick is the bare decoding of one frame of 256 KiB. Lines of words, microseconds for one read:
 *
 *     aligned ROUND POND_US PREAD_US        places at multiples of 16 KiB: one block each
 *     anywhere ROUND POND_US PREAD_US       any byte: two blocks each
 *     frame ROUND POND_US DECODE_US         as aligned, against decoding one frame of the content there
 *     bytes_read N                          from the file system for one aligned read, at random
 */
#include <time.h>
#include <zstd.h>

#include <pond/fs.h>

#include "gen.h"

#define READ_SIZE ((size_t)16384)
#define FRAME_SIZE ((size_t)256 << 10)
#define FRAMES 64u /* more than the processor's caches hold of their content */

struct bench {
    struct pond_reader *reader;
    int source;
    uint64_t size, reads;
    uint64_t *places;
    uint8_t buffer[READ_SIZE];
    ZSTD_DCtx *decoder;
    uint8_t *frames[FRAMES];
    size_t frame_sizes[FRAMES];
    uint8_t *content;
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void read_pond(struct bench *b, uint64_t i)
{
    struct pond_error err = {0};
    if (pond_reader_read(b->reader, b->places[i], b->buffer, READ_SIZE, &err) != (int64_t)READ_SIZE)
        gen_die("pond_reader_read: %s", err.message);
}

static void read_source(struct bench *b, uint64_t i)
{
    if (pread(b->source, b->buffer, READ_SIZE, (off_t)b->places[i]) != (ssize_t)READ_SIZE)
        gen_die("pread: %s", strerror(errno));
}

static void decode_frame(struct bench *b, uint64_t i)
{
    size_t k = (size_t)(b->places[i] / READ_SIZE % FRAMES);
    if (ZSTD_decompressDCtx(b->decoder, b->content, FRAME_SIZE, b->frames[k], b->frame_sizes[k]) != FRAME_SIZE)
        gen_die("zstd: a frame does not decode");
}

static double measure_us(struct bench *b, void (*run)(struct bench *b, uint64_t i))
{
    double start = now_us();
    for (uint64_t i = 0; i < b->reads; i++)
        run(b, i);
    return (now_us() - start) / (double)b->reads;
}

static void compare(struct bench *b, const char *name, uint64_t alignment, uint64_t rounds,
                    void (*base)(struct bench *b, uint64_t i))
{
    uint64_t state = alignment;
    for (uint64_t i = 0; i < b->reads; i++)
        b->places[i] = gen_below(&state, (b->size - READ_SIZE) / alignment + 1) * alignment;
    for (uint64_t round = 0; round <= rounds; round++) {
        double pond_us = measure_us(b, read_pond), base_us = measure_us(b, base);
        if (round > 0) /* the first one warms */
            printf("%s %" PRIu64 " %.3f %.3f\n", name, round, pond_us, base_us);
    }
}

/* What this process has read from files so far, cached or not. */
static uint64_t bytes_read(void)
{
    unsigned long long value = 0;
    FILE *f = fopen("/proc/self/io", "re");
    if (f == NULL || fscanf(f, "rchar: %llu", &value) != 1)
        value = 0;
    if (f != NULL)
        fclose(f);
    return value;
}

static void prepare_frames(struct bench *b)
{
    size_t bound = ZSTD_compressBound(FRAME_SIZE);
    b->decoder = ZSTD_createDCtx();
    b->content = malloc(FRAME_SIZE);
    if (b->decoder == NULL || b->content == NULL || b->size < FRAME_SIZE)
        gen_die("bench_read: out of memory, or the file is too small");
    uint64_t state = 1;
    for (size_t k = 0; k < FRAMES; k++) {
        off_t at = (off_t)(gen_below(&state, b->size / FRAME_SIZE) * FRAME_SIZE);
        b->frames[k] = malloc(bound);
        if (b->frames[k] == NULL || pread(b->source, b->content, FRAME_SIZE, at) != (ssize_t)FRAME_SIZE)
            gen_die("bench_read: can't read the source");
        b->frame_sizes[k] = ZSTD_compress(b->frames[k], bound, b->content, FRAME_SIZE, 1);
        if (ZSTD_isError(b->frame_sizes[k]))
            gen_die("zstd: %s", ZSTD_getErrorName(b->frame_sizes[k]));
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        gen_die("usage: bench_read POND PATH SOURCE [READS [ROUNDS]]");
    static struct bench b;
    struct pond_error err = {0};
    struct pond *pond = NULL;
    uint64_t rounds = argc > 5 ? gen_size(argv[5]) : 5;
    b.reads = argc > 4 ? gen_size(argv[4]) : 20000;
    b.places = calloc((size_t)b.reads, sizeof *b.places);
    b.source = open(argv[3], O_RDONLY | O_CLOEXEC);
    if (b.places == NULL || b.source < 0)
        gen_die("%s: %s", argv[3], strerror(errno));
    if (pond_open(&pond, argv[1], POND_READ, &err) != 0 ||
        pond_reader_open(&b.reader, pond, argv[2], POND_AT_TIP, 0, &err) != 0)
        gen_die("%s", err.message);
    b.size = pond_reader_size(b.reader);
    prepare_frames(&b);

    compare(&b, "aligned", READ_SIZE, rounds, read_source);
    uint64_t before = bytes_read();
    measure_us(&b, read_pond);
    uint64_t read = bytes_read() - before;
    compare(&b, "anywhere", 1, rounds, read_source);
    compare(&b, "frame", READ_SIZE, rounds, decode_frame);
    printf("bytes_read %" PRIu64 "\n", read / b.reads);

    for (size_t k = 0; k < FRAMES; k++)
        free(b.frames[k]);
    free(b.content);
    free(b.places);
    ZSTD_freeDCtx(b.decoder);
    pond_reader_close(b.reader);
    pond_close(pond);
    close(b.source);
    return 0;
}
