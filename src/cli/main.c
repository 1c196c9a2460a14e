/* pond - the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

/* A file of the pond must never get the number of a standard stream that the caller closed. The stand-ins fail. */
static void occupy_standard_streams(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_FAILURE);
}

static int run(struct cli *c, struct pond_error *err)
{
    if (c->help) {
        cli_print_help(cli_out, c->command);
        return 0;
    }
    return c->command->run(c, err);
}

int main(int argc, char **argv)
{
    struct cli c = {0};
    struct pond_error err = {0};

    occupy_standard_streams();
    cli_catch_signals();
    cli_open_output();
    int r = cli_parse(&c, argc, argv, &err);
    if (r == 0)
        r = run(&c, &err);
    cli_progress_clear();

    /* A first failure counts; one of the output only when all else went well. */
    struct pond_error output_err = {0};
    if (cli_close_output(&output_err) < 0 && r == 0) {
        err = output_err;
        r = err.code;
    }
    int exit_code = r > 0 ? r : cli_exit_code(r);
    if (r < 0 && !cli_output_pipe_closed()) {
        err.code = r;
        cli_print_error(&c, &err, exit_code);
    }
    cli_release(&c);
    return exit_code;
}
