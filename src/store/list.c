/* store/list.c - the keys of a directory store in the order of their bytes.
 *
 * One directory's names are in memory at each level. A directory is sorted as "name/", because that is what stands in
 * its keys: "a-b" comes before "a/x", for '-' is less than '/'.
 */
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "store/store_impl.h"

#define STOPPED 1 /* the callback wants no more; never leaves this file */
#define NAMES_MAX ((size_t)1 << 30)

/* One level: the names in `names`, each ended by NUL, found through `order`. */
struct level {
    struct pond_buf names;
    const char **order;
    size_t count;
};

static void level_release(struct level *level)
{
    pond_buf_release(&level->names);
    pond_free(level->order);
}

/* Does any key that begins with `stem` (a directory's key and a slash) come after start_after and match prefix? */
static bool subtree_wanted(const struct store_dir_walk *w, const char *stem)
{
    size_t size = strlen(stem);
    size_t common = strlen(w->prefix) < size ? strlen(w->prefix) : size;
    if (memcmp(stem, w->prefix, common) != 0)
        return false;
    return strncmp(w->start_after, stem, size) <= 0;
}

static bool key_wanted(const struct store_dir_walk *w, const char *key)
{
    return strncmp(key, w->prefix, strlen(w->prefix)) == 0 && strcmp(key, w->start_after) > 0;
}

/* A symlink to a file is an object; one to a directory is not followed: it may lead in circles. */
static int is_directory(const char *dir, const char *name, unsigned char type, struct pond_error *err)
{
    if (type != DT_UNKNOWN)
        return type == DT_DIR;
    char *path = os_path_join(dir, name);
    if (path == NULL)
        return pond_fail_nomem(err);
    struct stat st;
    int r = os_lstat(path, &st, err);
    pond_free(path);
    return r == POND_ENOTFOUND ? 0 : r < 0 ? r : S_ISDIR(st.st_mode);
}

/* Adds one name when its key, or a key below it, may be wanted. key holds the directory's own key and slash. */
static int level_add(const struct store_dir_walk *w, struct pond_buf *key, const char *dir, const char *name,
                     unsigned char type, struct level *level, struct pond_error *err)
{
    int directory = is_directory(dir, name, type, err);
    if (directory < 0)
        return directory;
    size_t stem = key->size;
    (void)pond_buf_append_str(key, name);
    const char *text = pond_buf_cstr(key);
    bool skip = text != NULL && strcmp(text, w->skip_dir) == 0;
    if (directory)
        (void)pond_buf_append_str(key, "/");
    text = pond_buf_cstr(key);
    if (text == NULL)
        return pond_fail_nomem(err);
    bool wanted = !skip && (directory ? subtree_wanted(w, text) : key_wanted(w, text));
    key->size = stem;
    if (!wanted)
        return 0;
    (void)pond_buf_append_str(&level->names, name);
    (void)pond_buf_append(&level->names, "/", directory ? 2 : 0); /* the slash and its NUL */
    if (!directory)
        (void)pond_buf_append_byte(&level->names, '\0');
    level->count++;
    return pond_buf_error(&level->names, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int level_sort(struct level *level, struct pond_error *err)
{
    level->order = pond_alloc(level->count, sizeof *level->order);
    if (level->order == NULL)
        return pond_fail_nomem(err);
    const char *name = (const char *)level->names.data;
    for (size_t i = 0; i < level->count; i++) {
        level->order[i] = name;
        name += strlen(name) + 1;
    }
    if (level->count > 1)
        qsort(level->order, level->count, sizeof *level->order, compare_names);
    return 0;
}

/* A directory that is not there (any more) holds no keys. */
static int level_read(const struct store_dir_walk *w, struct pond_buf *key, const char *dir, struct level *level,
                      struct pond_error *err)
{
    struct os_dir *stream;
    int r = os_dir_open(dir, &stream, err);
    if (r == POND_ENOTFOUND || (r == POND_EIO && os_exists(dir, NULL) == 0))
        return 0;
    if (r < 0)
        return r;
    const char *name;
    unsigned char type;
    while ((r = os_dir_next(stream, &name, &type, err)) == 1) {
        r = level_add(w, key, dir, name, type, level, err);
        if (r < 0)
            break;
    }
    os_dir_close(stream);
    return r < 0 ? r : level_sort(level, err);
}

static int emit(const struct store_dir_walk *w, const char *key, struct pond_error *err)
{
    char *path = os_path_join(w->root, key);
    if (path == NULL)
        return pond_fail_nomem(err);
    struct stat st;
    int r = os_stat(path, &st, err);
    pond_free(path);
    if (r == POND_ENOTFOUND || (r == 0 && !S_ISREG(st.st_mode)))
        return 0; /* removed meanwhile; a dangling symlink; a socket: no object */
    if (r < 0)
        return r;
    const struct store_stat stat = {
        .size = (uint64_t)st.st_size,
        .mtime_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
    };
    r = w->fn(w->context, key, &stat, err);
    return r > 0 ? STOPPED : r;
}

/* key: "" or a directory's key with its slash; restored on return. Recursion is as deep as paths are: the kernel
 * refuses one over 4096 bytes. */
static int walk_dir(const struct store_dir_walk *w, struct pond_buf *key, struct pond_error *err)
{
    size_t stem = key->size;
    struct level level = {.names = {.max = NAMES_MAX}};
    const char *relative = pond_buf_cstr(key);
    char *dir = relative == NULL ? NULL : stem == 0 ? pond_strdup(w->root) : os_path_join(w->root, relative);
    int r = dir == NULL ? pond_fail_nomem(err) : level_read(w, key, dir, &level, err);
    pond_free(dir);
    for (size_t i = 0; i < level.count && r == 0; i++) {
        const char *name = level.order[i];
        (void)pond_buf_append_str(key, name);
        const char *text = pond_buf_cstr(key);
        if (text == NULL)
            r = pond_fail_nomem(err);
        else
            r = name[strlen(name) - 1] == '/' ? walk_dir(w, key, err) : emit(w, text, err);
        key->size = stem;
    }
    level_release(&level);
    return r;
}

int store_dir_list(const struct store_dir_walk *w, struct pond_error *err)
{
    struct pond_buf key = {0};
    const char *slash = strrchr(w->prefix, '/');
    if (slash != NULL) /* begin below, not at the root */
        (void)pond_buf_append(&key, w->prefix, (size_t)(slash - w->prefix) + 1);
    int r = pond_buf_error(&key, err);
    if (r == 0)
        r = walk_dir(w, &key, err);
    pond_buf_release(&key);
    return r == STOPPED ? 0 : r;
}
