/* Whole passes over a chunked file: extract its content, verify it to the byte, copy it literally. All three read each payload
 * once, in pieces, on the workers; the owner takes pieces in order and compares everything else with the one form.
 */
#include <pond/chunked.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "chunked/reader.h"

#define SCAN_SLOTS 8u
#define SCAN_CHUNKS 4u /* under way at once: the slots' pieces belong to no more of them (a chunk has >= 4 pieces, the last may have 1) */
#define DROP_EVERY ((uint64_t)8 << 20)

/* A chunk under way. */
struct scan_chunk {
    uint64_t id;
    uint8_t *prefix;               /* from the end of the chunk before to the payload: filler and pages */
    size_t prefix_size;
    const uint8_t *outboard;       /* in prefix */
    bool outboard_good;
    uint8_t (*leaf_cvs)[32];
    uint32_t *frame_offsets;
    unsigned pending;              /* pieces not taken in */
    size_t taken;
    uint8_t (*cvs)[32];            /* of the pieces, when the outboard is damaged and the tree is made again */
};

struct scan {
    struct pond_chunked_reader *r;
    const struct pond_control *control;
    struct pond_pipeline *pipeline;
    struct scan_chunk chunks[SCAN_CHUNKS];
    bool exact;                    /* compare with the form */
    bool go_on;                    /* verify: damage outside the content does not end the pass */
    bool recompress;
    struct write_behind *copy;     /* literal copy of the bundle, or NULL */
    struct write_behind *extract;  /* the content at its offsets, or NULL */
    int stream_fd;                 /* the content in order, or -1 */
    const char *stream_name;
    bool hash_form;
    struct bao_hasher *form_hasher;
    struct pond_buf expected;
    struct pond_error form_damage; /* the first byte that is not of the form; code 0: none */
    bool uncached;
    uint64_t dropped;
};

struct scan_piece {
    struct piece piece;
    struct scan *scan;
    struct scan_chunk *chunk;
    uint64_t stored_offset;        /* in the bundle */
    size_t stored_size;            /* compressed: of its frames together */
    bool differs;                  /* recompressed: not what the compressor here gives */
};

/* ---- the worker's part ---- */

static int frame_error(const struct scan_piece *sp, uint64_t frame, int code, const char *why, struct pond_error *err)
{
    const struct pond_chunked_reader *r = sp->scan->r;
    return pond_fail_path(err, code, r->name, "%s: chunk %llu, frame %llu (payload at offset %llu): %s", r->name,
                          (unsigned long long)sp->chunk->id, (unsigned long long)frame,
                          (unsigned long long)sp->stored_offset, why);
}

static int decode_frames(struct scan_piece *sp, struct pond_error *err)
{
    struct piece *p = &sp->piece;
    const struct form_chunk *c = &sp->scan->r->chunks[sp->chunk->id];
    const uint8_t *from = p->packed;
    for (unsigned i = 0; i < p->frames; i++) {
        size_t at = i * FRAME_SIZE;
        size_t n = p->size - at < FRAME_SIZE ? p->size - at : FRAME_SIZE;
        int64_t prefix = p->offset + at == 0 ? (int64_t)c->size : -1;
        struct pond_error why = {0};
        int e = frame_decompress(p->codec, prefix, from, p->frame_sizes[i], p->raw + at, n, &why);
        if (e < 0)
            return frame_error(sp, p->offset / FRAME_SIZE + i, e, why.message, err);
        from += p->frame_sizes[i];
    }
    return 0;
}

/* Malleable bytes inside a frame that still decodes: only making it again finds them. */
static int compare_frames(struct scan_piece *sp, struct pond_error *err)
{
    struct piece *p = &sp->piece;
    const struct form_chunk *c = &sp->scan->r->chunks[sp->chunk->id];
    const uint8_t *from = p->packed;
    uint8_t *again = pond_alloc(1, FRAME_BOUND);
    if (!again)
        return pond_fail_nomem(err);
    int e = 0;
    for (unsigned i = 0; e == 0 && i < p->frames; i++) {
        size_t at = i * FRAME_SIZE;
        size_t n = p->size - at < FRAME_SIZE ? p->size - at : FRAME_SIZE;
        int64_t made = frame_compress(p->codec, p->offset + at == 0 ? (int64_t)c->size : -1, p->raw + at, n, again, err);
        if (made < 0)
            e = (int)made;
        else if ((uint64_t)made != p->frame_sizes[i] || memcmp(again, from, (size_t)made) != 0)
            sp->differs = true;
        from += p->frame_sizes[i];
    }
    pond_free(again);
    return e;
}

