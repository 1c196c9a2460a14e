/* tlogfs/oplog.h: rows survive a part; parts of a hostile hand do not. */
#include "tlogfs/tlogfs_test.h"

#include "bao/tree.h"
#include "parquet/reader.h"
#include "parquet/writer.h"
#include "tlogfs/oplog_schema.h"

#define PART "part"

struct collected {
    struct oplog_row rows[64];
    char names[64][256], attributes[64][256], contents[64][256];
    size_t count;
};

static int collect(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *e)
{
    struct collected *c = context;
    (void)e;
    assert_int_equal(ordinal, c->count);
    assert_true(c->count < 64);
    struct oplog_row *out = &c->rows[c->count];
    *out = *row;
    memcpy(c->names[c->count], row->name, row->name_size + 1);
    out->name = c->names[c->count];
    if (row->attributes != NULL)
        out->attributes = strcpy(c->attributes[c->count], row->attributes);
    if (row->content != NULL)
        out->content = memcpy(c->contents[c->count], row->content, row->content_size);
    c->count++;
    return 0;
}

static struct oplog_part_info write_part(const struct oplog_row *rows, size_t count)
{
    struct oplog_writer *w = NULL;
    struct oplog_part_info info;
    int fd = os_open(PART, O_RDWR | O_CREAT | O_TRUNC, 0666, &err);
    assert_true(fd >= 0);
    assert_ok(oplog_writer_new(&w, fd, PART, &err));
    for (size_t i = 0; i < count; i++)
        assert_ok(oplog_writer_put(w, &rows[i], &err));
    assert_ok(oplog_writer_finish(w, &info, &err));
    oplog_writer_free(w);
    os_close(fd);
    return info;
}

static int read_part(int64_t txn, struct collected *c)
{
    int fd = os_open(PART, O_RDONLY, 0, &err);
    assert_true(fd >= 0);
    int r = oplog_read_rows(fd, PART, txn, collect, c, &err);
    os_close(fd);
    return r;
}

static void assert_same(const struct oplog_row *a, const struct oplog_row *b)
{
    assert_int_equal(a->txn_seq, b->txn_seq);
    assert_memory_equal(a->node_id, b->node_id, 16);
    assert_int_equal(a->has_part, b->has_part);
    assert_memory_equal(a->part_id, b->part_id, 16);
    assert_int_equal(a->name_size, b->name_size);
    assert_memory_equal(a->name, b->name, a->name_size + 1);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->timestamp_us, b->timestamp_us);
    assert_int_equal(a->deleted, b->deleted);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->storage, b->storage);
    assert_int_equal(a->has_blake3, b->has_blake3);
    assert_memory_equal(a->blake3, b->blake3, 32);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->mtime_us, b->mtime_us);
    assert_int_equal(a->mtime_nanos, b->mtime_nanos);
    assert_int_equal(a->attributes != NULL, b->attributes != NULL);
    if (a->attributes != NULL)
        assert_string_equal(a->attributes, b->attributes);
    if (a->type == POND_SYMLINK && !a->deleted) {
        assert_int_equal(a->content_size, b->content_size);
        assert_memory_equal(a->content, b->content, a->content_size);
    } else {
        assert_null(b->content);
    }
}

/* One row of every kind. */
static size_t all_kinds(struct oplog_row *rows, int64_t txn)
{
    size_t n = 0;
    if (txn == 0)
        rows[n++] = dir_row(0, 1, 0, "");
    rows[n++] = dir_row(txn, 2, 1, "directory");
    rows[n++] = file_row(txn, 3, 2, "plain", "hello");
    rows[n] = file_row(txn, 4, 2, "with attributes", "");
    rows[n++].attributes = "{\"uid\":0,\"owner\":\"root\"}";
    rows[n] = file_row(txn, 5, 2, "\xff\xfe not UTF-8 \xc3\x28", "x");
    rows[n++].attributes = "{\"uid\":1,\"xattrs\":{\"user.a\":\"eA==\"}}";
    rows[n++] = file_row(txn, 6, 2, "\xed\xa0\x80", "a surrogate");
    rows[n++] = file_row(txn, 7, 2, "\xe2\x82\xac euro", "y");
    rows[n++] = link_row(txn, 8, 1, "link", "../target");
    rows[n++] = link_row(txn, 9, 1, "odd link", "\xff\x80/\xc0");
    rows[n] = file_row(txn, 10, 1, "large", "");
    rows[n].storage = POND_STORAGE_CHUNKED;
    rows[n].content = NULL;
    rows[n].version = OPLOG_VERSION_MAX;
    rows[n++].size = (uint64_t)INT64_MAX;
    rows[n] = tombstone(&rows[n - 1], txn);
    rows[n++].version = 7;
    rows[n] = tombstone(&rows[2], txn);
    rows[n++].mode = 07777;
    return n;
}

