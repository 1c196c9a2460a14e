#include <string.h>

#include "cli/cli.h"

struct versions {
    const struct cli *c;
    int64_t at;
};

static int put_version(void *context, const struct pond_entry *entry, struct pond_error *err)
{
    const struct versions *versions = context;
    if (entry->txn > versions->at)
        return 0;
    if (versions->c->json) {
        cli_put_json_item(cli_entry_json(entry));
        return cli_continue(err);
    }
    char time[TIME_TEXT];
    char hash[2 * POND_HASH_SIZE + 1] = "-";
    if (entry->has_blake3)
        cli_format_hash(entry->blake3, hash);
    fprintf(cli_out, "version    %4lld  txn %6lld  %s %14llu  %-12.12s  ", (long long)entry->version,
            (long long)entry->txn, cli_format_time_short(entry->time_us, time), (unsigned long long)entry->size, hash);
    cli_put_name(entry->path);
    fputs(entry->deleted ? "  removed\n" : "\n", cli_out);
    return cli_continue(err);
}

static json_t *full_json(const struct pond_entry *entry)
{
    json_t *object = cli_entry_json(entry);
    json_t *attributes = entry->attributes != NULL ? json_loads(entry->attributes, 0, NULL) : json_object();
    if (attributes == NULL || json_object_set_new(object, "attributes", attributes) < 0)
        cli_die_nomem();
    return object;
}

static void put_line(const char *key, const char *value)
{
    fprintf(cli_out, "%-10s ", key);
    cli_put_name(value);
    fputc('\n', cli_out);
}

static void put_details(const struct pond_entry *entry)
{
    char time[TIME_TEXT];
    char size[SIZE_TEXT];
    char hash[2 * POND_HASH_SIZE + 1];
    put_line("path", entry->path);
    put_line("type", cli_type_name(entry->type));
    if (entry->target != NULL)
        put_line("target", entry->target);
    fprintf(cli_out, "size       %llu (%s)\n", (unsigned long long)entry->size, cli_format_size(entry->size, size));
    fprintf(cli_out, "mode       %04o\n", entry->mode);
    put_line("mtime", cli_format_time(entry->mtime_us, entry->mtime_nanos, time));
    if (entry->has_blake3)
        put_line("blake3", cli_format_hash(entry->blake3, hash));
    if (entry->storage != POND_STORAGE_NONE)
        put_line("storage", cli_storage_name(entry->storage));
    if (entry->attributes != NULL)
        put_line("attributes", entry->attributes);
    put_line("node", entry->node_id);
    fprintf(cli_out, "version    %lld of txn %lld, %s\n", (long long)entry->version, (long long)entry->txn,
            cli_format_time(entry->time_us, 0, time));
}

static int stat_path(const struct cli *c, struct pond *p, struct pond_error *err)
{
    struct versions versions = {.c = c};
    struct pond_entry entry = {0};
    int r = cli_at(c, p, &versions.at, err);
    if (r == 0)
        r = pond_stat(p, c->args[0], versions.at, &entry, err);
    if (r < 0)
        return r;
    if (c->json)
        cli_begin_json_array(full_json(&entry), "versions");
    else
        put_details(&entry);
    r = pond_node_versions(p, entry.node_id, put_version, &versions, err);
    if (r >= 0 && c->json)
        cli_end_json_array();
    return r < 0 ? r : 0;
}

int cmd_stat(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    r = stat_path(c, p, err);
    pond_close(p);
    return r;
}
