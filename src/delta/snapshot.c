/* delta/snapshot.c - the live files of a table at one version.
 *
 * Jansson objects serve as the maps from path and from appId: hashed with a random seed, so that names made to
 * collide cannot slow the load down.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "delta/delta.h"

#define KEY_SIZE 512

struct delta_snapshot {
    int64_t version;
    json_t *protocol;
    json_t *metadata;
    json_t *adds; /* path -> add: what is live */
    json_t *txns; /* appId -> version */
    /* While loading: the paths added by the commit `current`. A commit that both removes and adds a path replaces the
     * file (its deletion vector changed), in whatever order the two actions stand. */
    json_t *added;
    int64_t current;
    /* Once loaded: the live files in order; paths are borrowed from adds. */
    struct delta_file *files;
    size_t file_count;
};

void delta_snapshot_free(struct delta_snapshot *s)
{
    if (s == NULL)
        return;
    json_decref(s->protocol);
    json_decref(s->metadata);
    json_decref(s->adds);
    json_decref(s->txns);
    json_decref(s->added);
    pond_free(s->files);
    pond_free(s);
}

static struct delta_snapshot *snapshot_new(int64_t version)
{
    struct delta_snapshot *s = pond_calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->version = version;
    s->current = -1;
    s->adds = json_object();
    s->txns = json_object();
    s->added = json_object();
    if (s->adds == NULL || s->txns == NULL || s->added == NULL) {
        delta_snapshot_free(s);
        return NULL;
    }
    return s;
}

/* ---- loading ---- */

/* Paths need not be UTF-8 once decoded: hence "nocheck". */
static int map_set(json_t *map, const char *key, json_t *value, struct pond_error *err)
{
    return json_object_set_nocheck(map, key, value) == 0 ? 0 : pond_fail_nomem(err);
}

static int apply_add(struct delta_snapshot *s, const struct delta_action *a, struct pond_error *err)
{
    if (json_object_get(s->added, a->path) != NULL)
        return pond_fail_path(err, POND_ECORRUPT, a->path,
                              "version %" PRId64 ": line %zu: add: '%.200s' is added twice in one commit", a->version,
                              a->line, a->path);
    POND_TRY(map_set(s->added, a->path, a->json, err));
    return map_set(s->adds, a->path, a->json, err);
}

static int apply_txn(struct delta_snapshot *s, const struct delta_action *a, struct pond_error *err)
{
    json_t *version = json_integer(a->txn_version);
    if (version == NULL)
        return pond_fail_nomem(err);
    int r = map_set(s->txns, a->app_id, version, err);
    json_decref(version);
    return r;
}

static int apply(void *context, const struct delta_action *a, struct pond_error *err)
{
    struct delta_snapshot *s = context;
    if (a->version != s->current) {
        s->current = a->version;
        (void)json_object_clear(s->added);
    }
    switch (a->kind) {
    case DELTA_ADD:
        return apply_add(s, a, err);
    case DELTA_REMOVE:
        if (json_object_get(s->added, a->path) == NULL)
            (void)json_object_del(s->adds, a->path); /* one that was not there: nothing to do */
        return 0;
    case DELTA_TXN:
        return apply_txn(s, a, err);
    case DELTA_PROTOCOL:
        json_decref(s->protocol);
        s->protocol = json_incref(a->json);
        return 0;
    case DELTA_METADATA:
        json_decref(s->metadata);
        s->metadata = json_incref(a->json);
        return 0;
    case DELTA_COMMIT_INFO:
        return 0;
    }
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct delta_file *)a)->path, ((const struct delta_file *)b)->path);
}

static int sort_files(struct delta_snapshot *s, struct pond_error *err)
{
    s->files = pond_alloc(json_object_size(s->adds), sizeof *s->files);
    if (s->files == NULL)
        return pond_fail_nomem(err);
    const char *path;
    json_t *add;
    json_object_foreach(s->adds, path, add) {
        s->files[s->file_count++] = (struct delta_file){
            .path = path, .size = json_integer_value(json_object_get(add, "size")), .add = add};
    }
    if (s->file_count > 1)
        qsort(s->files, s->file_count, sizeof *s->files, compare_files);
    return 0;
}

