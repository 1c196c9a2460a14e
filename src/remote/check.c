/* Checking a remote: its two logs, the chain of hashes, every part, every bundle, and that all that the rows name is there. */
#include "remote/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "bao/tree.h"

/* A bundle that `files` adds for the transaction being checked. */
struct added {
    uint8_t root[32];
};

struct remote_check {
    struct pond *p;
    struct remote r;
    const struct pond_check_options *options;
    struct pond_check_result result;
    struct pond_buf commit, files_commit;
    uint8_t parent[32];
    bool has_parent;
    int64_t txn;
    int64_t files_next;
    int64_t files_txn;             /* of the commit in files_commit; -1: none */
    struct added *added;
    size_t added_count, added_capacity;
};

static void damage(struct remote_check *c, const char *what, const char *path, const char *message, bool intact)
{
    struct pond_buf named = {0};
    struct pond_damage d = {.what = what, .path = path, .message = message, .content_intact = intact};
    if (!strstr(message, path)) {
        pond_buf_printf(&named, "%s: %s", path, message);
        d.message = pond_buf_cstr(&named) ? (const char *)named.data : message;
    }
    c->result.damaged++;
    if (c->options->on_damage)
        c->options->on_damage(c->options->context, &d);
    pond_buf_release(&named);
}

/* Damage is told and counted; anything else ends the check. */
static int damage_or_fail(struct remote_check *c, const char *what, const char *path, int r, const struct pond_error *why,
                          struct pond_error *err)
{
    if (r >= 0)
        return 0;
    if (r == POND_ECORRUPT || r == POND_ENOTFOUND || r == POND_EUNSUPPORTED || r == POND_ELIMIT || r == POND_EIO) {
        damage(c, what, path, why->message, strstr(why->message, "content itself verifies") != NULL);
        return 0;
    }
    if (err)
        *err = *why;
    return r;
}

/* ---- bundles ---- */

static bool in_subset(const struct remote_check *c, const uint8_t root[32])
{
    if (!c->options->subset_of)
        return true;
    uint32_t n = (uint32_t)root[0] << 24 | (uint32_t)root[1] << 16 | (uint32_t)root[2] << 8 | root[3];
    return n % c->options->subset_of + 1 == c->options->subset_n;
}

static int verify_bundle(struct remote_check *c, int fd, const char *path, const uint8_t root[32], const json_t *add,
                         struct pond_error *err)
{
    struct pond_chunked_info info;
    if (!c->options->read_data || !in_subset(c, root)) {
        struct pond_chunked_reader *reader;
        POND_TRY(pond_chunked_open(&reader, fd, path, root, err));
        info = *pond_chunked_reader_info(reader);
        pond_chunked_close(reader);
    } else {
        POND_TRY(pond_chunked_verify(fd, path, root, true, &c->options->control, &info, err));
        c->result.bytes_read += info.file_size;
        const char *form = json_string_value(json_object_get(json_object_get(add, "tags"), "form_blake3"));
        char hex[65];
        pond_hex(info.form_hash, 32, hex);
        if (form && strcmp(form, hex) != 0)
            return pond_fail_path(err, POND_ECORRUPT, path, "%s: is not the file that was backed up (form %s, the log says %.64s)",
                                  path, hex, form);
    }
    json_int_t size = json_integer_value(json_object_get(add, "size"));
    if ((uint64_t)size != info.file_size)
        return pond_fail_path(err, POND_ECORRUPT, path, "%s: has %llu bytes, the log says %lld", path,
                              (unsigned long long)info.file_size, (long long)size);
    return 0;
}

static int check_bundle(struct remote_check *c, const struct delta_action *add, struct pond_error *err)
{
    uint8_t root[32];
    char *path;
    struct pond_error why = {0};
    if (!remote_bundle_root(add->path, root)) {
        char key[128], message[320];
        delta_commit_key(&c->r.files, add->version, key, sizeof(key));
        snprintf(message, sizeof(message), "%s: line %zu: '%.100s' is not the path of a bundle", key, add->line, add->path);
        damage(c, "commit", key, message, false);
        return 0;
    }
    if (c->added_count == c->added_capacity) {
        size_t capacity = c->added_capacity ? c->added_capacity * 2 : 64;
        struct added *more = pond_realloc(c->added, capacity, sizeof(*more));
        if (!more)
            return pond_fail_nomem(err);
        c->added = more;
        c->added_capacity = capacity;
    }
    memcpy(c->added[c->added_count++].root, root, 32);
    c->result.bundles++;
    POND_TRY(remote_local_path(&c->r, &c->r.files, add->path, &path, err));
    int fd = os_open(path, 0, 0, &why), r = fd;
    if (fd >= 0)
        r = verify_bundle(c, fd, path, root, add->json, &why);
    os_close(fd);
    r = damage_or_fail(c, "bundle", path, r, &why, err);
    pond_free(path);
    return r;
}

