/* tlogfs/history.c - transactions, versions, what changed. */
#include <string.h>

#include "base/text.h"
#include "tlogfs/paths.h"
#include "tlogfs/pond.h"

/* ---- naming transactions ---- */

static bool parse_number(const char *text, int64_t *out)
{
    int64_t n = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || n > (INT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (*text - '0');
    }
    *out = n;
    return true;
}

int pond_parse_txn(struct pond *p, const char *text, int64_t *txn, struct pond_error *err)
{
    int64_t found, time_us;
    if (parse_number(text, &found))
        return pond_at(p, found, txn, err);
    if (!pond_parse_time(text, &time_us))
        return pond_fail(err, POND_EUSAGE, "\"%s\": is neither a transaction's number nor a time like "
                         "2026-11-24T09:45:33Z", text);
    int r = index_commit_at_time(p->index, time_us, p->info.txn, &found, err);
    if (r == POND_ENOTFOUND)
        return pond_fail(err, r, "%s: the pond is younger than that", text);
    if (r == 0)
        *txn = found;
    return r;
}

/* ---- the log ---- */

static void fill_log_entry(const struct index_commit *c, struct pond_log_entry *out)
{
    *out = (struct pond_log_entry){
        .txn = c->txn,
        .time_us = c->time_us,
        .command = c->command,
        .user = c->user,
        .host = c->host,
        .files_added = c->files_added,
        .files_changed = c->files_changed,
        .files_removed = c->files_removed,
        .bytes = c->bytes,
    };
    memcpy(out->commit_blake3, c->commit_blake3, sizeof out->commit_blake3);
}

/* Does a transaction concern a path: it changed the path, something below it, or a directory above it in such a way that
 * something else stands there now. */
struct concern {
    struct pond *pond;
    const char *path; /* normalized; NULL: everything concerns */
    struct row_paths paths;
    bool found;
};

/* `whole` is `path` or stands below it. */
static bool is_within(const char *whole, const char *path)
{
    const size_t size = strcmp(path, "/") == 0 ? 0 : strlen(path);
    return strncmp(whole, path, size) == 0 && (whole[size] == '\0' || whole[size] == '/');
}

/* The node at the path: 1 and its id, or 0. */
static int node_at(struct pond *p, const char *path, int64_t txn, uint8_t node_id[16], struct pond_error *err)
{
    struct index_row row;
    memset(node_id, 0, 16);
    if (txn < 0)
        return 0;
    int r = pond_resolve(p, path, txn, &row, err);
    if (r == POND_ENOTFOUND)
        return 0;
    if (r < 0)
        return r;
    memcpy(node_id, row.row.node_id, 16);
    index_row_release(&row);
    return 1;
}

static int check_row(void *context, const struct index_row *row, struct pond_error *err)
{
    struct concern *c = context;
    const char *path;
    int r = row_path(&c->paths, row, &path, err);
    if (r <= 0)
        return r;
    if (is_within(path, c->path)) {
        c->found = true;
    } else if (row->row.type == POND_DIRECTORY && is_within(c->path, path)) {
        uint8_t before[16], after[16];
        POND_TRY(node_at(c->pond, c->path, row->row.txn_seq - 1, before, err));
        POND_TRY(node_at(c->pond, c->path, row->row.txn_seq, after, err));
        c->found = memcmp(before, after, sizeof after) != 0;
    }
    return c->found;
}

struct log_walk {
    struct concern concern;
    uint64_t left;
    pond_log_fn *fn;
    void *context;
};

static int log_commit(void *context, const struct index_commit *c, struct pond_error *err)
{
    struct log_walk *w = context;
    struct pond_log_entry entry;
    if (w->concern.path != NULL) {
        w->concern.found = false;
        row_paths_clear(&w->concern.paths);
        POND_TRY(index_txn_rows(w->concern.pond->index, c->txn, check_row, &w->concern, err));
        if (!w->concern.found)
            return 0;
    }
    fill_log_entry(c, &entry);
    int r = w->fn(w->context, &entry, err);
    if (r != 0)
        return r;
    return --w->left == 0;
}

int pond_log(struct pond *p, const char *path, uint64_t limit, pond_log_fn *fn, void *context, struct pond_error *err)
{
    struct log_walk w = {.left = limit == 0 ? UINT64_MAX : limit, .fn = fn, .context = context};
    struct pond_buf normal = {0};
    int r = 0;
    w.concern.pond = p;
    w.concern.paths.index = p->index;
    if (path != NULL) {
        r = pond_normalize(path, &normal, err);
        w.concern.path = (const char *)normal.data;
    }
    if (r == 0)
        r = index_commits(p->index, p->info.txn, log_commit, &w, err);
    row_paths_release(&w.concern.paths);
    pond_buf_release(&normal);
    return r;
}

