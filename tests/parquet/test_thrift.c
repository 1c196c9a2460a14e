/* The compact protocol: exact bytes, both ways, and input that means harm. */
#include "pq_memory.h"

#include "parquet/thrift.h"

static void assert_bytes(const struct pond_buf *b, const char *expected, size_t size)
{
    assert_int_equal(b->size, size);
    assert_memory_equal(b->data, expected, size);
}
#define ASSERT_BYTES(b, literal) assert_bytes(b, literal, sizeof(literal) - 1)

static void test_thrift__writes_the_bytes_of_the_specification(void **state)
{
    struct pond_buf b = {0};
    struct thrift_writer w = {.out = &b};
    int16_t outer;

    (void)state;
    thrift_write_i32(&w, 1, -1);
    thrift_write_i64(&w, 16, 300);
    thrift_write_bool(&w, 17, true);
    thrift_write_bool(&w, 33, false);
    thrift_write_i8(&w, 34, -2);
    outer = thrift_begin_struct(&w, 35);
    thrift_write_string(&w, 2, "ab");
    thrift_end_struct(&w, outer);
    thrift_write_list(&w, 36, THRIFT_I32, 2);
    thrift_put_i32(&w, 1);
    thrift_put_i32(&w, 2);
    thrift_write_list(&w, 37, THRIFT_STRUCT, 15);
    thrift_write_i16(&w, 5, 64); /* back: a long form */
    thrift_end_struct(&w, 0);
    ASSERT_BYTES(&b, "\x15\x01\xf6\xd8\x04\x11\x02\x42\x13\xfe\x1c\x28\x02" "ab\x00\x19\x25\x02\x04\x19\xfc\x0f"
                     "\x04\x0a\x80\x01\x00");
    assert_int_equal(w.size, b.size);
    pond_buf_release(&b);
}

static void test_thrift__reads_back_the_extremes(void **state)
{
    static const int64_t values[] = {0, -1, 1, 63, 64, -64, -65, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    struct pond_buf b = {0};
    struct thrift_writer w = {.out = &b};
    struct thrift_reader r;
    struct thrift_field f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        thrift_write_i64(&w, (int16_t)(1 + 20 * i), values[i]);
    thrift_end_struct(&w, 0);
    thrift_reader_init(&r, b.data, b.size);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_true(thrift_next(&r, &f));
        assert_int_equal(f.id, 1 + 20 * i);
        assert_true(thrift_i64(&r, &f) == values[i]);
    }
    assert_false(thrift_next(&r, &f));
    assert_int_equal(r.fault, THRIFT_OK);
    assert_int_equal(thrift_tell(&r), b.size);
    pond_buf_release(&b);
}

/* One of everything, with a mark behind it. */
static void write_zoo(struct pond_buf *b)
{
    struct thrift_writer w = {.out = b};

    thrift_write_bool(&w, 1, true);
    thrift_write_i8(&w, 2, 3);
    thrift_write_i16(&w, 3, -300);
    thrift_write_i64(&w, 4, INT64_MIN);
    thrift_write_field(&w, 5, THRIFT_DOUBLE);
    pond_buf_append_zeros(b, 8);
    thrift_write_string(&w, 6, "text");
    thrift_write_list(&w, 7, THRIFT_TRUE, 3); /* booleans in a list take a byte each */
    pond_buf_append(b, "\1\2\1", 3);
    thrift_write_list(&w, 8, THRIFT_STRUCT, 2);
    thrift_end_struct(&w, thrift_begin_struct(&w, 0));
    w.last_id = 0;
    thrift_write_i32(&w, 1, 5);
    thrift_end_struct(&w, 8);
    thrift_write_field(&w, 9, THRIFT_MAP);
    pond_buf_append(b, "\2\x85\1a\2\0\4", 7); /* {"a": 1, "": 2} */
    thrift_write_field(&w, 10, THRIFT_MAP);
    pond_buf_append_byte(b, 0);
    thrift_write_field(&w, 11, THRIFT_SET);
    pond_buf_append_byte(b, 0);
    thrift_write_binary(&w, 32767, "filler", 6);
    thrift_write_i32(&w, 12, 4711);
    thrift_end_struct(&w, 0);
}

static void test_thrift__skips_what_it_does_not_know(void **state)
{
    struct pond_buf b = {0};
    struct thrift_reader r;
    struct thrift_field f = {0};
    int32_t mark = 0;

    (void)state;
    write_zoo(&b);
    thrift_reader_init(&r, b.data, b.size);
    while (thrift_next(&r, &f)) {
        if (f.id == 12)
            mark = thrift_i32(&r, &f);
        else
            thrift_skip(&r, &f);
    }
    assert_int_equal(r.fault, THRIFT_OK);
    assert_int_equal(mark, 4711);
    assert_int_equal(thrift_tell(&r), b.size);
    pond_buf_release(&b);
}

