/* From what was read to rows. Owner's thread. */
#include "tlogfs/copy.h"

#include <string.h>

#include "base/os_at.h"
#include "base/text.h"

/* A file changed within the clock's tick in which it was read can change again without looking different: such a one is
 * not remembered. Kernels tick every 1 to 10 ms; a file system whose times have no fraction, every 1 or 2 s. */
#define TICK_US 50000
#define COARSE_TICK_US 2100000
#define WRITEBACK_STEP ((uint64_t)32 << 20)

static void progress(const struct copy *c, uint64_t bytes)
{
    const struct pond_control *control = &c->options->control;
    if (control->progress != NULL && bytes > 0)
        control->progress(control->context, bytes);
}

void copy_skip(struct copy *c, const char *host_path, const struct pond_error *why)
{
    c->result.skipped++;
    if (c->options->on_skip != NULL)
        c->options->on_skip(c->options->context, host_path, why);
}

static int tell_stored(struct copy *c, const struct hostdir *dir, const char *name, const char *target, bool changed,
                       struct pond_error *err)
{
    if (c->options->on_entry == NULL)
        return 0;
    const char *path = hostdir_join(&c->path, dir->path, name);
    const char *pond_path = hostdir_join(&c->pond_path, dir->pond_path, target);
    if (path == NULL || pond_path == NULL)
        return pond_fail_nomem(err);
    c->options->on_entry(c->options->context, path, pond_path, changed);
    return 0;
}

/* ---- remembering ---- */

static bool is_settled(const struct copy_entry *e)
{
    int64_t ctime_us = (int64_t)e->st.st_ctim.tv_sec * 1000000 + e->st.st_ctim.tv_nsec / 1000;
    return ctime_us < e->stat_time_us - (e->st.st_ctim.tv_nsec == 0 ? COARSE_TICK_US : TICK_US);
}

/* The directory's canonical path is asked of the kernel, so that every way to it leads to the same memory. */
static void remember(struct copy *c, const struct copy_entry *e, const char *attributes)
{
    if (c->seen == NULL || e->is_symlink || !e->has_hash || e->dir->seen_dir == 0 || !is_settled(e))
        return;
    struct seen_value value;
    seen_stat_hash(e->name, &e->st, value.stat_hash);
    memcpy(value.blake3, e->blake3, sizeof value.blake3);
    seen_attributes_hash(attributes, value.attributes_hash);
    seen_put(c->seen, e->dir->seen_dir, e->name, &value);
}

/* ---- rows ---- */

static bool same_metadata(const struct oplog_row *old, const struct oplog_row *row)
{
    if (old->type != row->type || old->mtime_us != row->mtime_us || old->mtime_nanos != row->mtime_nanos ||
        old->mode != row->mode)
        return false;
    if (old->attributes == NULL || row->attributes == NULL)
        return old->attributes == row->attributes;
    return strcmp(old->attributes, row->attributes) == 0;
}

static bool same_content(const struct oplog_row *old, const struct oplog_row *row)
{
    if (row->type == POND_SYMLINK)
        return old->content_size == row->content_size &&
               (row->content_size == 0 || memcmp(old->content, row->content, row->content_size) == 0);
    return row->has_blake3 && old->has_blake3 && memcmp(old->blake3, row->blake3, sizeof row->blake3) == 0;
}

/* new_id: of an entry that is new. */
static void identify(struct oplog_row *row, const struct index_row *old, const uint8_t new_id[16],
                     const uint8_t part_id[16], const char *name)
{
    memcpy(row->node_id, old != NULL ? old->row.node_id : new_id, sizeof row->node_id);
    row->version = old != NULL ? old->row.version + 1 : 1;
    row->has_part = true;
    memcpy(row->part_id, part_id, sizeof row->part_id);
    row->name = name;
    row->name_size = strlen(name);
}

static void describe(const struct copy_batch *b, const struct copy_entry *e, const char *attributes,
                     struct oplog_row *row)
{
    hostmeta_stat_to_row(&e->st, row);
    row->attributes = attributes;
    row->size = (uint64_t)e->st.st_size;
    row->type = e->is_symlink ? POND_SYMLINK : POND_FILE;
    if (e->is_symlink)
        row->size = e->content_size;
    else
        row->storage = row->size <= POND_INLINE_MAX ? POND_STORAGE_INLINE : POND_STORAGE_CHUNKED;
    if (row->storage != POND_STORAGE_CHUNKED) {
        row->content = b->bytes.data != NULL ? b->bytes.data + e->content_at : (const uint8_t *)"";
        row->content_size = e->content_size;
    }
    row->has_blake3 = e->has_hash;
    memcpy(row->blake3, e->blake3, sizeof row->blake3);
}

