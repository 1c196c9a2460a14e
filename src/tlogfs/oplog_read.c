/* tlogfs/oplog_read.c - a part's rows, in lockstep over its columns. Everything read is untrusted. */
#include "tlogfs/oplog.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "parquet/reader.h"
#include "tlogfs/oplog_schema.h"

#define PAGE_MAX ((size_t)16 << 20) /* ours have 1 MiB, or one value that is larger */
#define TARGET_MAX 65535u

struct part_file {
    int fd;
    const char *path;
    struct pq_source source;
    struct pq_file *parquet;
    int leaves[OPLOG_COLUMNS]; /* -1: the part lacks that column */
};

static int source_read_at(void *context, uint64_t offset, void *buf, size_t size, struct pond_error *err)
{
    const struct part_file *f = context;
    return os_pread_exact(f->fd, f->path, buf, size, offset, err);
}

static bool is_text(const struct pq_element *e)
{
    return e->logical == PQ_LOGICAL_STRING || e->converted_type == 0 /* UTF8 */;
}

static bool is_micros(const struct pq_element *e)
{
    if (e->logical == PQ_LOGICAL_TIMESTAMP)
        return e->time_unit == PQ_MICROS;
    return e->converted_type == 10 /* TIMESTAMP_MICROS */;
}

static bool fits(const struct pq_element *e, const char *type)
{
    if (strcmp(type, "long") == 0)
        return e->type == PQ_INT64;
    if (strcmp(type, "integer") == 0)
        return e->type == PQ_INT32;
    if (strcmp(type, "boolean") == 0)
        return e->type == PQ_BOOLEAN;
    if (strcmp(type, "timestamp") == 0)
        return e->type == PQ_INT64 && is_micros(e);
    return e->type == PQ_BYTE_ARRAY && (strcmp(type, "binary") == 0 || is_text(e));
}

static int find_columns(struct part_file *f, struct pond_error *err)
{
    const struct pq_schema *s = pq_file_schema(f->parquet);
    for (size_t i = 0; i < OPLOG_COLUMNS; i++) {
        const struct delta_field *field = &oplog_fields[i];
        f->leaves[i] = pq_schema_leaf(s, field->name);
        if (f->leaves[i] < 0)
            continue;
        const struct pq_leaf *leaf = &s->leaves[f->leaves[i]];
        if (leaf->max_repetition > 0 || leaf->max_definition > 1 || !fits(&s->elements[leaf->element], field->type))
            return pond_fail_path(err, POND_ECORRUPT, f->path, "%s: column \"%s\" is not a plain column of type %s",
                                  f->path, field->name, field->type);
    }
    return 0;
}

/* f must stay where it is: the source points to it. */
static int part_file_open(struct part_file *f, int fd, const char *path, struct pond_error *err)
{
    struct stat st;
    POND_TRY(os_fstat(fd, path, &st, err));
    f->fd = fd;
    f->path = path;
    f->source = (struct pq_source){
        .read_at = source_read_at, .context = f, .size = (uint64_t)st.st_size, .name = path};
    POND_TRY(pq_file_open(&f->parquet, &f->source, err));
    int r = find_columns(f, err);
    if (r < 0) {
        pq_file_free(f->parquet);
        f->parquet = NULL;
    }
    return r;
}

/* ---- one column of a row group, value by value ---- */

struct cursor {
    struct pq_column *column; /* NULL: a column of nulls */
    struct pq_page page;
    uint32_t next;         /* row of the page */
    uint32_t next_present; /* its value, when it has one */
    bool present;          /* the current value is page.<type>[at] */
    uint32_t at;
};

struct rows_reader {
    struct part_file file;
    int64_t txn;
    uint64_t ordinal;
    uint64_t group_row;    /* of the current row in its row group */
    uint64_t content_rows; /* rows of the group the content cursor has passed */
    struct cursor cursors[OPLOG_COLUMNS];
    struct pond_buf name, attributes;
};

static int fail_row(const struct rows_reader *rd, int code, struct pond_error *err, const char *format, ...)
    POND_PRINTF(4, 5);
