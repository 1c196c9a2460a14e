/* parquet/column.c - the pages of one column chunk: walking their headers, fetching, checking and decompressing their
 * bodies, decoding levels and values.
 *
 * Invariants: 1. nothing is read outside [begin, end) of the chunk. 2. a page's sizes are within the chunk and
 * max_page_bytes before memory is taken for them. 3. what a page hands out stands in memory of the column.
 */
#include "parquet/internal.h"

#include <assert.h>
#include <string.h>

#include "parquet/codec.h"
#include "parquet/encoding.h"
#include "parquet/levels.h"

#define DEFAULT_MAX_PAGE (((size_t)64 << 20) + ((size_t)64 << 10))
#define READ_AHEAD ((uint64_t)32 << 10)
#define FIRST_HEADER_READ 256u
#define MAX_PAGE_HEADER (16u << 20)
/* Decoded values and levels may take more than the page: a run of one value is a few bytes, whatever its length. */
#define DECODED_FACTOR 2u
#define MIN_DECODED_LIMIT ((size_t)1 << 20)

struct pq_column {
    struct pq_file *file;
    struct pq_place at;
    enum pq_type type;
    size_t type_length;
    uint16_t max_definition;
    struct pq_column_meta meta;
    uint64_t begin, end;
    size_t max_page_bytes;

    uint64_t next;        /* the walk: offset of the next page header */
    int64_t values_seen;

    struct pq_block window; /* bytes of the chunk as they are, from window_offset on */
    uint64_t window_offset;
    size_t window_size;

    struct pq_block page;   /* decompressed */
    struct pq_block definition;
    struct pq_values values;
    bool looked_for_dictionary, has_dictionary;
    struct pq_block dictionary_page;
    struct pq_values dictionary;
    struct pq_codec_state codec;
};

/* The parts of a page's body, decompressed. */
struct body {
    const uint8_t *definition; /* V2 */
    size_t definition_size;
    const uint8_t *bytes;      /* V1: levels and values; V2: values */
    size_t size;
};

static int check_readable(const struct pq_column *c, const struct pq_leaf *leaf, int64_t num_rows,
                          struct pond_error *err)
{
    if (c->meta.unreadable != NULL)
        return pq_fail_at(err, POND_EUNSUPPORTED, &c->at, "cannot be read: %s", c->meta.unreadable);
    if (leaf->max_repetition > 0)
        return pq_fail_at(err, POND_EUNSUPPORTED, &c->at, "repeated (nested) values are not supported");
    if (c->meta.num_values != num_rows)
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "%lld values in a row group of %lld rows",
                          (long long)c->meta.num_values, (long long)num_rows);
    return 0;
}

int pq_column_open(struct pq_column **out, struct pq_file *f, uint64_t row_group, size_t leaf, size_t max_page_bytes,
                   struct pond_error *err)
{
    const struct pq_schema *s = pq_file_schema(f);
    const struct pq_element *element;
    struct pq_row_group rg = {0};
    struct pq_column *c;
    int r;

    assert(leaf < s->leaf_count);
    element = &s->elements[s->leaves[leaf].element];
    POND_TRY(pq_file_row_group(f, row_group, &rg, err));
    c = pond_calloc(1, sizeof *c);
    if (c == NULL) {
        pq_row_group_release(&rg);
        return pond_fail_nomem(err);
    }
    c->file = f;
    c->at = (struct pq_place){.file = pq_file_source(f)->name, .row_group = row_group,
                              .column = s->leaves[leaf].path};
    c->type = element->type;
    c->type_length = element->type == PQ_INT96 ? 12 : (size_t)element->type_length;
    c->max_definition = s->leaves[leaf].max_definition;
    c->meta = rg.columns[leaf];
    c->max_page_bytes = max_page_bytes != 0 ? max_page_bytes : DEFAULT_MAX_PAGE;
    if (c->meta.num_values > 0) /* else its offsets may mean nothing */
        pq_column_range(&c->meta, &c->begin, &c->end);
    c->next = c->begin;
    r = check_readable(c, &s->leaves[leaf], rg.num_rows, err);
    pq_row_group_release(&rg);
    if (r < 0) {
        pq_column_free(c);
        return r;
    }
    *out = c;
    return 0;
}

