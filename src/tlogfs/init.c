/* tlogfs/init.c - making a pond: the first transaction makes the table and the root directory. */
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "tlogfs/handle.h"

#define PART_PREFIX "part-00000000000000000000-"

/* What an init that was cut off left behind may stand there; it was never a pond. */
static bool is_leftover(const char *name)
{
    return strcmp(name, "_pond") == 0 || strcmp(name, "_delta_log") == 0 ||
           strncmp(name, PART_PREFIX, strlen(PART_PREFIX)) == 0;
}

static int check_empty(const struct pond *p, struct pond_error *err)
{
    struct pond_commit first;
    int r = pond_first_commit(p, &first, err);
    if (r == 1)
        pond_commit_release(&first);
    if (r == 1)
        return pond_fail_path(err, POND_EEXISTS, p->dir, "%s: is a pond already", p->dir);
    if (r < 0 && r != POND_ECORRUPT)
        return r;
    char id[37];
    enum pond_role role;
    if (r == 0 && (r = pond_config_peek(p, id, &role, err)) < 0)
        return r;
    if (r == 1 && role == POND_REPLICA)
        return pond_fail_path(err, POND_EEXISTS, p->dir, "%s: is the unfinished restore of a pond", p->dir);

    struct os_dir *dir;
    const char *name;
    unsigned char type;
    const bool foreign_log = r == POND_ECORRUPT;
    POND_TRY(os_dir_open(p->dir, &dir, err));
    while ((r = os_dir_next(dir, &name, &type, err)) == 1) {
        if (foreign_log || !is_leftover(name)) {
            r = pond_fail_path(err, POND_EEXISTS, p->dir, "%s: is not empty (it holds \"%s\")", p->dir, name);
            break;
        }
    }
    os_dir_close(dir);
    return r;
}

static int remove_leftovers(const struct pond *p, struct pond_error *err)
{
    char **names;
    size_t count;
    POND_TRY(os_dir_sorted(p->dir, &names, &count, err));
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        if (strncmp(names[i], PART_PREFIX, strlen(PART_PREFIX)) != 0)
            continue;
        char *path = os_path_join(p->dir, names[i]);
        r = path != NULL ? os_unlink(path, err) : pond_fail_nomem(err);
        pond_free(path);
    }
    pond_free(names);
    return r;
}

static int put_root(struct pond_txn *t, struct pond_error *err)
{
    struct oplog_row root = {
        .name = "",
        .type = POND_DIRECTORY,
        .version = 1,
        .mode = 0755,
        .mtime_us = t->time_us,
    };
    pond_uuid7(root.node_id);
    return pond_txn_put(t, &root, err);
}

static int open_fresh_index(struct pond *p, struct pond_error *err)
{
    bool fresh;
    int64_t txn;
    uint8_t hash[POND_HASH_SIZE];
    char *path = os_path_join(p->state_dir, "index.sqlite");
    int r = path != NULL ? index_open(&p->index, path, &fresh, err) : pond_fail_nomem(err);
    pond_free(path);
    if (r == 0)
        r = index_tip(p->index, &txn, hash, err);
    if (r == 0 && txn >= 0)
        r = index_remake(p->index, err); /* of a log that is gone */
    return r;
}

static int init_locked(struct pond *p, const struct pond_init_options *options, struct pond_error *err)
{
    struct pond_txn *t;
    struct pond_txn_result result;
    uint8_t id[16];
    POND_TRY(check_empty(p, err)); /* once more: another init may have been first */
    POND_TRY(remove_leftovers(p, err));
    pond_uuid7(id);
    pond_uuid_format(id, p->info.id);
    p->info.chunk_size = options->chunk_size;
    p->info.compression = options->compression;
    POND_TRY(pond_config_load(p, POND_PRIMARY, err));
    POND_TRY(pond_config_save(p, err));
    POND_TRY(open_fresh_index(p, err));
    POND_TRY(pond_txn_start(&t, p, options->command, err));
    int r = put_root(t, err);
    if (r < 0) {
        pond_txn_abort(t);
        return r;
    }
    return pond_txn_commit(t, &result, err);
}

static int check_options(const struct pond_init_options *options, struct pond_error *err)
{
    const uint64_t n = options->chunk_size;
    if (n != 0 && (n < POND_CHUNK_SIZE_MIN || n > POND_CHUNK_SIZE_MAX || (n & (n - 1)) != 0))
        return pond_fail(err, POND_EUSAGE, "chunk size %llu: must be a power of two of 4 MiB to 64 MiB",
                         (unsigned long long)n);
    if (options->compression < POND_COMPRESSION_AUTO || options->compression > POND_COMPRESSION_NONE)
        return pond_fail(err, POND_EUSAGE, "compression %d is not known", (int)options->compression);
    return 0;
}

int pond_init(const char *dir, const struct pond_init_options *options, struct pond_error *err)
{
    const struct pond_init_options defaults = {0};
    struct pond *p;
    if (options == NULL)
        options = &defaults;
    POND_TRY(check_options(options, err));
    POND_TRY(pond_handle_new(&p, dir, true, err));
    int r = check_empty(p, err);
    if (r == 0)
        r = pond_handle_lock(p, err);
    if (r == 0)
        r = init_locked(p, options, err);
    pond_close(p);
    return r;
}
