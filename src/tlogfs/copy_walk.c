/* Walking one source, depth first, names sorted by bytes. Owner's thread. */
#include "tlogfs/copy.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/os_at.h"
#include "base/text.h"

struct level {
    struct level *up;
    struct hostdir *dir;  /* held */
    struct os_names names;
    size_t next;
};

/* ---- batches ---- */

static int take_oldest(struct copy *c, bool *taken, struct pond_error *err)
{
    struct copy_batch *b = pond_pipeline_take(c->pipeline);
    *taken = b != NULL;
    if (b == NULL)
        return 0;
    int r = copy_store_batch(c, b, err);
    pond_pipeline_put_back(c->pipeline, b);
    return r;
}

static void submit(struct copy *c)
{
    if (c->filling != NULL)
        pond_pipeline_submit(c->pipeline, c->filling);
    c->filling = NULL;
}

static int finish_all(struct copy *c, struct pond_error *err)
{
    bool taken = true;
    submit(c);
    while (taken)
        POND_TRY(take_oldest(c, &taken, err));
    return 0;
}

void copy_discard(struct copy *c)
{
    struct copy_batch *b;
    submit(c);
    while ((b = pond_pipeline_take(c->pipeline)) != NULL) {
        for (size_t i = 0; i < b->count; i++)
            copy_entry_release(&b->entries[i]);
        b->count = 0;
        pond_pipeline_put_back(c->pipeline, b);
    }
}

/* Room for one more entry in the batch being filled. */
static int next_entry(struct copy *c, struct copy_entry **out, struct pond_error *err)
{
    if (c->filling != NULL && c->filling->count == COPY_BATCH)
        submit(c);
    while (c->filling == NULL) {
        bool taken = false;
        c->filling = pond_pipeline_free_slot(c->pipeline);
        if (c->filling == NULL) {
            POND_TRY(take_oldest(c, &taken, err));
            assert(taken); /* all slots were submitted */
        }
    }
    *out = &c->filling->entries[c->filling->count];
    return 0;
}

/* ---- entries ---- */

static int skip_entry(struct copy *c, const struct hostdir *dir, const char *name, int code, const char *why,
                      struct pond_error *err)
{
    struct pond_error reason = {0};
    const char *path = hostdir_join(&c->path, dir->path, name);
    if (path == NULL)
        return pond_fail_nomem(err);
    (void)pond_fail_path(&reason, code, path, "%s: %s", path, why);
    copy_skip(c, path, &reason);
    return 0;
}

/* What the pond has under a name: 1 there, 0 not. */
static int look_up(struct copy *c, const struct hostdir *dir, const char *target, struct index_row *out,
                   struct pond_error *err)
{
    if (dir->fresh)
        return 0;
    int r = index_child(c->txn->pond->index, dir->node_id, target, strlen(target), c->txn->txn_seq, out, err);
    return r == POND_ENOTFOUND ? 0 : r < 0 ? r : 1;
}

static void ask_seen(struct copy *c, struct copy_entry *e)
{
    uint8_t attributes[16];
    const struct oplog_row *old = &e->old.row;
    e->may_look_same = false;
    if (c->options->force || e->is_symlink || !e->has_old || old->type != POND_FILE || !old->has_blake3 ||
        !seen_get(c->seen, e->dir->seen_dir, e->name, &e->seen))
        return;
    seen_attributes_hash(old->attributes, attributes);
    e->may_look_same = memcmp(e->seen.blake3, old->blake3, sizeof e->seen.blake3) == 0 &&
                       memcmp(e->seen.attributes_hash, attributes, sizeof attributes) == 0;
}

static int add_entry(struct copy *c, struct hostdir *dir, const char *name, const char *target, bool is_symlink,
                     struct pond_error *err)
{
    struct copy_entry *e;
    struct index_row old = {0};
    POND_TRY(next_entry(c, &e, err));
    int r = look_up(c, dir, target, &old, err);
    if (r < 0)
        return r;
    bool has_old = r == 1;
    const char *refused = NULL;
    if (has_old && old.row.type == POND_DIRECTORY)
        refused = "is a directory in the pond and not replaced";
    else if (has_old && old.row.txn_seq == c->txn->txn_seq)
        refused = "another source of this name is already stored";
    if (refused != NULL) {
        index_row_release(&old);
        return skip_entry(c, dir, name, POND_EEXISTS, refused, err);
    }
    memset(e, 0, offsetof(struct copy_entry, err));
    e->dir = dir;
    e->is_symlink = is_symlink;
    e->has_old = has_old;
    e->old = old;
    e->err.code = 0;
    memset(&e->st, 0, sizeof *e - offsetof(struct copy_entry, st));
    e->bundle_fd = -1;
    memcpy(e->name, name, strlen(name) + 1);
    memcpy(e->target, target, strlen(target) + 1);
    ask_seen(c, e);
    hostdir_hold(dir);
    dir->jobs++;
    c->filling->count++;
    return 0;
}

