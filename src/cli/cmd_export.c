#include <string.h>

#include "cli/cli.h"

struct export {
    const struct cli *c;
    struct progress progress;
};

static void on_problem(void *context, const char *host_path, const struct pond_error *why)
{
    const struct export *export = context;
    struct pond_error err = *why;
    cli_name_path(&err, host_path);
    if (err.path[0] == '\0')
        snprintf(err.path, sizeof(err.path), "%s", host_path);
    if (err.code == POND_ECORRUPT)
        cli_print_error(export->c, &err, EXIT_DAMAGE);
    else
        cli_print_warning(export->c, &err);
}

static enum pond_overwrite overwrite_of(const struct cli *c)
{
    const char *text = cli_value(c, "overwrite");
    if (text == NULL || strcmp(text, "always") == 0)
        return POND_OVERWRITE_ALWAYS;
    return strcmp(text, "never") == 0 ? POND_OVERWRITE_NEVER : POND_OVERWRITE_IF_CHANGED;
}

static void tell(const struct cli *c, const struct pond_export_result *result, double seconds)
{
    if (c->json) {
        cli_put_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "files", (json_int_t)result->files, "directories",
                               (json_int_t)result->directories, "unchanged", (json_int_t)result->unchanged, "problems",
                               (json_int_t)result->problems, "bytes", (json_int_t)result->bytes, "seconds",
                               cli_round_seconds(seconds)));
        return;
    }
    if (c->quiet)
        return;
    char size[SIZE_TEXT];
    fprintf(cli_out, "%llu file%s, %s exported in %.1f s", (unsigned long long)result->files,
            cli_plural(result->files), cli_format_size(result->bytes, size), seconds);
    if (result->unchanged > 0)
        fprintf(cli_out, ", %llu left as they were", (unsigned long long)result->unchanged);
    if (result->problems > 0)
        fprintf(cli_out, ", %llu with problems", (unsigned long long)result->problems);
    fputc('\n', cli_out);
}

int cmd_export(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    struct export export = {.c = c};
    struct pond_export_options options = {
        .overwrite = overwrite_of(c),
        .on_problem = on_problem,
        .context = &export,
    };
    struct pond_export_result result = {0};
    double start = cli_seconds();
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    cli_progress_begin(&export.progress, c);
    options.control = cli_control(c, &export.progress);
    r = cli_at(c, p, &options.at, err);
    for (size_t i = 0; r == 0 && i + 1 < c->arg_count; i++)
        cli_progress_add_total(&export.progress, p, c->args[i], options.at);
    if (r == 0)
        r = pond_export(p, c->args, c->arg_count - 1, c->args[c->arg_count - 1], &options, &result, err);
    cli_progress_end(&export.progress);
    pond_close(p);
    if (r == 0)
        tell(c, &result, cli_seconds() - start);
    return r;
}
