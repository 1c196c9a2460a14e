/* store/dir.c - a store that is a local directory: a key is a file's path below it.
 *
 * Invariants (DESIGN.md section 5, numbers 1 and 3): a file gets its key by rename, after it was synced; the directory
 * that holds it is synced before a put returns, and so is the parent of every directory made on the way.
 */
#include "store/store_impl.h"

#include <fcntl.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"

#define DEFAULT_TMP_DIR "_tmp"
#define PUT_ATTEMPTS 4 /* how often others may take the directories away under a put before it gives up */

struct dir_store {
    struct store base;
    char *root;
    char *tmp_rel; /* where temporaries stand, relative to root */
};

static struct dir_store *self(struct store *s)
{
    return (struct dir_store *)s; /* base is the first member */
}

/* ---- paths ---- */

static char *path_of(const struct dir_store *d, const char *key)
{
    return os_path_join(d->root, key);
}

/* A failure on path is "not there" when path leads through something that is no directory. */
static int not_found_through_file(const char *path, int r, struct pond_error *err)
{
    if (r != POND_EIO || os_exists(path, NULL) != 0)
        return r;
    return pond_fail_path(err, POND_ENOTFOUND, path, "%s: there is no such object", path);
}

static int make_parent(const char *path, struct pond_error *err)
{
    char *parent = store_dirname(path);
    if (parent == NULL)
        return pond_fail_nomem(err);
    int r = store_dirs_make(parent, store_dir_changed_sync, NULL, err);
    pond_free(parent);
    return r;
}

/* Temporaries need no durable directory: after a power failure they are garbage. */
static int no_sync(void *context, const char *dir, struct pond_error *err)
{
    (void)context;
    (void)dir;
    (void)err;
    return 0;
}

static int dir_tmp_path(struct store *s, char **out, struct pond_error *err)
{
    uint8_t uuid[16];
    char name[POND_UUID_TEXT_SIZE];
    pond_uuid7(uuid);
    pond_uuid_format(uuid, name);
    char *tmp_dir = path_of(self(s), self(s)->tmp_rel);
    char *path = tmp_dir != NULL ? os_path_join(tmp_dir, name) : NULL;
    int r = path != NULL ? store_dirs_make(tmp_dir, no_sync, NULL, err) : pond_fail_nomem(err);
    pond_free(tmp_dir);
    if (r < 0) {
        pond_free(path);
        return r;
    }
    *out = path;
    return 0;
}

/* ---- reading ---- */

static int dir_head(struct store *s, const char *key, struct store_stat *out, struct pond_error *err)
{
    char *path = path_of(self(s), key);
    if (path == NULL)
        return pond_fail_nomem(err);
    struct stat st;
    int r = not_found_through_file(path, os_stat(path, &st, err), err);
    pond_free(path);
    if (r == POND_ENOTFOUND)
        return 0;
    if (r < 0)
        return r;
    if (!S_ISREG(st.st_mode))
        return 0; /* a directory is a part of keys, not an object */
    *out = (struct store_stat){
        .size = (uint64_t)st.st_size,
        .mtime_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
    };
    return 1;
}

static int dir_get(struct store *s, const char *key, size_t max, struct pond_buf *out, struct pond_error *err)
{
    char *path = path_of(self(s), key);
    if (path == NULL)
        return pond_fail_nomem(err);
    int r = not_found_through_file(path, os_read_file(path, max, out, err), err);
    pond_free(path);
    return r;
}

static int dir_read_at(struct store *s, const char *key, uint64_t offset, void *buf, size_t size,
                       struct pond_error *err)
{
    char *path = path_of(self(s), key);
    if (path == NULL)
        return pond_fail_nomem(err);
    int fd = os_open(path, O_RDONLY, 0, err);
    int r = fd < 0 ? not_found_through_file(path, fd, err) : os_pread_exact(fd, path, buf, size, offset, err);
    os_close(fd);
    pond_free(path);
    return r;
}

/* ---- writing ---- */

typedef int install_fn(const char *tmp_path, const char *path, const void *bytes, size_t size,
                       struct pond_error *err);

/* Makes the directories and installs. Another process may remove a directory that is empty (store_delete,
 * store_tmp_clear) between the two; then both are done again. */
