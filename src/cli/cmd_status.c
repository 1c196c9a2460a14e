/* status and promote. */
#include <string.h>

#include "cli/cli.h"


static const char *role_name(enum pond_role role)
{
    return role == POND_REPLICA ? "replica" : "primary";
}

static const char *compression_name(enum pond_compression compression)
{
    switch (compression) {
    case POND_COMPRESSION_ZSTD:
        return "zstd";
    case POND_COMPRESSION_NONE:
        return "none";
    case POND_COMPRESSION_AUTO:
        break;
    }
    return "auto";
}

static json_t *info_json(const struct pond *p, const struct pond_info *info)
{
    char time[TIME_TEXT];
    char hash[2 * POND_HASH_SIZE + 1];
    json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:s, s:I, s:s}", "id", info->id, "role",
                               role_name(info->role), "txn", (json_int_t)info->txn, "time",
                               cli_format_time(info->tip_time_us, 0, time), "tip_blake3",
                               cli_format_hash(info->tip_blake3, hash), "entries", (json_int_t)info->entries, "format",
                               "chunked", "chunk_size",
                               (json_int_t)(info->chunk_size != 0 ? info->chunk_size : POND_CHUNK_SIZE_DEFAULT),
                               "compression", compression_name(info->compression));
    if (object == NULL)
        cli_die_nomem();
    cli_json_set_bytes(object, "path", pond_dir(p));
    return object;
}

static void put_info(const struct pond *p, const struct pond_info *info)
{
    char time[TIME_TEXT];
    char size[SIZE_TEXT];
    char hash[2 * POND_HASH_SIZE + 1];
    fprintf(cli_out, "pond     %s\nplace    ", info->id);
    cli_put_name(pond_dir(p));
    fprintf(cli_out, "\nrole     %s\ntip      txn %lld, %s, commit %.12s\nentries  %llu\n", role_name(info->role),
            (long long)info->txn, cli_format_time_short(info->tip_time_us, time),
            cli_format_hash(info->tip_blake3, hash), (unsigned long long)info->entries);
    fprintf(cli_out, "format   chunked, %s chunks, compression %s\n",
            cli_format_size(info->chunk_size != 0 ? info->chunk_size : POND_CHUNK_SIZE_DEFAULT, size),
            compression_name(info->compression));
}

static json_t *remote_json(const struct pond_remote_status *status)
{
    json_t *object = json_object();
    if (object == NULL)
        cli_die_nomem();
    cli_json_set_bytes(object, "name", status->name);
    cli_json_set_bytes(object, "url", status->url);
    if (status->code == 0) {
        json_t *rest = json_pack("{s:I, s:I}", "txn", (json_int_t)status->txn, "behind", (json_int_t)status->behind);
        if (rest == NULL || json_object_update(object, rest) < 0)
            cli_die_nomem();
        json_decref(rest);
        return object;
    }
    json_t *error = json_pack("{s:s}", "code", pond_code_name(status->code));
    if (error == NULL)
        cli_die_nomem();
    cli_json_set_bytes(error, "message", status->message != NULL ? status->message : "");
    if (json_object_set_new(object, "error", error) < 0)
        cli_die_nomem();
    return object;
}

static void put_distance(const struct pond_remote_status *status)
{
    long long behind = (long long)status->behind;
    if (status->code != 0)
        cli_put_escaped(cli_out, status->message != NULL ? status->message : pond_code_name(status->code));
    else if (status->txn < 0)
        fputs("empty, no backup so far", cli_out);
    else if (behind == 0)
        fprintf(cli_out, "up to date, txn %lld", (long long)status->txn);
    else if (behind > 0)
        fprintf(cli_out, "%lld transaction%s behind, txn %lld", behind, cli_plural((uint64_t)behind),
                (long long)status->txn);
    else
        fprintf(cli_out, "%lld transaction%s ahead of this pond, txn %lld", -behind, cli_plural((uint64_t)-behind),
                (long long)status->txn);
}

static int put_remote(void *context, const struct pond_remote_status *status, struct pond_error *err)
{
    const struct cli *c = context;
    if (c->json) {
        cli_put_json_item(remote_json(status));
        return cli_continue(err);
    }
    fprintf(cli_out, "remote   %s, ", status->name);
    cli_put_name(status->url);
    fputs(": ", cli_out);
    put_distance(status);
    fputc('\n', cli_out);
    return cli_continue(err);
}

int cmd_status(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    struct pond_info info = {0};
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    r = pond_get_info(p, &info, err);
    if (r == 0) {
        if (c->json)
            cli_begin_json_array(info_json(p, &info), "remotes");
        else
            put_info(p, &info);
        r = pond_status(p, put_remote, c, err);
        if (r >= 0 && c->json)
            cli_end_json_array();
    }
    pond_close(p);
    return r < 0 ? r : 0;
}

int cmd_promote(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    struct pond_info info = {0};
    int r = cli_open(c, POND_WRITE_REPLICA, &p, err);
    if (r < 0)
        return r;
    r = pond_promote(p, err);
    if (r == 0)
        r = pond_get_info(p, &info, err);
    pond_close(p);
    if (r < 0)
        return r;
    if (c->json)
        cli_put_json(json_pack("{s:s, s:I, s:s}", "id", info.id, "txn", (json_int_t)info.txn, "role", "primary"));
    else if (!c->quiet)
        fprintf(cli_out, "txn %lld: this pond is a primary now\n", (long long)info.txn);
    return 0;
}
