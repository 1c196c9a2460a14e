/* parquet/page.c - page headers as Thrift. */
#include "parquet/internal.h"

#include <assert.h>

static void write_header(struct thrift_writer *w, const struct pq_page_header *h)
{
    int16_t outer;

    thrift_write_i32(w, 1, (int32_t)h->type);
    thrift_write_i32(w, 2, h->uncompressed_size);
    thrift_write_i32(w, 3, h->compressed_size);
    if (h->has_crc)
        thrift_write_i32(w, 4, (int32_t)h->crc);
    switch (h->type) {
    case PQ_PAGE_DATA:
        outer = thrift_begin_struct(w, 5);
        thrift_write_i32(w, 1, h->num_values);
        thrift_write_i32(w, 2, (int32_t)h->encoding);
        thrift_write_i32(w, 3, (int32_t)h->definition_encoding);
        thrift_write_i32(w, 4, (int32_t)h->repetition_encoding);
        thrift_end_struct(w, outer);
        break;
    case PQ_PAGE_DICTIONARY:
        outer = thrift_begin_struct(w, 7);
        thrift_write_i32(w, 1, h->num_values);
        thrift_write_i32(w, 2, (int32_t)h->encoding);
        thrift_end_struct(w, outer);
        break;
    case PQ_PAGE_DATA_V2:
        outer = thrift_begin_struct(w, 8);
        thrift_write_i32(w, 1, h->num_values);
        thrift_write_i32(w, 2, h->num_nulls);
        thrift_write_i32(w, 3, h->num_rows);
        thrift_write_i32(w, 4, (int32_t)h->encoding);
        thrift_write_i32(w, 5, h->definition_size);
        thrift_write_i32(w, 6, h->repetition_size);
        thrift_write_bool(w, 7, h->is_compressed);
        thrift_end_struct(w, outer);
        break;
    case PQ_PAGE_INDEX: assert(0); break; /* nobody writes those */
    }
    thrift_end_struct(w, 0);
}

void pq_page_header_encode(struct pond_buf *out, const struct pq_page_header *h)
{
    struct thrift_writer w = {.out = out};

    write_header(&w, h);
}

size_t pq_page_header_size(const struct pq_page_header *h)
{
    struct thrift_writer w = {0};

    write_header(&w, h);
    return w.size;
}

/* DataPageHeader, DictionaryPageHeader: they share their first two fields. */
static void read_data_v1(struct thrift_reader *r, const struct thrift_field *f, struct pq_page_header *h)
{
    struct thrift_field in = {0};

    if (!thrift_struct(r, f))
        return;
    while (thrift_next(r, &in)) {
        switch (in.id) {
        case 1: h->num_values = thrift_i32(r, &in); break;
        case 2: h->encoding = (enum pq_encoding)thrift_i32(r, &in); break;
        case 3:
            if (f->id == 5)
                h->definition_encoding = (enum pq_encoding)thrift_i32(r, &in);
            else
                thrift_skip(r, &in);
            break;
        case 4: h->repetition_encoding = (enum pq_encoding)thrift_i32(r, &in); break;
        default: thrift_skip(r, &in); break;
        }
    }
}

static void read_data_v2(struct thrift_reader *r, const struct thrift_field *f, struct pq_page_header *h)
{
    struct thrift_field in = {0};

    if (!thrift_struct(r, f))
        return;
    while (thrift_next(r, &in)) {
        switch (in.id) {
        case 1: h->num_values = thrift_i32(r, &in); break;
        case 2: h->num_nulls = thrift_i32(r, &in); break;
        case 3: h->num_rows = thrift_i32(r, &in); break;
        case 4: h->encoding = (enum pq_encoding)thrift_i32(r, &in); break;
        case 5: h->definition_size = thrift_i32(r, &in); break;
        case 6: h->repetition_size = thrift_i32(r, &in); break;
        case 7: h->is_compressed = thrift_bool(r, &in); break;
        default: thrift_skip(r, &in); break;
        }
    }
}

/* The struct that holds a page's particulars; 0 for kinds that need none. */
static int16_t particulars(enum pq_page_type type)
{
    switch (type) {
    case PQ_PAGE_DATA: return 5;
    case PQ_PAGE_DICTIONARY: return 7;
    case PQ_PAGE_DATA_V2: return 8;
    case PQ_PAGE_INDEX: break;
    }
    return 0;
}

int pq_page_header_decode(const uint8_t *bytes, size_t size, struct pq_page_header *out, struct pond_error *err)
{
    struct pq_page_header h = {.uncompressed_size = -1, .compressed_size = -1, .num_values = -1, .is_compressed = true,
                               .definition_encoding = PQ_RLE, .repetition_encoding = PQ_RLE};
    struct thrift_reader r;
    struct thrift_field f = {0};
    unsigned seen = 0; /* bit n: field n */
    int32_t type = -1;
    int16_t wanted;

    thrift_reader_init(&r, bytes, size);
    while (thrift_next(&r, &f)) {
        if (f.id > 0 && f.id < 32)
            seen |= 1u << f.id;
        switch (f.id) {
        case 1: type = thrift_i32(&r, &f); break;
        case 2: h.uncompressed_size = thrift_i32(&r, &f); break;
        case 3: h.compressed_size = thrift_i32(&r, &f); break;
        case 4: h.crc = (uint32_t)thrift_i32(&r, &f); h.has_crc = true; break;
        case 5:
        case 7: read_data_v1(&r, &f, &h); break;
        case 8: read_data_v2(&r, &f, &h); break;
        default: thrift_skip(&r, &f); break;
        }
    }
    if (r.fault == THRIFT_SHORT)
        return 0;
    if (r.fault != THRIFT_OK || thrift_tell(&r) > INT32_MAX)
        return pond_fail(err, POND_ECORRUPT, "the page header is malformed");
    if (type < PQ_PAGE_DATA || type > PQ_PAGE_DATA_V2)
        return pond_fail(err, POND_ECORRUPT, "the page is of type %d", type);
    h.type = (enum pq_page_type)type;
    wanted = particulars(h.type);
    if (wanted == 0)
        h.num_values = 0;
    else if (!(seen & 1u << wanted))
        return pond_fail(err, POND_ECORRUPT, "the header of a page of type %d lacks its particulars", type);
    if (h.uncompressed_size < 0 || h.compressed_size < 0 || h.num_values < 0 || h.num_nulls < 0 || h.num_rows < 0 ||
        h.definition_size < 0 || h.repetition_size < 0)
        return pond_fail(err, POND_ECORRUPT, "the page header has a size or count that is missing or negative");
    *out = h;
    return (int)thrift_tell(&r);
}
