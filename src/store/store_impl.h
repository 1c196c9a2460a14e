/* store/store_impl.h - what the kinds of stores share. Private to this layer.
 *
 * store.c checks keys and arguments, then calls through struct store_ops; an implementation (dir.c) may rely on
 * them being good. A kind is added by an open function and one row in store.c.
 */
#ifndef STORE_STORE_IMPL_H
#define STORE_STORE_IMPL_H

#include "store/store.h"

struct store_ops {
    void (*release)(struct store *s); /* the implementation's own struct, s included; s->url is freed by store_free */
    int (*head)(struct store *s, const char *key, struct store_stat *out, struct pond_error *err);
    int (*get)(struct store *s, const char *key, size_t max, struct pond_buf *out, struct pond_error *err);
    int (*read_at)(struct store *s, const char *key, uint64_t offset, void *buf, size_t size, struct pond_error *err);
    int (*put_if_absent)(struct store *s, const char *key, const void *bytes, size_t size, struct pond_error *err);
    int (*replace)(struct store *s, const char *key, const void *bytes, size_t size, struct pond_error *err);
    int (*remove)(struct store *s, const char *key, struct pond_error *err);
    int (*list)(struct store *s, const char *prefix, const char *start_after, store_list_fn *fn, void *context,
                struct pond_error *err);
    /* Only for local stores: all four, or none (NULL). */
    const char *(*local_dir)(const struct store *s);
    int (*set_tmp_dir)(struct store *s, const char *relative, struct pond_error *err);
    int (*tmp_path)(struct store *s, char **out, struct pond_error *err);
    int (*tmp_clear)(struct store *s, int64_t older_than_s, struct pond_error *err);
};

/* First member of every kind's struct. */
struct store {
    const struct store_ops *ops;
    char *url;
};

/* dir.c. root: an absolute or relative path without a slash at the end (but "/" itself). */
POND_CHECKED int store_dir_open(struct store **out, const char *root, bool create, struct pond_error *err);

/* ---- listing a directory store (list.c) ---- */

struct store_dir_walk {
    const char *root;
    const char *skip_dir;    /* key of the directory of temporaries: left out */
    const char *prefix;      /* as store_list takes it */
    const char *start_after; /* "": from the first */
    store_list_fn *fn;
    void *context;
};
POND_CHECKED int store_dir_list(const struct store_dir_walk *w, struct pond_error *err);

/* ---- directories (dirs.c) ---- */

/* The directory part of path in fresh memory: "." when it has none, "/" for what stands in the root. NULL: out of
 * memory. */
char *store_dirname(const char *path);

/* Makes `dir` and its missing parents. `changed` is called with each directory that got a new entry; it (or what it
 * prepares) must sync that directory, or the new one may be gone after a power failure. */
typedef int store_dir_changed_fn(void *context, const char *dir, struct pond_error *err);
POND_CHECKED int store_dirs_make(const char *dir, store_dir_changed_fn *changed, void *context,
                                 struct pond_error *err);
/* A `changed` that syncs at once; context is not used. */
int store_dir_changed_sync(void *context, const char *dir, struct pond_error *err);
/* Removes a temporary as well as can be; failures do not matter. */
void store_discard(const char *path);

#endif
