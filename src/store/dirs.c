/* store/dirs.c - making directories that survive a power failure. */
#include "store/store_impl.h"

#include <string.h>

#include "base/os.h"

#define DIR_MODE 0777 /* less the umask: who may read a store is the user's decision */

char *store_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return pond_strdup(".");
    while (slash > path && slash[-1] == '/')
        slash--;
    if (slash == path)
        return pond_strdup("/");
    return pond_memdup(path, (size_t)(slash - path));
}

/* 1: made now; 0: it was there, or another process was faster. */
static int make_one(const char *dir, struct pond_error *err)
{
    int r = os_mkdir(dir, DIR_MODE, NULL);
    if (r == 0)
        return 1;
    if (r == POND_EEXISTS)
        return 0;
    if (r == POND_ENOTFOUND)
        return r; /* the parent is missing: the caller's next step, not yet a failure */
    int there = os_exists(dir, NULL); /* mkdir on a read-only file system fails even for one that is there */
    if (there == 1)
        return 0;
    r = os_mkdir(dir, DIR_MODE, err);
    return r == 0 ? 1 : r == POND_EEXISTS ? 0 : r;
}

int store_dirs_make(const char *dir, store_dir_changed_fn *changed, void *context, struct pond_error *err)
{
    int r = make_one(dir, err);
    if (r == 0)
        return 0;
    char *parent = store_dirname(dir);
    if (parent == NULL)
        return pond_fail_nomem(err);
    if (r == POND_ENOTFOUND && strcmp(parent, dir) != 0) {
        r = store_dirs_make(parent, changed, context, err); /* as deep as the path has components */
        if (r == 0)
            r = make_one(dir, err);
        if (r == POND_ENOTFOUND)
            r = pond_fail_path(err, POND_ENOTFOUND, dir, "%s: its parent directory vanished", dir);
    }
    if (r == 1)
        r = changed(context, parent, err);
    pond_free(parent);
    return r;
}

int store_dir_changed_sync(void *context, const char *dir, struct pond_error *err)
{
    (void)context;
    return os_fsync_dir(dir, err);
}

void store_discard(const char *path)
{
    if (os_unlink(path, NULL) < 0)
        return; /* a failure is being reported already, and what stays is garbage that store_tmp_clear removes */
}
