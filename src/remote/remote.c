#include "remote/remote.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"

#define POND_JSON "pond.json"
#define POND_JSON_MAX ((size_t)64 << 10)
#define COMMIT_BUFFER_MAX DELTA_COMMIT_MAX

/* ---- opening ---- */

static int parse_pond_json(const char *url, const struct pond_buf *text, char pond_id[37], struct pond_error *err)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)text->data, text->size, 0, &why);
    const char *id = json_string_value(json_object_get(root, "pond_id"));
    json_int_t format = json_integer_value(json_object_get(root, "format_version"));
    uint8_t uuid[16];
    int r = 0;
    if (!root)
        r = pond_fail_path(err, POND_ECORRUPT, url, "%s/" POND_JSON ": line %d: %s", url, why.line, why.text);
    else if (!id || !pond_uuid_parse(id, strlen(id), uuid))
        r = pond_fail_path(err, POND_ECORRUPT, url, "%s/" POND_JSON ": pond_id is missing or no UUID", url);
    else if (format != 1)
        r = pond_fail_path(err, POND_EUNSUPPORTED, url, "%s/" POND_JSON ": format_version %lld is not known here (only 1)", url,
                           (long long)format);
    if (r == 0)
        memcpy(pond_id, id, 37);
    json_decref(root);
    return r;
}

static int read_pond_json(struct remote *r, char pond_id[37], struct pond_error *err)
{
    struct pond_buf text = {0};
    int e = store_get(r->store, POND_JSON, POND_JSON_MAX, &text, err);
    if (e == POND_ENOTFOUND)
        e = pond_fail_path(err, POND_ENOPOND, store_url(r->store), "%s: no remote of a pond there (no " POND_JSON ")",
                           store_url(r->store));
    if (e == 0)
        e = parse_pond_json(store_url(r->store), &text, pond_id, err);
    pond_buf_release(&text);
    return e;
}

/* Put if absent: when two come at once, one of them owns the place and the other finds that out. */
static int claim_place(struct remote *r, const char *pond_id, struct pond_error *err)
{
    char text[128];
    int n = snprintf(text, sizeof(text), "{\"format_version\": 1, \"pond_id\": \"%s\"}\n", pond_id);
    int e = store_put_if_absent(r->store, POND_JSON, text, (size_t)n, err);
    return e == POND_EEXISTS ? 0 : e;
}

static int open_place(struct remote *r, const char *url, const char *pond_id, bool create, struct pond_error *err)
{
    struct pond_error why = {0};
    POND_TRY(store_open(&r->store, url, create, err));
    r->files = (struct delta_table){.store = r->store, .prefix = "files"};
    r->oplog = (struct delta_table){.store = r->store, .prefix = "oplog"};
    int e = read_pond_json(r, r->pond_id, &why);
    if (e == POND_ENOPOND && create && pond_id) {
        POND_TRY(claim_place(r, pond_id, err));
        e = read_pond_json(r, r->pond_id, &why);
    }
    if (e < 0) {
        if (err)
            *err = why;
        return e;
    }
    if (pond_id && strcmp(pond_id, r->pond_id) != 0)
        return pond_fail_path(err, POND_EDIVERGED, url, "%s: is the remote of another pond (%s, this one is %s)", url, r->pond_id,
                              pond_id);
    if (!store_local_dir(r->store))
        return pond_fail_path(err, POND_EUNSUPPORTED, url, "%s: only directories can be remotes", url);
    snprintf(r->app_id, sizeof(r->app_id), "pond-%s", r->pond_id);
    return 0;
}

int remote_open(struct remote *r, const char *url, const char *pond_id, bool create, struct pond_error *err)
{
    memset(r, 0, sizeof(*r));
    r->files_tip = r->oplog_tip = (struct table_tip){.version = -1, .txn = -1, .txn_version = -1};
    int e = open_place(r, url, pond_id, create, err);
    if (e < 0)
        remote_close(r);
    return e;
}

void remote_close(struct remote *r)
{
    store_free(r->store);
    r->store = NULL;
}

/* ---- commits and tips ---- */

struct find_txn {
    const char *app_id;
    const char *table_name;
    bool for_writing;
    int64_t txn;
};

/* Every commit is read through here, by backup, pull and restore, so a protocol that another engine raised is met before
 * anything is done on top of it. */
static int find_txn(void *context, const struct delta_action *action, struct pond_error *err)
{
    struct find_txn *f = context;
    if (action->kind == DELTA_TXN && strcmp(action->app_id, f->app_id) == 0)
        f->txn = action->txn_version;
    if (action->kind == DELTA_PROTOCOL)
        return delta_check_protocol(f->table_name, action->json, f->for_writing, err);
    return 0;
}

