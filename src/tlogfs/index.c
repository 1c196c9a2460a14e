/* tlogfs/index.c - opening the index, making it again, and its prepared statements. */
#include "tlogfs/index_impl.h"

#include <assert.h>
#include <string.h>

#include "base/os.h"

#define APPLICATION_ID 0x706f6e64 /* "pond" */
#define SCHEMA_VERSION 1
#define BUSY_TIMEOUT_MS 60000
#define LOCK_WAIT_MS 5
#define OPEN_ATTEMPTS 10
#define WAL_PAGES_MAX 4096         /* and at once when it is that long */
#define WAL_BYTES_STALE (8u << 20) /* left behind by a process that died */

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK (one = 1), txn INTEGER NOT NULL, commit_blake3 BLOB NOT NULL,"
    " time_us INTEGER NOT NULL, live_entries INTEGER NOT NULL);"
    "CREATE TABLE commits(txn INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, commit_blake3 BLOB NOT NULL,"
    " part_path TEXT NOT NULL, part_size INTEGER NOT NULL, part_blake3 BLOB NOT NULL, command TEXT NOT NULL,"
    " user TEXT NOT NULL, host TEXT NOT NULL, files_added INTEGER NOT NULL, files_changed INTEGER NOT NULL,"
    " files_removed INTEGER NOT NULL, bytes INTEGER NOT NULL);"
    "CREATE TABLE rows(id INTEGER PRIMARY KEY, part BLOB NOT NULL, name BLOB NOT NULL, node BLOB NOT NULL,"
    " type INTEGER NOT NULL, version INTEGER NOT NULL, time_us INTEGER NOT NULL, deleted INTEGER NOT NULL,"
    " size INTEGER NOT NULL, storage INTEGER NOT NULL, blake3 BLOB, mode INTEGER NOT NULL, mtime_us INTEGER NOT NULL,"
    " mtime_nanos INTEGER NOT NULL, target BLOB, attributes TEXT);"
    "CREATE INDEX rows_place ON rows(part, name);"
    "CREATE INDEX rows_node ON rows(node);"
    "CREATE TABLE pages(first INTEGER PRIMARY KEY, row_group INTEGER NOT NULL, offset INTEGER NOT NULL);"
    "CREATE TABLE bundles(blake3 BLOB PRIMARY KEY, first_txn INTEGER NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX bundles_txn ON bundles(first_txn, blake3);"
    "INSERT INTO meta VALUES (1, -1, zeroblob(32), 0, 0);"
    "PRAGMA application_id = 0x706f6e64;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

#define ROW_COLUMNS                                                                                              \
    "id, part, name, node, type, version, time_us, deleted, size, storage, blake3, mode, mtime_us, mtime_nanos," \
    " target, attributes"

