/* tlogfs/read.c - content: inline from one page of a part, larger from its bundle. Nothing is given out unverified. */
#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "tlogfs/pond.h"

/* ---- inline content ---- */

static int copy_part_path(void *context, const struct index_commit *c, struct pond_error *err)
{
    char **out = context;
    *out = pond_strdup(c->part_path);
    return *out != NULL ? 1 : pond_fail_nomem(err);
}

static int open_part(struct pond *p, int64_t txn, struct oplog_part **out, struct pond_error *err)
{
    char *name = NULL;
    int r = index_commits(p->index, txn, copy_part_path, &name, err);
    if (r == 0 && (name == NULL || !pond_path_is_safe(name, strlen(name))))
        r = pond_fail_path(err, POND_ECORRUPT, p->dir, "%s: the index names no part for transaction %lld", p->dir,
                           (long long)txn);
    char *path = r == 0 ? os_path_join(p->dir, name) : NULL;
    if (r == 0 && path == NULL)
        r = pond_fail_nomem(err);
    if (r == 0) {
        int fd = os_open(path, O_RDONLY, 0, err);
        if (fd == POND_ENOTFOUND)
            fd = pond_fail_path(err, POND_ECORRUPT, path, "%s: is missing, transaction %lld names it", path,
                                (long long)txn);
        r = fd < 0 ? fd : oplog_part_open(out, fd, path, err);
    }
    pond_free(path);
    pond_free(name);
    return r;
}

/* The part of a transaction, opened; the one used longest ago makes room. */
static int get_part(struct pond *p, int64_t txn, struct oplog_part **out, struct pond_error *err)
{
    struct pond_open_part *slot = &p->parts[0];
    for (size_t i = 0; i < POND_OPEN_PARTS; i++) {
        struct pond_open_part *s = &p->parts[i];
        if (s->part != NULL && s->txn == txn) {
            s->used = ++p->part_clock;
            *out = s->part;
            return 0;
        }
        if (slot->part != NULL && (s->part == NULL || s->used < slot->used))
            slot = s;
    }
    struct oplog_part *part;
    POND_TRY(open_part(p, txn, &part, err));
    oplog_part_close(slot->part);
    *slot = (struct pond_open_part){.txn = txn, .used = ++p->part_clock, .part = part};
    *out = part;
    return 0;
}

int pond_inline_content(struct pond *p, const struct index_row *row, struct pond_buf *out, struct pond_error *err)
{
    const struct oplog_row *o = &row->row;
    struct oplog_part *part;
    uint64_t first, row_group, offset;
    uint8_t found[POND_HASH_SIZE];
    const size_t before = out->size;
    assert(o->storage == POND_STORAGE_INLINE);
    POND_TRY(get_part(p, o->txn_seq, &part, err));
    POND_TRY(index_page_of(p->index, o->txn_seq, row->ordinal, &first, &row_group, &offset, err));
    POND_TRY(oplog_part_content(part, row_group, offset, first, row->ordinal, out, err));
    const size_t size = out->size - before;
    pond_blake3(out->data + before, size, found);
    if (size == o->size && o->has_blake3 && memcmp(found, o->blake3, sizeof found) == 0)
        return 0;
    char hex[2 * POND_HASH_SIZE + 1];
    pond_hex(o->blake3, POND_HASH_SIZE, hex);
    out->size = before;
    return pond_fail_path(err, POND_ECORRUPT, p->dir, "%s: transaction %lld, row %llu (\"%s\"): the content is not what its "
                          "BLAKE3 %s says", p->dir, (long long)o->txn_seq, (unsigned long long)row->ordinal, o->name, hex);
}

/* ---- readers ---- */

struct pond_reader {
    uint64_t size;
    struct pond_buf content;             /* inline files, symlinks */
    struct pond_chunked_reader *bundle;  /* else */
};

struct version_search {
    int64_t version;
    bool found;
    struct index_row row;
};

static int copy_row(const struct index_row *row, struct index_row *out, struct pond_error *err)
{
    const struct oplog_row *o = &row->row;
    struct index_row copy = *row;
    copy.storage = (struct pond_buf){0};
    const size_t name = 0, target = o->name_size + 1;
    const size_t attributes = target + (o->content != NULL ? o->content_size + 1 : 0);
    pond_buf_append(&copy.storage, o->name, o->name_size);
    pond_buf_append_byte(&copy.storage, 0);
    if (o->content != NULL) {
        pond_buf_append(&copy.storage, o->content, o->content_size);
        pond_buf_append_byte(&copy.storage, 0);
    }
    if (o->attributes != NULL)
        pond_buf_append(&copy.storage, o->attributes, strlen(o->attributes) + 1);
    int r = pond_buf_error(&copy.storage, err);
    if (r < 0) {
        pond_buf_release(&copy.storage);
        return r;
    }
    copy.row.name = (const char *)copy.storage.data + name;
    copy.row.content = o->content != NULL ? copy.storage.data + target : NULL;
    copy.row.attributes = o->attributes != NULL ? (const char *)copy.storage.data + attributes : NULL;
    *out = copy;
    return 0;
}

