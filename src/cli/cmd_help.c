/* help and version. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cmd_help(struct cli *c, struct pond_error *err)
{
    const char *shell = cli_value(c, "completion");
    if (cli_has(c, "man")) {
        cli_print_man(cli_out);
    } else if (shell != NULL) {
        (strcmp(shell, "bash") == 0 ? cli_print_bash : cli_print_zsh)(cli_out);
    } else if (c->arg_count == 0) {
        cli_print_overview(cli_out);
    } else {
        char name[64];
        snprintf(name, sizeof(name), "%s%s%s", c->args[0], c->arg_count > 1 ? " " : "",
                 c->arg_count > 1 ? c->args[1] : "");
        const struct command *command = c->arg_count <= 2 ? cli_find_command(name) : NULL;
        if (command != NULL)
            cli_print_help(cli_out, command);
        else if (c->arg_count > 1 || !cli_print_group(cli_out, name))
            return cli_fail(err, POND_EUSAGE, "help: unknown command '%s', 'pond help' lists all commands", name);
    }
    return 0;
}

int cmd_version(struct cli *c, struct pond_error *err)
{
    (void)err;
    if (c->json)
        cli_put_json(json_pack("{s:s}", "version", pond_version()));
    else
        fprintf(cli_out, "pond %s\n", pond_version());
    return 0;
}
