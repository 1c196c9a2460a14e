/* tlogfs/list.c - directories and globs: depth first, sorted by bytes, in memory bounded by the depth. */
#include <string.h>

#include "base/text.h"
#include "tlogfs/pond.h"

struct walk {
    struct pond *pond;
    int64_t txn;
    struct pond_buf path; /* of the directory being listed; "" for the root */
    unsigned depth;
    pond_entry_fn *fn;    /* gets every entry that matches */
    void *context;
    bool stopped;
    uint64_t given;

    bool recursive;       /* listing */
    const char *pattern;  /* globbing: the whole, normalized; NULL when listing */
    const char *rest;     /* its components not yet walked; NULL: anywhere below (a `**` was met) */
    bool only_directories;
    char component[POND_GLOB_MAX + 1]; /* the one looked at */
};

static int list_directory(struct walk *w, const uint8_t node_id[16], struct pond_error *err);

/* Runs fn for the row at w->path. */
static int give(struct walk *w, const struct index_row *row, struct pond_error *err)
{
    struct pond_entry entry;
    pond_fill_entry(row, (const char *)w->path.data, &entry);
    w->given++;
    int r = w->fn(w->context, &entry, err);
    w->stopped = r == 1;
    return r;
}

static int descend(struct walk *w, const struct index_row *row, struct pond_error *err)
{
    if (w->depth == INDEX_DEPTH_MAX)
        return pond_fail_path(err, POND_ELIMIT, (const char *)w->path.data, "%s: more than %u names below each other",
                              (const char *)w->path.data, INDEX_DEPTH_MAX);
    w->depth++;
    int r = list_directory(w, row->row.node_id, err);
    w->depth--;
    return r;
}

static bool is_type_wanted(const struct walk *w, const struct index_row *row)
{
    return !w->only_directories || row->row.type == POND_DIRECTORY;
}

/* Below a `**`: the whole path decides. */
static int visit_anywhere(struct walk *w, const struct index_row *row, struct pond_error *err)
{
    if (is_type_wanted(w, row) && pond_glob_match(w->pattern, (const char *)w->path.data)) {
        int r = give(w, row, err);
        if (r != 0)
            return r;
    }
    return row->row.type == POND_DIRECTORY ? descend(w, row, err) : 0;
}

/* The next component of the pattern decides about this name, and whether to go below it. */
static int visit_component(struct walk *w, const struct index_row *row, struct pond_error *err)
{
    const char *here = w->rest;
    const size_t size = strcspn(here, "/");
    if (size > POND_GLOB_MAX)
        return 0;
    memcpy(w->component, here, size);
    w->component[size] = '\0';
    if (strstr(w->component, "**") != NULL) {
        w->rest = NULL;
        int r = visit_anywhere(w, row, err);
        w->rest = here;
        return r;
    }
    if (!pond_glob_match(w->component, row->row.name))
        return 0;
    if (here[size] == '\0')
        return is_type_wanted(w, row) ? give(w, row, err) : 0;
    if (row->row.type != POND_DIRECTORY)
        return 0;
    w->rest = here + size + 1;
    int r = descend(w, row, err);
    w->rest = here;
    return r;
}

static int visit(void *context, const struct index_row *row, struct pond_error *err)
{
    struct walk *w = context;
    const size_t size = w->path.size;
    pond_buf_append_byte(&w->path, '/');
    pond_buf_append(&w->path, row->row.name, row->row.name_size);
    POND_TRY(pond_buf_error(&w->path, err));
    if (pond_buf_cstr(&w->path) == NULL)
        return pond_fail_nomem(err);
    int r;
    if (w->pattern == NULL) {
        r = give(w, row, err);
        if (r == 0 && w->recursive && row->row.type == POND_DIRECTORY)
            r = descend(w, row, err);
    } else {
        r = w->rest == NULL ? visit_anywhere(w, row, err) : visit_component(w, row, err);
    }
    w->path.size = size;
    return r < 0 ? r : w->stopped;
}

static int list_directory(struct walk *w, const uint8_t node_id[16], struct pond_error *err)
{
    return index_children(w->pond->index, node_id, w->txn, visit, w, err);
}

int pond_list(struct pond *p, const char *path, int64_t at, bool recursive, pond_entry_fn *fn, void *context,
              struct pond_error *err)
{
    struct walk w = {.pond = p, .recursive = recursive, .fn = fn, .context = context};
    struct index_row row;
    POND_TRY(pond_at(p, at, &w.txn, err));
    POND_TRY(pond_resolve(p, path, at, &row, err));
    int r = pond_normalize(path, &w.path, err);
    if (r == 0 && row.row.type != POND_DIRECTORY) {
        r = give(&w, &row, err);
    } else if (r == 0) {
        if (w.path.size == 1)
            w.path.size = 0;
        r = list_directory(&w, row.row.node_id, err);
    }
    index_row_release(&row);
    pond_buf_release(&w.path);
    return r < 0 ? r : 0;
}

/* Splits "/a/b/x*y/c" into the directory "/a/b", which needs no matching, and the rest "x*y/c". */
static const char *split_pattern(char *pattern, struct pond_buf *directory)
{
    char *rest = pattern + 1;
    for (;;) {
        const size_t size = strcspn(rest, "/");
        const char kept = rest[size];
        rest[size] = '\0';
        const bool magic = pond_glob_has_magic(rest);
        rest[size] = kept;
        if (magic || kept == '\0')
            break;
        rest += size + 1;
    }
    pond_buf_append(directory, pattern, (size_t)(rest - pattern));
    return rest;
}

static int glob_from(struct walk *w, const char *pattern, int64_t at, struct pond_error *err)
{
    struct pond_buf directory = {0};
    struct index_row row;
    w->rest = split_pattern((char *)w->pattern, &directory);
    const char *path = pond_buf_cstr(&directory);
    int r = path != NULL ? pond_resolve(w->pond, path, at, &row, err) : pond_fail_nomem(err);
    if (r == 0) {
        pond_buf_append(&w->path, directory.data, directory.size - 1);
        r = pond_buf_error(&w->path, err);
        if (r == 0)
            r = list_directory(w, row.row.node_id, err);
        index_row_release(&row);
    }
    pond_buf_release(&directory);
    if (r == POND_ENOTFOUND || (r == 0 && w->given == 0))
        return pond_fail_path(err, POND_ENOTFOUND, pattern, "%s: nothing matches", pattern);
    return r;
}

int pond_glob(struct pond *p, const char *pattern, int64_t at, pond_entry_fn *fn, void *context, struct pond_error *err)
{
    struct walk w = {.pond = p, .fn = fn, .context = context};
    struct pond_buf normal = {0};
    POND_TRY(pond_at(p, at, &w.txn, err));
    int r = pond_normalize(pattern, &normal, err);
    if (r == 0 && !pond_glob_has_magic((const char *)normal.data)) {
        struct pond_entry entry;
        r = pond_stat(p, pattern, at, &entry, err);
        if (r == 0)
            r = fn(context, &entry, err);
    } else if (r == 0) {
        w.pattern = (const char *)normal.data;
        w.only_directories = pattern[strlen(pattern) - 1] == '/';
        r = glob_from(&w, pattern, at, err);
    }
    pond_buf_release(&w.path);
    pond_buf_release(&normal);
    return r < 0 ? r : 0;
}
