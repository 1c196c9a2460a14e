/* What the writer writes, the reader reads back: all types, nulls, page and row group boundaries; and what becomes of
 * its files when they are cut, changed, or memory runs out.
 */
#include "pq_memory.h"

#include <stdio.h>

#include <sys/resource.h>

enum { C_STRING, C_BINARY, C_INT64, C_INT32, C_BOOLEAN, C_TIME, C_FIXED, C_DOUBLE, C_REQUIRED, COLUMNS };

static void make_schema(struct pq_schema *s)
{
    struct pond_error err = {0};
    char names[2][8] = {"fixed", "double"};
    struct pq_element fixed = {.name = names[0], .type = PQ_FIXED_LEN_BYTE_ARRAY, .type_length = 5,
                               .repetition = PQ_OPTIONAL, .converted_type = -1, .field_id = -1};
    struct pq_element real = {.name = names[1], .type = PQ_DOUBLE, .repetition = PQ_OPTIONAL, .converted_type = -1,
                              .field_id = -1};

    assert_ok(pq_schema_init(s, &err));
    assert_ok(pq_schema_add_string(s, "string", PQ_OPTIONAL, &err));
    assert_ok(pq_schema_add_binary(s, "binary", PQ_OPTIONAL, &err));
    assert_ok(pq_schema_add_int64(s, "int64", PQ_OPTIONAL, &err));
    assert_ok(pq_schema_add_int32(s, "int32", PQ_OPTIONAL, &err));
    assert_ok(pq_schema_add_boolean(s, "boolean", PQ_OPTIONAL, &err));
    assert_ok(pq_schema_add_timestamp(s, "time", PQ_OPTIONAL, &err));
    assert_ok(pq_schema_add(s, &fixed, &err));
    assert_ok(pq_schema_add(s, &real, &err));
    assert_ok(pq_schema_add_int64(s, "required", PQ_REQUIRED, &err));
    assert_ok(pq_schema_finish(s, &err));
}

/* The row's values follow from its number. */
static bool row_is_null(uint64_t row, size_t leaf)
{
    if (leaf == C_REQUIRED)
        return false;
    return leaf == C_BINARY ? row % 2 == 1 : (row / (leaf + 1)) % 5 == 4;
}

static size_t row_text(uint64_t row, size_t leaf, char out[64])
{
    if (row % 11 == 3)
        return 0;
    return (size_t)snprintf(out, 64, leaf == C_STRING ? "text %llu" : "%llu\xff\x01", (unsigned long long)row);
}

static int64_t row_number(uint64_t row)
{
    return (int64_t)(row * UINT64_C(0x9e3779b97f4a7c15));
}

static void write_row(struct pq_writer *w, uint64_t row)
{
    int64_t number = row_number(row);
    double real = (double)row / 3;
    char text[64];
    size_t size;

    for (size_t leaf = 0; leaf < COLUMNS; leaf++) {
        if (row_is_null(row, leaf)) {
            pq_writer_null(w, leaf);
            continue;
        }
        switch (leaf) {
        case C_STRING:
        case C_BINARY:
            size = row_text(row, leaf, text);
            pq_writer_bytes(w, leaf, text, size);
            break;
        case C_INT32: pq_writer_int32(w, leaf, (int32_t)number); break;
        case C_BOOLEAN: pq_writer_boolean(w, leaf, number & 1); break;
        case C_FIXED: pq_writer_bytes(w, leaf, &number, 5); break;
        case C_DOUBLE: pq_writer_bytes(w, leaf, &real, 8); break;
        default: pq_writer_int64(w, leaf, number); break;
        }
    }
    pq_writer_end_row(w);
}

static void assert_value(const struct pq_page *p, size_t at, uint64_t row, size_t leaf)
{
    int64_t number = row_number(row);
    char text[64];
    size_t size;

    switch (leaf) {
    case C_STRING:
    case C_BINARY:
        size = row_text(row, leaf, text);
        assert_int_equal(p->bytes[at].size, size);
        assert_memory_equal(p->bytes[at].data, text, size);
        break;
    case C_INT32: assert_int_equal(p->int32s[at], (int32_t)number); break;
    case C_BOOLEAN: assert_int_equal(p->booleans[at], number & 1); break;
    case C_FIXED:
        assert_int_equal(p->bytes[at].size, 5);
        assert_memory_equal(p->bytes[at].data, &number, 5);
        break;
    case C_DOUBLE: assert_true(p->doubles[at] == (double)row / 3); break;
    default: assert_true(p->int64s[at] == number); break;
    }
}