static int put(struct store *s, const char *path, const void *bytes, size_t size, install_fn *install,
               struct pond_error *err)
{
    for (int attempt = 1;; attempt++) {
        char *tmp_path;
        POND_TRY(dir_tmp_path(s, &tmp_path, err));
        int r = make_parent(path, err);
        if (r == 0)
            r = install(tmp_path, path, bytes, size, err);
        pond_free(tmp_path);
        if (r != POND_ENOTFOUND || attempt == PUT_ATTEMPTS)
            return r;
    }
}

static int dir_put_if_absent(struct store *s, const char *key, const void *bytes, size_t size,
                             struct pond_error *err)
{
    char *path = path_of(self(s), key);
    if (path == NULL)
        return pond_fail_nomem(err);
    int r = os_exists(path, err); /* spares the loser a write and a sync; the rename decides */
    if (r == 0)
        r = put(s, path, bytes, size, os_install_file, err);
    else if (r == 1)
        r = POND_EEXISTS;
    if (r == POND_EEXISTS)
        (void)pond_fail_path(err, r, key, "%s: is there already", path);
    pond_free(path);
    return r;
}

static int write_synced(const char *path, const void *bytes, size_t size, struct pond_error *err)
{
    int fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0666, err);
    if (fd < 0)
        return fd;
    int r = os_write(fd, path, bytes, size, err);
    if (r == 0)
        r = os_fsync(fd, path, err);
    if (r < 0) {
        os_close(fd);
        return r;
    }
    return os_close_checked(fd, path, err);
}

static int install_replacing(const char *tmp_path, const char *path, const void *bytes, size_t size,
                             struct pond_error *err)
{
    char *parent = store_dirname(path);
    if (parent == NULL)
        return pond_fail_nomem(err);
    int r = write_synced(tmp_path, bytes, size, err);
    if (r == 0)
        r = os_rename(tmp_path, path, err);
    if (r < 0)
        store_discard(tmp_path);
    else
        r = os_fsync_dir(parent, err);
    pond_free(parent);
    return r;
}

static int dir_replace(struct store *s, const char *key, const void *bytes, size_t size, struct pond_error *err)
{
    char *path = path_of(self(s), key);
    if (path == NULL)
        return pond_fail_nomem(err);
    int r = put(s, path, bytes, size, install_replacing, err);
    pond_free(path);
    return r;
}

/* Directories that become empty go too, up to the root: a deleted bundle leaves nothing behind. */
static void remove_empty_parents(const char *root, const char *path)
{
    char *dir = store_dirname(path);
    while (dir != NULL && strlen(dir) > strlen(root) && os_rmdir(dir, NULL) == 0) {
        char *parent = store_dirname(dir);
        pond_free(dir);
        dir = parent;
    }
    pond_free(dir);
}

static int dir_remove(struct store *s, const char *key, struct pond_error *err)
{
    char *path = path_of(self(s), key);
    if (path == NULL)
        return pond_fail_nomem(err);
    int r = not_found_through_file(path, os_unlink(path, err), err);
    if (r == 0)
        remove_empty_parents(self(s)->root, path);
    pond_free(path);
    return r == POND_ENOTFOUND ? 0 : r;
}

/* ---- temporaries ---- */

static int dir_set_tmp_dir(struct store *s, const char *relative, struct pond_error *err)
{
    char *copy = pond_strdup(relative);
    if (copy == NULL)
        return pond_fail_nomem(err);
    pond_free(self(s)->tmp_rel);
    self(s)->tmp_rel = copy;
    return 0;
}

/* The time as the file system's own clock tells it: a server's may differ from ours. */
static int file_system_now(struct store *s, int64_t *seconds, struct pond_error *err)
{
    char *probe;
    POND_TRY(dir_tmp_path(s, &probe, err));
    struct stat st;
    int fd = os_open(probe, O_WRONLY | O_CREAT | O_EXCL, 0600, err);
    int r = fd < 0 ? fd : os_fstat(fd, probe, &st, err);
    if (fd >= 0)
        store_discard(probe);
    os_close(fd);
    pond_free(probe);
    if (r == 0)
        *seconds = (int64_t)st.st_mtim.tv_sec;
    return r;
}

