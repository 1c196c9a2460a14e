/* tlogfs/open.c - handles: opening, closing, finding, promoting.
 *
 * Opening looks at commit 0, the config, the index's tip and whether a commit follows it: no work grows with the history.
 */
#include <fcntl.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "tlogfs/handle.h"

#define FIRST_COMMIT_MAX ((size_t)1 << 20)
#define SYNC_ATTEMPTS 3

/* ---- paths ---- */

char *pond_bundle_path(const struct pond *p, const uint8_t root_hash[32])
{
    char hex[2 * POND_HASH_SIZE + 1];
    struct pond_buf b = {0};
    pond_hex(root_hash, POND_HASH_SIZE, hex);
    pond_buf_printf(&b, "%s/_large_files/blake3=%s/chunks.parquet", p->dir, hex);
    char *path = pond_buf_cstr(&b);
    char *copy = path != NULL ? pond_strdup(path) : NULL;
    pond_buf_release(&b);
    return copy;
}

char *pond_tmp_path(const struct pond *p)
{
    uint8_t uuid[16];
    char name[POND_UUID_TEXT_SIZE];
    pond_uuid7(uuid);
    pond_uuid_format(uuid, name);
    return os_path_join(p->tmp_dir, name);
}

void pond_discard(const char *path)
{
    int r = os_unlink(path, NULL);
    (void)r;
}

/* ---- handles ---- */

int pond_handle_new(struct pond **out, const char *dir, bool create, struct pond_error *err)
{
    struct pond *p = pond_calloc(1, sizeof *p);
    if (p == NULL)
        return pond_fail_nomem(err);
    p->lock_fd = -1;
    p->info.txn = -1;
    p->dir = pond_strdup(dir);
    p->state_dir = os_path_join(dir, "_pond");
    p->tmp_dir = os_path_join(dir, "_pond/tmp");
    int r = p->dir != NULL && p->state_dir != NULL && p->tmp_dir != NULL ? 0 : pond_fail_nomem(err);
    if (r == 0)
        r = store_open(&p->store, dir, create, err);
    if (r == 0)
        r = store_set_tmp_dir(p->store, "_pond/tmp", err);
    p->table = (struct delta_table){.store = p->store, .prefix = ""};
    if (r < 0) {
        pond_close(p);
        return r;
    }
    *out = p;
    return 0;
}

int pond_handle_lock(struct pond *p, struct pond_error *err)
{
    char *path = os_path_join(p->state_dir, "lock");
    int r = path != NULL ? os_mkdirs(p->tmp_dir, 0777, err) : pond_fail_nomem(err);
    if (r == 0) {
        r = os_lock(path, err);
        if (r == POND_ELOCKED)
            r = pond_fail_path(err, r, p->dir, "%s: another process is writing to this pond", p->dir);
        p->lock_fd = r < 0 ? -1 : r;
    }
    pond_free(path);
    return r < 0 ? r : 0;
}

void pond_close(struct pond *p)
{
    if (p == NULL)
        return;
    pond_txn_abort(p->txn);
    for (size_t i = 0; i < POND_OPEN_PARTS; i++)
        oplog_part_close(p->parts[i].part);
    index_row_release(&p->stat_row);
    pond_buf_release(&p->stat_path);
    pond_state_close(p);
    index_close(p->index);
    os_close(p->lock_fd);
    store_free(p->store);
    json_decref(p->config);
    pond_free(p->tmp_dir);
    pond_free(p->state_dir);
    pond_free(p->dir);
    pond_free(p);
}

/* ---- commit 0 ---- */

int pond_first_commit(const struct pond *p, struct pond_commit *out, struct pond_error *err)
{
    struct pond_buf bytes = {0};
    char key[64];
    delta_commit_key(&p->table, 0, key, sizeof key);
    int r = store_get(p->store, key, FIRST_COMMIT_MAX, &bytes, err);
    char *name = os_path_join(p->dir, key);
    if (r == 0 && name == NULL)
        r = pond_fail_nomem(err);
    if (r == 0)
        r = pond_commit_parse(name, 0, bytes.data, bytes.size, out, err);
    if (r == 0 && out->txn != 0) {
        pond_commit_release(out);
        r = pond_fail_path(err, POND_ECORRUPT, name, "%s: is not the first commit of a pond", name);
    }
    pond_free(name);
    pond_buf_release(&bytes);
    return r == 0 ? 1 : r == POND_ENOTFOUND ? 0 : r;
}

