/* Reading parts of a chunked file. Every block is hashed and compared with its chaining value, which a verified outboard gave,
 * before the caller has it. */
#include "chunked/reader.h"

#include <string.h>
#include <unistd.h>

#define OPEN_CHUNKS_BYTES ((uint64_t)8 << 20) /* of chaining values, whatever the file's size */
#define BLOCKS_PER_FRAME (FRAME_SIZE / POND_BLOCK_SIZE)

static int source_read_at(void *context, uint64_t offset, void *buf, size_t size, struct pond_error *err)
{
    const struct pond_chunked_reader *r = context;
    return os_pread_exact(r->fd, r->name, buf, size, offset, err);
}

int reader_bad_block(const struct pond_chunked_reader *r, uint64_t chunk_id, uint64_t block, struct pond_error *err)
{
    const struct form_chunk *c = &r->chunks[chunk_id];
    uint64_t from = block * POND_BLOCK_SIZE;
    uint64_t to = c->size - from < POND_BLOCK_SIZE ? c->size : from + POND_BLOCK_SIZE;
    uint64_t base = chunk_id * r->form.chunk_size;
    return pond_fail_path(err, POND_ECORRUPT, r->name,
                          "%s: chunk %llu, block %llu (content bytes %llu to %llu%s%llu): does not match its hash", r->name,
                          (unsigned long long)chunk_id, (unsigned long long)block, (unsigned long long)(base + from),
                          (unsigned long long)(base + to - 1),
                          c->compressed ? ", in the zstd payload at offset " : ", at offset ",
                          (unsigned long long)(c->payload + (c->compressed ? 0 : from)));
}

uint64_t reader_outboard_offset(const struct form_chunk *c)
{
    struct pq_page_header h = {
        .type = PQ_PAGE_DATA, .num_values = 1, .encoding = PQ_PLAIN, .definition_encoding = PQ_RLE,
        .repetition_encoding = PQ_RLE, .uncompressed_size = (int32_t)(4 + c->size),
        .compressed_size = (int32_t)(c->compressed ? c->stored_size : 4 + c->size),
    };
    return c->payload - (c->compressed ? 0 : 4) - pq_page_header_size(&h) - pond_outboard_size(c->size);
}

int reader_frame_offsets(struct pond_chunked_reader *r, uint64_t chunk_id, uint32_t *out, struct pond_error *err)
{
    const struct form_chunk *c = &r->chunks[chunk_id];
    uint64_t frames = frames_count(c->size), table_size = frames_table_size(frames);
    uint32_t sizes[MAX_FRAMES];
    uint8_t table[MAX_FRAMES * 8 + 32];
    if (table_size > c->stored_size)
        return pond_fail_path(err, POND_ECORRUPT, r->name, "%s: chunk %llu: too short for its zstd seek table", r->name,
                              (unsigned long long)chunk_id);
    POND_TRY(os_pread_exact(r->fd, r->name, table, table_size, form_chunk_end(c) - table_size, err));
    struct pond_error why = {0};
    int e = frames_table_decode(table, frames, c->size, c->stored_size, sizes, &why);
    if (e < 0)
        return pond_fail_path(err, e, r->name, "%s: chunk %llu: %s", r->name, (unsigned long long)chunk_id, why.message);
    uint32_t at = 0;
    for (uint64_t i = 0; i < frames; i++) {
        out[i] = at;
        at += sizes[i];
    }
    out[frames] = at;
    return 0;
}

/* ---- opening ---- */

static int read_chunks(struct pond_chunked_reader *r, struct pond_error *err)
{
    uint64_t count = pq_file_num_row_groups(r->file), end = sizeof(PQ_MAGIC) - 1;
    r->chunks = pond_calloc(count, sizeof(*r->chunks));
    if (!r->chunks)
        return pond_fail_nomem(err);
    struct pq_row_group rg = {0};
    int e = 0;
    for (uint64_t i = 0; e == 0 && i < count; i++) {
        e = pq_file_row_group(r->file, i, &rg, err);
        if (e == 0)
            e = form_chunk_from_row_group(&r->form, &rg, i, end, r->name, &r->chunks[i], err);
        end = form_chunk_end(&r->chunks[i]);
    }
    pq_row_group_release(&rg);
    if (e < 0)
        return e;
    uint32_t footer_size;
    uint64_t footer = pq_file_footer_offset(r->file, &footer_size);
    if (footer != end)
        return pond_fail_path(err, POND_ECORRUPT, r->name, "%s: footer at offset %llu, but the last chunk ends at %llu", r->name,
                              (unsigned long long)footer, (unsigned long long)end);
    return 0;
}

