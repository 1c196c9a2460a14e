/* Writing a chunked file in one pass.
 *
 * The owner's thread fills pieces and submits them; workers read (from a regular file), hash, compress, and write what has
 * a known place; the owner takes them back in order and closes each chunk with its prefix. What is known only at the
 * end (root hash, total size) is patched into the small pages then.
 *
 * Invariants
 *   W1  chunks[0..chunk_count) are closed: their payload and prefix are in the file, `end` is where the last one ends.
 *   W2  The pieces of one chunk are taken in order, so the open chunk's pieces are 0 .. piece_count-1.
 *   W3  A guessed place is only a guess: close_chunk moves the payload when the real one differs (a pipe that ended
 *       inside a chunk, a compressed size whose varint is longer or shorter).
 */
#include <pond/chunked.h>

#include <string.h>
#include <sys/stat.h>

#include "base/pool.h"
#include "chunked/piece.h"

#define PLACE_UNKNOWN UINT64_MAX
#define MAX_SLOTS 8u
#define RESERVE_FROM ((uint64_t)4 << 20)
#define DROP_EVERY ((uint64_t)8 << 20)
#define MOVE_BYTES ((size_t)1 << 20)

/* A piece of the writing pipeline. */
struct write_piece {
    struct piece piece;
    struct pond_chunked_writer *writer;
    uint64_t source_offset;        /* read from the writer's source by the worker; PLACE_UNKNOWN: raw is filled */
    uint64_t write_at;             /* its place; PLACE_UNKNOWN: the owner finds and writes it */
    bool placed;                   /* the bytes are at write_at already, shared with the source */
    uint64_t chunk_length;         /* expected; the length prefix of the first frame */
    bool is_whole;                 /* the piece is the whole file: cv is unused, root is set */
    uint8_t root[32];
};

struct pond_chunked_writer {
    struct write_behind file;
    struct form form;
    struct pond_chunked_options options;
    struct pond_pipeline *pipeline;
    struct frame_codec *codec;     /* the owner's */
    uint64_t size;                 /* of the content; UINT64_MAX: unknown */

    /* filling */
    struct write_piece *filling;
    uint64_t received;             /* bytes in submitted pieces and in filling */
    bool fill_compressed;          /* of the chunk being filled */
    uint64_t fill_payload;         /* its place, or PLACE_UNKNOWN */
    uint64_t fill_end;             /* end of the chunk before it, or PLACE_UNKNOWN */
    int source_fd;
    const char *source_name;
    bool source_clones, source_uncached;
    bool fill_cloned;
    bool any_cloned;
    struct stat source_stat;       /* when cloning began */
    uint64_t dropped;

    /* the open chunk */
    size_t piece_count;
    uint64_t open_size, open_stored, open_payload;
    bool open_compressed;
    uint8_t cvs[MAX_PIECES][32];
    uint8_t *piece_outboards;      /* MAX_PIECES x PIECE_PAIRS pairs, as far as the chunk size needs */
    uint8_t *outboard;             /* of the chunk last closed */
    uint32_t frame_sizes[MAX_FRAMES];
    size_t frame_count;
    uint8_t *first_frame;          /* content of the chunk's first frame, while its length is a guess */
    size_t first_frame_size;
    bool have_root;
    uint8_t root[32];

    /* closed chunks */
    struct form_chunk *chunks;
    size_t chunk_count, chunk_capacity;
    uint64_t end;
    struct pond_buf scratch;
    int failed;                    /* sticky */
};

/* ---- the worker's part ---- */

static int compress_piece(struct write_piece *wp, struct pond_error *err)
{
    struct piece *p = &wp->piece;
    POND_TRY(piece_need_codec(p, wp->writer->form.level, err));
    p->frames = 0;
    for (size_t at = 0; at < p->size; at += FRAME_SIZE) {
        size_t n = p->size - at < FRAME_SIZE ? p->size - at : FRAME_SIZE;
        int64_t prefix = p->offset + at == 0 ? (int64_t)wp->chunk_length : -1;
        int64_t packed = frame_compress(p->codec, prefix, p->raw + at, n, p->packed + p->frames * FRAME_BOUND, err);
        if (packed < 0)
            return (int)packed;
        p->frame_sizes[p->frames++] = (uint32_t)packed;
    }
    return 0;
}