static int match_version(void *context, const struct index_row *row, struct pond_error *err)
{
    struct version_search *s = context;
    if (row->row.version != s->version || row->row.deleted)
        return 0;
    POND_TRY(copy_row(row, &s->row, err));
    s->found = true;
    return 1;
}

/* Replaces *row by the version asked for, of the same node. */
static int to_version(struct pond *p, const char *path, int64_t version, struct index_row *row, struct pond_error *err)
{
    struct version_search s = {.version = version};
    if (version == 0 || row->row.version == version)
        return 0;
    POND_TRY(index_node_rows(p->index, row->row.node_id, match_version, &s, err));
    if (!s.found || s.row.row.txn_seq > p->info.txn) {
        if (s.found)
            index_row_release(&s.row);
        return pond_fail_path(err, POND_ENOTFOUND, path, "%s: has no version %lld", path, (long long)version);
    }
    index_row_release(row);
    *row = s.row;
    return 0;
}

static int open_bundle(struct pond *p, const char *path, const struct oplog_row *row, struct pond_chunked_reader **out,
                       struct pond_error *err)
{
    struct pond_chunked_reader *bundle = NULL;
    char *file = pond_bundle_path(p, row->blake3);
    int fd = file != NULL ? os_open(file, O_RDONLY, 0, err) : pond_fail_nomem(err);
    if (fd == POND_ENOTFOUND)
        fd = pond_fail_path(err, POND_ECORRUPT, file, "%s: is missing; it holds the content of %s", file, path);
    int r = fd < 0 ? fd : pond_chunked_open(&bundle, fd, file, row->blake3, err);
    os_close(fd);
    if (r == 0 && pond_chunked_reader_info(bundle)->total_size != row->size) {
        r = pond_fail_path(err, POND_ECORRUPT, file, "%s: holds %llu bytes, the log says %llu for %s", file,
                           (unsigned long long)pond_chunked_reader_info(bundle)->total_size,
                           (unsigned long long)row->size, path);
        pond_chunked_close(bundle);
    }
    pond_free(file);
    if (r == 0)
        *out = bundle;
    return r;
}

static int open_content(struct pond_reader *rd, struct pond *p, const char *path, const struct index_row *row,
                        struct pond_error *err)
{
    const struct oplog_row *o = &row->row;
    rd->size = o->size;
    if (o->type == POND_DIRECTORY)
        return pond_fail_path(err, POND_EUSAGE, path, "%s: is a directory", path);
    if (o->type == POND_FILE && o->storage == POND_STORAGE_CHUNKED)
        return open_bundle(p, path, o, &rd->bundle, err);
    if (o->type == POND_FILE)
        return pond_inline_content(p, row, &rd->content, err);
    pond_buf_append(&rd->content, o->content, o->content_size);
    return pond_buf_error(&rd->content, err);
}

int pond_reader_open(struct pond_reader **out, struct pond *p, const char *path, int64_t at, int64_t version,
                     struct pond_error *err)
{
    struct index_row row;
    struct pond_reader *rd = pond_calloc(1, sizeof *rd);
    if (rd == NULL)
        return pond_fail_nomem(err);
    int r = pond_resolve(p, path, at, &row, err);
    if (r == 0) {
        r = to_version(p, path, version, &row, err);
        if (r == 0)
            r = open_content(rd, p, path, &row, err);
        index_row_release(&row);
    }
    if (r < 0) {
        pond_reader_close(rd);
        return r;
    }
    *out = rd;
    return 0;
}

uint64_t pond_reader_size(const struct pond_reader *r)
{
    return r->size;
}

int64_t pond_reader_read(struct pond_reader *r, uint64_t offset, void *buf, size_t size, struct pond_error *err)
{
    if (r->bundle != NULL)
        return pond_chunked_read(r->bundle, offset, buf, size, err);
    if (offset >= r->content.size)
        return 0;
    const size_t n = (size_t)pond_min_u64(r->content.size - offset, size);
    memcpy(buf, r->content.data + offset, n);
    return (int64_t)n;
}

void pond_reader_close(struct pond_reader *r)
{
    if (r == NULL)
        return;
    pond_chunked_close(r->bundle);
    pond_buf_release(&r->content);
    pond_free(r);
}
