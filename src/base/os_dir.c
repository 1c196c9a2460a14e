/* Directories: walking, sorted listings, removal of whole trees. */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os_fault.h"

struct os_dir {
    DIR *stream;
    char *path;
};

/* NULL and errno on failure; the descriptor is then closed. */
static DIR *stream_of(int fd)
{
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        int error = errno;
        os_close(fd);
        errno = error;
    }
    return stream;
}

/* The next entry other than "." and "..". NULL with errno 0: the end. */
static const struct dirent *next_entry(DIR *stream)
{
    for (;;) {
        int fault_errno = 0;
        bool faulty = os_fault(OS_FAULT_READ, &fault_errno);
        errno = fault_errno;
        const struct dirent *entry = faulty ? NULL : readdir(stream);
        if (entry == NULL && errno == EINTR)
            continue;
        if (entry == NULL || (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0))
            return entry;
    }
}

int os_dir_open(const char *path, struct os_dir **out, struct pond_error *err)
{
    struct os_dir *dir = pond_calloc(1, sizeof *dir);
    char *copy = pond_strdup(path);
    int r;
    if (dir == NULL || copy == NULL) {
        r = pond_fail_nomem(err);
        goto fail;
    }
    r = os_open(path, O_RDONLY | O_DIRECTORY, 0, err);
    if (r < 0)
        goto fail;
    dir->stream = stream_of(r);
    if (dir->stream == NULL) {
        r = pond_fail_errno(err, errno, path, "open");
        goto fail;
    }
    dir->path = copy;
    *out = dir;
    return 0;

fail:
    pond_free(copy);
    pond_free(dir);
    return r;
}

int os_dir_next(struct os_dir *dir, const char **name, unsigned char *type, struct pond_error *err)
{
    const struct dirent *entry = next_entry(dir->stream);
    if (entry == NULL)
        return errno != 0 ? pond_fail_errno(err, errno, dir->path, "read directory") : 0;
    *name = entry->d_name;
    *type = entry->d_type;
    return 1;
}

void os_dir_close(struct os_dir *dir)
{
    if (dir == NULL)
        return;
    (void)closedir(dir->stream);
    pond_free(dir->path);
    pond_free(dir);
}

