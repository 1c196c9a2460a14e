/* tlogfs/paths.c - where a row's entry stands, or stood. */
#include "tlogfs/paths.h"

#include <string.h>

void row_paths_clear(struct row_paths *rp)
{
    rp->known = false;
}

void row_paths_release(struct row_paths *rp)
{
    pond_buf_release(&rp->path);
    rp->known = false;
}

static int find_directory(struct row_paths *rp, const struct oplog_row *o, struct pond_error *err)
{
    pond_buf_clear(&rp->path);
    int r = index_node_path(rp->index, o->part_id, o->txn_seq, &rp->path, err);
    if (r == POND_ENOTFOUND && o->txn_seq > 0) {
        pond_buf_clear(&rp->path);
        r = index_node_path(rp->index, o->part_id, o->txn_seq - 1, &rp->path, err);
    }
    if (r < 0 && r != POND_ENOTFOUND)
        return r;
    rp->attached = r == 0;
    if (rp->path.size == 1)
        rp->path.size = 0; /* the root: the name brings the slash */
    rp->directory_size = rp->path.size;
    rp->txn = o->txn_seq;
    memcpy(rp->part_id, o->part_id, sizeof rp->part_id);
    rp->known = true;
    return 0;
}

int row_path(struct row_paths *rp, const struct index_row *row, const char **path, struct pond_error *err)
{
    const struct oplog_row *o = &row->row;
    if (!o->has_part) {
        *path = "/";
        return 1;
    }
    if (!rp->known || rp->txn != o->txn_seq || memcmp(rp->part_id, o->part_id, sizeof rp->part_id) != 0)
        POND_TRY(find_directory(rp, o, err));
    if (!rp->attached)
        return 0;
    rp->path.size = rp->directory_size;
    pond_buf_append_byte(&rp->path, '/');
    pond_buf_append(&rp->path, o->name, o->name_size);
    *path = pond_buf_cstr(&rp->path);
    if (*path == NULL)
        return pond_buf_error(&rp->path, err) < 0 ? rp->path.error : pond_fail_nomem(err);
    return 1;
}