static int fail_row(const struct rows_reader *rd, int code, struct pond_error *err, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    if (vsnprintf(what, sizeof what, format, args) < 0)
        what[0] = '\0';
    va_end(args);
    return pond_fail_path(err, code, rd->file.path, "%s: row %llu: %s", rd->file.path,
                          (unsigned long long)rd->ordinal, what);
}

static int column_open(const struct part_file *f, uint64_t group, enum oplog_column column, struct cursor *c,
                       struct pond_error *err)
{
    *c = (struct cursor){0};
    if (f->leaves[column] < 0)
        return 0;
    return pq_column_open(&c->column, f->parquet, group, (size_t)f->leaves[column], PAGE_MAX, err);
}

static int cursor_step(const struct rows_reader *rd, struct cursor *c, struct pond_error *err)
{
    c->present = false;
    if (c->column == NULL)
        return 0;
    while (c->next == c->page.num_values) {
        int r = pq_column_next(c->column, &c->page, err);
        if (r < 0)
            return r;
        if (r == 0)
            return fail_row(rd, POND_ECORRUPT, err, "a column has fewer rows than its row group");
        c->next = 0;
        c->next_present = 0;
    }
    c->present = c->page.definition == NULL || c->page.definition[c->next] != 0;
    if (c->present)
        c->at = c->next_present++;
    c->next++;
    return 0;
}

static struct pq_bytes bytes_of(const struct rows_reader *rd, enum oplog_column column)
{
    const struct cursor *c = &rd->cursors[column];
    return c->present ? c->page.bytes[c->at] : (struct pq_bytes){0};
}

static bool int64_of(const struct rows_reader *rd, enum oplog_column column, int64_t *out)
{
    const struct cursor *c = &rd->cursors[column];
    if (c->present)
        *out = c->page.int64s[c->at];
    return c->present;
}

static bool int32_of(const struct rows_reader *rd, enum oplog_column column, int32_t *out)
{
    const struct cursor *c = &rd->cursors[column];
    if (c->present)
        *out = c->page.int32s[c->at];
    return c->present;
}

/* Content pages are decoded only where a symlink is met. */
static int read_target(struct rows_reader *rd, struct pq_bytes *out, struct pond_error *err)
{
    struct cursor *c = &rd->cursors[OPLOG_CONTENT];
    do {
        POND_TRY(cursor_step(rd, c, err));
    } while (rd->content_rows++ < rd->group_row);
    if (!c->present)
        return fail_row(rd, POND_ECORRUPT, err, "a symlink without a target");
    *out = bytes_of(rd, OPLOG_CONTENT);
    return 0;
}

/* ---- one row ---- */

static int decode_ids(struct rows_reader *rd, struct oplog_row *row, struct pond_error *err)
{
    if (!int64_of(rd, OPLOG_TXN_SEQ, &row->txn_seq) || row->txn_seq != rd->txn)
        return fail_row(rd, POND_ECORRUPT, err, "its txn_seq is not %lld, the transaction this part belongs to",
                        (long long)rd->txn);
    const struct pq_bytes node = bytes_of(rd, OPLOG_NODE_ID);
    if (!pond_uuid_parse((const char *)node.data, node.size, row->node_id))
        return fail_row(rd, POND_ECORRUPT, err, "node_id is not a UUID");
    row->has_part = rd->cursors[OPLOG_PART_ID].present;
    const struct pq_bytes part = bytes_of(rd, OPLOG_PART_ID);
    if (row->has_part && !pond_uuid_parse((const char *)part.data, part.size, row->part_id))
        return fail_row(rd, POND_ECORRUPT, err, "part_id is not a UUID");
    if (!int64_of(rd, OPLOG_VERSION, &row->version) || row->version < 1 ||
        row->version > OPLOG_VERSION_MAX)
        return fail_row(rd, POND_ECORRUPT, err, "version is missing or not 1 to 2^62");
    return 0;
}

/* Attributes must be a JSON object. A name_base64 is taken out of the text, by text, so that the rest stays what the
 * writer was given. *name_base64: NULL when there is none. */
