/* tlogfs/handle.h - making a handle step by step, for open.c, init.c, replica.c and txn.c. Private to them. */
#ifndef TLOGFS_HANDLE_H
#define TLOGFS_HANDLE_H

#include "tlogfs/pond.h"

/* An unlocked handle with paths, store and table; nothing is read yet. With `create` dir is made when missing. */
POND_CHECKED int pond_handle_new(struct pond **out, const char *dir, bool create, struct pond_error *err);
/* Makes _pond and _pond/tmp when missing, takes the lock. */
POND_CHECKED int pond_handle_lock(struct pond *p, struct pond_error *err);
/* Opens the index and brings it to the log's tip; a handle without commits (info.txn = -1) is fine. info.id must be known. */
POND_CHECKED int pond_handle_index(struct pond *p, struct pond_error *err);
/* Tip and entries into info, from the index. */
POND_CHECKED int pond_load_tip(struct pond *p, struct pond_error *err);

/* Commit 0: 1 and *out, 0 when there is none. POND_ECORRUPT: what is there is no pond's. */
POND_CHECKED int pond_first_commit(const struct pond *p, struct pond_commit *out, struct pond_error *err);
/* Id and options of a pond, from its first commit. */
void pond_set_identity(struct pond *p, const struct pond_commit *first);

/* _pond/config.json: a missing, damaged or foreign one (of another pond_id) is replaced in memory by `role` and no remotes. */
POND_CHECKED int pond_config_load(struct pond *p, enum pond_role role, struct pond_error *err);
POND_CHECKED int pond_config_set_role(struct pond *p, enum pond_role role, struct pond_error *err);
/* The pond_id and role in a config file, for a directory that has no commit yet. 1, or 0: none, or damaged. */
POND_CHECKED int pond_config_peek(const struct pond *p, char id[37], enum pond_role *role, struct pond_error *err);

/* Inside index_begin: puts the rows and pages of a commit's part into the index, after the part's size and hash were checked.
 * Nothing to do for a commit without one. */
POND_CHECKED int pond_take_in_part(struct pond *p, const struct pond_commit *c, struct pond_error *err);
/* index_end for that commit. */
POND_CHECKED int pond_take_in_end(struct pond *p, const struct pond_commit *c, struct pond_error *err);
/* Number, id and parent of a commit that is to follow the index's tip. POND_ECORRUPT. */
POND_CHECKED int pond_check_link(const struct pond *p, const char *name, const struct pond_commit *c, int64_t txn,
                                 const uint8_t parent_blake3[32], struct pond_error *err);
/* The pages of a part that is being taken in: the writer's way and the rebuild's are the same. */
POND_CHECKED int pond_take_in_pages(struct pond *p, int fd, const char *path, int64_t txn, struct pond_error *err);

/* Begins a transaction without asking whether this pond may take one. */
POND_CHECKED int pond_txn_start(struct pond_txn **out, struct pond *p, const char *command, struct pond_error *err);

#endif
