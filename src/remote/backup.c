/* Backup: transaction by transaction, what the remote lacks, in the order of invariant 2: bundles, the `files` commit, the OpLog
 * part, the `oplog` commit. Each step is put-if-absent, so a run after a kill finds what is done and goes on.
 */
#include "remote/remote.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"

#define ENGINE "pond"
#define LITTER_AGE_S 86400 /* a temporary of another backup that is at work is younger */

static const struct delta_field bundle_fields[] = {
    {"bundle_id", "string"}, {"pond_txn_id", "long"}, {"path", "string"}, {"chunk_id", "long"}, {"chunk_hash", "string"},
    {"chunk_outboard", "binary"}, {"chunk_data", "binary"}, {"total_size", "long"}, {"root_hash", "string"},
};

struct backup {
    struct pond *p;
    struct remote r;
    struct transfer transfer;
    const struct pond_transfer_options *options;
    struct pond_transfer_result result;
    struct pond_buf commit;        /* the `files` commit being made, or the home commit being sent */
    /* of the transaction being sent */
    int64_t txn, time_us;
    size_t adds;                   /* in `commit` */
};

/* ---- commits at the next free version ---- */

/* 1: the version is taken by these very bytes, or (files) by this transaction: nothing to do. 0: by another engine: try the
 * next one. */
static int lost_to(struct backup *b, const struct delta_table *t, int64_t version, int64_t txn, const struct pond_buf *mine,
                   struct pond_error *err)
{
    struct pond_buf theirs;
    int64_t their_txn;
    pond_buf_init(&theirs, DELTA_COMMIT_MAX);
    int r = remote_read_commit(&b->r, t, version, &theirs, &their_txn, err);
    bool same = r == 1 && theirs.size == mine->size && memcmp(theirs.data, mine->data, mine->size) == 0;
    pond_buf_release(&theirs);
    if (r < 0)
        return r;
    if (same)
        return 1;
    if (their_txn < 0 || (t == &b->r.files && their_txn < txn))
        return 0;
    return pond_fail_path(err, POND_EDIVERGED, store_url(b->r.store),
                          "%s: another copy of this pond has put its transaction %lld there: the histories have diverged",
                          store_url(b->r.store), (long long)their_txn);
}

static int commit_next(struct backup *b, const struct delta_table *t, struct table_tip *tip, int64_t txn,
                       const struct pond_buf *bytes, struct pond_error *err)
{
    for (int64_t version = tip->version + 1;; version++) {
        struct pond_error why = {0};
        int r = delta_commit(t, version, bytes->data, bytes->size, &why);
        if (r < 0 && r != POND_EEXISTS) {
            if (err)
                *err = why;
            return r;
        }
        if (r == POND_EEXISTS)
            r = lost_to(b, t, version, txn, bytes, err);
        else
            r = 1;
        if (r < 0)
            return r;
        tip->version = version;
        if (r == 0)
            continue;
        if (txn >= 0) {
            tip->txn = txn;
            tip->txn_version = version;
            pond_blake3(bytes->data, bytes->size, tip->txn_blake3);
        }
        return 0;
    }
}

/* ---- the `files` table ---- */

static int put_files_info(struct backup *b, int64_t txn, int64_t time_us, struct pond_error *err)
{
    json_t *info = json_pack("{s:I, s:s, s:{s:s}, s:b, s:s, s:{s:I, s:s}}", "timestamp", (json_int_t)(time_us / 1000), "operation",
                             txn < 0 ? "CREATE TABLE" : "WRITE", "operationParameters", "mode", "Append", "isBlindAppend",
                             txn < 0 ? 0 : 1, "engineInfo", ENGINE, "pond", "txn_seq", (json_int_t)txn, "pond_id", b->r.pond_id);
    if (!info)
        return pond_fail_nomem(err);
    delta_put_commit_info(&b->commit, info);
    json_decref(info);
    return 0;
}

