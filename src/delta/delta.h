/* delta/delta.h - Delta Lake logs: actions, commits, replay, snapshots.
 *
 *     log    := <table>/_delta_log/%020d.json, gapless from 0        (names are decimal, zero-padded to 20)
 *     commit := action "\n" (action "\n")*                           one JSON object each
 *     action := {"commitInfo":..} | {"protocol":..} | {"metaData":..} | {"add":..} | {"remove":..} | {"txn":..}
 * Source: delta-io/delta PROTOCOL.md. Unknown actions and unknown keys are ignored when reading.
 *
 * A table is a store and a prefix in it ("" or "files"). This layer writes protocol (1, 2) and reads tables whose
 * minReaderVersion is 1, or 2 without column mapping, or 3 with no feature it does not know; others are refused by the
 * feature's name. Column and partition values are the caller's business.
 */
#ifndef DELTA_DELTA_H
#define DELTA_DELTA_H

#include <jansson.h>

#include "store/store.h"

#define DELTA_COMMIT_MAX ((size_t)128 << 20) /* a larger commit file is refused */
#define DELTA_LINE_MAX ((size_t)16 << 20)    /* a longer action too: parsed, it takes many times its size */

struct delta_table {
    struct store *store;
    const char *prefix;   /* "" or "files": no slash at the end; borrowed */
};

/* "<prefix>/_delta_log/%020d.json" */
void delta_commit_key(const struct delta_table *t, int64_t version, char *out, size_t out_size);
/* Key in the store of a data file named in an add (already percent-decoded). out appended, NUL-terminated.
 * POND_ECORRUPT for a path that is absolute, has a scheme or leads outside the table. */
POND_CHECKED int delta_data_key(const struct delta_table *t, const char *path, struct pond_buf *out,
                                struct pond_error *err);

/* ---- writing ---- */

struct delta_field { const char *name, *type; }; /* type: "string", "long", ... ; all nullable */

/* Each appends one action line. Failures are sticky in out. */
void delta_put_protocol(struct pond_buf *out);
void delta_put_metadata(struct pond_buf *out, const char *id, const struct delta_field *fields, size_t field_count,
                        const char *const *partition_columns, size_t partition_count,
                        const char *const *configuration /* key, value, key, value, NULL */, int64_t created_ms);
struct delta_add {
    const char *path;             /* relative, not encoded: the call does that */
    const char *partition_key;    /* NULL: not partitioned; at most one partition column is supported in writing */
    const char *partition_value;
    int64_t size, modification_ms, num_records;
    const char *const *tags;      /* key, value, ..., NULL; may be NULL */
};
void delta_put_add(struct pond_buf *out, const struct delta_add *add);
void delta_put_txn(struct pond_buf *out, const char *app_id, int64_t version, int64_t last_updated_ms);
/* commitInfo as given (one object, keys in order; the reference is not taken). Goes first in a commit. */
void delta_put_commit_info(struct pond_buf *out, const json_t *info);

/* Put-if-absent of a commit file. POND_EEXISTS: another writer has that version (the caller re-reads). */
POND_CHECKED int delta_commit(const struct delta_table *t, int64_t version, const void *bytes, size_t size,
                              struct pond_error *err);

/* ---- reading ---- */

enum delta_kind { DELTA_COMMIT_INFO, DELTA_PROTOCOL, DELTA_METADATA, DELTA_ADD, DELTA_REMOVE, DELTA_TXN };

/* One action, checked: required keys are there with the right types, numbers are in range, the path is decoded and
 * safe. Strings are borrowed until the callback returns. */
struct delta_action {
    enum delta_kind kind;
    int64_t version;              /* of the commit it stands in */
    size_t line;                  /* from 1 */
    json_t *json;                 /* the object inside {"kind": ...}, borrowed */
    const char *path;             /* add, remove: percent-decoded */
    int64_t size;                 /* add; remove: -1 when absent */
    const char *app_id;           /* txn */
    int64_t txn_version;          /* txn */
};
typedef int delta_action_fn(void *context, const struct delta_action *action, struct pond_error *err);

/* Parses the bytes of one commit file and calls fn for each known action, in order. `name` is for messages
 * ("NAME: line 3: add: size is missing"). POND_ECORRUPT; POND_ELIMIT for a line over DELTA_LINE_MAX. fn's negative
 * result is passed through. */
POND_CHECKED int delta_parse_commit(const char *name, int64_t version, const void *bytes, size_t size,
                                    delta_action_fn *fn, void *context, struct pond_error *err);

/* Reads commit `version` whole. 1: bytes appended to out; 0: no such commit. */
POND_CHECKED int delta_read_commit(const struct delta_table *t, int64_t version, struct pond_buf *out,
                                   struct pond_error *err);

/* The newest version: the highest commit file; -1 when the log is empty or missing. `hint` >= 0 is a version known to
 * exist: the newer ones are found by probing one by one, so nothing new costs one request whatever the history (invariant
 * 10). Without a hint (-1) the log is listed: a gap in the numbers is POND_ECORRUPT, names it; foreign names in
 * the folder are ignored. */
POND_CHECKED int delta_latest_version(const struct delta_table *t, int64_t hint, int64_t *version,
                                      struct pond_error *err);

/* Refuses what this program can't read or (for_writing) write, naming version or feature: POND_EUNSUPPORTED. */
POND_CHECKED int delta_check_protocol(const char *table_name, const json_t *protocol, bool for_writing,
                                      struct pond_error *err);

/* Reads commits from `from` to `to`, oldest first, through fn. A missing commit is POND_ECORRUPT "gap". */
POND_CHECKED int delta_replay(const struct delta_table *t, int64_t from, int64_t to, delta_action_fn *fn,
                              void *context, struct pond_error *err);

/* The state of a (small) table at one version, in memory: memory grows with its live files. */
struct delta_snapshot;
struct delta_file {
    const char *path;             /* decoded */
    int64_t size;
    const json_t *add;            /* the add action */
};
/* version -1: the newest. POND_ENOTFOUND: no such version, no table. POND_EUNSUPPORTED: protocol, features.
 * POND_ECORRUPT: no protocol or metaData action, gaps, garbage. A log whose first commits are gone (a
 * checkpoint is needed) is refused by name. */
POND_CHECKED int delta_snapshot_load(struct delta_snapshot **out, const struct delta_table *t, int64_t version,
                                     struct pond_error *err);
void delta_snapshot_free(struct delta_snapshot *s);
int64_t delta_snapshot_version(const struct delta_snapshot *s);
const json_t *delta_snapshot_protocol(const struct delta_snapshot *s);
const json_t *delta_snapshot_metadata(const struct delta_snapshot *s);
size_t delta_snapshot_file_count(const struct delta_snapshot *s);
/* Files sorted by path bytes. */
struct delta_file delta_snapshot_file(const struct delta_snapshot *s, size_t index);
int64_t delta_snapshot_txn(const struct delta_snapshot *s, const char *app_id); /* -1: none */

#endif
