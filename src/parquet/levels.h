/* parquet/levels.h - the RLE / bit-packed hybrid, which holds levels, dictionary indices and RLE booleans.
 *
 *     run    := varint(count << 1) value in ceil(width / 8) bytes        the value `count` times
 *             | varint(groups << 1 | 1) groups * width bytes             groups of 8 values, lowest bit first
 */
#ifndef PARQUET_LEVELS_H
#define PARQUET_LEVELS_H

#include <stdbool.h>

#include "base/mem.h"

/* Decoding untrusted bytes: at most 5 bytes are read for a run, and a run makes no memory. */
struct pq_rle {
    struct pond_cursor in; /* behind the current run */
    unsigned width;        /* 0 to 32 */
    uint64_t left;         /* values left in the current run */
    bool packed;
    uint32_t value;        /* of an RLE run */
    const uint8_t *bits;   /* of a packed run */
    uint64_t bit;          /* of the next value, from bits */
};

void pq_rle_init(struct pq_rle *r, const uint8_t *bytes, size_t size, unsigned width);
/* The next `count` values. False: the bytes end before, or are malformed. */
POND_CHECKED bool pq_rle_read(struct pq_rle *r, uint32_t *out, size_t count);

/* Bits that hold 0 to max. */
unsigned pq_bit_width(uint32_t max);

/* Decodes `count` levels of at most `max`; *at_max: how many are max. False: too few, too large or malformed. */
POND_CHECKED bool pq_levels_decode(const uint8_t *bytes, size_t size, uint16_t max, uint16_t *out, size_t count,
                                   size_t *at_max);
/* Appends levels of 0 and 1, without a size before. */
void pq_levels_encode_bits(struct pond_buf *out, const uint8_t *levels, size_t count);

#endif