static int check_tree(const struct scan_piece *sp, struct pond_error *err)
{
    const struct piece *p = &sp->piece;
    const struct scan_chunk *sc = sp->chunk;
    const struct form_chunk *c = &sp->scan->r->chunks[sc->id];
    if (!sc->outboard_good)
        return 0; /* the owner makes the whole tree again */
    uint64_t first = p->offset / POND_BLOCK_SIZE, count = piece_block_count(p->size);
    if (count == 1) {
        if (memcmp(p->cv, sc->leaf_cvs[first], 32) == 0)
            return 0;
        return reader_bad_block(sp->scan->r, sc->id, first, err);
    }
    const uint8_t *pairs = sc->outboard + bao_piece_pair_index(piece_block_count(c->size), first, count) * POND_PAIR_SIZE;
    if (memcmp(pairs, p->outboard, (count - 1) * POND_PAIR_SIZE) == 0)
        return 0; /* the outboard is verified: equal pairs say that every block is */
    uint64_t block = first;
    for (uint64_t i = 0; i < count; i++) {
        uint8_t cv[32];
        uint64_t at = i * POND_BLOCK_SIZE, left = p->size - at;
        pond_chunk_tree(p->raw + at, (size_t)(left < POND_BLOCK_SIZE ? left : POND_BLOCK_SIZE), p->content_offset + at, NULL, cv);
        if (memcmp(cv, sc->leaf_cvs[first + i], 32) != 0) {
            block = first + i;
            break;
        }
    }
    return reader_bad_block(sp->scan->r, sc->id, block, err);
}

static int scan_work(struct scan_piece *sp, struct pond_error *err)
{
    struct scan *s = sp->scan;
    struct piece *p = &sp->piece;
    uint8_t *stored = p->compressed ? p->packed : p->raw;
    size_t stored_size = p->compressed ? sp->stored_size : p->size;
    POND_TRY(os_pread_exact(s->r->fd, s->r->name, stored, stored_size, sp->stored_offset, err));
    if (p->compressed)
        POND_TRY(decode_frames(sp, err));
    pond_chunk_tree(p->raw, p->size, p->content_offset, p->outboard, p->cv);
    POND_TRY(check_tree(sp, err));
    if (p->compressed && s->recompress)
        POND_TRY(compare_frames(sp, err));
    if (s->copy)
        return os_pwrite(s->copy->fd, s->copy->path, stored, stored_size, sp->stored_offset, err);
    if (s->extract)
        return os_pwrite(s->extract->fd, s->extract->path, p->raw, p->size, p->content_offset, err);
    return 0;
}

static void scan_job(void *context, void *slot)
{
    (void)context;
    struct scan_piece *sp = slot;
    sp->piece.error.code = 0;
    sp->differs = false;
    int r = scan_work(sp, &sp->piece.error);
    if (r < 0)
        sp->piece.error.code = r;
}

/* ---- the form ---- */

static int damage_of_form(struct scan *s, struct pond_error *err, const char *format, uint64_t chunk, uint64_t offset)
{
    char text[160];
    snprintf(text, sizeof(text), format, (unsigned long long)chunk, (unsigned long long)offset);
    if (!s->go_on)
        return pond_fail_path(err, POND_ECORRUPT, s->r->name, "%s: %s", s->r->name, text);
    if (s->form_damage.code == 0)
        pond_fail_path(&s->form_damage, POND_ECORRUPT, s->r->name, "%s: %s", s->r->name, text);
    return 0;
}

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t size)
{
    size_t i = 0;
    while (i < size && a[i] == b[i])
        i++;
    return i;
}

