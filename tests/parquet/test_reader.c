/* Column chunks made by hand: every way in which a page may be laid out, and what must be refused. */
#include "pq_memory.h"

#include <zstd.h>

#include "parquet/codec.h"
#include "parquet/internal.h"
#include "parquet/levels.h"

static char column_name[] = "x";

static struct pq_element column(enum pq_type type, enum pq_repetition repetition)
{
    return (struct pq_element){.name = column_name, .type = type, .repetition = repetition, .converted_type = -1,
                               .field_id = -1};
}

/* One column chunk under test. */
struct fixture {
    struct pond_buf chunk, file;
    struct memory_file memory;
    struct pq_file *f;
    struct pq_column *c;
    struct pond_error err;
};

static int open_chunk(struct fixture *x, struct pq_element e, enum pq_codec codec, int64_t values, bool dictionary,
                      size_t max_page)
{
    int r;

    pond_buf_clear(&x->file);
    make_file(&x->file, &e, codec, &x->chunk, values, dictionary);
    x->memory = (struct memory_file){x->file.data, x->file.size};
    r = open_memory(&x->memory, &x->f, &x->err);
    return r < 0 ? r : pq_column_open(&x->c, x->f, 0, 0, max_page, &x->err);
}

static void close_chunk(struct fixture *x)
{
    pq_column_free(x->c);
    pq_file_free(x->f);
    x->c = NULL;
    x->f = NULL;
    x->err = (struct pond_error){0};
    pond_buf_clear(&x->chunk);
}

static void release(struct fixture *x)
{
    close_chunk(x);
    pond_buf_release(&x->chunk);
    pond_buf_release(&x->file);
}

/* The first page must be refused, with that message. */
static void assert_page_refused(struct fixture *x, int code, const char *message)
{
    struct pq_page page;
    int r = pq_column_next(x->c, &page, &x->err);

    assert_int_equal(r, code);
    assert_int_equal(x->err.code, code);
    if (strstr(x->err.message, message) == NULL)
        fail_msg("\"%s\" is not in: %s", message, x->err.message);
    close_chunk(x);
}

static void assert_runs(const void *bytes, size_t size, unsigned width, const uint32_t *want, size_t count)
{
    uint32_t got[64];
    struct pq_rle r;

    pq_rle_init(&r, bytes, size, width);
    assert_true(pq_rle_read(&r, got, count));
    assert_memory_equal(got, want, count * sizeof *want);
}

static void test_levels__runs_and_packed_groups(void **state)
{
    static const uint32_t upto[16] = {0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5};
    static const uint32_t wide[8] = {UINT32_MAX, 0, 1, 0x80000000};
    struct pq_rle r;
    uint32_t got[16];
    uint8_t packed[33] = {3};

    (void)state;
    /* Encodings.md: 0 to 7 in 3 bits are 10001000 11000110 11111010; then 5 four times */
    assert_runs("\x03\x88\xc6\xfa\x08\x05", 6, 3, upto, 12);
    memcpy(packed + 1, wide, sizeof wide);
    assert_runs(packed, sizeof packed, 32, wide, 8);
    assert_runs("", 0, 0, (const uint32_t[4]){0}, 4);
    /* a group cut where its values end; one value more is not there */
    pq_rle_init(&r, (const uint8_t *)"\x03\x88", 2, 3);
    assert_true(pq_rle_read(&r, got, 2));
    assert_int_equal(got[1], 1);
    assert_false(pq_rle_read(&r, got, 1));
    /* runs of nothing end with the bytes; a run without its value; a header of six bytes */
    pq_rle_init(&r, (const uint8_t *)"\0\1\0\1\0\1", 6, 1);
    assert_false(pq_rle_read(&r, got, 1));
    pq_rle_init(&r, (const uint8_t *)"\x08", 1, 9);
    assert_false(pq_rle_read(&r, got, 1));
    pq_rle_init(&r, (const uint8_t *)"\x80\x80\x80\x80\x80\x01\x01", 7, 1);
    assert_false(pq_rle_read(&r, got, 1));
}