static void test_thrift__every_prefix_is_short_not_bad(void **state)
{
    struct pond_buf b = {0};

    (void)state;
    write_zoo(&b);
    for (size_t size = 0; size < b.size; size++) {
        struct thrift_field f = {0};
        struct thrift_reader r;
        uint8_t *exact = pond_memdup(b.data, size); /* so that sanitizers see a read behind it */
        thrift_reader_init(&r, exact, size);
        thrift_skip_struct(&r, &f);
        if (r.fault != THRIFT_SHORT)
            fail_msg("%zu of %zu bytes: %s", size, b.size, thrift_fault_name(r.fault));
        pond_free(exact);
    }
    pond_buf_release(&b);
}

static enum thrift_fault skip_fault(const void *bytes, size_t size)
{
    struct thrift_reader r;
    struct thrift_field f = {0};

    thrift_reader_init(&r, bytes, size);
    thrift_skip_struct(&r, &f);
    return r.fault;
}

static void test_thrift__refuses_bombs(void **state)
{
    struct pond_buf deep = {0};

    (void)state;
    /* 100,000 structs, each the first field of the one around it */
    for (int i = 0; i < 100000; i++)
        pond_buf_append_byte(&deep, 0x1c);
    assert_int_equal(skip_fault(deep.data, deep.size), THRIFT_BAD);
    for (size_t i = 1; i < deep.size; i++) /* and lists of one list */
        deep.data[i] = 0x19;
    deep.data[0] = 0x19;
    assert_int_equal(skip_fault(deep.data, deep.size), THRIFT_BAD);
    pond_buf_release(&deep);
    /* 2^63 elements; a map of 2^32; a varint of eleven bytes; a 65-bit one; field type 14; an id over int16 */
    assert_int_equal(skip_fault("\x19\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0", 12), THRIFT_SHORT);
    assert_int_equal(skip_fault("\x1b\xff\xff\xff\xff\x0f\x88\0", 8), THRIFT_SHORT);
    assert_int_equal(skip_fault("\x16\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\0", 13), THRIFT_BAD);
    assert_int_equal(skip_fault("\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\0", 12), THRIFT_BAD);
    assert_int_equal(skip_fault("\x1e\0", 2), THRIFT_BAD);
    assert_int_equal(skip_fault("\x05\x80\x80\x08\0\0", 6), THRIFT_BAD);
}

static void test_thrift__list_counts_are_bounded_by_the_bytes(void **state)
{
    static const uint8_t bytes[] = {0x19, 0xac, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0}; /* 10 structs */
    struct thrift_reader r;
    struct thrift_field f = {0}, element;

    (void)state;
    thrift_reader_init(&r, bytes, sizeof bytes);
    assert_true(thrift_next(&r, &f));
    assert_int_equal(thrift_list(&r, &f, THRIFT_STRUCT, 1, &element), 10);
    thrift_reader_init(&r, bytes, sizeof bytes);
    f = (struct thrift_field){0};
    assert_true(thrift_next(&r, &f));
    assert_int_equal(thrift_list(&r, &f, THRIFT_STRUCT, 2, &element), 0);
    assert_int_equal(r.fault, THRIFT_SHORT);
}

static void test_thrift__a_wrong_type_is_a_fault_that_sticks(void **state)
{
    struct thrift_reader r;
    struct thrift_field f = {0};
    size_t size = 99;

    (void)state;
    thrift_reader_init(&r, (const uint8_t *)"\x15\x02\x15\x04\0", 5);
    assert_true(thrift_next(&r, &f));
    (void)thrift_binary(&r, &f, &size);
    assert_int_equal(size, 0);
    assert_int_equal(r.fault, THRIFT_BAD);
    assert_int_equal(thrift_i32(&r, &f), 0);
    assert_false(thrift_next(&r, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thrift__writes_the_bytes_of_the_specification),
        cmocka_unit_test(test_thrift__reads_back_the_extremes),
        cmocka_unit_test(test_thrift__skips_what_it_does_not_know),
        cmocka_unit_test(test_thrift__every_prefix_is_short_not_bad),
        cmocka_unit_test(test_thrift__refuses_bombs),
        cmocka_unit_test(test_thrift__list_counts_are_bounded_by_the_bytes),
        cmocka_unit_test(test_thrift__a_wrong_type_is_a_fault_that_sticks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
