/* store/store.h - object stores: a flat name space of keys ("oplog/_delta_log/00000000000000000000.json") with the five
 * operations a remote needs. Directories now; other kinds come in beside it.
 *
 * Keys are relative paths, checked with pond_path_is_safe (invariant 8). An object under its key is complete and
 * durable (invariant 3). Nothing is ever overwritten but by store_replace.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"

struct store;

struct store_stat {
    uint64_t size;
    int64_t mtime_us;
};

/* url: a directory (a relative one is looked up from the working directory at every call), or "file:///dir" (percent-decoded). With `create`, the directory is made when missing; without,
 * POND_ENOPOND when it is not there. POND_EUNSUPPORTED names a scheme that is not built in. POND_EDENIED. */
POND_CHECKED int store_open(struct store **out, const char *url, bool create, struct pond_error *err);
void store_free(struct store *s);
const char *store_url(const struct store *s);
/* The local directory, for literal copies by the kernel (reflinks); NULL when the store is not local. */
const char *store_local_dir(const struct store *s);

/* 1 there (*out filled), 0 not there, or an error. */
POND_CHECKED int store_head(struct store *s, const char *key, struct store_stat *out, struct pond_error *err);
/* A whole small object. POND_ENOTFOUND; POND_ELIMIT over max bytes. */
POND_CHECKED int store_get(struct store *s, const char *key, size_t max, struct pond_buf *out,
                           struct pond_error *err);
/* Exactly size bytes at offset. POND_ENOTFOUND; POND_ECORRUPT when the object ends before. */
POND_CHECKED int store_read_at(struct store *s, const char *key, uint64_t offset, void *buf, size_t size,
                               struct pond_error *err);
/* Durable, whole or not at all, never replacing: POND_EEXISTS when the key is there (invariant 1). */
POND_CHECKED int store_put_if_absent(struct store *s, const char *key, const void *bytes, size_t size,
                                     struct pond_error *err);
POND_CHECKED int store_replace(struct store *s, const char *key, const void *bytes, size_t size,
                               struct pond_error *err);
POND_CHECKED int store_delete(struct store *s, const char *key, struct pond_error *err); /* absent: fine */

/* Every key under prefix ("files/_delta_log/", "" for all), sorted by bytes, keys after start_after only (NULL: all). The
 * store's own temporary files are left out. fn returns 0 to go on, 1 to stop (store_list then returns 0),
 * negative: passed through. */
typedef int store_list_fn(void *context, const char *key, const struct store_stat *stat, struct pond_error *err);
POND_CHECKED int store_list(struct store *s, const char *prefix, const char *start_after, store_list_fn *fn,
                            void *context, struct pond_error *err);

/* Many large local files, put in place by one sync for many instead of one for each: temporaries are written by
 * the caller, added here, and at flush synced (each alone when few or large, the file system once when many), renamed
 * without replacing, and their directories synced. Until flush returns nothing is under its final name, or it is
 * there complete and synced. A final name that exists already wins; the temporary is removed.
 * Flushes by itself at limit_files or limit_bytes. */
struct store_batch;
POND_CHECKED int store_batch_new(struct store_batch **out, size_t limit_files, uint64_t limit_bytes,
                                 struct pond_error *err);
/* Takes over fd (open on tmp_path, written) and the temporary in every case, failures too: then it is closed and
 * removed. The final path's parent directory is made when missing. After a failed flush every call fails. */
POND_CHECKED int store_batch_add(struct store_batch *b, int fd, const char *tmp_path, const char *final_path,
                                 uint64_t size, struct pond_error *err);
POND_CHECKED int store_batch_flush(struct store_batch *b, struct pond_error *err);
void store_batch_free(struct store_batch *b); /* what was not flushed: temporaries removed */

/* Where temporaries stand, relative to the store: "_tmp" unless set otherwise (a pond's own root: "_pond/tmp"). Only for
 * local stores. */
POND_CHECKED int store_set_tmp_dir(struct store *s, const char *relative, struct pond_error *err);
/* A fresh name for a temporary on the store's file system, "<dir>/_tmp/<uuid>"; the directory is made. Free with
 * pond_free. Only for local stores. store_tmp_clear removes what dead processes left there (files whose lock nobody
 * holds are not looked for: a temporary is deleted when older than `older_than_s` seconds by the file system's
 * own clock) and the directory when empty. */
POND_CHECKED int store_tmp_path(struct store *s, char **out, struct pond_error *err);
POND_CHECKED int store_tmp_clear(struct store *s, int64_t older_than_s, struct pond_error *err);

#endif
