/* Reading one source entry. All but copy_read_large runs on any thread. */
#include "tlogfs/copy.h"

#include <fcntl.h>
#include <string.h>

#include "bao/tree.h"
#include "base/os_at.h"
#include "base/text.h"

#define XATTRS_MAX ((size_t)4 << 20) /* of one entry, as JSON */
#define HASH_STEP ((size_t)256 << 10)
#define DROP_FROM ((uint64_t)1 << 20) /* larger files that were not cached before are not left in the cache */

static const char *source_path(struct copy_batch *b, const struct copy_entry *e)
{
    const char *path = hostdir_join(&b->path, e->dir->path, e->name);
    return path != NULL ? path : e->name;
}

/* A failure of the source concerns this entry alone; out of memory or cancelled, the copy cannot go on. */
static enum copy_outcome source_failed(const struct copy_entry *e)
{
    return e->err.code == POND_ENOMEM || e->err.code == POND_EINTERRUPTED ? COPY_FATAL : COPY_SKIPPED;
}

static bool same_stat(const struct index_row *old, const struct stat *st)
{
    struct oplog_row now;
    hostmeta_stat_to_row(st, &now);
    return now.mode == old->row.mode && now.mtime_us == old->row.mtime_us && now.mtime_nanos == old->row.mtime_nanos;
}

static bool looks_same(struct copy_entry *e, const char *path)
{
    uint8_t hash[16];
    if (!e->may_look_same || os_lstatat(e->dir->fd, e->name, path, &e->st, NULL) < 0)
        return false;
    seen_stat_hash(e->name, &e->st, hash);
    return memcmp(hash, e->seen.stat_hash, sizeof hash) == 0 && same_stat(&e->old, &e->st);
}

/* Extended attributes behind what the batch holds. name NULL: of fd. */
static int take_xattrs(struct copy_batch *b, struct copy_entry *e, int fd, const char *name, const char *path)
{
    e->xattrs_at = b->bytes.size;
    POND_TRY(hostmeta_xattrs(fd, name, path, &b->bytes, &e->err));
    e->xattrs_size = b->bytes.size - e->xattrs_at;
    if (e->xattrs_size <= XATTRS_MAX)
        return 0;
    return pond_fail_path(&e->err, POND_ELIMIT, path, "%s: has %zu bytes of extended attributes: %zu at most are "
                          "stored", path, e->xattrs_size, XATTRS_MAX);
}

static enum copy_outcome read_symlink(struct copy_batch *b, struct copy_entry *e, const char *path)
{
    if (os_lstatat(e->dir->fd, e->name, path, &e->st, &e->err) < 0)
        return source_failed(e);
    hostmeta_link_id(-1, &e->st, e->link_id);
    e->content_at = b->bytes.size;
    if (os_at_readlink(e->dir->fd, e->name, path, &b->bytes, &e->err) < 0)
        return source_failed(e);
    e->content_size = b->bytes.size - e->content_at;
    return take_xattrs(b, e, e->dir->fd, e->name, path) < 0 ? source_failed(e) : COPY_READ;
}

/* Opens the source and takes its metadata. The fd, or negative: e->err is set. */
static int open_source(struct copy_batch *b, struct copy_entry *e, const char *path)
{
    int fd = os_at_open_read(e->dir->fd, e->name, path, 0, &e->err);
    if (fd < 0)
        return fd;
    e->stat_time_us = pond_now_us();
    int r = os_fstat(fd, path, &e->st, &e->err);
    if (r == 0 && !S_ISREG(e->st.st_mode))
        r = pond_fail_path(&e->err, POND_EUNSUPPORTED, path, "%s: is no regular file any more", path);
    if (r == 0) {
        hostmeta_link_id(fd, &e->st, e->link_id);
        r = take_xattrs(b, e, fd, NULL, path);
    }
    if (r == 0)
        return fd;
    os_close(fd);
    return r;
}

/* The whole content behind what the batch holds, and its hash. A file that grows is taken at its size at open. */
static int read_content(struct copy_batch *b, struct copy_entry *e, int fd, const char *path)
{
    size_t size = (size_t)e->st.st_size;
    if (pond_buf_reserve(&b->bytes, size) < 0)
        return pond_buf_error(&b->bytes, &e->err);
    uint8_t *content = b->bytes.data + b->bytes.size;
    ssize_t n = os_read(fd, path, content, size, &e->err);
    if (n < 0)
        return (int)n;
    if ((size_t)n < size)
        return pond_fail_path(&e->err, POND_EFAILED, path, "%s: shrank from %zu to %zd bytes while it was read", path,
                              size, n);
    pond_blake3(content, size, e->blake3);
    e->has_hash = true;
    e->content_at = b->bytes.size;
    e->content_size = size;
    return 0;
}