static int check_prefix(struct scan *s, struct scan_chunk *sc, uint64_t from, struct pond_error *err)
{
    const struct form_chunk *c = &s->r->chunks[sc->id];
    pond_buf_clear(&s->expected);
    if (sc->id == 0)
        pond_buf_append(&s->expected, PQ_MAGIC, 4);
    pond_buf_append_zeros(&s->expected, c->start - from - (sc->id == 0 ? 4 : 0));
    form_prefix(&s->expected, &s->r->form, sc->id, c, sc->outboard);
    POND_TRY(pond_buf_error(&s->expected, err));
    size_t at = first_difference(s->expected.data, sc->prefix, sc->prefix_size);
    if (at == sc->prefix_size)
        return 0;
    return damage_of_form(s, err, "row group %llu: wrong byte at offset %llu, before its payload", sc->id, from + at);
}

static int open_outboard(struct scan *s, struct scan_chunk *sc, struct pond_error *err)
{
    const struct form_chunk *c = &s->r->chunks[sc->id];
    size_t size = (size_t)pond_outboard_size(c->size);
    uint64_t at = reader_outboard_offset(c);
    sc->outboard = sc->prefix + sc->prefix_size - (c->payload - at);
    sc->outboard_good = true;
    if (size == 0) {
        memcpy(sc->leaf_cvs[0], c->hash, 32);
        return 0;
    }
    if (bao_outboard_open(c->hash, false, c->size, sc->outboard, size, sc->leaf_cvs) == 0)
        return 0;
    sc->outboard_good = false;
    return damage_of_form(s, err, "chunk %llu: its outboard at offset %llu does not match its hash", sc->id, at);
}

struct footer_check {
    struct scan *s;
    uint64_t at;
    uint8_t *bytes;
    size_t capacity;
    bool damaged;
};

static int footer_part(void *context, const uint8_t *expected, size_t size, struct pond_error *err)
{
    struct footer_check *f = context;
    struct scan *s = f->s;
    if (size > f->capacity) {
        uint8_t *more = pond_realloc(f->bytes, size, 1);
        if (!more)
            return pond_fail_nomem(err);
        f->bytes = more;
        f->capacity = size;
    }
    uint64_t left = s->r->info.file_size - f->at;
    size_t n = left < size ? (size_t)left : size;
    POND_TRY(os_pread_exact(s->r->fd, s->r->name, f->bytes, n, f->at, err));
    size_t at = first_difference(expected, f->bytes, n);
    if (at < size && !f->damaged) {
        f->damaged = true;
        POND_TRY(damage_of_form(s, err, "footer (of %llu chunks): wrong byte at offset %llu", s->r->info.chunk_count, f->at + at));
    }
    if (s->hash_form)
        bao_hasher_update(s->form_hasher, f->bytes, n);
    if (s->copy && n)
        POND_TRY(os_pwrite(s->copy->fd, s->copy->path, f->bytes, n, f->at, err));
    f->at += n;
    return 0;
}

static int check_footer(struct scan *s, struct pond_error *err)
{
    struct pond_chunked_reader *r = s->r;
    struct footer_check f = {.s = s, .at = form_chunk_end(&r->chunks[r->info.chunk_count - 1])};
    int e = form_footer(&r->form, r->chunks, r->info.chunk_count, footer_part, &f, err);
    if (e == 0 && f.at != r->info.file_size)
        e = damage_of_form(s, err, "footer (of %llu chunks): bytes follow its end at offset %llu", r->info.chunk_count, f.at);
    pond_free(f.bytes);
    return e;
}

/* ---- the owner's part ---- */

/* The outboard was damaged: does the content have the chunk's hash all the same? */
static int rejoin(struct scan *s, struct scan_chunk *sc, struct pond_error *err)
{
    const struct form_chunk *c = &s->r->chunks[sc->id];
    uint8_t hash[32];
    bao_join((const uint8_t (*)[32])sc->cvs, sc->taken, PIECE_BLOCKS, piece_block_count(c->size), NULL, hash);
    if (memcmp(hash, c->hash, 32) == 0)
        return 0;
    return pond_fail_path(err, POND_ECORRUPT, s->r->name, "%s: chunk %llu: neither its content nor its outboard matches its hash",
                          s->r->name, (unsigned long long)sc->id);
}