static void test_parts__give_back_every_row(void **state)
{
    (void)state;
    struct oplog_row rows[64];
    for (int64_t txn = 0; txn <= 1; txn++) {
        struct collected c = {.count = 0};
        const size_t n = all_kinds(rows, txn);
        const struct oplog_part_info info = write_part(rows, n);
        assert_int_equal(info.rows, n);
        assert_ok(read_part(txn, &c));
        assert_int_equal(c.count, n);
        for (size_t i = 0; i < n; i++)
            assert_same(&rows[i], &c.rows[i]);

        struct pond_buf bytes = {0};
        uint8_t hash[32];
        assert_ok(os_read_file(PART, 1 << 20, &bytes, &err));
        assert_int_equal(info.size, bytes.size);
        pond_blake3(bytes.data, bytes.size, hash);
        assert_memory_equal(info.blake3, hash, 32);
        pond_buf_release(&bytes);
    }
}

static void test_parts__are_the_same_for_the_same_rows(void **state)
{
    (void)state;
    struct oplog_row rows[64];
    const size_t n = all_kinds(rows, 3);
    const struct oplog_part_info a = write_part(rows, n), b = write_part(rows, n);
    assert_memory_equal(a.blake3, b.blake3, 32);
}

/* The table's readers see a lossy name, and the bytes beside it. */
static void test_parts__names_that_are_not_utf8(void **state)
{
    (void)state;
    const struct oplog_row row = file_row(1, 5, 2, "a\xff", "");
    struct pond_buf bytes = {0};
    write_part(&row, 1);
    assert_ok(os_read_file(PART, 1 << 20, &bytes, &err));
    assert_non_null(memmem(bytes.data, bytes.size, "{\"name_base64\":\"Yf8=\"}", 22));
    assert_non_null(memmem(bytes.data, bytes.size, "a\xef\xbf\xbd", 4));
    pond_buf_release(&bytes);
}

/* ---- content ---- */

#define MANY 20000u

struct place {
    uint64_t first, row_group, offset;
};
struct places {
    struct place at[256];
    size_t count;
};

static int add_place(void *context, uint64_t first, uint64_t row_group, uint64_t offset, struct pond_error *e)
{
    struct places *p = context;
    (void)e;
    assert_true(p->count < 256);
    p->at[p->count++] = (struct place){first, row_group, offset};
    return 0;
}

static const struct place *place_of(const struct places *p, uint64_t ordinal)
{
    size_t i = p->count;
    while (i > 0 && p->at[i - 1].first > ordinal)
        i--;
    assert_true(i > 0);
    return &p->at[i - 1];
}

/* Content of row i: 0 to 4095 bytes; none for every seventh. */
static size_t make_content(uint64_t i, char *out)
{
    const size_t size = (size_t)((i * 2654435761u) % 4096u);
    uint64_t random = i * 0x9e3779b97f4a7c15u + 1; /* nothing that compresses: groups are cut by what they take */
    for (size_t k = 0; k < size; k++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        out[k] = (char)random;
    }
    return size;
}

static uint64_t write_many(void)
{
    struct oplog_writer *w = NULL;
    struct oplog_part_info info;
    static char content[4096];
    int fd = os_open(PART, O_RDWR | O_CREAT | O_TRUNC, 0666, &err);
    assert_ok(oplog_writer_new(&w, fd, PART, &err));
    for (uint64_t i = 0; i < MANY; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "file %llu", (unsigned long long)i);
        struct oplog_row row = file_row(1, 3, 2, name, "");
        row.content = (const uint8_t *)content;
        row.size = row.content_size = make_content(i, content);
        if (i % 7 == 0)
            row = dir_row(1, 3, 2, name);
        assert_ok(oplog_writer_put(w, &row, &err));
    }
    assert_ok(oplog_writer_finish(w, &info, &err));
    oplog_writer_free(w);
    os_close(fd);
    return info.rows;
}

static int count_rows(void *context, uint64_t ordinal, const struct oplog_row *row, struct pond_error *e)
{
    uint64_t *count = context;
    (void)e;
    (void)row;
    assert_int_equal(ordinal, *count);
    ++*count;
    return 0;
}

