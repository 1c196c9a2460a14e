/* pond/fs.h - a pond: a transactional, versioned file store in one directory.
 *
 *     pond_init once; pond_open -> look-ups, reads -> pond_close
 *     writing: pond_open with POND_WRITE -> pond_begin -> pond_txn_... -> pond_txn_commit
 *
 * Readers take a snapshot of the log at open and no lock. A pond opened for writing holds its lock until closed
 * (POND_ELOCKED for the second writer). Paths inside a pond are absolute, raw bytes, NUL-terminated; `.` and `..` are resolved,
 * never above `/`. Names are 1 to 255 bytes without '/' and NUL. Handles are single-threaded.
 *
 * Numbers: a transaction's number is a txn_seq >= 0; POND_AT_TIP means the newest. Times are microseconds since
 * 1970 UTC.
 */
#ifndef POND_FS_H
#define POND_FS_H

#include <stdbool.h>

#include <pond/chunked.h>
#include <pond/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POND_AT_TIP INT64_MAX
#define POND_INLINE_MAX 65535u      /* files up to here are kept in the log itself; larger ones as bundles */

struct pond;
struct pond_txn;

enum pond_type { POND_DIRECTORY = 1, POND_FILE = 2, POND_SYMLINK = 3 };
enum pond_storage { POND_STORAGE_NONE = 0, POND_STORAGE_INLINE = 1, POND_STORAGE_CHUNKED = 2 };
enum pond_role { POND_PRIMARY = 1, POND_REPLICA = 2 };

/* ---- making, opening ---- */

struct pond_init_options {
    uint64_t chunk_size;                  /* 0: the default */
    enum pond_compression compression;
    const char *command;                  /* for the log: the command line, user and host of this change; may be NULL */
};
/* Makes dir when missing. POND_EEXISTS: it is a pond, or not empty. */
POND_API POND_CHECKED int pond_init(const char *dir, const struct pond_init_options *options, struct pond_error *err);

#define POND_READ 0
#define POND_WRITE 1                      /* takes the lock; a replica is refused (POND_EDENIED, "promote") unless: */
#define POND_WRITE_REPLICA 2              /* pull, promote, gc: writes to a replica are meant */
/* POND_ENOPOND: no pond there. A missing, damaged or foreign index is rebuilt. */
POND_API POND_CHECKED int pond_open(struct pond **out, const char *dir, int flags, struct pond_error *err);
POND_API void pond_close(struct pond *p);
/* The nearest directory at or above `start` that is a pond: its path, to be freed with pond_string_free. POND_ENOPOND. */
POND_API POND_CHECKED int pond_find(const char *start, char **out, struct pond_error *err);
POND_API void pond_string_free(char *s);

struct pond_info {
    char id[37];                          /* UUID */
    enum pond_role role;
    int64_t txn;                          /* the tip's number */
    uint8_t tip_blake3[POND_HASH_SIZE];   /* of the tip's commit file */
    int64_t tip_time_us;
    uint64_t chunk_size;
    enum pond_compression compression;
    uint64_t entries;                     /* live files, directories, symlinks, without the root */
};
POND_API POND_CHECKED int pond_get_info(struct pond *p, struct pond_info *out, struct pond_error *err);
POND_API const char *pond_dir(const struct pond *p);
/* A replica becomes a primary. POND_EUSAGE: it is one. */
POND_API POND_CHECKED int pond_promote(struct pond *p, struct pond_error *err);

/* A transaction by number ("12") or time (RFC 3339: the last at or before it). POND_ENOTFOUND, POND_EUSAGE. */
POND_API POND_CHECKED int pond_parse_txn(struct pond *p, const char *text, int64_t *txn, struct pond_error *err);

/* ---- looking ---- */

struct pond_entry {
    const char *path;                     /* absolute in the pond, raw bytes; borrowed until the next call or callback end */
    enum pond_type type;
    uint64_t size;                        /* file: content; symlink: target length; directory: 0 */
    int64_t version;                      /* of the node, from 1 */
    int64_t txn;                          /* that made this version */
    int64_t time_us;                      /* of that transaction */
    int64_t mtime_us;
    int32_t mtime_nanos;                  /* 0 to 999, below the microsecond */
    uint32_t mode;                        /* permission bits, 07777 */
    enum pond_storage storage;
    bool has_blake3;                      /* files */
    uint8_t blake3[POND_HASH_SIZE];
    const char *target;                   /* symlinks; else NULL. Raw bytes, borrowed */
    const char *attributes;               /* JSON: owner, group, uid, gid, xattrs, hard_link; NULL when empty; borrowed */
    char node_id[37];
    bool deleted;                         /* only in pond_versions and pond_show */
};

