/* tlogfs/lookup.c - from paths to rows. */
#include <string.h>

#include "base/text.h"
#include "tlogfs/pond.h"

#define PATH_SIZE_MAX 65535u

/* ---- paths ---- */

static int append_component(struct pond_buf *out, const char *path, const char *name, size_t size, unsigned *depth,
                            struct pond_error *err)
{
    if (size == 0 || (size == 1 && name[0] == '.'))
        return 0;
    if (size == 2 && memcmp(name, "..", 2) == 0) {
        while (out->size > 0 && out->data[--out->size] != '/')
            ;
        *depth -= *depth > 0;
        return 0;
    }
    if (size > OPLOG_NAME_MAX)
        return pond_fail_path(err, POND_EUSAGE, path, "%s: a name of %zu bytes: at most %u are possible", path, size,
                              OPLOG_NAME_MAX);
    if (++*depth > INDEX_DEPTH_MAX)
        return pond_fail_path(err, POND_ELIMIT, path, "%s: more than %u names below each other", path, INDEX_DEPTH_MAX);
    pond_buf_append_byte(out, '/');
    pond_buf_append(out, name, size);
    return 0;
}

int pond_normalize(const char *path, struct pond_buf *out, struct pond_error *err)
{
    if (path[0] != '/')
        return pond_fail_path(err, POND_EUSAGE, path, "\"%s\": a path inside a pond begins with '/'", path);
    if (strlen(path) > PATH_SIZE_MAX)
        return pond_fail_path(err, POND_ELIMIT, path, "a path of %zu bytes: at most %u are possible", strlen(path),
                              PATH_SIZE_MAX);
    unsigned depth = 0;
    pond_buf_clear(out);
    for (const char *p = path; *p != '\0';) {
        p += strspn(p, "/");
        const size_t size = strcspn(p, "/");
        POND_TRY(append_component(out, path, p, size, &depth, err));
        p += size;
    }
    if (out->size == 0)
        pond_buf_append_byte(out, '/');
    POND_TRY(pond_buf_error(out, err));
    return pond_buf_cstr(out) != NULL ? 0 : pond_fail_nomem(err);
}

int pond_at(const struct pond *p, int64_t at, int64_t *txn, struct pond_error *err)
{
    const int64_t newest = p->txn != NULL ? p->txn->txn_seq : p->info.txn;
    if (at == POND_AT_TIP)
        at = newest;
    if (at < 0 || at > newest)
        return pond_fail(err, POND_ENOTFOUND, "there is no transaction %lld, the newest is %lld", (long long)at,
                         (long long)newest);
    *txn = at;
    return 0;
}

/* ---- resolving ---- */

static int fail_missing(const char *path, int64_t at, struct pond_error *err)
{
    if (at == POND_AT_TIP)
        return pond_fail_path(err, POND_ENOTFOUND, path, "%s: there is no such file or directory", path);
    return pond_fail_path(err, POND_ENOTFOUND, path, "%s: there is no such file or directory at transaction %lld", path,
                          (long long)at);
}

/* Walks the names of a normalized path from the root. POND_ENOTFOUND without a message. */
static int walk(struct pond *p, const char *path, int64_t txn, struct index_row *out, struct pond_error *err)
{
    struct index_row row = {0};
    int r = index_root(p->index, txn, &row, err);
    if (r < 0)
        return r;
    while (*path != '\0') {
        path += strspn(path, "/");
        const size_t size = strcspn(path, "/");
        if (size == 0)
            break;
        struct index_row child = {0};
        r = row.row.type == POND_DIRECTORY ? index_child(p->index, row.row.node_id, path, size, txn, &child, err)
                                           : POND_ENOTFOUND;
        index_row_release(&row);
        if (r < 0)
            return r;
        row = child;
        path += size;
    }
    *out = row;
    return 0;
}

int pond_resolve(struct pond *p, const char *path, int64_t at, struct index_row *out, struct pond_error *err)
{
    struct pond_buf normal = {0};
    struct index_row row = {0};
    int64_t txn;
    POND_TRY(pond_at(p, at, &txn, err));
    int r = pond_normalize(path, &normal, err);
    if (r == 0)
        r = walk(p, (const char *)normal.data, txn, &row, err);
    pond_buf_release(&normal);
    if (r == POND_ENOTFOUND)
        return fail_missing(path, at, err);
    if (r < 0)
        return r;
    const size_t size = strlen(path);
    if (row.row.type != POND_DIRECTORY && path[size - 1] == '/') {
        index_row_release(&row);
        return pond_fail_path(err, POND_ENOTFOUND, path, "%s: is not a directory", path);
    }
    *out = row;
    return 0;
}

/* ---- entries ---- */

void pond_fill_entry(const struct index_row *row, const char *path, struct pond_entry *out)
{
    const struct oplog_row *o = &row->row;
    *out = (struct pond_entry){
        .path = path,
        .type = o->type,
        .size = o->size,
        .version = o->version,
        .txn = o->txn_seq,
        .time_us = o->timestamp_us,
        .mtime_us = o->mtime_us,
        .mtime_nanos = o->mtime_nanos,
        .mode = o->mode,
        .storage = o->storage,
        .has_blake3 = o->has_blake3,
        .target = o->type == POND_SYMLINK ? (const char *)o->content : NULL,
        .attributes = o->attributes,
        .deleted = o->deleted,
    };
    memcpy(out->blake3, o->blake3, sizeof out->blake3);
    pond_uuid_format(o->node_id, out->node_id);
}

int pond_stat(struct pond *p, const char *path, int64_t at, struct pond_entry *out, struct pond_error *err)
{
    struct index_row row = {0};
    POND_TRY(pond_resolve(p, path, at, &row, err));
    int r = pond_normalize(path, &p->stat_path, err);
    if (r < 0) {
        index_row_release(&row);
        return r;
    }
    index_row_release(&p->stat_row);
    p->stat_row = row;
    pond_fill_entry(&p->stat_row, (const char *)p->stat_path.data, out);
    return 0;
}