static void test_content__one_row_from_one_page(void **state)
{
    (void)state;
    assert_int_equal(write_many(), MANY);
    int fd = os_open(PART, O_RDONLY, 0, &err);
    struct places places = {.count = 0};
    assert_ok(oplog_read_pages(fd, PART, add_place, &places, &err));
    /* 40 MB in pages of 1 MiB, in groups of 8 MiB. */
    assert_in_range(places.count, 30, 60);
    assert_in_range(places.at[places.count - 1].row_group, 3, 8);
    uint64_t rows = 0;
    assert_ok(oplog_read_rows(fd, PART, 1, count_rows, &rows, &err));
    assert_int_equal(rows, MANY);

    static char expected[4096];
    struct oplog_part *part = NULL;
    assert_ok(oplog_part_open(&part, os_open(PART, O_RDONLY, 0, &err), PART, &err));
    for (uint64_t i = 1; i < MANY; i += 61) {
        struct pond_buf once = {0}, kept = {0};
        const struct place *at = place_of(&places, i);
        if (i % 7 == 0) {
            assert_fails(oplog_part_content(part, at->row_group, at->offset, at->first, i, &kept, &err), POND_ECORRUPT,
                         "holds no content of row");
            continue;
        }
        const size_t size = make_content(i, expected);
        assert_ok(oplog_part_content(part, at->row_group, at->offset, at->first, i, &kept, &err));
        assert_int_equal(kept.size, size);
        if (size > 0)
            assert_memory_equal(kept.data, expected, size);
        if (i % 11 == 0) {
            assert_ok(oplog_read_content(fd, PART, at->row_group, at->offset, at->first, i, &once, &err));
            assert_int_equal(once.size, size);
            if (size > 0)
                assert_memory_equal(once.data, expected, size);
        }
        pond_buf_release(&once);
        pond_buf_release(&kept);
    }
    oplog_part_close(part);
    os_close(fd);
}

static void test_content__places_that_are_none(void **state)
{
    (void)state;
    const struct oplog_row rows[] = {file_row(1, 3, 2, "a", "A"), file_row(1, 4, 2, "b", "B")};
    struct places places = {.count = 0};
    struct pond_buf out = {0};
    write_part(rows, 2);
    int fd = os_open(PART, O_RDONLY, 0, &err);
    assert_ok(oplog_read_pages(fd, PART, add_place, &places, &err));
    const struct place *at = &places.at[0];
    assert_fails(oplog_read_content(fd, PART, 9, at->offset, 0, 0, &out, &err), POND_ECORRUPT, "row group 9");
    assert_fails(oplog_read_content(fd, PART, 0, at->offset, 0, 2, &out, &err), POND_ECORRUPT, "row 2");
    assert_fails(oplog_read_content(fd, PART, 0, at->offset, 1, 0, &out, &err), POND_ECORRUPT, "row 0");
    assert_true(oplog_read_content(fd, PART, 0, at->offset + 1, 0, 0, &out, &err) < 0);
    assert_int_equal(out.size, 0);
    pond_buf_release(&out);
    os_close(fd);
}

/* ---- hostile parts ---- */

/* A value of the one row of a part; kind 0: null. */
struct value {
    enum { V_NULL, V_TEXT, V_INT, V_BOOL } kind;
    const char *text;
    size_t size;
    int64_t number;
};
#define TEXT(s) {V_TEXT, s, sizeof(s) - 1, 0}
#define INT(n) {V_INT, NULL, 0, n}
#define BOOL(b) {V_BOOL, NULL, 0, b}
#define NONE {V_NULL, NULL, 0, 0}

#define UUID_2 "02020202-0202-0202-0202-020202020202"
#define UUID_3 "03030303-0303-0303-0303-030303030303"
#define HASH "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

static const struct value good_row[OPLOG_COLUMNS] = {
    [OPLOG_TXN_SEQ] = INT(4), [OPLOG_NODE_ID] = TEXT(UUID_3), [OPLOG_PART_ID] = TEXT(UUID_2), [OPLOG_NAME] = TEXT("name"),
    [OPLOG_ENTRY_TYPE] = TEXT("file"), [OPLOG_VERSION] = INT(1), [OPLOG_TIMESTAMP] = INT(0), [OPLOG_DELETED] = BOOL(0),
    [OPLOG_SIZE] = INT(0), [OPLOG_STORAGE] = TEXT("inline"), [OPLOG_CONTENT] = TEXT(""), [OPLOG_BLAKE3] = TEXT(HASH),
    [OPLOG_SHA256] = NONE, [OPLOG_MODE] = INT(0644), [OPLOG_MTIME] = INT(0), [OPLOG_MTIME_NANOS] = INT(0),
    [OPLOG_ATTRIBUTES] = NONE,
};

