/* tlogfs/txn_tree.c - changes to the tree: mkdir, remove, rename. */
#include <string.h>

#include "base/text.h"
#include "tlogfs/pond.h"

/* A normalized path and the directory it stands in. */
struct place {
    struct pond_buf path;
    struct index_row parent;
    const char *name; /* in path */
    size_t name_size;
};

static void place_release(struct place *pl)
{
    pond_buf_release(&pl->path);
    index_row_release(&pl->parent);
}

/* POND_EUSAGE for the root, POND_ENOTFOUND when the parent is no directory. */
static int place_find(struct pond *p, const char *path, struct place *out, struct pond_error *err)
{
    struct place pl = {0};
    struct pond_buf parent = {0};
    int r = pond_normalize(path, &pl.path, err);
    if (r == 0 && pl.path.size == 1)
        r = pond_fail_path(err, POND_EUSAGE, path, "%s: is the root directory", path);
    if (r == 0) {
        const char *slash = strrchr((const char *)pl.path.data, '/');
        pl.name = slash + 1;
        pl.name_size = strlen(pl.name);
        pond_buf_append(&parent, pl.path.data, (size_t)(pl.name - (const char *)pl.path.data));
        const char *parent_path = pond_buf_cstr(&parent);
        r = parent_path != NULL ? pond_resolve(p, parent_path, POND_AT_TIP, &pl.parent, err) : pond_fail_nomem(err);
    }
    pond_buf_release(&parent);
    if (r < 0)
        place_release(&pl);
    else
        *out = pl;
    return r;
}

/* What stands at a place: 1 and *out, or 0. */
static int place_entry(struct pond *p, const struct place *pl, struct index_row *out, struct pond_error *err)
{
    int r = index_child(p->index, pl->parent.row.node_id, pl->name, pl->name_size, POND_AT_TIP, out, err);
    return r == POND_ENOTFOUND ? 0 : r < 0 ? r : 1;
}

static int stop_at_first(void *context, const struct index_row *row, struct pond_error *err)
{
    (void)row;
    (void)err;
    *(bool *)context = false;
    return 1;
}

/* 1 empty, 0 not. */
static int is_empty(struct pond *p, const struct index_row *dir, struct pond_error *err)
{
    bool empty = true;
    int r = index_children(p->index, dir->row.node_id, POND_AT_TIP, stop_at_first, &empty, err);
    return r < 0 ? r : empty;
}

/* ---- mkdir ---- */

static int put_directory(struct pond_txn *t, const struct index_row *parent, const char *name, size_t name_size,
                         uint8_t node_id[16], struct pond_error *err)
{
    char text[OPLOG_NAME_MAX + 1];
    memcpy(text, name, name_size);
    text[name_size] = '\0';
    struct oplog_row row = {
        .has_part = true,
        .name = text,
        .name_size = name_size,
        .type = POND_DIRECTORY,
        .version = 1,
        .mode = 0755,
        .mtime_us = t->time_us,
    };
    pond_uuid7(row.node_id);
    memcpy(row.part_id, parent->row.node_id, sizeof row.part_id);
    memcpy(node_id, row.node_id, sizeof row.node_id);
    return pond_txn_put(t, &row, err);
}

/* Goes from *dir to its entry `name`, which is made when missing and may_make. 1 made, 0 there. */
static int enter(struct pond_txn *t, struct index_row *dir, const char *path, const char *name, size_t name_size,
                 bool may_make, struct pond_error *err)
{
    struct index_row child;
    int r = index_child(t->pond->index, dir->row.node_id, name, name_size, POND_AT_TIP, &child, err);
    if (r == 0) {
        index_row_release(dir);
        *dir = child;
        if (child.row.type != POND_DIRECTORY)
            return pond_fail_path(err, POND_EEXISTS, path, "%s: \"%.*s\" is there and is not a directory", path,
                                  (int)name_size, name);
        return 0;
    }
    if (r != POND_ENOTFOUND)
        return r;
    if (!may_make)
        return pond_fail_path(err, POND_ENOTFOUND, path, "%s: its parent \"%.*s\" does not exist", path, (int)name_size,
                              name);
    uint8_t node_id[16];
    POND_TRY(put_directory(t, dir, name, name_size, node_id, err));
    memcpy(dir->row.node_id, node_id, sizeof node_id);
    return 1;
}

