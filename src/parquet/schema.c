/* parquet/schema.c - the schema tree: built by hand or read from a footer, its leaves, and its Thrift form. */
#include "parquet/internal.h"

#include <assert.h>
#include <string.h>

#define MAX_SCHEMA_DEPTH 64
#define MIN_ELEMENT_BYTES 3 /* a name of no bytes, and the stop */

/* num_children of a root whose children pq_schema_finish shall count. */
#define COUNT_LATER (-1)

int pq_schema_init(struct pq_schema *s, struct pond_error *err)
{
    static char root_name[] = "schema";

    *s = (struct pq_schema){0};
    return pq_schema_add(s,
                         &(struct pq_element){.name = root_name, .is_group = true, .num_children = COUNT_LATER,
                                              .converted_type = -1, .field_id = -1},
                         err);
}

void pq_schema_release(struct pq_schema *s)
{
    for (size_t i = 0; i < s->element_count; i++)
        pond_free(s->elements[i].name);
    for (size_t i = 0; i < s->leaf_count; i++)
        pond_free(s->leaves[i].path);
    pond_free(s->elements);
    pond_free(s->leaves);
    *s = (struct pq_schema){0};
}

/* Makes room for one more in an array that doubles whenever its count is a power of two. */
static int grow(void **array, size_t count, size_t size, struct pond_error *err)
{
    void *bigger;

    if ((count & (count - 1)) != 0)
        return 0;
    bigger = pond_realloc(*array, count == 0 ? 1 : count * 2, size);
    if (bigger == NULL)
        return pond_fail_nomem(err);
    *array = bigger;
    return 0;
}

/* Takes over element->name on success. */
static int push_element(struct pq_schema *s, const struct pq_element *element, struct pond_error *err)
{
    void *elements = s->elements;

    POND_TRY(grow(&elements, s->element_count, sizeof *s->elements, err));
    s->elements = elements;
    s->elements[s->element_count++] = *element;
    return 0;
}

int pq_schema_add(struct pq_schema *s, const struct pq_element *element, struct pond_error *err)
{
    struct pq_element copy = *element;
    int r;

    assert(element->name != NULL && s->leaves == NULL);
    copy.name = pond_strdup(element->name);
    if (copy.name == NULL)
        return pond_fail_nomem(err);
    r = push_element(s, &copy, err);
    if (r < 0)
        pond_free(copy.name);
    return r;
}

/* The walk of pq_schema_finish: one entry for each open group. */
struct level {
    size_t element;
    int32_t children_left;
    uint16_t max_definition, max_repetition;
};

/* "a.b.c": the names of the open groups below the root, then the leaf's. */
static char *join_path(const struct pq_schema *s, const struct level *stack, size_t depth, size_t leaf)
{
    struct pond_buf path = {0};
    char *text = NULL;

    for (size_t i = 1; i < depth; i++) {
        pond_buf_append_str(&path, s->elements[stack[i].element].name);
        pond_buf_append_byte(&path, '.');
    }
    pond_buf_append_str(&path, s->elements[leaf].name);
    if (path.error == 0)
        text = pond_memdup(path.data, path.size);
    pond_buf_release(&path);
    return text;
}

static int push_leaf(struct pq_schema *s, const struct level *stack, size_t depth, const struct level *leaf,
                     struct pond_error *err)
{
    void *leaves = s->leaves;
    char *path;

    POND_TRY(grow(&leaves, s->leaf_count, sizeof *s->leaves, err));
    s->leaves = leaves;
    path = join_path(s, stack, depth, leaf->element);
    if (path == NULL)
        return pond_fail_nomem(err);
    s->leaves[s->leaf_count++] = (struct pq_leaf){
        .element = (uint32_t)leaf->element,
        .max_definition = leaf->max_definition,
        .max_repetition = leaf->max_repetition,
        .path = path,
    };
    return 0;
}