static const char *const queries[INDEX_QUERIES] = {
    [INDEX_TIP] = "SELECT txn, commit_blake3 FROM meta",
    [INDEX_LIVE] = "SELECT live_entries, time_us FROM meta",
    [INDEX_BEGIN] = "BEGIN IMMEDIATE",
    [INDEX_COMMIT] = "COMMIT",
    [INDEX_ROLLBACK] = "ROLLBACK",
    [INDEX_PUT_ROW] = "INSERT INTO rows(" ROW_COLUMNS ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
    [INDEX_PUT_PAGE] = "INSERT INTO pages VALUES (?1, ?2, ?3)",
    [INDEX_PUT_BUNDLE] = "INSERT OR IGNORE INTO bundles VALUES (?1, ?2, ?3)",
    [INDEX_PUT_COMMIT] = "INSERT INTO commits VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
    [INDEX_PUT_TIP] = "UPDATE meta SET txn = ?1, commit_blake3 = ?2, live_entries = max(0, live_entries + ?3), time_us = ?4",
    [INDEX_CHILD] = "SELECT " ROW_COLUMNS " FROM rows INDEXED BY rows_place WHERE part = ?1 AND name = ?2 AND id <= ?3"
                    " ORDER BY id DESC LIMIT 1",
    [INDEX_CHILDREN] = "SELECT name, id FROM rows INDEXED BY rows_place WHERE part = ?1 AND id <= ?2 ORDER BY name, id",
    [INDEX_ROW] = "SELECT " ROW_COLUMNS " FROM rows WHERE id = ?1",
    [INDEX_PLACE_ROWS] = "SELECT " ROW_COLUMNS " FROM rows INDEXED BY rows_place WHERE part = ?1 AND name = ?2"
                         " AND id <= ?3 ORDER BY id DESC",
    [INDEX_NODE_ROWS] = "SELECT " ROW_COLUMNS " FROM rows INDEXED BY rows_node WHERE node = ?1 ORDER BY id DESC",
    [INDEX_NODE_LIVE] = "SELECT " ROW_COLUMNS " FROM rows INDEXED BY rows_node WHERE node = ?1 AND id <= ?2"
                        " AND deleted = 0 ORDER BY id DESC LIMIT 1",
    [INDEX_TXN_ROWS] = "SELECT " ROW_COLUMNS " FROM rows WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    [INDEX_PAGE] = "SELECT first, row_group, offset FROM pages WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
    [INDEX_COMMITS] = "SELECT txn, time_us, commit_blake3, part_path, part_size, part_blake3, command, user, host,"
                      " files_added, files_changed, files_removed, bytes FROM commits WHERE txn <= ?1 ORDER BY txn DESC",
    [INDEX_AT_TIME] = "SELECT txn FROM commits WHERE time_us <= ?1 AND txn <= ?2 ORDER BY txn DESC LIMIT 1",
    [INDEX_BUNDLES] = "SELECT blake3, first_txn, size FROM bundles INDEXED BY bundles_txn WHERE first_txn BETWEEN ?1 AND ?2"
                      " ORDER BY first_txn, blake3",
    [INDEX_HAS_BUNDLE] = "SELECT first_txn, size FROM bundles WHERE blake3 = ?1",
};

/* ---- statements ---- */

int (index_fail)(struct index *ix, int rc, struct pond_error *err)
{
    const int primary = rc & 0xff;
    int code = POND_EIO;
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
        ix->damaged = true;
        return pond_fail_path(err, POND_ECORRUPT, ix->path,
                              "%s: the index is damaged (%s); run the command again, it is then made again from the log",
                              ix->path, sqlite3_errstr(rc));
    }
    if (primary == SQLITE_NOMEM)
        return pond_fail_nomem(err);
    if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED)
        code = POND_ELOCKED;
    if (primary == SQLITE_READONLY || primary == SQLITE_PERM || primary == SQLITE_CANTOPEN)
        code = POND_EDENIED;
    const int number = ix->db != NULL ? sqlite3_system_errno(ix->db) : 0;
    if (primary == SQLITE_IOERR && number != 0) /* a full disk, for one, which SQLite calls an I/O error */
        return pond_fail_errno(err, number, ix->path, "write");
    return pond_fail_path(err, code, ix->path, "%s: %s", ix->path,
                          ix->db != NULL ? sqlite3_errmsg(ix->db) : sqlite3_errstr(rc));
}

int (index_fail_value)(struct index *ix, const char *what, struct pond_error *err)
{
    ix->damaged = true;
    return pond_fail_path(err, POND_ECORRUPT, ix->path,
                          "%s: the index is damaged (%s); run the command again, it is then made again from the log",
                          ix->path, what);
}

int index_take(struct index *ix, enum index_query query, sqlite3_stmt **out, struct pond_error *err)
{
    struct index_statements *s = &ix->statements[query];
    if (s->count > 0) {
        *out = s->idle[--s->count];
        return 0;
    }
    int rc = sqlite3_prepare_v3(ix->db, queries[query], -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return rc == SQLITE_OK ? 0 : index_fail(ix, rc, err);
}

void index_done(struct index *ix, enum index_query query, sqlite3_stmt *stmt)
{
    struct index_statements *s = &ix->statements[query];
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    if (s->count < sizeof s->idle / sizeof s->idle[0])
        s->idle[s->count++] = stmt;
    else
        sqlite3_finalize(stmt);
}

void index_finalize_all(struct index *ix)
{
    for (size_t q = 0; q < INDEX_QUERIES; q++) {
        struct index_statements *s = &ix->statements[q];
        while (s->count > 0)
            sqlite3_finalize(s->idle[--s->count]);
    }
}

int index_step(struct index *ix, sqlite3_stmt *stmt, struct pond_error *err)
{
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : index_fail(ix, rc, err);
}

int index_run(struct index *ix, enum index_query query, struct pond_error *err)
{
    sqlite3_stmt *stmt;
    POND_TRY(index_take(ix, query, &stmt, err));
    int r = index_step(ix, stmt, err);
    index_done(ix, query, stmt);
    return r;
}

/* ---- opening ---- */

static int note_wal_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct index *)context)->wal_pages = pages;
    return SQLITE_OK;
}

