/* tlogfs/gc.c - pond_gc: removes what no commit names.
 *
 * Invariants
 *   G1  Nothing is removed on the index's word alone: it only proposes what is then looked for in the whole log. A log
 *       that can't be read whole, to the byte, stops the removal.
 *   G2  Only what has a name that this program gives is looked at; a symlink is never followed, nor removed for what it
 *       points to.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/os_at.h"
#include "base/text.h"
#include "tlogfs/logread.h"

#define ROUND 16384u /* candidates that are held at once; more take another pass over the log */
#define PART_NAME_SIZE (5u + 20u + 1u + 36u + 8u) /* part-%020d-<uuid>.parquet */

struct gc {
    struct pond *pond;
    bool dry_run;
    void (*on_file)(void *context, const char *path);
    void *context;
    struct pond_gc_result result;
    struct pond_buf path, scratch;
};

static int count_file(struct gc *g, const char *path, uint64_t size)
{
    g->result.files++;
    g->result.bytes += size;
    if (g->on_file != NULL)
        g->on_file(g->context, path);
    return 0;
}

/* A file that is garbage, whatever it is. */
static int remove_file(struct gc *g, const char *path, struct pond_error *err)
{
    struct stat st;
    int r = os_lstat(path, &st, err);
    if (r == 0 && !g->dry_run)
        r = os_unlink(path, err);
    return r == 0 ? count_file(g, path, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0) : r;
}

static char *inside(const struct gc *g, const char *relative)
{
    return os_path_join(g->pond->dir, relative);
}

/* 1: a real directory, 0: not there, or something that is not looked into. */
static int is_directory(const char *path, struct pond_error *err)
{
    struct stat st;
    int r = os_lstat(path, &st, err);
    if (r == POND_ENOTFOUND)
        return 0;
    return r < 0 ? r : S_ISDIR(st.st_mode);
}

/* ---- temporaries: everything in a directory that is ours ---- */

static int clear_temporary(struct gc *g, const char *path, struct pond_error *err)
{
    int r = is_directory(path, err);
    if (r == 0)
        return remove_file(g, path, err);
    if (r < 0)
        return r;
    if (!g->dry_run)
        POND_TRY(os_remove_tree(path, err));
    return count_file(g, path, 0);
}

static int clear_directory(struct gc *g, const char *relative, struct pond_error *err)
{
    char **names = NULL;
    size_t count = 0;
    char *dir = inside(g, relative);
    int r = dir != NULL ? is_directory(dir, err) : pond_fail_nomem(err);
    if (r == 1)
        r = os_dir_sorted(dir, &names, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        char *path = os_path_join(dir, names[i]);
        r = path != NULL ? clear_temporary(g, path, err) : pond_fail_nomem(err);
        pond_free(path);
    }
    pond_free(names);
    pond_free(dir);
    return r < 0 ? r : 0;
}

/* What a replaced state file left when its process died: NAME.<16 hex>.tmp. */
static bool is_state_leftover(const char *name)
{
    uint8_t number[8];
    size_t size = strlen(name);
    return size > 21 && name[size - 21] == '.' && strcmp(name + size - 4, ".tmp") == 0 &&
           pond_unhex(name + size - 20, 16, number, sizeof number);
}

/* ---- candidates ---- */

enum kind { PART, BUNDLE };

struct candidate {
    union {
        char part[PART_NAME_SIZE + 1];
        uint8_t hash[POND_HASH_SIZE];
    } key;
    bool named;
};

struct candidates {
    struct gc *g;
    enum kind kind;
    struct candidate *items;
    size_t count;
};

static int compare_parts(const void *a, const void *b)
{
    return strcmp(((const struct candidate *)a)->key.part, ((const struct candidate *)b)->key.part);
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(((const struct candidate *)a)->key.hash, ((const struct candidate *)b)->key.hash, POND_HASH_SIZE);
}

static void mark(struct candidates *c, const struct candidate *key)
{
    struct candidate *found = bsearch(key, c->items, c->count, sizeof *key,
                                      c->kind == PART ? compare_parts : compare_hashes);
    if (found != NULL)
        found->named = true;
}

static int mark_row(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *err)
{
    struct candidate key = {0};
    (void)ordinal;
    (void)err;
    if (!row->has_blake3)
        return 0;
    memcpy(key.key.hash, row->blake3, sizeof key.key.hash);
    mark(context, &key);
    return 0;
}