static int build_leaves(struct pq_schema *s, struct pond_error *err)
{
    struct level stack[MAX_SCHEMA_DEPTH];
    size_t depth = 1;

    stack[0] = (struct level){.children_left = s->elements[0].num_children};
    for (size_t i = 1; i < s->element_count; i++) {
        const struct pq_element *e = &s->elements[i];
        struct level here;

        while (depth > 0 && stack[depth - 1].children_left == 0)
            depth--;
        if (depth == 0)
            return pond_fail(err, POND_ECORRUPT, "schema: element %zu (\"%s\") belongs to no group", i, e->name);
        stack[depth - 1].children_left--;
        here = (struct level){.element = i, .children_left = e->num_children,
                              .max_definition = stack[depth - 1].max_definition,
                              .max_repetition = stack[depth - 1].max_repetition};
        if (e->repetition != PQ_REQUIRED)
            here.max_definition++;
        if (e->repetition == PQ_REPEATED)
            here.max_repetition++;
        if (!e->is_group) {
            POND_TRY(push_leaf(s, stack, depth, &here, err));
            continue;
        }
        if (depth == MAX_SCHEMA_DEPTH)
            return pond_fail(err, POND_ECORRUPT, "schema: groups nested over %d deep", MAX_SCHEMA_DEPTH);
        stack[depth++] = here;
    }
    for (size_t i = 0; i < depth; i++)
        if (stack[i].children_left != 0)
            return pond_fail(err, POND_ECORRUPT, "schema: %d children of \"%s\" are missing", stack[i].children_left,
                             s->elements[stack[i].element].name);
    return 0;
}

int pq_schema_finish(struct pq_schema *s, struct pond_error *err)
{
    assert(s->element_count > 0 && s->leaves == NULL);
    if (s->elements[0].num_children == COUNT_LATER) {
        /* Everything that is not inside another group is the root's. */
        size_t inside = 0;
        for (size_t i = 1; i < s->element_count; i++)
            if (s->elements[i].is_group)
                inside += (size_t)s->elements[i].num_children;
        if (inside > s->element_count - 1)
            return pond_fail(err, POND_ECORRUPT, "schema: groups have more children than there are elements");
        s->elements[0].num_children = (int32_t)(s->element_count - 1 - inside);
    }
    return build_leaves(s, err);
}

int pq_schema_leaf(const struct pq_schema *s, const char *path)
{
    for (size_t i = 0; i < s->leaf_count; i++)
        if (strcmp(s->leaves[i].path, path) == 0)
            return (int)i;
    return -1;
}

static int add_flat(struct pq_schema *s, const char *name, enum pq_repetition r, enum pq_type type,
                    int32_t converted_type, enum pq_logical logical, struct pond_error *err)
{
    struct pq_element e = {.type = type, .repetition = r, .converted_type = converted_type, .logical = logical,
                           .field_id = -1};

    if (logical == PQ_LOGICAL_TIMESTAMP) {
        e.time_unit = PQ_MICROS;
        e.adjusted_to_utc = true;
    }
    e.name = pond_strdup(name);
    if (e.name == NULL)
        return pond_fail_nomem(err);
    if (push_element(s, &e, err) < 0) {
        pond_free(e.name);
        return POND_ENOMEM;
    }
    return 0;
}

/* parquet.thrift, ConvertedType */
#define CONVERTED_NONE (-1)
#define CONVERTED_UTF8 0
#define CONVERTED_TIMESTAMP_MICROS 10

int pq_schema_add_string(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err)
{
    return add_flat(s, name, r, PQ_BYTE_ARRAY, CONVERTED_UTF8, PQ_LOGICAL_STRING, err);
}

int pq_schema_add_binary(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err)
{
    return add_flat(s, name, r, PQ_BYTE_ARRAY, CONVERTED_NONE, PQ_LOGICAL_NONE, err);
}

int pq_schema_add_int64(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err)
{
    return add_flat(s, name, r, PQ_INT64, CONVERTED_NONE, PQ_LOGICAL_NONE, err);
}

int pq_schema_add_int32(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err)
{
    return add_flat(s, name, r, PQ_INT32, CONVERTED_NONE, PQ_LOGICAL_NONE, err);
}

int pq_schema_add_boolean(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err)
{
    return add_flat(s, name, r, PQ_BOOLEAN, CONVERTED_NONE, PQ_LOGICAL_NONE, err);
}

int pq_schema_add_timestamp(struct pq_schema *s, const char *name, enum pq_repetition r, struct pond_error *err)
{
    return add_flat(s, name, r, PQ_INT64, CONVERTED_TIMESTAMP_MICROS, PQ_LOGICAL_TIMESTAMP, err);
}

