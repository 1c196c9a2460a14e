/* tlogfs/export.c - pond_export: the walk, directories, results. Owner's thread. */
#include "tlogfs/export.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/os_at.h"
#include "base/text.h"

#define SLOTS_PER_WORKER 2u
#define DIR_MODE_WHILE_FILLED 0700

/* ---- what went wrong ---- */

static void tell_problem(struct export *x, const char *path, const struct pond_error *why)
{
    x->result.problems++;
    if (x->options->on_problem != NULL)
        x->options->on_problem(x->options->context, path, why);
}

static void dir_problem(void *context, const char *path, const struct pond_error *why)
{
    tell_problem(context, path, why);
}

/* One entry could not be exported: the others are all the same. */
static int entry_failed(struct export *x, const char *path, const struct pond_error *why, struct pond_error *err)
{
    if (why->code == POND_ENOMEM || why->code == POND_EINTERRUPTED) {
        if (err != NULL)
            *err = *why;
        return why->code;
    }
    x->failures++;
    if (x->failure.code == 0 || (why->code == POND_ECORRUPT && x->failure.code != POND_ECORRUPT))
        x->failure = *why;
    tell_problem(x, path, why);
    return 0;
}

static int name_failed(struct export *x, const struct hostdir *dir, const char *name, const struct pond_error *why,
                       struct pond_error *err)
{
    const char *path = hostdir_join(&x->path, dir->path, name);
    return path != NULL ? entry_failed(x, path, why, err) : pond_fail_nomem(err);
}

/* ---- batches ---- */

static void job_release(struct export_job *job)
{
    pond_free(job->attributes);
    job->attributes = NULL;
    job->dir->jobs--;
    hostdir_drop(job->dir);
    job->dir = NULL;
}

static void batch_release_jobs(struct export_batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        job_release(&b->jobs[i]);
    b->count = 0;
    pond_buf_clear(&b->bytes);
}

static int finish_job(struct export *x, const struct export_job *job, bool told, struct pond_error *err)
{
    if (job->failed)
        return name_failed(x, job->dir, job->name, &job->err, err);
    const struct pond_control *control = &x->options->control;
    x->result.files++;
    x->result.bytes += job->size;
    if (!told && control->progress != NULL && job->size > 0)
        control->progress(control->context, job->size);
    if (job->problems == 0)
        return 0;
    const char *path = hostdir_join(&x->path, job->dir->path, job->name);
    tell_problem(x, path != NULL ? path : job->name, &job->problem);
    return 0;
}

static void run_batch(void *context, void *slot)
{
    const struct export *x = context;
    struct export_batch *b = slot;
    const struct pond_control one = {.threads = 1, .cancel = x->options->control.cancel};
    for (size_t i = 0; i < b->count; i++)
        export_job_run(x, b, &b->jobs[i], &one);
}

static int take_oldest(struct export *x, bool *taken, struct pond_error *err)
{
    struct export_batch *b = pond_pipeline_take(x->pipeline);
    *taken = b != NULL;
    if (b == NULL)
        return 0;
    int r = 0;
    for (size_t i = 0; i < b->count && r == 0; i++)
        r = finish_job(x, &b->jobs[i], false, err);
    batch_release_jobs(b);
    pond_pipeline_put_back(x->pipeline, b);
    return r;
}

static void submit(struct export *x)
{
    if (x->filling != NULL)
        pond_pipeline_submit(x->pipeline, x->filling);
    x->filling = NULL;
}

static int finish_all(struct export *x, struct pond_error *err)
{
    bool taken = true;
    submit(x);
    while (taken)
        POND_TRY(take_oldest(x, &taken, err));
    return 0;
}

static void discard_all(struct export *x)
{
    struct export_batch *b;
    submit(x);
    while ((b = pond_pipeline_take(x->pipeline)) != NULL) {
        batch_release_jobs(b);
        pond_pipeline_put_back(x->pipeline, b);
    }
}

static int batch_with_room(struct export *x, struct export_batch **out, struct pond_error *err)
{
    struct export_batch *b = x->filling;
    if (b != NULL && (b->count == EXPORT_BATCH || b->bytes.size >= EXPORT_BATCH_BYTES))
        submit(x);
    while (x->filling == NULL) {
        bool taken = false;
        x->filling = pond_pipeline_free_slot(x->pipeline);
        if (x->filling == NULL) {
            POND_TRY(take_oldest(x, &taken, err));
            assert(taken); /* all slots were submitted */
        }
    }
    *out = x->filling;
    return 0;
}

/* ---- files and symlinks ---- */

