/* parquet/levels.c - see levels.h. */
#include "parquet/levels.h"

#include <assert.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Parquet's values are copied as they are");

unsigned pq_bit_width(uint32_t max)
{
    return max == 0 ? 0 : 32 - (unsigned)__builtin_clz(max);
}

void pq_rle_init(struct pq_rle *r, const uint8_t *bytes, size_t size, unsigned width)
{
    assert(width <= 32);
    *r = (struct pq_rle){.in = {bytes, bytes + size}, .width = width};
}

static bool read_run_header(struct pond_cursor *in, uint64_t *out)
{
    uint64_t value = 0;
    uint8_t byte;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (!pond_cursor_u8(in, &byte))
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

static bool next_run(struct pq_rle *r)
{
    uint64_t header, size;
    const uint8_t *bytes;

    if (!read_run_header(&r->in, &header))
        return false;
    r->packed = (header & 1) != 0;
    if (!r->packed) {
        r->left = header >> 1;
        r->value = 0;
        if (!pond_cursor_take(&r->in, (r->width + 7) / 8, &bytes))
            return false;
        memcpy(&r->value, bytes, (r->width + 7) / 8);
        return true;
    }
    r->left = (header >> 1) * 8;
    size = (header >> 1) * r->width;
    /* Some writers cut the last group where its values end. */
    if (size > pond_cursor_left(&r->in)) {
        size = pond_cursor_left(&r->in);
        r->left = size * 8 / r->width;
    }
    if (!pond_cursor_take(&r->in, (size_t)size, &r->bits))
        return false;
    r->bit = 0;
    return true;
}

static uint32_t packed_value(const struct pq_rle *r)
{
    const uint8_t *p = r->bits + r->bit / 8;
    size_t left = (size_t)(r->in.p - p); /* the run's bytes end where the next run begins */
    uint64_t word = 0;

    if (left >= sizeof word)
        memcpy(&word, p, sizeof word);
    else
        memcpy(&word, p, left);
    return (uint32_t)(word >> (r->bit % 8) & ((UINT64_C(1) << r->width) - 1));
}

bool pq_rle_read(struct pq_rle *r, uint32_t *out, size_t count)
{
    if (r->width == 0) { /* all are 0; some writers give no runs at all */
        memset(out, 0, count * sizeof *out);
        return true;
    }
    while (count > 0) {
        size_t n;
        if (r->left == 0 && !next_run(r))
            return false;
        n = (size_t)pond_min_u64(count, r->left);
        for (size_t i = 0; i < n; i++) {
            out[i] = r->packed ? packed_value(r) : r->value;
            r->bit += r->width;
        }
        out += n;
        count -= n;
        r->left -= n;
    }
    return true;
}

bool pq_levels_decode(const uint8_t *bytes, size_t size, uint16_t max, uint16_t *out, size_t count, size_t *at_max)
{
    uint32_t block[256];
    struct pq_rle r;
    size_t maxima = 0;

    pq_rle_init(&r, bytes, size, pq_bit_width(max));
    while (count > 0) {
        size_t n = count < 256 ? count : 256;
        if (!pq_rle_read(&r, block, n))
            return false;
        for (size_t i = 0; i < n; i++) {
            if (block[i] > max)
                return false;
            maxima += block[i] == max;
            out[i] = (uint16_t)block[i];
        }
        out += n;
        count -= n;
    }
    *at_max = maxima;
    return true;
}

static void put_run_header(struct pond_buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        pond_buf_append_byte(out, (uint8_t)(value | 0x80));
    pond_buf_append_byte(out, (uint8_t)value);
}

/* How many levels from `at` on are equal; counting stops at `enough`. */
static size_t equal_run(const uint8_t *levels, size_t at, size_t count, size_t enough)
{
    size_t n = 1;

    while (at + n < count && n < enough && levels[at + n] == levels[at])
        n++;
    return n;
}

void pq_levels_encode_bits(struct pond_buf *out, const uint8_t *levels, size_t count)
{
    size_t at = 0;

    while (at < count) {
        size_t run = equal_run(levels, at, count, SIZE_MAX);
        size_t end = at;
        if (run >= 8 || at + run == count) {
            put_run_header(out, (uint64_t)run << 1);
            pond_buf_append_byte(out, levels[at]);
            at += run;
            continue;
        }
        do
            end += 8;
        while (end < count && equal_run(levels, end, count, 8) < 8);
        put_run_header(out, (uint64_t)((end - at) / 8) << 1 | 1);
        for (; at < end; at += 8) {
            unsigned byte = 0;
            for (size_t i = 0; i < 8 && at + i < count; i++)
                byte |= (unsigned)levels[at + i] << i;
            pond_buf_append_byte(out, (uint8_t)byte);
        }
    }
}