static int work(struct write_piece *wp, struct pond_error *err)
{
    struct pond_chunked_writer *w = wp->writer;
    struct piece *p = &wp->piece;
    if (wp->source_offset != PLACE_UNKNOWN) {
        ssize_t n = os_pread(w->source_fd, w->source_name, p->raw, p->size, wp->source_offset, err);
        if (n < 0)
            return (int)n;
        if ((size_t)n < p->size)
            return pond_fail_path(err, POND_EFAILED, w->source_name, "%s: shrank while it was read: ends at %llu of %llu bytes",
                                  w->source_name, (unsigned long long)wp->source_offset + (size_t)n,
                                  (unsigned long long)w->size);
    }
    pond_chunk_tree(p->raw, p->size, p->content_offset, p->outboard, p->cv);
    if (wp->is_whole && p->size <= POND_BLOCK_SIZE) /* no pair to finalise as the root */
        bao_root(p->raw, p->size, NULL, wp->root);
    else if (wp->is_whole)
        bao_parent(p->outboard, p->outboard + 32, true, wp->root);
    if (p->compressed)
        return compress_piece(wp, err);
    if (wp->write_at != PLACE_UNKNOWN && !wp->placed)
        return os_pwrite(w->file.fd, w->file.path, p->raw, p->size, wp->write_at, err);
    return 0;
}

static void work_job(void *context, void *slot)
{
    (void)context;
    struct write_piece *wp = slot;
    wp->piece.error.code = 0;
    int r = work(wp, &wp->piece.error);
    if (r < 0)
        wp->piece.error.code = r;
}

/* ---- closing a chunk ---- */

/* Bytes that follow the payload's place have been written at `from` and belong at `to`. */
static int move_bytes(struct pond_chunked_writer *w, uint64_t from, uint64_t to, uint64_t size, struct pond_error *err)
{
    if (from == to || size == 0)
        return 0;
    uint8_t *buf = pond_alloc(1, MOVE_BYTES);
    if (!buf)
        return pond_fail_nomem(err);
    int r = 0;
    for (uint64_t done = 0; r == 0 && done < size;) {
        uint64_t n = size - done < MOVE_BYTES ? size - done : MOVE_BYTES;
        uint64_t at = to < from ? done : size - done - n; /* overlapping: front to back, or back to front */
        r = os_pread_exact(w->file.fd, w->file.path, buf, n, from + at, err);
        if (r == 0)
            r = os_pwrite(w->file.fd, w->file.path, buf, n, to + at, err);
        done += n;
    }
    pond_free(buf);
    return r;
}

/* The open chunk's tree from its pieces. */
static void join_pieces(struct pond_chunked_writer *w, uint8_t hash[32])
{
    uint64_t blocks = piece_block_count(w->open_size);
    for (size_t i = 0; i < w->piece_count; i++) {
        uint64_t first = i * PIECE_BLOCKS;
        uint64_t count = blocks - first < PIECE_BLOCKS ? blocks - first : PIECE_BLOCKS;
        if (count > 1)
            memcpy(w->outboard + bao_piece_pair_index(blocks, first, count) * POND_PAIR_SIZE,
                   w->piece_outboards + i * PIECE_PAIRS * POND_PAIR_SIZE, (count - 1) * POND_PAIR_SIZE);
    }
    bao_join((const uint8_t (*)[32])w->cvs, w->piece_count, PIECE_BLOCKS, blocks, w->outboard, hash);
}