static int decode_attributes(struct rows_reader *rd, const char **attributes, const char **name_base64,
                             size_t *name_base64_size, struct pond_error *err)
{
    *attributes = NULL;
    *name_base64 = NULL;
    const struct pq_bytes text = bytes_of(rd, OPLOG_ATTRIBUTES);
    if (!rd->cursors[OPLOG_ATTRIBUTES].present)
        return 0;
    json_error_t where;
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &where);
    const bool is_object = json_is_object(json);
    const bool has_name = json_object_get(json, "name_base64") != NULL;
    json_decref(json);
    if (!is_object)
        return fail_row(rd, POND_ECORRUPT, err, "attributes are not a JSON object");

    struct pond_buf *b = &rd->attributes;
    pond_buf_clear(b);
    pond_buf_append(b, text.data, text.size);
    POND_TRY(pond_buf_error(b, err));
    char *s = pond_buf_cstr(b);
    if (s == NULL)
        return pond_fail_nomem(err);
    *attributes = s;
    if (!has_name)
        return 0;
    const size_t key_size = strlen(OPLOG_NAME_KEY);
    char *end = strncmp(s, OPLOG_NAME_KEY, key_size) == 0 ? strchr(s + key_size, '"') : NULL;
    if (end == NULL || (end[1] != ',' && strcmp(end + 1, "}") != 0))
        return fail_row(rd, POND_ECORRUPT, err, "name_base64 is not the first of the attributes");
    *name_base64 = s + key_size;
    *name_base64_size = (size_t)(end - *name_base64);
    *attributes = end[1] == ',' ? end + 1 : NULL;
    if (*attributes != NULL)
        end[1] = '{';
    return 0;
}

static int check_name(const struct rows_reader *rd, const struct oplog_row *row, struct pond_error *err)
{
    if (!row->has_part) {
        if (rd->txn == 0 && row->name_size == 0 && row->type == POND_DIRECTORY && !row->deleted)
            return 0;
        return fail_row(rd, POND_ECORRUPT, err, "part_id is missing: only transaction 0 makes the root directory");
    }
    const char *n = row->name;
    if (row->name_size < 1 || row->name_size > OPLOG_NAME_MAX || memchr(n, '/', row->name_size) != NULL ||
        memchr(n, '\0', row->name_size) != NULL || strcmp(n, ".") == 0 || strcmp(n, "..") == 0)
        return fail_row(rd, POND_ECORRUPT, err, "name is not the name of an entry (%zu bytes: \"%.*s\")",
                        row->name_size, (int)(row->name_size > 255 ? 255 : row->name_size), n);
    return 0;
}

static int decode_name(struct rows_reader *rd, struct oplog_row *row, struct pond_error *err)
{
    const char *name_base64;
    size_t name_base64_size = 0;
    POND_TRY(decode_attributes(rd, &row->attributes, &name_base64, &name_base64_size, err));
    struct pond_buf *b = &rd->name;
    pond_buf_clear(b);
    if (name_base64 != NULL) {
        if (!pond_base64_decode(b, name_base64, name_base64_size) ||
            pond_utf8_valid((const char *)b->data, b->size))
            return fail_row(rd, POND_ECORRUPT, err, "name_base64 is not the base64 of a name that is not UTF-8");
    } else {
        const struct pq_bytes name = bytes_of(rd, OPLOG_NAME);
        if (!rd->cursors[OPLOG_NAME].present || !pond_utf8_valid((const char *)name.data, name.size))
            return fail_row(rd, POND_ECORRUPT, err, "name is missing or not UTF-8");
        pond_buf_append(b, name.data, name.size);
    }
    POND_TRY(pond_buf_error(b, err));
    row->name_size = b->size;
    row->name = pond_buf_cstr(b);
    if (row->name == NULL)
        return pond_fail_nomem(err);
    return check_name(rd, row, err);
}