/* Each returns POND_ENOTFOUND for what is not there at that transaction. at: POND_AT_TIP or a number. */
POND_API POND_CHECKED int pond_stat(struct pond *p, const char *path, int64_t at, struct pond_entry *out,
                                    struct pond_error *err);
/* 0 go on, 1 stop, negative: passed through. */
typedef int pond_entry_fn(void *context, const struct pond_entry *entry, struct pond_error *err);
/* A directory's entries sorted by bytes; with recursive each directory before its own entries; path itself
 * is not given unless it is no directory. */
POND_API POND_CHECKED int pond_list(struct pond *p, const char *path, int64_t at, bool recursive, pond_entry_fn *fn,
                                    void *context, struct pond_error *err);
/* Every entry whose path matches the glob (`*`, `?`, `[...]` within a name, `**` across directories), sorted. Only
 * directories that can match are walked. POND_ENOTFOUND when nothing matches. */
POND_API POND_CHECKED int pond_glob(struct pond *p, const char *pattern, int64_t at, pond_entry_fn *fn, void *context,
                                    struct pond_error *err);
/* Every version of what is at path now or, when nothing is, was last; newest first. */
POND_API POND_CHECKED int pond_versions(struct pond *p, const char *path, pond_entry_fn *fn, void *context,
                                        struct pond_error *err);
/* The same of the node that an entry names, wherever it was. */
POND_API POND_CHECKED int pond_node_versions(struct pond *p, const char *node_id, pond_entry_fn *fn, void *context,
                                             struct pond_error *err);

/* ---- reading ---- */

struct pond_reader;
/* version: of the node, 0 for the one at `at`. POND_EUSAGE for directories. Symlinks are not followed: their target is read. */
POND_API POND_CHECKED int pond_reader_open(struct pond_reader **out, struct pond *p, const char *path, int64_t at,
                                           int64_t version, struct pond_error *err);
POND_API uint64_t pond_reader_size(const struct pond_reader *r);
/* Verified bytes; fewer than size only at the end. Returns the count. */
POND_API POND_CHECKED int64_t pond_reader_read(struct pond_reader *r, uint64_t offset, void *buf, size_t size,
                                               struct pond_error *err);
POND_API void pond_reader_close(struct pond_reader *r);

/* ---- transactions ---- */

/* command: for the log. One transaction at a time on a pond. Nothing is visible before pond_txn_commit. */
POND_API POND_CHECKED int pond_begin(struct pond_txn **out, struct pond *p, const char *command,
                                     struct pond_error *err);
struct pond_txn_result {
    int64_t txn;                          /* the new number, or the old tip when there was nothing to commit */
    bool committed;
    uint64_t files_added, files_changed, files_removed;
    uint64_t bytes;                       /* content of added and changed files */
    uint64_t bytes_stored;                /* what that takes on disk: inline content, and bundles that were not there */
};
/* Nothing changed: no transaction is made, committed = false. Ends the transaction, whatever the result. */
POND_API POND_CHECKED int pond_txn_commit(struct pond_txn *t, struct pond_txn_result *out, struct pond_error *err);
POND_API void pond_txn_abort(struct pond_txn *t); /* NULL: fine */

/* parents: missing parents are made, an existing directory is fine; else POND_EEXISTS. */
POND_API POND_CHECKED int pond_txn_mkdir(struct pond_txn *t, const char *path, bool parents, struct pond_error *err);
/* A directory needs recursive unless it is empty. */
POND_API POND_CHECKED int pond_txn_remove(struct pond_txn *t, const char *path, bool recursive, struct pond_error *err);
/* As rename(2): replaces a file, refuses to replace a directory that is not empty or to go below itself; an existing directory
 * as `to` takes it in under its own name. */
POND_API POND_CHECKED int pond_txn_rename(struct pond_txn *t, const char *from, const char *to, struct pond_error *err);
/* Stores what fd gives, to its end, as the file at path (parent must be there). mode 0: 0644; mtime now. */
POND_API POND_CHECKED int pond_txn_write_fd(struct pond_txn *t, const char *path, int fd, const char *fd_name,
                                            uint32_t mode, const struct pond_control *control, struct pond_error *err);

