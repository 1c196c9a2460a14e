#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

#define PIECE ((size_t)1 << 20)

struct range {
    uint64_t offset, count;
};

static int write_range(struct pond_reader *reader, struct range range, char *buf, struct progress *progress,
                       struct pond_error *err)
{
    while (range.count > 0) {
        int r = cli_continue(err);
        if (r < 0)
            return r;
        int64_t n = pond_reader_read(reader, range.offset, buf, range.count < PIECE ? range.count : PIECE, err);
        if (n <= 0)
            return (int)n;
        fwrite(buf, 1, (size_t)n, cli_out);
        range.offset += (uint64_t)n;
        range.count -= (uint64_t)n;
        cli_progress_add(progress, (uint64_t)n);
    }
    return cli_continue(err);
}

/* One PATH. */
struct input {
    struct pond_reader *reader;
};

/* All are opened first: when one is not there, nothing is written. */
static int open_all(const struct cli *c, struct pond *p, struct input *inputs, struct pond_error *err)
{
    int64_t at;
    int64_t version = (int64_t)cli_number(c, "version", 0);
    int r = cli_at(c, p, &at, err);
    for (size_t i = 0; r == 0 && i < c->arg_count; i++) {
        r = pond_reader_open(&inputs[i].reader, p, c->args[i], at, version, err);
        if (r == POND_ECORRUPT)
            cli_name_path(err, c->args[i]);
    }
    return r;
}

static int write_all(const struct cli *c, const struct input *inputs, struct pond_error *err)
{
    struct range range = {cli_number(c, "offset", 0), cli_number(c, "count", UINT64_MAX)};
    struct progress progress = {0};
    char *buf = cli_realloc(NULL, PIECE, 1);
    cli_progress_begin(&progress, c);
    progress.wanted = progress.wanted && isatty(STDOUT_FILENO) != 1;
    for (size_t i = 0; i < c->arg_count; i++) {
        uint64_t size = pond_reader_size(inputs[i].reader);
        uint64_t rest = size > range.offset ? size - range.offset : 0;
        progress.total += rest < range.count ? rest : range.count;
    }
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->arg_count; i++) {
        r = write_range(inputs[i].reader, range, buf, &progress, err);
        if (r == POND_ECORRUPT)
            cli_name_path(err, c->args[i]);
    }
    cli_progress_end(&progress);
    free(buf);
    return r;
}

int cmd_cat(struct cli *c, struct pond_error *err)
{
    struct pond *p = NULL;
    if (cli_has(c, "version") && cli_number(c, "version", 0) == 0)
        return cli_usage(c, err, "--version: expected a number from 1");
    int r = cli_open(c, POND_READ, &p, err);
    if (r < 0)
        return r;
    struct input *inputs = calloc(c->arg_count, sizeof(*inputs));
    if (inputs == NULL)
        cli_die_nomem();
    r = open_all(c, p, inputs, err);
    if (r == 0)
        r = write_all(c, inputs, err);
    for (size_t i = 0; i < c->arg_count; i++)
        pond_reader_close(inputs[i].reader);
    free(inputs);
    pond_close(p);
    return r;
}