/* The chunk turned out shorter than its first frame says: that frame is made again, the others follow it. */
static int correct_first_frame(struct pond_chunked_writer *w, struct pond_error *err)
{
    pond_buf_clear(&w->scratch);
    if (pond_buf_reserve(&w->scratch, FRAME_BOUND) < 0)
        return pond_buf_error(&w->scratch, err);
    int64_t n = frame_compress(w->codec, (int64_t)w->open_size, w->first_frame, w->first_frame_size, w->scratch.data, err);
    if (n < 0)
        return (int)n;
    uint64_t old = w->frame_sizes[0], rest = w->open_stored - old;
    POND_TRY(move_bytes(w, w->open_payload + old, w->open_payload + (uint64_t)n, rest, err));
    w->frame_sizes[0] = (uint32_t)n;
    w->open_stored = (uint64_t)n + rest;
    return os_pwrite(w->file.fd, w->file.path, w->scratch.data, (size_t)n, w->open_payload, err);
}

static int write_seek_table(struct pond_chunked_writer *w, struct pond_error *err)
{
    pond_buf_clear(&w->scratch);
    frames_table_encode(&w->scratch, w->frame_sizes, w->frame_count, w->open_size);
    POND_TRY(pond_buf_error(&w->scratch, err));
    POND_TRY(os_pwrite(w->file.fd, w->file.path, w->scratch.data, w->scratch.size, w->open_payload + w->open_stored, err));
    w->open_stored += w->scratch.size;
    return 0;
}

/* Filler and prefix, from the end of the chunk before; the file's magic before the first. */
static int write_prefix(struct pond_chunked_writer *w, uint64_t id, const struct form_chunk *c, struct pond_error *err)
{
    pond_buf_clear(&w->scratch);
    uint64_t from = w->end;
    if (id == 0) {
        pond_buf_append(&w->scratch, PQ_MAGIC, 4);
        from = 0;
    }
    pond_buf_append_zeros(&w->scratch, c->start - w->end);
    form_prefix(&w->scratch, &w->form, id, c, w->outboard);
    POND_TRY(pond_buf_error(&w->scratch, err));
    return os_pwrite(w->file.fd, w->file.path, w->scratch.data, w->scratch.size, from, err);
}

static int push_chunk(struct pond_chunked_writer *w, const struct form_chunk *c, struct pond_error *err)
{
    if (w->chunk_count == w->chunk_capacity) {
        size_t capacity = w->chunk_capacity ? w->chunk_capacity * 2 : 4;
        struct form_chunk *more = pond_realloc(w->chunks, capacity, sizeof(*more));
        if (!more)
            return pond_fail_nomem(err);
        w->chunks = more;
        w->chunk_capacity = capacity;
    }
    w->chunks[w->chunk_count++] = *c;
    w->end = form_chunk_end(c);
    return 0;
}

static int close_chunk(struct pond_chunked_writer *w, bool last, struct pond_error *err)
{
    struct form_chunk c = {.size = w->open_size, .compressed = w->open_compressed};
    if (w->open_compressed) {
        if (w->first_frame && w->open_size < w->form.chunk_size)
            POND_TRY(correct_first_frame(w, err));
        POND_TRY(write_seek_table(w, err));
    }
    c.stored_size = w->open_stored;
    join_pieces(w, c.hash);
    form_place(&w->form, w->end, &c);
    POND_TRY(move_bytes(w, w->open_payload, c.payload, c.stored_size, err));
    if (last && w->chunk_count == 0 && w->have_root)
        form_set_content(&w->form, w->root, w->open_size); /* all is known: no patch later */
    POND_TRY(write_prefix(w, w->chunk_count, &c, err));
    w->piece_count = 0;
    w->open_size = w->open_stored = 0;
    w->frame_count = 0;
    return push_chunk(w, &c, err);
}

/* ---- the owner's part ---- */

/* Where a chunk's payload will probably be: exact unless the chunk is compressed or turns out shorter. */
static uint64_t guess_payload(const struct pond_chunked_writer *w, uint64_t end_before, uint64_t length, bool compressed)
{
    struct form_chunk c = {.size = length, .stored_size = compressed ? length / 4 + 64 : length, .compressed = compressed};
    form_place(&w->form, end_before, &c);
    return c.payload;
}

