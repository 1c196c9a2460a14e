/* tests/tlogfs/tlogfs_test.h - for the tests of tlogfs/: rows, parts, ponds in the sandbox of store_test.h. */
#ifndef TESTS_TLOGFS_TLOGFS_TEST_H
#define TESTS_TLOGFS_TLOGFS_TEST_H

#include "store/store_test.h"

#include "base/text.h"
#include "tlogfs/pond.h"

/* A node id that is easy to tell: all bytes `n`. */
static inline void set_id(uint8_t id[16], uint8_t n)
{
    memset(id, n, 16);
}

static inline struct oplog_row dir_row(int64_t txn, uint8_t node, uint8_t part, const char *name)
{
    struct oplog_row row = {
        .txn_seq = txn,
        .has_part = part != 0,
        .name = name,
        .name_size = strlen(name),
        .type = POND_DIRECTORY,
        .version = 1,
        .timestamp_us = 1000000 + txn,
        .mode = 0755,
        .mtime_us = -5,
        .mtime_nanos = 999,
    };
    set_id(row.node_id, node);
    if (part != 0)
        set_id(row.part_id, part);
    return row;
}

static inline struct oplog_row file_row(int64_t txn, uint8_t node, uint8_t part, const char *name, const char *text)
{
    struct oplog_row row = dir_row(txn, node, part, name);
    row.type = POND_FILE;
    row.mode = 0644;
    row.size = strlen(text);
    row.storage = POND_STORAGE_INLINE;
    row.content = (const uint8_t *)text;
    row.content_size = strlen(text);
    row.has_blake3 = true;
    pond_blake3(text, strlen(text), row.blake3);
    return row;
}

static inline struct oplog_row link_row(int64_t txn, uint8_t node, uint8_t part, const char *name, const char *target)
{
    struct oplog_row row = dir_row(txn, node, part, name);
    row.type = POND_SYMLINK;
    row.size = strlen(target);
    row.content = (const uint8_t *)target;
    row.content_size = strlen(target);
    return row;
}

static inline struct oplog_row tombstone(const struct oplog_row *of, int64_t txn)
{
    struct oplog_row row = *of;
    row.txn_seq = txn;
    row.version++;
    row.deleted = true;
    row.size = 0;
    row.storage = POND_STORAGE_NONE;
    row.content = NULL;
    row.content_size = 0;
    row.has_blake3 = false;
    memset(row.blake3, 0, sizeof row.blake3);
    row.attributes = NULL;
    return row;
}

/* ---- ponds ---- */

static inline struct pond *open_pond(const char *dir, int flags)
{
    struct pond *p = NULL;
    assert_ok(pond_open(&p, dir, flags, &err));
    return p;
}

static inline struct pond *make_pond(const char *dir)
{
    const struct pond_init_options options = {.command = "pond init", .compression = POND_COMPRESSION_NONE,
                                              .chunk_size = POND_CHUNK_SIZE_MIN};
    assert_ok(pond_init(dir, &options, &err));
    return open_pond(dir, POND_WRITE);
}

/* Content through a file, as the command does it. */
static inline void put_bytes(struct pond_txn *t, const char *path, const void *bytes, size_t size)
{
    write_file("source", bytes, size);
    int fd = os_open("source", O_RDONLY, 0, &err);
    assert_true(fd >= 0);
    assert_ok(pond_txn_write_fd(t, path, fd, "source", 0, NULL, &err));
    os_close(fd);
}

static inline void put_text(struct pond_txn *t, const char *path, const char *text)
{
    put_bytes(t, path, text, strlen(text));
}

static inline struct pond_txn *begin(struct pond *p, const char *command)
{
    struct pond_txn *t = NULL;
    assert_ok(pond_begin(&t, p, command, &err));
    return t;
}

static inline struct pond_txn_result commit(struct pond_txn *t)
{
    struct pond_txn_result result = {0};
    assert_ok(pond_txn_commit(t, &result, &err));
    return result;
}

/* One transaction that stores one file. */
static inline int64_t commit_text(struct pond *p, const char *path, const char *text)
{
    struct pond_txn *t = begin(p, "put");
    put_text(t, path, text);
    return commit(t).txn;
}

/* Paths as pond_list and its like give them, each followed by a space; tombstones by "- ". */
struct names {
    char text[8192];
    size_t limit; /* 0: none */
    size_t count;
};

static inline int add_name(void *context, const struct pond_entry *entry, struct pond_error *e)
{
    struct names *n = context;
    (void)e;
    const size_t used = strlen(n->text);
    assert_true(used + strlen(entry->path) + 8 < sizeof n->text);
    (void)snprintf(n->text + used, sizeof n->text - used, "%s%s ", entry->path, entry->deleted ? "-" : "");
    return ++n->count == n->limit;
}

static inline void assert_list(struct pond *p, const char *path, int64_t at, bool recursive, const char *expected)
{
    struct names n = {{0}, 0, 0};
    assert_ok(pond_list(p, path, at, recursive, add_name, &n, &err));
    assert_string_equal(n.text, expected);
}

static inline void assert_content(struct pond *p, const char *path, int64_t at, int64_t version, const char *expected)
{
    struct pond_reader *r = NULL;
    char got[4096];
    assert_ok(pond_reader_open(&r, p, path, at, version, &err));
    assert_int_equal(pond_reader_size(r), strlen(expected));
    int64_t n = pond_reader_read(r, 0, got, sizeof got, &err);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(got, expected, (size_t)n);
    pond_reader_close(r);
}

#endif