/* Reading without heeding these would give wrong rows, silently. */
static int check_readable(const struct delta_snapshot *s, const char *table_name, struct pond_error *err)
{
    if (s->protocol == NULL || s->metadata == NULL)
        return pond_fail(err, POND_ECORRUPT, "%s: the log up to version %" PRId64 " has no %s action", table_name,
                         s->version, s->protocol == NULL ? "protocol" : "metaData");
    POND_TRY(delta_check_protocol(table_name, s->protocol, false, err));
    int64_t reader = json_integer_value(json_object_get(s->protocol, "minReaderVersion"));
    const char *mode =
        json_string_value(json_object_get(json_object_get(s->metadata, "configuration"), "delta.columnMapping.mode"));
    if (reader >= 2 && mode != NULL && strcmp(mode, "none") != 0)
        return pond_fail(err, POND_EUNSUPPORTED,
                         "%s: cannot read: the table uses column mapping (delta.columnMapping.mode is '%.40s'), which "
                         "is not supported",
                         table_name, mode);
    for (size_t i = 0; i < s->file_count; i++) {
        const json_t *vector = json_object_get(s->files[i].add, "deletionVector");
        if (vector != NULL && !json_is_null(vector))
            return pond_fail_path(err, POND_EUNSUPPORTED, s->files[i].path,
                                  "%s: cannot read: '%.200s' has a deletion vector, which is not supported",
                                  table_name, s->files[i].path);
    }
    return 0;
}

static int commit_exists(const struct delta_table *t, int64_t version, struct pond_error *err)
{
    char key[KEY_SIZE];
    struct store_stat stat;
    delta_commit_key(t, version, key, sizeof key);
    return store_head(t->store, key, &stat, err);
}

/* Finds the version to load (-1: the newest) and makes sure that the log reaches from 0 to it. */
static int choose_version(const struct delta_table *t, const char *table_name, int64_t *version,
                          struct pond_error *err)
{
    if (*version < 0) {
        POND_TRY(delta_latest_version(t, -1, version, err));
        if (*version < 0)
            return pond_fail(err, POND_ENOTFOUND, "%s: there is no Delta table", table_name);
    } else {
        int there = commit_exists(t, *version, err);
        if (there < 0)
            return there;
        if (there == 0)
            return pond_fail(err, POND_ENOTFOUND, "%s: there is no version %" PRId64, table_name, *version);
    }
    int first = commit_exists(t, 0, err);
    if (first == 0)
        return pond_fail(err, POND_EUNSUPPORTED,
                         "%s: cannot read: the first commits are gone, and the checkpoint that stands for them is not "
                         "supported",
                         table_name);
    return first < 0 ? first : 0;
}

static int load(struct delta_snapshot **out, const struct delta_table *t, const char *table_name, int64_t version,
                struct pond_error *err)
{
    POND_TRY(choose_version(t, table_name, &version, err));
    struct delta_snapshot *s = snapshot_new(version);
    if (s == NULL)
        return pond_fail_nomem(err);
    int r = delta_replay(t, 0, version, apply, s, err);
    if (r == 0)
        r = sort_files(s, err);
    if (r == 0)
        r = check_readable(s, table_name, err);
    if (r < 0) {
        delta_snapshot_free(s);
        return r;
    }
    (void)json_object_clear(s->added);
    *out = s;
    return 0;
}

int delta_snapshot_load(struct delta_snapshot **out, const struct delta_table *t, int64_t version,
                        struct pond_error *err)
{
    struct pond_buf name = {0};
    (void)pond_buf_printf(&name, "%s%s%s", store_url(t->store), *t->prefix == '\0' ? "" : "/", t->prefix);
    const char *table_name = pond_buf_cstr(&name);
    int r = table_name == NULL ? pond_fail_nomem(err) : load(out, t, table_name, version, err);
    pond_buf_release(&name);
    return r;
}

/* ---- what it holds ---- */

int64_t delta_snapshot_version(const struct delta_snapshot *s)
{
    return s->version;
}

const json_t *delta_snapshot_protocol(const struct delta_snapshot *s)
{
    return s->protocol;
}

const json_t *delta_snapshot_metadata(const struct delta_snapshot *s)
{
    return s->metadata;
}

size_t delta_snapshot_file_count(const struct delta_snapshot *s)
{
    return s->file_count;
}

struct delta_file delta_snapshot_file(const struct delta_snapshot *s, size_t index)
{
    assert(index < s->file_count);
    return s->files[index];
}

int64_t delta_snapshot_txn(const struct delta_snapshot *s, const char *app_id)
{
    const json_t *version = json_object_get(s->txns, app_id);
    return version != NULL ? json_integer_value(version) : -1;
}