int remote_read_commit(const struct remote *r, const struct delta_table *t, int64_t version, struct pond_buf *buf, int64_t *txn,
                       struct pond_error *err)
{
    pond_buf_clear(buf);
    int e = delta_read_commit(t, version, buf, err);
    if (e <= 0)
        return e;
    char key[128];
    delta_commit_key(t, version, key, sizeof(key));
    struct pond_buf name = {0};
    pond_buf_printf(&name, "%s/%s", store_url(r->store), t->prefix);
    struct find_txn f = {r->app_id, pond_buf_cstr(&name), r->for_writing, -1};
    e = f.table_name ? delta_parse_commit(key, version, buf->data, buf->size, find_txn, &f, err) : pond_fail_nomem(err);
    pond_buf_release(&name);
    *txn = f.txn;
    return e < 0 ? e : 1;
}

static void tip_is(struct table_tip *tip, int64_t version, int64_t txn, const struct pond_buf *commit)
{
    tip->txn = txn;
    tip->txn_version = version;
    pond_blake3(commit->data, commit->size, tip->txn_blake3);
}

/* Forward from a known tip: what came after it. */
static int follow(struct remote *r, const struct delta_table *t, int64_t latest, struct table_tip *tip, struct pond_buf *buf,
                  struct pond_error *err)
{
    for (int64_t v = tip->version + 1; v <= latest; v++) {
        int64_t txn;
        int e = remote_read_commit(r, t, v, buf, &txn, err);
        if (e < 0)
            return e;
        if (e == 1 && txn > tip->txn)
            tip_is(tip, v, txn, buf);
        tip->version = v;
    }
    return 0;
}

/* Backward from the end, without a known tip: to the newest commit of ours. */
static int seek_back(struct remote *r, const struct delta_table *t, int64_t latest, struct table_tip *tip, struct pond_buf *buf,
                     struct pond_error *err)
{
    tip->version = latest;
    for (int64_t v = latest; v >= 0; v--) {
        int64_t txn;
        int e = remote_read_commit(r, t, v, buf, &txn, err);
        if (e < 0)
            return e;
        if (e == 1 && txn >= 0) {
            tip_is(tip, v, txn, buf);
            return 0;
        }
    }
    return 0;
}

/* A remembered tip is a hint: it holds when that very commit still stands there. */
static int still_holds(struct remote *r, const struct delta_table *t, const struct table_tip *tip, struct pond_buf *buf,
                       struct pond_error *err)
{
    if (tip->txn < 0)
        return 0;
    int64_t txn;
    uint8_t hash[32];
    int e = remote_read_commit(r, t, tip->txn_version, buf, &txn, err);
    if (e <= 0)
        return e;
    pond_blake3(buf->data, buf->size, hash);
    return txn == tip->txn && memcmp(hash, tip->txn_blake3, 32) == 0;
}

static int find_tip(struct remote *r, const struct delta_table *t, struct table_tip *tip, struct pond_error *err)
{
    struct pond_buf buf;
    pond_buf_init(&buf, COMMIT_BUFFER_MAX);
    int64_t latest, before = tip->version;
    int known = still_holds(r, t, tip, &buf, err);
    int e = known < 0 ? known : delta_latest_version(t, known ? tip->version : -1, &latest, err);
    if (e == 0 && known) {
        e = follow(r, t, latest, tip, &buf, err);
    } else if (e == 0) {
        *tip = (struct table_tip){.version = -1, .txn = -1, .txn_version = -1};
        e = seek_back(r, t, latest, tip, &buf, err);
    }
    pond_buf_release(&buf);
    if (e == 0 && tip->txn >= 0 && (!known || latest != before))
        r->tips_are_news = true;
    return e;
}