void pq_column_free(struct pq_column *c)
{
    if (c == NULL)
        return;
    pq_block_release(&c->window);
    pq_block_release(&c->page);
    pq_block_release(&c->definition);
    pq_block_release(&c->values.block);
    pq_block_release(&c->dictionary_page);
    pq_block_release(&c->dictionary.block);
    pq_codec_state_release(&c->codec);
    pond_free(c);
}

/* Bytes [offset, offset + size) of the chunk, borrowed until the next call. */
static int chunk_bytes(struct pq_column *c, uint64_t offset, size_t size, const uint8_t **out, struct pond_error *err)
{
    const struct pq_source *s = pq_file_source(c->file);
    uint64_t want;

    assert(offset >= c->begin && offset <= c->end && size <= c->end - offset); /* invariant 1 */
    if (offset < c->window_offset || offset - c->window_offset > c->window_size ||
        size > c->window_size - (offset - c->window_offset)) {
        want = pond_min_u64(READ_AHEAD, c->end - offset);
        if (want < size)
            want = size;
        c->window_size = 0;
        POND_TRY(pq_block_ensure(&c->window, (size_t)want, 1, SIZE_MAX / 2, &c->at, err));
        POND_TRY(s->read_at(s->context, offset, c->window.data, (size_t)want, err));
        c->window_offset = offset;
        c->window_size = (size_t)want;
    }
    *out = (const uint8_t *)c->window.data + (offset - c->window_offset);
    return 0;
}

/* The page header at `offset`; *next: where the page ends. */
static int read_header(struct pq_column *c, uint64_t offset, struct pq_page *out, uint64_t *next,
                       struct pond_error *err)
{
    struct pq_page page = {.offset = offset};
    uint64_t left = c->end - offset;
    uint64_t want = FIRST_HEADER_READ;
    const uint8_t *bytes;
    int n;

    c->at.offset = offset;
    for (;; want *= 4) {
        struct pond_error e = {0};
        size_t size = (size_t)pond_min_u64(want, left);
        POND_TRY(chunk_bytes(c, offset, size, &bytes, err));
        n = pq_page_header_decode(bytes, size, &page.header, &e);
        if (n < 0)
            return pq_fail_at(err, n, &c->at, "%s", e.message);
        if (n > 0)
            break;
        if (size == left)
            return pq_fail_at(err, POND_ECORRUPT, &c->at, "the page header runs past the column chunk's end at %llu",
                              (unsigned long long)c->end);
        if (want >= MAX_PAGE_HEADER)
            return pq_fail_at(err, POND_ELIMIT, &c->at, "a page header over %u bytes", MAX_PAGE_HEADER);
    }
    page.body_offset = offset + (uint64_t)n;
    if ((uint64_t)page.header.compressed_size > c->end - page.body_offset)
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "its body of %d bytes runs past the column chunk's end at %llu",
                          page.header.compressed_size, (unsigned long long)c->end);
    page.num_values = (uint32_t)page.header.num_values;
    *next = page.body_offset + (uint64_t)page.header.compressed_size;
    *out = page;
    return 0;
}

static bool is_data(const struct pq_page *p)
{
    return p->header.type == PQ_PAGE_DATA || p->header.type == PQ_PAGE_DATA_V2;
}