static int make_buffers(struct pond_chunked_reader *r, struct pond_error *err)
{
    uint64_t count = r->info.chunk_count;
    uint64_t largest = r->chunks[0].size;
    uint64_t fit = OPEN_CHUNKS_BYTES / (piece_block_count(largest) * 32);
    r->open_count = count < fit ? count : fit;
    r->open = pond_calloc(r->open_count, sizeof(*r->open));
    r->outboard = pond_alloc(1, pond_outboard_size(largest) + 1);
    r->block = pond_alloc(1, POND_BLOCK_SIZE);
    if (!r->open || !r->outboard || !r->block)
        return pond_fail_nomem(err);
    for (uint64_t i = 0; i < r->open_count; i++)
        r->open[i].id = UINT64_MAX;
    r->outboard_chunk = r->frame_chunk = UINT64_MAX;
    return 0;
}

/* The outboard of a chunk, verified against its hash, in r->outboard. leaf_cvs: NULL, or room for its blocks'. */
static int load_outboard(struct pond_chunked_reader *r, uint64_t id, uint8_t (*leaf_cvs)[32], struct pond_error *err)
{
    const struct form_chunk *c = &r->chunks[id];
    size_t size = (size_t)pond_outboard_size(c->size);
    if (size == 0) {
        if (leaf_cvs)
            memcpy(leaf_cvs[0], c->hash, 32);
        r->outboard_chunk = id;
        return 0;
    }
    r->outboard_chunk = UINT64_MAX;
    POND_TRY(os_pread_exact(r->fd, r->name, r->outboard, size, reader_outboard_offset(c), err));
    if (bao_outboard_open(c->hash, false, c->size, r->outboard, size, leaf_cvs) < 0)
        return pond_fail_path(err, POND_ECORRUPT, r->name, "%s: chunk %llu: its outboard at offset %llu does not match its hash",
                              r->name, (unsigned long long)id, (unsigned long long)reader_outboard_offset(c));
    r->outboard_chunk = id;
    return 0;
}

/* A file of one block: its root hash needs the block itself. */
static int root_of_block(struct pond_chunked_reader *r, uint8_t root[32], struct pond_error *err)
{
    size_t size = (size_t)r->info.total_size;
    int64_t n = pond_chunked_read(r, 0, r->block, size, err);
    if (n < 0)
        return (int)n;
    bao_root(r->block, size, NULL, root);
    if (size == 0 && memcmp(root, r->chunks[0].hash, 32) != 0)
        return reader_bad_block(r, 0, 0, err);
    return 0;
}

static int root_of_chunks(struct pond_chunked_reader *r, uint8_t root[32], struct pond_error *err)
{
    uint64_t count = r->info.chunk_count;
    uint8_t (*hashes)[32] = pond_alloc(count, 32);
    if (!hashes)
        return pond_fail_nomem(err);
    for (uint64_t i = 0; i < count; i++)
        memcpy(hashes[i], r->chunks[i].hash, 32);
    int e = count == 1 ? load_outboard(r, 0, NULL, err) : 0;
    if (e == 0 && pond_combine_chunk_hashes((const uint8_t (*)[32])hashes, count, r->info.total_size, r->info.chunk_size,
                                            r->outboard, NULL, root) < 0)
        e = pond_fail_path(err, POND_ECORRUPT, r->name, "%s: its chunk hashes do not combine", r->name);
    pond_free(hashes);
    return e;
}

/* The chunk hashes must combine to the root; a single chunk's hash does so through its outboard, or its only block. */
static int check_root(struct pond_chunked_reader *r, struct pond_error *err)
{
    uint8_t root[32];
    POND_TRY(r->info.total_size <= POND_BLOCK_SIZE ? root_of_block(r, root, err) : root_of_chunks(r, root, err));
    if (memcmp(root, r->info.root_hash, 32) != 0)
        return pond_fail_path(err, POND_ECORRUPT, r->name, "%s: its chunk hashes do not combine to the root hash %s", r->name,
                              r->form.root_hex);
    return 0;
}