static void test_levels__round_trip(void **state)
{
    uint8_t levels[300];
    uint16_t got[300];
    struct pond_buf b = {0};
    uint32_t random = 1;

    (void)state;
    for (size_t count = 0; count <= 300; count += 1 + count / 20)
        for (unsigned kind = 0; kind < 4; kind++) {
            size_t ones = 0, at_max = 0;
            for (size_t i = 0; i < count; i++) {
                random = random * 1103515245 + 12345;
                levels[i] = kind == 0 || (kind == 1 && i % 2) || (kind == 2 && i / 13 % 2) ||
                            (kind == 3 && random >> 30 == 0);
                ones += levels[i];
            }
            pond_buf_clear(&b);
            pq_levels_encode_bits(&b, levels, count);
            assert_true(b.size <= count / 8 + 4 + count / 8);
            assert_true(pq_levels_decode(b.data, b.size, 1, got, count, &at_max));
            assert_int_equal(at_max, ones);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(got[i], levels[i]);
        }
    pond_buf_release(&b);
}

static void test_codec__zstd_frames_and_skippable_frames(void **state)
{
    struct pond_buf packed = {.max = 1 << 20};
    struct pq_codec_state codec = {0};
    const struct pq_codec_ops *zstd = pq_codec_find(PQ_ZSTD);
    uint8_t plain[3000], got[3000];
    const char *why = "";
    uint64_t size = 0;

    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i / 7);
    assert_int_equal(zstd->compress(&codec, 3, plain, 1000, &packed, &why), 0);
    pond_buf_append(&packed, "\x5e\x2a\x4d\x18\x03\0\0\0abc", 11);
    assert_int_equal(zstd->compress(&codec, 3, plain + 1000, 2000, &packed, &why), 0);
    pond_buf_append(&packed, "\x50\x2a\x4d\x18\x00\0\0\0", 8);
    assert_int_equal(zstd->content_size(packed.data, packed.size, &size), 1);
    assert_int_equal(size, 3000);
    assert_int_equal(zstd->decompress(&codec, packed.data, packed.size, got, 3000, &why), 0);
    assert_memory_equal(got, plain, 3000);
    assert_int_equal(zstd->decompress(&codec, packed.data, packed.size, got, 2999, &why), POND_ECORRUPT);
    assert_int_equal(zstd->decompress(&codec, packed.data, packed.size - 20, got, 3000, &why), POND_ECORRUPT);
    pond_buf_append_byte(&packed, 'x');
    assert_int_equal(zstd->content_size(packed.data, packed.size, &size), POND_ECORRUPT);
    assert_string_equal(pq_codec_name(PQ_LZ4_RAW), "LZ4_RAW");
    assert_string_equal(pq_codec_name((enum pq_codec)8), "?");
    assert_null(pq_codec_find((enum pq_codec)-1));
    pond_buf_release(&packed);
    pq_codec_state_release(&codec);
}