/* Bounds what a page may take (invariant 2). Incompressible data grows a little when compressed. */
static int check_page_size(const struct pq_column *c, const struct pq_page_header *h, struct pond_error *err)
{
    size_t limit = c->max_page_bytes;

    if ((size_t)h->uncompressed_size > limit)
        return pq_fail_at(err, POND_ELIMIT, &c->at, "%d bytes uncompressed, the limit for a page is %zu",
                          h->uncompressed_size, limit);
    if ((size_t)h->compressed_size > limit && (size_t)h->compressed_size - limit > limit / 16 + (64u << 10))
        return pq_fail_at(err, POND_ELIMIT, &c->at, "%d bytes compressed, the limit for a page is %zu",
                          h->compressed_size, limit);
    return 0;
}

static int check_crc(const struct pq_column *c, const struct pq_page_header *h, const uint8_t *bytes,
                     struct pond_error *err)
{
    uint32_t crc;

    if (!h->has_crc)
        return 0;
    crc = pq_crc32(bytes, (size_t)h->compressed_size);
    if (crc != h->crc)
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "the CRC of its %d bytes is %08x, its header says %08x",
                          h->compressed_size, crc, h->crc);
    return 0;
}

static int decompress(struct pq_column *c, const uint8_t *src, size_t src_size, size_t dst_size, struct pq_block *dst,
                      struct pond_error *err)
{
    const struct pq_codec_ops *codec = pq_codec_find(c->meta.codec);
    const char *why = NULL;
    uint64_t claimed;
    int r;

    if (codec == NULL)
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "there is no codec %d", (int)c->meta.codec);
    if (codec->decompress == NULL)
        return pq_fail_at(err, POND_EUNSUPPORTED, &c->at, "codec %s is not supported", codec->name);
    /* The page header's word for the size is believed only when the compressed bytes agree, or say nothing. */
    r = codec->content_size != NULL ? codec->content_size(src, src_size, &claimed) : 0;
    if (r < 0 || (r == 1 && claimed != dst_size))
        return pq_fail_at(err, POND_ECORRUPT, &c->at,
                          "its %zu bytes do not decompress (%s) to the %zu that its header says", src_size,
                          codec->name, dst_size);
    POND_TRY(pq_block_ensure(dst, dst_size, 1, c->max_page_bytes, &c->at, err));
    r = codec->decompress(&c->codec, src, src_size, dst->data, dst_size, &why);
    if (r < 0)
        return pq_fail_at(err, r, &c->at, "decompressing %zu bytes (%s): %s", src_size, codec->name, why);
    return 0;
}

/* Fetches, checks and decompresses a page's body. `keep`: the result must survive later reads, so even stored bytes are
 * copied. */
static int read_body(struct pq_column *c, const struct pq_page *p, struct pq_block *block, bool keep, struct body *out,
                     struct pond_error *err)
{
    const struct pq_page_header *h = &p->header;
    size_t levels = 0, packed, plain;
    const uint8_t *bytes;
    bool stored = c->meta.codec == PQ_UNCOMPRESSED;

    POND_TRY(check_page_size(c, h, err));
    POND_TRY(chunk_bytes(c, p->body_offset, (size_t)h->compressed_size, &bytes, err));
    POND_TRY(check_crc(c, h, bytes, err));
    if (h->type == PQ_PAGE_DATA_V2) {
        levels = (size_t)h->repetition_size + (size_t)h->definition_size;
        stored = stored || !h->is_compressed;
        if (levels > (size_t)h->compressed_size || levels > (size_t)h->uncompressed_size)
            return pq_fail_at(err, POND_ECORRUPT, &c->at,
                              "levels of %d and %d bytes do not fit a page of %d (%d uncompressed)",
                              h->repetition_size, h->definition_size, h->compressed_size, h->uncompressed_size);
    }
    packed = (size_t)h->compressed_size - levels;
    plain = (size_t)h->uncompressed_size - levels;
    *out = (struct body){.definition = bytes + h->repetition_size, .definition_size = (size_t)h->definition_size,
                         .bytes = bytes + levels, .size = plain};
    if (stored && packed != plain)
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "%zu stored bytes, uncompressed %zu", packed, plain);
    if (stored && !keep)
        return 0;
    /* A page of nothing but nulls may have no values, not even an empty compressed frame. */
    if (packed == 0 && plain == 0)
        return 0;
    if (stored) {
        POND_TRY(pq_block_ensure(block, plain, 1, c->max_page_bytes, &c->at, err));
        memcpy(block->data, out->bytes, plain);
    } else {
        POND_TRY(decompress(c, out->bytes, packed, plain, block, err));
    }
    out->bytes = block->data;
    return 0;
}

