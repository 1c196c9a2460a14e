/* delta/parse.c - the bytes of a commit file, as checked actions. Everything here comes from strangers.
 *
 * One line is parsed at a time, from where it stands; its size is bounded here, its nesting by jansson. Lines are as
 * others write them: the last one may lack its newline (delta-rs), unknown actions and keys are passed over, an action
 * may be null.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "delta/delta.h"

struct place {
    const char *name; /* of the commit file */
    size_t line;
    const char *kind;
};

static int corrupt(const struct place *at, struct pond_error *err, const char *what, const char *problem)
{
    return pond_fail_path(err, POND_ECORRUPT, at->name, "%s: line %zu: %s: %s %s", at->name, at->line, at->kind, what,
                          problem);
}

/* ---- required keys ---- */

/* A string without NUL. */
static int need_text(const struct place *at, const json_t *object, const char *key, const char **out,
                     struct pond_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return corrupt(at, err, key, "is missing");
    if (!json_is_string(value))
        return corrupt(at, err, key, "is not a string");
    *out = json_string_value(value);
    if (strlen(*out) != json_string_length(value))
        return corrupt(at, err, key, "holds a NUL");
    return 0;
}

static int need_integer(const struct place *at, const json_t *object, const char *key, int64_t *out,
                        struct pond_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return corrupt(at, err, key, "is missing");
    if (!json_is_integer(value))
        return corrupt(at, err, key, "is not an integer");
    *out = json_integer_value(value);
    return 0;
}

static int need_size(const struct place *at, const json_t *object, int64_t *out, struct pond_error *err)
{
    POND_TRY(need_integer(at, object, "size", out, err));
    return *out >= 0 ? 0 : corrupt(at, err, "size", "is negative");
}

static int need_boolean(const struct place *at, const json_t *object, const char *key, struct pond_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return corrupt(at, err, key, "is missing");
    return json_is_boolean(value) ? 0 : corrupt(at, err, key, "is not a boolean");
}

/* An object whose values are strings, or null. When it may be absent, null is as good. */
static int check_map(const struct place *at, const json_t *object, const char *key, bool required,
                     struct pond_error *err)
{
    json_t *map = json_object_get(object, key);
    if (map == NULL || json_is_null(map))
        return required ? corrupt(at, err, key, "is missing") : 0;
    if (!json_is_object(map))
        return corrupt(at, err, key, "is not an object");
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value) {
        if (!json_is_string(value) && !json_is_null(value))
            return corrupt(at, err, key, "holds a value that is not a string");
    }
    return 0;
}

static int check_texts(const struct place *at, const json_t *object, const char *key, bool required,
                       struct pond_error *err)
{
    const json_t *list = json_object_get(object, key);
    if (list == NULL || json_is_null(list))
        return required ? corrupt(at, err, key, "is missing") : 0;
    if (!json_is_array(list))
        return corrupt(at, err, key, "is not an array");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_string(json_array_get(list, i)))
            return corrupt(at, err, key, "holds an element that is not a string");
    }
    return 0;
}

/* "scheme:..." of RFC 3986. A relative path with a colon in its first component has it percent-encoded. */
static bool has_scheme(const char *path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-";
    size_t n = strspn(path, allowed);
    return n > 0 && path[n] == ':';
}

/* The path decoded into decoded, which keeps it until the callback is done. Checked after decoding: "%2e%2e" is
 * ".." by then (invariant 8). */
static int need_path(const struct place *at, const json_t *object, struct pond_buf *decoded, const char **out,
                     struct pond_error *err)
{
    const char *text;
    POND_TRY(need_text(at, object, "path", &text, err));
    char problem[300];
    const char *what = NULL;
    pond_buf_clear(decoded);
    if (has_scheme(text))
        what = "has a scheme; only paths inside the table are read";
    else if (text[0] == '/')
        what = "is absolute; only paths inside the table are read";
    else if (!pond_percent_decode(decoded, text, strlen(text)))
        what = decoded->error == 0 ? "is not well percent-encoded" : NULL;
    else if (!pond_path_is_safe((const char *)decoded->data, decoded->size))
        what = "leads outside the table or is no path";
    if (what != NULL) {
        snprintf(problem, sizeof problem, "'%.200s' %s", text, what);
        return corrupt(at, err, "path", problem);
    }
    *out = pond_buf_cstr(decoded);
    return *out != NULL ? 0 : pond_buf_error(decoded, err);
}

/* ---- actions ---- */

typedef int check_fn(const struct place *at, const json_t *object, struct delta_action *action,
                     struct pond_buf *path, struct pond_error *err);

static int check_commit_info(const struct place *at, const json_t *object, struct delta_action *action,
                             struct pond_buf *path, struct pond_error *err)
{
    (void)at, (void)object, (void)action, (void)path, (void)err;
    return 0; /* free in form */
}

static int check_protocol(const struct place *at, const json_t *object, struct delta_action *action,
                          struct pond_buf *path, struct pond_error *err)
{
    (void)action, (void)path;
    int64_t version;
    POND_TRY(need_integer(at, object, "minReaderVersion", &version, err));
    POND_TRY(need_integer(at, object, "minWriterVersion", &version, err));
    POND_TRY(check_texts(at, object, "readerFeatures", false, err));
    return check_texts(at, object, "writerFeatures", false, err);
}