static int clear_one(const char *tmp_dir, const char *name, int64_t newest_s, struct pond_error *err)
{
    char *path = os_path_join(tmp_dir, name);
    if (path == NULL)
        return pond_fail_nomem(err);
    struct stat st;
    int r = os_lstat(path, &st, err);
    if (r == 0 && !S_ISDIR(st.st_mode) && (int64_t)st.st_mtim.tv_sec <= newest_s)
        r = os_unlink(path, err);
    pond_free(path);
    return r == POND_ENOTFOUND ? 0 : r; /* its owner was done with it meanwhile */
}

static int clear_old(const char *tmp_dir, int64_t newest_s, struct pond_error *err)
{
    struct os_dir *dir;
    POND_TRY(os_dir_open(tmp_dir, &dir, err));
    const char *name;
    unsigned char type;
    int r;
    while ((r = os_dir_next(dir, &name, &type, err)) == 1) {
        r = clear_one(tmp_dir, name, newest_s, err);
        if (r < 0)
            break;
    }
    os_dir_close(dir);
    return r;
}

static int dir_tmp_clear(struct store *s, int64_t older_than_s, struct pond_error *err)
{
    char *tmp_dir = path_of(self(s), self(s)->tmp_rel);
    if (tmp_dir == NULL)
        return pond_fail_nomem(err);
    int64_t now_s = 0;
    int r = os_exists(tmp_dir, err);
    if (r == 1) {
        r = file_system_now(s, &now_s, err);
        if (r == 0)
            r = clear_old(tmp_dir, now_s - older_than_s, err);
        if (r == 0 && os_rmdir(tmp_dir, NULL) < 0)
            r = 0; /* not empty: somebody is at work */
    }
    pond_free(tmp_dir);
    return r;
}

/* ---- listing (list.c) ---- */

static int dir_list(struct store *s, const char *prefix, const char *start_after, store_list_fn *fn, void *context,
                    struct pond_error *err)
{
    const struct store_dir_walk walk = {
        .root = self(s)->root,
        .skip_dir = self(s)->tmp_rel,
        .prefix = prefix,
        .start_after = start_after != NULL ? start_after : "",
        .fn = fn,
        .context = context,
    };
    return store_dir_list(&walk, err);
}

/* ---- opening ---- */

static const char *dir_local_dir(const struct store *s)
{
    return ((const struct dir_store *)s)->root;
}

static void dir_release(struct store *s)
{
    pond_free(self(s)->root);
    pond_free(self(s)->tmp_rel);
    pond_free(s);
}

static const struct store_ops dir_ops = {
    .release = dir_release,
    .head = dir_head,
    .get = dir_get,
    .read_at = dir_read_at,
    .put_if_absent = dir_put_if_absent,
    .replace = dir_replace,
    .remove = dir_remove,
    .list = dir_list,
    .local_dir = dir_local_dir,
    .set_tmp_dir = dir_set_tmp_dir,
    .tmp_path = dir_tmp_path,
    .tmp_clear = dir_tmp_clear,
};

/* Opening the directory tells at once whether it is one and whether it may be read. */
static int check_root(const char *root, bool create, struct pond_error *err)
{
    if (create)
        POND_TRY(store_dirs_make(root, store_dir_changed_sync, NULL, err));
    struct os_dir *dir;
    struct stat st;
    int r = os_dir_open(root, &dir, err);
    if (r == 0)
        os_dir_close(dir);
    else if (r == POND_ENOTFOUND)
        return pond_fail_path(err, POND_ENOPOND, root, "%s: there is no such directory", root);
    else if (r == POND_EIO && os_stat(root, &st, NULL) == 0 && !S_ISDIR(st.st_mode))
        return pond_fail_path(err, POND_ENOPOND, root, "%s: is not a directory", root);
    return r;
}

int store_dir_open(struct store **out, const char *root, bool create, struct pond_error *err)
{
    POND_TRY(check_root(root, create, err));
    struct dir_store *d = pond_calloc(1, sizeof *d);
    if (d == NULL)
        return pond_fail_nomem(err);
    d->base.ops = &dir_ops;
    d->root = pond_strdup(root);
    d->tmp_rel = pond_strdup(DEFAULT_TMP_DIR);
    if (d->root == NULL || d->tmp_rel == NULL) {
        dir_release(&d->base);
        return pond_fail_nomem(err);
    }
    *out = &d->base;
    return 0;
}