static int check_files_action(void *context, const struct delta_action *action, struct pond_error *err)
{
    struct remote_check *c = context;
    return action->kind == DELTA_ADD ? check_bundle(c, action, err) : 0;
}

static int files_seq(void *context, const struct delta_action *action, struct pond_error *err)
{
    (void)err;
    const json_t *seq = action->kind == DELTA_COMMIT_INFO
                            ? json_object_get(json_object_get(action->json, "pond"), "txn_seq") : NULL;
    if (json_is_integer(seq))
        *(int64_t *)context = json_integer_value(seq);
    return 0;
}

static int files_load_next(struct remote_check *c, struct pond_error *err)
{
    for (c->files_txn = -1; c->files_txn < 0;) {
        char key[128];
        pond_buf_clear(&c->files_commit);
        int r = delta_read_commit(&c->r.files, c->files_next, &c->files_commit, err);
        if (r <= 0)
            return r;
        delta_commit_key(&c->r.files, c->files_next, key, sizeof(key));
        struct pond_error why = {0};
        r = delta_parse_commit(key, c->files_next, c->files_commit.data, c->files_commit.size, files_seq, &c->files_txn, &why);
        POND_TRY(damage_or_fail(c, "commit", key, r, &why, err));
        c->files_next++;
    }
    return 1;
}

static int check_files_of(struct remote_check *c, struct pond_error *err)
{
    c->added_count = 0;
    for (;;) {
        if (c->files_txn < 0) {
            int r = files_load_next(c, err);
            if (r <= 0)
                return r;
        }
        if (c->files_txn > c->txn)
            return 0;
        char key[128];
        delta_commit_key(&c->r.files, c->files_next - 1, key, sizeof(key));
        if (c->files_txn == c->txn)
            POND_TRY(delta_parse_commit(key, c->files_next - 1, c->files_commit.data, c->files_commit.size, check_files_action, c,
                                        err));
        c->files_txn = -1;
    }
}

