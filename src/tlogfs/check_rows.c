/* The rows of a part: that they parse, that the index holds the same, that their content is what its hash says. */
#include <fcntl.h>
#include <string.h>

#include "bao/tree.h"
#include "base/os.h"
#include "base/text.h"
#include "tlogfs/check.h"

#define INDEX_NAME "_pond/index.sqlite"

/* ---- the log's rows and the index's, compared by one hash over all of them ---- */

struct digest {
    struct bao_hasher *hasher;
    struct pond_buf row;
};

static void put_bytes(struct pond_buf *out, const void *bytes, size_t size)
{
    (void)pond_buf_append_u64le(out, bytes != NULL ? size : UINT64_MAX);
    if (bytes != NULL)
        (void)pond_buf_append(out, bytes, size);
}

static int digest_row(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err)
{
    struct digest *d = context;
    struct pond_buf *out = &d->row;
    pond_buf_clear(out);
    (void)pond_buf_append_u64le(out, ordinal);
    (void)pond_buf_append_u64le(out, (uint64_t)row->txn_seq);
    (void)pond_buf_append(out, row->node_id, sizeof row->node_id);
    put_bytes(out, row->has_part ? row->part_id : NULL, sizeof row->part_id);
    put_bytes(out, row->name, row->name_size);
    (void)pond_buf_append_u32le(out, (uint32_t)row->type);
    (void)pond_buf_append_u64le(out, (uint64_t)row->version);
    (void)pond_buf_append_u64le(out, (uint64_t)row->timestamp_us);
    (void)pond_buf_append_u32le(out, row->deleted);
    (void)pond_buf_append_u64le(out, row->size);
    (void)pond_buf_append_u32le(out, (uint32_t)row->storage);
    put_bytes(out, row->type == POND_SYMLINK ? row->content : NULL, row->content_size);
    put_bytes(out, row->has_blake3 ? row->blake3 : NULL, sizeof row->blake3);
    (void)pond_buf_append_u32le(out, row->mode);
    (void)pond_buf_append_u64le(out, (uint64_t)row->mtime_us);
    (void)pond_buf_append_u32le(out, (uint32_t)row->mtime_nanos);
    put_bytes(out, row->attributes, row->attributes != NULL ? strlen(row->attributes) : 0);
    POND_TRY(pond_buf_error(out, err));
    bao_hasher_update(d->hasher, out->data, out->size);
    return 0;
}

/* A row of the log: its bundle, too, must be in the index's list, for that list is what is checked and sent. */
struct log_rows {
    struct digest digest;
    struct check *k;
    bool bundle_unknown;
};

static int take_log_row(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err)
{
    struct log_rows *l = context;
    int64_t first_txn = 0;
    uint64_t size = 0;
    if (row->storage == POND_STORAGE_CHUNKED && row->has_blake3 && !l->bundle_unknown) {
        int known = index_has_bundle(l->k->pond->index, row->blake3, &first_txn, &size, NULL);
        l->bundle_unknown = known != 1 || first_txn > row->txn_seq || size != row->size;
    }
    return digest_row(&l->digest, ordinal, row, err);
}

static int digest_indexed(void *context, const struct index_row *row, struct pond_error *err)
{
    return digest_row(context, row->ordinal, &row->row, err);
}

struct page_check {
    struct check *k;
    int64_t txn;
};

static int compare_page(void *context, uint64_t first_ordinal, uint64_t row_group, uint64_t offset,
                        struct pond_error *err)
{
    struct page_check *pc = context;
    uint64_t first, group, at;
    int r = index_page_of(pc->k->pond->index, pc->txn, first_ordinal, &first, &group, &at, err);
    if (r == 0 && (first != first_ordinal || group != row_group || at != offset))
        r = pond_fail(err, POND_ECORRUPT, "the index has another page than transaction %lld's part for row %llu",
                      (long long)pc->txn, (unsigned long long)first_ordinal);
    return r;
}

/* 0: the index holds the rows whose hash is `log`. */
static int compare_index(struct check *k, int fd, const char *path, int64_t txn, struct log_rows *rows,
                         const uint8_t log[POND_HASH_SIZE], struct pond_error *why)
{
    struct digest *d = &rows->digest;
    uint8_t indexed[POND_HASH_SIZE];
    struct page_check pc = {.k = k, .txn = txn};
    bao_hasher_init(d->hasher);
    POND_TRY(index_txn_rows(k->pond->index, txn, digest_indexed, d, why));
    bao_hasher_final(d->hasher, indexed);
    if (memcmp(log, indexed, sizeof indexed) != 0 || rows->bundle_unknown)
        return pond_fail_path(why, POND_ECORRUPT, INDEX_NAME, "the index does not hold the rows of transaction %lld as "
                              "the log does; without %s it is made anew", (long long)txn, INDEX_NAME);
    return oplog_read_pages(fd, path, compare_page, &pc, why);
}

