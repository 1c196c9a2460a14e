/* Standard output and standard error. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

FILE *cli_out;
static int write_errno;
static bool out_is_terminal;

/* Keeps the reason of the first failure, which stdio does not. */
static ssize_t write_out(void *cookie, const char *bytes, size_t size)
{
    (void)cookie;
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(STDOUT_FILENO, bytes + done, size - done);
        if (n < 0 && errno == EINTR && !cli_cancel)
            continue;
        if (n < 0) {
            write_errno = write_errno == 0 ? errno : write_errno;
            return 0;
        }
        done += (size_t)n;
    }
    return (ssize_t)size;
}

void cli_open_output(void)
{
    static char buffer[1 << 16];
    cli_out = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_out});
    if (cli_out == NULL)
        cli_die_nomem();
    out_is_terminal = isatty(STDOUT_FILENO) == 1;
    setvbuf(cli_out, buffer, out_is_terminal ? _IOLBF : _IOFBF, sizeof(buffer));
}

int cli_continue(struct pond_error *err)
{
    if (cli_cancel)
        return cli_fail(err, POND_EINTERRUPTED, "interrupted");
    if (write_errno != 0)
        return cli_fail(err, POND_EIO, "standard output: cannot write: %s", strerror(write_errno));
    return 0;
}

int cli_close_output(struct pond_error *err)
{
    (void)fclose(cli_out); /* tells in write_errno */
    cli_out = NULL;
    /* Some file systems tell of a full disk only now. */
    if (write_errno == 0 && close(STDOUT_FILENO) < 0)
        write_errno = errno;
    return write_errno == 0 ? 0 : cli_continue(err);
}

bool cli_output_pipe_closed(void)
{
    return write_errno == EPIPE;
}

void cli_put_name(const char *name)
{
    if (out_is_terminal && !cli_is_printable(name))
        cli_put_shell_word(cli_out, name);
    else
        fputs(name, cli_out);
}

/* ---- JSON ---- */

static char *dump_json(json_t *object)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_REAL_PRECISION(9));
    if (text == NULL)
        cli_die_nomem();
    json_decref(object);
    return text;
}

void cli_put_json(json_t *object)
{
    char *text = dump_json(object);
    fprintf(cli_out, "%s\n", text);
    free(text);
}

static bool json_array_empty;

void cli_begin_json_array(json_t *object, const char *key)
{
    char *text = dump_json(object);
    text[strlen(text) - 1] = '\0'; /* the closing brace */
    fprintf(cli_out, "%s, \"%s\": [", text, key);
    free(text);
    json_array_empty = true;
}

void cli_put_json_item(json_t *item)
{
    char *text = dump_json(item);
    fprintf(cli_out, "%s%s", json_array_empty ? "" : ", ", text);
    free(text);
    json_array_empty = false;
}

void cli_end_json_array(void)
{
    fputs("]}\n", cli_out);
}

/* ---- standard error ---- */

int cli_exit_code(int code)
{
    switch (code) {
    case POND_OK:
        return EXIT_SUCCESS;
    case POND_EUSAGE:
        return EXIT_USAGE;
    case POND_ECORRUPT:
        return EXIT_DAMAGE;
    case POND_ENOPOND:
        return 10;
    case POND_ELOCKED:
        return 11;
    case POND_EDENIED:
        return 12;
    case POND_EDIVERGED:
        return 13;
    case POND_EINTERRUPTED:
        return 130;
    default:
        return EXIT_FAILURE;
    }
}

/* Results that came before stand before it on a terminal too. */
static void begin_message(void)
{
    cli_progress_clear();
    if (cli_out != NULL && out_is_terminal)
        fflush(cli_out);
}

/* exit_code < 0: not told. */
static void print_report(const struct cli *c, const char *key, const char *prefix, const struct pond_error *err,
                         int exit_code)
{
    begin_message();
    const char *message = err->message[0] != '\0' ? err->message : "failed";
    if (!c->json) {
        fputs(prefix, stderr);
        cli_put_escaped(stderr, message);
        fputc('\n', stderr);
        return;
    }
    json_t *report = json_pack("{s:s}", "code", pond_code_name(err->code));
    if (report == NULL || (exit_code >= 0 && json_object_set_new(report, "exit", json_integer(exit_code)) < 0))
        cli_die_nomem();
    cli_json_set_bytes(report, "message", message);
    if (err->path[0] != '\0')
        cli_json_set_bytes(report, "path", err->path);
    else if (json_object_set_new(report, "path", json_null()) < 0)
        cli_die_nomem();
    char *text = dump_json(json_pack("{s:o}", key, report));
    fprintf(stderr, "%s\n", text);
    free(text);
}

void cli_print_error(const struct cli *c, const struct pond_error *err, int exit_code)
{
    print_report(c, "error", "pond: ", err, exit_code);
}

void cli_print_warning(const struct cli *c, const struct pond_error *err)
{
    print_report(c, "warning", "pond: warning: ", err, -1);
}

void cli_note(const struct cli *c, const char *format, ...)
{
    if (!c->verbose || c->json)
        return;
    begin_message();
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        cli_die_nomem();
    va_end(args);
    cli_put_escaped(stderr, text);
    fputc('\n', stderr);
    free(text);
}