/* ---- directories ---- */

static bool is_pond(const struct copy *c, const struct hostdir *dir)
{
    return dir->dev == c->pond_stat.st_dev && dir->ino == c->pond_stat.st_ino;
}

/* The kernel's own name of the open directory: canonical, whichever way led to it. */
static int64_t seen_number(struct copy *c, const struct hostdir *dir)
{
    char proc[40];
    pond_buf_clear(&c->scratch);
    (void)pond_buf_printf(&c->scratch, "/proc/self/fd/%d", dir->fd);
    if (c->seen == NULL || c->scratch.size >= sizeof proc)
        return 0;
    memcpy(proc, c->scratch.data, c->scratch.size);
    proc[c->scratch.size] = '\0';
    pond_buf_clear(&c->scratch);
    if (os_readlink(proc, &c->scratch, NULL) < 0 || pond_buf_cstr(&c->scratch) == NULL)
        return 0;
    return seen_dir(c->seen, (const char *)c->scratch.data);
}

static bool is_too_deep(const char *pond_path)
{
    unsigned depth = 0;
    for (const char *p = pond_path; *p != '\0'; p++)
        depth += *p == '/';
    return depth >= INDEX_DEPTH_MAX; /* what is in it counts too */
}

/* Opens, or skips: then *out is NULL. */
static int open_directory(struct copy *c, struct hostdir *parent, const char *name, const char *target,
                          struct hostdir **out, struct pond_error *err)
{
    struct pond_error why = {0};
    bool itself = strcmp(name, ".") == 0;
    const char *path = itself ? parent->path : hostdir_join(&c->path, parent->path, name);
    const char *pond_path = hostdir_join(&c->pond_path, parent->pond_path, target);
    *out = NULL;
    if (path == NULL || pond_path == NULL)
        return pond_fail_nomem(err);
    int r = is_too_deep(pond_path)
                ? pond_fail_path(&why, POND_ELIMIT, path, "%s: is more than %u directories deep", path, INDEX_DEPTH_MAX)
                : os_at_open_read(parent->fd, name, path, O_DIRECTORY, &why);
    if (r >= 0)
        r = hostdir_new(out, parent, r, path, pond_path, &why);
    if (r == 0 && is_pond(c, *out)) {
        hostdir_drop(*out);
        *out = NULL;
        r = pond_fail_path(&why, POND_EUSAGE, path, "%s: is the pond itself, which does not go into itself", path);
    }
    if (r == POND_ENOMEM && err != NULL)
        *err = why;
    if (r == 0 || r == POND_ENOMEM)
        return r;
    copy_skip(c, path, &why);
    return 0;
}

/* The directory's row, when it needs one. 1: go on into it; 0: it was skipped. */
static int store_directory(struct copy *c, struct hostdir *dir, const char *name, const char *target,
                           struct pond_error *err)
{
    struct pond_error why = {0};
    struct index_row old = {0};
    struct pond_buf xattrs = {0};
    struct stat st;
    const struct hostdir *parent = dir->parent;
    int has_old = look_up(c, parent, target, &old, err);
    int r = has_old < 0 ? has_old : 1;
    if (has_old == 1 && old.row.type != POND_DIRECTORY) {
        r = skip_entry(c, parent, name, POND_EEXISTS, "is no directory in the pond, and not replaced by one", err);
    } else if (r == 1 && (os_fstat(dir->fd, dir->path, &st, &why) < 0 ||
                          hostmeta_xattrs(dir->fd, NULL, dir->path, &xattrs, &why) < 0)) {
        copy_skip(c, dir->path, &why);
        r = 0;
    } else if (r == 1) {
        r = copy_store_directory(c, parent, target, has_old == 1 ? &old : NULL, &st, &xattrs, dir->node_id, err);
        r = r < 0 ? r : 1;
    }
    dir->fresh = has_old == 0;
    index_row_release(&old);
    pond_buf_release(&xattrs);
    return r;
}

static int push_level(struct copy *c, struct level **top, struct hostdir *dir, struct pond_error *err)
{
    struct pond_error why = {0};
    struct level *level = pond_calloc(1, sizeof *level);
    if (level == NULL)
        return pond_fail_nomem(err);
    int r = os_fd_names(dir->fd, dir->path, &level->names, &why);
    if (r < 0) {
        pond_free(level);
        copy_skip(c, dir->path, &why);
        return 0;
    }
    dir->seen_dir = seen_number(c, dir);
    hostdir_hold(dir);
    level->dir = dir;
    level->up = *top;
    *top = level;
    return 0;
}