/* LogicalType is a union: a struct with one field, whose id is the kind. */
static void write_logical(struct thrift_writer *w, const struct pq_element *e)
{
    int16_t outer = thrift_begin_struct(w, 10);
    int16_t kind = thrift_begin_struct(w, (int16_t)e->logical);
    int16_t unit;

    switch (e->logical) {
    case PQ_LOGICAL_DECIMAL:
        thrift_write_i32(w, 1, e->scale);
        thrift_write_i32(w, 2, e->precision);
        break;
    case PQ_LOGICAL_TIME:
    case PQ_LOGICAL_TIMESTAMP:
        thrift_write_bool(w, 1, e->adjusted_to_utc);
        unit = thrift_begin_struct(w, 2);
        thrift_end_struct(w, thrift_begin_struct(w, (int16_t)e->time_unit));
        thrift_end_struct(w, unit);
        break;
    case PQ_LOGICAL_INTEGER:
        thrift_write_i8(w, 1, e->int_width);
        thrift_write_bool(w, 2, e->int_signed);
        break;
    default: break; /* the others have no fields */
    }
    thrift_end_struct(w, kind);
    thrift_end_struct(w, outer);
}

static void write_element(struct thrift_writer *w, const struct pq_element *e, bool is_root)
{
    int16_t outer = thrift_begin_struct(w, 0);

    if (!e->is_group) {
        thrift_write_i32(w, 1, (int32_t)e->type);
        if (e->type == PQ_FIXED_LEN_BYTE_ARRAY)
            thrift_write_i32(w, 2, e->type_length);
    }
    if (!is_root)
        thrift_write_i32(w, 3, (int32_t)e->repetition);
    thrift_write_string(w, 4, e->name);
    if (e->is_group)
        thrift_write_i32(w, 5, e->num_children);
    if (e->converted_type >= 0)
        thrift_write_i32(w, 6, e->converted_type);
    if (e->logical == PQ_LOGICAL_DECIMAL) {
        thrift_write_i32(w, 7, e->scale);
        thrift_write_i32(w, 8, e->precision);
    }
    if (e->field_id >= 0)
        thrift_write_i32(w, 9, e->field_id);
    if (e->logical != PQ_LOGICAL_NONE)
        write_logical(w, e);
    thrift_end_struct(w, outer);
}

void pq_schema_write(struct thrift_writer *w, int16_t field_id, const struct pq_schema *s)
{
    assert(s->leaf_count > 0); /* finished */
    thrift_write_list(w, field_id, THRIFT_STRUCT, s->element_count);
    for (size_t i = 0; i < s->element_count; i++)
        write_element(w, &s->elements[i], i == 0);
}

static void read_time_unit(struct thrift_reader *r, const struct thrift_field *f, struct pq_element *e)
{
    struct thrift_field unit = {0};

    if (!thrift_struct(r, f))
        return;
    while (thrift_next(r, &unit)) {
        if (unit.id >= PQ_MILLIS && unit.id <= PQ_NANOS)
            e->time_unit = (enum pq_time_unit)unit.id;
        thrift_skip(r, &unit);
    }
}

/* The fields of one kind of LogicalType. Kinds we do not know are skipped: the physical type still tells how to
 * read them. */
