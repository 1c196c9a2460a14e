#include <stdlib.h>

#include "cli/cli.h"

struct check {
    const struct cli *c;
    struct progress progress;
};

static void put_damage(void *context, const struct pond_damage *damage)
{
    const struct check *check = context;
    cli_progress_clear();
    if (!check->c->json) {
        fprintf(cli_out, "damaged %s: ", damage->what);
        cli_put_escaped(cli_out, damage->message);
        fprintf(cli_out, "%s\n", damage->content_intact ? " (its content is intact)" : "");
        return;
    }
    json_t *object = json_pack("{s:s, s:b}", "what", damage->what, "content_intact", damage->content_intact);
    if (object == NULL)
        cli_die_nomem();
    cli_json_set_bytes(object, "path", damage->path != NULL ? damage->path : "");
    cli_json_set_bytes(object, "message", damage->message);
    cli_put_json(json_pack("{s:o}", "damage", object));
}

static void take_subset(const struct cli *c, struct pond_check_options *options)
{
    const char *part = cli_value(c, "read-data-subset");
    char *rest = NULL;
    options->read_data = part != NULL || cli_has(c, "read-data");
    if (part == NULL)
        return;
    options->subset_n = (uint32_t)strtoul(part, &rest, 10);
    options->subset_of = (uint32_t)strtoul(rest + 1, NULL, 10);
}

static int tell(const struct cli *c, const struct pond_check_result *result, struct pond_error *err)
{
    char size[SIZE_TEXT];
    unsigned long long damaged = result->damaged;
    if (c->json)
        cli_put_json(json_pack("{s:I, s:I, s:I, s:I}", "entries", (json_int_t)result->entries, "bundles",
                               (json_int_t)result->bundles, "bytes_read", (json_int_t)result->bytes_read, "damaged",
                               (json_int_t)result->damaged));
    else if (!c->quiet)
        fprintf(cli_out, "%llu %s, %llu bundle%s, %s read: %llu damaged\n", (unsigned long long)result->entries,
                result->entries == 1 ? "entry" : "entries", (unsigned long long)result->bundles,
                cli_plural(result->bundles), cli_format_size(result->bytes_read, size), damaged);
    if (damaged == 0)
        return 0;
    return cli_fail(err, POND_ECORRUPT, "damage found in %llu place%s", damaged, cli_plural(damaged));
}

/* A pond that is too damaged to be opened, or checked to the end, is a finding as well. */
static int tell_broken(struct check *check, struct pond_check_result *result, struct pond_error *err)
{
    struct pond_damage damage = {.what = "pond", .path = err->path, .message = err->message};
    put_damage(check, &damage);
    result->damaged++;
    return tell(check->c, result, err);
}

int cmd_check(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    struct check check = {.c = c};
    struct pond_check_options options = {
        .on_damage = put_damage,
        .context = &check,
    };
    struct pond_check_result result = {0};
    if (cli_has(c, "read-data") && cli_has(c, "read-data-subset"))
        return cli_usage(c, err, "expected one of --read-data and --read-data-subset, not both");
    take_subset(c, &options);
    int r = cli_open(c, POND_READ, &p, err);
    if (r == 0) {
        cli_progress_begin(&check.progress, c);
        options.control = cli_control(c, &check.progress);
        /* A guess: older versions and a remote's own state are left out. */
        if (options.read_data && options.subset_of == 0)
            cli_progress_add_total(&check.progress, p, "/", POND_AT_TIP);
        r = c->arg_count > 0 ? pond_check_remote(p, c->args[0], &options, &result, err)
                             : pond_check(p, &options, &result, err);
        cli_progress_end(&check.progress);
    }
    pond_close(p);
    if (r == POND_ECORRUPT)
        return tell_broken(&check, &result, err);
    return r < 0 ? r : tell(c, &result, err);
}