static int sink_write(void *context, const void *bytes, size_t size, struct pond_error *e)
{
    return os_write(*(int *)context, PART, bytes, size, e);
}

static void put_value(struct pq_writer *w, size_t column, const struct value *v)
{
    const char *type = oplog_fields[column].type;
    switch (v->kind) {
    case V_NULL:
        pq_writer_null(w, column);
        break;
    case V_TEXT:
        pq_writer_bytes(w, column, v->text, v->size);
        break;
    case V_BOOL:
        pq_writer_boolean(w, column, v->number != 0);
        break;
    case V_INT:
        if (strcmp(type, "integer") == 0)
            pq_writer_int32(w, column, (int32_t)v->number);
        else
            pq_writer_int64(w, column, v->number);
        break;
    }
}

static void write_raw(const struct value row[OPLOG_COLUMNS])
{
    struct pq_schema schema = {0};
    struct pq_writer *w = NULL;
    int fd = os_open(PART, O_RDWR | O_CREAT | O_TRUNC, 0666, &err);
    const struct pq_sink sink = {.write = sink_write, .context = &fd};
    const struct pq_writer_options options = {.created_by = "somebody"};
    assert_ok(oplog_schema_make(&schema, &err));
    assert_ok(pq_writer_new(&w, &schema, &sink, &options, &err));
    for (size_t i = 0; i < OPLOG_COLUMNS; i++)
        put_value(w, i, &row[i]);
    pq_writer_end_row(w);
    assert_ok(pq_writer_finish(w, &err));
    pq_writer_free(w);
    pq_schema_release(&schema);
    os_close(fd);
}

struct change {
    enum oplog_column column;
    struct value value;
};