static int decode_kind(struct rows_reader *rd, struct oplog_row *row, struct pond_error *err)
{
    const struct pq_bytes type = bytes_of(rd, OPLOG_ENTRY_TYPE);
    row->type = oplog_type_parse(type.data, type.size);
    if (row->type == 0)
        return fail_row(rd, rd->cursors[OPLOG_ENTRY_TYPE].present ? POND_EUNSUPPORTED : POND_ECORRUPT, err,
                        "entry_type \"%.*s\" is not known", (int)(type.size > 64 ? 64 : type.size),
                        (const char *)type.data);
    const struct cursor *deleted = &rd->cursors[OPLOG_DELETED];
    if (!deleted->present)
        return fail_row(rd, POND_ECORRUPT, err, "deleted is missing");
    row->deleted = deleted->page.booleans[deleted->at] != 0;
    return 0;
}

static int decode_metadata(const struct rows_reader *rd, struct oplog_row *row, struct pond_error *err)
{
    int32_t mode;
    if (!int32_of(rd, OPLOG_MODE, &mode) || mode < 0 || mode > 07777)
        return fail_row(rd, POND_ECORRUPT, err, "mode is missing or not 0 to 07777");
    row->mode = (uint32_t)mode;
    if (!int64_of(rd, OPLOG_TIMESTAMP, &row->timestamp_us) || row->timestamp_us < OPLOG_TIME_MIN ||
        row->timestamp_us > OPLOG_TIME_MAX)
        return fail_row(rd, POND_ECORRUPT, err, "timestamp is missing or outside the years 1 to 9999");
    if (!int64_of(rd, OPLOG_MTIME, &row->mtime_us))
        return fail_row(rd, POND_ECORRUPT, err, "mtime is missing");
    if (!int32_of(rd, OPLOG_MTIME_NANOS, &row->mtime_nanos) || row->mtime_nanos < 0 || row->mtime_nanos > 999)
        return fail_row(rd, POND_ECORRUPT, err, "mtime_nanos is missing or not 0 to 999");
    return 0;
}

static int decode_storage(const struct rows_reader *rd, struct oplog_row *row, struct pond_error *err)
{
    const struct pq_bytes storage = bytes_of(rd, OPLOG_STORAGE);
    if (!rd->cursors[OPLOG_STORAGE].present)
        return 0;
    row->storage = oplog_storage_parse(storage.data, storage.size);
    if (row->storage == POND_STORAGE_NONE)
        return fail_row(rd, POND_EUNSUPPORTED, err, "storage \"%.*s\" is not known to this version",
                        (int)(storage.size > 64 ? 64 : storage.size), (const char *)storage.data);
    return 0;
}

static int check_file(const struct rows_reader *rd, const struct oplog_row *row, bool has_size,
                      struct pond_error *err)
{
    if (row->storage == POND_STORAGE_NONE || !row->has_blake3 || !has_size)
        return fail_row(rd, POND_ECORRUPT, err, "a file without storage, blake3 or size");
    if (row->storage == POND_STORAGE_INLINE && row->size > POND_INLINE_MAX)
        return fail_row(rd, POND_ECORRUPT, err, "an inline file of %llu bytes: at most %u are possible",
                        (unsigned long long)row->size, POND_INLINE_MAX);
    return 0;
}

static int decode_content(struct rows_reader *rd, struct oplog_row *row, struct pond_error *err)
{
    int64_t size = 0;
    const bool has_size = int64_of(rd, OPLOG_SIZE, &size);
    if (size < 0)
        return fail_row(rd, POND_ECORRUPT, err, "size is negative");
    row->size = (uint64_t)size;
    POND_TRY(decode_storage(rd, row, err));
    const struct pq_bytes hash = bytes_of(rd, OPLOG_BLAKE3);
    row->has_blake3 = rd->cursors[OPLOG_BLAKE3].present;
    if (row->has_blake3 && !pond_unhex((const char *)hash.data, hash.size, row->blake3, sizeof row->blake3))
        return fail_row(rd, POND_ECORRUPT, err, "blake3 is not 64 hex digits");
    if (!row->deleted && row->type == POND_FILE)
        return check_file(rd, row, has_size, err);
    if (row->storage != POND_STORAGE_NONE || row->has_blake3 || (size != 0 && row->type != POND_SYMLINK))
        return fail_row(rd, POND_ECORRUPT, err, "storage, blake3 or size of an entry that has no content");
    if (row->deleted || row->type != POND_SYMLINK)
        return 0;
    struct pq_bytes target = {0};
    POND_TRY(read_target(rd, &target, err));
    if (target.size == 0 || target.size > TARGET_MAX || target.size != row->size ||
        memchr(target.data, '\0', target.size) != NULL)
        return fail_row(rd, POND_ECORRUPT, err, "not the target of a symlink of %llu bytes",
                        (unsigned long long)row->size);
    row->content = target.data;
    row->content_size = target.size;
    return 0;
}

