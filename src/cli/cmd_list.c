#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

struct listing {
    const struct cli *c;
    bool full; /* whole paths, not names */
};

static int put_entry(void *context, const struct pond_entry *entry, struct pond_error *err)
{
    const struct listing *listing = context;
    if (listing->c->json) {
        cli_put_json(cli_entry_json(entry));
        return cli_continue(err);
    }
    bool with_columns = cli_has(listing->c, "long");
    if (with_columns)
        cli_put_columns(entry);
    cli_put_entry_name(entry, listing->full, with_columns);
    fputc('\n', cli_out);
    return cli_continue(err);
}

/* ---- a glob with -R: what matches, and all below it, once and sorted ---- */

struct paths {
    char **items;
    size_t count;
};

static int collect(void *context, const struct pond_entry *entry, struct pond_error *err)
{
    struct paths *paths = context;
    paths->items = cli_realloc(paths->items, paths->count + 1, sizeof(*paths->items));
    paths->items[paths->count] = strdup(entry->path);
    if (paths->items[paths->count] == NULL)
        cli_die_nomem();
    paths->count++;
    return cli_continue(err);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_glob_below(struct pond *p, const char *pattern, int64_t at, struct listing *listing,
                           struct pond_error *err)
{
    struct paths paths = {0};
    char *below = NULL;
    if (asprintf(&below, "%s/**", pattern) < 0)
        cli_die_nomem();
    int r = pond_glob(p, pattern, at, collect, &paths, err);
    if (r >= 0) {
        r = pond_glob(p, below, at, collect, &paths, err);
        r = r == POND_ENOTFOUND ? 0 : r;
    }
    if (paths.count > 0)
        qsort(paths.items, paths.count, sizeof(*paths.items), compare_paths);
    for (size_t i = 0; r >= 0 && i < paths.count; i++) {
        struct pond_entry entry = {0};
        if (i > 0 && strcmp(paths.items[i - 1], paths.items[i]) == 0)
            continue;
        r = pond_stat(p, paths.items[i], at, &entry, err);
        if (r >= 0)
            r = put_entry(listing, &entry, err);
    }
    for (size_t i = 0; i < paths.count; i++)
        free(paths.items[i]);
    free(paths.items);
    free(below);
    return r;
}

/* What is there under exactly that name is meant literally, so that every name can be listed as it is. */
static int list_path(const struct cli *c, struct pond *p, int64_t at, struct pond_error *err)
{
    const char *path = c->arg_count > 0 ? c->args[0] : "/";
    bool recursive = cli_has(c, "recursive");
    struct listing listing = {c, recursive};
    struct pond_entry entry = {0};
    int r = pond_stat(p, path, at, &entry, err);
    if (r == 0) {
        listing.full = listing.full || entry.type != POND_DIRECTORY;
        return pond_list(p, path, at, recursive, put_entry, &listing, err);
    }
    if (r != POND_ENOTFOUND || strpbrk(path, "*?[") == NULL)
        return r;
    listing.full = true;
    return recursive ? list_glob_below(p, path, at, &listing, err) : pond_glob(p, path, at, put_entry, &listing, err);
}

int cmd_list(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    int64_t at;
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    r = cli_at(c, p, &at, err);
    if (r == 0)
        r = list_path(c, p, at, err);
    pond_close(p);
    return r < 0 ? r : 0;
}
