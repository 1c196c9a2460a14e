/* tlogfs/state.c - _pond/state.sqlite: hints of this machine. Damaged, it is made again; where it can't be written, there are
 * no hints.
 */
#include <sqlite3.h>
#include <string.h>

#include "base/os.h"
#include "tlogfs/pond.h"

#define BUSY_TIMEOUT_MS 10000

static sqlite3 *open_file(const char *path)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
        rc = sqlite3_exec(db,
                          "PRAGMA trusted_schema = OFF; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                          "CREATE TABLE IF NOT EXISTS state(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
                          "SELECT count(*) FROM state",
                          NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK)
        return db;
    sqlite3_close(db);
    return NULL;
}

static void remove_file(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        struct pond_buf name = {0};
        pond_buf_append_str(&name, path);
        pond_buf_append_str(&name, suffixes[i]);
        const char *file = pond_buf_cstr(&name);
        if (file != NULL)
            pond_discard(file);
        pond_buf_release(&name);
    }
}

/* NULL: there are no hints. */
static sqlite3 *open_state(struct pond *p)
{
    if (p->state != NULL)
        return p->state;
    char *path = os_path_join(p->state_dir, "state.sqlite");
    if (path == NULL)
        return NULL;
    p->state = open_file(path);
    /* Only the holder of the lock makes a damaged file again: a reader could take it away under a writer. */
    if (p->state == NULL && p->lock_fd >= 0) {
        remove_file(path);
        p->state = open_file(path);
    }
    pond_free(path);
    return p->state;
}

void pond_state_close(struct pond *p)
{
    sqlite3_close(p->state);
    p->state = NULL;
}

int pond_state_get(struct pond *p, const char *key, struct pond_buf *out, struct pond_error *err)
{
    sqlite3 *db = open_state(p);
    sqlite3_stmt *s = NULL;
    int r = 0;
    if (db == NULL || sqlite3_prepare_v2(db, "SELECT value FROM state WHERE key = ?1", -1, &s, NULL) != SQLITE_OK)
        return 0;
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    if (sqlite3_step(s) == SQLITE_ROW) {
        pond_buf_append(out, sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        r = pond_buf_error(out, err);
        if (r == 0)
            r = pond_buf_cstr(out) != NULL ? 1 : pond_fail_nomem(err);
    }
    sqlite3_finalize(s);
    return r;
}

int pond_state_put(struct pond *p, const char *key, const char *value, struct pond_error *err)
{
    sqlite3 *db = open_state(p);
    sqlite3_stmt *s = NULL;
    if (db == NULL)
        return 0;
    int rc = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO state VALUES (?1, ?2)", -1, &s, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC);
        rc = sqlite3_step(s);
    }
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return 0;
    return pond_fail_path(err, POND_EIO, p->state_dir, "%s/state.sqlite: %s", p->state_dir, sqlite3_errmsg(db));
}