static int open_file(struct pond_chunked_reader *r, const uint8_t *expected_root, struct pond_error *err)
{
    struct stat st;
    POND_TRY(os_fstat(r->fd, r->name, &st, err));
    r->source = (struct pq_source){
        .read_at = source_read_at, .context = r, .size = (uint64_t)st.st_size, .name = r->name,
    };
    POND_TRY(pq_file_open(&r->file, &r->source, err));
    POND_TRY(form_from_file(&r->form, r->file, r->name, err));
    if (expected_root && memcmp(expected_root, r->form.root_hash, 32) != 0)
        return pond_fail_path(err, POND_ECORRUPT, r->name, "%s: holds the content %s, not the one expected", r->name,
                              r->form.root_hex);
    form_info(&r->form, (uint64_t)st.st_size, &r->info);
    POND_TRY(read_chunks(r, err));
    POND_TRY(make_buffers(r, err));
    POND_TRY(check_root(r, err));
    uint8_t last; /* the size is true when the last block verifies */
    if (r->info.total_size) {
        int64_t n = pond_chunked_read(r, r->info.total_size - 1, &last, 1, err);
        if (n < 0)
            return (int)n;
    }
    return 0;
}

int pond_chunked_open(struct pond_chunked_reader **out, int fd, const char *name, const uint8_t *expected_root,
                      struct pond_error *err)
{
    bao_init();
    struct pond_chunked_reader *r = pond_calloc(1, sizeof(*r));
    if (!r)
        return pond_fail_nomem(err);
    r->name = pond_strdup(name);
    r->fd = dup(fd);
    int e = !r->name ? pond_fail_nomem(err) : r->fd < 0 ? pond_fail(err, POND_EIO, "%s: cannot duplicate its descriptor", name) : 0;
    if (e == 0)
        e = open_file(r, expected_root, err);
    if (e < 0) {
        pond_chunked_close(r);
        return e;
    }
    *out = r;
    return 0;
}

void pond_chunked_close(struct pond_chunked_reader *r)
{
    if (!r)
        return;
    for (uint64_t i = 0; i < r->open_count && r->open; i++) {
        pond_free(r->open[i].leaf_cvs);
        pond_free(r->open[i].frame_offsets);
    }
    pond_free(r->open);
    pond_free(r->outboard);
    pond_free(r->block);
    pond_free(r->packed);
    pond_free(r->frame);
    frame_codec_free(r->codec);
    pond_free(r->chunks);
    form_release(&r->form);
    pq_file_free(r->file);
    os_close(r->fd);
    pond_free(r->name);
    pond_free(r);
}

const struct pond_chunked_info *pond_chunked_reader_info(const struct pond_chunked_reader *r)
{
    return &r->info;
}

/* ---- reading ---- */

static int need_chunk(struct pond_chunked_reader *r, uint64_t id, struct open_chunk **out, struct pond_error *err)
{
    struct open_chunk *o = &r->open[id % r->open_count];
    *out = o;
    if (o->id == id)
        return 0;
    o->id = UINT64_MAX;
    uint64_t blocks = piece_block_count(r->chunks[0].size); /* the largest: slots are reused */
    if (!o->leaf_cvs && !(o->leaf_cvs = pond_alloc(blocks, 32)))
        return pond_fail_nomem(err);
    POND_TRY(load_outboard(r, id, o->leaf_cvs, err));
    if (r->chunks[id].compressed) {
        if (!o->frame_offsets && !(o->frame_offsets = pond_alloc(frames_count(r->chunks[0].size) + 1, sizeof(uint32_t))))
            return pond_fail_nomem(err);
        POND_TRY(reader_frame_offsets(r, id, o->frame_offsets, err));
    }
    o->id = id;
    return 0;
}

static bool block_is_good(const struct pond_chunked_reader *r, const struct open_chunk *o, uint64_t block, const uint8_t *data,
                          size_t size)
{
    uint8_t cv[32];
    pond_chunk_tree(data, size, o->id * r->form.chunk_size + block * POND_BLOCK_SIZE, NULL, cv);
    return memcmp(cv, o->leaf_cvs[block], 32) == 0;
}

