/* parquet/encoding.c - see encoding.h. */
#include "parquet/encoding.h"

#include <string.h>

#include "parquet/levels.h"

int pq_block_ensure(struct pq_block *b, size_t count, size_t size, size_t max_bytes, const struct pq_place *at,
                    struct pond_error *err)
{
    uint64_t bytes;

    if (!pond_mul_u64(count, size, &bytes) || bytes > max_bytes)
        return pq_fail_at(err, POND_ELIMIT, at, "%zu values of %zu bytes each are more than the limit of %zu bytes",
                          count, size, max_bytes);
    if (b->data != NULL && bytes <= b->capacity)
        return 0;
    pond_free(b->data);
    *b = (struct pq_block){.data = pond_alloc(count, size)};
    if (b->data == NULL)
        return pond_fail_nomem(err);
    b->capacity = (size_t)bytes;
    return 0;
}

void pq_block_release(struct pq_block *b)
{
    pond_free(b->data);
    *b = (struct pq_block){0};
}

size_t pq_value_size(enum pq_type type)
{
    switch (type) {
    case PQ_BOOLEAN: return 1;
    case PQ_INT32:
    case PQ_FLOAT: return 4;
    case PQ_INT64:
    case PQ_DOUBLE: return 8;
    case PQ_INT96:
    case PQ_BYTE_ARRAY:
    case PQ_FIXED_LEN_BYTE_ARRAY: break;
    }
    return sizeof(struct pq_bytes);
}

static int wrong_size(const struct pq_decoding *d, struct pond_error *err)
{
    return pq_fail_at(err, POND_ECORRUPT, d->at, "%zu values of type %s do not take %zu bytes", d->count,
                      pq_type_name(d->type), d->size);
}

static int plain_booleans(const struct pq_decoding *d, struct pq_values *out, struct pond_error *err)
{
    uint8_t *values;

    if (d->size < d->count / 8 + (d->count % 8 != 0))
        return wrong_size(d, err);
    POND_TRY(pq_block_ensure(&out->block, d->count, 1, d->max_bytes, d->at, err));
    values = out->block.data;
    for (size_t i = 0; i < d->count; i++)
        values[i] = d->bytes[i / 8] >> (i % 8) & 1;
    return 0;
}

static int plain_numbers(const struct pq_decoding *d, struct pq_values *out, struct pond_error *err)
{
    size_t width = pq_value_size(d->type);

    if (d->size % width != 0 || d->size / width != d->count)
        return wrong_size(d, err);
    POND_TRY(pq_block_ensure(&out->block, d->count, width, d->max_bytes, d->at, err));
    if (d->size > 0)
        memcpy(out->block.data, d->bytes, d->size);
    return 0;
}

static int plain_fixed(const struct pq_decoding *d, struct pq_values *out, struct pond_error *err)
{
    struct pq_bytes *values;
    uint64_t bytes;

    if (!pond_mul_u64(d->count, d->type_length, &bytes) || bytes != d->size)
        return wrong_size(d, err);
    POND_TRY(pq_block_ensure(&out->block, d->count, sizeof *values, d->max_bytes, d->at, err));
    values = out->block.data;
    for (size_t i = 0; i < d->count; i++)
        values[i] = (struct pq_bytes){d->bytes + i * d->type_length, d->type_length};
    return 0;
}

static int plain_byte_arrays(const struct pq_decoding *d, struct pq_values *out, struct pond_error *err)
{
    struct pond_cursor in = {d->bytes, d->bytes + d->size};
    struct pq_bytes *values;

    if (d->count > d->size / 4)
        return wrong_size(d, err);
    POND_TRY(pq_block_ensure(&out->block, d->count, sizeof *values, d->max_bytes, d->at, err));
    values = out->block.data;
    for (size_t i = 0; i < d->count; i++) {
        uint32_t size;
        if (!pond_cursor_u32le(&in, &size) || !pond_cursor_take(&in, size, &values[i].data))
            return pq_fail_at(err, POND_ECORRUPT, d->at, "value %zu of %zu runs past the page's end", i, d->count);
        values[i].size = size;
    }
    if (in.p != in.end)
        return wrong_size(d, err);
    return 0;
}

static int decode_plain(const struct pq_decoding *d, struct pq_values *out, struct pond_error *err)
{
    switch (d->type) {
    case PQ_BOOLEAN: return plain_booleans(d, out, err);
    case PQ_INT32:
    case PQ_INT64:
    case PQ_FLOAT:
    case PQ_DOUBLE: return plain_numbers(d, out, err);
    case PQ_INT96:
    case PQ_FIXED_LEN_BYTE_ARRAY: return plain_fixed(d, out, err);
    case PQ_BYTE_ARRAY: break;
    }
    return plain_byte_arrays(d, out, err);
}

/* Copies dictionary values of `width` bytes; the sizes that occur are spelled out, for speed. */
static void gather(void *to, const void *dictionary, const uint32_t *indices, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *d = (uint8_t *)to + i * width;
        const uint8_t *s = (const uint8_t *)dictionary + (size_t)indices[i] * width;
        switch (width) {
        case 1: *d = *s; break;
        case 4: memcpy(d, s, 4); break;
        case 8: memcpy(d, s, 8); break;
        default: memcpy(d, s, width); break;
        }
    }
}