static int keep_frames(struct pond_chunked_writer *w, const struct piece *p, struct pond_error *err)
{
    if (p->offset == 0 && w->first_frame) {
        w->first_frame_size = p->size < FRAME_SIZE ? p->size : FRAME_SIZE;
        memcpy(w->first_frame, p->raw, w->first_frame_size);
    }
    size_t total = p->frame_sizes[0];
    for (unsigned i = 1; i < p->frames; i++) { /* close the gaps between the frames' bounds: one write */
        memmove(p->packed + total, p->packed + i * FRAME_BOUND, p->frame_sizes[i]);
        total += p->frame_sizes[i];
    }
    memcpy(w->frame_sizes + w->frame_count, p->frame_sizes, p->frames * sizeof(p->frame_sizes[0]));
    w->frame_count += p->frames;
    POND_TRY(os_pwrite(w->file.fd, w->file.path, p->packed, total, w->open_payload + w->open_stored, err));
    w->open_stored += total;
    return 0;
}

static int take_in(struct pond_chunked_writer *w, struct write_piece *wp, struct pond_error *err)
{
    struct piece *p = &wp->piece;
    if (p->error.code < 0) {
        if (err)
            *err = p->error;
        return p->error.code;
    }
    if (p->offset == 0) {
        w->open_compressed = p->compressed;
        w->open_payload = wp->write_at != PLACE_UNKNOWN
                              ? wp->write_at
                              : guess_payload(w, w->end, wp->chunk_length, p->compressed);
    }
    memcpy(w->cvs[w->piece_count], p->cv, 32);
    memcpy(w->piece_outboards + w->piece_count * PIECE_PAIRS * POND_PAIR_SIZE, p->outboard,
           (piece_block_count(p->size) - 1) * POND_PAIR_SIZE);
    w->piece_count++;
    w->open_size += p->size;
    if (wp->is_whole) {
        memcpy(w->root, wp->root, 32);
        w->have_root = true;
    }
    if (p->compressed) {
        POND_TRY(keep_frames(w, p, err));
    } else {
        if (wp->write_at == PLACE_UNKNOWN)
            POND_TRY(os_pwrite(w->file.fd, w->file.path, p->raw, p->size, w->open_payload + p->offset, err));
        w->open_stored += p->size;
    }
    control_progress(&w->options.control, p->size);
    if (!wp->placed)
        write_behind_advance(&w->file, w->open_payload + w->open_stored);
    return w->open_size == w->form.chunk_size ? close_chunk(w, false, err) : 0;
}

/* 1: a piece was taken in; 0: none was under way. */
static int take_one(struct pond_chunked_writer *w, struct pond_error *err)
{
    struct write_piece *wp = pond_pipeline_take(w->pipeline);
    if (!wp)
        return 0;
    int r = take_in(w, wp, err);
    if (w->source_uncached && wp->source_offset != PLACE_UNKNOWN && wp->source_offset - w->dropped >= DROP_EVERY) {
        os_fadvise_dontneed(w->source_fd, w->dropped, wp->source_offset - w->dropped);
        w->dropped = wp->source_offset;
    }
    pond_pipeline_put_back(w->pipeline, wp);
    return r < 0 ? r : 1;
}

static int drain(struct pond_chunked_writer *w, struct pond_error *err)
{
    int r;
    while ((r = take_one(w, err)) > 0)
        ;
    return r;
}

