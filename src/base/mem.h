/* base/mem.h - all allocation goes through here, as (count, size), so that tests can make the n-th one fail
 * (pond_mem_fail_after). The names malloc, calloc, realloc, strdup and free are not used elsewhere.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Uninitialised; zeroed. NULL when count*size overflows, is over SIZE_MAX/2, or memory is out. count or
 * size 0 gives a unique pointer that may be freed. */
void *pond_alloc(size_t count, size_t size);
void *pond_calloc(size_t count, size_t size);
/* NULL on failure: the old block stays valid and owned by the caller. */
void *pond_realloc(void *block, size_t count, size_t size);
char *pond_strdup(const char *s);
void *pond_memdup(const void *bytes, size_t size); /* adds one NUL byte after the copy */
void pond_free(void *block);

/* Testing: the allocation after n more successful ones fails, once. n < 0: never. Not thread-safe. */
void pond_mem_fail_after(long n);

/* Checked arithmetic on untrusted sizes: false on overflow, *out unchanged. */
static inline bool pond_add_u64(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool pond_mul_u64(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_mul_overflow(a, b, out); }

static inline uint64_t pond_min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t pond_align_up(uint64_t n, uint64_t power_of_two)
{
    return (n + power_of_two - 1) & ~(power_of_two - 1);
}

/* A growable byte buffer with a ceiling. {0} is valid and empty, its ceiling then POND_BUF_DEFAULT_MAX.
 * Appending to a buffer whose earlier append failed does nothing and fails again (sticky), so a long row of
 * appends needs one check at the end: pond_buf_error(). */
#define POND_BUF_DEFAULT_MAX ((size_t)256 << 20)
struct pond_buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t max;     /* 0: POND_BUF_DEFAULT_MAX */
    int error;      /* 0, POND_ENOMEM or POND_ELIMIT */
};
void pond_buf_init(struct pond_buf *buf, size_t max);
void pond_buf_release(struct pond_buf *buf);           /* frees; the buffer is empty and usable again */
void pond_buf_clear(struct pond_buf *buf);             /* size = 0, error = 0, keeps the memory */
int pond_buf_reserve(struct pond_buf *buf, size_t extra);
int pond_buf_append(struct pond_buf *buf, const void *bytes, size_t size);
int pond_buf_append_byte(struct pond_buf *buf, uint8_t byte);
int pond_buf_append_zeros(struct pond_buf *buf, size_t count);
int pond_buf_append_str(struct pond_buf *buf, const char *s);
int pond_buf_printf(struct pond_buf *buf, const char *format, ...) POND_PRINTF(2, 3);
int pond_buf_append_u32le(struct pond_buf *buf, uint32_t value);
int pond_buf_append_u64le(struct pond_buf *buf, uint64_t value);
/* 0, or the sticky failure put into err. */
POND_CHECKED int pond_buf_error(const struct pond_buf *buf, struct pond_error *err);
/* A NUL after the data (not counted in size). NULL when that fails. */
char *pond_buf_cstr(struct pond_buf *buf);

/* Reading untrusted bytes: {p, end}, tested as n > end - p, read by memcpy. */
struct pond_cursor {
    const uint8_t *p;
    const uint8_t *end;
};
static inline size_t pond_cursor_left(const struct pond_cursor *c) { return (size_t)(c->end - c->p); }
bool pond_cursor_take(struct pond_cursor *c, size_t n, const uint8_t **out); /* false: not that many left */
bool pond_cursor_u8(struct pond_cursor *c, uint8_t *out);
bool pond_cursor_u32le(struct pond_cursor *c, uint32_t *out);
bool pond_cursor_u64le(struct pond_cursor *c, uint64_t *out);

#endif
