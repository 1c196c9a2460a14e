#include "cli/cli.h"

static void put_file(void *context, const char *path)
{
    const struct cli *c = context;
    if (!cli_has(c, "dry-run")) {
        cli_note(c, "removed %s", path);
    } else if (c->json) {
        json_t *object = json_object();
        if (object == NULL)
            cli_die_nomem();
        cli_json_set_bytes(object, "path", path);
        cli_put_json(object);
    } else {
        cli_put_name(path);
        fputc('\n', cli_out);
    }
}

int cmd_gc(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    struct pond_gc_result result = {0};
    bool dry_run = cli_has(c, "dry-run");
    int r = cli_open(c, POND_WRITE_REPLICA, &p, err);
    if (r < 0)
        return r;
    r = pond_gc(p, dry_run, put_file, c, &result, err);
    pond_close(p);
    if (r < 0)
        return r;
    char size[SIZE_TEXT];
    if (c->json)
        cli_put_json(json_pack("{s:I, s:I, s:b}", "files", (json_int_t)result.files, "bytes", (json_int_t)result.bytes,
                               "dry_run", dry_run));
    else if (!c->quiet)
        fprintf(cli_out, "%llu file%s, %s %s\n", (unsigned long long)result.files, cli_plural(result.files),
                cli_format_size(result.bytes, size), dry_run ? "to remove" : "removed");
    return 0;
}