static int need_slot(struct pond_chunked_writer *w, struct pond_error *err)
{
    while (!w->filling) {
        w->filling = pond_pipeline_free_slot(w->pipeline);
        if (!w->filling)
            POND_TRY(take_one(w, err));
    }
    struct write_piece *wp = w->filling;
    struct piece *p = &wp->piece;
    if (!p->raw) {
        if (!(p->raw = pond_alloc(1, (size_t)(w->size < FORM_PIECE ? w->size : FORM_PIECE))))
            return pond_fail_nomem(err);
    }
    wp->writer = w;
    wp->source_offset = wp->write_at = PLACE_UNKNOWN;
    wp->is_whole = wp->placed = false;
    p->size = 0;
    p->content_offset = w->received;
    p->chunk_id = w->received / w->form.chunk_size;
    p->offset = w->received % w->form.chunk_size;
    return 0;
}

static int decide_compression(struct pond_chunked_writer *w, struct piece *p, struct pond_error *err)
{
    w->fill_compressed = false;
    if (w->form.compression == POND_COMPRESSION_NONE || p->size == 0)
        return 0;
    if (!w->codec)
        POND_TRY(frame_codec_new(&w->codec, w->form.level, err));
    int pays = w->form.compression == POND_COMPRESSION_ZSTD ? 1 : frame_probe(w->codec, p->raw, p->size, err);
    if (pays < 0)
        return pays;
    w->fill_compressed = pays == 1;
    if (w->fill_compressed && w->size == UINT64_MAX && !w->first_frame &&
        !(w->first_frame = pond_alloc(1, FRAME_SIZE)))
        return pond_fail_nomem(err);
    return 0;
}

/* A large file whose beginning does not compress will probably take its own size: the file system then finds the place for all of it
 * at once. Only a hint (finish cuts what was too much, and a write that does not fit says so itself). */
static void reserve(struct pond_chunked_writer *w)
{
    uint64_t prefix = pond_outboard_size(w->form.chunk_size) + w->form.small_size + OS_BLOCK;
    uint64_t size = w->size + form_chunk_count(w->size, w->form.chunk_size) * prefix;
    if (os_preallocate(w->file.fd, w->file.path, size, NULL) < 0)
        return;
}

/* The first piece of a chunk decides how the chunk is held and, if it can be known already, where. */
static int begin_chunk(struct pond_chunked_writer *w, struct write_piece *wp, struct pond_error *err)
{
    POND_TRY(decide_compression(w, &wp->piece, err));
    uint64_t end = w->fill_end;
    if (w->source_clones && !w->fill_compressed && end == PLACE_UNKNOWN)
        POND_TRY(drain(w, err));
    if (w->chunk_count == wp->piece.chunk_id) /* everything before is closed */
        end = w->end;
    w->fill_payload = w->fill_end = PLACE_UNKNOWN;
    w->fill_cloned = false;
    if (w->fill_compressed || end == PLACE_UNKNOWN)
        return 0;
    w->fill_payload = guess_payload(w, end, wp->chunk_length, false);
    w->fill_end = w->fill_payload + wp->chunk_length;
    if (w->source_clones) {
        int r = os_clone_range(w->source_fd, wp->piece.content_offset, wp->chunk_length, w->file.fd, w->fill_payload,
                               w->file.path, err);
        if (r < 0)
            return r;
        w->source_clones = w->fill_cloned = r == 1;
        w->any_cloned |= w->fill_cloned;
    }
    if (wp->piece.chunk_id == 0 && !w->fill_cloned && w->size != UINT64_MAX && w->size >= RESERVE_FROM)
        reserve(w);
    return 0;
}

static int submit(struct pond_chunked_writer *w, bool last, struct pond_error *err)
{
    struct write_piece *wp = w->filling;
    struct piece *p = &wp->piece;
    POND_TRY(control_cancelled(&w->options.control, err));
    uint64_t left = w->size == UINT64_MAX ? UINT64_MAX : w->size - (p->content_offset - p->offset);
    wp->chunk_length = left < w->form.chunk_size ? left : w->form.chunk_size;
    wp->is_whole = last && p->content_offset == 0;
    if (wp->is_whole)
        wp->chunk_length = p->size;
    if (p->offset == 0)
        POND_TRY(begin_chunk(w, wp, err));
    p->compressed = w->fill_compressed;
    wp->placed = w->fill_cloned;
    if (w->fill_payload != PLACE_UNKNOWN)
        wp->write_at = w->fill_payload + p->offset;
    w->filling = NULL;
    pond_pipeline_submit(w->pipeline, wp);
    return 0;
}

