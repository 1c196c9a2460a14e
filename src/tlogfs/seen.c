#include "tlogfs/seen.h"

#include <pond/bao.h>
#include <sqlite3.h>
#include <string.h>

#include "base/os.h"

/* This is no truth, so nothing waits for the disk; what a power failure leaves is recognised by SQLite or by the stat
 * hashes. One process at a time is here: the one that holds the pond's lock. */
static const char setup[] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; PRAGMA journal_mode=DELETE;"
                            "PRAGMA cache_size=-2048; PRAGMA temp_store=MEMORY;"
                            "BEGIN IMMEDIATE;"
                            "CREATE TABLE IF NOT EXISTS dirs(id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);"
                            "CREATE TABLE IF NOT EXISTS files(dir INTEGER NOT NULL, name BLOB NOT NULL,"
                            " value BLOB NOT NULL, PRIMARY KEY (dir, name)) WITHOUT ROWID;"
                            "PRAGMA user_version=1;";

struct seen {
    sqlite3 *db;
    sqlite3_stmt *find_dir, *add_dir, *get, *put;
    bool failed; /* sticky: nothing is looked up or noted any more */
};

static bool prepare(struct seen *s, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK;
}

static int user_version(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int version = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        version = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return version;
}

static void release(struct seen *s)
{
    (void)sqlite3_finalize(s->find_dir);
    (void)sqlite3_finalize(s->add_dir);
    (void)sqlite3_finalize(s->get);
    (void)sqlite3_finalize(s->put);
    (void)sqlite3_close(s->db);
    pond_free(s);
}

static struct seen *try_open(const char *path)
{
    struct seen *s = pond_calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    bool good = sqlite3_open_v2(path, &s->db, flags, NULL) == SQLITE_OK;
    int version = good ? user_version(s->db) : -1;
    good = (version == 0 || version == 1) && sqlite3_exec(s->db, setup, NULL, NULL, NULL) == SQLITE_OK &&
           prepare(s, "SELECT id FROM dirs WHERE path=?", &s->find_dir) &&
           prepare(s, "INSERT INTO dirs(path) VALUES(?)", &s->add_dir) &&
           prepare(s, "SELECT value FROM files WHERE dir=? AND name=?", &s->get) &&
           prepare(s, "INSERT INTO files(dir,name,value) VALUES(?,?,?)"
                      " ON CONFLICT(dir,name) DO UPDATE SET value=excluded.value", &s->put);
    if (good)
        return s;
    release(s);
    return NULL;
}

static void remove_file(const char *path, const char *suffix)
{
    struct pond_buf name = {0};
    (void)pond_buf_append_str(&name, path);
    (void)pond_buf_append_str(&name, suffix);
    if (pond_buf_cstr(&name) != NULL && os_unlink((const char *)name.data, NULL) < 0) {
        /* It was not there; or opening fails again. */
    }
    pond_buf_release(&name);
}

struct seen *seen_open(const char *path)
{
    struct seen *s = try_open(path);
    if (s != NULL)
        return s;
    remove_file(path, "-journal");
    remove_file(path, "");
    return try_open(path);
}

void seen_close(struct seen *s)
{
    if (s == NULL)
        return;
    (void)sqlite3_exec(s->db, s->failed ? "ROLLBACK" : "COMMIT", NULL, NULL, NULL);
    release(s);
}

/* One step of a statement; failures switch the memory off. */
static int step(struct seen *s, sqlite3_stmt *stmt)
{
    int r = sqlite3_step(stmt);
    if (r != SQLITE_ROW && r != SQLITE_DONE)
        s->failed = true;
    return r;
}

int64_t seen_dir(struct seen *s, const char *host_dir)
{
    if (s == NULL || s->failed)
        return 0;
    size_t size = strlen(host_dir);
    int64_t id = 0;
    (void)sqlite3_bind_blob64(s->find_dir, 1, host_dir, size, SQLITE_STATIC);
    if (step(s, s->find_dir) == SQLITE_ROW)
        id = sqlite3_column_int64(s->find_dir, 0);
    (void)sqlite3_reset(s->find_dir);
    if (id != 0 || s->failed)
        return id;
    (void)sqlite3_bind_blob64(s->add_dir, 1, host_dir, size, SQLITE_STATIC);
    if (step(s, s->add_dir) == SQLITE_DONE)
        id = sqlite3_last_insert_rowid(s->db);
    (void)sqlite3_reset(s->add_dir);
    return id;
}

static void bind_key(sqlite3_stmt *stmt, int64_t dir, const char *name)
{
    (void)sqlite3_bind_int64(stmt, 1, dir);
    (void)sqlite3_bind_blob64(stmt, 2, name, strlen(name), SQLITE_STATIC);
}

bool seen_get(struct seen *s, int64_t dir, const char *name, struct seen_value *out)
{
    if (s == NULL || s->failed || dir == 0)
        return false;
    bool found = false;
    bind_key(s->get, dir, name);
    if (step(s, s->get) == SQLITE_ROW && sqlite3_column_bytes(s->get, 0) == (int)sizeof *out) {
        memcpy(out, sqlite3_column_blob(s->get, 0), sizeof *out);
        found = true;
    }
    (void)sqlite3_reset(s->get);
    return found;
}

void seen_put(struct seen *s, int64_t dir, const char *name, const struct seen_value *value)
{
    if (s == NULL || s->failed || dir == 0)
        return;
    bind_key(s->put, dir, name);
    (void)sqlite3_bind_blob64(s->put, 3, value, sizeof *value, SQLITE_STATIC);
    (void)step(s, s->put);
    (void)sqlite3_reset(s->put);
}

static void short_hash(const void *data, size_t size, uint8_t out[16])
{
    uint8_t hash[POND_HASH_SIZE];
    pond_blake3(data, size, hash);
    memcpy(out, hash, 16);
}

void seen_stat_hash(const char *name, const struct stat *st, uint8_t out[16])
{
    const uint64_t fields[] = {
        (uint64_t)st->st_dev,          (uint64_t)st->st_ino,
        (uint64_t)st->st_size,         (uint64_t)st->st_mtim.tv_sec,
        (uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_ctim.tv_sec,
        (uint64_t)st->st_ctim.tv_nsec,
    };
    uint8_t key[sizeof fields + 256];
    size_t size = strnlen(name, 256);
    memcpy(key, fields, sizeof fields);
    memcpy(key + sizeof fields, name, size);
    short_hash(key, sizeof fields + size, out);
}

void seen_attributes_hash(const char *attributes, uint8_t out[16])
{
    short_hash(attributes != NULL ? attributes : "", attributes != NULL ? strlen(attributes) : 0, out);
}