/* True when a bundle of that content is in place. (One that is still in the transaction's batch is written twice and
 * dropped at the flush: the worker must not ask the transaction.) */
static bool bundle_is_there(const struct copy *c, const struct copy_entry *e)
{
    char *path = pond_bundle_path(c->txn->pond, e->blake3);
    bool there = path != NULL && os_exists(path, NULL) == 1;
    pond_free(path);
    return there;
}

static bool is_old_content(const struct copy_entry *e)
{
    return e->has_old && e->has_hash && e->old.row.has_blake3 &&
           memcmp(e->old.row.blake3, e->blake3, sizeof e->blake3) == 0;
}

/* A bundle of `content` (or, when that is NULL, of src_fd) in a temporary. */
static int encode(const struct copy *c, struct copy_entry *e, const uint8_t *content, int src_fd, const char *path,
                  const struct pond_chunked_options *options)
{
    struct pond_chunked_writer *w = NULL;
    e->bundle_tmp = pond_tmp_path(c->txn->pond);
    if (e->bundle_tmp == NULL)
        return pond_fail_nomem(&e->err);
    int r = os_open(e->bundle_tmp, O_RDWR | O_CREAT | O_EXCL, 0666, &e->err);
    if (r < 0)
        return r;
    e->bundle_fd = r;
    uint64_t size = (uint64_t)e->st.st_size;
    r = pond_chunked_writer_new(&w, e->bundle_fd, e->bundle_tmp, size, options, &e->err);
    if (r == 0)
        r = content != NULL ? pond_chunked_write(w, content, size, &e->err)
                            : pond_chunked_write_fd(w, src_fd, path, &e->err);
    if (r == 0)
        r = pond_chunked_writer_finish(w, &e->bundle, &e->err);
    pond_chunked_writer_free(w);
    if (r == 0) {
        memcpy(e->blake3, e->bundle.root_hash, sizeof e->blake3);
        e->has_hash = true;
    }
    return r;
}

static void drop_bundle(struct copy_entry *e)
{
    if (e->bundle_fd >= 0 && os_unlink(e->bundle_tmp, NULL) < 0) {
        /* gc finds it */
    }
    os_close(e->bundle_fd);
    pond_free(e->bundle_tmp);
    e->bundle_fd = -1;
    e->bundle_tmp = NULL;
}

void copy_entry_release(struct copy_entry *e)
{
    drop_bundle(e);
    index_row_release(&e->old);
    e->dir->jobs--;
    hostdir_drop(e->dir);
    e->dir = NULL;
}

/* Hashing first costs a second read when the content turns out to be new: only where it may well not be. */
static bool may_be_known(const struct copy_entry *e)
{
    return e->link_id[0] != '\0' || (e->has_old && e->old.row.size == (uint64_t)e->st.st_size);
}

/* Whose failure was it? The writer names the file concerned; the temporary is ours. */
static enum copy_outcome encode_failed(const struct copy_entry *e)
{
    enum copy_outcome outcome = source_failed(e);
    return outcome == COPY_SKIPPED && strncmp(e->err.path, e->bundle_tmp != NULL ? e->bundle_tmp : "",
                                              POND_ERROR_PATH_SIZE - 1) == 0 ? COPY_FATAL : outcome;
}

/* What was encoded is kept unless it is in place already; the disk is to work while the next ones are encoded. */
static enum copy_outcome keep_bundle(const struct copy *c, struct copy_entry *e)
{
    if (bundle_is_there(c, e))
        drop_bundle(e);
    else
        os_fd_start_writeback(e->bundle_fd);
    return COPY_READ;
}

static enum copy_outcome encode_source(const struct copy *c, struct copy_entry *e, int fd, const char *path,
                                       const struct pond_chunked_options *options)
{
    if (encode(c, e, NULL, fd, path, options) == 0)
        return keep_bundle(c, e);
    enum copy_outcome outcome = encode_failed(e);
    drop_bundle(e);
    return outcome;
}

