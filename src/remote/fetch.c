/* Restore and pull: the remote's transactions put in place at home, literally, in the order of invariant 2: bundles, the OpLog
 * part, the commit. What is there already is not fetched again, so both continue where they were cut off.
 */
#include "remote/remote.h"

#include <string.h>

#include "base/os.h"
#include "base/text.h"

/* Reads the `files` log beside the `oplog` one: the commits of one transaction stand before those of the next. */
struct files_cursor {
    int64_t next;                  /* version to read next */
    struct pond_buf commit;
    int64_t txn;                   /* of the commit in the buffer: commitInfo.pond.txn_seq; -1: nothing there */
};

struct fetch {
    struct pond *p;
    struct remote r;
    struct transfer transfer;
    const struct pond_transfer_options *options;
    struct pond_transfer_result result;
    struct files_cursor files;
    struct pond_buf commit;
    int64_t last_txn;              /* to stop at */
    int64_t last_time_us;          /* likewise */
};

/* ---- the `files` log ---- */

static int files_txn(void *context, const struct delta_action *action, struct pond_error *err)
{
    (void)err;
    int64_t *txn = context;
    const json_t *mine = action->kind == DELTA_COMMIT_INFO ? json_object_get(action->json, "pond") : NULL;
    const json_t *seq = json_object_get(mine, "txn_seq");
    if (json_is_integer(seq))
        *txn = json_integer_value(seq);
    return 0;
}

/* Puts the next commit of ours into the buffer. Foreign ones name no bundle of ours that is not there under its first name. */
static int files_advance(struct fetch *f, struct pond_error *err)
{
    struct files_cursor *c = &f->files;
    for (c->txn = -1; c->txn < 0;) {
        char key[128];
        int64_t last_of; /* the transaction it ends; here any commit of it counts */
        int r = remote_read_commit(&f->r, &f->r.files, c->next, &c->commit, &last_of, err);
        if (r <= 0)
            return r;
        delta_commit_key(&f->r.files, c->next, key, sizeof(key));
        POND_TRY(delta_parse_commit(key, c->next, c->commit.data, c->commit.size, files_txn, &c->txn, err));
        c->next++;
    }
    return 1;
}

static int fetch_bundle(struct fetch *f, const struct delta_action *add, const uint8_t root[32], struct pond_error *err)
{
    char *src = NULL, *final_path = pond_bundle_path(f->p, root);
    struct pond_chunked_info info;
    if (!final_path)
        return pond_fail_nomem(err);
    int there = os_exists(final_path, err);
    int r = there < 0 ? there : 0;
    if (there == 0)
        r = remote_local_path(&f->r, &f->r.files, add->path, &src, err);
    if (there == 1 && f->options->control.progress)
        f->options->control.progress(f->options->control.context, add->size > 0 ? (uint64_t)add->size : 0);
    if (there == 0 && r == 0)
        r = transfer_bundle(&f->transfer, src, pond_tmp_path(f->p), final_path, root, &info, err);
    const char *form = json_string_value(json_object_get(json_object_get(add->json, "tags"), "form_blake3"));
    char hex[65];
    if (there == 0 && r == 0) {
        pond_hex(info.form_hash, 32, hex);
        if (form && strcmp(form, hex) != 0)
            r = pond_fail_path(err, POND_ECORRUPT, src, "%s: is not the file that was backed up (form %s, the log says %.64s)", src,
                               hex, form);
        f->result.bundles++;
        f->result.bytes_copied += info.file_size;
    }
    pond_free(src);
    pond_free(final_path);
    return r;
}

static int fetch_add(void *context, const struct delta_action *action, struct pond_error *err)
{
    uint8_t root[32];
    if (action->kind != DELTA_ADD)
        return 0;
    if (!remote_bundle_root(action->path, root)) {
        struct fetch *f = context;
        char key[128];
        delta_commit_key(&f->r.files, action->version, key, sizeof(key));
        return pond_fail_path(err, POND_ECORRUPT, key, "%s/%s: line %zu: '%.100s' is not the path of a bundle",
                              store_url(f->r.store), key, action->line, action->path);
    }
    return fetch_bundle(context, action, root, err);
}