static int check_metadata(const struct place *at, const json_t *object, struct delta_action *action,
                          struct pond_buf *path, struct pond_error *err)
{
    (void)action, (void)path;
    const char *text;
    POND_TRY(need_text(at, object, "id", &text, err));
    POND_TRY(need_text(at, object, "schemaString", &text, err));
    POND_TRY(check_texts(at, object, "partitionColumns", true, err));
    if (!json_is_object(json_object_get(object, "format")))
        return corrupt(at, err, "format", "is missing or not an object");
    return check_map(at, object, "configuration", false, err);
}

static int check_add(const struct place *at, const json_t *object, struct delta_action *action, struct pond_buf *path,
                     struct pond_error *err)
{
    int64_t modified;
    POND_TRY(need_path(at, object, path, &action->path, err));
    POND_TRY(check_map(at, object, "partitionValues", true, err));
    POND_TRY(need_size(at, object, &action->size, err));
    POND_TRY(need_integer(at, object, "modificationTime", &modified, err));
    POND_TRY(need_boolean(at, object, "dataChange", err));
    return check_map(at, object, "tags", false, err);
}

static int check_remove(const struct place *at, const json_t *object, struct delta_action *action,
                        struct pond_buf *path, struct pond_error *err)
{
    POND_TRY(need_path(at, object, path, &action->path, err));
    POND_TRY(need_boolean(at, object, "dataChange", err));
    const json_t *size = json_object_get(object, "size");
    if (size == NULL || json_is_null(size)) {
        action->size = -1;
        return 0;
    }
    return need_size(at, object, &action->size, err);
}

static int check_txn(const struct place *at, const json_t *object, struct delta_action *action, struct pond_buf *path,
                     struct pond_error *err)
{
    (void)path;
    POND_TRY(need_text(at, object, "appId", &action->app_id, err));
    return need_integer(at, object, "version", &action->txn_version, err);
}

static const struct {
    const char *name;
    enum delta_kind kind;
    check_fn *check;
} kinds[] = {
    {"commitInfo", DELTA_COMMIT_INFO, check_commit_info}, {"protocol", DELTA_PROTOCOL, check_protocol},
    {"metaData", DELTA_METADATA, check_metadata},         {"add", DELTA_ADD, check_add},
    {"remove", DELTA_REMOVE, check_remove},               {"txn", DELTA_TXN, check_txn},
};

struct parser {
    const char *name;
    int64_t version;
    size_t line;
    delta_action_fn *fn;
    void *context;
    struct pond_buf path;
};

/* All the known actions of one line; by the protocol there is one. */
static int run_line(struct parser *p, const json_t *root, struct pond_error *err)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        json_t *object = json_object_get(root, kinds[i].name);
        if (object == NULL || json_is_null(object))
            continue;
        const struct place at = {.name = p->name, .line = p->line, .kind = kinds[i].name};
        if (!json_is_object(object))
            return corrupt(&at, err, "the action", "is not an object");
        struct delta_action action = {
            .kind = kinds[i].kind, .version = p->version, .line = p->line, .json = object};
        POND_TRY(kinds[i].check(&at, object, &action, &p->path, err));
        POND_TRY(p->fn(p->context, &action, err));
    }
    return 0;
}

static int parse_line(struct parser *p, const char *text, size_t size, struct pond_error *err)
{
    if (size > DELTA_LINE_MAX)
        return pond_fail_path(err, POND_ELIMIT, p->name, "%s: line %zu: larger than the limit of %zu bytes", p->name,
                              p->line, DELTA_LINE_MAX);
    json_error_t problem;
    json_t *root = json_loadb(text, size, JSON_ALLOW_NUL, &problem);
    if (root == NULL && json_error_code(&problem) == json_error_out_of_memory)
        return pond_fail_nomem(err);
    if (root == NULL)
        return pond_fail_path(err, POND_ECORRUPT, p->name, "%s: line %zu: not JSON: %s", p->name, p->line,
                              problem.text);
    int r = json_is_object(root) ? run_line(p, root, err)
                                 : pond_fail_path(err, POND_ECORRUPT, p->name, "%s: line %zu: not a JSON object",
                                                  p->name, p->line);
    json_decref(root);
    return r;
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    }
    return true;
}

int delta_parse_commit(const char *name, int64_t version, const void *bytes, size_t size, delta_action_fn *fn,
                       void *context, struct pond_error *err)
{
    struct parser p = {.name = name, .version = version, .fn = fn, .context = context};
    const char *text = bytes;
    bool empty = true;
    int r = 0;
    while (size > 0 && r == 0) {
        const char *newline = memchr(text, '\n', size);
        size_t line_size = newline != NULL ? (size_t)(newline - text) : size;
        p.line++;
        if (!is_blank(text, line_size)) {
            empty = false;
            r = parse_line(&p, text, line_size, err);
        }
        size_t step = line_size + (newline != NULL);
        text += step;
        size -= step;
    }
    pond_buf_release(&p.path);
    if (r == 0 && empty)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: the commit file is empty", name);
    return r;
}
