/* tlogfs/txn.c - a transaction: rows go to the part and the index as they come; the commit makes them count.
 *
 * Order of a commit (DESIGN.md section 5, invariants 1 to 3):
 *     1. bundles under their final names, synced
 *     2. the part, synced, under its final name, its directory synced
 *     3. the commit file, created whole or not at all      <- from here on it is done
 *     4. the index
 * Killed before 3: garbage in _pond/tmp and at most complete files that no commit names. Killed before 4: the index
 * catches up at the next open. A part that got its name stays there when 3 fails: nobody knows then what the disk holds.
 */
#include <assert.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "base/text.h"
#include "tlogfs/handle.h"

#define ATTRIBUTES_MAX ((size_t)8 << 20)
#define BATCH_FILES 256
#define BATCH_BYTES ((uint64_t)1 << 30)

/* ---- beginning ---- */

int pond_txn_start(struct pond_txn **out, struct pond *p, const char *command, struct pond_error *err)
{
    struct pond_txn *t = pond_calloc(1, sizeof *t);
    if (t == NULL)
        return pond_fail_nomem(err);
    t->pond = p;
    t->txn_seq = p->info.txn + 1;
    t->time_us = pond_now_us();
    t->part_fd = -1;
    t->command = pond_strdup(command != NULL ? command : "");
    int r = t->command != NULL ? index_begin(p->index, err) : pond_fail_nomem(err);
    if (r < 0) {
        pond_free(t->command);
        pond_free(t);
        return r;
    }
    p->txn = t;
    *out = t;
    return 0;
}

int pond_begin(struct pond_txn **out, struct pond *p, const char *command, struct pond_error *err)
{
    if (p->lock_fd < 0)
        return pond_fail_path(err, POND_EUSAGE, p->dir, "%s: is opened for reading only", p->dir);
    if (p->info.role == POND_REPLICA)
        return pond_fail_path(err, POND_EDENIED, p->dir, "%s: is a replica and takes no writes; \"pond promote\" makes "
                              "it a primary", p->dir);
    if (p->txn != NULL)
        return pond_fail_path(err, POND_EUSAGE, p->dir, "%s: a transaction is open already", p->dir);
    POND_TRY(pond_catch_up(p, -1, err)); /* a commit of this handle may have missed the index */
    return pond_txn_start(out, p, command, err);
}

static void txn_free(struct pond_txn *t)
{
    t->pond->txn = NULL;
    index_rollback(t->pond->index);
    oplog_writer_free(t->writer);
    os_close(t->part_fd);
    if (t->part_tmp != NULL)
        pond_discard(t->part_tmp);
    store_batch_free(t->bundles);
    pond_free(t->part_tmp);
    pond_free(t->command);
    pond_free(t);
}

void pond_txn_abort(struct pond_txn *t)
{
    if (t != NULL)
        txn_free(t);
}

/* ---- rows ---- */

static int open_part(struct pond_txn *t, struct pond_error *err)
{
    t->part_tmp = pond_tmp_path(t->pond);
    if (t->part_tmp == NULL)
        return pond_fail_nomem(err);
    t->part_fd = os_open(t->part_tmp, O_RDWR | O_CREAT | O_EXCL, 0666, err);
    if (t->part_fd < 0)
        return t->part_fd;
    return oplog_writer_new(&t->writer, t->part_fd, t->part_tmp, err);
}

static int put_row(struct pond_txn *t, const struct oplog_row *row, struct pond_error *err)
{
    if (row->attributes != NULL && strlen(row->attributes) > ATTRIBUTES_MAX)
        return pond_fail_path(err, POND_ELIMIT, row->name, "%s: owner, xattrs and so on take %zu bytes: at most %zu are "
                              "possible", row->name, strlen(row->attributes), ATTRIBUTES_MAX);
    if (t->writer == NULL)
        POND_TRY(open_part(t, err));
    POND_TRY(index_put(t->pond->index, t->rows, row, err));
    POND_TRY(oplog_writer_put(t->writer, row, err));
    t->rows++;
    return 0;
}