static int scan_take_in(struct scan *s, struct scan_piece *sp, struct pond_error *err)
{
    struct piece *p = &sp->piece;
    struct scan_chunk *sc = sp->chunk;
    sc->pending--;
    if (p->error.code < 0) {
        if (err)
            *err = p->error;
        return p->error.code;
    }
    if (sp->differs)
        POND_TRY(damage_of_form(s, err, "chunk %llu: its zstd payload at offset %llu is not what the compressor makes", sc->id,
                                sp->stored_offset));
    memcpy(sc->cvs[sc->taken++], p->cv, 32);
    if (s->hash_form) {
        if (p->offset == 0)
            bao_hasher_update(s->form_hasher, sc->prefix, sc->prefix_size);
        if (p->compressed)
            bao_hasher_update(s->form_hasher, p->packed, sp->stored_size);
    }
    if (s->stream_fd >= 0)
        POND_TRY(os_write(s->stream_fd, s->stream_name, p->raw, p->size, err));
    control_progress(s->control, p->size);
    if (s->copy)
        write_behind_advance(s->copy, sp->stored_offset);
    if (s->extract)
        write_behind_advance(s->extract, p->content_offset);
    if (sc->pending == 0 && !sc->outboard_good && p->offset + p->size == s->r->chunks[sc->id].size)
        return rejoin(s, sc, err);
    return 0;
}

static int scan_take_one(struct scan *s, struct pond_error *err)
{
    struct scan_piece *sp = pond_pipeline_take(s->pipeline);
    if (!sp)
        return 0;
    int r = scan_take_in(s, sp, err);
    if (s->uncached && sp->stored_offset - s->dropped >= DROP_EVERY && sp->stored_offset > s->dropped) {
        os_fadvise_dontneed(s->r->fd, s->dropped, sp->stored_offset - s->dropped);
        s->dropped = sp->stored_offset;
    }
    pond_pipeline_put_back(s->pipeline, sp);
    return r < 0 ? r : 1;
}

static int scan_drain(struct scan *s, struct pond_error *err)
{
    int r;
    while ((r = scan_take_one(s, err)) > 0)
        ;
    return r;
}

/* The bytes of a compressed chunk after its frames: the seek table. */
static int copy_seek_table(struct scan *s, struct scan_chunk *sc, struct pond_error *err)
{
    const struct form_chunk *c = &s->r->chunks[sc->id];
    uint8_t table[MAX_FRAMES * 8 + 32];
    size_t size = (size_t)frames_table_size(frames_count(c->size));
    uint64_t at = form_chunk_end(c) - size;
    POND_TRY(os_pread_exact(s->r->fd, s->r->name, table, size, at, err));
    if (s->hash_form) {
        POND_TRY(scan_drain(s, err)); /* the hash is in the order of the file */
        bao_hasher_update(s->form_hasher, table, size);
    }
    return s->copy ? os_pwrite(s->copy->fd, s->copy->path, table, size, at, err) : 0;
}

static int begin_scan_chunk(struct scan *s, uint64_t id, struct scan_chunk **out, struct pond_error *err)
{
    struct scan_chunk *sc = &s->chunks[id % SCAN_CHUNKS];
    while (sc->pending) {
        int r = scan_take_one(s, err);
        if (r < 0)
            return r;
    }
    struct pond_chunked_reader *r = s->r;
    uint64_t from = id == 0 ? 0 : form_chunk_end(&r->chunks[id - 1]);
    sc->id = id;
    sc->taken = 0;
    sc->prefix_size = (size_t)(r->chunks[id].payload - from);
    POND_TRY(os_pread_exact(r->fd, r->name, sc->prefix, sc->prefix_size, from, err));
    POND_TRY(open_outboard(s, sc, err));
    if (s->exact)
        POND_TRY(check_prefix(s, sc, from, err));
    if (s->copy)
        POND_TRY(os_pwrite(s->copy->fd, s->copy->path, sc->prefix, sc->prefix_size, from, err));
    if (r->chunks[id].compressed)
        POND_TRY(reader_frame_offsets(r, id, sc->frame_offsets, err));
    *out = sc;
    return 0;
}

