/* tlogfs/replica.c - a pond that follows another: its commits are put in place as they are. */
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "tlogfs/handle.h"

/* A directory that holds nothing, or nothing but what an unfinished replica of this pond has put there. */
static int check_place(const struct pond *p, const char *pond_id, struct pond_error *err)
{
    struct pond_commit first;
    int r = pond_first_commit(p, &first, err);
    if (r < 0)
        return r;
    char id[37];
    enum pond_role role = POND_REPLICA;
    bool known = r == 1;
    if (r == 1) {
        memcpy(id, first.pond_id, sizeof id);
        pond_commit_release(&first);
    } else {
        r = pond_config_peek(p, id, &role, err);
        if (r < 0)
            return r;
        known = r == 1;
    }
    if (known && strcmp(id, pond_id) != 0)
        return pond_fail_path(err, POND_EEXISTS, p->dir, "%s: belongs to pond %s", p->dir, id);
    if (known)
        return 0;
    char **names;
    size_t count;
    POND_TRY(os_dir_sorted(p->dir, &names, &count, err));
    /* A _pond alone is what is left when the config was not yet written. */
    if (count > 1 || (count == 1 && strcmp(names[0], "_pond") != 0))
        r = pond_fail_path(err, POND_EEXISTS, p->dir, "%s: is not empty (it holds \"%s\")", p->dir, names[0]);
    pond_free(names);
    return r;
}

static int open_locked(struct pond *p, const char *pond_id, struct pond_error *err)
{
    struct pond_commit first;
    POND_TRY(check_place(p, pond_id, err));
    POND_TRY(pond_handle_lock(p, err));
    POND_TRY(check_place(p, pond_id, err)); /* nobody else can change it now */
    int r = pond_first_commit(p, &first, err);
    if (r < 0)
        return r;
    memcpy(p->info.id, pond_id, sizeof p->info.id);
    if (r == 1) {
        pond_set_identity(p, &first);
        pond_commit_release(&first);
    }
    POND_TRY(pond_config_load(p, POND_REPLICA, err));
    if (p->info.role != POND_REPLICA)
        return pond_fail_path(err, POND_EEXISTS, p->dir, "%s: is a pond, and no replica", p->dir);
    POND_TRY(pond_config_save(p, err));
    return pond_handle_index(p, err);
}

int pond_replica_open(struct pond **out, const char *dir, const char *pond_id, struct pond_error *err)
{
    uint8_t uuid[16];
    struct pond *p;
    if (!pond_uuid_parse(pond_id, strlen(pond_id), uuid))
        return pond_fail(err, POND_ECORRUPT, "\"%s\" is not the id of a pond", pond_id);
    POND_TRY(pond_handle_new(&p, dir, true, err));
    int r = open_locked(p, pond_id, err);
    if (r < 0) {
        pond_close(p);
        return r;
    }
    *out = p;
    return 0;
}

/* A transaction this pond has: it must be the same one. */
static int compare_with_own(struct pond *p, int64_t txn, const void *bytes, size_t size, struct pond_error *err)
{
    struct pond_buf own = {0};
    int r = delta_read_commit(&p->table, txn, &own, err);
    if (r == 0)
        r = pond_fail_path(err, POND_ECORRUPT, p->dir, "%s: its commit %lld is missing", p->dir, (long long)txn);
    else if (r == 1 && (own.size != size || memcmp(own.data, bytes, size) != 0))
        r = pond_fail_path(err, POND_EDIVERGED, p->dir, "%s: has another transaction %lld: the histories have diverged",
                           p->dir, (long long)txn);
    pond_buf_release(&own);
    return r < 0 ? r : 0;
}

static int check_next(struct pond *p, const char *name, int64_t txn, const struct pond_commit *c,
                      struct pond_error *err)
{
    if (txn != p->info.txn + 1)
        return pond_fail_path(err, POND_EUSAGE, p->dir, "%s: is at transaction %lld, so %lld can't follow", p->dir,
                              (long long)p->info.txn, (long long)txn);
    if (c->txn == txn && strcmp(c->pond_id, p->info.id) == 0 && c->has_parent &&
        memcmp(c->parent_blake3, p->info.tip_blake3, sizeof c->parent_blake3) != 0)
        return pond_fail_path(err, POND_EDIVERGED, p->dir, "%s: transaction %lld does not follow on this pond's %lld: the "
                              "histories have diverged", p->dir, (long long)txn, (long long)p->info.txn);
    return pond_check_link(p, name, c, txn, p->info.tip_blake3, err);
}

/* Index first, but ended last: so a commit whose part is damaged is never put in place. */
static int apply(struct pond *p, const struct pond_commit *c, const void *bytes, size_t size, struct pond_error *err)
{
    int64_t tip;
    uint8_t hash[POND_HASH_SIZE];
    POND_TRY(index_begin(p->index, err));
    int r = index_tip(p->index, &tip, hash, err);
    if (r == 0 && tip != c->txn - 1)
        r = pond_fail_path(err, POND_EFAILED, p->dir, "%s: its index changed meanwhile; try once more", p->dir);
    if (r == 0)
        r = pond_take_in_part(p, c, err);
    if (r == 0) {
        r = delta_commit(&p->table, c->txn, bytes, size, err);
        if (r == POND_EEXISTS)
            r = compare_with_own(p, c->txn, bytes, size, err);
    }
    if (r == 0 && pond_take_in_end(p, c, NULL) == 0)
        return 0;
    index_rollback(p->index);
    return r == 0 ? pond_catch_up(p, c->txn, err) : r;
}

int pond_apply_commit(struct pond *p, int64_t txn, const void *bytes, size_t size, struct pond_error *err)
{
    struct pond_commit c;
    char key[64];
    if (txn >= 0 && txn <= p->info.txn)
        return compare_with_own(p, txn, bytes, size, err);
    delta_commit_key(&p->table, txn, key, sizeof key);
    POND_TRY(pond_commit_parse(key, txn, bytes, size, &c, err));
    int r = check_next(p, key, txn, &c, err);
    if (r == 0)
        r = apply(p, &c, bytes, size, err);
    if (r == 0 && txn == 0)
        pond_set_identity(p, &c);
    if (r == 0)
        r = pond_load_tip(p, err);
    pond_commit_release(&c);
    return r;
}
