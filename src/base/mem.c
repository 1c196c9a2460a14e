#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_CAPACITY 64u

/* Successful allocations left before one fails; negative: none fails. Atomic only so that a test that arms it while
 * workers allocate is no data race. */
static atomic_long fail_after = -1;

void pond_mem_fail_after(long n)
{
    atomic_store_explicit(&fail_after, n, memory_order_relaxed);
}

static bool must_fail(void)
{
    if (atomic_load_explicit(&fail_after, memory_order_relaxed) < 0)
        return false;
    /* From 0 this leaves -1: it fails once. */
    return atomic_fetch_sub_explicit(&fail_after, 1, memory_order_relaxed) == 0;
}

/* The bytes to ask for, never 0; false when no block can be that large. */
static bool block_size(size_t count, size_t size, size_t *out)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > SIZE_MAX / 2)
        return false;
    *out = total == 0 ? 1 : total;
    return true;
}

void *pond_alloc(size_t count, size_t size)
{
    size_t total;
    if (!block_size(count, size, &total) || must_fail())
        return NULL;
    return malloc(total);
}

void *pond_calloc(size_t count, size_t size)
{
    size_t total;
    if (!block_size(count, size, &total) || must_fail())
        return NULL;
    return calloc(1, total);
}

void *pond_realloc(void *block, size_t count, size_t size)
{
    size_t total;
    if (!block_size(count, size, &total) || must_fail())
        return NULL;
    return realloc(block, total);
}

char *pond_strdup(const char *s)
{
    return pond_memdup(s, strlen(s));
}

void *pond_memdup(const void *bytes, size_t size)
{
    size_t with_nul;
    if (__builtin_add_overflow(size, (size_t)1, &with_nul))
        return NULL;
    char *copy = pond_alloc(with_nul, 1);
    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

void pond_free(void *block)
{
    free(block);
}

static size_t buf_max(const struct pond_buf *buf)
{
    return buf->max == 0 ? POND_BUF_DEFAULT_MAX : buf->max;
}

void pond_buf_init(struct pond_buf *buf, size_t max)
{
    *buf = (struct pond_buf){.max = max};
}

void pond_buf_release(struct pond_buf *buf)
{
    pond_free(buf->data);
    pond_buf_init(buf, buf->max);
}

void pond_buf_clear(struct pond_buf *buf)
{
    buf->size = 0;
    buf->error = 0;
}

/* Room for `needed` bytes in all. At most max + 1 are ever asked for: the one more is the NUL of pond_buf_cstr. */
static int buf_grow(struct pond_buf *buf, size_t needed)
{
    if (needed <= buf->capacity)
        return 0;
    size_t ceiling = buf_max(buf) + 1;
    size_t capacity = buf->capacity > ceiling / 2 ? ceiling : buf->capacity * 2;
    if (capacity < BUF_FIRST_CAPACITY)
        capacity = BUF_FIRST_CAPACITY;
    if (capacity < needed)
        capacity = needed;
    uint8_t *data = pond_realloc(buf->data, capacity, 1);
    if (data == NULL)
        return buf->error = POND_ENOMEM;
    buf->data = data;
    buf->capacity = capacity;
    return 0;
}

int pond_buf_reserve(struct pond_buf *buf, size_t extra)
{
    if (buf->error != 0)
        return buf->error;
    size_t max = buf_max(buf);
    if (buf->size > max || extra > max - buf->size)
        return buf->error = POND_ELIMIT;
    return buf_grow(buf, buf->size + extra);
}

int pond_buf_append(struct pond_buf *buf, const void *bytes, size_t size)
{
    POND_TRY(pond_buf_reserve(buf, size));
    if (size > 0)
        memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
    return 0;
}

int pond_buf_append_byte(struct pond_buf *buf, uint8_t byte)
{
    return pond_buf_append(buf, &byte, 1);
}

int pond_buf_append_zeros(struct pond_buf *buf, size_t count)
{
    POND_TRY(pond_buf_reserve(buf, count));
    if (count > 0)
        memset(buf->data + buf->size, 0, count);
    buf->size += count;
    return 0;
}

int pond_buf_append_str(struct pond_buf *buf, const char *s)
{
    return pond_buf_append(buf, s, strlen(s));
}

int pond_buf_printf(struct pond_buf *buf, const char *format, ...)
{
    if (buf->error != 0)
        return buf->error;

    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return buf->error = POND_ELIMIT;

    POND_TRY(pond_buf_reserve(buf, (size_t)length));
    POND_TRY(buf_grow(buf, buf->size + (size_t)length + 1));
    va_start(args, format);
    vsnprintf((char *)buf->data + buf->size, (size_t)length + 1, format, args);
    va_end(args);
    buf->size += (size_t)length;
    return 0;
}

/* Bytes by shifting, so that the result does not depend on the machine's byte order. */
static int append_le(struct pond_buf *buf, uint64_t value, size_t width)
{
    uint8_t bytes[8];
    assert(width <= sizeof(bytes));
    for (size_t i = 0; i < width; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return pond_buf_append(buf, bytes, width);
}

int pond_buf_append_u32le(struct pond_buf *buf, uint32_t value)
{
    return append_le(buf, value, 4);
}

int pond_buf_append_u64le(struct pond_buf *buf, uint64_t value)
{
    return append_le(buf, value, 8);
}

int pond_buf_error(const struct pond_buf *buf, struct pond_error *err)
{
    if (buf->error == 0)
        return 0;
    if (buf->error == POND_ELIMIT)
        return pond_fail(err, POND_ELIMIT, "buffer over its limit of %zu bytes", buf_max(buf));
    return pond_fail_nomem(err);
}

char *pond_buf_cstr(struct pond_buf *buf)
{
    if (buf->error != 0 || buf_grow(buf, buf->size + 1) != 0)
        return NULL;
    buf->data[buf->size] = '\0';
    return (char *)buf->data;
}

bool pond_cursor_take(struct pond_cursor *c, size_t n, const uint8_t **out)
{
    if (n > pond_cursor_left(c))
        return false;
    *out = c->p;
    c->p += n;
    return true;
}

bool pond_cursor_u8(struct pond_cursor *c, uint8_t *out)
{
    const uint8_t *p;
    if (!pond_cursor_take(c, 1, &p))
        return false;
    *out = *p;
    return true;
}

static bool take_le(struct pond_cursor *c, size_t width, uint64_t *out)
{
    const uint8_t *p;
    if (!pond_cursor_take(c, width, &p))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value |= (uint64_t)p[i] << (8 * i);
    *out = value;
    return true;
}

bool pond_cursor_u32le(struct pond_cursor *c, uint32_t *out)
{
    uint64_t value;
    if (!take_le(c, 4, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool pond_cursor_u64le(struct pond_cursor *c, uint64_t *out)
{
    return take_le(c, 8, out);
}
