/* store/batch.c - putting many files in place with few syncs.
 *
 * The order of a flush (DESIGN.md section 5, invariants 2 and 3):
 *     1. the bytes:  each file synced alone when few or large, else the file system once
 *     2. the names:  every temporary renamed, never replacing
 *     3. the names' directories synced, each once, or the file system once when they are many
 * A process killed between 2 and 3 leaves complete files whose names are not durable yet; a later batch finds them
 * there, and syncs their directories as if it had renamed them.
 *
 * When the file system is synced as a whole, its write errors are reported through descriptors opened before the
 * writes (errseq, Linux 5.8): the first file's descriptor is kept open for that.
 */
#include <assert.h>
#include <string.h>

#include "base/os.h"
#include "store/store_impl.h"

#define FEW_FILES 16u                   /* up to here, each small file is synced alone */
#define FEW_DIRS 16u
#define LARGE_SIZE ((uint64_t)8 << 20)  /* from here on, a file is worth its own sync */
#define OPEN_FILES_MAX 256u             /* descriptors a batch holds before it flushes */

struct entry {
    int fd; /* -1: closed, for the file system will be synced as a whole */
    uint64_t size;
    char *tmp_path;
    char *final_path;
};

struct store_batch {
    size_t limit_files;
    uint64_t limit_bytes;
    struct entry *entries;
    size_t count, capacity;
    size_t small_count; /* entries under LARGE_SIZE */
    size_t open_count;  /* entries with fd >= 0 */
    uint64_t bytes;
    dev_t device; /* of all entries: one syncfs must reach them all */
    /* Distinct directories with new names, until there are too many to sync one by one. */
    char *dirs[FEW_DIRS];
    size_t dir_count;
    bool many_dirs;
    int failed; /* sticky: after a failed sync nobody knows what the disk holds, so nothing more is renamed */
};

int store_batch_new(struct store_batch **out, size_t limit_files, uint64_t limit_bytes, struct pond_error *err)
{
    struct store_batch *b = pond_calloc(1, sizeof *b);
    if (b == NULL)
        return pond_fail_nomem(err);
    b->limit_files = limit_files;
    b->limit_bytes = limit_bytes;
    *out = b;
    return 0;
}

static void entry_release(struct entry *e)
{
    os_close(e->fd);
    pond_free(e->tmp_path);
    pond_free(e->final_path);
}

/* Forgets entries from `done` on, their temporaries too, and all that came before. */
static void batch_clear(struct store_batch *b, size_t done)
{
    for (size_t i = 0; i < b->count; i++) {
        if (i >= done)
            store_discard(b->entries[i].tmp_path);
        entry_release(&b->entries[i]);
    }
    for (size_t i = 0; i < b->dir_count; i++)
        pond_free(b->dirs[i]);
    b->count = b->small_count = b->open_count = b->dir_count = 0;
    b->bytes = 0;
    b->many_dirs = false;
}

void store_batch_free(struct store_batch *b)
{
    if (b == NULL)
        return;
    batch_clear(b, 0);
    pond_free(b->entries);
    pond_free(b);
}

static int check_usable(const struct store_batch *b, struct pond_error *err)
{
    if (b->failed == 0)
        return 0;
    return pond_fail(err, b->failed, "an earlier flush of this batch failed");
}

/* ---- adding ---- */

/* A store_dir_changed_fn: notes a directory to be synced. */
static int note_dir(void *context, const char *dir, struct pond_error *err)
{
    struct store_batch *b = context;
    if (b->many_dirs)
        return 0;
    for (size_t i = 0; i < b->dir_count; i++) {
        if (strcmp(b->dirs[i], dir) == 0)
            return 0;
    }
    if (b->dir_count == FEW_DIRS) {
        b->many_dirs = true;
        return 0;
    }
    char *copy = pond_strdup(dir);
    if (copy == NULL)
        return pond_fail_nomem(err);
    b->dirs[b->dir_count++] = copy;
    return 0;
}

/* Makes the final path's directory. It and its parent are synced at the flush even when they were there: the
 * process that made them may have died before its sync. */
static int make_parent(struct store_batch *b, const char *final_path, struct pond_error *err)
{
    char *parent = store_dirname(final_path);
    char *grandparent = parent != NULL ? store_dirname(parent) : NULL;
    int r = grandparent == NULL ? pond_fail_nomem(err) : store_dirs_make(parent, note_dir, b, err);
    if (r == 0)
        r = note_dir(b, parent, err);
    if (r == 0)
        r = note_dir(b, grandparent, err);
    pond_free(parent);
    pond_free(grandparent);
    return r;
}