static int create_files_table(struct backup *b, struct pond_error *err)
{
    static const char *const partition[] = {"bundle_id"};
    static const char *const configuration[] = {
        "delta.logRetentionDuration", "interval 36500 days", "delta.deletedFileRetentionDuration", "interval 36500 days",
        "delta.enableExpiredLogCleanup", "false", NULL,
    };
    int64_t now = pond_now_us();
    pond_buf_clear(&b->commit);
    POND_TRY(put_files_info(b, -1, now, err));
    delta_put_protocol(&b->commit);
    char id[POND_UUID_TEXT_SIZE];
    uint8_t uuid[16];
    pond_uuid7(uuid);
    pond_uuid_format(uuid, id);
    delta_put_metadata(&b->commit, id, bundle_fields, sizeof(bundle_fields) / sizeof(bundle_fields[0]), partition, 1, configuration,
                       now / 1000);
    POND_TRY(pond_buf_error(&b->commit, err));
    struct pond_error why = {0};
    int r = delta_commit(&b->r.files, 0, b->commit.data, b->commit.size, &why);
    if (r < 0 && r != POND_EEXISTS) { /* another backup of this pond may have made it in the meantime */
        if (err)
            *err = why;
        return r;
    }
    b->r.files_tip.version = 0;
    return 0;
}

static int begin_files_commit(struct backup *b, struct pond_error *err)
{
    pond_buf_clear(&b->commit);
    b->adds = 0;
    return put_files_info(b, b->txn, b->time_us, err);
}

/* Bundles first, then the commit that names them. */
static int end_files_commit(struct backup *b, bool last, struct pond_error *err)
{
    POND_TRY(store_batch_flush(b->transfer.batch, err));
    if (last)
        delta_put_txn(&b->commit, b->r.app_id, b->txn, b->time_us / 1000);
    POND_TRY(pond_buf_error(&b->commit, err));
    return commit_next(b, &b->r.files, &b->r.files_tip, last ? b->txn : -1, &b->commit, err);
}

static void put_bundle(struct backup *b, const char *path, const struct pond_chunked_info *info)
{
    char hex[65], bundle_id[80], form[65];
    pond_hex(info->root_hash, 32, hex);
    pond_hex(info->form_hash, 32, form);
    snprintf(bundle_id, sizeof(bundle_id), "POND-FILE-%s", hex);
    const char *const tags[] = {"form_blake3", form, NULL};
    struct delta_add add = {
        .path = path, .partition_key = "bundle_id", .partition_value = bundle_id, .size = (int64_t)info->file_size,
        .modification_ms = b->time_us / 1000, .num_records = (int64_t)info->chunk_count, .tags = tags,
    };
    delta_put_add(&b->commit, &add);
    b->adds++;
}

/* A bundle that is there already (this backup was cut off before its commit) is not sent again; it was verified when it was put
 * under its name, and the pond's own copy is verified now, for the tag. */
static int send_bundle_file(struct backup *b, const char *src, const char *key_path, uint64_t size, const uint8_t root[32],
                            struct pond_chunked_info *info, struct pond_error *err)
{
    struct store_stat there = {0};
    struct pond_buf key = {0};
    int r = delta_data_key(&b->r.files, key_path, &key, err);
    if (r == 0)
        r = store_head(b->r.store, (const char *)key.data, &there, err);
    pond_buf_release(&key);
    if (r < 0)
        return r;
    if (r == 1 && there.size == size) {
        int fd = os_open(src, 0, 0, err);
        if (fd < 0)
            return fd;
        r = pond_chunked_verify(fd, src, root, false, b->transfer.control, info, err);
        os_close(fd);
        return r;
    }
    if (r == 1)
        return pond_fail_path(err, POND_ECORRUPT, key_path, "%s/files/%s: has %llu bytes instead of %llu", store_url(b->r.store),
                              key_path, (unsigned long long)there.size, (unsigned long long)size);
    char *tmp = NULL, *final_path;
    POND_TRY(remote_local_path(&b->r, &b->r.files, key_path, &final_path, err));
    r = store_tmp_path(b->r.store, &tmp, err);
    if (r == 0)
        r = transfer_bundle(&b->transfer, src, tmp, final_path, root, info, err);
    pond_free(final_path);
    if (r == 0) {
        b->result.bundles++;
        b->result.bytes_copied += info->file_size;
    }
    return r;
}

