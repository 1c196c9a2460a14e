/* What surrounds a command: signals, memory, errors, and which pond. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

volatile int cli_cancel;
static volatile int null_fd = -1; /* of /dev/null, put in the place of standard input by a signal */

/* The file layer goes on with a read that a signal interrupts. So that one which waits for a pipe ends all the same,
 * the input becomes an empty one; whoever reads it looks at cli_cancel before using what came. */
static void on_signal(int number)
{
    int saved_errno = errno;
    (void)number;
    cli_cancel = 1;
    if (null_fd >= 0)
        (void)dup2(null_fd, STDIN_FILENO);
    errno = saved_errno;
}

void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction old;
        /* A shell's background jobs ignore SIGINT, and that stays so. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
}

void cli_signals_end_input(void)
{
    null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

_Noreturn void cli_die_nomem(void)
{
    fputs("pond: out of memory\n", stderr);
    _exit(EXIT_FAILURE);
}

void *cli_realloc(void *block, size_t count, size_t size)
{
    void *p = reallocarray(block, count, size);
    if (p == NULL)
        cli_die_nomem();
    return p;
}

double cli_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int cli_fail(struct pond_error *err, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->code = code;
    vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    err->path[0] = '\0';
    return code;
}

void cli_name_path(struct pond_error *err, const char *path)
{
    char *message = NULL;
    if (strstr(err->message, path) != NULL)
        return;
    if (asprintf(&message, "%s: %s", path, err->message) < 0)
        cli_die_nomem();
    snprintf(err->message, sizeof(err->message), "%s", message);
    free(message);
}

int cli_open(const struct cli *c, int flags, struct pond **out, struct pond_error *err)
{
    const char *dir = cli_value(c, "pond");
    const char *from_env = getenv("POND");
    if (dir == NULL && from_env != NULL && from_env[0] != '\0')
        dir = from_env;
    if (dir != NULL)
        return pond_open(out, dir, flags, err);

    char *here = getcwd(NULL, 0);
    if (here == NULL)
        return cli_fail(err, POND_EIO, "cannot tell the current directory: %s", strerror(errno));
    char *found = NULL;
    int r = pond_find(here, &found, err);
    free(here);
    if (r == POND_ENOPOND)
        return cli_fail(err, POND_ENOPOND,
                        "neither this directory nor one above it is a pond; name one with -p DIR or $POND");
    if (r < 0)
        return r;
    r = pond_open(out, found, flags, err);
    pond_string_free(found);
    return r;
}

int cli_at(const struct cli *c, struct pond *p, int64_t *at, struct pond_error *err)
{
    const char *text = cli_value(c, "at");
    *at = POND_AT_TIP;
    return text == NULL ? 0 : pond_parse_txn(p, text, at, err);
}