static size_t decoded_limit(const struct pq_column *c)
{
    size_t limit = c->max_page_bytes > SIZE_MAX / DECODED_FACTOR ? SIZE_MAX : c->max_page_bytes * DECODED_FACTOR;

    return limit < MIN_DECODED_LIMIT ? MIN_DECODED_LIMIT : limit;
}

static struct pq_decoding decoding(const struct pq_column *c, const struct body *body, size_t count)
{
    return (struct pq_decoding){
        .type = c->type, .type_length = c->type_length, .bytes = body->bytes, .size = body->size, .count = count,
        .max_bytes = decoded_limit(c), .at = &c->at,
    };
}

static int load_dictionary(struct pq_column *c, const struct pq_page *p, struct pond_error *err)
{
    struct pq_decoding d;
    struct body body = {0};

    if (p->header.encoding != PQ_PLAIN && p->header.encoding != PQ_PLAIN_DICTIONARY)
        return pq_fail_at(err, POND_EUNSUPPORTED, &c->at, "a dictionary in encoding %s",
                          pq_encoding_name(p->header.encoding));
    POND_TRY(read_body(c, p, &c->dictionary_page, true, &body, err));
    d = decoding(c, &body, p->num_values);
    POND_TRY(pq_decode(PQ_PLAIN, &d, &c->dictionary, err));
    c->has_dictionary = true;
    return 0;
}

/* A dictionary is the chunk's first page, or nowhere. */
static int find_dictionary(struct pq_column *c, struct pond_error *err)
{
    struct pq_page first = {0};
    uint64_t next, at = c->at.offset;

    if (c->looked_for_dictionary)
        return 0;
    POND_TRY(read_header(c, c->begin, &first, &next, err));
    if (first.header.type == PQ_PAGE_DICTIONARY)
        POND_TRY(load_dictionary(c, &first, err));
    c->looked_for_dictionary = true;
    c->at.offset = at;
    return 0;
}

/* Definition levels, taken off the body's front in V1. */
static int read_levels(struct pq_column *c, struct pq_page *p, struct body *body, struct pond_error *err)
{
    struct pond_cursor in = {body->bytes, body->bytes + body->size};
    size_t present = p->num_values;
    const uint8_t *bytes = body->definition;
    uint32_t size = (uint32_t)body->definition_size;

    if (c->max_definition > 0) {
        if (p->header.type == PQ_PAGE_DATA) {
            if (p->header.definition_encoding != PQ_RLE)
                return pq_fail_at(err, POND_EUNSUPPORTED, &c->at, "definition levels in encoding %s",
                                  pq_encoding_name(p->header.definition_encoding));
            if (!pond_cursor_u32le(&in, &size) || !pond_cursor_take(&in, size, &bytes))
                return pq_fail_at(err, POND_ECORRUPT, &c->at, "the definition levels run past the page's end");
            body->bytes = in.p;
            body->size = pond_cursor_left(&in);
        }
        POND_TRY(pq_block_ensure(&c->definition, p->num_values, sizeof(uint16_t), decoded_limit(c), &c->at, err));
        if (!pq_levels_decode(bytes, size, c->max_definition, c->definition.data, p->num_values, &present))
            return pq_fail_at(err, POND_ECORRUPT, &c->at,
                              "%u bytes of definition levels do not hold %u levels of at most %u", size,
                              p->num_values, c->max_definition);
        p->definition = c->definition.data;
    }
    p->num_present = (uint32_t)present;
    if (p->header.type == PQ_PAGE_DATA_V2 && p->num_values - p->num_present != (uint32_t)p->header.num_nulls)
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "%u nulls, its header says %d", p->num_values - p->num_present,
                          p->header.num_nulls);
    return 0;
}