static int make_path(struct pond_txn *t, const char *path, const char *normal, bool parents, struct index_row *dir,
                     struct pond_error *err)
{
    int made = 0;
    for (const char *p = normal; *p != '\0';) {
        p += strspn(p, "/");
        const size_t size = strcspn(p, "/");
        if (size == 0)
            break;
        const bool last = p[size] == '\0';
        made = enter(t, dir, path, p, size, parents || last, err);
        if (made < 0)
            return made;
        p += size;
    }
    if (made == 0 && !parents)
        return pond_fail_path(err, POND_EEXISTS, path, "%s: is there already", path);
    return 0;
}

int pond_txn_mkdir(struct pond_txn *t, const char *path, bool parents, struct pond_error *err)
{
    struct pond_buf normal = {0};
    struct index_row dir;
    int r = pond_normalize(path, &normal, err);
    if (r == 0)
        r = pond_resolve(t->pond, "/", POND_AT_TIP, &dir, err);
    if (r == 0) {
        r = make_path(t, path, (const char *)normal.data, parents, &dir, err);
        index_row_release(&dir);
    }
    pond_buf_release(&normal);
    return r;
}

/* ---- remove ---- */

/* What stood at a row's place is gone. */
static int put_tombstone(struct pond_txn *t, const struct index_row *of, struct pond_error *err)
{
    struct oplog_row row = of->row;
    row.version++;
    row.deleted = true;
    row.size = 0;
    row.storage = POND_STORAGE_NONE;
    row.content = NULL;
    row.content_size = 0;
    row.has_blake3 = false;
    memset(row.blake3, 0, sizeof row.blake3);
    row.attributes = NULL;
    return pond_txn_put(t, &row, err);
}

static int remove_row(struct pond_txn *t, const char *path, const struct index_row *row, bool recursive,
                      struct pond_error *err)
{
    uint64_t files = 1, entries = 0;
    if (row->row.type == POND_DIRECTORY) {
        POND_TRY(index_count_below(t->pond->index, row->row.node_id, POND_AT_TIP, &files, &entries, err));
        if (entries > 0 && !recursive)
            return pond_fail_path(err, POND_EFAILED, path, "%s: is a directory with %llu entries below it; removing all of "
                                  "them must be asked for (recursive)", path, (unsigned long long)entries);
    }
    POND_TRY(put_tombstone(t, row, err));
    t->result.files_removed += files;
    return 0;
}

int pond_txn_remove(struct pond_txn *t, const char *path, bool recursive, struct pond_error *err)
{
    struct index_row row;
    POND_TRY(pond_resolve(t->pond, path, POND_AT_TIP, &row, err));
    int r = row.row.has_part ? remove_row(t, path, &row, recursive, err)
                             : pond_fail_path(err, POND_EUSAGE, path, "%s: is the root directory", path);
    index_row_release(&row);
    return r;
}

/* ---- rename ---- */

/* `to` is an existing directory: the place inside it. */
static int place_into(struct pond *p, struct place *to, const char *name, struct pond_error *err)
{
    struct pond_buf path = {0};
    struct place inside;
    pond_buf_append(&path, to->path.data, to->path.size);
    pond_buf_append_byte(&path, '/');
    pond_buf_append_str(&path, name);
    const char *text = pond_buf_cstr(&path);
    int r = text != NULL ? place_find(p, text, &inside, err) : pond_fail_nomem(err);
    pond_buf_release(&path);
    if (r == 0) {
        place_release(to);
        *to = inside;
    }
    return r;
}

static int find_in_root(struct pond *p, const char *name, struct place *out, struct pond_error *err)
{
    struct pond_buf path = {0};
    pond_buf_append_byte(&path, '/');
    pond_buf_append_str(&path, name);
    const char *text = pond_buf_cstr(&path);
    int r = text != NULL ? place_find(p, text, out, err) : pond_fail_nomem(err);
    pond_buf_release(&path);
    return r;
}

