/* Hard links made again. What was exported is remembered in a private SQLite table that goes to a temporary file when
 * it is large, so that memory does not grow with the links. */
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

#include "base/os_at.h"
#include "tlogfs/export.h"

struct export_links {
    sqlite3 *db;
    sqlite3_stmt *get, *put;
};

static const char setup[] = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-1024;"
                            "CREATE TABLE links(key BLOB PRIMARY KEY, dev INTEGER, ino INTEGER, path BLOB)"
                            " WITHOUT ROWID;";

void export_links_free(struct export_links *links)
{
    if (links == NULL)
        return;
    (void)sqlite3_finalize(links->get);
    (void)sqlite3_finalize(links->put);
    (void)sqlite3_close(links->db);
    pond_free(links);
}

static int fail_links(struct export_links *links, struct pond_error *err)
{
    return pond_fail(err, POND_EIO, "cannot remember hard links: %s", sqlite3_errmsg(links->db));
}

static int open_links(struct export *x, struct pond_error *err)
{
    if (x->links != NULL)
        return 0;
    x->links = pond_calloc(1, sizeof *x->links);
    if (x->links == NULL)
        return pond_fail_nomem(err);
    struct export_links *l = x->links;
    if (sqlite3_open_v2("", &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(l->db, setup, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(l->db, "SELECT dev, ino, path FROM links WHERE key=?", -1, &l->get, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(l->db, "INSERT OR REPLACE INTO links VALUES(?,?,?,?)", -1, &l->put, NULL) != SQLITE_OK)
        return fail_links(l, err);
    return 0;
}

/* Names of one file have all in common; the id alone would join what was copied at different times. */
static int link_key(const struct export_job *job, uint8_t key[32], struct pond_error *err)
{
    struct pond_buf text = {0};
    (void)pond_buf_append_str(&text, job->attributes);
    (void)pond_buf_append_byte(&text, 0);
    (void)pond_buf_append(&text, job->blake3, sizeof job->blake3);
    (void)pond_buf_append_u64le(&text, job->mode);
    (void)pond_buf_append_u64le(&text, (uint64_t)job->mtime_us);
    (void)pond_buf_append_u64le(&text, (uint64_t)job->mtime_nanos);
    int r = pond_buf_error(&text, err);
    if (r == 0)
        pond_blake3(text.data, text.size, key);
    pond_buf_release(&text);
    return r;
}

/* Opens what stands at a path below DIR, following no symlink. */
static int open_beneath(const struct export *x, char *path, struct pond_error *err)
{
    int fd = x->root->fd;
    for (char *name = path; name != NULL;) {
        char *slash = strchr(name, '/');
        if (slash != NULL)
            *slash = '\0';
        int next = os_openat(fd, name, name, O_PATH | O_NOFOLLOW | (slash != NULL ? O_DIRECTORY : 0), 0, err);
        if (fd != x->root->fd)
            os_close(fd);
        if (next < 0)
            return next;
        fd = next;
        name = slash != NULL ? slash + 1 : NULL;
    }
    return fd;
}

/* 1: *fd is the file that was exported first, still there; 0: not. */
static int find_first(struct export *x, const uint8_t key[32], int *fd, struct pond_error *err)
{
    struct export_links *l = x->links;
    struct stat st;
    int found = 0;
    (void)sqlite3_bind_blob(l->get, 1, key, 32, SQLITE_STATIC);
    int r = sqlite3_step(l->get);
    if (r == SQLITE_ROW) {
        char *path = pond_memdup(sqlite3_column_blob(l->get, 2), (size_t)sqlite3_column_bytes(l->get, 2));
        *fd = path != NULL ? open_beneath(x, path, NULL) : POND_ENOMEM;
        found = *fd >= 0 && os_fstat(*fd, "", &st, NULL) == 0 &&
                (int64_t)st.st_dev == sqlite3_column_int64(l->get, 0) &&
                (int64_t)st.st_ino == sqlite3_column_int64(l->get, 1);
        if (!found)
            os_close(*fd);
        pond_free(path);
    }
    (void)sqlite3_reset(l->get);
    return r == SQLITE_ROW || r == SQLITE_DONE ? found : fail_links(l, err);
}

int export_link_make(struct export *x, const struct export_job *job, struct pond_error *err)
{
    uint8_t key[32];
    int fd = -1;
    POND_TRY(open_links(x, err));
    POND_TRY(link_key(job, key, err));
    int r = find_first(x, key, &fd, err);
    if (r <= 0)
        return r;
    const char *path = hostdir_join(&x->path, job->dir->path, job->name);
    r = path != NULL ? os_at_link_fd(fd, job->dir->fd, job->name, path, NULL) : pond_fail_nomem(err);
    os_close(fd);
    if (r == POND_ENOMEM)
        return r;
    return r == 0; /* too many links, or a file system without them: it gets a copy */
}

int export_link_note(struct export *x, const struct export_job *job, struct pond_error *err)
{
    uint8_t key[32];
    struct stat st;
    struct export_links *l = x->links;
    const char *path = hostdir_join(&x->path, job->dir->path, job->name);
    if (path == NULL)
        return pond_fail_nomem(err);
    POND_TRY(os_lstatat(job->dir->fd, job->name, path, &st, err));
    POND_TRY(link_key(job, key, err));
    size_t root = strlen(x->root->path);
    while (path[root] == '/')
        root++;
    (void)sqlite3_bind_blob(l->put, 1, key, 32, SQLITE_STATIC);
    (void)sqlite3_bind_int64(l->put, 2, (int64_t)st.st_dev);
    (void)sqlite3_bind_int64(l->put, 3, (int64_t)st.st_ino);
    (void)sqlite3_bind_blob64(l->put, 4, path + root, strlen(path + root), SQLITE_STATIC);
    int r = sqlite3_step(l->put);
    (void)sqlite3_reset(l->put);
    return r == SQLITE_DONE ? 0 : fail_links(l, err);
}