/* V2: levels outside the compressed part; values compressed or, in the next page, not; a page of nulls only. */
static void test_reader__v2_pages(void **state)
{
    static const int32_t values[3] = {7, -8, 9};
    struct pq_page_header h = {.type = PQ_PAGE_DATA_V2, .num_values = 5, .num_nulls = 2, .num_rows = 5,
                               .definition_size = 2, .encoding = PQ_PLAIN, .is_compressed = true};
    struct fixture x = {0};
    struct pq_page page;
    uint8_t packed[64];
    size_t n = ZSTD_compress(packed, sizeof packed, values, sizeof values, 1);

    (void)state;
    h.uncompressed_size = 2 + 12;
    h.compressed_size = 2 + (int32_t)n;
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "\x03\x15", 2); /* 1 0 1 0 1 */
    pond_buf_append(&x.chunk, packed, n);
    h.is_compressed = false;
    h.compressed_size = 14;
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "\x03\x15", 2);
    pond_buf_append(&x.chunk, values, 12);
    h = (struct pq_page_header){.type = PQ_PAGE_DATA_V2, .num_values = 4, .num_nulls = 4, .num_rows = 4,
                                .definition_size = 2, .uncompressed_size = 2, .compressed_size = 2,
                                .is_compressed = true};
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "\x08\x00", 2);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_OPTIONAL), PQ_ZSTD, 14, false, 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
        assert_int_equal(page.num_values, 5);
        assert_int_equal(page.num_present, 3);
        assert_memory_equal(page.int32s, values, 12);
        assert_true(page.definition[0] == 1 && page.definition[1] == 0 && page.definition[4] == 1);
    }
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_true(page.num_values == 4 && page.num_present == 0);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 0);
    close_chunk(&x);

    h.num_nulls = 3; /* lies */
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "\x08\x00", 2);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_OPTIONAL), PQ_ZSTD, 4, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "4 nulls, its header says 3");
    h.definition_size = 3; /* over the page's end */
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "\x08\x00", 2);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_OPTIONAL), PQ_ZSTD, 4, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "levels of 0 and 3 bytes");
    release(&x);
}

static void add_dictionary(struct pond_buf *chunk, int32_t entries, const void *body, size_t size)
{
    struct pq_page_header h = {.type = PQ_PAGE_DICTIONARY, .uncompressed_size = (int32_t)size,
                               .compressed_size = (int32_t)size, .num_values = entries, .encoding = PQ_PLAIN};

    pq_page_header_encode(chunk, &h);
    pond_buf_append(chunk, body, size);
}

#define WORDS "\3\0\0\0one\0\0\0\0\5\0\0\0three"
static const size_t words_size = sizeof WORDS - 1;

static void test_reader__dictionaries(void **state)
{
    struct fixture x = {0};
    struct pq_page page;
    uint64_t second;

    (void)state;
    add_dictionary(&x.chunk, 3, WORDS, words_size);
    add_data_page(&x.chunk, PQ_RLE_DICTIONARY, 5, "\x02\x03\x06\x02", 4); /* 2 1 0 0 2, and 3 more of the group */
    second = 4 + x.chunk.size;
    add_data_page(&x.chunk, PQ_PLAIN_DICTIONARY, 2, "\x00", 1);
    add_data_page(&x.chunk, PQ_PLAIN, 1, "\1\0\0\0z", 5);
    assert_int_equal(open_chunk(&x, column(PQ_BYTE_ARRAY, PQ_REQUIRED), PQ_UNCOMPRESSED, 8, true, 0), 0);
    /* straight to the second page: the dictionary is found all the same, and the walk is not moved */
    assert_int_equal(pq_column_page_at(x.c, second, &page, &x.err), 0);
    assert_true(page.num_present == 2 && page.bytes[1].size == 3);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_null(page.definition);
    assert_int_equal(page.bytes[0].size, 5);
    assert_memory_equal(page.bytes[0].data, "three", 5);
    assert_int_equal(page.bytes[1].size, 0);
    assert_memory_equal(page.bytes[2].data, "one", 3);
    assert_int_equal(page.bytes[4].size, 5);
    assert_int_equal(pq_column_next_header(x.c, &page, &x.err), 1);
    assert_int_equal(page.offset, second);
    assert_null(page.bytes);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_memory_equal(page.bytes[0].data, "z", 1);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 0);
    assert_int_equal(pq_column_page_at(x.c, 1 << 20, &page, &x.err), POND_EUSAGE);
    assert_int_equal(pq_column_page_at(x.c, 4, &page, &x.err), POND_ECORRUPT);
    release(&x);
}