int pond_log_get(struct pond *p, int64_t txn, pond_log_fn *fn, void *context, struct pond_error *err)
{
    struct log_walk w = {.left = 1, .fn = fn, .context = context};
    POND_TRY(pond_at(p, txn, &txn, err));
    return index_commits(p->index, txn, log_commit, &w, err);
}

/* ---- versions ---- */

/* Looks for what is at a path, or was last: backwards through the nodes that ever had each of its names. */
struct node_search {
    struct pond *pond;
    const char *rest; /* names still to go */
    bool found;
    uint8_t node_id[16];
};

static int search_row(void *context, const struct index_row *row, struct pond_error *err)
{
    struct node_search *s = context;
    const char *here = s->rest;
    const char *next = here + strcspn(here, "/");
    if (*next == '\0') {
        s->found = true;
        memcpy(s->node_id, row->row.node_id, sizeof s->node_id);
        return 1;
    }
    if (row->row.type != POND_DIRECTORY)
        return 0;
    s->rest = next + 1;
    int r = index_place_rows(s->pond->index, row->row.node_id, s->rest, strcspn(s->rest, "/"), s->pond->info.txn,
                             search_row, s, err);
    s->rest = here;
    return r < 0 ? r : s->found;
}

static int find_node(struct pond *p, const char *path, uint8_t node_id[16], struct pond_error *err)
{
    struct pond_buf normal = {0};
    struct index_row root;
    POND_TRY(pond_normalize(path, &normal, err));
    struct node_search s = {.pond = p, .rest = (const char *)normal.data + 1};
    int r = pond_resolve(p, "/", p->info.txn, &root, err);
    if (r == 0) {
        if (*s.rest == '\0') {
            s.found = true;
            memcpy(s.node_id, root.row.node_id, sizeof s.node_id);
        } else {
            r = index_place_rows(p->index, root.row.node_id, s.rest, strcspn(s.rest, "/"), p->info.txn, search_row, &s,
                                 err);
        }
        index_row_release(&root);
    }
    pond_buf_release(&normal);
    if (r == 0 && !s.found)
        return pond_fail_path(err, POND_ENOTFOUND, path, "%s: there is no such file or directory, and never was", path);
    memcpy(node_id, s.node_id, sizeof s.node_id);
    return r;
}

struct versions {
    struct pond *pond;
    struct row_paths paths;
    pond_entry_fn *fn;
    void *context;
};

static int is_live_move(void *context, const struct index_row *row, struct pond_error *err)
{
    const struct oplog_row **tombstone = context;
    (void)err;
    if (!row->row.deleted && row->row.txn_seq == (*tombstone)->txn_seq && row->row.version == (*tombstone)->version)
        *tombstone = NULL;
    return *tombstone == NULL;
}

/* A move gives two rows of one version; the tombstone is not told. */
static int is_move(struct pond *p, const struct oplog_row *tombstone, struct pond_error *err)
{
    const struct oplog_row *left = tombstone;
    POND_TRY(index_node_rows(p->index, tombstone->node_id, is_live_move, &left, err));
    return left == NULL;
}

static int give_version(void *context, const struct index_row *row, struct pond_error *err)
{
    struct versions *v = context;
    const char *path;
    if (row->row.txn_seq > v->pond->info.txn)
        return 0;
    int r = row->row.deleted ? is_move(v->pond, &row->row, err) : 0;
    if (r != 0)
        return r < 0 ? r : 0;
    r = row_path(&v->paths, row, &path, err);
    if (r < 0)
        return r;
    struct pond_entry entry;
    pond_fill_entry(row, r == 1 ? path : row->row.name, &entry);
    return v->fn(v->context, &entry, err);
}

static int give_versions(struct pond *p, const uint8_t node_id[16], pond_entry_fn *fn, void *context,
                         struct pond_error *err)
{
    struct versions v = {.pond = p, .paths = {.index = p->index}, .fn = fn, .context = context};
    int r = index_node_rows(p->index, node_id, give_version, &v, err);
    row_paths_release(&v.paths);
    return r;
}

int pond_versions(struct pond *p, const char *path, pond_entry_fn *fn, void *context, struct pond_error *err)
{
    uint8_t node_id[16];
    POND_TRY(find_node(p, path, node_id, err));
    return give_versions(p, node_id, fn, context, err);
}

int pond_node_versions(struct pond *p, const char *node_id, pond_entry_fn *fn, void *context, struct pond_error *err)
{
    uint8_t id[16];
    if (!pond_uuid_parse(node_id, strlen(node_id), id))
        return pond_fail(err, POND_EUSAGE, "'%.64s': is no node's id", node_id);
    return give_versions(p, id, fn, context, err);
}