static int enter(struct copy *c, struct level **top, struct hostdir *parent, const char *name, const char *target,
                 struct pond_error *err)
{
    struct hostdir *dir;
    POND_TRY(open_directory(c, parent, name, target != NULL ? target : "", &dir, err));
    if (dir == NULL)
        return 0;
    int r = 1;
    if (target != NULL) {
        r = store_directory(c, dir, name, target, err);
    } else { /* what is in it goes straight into the pond directory of the parent */
        memcpy(dir->node_id, parent->node_id, sizeof dir->node_id);
        dir->fresh = parent->fresh;
    }
    if (r == 1)
        r = push_level(c, top, dir, err);
    hostdir_drop(dir);
    return r;
}

/* The deepest level is done. */
static int leave(struct level **top, struct pond_error *err)
{
    struct level *level = *top;
    int r = level->up != NULL ? hostdir_return(level->dir, err) : 0;
    *top = level->up;
    hostdir_drop(level->dir);
    os_names_release(&level->names);
    pond_free(level);
    return r;
}

/* ---- the walk ---- */

/* A glob with '/' is for the path below the source, any other for the name. */
static bool is_excluded(struct copy *c, const struct hostdir *dir, const char *name)
{
    if (c->options->exclude_count == 0)
        return false;
    const char *path = hostdir_join(&c->pond_path, dir->pond_path, name);
    if (path == NULL)
        return false;
    path += c->top_size;
    while (*path == '/')
        path++;
    for (size_t i = 0; i < c->options->exclude_count; i++) {
        const char *glob = c->options->exclude[i];
        if (pond_glob_match(glob[0] == '/' ? glob + 1 : glob, strchr(glob, '/') != NULL ? path : name))
            return true;
    }
    return false;
}

static const char *refused_kind(unsigned char type)
{
    switch (type) {
    case DT_SOCK: return "is a socket: sockets are not stored";
    case DT_FIFO: return "is a fifo: fifos are not stored";
    case DT_CHR:
    case DT_BLK: return "is a device: devices are not stored";
    default: return "is of a kind that is not stored";
    }
}

static int visit(struct copy *c, struct level **top, struct hostdir *dir, const char *name, const char *target,
                 unsigned char type, struct pond_error *err)
{
    struct stat st;
    struct pond_error why = {0};
    if (type == DT_UNKNOWN) { /* the file system does not tell in listings; or a source as given */
        const char *path = hostdir_join(&c->path, dir->path, name);
        if (path == NULL)
            return pond_fail_nomem(err);
        if (os_lstatat(dir->fd, name, path, &st, &why) < 0) {
            copy_skip(c, path, &why);
            return 0;
        }
        type = (unsigned char)IFTODT(st.st_mode);
    }
    if (type == DT_DIR)
        return enter(c, top, dir, name, target, err);
    if (type != DT_REG && type != DT_LNK)
        return skip_entry(c, dir, name, POND_EUNSUPPORTED, refused_kind(type), err);
    assert(target != NULL); /* only a directory can be without a name: "." */
    return add_entry(c, dir, name, target, type == DT_LNK, err);
}

int copy_walk(struct copy *c, struct hostdir *parent, const char *name, const char *target, struct pond_error *err)
{
    struct level *top = NULL;
    const char *pond_path = hostdir_join(&c->pond_path, parent->pond_path, target != NULL ? target : "");
    if (pond_path == NULL)
        return pond_fail_nomem(err);
    c->top_size = strlen(pond_path);
    parent->seen_dir = seen_number(c, parent);
    int r = visit(c, &top, parent, name, target, DT_UNKNOWN, err);
    while (r == 0 && top != NULL) {
        struct level *level = top;
        if (copy_cancelled(c)) {
            r = pond_fail(err, POND_EINTERRUPTED, "interrupted");
        } else if (level->next == level->names.count) {
            r = leave(&top, err);
        } else {
            size_t i = level->next++;
            const char *entry = os_name_at(&level->names, i);
            if (!is_excluded(c, level->dir, entry))
                r = visit(c, &top, level->dir, entry, entry, os_name_type(&level->names, i), err);
        }
    }
    if (r == 0)
        r = finish_all(c, err);
    if (r < 0)
        copy_discard(c);
    while (top != NULL)
        (void)leave(&top, NULL);
    return r;
}