/* Appends each name with its NUL. */
static int collect_names(const char *path, struct pond_buf *names, size_t *count, struct pond_error *err)
{
    struct os_dir *dir;
    POND_TRY(os_dir_open(path, &dir, err));
    const char *name = "";
    unsigned char type;
    int r;
    while ((r = os_dir_next(dir, &name, &type, err)) > 0) {
        if (pond_buf_append(names, name, strlen(name) + 1) < 0) {
            r = pond_buf_error(names, err);
            break;
        }
        ++*count;
    }
    os_dir_close(dir);
    return r;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int os_dir_sorted(const char *path, char ***out, size_t *count, struct pond_error *err)
{
    struct pond_buf names;
    size_t n = 0;
    pond_buf_init(&names, SIZE_MAX / 4);
    int r = collect_names(path, &names, &n, err);
    if (r < 0)
        goto out;

    /* One block: the pointers, then the bytes they point to. Neither sum can overflow: both are in memory. */
    size_t table_size = (n + 1) * sizeof(char *);
    char **table = pond_alloc(table_size + names.size, 1);
    if (table == NULL) {
        r = pond_fail_nomem(err);
        goto out;
    }
    char *bytes = (char *)table + table_size;
    if (names.size > 0)
        memcpy(bytes, names.data, names.size);
    for (size_t i = 0; i < n; i++) {
        table[i] = bytes;
        bytes += strlen(bytes) + 1;
    }
    table[n] = NULL;
    qsort(table, n, sizeof *table, compare_names);
    *out = table;
    *count = n;
out:
    pond_buf_release(&names);
    return r;
}

/* Removing a tree. Every step is relative to an open directory and follows no symlink, so that nobody who
 * swaps a directory for a link meanwhile can lead it elsewhere. The open directories are bounded: what lies
 * deeper than REMOVE_DEPTH is first moved up into the root of the tree, which is then read once more. */
#define REMOVE_DEPTH 16u

struct removal {
    struct {
        DIR *stream;
        char name[NAME_MAX + 1]; /* in the directory one level up; unused at level 0 */
    } levels[REMOVE_DEPTH];
    unsigned depth; /* levels open */
    bool moved_up;  /* something was moved into the root since it was last read from its start */
    unsigned long move_number;
    const char *root;
};

static int fail_removal(const struct removal *rm, int error, const char *name, struct pond_error *err)
{
    struct pond_buf path;
    pond_buf_init(&path, 0);
    (void)pond_buf_append_str(&path, rm->root);
    for (unsigned i = 1; i < rm->depth; i++)
        (void)pond_buf_printf(&path, "/%s", rm->levels[i].name);
    if (name != NULL)
        (void)pond_buf_printf(&path, "/%s", name);
    const char *text = pond_buf_cstr(&path);
    int r = pond_fail_errno(err, error, text != NULL ? text : rm->root, "remove");
    pond_buf_release(&path);
    return r;
}

/* Opens a directory as the next level. 0, or an errno value: ENOTDIR (or ELOOP) for all that is none. */
static int enter(struct removal *rm, int parent_fd, const char *name)
{
    int fd;
    OS_CALL(fd, OS_FAULT_READ, openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd < 0)
        return errno;
    DIR *stream = stream_of(fd);
    if (stream == NULL)
        return errno;
    (void)snprintf(rm->levels[rm->depth].name, sizeof rm->levels[rm->depth].name, "%s", name);
    rm->levels[rm->depth].stream = stream;
    rm->depth++;
    return 0;
}

/* Moves a directory too deep for us into the root, under a name of no meaning. 0 or an errno value. */
static int move_up(struct removal *rm, int parent_fd, const char *name)
{
    for (;;) {
        char up[64];
        (void)snprintf(up, sizeof up, ".removing-%lu", rm->move_number++);
        int r;
        OS_CALL(r, OS_FAULT_WRITE, renameat(parent_fd, name, dirfd(rm->levels[0].stream), up));
        if (r == 0) {
            rm->moved_up = true;
            return 0;
        }
        /* The name is taken. (An empty directory of that name was replaced: it had to go all the same.) */
        if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
            return errno;
    }
}

/* 0: gone, or a level to empty first. Otherwise an errno value. */
static int remove_entry(struct removal *rm, int dir_fd, const char *name, unsigned char type)
{
    int r = -1;
    if (type != DT_DIR) {
        OS_CALL(r, OS_FAULT_WRITE, unlinkat(dir_fd, name, 0));
        /* EISDIR, EPERM: it may be a directory of unknown type; the next call tells. */
        if (r == 0 || errno == ENOENT)
            return 0;
        int error = errno;
        struct stat st;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
            return error;
    }
    OS_CALL(r, OS_FAULT_WRITE, unlinkat(dir_fd, name, AT_REMOVEDIR));
    if (r == 0 || errno == ENOENT)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return errno;
    if (rm->depth == REMOVE_DEPTH)
        return move_up(rm, dir_fd, name);
    int error = enter(rm, dir_fd, name);
    return error == ENOENT ? 0 : error;
}

/* Closes the deepest level, which has been read to its end, and removes its name from the one above. */
static int leave(struct removal *rm, struct pond_error *err)
{
    unsigned level = rm->depth - 1;
    if (level == 0) {
        if (rm->moved_up) {
            rm->moved_up = false;
            rewinddir(rm->levels[0].stream);
            return 0;
        }
    } else {
        int r;
        OS_CALL(r, OS_FAULT_WRITE,
                unlinkat(dirfd(rm->levels[level - 1].stream), rm->levels[level].name, AT_REMOVEDIR));
        if (r < 0 && errno != ENOENT)
            return fail_removal(rm, errno, NULL, err);
    }
    (void)closedir(rm->levels[level].stream);
    rm->depth = level;
    return 0;
}

static int remove_contents(struct removal *rm, struct pond_error *err)
{
    while (rm->depth > 0) {
        DIR *stream = rm->levels[rm->depth - 1].stream;
        const struct dirent *entry = next_entry(stream);
        if (entry == NULL) {
            if (errno != 0)
                return fail_removal(rm, errno, NULL, err);
            POND_TRY(leave(rm, err));
            continue;
        }
        int error = remove_entry(rm, dirfd(stream), entry->d_name, entry->d_type);
        if (error != 0)
            return fail_removal(rm, error, entry->d_name, err);
    }
    return 0;
}

int os_remove_tree(const char *path, struct pond_error *err)
{
    struct removal *rm = pond_calloc(1, sizeof *rm);
    char *root = pond_strdup(path);
    int r = 0;
    if (rm == NULL || root == NULL) {
        r = pond_fail_nomem(err);
        goto out;
    }
    for (size_t size = strlen(root); size > 1 && root[size - 1] == '/'; size--)
        root[size - 1] = '\0'; /* "link/" would be what the link points to */
    rm->root = root;

    int error = enter(rm, AT_FDCWD, root);
    if (error == ENOTDIR || error == ELOOP) {
        r = os_unlink(root, err);
        goto out;
    }
    if (error != 0) {
        r = fail_removal(rm, error, NULL, err);
        goto out;
    }
    r = remove_contents(rm, err);
    if (r == 0)
        r = os_rmdir(root, err);
out:
    while (rm != NULL && rm->depth > 0)
        (void)closedir(rm->levels[--rm->depth].stream);
    pond_free(rm);
    pond_free(root);
    return r;
}
