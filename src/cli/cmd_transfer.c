/* backup, pull, restore. */
#include "cli/cli.h"

static void tell(const struct cli *c, const struct pond_transfer_result *result, double seconds, bool dry_run)
{
    if (c->json) {
        cli_put_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:b}", "txn", (json_int_t)result->txn, "transactions",
                               (json_int_t)result->transactions, "bundles", (json_int_t)result->bundles, "bytes_copied",
                               (json_int_t)result->bytes_copied, "bytes_encoded", (json_int_t)result->bytes_encoded,
                               "seconds", cli_round_seconds(seconds), "dry_run", dry_run));
        return;
    }
    if (c->quiet)
        return;
    char size[SIZE_TEXT];
    if (result->transactions == 0 && result->bundles == 0)
        fprintf(cli_out, "txn %lld: nothing to copy\n", (long long)result->txn);
    else
        fprintf(cli_out, "txn %lld: %llu transaction%s, %llu bundle%s, %s%s in %.1f s\n", (long long)result->txn,
                (unsigned long long)result->transactions, cli_plural(result->transactions),
                (unsigned long long)result->bundles, cli_plural(result->bundles),
                cli_format_size(result->bytes_copied, size), dry_run ? " to copy" : " copied", seconds);
}

typedef int transfer_fn(struct pond *p, const char *name, const struct pond_transfer_options *options,
                        struct pond_transfer_result *out, struct pond_error *err);

static int transfer(const struct cli *c, int open_flags, transfer_fn *fn, bool dry_run, struct pond_error *err)
{
    struct pond *p = NULL;
    struct progress progress = {0};
    struct pond_transfer_options options = {.dry_run = dry_run, .at = POND_AT_TIP};
    struct pond_transfer_result result = {0};
    int r = cli_open(c, open_flags, &p, err);
    if (r < 0)
        return r;
    double start = cli_seconds();
    cli_progress_begin(&progress, c);
    options.control = cli_control(c, &progress);
    r = fn(p, c->arg_count > 0 ? c->args[0] : NULL, &options, &result, err);
    cli_progress_end(&progress);
    pond_close(p);
    if (r == 0)
        tell(c, &result, cli_seconds() - start, dry_run);
    return r;
}

int cmd_backup(struct cli *c, struct pond_error *err)
{
    return transfer(c, POND_READ, pond_backup, cli_has(c, "dry-run"), err);
}

int cmd_pull(struct cli *c, struct pond_error *err)
{
    return transfer(c, POND_WRITE_REPLICA, pond_pull, false, err);
}

int cmd_restore(struct cli *c, struct pond_error *err)
{
    struct progress progress = {0};
    struct pond_transfer_options options = {.at = POND_AT_TIP, .at_text = cli_value(c, "at")};
    struct pond_transfer_result result = {0};
    double start = cli_seconds();
    cli_progress_begin(&progress, c);
    options.control = cli_control(c, &progress);
    int r = pond_restore(c->args[0], c->args[1], &options, &result, err);
    cli_progress_end(&progress);
    if (r == 0)
        tell(c, &result, cli_seconds() - start, false);
    return r;
}