static void test_hostile__every_value_is_checked(void **state)
{
    (void)state;
    static const struct {
        struct change changes[5];
        size_t count;
        int code;
        const char *message;
    } cases[] = {
        {{{OPLOG_TXN_SEQ, INT(5)}}, 1, POND_ECORRUPT, "part: row 0: its txn_seq is not 4"},
        {{{OPLOG_TXN_SEQ, NONE}}, 1, POND_ECORRUPT, "txn_seq is not 4"},
        {{{OPLOG_NODE_ID, NONE}}, 1, POND_ECORRUPT, "node_id is not a UUID"},
        {{{OPLOG_NODE_ID, TEXT("03030303-0303-0303-0303-03030303030g")}}, 1, POND_ECORRUPT, "node_id is not a UUID"},
        {{{OPLOG_PART_ID, TEXT("")}}, 1, POND_ECORRUPT, "part_id is not a UUID"},
        {{{OPLOG_PART_ID, NONE}}, 1, POND_ECORRUPT, "only transaction 0 makes the root"},
        {{{OPLOG_NAME, NONE}}, 1, POND_ECORRUPT, "name is missing"},
        {{{OPLOG_NAME, TEXT("")}}, 1, POND_ECORRUPT, "not the name of an entry"},
        {{{OPLOG_NAME, TEXT(".")}}, 1, POND_ECORRUPT, "not the name of an entry"},
        {{{OPLOG_NAME, TEXT("..")}}, 1, POND_ECORRUPT, "not the name of an entry"},
        {{{OPLOG_NAME, TEXT("a/b")}}, 1, POND_ECORRUPT, "not the name of an entry"},
        {{{OPLOG_NAME, TEXT("/etc/passwd")}}, 1, POND_ECORRUPT, "not the name of an entry"},
        {{{OPLOG_NAME, TEXT("a\0b")}}, 1, POND_ECORRUPT, "not the name of an entry"},
        {{{OPLOG_NAME, TEXT("\xff")}}, 1, POND_ECORRUPT, "not UTF-8"},
        {{{OPLOG_ATTRIBUTES, TEXT("{\"name_base64\":\"Li4=\"}")}}, 1, POND_ECORRUPT, "name_base64 is not the base64"},
        {{{OPLOG_ATTRIBUTES, TEXT("{\"name_base64\":\"/y8=\"}")}}, 1, POND_ECORRUPT, "not the name of an entry"},
        {{{OPLOG_ATTRIBUTES, TEXT("{\"name_base64\":\"!\"}")}}, 1, POND_ECORRUPT, "name_base64 is not the base64"},
        {{{OPLOG_ATTRIBUTES, TEXT("{\"uid\":1,\"name_base64\":\"/w==\"}")}}, 1, POND_ECORRUPT, "not the first"},
        {{{OPLOG_ATTRIBUTES, TEXT("{\"name_base64\": \"/w==\"}")}}, 1, POND_ECORRUPT, "not the first"},
        {{{OPLOG_ATTRIBUTES, TEXT("[]")}}, 1, POND_ECORRUPT, "not a JSON object"},
        {{{OPLOG_ATTRIBUTES, TEXT("{\"a\":1,\"a\":2}")}}, 1, POND_ECORRUPT, "not a JSON object"},
        {{{OPLOG_ATTRIBUTES, TEXT("{\"a\":\"\xff\"}")}}, 1, POND_ECORRUPT, "not a JSON object"},
        {{{OPLOG_ATTRIBUTES, TEXT("")}}, 1, POND_ECORRUPT, "not a JSON object"},
        {{{OPLOG_ENTRY_TYPE, TEXT("fifo")}}, 1, POND_EUNSUPPORTED, "entry_type \"fifo\""},
        {{{OPLOG_ENTRY_TYPE, NONE}}, 1, POND_ECORRUPT, "entry_type"},
        {{{OPLOG_VERSION, INT(0)}}, 1, POND_ECORRUPT, "version"},
        {{{OPLOG_VERSION, NONE}}, 1, POND_ECORRUPT, "version"},
        {{{OPLOG_VERSION, INT(INT64_MAX)}}, 1, POND_ECORRUPT, "version"},
        {{{OPLOG_TIMESTAMP, NONE}}, 1, POND_ECORRUPT, "timestamp"},
        {{{OPLOG_TIMESTAMP, INT(INT64_MAX)}}, 1, POND_ECORRUPT, "timestamp"},
        {{{OPLOG_DELETED, NONE}}, 1, POND_ECORRUPT, "deleted is missing"},
        {{{OPLOG_DELETED, BOOL(1)}}, 1, POND_ECORRUPT, "an entry that has no content"},
        {{{OPLOG_SIZE, INT(-1)}}, 1, POND_ECORRUPT, "size is negative"},
        {{{OPLOG_SIZE, NONE}}, 1, POND_ECORRUPT, "without storage, blake3 or size"},
        {{{OPLOG_SIZE, INT(65536)}}, 1, POND_ECORRUPT, "inline file of 65536 bytes"},
        {{{OPLOG_STORAGE, NONE}}, 1, POND_ECORRUPT, "without storage, blake3 or size"},
        {{{OPLOG_STORAGE, TEXT("raw")}}, 1, POND_EUNSUPPORTED, "storage \"raw\""},
        {{{OPLOG_BLAKE3, NONE}}, 1, POND_ECORRUPT, "without storage, blake3 or size"},
        {{{OPLOG_BLAKE3, TEXT("AF1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")}}, 1, POND_ECORRUPT,
         "blake3 is not 64 hex digits"},
        {{{OPLOG_BLAKE3, TEXT("af")}}, 1, POND_ECORRUPT, "blake3 is not 64 hex digits"},
        {{{OPLOG_MODE, INT(-1)}}, 1, POND_ECORRUPT, "mode"},
        {{{OPLOG_MODE, INT(010000)}}, 1, POND_ECORRUPT, "mode"},
        {{{OPLOG_MODE, NONE}}, 1, POND_ECORRUPT, "mode"},
        {{{OPLOG_MTIME, NONE}}, 1, POND_ECORRUPT, "mtime is missing"},
        {{{OPLOG_MTIME_NANOS, INT(1000)}}, 1, POND_ECORRUPT, "mtime_nanos"},
        {{{OPLOG_MTIME_NANOS, NONE}}, 1, POND_ECORRUPT, "mtime_nanos"},
        {{{OPLOG_ENTRY_TYPE, TEXT("directory")}}, 1, POND_ECORRUPT, "an entry that has no content"},
        {{{OPLOG_ENTRY_TYPE, TEXT("symlink")}, {OPLOG_STORAGE, NONE}, {OPLOG_BLAKE3, NONE}}, 3, POND_ECORRUPT,
         "not the target"},
        {{{OPLOG_ENTRY_TYPE, TEXT("symlink")}, {OPLOG_STORAGE, NONE}, {OPLOG_BLAKE3, NONE}, {OPLOG_CONTENT, NONE}}, 4,
         POND_ECORRUPT, "a symlink without a target"},
        {{{OPLOG_ENTRY_TYPE, TEXT("symlink")}, {OPLOG_STORAGE, NONE}, {OPLOG_BLAKE3, NONE}, {OPLOG_CONTENT, TEXT("a\0b")},
          {OPLOG_SIZE, INT(3)}}, 5, POND_ECORRUPT, "not the target"},
        {{{OPLOG_ENTRY_TYPE, TEXT("symlink")}, {OPLOG_STORAGE, NONE}, {OPLOG_BLAKE3, NONE}, {OPLOG_CONTENT, TEXT("ab")},
          {OPLOG_SIZE, INT(3)}}, 5, POND_ECORRUPT, "not the target"},
    };
    struct collected c = {.count = 0};
    write_raw(good_row);
    assert_ok(read_part(4, &c));
    assert_int_equal(c.count, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct value row[OPLOG_COLUMNS];
        memcpy(row, good_row, sizeof row);
        for (size_t k = 0; k < cases[i].count; k++)
            row[cases[i].changes[k].column] = cases[i].changes[k].value;
        write_raw(row);
        c.count = 0;
        assert_fails(read_part(4, &c), cases[i].code, cases[i].message);
        assert_int_equal(c.count, 0);
    }
}