/* 1: what is there stays; 0: it is to be written. */
static int is_kept(struct export *x, const struct hostdir *dir, const struct oplog_row *row)
{
    struct stat st;
    if (x->options->overwrite == POND_OVERWRITE_ALWAYS || os_lstatat(dir->fd, row->name, "", &st, NULL) < 0)
        return 0;
    if (x->options->overwrite == POND_OVERWRITE_NEVER)
        return 1;
    struct oplog_row there;
    hostmeta_stat_to_row(&st, &there);
    bool same_type = row->type == POND_SYMLINK ? S_ISLNK(st.st_mode) : S_ISREG(st.st_mode);
    return same_type && (uint64_t)st.st_size == row->size && there.mtime_us == row->mtime_us &&
           there.mtime_nanos == row->mtime_nanos;
}

static bool is_hard_link(const struct oplog_row *row)
{
    return row->type == POND_FILE && row->has_blake3 && row->attributes != NULL &&
           strstr(row->attributes, "\"hard_link\":") != NULL;
}

/* Appends a job to b. On failure b is as it was. Content that is damaged fails here. */
static int add_job(struct export *x, struct export_batch *b, struct hostdir *dir, const struct index_row *row,
                   struct pond_error *err)
{
    const struct oplog_row *r = &row->row;
    struct export_job *job = &b->jobs[b->count];
    size_t before = b->bytes.size;
    char *attributes = r->attributes != NULL ? pond_strdup(r->attributes) : NULL;
    int code = r->attributes != NULL && attributes == NULL ? pond_fail_nomem(err) : 0;
    if (code == 0 && r->type == POND_SYMLINK)
        code = pond_buf_append(&b->bytes, r->content, r->content_size) < 0 ? pond_buf_error(&b->bytes, err) : 0;
    else if (code == 0 && r->storage == POND_STORAGE_INLINE)
        code = pond_inline_content(x->pond, row, &b->bytes, err);
    else if (code == 0 && (r->storage != POND_STORAGE_CHUNKED || !r->has_blake3))
        code = pond_fail(err, POND_EUNSUPPORTED, "%s: is held in a way this version does not handle", r->name);
    if (code < 0) {
        b->bytes.size = before;
        pond_free(attributes);
        return code;
    }
    job->dir = dir;
    memcpy(job->name, r->name, r->name_size);
    job->name[r->name_size] = '\0';
    job->type = r->type;
    job->storage = r->type == POND_SYMLINK ? POND_STORAGE_NONE : r->storage;
    job->size = r->size;
    memcpy(job->blake3, r->blake3, sizeof job->blake3);
    job->mode = r->mode;
    job->mtime_us = r->mtime_us;
    job->mtime_nanos = r->mtime_nanos;
    job->attributes = attributes;
    job->content_at = before;
    job->content_size = b->bytes.size - before;
    job->failed = false;
    job->err.code = 0;
    job->problems = 0;
    hostdir_hold(dir);
    dir->jobs++;
    b->count++;
    return 0;
}

/* Large files with all threads, and hard links, for which the order matters. */
static int write_at_once(struct export *x, struct hostdir *dir, const struct index_row *row, struct pond_error *why,
                         struct pond_error *err)
{
    struct export_batch *b = x->own;
    bool linked = is_hard_link(&row->row);
    int r = add_job(x, b, dir, row, why);
    if (r < 0)
        return name_failed(x, dir, row->row.name, why, err);
    struct export_job *job = &b->jobs[0];
    int made = linked ? export_link_make(x, job, err) : 0;
    r = made < 0 ? made : 0;
    if (made == 0)
        export_job_run(x, b, job, &x->options->control);
    if (r == 0)
        r = finish_job(x, job, made == 0 && job->storage == POND_STORAGE_CHUNKED, err);
    if (r == 0 && linked && made == 0 && !job->failed)
        r = export_link_note(x, job, err);
    batch_release_jobs(b);
    return r;
}

static int export_entry(struct export *x, struct hostdir *dir, const struct index_row *row, struct pond_error *err)
{
    struct pond_error why = {0};
    struct export_batch *b;
    if (is_kept(x, dir, &row->row)) {
        x->result.unchanged++;
        return 0;
    }
    if (is_hard_link(&row->row) ||
        (row->row.storage == POND_STORAGE_CHUNKED && row->row.size > EXPORT_BY_WORKER_MAX))
        return write_at_once(x, dir, row, &why, err);
    POND_TRY(batch_with_room(x, &b, err));
    if (add_job(x, b, dir, row, &why) < 0)
        return name_failed(x, dir, row->row.name, &why, err);
    return 0;
}

