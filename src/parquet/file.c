/* parquet/file.c - opening a file: the footer's frame, schema, key-values, and where each row group's metadata lies in
 * it. The footer is walked once; row groups are decoded when asked for.
 */
#include "parquet/internal.h"

#include <assert.h>
#include <string.h>

#define TAIL_BYTES 8               /* footer size, magic */
#define MIN_FILE_BYTES (4 + TAIL_BYTES)
#define FIRST_READ ((uint64_t)64 << 10) /* most footers come with the tail */
#define MIN_ROW_GROUP_BYTES 7      /* three required fields and the stop */
#define MIN_KEY_VALUE_BYTES 3

struct key_value {
    char *key;
    char *value; /* NULL: absent */
};

struct pq_file {
    struct pq_source source;
    uint8_t *footer;
    uint32_t footer_size;
    uint64_t footer_offset;
    struct pq_schema schema;
    int64_t num_rows;
    uint64_t row_group_count;
    uint64_t *row_groups; /* place of each in footer */
    struct key_value *key_values;
    size_t key_value_count;
    char *created_by;
};

void pq_file_free(struct pq_file *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->key_value_count; i++) {
        pond_free(f->key_values[i].key);
        pond_free(f->key_values[i].value);
    }
    pond_free(f->key_values);
    pond_free(f->created_by);
    pond_free(f->row_groups);
    pond_free(f->footer);
    pq_schema_release(&f->schema);
    pond_free(f);
}

static int corrupt(const struct pq_file *f, struct pond_error *err, const char *what)
{
    return pond_fail(err, POND_ECORRUPT, "%s: footer: %s", f->source.name, what);
}

/* What the last eight bytes say. */
static int check_tail(struct pq_file *f, const uint8_t *tail, struct pond_error *err)
{
    const char *name = f->source.name;

    if (memcmp(tail + 4, "PARE", 4) == 0)
        return pond_fail(err, POND_EUNSUPPORTED, "%s: the footer is encrypted", name);
    if (memcmp(tail + 4, PQ_MAGIC, 4) != 0)
        return pond_fail(err, POND_ECORRUPT, "%s: not a Parquet file, or cut short: it does not end in PAR1", name);
    memcpy(&f->footer_size, tail, 4);
    if (f->footer_size > f->source.size - MIN_FILE_BYTES)
        return pond_fail(err, POND_ECORRUPT, "%s: a footer of %u bytes in a file of %llu", name, f->footer_size,
                         (unsigned long long)f->source.size);
    if (f->footer_size > PQ_MAX_FOOTER)
        return pond_fail(err, POND_ELIMIT, "%s: a footer of %u bytes, the limit is %llu", name, f->footer_size,
                         (unsigned long long)PQ_MAX_FOOTER);
    f->footer_offset = f->source.size - TAIL_BYTES - f->footer_size;
    return 0;
}

/* Reads the file's end, and what the footer has before it. */
static int read_footer(struct pq_file *f, struct pond_error *err)
{
    const struct pq_source *s = &f->source;
    size_t end_size = (size_t)pond_min_u64(s->size, FIRST_READ);
    size_t have; /* bytes of the footer that came with the end */
    uint8_t magic[4];
    uint8_t *end;
    int r;

    if (s->size < MIN_FILE_BYTES)
        return pond_fail(err, POND_ECORRUPT, "%s: not a Parquet file: %llu bytes", s->name,
                         (unsigned long long)s->size);
    end = pond_alloc(end_size, 1);
    if (end == NULL)
        return pond_fail_nomem(err);
    r = s->read_at(s->context, s->size - end_size, end, end_size, err);
    if (r == 0)
        r = check_tail(f, end + end_size - TAIL_BYTES, err);
    if (r == 0 && (f->footer = pond_alloc(f->footer_size, 1)) == NULL)
        r = pond_fail_nomem(err);
    if (r == 0) {
        have = end_size - TAIL_BYTES < f->footer_size ? end_size - TAIL_BYTES : f->footer_size;
        memcpy(f->footer + f->footer_size - have, end + end_size - TAIL_BYTES - have, have);
        if (have < f->footer_size)
            r = s->read_at(s->context, f->footer_offset, f->footer, f->footer_size - have, err);
    }
    if (r == 0 && end_size == s->size)
        memcpy(magic, end, 4);
    else if (r == 0)
        r = s->read_at(s->context, 0, magic, 4, err);
    if (r == 0 && memcmp(magic, PQ_MAGIC, 4) != 0)
        r = pond_fail(err, POND_ECORRUPT, "%s: not a Parquet file: it does not begin with PAR1", s->name);
    pond_free(end);
    return r;
}

