#include "chunked/form.h"

#include <stdio.h>
#include <string.h>

#include <zstd.h>

#include "base/text.h"
#include "bao/tree.h"
#include "chunked/arrow_schema.h"
#include "parquet/reader.h"

#define FORMAT_VERSION "1"
#define CREATED_BY "pond version 1.0.0 (build chunked)"
#define KEY_FORMAT "pond.format_version"
#define KEY_CHUNK_SIZE "pond.chunk_size"
#define KEY_BLOCK_SIZE "pond.block_size"
#define KEY_ROOT_HASH "pond.root_hash"
#define KEY_TOTAL_SIZE "pond.total_size"
#define KEY_TXN_ID "pond.txn_id"
#define KEY_WRITER "pond.writer"
#define KEY_COMPRESSION "pond.compression"
#define KEY_COMPRESSOR "pond.compressor"
#define KEY_LEVEL "pond.compression_level"
#define KEY_UUID "pond.uuid" /* vouches for the claims that nothing else in the file follows from */
#define KEY_ARROW "ARROW:schema"
#define WRITER "pond"
#define EMIT_BYTES ((size_t)64 << 10)

enum { BUNDLE_ID, TXN_ID, PATH, CHUNK_ID, CHUNK_HASH, OUTBOARD, DATA, TOTAL_SIZE, ROOT_HASH, COLUMNS };

/* Physical order: bundle_id first and chunk_data last, or Spark loses rows when it splits the file. */
static const uint8_t small_order[] = {BUNDLE_ID, TXN_ID, PATH, CHUNK_ID, CHUNK_HASH, TOTAL_SIZE, ROOT_HASH};
#define SMALL_COUNT (sizeof(small_order) / sizeof(small_order[0]))

/* The value of a small column as PLAIN would have it, without a string's length. */
struct small_value {
    uint8_t bytes[128];
    size_t size;
    bool is_string;
};

static void value_int64(struct small_value *v, uint64_t n)
{
    for (unsigned i = 0; i < 8; i++)
        v->bytes[i] = (uint8_t)(n >> (8 * i));
    v->size = 8;
    v->is_string = false;
}

static void value_string(struct small_value *v, const char *s)
{
    v->size = strlen(s);
    memcpy(v->bytes, s, v->size);
    v->is_string = true;
}

static void small_value(const struct form *f, uint64_t id, const struct form_chunk *c, unsigned column,
                        struct small_value *v)
{
    char hex[65];
    switch (column) {
    case BUNDLE_ID: value_string(v, f->bundle_id); break;
    case TXN_ID: value_int64(v, (uint64_t)f->txn_id); break;
    case PATH: value_string(v, f->path); break;
    case CHUNK_ID: value_int64(v, id); break;
    case CHUNK_HASH: pond_hex(c->hash, 32, hex); value_string(v, hex); break;
    case TOTAL_SIZE: value_int64(v, f->total_size); break;
    default: value_string(v, f->root_hex); break;
    }
}

static const char *const compression_names[] = {"auto", "zstd", "none"};

void form_own_compressor(char out[FORM_COMPRESSOR_SIZE])
{
    snprintf(out, FORM_COMPRESSOR_SIZE, "zstd %.32s", ZSTD_versionString());
}

static int build_schema(struct pq_schema *s, struct pond_error *err)
{
    POND_TRY(pq_schema_init(s, err));
    POND_TRY(pq_schema_add_string(s, "bundle_id", PQ_REQUIRED, err));
    POND_TRY(pq_schema_add_int64(s, "pond_txn_id", PQ_REQUIRED, err));
    POND_TRY(pq_schema_add_string(s, "path", PQ_REQUIRED, err));
    POND_TRY(pq_schema_add_int64(s, "chunk_id", PQ_REQUIRED, err));
    POND_TRY(pq_schema_add_string(s, "chunk_hash", PQ_REQUIRED, err));
    POND_TRY(pq_schema_add_binary(s, "chunk_outboard", PQ_REQUIRED, err));
    POND_TRY(pq_schema_add_binary(s, "chunk_data", PQ_REQUIRED, err));
    POND_TRY(pq_schema_add_int64(s, "total_size", PQ_REQUIRED, err));
    POND_TRY(pq_schema_add_string(s, "root_hash", PQ_REQUIRED, err));
    return pq_schema_finish(s, err);
}

