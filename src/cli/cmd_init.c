#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static enum pond_compression compression_of(const struct cli *c)
{
    const char *text = cli_value(c, "compression");
    if (text == NULL || strcmp(text, "auto") == 0)
        return POND_COMPRESSION_AUTO;
    return strcmp(text, "zstd") == 0 ? POND_COMPRESSION_ZSTD : POND_COMPRESSION_NONE;
}

/* DIR, -p, $POND, or here. */
static int choose_dir(const struct cli *c, const char **dir, struct pond_error *err)
{
    const char *argument = c->arg_count > 0 ? c->args[0] : NULL;
    const char *flag = cli_value(c, "pond");
    const char *from_env = getenv("POND");
    if (argument != NULL && flag != NULL && strcmp(argument, flag) != 0)
        return cli_usage(c, err, "expected one directory, not both '%s' and -p '%s'", argument, flag);
    *dir = argument != NULL ? argument : flag;
    if (*dir == NULL)
        *dir = from_env != NULL && from_env[0] != '\0' ? from_env : ".";
    return 0;
}

static int check_format(const struct cli *c, struct pond_error *err)
{
    const char *format = cli_value(c, "format");
    if (format == NULL || strcmp(format, "chunked") == 0)
        return 0;
    if (strcmp(format, "hybrid") == 0 || strcmp(format, "raw") == 0)
        return cli_usage(c, err, "--format %s is not supported by this version, only chunked is", format);
    return cli_usage(c, err, "--format: expected chunked, not '%s'", format);
}

static int check_chunk_size(const struct cli *c, uint64_t size, struct pond_error *err)
{
    if (!cli_has(c, "chunk-size") ||
        (size >= POND_CHUNK_SIZE_MIN && size <= POND_CHUNK_SIZE_MAX && (size & (size - 1)) == 0))
        return 0;
    return cli_usage(c, err, "--chunk-size: expected a power of two from 4MiB to 64MiB, not '%s'",
                     cli_value(c, "chunk-size"));
}

static int tell(const struct cli *c, const char *dir, struct pond_error *err)
{
    struct pond *p = NULL;
    struct pond_info info = {0};
    int r = pond_open(&p, dir, POND_READ, err);
    if (r == 0)
        r = pond_get_info(p, &info, err);
    pond_close(p);
    if (r < 0)
        return r;
    if (c->json) {
        json_t *object = json_pack("{s:s, s:I}", "id", info.id, "txn", (json_int_t)info.txn);
        if (object == NULL)
            cli_die_nomem();
        cli_json_set_bytes(object, "path", dir);
        cli_put_json(object);
    } else if (!c->quiet) {
        fputs("made a pond in ", cli_out);
        cli_put_name(dir);
        fprintf(cli_out, " (%s)\n", info.id);
    }
    return 0;
}

int cmd_init(struct cli *c, struct pond_error *err)
{
    struct pond_init_options options = {
        .chunk_size = cli_number(c, "chunk-size", 0),
        .compression = compression_of(c),
        .command = c->command_line,
    };
    const char *dir = NULL;
    int r = choose_dir(c, &dir, err);
    if (r == 0)
        r = check_format(c, err);
    if (r == 0)
        r = check_chunk_size(c, options.chunk_size, err);
    if (r == 0)
        r = pond_init(dir, &options, err);
    return r < 0 ? r : tell(c, dir, err);
}