/* The rows of one row group; everything else in it is passed over. -1: none given. */
static int64_t pass_row_group(struct thrift_reader *r)
{
    struct thrift_field f = {0};
    int64_t rows = -1;

    while (thrift_next(r, &f)) {
        if (f.id == 3)
            rows = thrift_i64(r, &f);
        else
            thrift_skip(r, &f);
    }
    return rows;
}

static int index_row_groups(struct pq_file *f, struct thrift_reader *r, const struct thrift_field *field,
                            int64_t *total_rows, struct pond_error *err)
{
    struct thrift_field element;
    size_t count = thrift_list(r, field, THRIFT_STRUCT, MIN_ROW_GROUP_BYTES, &element);

    if (f->row_groups != NULL)
        return corrupt(f, err, "it has two lists of row groups");
    f->row_groups = pond_alloc(count, sizeof *f->row_groups);
    if (f->row_groups == NULL)
        return pond_fail_nomem(err);
    for (size_t i = 0; i < count; i++) {
        int64_t rows;
        f->row_groups[i] = thrift_tell(r);
        rows = pass_row_group(r);
        if (r->fault != THRIFT_OK)
            return pond_fail(err, POND_ECORRUPT, "%s: footer: row group %zu %s", f->source.name, i,
                             thrift_fault_name(r->fault));
        if (rows < 0 || rows > INT64_MAX - *total_rows)
            return pond_fail(err, POND_ECORRUPT, "%s: footer: row group %zu has %lld rows", f->source.name, i,
                             (long long)rows);
        *total_rows += rows;
    }
    f->row_group_count = count;
    return 0;
}

/* A string of the footer in memory of its own; NULL (and *code set) on failure. */
static char *read_string(struct thrift_reader *r, const struct thrift_field *f, int *code, struct pond_error *err)
{
    size_t size;
    const uint8_t *bytes = thrift_binary(r, f, &size);
    char *text;

    if (r->fault != THRIFT_OK)
        return NULL;
    text = pond_memdup(bytes, size);
    if (text == NULL)
        *code = pond_fail_nomem(err);
    return text;
}

static int read_key_values(struct pq_file *file, struct thrift_reader *r, const struct thrift_field *field,
                           struct pond_error *err)
{
    struct thrift_field element;
    size_t count = thrift_list(r, field, THRIFT_STRUCT, MIN_KEY_VALUE_BYTES, &element);
    int code = 0;

    if (file->key_values != NULL)
        return corrupt(file, err, "it has two lists of key-values");
    file->key_values = pond_calloc(count, sizeof *file->key_values);
    if (file->key_values == NULL)
        return pond_fail_nomem(err);
    for (size_t i = 0; i < count && code == 0; i++) {
        struct key_value *kv = &file->key_values[file->key_value_count++];
        struct thrift_field f = {0};
        while (code == 0 && thrift_next(r, &f)) {
            if (f.id == 1 && kv->key == NULL)
                kv->key = read_string(r, &f, &code, err);
            else if (f.id == 2 && kv->value == NULL)
                kv->value = read_string(r, &f, &code, err);
            else
                thrift_skip(r, &f);
        }
    }
    return code;
}

/* FileMetaData. */
static int parse_footer(struct pq_file *file, struct pond_error *err)
{
    struct thrift_reader r;
    struct thrift_field f = {0};
    int64_t total_rows = 0;
    int code = 0;

    file->num_rows = -1;
    thrift_reader_init(&r, file->footer, file->footer_size);
    while (code == 0 && thrift_next(&r, &f)) {
        switch (f.id) {
        case 2:
            if (file->schema.elements != NULL)
                return corrupt(file, err, "it has two schemas");
            code = pq_schema_read(&r, &f, &file->schema, file->source.name, err);
            break;
        case 3: file->num_rows = thrift_i64(&r, &f); break;
        case 4: code = index_row_groups(file, &r, &f, &total_rows, err); break;
        case 5: code = read_key_values(file, &r, &f, err); break;
        case 6:
            if (file->created_by == NULL)
                file->created_by = read_string(&r, &f, &code, err);
            else
                thrift_skip(&r, &f);
            break;
        default: thrift_skip(&r, &f); break;
        }
    }
    if (code < 0)
        return code;
    if (r.fault != THRIFT_OK)
        return pond_fail(err, POND_ECORRUPT, "%s: footer: its Thrift structure %s", file->source.name,
                         thrift_fault_name(r.fault));
    if (file->schema.elements == NULL || file->row_groups == NULL)
        return corrupt(file, err, "its schema or its row groups are missing");
    /* Fewer than there are: some writer's 0, and nothing is lost. More: rows are. */
    if (file->num_rows > total_rows)
        return pond_fail(err, POND_ECORRUPT, "%s: footer: %lld rows, but its row groups have %lld", file->source.name,
                         (long long)file->num_rows, (long long)total_rows);
    file->num_rows = total_rows;
    return 0;
}

