/* parquet/thrift.c - see thrift.h. */
#include "parquet/thrift.h"

#include <assert.h>
#include <string.h>

void thrift_reader_init(struct thrift_reader *r, const uint8_t *bytes, size_t size)
{
    *r = (struct thrift_reader){.begin = bytes, .in = {bytes, bytes + size}};
}

size_t thrift_tell(const struct thrift_reader *r)
{
    return (size_t)(r->in.p - r->begin);
}

void thrift_fault(struct thrift_reader *r, enum thrift_fault fault)
{
    if (r->fault == THRIFT_OK)
        r->fault = fault;
    r->in.p = r->in.end; /* nothing more is read */
}

const char *thrift_fault_name(enum thrift_fault fault)
{
    switch (fault) {
    case THRIFT_OK: return "fine";
    case THRIFT_SHORT: return "ends inside a value";
    case THRIFT_BAD: break;
    }
    return "is malformed";
}

static uint8_t read_byte(struct thrift_reader *r)
{
    if (r->in.p == r->in.end) {
        thrift_fault(r, THRIFT_SHORT);
        return 0;
    }
    return *r->in.p++;
}

static uint64_t read_varint(struct thrift_reader *r)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = read_byte(r);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    thrift_fault(r, THRIFT_BAD);
    return 0;
}

/* A signed integer that must lie in [min, max]. */
static int64_t read_int(struct thrift_reader *r, int64_t min, int64_t max)
{
    uint64_t raw = read_varint(r);
    int64_t value = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);

    if (value < min || value > max) {
        thrift_fault(r, THRIFT_BAD);
        return 0;
    }
    return value;
}

static void skip_bytes(struct thrift_reader *r, uint64_t count)
{
    if (count > pond_cursor_left(&r->in)) {
        thrift_fault(r, THRIFT_SHORT);
        return;
    }
    r->in.p += count;
}

static bool expect(struct thrift_reader *r, const struct thrift_field *f, enum thrift_type type)
{
    if (f->type == (uint8_t)type)
        return r->fault == THRIFT_OK;
    thrift_fault(r, THRIFT_BAD);
    return false;
}

bool thrift_next(struct thrift_reader *r, struct thrift_field *f)
{
    uint8_t byte = read_byte(r);
    uint8_t delta = byte >> 4;

    if (r->fault != THRIFT_OK || byte == THRIFT_STOP)
        return false;
    f->type = byte & 0x0f;
    if (f->type == THRIFT_STOP || f->type > THRIFT_UUID || (delta != 0 && f->id > INT16_MAX - delta)) {
        thrift_fault(r, THRIFT_BAD);
        return false;
    }
    f->id = delta != 0 ? (int16_t)(f->id + delta) : (int16_t)read_int(r, INT16_MIN, INT16_MAX);
    return r->fault == THRIFT_OK;
}

/* As a field, a boolean is its type. */
bool thrift_bool(struct thrift_reader *r, const struct thrift_field *f)
{
    if (f->type != THRIFT_TRUE && f->type != THRIFT_FALSE)
        thrift_fault(r, THRIFT_BAD);
    return f->type == THRIFT_TRUE;
}

int8_t thrift_i8(struct thrift_reader *r, const struct thrift_field *f)
{
    return expect(r, f, THRIFT_I8) ? (int8_t)read_byte(r) : 0;
}

int16_t thrift_i16(struct thrift_reader *r, const struct thrift_field *f)
{
    return expect(r, f, THRIFT_I16) ? (int16_t)read_int(r, INT16_MIN, INT16_MAX) : 0;
}

int32_t thrift_i32(struct thrift_reader *r, const struct thrift_field *f)
{
    return expect(r, f, THRIFT_I32) ? (int32_t)read_int(r, INT32_MIN, INT32_MAX) : 0;
}

int64_t thrift_i64(struct thrift_reader *r, const struct thrift_field *f)
{
    return expect(r, f, THRIFT_I64) ? read_int(r, INT64_MIN, INT64_MAX) : 0;
}

const uint8_t *thrift_binary(struct thrift_reader *r, const struct thrift_field *f, size_t *size)
{
    uint64_t count = expect(r, f, THRIFT_BINARY) ? read_varint(r) : 0;
    const uint8_t *bytes = r->in.p;

    skip_bytes(r, count);
    *size = r->fault == THRIFT_OK ? (size_t)count : 0;
    return bytes;
}

bool thrift_struct(struct thrift_reader *r, const struct thrift_field *f)
{
    return expect(r, f, THRIFT_STRUCT);
}

/* The head of a list or set: its count, and its elements' type. */
static uint64_t read_list_head(struct thrift_reader *r, struct thrift_field *element)
{
    uint8_t byte = read_byte(r);
    uint64_t count = byte >> 4;

    *element = (struct thrift_field){.type = byte & 0x0f};
    if (count == 15)
        count = read_varint(r);
    /* An empty list may leave its type out. */
    if (count != 0 && (element->type == THRIFT_STOP || element->type > THRIFT_UUID))
        thrift_fault(r, THRIFT_BAD);
    return r->fault == THRIFT_OK ? count : 0;
}

size_t thrift_list(struct thrift_reader *r, const struct thrift_field *f, enum thrift_type type, size_t min_bytes,
                   struct thrift_field *element)
{
    uint64_t count = expect(r, f, THRIFT_LIST) ? read_list_head(r, element) : 0;

    assert(min_bytes > 0);
    if (count == 0)
        return 0;
    if (element->type != (uint8_t)type) {
        thrift_fault(r, THRIFT_BAD);
        return 0;
    }
    if (count > pond_cursor_left(&r->in) / min_bytes) {
        thrift_fault(r, THRIFT_SHORT);
        return 0;
    }
    return (size_t)count;
}