/* ---- directories ---- */

struct export_dir {
    struct export *x;
    struct index_row row;
};

/* All of it is there. (After an abort nothing pretends to be complete.) */
static void finish_dir(void *context, struct hostdir *dir)
{
    struct export_dir *d = context;
    struct export *x = d->x;
    struct pond_error err;
    if (!x->aborted && dir->fd >= 0) {
        const struct oplog_row *row = &d->row.row;
        const struct hostmeta_target target = {.fd = dir->fd, .path = dir->path, .uid = dir->uid, .gid = dir->gid};
        if (hostmeta_parse(&x->dir_meta, row->attributes, &err) < 0)
            tell_problem(x, dir->path, &err);
        hostmeta_apply(&target, &x->dir_meta, row->mode, row->mtime_us, row->mtime_nanos, dir_problem, x);
    }
    index_row_release(&d->row);
    pond_free(d);
}

/* Makes or finds the directory; takes row over. NULL in *out: it failed, and was told. */
static int make_dir(struct export *x, struct hostdir *parent, struct index_row *row, struct hostdir **out,
                    struct pond_error *err)
{
    struct pond_error why = {0};
    struct export_dir *d = pond_calloc(1, sizeof *d);
    const char *name = row->row.name;
    const char *path = hostdir_join(&x->path, parent->path, name);
    *out = NULL;
    int r = d != NULL && path != NULL ? 0 : pond_fail_nomem(&why);
    if (r == 0)
        r = os_at_mkdir(parent->fd, name, path, DIR_MODE_WHILE_FILLED, &why);
    bool made = r == 0;
    if (r == 0 || r == POND_EEXISTS) {
        r = hostdir_open(out, parent, name, &why);
        if (r == POND_EIO && !made)
            (void)pond_fail_path(&why, POND_EEXISTS, path,
                                 "%s: is there and no directory: nothing is written through it", path);
    }
    if (*out == NULL) {
        r = name_failed(x, parent, name, &why, err);
        index_row_release(row);
        pond_free(d);
        return r;
    }
    memcpy((*out)->node_id, row->row.node_id, sizeof row->row.node_id);
    x->result.directories += made;
    d->x = x;
    d->row = *row;
    *row = (struct index_row){0};
    if (!made && x->options->overwrite == POND_OVERWRITE_NEVER) {
        index_row_release(&d->row);
        pond_free(d);
        return 0;
    }
    (*out)->on_close = finish_dir;
    (*out)->context = d;
    return 0;
}

/* ---- the walk ---- */

struct level {
    struct level *up;
    struct hostdir *dir;       /* held */
    struct pond_buf subdirs;   /* names, each with its NUL */
    size_t next;
};

struct listing {
    struct export *x;
    struct level *level;
};

static int list_child(void *context, const struct index_row *row, struct pond_error *err)
{
    struct listing *l = context;
    struct pond_error why = {0};
    const char *name = row->row.name;
    if (l->x->options->control.cancel != NULL && *l->x->options->control.cancel != 0)
        return pond_fail(err, POND_EINTERRUPTED, "interrupted");
    if (strlen(name) != row->row.name_size || strchr(name, '/') != NULL ||
        !pond_path_is_safe(name, row->row.name_size)) {
        (void)pond_fail(&why, POND_ECORRUPT, "%s: a name in the log that no entry can have", name);
        return name_failed(l->x, l->level->dir, "?", &why, err);
    }
    if (row->row.type != POND_DIRECTORY)
        return export_entry(l->x, l->level->dir, row, err);
    (void)pond_buf_append(&l->level->subdirs, name, row->row.name_size + 1);
    return pond_buf_error(&l->level->subdirs, err);
}

/* Files of a directory come first, then its directories, so that only their names are held. Takes dir over. */
static int push_level(struct export *x, struct level **top, struct hostdir *dir, struct pond_error *err)
{
    struct level *level = pond_calloc(1, sizeof *level);
    if (level == NULL) {
        hostdir_drop(dir);
        return pond_fail_nomem(err);
    }
    level->dir = dir;
    level->up = *top;
    *top = level;
    struct listing l = {.x = x, .level = level};
    return index_children(x->pond->index, dir->node_id, x->at, list_child, &l, err);
}

static int pop_level(struct level **top, struct pond_error *err)
{
    struct level *level = *top;
    int r = level->up != NULL ? hostdir_return(level->dir, err) : 0;
    *top = level->up;
    hostdir_drop(level->dir);
    pond_buf_release(&level->subdirs);
    pond_free(level);
    return r;
}