static int scan_slot(struct scan *s, struct scan_piece **out, struct pond_error *err)
{
    struct scan_piece *sp;
    while (!(sp = pond_pipeline_free_slot(s->pipeline)))
        POND_TRY(scan_take_one(s, err));
    *out = sp;
    struct piece *p = &sp->piece;
    uint64_t largest = s->r->chunks[0].size;
    if (!p->raw && !(p->raw = pond_alloc(1, (size_t)(largest < FORM_PIECE ? largest : FORM_PIECE))))
        return pond_fail_nomem(err);
    sp->scan = s;
    return 0;
}

static int submit_piece(struct scan *s, struct scan_chunk *sc, uint64_t offset, struct pond_error *err)
{
    const struct form_chunk *c = &s->r->chunks[sc->id];
    struct scan_piece *sp;
    POND_TRY(control_cancelled(s->control, err));
    POND_TRY(scan_slot(s, &sp, err));
    struct piece *p = &sp->piece;
    sp->chunk = sc;
    p->offset = offset;
    p->content_offset = sc->id * s->r->form.chunk_size + offset;
    p->size = (size_t)(c->size - offset < FORM_PIECE ? c->size - offset : FORM_PIECE);
    p->compressed = c->compressed;
    sp->stored_offset = c->payload + offset;
    if (c->compressed) {
        POND_TRY(piece_need_codec(p, s->r->form.level, err));
        uint64_t first = offset / FRAME_SIZE;
        p->frames = (unsigned)frames_count(p->size);
        for (unsigned i = 0; i < p->frames; i++)
            p->frame_sizes[i] = sc->frame_offsets[first + i + 1] - sc->frame_offsets[first + i];
        sp->stored_offset = c->payload + sc->frame_offsets[first];
        sp->stored_size = sc->frame_offsets[first + p->frames] - sc->frame_offsets[first];
    }
    sc->pending++;
    pond_pipeline_submit(s->pipeline, sp);
    return 0;
}

static int scan_chunks(struct scan *s, struct pond_error *err)
{
    for (uint64_t id = 0; id < s->r->info.chunk_count; id++) {
        struct scan_chunk *sc;
        POND_TRY(begin_scan_chunk(s, id, &sc, err));
        uint64_t offset = 0;
        do {
            POND_TRY(submit_piece(s, sc, offset, err));
            offset += FORM_PIECE;
        } while (offset < s->r->chunks[id].size);
        if (s->r->chunks[id].compressed && s->exact)
            POND_TRY(copy_seek_table(s, sc, err));
    }
    POND_TRY(scan_drain(s, err));
    return s->exact ? check_footer(s, err) : 0;
}

static int scan_memory(struct scan *s, struct pond_error *err)
{
    const struct pond_chunked_reader *r = s->r;
    uint64_t largest = r->chunks[0].size;
    size_t prefix = (size_t)pond_outboard_size(largest) + r->form.small_size + 2 * OS_BLOCK;
    uint64_t used = r->info.chunk_count < SCAN_CHUNKS ? r->info.chunk_count : SCAN_CHUNKS;
    for (uint64_t i = 0; i < used; i++) {
        struct scan_chunk *sc = &s->chunks[i];
        sc->prefix = pond_alloc(1, prefix);
        sc->leaf_cvs = pond_alloc(piece_block_count(largest), 32);
        sc->cvs = pond_alloc(MAX_PIECES, 32);
        sc->frame_offsets = pond_alloc(frames_count(largest) + 1, sizeof(uint32_t));
        if (!sc->prefix || !sc->leaf_cvs || !sc->cvs || !sc->frame_offsets)
            return pond_fail_nomem(err);
    }
    if (s->hash_form) {
        if (!(s->form_hasher = pond_alloc(1, sizeof(*s->form_hasher))))
            return pond_fail_nomem(err);
        bao_hasher_init(s->form_hasher);
    }
    unsigned workers = control_workers(s->control, r->info.total_size);
    return pond_pipeline_new(&s->pipeline, workers, workers ? SCAN_SLOTS : 1, sizeof(struct scan_piece), scan_job, s, err);
}