/* Whatever a row may mean by its hash, a bundle of that hash is named. */
static int mark_part_rows(struct candidates *c, const struct pond_commit *commit, struct pond_error *err)
{
    static const struct pond_control quiet;
    struct gc *g = c->g;
    int fd = logread_part_open(g->pond, commit, &g->path, err);
    if (fd < 0)
        return fd;
    const char *path = (const char *)g->path.data;
    int r = logread_part_verify(fd, path, commit, &quiet, err);
    if (r == 0)
        r = oplog_read_rows(fd, path, commit->txn, mark_row, c, err);
    os_close(fd);
    return r;
}

static int mark_commit(struct candidates *c, const struct pond_commit *commit, struct pond_error *err)
{
    struct candidate key = {0};
    if (commit->part_path == NULL)
        return 0;
    if (c->kind == BUNDLE)
        return mark_part_rows(c, commit, err);
    if (strlen(commit->part_path) <= PART_NAME_SIZE) {
        memcpy(key.key.part, commit->part_path, strlen(commit->part_path) + 1);
        mark(c, &key);
    }
    return 0;
}

/* G1: the whole log has its say. */
static int ask_log(struct candidates *c, struct pond_error *err)
{
    struct gc *g = c->g;
    int64_t newest;
    POND_TRY(delta_latest_version(&g->pond->table, -1, &newest, err));
    if (newest < g->pond->info.txn)
        return pond_fail(err, POND_ECORRUPT, "%s: the log ends at %lld, before the transaction %lld that this pond has",
                         g->pond->dir, (long long)newest, (long long)g->pond->info.txn);
    qsort(c->items, c->count, sizeof *c->items, c->kind == PART ? compare_parts : compare_hashes);
    for (int64_t txn = 0; txn <= newest; txn++) {
        struct pond_commit commit = {0};
        POND_TRY(logread_commit(g->pond, txn, &commit, &g->path, err));
        int r = mark_commit(c, &commit, err);
        pond_commit_release(&commit);
        if (r < 0)
            return r;
    }
    return 0;
}

static int remove_part(struct gc *g, const struct candidate *c, struct pond_error *err)
{
    char *path = inside(g, c->key.part);
    int r = path != NULL ? remove_file(g, path, err) : pond_fail_nomem(err);
    pond_free(path);
    return r;
}

/* The bundle, then its directory unless there is more in it. */
static int remove_bundle(struct gc *g, const struct candidate *c, struct pond_error *err)
{
    char *path = pond_bundle_path(g->pond, c->key.hash);
    if (path == NULL)
        return pond_fail_nomem(err);
    int r = remove_file(g, path, err);
    if (r == POND_ENOTFOUND)
        r = 0; /* only its directory was made */
    if (r == 0 && !g->dry_run) {
        *strrchr(path, '/') = '\0';
        if (os_rmdir(path, NULL) < 0) {
            /* There is something else in it, which is not ours to remove. */
        }
    }
    pond_free(path);
    return r;
}

static int settle(struct candidates *c, struct pond_error *err)
{
    int r = c->count > 0 ? ask_log(c, err) : 0;
    for (size_t i = 0; r == 0 && i < c->count; i++) {
        if (!c->items[i].named)
            r = c->kind == PART ? remove_part(c->g, &c->items[i], err) : remove_bundle(c->g, &c->items[i], err);
    }
    c->count = 0;
    return r;
}

static int propose(struct candidates *c, const struct candidate *item, struct pond_error *err)
{
    if (c->count == ROUND)
        POND_TRY(settle(c, err));
    c->items[c->count++] = *item;
    return 0;
}

/* ---- parts ---- */

static bool is_part_name(const char *name)
{
    uint8_t uuid[16];
    return strlen(name) == PART_NAME_SIZE && strncmp(name, "part-", 5) == 0 && strspn(name + 5, "0123456789") == 20 &&
           name[25] == '-' && pond_uuid_parse(name + 26, 36, uuid) && strcmp(name + 62, ".parquet") == 0;
}

static int is_regular(const struct gc *g, const char *name, struct pond_error *err)
{
    struct stat st;
    char *path = inside(g, name);
    int r = path != NULL ? os_lstat(path, &st, err) : pond_fail_nomem(err);
    pond_free(path);
    return r < 0 ? r : S_ISREG(st.st_mode);
}

struct named_part {
    const char *name;
    int64_t txn;
    bool named;
};

static int compare_named(void *context, const struct index_commit *commit, struct pond_error *err)
{
    struct named_part *n = context;
    (void)err;
    n->named = commit->txn == n->txn && strcmp(commit->part_path, n->name) == 0;
    return 1;
}