static int open_bundle_info(const char *src, const uint8_t root[32], struct pond_chunked_info *info, struct pond_error *err)
{
    struct pond_chunked_reader *reader;
    int fd = transfer_open(src, err);
    if (fd < 0)
        return fd;
    int r = pond_chunked_open(&reader, fd, src, root, err);
    if (r == 0) {
        *info = *pond_chunked_reader_info(reader);
        pond_chunked_close(reader);
    }
    os_close(fd);
    return r;
}

static int send_bundle(void *context, const uint8_t blake3[32], int64_t first_txn, uint64_t size, struct pond_error *err)
{
    (void)first_txn;
    (void)size;
    struct backup *b = context;
    struct pond_chunked_info info;
    char path[REMOTE_BUNDLE_PATH_SIZE];
    char *src = pond_bundle_path(b->p, blake3);
    if (!src)
        return pond_fail_nomem(err);
    int r = b->adds == FILES_COMMIT_ADDS ? end_files_commit(b, false, err) : 0;
    if (r == 0 && (b->adds == 0 || b->adds == FILES_COMMIT_ADDS))
        r = begin_files_commit(b, err);
    if (r == 0)
        r = open_bundle_info(src, blake3, &info, err);
    if (r == 0) {
        remote_bundle_path(&info, path);
        r = send_bundle_file(b, src, path, info.file_size, blake3, &info, err);
    }
    pond_free(src);
    if (r < 0)
        return r;
    put_bundle(b, path, &info);
    return 0;
}

static int send_bundles(struct backup *b, struct pond_error *err)
{
    if (b->r.files_tip.txn >= b->txn)
        return 0; /* an earlier run came that far */
    b->adds = 0;
    POND_TRY(index_bundles(b->p->index, b->txn, b->txn, send_bundle, b, err));
    return b->adds ? end_files_commit(b, true, err) : 0;
}

/* ---- the `oplog` table ---- */

static int send_part(struct backup *b, const struct pond_commit *c, struct pond_error *err)
{
    if (!c->part_path)
        return 0;
    char *final_path = NULL, *tmp = NULL, *src = os_path_join(b->p->dir, c->part_path);
    int r = src ? remote_local_path(&b->r, &b->r.oplog, c->part_path, &final_path, err) : pond_fail_nomem(err);
    if (r == 0)
        r = os_exists(final_path, err);
    if (r == 0)
        r = store_tmp_path(b->r.store, &tmp, err);
    if (r == 0 && tmp)
        r = transfer_file(&b->transfer, src, tmp, final_path, (uint64_t)c->part_size, c->part_blake3, err);
    if (r == 0)
        r = store_batch_flush(b->transfer.batch, err);
    pond_free(src);
    pond_free(final_path);
    return r < 0 ? r : 0;
}

static int send_transaction(struct backup *b, struct pond_error *err)
{
    struct pond_buf home;
    struct pond_commit c = {0};
    char key[64];
    pond_buf_init(&home, DELTA_COMMIT_MAX);
    delta_commit_key(&b->p->table, b->txn, key, sizeof(key));
    int r = delta_read_commit(&b->p->table, b->txn, &home, err);
    if (r == 0)
        r = pond_fail_path(err, POND_ECORRUPT, key, "%s/%s: is missing", b->p->dir, key);
    if (r == 1)
        r = pond_commit_parse(key, b->txn, home.data, home.size, &c, err);
    if (r < 0) {
        pond_buf_release(&home);
        return r;
    }
    b->time_us = c.time_us;
    r = send_bundles(b, err);
    if (r == 0)
        r = send_part(b, &c, err);
    if (r == 0)
        r = commit_next(b, &b->r.oplog, &b->r.oplog_tip, b->txn, &home, err);
    pond_commit_release(&c);
    pond_buf_release(&home);
    return r;
}