/* A full piece waits in `filling` until it is known whether more follows: the last one may be the whole file. */
static int next_piece(struct pond_chunked_writer *w, struct pond_error *err)
{
    if (w->filling && w->filling->piece.size == FORM_PIECE)
        POND_TRY(submit(w, false, err));
    return w->filling ? 0 : need_slot(w, err);
}

static int write_bytes(struct pond_chunked_writer *w, const uint8_t *bytes, size_t size, struct pond_error *err)
{
    if (size > w->size - w->received)
        return pond_fail_path(err, POND_EUSAGE, w->file.path, "%s: more content than the %llu bytes announced",
                              w->file.path, (unsigned long long)w->size);
    while (size) {
        POND_TRY(next_piece(w, err));
        struct piece *p = &w->filling->piece;
        size_t n = FORM_PIECE - p->size < size ? FORM_PIECE - p->size : size;
        memcpy(p->raw + p->size, bytes, n);
        p->size += n;
        w->received += n;
        bytes += n;
        size -= n;
    }
    return 0;
}

/* A pipe, or anything else without a known size. */
static int write_stream(struct pond_chunked_writer *w, struct pond_error *err)
{
    for (;;) {
        POND_TRY(next_piece(w, err));
        struct piece *p = &w->filling->piece;
        ssize_t n = os_read(w->source_fd, w->source_name, p->raw + p->size, FORM_PIECE - p->size, err);
        if (n < 0)
            return (int)n;
        p->size += (size_t)n;
        w->received += (uint64_t)n;
        if (n == 0 || p->size < FORM_PIECE) /* os_read gives less only at the end */
            return 0;
    }
}

static int write_regular(struct pond_chunked_writer *w, struct pond_error *err)
{
    while (w->received < w->size) {
        POND_TRY(next_piece(w, err));
        struct write_piece *wp = w->filling;
        struct piece *p = &wp->piece;
        uint64_t left = w->size - w->received;
        p->size = left < FORM_PIECE ? left : FORM_PIECE;
        wp->source_offset = w->received;
        if (p->offset == 0 && w->form.compression != POND_COMPRESSION_NONE) { /* its bytes decide about the chunk */
            POND_TRY(os_pread_exact(w->source_fd, w->source_name, p->raw, p->size, w->received, err));
            wp->source_offset = PLACE_UNKNOWN;
        }
        w->received += p->size;
        if (p->size < FORM_PIECE)
            break;
    }
    return 0;
}

static int begin_source(struct pond_chunked_writer *w, int fd, const char *name, struct pond_error *err)
{
    w->source_fd = fd;
    w->source_name = name;
    if (w->size == UINT64_MAX)
        return 0;
    POND_TRY(os_fstat(fd, name, &w->source_stat, err));
    w->source_clones = S_ISREG(w->source_stat.st_mode) && w->size >= FORM_PIECE;
    if (w->size >= FORM_PIECE) {
        w->source_uncached = os_cached_256th(fd, w->size) < 64;
        os_fadvise_sequential(fd);
    }
    return 0;
}

static int sticky(struct pond_chunked_writer *w, int r)
{
    if (r < 0)
        w->failed = r;
    return r;
}

static int refuse_failed(const struct pond_chunked_writer *w, struct pond_error *err)
{
    return w->failed ? pond_fail(err, w->failed, "%s: writing failed before", w->file.path) : 0;
}

int pond_chunked_write(struct pond_chunked_writer *w, const void *bytes, size_t size, struct pond_error *err)
{
    POND_TRY(refuse_failed(w, err));
    return sticky(w, write_bytes(w, bytes, size, err));
}