static void scan_release(struct scan *s)
{
    if (s->pipeline) {
        while (pond_pipeline_take(s->pipeline))
            ;
        pond_pipeline_each(s->pipeline, piece_release);
        pond_pipeline_free(s->pipeline);
    }
    for (unsigned i = 0; i < SCAN_CHUNKS; i++) {
        pond_free(s->chunks[i].prefix);
        pond_free(s->chunks[i].leaf_cvs);
        pond_free(s->chunks[i].cvs);
        pond_free(s->chunks[i].frame_offsets);
    }
    pond_free(s->form_hasher);
    pond_buf_release(&s->expected);
}

static int scan_run(struct scan *s, struct pond_chunked_info *info, struct pond_error *err)
{
    s->hash_form = info != NULL;
    int e = scan_memory(s, err);
    if (e == 0 && s->r->info.total_size >= FORM_PIECE) {
        s->uncached = os_cached_256th(s->r->fd, s->r->info.file_size) < 64;
        os_fadvise_sequential(s->r->fd);
    }
    if (e == 0)
        e = scan_chunks(s, err);
    if (e == 0 && info) {
        *info = s->r->info;
        bao_hasher_final(s->form_hasher, info->form_hash);
    }
    scan_release(s);
    return e;
}

/* ---- the calls ---- */

int pond_chunked_extract(struct pond_chunked_reader *r, int out_fd, const char *out_name, const struct pond_control *control,
                         struct pond_error *err)
{
    struct stat st;
    POND_TRY(os_fstat(out_fd, out_name, &st, err));
    struct write_behind out = {.fd = out_fd, .path = out_name};
    struct scan s = {.r = r, .control = control, .stream_fd = -1};
    if (S_ISREG(st.st_mode) && st.st_size == 0 && (off_t)0 == lseek(out_fd, 0, SEEK_CUR)) {
        s.extract = &out;
        if (r->info.total_size)
            POND_TRY(os_preallocate(out_fd, out_name, r->info.total_size, err));
    } else {
        s.stream_fd = out_fd;
        s.stream_name = out_name;
    }
    return scan_run(&s, NULL, err);
}

int pond_chunked_verify(int fd, const char *name, const uint8_t *expected_root, bool recompress,
                        const struct pond_control *control, struct pond_chunked_info *info, struct pond_error *err)
{
    struct pond_chunked_reader *r;
    POND_TRY(pond_chunked_open(&r, fd, name, expected_root, err));
    char own[FORM_COMPRESSOR_SIZE];
    form_own_compressor(own);
    struct scan s = {
        .r = r, .control = control, .stream_fd = -1, .exact = true, .go_on = true,
        .recompress = recompress && strcmp(own, r->form.compressor) == 0,
    };
    int e = scan_run(&s, info, err);
    if (e == 0 && s.form_damage.code < 0)
        e = pond_fail_path(err, POND_ECORRUPT, name, "%s; the content itself verifies", s.form_damage.message);
    pond_chunked_close(r);
    return e;
}

int pond_chunked_copy(int src_fd, const char *src_name, int dst_fd, const char *dst_name, const uint8_t *expected_root,
                      const struct pond_control *control, struct pond_chunked_info *info, struct pond_error *err)
{
    struct pond_chunked_reader *r;
    POND_TRY(pond_chunked_open(&r, src_fd, src_name, expected_root, err));
    struct write_behind dst = {.fd = dst_fd, .path = dst_name};
    struct scan s = {.r = r, .control = control, .stream_fd = -1, .exact = true};
    int e = os_clone_range(src_fd, 0, r->info.file_size, dst_fd, 0, dst_name, err);
    if (e == 0) { /* no shared blocks: through memory, each piece written by the worker that verified it */
        s.copy = &dst;
        e = os_preallocate(dst_fd, dst_name, r->info.file_size, err);
    }
    if (e >= 0)
        e = scan_run(&s, info, err);
    pond_chunked_close(r);
    return e;
}