static void expose_values(const struct pq_column *c, struct pq_page *p)
{
    const void *data = c->values.block.data;

    switch (c->type) {
    case PQ_BOOLEAN: p->booleans = data; break;
    case PQ_INT32: p->int32s = data; break;
    case PQ_INT64: p->int64s = data; break;
    case PQ_FLOAT: p->floats = data; break;
    case PQ_DOUBLE: p->doubles = data; break;
    case PQ_INT96:
    case PQ_BYTE_ARRAY:
    case PQ_FIXED_LEN_BYTE_ARRAY: p->bytes = data; break;
    }
}

static int decode_page(struct pq_column *c, struct pq_page *p, struct pond_error *err)
{
    struct pq_decoding d;
    struct body body = {0};

    if (p->header.encoding == PQ_PLAIN_DICTIONARY || p->header.encoding == PQ_RLE_DICTIONARY)
        POND_TRY(find_dictionary(c, err)); /* before the body: both use the window */
    POND_TRY(read_body(c, p, &c->page, false, &body, err));
    POND_TRY(read_levels(c, p, &body, err));
    d = decoding(c, &body, p->num_present);
    d.dictionary = c->has_dictionary ? &c->dictionary : NULL;
    POND_TRY(pq_decode(p->header.encoding, &d, &c->values, err));
    expose_values(c, p);
    return 0;
}

int pq_column_next_header(struct pq_column *c, struct pq_page *out, struct pond_error *err)
{
    struct pq_page page = {0};
    uint64_t next;

    while (c->next < c->end) {
        POND_TRY(read_header(c, c->next, &page, &next, err));
        if (page.header.type == PQ_PAGE_DICTIONARY && page.offset != c->begin)
            return pq_fail_at(err, POND_ECORRUPT, &c->at, "a dictionary page that is not the first page");
        if (is_data(&page)) {
            if (page.num_values > c->meta.num_values - c->values_seen)
                return pq_fail_at(err, POND_ECORRUPT, &c->at, "%u values, the column chunk has only %lld left",
                                  page.num_values, (long long)(c->meta.num_values - c->values_seen));
            c->values_seen += page.num_values;
            c->next = next;
            *out = page;
            return 1;
        }
        c->next = next;
    }
    c->at.offset = 0;
    if (c->values_seen != c->meta.num_values)
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "its pages hold %lld values, its metadata says %lld",
                          (long long)c->values_seen, (long long)c->meta.num_values);
    return 0;
}

int pq_column_next(struct pq_column *c, struct pq_page *out, struct pond_error *err)
{
    struct pq_page page;
    int r = pq_column_next_header(c, &page, err);

    if (r != 1)
        return r;
    POND_TRY(decode_page(c, &page, err));
    *out = page;
    return 1;
}

int pq_column_page_at(struct pq_column *c, uint64_t offset, struct pq_page *out, struct pond_error *err)
{
    struct pq_page page = {0};
    uint64_t next;

    c->at.offset = offset;
    if (offset < c->begin || offset >= c->end)
        return pq_fail_at(err, POND_EUSAGE, &c->at, "not in this column chunk (%llu to %llu)",
                          (unsigned long long)c->begin, (unsigned long long)c->end);
    POND_TRY(read_header(c, offset, &page, &next, err));
    if (!is_data(&page))
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "not a data page");
    if (page.num_values > c->meta.num_values)
        return pq_fail_at(err, POND_ECORRUPT, &c->at, "%u values, the column chunk has %lld", page.num_values,
                          (long long)c->meta.num_values);
    POND_TRY(decode_page(c, &page, err));
    *out = page;
    return 0;
}