/* The place that `to` means for an entry called name: inside it when it is a directory. */
static int find_target(struct pond *p, const char *to, const char *name, bool is_directory, struct place *out,
                       struct pond_error *err)
{
    struct pond_buf normal = {0};
    struct index_row there;
    int r = pond_normalize(to, &normal, err);
    const bool is_root = r == 0 && normal.size == 1;
    pond_buf_release(&normal);
    if (r < 0)
        return r;
    if (is_root)
        return find_in_root(p, name, out, err);
    POND_TRY(place_find(p, to, out, err));
    r = place_entry(p, out, &there, err);
    const bool found = r == 1;
    if (found && there.row.type == POND_DIRECTORY)
        r = place_into(p, out, name, err);
    else if (r >= 0 && to[strlen(to) - 1] == '/' && (found || !is_directory))
        r = pond_fail_path(err, POND_ENOTFOUND, to, "%s: there is no such directory", to);
    if (found)
        index_row_release(&there);
    if (r < 0)
        place_release(out);
    return r < 0 ? r : 0;
}

/* Whether what stands at the target may be replaced; counts it. */
static int check_replaced(struct pond_txn *t, const struct place *to, const struct index_row *from,
                          struct pond_error *err)
{
    struct index_row there;
    const char *path = (const char *)to->path.data;
    int r = place_entry(t->pond, to, &there, err);
    if (r <= 0)
        return r;
    const bool from_dir = from->row.type == POND_DIRECTORY, to_dir = there.row.type == POND_DIRECTORY;
    if (from_dir != to_dir)
        r = pond_fail_path(err, POND_EEXISTS, path, "%s: is there and is %s directory", path, to_dir ? "a" : "not a");
    else if (to_dir && (r = is_empty(t->pond, &there, err)) == 0)
        r = pond_fail_path(err, POND_EEXISTS, path, "%s: is a directory that is not empty", path);
    if (r >= 0 && !to_dir)
        t->result.files_removed++;
    index_row_release(&there);
    return r < 0 ? r : 0;
}

/* The row at its new place first: so a tombstone's reader knows that the node only moved. */
static int put_moved(struct pond_txn *t, const struct index_row *from, const struct place *to, struct pond_error *err)
{
    struct pond_buf content = {0};
    struct oplog_row row = from->row;
    int r = 0;
    if (row.storage == POND_STORAGE_INLINE) {
        r = pond_inline_content(t->pond, from, &content, err);
        row.content = content.data != NULL ? content.data : (const uint8_t *)"";
        row.content_size = content.size;
    }
    memcpy(row.part_id, to->parent.row.node_id, sizeof row.part_id);
    row.name = to->name;
    row.name_size = to->name_size;
    row.version++;
    if (r == 0)
        r = pond_txn_put(t, &row, err);
    if (r == 0)
        r = put_tombstone(t, from, err);
    if (r == 0 && row.type != POND_DIRECTORY)
        t->result.files_changed++;
    pond_buf_release(&content);
    return r;
}

static bool is_below(const char *path, const char *directory)
{
    const size_t size = strlen(directory);
    return strncmp(path, directory, size) == 0 && path[size] == '/';
}

static int move(struct pond_txn *t, const struct place *from, const struct place *to, const struct index_row *row,
                struct pond_error *err)
{
    const char *from_path = (const char *)from->path.data, *to_path = (const char *)to->path.data;
    if (strcmp(from_path, to_path) == 0)
        return 0;
    if (is_below(to_path, from_path))
        return pond_fail_path(err, POND_EUSAGE, from_path, "%s: can't be moved below itself, to %s", from_path, to_path);
    POND_TRY(check_replaced(t, to, row, err));
    return put_moved(t, row, to, err);
}

int pond_txn_rename(struct pond_txn *t, const char *from, const char *to, struct pond_error *err)
{
    struct place source = {0}, target = {0};
    struct index_row row;
    POND_TRY(pond_resolve(t->pond, from, POND_AT_TIP, &row, err));
    int r = place_find(t->pond, from, &source, err);
    if (r == 0)
        r = find_target(t->pond, to, source.name, row.row.type == POND_DIRECTORY, &target, err);
    if (r == 0)
        r = move(t, &source, &target, &row, err);
    place_release(&source);
    place_release(&target);
    index_row_release(&row);
    return r;
}
