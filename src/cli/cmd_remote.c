/* remote add, list, remove. */
#include "cli/cli.h"

static json_t *remote_json(const char *name, const char *url)
{
    json_t *object = json_object();
    if (object == NULL)
        cli_die_nomem();
    cli_json_set_bytes(object, "name", name);
    if (url != NULL)
        cli_json_set_bytes(object, "url", url);
    return object;
}

static void tell(const struct cli *c, const char *what, const char *name, const char *url)
{
    if (c->json) {
        cli_put_json(remote_json(name, url));
    } else if (!c->quiet) {
        fprintf(cli_out, "remote %s %s", name, what);
        if (url != NULL) {
            fputs(": ", cli_out);
            cli_put_name(url);
        }
        fputc('\n', cli_out);
    }
}

int cmd_remote_add(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    r = pond_remote_add(p, c->args[0], c->args[1], err);
    pond_close(p);
    if (r == 0)
        tell(c, "added", c->args[0], c->args[1]);
    return r;
}

int cmd_remote_remove(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    r = pond_remote_remove(p, c->args[0], err);
    pond_close(p);
    if (r == 0)
        tell(c, "removed", c->args[0], NULL);
    return r;
}

static int put_remote(void *context, const char *name, const char *url, struct pond_error *err)
{
    const struct cli *c = context;
    if (c->json) {
        cli_put_json(remote_json(name, url));
    } else {
        fprintf(cli_out, "%s\t", name);
        cli_put_name(url);
        fputc('\n', cli_out);
    }
    return cli_continue(err);
}

int cmd_remote_list(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    r = pond_remote_list(p, put_remote, c, err);
    pond_close(p);
    return r < 0 ? r : 0;
}