int form_init(struct form *f, uint64_t chunk_size, int64_t txn_id, enum pond_compression compression, int level,
              const char *compressor, struct pond_error *err)
{
    memset(f, 0, sizeof(*f));
    f->chunk_size = chunk_size;
    f->txn_id = txn_id;
    f->compression = compression;
    if (compression != POND_COMPRESSION_NONE) {
        f->level = level;
        size_t n = strnlen(compressor, sizeof(f->compressor) - 1);
        memcpy(f->compressor, compressor, n);
    }
    int r = build_schema(&f->schema, err);
    if (r < 0) {
        form_release(f);
        return r;
    }
    form_set_content(f, f->root_hash, 0);

    struct pond_buf small = {0};
    struct form_chunk chunk = {0};
    form_small_pages(&small, f, 0, &chunk);
    f->small_size = small.size;
    r = pond_buf_error(&small, err);
    pond_buf_release(&small);
    if (r < 0)
        form_release(f);
    return r;
}

void form_release(struct form *f)
{
    pq_schema_release(&f->schema);
}

void form_set_content(struct form *f, const uint8_t root_hash[32], uint64_t total_size)
{
    if (root_hash != f->root_hash)
        memcpy(f->root_hash, root_hash, 32);
    f->total_size = total_size;
    pond_hex(f->root_hash, 32, f->root_hex);
    memcpy(f->bundle_id, "POND-FILE-", 10);
    memcpy(f->bundle_id + 10, f->root_hex, 65);
    static const char before[] = "_large_files/blake3=", after[] = "/chunks.parquet";
    char *p = f->path;
    memcpy(p, before, sizeof(before) - 1);
    p += sizeof(before) - 1;
    memcpy(p, f->root_hex, 64);
    memcpy(p + 64, after, sizeof(after));
}

/* ---- pages ---- */

static struct pq_page_header page_header(uint64_t body_size, uint64_t stored_size)
{
    return (struct pq_page_header){
        .type = PQ_PAGE_DATA,
        .uncompressed_size = (int32_t)body_size,
        .compressed_size = (int32_t)stored_size,
        .num_values = 1,
        .encoding = PQ_PLAIN,
        .definition_encoding = PQ_RLE,
        .repetition_encoding = PQ_RLE,
    };
}

static struct pq_page_header data_header(const struct form_chunk *c)
{
    return page_header(4 + c->size, c->compressed ? c->stored_size : 4 + c->size);
}

static struct pq_page_header outboard_header(const struct form_chunk *c)
{
    uint64_t n = 4 + pond_outboard_size(c->size);
    return page_header(n, n);
}

void form_place(const struct form *f, uint64_t end_before, struct form_chunk *c)
{
    struct pq_page_header outboard = outboard_header(c), data = data_header(c);
    uint64_t prefix = f->small_size + pq_page_header_size(&outboard) + 4 + pond_outboard_size(c->size) +
                      pq_page_header_size(&data) + (c->compressed ? 0 : 4);
    c->payload = c->compressed ? end_before + prefix : pond_align_up(end_before + prefix, 4096);
    c->start = c->payload - prefix;
}

static void put_small_page(struct pond_buf *out, const struct small_value *v)
{
    uint64_t body = v->size + (v->is_string ? 4 : 0);
    struct pq_page_header h = page_header(body, body);
    pq_page_header_encode(out, &h);
    if (v->is_string)
        pond_buf_append_u32le(out, (uint32_t)v->size);
    pond_buf_append(out, v->bytes, v->size);
}