static int enter(struct export *x, struct level **top, struct hostdir *parent, const char *name, struct pond_error *err)
{
    struct index_row row = {0};
    struct hostdir *dir;
    POND_TRY(index_child(x->pond->index, parent->node_id, name, strlen(name), x->at, &row, err));
    POND_TRY(make_dir(x, parent, &row, &dir, err));
    return dir != NULL ? push_level(x, top, dir, err) : 0;
}

static int walk(struct export *x, struct level **top, struct pond_error *err)
{
    while (*top != NULL) {
        struct level *level = *top;
        if (level->next == level->subdirs.size) {
            POND_TRY(pop_level(top, err));
            continue;
        }
        const char *name = (const char *)level->subdirs.data + level->next;
        level->next += strlen(name) + 1;
        POND_TRY(enter(x, top, level->dir, name, err));
    }
    return 0;
}

static int export_path(struct export *x, const char *path, struct pond_error *err)
{
    struct index_row row = {0};
    struct level *top = NULL;
    struct hostdir *dir = NULL;
    POND_TRY(pond_resolve(x->pond, path, x->options->at, &row, err));
    int r = 0;
    if (row.row.type != POND_DIRECTORY) {
        r = export_entry(x, x->root, &row, err);
    } else if (!row.row.has_part) { /* "/" has no name: its entries arrive in DIR itself */
        dir = x->root;
        memcpy(dir->node_id, row.row.node_id, sizeof dir->node_id);
        hostdir_hold(dir);
    } else {
        r = make_dir(x, x->root, &row, &dir, err);
    }
    index_row_release(&row);
    if (r == 0 && dir != NULL)
        r = push_level(x, &top, dir, err);
    if (r == 0)
        r = walk(x, &top, err);
    if (r == 0)
        r = finish_all(x, err);
    x->aborted = r < 0;
    if (r < 0)
        discard_all(x);
    while (top != NULL)
        (void)pop_level(&top, NULL);
    return r;
}

/* ---- set-up ---- */

static int export_init(struct export *x, const char *dir, struct pond_error *err)
{
    const struct pond_control *control = &x->options->control;
    unsigned threads = control->threads != 0 ? control->threads : pond_cpu_count();
    unsigned workers = threads <= 1 ? 0 : threads < EXPORT_WORKERS_MAX ? threads : EXPORT_WORKERS_MAX;
    POND_TRY(pond_at(x->pond, x->options->at, &x->at, err));
    POND_TRY(os_mkdirs(dir, 0777, err));
    int fd = os_open(dir, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0)
        return fd;
    POND_TRY(hostdir_new(&x->root, NULL, fd, dir, "/", err));
    x->own = pond_calloc(1, sizeof *x->own);
    if (x->own == NULL)
        return pond_fail_nomem(err);
    return pond_pipeline_new(&x->pipeline, workers, workers * SLOTS_PER_WORKER + 2, sizeof(struct export_batch),
                             run_batch, x, err);
}

static void release_slot(void *slot)
{
    struct export_batch *b = slot;
    pond_buf_release(&b->bytes);
    pond_buf_release(&b->path);
    hostmeta_parsed_release(&b->meta);
}

static void export_release(struct export *x)
{
    if (x->pipeline != NULL)
        pond_pipeline_each(x->pipeline, release_slot);
    pond_pipeline_free(x->pipeline);
    if (x->own != NULL)
        release_slot(x->own);
    pond_free(x->own);
    hostdir_drop(x->root);
    hostmeta_parsed_release(&x->dir_meta);
    export_links_free(x->links);
    pond_buf_release(&x->path);
}

int pond_export(struct pond *p, const char *const *paths, size_t path_count, const char *dir,
                const struct pond_export_options *options, struct pond_export_result *out, struct pond_error *err)
{
    static const struct pond_export_options defaults = {.at = POND_AT_TIP};
    struct export x = {.pond = p, .options = options != NULL ? options : &defaults, .uid = geteuid(), .gid = getegid()};
    if (path_count == 0)
        return pond_fail(err, POND_EUSAGE, "nothing to export: no path is given");
    int r = export_init(&x, dir, err);
    for (size_t i = 0; r == 0 && i < path_count; i++)
        r = export_path(&x, paths[i], err);
    if (r == 0 && x.failures > 0)
        r = pond_fail_path(err, x.failure.code, x.failure.path, "%llu of the entries could not be exported; %s: %s",
                           (unsigned long long)x.failures,
                           x.failures == 1 ? "that was" : "the first", x.failure.message);
    export_release(&x);
    if (r == 0 && out != NULL)
        *out = x.result;
    return r;
}