/* ---- inline content ---- */

struct content_check {
    struct check *k;
    struct oplog_part *part;
    const char *path;
    struct pond_buf content;
    bool first_only;      /* to find the place of damage that is known already */
    bool found;
};

static int content_of(struct content_check *cc, const struct index_row *row, struct pond_error *why)
{
    uint64_t first, group, offset;
    uint8_t hash[POND_HASH_SIZE];
    pond_buf_clear(&cc->content);
    POND_TRY(index_page_of(cc->k->pond->index, row->row.txn_seq, row->ordinal, &first, &group, &offset, why));
    POND_TRY(oplog_part_content(cc->part, group, offset, first, row->ordinal, &cc->content, why));
    pond_blake3(cc->content.data, cc->content.size, hash);
    if (cc->content.size == row->row.size && memcmp(hash, row->row.blake3, sizeof hash) == 0)
        return 0;
    return pond_fail_path(why, POND_ECORRUPT, cc->path, "%s: page at %llu: the content of row %llu, '%s', is not what "
                          "its BLAKE3 says", cc->path, (unsigned long long)offset, (unsigned long long)row->ordinal,
                          row->row.name);
}

static int check_content(void *context, const struct index_row *row, struct pond_error *err)
{
    struct content_check *cc = context;
    struct pond_error why = {0};
    if (row->row.storage != POND_STORAGE_INLINE || row->row.deleted)
        return 0;
    int r = row->row.has_blake3 ? content_of(cc, row, &why)
                                : pond_fail(&why, POND_ECORRUPT, "%s: row %llu has no BLAKE3", cc->path,
                                            (unsigned long long)row->ordinal);
    if (r == 0)
        return 0;
    cc->found = true;
    POND_TRY(check_found(cc->k, "oplog_part", cc->path, false, r, &why, err));
    return cc->first_only;
}

/* Every inline content of a transaction, or, with first_only, up to the first that is damaged. */
static int check_contents(struct check *k, int64_t txn, const char *path, bool first_only, bool *found,
                          struct pond_error *err)
{
    struct content_check cc = {.k = k, .path = path, .first_only = first_only};
    struct pond_error why = {0};
    int own = os_open(path, O_RDONLY | O_NOFOLLOW, 0, &why);
    int r = own < 0 ? own : oplog_part_open(&cc.part, own, path, &why);
    if (r < 0) {
        *found = true;
        return check_found(k, "oplog_part", path, false, r, &why, err);
    }
    r = index_txn_rows(k->pond->index, txn, check_content, &cc, err);
    oplog_part_close(cc.part);
    pond_buf_release(&cc.content);
    *found = cc.found;
    return r;
}

/* ---- a part ---- */

/* The part's hash is wrong. Where? What its reader or a content hash objects to is the place; a change that neither
 * notices is told without one. */
static int locate(struct check *k, const struct pond_commit *c, const char *path, int rows_code,
                  const struct pond_error *rows_error, const struct pond_error *part_error, struct pond_error *err)
{
    bool found = false;
    if (rows_code < 0)
        return check_found(k, "oplog_part", path, false, rows_code, rows_error, err);
    POND_TRY(check_contents(k, c->txn, path, true, &found, err));
    return found ? 0 : check_found(k, "oplog_part", path, false, part_error->code, part_error, err);
}

int check_rows(struct check *k, const struct pond_commit *c, int fd, const char *path,
               const struct pond_error *part_error, struct pond_error *err)
{
    struct pond_error why = {0};
    struct log_rows l = {.k = k, .digest = {.hasher = pond_alloc(1, sizeof *l.digest.hasher)}};
    uint8_t log[POND_HASH_SIZE];
    bool found;
    if (l.digest.hasher == NULL)
        return pond_fail_nomem(err);
    bao_hasher_init(l.digest.hasher);
    int r = oplog_read_rows(fd, path, c->txn, take_log_row, &l, &why);
    bao_hasher_final(l.digest.hasher, log);
    if (part_error != NULL) {
        r = locate(k, c, path, r, &why, part_error, err);
        goto out;
    }
    if (r < 0) {
        r = check_found(k, "oplog_part", path, false, r, &why, err);
        goto out;
    }
    r = compare_index(k, fd, path, c->txn, &l, log, &why);
    if (r < 0)
        r = check_found(k, "index", INDEX_NAME, true, r, &why, err);
    else if (k->options->read_data)
        r = check_contents(k, c->txn, path, false, &found, err);
out:
    pond_buf_release(&l.digest.row);
    pond_free(l.digest.hasher);
    return r;
}
