/* tlogfs/txn_write.c - one file from a descriptor: small content into the row, larger content into a bundle. */
#include <fcntl.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "tlogfs/pond.h"

#define STEP ((size_t)1 << 20)

struct source {
    int fd;
    const char *name;
    const struct pond_control *control;
};

/* The content as the row will name it. */
struct content {
    uint64_t size;
    enum pond_storage storage;
    uint8_t blake3[POND_HASH_SIZE];
    struct pond_buf bytes; /* inline */
};

static int copy_rest(const struct source *src, struct pond_chunked_writer *w, struct pond_error *err)
{
    uint8_t *step = pond_alloc(1, STEP);
    if (step == NULL)
        return pond_fail_nomem(err);
    int r = 0;
    while (r == 0) {
        if (src->control != NULL && src->control->cancel != NULL && *src->control->cancel != 0) {
            r = pond_fail(err, POND_EINTERRUPTED, "interrupted");
            break;
        }
        ssize_t n = os_read(src->fd, src->name, step, STEP, err);
        if (n <= 0) {
            r = (int)n;
            break;
        }
        r = pond_chunked_write(w, step, (size_t)n, err);
    }
    pond_free(step);
    return r;
}

/* head: what was read of src already; size UINT64_MAX: not known, else src is taken from its start. */
static int encode(struct pond_txn *t, const struct source *src, const struct pond_buf *head, uint64_t size, int fd,
                  const char *tmp_path, struct pond_chunked_info *info, struct pond_error *err)
{
    struct pond_chunked_writer *w;
    const struct pond_chunked_options options = pond_txn_chunked_options(t, src->control);
    POND_TRY(pond_chunked_writer_new(&w, fd, tmp_path, size, &options, err));
    int r;
    if (size != UINT64_MAX) {
        r = pond_chunked_write_fd(w, src->fd, src->name, err);
    } else {
        r = pond_chunked_write(w, head->data, head->size, err);
        if (r == 0)
            r = copy_rest(src, w, err);
    }
    if (r == 0)
        r = pond_chunked_writer_finish(w, info, err);
    pond_chunked_writer_free(w);
    return r;
}

static int store_bundle(struct pond_txn *t, const struct source *src, uint64_t size, struct content *out,
                        struct pond_error *err)
{
    struct pond_chunked_info info = {0};
    char *tmp_path = pond_tmp_path(t->pond);
    int fd = tmp_path != NULL ? os_open(tmp_path, O_RDWR | O_CREAT | O_EXCL, 0666, err) : pond_fail_nomem(err);
    int r = fd < 0 ? fd : encode(t, src, &out->bytes, size, fd, tmp_path, &info, err);
    if (r == 0)
        r = pond_txn_has_bundle(t, info.root_hash, err);
    if (r == 0) {
        r = pond_txn_add_bundle(t, fd, tmp_path, &info, err);
    } else if (fd >= 0) { /* failed, or there already */
        os_close(fd);
        pond_discard(tmp_path);
    }
    pond_free(tmp_path);
    if (r < 0)
        return r;
    out->size = info.total_size;
    out->storage = POND_STORAGE_CHUNKED;
    memcpy(out->blake3, info.root_hash, sizeof out->blake3);
    return 0;
}

static int take(struct pond_txn *t, const struct source *src, struct content *out, struct pond_error *err)
{
    struct stat st;
    POND_TRY(os_fstat(src->fd, src->name, &st, err));
    if (S_ISREG(st.st_mode) && st.st_size > (off_t)POND_INLINE_MAX)
        return store_bundle(t, src, (uint64_t)st.st_size, out, err);
    /* A pipe, or a file that may be longer than it says (as those in /proc). */
    POND_TRY(pond_buf_reserve(&out->bytes, POND_INLINE_MAX + 1) < 0 ? pond_fail_nomem(err) : 0);
    ssize_t n = os_read(src->fd, src->name, out->bytes.data, POND_INLINE_MAX + 1, err);
    if (n < 0)
        return (int)n;
    out->bytes.size = (size_t)n;
    if (out->bytes.size > POND_INLINE_MAX)
        return store_bundle(t, src, UINT64_MAX, out, err);
    out->size = out->bytes.size;
    out->storage = POND_STORAGE_INLINE;
    pond_blake3(out->bytes.data, out->bytes.size, out->blake3);
    return 0;
}

