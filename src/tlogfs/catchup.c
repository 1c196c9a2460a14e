/* tlogfs/catchup.c - the index follows the log: each commit's link to its parent, each part's hash, then its rows. */
#include <fcntl.h>
#include <string.h>

#include "bao/tree.h"
#include "base/os.h"
#include "base/text.h"
#include "tlogfs/handle.h"

#define HASH_STEP ((size_t)256 << 10)

/* ---- a commit's part ---- */

static int hash_file(int fd, const char *path, uint64_t size, uint8_t out[POND_HASH_SIZE], struct pond_error *err)
{
    struct bao_hasher *h = pond_alloc(1, sizeof *h);
    uint8_t *step = pond_alloc(1, HASH_STEP);
    int r = h != NULL && step != NULL ? 0 : pond_fail_nomem(err);
    if (r == 0)
        bao_hasher_init(h);
    for (uint64_t at = 0; at < size && r == 0;) {
        const size_t n = (size_t)pond_min_u64(size - at, HASH_STEP);
        r = os_pread_exact(fd, path, step, n, at, err);
        if (r == 0)
            bao_hasher_update(h, step, n);
        at += n;
    }
    if (r == 0)
        bao_hasher_final(h, out);
    pond_free(step);
    pond_free(h);
    return r;
}

static int check_part(int fd, const char *path, const struct pond_commit *c, struct pond_error *err)
{
    struct stat st;
    uint8_t found[POND_HASH_SIZE];
    POND_TRY(os_fstat(fd, path, &st, err));
    if (st.st_size != c->part_size)
        return pond_fail_path(err, POND_ECORRUPT, path, "%s: has %lld bytes, the log says %lld", path,
                              (long long)st.st_size, (long long)c->part_size);
    POND_TRY(hash_file(fd, path, (uint64_t)c->part_size, found, err));
    if (memcmp(found, c->part_blake3, sizeof found) == 0)
        return 0;
    char found_hex[2 * POND_HASH_SIZE + 1], hex[2 * POND_HASH_SIZE + 1];
    pond_hex(found, sizeof found, found_hex);
    pond_hex(c->part_blake3, POND_HASH_SIZE, hex);
    return pond_fail_path(err, POND_ECORRUPT, path, "%s: its BLAKE3 is %s, the log says %s", path, found_hex, hex);
}

static int take_in_row(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err)
{
    return index_put(context, ordinal, row, err);
}

struct pages {
    struct index *index;
    int64_t txn;
};

static int take_in_page(void *context, uint64_t first_ordinal, uint64_t row_group, uint64_t offset,
                        struct pond_error *err)
{
    const struct pages *pages = context;
    return index_put_page(pages->index, pages->txn, first_ordinal, row_group, offset, err);
}

int pond_take_in_pages(struct pond *p, int fd, const char *path, int64_t txn, struct pond_error *err)
{
    struct pages pages = {.index = p->index, .txn = txn};
    return oplog_read_pages(fd, path, take_in_page, &pages, err);
}

int pond_take_in_part(struct pond *p, const struct pond_commit *c, struct pond_error *err)
{
    if (c->part_path == NULL)
        return 0;
    char *path = os_path_join(p->dir, c->part_path);
    int fd = path != NULL ? os_open(path, O_RDONLY, 0, err) : pond_fail_nomem(err);
    int r = fd < 0 ? fd : check_part(fd, path, c, err);
    if (r == POND_ENOTFOUND)
        r = pond_fail_path(err, POND_ECORRUPT, path, "%s: is missing, transaction %lld names it", path,
                           (long long)c->txn);
    if (r == 0)
        r = oplog_read_rows(fd, path, c->txn, take_in_row, p->index, err);
    if (r == 0)
        r = pond_take_in_pages(p, fd, path, c->txn, err);
    os_close(fd);
    pond_free(path);
    return r;
}

int pond_take_in_end(struct pond *p, const struct pond_commit *c, struct pond_error *err)
{
    struct index_commit ic = {
        .txn = c->txn,
        .time_us = c->time_us,
        .part_path = c->part_path != NULL ? c->part_path : "",
        .part_size = (uint64_t)c->part_size,
        .command = c->command,
        .user = c->user,
        .host = c->host,
        .files_added = c->files_added,
        .files_changed = c->files_changed,
        .files_removed = c->files_removed,
        .bytes = c->bytes,
    };
    memcpy(ic.commit_blake3, c->commit_blake3, sizeof ic.commit_blake3);
    memcpy(ic.part_blake3, c->part_blake3, sizeof ic.part_blake3);
    return index_end(p->index, &ic, err);
}

