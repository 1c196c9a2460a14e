/* parquet/thrift.h - Thrift's compact protocol, as much of it as Parquet uses. No I/O, no allocation.
 *
 *     struct := field* 00
 *     field  := (id-delta << 4 | type)  |  (type, zigzag id)   value
 *     ints   := zigzag ULEB128; binary := ULEB128 size, bytes; list := (count << 4 | type) or (F type, count)
 *
 * Reading: the first fault sticks in `fault`, whatever is read after it is zero or empty, and thrift_next ends every
 * loop; so a decoder is written straight down and asks once, at its end. The input is untrusted: counts are checked
 * against the bytes left, skipping is linear in the bytes and bounded in depth.
 */
#ifndef PARQUET_THRIFT_H
#define PARQUET_THRIFT_H

#include <stdbool.h>

#include "base/mem.h"

enum thrift_type {
    THRIFT_STOP = 0, THRIFT_TRUE = 1, THRIFT_FALSE = 2, THRIFT_I8 = 3, THRIFT_I16 = 4, THRIFT_I32 = 5,
    THRIFT_I64 = 6, THRIFT_DOUBLE = 7, THRIFT_BINARY = 8, THRIFT_LIST = 9, THRIFT_SET = 10, THRIFT_MAP = 11,
    THRIFT_STRUCT = 12, THRIFT_UUID = 13,
};

enum thrift_fault {
    THRIFT_OK = 0,
    THRIFT_SHORT, /* the bytes end inside a value: with more of them it may be fine */
    THRIFT_BAD,   /* no continuation could make it right */
};

#define THRIFT_MAX_DEPTH 64

struct thrift_reader {
    const uint8_t *begin;
    struct pond_cursor in;
    enum thrift_fault fault;
    unsigned depth;
};

/* The field being read, and through `id` the last id of its struct. {0} before the first. */
struct thrift_field {
    int16_t id;
    uint8_t type; /* enum thrift_type */
};

void thrift_reader_init(struct thrift_reader *r, const uint8_t *bytes, size_t size);
/* Bytes read so far. */
size_t thrift_tell(const struct thrift_reader *r);
void thrift_fault(struct thrift_reader *r, enum thrift_fault fault); /* keeps the first */
const char *thrift_fault_name(enum thrift_fault fault);

/* The next field of the struct whose fields *f walks; false at its end or at a fault. The caller then reads exactly one
 * value by the calls below, which fault when the type is another than theirs. */
bool thrift_next(struct thrift_reader *r, struct thrift_field *f);
bool thrift_bool(struct thrift_reader *r, const struct thrift_field *f);
int8_t thrift_i8(struct thrift_reader *r, const struct thrift_field *f);
int16_t thrift_i16(struct thrift_reader *r, const struct thrift_field *f);
int32_t thrift_i32(struct thrift_reader *r, const struct thrift_field *f);
int64_t thrift_i64(struct thrift_reader *r, const struct thrift_field *f);
/* Borrowed from the input; never NULL. */
const uint8_t *thrift_binary(struct thrift_reader *r, const struct thrift_field *f, size_t *size);
/* Checks that a struct stands here; its fields follow. */
bool thrift_struct(struct thrift_reader *r, const struct thrift_field *f);
/* Begins a list of `type`; the count is at most the bytes left / min_bytes (what one element takes at least). Its
 * elements are then read by the calls above, with *element as their field. 0 after a fault. */
size_t thrift_list(struct thrift_reader *r, const struct thrift_field *f, enum thrift_type type, size_t min_bytes,
                   struct thrift_field *element);
void thrift_skip(struct thrift_reader *r, const struct thrift_field *f);
/* Skips the rest of a struct of which f was the last field read ({0}: all of it). */
void thrift_skip_struct(struct thrift_reader *r, struct thrift_field *f);

/* Writing. `out` NULL: only counts, in size. Failures stick in out. */
struct thrift_writer {
    struct pond_buf *out;
    size_t size;
    int16_t last_id;
};

void thrift_write_field(struct thrift_writer *w, int16_t id, enum thrift_type type);
void thrift_write_bool(struct thrift_writer *w, int16_t id, bool value);
void thrift_write_i8(struct thrift_writer *w, int16_t id, int8_t value);
void thrift_write_i16(struct thrift_writer *w, int16_t id, int16_t value);
void thrift_write_i32(struct thrift_writer *w, int16_t id, int32_t value);
void thrift_write_i64(struct thrift_writer *w, int16_t id, int64_t value);
void thrift_write_binary(struct thrift_writer *w, int16_t id, const void *bytes, size_t size);
void thrift_write_string(struct thrift_writer *w, int16_t id, const char *text);
void thrift_write_list(struct thrift_writer *w, int16_t id, enum thrift_type type, uint64_t count);
/* Elements of a list: without field headers. */
void thrift_put_i32(struct thrift_writer *w, int32_t value);
void thrift_put_binary(struct thrift_writer *w, const void *bytes, size_t size);
/* A struct as field `id`, or as a list's element (id 0). Returns what thrift_end_struct needs. */
int16_t thrift_begin_struct(struct thrift_writer *w, int16_t id);
void thrift_end_struct(struct thrift_writer *w, int16_t outer);

#endif