static int put_file(struct pond_txn *t, const struct index_row *parent, const char *name,
                    const struct index_row *before, const struct content *content, uint32_t mode,
                    struct pond_error *err)
{
    const bool is_version = before != NULL && before->row.type == POND_FILE;
    struct oplog_row row = {
        .has_part = true,
        .name = name,
        .name_size = strlen(name),
        .type = POND_FILE,
        .version = 1,
        .size = content->size,
        .storage = content->storage,
        .has_blake3 = true,
        .mode = mode,
        .mtime_us = pond_now_us(),
    };
    memcpy(row.part_id, parent->row.node_id, sizeof row.part_id);
    memcpy(row.blake3, content->blake3, sizeof row.blake3);
    if (is_version) {
        /* Not `is_version ? before->row.version + 1 : 1` above: gcc 14.2 makes is_version * before->row.version + 1 of that. */
        row.version = before->row.version + 1;
        memcpy(row.node_id, before->row.node_id, sizeof row.node_id);
    } else {
        pond_uuid7(row.node_id);
    }
    if (content->storage == POND_STORAGE_INLINE) {
        row.content = content->bytes.data;
        row.content_size = content->bytes.size;
    }
    POND_TRY(pond_txn_put(t, &row, err));
    if (is_version)
        t->result.files_changed++;
    else
        t->result.files_added++;
    t->result.bytes += row.size;
    return 0;
}

static bool is_unchanged(const struct index_row *before, const struct content *content, uint32_t mode)
{
    return before->row.type == POND_FILE && before->row.has_blake3 && before->row.mode == mode &&
           memcmp(before->row.blake3, content->blake3, sizeof content->blake3) == 0;
}

static int write_at(struct pond_txn *t, const char *path, const struct index_row *parent, const char *name,
                    const struct source *src, uint32_t mode, struct pond_error *err)
{
    struct index_row before;
    struct content content = {0};
    int r = index_child(t->pond->index, parent->row.node_id, name, strlen(name), POND_AT_TIP, &before, err);
    const bool is_there = r == 0;
    if (r == POND_ENOTFOUND)
        r = 0;
    if (is_there && before.row.type == POND_DIRECTORY)
        r = pond_fail_path(err, POND_EEXISTS, path, "%s: is a directory", path);
    if (r == 0)
        r = take(t, src, &content, err);
    if (r == 0 && !(is_there && is_unchanged(&before, &content, mode)))
        r = put_file(t, parent, name, is_there ? &before : NULL, &content, mode, err);
    if (is_there)
        index_row_release(&before);
    pond_buf_release(&content.bytes);
    return r;
}

int pond_txn_write_fd(struct pond_txn *t, const char *path, int fd, const char *fd_name, uint32_t mode,
                      const struct pond_control *control, struct pond_error *err)
{
    struct pond_buf normal = {0}, directory = {0};
    struct index_row parent;
    const struct source src = {.fd = fd, .name = fd_name, .control = control};
    int r = pond_normalize(path, &normal, err);
    if (r == 0 && (normal.size == 1 || path[strlen(path) - 1] == '/'))
        r = pond_fail_path(err, POND_EUSAGE, path, "%s: is the path of a directory, not of a file", path);
    const char *name = NULL, *directory_path = NULL;
    if (r == 0) {
        name = strrchr((const char *)normal.data, '/') + 1;
        pond_buf_append(&directory, normal.data, (size_t)(name - (const char *)normal.data));
        directory_path = pond_buf_cstr(&directory);
        r = directory_path != NULL ? pond_resolve(t->pond, directory_path, POND_AT_TIP, &parent, err)
                                   : pond_fail_nomem(err);
    }
    if (r == 0) {
        r = write_at(t, path, &parent, name, &src, mode == 0 ? 0644 : mode & 07777, err);
        index_row_release(&parent);
    }
    pond_buf_release(&directory);
    pond_buf_release(&normal);
    return r;
}