/* Reads rows [first, first + rows) of one column chunk. Returns its pages. */
static unsigned assert_chunk(struct pq_file *f, uint64_t group, size_t leaf, uint64_t first, uint64_t rows)
{
    struct pond_error err = {0};
    struct pq_column *c = NULL;
    struct pq_page page;
    uint64_t row = first;
    unsigned pages = 0;
    int r;

    assert_ok(pq_column_open(&c, f, group, leaf, 0, &err));
    while ((r = pq_column_next(c, &page, &err)) == 1) {
        size_t present = 0;
        for (uint32_t i = 0; i < page.num_values; i++, row++) {
            bool null = page.definition != NULL && page.definition[i] == 0;
            assert_int_equal(null, row_is_null(row, leaf));
            if (!null)
                assert_value(&page, present++, row, leaf);
        }
        assert_int_equal(present, page.num_present);
        pages++;
    }
    assert_ok(r);
    assert_int_equal(row, first + rows);
    pq_column_free(c);
    return pages;
}

static const struct pq_writer_options small_pages = {.created_by = "pond test", .page_bytes = 1000, .statistics = true};

/* groups row groups of rows rows. Returns 0 or the failure. */
static int write_file(struct pond_buf *out, const struct pq_schema *s, uint64_t groups, uint64_t rows,
                      enum pq_codec codec, struct pond_error *err)
{
    struct pq_sink sink = {.write = memory_write, .context = out};
    struct pq_writer *w = NULL;
    int r = pq_writer_new(&w, s, &sink, &small_pages, err);

    if (r < 0)
        return r;
    for (size_t leaf = 0; leaf < s->leaf_count; leaf++)
        pq_writer_set_codec(w, leaf, codec);
    for (uint64_t g = 0; g < groups && r == 0; g++) {
        for (uint64_t i = 0; i < rows; i++)
            write_row(w, g * rows + i);
        r = pq_writer_flush(w, err);
    }
    if (r == 0)
        r = pq_writer_finish(w, err);
    pq_writer_free(w);
    return r;
}