static void test_hostile__columns_of_other_types(void **state)
{
    (void)state;
    struct pq_schema schema;
    struct pq_writer *w = NULL;
    int fd = os_open(PART, O_RDWR | O_CREAT | O_TRUNC, 0666, &err);
    const struct pq_sink sink = {.write = sink_write, .context = &fd};
    const struct pq_writer_options options = {.created_by = "somebody"};
    assert_ok(pq_schema_init(&schema, &err));
    assert_ok(pq_schema_add_int32(&schema, "txn_seq", PQ_OPTIONAL, &err));
    assert_ok(pq_schema_finish(&schema, &err));
    assert_ok(pq_writer_new(&w, &schema, &sink, &options, &err));
    pq_writer_int32(w, 0, 4);
    pq_writer_end_row(w);
    assert_ok(pq_writer_finish(w, &err));
    pq_writer_free(w);
    pq_schema_release(&schema);
    os_close(fd);
    struct collected c = {.count = 0};
    assert_fails(read_part(4, &c), POND_ECORRUPT, "column \"txn_seq\" is not a plain column of type long");
}

/* Whatever byte is wrong: an error, or rows that are checked; never a crash. */
static void test_hostile__flipped_and_missing_bytes(void **state)
{
    (void)state;
    struct oplog_row rows[64];
    struct pond_buf bytes = {0};
    const size_t n = all_kinds(rows, 4);
    write_part(rows, n);
    assert_ok(os_read_file(PART, 1 << 20, &bytes, &err));
    for (size_t i = 0; i < bytes.size; i++) {
        struct collected c = {.count = 0};
        struct places places = {.count = 0};
        bytes.data[i] ^= 0x41;
        write_file(PART, bytes.data, bytes.size);
        int r = read_part(4, &c);
        assert_true(r <= 0);
        int fd = os_open(PART, O_RDONLY, 0, &err);
        r = oplog_read_pages(fd, PART, add_place, &places, &err);
        assert_true(r <= 0);
        os_close(fd);
        bytes.data[i] ^= 0x41;
    }
    for (size_t size = 0; size < bytes.size; size += 7) {
        struct collected c = {.count = 0};
        write_file(PART, bytes.data, size);
        assert_int_equal(read_part(4, &c), POND_ECORRUPT);
        assert_int_equal(c.count, 0);
    }
    pond_buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_parts__give_back_every_row),
        IN_SANDBOX(test_parts__are_the_same_for_the_same_rows),
        IN_SANDBOX(test_parts__names_that_are_not_utf8),
        IN_SANDBOX(test_content__one_row_from_one_page),
        IN_SANDBOX(test_content__places_that_are_none),
        IN_SANDBOX(test_hostile__every_value_is_checked),
        IN_SANDBOX(test_hostile__columns_of_other_types),
        IN_SANDBOX(test_hostile__flipped_and_missing_bytes),
    };
    return cmocka_run_group_tests_name("tlogfs/oplog", tests, NULL, NULL);
}