int pond_txn_put(struct pond_txn *t, struct oplog_row *row, struct pond_error *err)
{
    assert(row->has_part == (row->name_size > 0) && row->name_size <= OPLOG_NAME_MAX);
    assert(!row->deleted || (row->content == NULL && !row->has_blake3 && row->size == 0));
    row->txn_seq = t->txn_seq;
    row->timestamp_us = t->time_us;
    int r = put_row(t, row, err);
    t->result.bytes_stored += row->type == POND_FILE ? row->content_size : 0;
    if (r < 0)
        t->failed = r; /* the part and the index may differ by this row */
    return r;
}

/* ---- bundles ---- */

int pond_txn_add_bundle(struct pond_txn *t, int fd, const char *tmp_path, const struct pond_chunked_info *info,
                        struct pond_error *err)
{
    char *path = pond_bundle_path(t->pond, info->root_hash);
    int r = path != NULL ? 0 : pond_fail_nomem(err);
    if (r == 0 && t->bundles == NULL)
        r = store_batch_new(&t->bundles, BATCH_FILES, BATCH_BYTES, err);
    if (r == 0) {
        r = store_batch_add(t->bundles, fd, tmp_path, path, info->file_size, err);
        t->result.bytes_stored += info->file_size;
    } else {
        os_close(fd);
        pond_discard(tmp_path);
    }
    pond_free(path);
    return r;
}

int pond_txn_has_bundle(struct pond_txn *t, const uint8_t root_hash[32], struct pond_error *err)
{
    int64_t first_txn = 0;
    uint64_t size;
    int r = index_has_bundle(t->pond->index, root_hash, &first_txn, &size, err);
    if (r != 1 || first_txn == t->txn_seq)
        return r;
    /* One that was lost is stored again when its content comes by. */
    char *path = pond_bundle_path(t->pond, root_hash);
    r = path != NULL ? os_exists(path, err) : pond_fail_nomem(err);
    pond_free(path);
    return r;
}

struct pond_chunked_options pond_txn_chunked_options(const struct pond_txn *t, const struct pond_control *control)
{
    struct pond_chunked_options o = {
        .chunk_size = t->pond->info.chunk_size,
        .compression = t->pond->info.compression,
        .txn_id = t->txn_seq,
    };
    if (control != NULL)
        o.control = *control;
    return o;
}

/* ---- committing ---- */

/* Finishes the part and gives it its name; c->part_* are filled. */
static int install_part(struct pond_txn *t, struct pond_commit *c, struct pond_error *err)
{
    struct pond *p = t->pond;
    struct oplog_part_info info;
    uint8_t uuid[16];
    char uuid_text[POND_UUID_TEXT_SIZE], name[128];
    POND_TRY(oplog_writer_finish(t->writer, &info, err));
    POND_TRY(pond_take_in_pages(p, t->part_fd, t->part_tmp, t->txn_seq, err));
    POND_TRY(os_fsync(t->part_fd, t->part_tmp, err));
    int fd = t->part_fd;
    t->part_fd = -1;
    POND_TRY(os_close_checked(fd, t->part_tmp, err));

    pond_uuid7(uuid);
    pond_uuid_format(uuid, uuid_text);
    (void)snprintf(name, sizeof name, "part-%020lld-%s.parquet", (long long)t->txn_seq, uuid_text);
    c->part_path = pond_strdup(name);
    c->part_size = (int64_t)info.size;
    c->part_rows = info.rows;
    memcpy(c->part_blake3, info.blake3, sizeof c->part_blake3);
    char *path = c->part_path != NULL ? os_path_join(p->dir, name) : NULL;
    int r = path != NULL ? os_rename_noreplace(t->part_tmp, path, err) : pond_fail_nomem(err);
    if (r == 0) {
        pond_free(t->part_tmp);
        t->part_tmp = NULL;
        r = os_fsync_dir(p->dir, err);
    }
    pond_free(path);
    return r;
}