static void test_reader__bad_dictionaries(void **state)
{
    const struct pq_element e = column(PQ_BYTE_ARRAY, PQ_REQUIRED);
    struct fixture x = {0};

    (void)state;
    add_dictionary(&x.chunk, 3, WORDS, words_size);
    add_data_page(&x.chunk, PQ_RLE_DICTIONARY, 1, "\x02\x02\x03", 3); /* entry 3 of 0 to 2 */
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 1, true, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "dictionary index 3, the dictionary has 3 entries");

    add_dictionary(&x.chunk, 3, WORDS, words_size);
    add_data_page(&x.chunk, PQ_RLE_DICTIONARY, 1, "\x20\x02\xff\xff\xff\xff", 6); /* 32 bits, -1 */
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 1, true, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "dictionary index 4294967295");

    add_dictionary(&x.chunk, 3, WORDS, words_size);
    add_data_page(&x.chunk, PQ_RLE_DICTIONARY, 1, "\x21\x02\0\0\0\0\0", 7); /* 33 bits */
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 1, true, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "without a width");

    add_dictionary(&x.chunk, 4, WORDS, words_size);
    add_data_page(&x.chunk, PQ_RLE_DICTIONARY, 1, "\x00", 1);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 1, true, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "value 3 of 4 runs past");

    add_data_page(&x.chunk, PQ_RLE_DICTIONARY, 1, "\x00", 1);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "needs a dictionary");

    add_dictionary(&x.chunk, INT32_MAX, WORDS, words_size);
    add_data_page(&x.chunk, PQ_RLE_DICTIONARY, 1, "\x00", 1);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 1, true, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "do not take 20 bytes");
    release(&x);
}

static void test_reader__booleans(void **state)
{
    struct fixture x = {0};
    struct pq_page page;

    (void)state;
    add_data_page(&x.chunk, PQ_PLAIN, 10, "\xb1\x02", 2);
    add_data_page(&x.chunk, PQ_RLE, 10, "\4\0\0\0\x03\xb1\x04\x01", 8); /* a group, then 1 twice */
    assert_int_equal(open_chunk(&x, column(PQ_BOOLEAN, PQ_REQUIRED), PQ_UNCOMPRESSED, 20, false, 0), 0);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_memory_equal(page.booleans, "\1\0\0\0\1\1\0\1\0\1", 10);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_memory_equal(page.booleans, "\1\0\0\0\1\1\0\1\1\1", 10);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 0);
    release(&x);
}

