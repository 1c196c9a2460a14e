#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void test_mem__sizes_that_cannot_be(void **state)
{
    (void)state;
    /* Not constants: the compiler must not see through them. */
    volatile size_t half = SIZE_MAX / 2;
    assert_null(pond_alloc(half + 1, 1));
    assert_null(pond_alloc(half, 3));
    assert_null(pond_calloc((size_t)1 << 33, (size_t)1 << 33));
    uint8_t *block = pond_alloc(16, 1);
    assert_non_null(block);
    memset(block, 7, 16);
    assert_null(pond_realloc(block, half, 4));
    for (int i = 0; i < 16; i++)
        assert_int_equal(block[i], 7);
    pond_free(block);
    pond_free(NULL);
}

static void test_mem__zero_gives_a_block(void **state)
{
    (void)state;
    void *a = pond_alloc(0, 5);
    void *b = pond_calloc(5, 0);
    void *c = pond_alloc(0, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    a = pond_realloc(a, 0, 0);
    assert_non_null(a);
    pond_free(a);
    pond_free(b);
    pond_free(c);
}

static void test_mem__calloc_zeroes(void **state)
{
    (void)state;
    uint8_t *zeroed = pond_calloc(100, 10);
    assert_non_null(zeroed);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(zeroed[i], 0);
    pond_free(zeroed);
}

static void test_mem__copies(void **state)
{
    (void)state;
    char *s = pond_strdup("abc");
    uint8_t *m = pond_memdup("a\0b", 3);
    uint8_t *e = pond_memdup(NULL, 0);
    assert_string_equal(s, "abc");
    assert_memory_equal(m, "a\0b\0", 4);
    assert_non_null(e);
    assert_int_equal(e[0], 0);
    pond_free(s);
    pond_free(m);
    pond_free(e);
}

static void test_mem__fail_after_fails_once(void **state)
{
    (void)state;
    pond_mem_fail_after(2);
    void *a = pond_alloc(1, 1);
    void *b = pond_calloc(1, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(pond_realloc(a, 2, 1));
    void *c = pond_alloc(1, 1);
    assert_non_null(c);
    pond_mem_fail_after(0);
    assert_null(pond_strdup("x"));
    pond_mem_fail_after(0);
    pond_mem_fail_after(-1);
    void *d = pond_alloc(1, 1);
    assert_non_null(d);
    pond_free(a);
    pond_free(b);
    pond_free(c);
    pond_free(d);
}

static void test_mem__checked_arithmetic(void **state)
{
    (void)state;
    uint64_t out = 42;
    assert_false(pond_add_u64(UINT64_MAX, 1, &out));
    assert_true(pond_add_u64(UINT64_MAX - 1, 1, &out));
    assert_true(out == UINT64_MAX);
    assert_false(pond_mul_u64((uint64_t)1 << 32, (uint64_t)1 << 32, &out));
    assert_true(pond_mul_u64((uint64_t)1 << 32, (uint64_t)1 << 31, &out));
    assert_true(out == (uint64_t)1 << 63);
    assert_int_equal(pond_align_up(0, 4096), 0);
    assert_int_equal(pond_align_up(1, 4096), 4096);
    assert_int_equal(pond_align_up(4096, 4096), 4096);
}

static void test_buf__appends(void **state)
{
    (void)state;
    struct pond_buf buf = {0};
    assert_int_equal(pond_buf_append(&buf, NULL, 0), 0);
    assert_int_equal(pond_buf_append_str(&buf, "ab"), 0);
    assert_int_equal(pond_buf_append_byte(&buf, 'c'), 0);
    assert_int_equal(pond_buf_append_zeros(&buf, 2), 0);
    assert_int_equal(pond_buf_printf(&buf, "%03d", 7), 0);
    assert_int_equal(pond_buf_append_u32le(&buf, 0x04030201), 0);
    assert_int_equal(pond_buf_append_u64le(&buf, UINT64_C(0x0807060504030201)), 0);
    assert_int_equal(buf.size, 20);
    assert_memory_equal(buf.data, "abc\0\0" "007" "\1\2\3\4" "\1\2\3\4\5\6\7\10", 20);
    assert_int_equal(pond_buf_error(&buf, NULL), 0);
    assert_string_equal(pond_buf_cstr(&buf) + 5, "007\1\2\3\4\1\2\3\4\5\6\7\10");
    assert_int_equal(buf.size, 20);
    uint8_t *kept = buf.data;
    pond_buf_clear(&buf);
    assert_int_equal(buf.size, 0);
    assert_ptr_equal(buf.data, kept);
    pond_buf_release(&buf);
    assert_null(buf.data);
    assert_string_equal(pond_buf_cstr(&buf), "");
    pond_buf_release(&buf);
}

static void test_buf__grows(void **state)
{
    (void)state;
    struct pond_buf buf;
    pond_buf_init(&buf, 1000000);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(pond_buf_append_u32le(&buf, i), 0);
    struct pond_cursor c = {buf.data, buf.data + buf.size};
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t value;
        assert_true(pond_cursor_u32le(&c, &value));
        assert_int_equal(value, i);
    }
    pond_buf_release(&buf);
    assert_int_equal(buf.max, 1000000);
}

static void test_buf__ceiling_is_exact_and_sticky(void **state)
{
    (void)state;
    struct pond_error err;
    struct pond_buf buf;
    pond_buf_init(&buf, 8);
    assert_int_equal(pond_buf_printf(&buf, "%s", "12345678"), 0);
    assert_string_equal(pond_buf_cstr(&buf), "12345678");
    assert_int_equal(pond_buf_append_byte(&buf, '9'), POND_ELIMIT);
    assert_int_equal(pond_buf_append(&buf, NULL, 0), POND_ELIMIT);
    assert_int_equal(pond_buf_printf(&buf, "x"), POND_ELIMIT);
    assert_null(pond_buf_cstr(&buf));
    assert_int_equal(buf.size, 8);
    assert_int_equal(pond_buf_error(&buf, &err), POND_ELIMIT);
    assert_string_equal(err.message, "buffer over its limit of 8 bytes");
    pond_buf_clear(&buf);
    assert_int_equal(pond_buf_reserve(&buf, 9), POND_ELIMIT);
    pond_buf_clear(&buf);
    assert_int_equal(pond_buf_reserve(&buf, SIZE_MAX), POND_ELIMIT);
    pond_buf_clear(&buf);
    assert_int_equal(pond_buf_reserve(&buf, 8), 0);
    pond_buf_release(&buf);
}

static void test_buf__no_memory_keeps_the_data(void **state)
{
    (void)state;
    struct pond_error err;
    struct pond_buf buf = {0};
    assert_int_equal(pond_buf_append_str(&buf, "kept"), 0);
    pond_mem_fail_after(0);
    assert_int_equal(pond_buf_append_zeros(&buf, 100000), POND_ENOMEM);
    assert_int_equal(pond_buf_append_str(&buf, "x"), POND_ENOMEM);
    assert_int_equal(pond_buf_error(&buf, &err), POND_ENOMEM);
    assert_string_equal(err.message, "out of memory");
    assert_int_equal(buf.size, 4);
    assert_memory_equal(buf.data, "kept", 4);
    pond_buf_release(&buf);
}

static void test_cursor__never_reads_past_the_end(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    struct pond_cursor c = {bytes, bytes + sizeof(bytes)};
    uint8_t u8 = 0;
    uint32_t u32 = 99;
    uint64_t u64 = 99;
    const uint8_t *p = NULL;
    assert_true(pond_cursor_u8(&c, &u8));
    assert_int_equal(u8, 1);
    assert_true(pond_cursor_u64le(&c, &u64));
    assert_true(u64 == UINT64_C(0x0908070605040302));
    assert_false(pond_cursor_take(&c, 5, &p));
    assert_false(pond_cursor_take(&c, SIZE_MAX, &p));
    assert_false(pond_cursor_u64le(&c, &u64));
    assert_int_equal(pond_cursor_left(&c), 4);
    assert_true(pond_cursor_u32le(&c, &u32));
    assert_int_equal(u32, 0x0D0C0B0A);
    assert_false(pond_cursor_u8(&c, &u8));
    assert_false(pond_cursor_u32le(&c, &u32));
    assert_true(pond_cursor_take(&c, 0, &p));
    assert_ptr_equal(p, bytes + sizeof(bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem__sizes_that_cannot_be),
        cmocka_unit_test(test_mem__zero_gives_a_block),
        cmocka_unit_test(test_mem__calloc_zeroes),
        cmocka_unit_test(test_mem__copies),
        cmocka_unit_test(test_mem__fail_after_fails_once),
        cmocka_unit_test(test_mem__checked_arithmetic),
        cmocka_unit_test(test_buf__appends),
        cmocka_unit_test(test_buf__grows),
        cmocka_unit_test(test_buf__ceiling_is_exact_and_sticky),
        cmocka_unit_test(test_buf__no_memory_keeps_the_data),
        cmocka_unit_test(test_cursor__never_reads_past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