/* ---- commits ---- */

int pond_check_link(const struct pond *p, const char *name, const struct pond_commit *c, int64_t txn,
                    const uint8_t parent_blake3[32], struct pond_error *err)
{
    if (c->txn != txn)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: is transaction %lld, where %lld must stand", name,
                              (long long)c->txn, (long long)txn);
    if (strcmp(c->pond_id, p->info.id) != 0)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: belongs to pond %s, this is pond %s", name, c->pond_id,
                              p->info.id);
    if (!c->has_parent || memcmp(c->parent_blake3, parent_blake3, POND_HASH_SIZE) == 0)
        return 0;
    char says[2 * POND_HASH_SIZE + 1], has[2 * POND_HASH_SIZE + 1];
    pond_hex(c->parent_blake3, POND_HASH_SIZE, says);
    pond_hex(parent_blake3, POND_HASH_SIZE, has);
    return pond_fail_path(err, POND_ECORRUPT, name, "%s: says that commit %lld has the BLAKE3 %s, but it has %s: one of "
                          "the two was changed", name, (long long)txn - 1, says, has);
}

/* Reads commit `txn` and checks that it follows on parent. */
static int read_linked(struct pond *p, int64_t txn, const uint8_t parent[POND_HASH_SIZE], struct pond_commit *out,
                       struct pond_error *err)
{
    struct pond_buf bytes = {0};
    char key[64];
    delta_commit_key(&p->table, txn, key, sizeof key);
    char *name = os_path_join(p->dir, key);
    int r = name != NULL ? delta_read_commit(&p->table, txn, &bytes, err) : pond_fail_nomem(err);
    if (r == 0)
        r = pond_fail_path(err, POND_ECORRUPT, name, "%s: is missing: the log has a gap", name);
    if (r == 1)
        r = pond_commit_parse(name, txn, bytes.data, bytes.size, out, err);
    if (r == 0 && (r = pond_check_link(p, name, out, txn, parent, err)) < 0)
        pond_commit_release(out);
    pond_free(name);
    pond_buf_release(&bytes);
    return r;
}

static int check_root(struct pond *p, struct pond_error *err)
{
    struct index_row root;
    int r = index_root(p->index, 0, &root, err);
    if (r == POND_ENOTFOUND)
        return pond_fail_path(err, POND_ECORRUPT, p->dir, "%s: transaction 0 has made no root directory", p->dir);
    if (r == 0)
        index_row_release(&root);
    return r;
}

/* Takes in one commit, unless another process has done so meanwhile. */
static int take_in(struct pond *p, int64_t txn, struct pond_error *err)
{
    struct pond_commit c;
    int64_t tip;
    uint8_t tip_blake3[POND_HASH_SIZE];
    POND_TRY(index_begin(p->index, err));
    int r = index_tip(p->index, &tip, tip_blake3, err);
    if (r == 0 && tip >= txn) {
        index_rollback(p->index);
        return 0;
    }
    if (r == 0 && tip != txn - 1) /* another process made the index again */
        r = pond_fail_path(err, POND_EFAILED, p->dir, "%s: its index was made again meanwhile; try once more", p->dir);
    if (r == 0)
        r = read_linked(p, txn, tip_blake3, &c, err);
    if (r == 0) {
        r = pond_take_in_part(p, &c, err);
        if (r == 0 && txn == 0)
            r = check_root(p, err);
        if (r == 0)
            r = pond_take_in_end(p, &c, err);
        pond_commit_release(&c);
    }
    if (r < 0)
        index_rollback(p->index);
    return r;
}

int pond_catch_up(struct pond *p, int64_t to, struct pond_error *err)
{
    int64_t tip;
    uint8_t hash[POND_HASH_SIZE];
    POND_TRY(index_tip(p->index, &tip, hash, err));
    if (to < 0)
        POND_TRY(delta_latest_version(&p->table, tip, &to, err));
    for (int64_t txn = tip + 1; txn <= to; txn++)
        POND_TRY(take_in(p, txn, err));
    return tip < to ? pond_load_tip(p, err) : 0;
}
