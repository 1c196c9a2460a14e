/* log and show. */
#include <string.h>

#include "cli/cli.h"

static json_t *log_json(const struct pond_log_entry *entry)
{
    char time[TIME_TEXT];
    char hash[2 * POND_HASH_SIZE + 1];
    json_t *object = json_pack("{s:I, s:s}", "txn", (json_int_t)entry->txn, "time",
                               cli_format_time(entry->time_us, 0, time));
    if (object == NULL)
        cli_die_nomem();
    cli_json_set_bytes(object, "command", entry->command);
    cli_json_set_bytes(object, "user", entry->user);
    cli_json_set_bytes(object, "host", entry->host);
    json_t *rest = json_pack("{s:I, s:I, s:I, s:I, s:s}", "files_added", (json_int_t)entry->files_added,
                             "files_changed", (json_int_t)entry->files_changed, "files_removed",
                             (json_int_t)entry->files_removed, "bytes", (json_int_t)entry->bytes, "commit_blake3",
                             cli_format_hash(entry->commit_blake3, hash));
    if (rest == NULL || json_object_update(object, rest) < 0)
        cli_die_nomem();
    json_decref(rest);
    return object;
}

static int put_log_line(void *context, const struct pond_log_entry *entry, struct pond_error *err)
{
    const struct cli *c = context;
    if (c->json) {
        cli_put_json(log_json(entry));
        return cli_continue(err);
    }
    char time[TIME_TEXT];
    char size[SIZE_TEXT];
    fprintf(cli_out, "txn %lld  %s  ", (long long)entry->txn, cli_format_time_short(entry->time_us, time));
    cli_put_escaped(cli_out, entry->user);
    fputc('@', cli_out);
    cli_put_escaped(cli_out, entry->host);
    fprintf(cli_out, "  +%llu ~%llu -%llu  %s  ", (unsigned long long)entry->files_added,
            (unsigned long long)entry->files_changed, (unsigned long long)entry->files_removed,
            cli_format_size(entry->bytes, size));
    cli_put_escaped(cli_out, entry->command);
    fputc('\n', cli_out);
    return cli_continue(err);
}

int cmd_log(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    if (cli_has(c, "limit") && cli_number(c, "limit", 0) == 0)
        return cli_usage(c, err, "--limit: expected a number from 1");
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    r = pond_log(p, c->arg_count > 0 ? c->args[0] : NULL, cli_number(c, "limit", 0), put_log_line, c, err);
    pond_close(p);
    return r < 0 ? r : 0;
}

static void put_log_details(const struct pond_log_entry *entry)
{
    char time[TIME_TEXT];
    char size[SIZE_TEXT];
    char hash[2 * POND_HASH_SIZE + 1];
    fprintf(cli_out, "txn      %lld\ntime     %s\nby       ", (long long)entry->txn,
            cli_format_time(entry->time_us, 0, time));
    cli_put_escaped(cli_out, entry->user);
    fputc('@', cli_out);
    cli_put_escaped(cli_out, entry->host);
    fputs("\ncommand  ", cli_out);
    cli_put_escaped(cli_out, entry->command);
    fprintf(cli_out, "\nfiles    %llu added, %llu changed, %llu removed, %s\ncommit   %s\n\n",
            (unsigned long long)entry->files_added, (unsigned long long)entry->files_changed,
            (unsigned long long)entry->files_removed, cli_format_size(entry->bytes, size),
            cli_format_hash(entry->commit_blake3, hash));
}

static int put_log_head(void *context, const struct pond_log_entry *entry, struct pond_error *err)
{
    const struct cli *c = context;
    if (c->json)
        cli_begin_json_array(log_json(entry), "changes");
    else
        put_log_details(entry);
    return cli_continue(err);
}

static int put_change(void *context, const struct pond_entry *entry, struct pond_error *err)
{
    const struct cli *c = context;
    const char *change = entry->deleted ? "removed" : entry->version == 1 ? "added" : "changed";
    if (c->json) {
        json_t *object = cli_entry_json(entry);
        if (json_object_set_new(object, "change", json_string(change)) < 0)
            cli_die_nomem();
        cli_put_json_item(object);
        return cli_continue(err);
    }
    char size[SIZE_TEXT] = "";
    if (!entry->deleted && entry->type == POND_FILE)
        cli_format_size(entry->size, size);
    fprintf(cli_out, "%-7s  %10s  ", change, size);
    cli_put_entry_name(entry, true, true);
    fputc('\n', cli_out);
    return cli_continue(err);
}

int cmd_show(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    int64_t txn;
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    r = pond_parse_txn(p, c->args[0], &txn, err);
    if (r >= 0)
        r = pond_log_get(p, txn, put_log_head, c, err);
    if (r >= 0) {
        r = pond_show(p, txn, put_change, c, err);
        if (r >= 0 && c->json)
            cli_end_json_array();
    }
    pond_close(p);
    return r < 0 ? r : 0;
}
