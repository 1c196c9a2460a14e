/* tlogfs/check.c - pond_check: the log's commits, one after another. The rows are in check_rows.c, bundles in
 * check_bundles.c. */
#include "tlogfs/check.h"

#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "tlogfs/handle.h"
#include "tlogfs/logread.h"

int check_found(struct check *k, const char *what, const char *path, bool content_intact, int code,
                const struct pond_error *why, struct pond_error *err)
{
    if (code == POND_ENOMEM || code == POND_EINTERRUPTED) {
        if (err != NULL)
            *err = *why;
        return code;
    }
    const struct pond_damage damage = {
        .what = what,
        .path = path,
        .message = why->message,
        .content_intact = content_intact,
    };
    k->result.damaged++;
    if (k->options->on_damage != NULL)
        k->options->on_damage(k->options->context, &damage);
    return 0;
}

static int check_part(struct check *k, const struct pond_commit *c, struct pond_error *err)
{
    struct pond_error why = {0};
    if (c->part_path == NULL)
        return 0;
    int fd = logread_part_open(k->pond, c, &k->path, &why);
    const char *path = (const char *)k->path.data;
    if (fd < 0)
        return check_found(k, "oplog_part", path, false, fd, &why, err);
    int r = logread_part_verify(fd, path, c, &k->options->control, &why);
    k->result.bytes_read += (uint64_t)c->part_size;
    if (r == 0 || r == POND_ECORRUPT)
        r = check_rows(k, c, fd, path, r < 0 ? &why : NULL, err);
    else
        r = check_found(k, "oplog_part", path, false, r, &why, err);
    os_close(fd);
    return r;
}

/* ---- what the index says of a commit ---- */

struct indexed {
    const struct pond_commit *commit;
    bool found, same;
};

static int compare_commit(void *context, const struct index_commit *i, struct pond_error *err)
{
    struct indexed *x = context;
    const struct pond_commit *c = x->commit;
    (void)err;
    x->found = i->txn == c->txn;
    x->same = x->found && memcmp(i->commit_blake3, c->commit_blake3, POND_HASH_SIZE) == 0 && i->time_us == c->time_us &&
              strcmp(i->part_path, c->part_path != NULL ? c->part_path : "") == 0 &&
              (c->part_path == NULL || (i->part_size == (uint64_t)c->part_size &&
                                        memcmp(i->part_blake3, c->part_blake3, POND_HASH_SIZE) == 0)) &&
              strcmp(i->command, c->command) == 0 && strcmp(i->user, c->user) == 0 && strcmp(i->host, c->host) == 0 &&
              i->files_added == c->files_added && i->files_changed == c->files_changed &&
              i->files_removed == c->files_removed && i->bytes == c->bytes;
    return 1;
}

static int check_indexed(struct check *k, const struct pond_commit *c, struct pond_error *err)
{
    struct indexed x = {.commit = c};
    struct pond_error why = {0};
    int r = index_commits(k->pond->index, c->txn, compare_commit, &x, &why);
    if (r == 0 && x.same)
        return 0;
    if (r == 0)
        (void)pond_fail(&why, POND_ECORRUPT, "the index does not say of transaction %lld what the log says; without "
                        "_pond/index.sqlite it is made anew", (long long)c->txn);
    return check_found(k, "index", "_pond/index.sqlite", true, POND_ECORRUPT, &why, err);
}

/* ---- the log ---- */

/* One commit; hash: in, its parent's, out, its own. *known: there is a hash to compare with. */
static int check_commit(struct check *k, int64_t txn, uint8_t hash[POND_HASH_SIZE], bool *known,
                        struct pond_error *err)
{
    struct pond_error why = {0};
    struct pond_commit c = {0};
    int r = logread_commit(k->pond, txn, &c, &k->name, &why);
    if (r < 0) {
        *known = false;
        return check_found(k, "commit", (const char *)k->name.data, false, r, &why, err);
    }
    const char *name = (const char *)k->name.data;
    if (*known || txn == 0)
        r = pond_check_link(k->pond, name, &c, txn, hash, &why);
    if (r < 0)
        r = check_found(k, "commit", name, false, r, &why, err);
    memcpy(hash, c.commit_blake3, POND_HASH_SIZE);
    *known = true;
    if (r == 0)
        r = check_indexed(k, &c, err);
    if (r == 0)
        r = check_part(k, &c, err);
    pond_commit_release(&c);
    return r;
}

static int check_log(struct check *k, struct pond_error *err)
{
    struct pond_error why = {0};
    uint8_t hash[POND_HASH_SIZE] = {0};
    bool known = false;
    int64_t newest;
    int r = delta_latest_version(&k->pond->table, -1, &newest, &why); /* lists the log: a gap shows */
    if (r < 0)
        POND_TRY(check_found(k, "commit", "_delta_log", false, r, &why, err));
    for (int64_t txn = 0; txn <= k->tip; txn++)
        POND_TRY(check_commit(k, txn, hash, &known, err));
    return 0;
}

static int check_options(const struct pond_check_options *o, struct pond_error *err)
{
    if (o->subset_of == 0 && o->subset_n == 0)
        return 0;
    if (o->subset_n >= 1 && o->subset_n <= o->subset_of)
        return 0;
    return pond_fail(err, POND_EUSAGE, "there is no part %u of %u", o->subset_n, o->subset_of);
}

int pond_check(struct pond *p, const struct pond_check_options *options, struct pond_check_result *out,
               struct pond_error *err)
{
    static const struct pond_check_options defaults;
    int64_t time_us; /* of the tip: not wanted */
    struct check k = {.pond = p, .options = options != NULL ? options : &defaults, .tip = p->info.txn};
    int r = check_options(k.options, err);
    if (r == 0)
        r = check_log(&k, err);
    if (r == 0)
        r = check_bundles(&k, err);
    if (r == 0)
        r = index_live_entries(p->index, &k.result.entries, &time_us, err);
    pond_buf_release(&k.name);
    pond_buf_release(&k.path);
    if (r == 0 && out != NULL)
        *out = k.result;
    return r;
}
