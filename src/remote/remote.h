/* remote/remote.h - a remote as this layer sees it: two Delta tables in a store, and how far each has come.
 *
 *     remote  := pond.json files-table oplog-table
 *     pond.json := {"format_version": 1, "pond_id": "<uuid>"}                              put if absent
 *     files/  := _delta_log/  bundle_id=POND-FILE-<root hash>/part-00000-<uuid>.parquet     each a bundle, byte for byte
 *     oplog/  := _delta_log/  part-<txn>-<uuid>.parquet                                     the pond's own, byte for byte
 *
 * A commit of `files` adds the bundles that one transaction stored first, sorted by hash, at most FILES_COMMIT_ADDS in one
 * commit; the last of a transaction's commits carries the `txn` action, so its presence says that all are there. Each add has
 * the tag form_blake3: BLAKE3 of the bundle without its uncompressed payloads, which with the root hash vouches for
 * every byte. Commits of `oplog` are the pond's own, byte for byte. Commits without our `txn` are another engine's: they only
 * take a version number (DESIGN: a transaction's number and its version are not the same thing).
 */
#ifndef REMOTE_REMOTE_H
#define REMOTE_REMOTE_H

#include <pond/remote.h>

#include "delta/delta.h"
#include "tlogfs/pond.h"

#define FILES_COMMIT_ADDS 1000u

/* How far a table has come: its newest version, and the newest transaction in it with the version and hash of its commit. */
struct table_tip {
    int64_t version;               /* -1: the log is empty */
    int64_t txn;                   /* -1: none of ours */
    int64_t txn_version;
    uint8_t txn_blake3[32];
};

struct remote {
    struct store *store;
    struct delta_table files, oplog;
    char pond_id[37];
    char app_id[48];               /* "pond-<pond_id>" */
    bool for_writing;              /* set by who will commit: tables that can only be read are then refused */
    struct table_tip files_tip, oplog_tip;
    bool tips_are_news;            /* not what was remembered */
};

/* pond_id NULL: whatever pond.json says. With create, the place and pond.json are made. POND_ENOPOND: nothing there;
 * POND_EDIVERGED: another pond's; POND_ECORRUPT: pond.json is damaged. */
POND_CHECKED int remote_open(struct remote *r, const char *url, const char *pond_id, bool create, struct pond_error *err);
void remote_close(struct remote *r);

/* What `p` remembers of this remote: hints that remote_find_tips checks. */
POND_CHECKED int remote_recall_tips(struct remote *r, struct pond *p, struct pond_error *err);
/* Brings both tips up to date, from what `p` remembers of this remote where that still holds: then at the cost of two small reads and
 * a probe for each table, whatever the history. p may be NULL. */
POND_CHECKED int remote_find_tips(struct remote *r, struct pond *p, struct pond_error *err);
POND_CHECKED int remote_remember_tips(const struct remote *r, struct pond *p, struct pond_error *err);
/* The same where nothing else was done, and only when they are news; they are hints, so that they can't be kept is no failure. 0. */
int remote_note_tips(const struct remote *r, struct pond *p);

/* Reads one commit whole. 1: *txn is its transaction, or -1 when it is not ours; 0: no such version. buf is cleared first.
 * POND_EUNSUPPORTED: it raises the table's protocol to what this program can't handle. */
POND_CHECKED int remote_read_commit(const struct remote *r, const struct delta_table *t, int64_t version, struct pond_buf *buf,
                                    int64_t *txn, struct pond_error *err);

/* Fails with POND_EDIVERGED unless this pond's history holds the remote's newest transaction. */
POND_CHECKED int remote_same_history(const struct remote *r, struct pond *p, struct pond_error *err);

/* "files/bundle_id=POND-FILE-<hex>/part-00000-<uuid>.parquet" relative to the table `files`. */
#define REMOTE_BUNDLE_PATH_SIZE 192
void remote_bundle_path(const struct pond_chunked_info *info, char out[REMOTE_BUNDLE_PATH_SIZE]);
/* The root hash that such a path names. False: it is not one. */
bool remote_bundle_root(const char *path, uint8_t root[32]);
/* Local path of a data file of a table; fresh memory. */
POND_CHECKED int remote_local_path(const struct remote *r, const struct delta_table *t, const char *path, char **out,
                                   struct pond_error *err);

/* ---- copying ---- */

struct transfer {
    struct store_batch *batch;
    const struct pond_control *control;
};
POND_CHECKED int transfer_init(struct transfer *t, const struct pond_control *control, struct pond_error *err);
void transfer_release(struct transfer *t);
/* A bundle from src to a temporary tmp_path (taken over) for final_path, verified; in place after the next store_batch_flush at
 * the latest. */
POND_CHECKED int transfer_bundle(struct transfer *t, const char *src, char *tmp_path, const char *final_path,
                                 const uint8_t root[32], struct pond_chunked_info *info, struct pond_error *err);
/* For reading. One that is not there is damage, for a log names it. */
POND_CHECKED int transfer_open(const char *src, struct pond_error *err);
/* A file of that size and BLAKE3. */
POND_CHECKED int transfer_file(struct transfer *t, const char *src, char *tmp_path, const char *final_path, uint64_t size,
                               const uint8_t blake3[32], struct pond_error *err);

/* A relative directory made absolute, for it would mean another place after a cd; fresh memory. */
POND_CHECKED int remote_absolute_url(const char *url, char **out, struct pond_error *err);
/* Remembers the remote as "origin", unless some remote has that name. */
POND_CHECKED int remote_name_origin(struct pond *p, const char *url, struct pond_error *err);
/* The URL a name stands for; NULL: the only one. Borrowed from p's config. */
POND_CHECKED int remote_lookup(struct pond *p, const char *name, const char **url, struct pond_error *err);

#endif