int pond_chunked_write_fd(struct pond_chunked_writer *w, int src_fd, const char *src_name, struct pond_error *err)
{
    POND_TRY(refuse_failed(w, err));
    int r = begin_source(w, src_fd, src_name, err);
    if (r == 0)
        r = w->size == UINT64_MAX ? write_stream(w, err) : write_regular(w, err);
    return sticky(w, r);
}

/* ---- finishing ---- */

static int find_root(struct pond_chunked_writer *w, struct pond_error *err)
{
    if (w->have_root)
        return 0;
    uint8_t (*hashes)[32] = pond_alloc(w->chunk_count, 32);
    if (!hashes)
        return pond_fail_nomem(err);
    for (size_t i = 0; i < w->chunk_count; i++)
        memcpy(hashes[i], w->chunks[i].hash, 32);
    int r = pond_combine_chunk_hashes((const uint8_t (*)[32])hashes, w->chunk_count, w->received, w->form.chunk_size,
                                      w->outboard, NULL, w->root);
    pond_free(hashes);
    return r < 0 ? pond_fail(err, r, "%s: chunk hashes do not combine", w->file.path) : 0;
}

static int patch_small_pages(struct pond_chunked_writer *w, struct pond_error *err)
{
    for (size_t i = 0; i < w->chunk_count; i++) {
        pond_buf_clear(&w->scratch);
        form_small_pages(&w->scratch, &w->form, i, &w->chunks[i]);
        POND_TRY(pond_buf_error(&w->scratch, err));
        POND_TRY(os_pwrite(w->file.fd, w->file.path, w->scratch.data, w->scratch.size, w->chunks[i].start, err));
    }
    return 0;
}

static int emit_footer(void *context, const uint8_t *bytes, size_t size, struct pond_error *err)
{
    struct pond_chunked_writer *w = context;
    POND_TRY(os_pwrite(w->file.fd, w->file.path, bytes, size, w->end, err));
    w->end += size;
    return 0;
}

/* Blocks were shared with the source, and hashed from the source's pages: did it stay the same meanwhile? */
static int confirm_clone(struct pond_chunked_writer *w, struct pond_error *err)
{
    struct stat now;
    POND_TRY(os_fstat(w->source_fd, w->source_name, &now, err));
    const struct stat *then = &w->source_stat;
    if (now.st_size == then->st_size && now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == then->st_mtim.tv_nsec && now.st_ctim.tv_sec == then->st_ctim.tv_sec &&
        now.st_ctim.tv_nsec == then->st_ctim.tv_nsec)
        return 0;
    if (pond_chunked_verify(w->file.fd, w->file.path, w->root, false, &w->options.control, NULL, NULL) == 0)
        return 0;
    return pond_fail_path(err, POND_EFAILED, w->source_name, "%s: changed while it was read", w->source_name);
}

static int finish(struct pond_chunked_writer *w, struct pond_chunked_info *info, struct pond_error *err)
{
    if (w->size != UINT64_MAX && w->received != w->size)
        return pond_fail_path(err, POND_EUSAGE, w->file.path, "%s: %llu bytes of content instead of the %llu announced",
                              w->file.path, (unsigned long long)w->received, (unsigned long long)w->size);
    if (!w->filling && w->received == 0)
        POND_TRY(need_slot(w, err));
    if (w->filling && (w->filling->piece.size || w->received == 0))
        POND_TRY(submit(w, true, err));
    POND_TRY(drain(w, err));
    if (w->piece_count)
        POND_TRY(close_chunk(w, true, err));
    POND_TRY(find_root(w, err));
    bool patched = w->chunk_count == 1 && w->form.total_size == w->received && w->have_root;
    form_set_content(&w->form, w->root, w->received);
    if (!patched)
        POND_TRY(patch_small_pages(w, err));
    POND_TRY(form_footer(&w->form, w->chunks, w->chunk_count, emit_footer, w, err));
    POND_TRY(os_ftruncate(w->file.fd, w->file.path, w->end, err)); /* a payload that was moved may have reached further */
    if (w->any_cloned)
        POND_TRY(confirm_clone(w, err));
    form_info(&w->form, w->end, info);
    return 0;
}