static void test_writer__what_it_wrote_is_read_back(void **state)
{
    static const uint64_t shapes[][2] = {{1, 1}, {1, 7}, {1, 8}, {1, 9}, {3, 5000}, {2, 64}};
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct pq_schema s;

    (void)state;
    make_schema(&s);
    for (size_t i = 0; i < 2 * (sizeof shapes / sizeof *shapes); i++) {
        uint64_t groups = shapes[i / 2][0], rows = shapes[i / 2][1];
        struct memory_file m;
        struct pq_file *f = NULL;
        pond_buf_clear(&b);
        assert_ok(write_file(&b, &s, groups, rows, i % 2 ? PQ_ZSTD : PQ_UNCOMPRESSED, &err));
        m = (struct memory_file){b.data, b.size};
        assert_ok(open_memory(&m, &f, &err));
        assert_int_equal(pq_file_num_rows(f), groups * rows);
        assert_int_equal(pq_file_num_row_groups(f), groups);
        for (uint64_t g = 0; g < groups; g++)
            for (size_t leaf = 0; leaf < COLUMNS; leaf++) {
                unsigned pages = assert_chunk(f, g, leaf, g * rows, rows);
                if (rows == 5000 && leaf == C_REQUIRED)
                    assert_int_equal(pages, 40); /* 8 bytes each, 125 to a page */
            }
        pq_file_free(f);
    }
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void test_writer__the_same_rows_make_the_same_file(void **state)
{
    struct pond_error err = {0};
    struct pond_buf a = {0}, b = {0};
    struct pq_schema s;

    (void)state;
    make_schema(&s);
    assert_ok(write_file(&a, &s, 2, 100, PQ_ZSTD, &err));
    assert_ok(write_file(&b, &s, 2, 100, PQ_ZSTD, &err));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    pond_buf_release(&a);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void test_writer__no_rows_make_a_file_of_no_row_groups(void **state)
{
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct memory_file m;
    struct pq_file *f = NULL;
    struct pq_schema s;

    (void)state;
    make_schema(&s);
    assert_ok(write_file(&b, &s, 1, 0, PQ_ZSTD, &err));
    m = (struct memory_file){b.data, b.size};
    assert_ok(open_memory(&m, &f, &err));
    assert_int_equal(pq_file_num_rows(f), 0);
    assert_int_equal(pq_file_num_row_groups(f), 0);
    assert_int_equal(pq_file_schema(f)->leaf_count, COLUMNS);
    pq_file_free(f);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void test_writer__metadata_says_what_is_there(void **state)
{
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct memory_file m;
    struct pq_file *f = NULL;
    struct pq_row_group rg = {0};
    struct pq_schema s;
    int64_t at = 4, min, max, want_min = INT64_MAX, want_max = INT64_MIN;

    (void)state;
    make_schema(&s);
    assert_ok(write_file(&b, &s, 1, 40, PQ_ZSTD, &err));
    for (uint64_t row = 0; row < 40; row++) {
        if (!row_is_null(row, C_INT64) && row_number(row) < want_min)
            want_min = row_number(row);
        if (!row_is_null(row, C_INT64) && row_number(row) > want_max)
            want_max = row_number(row);
    }
    m = (struct memory_file){b.data, b.size};
    assert_ok(open_memory(&m, &f, &err));
    assert_ok(pq_file_row_group(f, 0, &rg, &err));
    for (size_t i = 0; i < COLUMNS; i++) { /* back to back, in schema order */
        assert_int_equal(rg.columns[i].data_page_offset, at);
        assert_int_equal(rg.columns[i].num_values, 40);
        assert_int_equal(rg.columns[i].encoding_count, i == C_REQUIRED ? 1 : 2);
        at += rg.columns[i].total_compressed_size;
    }
    assert_int_equal(at, pq_file_footer_offset(f, NULL));
    assert_int_equal(rg.total_compressed_size, at - 4);
    assert_int_equal(rg.ordinal, 0);
    assert_true(rg.columns[C_INT64].statistics.has_min_max);
    memcpy(&min, rg.columns[C_INT64].statistics.min, 8);
    memcpy(&max, rg.columns[C_INT64].statistics.max, 8);
    assert_true(min == want_min && max == want_max);
    assert_int_equal(rg.columns[C_INT64].statistics.null_count, 6);
    assert_memory_equal(rg.columns[C_STRING].statistics.max, "text 8", 6);
    assert_int_equal(rg.columns[C_STRING].statistics.min_size, 0);
    assert_false(rg.columns[C_BINARY].statistics.has_null_count);
    assert_false(rg.columns[C_BINARY].statistics.has_min_max);
    assert_false(rg.columns[C_DOUBLE].statistics.has_min_max);
    assert_int_equal(rg.columns[C_DOUBLE].statistics.null_count, 8);
    pq_row_group_release(&rg);
    pq_file_free(f);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

/* Values around the page size, one that is far over it, and a page of its own for each of the large ones. */
static void test_writer__large_values_have_their_own_pages(void **state)
{
    static const size_t sizes[] = {10, 20, 996, 1, 997, 5, (size_t)20 << 20, 3};
    static const uint32_t pages[] = {2, 1, 1, 1, 1, 1, 1};
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct pq_sink sink = {.write = memory_write, .context = &b};
    struct memory_file m;
    struct pq_file *f = NULL;
    struct pq_writer *w = NULL;
    struct pq_column *c = NULL;
    struct pq_page page;
    struct pq_schema s;
    uint8_t *big = pond_alloc(sizes[6], 1);
    size_t row = 0;

    (void)state;
    for (size_t i = 0; i < sizes[6]; i++)
        big[i] = (uint8_t)(i * i >> 7);
    assert_ok(pq_schema_init(&s, &err));
    assert_ok(pq_schema_add_binary(&s, "b", PQ_REQUIRED, &err));
    assert_ok(pq_schema_finish(&s, &err));
    assert_ok(pq_writer_new(&w, &s, &sink, &small_pages, &err));
    for (size_t i = 0; i < 8; i++) {
        pq_writer_bytes(w, 0, big, sizes[i]);
        pq_writer_end_row(w);
    }
    assert_int_equal(pq_writer_rows(w), 8);
    assert_ok(pq_writer_finish(w, &err));
    pq_writer_free(w);
    m = (struct memory_file){b.data, b.size};
    assert_ok(open_memory(&m, &f, &err));
    assert_ok(pq_column_open(&c, f, 0, 0, 0, &err));
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(pq_column_next(c, &page, &err), 1);
        assert_int_equal(page.num_values, pages[i]);
        for (uint32_t k = 0; k < page.num_values; k++, row++) {
            assert_int_equal(page.bytes[k].size, sizes[row]);
            assert_memory_equal(page.bytes[k].data, big, sizes[row]);
        }
    }
    assert_int_equal(pq_column_next(c, &page, &err), 0);
    pq_column_free(c);
    pq_file_free(f);
    pond_free(big);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

/* What does not shrink is stored; what does is not. */
static void test_writer__compresses_what_shrinks(void **state)
{
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct pq_sink sink = {.write = memory_write, .context = &b};
    struct memory_file m;
    struct pq_file *f = NULL;
    struct pq_writer *w = NULL;
    struct pq_row_group rg = {0};
    struct pq_schema s;
    struct pq_writer_options options = {0};

    (void)state;
    assert_ok(pq_schema_init(&s, &err));
    assert_ok(pq_schema_add_int64(&s, "same", PQ_REQUIRED, &err));
    assert_ok(pq_schema_add_int64(&s, "random", PQ_REQUIRED, &err));
    assert_ok(pq_schema_finish(&s, &err));
    assert_ok(pq_writer_new(&w, &s, &sink, &options, &err));
    for (uint64_t i = 0; i < 1000; i++) {
        pq_writer_int64(w, 0, 5);
        pq_writer_int64(w, 1, row_number(i) ^ row_number(i * i) >> 13);
        pq_writer_end_row(w);
    }
    assert_int_equal(pq_writer_buffered(w), 16000);
    assert_ok(pq_writer_finish(w, &err));
    pq_writer_free(w);
    m = (struct memory_file){b.data, b.size};
    assert_ok(open_memory(&m, &f, &err));
    assert_ok(pq_file_row_group(f, 0, &rg, &err));
    assert_int_equal(rg.columns[0].codec, PQ_ZSTD);
    assert_true(rg.columns[0].total_compressed_size < 100);
    assert_true(rg.columns[0].total_uncompressed_size > 8000);
    assert_int_equal(rg.columns[1].codec, PQ_UNCOMPRESSED);
    assert_false(rg.columns[0].statistics.has_null_count);
    pq_row_group_release(&rg);
    pq_file_free(f);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static int failing_write(void *context, const void *bytes, size_t size, struct pond_error *err)
{
    size_t *left = context;

    (void)bytes;
    if (size > *left)
        return pond_fail(err, POND_EIO, "disk full");
    *left -= size;
    return 0;
}

static void test_writer__failures_stick(void **state)
{
    struct pond_error err = {0};
    struct pq_schema s;

    (void)state;
    make_schema(&s);
    for (size_t room = 0; room < 2000; room += 100) {
        size_t left = room;
        struct pq_sink sink = {.write = failing_write, .context = &left};
        struct pq_writer *w = NULL;
        err = (struct pond_error){0};
        assert_ok(pq_writer_new(&w, &s, &sink, &small_pages, &err));
        for (uint64_t row = 0; row < 200; row++)
            write_row(w, row);
        if (pq_writer_flush(w, &err) == 0)
            write_row(w, 200);
        err = (struct pond_error){0};
        assert_int_equal(pq_writer_finish(w, &err), POND_EIO);
        assert_string_equal(err.message, "disk full");
        assert_int_equal(pq_writer_flush(w, NULL), POND_EIO);
        pq_writer_free(w);
    }
    struct pond_buf b = {0};
    struct pq_sink sink = {.write = memory_write, .context = &b};
    struct pq_writer *w = NULL;
    assert_ok(pq_writer_new(&w, &s, &sink, NULL, &err));
    pq_writer_set_codec(w, 0, PQ_SNAPPY);
    assert_int_equal(pq_writer_finish(w, &err), POND_EUNSUPPORTED);
    assert_string_equal(err.message, "codec SNAPPY is not supported for writing");
    pq_writer_free(w);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

/* Reading what may be anything: a clean failure or values, and memory in proportion. */
static void assert_harmless(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = pond_memdup(bytes, size);
    struct memory_file m = {exact, size};
    struct pq_source source = memory_source(&m);
    struct pond_error err = {0};
    struct totals t;
    int r = read_all(&source, 1 << 16, &t, &err);

    if (r != 0 && r != POND_ECORRUPT && r != POND_EUNSUPPORTED && r != POND_ELIMIT)
        fail_msg("code %d: %s", r, err.message);
    if (r != 0) {
        assert_int_equal(err.code, r);
        assert_memory_equal(err.message, "mem: ", 5);
    }
    pond_free(exact);
}

static void test_writer__every_truncation_is_refused(void **state)
{
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct pq_schema s;

    (void)state;
    make_schema(&s);
    assert_ok(write_file(&b, &s, 2, 30, PQ_ZSTD, &err));
    for (size_t size = 0; size < b.size; size++) {
        uint8_t *exact = pond_memdup(b.data, size);
        struct memory_file m = {exact, size};
        struct pq_file *f = NULL;
        assert_int_equal(open_memory(&m, &f, &err), POND_ECORRUPT);
        pond_free(exact);
        /* and with the tail put back, so that the cut is inside */
        exact = pond_alloc(size + 8, 1);
        if (size > 0)
            memcpy(exact, b.data, size);
        memcpy(exact + size, b.data + b.size - 8, 8);
        assert_harmless(exact, size + 8);
        pond_free(exact);
    }
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void test_writer__every_changed_byte_is_harmless(void **state)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff, 0x10, 0x0c};
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct pq_schema s;

    (void)state;
    make_schema(&s);
    assert_ok(write_file(&b, &s, 2, 30, PQ_ZSTD, &err));
    for (size_t at = 0; at < b.size; at++)
        for (size_t i = 0; i < sizeof changes; i++) {
            b.data[at] ^= changes[i];
            assert_harmless(b.data, b.size);
            b.data[at] ^= changes[i];
        }
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void test_writer__survives_every_failed_allocation(void **state)
{
    struct pond_error err = {0};
    struct pond_buf b = {0}, good = {0};
    struct pq_schema s;
    int r = POND_ENOMEM;

    (void)state;
    make_schema(&s);
    assert_ok(write_file(&good, &s, 2, 200, PQ_ZSTD, &err));
    for (long n = 0; r != 0; n++) {
        assert_true(n < 100000);
        pond_buf_release(&b);
        err = (struct pond_error){0};
        pond_mem_fail_after(n);
        r = write_file(&b, &s, 2, 200, PQ_ZSTD, &err);
        pond_mem_fail_after(-1);
        assert_true(r == 0 || (r == POND_ENOMEM && err.code == POND_ENOMEM));
    }
    assert_int_equal(b.size, good.size);
    assert_memory_equal(b.data, good.data, b.size);
    pond_buf_release(&b);
    pond_buf_release(&good);
    pq_schema_release(&s);
}

static void test_reader__survives_every_failed_allocation(void **state)
{
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct pq_schema s;
    struct totals t;
    int r = POND_ENOMEM;

    (void)state;
    make_schema(&s);
    assert_ok(write_file(&b, &s, 1, 200, PQ_ZSTD, &err));
    for (long n = 0; r != 0; n++) {
        struct memory_file m = {b.data, b.size};
        struct pq_source source = memory_source(&m);
        assert_true(n < 100000);
        pond_mem_fail_after(n);
        r = read_all(&source, 0, &t, &err);
        pond_mem_fail_after(-1);
        assert_true(r == 0 || r == POND_ENOMEM);
    }
    assert_int_equal(t.rows, 200);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

/* A huge allocation then fails, and the tests with it. Address sanitizers reserve far more themselves. */
static int limit_memory(void **state)
{
    (void)state;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit limit = {.rlim_cur = (rlim_t)512 << 20, .rlim_max = RLIM_INFINITY};
    struct rlimit old;
    if (getrlimit(RLIMIT_AS, &old) == 0) {
        limit.rlim_max = old.rlim_max;
        return setrlimit(RLIMIT_AS, &limit);
    }
#endif
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer__what_it_wrote_is_read_back),
        cmocka_unit_test(test_writer__the_same_rows_make_the_same_file),
        cmocka_unit_test(test_writer__no_rows_make_a_file_of_no_row_groups),
        cmocka_unit_test(test_writer__metadata_says_what_is_there),
        cmocka_unit_test(test_writer__large_values_have_their_own_pages),
        cmocka_unit_test(test_writer__compresses_what_shrinks),
        cmocka_unit_test(test_writer__failures_stick),
        cmocka_unit_test(test_writer__every_truncation_is_refused),
        cmocka_unit_test(test_writer__every_changed_byte_is_harmless),
        cmocka_unit_test(test_writer__survives_every_failed_allocation),
        cmocka_unit_test(test_reader__survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, limit_memory, NULL);
}
