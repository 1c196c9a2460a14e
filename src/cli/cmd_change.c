/* mkdir, rm, mv: one transaction each, all or nothing. */
#include "cli/cli.h"

typedef int change_fn(const struct cli *c, struct pond_txn *t, struct pond_error *err);

static void tell(const struct cli *c, const struct pond_txn_result *result, const char *what)
{
    if (c->json)
        cli_put_json(json_pack("{s:I, s:b, s:I, s:I, s:I}", "txn", (json_int_t)result->txn, "committed",
                               result->committed, "files_added", (json_int_t)result->files_added, "files_changed",
                               (json_int_t)result->files_changed, "files_removed", (json_int_t)result->files_removed));
    else if (!c->quiet && !result->committed)
        fprintf(cli_out, "txn %lld: nothing to do\n", (long long)result->txn);
    else if (!c->quiet)
        fprintf(cli_out, "txn %lld: %s\n", (long long)result->txn, what);
}

static int change(const struct cli *c, change_fn *fn, const char *what, struct pond_error *err)
{
    struct pond *p = NULL;
    struct pond_txn *t = NULL;
    struct pond_txn_result result;
    int r = cli_open(c, POND_WRITE, &p, err);
    if (r < 0)
        return r;
    r = pond_begin(&t, p, c->command_line, err);
    if (r == 0) {
        r = fn(c, t, err);
        if (r == 0)
            r = cli_continue(err);
        if (r < 0)
            pond_txn_abort(t);
        else
            r = pond_txn_commit(t, &result, err);
    }
    pond_close(p);
    if (r == 0)
        tell(c, &result, what);
    return r;
}

static int make_directories(const struct cli *c, struct pond_txn *t, struct pond_error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->arg_count; i++)
        r = pond_txn_mkdir(t, c->args[i], cli_has(c, "parents"), err);
    return r;
}

static int remove_paths(const struct cli *c, struct pond_txn *t, struct pond_error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->arg_count; i++)
        r = pond_txn_remove(t, c->args[i], cli_has(c, "recursive"), err);
    return r;
}

static int move_path(const struct cli *c, struct pond_txn *t, struct pond_error *err)
{
    return pond_txn_rename(t, c->args[0], c->args[1], err);
}

int cmd_mkdir(struct cli *c, struct pond_error *err)
{
    return change(c, make_directories, "made", err);
}

int cmd_rm(struct cli *c, struct pond_error *err)
{
    return change(c, remove_paths, "removed", err);
}

int cmd_mv(struct cli *c, struct pond_error *err)
{
    return change(c, move_path, "moved", err);
}
