/* One entry of the pond, as JSON and as text. */
#include <string.h>

#include "cli/cli.h"

const char *cli_type_name(enum pond_type type)
{
    switch (type) {
    case POND_DIRECTORY:
        return "directory";
    case POND_FILE:
        return "file";
    case POND_SYMLINK:
        return "symlink";
    }
    return "unknown";
}

const char *cli_storage_name(enum pond_storage storage)
{
    switch (storage) {
    case POND_STORAGE_NONE:
        return NULL;
    case POND_STORAGE_INLINE:
        return "inline";
    case POND_STORAGE_CHUNKED:
        return "chunked";
    }
    return "unknown";
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

json_t *cli_entry_json(const struct pond_entry *entry)
{
    char time[TIME_TEXT];
    char mtime[TIME_TEXT];
    char hash[2 * POND_HASH_SIZE + 1];
    json_t *object = json_object();
    if (object == NULL)
        cli_die_nomem();
    cli_json_set_bytes(object, "path", entry->path);
    cli_json_set_bytes(object, "name", last_name(entry->path));
    json_t *rest = json_pack(
        "{s:s, s:I, s:I, s:I, s:s, s:s, s:i, s:s?, s:s?, s:s}", "type", cli_type_name(entry->type), "size",
        (json_int_t)entry->size, "version", (json_int_t)entry->version, "txn", (json_int_t)entry->txn, "time",
        cli_format_time(entry->time_us, 0, time), "mtime", cli_format_time(entry->mtime_us, entry->mtime_nanos, mtime),
        "mode", (int)entry->mode, "blake3", entry->has_blake3 ? cli_format_hash(entry->blake3, hash) : NULL, "storage",
        cli_storage_name(entry->storage), "node_id", entry->node_id);
    if (rest == NULL || json_object_update(object, rest) < 0)
        cli_die_nomem();
    json_decref(rest);
    if (entry->target != NULL)
        cli_json_set_bytes(object, "target", entry->target);
    if (entry->deleted && json_object_set_new(object, "deleted", json_true()) < 0)
        cli_die_nomem();
    return object;
}

void cli_put_columns(const struct pond_entry *entry)
{
    char mtime[TIME_TEXT];
    char hash[2 * POND_HASH_SIZE + 1] = "-";
    if (entry->has_blake3)
        cli_format_hash(entry->blake3, hash);
    fprintf(cli_out, "%-9s %14llu  %s %4lld  %-12.12s  ", cli_type_name(entry->type), (unsigned long long)entry->size,
            cli_format_time_short(entry->mtime_us, mtime), (long long)entry->version, hash);
}

void cli_put_entry_name(const struct pond_entry *entry, bool full, bool with_target)
{
    cli_put_name(full ? entry->path : last_name(entry->path));
    if (entry->type == POND_DIRECTORY && strcmp(entry->path, "/") != 0)
        fputc('/', cli_out);
    if (with_target && entry->target != NULL) {
        fputs(" -> ", cli_out);
        cli_put_name(entry->target);
    }
}