/* copy: from the host's file system, directories recursively. */
struct pond_copy_options {
    const char *const *exclude;           /* globs; one with '/' matches the path below its SRC, else any name */
    size_t exclude_count;
    bool dry_run;                         /* nothing is stored; on_entry tells what would be */
    bool force;                           /* read also what looks unchanged */
    struct pond_control control;
    /* A source that could not be read, or can't be kept (a socket, a device); may be NULL. */
    void (*on_skip)(void *context, const char *host_path, const struct pond_error *why);
    /* Each entry stored or (dry_run) to be stored; may be NULL. */
    void (*on_entry)(void *context, const char *host_path, const char *pond_path, bool changed);
    void *context;                        /* of both */
};
struct pond_copy_result {
    uint64_t files;                       /* stored: added or changed (files, symlinks) */
    uint64_t directories;                 /* stored */
    uint64_t unchanged;
    uint64_t skipped;                     /* on_skip was called for them */
    uint64_t bytes;                       /* content stored */
    uint64_t bytes_stored;                /* what it takes on disk */
};
/* SRC... to DEST as `pond copy` says: an existing directory, a DEST ending in '/', or several SRC: into it. */
POND_API POND_CHECKED int pond_txn_copy(struct pond_txn *t, const char *const *src, size_t src_count, const char *dest,
                                        const struct pond_copy_options *options, struct pond_copy_result *out,
                                        struct pond_error *err);

/* ---- export ---- */

enum pond_overwrite { POND_OVERWRITE_ALWAYS = 0, POND_OVERWRITE_IF_CHANGED = 1, POND_OVERWRITE_NEVER = 2 };
struct pond_export_options {
    int64_t at;                           /* POND_AT_TIP */
    enum pond_overwrite overwrite;
    struct pond_control control;
    void (*on_problem)(void *context, const char *host_path, const struct pond_error *why); /* metadata that can't be kept here */
    void *context;
};
struct pond_export_result { uint64_t files, directories, unchanged, problems, bytes; };
/* Each path arrives in dir (made when missing) under its last name, with metadata; a file appears whole and verified or
 * not at all. Nothing is written through a symlink below dir. Damage: the file is named, the others are exported,
 * POND_ECORRUPT at the end. */
POND_API POND_CHECKED int pond_export(struct pond *p, const char *const *paths, size_t path_count, const char *dir,
                                      const struct pond_export_options *options, struct pond_export_result *out,
                                      struct pond_error *err);

/* ---- history ---- */

struct pond_log_entry {
    int64_t txn, time_us;
    const char *command, *user, *host;    /* borrowed until the callback returns; "" when unknown */
    uint64_t files_added, files_changed, files_removed, bytes;
    uint8_t commit_blake3[POND_HASH_SIZE];
};
typedef int pond_log_fn(void *context, const struct pond_log_entry *entry, struct pond_error *err);
/* Newest first; path NULL: all, else those that changed it (or something below it). limit 0: no limit. */
POND_API POND_CHECKED int pond_log(struct pond *p, const char *path, uint64_t limit, pond_log_fn *fn, void *context,
                                   struct pond_error *err);
POND_API POND_CHECKED int pond_log_get(struct pond *p, int64_t txn, pond_log_fn *fn, void *context,
                                       struct pond_error *err);
/* What a transaction changed, sorted by path; `deleted` tells removals. */
POND_API POND_CHECKED int pond_show(struct pond *p, int64_t txn, pond_entry_fn *fn, void *context,
                                    struct pond_error *err);

/* ---- care ---- */

struct pond_damage {
    const char *what;                     /* "bundle", "oplog_part", "commit", "index" */
    const char *path;                     /* of the damaged file */
    const char *message;
    bool content_intact;                  /* the content still verifies; repair is exact */
};
typedef void pond_damage_fn(void *context, const struct pond_damage *damage);
struct pond_check_options {
    bool read_data;
    uint32_t subset_n, subset_of;         /* with read_data: only bundles whose hash falls into part n of `of`; 0/0: all */
    struct pond_control control;
    pond_damage_fn *on_damage;            /* may be NULL */
    void *context;
};
struct pond_check_result { uint64_t entries, bundles, bytes_read, damaged; };
/* Structure (log, hash chain, parts, presence, sizes and footers of bundles), or every byte. Damage is counted and told, 0 is
 * returned all the same; negative: the check itself could not be done. */
POND_API POND_CHECKED int pond_check(struct pond *p, const struct pond_check_options *options,
                                     struct pond_check_result *out, struct pond_error *err);

struct pond_gc_result { uint64_t files, bytes; };
/* Removes (dry_run: counts) what no commit names: leftovers in _pond/tmp, parts, bundles. on_file may be NULL. */
POND_API POND_CHECKED int pond_gc(struct pond *p, bool dry_run, void (*on_file)(void *context, const char *path),
                                  void *context, struct pond_gc_result *out, struct pond_error *err);

#ifdef __cplusplus
}
#endif
#endif
