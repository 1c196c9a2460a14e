/* Footers, schemas and page headers: written, read back, and with one thing wrong. */
#include "pq_memory.h"

#include <stdio.h>

static const struct pq_key_value key_values[] = {{"format", "1"}, {"empty", ""}, {"absent", NULL}};

/* The nine columns of a chunked file, as a load for the footer. */
static void make_schema(struct pq_schema *s, size_t columns)
{
    struct pond_error err = {0};
    char name[32];

    assert_ok(pq_schema_init(s, &err));
    for (size_t i = 0; i < columns; i++) {
        (void)snprintf(name, sizeof name, "column_%zu", i);
        if (i % 3 == 0)
            assert_ok(pq_schema_add_string(s, name, PQ_REQUIRED, &err));
        else if (i % 3 == 1)
            assert_ok(pq_schema_add_int64(s, name, PQ_OPTIONAL, &err));
        else
            assert_ok(pq_schema_add_timestamp(s, name, PQ_REQUIRED, &err));
    }
    assert_ok(pq_schema_finish(s, &err));
}

static void fill_row_group(struct pq_row_group *rg, const struct pq_schema *s, uint64_t index)
{
    static const uint8_t eight[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    for (size_t i = 0; i < s->leaf_count; i++)
        rg->columns[i] = (struct pq_column_meta){
            .type = s->elements[s->leaves[i].element].type, .codec = i % 2 ? PQ_ZSTD : PQ_UNCOMPRESSED,
            .encodings = {PQ_PLAIN, PQ_RLE}, .encoding_count = 2, .num_values = 1,
            .total_uncompressed_size = (int64_t)1 << 40, .total_compressed_size = 8,
            .data_page_offset = 4 + (int64_t)(index % 1000),
            .statistics = {.has_null_count = true, .null_count = (int64_t)i, .has_min_max = i % 2 == 0, .min = eight,
                           .min_size = 8, .max = eight, .max_size = 8},
        };
    rg->column_count = s->leaf_count;
    rg->num_rows = 1;
    rg->total_byte_size = (int64_t)1 << 50;
    rg->total_compressed_size = 72;
    rg->file_offset = 4;
    rg->ordinal = index <= INT16_MAX ? (int16_t)index : -1;
}

/* 1100 bytes of "data", and a footer. */
static void make_footer_file(struct pond_buf *out, const struct pq_schema *s, uint64_t row_groups)
{
    struct pq_column_meta columns[16];
    struct pq_row_group rg = {.columns = columns};
    size_t begin;

    pond_buf_append(out, PQ_MAGIC, 4);
    pond_buf_append_zeros(out, 1096);
    begin = out->size;
    pq_footer_begin(out, s, (int64_t)row_groups, row_groups);
    for (uint64_t i = 0; i < row_groups; i++) {
        fill_row_group(&rg, s, i);
        pq_footer_row_group(out, s, &rg);
    }
    pq_footer_end(out, s, key_values, 3, "pond test");
    pq_footer_tail(out, (uint32_t)(out->size - begin));
    assert_int_equal(out->error, 0);
}

static int open_buf(const struct pond_buf *b, struct pq_file **out, struct pond_error *err)
{
    static struct memory_file m;

    m = (struct memory_file){b->data, b->size};
    return open_memory(&m, out, err);
}

static void assert_row_group(struct pq_file *f, const struct pq_schema *s, uint64_t index)
{
    struct pq_column_meta columns[16];
    struct pq_row_group want = {.columns = columns}, got = {0};
    struct pond_error err = {0};

    fill_row_group(&want, s, index);
    assert_ok(pq_file_row_group(f, index, &got, &err));
    assert_int_equal(got.column_count, want.column_count);
    assert_true(got.num_rows == want.num_rows && got.total_byte_size == want.total_byte_size);
    assert_int_equal(got.ordinal, want.ordinal);
    assert_int_equal(got.total_compressed_size, want.total_compressed_size);
    for (size_t i = 0; i < got.column_count; i++) {
        const struct pq_column_meta *a = &got.columns[i], *b = &columns[i];
        assert_true(a->type == b->type && a->codec == b->codec && a->encoding_count == 2);
        assert_true(a->encodings[1] == PQ_RLE && a->num_values == 1 && a->unreadable == NULL);
        assert_true(a->total_uncompressed_size == b->total_uncompressed_size);
        assert_true(a->data_page_offset == b->data_page_offset && a->dictionary_page_offset == 0);
        assert_true(a->statistics.has_null_count && a->statistics.null_count == (int64_t)i);
        assert_int_equal(a->statistics.has_min_max, b->statistics.has_min_max);
        if (a->statistics.has_min_max)
            assert_memory_equal(a->statistics.min, b->statistics.min, 8);
    }
    pq_row_group_release(&got);
}

static void test_footer__of_many_row_groups_is_read_back(void **state)
{
    struct pq_schema s;
    struct pond_buf b = {0};
    struct pq_file *f = NULL;
    struct pond_error err = {0};
    uint32_t size = 0;

    (void)state;
    make_schema(&s, 9);
    make_footer_file(&b, &s, 40000); /* more than an ordinal counts */
    assert_ok(open_buf(&b, &f, &err));
    assert_int_equal(pq_file_num_row_groups(f), 40000);
    assert_int_equal(pq_file_num_rows(f), 40000);
    assert_int_equal(pq_file_footer_offset(f, &size), 1100);
    assert_int_equal(size, b.size - 1100 - 8);
    assert_string_equal(pq_file_created_by(f), "pond test");
    assert_string_equal(pq_file_key_value(f, "format"), "1");
    assert_string_equal(pq_file_key_value(f, "empty"), "");
    assert_null(pq_file_key_value(f, "absent"));
    assert_null(pq_file_key_value(f, "never"));
    assert_row_group(f, &s, 0);
    assert_row_group(f, &s, 32767);
    assert_row_group(f, &s, 32768);
    assert_row_group(f, &s, 39999);
    pq_file_free(f);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void test_footer__carries_the_schema(void **state)
{
    struct pq_schema s;
    struct pond_buf b = {0};
    struct pq_file *f = NULL;
    struct pond_error err = {0};
    char names[3][8] = {"dec", "group", "inner"};
    struct pq_element decimal = {.name = names[0], .type = PQ_FIXED_LEN_BYTE_ARRAY, .type_length = 9,
                                 .repetition = PQ_OPTIONAL, .converted_type = 5, .logical = PQ_LOGICAL_DECIMAL,
                                 .scale = 2, .precision = 20, .field_id = 77};
    struct pq_element group = {.name = names[1], .is_group = true, .num_children = 1, .repetition = PQ_OPTIONAL,
                               .converted_type = -1, .field_id = -1};
    struct pq_element inner = {.name = names[2], .type = PQ_INT32, .repetition = PQ_REPEATED, .converted_type = -1,
                               .logical = PQ_LOGICAL_INTEGER, .int_width = 16, .int_signed = true, .field_id = -1};
    const struct pq_schema *got;

    (void)state;
    assert_ok(pq_schema_init(&s, &err));
    assert_ok(pq_schema_add(&s, &decimal, &err));
    assert_ok(pq_schema_add(&s, &group, &err));
    assert_ok(pq_schema_add(&s, &inner, &err));
    assert_ok(pq_schema_add_timestamp(&s, "t", PQ_REQUIRED, &err));
    assert_ok(pq_schema_finish(&s, &err));
    make_footer_file(&b, &s, 2);
    assert_ok(open_buf(&b, &f, &err));
    got = pq_file_schema(f);
    assert_int_equal(got->element_count, 5);
    assert_int_equal(got->elements[0].num_children, 3);
    assert_int_equal(got->leaf_count, 3);
    assert_string_equal(got->leaves[1].path, "group.inner");
    assert_int_equal(got->leaves[1].max_definition, 2);
    assert_int_equal(got->leaves[1].max_repetition, 1);
    assert_int_equal(pq_schema_leaf(got, "t"), 2);
    assert_int_equal(pq_schema_leaf(got, "inner"), -1);
    assert_true(got->elements[1].type_length == 9 && got->elements[1].scale == 2 && got->elements[1].precision == 20);
    assert_true(got->elements[1].field_id == 77 && got->elements[1].converted_type == 5);
    assert_true(got->elements[3].int_width == 16 && got->elements[3].int_signed);
    assert_true(got->elements[3].converted_type == -1 && got->elements[3].field_id == -1);
    assert_true(got->elements[4].logical == PQ_LOGICAL_TIMESTAMP && got->elements[4].time_unit == PQ_MICROS);
    assert_true(got->elements[4].adjusted_to_utc && got->elements[4].converted_type == 10);
    pq_file_free(f);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

/* Readers that do not find it ignore the statistics. */
static void test_footer__ends_with_the_column_orders(void **state)
{
    struct pq_schema s;
    struct pond_buf b = {0};

    (void)state;
    make_schema(&s, 2);
    pq_footer_end(&b, &s, NULL, 0, "x");
    /* created_by "x"; column_orders: two unions with an empty struct as field 1 */
    assert_int_equal(b.size, 12);
    assert_memory_equal(b.data, "\x28\x01x\x19\x2c\x1c\0\0\x1c\0\0\0", 12);
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void assert_refused(struct pond_buf *b, int code, const char *message)
{
    struct pond_error err = {0};
    struct pq_file *f = NULL;

    assert_int_equal(open_buf(b, &f, &err), code);
    assert_null(f);
    assert_int_equal(err.code, code);
    if (strstr(err.message, message) == NULL)
        fail_msg("\"%s\" is not in: %s", message, err.message);
    pond_buf_clear(b);
}

static void test_footer__a_wrong_frame_is_named(void **state)
{
    struct pq_schema s;
    struct pond_buf b = {0};

    (void)state;
    make_schema(&s, 2);
    make_footer_file(&b, &s, 1);
    b.size--;
    assert_refused(&b, POND_ECORRUPT, "does not end in PAR1");
    make_footer_file(&b, &s, 1);
    b.data[0] = 'Q';
    assert_refused(&b, POND_ECORRUPT, "does not begin with PAR1");
    make_footer_file(&b, &s, 1);
    b.data[b.size - 1] = 'E';
    assert_refused(&b, POND_EUNSUPPORTED, "encrypted");
    make_footer_file(&b, &s, 1);
    b.data[b.size - 5] = 0x7f;
    assert_refused(&b, POND_ECORRUPT, "a footer of 2130706");
    pond_buf_append(&b, "PAR1PAR1", 8);
    assert_refused(&b, POND_ECORRUPT, "8 bytes");
    pond_buf_append(&b, "PAR1\0\0\0\0PAR1", 12);
    assert_refused(&b, POND_ECORRUPT, "ends inside a value");
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void finish_footer(struct pond_buf *b, const char *footer, size_t size)
{
    pond_buf_append(b, PQ_MAGIC, 4);
    pond_buf_append(b, footer, size);
    pq_footer_tail(b, (uint32_t)size);
}
#define FOOTER(b, literal) finish_footer(b, literal, sizeof(literal) - 1)

static void test_footer__wrong_content_is_named(void **state)
{
    struct pq_schema s;
    struct pond_buf b = {0};

    (void)state;
    make_schema(&s, 2);
    /* a root of no children and no row groups is fine, if odd; then what is missing or twice there */
#define ROOT "\x19\x1c\x48\x01r\x15\x00\x00"
    FOOTER(&b, "\x15\x02" ROOT);
    assert_refused(&b, POND_ECORRUPT, "ends inside");
    FOOTER(&b, "\x15\x02" ROOT "\x16\x00\x00");
    assert_refused(&b, POND_ECORRUPT, "row groups are missing");
    FOOTER(&b, "\x15\x02\x19\x0c\x16\x00\x19\x0c\x00");
    assert_refused(&b, POND_ECORRUPT, "schema is empty");
    FOOTER(&b, "\x15\x02" ROOT "\x16\x02\x19\x0c\x00");
    assert_refused(&b, POND_ECORRUPT, "1 rows, but its row groups have 0");
    FOOTER(&b, "\x15\x02\x19\x1c\x48\x01r\x15\x02\x00\x16\x00\x19\x0c\x00");
    assert_refused(&b, POND_ECORRUPT, "1 children of \"r\" are missing");
    FOOTER(&b, "\x15\x02\x19\x2c\x48\x01r\x15\x00\x00\x15\x02\x38\x01x\x00\x16\x00\x19\x0c\x00");
    assert_refused(&b, POND_ECORRUPT, "belongs to no group");
    FOOTER(&b, "\x15\x02\x19\x2c\x48\x01r\x15\x02\x00\x15\x20\x38\x01x\x00\x16\x00\x19\x0c\x00");
    assert_refused(&b, POND_ECORRUPT, "of type 16");
    FOOTER(&b, "\x15\x02\x19\x2c\x48\x01r\x15\x02\x00\x15\x02\x25\x06\x18\x01x\x00\x16\x00\x19\x0c\x00");
    assert_refused(&b, POND_ECORRUPT, "repetition 3");
    /* row group lists of 2^31 that are not there, and one whose row group has negative rows */
    FOOTER(&b, "\x15\x02" ROOT "\x16\x00\x19\xfc\xff\xff\xff\xff\x0f\x00");
    assert_refused(&b, POND_ECORRUPT, "ends inside a value");
    FOOTER(&b, "\x15\x02" ROOT "\x16\x00\x19\x1c\x19\x0c\x16\x00\x16\x01\x00\x00\x00");
    assert_refused(&b, POND_ECORRUPT, "row group 0 has -1 rows");
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void test_footer__column_chunks_are_checked_when_decoded(void **state)
{
    struct pq_column_meta columns[2];
    struct pq_row_group rg = {.columns = columns}, got = {0};
    struct pond_error err = {0};
    struct pond_buf b = {0};
    struct pq_file *f = NULL;
    struct pq_schema s;

    (void)state;
    make_schema(&s, 2);
    for (int wrong = 0; wrong < 5; wrong++) {
        size_t begin;
        fill_row_group(&rg, &s, 0);
        switch (wrong) {
        case 0: columns[1].type = PQ_INT32; break;
        case 1: columns[1].data_page_offset = INT64_MAX; break;
        case 2: columns[1].total_compressed_size = INT64_MAX; break;
        case 3: columns[1].num_values = -1; break;
        case 4: columns[1].data_page_offset = 1; break;
        }
        pond_buf_append(&b, PQ_MAGIC, 4);
        pond_buf_append_zeros(&b, 1096);
        begin = b.size;
        pq_footer_begin(&b, &s, 1, 1);
        pq_footer_row_group(&b, &s, &rg);
        pq_footer_end(&b, &s, NULL, 0, NULL);
        pq_footer_tail(&b, (uint32_t)(b.size - begin));
        assert_ok(open_buf(&b, &f, &err));
        assert_string_equal(pq_file_created_by(f), "");
        assert_int_equal(pq_file_row_group(f, 0, &got, &err), POND_ECORRUPT);
        assert_non_null(strstr(err.message, "mem: row group 0, column \"column_1\": "));
        assert_null(got.columns);
        assert_int_equal(pq_file_row_group(f, 1, &got, &err), POND_EUSAGE);
        pq_file_free(f);
        pond_buf_clear(&b);
    }
    pond_buf_release(&b);
    pq_schema_release(&s);
}

static void test_footer__schemas_nest_64_deep_and_no_deeper(void **state)
{
    struct pond_error err = {0};
    char name[] = "g";

    (void)state;
    for (int depth = 63; depth <= 64; depth++) {
        struct pq_element e = {.name = name, .is_group = true, .num_children = 1, .converted_type = -1,
                               .field_id = -1};
        struct pq_schema s;
        assert_ok(pq_schema_init(&s, &err));
        for (int i = 0; i < depth; i++)
            assert_ok(pq_schema_add(&s, &e, &err));
        assert_ok(pq_schema_add_int32(&s, "leaf", PQ_REQUIRED, &err));
        assert_int_equal(pq_schema_finish(&s, &err), depth == 63 ? 0 : POND_ECORRUPT);
        pq_schema_release(&s);
    }
}

static const struct pq_page_header headers[] = {
    {.type = PQ_PAGE_DATA, .uncompressed_size = INT32_MAX, .compressed_size = 1, .num_values = 1,
     .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE, .is_compressed = true},
    {.type = PQ_PAGE_DATA, .has_crc = true, .crc = 0xfedcba98, .num_values = 300, .encoding = PQ_RLE_DICTIONARY,
     .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE, .is_compressed = true},
    {.type = PQ_PAGE_DICTIONARY, .uncompressed_size = 64, .compressed_size = 63, .num_values = 5,
     .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE, .is_compressed = true},
    {.type = PQ_PAGE_DATA_V2, .uncompressed_size = 9, .compressed_size = 8, .num_values = 5, .num_nulls = 2,
     .num_rows = 4, .encoding = PQ_RLE, .definition_size = 2, .repetition_size = 1, .definition_encoding = PQ_RLE,
     .repetition_encoding = PQ_RLE, .is_compressed = false},
};

static void test_page_header__is_read_back_and_every_prefix_wants_more(void **state)
{
    struct pond_buf b = {0};
    struct pq_page_header got;
    struct pond_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const struct pq_page_header *want = &headers[i];
        pond_buf_clear(&b);
        pq_page_header_encode(&b, want);
        assert_int_equal(pq_page_header_size(want), b.size);
        pond_buf_append(&b, "body", 4);
        for (size_t size = 0; size < b.size - 4; size++)
            assert_int_equal(pq_page_header_decode(b.data, size, &got, &err), 0);
        assert_int_equal(pq_page_header_decode(b.data, b.size, &got, &err), b.size - 4);
        assert_true(got.type == want->type && got.uncompressed_size == want->uncompressed_size);
        assert_true(got.compressed_size == want->compressed_size && got.has_crc == want->has_crc);
        assert_true(got.crc == want->crc && got.num_values == want->num_values && got.encoding == want->encoding);
        assert_true(got.num_nulls == want->num_nulls && got.num_rows == want->num_rows);
        assert_true(got.definition_size == want->definition_size && got.repetition_size == want->repetition_size);
        assert_true(got.definition_encoding == PQ_RLE && got.is_compressed == want->is_compressed);
    }
    pond_buf_release(&b);
}

/* The chunked layer counts on these bytes never changing. */
static void test_page_header__has_minimal_bytes(void **state)
{
    struct pq_page_header h = {.type = PQ_PAGE_DATA, .uncompressed_size = 68, .compressed_size = 68, .num_values = 1,
                               .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE};
    struct pond_buf b = {0};

    (void)state;
    pq_page_header_encode(&b, &h);
    assert_int_equal(b.size, 19);
    assert_memory_equal(b.data, "\x15\x00\x15\x88\x01\x15\x88\x01\x2c\x15\x02\x15\x00\x15\x06\x15\x06\x00\x00", 19);
    pond_buf_release(&b);
}

static void test_page_header__refuses_nonsense_and_skips_filler(void **state)
{
    struct pq_page_header got = {0};
    struct pond_error err = {0};
#define DECODE(literal) pq_page_header_decode((const uint8_t *)(literal), sizeof(literal) - 1, &got, &err)

    (void)state;
    assert_int_equal(DECODE("\x15\x08\x15\x02\x15\x02\x00"), POND_ECORRUPT);          /* type 4 */
    assert_int_equal(DECODE("\x15\x00\x15\x02\x15\x02\x00"), POND_ECORRUPT);          /* no particulars */
    assert_int_equal(DECODE("\x15\x00\x15\x01\x15\x02\x2c\x15\x02\x00\x00"), POND_ECORRUPT); /* size -1 */
    assert_int_equal(DECODE("\x15\x00\x15\x02\x15\x02\x2c\x15\x03\x00\x00"), POND_ECORRUPT); /* -2 values */
    assert_int_equal(DECODE("\x15\x00\x15\x02\x2c\x15\x02\x00\x00"), POND_ECORRUPT);  /* no compressed size */
    assert_int_equal(DECODE("\x18\x00\x15\x02\x15\x02\x00"), POND_ECORRUPT);          /* type as a string */
    assert_int_equal(DECODE("\x15\x00\x15\x02\x15\x04\x2c\x15\x06\x00\x08\xfe\xff\x03\x05" "abcde\x00"), 21);
    assert_true(got.uncompressed_size == 1 && got.compressed_size == 2 && got.num_values == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_footer__of_many_row_groups_is_read_back),
        cmocka_unit_test(test_footer__carries_the_schema),
        cmocka_unit_test(test_footer__ends_with_the_column_orders),
        cmocka_unit_test(test_footer__a_wrong_frame_is_named),
        cmocka_unit_test(test_footer__wrong_content_is_named),
        cmocka_unit_test(test_footer__column_chunks_are_checked_when_decoded),
        cmocka_unit_test(test_footer__schemas_nest_64_deep_and_no_deeper),
        cmocka_unit_test(test_page_header__is_read_back_and_every_prefix_wants_more),
        cmocka_unit_test(test_page_header__has_minimal_bytes),
        cmocka_unit_test(test_page_header__refuses_nonsense_and_skips_filler),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