/* Up to COPY_BY_WORKER_MAX: read at once, hashed, and only encoded when nobody has it; or straight encoded. */
static enum copy_outcome read_small(const struct copy *c, struct copy_batch *b, struct copy_entry *e, int fd,
                                    const char *path)
{
    if (c->options->dry_run && !e->has_old)
        return COPY_READ;
    if (!c->options->dry_run && (uint64_t)e->st.st_size > POND_INLINE_MAX && !may_be_known(e))
        return encode_source(c, e, fd, path, &c->worker_options);
    if (read_content(b, e, fd, path) < 0)
        return source_failed(e);
    if (e->content_size <= POND_INLINE_MAX) {
        b->bytes.size += e->content_size;
        return COPY_READ;
    }
    /* The bytes stay behind the buffer's end: the next entry may have the room. */
    if (c->options->dry_run || is_old_content(e) || bundle_is_there(c, e))
        return COPY_READ;
    if (encode(c, e, b->bytes.data + e->content_at, -1, path, &c->worker_options) < 0)
        return COPY_FATAL;
    return keep_bundle(c, e);
}

static void read_entry(const struct copy *c, struct copy_batch *b, struct copy_entry *e)
{
    const char *path = source_path(b, e);
    if (!e->has_old)
        pond_uuid7(e->node_id); /* asks the kernel for randomness, so not on the owner's time */
    if (copy_cancelled(c)) {
        (void)pond_fail(&e->err, POND_EINTERRUPTED, "interrupted");
        e->outcome = COPY_FATAL;
    } else if (e->is_symlink) {
        e->outcome = read_symlink(b, e, path);
    } else if (looks_same(e, path)) {
        e->outcome = COPY_LOOKS_SAME;
    } else {
        int fd = open_source(b, e, path);
        if (fd < 0)
            e->outcome = source_failed(e);
        else if ((uint64_t)e->st.st_size > COPY_BY_WORKER_MAX)
            e->outcome = COPY_LATER;
        else
            e->outcome = read_small(c, b, e, fd, path);
        os_close(fd);
    }
}

void copy_read_job(void *context, void *slot)
{
    struct copy_batch *b = slot;
    for (size_t i = 0; i < b->count; i++)
        read_entry(context, b, &b->entries[i]);
}

/* ---- large files, on the owner's thread ---- */

static int hash_source(const struct copy *c, struct copy_entry *e, int fd, const char *path)
{
    struct bao_hasher *hasher = pond_alloc(1, sizeof *hasher);
    uint8_t *buffer = pond_alloc(HASH_STEP, 1);
    uint64_t size = (uint64_t)e->st.st_size;
    bool uncached = size > DROP_FROM && os_cached_256th(fd, size) == 0;
    int r = hasher != NULL && buffer != NULL ? 0 : pond_fail_nomem(&e->err);
    if (r == 0)
        bao_hasher_init(hasher);
    for (uint64_t at = 0; r == 0 && at < size;) {
        size_t step = (size_t)pond_min_u64(HASH_STEP, size - at);
        ssize_t n = copy_cancelled(c) ? pond_fail(&e->err, POND_EINTERRUPTED, "interrupted")
                                      : os_pread(fd, path, buffer, step, at, &e->err);
        if (n >= 0 && (size_t)n < step)
            n = pond_fail_path(&e->err, POND_EFAILED, path, "%s: shrank to %llu bytes while it was read", path,
                               (unsigned long long)at + (unsigned long long)n);
        if (n < 0) {
            r = (int)n;
            break;
        }
        bao_hasher_update(hasher, buffer, step);
        if (uncached)
            os_fadvise_dontneed(fd, at, step);
        at += step;
    }
    if (r == 0) {
        bao_hasher_final(hasher, e->blake3);
        e->has_hash = true;
    }
    pond_free(hasher);
    pond_free(buffer);
    return r;
}

static enum copy_outcome encode_large(struct copy *c, struct copy_entry *e, int fd, const char *path)
{
    if (c->options->dry_run && !e->has_old)
        return COPY_READ;
    if (c->options->dry_run || may_be_known(e)) {
        if (hash_source(c, e, fd, path) < 0)
            return source_failed(e);
        if (c->options->dry_run || is_old_content(e))
            return COPY_READ;
        int known = pond_txn_has_bundle(c->txn, e->blake3, &e->err);
        if (known != 0)
            return known < 0 ? COPY_FATAL : COPY_READ;
    }
    const struct pond_chunked_options options = pond_txn_chunked_options(c->txn, &c->options->control);
    return encode_source(c, e, fd, path, &options);
}

void copy_read_large(struct copy *c, struct copy_batch *b, struct copy_entry *e)
{
    const char *path = source_path(b, e);
    int fd = open_source(b, e, path);
    if (fd < 0)
        e->outcome = source_failed(e);
    else if ((uint64_t)e->st.st_size <= COPY_BY_WORKER_MAX) /* it has become smaller meanwhile */
        e->outcome = read_small(c, b, e, fd, path);
    else
        e->outcome = encode_large(c, e, fd, path);
    os_close(fd);
}