static int read_row(struct rows_reader *rd, struct oplog_row *row, struct pond_error *err)
{
    *row = (struct oplog_row){0};
    for (size_t i = 0; i < OPLOG_COLUMNS; i++) {
        if (i != OPLOG_CONTENT)
            POND_TRY(cursor_step(rd, &rd->cursors[i], err));
    }
    POND_TRY(decode_ids(rd, row, err));
    POND_TRY(decode_kind(rd, row, err));
    POND_TRY(decode_name(rd, row, err));
    POND_TRY(decode_metadata(rd, row, err));
    return decode_content(rd, row, err);
}

/* ---- all rows ---- */

static int group_rows(struct part_file *f, uint64_t group, uint64_t *rows, struct pond_error *err)
{
    struct pq_row_group rg = {0};
    POND_TRY(pq_file_row_group(f->parquet, group, &rg, err));
    *rows = (uint64_t)rg.num_rows;
    pq_row_group_release(&rg);
    return 0;
}

static void cursors_close(struct rows_reader *rd)
{
    for (size_t i = 0; i < OPLOG_COLUMNS; i++) {
        pq_column_free(rd->cursors[i].column);
        rd->cursors[i] = (struct cursor){0};
    }
}

static int read_group(struct rows_reader *rd, uint64_t group, oplog_row_fn *fn, void *context, struct pond_error *err)
{
    uint64_t rows = 0;
    int r = group_rows(&rd->file, group, &rows, err);
    for (size_t i = 0; i < OPLOG_COLUMNS && r == 0; i++)
        r = column_open(&rd->file, group, (enum oplog_column)i, &rd->cursors[i], err);
    rd->content_rows = 0;
    for (rd->group_row = 0; rd->group_row < rows && r == 0; rd->group_row++) {
        struct oplog_row row;
        r = read_row(rd, &row, err);
        if (r == 0)
            r = fn(context, rd->ordinal++, &row, err);
    }
    cursors_close(rd);
    return r;
}

int oplog_read_rows(int fd, const char *path, int64_t txn, oplog_row_fn *fn, void *context, struct pond_error *err)
{
    struct rows_reader *rd = pond_calloc(1, sizeof *rd);
    if (rd == NULL)
        return pond_fail_nomem(err);
    rd->txn = txn;
    int r = part_file_open(&rd->file, fd, path, err);
    const uint64_t groups = r == 0 ? pq_file_num_row_groups(rd->file.parquet) : 0;
    for (uint64_t i = 0; i < groups && r == 0; i++)
        r = read_group(rd, i, fn, context, err);
    pq_file_free(rd->file.parquet);
    pond_buf_release(&rd->name);
    pond_buf_release(&rd->attributes);
    pond_free(rd);
    return r == 1 ? 0 : r;
}

static int group_pages(struct part_file *f, uint64_t group, uint64_t first, oplog_page_fn *fn, void *context,
                       struct pond_error *err)
{
    struct cursor c;
    int r = column_open(f, group, OPLOG_CONTENT, &c, err);
    while (r == 0 && c.column != NULL) {
        r = pq_column_next_header(c.column, &c.page, err);
        if (r <= 0)
            break;
        r = fn(context, first, group, c.page.offset, err);
        first += c.page.num_values;
    }
    pq_column_free(c.column);
    return r;
}

