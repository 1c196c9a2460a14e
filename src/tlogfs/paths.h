/* tlogfs/paths.h - the paths of rows in history. Rows of one directory follow each other mostly, so its path is kept. */
#ifndef TLOGFS_PATHS_H
#define TLOGFS_PATHS_H

#include "tlogfs/index.h"

/* {.index = ...}; released by row_paths_release. */
struct row_paths {
    struct index *index;
    bool known;              /* part_id, txn and the directory's path are set */
    bool attached;
    uint8_t part_id[16];
    int64_t txn;
    size_t directory_size;   /* of the path in `path` */
    struct pond_buf path;
};
void row_paths_clear(struct row_paths *rp);
void row_paths_release(struct row_paths *rp);

/* 1: *path is where the row's entry stood after its transaction or, when its directory vanished in it, before; 0: nowhere.
 * Valid until the next call. */
POND_CHECKED int row_path(struct row_paths *rp, const struct index_row *row, const char **path, struct pond_error *err);

#endif