static void close_db(struct index *ix)
{
    index_finalize_all(ix);
    sqlite3_close(ix->db);
    ix->db = NULL;
    ix->wal_pages = 0;
}

/* SQLite's result code. */
static int open_db(struct index *ix)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(ix->in_memory ? ":memory:" : ix->path, &ix->db, flags, NULL);
    if (rc == SQLITE_OK && sqlite3_db_readonly(ix->db, "main") == 1)
        rc = SQLITE_READONLY;
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_busy_timeout(ix->db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(ix->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Whoever wrote folds the WAL in when it closes, at two syncs: then opening costs the same whatever was written before. */
    sqlite3_db_config(ix->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rc = sqlite3_exec(ix->db,
                      "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -8192;"
                      "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA journal_mode = WAL;"
                      "PRAGMA synchronous = NORMAL;",
                      NULL, NULL, NULL);
    sqlite3_wal_hook(ix->db, note_wal_pages, ix);
    return rc;
}

static int get_pragma(struct index *ix, const char *sql, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(ix->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        *out = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* SQLITE_OK: an index of this version, its first page and tip can be read. SQLITE_NOTADB: to be made again. */
static int check_db(struct index *ix)
{
    int64_t application = 0, version = 0, txn = 0;
    int rc = get_pragma(ix, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = get_pragma(ix, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK && (application != APPLICATION_ID || version != SCHEMA_VERSION))
        return SQLITE_NOTADB;
    if (rc == SQLITE_OK)
        rc = get_pragma(ix, "SELECT txn + time_us + EXISTS (SELECT 1 FROM commits WHERE 0) FROM meta", &txn);
    return rc == SQLITE_ERROR || rc == SQLITE_DONE ? SQLITE_NOTADB : rc; /* a table is missing, or empty */
}

static bool is_damage(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

static bool is_unwritable(int rc)
{
    const int primary = rc & 0xff;
    return primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY || primary == SQLITE_PERM;
}

/* What stands at path now; zeros when nothing does. */
static void identify(const char *path, uint64_t *device, uint64_t *inode)
{
    struct stat st;
    *device = *inode = 0;
    if (os_stat(path, &st, NULL) == 0) {
        *device = (uint64_t)st.st_dev;
        *inode = (uint64_t)st.st_ino;
    }
}

/* Opens what is there. Its WAL is opened by name after it: both must be of one making, so the file must still be the one at
 * path then. */
static int open_existing(struct index *ix)
{
    int rc = SQLITE_BUSY;
    for (int i = 0; i < OPEN_ATTEMPTS; i++) {
        uint64_t device, inode;
        identify(ix->path, &device, &inode);
        if (inode == 0 && !ix->in_memory) {
            ix->device = ix->inode = 0;
            return SQLITE_NOTADB; /* opening would make one that is none */
        }
        rc = open_db(ix);
        if (rc == SQLITE_OK)
            rc = check_db(ix);
        identify(ix->path, &ix->device, &ix->inode);
        if (ix->in_memory || (device == ix->device && inode == ix->inode))
            break;
        close_db(ix);
        rc = SQLITE_BUSY;
    }
    if (rc != SQLITE_OK)
        close_db(ix);
    return rc;
}

static int lock_making(const struct index *ix, struct pond_error *err)
{
    struct pond_buf name = {0};
    pond_buf_append_str(&name, ix->path);
    pond_buf_append_str(&name, ".lock");
    char *path = pond_buf_cstr(&name);
    int r = path != NULL ? POND_ELOCKED : pond_fail_nomem(err);
    for (int waited_ms = 0; r == POND_ELOCKED && waited_ms <= BUSY_TIMEOUT_MS; waited_ms += LOCK_WAIT_MS) {
        r = os_lock(path, err);
        if (r == POND_ELOCKED)
            sqlite3_sleep(LOCK_WAIT_MS);
    }
    pond_buf_release(&name);
    return r;
}

static int remove_files(const char *path, struct pond_error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        struct pond_buf name = {0};
        pond_buf_append_str(&name, path);
        pond_buf_append_str(&name, suffixes[i]);
        const char *file = pond_buf_cstr(&name);
        int r = file != NULL ? os_unlink(file, err) : pond_fail_nomem(err);
        pond_buf_release(&name);
        if (r < 0 && r != POND_ENOTFOUND)
            return r;
    }
    return 0;
}

static int create(struct index *ix, struct pond_error *err)
{
    int rc = open_db(ix);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(ix->db, schema, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        int r = index_fail(ix, rc, err);
        close_db(ix);
        return r;
    }
    identify(ix->path, &ix->device, &ix->inode);
    ix->damaged = false;
    return 0;
}

/* Makes the file again, one process at a time: unless it is no more the file (device, inode) that was found useless, and
 * good. Returns 1 when it was made, 0 when another process's is taken. */
static int make_again(struct index *ix, uint64_t device, uint64_t inode, struct pond_error *err)
{
    if (ix->in_memory) {
        POND_TRY(create(ix, err));
        return 1;
    }
    int lock = lock_making(ix, err);
    if (lock < 0)
        return lock;
    uint64_t device_now, inode_now;
    identify(ix->path, &device_now, &inode_now);
    int r = 1;
    if (inode_now != 0 && (device_now != device || inode_now != inode) && open_existing(ix) == SQLITE_OK)
        r = 0;
    if (r == 1)
        r = remove_files(ix->path, err);
    if (r == 0 && ix->db == NULL) {
        r = create(ix, err);
        r = r == 0 ? 1 : r;
    }
    os_close(lock);
    return r;
}

/* A WAL left by a process that died in a large transaction would be scanned at every open. */
static void fold_stale_wal(struct index *ix)
{
    struct pond_buf name = {0};
    struct stat st;
    pond_buf_append_str(&name, ix->path);
    pond_buf_append_str(&name, "-wal");
    const char *wal = pond_buf_cstr(&name);
    if (wal != NULL && os_stat(wal, &st, NULL) == 0 && st.st_size > (off_t)WAL_BYTES_STALE) {
        sqlite3_busy_timeout(ix->db, 0);
        sqlite3_wal_checkpoint_v2(ix->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_busy_timeout(ix->db, BUSY_TIMEOUT_MS);
    }
    pond_buf_release(&name);
}

static int open_or_make(struct index *ix, bool *fresh, struct pond_error *err)
{
    int rc = open_existing(ix);
    if (rc == SQLITE_OK) {
        fold_stale_wal(ix);
        *fresh = false;
        return 0;
    }
    if (!is_damage(rc) && !is_unwritable(rc))
        return index_fail(ix, rc, err);
    int r = is_damage(rc) ? make_again(ix, ix->device, ix->inode, err) : POND_EDENIED;
    if (r == POND_EDENIED || r == POND_ENOTFOUND) { /* read-only, or not even a folder for it */
        ix->in_memory = true;
        r = make_again(ix, 0, 0, err);
    }
    *fresh = r == 1;
    return r < 0 ? r : 0;
}

int index_open(struct index **out, const char *path, bool *fresh, struct pond_error *err)
{
    struct index *ix = pond_calloc(1, sizeof *ix);
    if (ix == NULL)
        return pond_fail_nomem(err);
    ix->path = pond_strdup(path);
    int r = ix->path != NULL ? open_or_make(ix, fresh, err) : pond_fail_nomem(err);
    if (r < 0) {
        index_close(ix);
        return r;
    }
    *out = ix;
    return 0;
}

int index_remake(struct index *ix, struct pond_error *err)
{
    assert(!ix->in_transaction);
    close_db(ix);
    ix->damaged = false;
    int r = make_again(ix, ix->device, ix->inode, err);
    return r < 0 ? r : 0;
}

bool index_in_memory(const struct index *ix)
{
    return ix->in_memory;
}

bool index_is_damaged(const struct index *ix)
{
    return ix->damaged;
}

static void remove_damaged(struct index *ix)
{
    uint64_t device, inode;
    int lock = lock_making(ix, NULL);
    identify(ix->path, &device, &inode);
    if (lock >= 0 && device == ix->device && inode == ix->inode && remove_files(ix->path, NULL) < 0) {
        /* Nothing to be done here: the next open meets the damage again. */
    }
    os_close(lock);
}

void index_close(struct index *ix)
{
    if (ix == NULL)
        return;
    if (ix->in_transaction)
        index_rollback(ix);
    if (ix->db != NULL && !ix->damaged && ix->wal_pages > 0) {
        sqlite3_busy_timeout(ix->db, 0); /* readers of the old state may stay: the next one to close does it */
        sqlite3_wal_checkpoint_v2(ix->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    close_db(ix);
    if (ix->damaged && !ix->in_memory)
        remove_damaged(ix);
    pond_free(ix->path);
    pond_free(ix);
}

/* ---- transactions ---- */

int index_begin(struct index *ix, struct pond_error *err)
{
    assert(!ix->in_transaction);
    POND_TRY(index_run(ix, INDEX_BEGIN, err));
    ix->in_transaction = true;
    ix->live_change = 0;
    return 0;
}

void index_rollback(struct index *ix)
{
    if (!ix->in_transaction)
        return;
    ix->in_transaction = false;
    /* After some failures SQLite has rolled back already. */
    if (sqlite3_get_autocommit(ix->db) == 0 && index_run(ix, INDEX_ROLLBACK, NULL) < 0)
        ix->damaged = true;
}

static int put_commit(struct index *ix, const struct index_commit *c, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_PUT_COMMIT, &s, err));
    sqlite3_bind_int64(s, 1, c->txn);
    sqlite3_bind_int64(s, 2, c->time_us);
    sqlite3_bind_blob(s, 3, c->commit_blake3, POND_HASH_SIZE, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, c->part_path, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, (int64_t)c->part_size);
    sqlite3_bind_blob(s, 6, c->part_blake3, POND_HASH_SIZE, SQLITE_STATIC);
    sqlite3_bind_text(s, 7, c->command, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 8, c->user, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 9, c->host, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 10, (int64_t)c->files_added);
    sqlite3_bind_int64(s, 11, (int64_t)c->files_changed);
    sqlite3_bind_int64(s, 12, (int64_t)c->files_removed);
    sqlite3_bind_int64(s, 13, (int64_t)c->bytes);
    int r = index_step(ix, s, err);
    index_done(ix, INDEX_PUT_COMMIT, s);
    return r;
}

static int put_tip(struct index *ix, const struct index_commit *c, struct pond_error *err)
{
    sqlite3_stmt *s;
    POND_TRY(index_take(ix, INDEX_PUT_TIP, &s, err));
    sqlite3_bind_int64(s, 1, c->txn);
    sqlite3_bind_blob(s, 2, c->commit_blake3, POND_HASH_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, ix->live_change);
    sqlite3_bind_int64(s, 4, c->time_us);
    int r = index_step(ix, s, err);
    index_done(ix, INDEX_PUT_TIP, s);
    return r;
}

int index_end(struct index *ix, const struct index_commit *commit, struct pond_error *err)
{
    assert(ix->in_transaction);
    POND_TRY(put_commit(ix, commit, err));
    POND_TRY(put_tip(ix, commit, err));
    POND_TRY(index_run(ix, INDEX_COMMIT, err));
    ix->in_transaction = false;
    if (ix->wal_pages >= WAL_PAGES_MAX) {
        sqlite3_busy_timeout(ix->db, 0);
        sqlite3_wal_checkpoint_v2(ix->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_busy_timeout(ix->db, BUSY_TIMEOUT_MS);
        ix->wal_pages = 0;
    }
    return 0;
}
