/* tlogfs/hostdir.h - open directories of the host, for walks that name every entry relative to one.
 *
 * A directory is held by the walk that is in it, by its open children and by the jobs that use its descriptor. However
 * deep a tree is, a walk keeps few descriptors: those of far ancestors are closed on the way down and come back by
 * "..", proven by device and inode, on the way up. Owner's thread only, but for reading fd, path and name.
 */
#ifndef TLOGFS_HOSTDIR_H
#define TLOGFS_HOSTDIR_H

#include <sys/stat.h>

#include "base/mem.h"

struct hostdir {
    struct hostdir *parent;  /* held; NULL: the walk's first */
    int fd;                  /* -1: closed on the way down */
    dev_t dev;
    ino_t ino;
    uid_t uid;
    gid_t gid;
    mode_t mode;
    unsigned refs;           /* the walk, children */
    unsigned jobs;           /* that use fd */
    unsigned depth;
    char *path;              /* on the host, for messages */
    char *pond_path;
    uint8_t node_id[16];     /* of the directory in the pond */
    bool fresh;              /* copy: the pond has nothing below it yet */
    int64_t seen_dir;        /* copy: its number among the seen ones; 0: not looked up */
    void (*on_close)(void *context, struct hostdir *dir); /* before the descriptor is closed for good; may be NULL */
    void *context;
};

/* Takes fd over (failures too) and stats it. parent is held. refs is 1: the caller's. */
POND_CHECKED int hostdir_new(struct hostdir **out, struct hostdir *parent, int fd, const char *path,
                             const char *pond_path, struct pond_error *err);
/* Opens the directory `name` in parent: never a symlink. */
POND_CHECKED int hostdir_open(struct hostdir **out, struct hostdir *parent, const char *name, struct pond_error *err);
void hostdir_hold(struct hostdir *dir);
/* On the last one: on_close, close, and the parent's turn. */
void hostdir_drop(struct hostdir *dir);
/* The walk is about to leave `child` for its parent: the parent's descriptor is open afterwards. */
POND_CHECKED int hostdir_return(struct hostdir *child, struct pond_error *err);

/* "dir/name" replaces what out holds; NUL-terminated. NULL: out of memory. */
const char *hostdir_join(struct pond_buf *out, const char *dir, const char *name);

#endif