/* All bundles that the transaction stored first. */
static int fetch_bundles(struct fetch *f, int64_t txn, struct pond_error *err)
{
    for (;;) {
        if (f->files.txn < 0) {
            int r = files_advance(f, err);
            if (r <= 0)
                return r; /* the log's end: no later transaction has bundles */
        }
        if (f->files.txn > txn)
            return 0;
        if (f->files.txn == txn) {
            char key[128];
            delta_commit_key(&f->r.files, f->files.next - 1, key, sizeof(key));
            POND_TRY(delta_parse_commit(key, f->files.next - 1, f->files.commit.data, f->files.commit.size, fetch_add, f, err));
        }
        f->files.txn = -1;
    }
}

static int add_size(void *context, const struct delta_action *action, struct pond_error *err)
{
    (void)err;
    uint64_t *total = context;
    if (action->kind == DELTA_ADD && action->size > 0)
        *total += (uint64_t)action->size;
    return 0;
}

/* Reads the log ahead, so only for those who want to know. What is here already counts too: it is told as done then. */
static int tell_total(struct fetch *f, struct pond_error *err)
{
    const struct pond_control *control = &f->options->control;
    struct files_cursor *c = &f->files;
    const int64_t first = c->next;
    uint64_t total = 0;
    if (!control->total)
        return 0;
    int r = files_advance(f, err);
    while (r == 1 && c->txn <= f->last_txn) {
        char key[128];
        delta_commit_key(&f->r.files, c->next - 1, key, sizeof(key));
        POND_TRY(delta_parse_commit(key, c->next - 1, c->commit.data, c->commit.size, add_size, &total, err));
        r = files_advance(f, err);
    }
    c->next = first;
    c->txn = -1;
    if (r >= 0)
        control->total(control->context, total);
    return r < 0 ? r : 0;
}

/* ---- the `oplog` log ---- */

struct closure {
    struct fetch *f;
    const char *part;
};

/* Every bundle that a row names must be here before the commit that names the row. */
static int check_row(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err)
{
    struct closure *c = context;
    if (row->storage != POND_STORAGE_CHUNKED || !row->has_blake3)
        return 0;
    char hex[65], *path = pond_bundle_path(c->f->p, row->blake3);
    int r = path ? os_exists(path, err) : pond_fail_nomem(err);
    pond_hex(row->blake3, 32, hex);
    if (r == 0)
        r = pond_fail_path(err, POND_ECORRUPT, path, "%s: the remote has no bundle %s, which row %llu of %s names",
                           store_url(c->f->r.store), hex, (unsigned long long)ordinal, c->part);
    pond_free(path);
    return r < 0 ? r : 0;
}

static int check_closure(struct fetch *f, const char *path, int64_t txn, struct pond_error *err)
{
    int fd = os_open(path, 0, 0, err);
    if (fd < 0)
        return fd;
    struct closure c = {f, path};
    int r = oplog_read_rows(fd, path, txn, check_row, &c, err);
    os_close(fd);
    return r;
}

static int fetch_part(struct fetch *f, const struct pond_commit *c, struct pond_error *err)
{
    if (!c->part_path)
        return 0;
    char *src = NULL, *final_path = os_path_join(f->p->dir, c->part_path);
    int there = final_path ? os_exists(final_path, err) : pond_fail_nomem(err);
    int r = there < 0 ? there : 0;
    if (there == 0)
        r = remote_local_path(&f->r, &f->r.oplog, c->part_path, &src, err);
    if (there == 0 && r == 0)
        r = transfer_file(&f->transfer, src, pond_tmp_path(f->p), final_path, (uint64_t)c->part_size, c->part_blake3, err);
    if (r == 0)
        r = store_batch_flush(f->transfer.batch, err);
    if (r == 0)
        r = check_closure(f, final_path, c->txn, err);
    pond_free(src);
    pond_free(final_path);
    return r;
}

static int fetch_transaction(struct fetch *f, const char *key, int64_t txn, bool *stop, struct pond_error *err)
{
    struct pond_commit c;
    POND_TRY(pond_commit_parse(key, txn, f->commit.data, f->commit.size, &c, err));
    *stop = txn > f->last_txn || c.time_us > f->last_time_us;
    int r = 0;
    if (!*stop && txn > f->p->info.txn) {
        r = fetch_bundles(f, txn, err);
        if (r == 0)
            r = fetch_part(f, &c, err);
    }
    pond_commit_release(&c);
    if (r == 0 && !*stop) {
        bool is_new = txn > f->p->info.txn;
        r = pond_apply_commit(f->p, txn, f->commit.data, f->commit.size, err);
        if (r == 0 && is_new)
            f->result.transactions++;
    }
    return r;
}