static int by_root(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* A bundle that this pond says the transaction stored first. */
static int expect_bundle(void *context, const uint8_t blake3[32], int64_t first_txn, uint64_t size, struct pond_error *err)
{
    (void)first_txn;
    (void)size;
    (void)err;
    struct remote_check *c = context;
    if (c->added_count && bsearch(blake3, c->added, c->added_count, sizeof(*c->added), by_root))
        return 0;
    char hex[65], message[160];
    pond_hex(blake3, 32, hex);
    snprintf(message, sizeof(message), "the remote has no bundle %s, which transaction %lld stored", hex, (long long)c->txn);
    damage(c, "bundle", hex, message, false);
    return 0;
}

static int check_closure(struct remote_check *c, struct pond_error *err)
{
    if (c->added_count)
        qsort(c->added, c->added_count, sizeof(*c->added), by_root);
    return c->txn <= c->p->info.txn ? index_bundles(c->p->index, c->txn, c->txn, expect_bundle, c, err) : 0;
}

/* ---- parts and commits ---- */

static int count_row(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err)
{
    (void)ordinal;
    (void)row;
    (void)err;
    ((struct remote_check *)context)->result.entries++;
    return 0;
}

static int hash_file(struct remote_check *c, int fd, const char *path, const struct pond_commit *commit, struct pond_error *err)
{
    struct bao_hasher *h = pond_alloc(1, sizeof(*h));
    uint8_t *buf = pond_alloc(1, 1u << 20), hash[32];
    int r = h && buf ? 0 : pond_fail_nomem(err);
    if (r == 0)
        bao_hasher_init(h);
    uint64_t at = 0;
    while (r == 0) {
        ssize_t n = os_pread(fd, path, buf, 1u << 20, at, err);
        if (n < 0)
            r = (int)n;
        if (n <= 0)
            break;
        bao_hasher_update(h, buf, (size_t)n);
        at += (uint64_t)n;
    }
    if (r == 0) {
        bao_hasher_final(h, hash);
        c->result.bytes_read += at;
        if (at != (uint64_t)commit->part_size || memcmp(hash, commit->part_blake3, 32) != 0)
            r = pond_fail_path(err, POND_ECORRUPT, path, "%s: has not the size and BLAKE3 that its commit says", path);
    }
    pond_free(h);
    pond_free(buf);
    return r;
}

static int check_part(struct remote_check *c, const struct pond_commit *commit, struct pond_error *err)
{
    char *path;
    struct pond_error why = {0};
    if (!commit->part_path)
        return 0;
    POND_TRY(remote_local_path(&c->r, &c->r.oplog, commit->part_path, &path, err));
    int fd = os_open(path, 0, 0, &why), r = fd;
    if (fd >= 0)
        r = hash_file(c, fd, path, commit, &why);
    if (r >= 0)
        r = oplog_read_rows(fd, path, commit->txn, count_row, c, &why);
    os_close(fd);
    r = damage_or_fail(c, "oplog_part", path, r, &why, err);
    pond_free(path);
    return r;
}

/* A remote that is ahead of this pond must have been where it is. */
static int check_link(struct remote_check *c, const char *key, const struct pond_commit *commit, struct pond_error *err)
{
    const uint8_t *tip = c->p->info.tip_blake3;
    if (commit->txn == c->p->info.txn + 1 && commit->has_parent && memcmp(commit->parent_blake3, tip, 32) != 0 &&
        memcmp(c->parent, tip, 32) != 0)
        return pond_fail_path(err, POND_EDIVERGED, store_url(c->r.store),
                              "%s: its transaction %lld is not this pond's: the histories have diverged", store_url(c->r.store),
                              (long long)c->p->info.txn);
    char message[200];
    if (commit->txn != c->txn + 1 || strcmp(commit->pond_id, c->r.pond_id) != 0) {
        snprintf(message, sizeof(message), "holds transaction %lld of pond %s where %lld of %s is expected",
                 (long long)commit->txn, commit->pond_id, (long long)c->txn + 1, c->r.pond_id);
        damage(c, "commit", key, message, false);
    } else if (c->has_parent != commit->has_parent || (c->has_parent && memcmp(c->parent, commit->parent_blake3, 32) != 0)) {
        damage(c, "commit", key, "does not name the hash of the commit before it: the history was changed", false);
    }
    memcpy(c->parent, commit->commit_blake3, 32);
    c->has_parent = true;
    c->txn = commit->txn;
    return 0;
}

static int check_commit(struct remote_check *c, const char *key, int64_t txn, struct pond_error *err)
{
    struct pond_commit commit;
    struct pond_error why = {0};
    int r = pond_commit_parse(key, txn, c->commit.data, c->commit.size, &commit, &why);
    if (r < 0)
        return damage_or_fail(c, "commit", key, r, &why, err);
    r = check_link(c, key, &commit, err);
    if (r == 0)
        r = check_files_of(c, err);
    if (r == 0)
        r = check_closure(c, err);
    if (r == 0)
        r = check_part(c, &commit, err);
    pond_commit_release(&commit);
    return r;
}

static int check_oplog(struct remote_check *c, struct pond_error *err)
{
    c->txn = c->files_txn = -1;
    for (int64_t version = 0; version <= c->r.oplog_tip.version; version++) {
        int64_t txn = -1;
        char key[128];
        struct pond_error why = {0};
        if (c->options->control.cancel && *c->options->control.cancel)
            return pond_fail(err, POND_EINTERRUPTED, "interrupted");
        delta_commit_key(&c->r.oplog, version, key, sizeof(key));
        int r = remote_read_commit(&c->r, &c->r.oplog, version, &c->commit, &txn, &why);
        if (r == 0) {
            damage(c, "commit", key, "is missing, though later ones are there", false);
            continue;
        }
        POND_TRY(damage_or_fail(c, "commit", key, r, &why, err));
        if (r > 0 && txn >= 0)
            POND_TRY(check_commit(c, key, txn, err));
    }
    return 0;
}

int pond_check_remote(struct pond *p, const char *name, const struct pond_check_options *options, struct pond_check_result *out,
                      struct pond_error *err)
{
    const char *url;
    struct remote_check c = {.p = p, .options = options};
    POND_TRY(remote_lookup(p, name, &url, err));
    POND_TRY(remote_open(&c.r, url, p->info.id, false, err));
    pond_buf_init(&c.commit, DELTA_COMMIT_MAX);
    pond_buf_init(&c.files_commit, DELTA_COMMIT_MAX);
    int r = remote_find_tips(&c.r, NULL, err);
    if (r == 0 && c.r.oplog_tip.txn <= p->info.txn)
        r = remote_same_history(&c.r, p, err);
    if (r == 0)
        r = check_oplog(&c, err);
    remote_close(&c.r);
    pond_buf_release(&c.commit);
    pond_buf_release(&c.files_commit);
    pond_free(c.added);
    if (r == 0)
        *out = c.result;
    return r;
}