/* Makes the frame that holds a block the decoded one, and the block in it a verified one. */
static int need_frame_block(struct pond_chunked_reader *r, const struct open_chunk *o, uint64_t block, size_t size,
                            const uint8_t **data, struct pond_error *err)
{
    const struct form_chunk *c = &r->chunks[o->id];
    uint64_t index = block / BLOCKS_PER_FRAME, in_frame = block % BLOCKS_PER_FRAME;
    if (!r->codec) {
        POND_TRY(frame_codec_new(&r->codec, 1, err));
        r->packed = pond_alloc(1, FRAME_BOUND);
        r->frame = pond_alloc(1, FRAME_SIZE);
        if (!r->packed || !r->frame)
            return pond_fail_nomem(err);
    }
    if (r->frame_chunk != o->id || r->frame_index != index) {
        uint32_t packed = o->frame_offsets[index + 1] - o->frame_offsets[index];
        uint64_t left = c->size - index * FRAME_SIZE;
        struct pond_error why = {0};
        r->frame_chunk = UINT64_MAX;
        POND_TRY(os_pread_exact(r->fd, r->name, r->packed, packed, c->payload + o->frame_offsets[index], err));
        int e = frame_decompress(r->codec, index == 0 ? (int64_t)c->size : -1, r->packed, packed, r->frame,
                                 (size_t)(left < FRAME_SIZE ? left : FRAME_SIZE), &why);
        if (e < 0)
            return pond_fail_path(err, e, r->name, "%s: chunk %llu, frame %llu at offset %llu: %s", r->name,
                                  (unsigned long long)o->id, (unsigned long long)index,
                                  (unsigned long long)(c->payload + o->frame_offsets[index]), why.message);
        r->frame_chunk = o->id;
        r->frame_index = index;
        r->frame_verified = 0;
    }
    *data = r->frame + in_frame * POND_BLOCK_SIZE;
    if (!(r->frame_verified >> in_frame & 1)) {
        if (!block_is_good(r, o, block, *data, size))
            return reader_bad_block(r, o->id, block, err);
        r->frame_verified |= 1u << in_frame;
    }
    return 0;
}

/* One block's part [skip, skip + want) into buf. */
static int read_block(struct pond_chunked_reader *r, const struct open_chunk *o, uint64_t block, size_t skip, size_t want,
                      uint8_t *buf, struct pond_error *err)
{
    const struct form_chunk *c = &r->chunks[o->id];
    uint64_t left = c->size - block * POND_BLOCK_SIZE;
    size_t size = left < POND_BLOCK_SIZE ? (size_t)left : POND_BLOCK_SIZE;
    if (c->compressed) {
        const uint8_t *data;
        POND_TRY(need_frame_block(r, o, block, size, &data, err));
        memcpy(buf, data + skip, want);
        return 0;
    }
    uint8_t *into = want == size ? buf : r->block;
    POND_TRY(os_pread_exact(r->fd, r->name, into, size, c->payload + block * POND_BLOCK_SIZE, err));
    if (!block_is_good(r, o, block, into, size)) {
        memset(buf, 0, want); /* nothing unverified leaves the reader */
        return reader_bad_block(r, o->id, block, err);
    }
    if (into != buf)
        memcpy(buf, into + skip, want);
    return 0;
}

int64_t pond_chunked_read(struct pond_chunked_reader *r, uint64_t offset, void *buf, size_t size, struct pond_error *err)
{
    if (offset >= r->info.total_size)
        return 0;
    if (size > SIZE_MAX / 2)
        size = SIZE_MAX / 2;
    if (size > r->info.total_size - offset)
        size = (size_t)(r->info.total_size - offset);
    uint8_t *out = buf;
    for (size_t done = 0; done < size;) {
        uint64_t at = offset + done;
        uint64_t in_chunk = at % r->form.chunk_size;
        struct open_chunk *o;
        POND_TRY(need_chunk(r, at / r->form.chunk_size, &o, err));
        size_t skip = (size_t)(in_chunk % POND_BLOCK_SIZE);
        size_t want = POND_BLOCK_SIZE - skip < size - done ? POND_BLOCK_SIZE - skip : size - done;
        POND_TRY(read_block(r, o, in_chunk / POND_BLOCK_SIZE, skip, want, out + done, err));
        done += want;
    }
    return (int64_t)size;
}

int pond_chunked_chunk(struct pond_chunked_reader *r, uint64_t chunk_id, struct pond_chunk *out, struct pond_error *err)
{
    if (chunk_id >= r->info.chunk_count)
        return pond_fail_path(err, POND_ENOTFOUND, r->name, "%s: no chunk %llu, there are %llu", r->name,
                              (unsigned long long)chunk_id, (unsigned long long)r->info.chunk_count);
    if (r->outboard_chunk != chunk_id)
        POND_TRY(load_outboard(r, chunk_id, NULL, err));
    const struct form_chunk *c = &r->chunks[chunk_id];
    *out = (struct pond_chunk){
        .chunk_id = chunk_id, .offset = chunk_id * r->form.chunk_size, .size = c->size, .outboard = r->outboard,
        .outboard_size = (size_t)pond_outboard_size(c->size), .compressed = c->compressed, .stored_offset = c->payload,
        .stored_size = c->stored_size,
    };
    memcpy(out->chunk_hash, c->hash, 32);
    return 0;
}