static int read_transaction(struct fetch *f, int64_t version, char key[128], int64_t *txn, struct pond_error *err)
{
    int r = remote_read_commit(&f->r, &f->r.oplog, version, &f->commit, txn, err);
    delta_commit_key(&f->r.oplog, version, key, 128);
    if (r == 0)
        return pond_fail_path(err, POND_ECORRUPT, key, "%s/%s: is missing, though later ones are there", store_url(f->r.store), key);
    return r < 0 ? r : 0;
}

/* That a commit was changed shows in the next one, which names its hash: so they are all read before the first is put in place.
 * How the first follows on what is here, pond_apply_commit finds out. */
static int check_chain(struct fetch *f, int64_t version, struct pond_error *err)
{
    uint8_t parent[32] = {0};
    char key[128], parent_key[128] = "";
    bool stop = false;
    for (; version <= f->r.oplog_tip.txn_version && !stop; version++) {
        struct pond_commit c;
        int64_t txn;
        POND_TRY(read_transaction(f, version, key, &txn, err));
        if (txn < 0)
            continue;
        POND_TRY(pond_commit_parse(key, txn, f->commit.data, f->commit.size, &c, err));
        bool follows = parent_key[0] == '\0' || (c.has_parent && memcmp(c.parent_blake3, parent, sizeof(parent)) == 0);
        stop = txn > f->last_txn || c.time_us > f->last_time_us;
        memcpy(parent, c.commit_blake3, sizeof(parent));
        pond_commit_release(&c);
        if (!follows)
            return pond_fail_path(err, POND_ECORRUPT, parent_key, "%s/%s: does not have the BLAKE3 that %s says: one of the two was "
                                  "changed", store_url(f->r.store), parent_key, key);
        memcpy(parent_key, key, sizeof(parent_key));
    }
    return 0;
}

/* From the version after the one that holds this pond's newest transaction, as far as that is known. */
static int fetch_from(struct fetch *f, int64_t version, struct pond_error *err)
{
    bool stop = false;
    for (; version <= f->r.oplog_tip.txn_version && !stop; version++) {
        int64_t txn;
        char key[128];
        POND_TRY(read_transaction(f, version, key, &txn, err));
        if (txn >= 0)
            POND_TRY(fetch_transaction(f, key, txn, &stop, err));
    }
    f->result.txn = f->p->info.txn;
    return 0;
}

/* ---- the whole ---- */

static void fetch_init(struct fetch *f, const struct pond_transfer_options *options)
{
    memset(f, 0, sizeof(*f));
    f->options = options;
    f->files.txn = -1;
    f->last_txn = f->last_time_us = INT64_MAX;
    pond_buf_init(&f->commit, DELTA_COMMIT_MAX);
    pond_buf_init(&f->files.commit, DELTA_COMMIT_MAX);
}

static void fetch_release(struct fetch *f)
{
    transfer_release(&f->transfer);
    remote_close(&f->r);
    pond_buf_release(&f->commit);
    pond_buf_release(&f->files.commit);
}

/* "12" or a time; pond_parse_txn needs the history that is only being fetched. */
static int parse_at(struct fetch *f, struct pond_error *err)
{
    const char *text = f->options->at_text;
    f->last_txn = f->options->at;
    if (!text)
        return 0;
    f->last_txn = INT64_MAX;
    if (text[0] && text[strspn(text, "0123456789")] == 0 && strlen(text) <= 18) {
        f->last_txn = 0;
        for (const char *p = text; *p; p++)
            f->last_txn = f->last_txn * 10 + (*p - '0');
        return 0;
    }
    if (!pond_parse_time(text, &f->last_time_us))
        return pond_fail(err, POND_EUSAGE, "'%s': neither a transaction number nor an RFC 3339 time", text);
    return 0;
}