void form_small_pages(struct pond_buf *out, const struct form *f, uint64_t id, const struct form_chunk *c)
{
    for (size_t i = 0; i < SMALL_COUNT; i++) {
        struct small_value v;
        small_value(f, id, c, small_order[i], &v);
        put_small_page(out, &v);
    }
}

void form_prefix(struct pond_buf *out, const struct form *f, uint64_t id, const struct form_chunk *c,
                 const uint8_t *outboard)
{
    form_small_pages(out, f, id, c);
    uint64_t outboard_size = pond_outboard_size(c->size);
    struct pq_page_header h = outboard_header(c);
    pq_page_header_encode(out, &h);
    pond_buf_append_u32le(out, (uint32_t)outboard_size);
    if (outboard_size)
        pond_buf_append(out, outboard, outboard_size);
    h = data_header(c);
    pq_page_header_encode(out, &h);
    if (!c->compressed)
        pond_buf_append_u32le(out, (uint32_t)c->size);
}

/* ---- footer ---- */

/* A row group's metadata and the statistics its columns borrow. */
struct row_group_meta {
    struct pq_row_group group;
    struct pq_column_meta columns[COLUMNS];
    struct small_value values[COLUMNS];
};

static void column_place(struct pq_column_meta *m, enum pq_type type, uint64_t *at, uint64_t stored,
                         uint64_t uncompressed)
{
    m->type = type;
    m->codec = PQ_UNCOMPRESSED;
    m->encodings[0] = PQ_PLAIN;
    m->encodings[1] = PQ_RLE;
    m->encoding_count = 2;
    m->num_values = 1;
    m->data_page_offset = (int64_t)*at;
    m->total_compressed_size = (int64_t)stored;
    m->total_uncompressed_size = (int64_t)uncompressed;
    *at += stored;
}

static void small_column(struct row_group_meta *m, unsigned column, uint64_t *at)
{
    const struct small_value *v = &m->values[column];
    uint64_t body = v->size + (v->is_string ? 4 : 0);
    struct pq_page_header h = page_header(body, body);
    uint64_t n = pq_page_header_size(&h) + body;
    struct pq_column_meta *c = &m->columns[column];
    column_place(c, v->is_string ? PQ_BYTE_ARRAY : PQ_INT64, at, n, n);
    c->statistics = (struct pq_statistics){
        .has_min_max = true, .has_null_count = true, .null_count = 0,
        .min = v->bytes, .min_size = v->size, .max = v->bytes, .max_size = v->size,
    };
}

static void row_group_meta(struct row_group_meta *m, const struct form *f, uint64_t id, const struct form_chunk *c)
{
    memset(m, 0, sizeof(*m));
    uint64_t at = c->start;
    for (size_t i = 0; i < SMALL_COUNT; i++) {
        small_value(f, id, c, small_order[i], &m->values[small_order[i]]);
        small_column(m, small_order[i], &at);
    }
    struct pq_page_header h = outboard_header(c);
    uint64_t n = pq_page_header_size(&h) + 4 + pond_outboard_size(c->size);
    column_place(&m->columns[OUTBOARD], PQ_BYTE_ARRAY, &at, n, n);
    h = data_header(c);
    uint64_t header = pq_page_header_size(&h);
    uint64_t body = c->compressed ? c->stored_size : 4 + c->size;
    column_place(&m->columns[DATA], PQ_BYTE_ARRAY, &at, header + body, header + 4 + c->size);
    m->columns[DATA].codec = c->compressed ? PQ_ZSTD : PQ_UNCOMPRESSED;

    m->group = (struct pq_row_group){
        .columns = m->columns, .column_count = COLUMNS, .num_rows = 1, .file_offset = (int64_t)c->start, .ordinal = -1,
    };
    for (unsigned i = 0; i < COLUMNS; i++) {
        m->group.total_byte_size += m->columns[i].total_uncompressed_size;
        m->group.total_compressed_size += m->columns[i].total_compressed_size;
    }
}