static int reserve_entry(struct store_batch *b, struct pond_error *err)
{
    if (b->count < b->capacity)
        return 0;
    size_t capacity = b->capacity == 0 ? 16 : b->capacity * 2;
    struct entry *entries = pond_realloc(b->entries, capacity, sizeof *entries);
    if (entries == NULL)
        return pond_fail_nomem(err);
    b->entries = entries;
    b->capacity = capacity;
    return 0;
}

static bool syncs_file_system(const struct store_batch *b)
{
    return b->small_count > FEW_FILES;
}

/* Descriptors are only needed where files are synced one by one; the first one stays, for os_syncfs. */
static int close_unneeded(struct store_batch *b, struct pond_error *err)
{
    for (size_t i = 1; i < b->count; i++) {
        struct entry *e = &b->entries[i];
        if (e->fd < 0)
            continue;
        int fd = e->fd;
        e->fd = -1;
        b->open_count--;
        POND_TRY(os_close_checked(fd, e->final_path, err));
    }
    return 0;
}

/* Appends the entry, which owns fd and the strings from then on. */
static int append_entry(struct store_batch *b, const struct entry *e, struct pond_error *err)
{
    POND_TRY(reserve_entry(b, err));
    b->entries[b->count++] = *e;
    b->open_count++;
    b->small_count += e->size < LARGE_SIZE;
    if (!pond_add_u64(b->bytes, e->size, &b->bytes))
        b->bytes = UINT64_MAX;
    return 0;
}

static int start_on_device(struct store_batch *b, const struct entry *e, struct pond_error *err)
{
    struct stat st;
    POND_TRY(os_fstat(e->fd, e->tmp_path, &st, err));
    if (b->count > 0 && st.st_dev != b->device)
        POND_TRY(store_batch_flush(b, err));
    b->device = st.st_dev;
    return 0;
}

int store_batch_add(struct store_batch *b, int fd, const char *tmp_path, const char *final_path, uint64_t size,
                    struct pond_error *err)
{
    assert(fd >= 0);
    struct entry e = {
        .fd = fd, .size = size, .tmp_path = pond_strdup(tmp_path), .final_path = pond_strdup(final_path)};
    int r = e.tmp_path == NULL || e.final_path == NULL ? pond_fail_nomem(err) : check_usable(b, err);
    if (r == 0)
        r = start_on_device(b, &e, err);
    if (r == 0)
        r = make_parent(b, final_path, err);
    if (r == 0)
        r = append_entry(b, &e, err);
    if (r < 0) {
        store_discard(tmp_path);
        entry_release(&e);
        return r;
    }
    if (syncs_file_system(b))
        r = close_unneeded(b, err);
    if (r < 0) {
        b->failed = r; /* bytes of an entry were lost */
        return r;
    }
    if (b->count >= b->limit_files || b->bytes >= b->limit_bytes || b->open_count >= OPEN_FILES_MAX)
        r = store_batch_flush(b, err);
    return r;
}

/* ---- flushing ---- */

static int sync_file_system(const struct store_batch *b, struct pond_error *err)
{
    return os_syncfs(b->entries[0].fd, b->entries[0].final_path, err);
}

static int sync_bytes(const struct store_batch *b, struct pond_error *err)
{
    if (syncs_file_system(b))
        return sync_file_system(b, err);
    for (size_t i = 0; i < b->count; i++)
        POND_TRY(os_fdatasync(b->entries[i].fd, b->entries[i].tmp_path, err));
    return 0;
}

/* A final name that is there already was put there complete, and has the same bytes: names come from content. */
static int place(struct store_batch *b, const struct entry *e, struct pond_error *err)
{
    int r = os_rename_noreplace(e->tmp_path, e->final_path, err);
    if (r == POND_ENOTFOUND) { /* an empty directory may have been removed since store_batch_add made it */
        POND_TRY(make_parent(b, e->final_path, err));
        r = os_rename_noreplace(e->tmp_path, e->final_path, err);
    }
    if (r == POND_EEXISTS) {
        store_discard(e->tmp_path);
        r = 0;
    }
    return r;
}

static int sync_names(const struct store_batch *b, struct pond_error *err)
{
    if (b->many_dirs)
        return sync_file_system(b, err);
    for (size_t i = 0; i < b->dir_count; i++)
        POND_TRY(os_fsync_dir(b->dirs[i], err));
    return 0;
}

int store_batch_flush(struct store_batch *b, struct pond_error *err)
{
    POND_TRY(check_usable(b, err));
    if (b->count == 0)
        return 0;
    size_t done = 0;
    int r = sync_bytes(b, err);
    while (r == 0 && done < b->count) {
        r = place(b, &b->entries[done], err);
        if (r == 0)
            done++;
    }
    if (r == 0)
        r = sync_names(b, err);
    batch_clear(b, done);
    b->failed = r;
    return r;
}