int oplog_read_pages(int fd, const char *path, oplog_page_fn *fn, void *context, struct pond_error *err)
{
    struct part_file f = {0};
    POND_TRY(part_file_open(&f, fd, path, err));
    const uint64_t groups = pq_file_num_row_groups(f.parquet);
    uint64_t first = 0;
    int r = 0;
    for (uint64_t i = 0; i < groups && r == 0; i++) {
        uint64_t rows = 0;
        r = group_pages(&f, i, first, fn, context, err);
        if (r == 0)
            r = group_rows(&f, i, &rows, err);
        first += rows;
    }
    pq_file_free(f.parquet);
    return r == 1 ? 0 : r;
}

/* ---- content ---- */

struct oplog_part {
    struct part_file file;
    char *path;
    struct pq_column *column; /* of row_group; NULL: none yet */
    uint64_t row_group;
    struct pq_page page;      /* decoded, at page.offset; num_values 0: none */
};

int oplog_part_open(struct oplog_part **out, int fd, const char *path, struct pond_error *err)
{
    struct oplog_part *part = pond_calloc(1, sizeof *part);
    char *copy = pond_strdup(path);
    int r = part != NULL && copy != NULL ? part_file_open(&part->file, fd, copy, err) : pond_fail_nomem(err);
    if (r < 0) {
        os_close(fd);
        pond_free(copy);
        pond_free(part);
        return r;
    }
    part->path = copy;
    *out = part;
    return 0;
}

void oplog_part_close(struct oplog_part *part)
{
    if (part == NULL)
        return;
    pq_column_free(part->column);
    pq_file_free(part->file.parquet);
    os_close(part->file.fd);
    pond_free(part->path);
    pond_free(part);
}

static int part_load(struct oplog_part *part, uint64_t row_group, uint64_t offset, struct pond_error *err)
{
    if (part->column != NULL && part->row_group == row_group && part->page.num_values > 0 &&
        part->page.offset == offset)
        return 0;
    part->page = (struct pq_page){0};
    if (part->column == NULL || part->row_group != row_group) {
        pq_column_free(part->column);
        part->column = NULL;
        struct cursor c;
        if (row_group >= pq_file_num_row_groups(part->file.parquet) || part->file.leaves[OPLOG_CONTENT] < 0)
            return pond_fail_path(err, POND_ECORRUPT, part->path, "%s: has no content in row group %llu",
                                  part->path, (unsigned long long)row_group);
        POND_TRY(column_open(&part->file, row_group, OPLOG_CONTENT, &c, err));
        part->column = c.column;
        part->row_group = row_group;
    }
    return pq_column_page_at(part->column, offset, &part->page, err);
}

int oplog_part_content(struct oplog_part *part, uint64_t row_group, uint64_t offset, uint64_t first_ordinal,
                       uint64_t ordinal, struct pond_buf *out, struct pond_error *err)
{
    int r = part_load(part, row_group, offset, err);
    if (r < 0) {
        part->page = (struct pq_page){0};
        return r;
    }
    const struct pq_page *page = &part->page;
    const uint64_t row = ordinal - first_ordinal;
    if (ordinal < first_ordinal || row >= page->num_values ||
        (page->definition != NULL && page->definition[row] == 0))
        return pond_fail_path(err, POND_ECORRUPT, part->path, "%s: page at %llu: holds no content of row %llu",
                              part->path, (unsigned long long)offset, (unsigned long long)ordinal);
    uint64_t present = row;
    if (page->definition != NULL) {
        present = 0;
        for (uint64_t i = 0; i < row; i++)
            present += page->definition[i] != 0;
    }
    pond_buf_append(out, page->bytes[present].data, page->bytes[present].size);
    return pond_buf_error(out, err);
}

int oplog_read_content(int fd, const char *path, uint64_t row_group, uint64_t offset, uint64_t first_ordinal,
                       uint64_t ordinal, struct pond_buf *out, struct pond_error *err)
{
    struct oplog_part part = {.path = (char *)path};
    POND_TRY(part_file_open(&part.file, fd, path, err));
    int r = oplog_part_content(&part, row_group, offset, first_ordinal, ordinal, out, err);
    pq_column_free(part.column);
    pq_file_free(part.file.parquet);
    return r;
}