/* A replica that is at the remote's newest transaction needs nothing; one that was there when it last looked begins after it. */
static int fetch_all(struct fetch *f, const struct table_tip *before, const struct table_tip *files_before, struct pond_error *err)
{
    if (f->last_txn != INT64_MAX && f->last_txn > f->r.oplog_tip.txn)
        return pond_fail(err, POND_ENOTFOUND, "%s: no transaction %lld, the newest is %lld", store_url(f->r.store),
                         (long long)f->last_txn, (long long)f->r.oplog_tip.txn);
    bool known = before->txn >= 0 && before->txn <= f->p->info.txn;
    f->files.next = known && files_before->txn >= 0 ? files_before->txn_version + 1 : 0;
    POND_TRY(transfer_init(&f->transfer, &f->options->control, err));
    POND_TRY(tell_total(f, err));
    int64_t had = f->p->info.txn;
    POND_TRY(check_chain(f, known ? before->txn_version : 0, err));
    POND_TRY(fetch_from(f, known ? before->txn_version : 0, err));
    if (f->p->info.txn < 0)
        return pond_fail(err, POND_ENOTFOUND, "%s: no transaction at or before that time", store_url(f->r.store));
    if (f->p->info.txn == f->r.oplog_tip.txn && had != f->p->info.txn)
        return remote_remember_tips(&f->r, f->p, err);
    return 0;
}

static int pull_from(struct fetch *f, struct pond_error *err)
{
    POND_TRY(remote_recall_tips(&f->r, f->p, err));
    struct table_tip before = f->r.oplog_tip, files_before = f->r.files_tip;
    POND_TRY(remote_find_tips(&f->r, f->p, err));
    f->result.txn = f->p->info.txn;
    if (f->p->info.role != POND_REPLICA) /* nothing is brought to a primary, but a second one is found out here */
        return remote_same_history(&f->r, f->p, err);
    if (f->r.oplog_tip.txn < f->p->info.txn)
        return pond_fail_path(err, POND_EDIVERGED, store_url(f->r.store),
                              "%s: is at transaction %lld, this replica at %lld already: it is not the remote it came from",
                              store_url(f->r.store), (long long)f->r.oplog_tip.txn, (long long)f->p->info.txn);
    if (f->r.oplog_tip.txn == f->p->info.txn) {
        POND_TRY(remote_same_history(&f->r, f->p, err));
        return remote_note_tips(&f->r, f->p);
    }
    return fetch_all(f, &before, &files_before, err);
}

int pond_pull(struct pond *p, const char *name, const struct pond_transfer_options *options, struct pond_transfer_result *out,
              struct pond_error *err)
{
    const char *url;
    struct fetch f;
    POND_TRY(remote_lookup(p, name, &url, err));
    fetch_init(&f, options);
    f.p = p;
    int r = remote_open(&f.r, url, p->info.id, false, err);
    if (r == 0)
        r = pull_from(&f, err);
    fetch_release(&f);
    if (r == 0)
        *out = f.result;
    return r;
}

static int restore_into(struct fetch *f, const char *url, const char *dir, struct pond_error *err)
{
    POND_TRY(parse_at(f, err));
    POND_TRY(remote_open(&f->r, url, NULL, false, err));
    POND_TRY(remote_find_tips(&f->r, NULL, err));
    if (f->r.oplog_tip.txn < 0)
        return pond_fail_path(err, POND_ENOPOND, url, "%s: the remote is empty: no backup was completed", url);
    POND_TRY(pond_replica_open(&f->p, dir, f->r.pond_id, err));
    POND_TRY(remote_name_origin(f->p, url, err));
    const struct table_tip nothing = {.version = -1, .txn = -1, .txn_version = -1};
    return fetch_all(f, &nothing, &nothing, err);
}

int pond_restore(const char *url, const char *dir, const struct pond_transfer_options *options, struct pond_transfer_result *out,
                 struct pond_error *err)
{
    struct fetch f;
    fetch_init(&f, options);
    char *absolute = NULL; /* what is remembered of the remote stands under its URL */
    int r = remote_absolute_url(url, &absolute, err);
    if (r == 0)
        r = restore_into(&f, absolute, dir, err);
    pond_free(absolute);
    struct pond *p = f.p;
    fetch_release(&f);
    pond_close(p);
    if (r == 0)
        *out = f.result;
    return r;
}