void pond_set_identity(struct pond *p, const struct pond_commit *first)
{
    memcpy(p->info.id, first->pond_id, sizeof p->info.id);
    p->info.chunk_size = first->chunk_size;
    p->info.compression = first->compression;
}

/* ---- the index ---- */

int pond_load_tip(struct pond *p, struct pond_error *err)
{
    POND_TRY(index_tip(p->index, &p->info.txn, p->info.tip_blake3, err));
    return index_live_entries(p->index, &p->info.entries, &p->info.tip_time_us, err);
}

/* 1: the commit the index ends with is in the log, unchanged; 0: it is not. */
static int tip_is_in_log(struct pond *p, struct pond_error *err)
{
    int64_t txn;
    uint8_t expected[POND_HASH_SIZE], found[POND_HASH_SIZE];
    struct pond_buf bytes = {0};
    POND_TRY(index_tip(p->index, &txn, expected, err));
    if (txn < 0)
        return 1;
    int r = delta_read_commit(&p->table, txn, &bytes, err);
    if (r == 1) {
        pond_blake3(bytes.data, bytes.size, found);
        r = memcmp(expected, found, sizeof found) == 0;
    }
    pond_buf_release(&bytes);
    return r;
}

/* The index is a view: one that is damaged or does not belong to this log is made again; and if the log itself is at fault,
 * reading it from its start says where. */
static int sync_index(struct pond *p, struct pond_error *err)
{
    for (int i = 0; i < SYNC_ATTEMPTS; i++) {
        int r = tip_is_in_log(p, err);
        if (r == 1)
            r = pond_catch_up(p, -1, err);
        else if (r == 0)
            r = 1; /* of another log, or of a longer one */
        if (r == 0 || (r < 0 && !index_is_damaged(p->index)))
            return r;
        POND_TRY(index_remake(p->index, err));
    }
    return pond_fail_path(err, POND_EFAILED, p->dir, "%s: its log or index changes while it is opened", p->dir);
}

int pond_handle_index(struct pond *p, struct pond_error *err)
{
    bool fresh;
    char *path = os_path_join(p->state_dir, "index.sqlite");
    int r = path != NULL ? index_open(&p->index, path, &fresh, err) : pond_fail_nomem(err);
    pond_free(path);
    if (r == 0)
        r = sync_index(p, err);
    return r < 0 ? r : pond_load_tip(p, err);
}

/* ---- opening ---- */

static int open_parts(struct pond *p, int flags, struct pond_error *err)
{
    struct pond_commit first;
    int r = pond_first_commit(p, &first, err);
    if (r < 0)
        return r;
    if (r == 0)
        return pond_fail_path(err, POND_ENOPOND, p->dir, "%s: is not a pond (it has no first commit)", p->dir);
    pond_set_identity(p, &first);
    pond_commit_release(&first);
    if (flags != POND_READ)
        POND_TRY(pond_handle_lock(p, err));
    POND_TRY(pond_config_load(p, POND_PRIMARY, err));
    if (flags == POND_WRITE && p->info.role == POND_REPLICA)
        return pond_fail_path(err, POND_EDENIED, p->dir, "%s: is a replica and takes no writes; \"pond promote\" makes "
                              "it a primary", p->dir);
    if (flags == POND_READ) {
        int made = os_mkdir(p->state_dir, 0777, NULL); /* for the index; where that can't be, it is kept in memory */
        (void)made;
    }
    return pond_handle_index(p, err);
}

int pond_open(struct pond **out, const char *dir, int flags, struct pond_error *err)
{
    struct pond *p;
    if (flags != POND_READ && flags != POND_WRITE && flags != POND_WRITE_REPLICA)
        return pond_fail(err, POND_EUSAGE, "pond_open: flags %d are not known", flags);
    POND_TRY(pond_handle_new(&p, dir, false, err));
    int r = open_parts(p, flags, err);
    if (r < 0) {
        pond_close(p);
        return r;
    }
    *out = p;
    return 0;
}