static void skip_element(struct thrift_reader *r, uint8_t type);

static void skip_list(struct thrift_reader *r)
{
    struct thrift_field element;
    uint64_t count = read_list_head(r, &element);

    /* Every element takes at least a byte, so a fault ends this loop in time. */
    if (count > pond_cursor_left(&r->in))
        thrift_fault(r, THRIFT_SHORT);
    for (; count > 0 && r->fault == THRIFT_OK; count--)
        skip_element(r, element.type);
}

static void skip_map(struct thrift_reader *r)
{
    uint64_t count = read_varint(r);
    uint8_t types = count > 0 ? read_byte(r) : 0;

    if (count > pond_cursor_left(&r->in))
        thrift_fault(r, THRIFT_SHORT);
    for (; count > 0 && r->fault == THRIFT_OK; count--) {
        skip_element(r, types >> 4);
        skip_element(r, types & 0x0f);
    }
}

/* A value that is not a field: here a boolean takes a byte. */
static void skip_element(struct thrift_reader *r, uint8_t type)
{
    struct thrift_field inner = {0};

    if (r->depth >= THRIFT_MAX_DEPTH) {
        thrift_fault(r, THRIFT_BAD);
        return;
    }
    r->depth++;
    switch ((enum thrift_type)type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
    case THRIFT_I8: skip_bytes(r, 1); break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: (void)read_varint(r); break;
    case THRIFT_DOUBLE: skip_bytes(r, 8); break;
    case THRIFT_UUID: skip_bytes(r, 16); break;
    case THRIFT_BINARY: skip_bytes(r, read_varint(r)); break;
    case THRIFT_LIST:
    case THRIFT_SET: skip_list(r); break;
    case THRIFT_MAP: skip_map(r); break;
    case THRIFT_STRUCT: thrift_skip_struct(r, &inner); break;
    case THRIFT_STOP:
    default: thrift_fault(r, THRIFT_BAD); break;
    }
    r->depth--;
}

void thrift_skip(struct thrift_reader *r, const struct thrift_field *f)
{
    if (f->type != THRIFT_TRUE && f->type != THRIFT_FALSE)
        skip_element(r, f->type);
}

void thrift_skip_struct(struct thrift_reader *r, struct thrift_field *f)
{
    while (thrift_next(r, f))
        thrift_skip(r, f);
}

static void put(struct thrift_writer *w, const void *bytes, size_t size)
{
    w->size += size;
    if (w->out != NULL && size != 0)
        pond_buf_append(w->out, bytes, size);
}

static void put_byte(struct thrift_writer *w, uint8_t byte)
{
    put(w, &byte, 1);
}

static void put_varint(struct thrift_writer *w, uint64_t value)
{
    uint8_t bytes[10];
    size_t n = 0;

    while (value >= 0x80) {
        bytes[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (uint8_t)value;
    put(w, bytes, n);
}

static void put_int(struct thrift_writer *w, int64_t value)
{
    put_varint(w, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void thrift_write_field(struct thrift_writer *w, int16_t id, enum thrift_type type)
{
    int delta = id - w->last_id;

    if (delta > 0 && delta <= 15) {
        put_byte(w, (uint8_t)((unsigned)delta << 4 | (unsigned)type));
    } else {
        put_byte(w, (uint8_t)type);
        put_int(w, id);
    }
    w->last_id = id;
}

void thrift_write_bool(struct thrift_writer *w, int16_t id, bool value)
{
    thrift_write_field(w, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_write_i8(struct thrift_writer *w, int16_t id, int8_t value)
{
    thrift_write_field(w, id, THRIFT_I8);
    put_byte(w, (uint8_t)value);
}

void thrift_write_i16(struct thrift_writer *w, int16_t id, int16_t value)
{
    thrift_write_field(w, id, THRIFT_I16);
    put_int(w, value);
}

void thrift_write_i32(struct thrift_writer *w, int16_t id, int32_t value)
{
    thrift_write_field(w, id, THRIFT_I32);
    put_int(w, value);
}

void thrift_write_i64(struct thrift_writer *w, int16_t id, int64_t value)
{
    thrift_write_field(w, id, THRIFT_I64);
    put_int(w, value);
}

void thrift_write_binary(struct thrift_writer *w, int16_t id, const void *bytes, size_t size)
{
    thrift_write_field(w, id, THRIFT_BINARY);
    thrift_put_binary(w, bytes, size);
}

void thrift_write_string(struct thrift_writer *w, int16_t id, const char *text)
{
    thrift_write_binary(w, id, text, strlen(text));
}

void thrift_write_list(struct thrift_writer *w, int16_t id, enum thrift_type type, uint64_t count)
{
    thrift_write_field(w, id, THRIFT_LIST);
    if (count < 15) {
        put_byte(w, (uint8_t)(count << 4 | (unsigned)type));
    } else {
        put_byte(w, (uint8_t)(0xf0u | (unsigned)type));
        put_varint(w, count);
    }
}

void thrift_put_i32(struct thrift_writer *w, int32_t value)
{
    put_int(w, value);
}

void thrift_put_binary(struct thrift_writer *w, const void *bytes, size_t size)
{
    put_varint(w, size);
    put(w, bytes, size);
}

int16_t thrift_begin_struct(struct thrift_writer *w, int16_t id)
{
    int16_t outer;

    if (id != 0)
        thrift_write_field(w, id, THRIFT_STRUCT);
    outer = w->last_id;
    w->last_id = 0;
    return outer;
}

void thrift_end_struct(struct thrift_writer *w, int16_t outer)
{
    put_byte(w, THRIFT_STOP);
    w->last_id = outer;
}
