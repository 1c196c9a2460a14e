#include "tlogfs/hostdir.h"

#include <fcntl.h>
#include <string.h>

#include "base/os_at.h"

#define OPEN_LEVELS 96u /* directories that stay open above the one the walk is in */

const char *hostdir_join(struct pond_buf *out, const char *dir, const char *name)
{
    size_t size = strlen(dir);
    pond_buf_clear(out);
    (void)pond_buf_append(out, dir, size);
    if (size > 0 && dir[size - 1] != '/')
        (void)pond_buf_append_byte(out, '/');
    (void)pond_buf_append_str(out, name);
    return pond_buf_cstr(out);
}

/* Closes the descriptor of the ancestor that has become too far, unless a job still uses it. */
static void close_far_ancestor(struct hostdir *dir)
{
    unsigned steps = 0;
    while (dir != NULL && steps++ < OPEN_LEVELS)
        dir = dir->parent;
    if (dir != NULL && dir->jobs == 0 && dir->parent != NULL) {
        os_close(dir->fd);
        dir->fd = -1;
    }
}

int hostdir_new(struct hostdir **out, struct hostdir *parent, int fd, const char *path, const char *pond_path,
                struct pond_error *err)
{
    struct stat st;
    struct hostdir *dir = pond_calloc(1, sizeof *dir);
    char *path_copy = pond_strdup(path);
    char *pond_copy = pond_strdup(pond_path);
    int r = dir != NULL && path_copy != NULL && pond_copy != NULL ? 0 : pond_fail_nomem(err);
    if (r == 0)
        r = os_fstat(fd, path, &st, err);
    if (r < 0) {
        os_close(fd);
        pond_free(dir);
        pond_free(path_copy);
        pond_free(pond_copy);
        return r;
    }
    *dir = (struct hostdir){
        .parent = parent,
        .fd = fd,
        .dev = st.st_dev,
        .ino = st.st_ino,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .mode = st.st_mode,
        .refs = 1,
        .depth = parent != NULL ? parent->depth + 1 : 0,
        .path = path_copy,
        .pond_path = pond_copy,
    };
    if (parent != NULL)
        hostdir_hold(parent);
    close_far_ancestor(dir);
    *out = dir;
    return 0;
}

int hostdir_open(struct hostdir **out, struct hostdir *parent, const char *name, struct pond_error *err)
{
    struct pond_buf path = {0};
    struct pond_buf pond_path = {0};
    int r = 0;
    if (hostdir_join(&path, parent->path, name) == NULL || hostdir_join(&pond_path, parent->pond_path, name) == NULL)
        r = pond_fail_nomem(err);
    if (r == 0)
        r = os_at_open_read(parent->fd, name, (const char *)path.data, O_DIRECTORY, err);
    if (r >= 0)
        r = hostdir_new(out, parent, r, (const char *)path.data, (const char *)pond_path.data, err);
    pond_buf_release(&path);
    pond_buf_release(&pond_path);
    return r;
}

void hostdir_hold(struct hostdir *dir)
{
    dir->refs++;
}

void hostdir_drop(struct hostdir *dir)
{
    while (dir != NULL && --dir->refs == 0) {
        struct hostdir *parent = dir->parent;
        if (dir->on_close != NULL)
            dir->on_close(dir->context, dir);
        os_close(dir->fd);
        pond_free(dir->path);
        pond_free(dir->pond_path);
        pond_free(dir);
        dir = parent;
    }
}

int hostdir_return(struct hostdir *child, struct pond_error *err)
{
    struct hostdir *parent = child->parent;
    if (parent == NULL || parent->fd >= 0)
        return 0;
    int fd = os_at_open_read(child->fd, "..", parent->path, O_DIRECTORY, err);
    if (fd < 0)
        return fd;
    struct stat st;
    int r = os_fstat(fd, parent->path, &st, err);
    if (r == 0 && (st.st_dev != parent->dev || st.st_ino != parent->ino))
        r = pond_fail_path(err, POND_EFAILED, parent->path, "%s: was moved while it was walked", parent->path);
    if (r < 0) {
        os_close(fd);
        return r;
    }
    parent->fd = fd;
    return 0;
}