static void test_reader__fixed_widths(void **state)
{
    struct pq_element e = column(PQ_FIXED_LEN_BYTE_ARRAY, PQ_REQUIRED);
    struct fixture x = {0};
    struct pq_page page;
    const double pi = 3.25;
    const float f = -0.5f;

    (void)state;
    e.type_length = 3;
    add_data_page(&x.chunk, PQ_PLAIN, 2, "abcdef", 6);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 2, false, 0), 0);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_int_equal(page.bytes[1].size, 3);
    assert_memory_equal(page.bytes[1].data, "def", 3);
    close_chunk(&x);
    add_data_page(&x.chunk, PQ_PLAIN, 2, "abcdefghijklABCDEFGHIJKL", 24);
    assert_int_equal(open_chunk(&x, column(PQ_INT96, PQ_REQUIRED), PQ_UNCOMPRESSED, 2, false, 0), 0);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_int_equal(page.bytes[1].size, 12);
    assert_memory_equal(page.bytes[1].data, "ABCDEFGHIJKL", 12);
    close_chunk(&x);
    add_data_page(&x.chunk, PQ_PLAIN, 1, &pi, 8);
    assert_int_equal(open_chunk(&x, column(PQ_DOUBLE, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_true(page.doubles[0] == pi);
    close_chunk(&x);
    add_data_page(&x.chunk, PQ_PLAIN, 1, &f, 4);
    assert_int_equal(open_chunk(&x, column(PQ_FLOAT, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_true(page.floats[0] == f);
    close_chunk(&x);
    add_data_page(&x.chunk, PQ_PLAIN, 1, "123", 3);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "1 values of type INT32 do not take 3 bytes");
    release(&x);
}

static void test_reader__counts_must_agree(void **state)
{
    const struct pq_element e = column(PQ_INT32, PQ_OPTIONAL);
    struct fixture x = {0};
    struct pq_page page;

    (void)state;
    /* levels for 2 where the page has 3 values (a group cut off); then 3 levels of 1 and two values */
    add_data_page(&x.chunk, PQ_PLAIN, 3, "\2\0\0\0\x04\x01" "aaaabbbb", 14);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 3, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "do not hold 3 levels of at most 1");
    add_data_page(&x.chunk, PQ_PLAIN, 3, "\2\0\0\0\x06\x01" "aaaabbbb", 14);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 3, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "3 values of type INT32 do not take 8 bytes");
    add_data_page(&x.chunk, PQ_PLAIN, 3, "\2\0\0\0\x06\x02" "aaaabbbb", 14); /* level 2 */
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 3, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "of at most 1");
    add_data_page(&x.chunk, PQ_PLAIN, 3, "\xff\xff\xff\xff\x06\x01" "aaaabbbb", 14);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 3, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "levels run past");
    /* more values than the chunk has; and fewer */
    add_data_page(&x.chunk, PQ_PLAIN, 2, "\2\0\0\0\x04\x01" "aaaabbbb", 14);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "2 values, the column chunk has only 1 left");
    add_data_page(&x.chunk, PQ_PLAIN, 2, "\2\0\0\0\x04\x01" "aaaabbbb", 14);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 3, false, 0), 0);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    assert_page_refused(&x, POND_ECORRUPT, "its pages hold 2 values, its metadata says 3");
    release(&x);
}

static void test_reader__bombs_meet_a_limit(void **state)
{
    struct fixture x = {0};
    uint8_t packed[1024];
    static uint8_t zeros[200000];
    size_t n;
    struct pq_page_header h = {.type = PQ_PAGE_DATA, .num_values = INT32_MAX, .uncompressed_size = 10,
                               .compressed_size = 10, .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE};

    (void)state;
    /* two thousand million nulls in ten bytes */
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "\6\0\0\0\xfe\xff\xff\xff\x0f\x00", 10);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_OPTIONAL), PQ_UNCOMPRESSED, INT32_MAX, false, 0), 0);
    assert_page_refused(&x, POND_ELIMIT, "2147483647 values");
    /* as many times the first dictionary entry */
    add_dictionary(&x.chunk, 3, WORDS, words_size);
    add_data_page(&x.chunk, PQ_RLE_DICTIONARY, INT32_MAX, "\x02\xfe\xff\xff\xff\x0f\x00", 7);
    assert_int_equal(open_chunk(&x, column(PQ_BYTE_ARRAY, PQ_REQUIRED), PQ_UNCOMPRESSED, INT32_MAX, true, 0), 0);
    assert_page_refused(&x, POND_ELIMIT, "2147483647 values");
    /* a page that says 2 GiB; one that says 60 MiB where its frame says less; one over a caller's limit */
    n = ZSTD_compress(packed, sizeof packed, zeros, sizeof zeros, 1);
    h.num_values = 1;
    h.compressed_size = (int32_t)n;
    h.uncompressed_size = INT32_MAX;
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, packed, n);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_ZSTD, 1, false, 0), 0);
    assert_page_refused(&x, POND_ELIMIT, "2147483647 bytes uncompressed, the limit for a page is 67174400");
    h.uncompressed_size = 60 << 20;
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, packed, n);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_ZSTD, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "do not decompress (ZSTD) to the 62914560");
    h.uncompressed_size = sizeof zeros;
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, packed, n);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_ZSTD, 1, false, sizeof zeros - 1), 0);
    assert_page_refused(&x, POND_ELIMIT, "the limit for a page is 199999");
    release(&x);
}