static int decode_dictionary(const struct pq_decoding *d, struct pq_values *out, struct pond_error *err)
{
    size_t width = pq_value_size(d->type);
    uint32_t indices[256];
    struct pq_rle rle;

    if (d->dictionary == NULL)
        return pq_fail_at(err, POND_ECORRUPT, d->at, "the page needs a dictionary, but the column chunk has none");
    if (d->count == 0)
        return 0;
    if (d->size == 0 || d->bytes[0] > 32)
        return pq_fail_at(err, POND_ECORRUPT, d->at, "dictionary indices without a width from 0 to 32");
    POND_TRY(pq_block_ensure(&out->block, d->count, width, d->max_bytes, d->at, err));
    pq_rle_init(&rle, d->bytes + 1, d->size - 1, d->bytes[0]);
    for (size_t at = 0; at < d->count;) {
        size_t n = d->count - at < 256 ? d->count - at : 256;
        if (!pq_rle_read(&rle, indices, n))
            return pq_fail_at(err, POND_ECORRUPT, d->at, "the dictionary indices end before %zu values", d->count);
        for (size_t i = 0; i < n; i++)
            if (indices[i] >= d->dictionary->count)
                return pq_fail_at(err, POND_ECORRUPT, d->at, "dictionary index %u, the dictionary has %zu entries",
                                  indices[i], d->dictionary->count);
        gather((uint8_t *)out->block.data + at * width, d->dictionary->block.data, indices, n, width);
        at += n;
    }
    return 0;
}

/* RLE values are booleans, with their size before them. */
static int decode_rle(const struct pq_decoding *d, struct pq_values *out, struct pond_error *err)
{
    struct pond_cursor in = {d->bytes, d->bytes + d->size};
    uint32_t size, block[256];
    const uint8_t *runs;
    struct pq_rle rle;
    uint8_t *values;

    if (d->type != PQ_BOOLEAN)
        return pq_fail_at(err, POND_EUNSUPPORTED, d->at, "encoding RLE for values of type %s", pq_type_name(d->type));
    if (d->count == 0)
        return 0;
    if (!pond_cursor_u32le(&in, &size) || !pond_cursor_take(&in, size, &runs))
        return pq_fail_at(err, POND_ECORRUPT, d->at, "RLE values that run past the page's end");
    POND_TRY(pq_block_ensure(&out->block, d->count, 1, d->max_bytes, d->at, err));
    values = out->block.data;
    pq_rle_init(&rle, runs, size, 1);
    for (size_t at = 0; at < d->count;) {
        size_t n = d->count - at < 256 ? d->count - at : 256;
        if (!pq_rle_read(&rle, block, n))
            return pq_fail_at(err, POND_ECORRUPT, d->at, "RLE booleans end before %zu values", d->count);
        for (size_t i = 0; i < n; i++) {
            if (block[i] > 1)
                return pq_fail_at(err, POND_ECORRUPT, d->at, "a boolean of %u", block[i]);
            values[at + i] = (uint8_t)block[i];
        }
        at += n;
    }
    return 0;
}

static const struct {
    const char *name;
    int (*decode)(const struct pq_decoding *d, struct pq_values *out, struct pond_error *err); /* NULL: not built in */
} encodings[] = {
    [PQ_PLAIN] = {"PLAIN", decode_plain},
    [1] = {"GROUP_VAR_INT", NULL}, /* never used */
    [PQ_PLAIN_DICTIONARY] = {"PLAIN_DICTIONARY", decode_dictionary},
    [PQ_RLE] = {"RLE", decode_rle},
    [PQ_BIT_PACKED] = {"BIT_PACKED", NULL},
    [PQ_DELTA_BINARY_PACKED] = {"DELTA_BINARY_PACKED", NULL},
    [PQ_DELTA_LENGTH_BYTE_ARRAY] = {"DELTA_LENGTH_BYTE_ARRAY", NULL},
    [PQ_DELTA_BYTE_ARRAY] = {"DELTA_BYTE_ARRAY", NULL},
    [PQ_RLE_DICTIONARY] = {"RLE_DICTIONARY", decode_dictionary},
    [PQ_BYTE_STREAM_SPLIT] = {"BYTE_STREAM_SPLIT", NULL},
};

const char *pq_encoding_name(enum pq_encoding encoding)
{
    return (size_t)encoding < sizeof encodings / sizeof *encodings ? encodings[encoding].name : "?";
}

int pq_decode(enum pq_encoding encoding, const struct pq_decoding *d, struct pq_values *out, struct pond_error *err)
{
    if ((size_t)encoding >= sizeof encodings / sizeof *encodings)
        return pq_fail_at(err, POND_ECORRUPT, d->at, "there is no encoding %d", (int)encoding);
    if (encodings[encoding].decode == NULL)
        return pq_fail_at(err, POND_EUNSUPPORTED, d->at, "encoding %s is not supported",
                          encodings[encoding].name);
    out->count = 0;
    POND_TRY(encodings[encoding].decode(d, out, err));
    out->count = d->count;
    return 0;
}