/* The commit waits for the whole part to be on the disk: most of it should be there by then. */
static void keep_disk_busy(struct copy *c, uint64_t more)
{
    c->unwritten += more;
    if (c->unwritten < WRITEBACK_STEP)
        return;
    c->unwritten = 0;
    os_fd_start_writeback(c->txn->part_fd);
}

static int put(struct copy *c, struct copy_entry *e, struct oplog_row *row, struct pond_error *err)
{
    uint64_t stored = row->content_size;
    if (e->bundle_fd >= 0) {
        int fd = e->bundle_fd;
        stored = e->bundle.file_size;
        e->bundle_fd = -1; /* taken over, in failure too */
        POND_TRY(pond_txn_add_bundle(c->txn, fd, e->bundle_tmp, &e->bundle, err));
    }
    identify(row, e->has_old ? &e->old : NULL, e->node_id, e->dir->node_id, e->target);
    POND_TRY(pond_txn_put(c->txn, row, err));
    keep_disk_busy(c, row->content_size);
    struct pond_txn_result *total = &c->txn->result;
    if (e->has_old)
        total->files_changed++;
    else
        total->files_added++;
    total->bytes += row->size;
    c->result.bytes_stored += stored;
    return 0;
}

static int store_entry(struct copy *c, const struct copy_batch *b, struct copy_entry *e, struct pond_error *err)
{
    struct oplog_row row = {0};
    const char *xattrs = b->bytes.data != NULL ? (const char *)b->bytes.data + e->xattrs_at : "";
    POND_TRY(hostmeta_attributes(c->owners, &e->st, e->link_id, xattrs, e->xattrs_size, &c->attributes, err));
    describe(b, e, (const char *)c->attributes.data, &row);
    progress(c, e->bundle_fd >= 0 && row.size > COPY_BY_WORKER_MAX ? 0 : row.size); /* the writer told those */
    if (e->has_old && same_metadata(&e->old.row, &row) && same_content(&e->old.row, &row)) {
        c->result.unchanged++;
        remember(c, e, row.attributes);
        return 0;
    }
    if (!c->options->dry_run)
        POND_TRY(put(c, e, &row, err));
    remember(c, e, row.attributes);
    c->result.files++;
    c->result.bytes += row.size;
    return tell_stored(c, e->dir, e->name, e->target, e->has_old, err);
}

static int store_or_skip(struct copy *c, struct copy_batch *b, struct copy_entry *e, struct pond_error *err)
{
    if (e->outcome == COPY_LATER)
        copy_read_large(c, b, e);
    switch (e->outcome) {
    case COPY_READ:
        return store_entry(c, b, e, err);
    case COPY_LOOKS_SAME:
        c->result.unchanged++;
        progress(c, (uint64_t)e->st.st_size);
        return 0;
    case COPY_SKIPPED: {
        const char *path = hostdir_join(&c->path, e->dir->path, e->name);
        copy_skip(c, path != NULL ? path : e->name, &e->err);
        return 0;
    }
    default:
        if (err != NULL)
            *err = e->err;
        return e->err.code;
    }
}

int copy_store_batch(struct copy *c, struct copy_batch *b, struct pond_error *err)
{
    int r = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (r == 0)
            r = store_or_skip(c, b, &b->entries[i], err);
        copy_entry_release(&b->entries[i]);
    }
    b->count = 0;
    pond_buf_clear(&b->bytes);
    return r;
}

int copy_store_directory(struct copy *c, const struct hostdir *parent, const char *target,
                         const struct index_row *old, const struct stat *st, const struct pond_buf *xattrs,
                         uint8_t node_id[16], struct pond_error *err)
{
    struct oplog_row row = {.type = POND_DIRECTORY};
    POND_TRY(hostmeta_attributes(c->owners, st, "", (const char *)xattrs->data, xattrs->size, &c->attributes, err));
    hostmeta_stat_to_row(st, &row);
    row.attributes = (const char *)c->attributes.data;
    pond_uuid7(node_id);
    identify(&row, old, node_id, parent->node_id, target);
    memcpy(node_id, row.node_id, sizeof row.node_id);
    if (old != NULL && same_metadata(&old->row, &row))
        return 0;
    if (!c->options->dry_run)
        POND_TRY(pond_txn_put(c->txn, &row, err));
    c->result.directories++;
    return 0;
}
