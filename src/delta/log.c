/* delta/log.c - the log as files in a store: names, newest version, commits, replay. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "delta/delta.h"

#define VERSION_DIGITS 20
#define KEY_SIZE 512

static const char *slash_after(const char *prefix)
{
    return *prefix == '\0' ? "" : "/";
}

void delta_commit_key(const struct delta_table *t, int64_t version, char *out, size_t out_size)
{
    assert(version >= 0);
    int n = snprintf(out, out_size, "%s%s_delta_log/%020" PRId64 ".json", t->prefix, slash_after(t->prefix), version);
    assert(n > 0 && (size_t)n < out_size);
    (void)n;
}

int delta_data_key(const struct delta_table *t, const char *path, struct pond_buf *out, struct pond_error *err)
{
    size_t scheme = strcspn(path, ":/");
    bool has_scheme = scheme > 0 && path[scheme] == ':' && path[scheme + 1] == '/';
    if (has_scheme || !pond_path_is_safe(path, strlen(path)))
        return pond_fail_path(err, POND_ECORRUPT, path, "the path '%.200s' does not lie inside the table", path);
    (void)pond_buf_printf(out, "%s%s%s", t->prefix, slash_after(t->prefix), path);
    return pond_buf_cstr(out) != NULL ? 0 : pond_buf_error(out, err);
}

int delta_commit(const struct delta_table *t, int64_t version, const void *bytes, size_t size, struct pond_error *err)
{
    char key[KEY_SIZE];
    delta_commit_key(t, version, key, sizeof key);
    if (size > DELTA_COMMIT_MAX)
        return pond_fail_path(err, POND_ELIMIT, key, "%s: a commit of %zu bytes is over the limit of %zu", key, size,
                              DELTA_COMMIT_MAX);
    return store_put_if_absent(t->store, key, bytes, size, err);
}

int delta_read_commit(const struct delta_table *t, int64_t version, struct pond_buf *out, struct pond_error *err)
{
    char key[KEY_SIZE];
    delta_commit_key(t, version, key, sizeof key);
    int r = store_get(t->store, key, DELTA_COMMIT_MAX, out, err);
    return r == POND_ENOTFOUND ? 0 : r < 0 ? r : 1;
}

/* ---- the newest version ---- */

/* The version in "%020d.json"; -1: some other file; -2: of that form, but no int64. */
static int64_t version_of_name(const char *name)
{
    if (strlen(name) != VERSION_DIGITS + strlen(".json") || strcmp(name + VERSION_DIGITS, ".json") != 0)
        return -1;
    int64_t version = 0;
    bool fits = true;
    for (size_t i = 0; i < VERSION_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        fits = fits && !__builtin_mul_overflow(version, 10, &version) &&
               !__builtin_add_overflow(version, name[i] - '0', &version);
    }
    return fits ? version : -2;
}

struct listing {
    size_t folder_size; /* length of "<prefix>/_delta_log/" */
    int64_t newest;
};

static int note_version(void *context, const char *key, const struct store_stat *stat, struct pond_error *err)
{
    struct listing *l = context;
    (void)stat;
    int64_t version = version_of_name(key + l->folder_size);
    if (version == -1)
        return 0;
    if (version == -2)
        return pond_fail_path(err, POND_ECORRUPT, key, "%s: no version is so high", key);
    if (l->newest >= 0 && version != l->newest + 1)
        return pond_fail_path(err, POND_ECORRUPT, key,
                              "%s: gap in the log: version %" PRId64 " follows version %" PRId64, key, version,
                              l->newest);
    l->newest = version;
    return 0;
}

static int list_versions(const struct delta_table *t, int64_t *version, struct pond_error *err)
{
    char folder[KEY_SIZE];
    int n = snprintf(folder, sizeof folder, "%s%s_delta_log/", t->prefix, slash_after(t->prefix));
    assert(n > 0 && (size_t)n < sizeof folder);
    struct listing l = {.folder_size = (size_t)n, .newest = -1};
    POND_TRY(store_list(t->store, folder, NULL, note_version, &l, err));
    *version = l.newest;
    return 0;
}

int delta_latest_version(const struct delta_table *t, int64_t hint, int64_t *version, struct pond_error *err)
{
    if (hint < 0)
        return list_versions(t, version, err);
    while (hint < INT64_MAX) {
        char key[KEY_SIZE];
        struct store_stat stat;
        delta_commit_key(t, hint + 1, key, sizeof key);
        int r = store_head(t->store, key, &stat, err);
        if (r < 0)
            return r;
        if (r == 0)
            break;
        hint++;
    }
    *version = hint;
    return 0;
}

/* ---- replay ---- */

int delta_replay(const struct delta_table *t, int64_t from, int64_t to, delta_action_fn *fn, void *context,
                 struct pond_error *err)
{
    assert(from >= 0);
    struct pond_buf bytes = {0};
    int r = 0;
    for (int64_t version = from; version <= to && r == 0; version++) {
        char key[KEY_SIZE];
        delta_commit_key(t, version, key, sizeof key);
        pond_buf_clear(&bytes);
        r = delta_read_commit(t, version, &bytes, err);
        if (r == 0)
            r = pond_fail_path(err, POND_ECORRUPT, key, "%s: gap in the log: version %" PRId64 " is missing", key,
                               version);
        else if (r == 1)
            r = delta_parse_commit(key, version, bytes.data, bytes.size, fn, context, err);
        if (version == INT64_MAX)
            break;
    }
    pond_buf_release(&bytes);
    return r;
}