static void test_reader__sizes_stay_in_the_chunk(void **state)
{
    struct fixture x = {0};
    struct pq_page_header h = {.type = PQ_PAGE_DATA, .num_values = 1, .uncompressed_size = 5, .compressed_size = 5,
                               .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE};

    (void)state;
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "abcd", 4);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "its body of 5 bytes runs past");
    pq_page_header_encode(&x.chunk, &h);
    x.chunk.size -= 3;
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "header runs past");
    h.compressed_size = 4;
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "abcd", 4);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "4 stored bytes, uncompressed 5");
    release(&x);
}

static void test_reader__checksums(void **state)
{
    struct fixture x = {0};
    struct pq_page page;
    struct pq_page_header h = {.type = PQ_PAGE_DATA, .num_values = 1, .uncompressed_size = 8, .compressed_size = 8,
                               .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE, .has_crc = true,
                               .crc = 0xcbf43926 /* of "123456789" */};

    (void)state;
    assert_true(pq_crc32((const uint8_t *)"123456789", 9) == h.crc);
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "12345678", 8);
    assert_int_equal(open_chunk(&x, column(PQ_INT64, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "CRC of its 8 bytes is 9ae0daaf, its header says cbf43926");
    h.crc = 0x9ae0daaf;
    pq_page_header_encode(&x.chunk, &h);
    pond_buf_append(&x.chunk, "12345678", 8);
    assert_int_equal(open_chunk(&x, column(PQ_INT64, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_int_equal(pq_column_next(x.c, &page, &x.err), 1);
    release(&x);
}

static void test_reader__what_is_not_built_in_is_named(void **state)
{
    struct fixture x = {0};
    struct pq_element e = column(PQ_INT32, PQ_REPEATED);

    (void)state;
    add_data_page(&x.chunk, PQ_PLAIN, 1, "abcd", 4);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_BROTLI, 1, false, 0), 0);
    assert_page_refused(&x, POND_EUNSUPPORTED,
                        "mem: row group 0, column \"x\", page at 4: codec BROTLI is not supported");
    add_data_page(&x.chunk, PQ_DELTA_BYTE_ARRAY, 1, "abcd", 4);
    assert_int_equal(open_chunk(&x, column(PQ_BYTE_ARRAY, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_EUNSUPPORTED, "encoding DELTA_BYTE_ARRAY is not supported");
    add_data_page(&x.chunk, PQ_RLE, 1, "abcd", 4);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_EUNSUPPORTED, "RLE for values of type INT32");
    add_data_page(&x.chunk, (enum pq_encoding)77, 1, "abcd", 4);
    assert_int_equal(open_chunk(&x, column(PQ_INT32, PQ_REQUIRED), PQ_UNCOMPRESSED, 1, false, 0), 0);
    assert_page_refused(&x, POND_ECORRUPT, "no encoding 77");
    add_data_page(&x.chunk, PQ_PLAIN, 1, "abcd", 4);
    assert_int_equal(open_chunk(&x, e, PQ_UNCOMPRESSED, 1, false, 0), POND_EUNSUPPORTED);
    assert_string_equal(x.err.message, "mem: row group 0, column \"x\": repeated (nested) values are not supported");
    release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels__runs_and_packed_groups),
        cmocka_unit_test(test_levels__round_trip),
        cmocka_unit_test(test_codec__zstd_frames_and_skippable_frames),
        cmocka_unit_test(test_reader__v2_pages),
        cmocka_unit_test(test_reader__dictionaries),
        cmocka_unit_test(test_reader__bad_dictionaries),
        cmocka_unit_test(test_reader__booleans),
        cmocka_unit_test(test_reader__fixed_widths),
        cmocka_unit_test(test_reader__counts_must_agree),
        cmocka_unit_test(test_reader__bombs_meet_a_limit),
        cmocka_unit_test(test_reader__sizes_stay_in_the_chunk),
        cmocka_unit_test(test_reader__checksums),
        cmocka_unit_test(test_reader__what_is_not_built_in_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