struct footer_out {
    struct pond_buf buf;
    uint64_t emitted;
    form_emit_fn *emit;
    void *context;
};

static int footer_emit(struct footer_out *o, bool all, struct pond_error *err)
{
    POND_TRY(pond_buf_error(&o->buf, err));
    if (o->buf.size == 0 || (!all && o->buf.size < EMIT_BYTES))
        return 0;
    int r = o->emit(o->context, o->buf.data, o->buf.size, err);
    o->emitted += o->buf.size;
    pond_buf_clear(&o->buf);
    return r;
}

static int footer_parts(const struct form *f, const struct form_chunk *chunks, uint64_t count, struct footer_out *o,
                        struct pond_error *err)
{
    char chunk_size[24], total_size[24], txn_id[24], level[16], uuid_text[POND_UUID_TEXT_SIZE];
    uint8_t uuid[16];
    form_uuid(f, uuid);
    pond_uuid_format(uuid, uuid_text);
    snprintf(chunk_size, sizeof(chunk_size), "%llu", (unsigned long long)f->chunk_size);
    snprintf(total_size, sizeof(total_size), "%llu", (unsigned long long)f->total_size);
    snprintf(txn_id, sizeof(txn_id), "%lld", (long long)f->txn_id);
    snprintf(level, sizeof(level), "%d", f->level);
    const struct pq_key_value kvs[] = {
        {KEY_FORMAT, FORMAT_VERSION}, {KEY_CHUNK_SIZE, chunk_size}, {KEY_BLOCK_SIZE, "16384"},
        {KEY_ROOT_HASH, f->root_hex}, {KEY_TOTAL_SIZE, total_size}, {KEY_TXN_ID, txn_id}, {KEY_WRITER, WRITER},
        {KEY_COMPRESSION, compression_names[f->compression]}, {KEY_UUID, uuid_text}, {KEY_ARROW, CHUNKED_ARROW_SCHEMA},
        {KEY_COMPRESSOR, f->compressor}, {KEY_LEVEL, level},
    };
    size_t kv_count = sizeof(kvs) / sizeof(kvs[0]) - (f->compression == POND_COMPRESSION_NONE ? 2 : 0);

    pq_footer_begin(&o->buf, &f->schema, (int64_t)count, count);
    for (uint64_t i = 0; i < count; i++) {
        struct row_group_meta m;
        row_group_meta(&m, f, i, &chunks[i]);
        pq_footer_row_group(&o->buf, &f->schema, &m.group);
        POND_TRY(footer_emit(o, false, err));
    }
    pq_footer_end(&o->buf, &f->schema, kvs, kv_count, CREATED_BY);
    POND_TRY(footer_emit(o, true, err));
    if (o->emitted > PQ_MAX_FOOTER)
        return pond_fail(err, POND_ELIMIT, "a file of %llu chunks needs a footer of %llu bytes, over the limit of %llu",
                         (unsigned long long)count, (unsigned long long)o->emitted, (unsigned long long)PQ_MAX_FOOTER);
    pq_footer_tail(&o->buf, (uint32_t)o->emitted);
    return footer_emit(o, true, err);
}

int form_footer(const struct form *f, const struct form_chunk *chunks, uint64_t count, form_emit_fn *emit,
                void *context, struct pond_error *err)
{
    struct footer_out o = {.emit = emit, .context = context};
    int r = footer_parts(f, chunks, count, &o, err);
    pond_buf_release(&o.buf);
    return r;
}

/* ---- names ---- */