/* Who and where, for the log: what the system says, no proof of anything. */
static int set_origin(struct pond_commit *c, struct pond_error *err)
{
    char host[256] = "", text[1024];
    struct passwd entry, *user = NULL;
    if (getpwuid_r(geteuid(), &entry, text, sizeof text, &user) != 0 || user == NULL) {
        (void)snprintf(text, sizeof text, "uid %u", (unsigned)geteuid());
        c->user = pond_strdup(text);
    } else {
        c->user = pond_strdup(user->pw_name);
    }
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    c->host = pond_strdup(host);
    return c->user != NULL && c->host != NULL ? 0 : pond_fail_nomem(err);
}

static int describe(const struct pond_txn *t, struct pond_commit *c, struct pond_error *err)
{
    const struct pond_info *info = &t->pond->info;
    c->txn = t->txn_seq;
    c->time_us = t->time_us;
    memcpy(c->pond_id, info->id, sizeof c->pond_id);
    c->has_parent = t->txn_seq > 0;
    memcpy(c->parent_blake3, info->tip_blake3, sizeof c->parent_blake3);
    c->has_options = t->txn_seq == 0;
    c->chunk_size = info->chunk_size;
    c->compression = info->compression;
    c->files_added = t->result.files_added;
    c->files_changed = t->result.files_changed;
    c->files_removed = t->result.files_removed;
    c->bytes = t->result.bytes;
    c->command = pond_strdup(t->command);
    return c->command != NULL ? set_origin(c, err) : pond_fail_nomem(err);
}

/* The index keeps what the log says, in its encoding, so that a rebuild gives the same. */
static int reread_texts(struct pond *p, const struct pond_buf *bytes, struct pond_commit *c, struct pond_error *err)
{
    struct pond_commit parsed;
    POND_TRY(pond_commit_parse(p->dir, c->txn, bytes->data, bytes->size, &parsed, err));
    pond_commit_release(c);
    *c = parsed;
    return 0;
}

static int write_commit(struct pond_txn *t, struct pond_commit *c, struct pond_error *err)
{
    struct pond *p = t->pond;
    struct pond_buf bytes = {0};
    int r = pond_commit_build(c, &bytes, err);
    if (r == 0)
        r = reread_texts(p, &bytes, c, err);
    if (r == 0)
        r = delta_commit(&p->table, c->txn, bytes.data, bytes.size, err);
    pond_buf_release(&bytes);
    return r;
}

static int commit_rows(struct pond_txn *t, struct pond_error *err)
{
    struct pond *p = t->pond;
    struct pond_commit c = {0};
    int r = t->bundles != NULL ? store_batch_flush(t->bundles, err) : 0;
    if (r == 0)
        r = install_part(t, &c, err);
    if (r == 0)
        r = describe(t, &c, err);
    if (r == 0)
        r = write_commit(t, &c, err);
    if (r == 0) {
        /* It is committed whatever happens to the index: else the next begin, or the next open, catches up. */
        p->info.txn = c.txn;
        p->info.tip_time_us = c.time_us;
        memcpy(p->info.tip_blake3, c.commit_blake3, sizeof p->info.tip_blake3);
        if (pond_take_in_end(p, &c, NULL) < 0) {
            index_rollback(p->index);
            int caught_up = pond_catch_up(p, -1, NULL);
            (void)caught_up;
        } else if (index_live_entries(p->index, &p->info.entries, &p->info.tip_time_us, NULL) < 0) {
            p->info.entries = 0;
        }
    }
    pond_commit_release(&c);
    return r;
}

int pond_txn_commit(struct pond_txn *t, struct pond_txn_result *out, struct pond_error *err)
{
    struct pond *p = t->pond;
    int r = 0;
    t->result.committed = false;
    if (t->failed != 0)
        r = pond_fail_path(err, t->failed, p->dir, "%s: an earlier step of this transaction has failed: nothing is "
                           "committed", p->dir);
    else if (t->rows > 0)
        r = commit_rows(t, err);
    if (r == 0) {
        t->result.committed = t->rows > 0;
        t->result.txn = p->info.txn;
        *out = t->result;
    }
    txn_free(t);
    return r;
}