static void read_logical_kind(struct thrift_reader *r, struct pq_element *e)
{
    struct thrift_field f = {0};

    while (thrift_next(r, &f)) {
        bool is_time = e->logical == PQ_LOGICAL_TIME || e->logical == PQ_LOGICAL_TIMESTAMP;
        if (e->logical == PQ_LOGICAL_DECIMAL && f.id == 1)
            e->scale = thrift_i32(r, &f);
        else if (e->logical == PQ_LOGICAL_DECIMAL && f.id == 2)
            e->precision = thrift_i32(r, &f);
        else if (is_time && f.id == 1)
            e->adjusted_to_utc = thrift_bool(r, &f);
        else if (is_time && f.id == 2)
            read_time_unit(r, &f, e);
        else if (e->logical == PQ_LOGICAL_INTEGER && f.id == 1)
            e->int_width = thrift_i8(r, &f);
        else if (e->logical == PQ_LOGICAL_INTEGER && f.id == 2)
            e->int_signed = thrift_bool(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static void read_logical(struct thrift_reader *r, const struct thrift_field *f, struct pq_element *e)
{
    struct thrift_field kind = {0};

    if (!thrift_struct(r, f))
        return;
    while (thrift_next(r, &kind)) {
        bool known = kind.id >= PQ_LOGICAL_STRING && kind.id <= PQ_LOGICAL_FLOAT16 && kind.id != 9;
        e->logical = known ? (enum pq_logical)kind.id : PQ_LOGICAL_NONE;
        if (thrift_struct(r, &kind))
            read_logical_kind(r, e);
    }
}

static int check_element(const struct pq_element *e, bool is_root, const char *file, struct pond_error *err)
{
    if (e->num_children < 0)
        return pond_fail(err, POND_ECORRUPT, "%s: footer: \"%s\" has %d children", file, e->name, e->num_children);
    if (e->is_group)
        return 0;
    if (is_root)
        return pond_fail(err, POND_ECORRUPT, "%s: footer: the schema's root \"%s\" is not a group", file, e->name);
    if ((int)e->type < PQ_BOOLEAN || e->type > PQ_FIXED_LEN_BYTE_ARRAY)
        return pond_fail(err, POND_ECORRUPT, "%s: footer: \"%s\" is of type %d", file, e->name, (int)e->type);
    if (e->type == PQ_FIXED_LEN_BYTE_ARRAY && e->type_length < 0)
        return pond_fail(err, POND_ECORRUPT, "%s: footer: \"%s\" has values of %d bytes", file, e->name,
                         e->type_length);
    return 0;
}

/* A SchemaElement as it stands in the footer. */
struct raw_element {
    struct pq_element e; /* without its name */
    const uint8_t *name;
    size_t name_size;
    bool has_type;
    int32_t repetition;
};

static void read_element(struct thrift_reader *r, struct raw_element *raw)
{
    struct pq_element *e = &raw->e;
    struct thrift_field f = {0};

    *raw = (struct raw_element){.e = {.converted_type = -1, .field_id = -1}, .repetition = PQ_REQUIRED};
    while (thrift_next(r, &f)) {
        switch (f.id) {
        case 1: e->type = (enum pq_type)thrift_i32(r, &f); raw->has_type = true; break;
        case 2: e->type_length = thrift_i32(r, &f); break;
        case 3: raw->repetition = thrift_i32(r, &f); break;
        case 4: raw->name = thrift_binary(r, &f, &raw->name_size); break;
        case 5: e->num_children = thrift_i32(r, &f); break;
        case 6: e->converted_type = thrift_i32(r, &f); break;
        case 7: e->scale = thrift_i32(r, &f); break;
        case 8: e->precision = thrift_i32(r, &f); break;
        case 9: e->field_id = thrift_i32(r, &f); break;
        case 10: read_logical(r, &f, e); break;
        default: thrift_skip(r, &f); break;
        }
    }
    /* Some writers give a leaf num_children 0, so the type decides. */
    e->is_group = !raw->has_type;
}

static int add_raw_element(struct pq_schema *s, const struct raw_element *raw, const char *file,
                           struct pond_error *err)
{
    struct pq_element e = raw->e;
    bool is_root = s->element_count == 0;
    int code;

    /* As everywhere in pond a name ends at a NUL, so it holds none. */
    if (raw->name == NULL || (raw->name_size > 0 && memchr(raw->name, 0, raw->name_size) != NULL))
        return pond_fail(err, POND_ECORRUPT, "%s: footer: schema element %zu has no name, or one with a NUL", file,
                         s->element_count);
    if (raw->repetition < PQ_REQUIRED || raw->repetition > PQ_REPEATED)
        return pond_fail(err, POND_ECORRUPT, "%s: footer: schema element %zu has the repetition %d", file,
                         s->element_count, raw->repetition);
    if (!is_root)
        e.repetition = (enum pq_repetition)raw->repetition;
    e.name = pond_memdup(raw->name, raw->name_size);
    if (e.name == NULL)
        return pond_fail_nomem(err);
    code = check_element(&e, is_root, file, err);
    if (code == 0)
        code = push_element(s, &e, err);
    if (code < 0)
        pond_free(e.name);
    return code;
}

int pq_schema_read(struct thrift_reader *r, const struct thrift_field *f, struct pq_schema *out, const char *name,
                   struct pond_error *err)
{
    struct pq_schema s = {0};
    struct thrift_field element;
    size_t count = thrift_list(r, f, THRIFT_STRUCT, MIN_ELEMENT_BYTES, &element);
    int code = 0;

    if (count == 0)
        return pond_fail(err, POND_ECORRUPT, "%s: footer: the schema is empty or malformed", name);
    for (size_t i = 0; i < count && code == 0; i++) {
        struct raw_element raw;
        read_element(r, &raw);
        if (r->fault != THRIFT_OK)
            code = pond_fail(err, POND_ECORRUPT, "%s: footer: schema element %zu %s", name, i,
                             thrift_fault_name(r->fault));
        else
            code = add_raw_element(&s, &raw, name, err);
    }
    if (code == 0) {
        struct pond_error why = {0};
        code = pq_schema_finish(&s, &why);
        if (code < 0)
            pond_fail_path(err, code, name, "%s: footer: %s", name, why.message);
    }
    if (code < 0) {
        pq_schema_release(&s);
        return code;
    }
    *out = s;
    return 0;
}