void form_uuid(const struct form *f, uint8_t uuid[16])
{
    char text[320];
    int n = snprintf(text, sizeof(text), "pond bundle %s\n%s\n%llu\n%lld\n%s\n%s\n%d\n", FORMAT_VERSION, f->root_hex,
                     (unsigned long long)f->chunk_size, (long long)f->txn_id, compression_names[f->compression],
                     f->compressor, f->level);
    uint8_t hash[32];
    pond_blake3(text, (size_t)n, hash);
    memcpy(uuid, hash, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

void form_info(const struct form *f, uint64_t file_size, struct pond_chunked_info *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->root_hash, f->root_hash, 32);
    form_uuid(f, out->uuid);
    out->total_size = f->total_size;
    out->chunk_size = f->chunk_size;
    out->chunk_count = form_chunk_count(f->total_size, f->chunk_size);
    out->file_size = file_size;
    out->txn_id = f->txn_id;
}

/* ---- reading ---- */

static int claim(const struct pq_file *file, const char *name, const char *key, const char **out,
                 struct pond_error *err)
{
    *out = pq_file_key_value(file, key);
    if (!*out)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: not a chunked file: its footer has no %s", name, key);
    return 0;
}

/* Canonical decimals only: the footer is compared with what the writer would write. */
static int claim_number(const struct pq_file *file, const char *name, const char *key, uint64_t *out,
                        struct pond_error *err)
{
    const char *text;
    POND_TRY(claim(file, name, key, &text, err));
    uint64_t n = 0;
    for (const char *p = text; *p; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (*p < '0' || *p > '9' || !pond_mul_u64(n, 10, &n) || !pond_add_u64(n, digit, &n))
            return pond_fail_path(err, POND_ECORRUPT, name, "%s: footer: %s is '%.40s', not a number", name, key, text);
    }
    *out = n;
    return 0;
}

struct claims {
    uint64_t chunk_size, total_size, txn_id, level;
    enum pond_compression compression;
    const char *compressor;
    uint8_t root[32];
};

static int read_claims(struct claims *c, const struct pq_file *file, const char *name, struct pond_error *err)
{
    const char *text;
    POND_TRY(claim(file, name, KEY_FORMAT, &text, err));
    if (strcmp(text, FORMAT_VERSION) != 0)
        return pond_fail_path(err, POND_EUNSUPPORTED, name, "%s: chunked format version '%.20s' is not known here (only %s)",
                              name, text, FORMAT_VERSION);
    POND_TRY(claim_number(file, name, KEY_CHUNK_SIZE, &c->chunk_size, err));
    POND_TRY(claim_number(file, name, KEY_TOTAL_SIZE, &c->total_size, err));
    POND_TRY(claim_number(file, name, KEY_TXN_ID, &c->txn_id, err));
    POND_TRY(claim(file, name, KEY_ROOT_HASH, &text, err));
    if (!pond_unhex(text, strlen(text), c->root, 32))
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: footer: root hash '%.70s' is not 64 hex digits", name, text);
    POND_TRY(claim(file, name, KEY_COMPRESSION, &text, err));
    unsigned k = 0;
    while (k < 3 && strcmp(text, compression_names[k]) != 0)
        k++;
    if (k == 3)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: footer: compression '%.20s' is not known", name, text);
    c->compression = (enum pond_compression)k;
    c->compressor = "";
    c->level = 0;
    if (c->compression != POND_COMPRESSION_NONE) {
        POND_TRY(claim(file, name, KEY_COMPRESSOR, &c->compressor, err));
        POND_TRY(claim_number(file, name, KEY_LEVEL, &c->level, err));
    }
    return 0;
}

static int check_uuid(const struct form *f, const struct pq_file *file, const char *name, struct pond_error *err)
{
    const char *text;
    uint8_t uuid[16];
    char expected[POND_UUID_TEXT_SIZE];
    POND_TRY(claim(file, name, KEY_UUID, &text, err));
    form_uuid(f, uuid);
    pond_uuid_format(uuid, expected);
    if (strcmp(text, expected) != 0)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: footer: %s is '%.40s', but its options make it %s", name, KEY_UUID,
                              text, expected);
    return 0;
}