/* 1: dir is a pond, 0: not. */
static int is_pond(const char *dir, struct pond_error *err)
{
    char *commit = os_path_join(dir, "_delta_log/00000000000000000000.json");
    int there = commit != NULL ? os_exists(commit, err) : pond_fail_nomem(err);
    pond_free(commit);
    if (there <= 0)
        return there;
    struct pond *p;
    struct pond_commit first;
    POND_TRY(pond_handle_new(&p, dir, false, err));
    int r = pond_first_commit(p, &first, err);
    if (r == 1)
        pond_commit_release(&first);
    pond_close(p);
    return r == POND_ECORRUPT ? 0 : r; /* another program's table */
}

/* The parent as a path that names it: "/a/b" -> "/a", "x" -> ".", "." -> "..", ".." -> "../..". False: there is none. */
static bool to_parent(struct pond_buf *path)
{
    while (path->size > 1 && path->data[path->size - 1] == '/')
        path->size--;
    size_t slash = path->size;
    while (slash > 0 && path->data[slash - 1] != '/')
        slash--;
    const char *last = (const char *)path->data + slash;
    const size_t last_size = path->size - slash;
    const bool dots = (last_size == 1 && last[0] == '.') || (last_size == 2 && memcmp(last, "..", 2) == 0);
    if (path->size == 1 && path->data[0] == '/')
        return false;
    if (last_size == 1 && dots && slash == 0)
        pond_buf_append_byte(path, '.');
    else if (dots)
        pond_buf_append_str(path, "/..");
    else if (slash == 0)
        path->data[0] = '.', path->size = 1;
    else
        path->size = slash > 1 ? slash - 1 : 1;
    return true;
}

static int find_from(const char *start, struct pond_buf *path, struct pond_error *err)
{
    struct stat before = {0}, st;
    pond_buf_append_str(path, start[0] == '\0' ? "." : start);
    for (bool first = true;; first = false) {
        const char *dir = pond_buf_cstr(path);
        if (dir == NULL)
            return pond_fail_nomem(err);
        POND_TRY(os_stat(dir, &st, err));
        if (!first && st.st_dev == before.st_dev && st.st_ino == before.st_ino)
            break; /* ".." of the root */
        int r = is_pond(dir, err);
        if (r != 0)
            return r;
        before = st;
        if (!to_parent(path))
            break;
    }
    return pond_fail_path(err, POND_ENOPOND, start, "%s: neither it nor a directory above it is a pond; \"pond init\" makes "
                          "one", start);
}

int pond_find(const char *start, char **out, struct pond_error *err)
{
    struct pond_buf path = {0};
    int r = find_from(start, &path, err);
    if (r == 1) {
        char *found = pond_buf_cstr(&path);
        char *copy = found != NULL ? pond_strdup(found) : NULL;
        r = copy != NULL ? 0 : pond_fail_nomem(err);
        if (r == 0)
            *out = copy;
    }
    pond_buf_release(&path);
    return r;
}

void pond_string_free(char *s)
{
    pond_free(s);
}

const char *pond_dir(const struct pond *p)
{
    return p->dir;
}

int pond_get_info(struct pond *p, struct pond_info *out, struct pond_error *err)
{
    (void)err;
    *out = p->info;
    return 0;
}

int pond_promote(struct pond *p, struct pond_error *err)
{
    if (p->info.role == POND_PRIMARY)
        return pond_fail_path(err, POND_EUSAGE, p->dir, "%s: is a primary already", p->dir);
    if (p->lock_fd < 0)
        return pond_fail_path(err, POND_EUSAGE, p->dir, "%s: is opened for reading only", p->dir);
    POND_TRY(pond_config_set_role(p, POND_PRIMARY, err));
    int r = pond_config_save(p, err);
    if (r < 0 && pond_config_set_role(p, POND_REPLICA, NULL) < 0)
        p->info.role = POND_REPLICA;
    return r;
}