int pond_chunked_writer_finish(struct pond_chunked_writer *w, struct pond_chunked_info *info, struct pond_error *err)
{
    POND_TRY(refuse_failed(w, err));
    return sticky(w, finish(w, info, err));
}

/* ---- making, freeing ---- */

static int check_options(const struct pond_chunked_options *o, struct pond_error *err)
{
    uint64_t n = o->chunk_size;
    if (n && (n < POND_CHUNK_SIZE_MIN || n > POND_CHUNK_SIZE_MAX || (n & (n - 1)) != 0))
        return pond_fail(err, POND_EUSAGE, "chunk size %llu is not a power of two of 4 MiB to 64 MiB", (unsigned long long)n);
    if (o->compression > POND_COMPRESSION_NONE || o->level < 0 || o->level > 19)
        return pond_fail(err, POND_EUSAGE, "compression level %d is not one of 1 to 19", o->level);
    return 0;
}

static int make(struct pond_chunked_writer *w, struct pond_error *err)
{
    const struct pond_chunked_options *o = &w->options;
    char compressor[FORM_COMPRESSOR_SIZE];
    form_own_compressor(compressor);
    uint64_t chunk_size = o->chunk_size ? o->chunk_size
                          : w->size != UINT64_MAX && w->size > ((uint64_t)64 << 30) ? POND_CHUNK_SIZE_MAX
                                                                                   : POND_CHUNK_SIZE_DEFAULT;
    POND_TRY(form_init(&w->form, chunk_size, o->txn_id, o->compression, o->level ? o->level : 1, compressor, err));
    uint64_t most = w->size < chunk_size ? w->size : chunk_size;
    size_t pieces = most == 0 ? 1 : (size_t)((most - 1) / FORM_PIECE + 1);
    w->piece_outboards = pond_alloc(pieces * PIECE_PAIRS, POND_PAIR_SIZE);
    w->outboard = pond_alloc(pieces * PIECE_BLOCKS, POND_PAIR_SIZE);
    if (!w->piece_outboards || !w->outboard)
        return pond_fail_nomem(err);
    unsigned workers = control_workers(&o->control, w->size);
    unsigned slots = workers ? MAX_SLOTS : 1;
    return pond_pipeline_new(&w->pipeline, workers, slots, sizeof(struct write_piece), work_job, w, err);
}

int pond_chunked_writer_new(struct pond_chunked_writer **out, int fd, const char *path, uint64_t size,
                            const struct pond_chunked_options *options, struct pond_error *err)
{
    POND_TRY(check_options(options, err));
    bao_init();
    struct pond_chunked_writer *w = pond_calloc(1, sizeof(*w));
    if (!w)
        return pond_fail_nomem(err);
    w->options = *options;
    w->size = size;
    w->source_fd = -1;
    w->file = (struct write_behind){.fd = fd, .path = path};
    w->end = w->fill_end = sizeof(PQ_MAGIC) - 1;
    pond_buf_init(&w->scratch, 2 * FORM_MAX_PREFIX);
    int r = make(w, err);
    if (r < 0) {
        pond_chunked_writer_free(w);
        return r;
    }
    *out = w;
    return 0;
}

void pond_chunked_writer_free(struct pond_chunked_writer *w)
{
    if (!w)
        return;
    if (w->pipeline) {
        while (pond_pipeline_take(w->pipeline)) /* workers still use the slots' buffers */
            ;
        pond_pipeline_each(w->pipeline, piece_release);
        pond_pipeline_free(w->pipeline);
    }
    frame_codec_free(w->codec);
    form_release(&w->form);
    pond_free(w->piece_outboards);
    pond_free(w->outboard);
    pond_free(w->first_frame);
    pond_free(w->chunks);
    pond_buf_release(&w->scratch);
    pond_free(w);
}