int form_from_file(struct form *f, const struct pq_file *file, const char *name, struct pond_error *err)
{
    struct claims c;
    POND_TRY(read_claims(&c, file, name, err));
    if (c.chunk_size < POND_CHUNK_SIZE_MIN || c.chunk_size > POND_CHUNK_SIZE_MAX ||
        (c.chunk_size & (c.chunk_size - 1)) != 0)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: footer: chunk size %llu is not a power of two of 4 to 64 MiB",
                              name, (unsigned long long)c.chunk_size);
    if (c.total_size > INT64_MAX || c.txn_id > INT64_MAX || c.level > 22)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: footer: a number is out of range", name);
    uint64_t count = form_chunk_count(c.total_size, c.chunk_size);
    if (pq_file_num_row_groups(file) != count)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: %llu row groups instead of %llu chunks of %llu bytes in all",
                              name, (unsigned long long)pq_file_num_row_groups(file), (unsigned long long)count,
                              (unsigned long long)c.total_size);
    POND_TRY(form_init(f, c.chunk_size, (int64_t)c.txn_id, c.compression, (int)c.level, c.compressor, err));
    form_set_content(f, c.root, c.total_size);
    int r = check_uuid(f, file, name, err);
    if (r == 0 && pq_file_schema(file)->leaf_count != COLUMNS)
        r = pond_fail_path(err, POND_ECORRUPT, name, "%s: %zu columns instead of %d", name,
                           pq_file_schema(file)->leaf_count, COLUMNS);
    if (r < 0)
        form_release(f);
    return r;
}

/* Our own row group, made from what was read, must have the metadata's offsets and sizes. */
static bool same_places(const struct pq_row_group *a, const struct pq_row_group *b)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        const struct pq_column_meta *x = &a->columns[i], *y = &b->columns[i];
        if (x->type != y->type || x->codec != y->codec || x->num_values != y->num_values ||
            x->data_page_offset != y->data_page_offset || x->dictionary_page_offset != y->dictionary_page_offset ||
            x->total_compressed_size != y->total_compressed_size ||
            x->total_uncompressed_size != y->total_uncompressed_size)
            return false;
    }
    return a->num_rows == b->num_rows;
}

int form_chunk_from_row_group(const struct form *f, const struct pq_row_group *rg, uint64_t id, uint64_t end_before,
                              const char *name, struct form_chunk *out, struct pond_error *err)
{
    unsigned long long n = id;
    const struct pq_column_meta *data = &rg->columns[DATA], *hash = &rg->columns[CHUNK_HASH];
    struct form_chunk c = {.size = form_chunk_length(f, id)};
    if (data->codec != PQ_UNCOMPRESSED && data->codec != PQ_ZSTD)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: row group %llu: chunk_data is %s", name, n,
                              pq_codec_name(data->codec));
    c.compressed = data->codec == PQ_ZSTD;
    if (!hash->statistics.has_min_max ||
        !pond_unhex((const char *)hash->statistics.min, hash->statistics.min_size, c.hash, 32))
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: row group %llu: no chunk hash in its statistics", name, n);
    c.stored_size = c.size;
    if (c.compressed) {
        /* The page's own header is the only part of its size that depends on the size: find the stored size that fits. */
        int64_t whole = data->total_compressed_size;
        if (whole <= 0 || (uint64_t)whole > c.size + c.size / 8 + 65536)
            return pond_fail_path(err, POND_ECORRUPT, name, "%s: row group %llu: chunk_data has %lld bytes", name, n,
                                  (long long)whole);
        for (int64_t header = 1; header < 64 && header < whole; header++) {
            c.stored_size = (uint64_t)(whole - header);
            struct pq_page_header h = data_header(&c);
            if ((int64_t)pq_page_header_size(&h) == header)
                break;
        }
    }
    form_place(f, end_before, &c);
    struct row_group_meta m;
    row_group_meta(&m, f, id, &c);
    if (!same_places(&m.group, rg))
        return pond_fail_path(err, POND_ECORRUPT, name,
                              "%s: row group %llu does not stand where a chunked file has it (rewritten by another program?)",
                              name, n);
    *out = c;
    return 0;
}