/* ---- the whole ---- */

static int add_content(void *context, const uint8_t blake3[32], int64_t first_txn, uint64_t size, struct pond_error *err)
{
    (void)blake3;
    (void)first_txn;
    (void)err;
    *(uint64_t *)context += size;
    return 0;
}

static int count_bundle(void *context, const uint8_t blake3[32], int64_t first_txn, uint64_t size, struct pond_error *err)
{
    (void)first_txn;
    (void)size;
    struct backup *b = context;
    struct stat st;
    char *path = pond_bundle_path(b->p, blake3);
    int r = path ? os_stat(path, &st, err) : pond_fail_nomem(err);
    pond_free(path);
    if (r < 0)
        return r;
    b->result.bundles++;
    b->result.bytes_copied += (uint64_t)st.st_size;
    return 0;
}

/* Dry run: what a backup would send. */
static int count_all(struct backup *b, struct pond_error *err)
{
    b->result.transactions = (uint64_t)(b->p->info.txn - b->r.oplog_tip.txn);
    return index_bundles(b->p->index, b->r.oplog_tip.txn + 1, b->p->info.txn, count_bundle, b, err);
}

static int tell_total(struct backup *b, struct pond_error *err)
{
    const struct pond_control *control = &b->options->control;
    uint64_t content = 0; /* what progress counts */
    if (!control->total)
        return 0;
    POND_TRY(index_bundles(b->p->index, b->r.oplog_tip.txn + 1, b->p->info.txn, add_content, &content, err));
    control->total(control->context, content);
    return 0;
}

static int send_all(struct backup *b, struct pond_error *err)
{
    int64_t from = b->r.oplog_tip.txn;
    int r = 0;
    if (from < b->p->info.txn && b->r.files_tip.version < 0)
        r = create_files_table(b, err);
    for (b->txn = from + 1; r == 0 && b->txn <= b->p->info.txn; b->txn++) {
        r = send_transaction(b, err);
        if (r == 0)
            b->result.transactions++;
    }
    if (b->r.oplog_tip.txn > from || from < 0) {
        int e = remote_remember_tips(&b->r, b->p, r == 0 ? err : NULL);
        if (r == 0)
            r = e;
    }
    return r;
}

static int backup_to(struct backup *b, struct pond_error *err)
{
    POND_TRY(remote_find_tips(&b->r, b->p, err));
    POND_TRY(remote_same_history(&b->r, b->p, err));
    b->result.txn = b->p->info.txn;
    if (b->r.oplog_tip.txn == b->p->info.txn)
        return remote_note_tips(&b->r, b->p);
    if (b->options->dry_run)
        return count_all(b, err);
    POND_TRY(tell_total(b, err));
    POND_TRY(transfer_init(&b->transfer, &b->options->control, err));
    if (store_tmp_clear(b->r.store, LITTER_AGE_S, NULL) < 0) {
        /* What a killed backup left behind stays: nothing but space depends on it. */
    }
    int r = send_all(b, err);
    transfer_release(&b->transfer);
    return r;
}

int pond_backup(struct pond *p, const char *name, const struct pond_transfer_options *options, struct pond_transfer_result *out,
                struct pond_error *err)
{
    const char *url;
    struct backup b = {.p = p, .options = options};
    pond_buf_init(&b.commit, DELTA_COMMIT_MAX);
    POND_TRY(remote_lookup(p, name, &url, err));
    POND_TRY(remote_open(&b.r, url, p->info.id, !options->dry_run, err));
    b.r.for_writing = true;
    int r = backup_to(&b, err);
    remote_close(&b.r);
    pond_buf_release(&b.commit);
    if (r == 0)
        *out = b.result;
    return r;
}
