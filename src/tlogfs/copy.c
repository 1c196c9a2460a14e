/* tlogfs/copy.c - pond_txn_copy: sources, the destination, set-up. */
#include "tlogfs/copy.h"

#include <fcntl.h>
#include <string.h>

#include "base/os_at.h"
#include "base/text.h"

#define SLOTS_PER_WORKER 2u

/* Where a source comes from and what it is called. */
struct source {
    char *parent;        /* an existing directory: what the shell's path resolves to */
    const char *name;    /* in it */
    char *target;        /* in the pond when it goes into a directory; NULL: it has no name of its own (".", "/") */
};

static void source_release(struct source *s)
{
    pond_free(s->parent);
    pond_free(s->target);
}

static bool has_own_name(const char *name)
{
    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* "a/b" is b in a; "a/b/" is "." in a/b (a symlink b is followed, as everywhere) and still called b; "." is itself. */
static int source_split(const char *text, struct source *out, struct pond_error *err)
{
    size_t size = strlen(text);
    if (size == 0)
        return pond_fail(err, POND_EUSAGE, "a source's path is empty");
    size_t end = size;
    while (end > 0 && text[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && text[start - 1] != '/')
        start--;
    char *last = pond_memdup(text + start, end - start);
    bool named = last != NULL && has_own_name(last);
    bool whole = !named || end < size; /* the directory itself is opened, by all of the text */
    *out = (struct source){
        .parent = whole ? pond_strdup(text) : start > 0 ? pond_memdup(text, start) : pond_strdup("."),
        .name = whole ? "." : text + start,
        .target = last,
    };
    if (out->parent == NULL || last == NULL) {
        source_release(out);
        return pond_fail_nomem(err);
    }
    if (!named) {
        pond_free(last);
        out->target = NULL;
    }
    return 0;
}

/* ---- the destination ---- */

struct destination {
    struct pond_buf path;    /* normalised */
    bool into;               /* sources go into it, under their own names */
    uint8_t node_id[16];     /* of the directory they go into: path, or its parent */
    bool fresh;              /* that does not exist yet (a dry run) */
    char *parent;            /* not into: path's parent and */
    const char *name;        /* last name */
};

static void destination_release(struct destination *d)
{
    pond_buf_release(&d->path);
    pond_free(d->parent);
}

/* The node of a directory at path: 1, 0 nothing there, POND_EEXISTS something else. */
static int directory_at(struct copy *c, const char *path, uint8_t node_id[16], struct pond_error *err)
{
    struct index_row row = {0};
    int r = pond_resolve(c->txn->pond, path, POND_AT_TIP, &row, err);
    if (r == POND_ENOTFOUND)
        return 0;
    if (r < 0)
        return r;
    r = 1;
    if (row.row.type == POND_DIRECTORY)
        memcpy(node_id, row.row.node_id, 16);
    else
        r = pond_fail_path(err, POND_EEXISTS, path, "%s: is no directory in the pond", path);
    index_row_release(&row);
    return r;
}

static int into_directory(struct copy *c, struct destination *d, struct pond_error *err)
{
    const char *path = (const char *)d->path.data;
    d->into = true;
    int r = directory_at(c, path, d->node_id, err);
    if (r != 0)
        return r < 0 ? r : 0;
    d->fresh = c->options->dry_run;
    if (d->fresh)
        return 0;
    POND_TRY(pond_txn_mkdir(c->txn, path, true, err));
    r = directory_at(c, path, d->node_id, err);
    return r == 0 ? POND_ENOTFOUND : r < 0 ? r : 0;
}

static int under_name(struct copy *c, struct destination *d, struct pond_error *err)
{
    const char *path = (const char *)d->path.data;
    const char *slash = strrchr(path, '/');
    d->name = slash + 1;
    d->parent = slash == path ? pond_strdup("/") : pond_memdup(path, (size_t)(slash - path));
    if (d->parent == NULL)
        return pond_fail_nomem(err);
    int r = directory_at(c, d->parent, d->node_id, err);
    if (r == 0)
        return pond_fail_path(err, POND_ENOTFOUND, d->parent,
                              "%s: there is no such directory in the pond: make it, or end the destination in '/'",
                              d->parent);
    return r < 0 ? r : 0;
}

static int destination_open(struct copy *c, const char *dest, size_t src_count, struct destination *d,
                            struct pond_error *err)
{
    uint8_t node_id[16];
    POND_TRY(pond_normalize(dest, &d->path, err));
    const char *path = pond_buf_cstr(&d->path);
    if (path == NULL)
        return pond_fail_nomem(err);
    size_t size = strlen(dest);
    if (src_count > 1 || dest[size - 1] == '/')
        return into_directory(c, d, err);
    int r = directory_at(c, path, node_id, err);
    if (r == 1)
        return into_directory(c, d, err);
    return r < 0 && r != POND_EEXISTS ? r : under_name(c, d, err);
}

/* ---- sources ---- */

static bool is_inside_pond(const struct copy *c, const char *real)
{
    size_t size = c->pond_real != NULL ? strlen(c->pond_real) : 0;
    return size > 1 && strncmp(real, c->pond_real, size) == 0 && (real[size] == '/' || real[size] == '\0');
}

/* The canonical path of an open directory, from the kernel. */
static char *real_path(int fd)
{
    struct pond_buf proc = {0};
    struct pond_buf real = {0};
    char *out = NULL;
    (void)pond_buf_printf(&proc, "/proc/self/fd/%d", fd);
    if (pond_buf_cstr(&proc) != NULL && os_readlink((const char *)proc.data, &real, NULL) == 0)
        out = pond_memdup(real.data, real.size);
    pond_buf_release(&proc);
    pond_buf_release(&real);
    return out;
}

static int open_parent(struct copy *c, const char *text, const struct source *s, const struct destination *d,
                       struct hostdir **out, struct pond_error *err)
{
    struct pond_error why = {0};
    const char *pond_path = d->into ? (const char *)d->path.data : d->parent;
    *out = NULL;
    int fd = os_open(s->parent, O_PATH | O_DIRECTORY, 0, &why); /* to search it is enough */
    if (fd < 0) {
        if (why.code == POND_ENOTFOUND)
            (void)pond_fail_path(&why, POND_ENOTFOUND, text, "%s: there is no such file or directory", text);
        copy_skip(c, text, &why);
        return 0;
    }
    char *real = real_path(fd);
    bool inside = real != NULL && is_inside_pond(c, real);
    pond_free(real);
    if (inside) {
        os_close(fd);
        (void)pond_fail_path(&why, POND_EUSAGE, text, "%s: is in the pond itself, which does not go into itself", text);
        copy_skip(c, text, &why);
        return 0;
    }
    const char *shown = strcmp(s->name, ".") != 0 && strcmp(s->parent, ".") == 0 ? "" : s->parent;
    POND_TRY(hostdir_new(out, NULL, fd, shown, pond_path, err));
    memcpy((*out)->node_id, d->node_id, sizeof d->node_id);
    (*out)->fresh = d->fresh;
    return 0;
}

static int copy_source(struct copy *c, const char *text, const struct destination *d, struct pond_error *err)
{
    struct source s;
    struct hostdir *parent;
    POND_TRY(source_split(text, &s, err));
    int r = open_parent(c, text, &s, d, &parent, err);
    if (r == 0 && parent != NULL) {
        r = copy_walk(c, parent, s.name, d->into ? s.target : d->name, err);
        hostdir_drop(parent);
    }
    source_release(&s);
    return r;
}

/* ---- set-up ---- */

static unsigned worker_count(const struct pond_control *control)
{
    unsigned threads = control->threads != 0 ? control->threads : pond_cpu_count();
    if (threads <= 1)
        return 0;
    return threads < COPY_WORKERS_MAX ? threads : COPY_WORKERS_MAX;
}

static int copy_init(struct copy *c, struct pond_error *err)
{
    const struct pond *p = c->txn->pond;
    unsigned workers = worker_count(&c->options->control);
    POND_TRY(os_stat(p->dir, &c->pond_stat, err));
    int fd = os_open(p->dir, O_PATH | O_DIRECTORY, 0, err);
    if (fd < 0)
        return fd;
    c->pond_real = real_path(fd);
    os_close(fd);
    c->owners = hostmeta_owners_new();
    if (c->owners == NULL)
        return pond_fail_nomem(err);
    struct pond_control one = {.threads = 1, .cancel = c->options->control.cancel};
    c->worker_options = pond_txn_chunked_options(c->txn, &one);
    char *seen = os_path_join(p->state_dir, "seen.sqlite");
    if (seen == NULL)
        return pond_fail_nomem(err);
    c->seen = seen_open(seen);
    pond_free(seen);
    return pond_pipeline_new(&c->pipeline, workers, workers * SLOTS_PER_WORKER + 2, sizeof(struct copy_batch),
                             copy_read_job, c, err);
}

static void release_slot(void *slot)
{
    struct copy_batch *b = slot;
    pond_buf_release(&b->bytes);
    pond_buf_release(&b->path);
}

static void copy_release(struct copy *c)
{
    if (c->pipeline != NULL)
        pond_pipeline_each(c->pipeline, release_slot);
    pond_pipeline_free(c->pipeline);
    seen_close(c->seen);
    hostmeta_owners_free(c->owners);
    pond_free(c->pond_real);
    pond_buf_release(&c->path);
    pond_buf_release(&c->pond_path);
    pond_buf_release(&c->attributes);
    pond_buf_release(&c->scratch);
}

int pond_txn_copy(struct pond_txn *t, const char *const *src, size_t src_count, const char *dest,
                  const struct pond_copy_options *options, struct pond_copy_result *out, struct pond_error *err)
{
    static const struct pond_copy_options defaults;
    struct copy c = {.txn = t, .options = options != NULL ? options : &defaults};
    struct destination d = {0};
    if (src_count == 0)
        return pond_fail(err, POND_EUSAGE, "nothing to copy: no source is given");
    int r = copy_init(&c, err);
    if (r == 0)
        r = destination_open(&c, dest, src_count, &d, err);
    for (size_t i = 0; r == 0 && i < src_count; i++)
        r = copy_source(&c, src[i], &d, err);
    destination_release(&d);
    copy_release(&c);
    if (r == 0 && out != NULL)
        *out = c.result;
    return r;
}