static int visit_root(struct candidates *c, const char *name, struct pond_error *err)
{
    struct candidate item = {0};
    struct named_part n = {.name = name};
    if (!is_part_name(name))
        return 0;
    n.txn = strtoll(name + 5, NULL, 10);
    int r = index_commits(c->g->pond->index, n.txn, compare_named, &n, err);
    if (r < 0 || n.named)
        return r;
    r = is_regular(c->g, name, err);
    if (r <= 0)
        return r;
    memcpy(item.key.part, name, PART_NAME_SIZE + 1);
    return propose(c, &item, err);
}

/* ---- bundles ---- */

static int visit_large_files(struct candidates *c, const char *name, struct pond_error *err)
{
    struct candidate item = {0};
    int64_t txn;
    uint64_t size;
    static const char prefix[] = "blake3=";
    size_t prefix_size = sizeof prefix - 1;
    if (strncmp(name, prefix, prefix_size) != 0 || strlen(name) != prefix_size + 2 * (size_t)POND_HASH_SIZE ||
        !pond_unhex(name + prefix_size, 2 * (size_t)POND_HASH_SIZE, item.key.hash, POND_HASH_SIZE))
        return 0;
    int r = index_has_bundle(c->g->pond->index, item.key.hash, &txn, &size, err);
    if (r != 0)
        return r < 0 ? r : 0;
    char *dir = os_path_join((const char *)c->g->scratch.data, name);
    r = dir != NULL ? is_directory(dir, err) : pond_fail_nomem(err);
    pond_free(dir);
    return r == 1 ? propose(c, &item, err) : r;
}

static int visit_state(struct candidates *c, const char *name, struct pond_error *err)
{
    if (!is_state_leftover(name))
        return 0;
    char *path = os_path_join(c->g->pond->state_dir, name);
    int r = path != NULL ? is_directory(path, err) : pond_fail_nomem(err);
    if (r == 0)
        r = remove_file(c->g, path, err);
    pond_free(path);
    return r < 0 ? r : 0;
}

typedef int visit_fn(struct candidates *c, const char *name, struct pond_error *err);

/* Every name of a directory of the pond. Entries removed meanwhile are no matter: the walk is of the kernel's list. */
static int visit_all(struct gc *g, const char *relative, enum kind kind, visit_fn *visit, struct pond_error *err)
{
    struct os_dir *dir = NULL;
    struct candidates c = {.g = g, .kind = kind, .items = pond_alloc(ROUND, sizeof *c.items)};
    char *path = relative[0] != '\0' ? inside(g, relative) : pond_strdup(g->pond->dir);
    int r = path != NULL && c.items != NULL ? 0 : pond_fail_nomem(err);
    if (r == 0)
        r = relative[0] != '\0' ? is_directory(path, err) : 1; /* the pond itself may be reached by a symlink */
    if (r == 1) {
        pond_buf_clear(&g->scratch);
        (void)pond_buf_append_str(&g->scratch, path);
        r = pond_buf_cstr(&g->scratch) != NULL ? os_dir_open(path, &dir, err) : pond_fail_nomem(err);
        const char *name = NULL;
        unsigned char type;
        while (r == 0 && (r = os_dir_next(dir, &name, &type, err)) == 1)
            r = visit(&c, name, err);
        if (r == 0)
            r = settle(&c, err);
    }
    os_dir_close(dir);
    pond_free(path);
    pond_free(c.items);
    return r;
}

int pond_gc(struct pond *p, bool dry_run, void (*on_file)(void *context, const char *path), void *context,
            struct pond_gc_result *out, struct pond_error *err)
{
    struct gc g = {.pond = p, .dry_run = dry_run, .on_file = on_file, .context = context};
    if (p->lock_fd < 0)
        return pond_fail(err, POND_EUSAGE, "%s: is opened for reading only", p->dir);
    if (p->txn != NULL)
        return pond_fail(err, POND_EUSAGE, "%s: has an open transaction", p->dir);
    int r = is_directory(p->state_dir, err);
    if (r == 1)
        r = clear_directory(&g, "_pond/tmp", err);
    if (r == 0)
        r = visit_all(&g, "_pond", PART, visit_state, err);
    if (r == 0)
        r = clear_directory(&g, "_tmp", err);
    if (r == 0)
        r = visit_all(&g, "", PART, visit_root, err);
    if (r == 0)
        r = visit_all(&g, "_large_files", BUNDLE, visit_large_files, err);
    pond_buf_release(&g.path);
    pond_buf_release(&g.scratch);
    if (r == 0 && out != NULL)
        *out = g.result;
    return r;
}