int pq_file_open(struct pq_file **out, const struct pq_source *source, struct pond_error *err)
{
    struct pq_file *f = pond_calloc(1, sizeof *f);
    int r;

    if (f == NULL)
        return pond_fail_nomem(err);
    f->source = *source;
    r = read_footer(f, err);
    if (r == 0)
        r = parse_footer(f, err);
    if (r < 0) {
        pq_file_free(f);
        return r;
    }
    *out = f;
    return 0;
}

const struct pq_schema *pq_file_schema(const struct pq_file *f)
{
    return &f->schema;
}

int64_t pq_file_num_rows(const struct pq_file *f)
{
    return f->num_rows;
}

uint64_t pq_file_num_row_groups(const struct pq_file *f)
{
    return f->row_group_count;
}

const char *pq_file_created_by(const struct pq_file *f)
{
    return f->created_by != NULL ? f->created_by : "";
}

const char *pq_file_key_value(const struct pq_file *f, const char *key)
{
    for (size_t i = 0; i < f->key_value_count; i++)
        if (f->key_values[i].key != NULL && strcmp(f->key_values[i].key, key) == 0)
            return f->key_values[i].value;
    return NULL;
}

uint64_t pq_file_footer_offset(const struct pq_file *f, uint32_t *footer_size)
{
    if (footer_size != NULL)
        *footer_size = f->footer_size;
    return f->footer_offset;
}

const struct pq_source *pq_file_source(const struct pq_file *f)
{
    return &f->source;
}

void pq_column_range(const struct pq_column_meta *m, uint64_t *begin, uint64_t *end)
{
    uint64_t data = (uint64_t)m->data_page_offset, dictionary = (uint64_t)m->dictionary_page_offset;

    /* Some writers leave 0, or the data page's place, where there is no dictionary. */
    *begin = dictionary != 0 && dictionary < data ? dictionary : data;
    *end = *begin + (uint64_t)m->total_compressed_size; /* two int64: no overflow */
}

/* Every chunk with values lies between the first magic and the footer. Without values its offsets may mean nothing. */
static int check_ranges(const struct pq_file *f, const struct pq_row_group *rg, uint64_t index,
                        struct pond_error *err)
{
    for (size_t i = 0; i < rg->column_count; i++) {
        struct pq_place at = {.file = f->source.name, .row_group = index, .column = f->schema.leaves[i].path};
        uint64_t begin, end;

        if (rg->columns[i].unreadable != NULL || rg->columns[i].num_values == 0)
            continue;
        pq_column_range(&rg->columns[i], &begin, &end);
        if (begin < 4 || end > f->footer_offset)
            return pq_fail_at(err, POND_ECORRUPT, &at, "at %llu to %llu, outside the file's data (4 to %llu)",
                              (unsigned long long)begin, (unsigned long long)end,
                              (unsigned long long)f->footer_offset);
    }
    return 0;
}

int pq_file_row_group(struct pq_file *f, uint64_t index, struct pq_row_group *out, struct pond_error *err)
{
    struct pq_place at = {.file = f->source.name, .row_group = index};
    struct pq_row_group rg = {0};
    struct thrift_reader r;
    int code;

    if (index >= f->row_group_count)
        return pond_fail(err, POND_EUSAGE, "%s: row group %llu, the file has %llu", f->source.name,
                         (unsigned long long)index, (unsigned long long)f->row_group_count);
    assert(f->row_groups[index] < f->footer_size);
    thrift_reader_init(&r, f->footer + f->row_groups[index], f->footer_size - (size_t)f->row_groups[index]);
    code = pq_row_group_read(&r, &f->schema, &rg, &at, err);
    if (code == 0)
        code = check_ranges(f, &rg, index, err);
    if (code < 0) {
        pq_row_group_release(&rg);
        return code;
    }
    pq_row_group_release(out);
    *out = rg;
    return 0;
}