/* What is remembered: "<version> <txn> <txn version> <hash>" for each table, under the remote's URL. */
static bool parse_tip(const char *text, struct table_tip *tip)
{
    long long version, txn, txn_version;
    char hex[65];
    struct table_tip t = {0};
    /* A number too large is a wrong hint, and those are found out. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(text, "%lld %lld %lld %64s", &version, &txn, &txn_version, hex) != 4 || version < 0 || txn < 0 ||
        txn_version < 0 || txn_version > version || !pond_unhex(hex, strlen(hex), t.txn_blake3, 32))
        return false;
    t.version = version;
    t.txn = txn;
    t.txn_version = txn_version;
    *tip = t;
    return true;
}

static int tip_key(const struct remote *r, const char *table, struct pond_buf *out, struct pond_error *err)
{
    pond_buf_printf(out, "tip %s %s", table, store_url(r->store));
    POND_TRY(pond_buf_error(out, err));
    return pond_buf_cstr(out) ? 0 : pond_fail_nomem(err);
}

static int recall(struct remote *r, struct pond *p, const char *table, struct table_tip *tip, struct pond_error *err)
{
    struct pond_buf key = {0}, value = {0};
    int e = tip_key(r, table, &key, err);
    if (e == 0)
        e = pond_state_get(p, (const char *)key.data, &value, err);
    if (e == 1 && pond_buf_cstr(&value))
        (void)parse_tip((const char *)value.data, tip);
    pond_buf_release(&key);
    pond_buf_release(&value);
    return e < 0 ? e : 0;
}

static int remember(const struct remote *r, struct pond *p, const char *table, const struct table_tip *tip,
                    struct pond_error *err)
{
    struct pond_buf key = {0};
    char hex[65], value[160];
    pond_hex(tip->txn_blake3, 32, hex);
    snprintf(value, sizeof(value), "%lld %lld %lld %s", (long long)tip->version, (long long)tip->txn,
             (long long)tip->txn_version, hex);
    int e = tip_key(r, table, &key, err);
    if (e == 0)
        e = pond_state_put(p, (const char *)key.data, value, err);
    pond_buf_release(&key);
    return e;
}

int remote_recall_tips(struct remote *r, struct pond *p, struct pond_error *err)
{
    POND_TRY(recall(r, p, "oplog", &r->oplog_tip, err));
    return recall(r, p, "files", &r->files_tip, err);
}

int remote_find_tips(struct remote *r, struct pond *p, struct pond_error *err)
{
    if (p && r->oplog_tip.version < 0)
        POND_TRY(remote_recall_tips(r, p, err));
    POND_TRY(find_tip(r, &r->oplog, &r->oplog_tip, err));
    return find_tip(r, &r->files, &r->files_tip, err);
}

int remote_remember_tips(const struct remote *r, struct pond *p, struct pond_error *err)
{
    if (r->oplog_tip.txn >= 0)
        POND_TRY(remember(r, p, "oplog", &r->oplog_tip, err));
    return r->files_tip.txn >= 0 ? remember(r, p, "files", &r->files_tip, err) : 0;
}

int remote_note_tips(const struct remote *r, struct pond *p)
{
    int kept = r->tips_are_news ? remote_remember_tips(r, p, NULL) : 0;
    (void)kept;
    return 0;
}

/* ---- histories ---- */

struct find_commit {
    bool found;
    struct index_commit commit;
};

static int first_commit(void *context, const struct index_commit *commit, struct pond_error *err)
{
    (void)err;
    struct find_commit *f = context;
    f->found = true;
    f->commit = *commit; /* its strings are not used */
    return 1;
}

int remote_same_history(const struct remote *r, struct pond *p, struct pond_error *err)
{
    const struct table_tip *tip = &r->oplog_tip;
    if (tip->txn < 0)
        return 0;
    if (tip->txn == p->info.txn && memcmp(tip->txn_blake3, p->info.tip_blake3, 32) == 0)
        return 0;
    if (tip->txn > p->info.txn)
        return pond_fail_path(err, POND_EDIVERGED, store_url(r->store),
                              "%s: is at transaction %lld, this pond only at %lld: it is the backup of another copy of this pond",
                              store_url(r->store), (long long)tip->txn, (long long)p->info.txn);
    struct find_commit f = {0};
    POND_TRY(index_commits(p->index, tip->txn, first_commit, &f, err));
    if (!f.found || f.commit.txn != tip->txn || memcmp(f.commit.commit_blake3, tip->txn_blake3, 32) != 0)
        return pond_fail_path(err, POND_EDIVERGED, store_url(r->store),
                              "%s: its transaction %lld is not this pond's: the histories have diverged", store_url(r->store),
                              (long long)tip->txn);
    return 0;
}

/* ---- names ---- */

#define BUNDLE_PREFIX "bundle_id=POND-FILE-"

void remote_bundle_path(const struct pond_chunked_info *info, char out[REMOTE_BUNDLE_PATH_SIZE])
{
    char hex[65], uuid[POND_UUID_TEXT_SIZE];
    pond_hex(info->root_hash, 32, hex);
    pond_uuid_format(info->uuid, uuid);
    snprintf(out, REMOTE_BUNDLE_PATH_SIZE, BUNDLE_PREFIX "%s/part-00000-%s.parquet", hex, uuid);
}

bool remote_bundle_root(const char *path, uint8_t root[32])
{
    size_t prefix = sizeof(BUNDLE_PREFIX) - 1;
    return strncmp(path, BUNDLE_PREFIX, prefix) == 0 && strlen(path) > prefix + 64 && path[prefix + 64] == '/' &&
           pond_unhex(path + prefix, 64, root, 32);
}

int remote_local_path(const struct remote *r, const struct delta_table *t, const char *path, char **out, struct pond_error *err)
{
    struct pond_buf key = {0};
    int e = delta_data_key(t, path, &key, err);
    if (e == 0 && !(*out = os_path_join(store_local_dir(r->store), (const char *)key.data)))
        e = pond_fail_nomem(err);
    pond_buf_release(&key);
    return e;
}
