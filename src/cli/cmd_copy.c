#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

struct copy {
    const struct cli *c;
    const char *const *sources;
    size_t source_count;
    const char *dest;
    struct words {
        char **items;
        size_t count;
    } excludes;
    struct progress progress;
    struct pond_copy_result result;
};

/* ---- exclude ---- */

static void add_word(struct words *words, const char *word)
{
    words->items = cli_realloc(words->items, words->count + 1, sizeof(*words->items));
    words->items[words->count] = strdup(word);
    if (words->items[words->count] == NULL)
        cli_die_nomem();
    words->count++;
}

static void release_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
}

static int read_excludes(const char *path, struct words *words, struct pond_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return cli_fail(err, errno == ENOENT ? POND_ENOTFOUND : errno == EACCES ? POND_EDENIED : POND_EIO,
                        "%s: cannot open: %s", path, strerror(errno));
    while ((size = getline(&line, &capacity, file)) > 0) {
        if (line[size - 1] == '\n')
            line[size - 1] = '\0';
        if (line[0] != '\0' && line[0] != '#')
            add_word(words, line);
    }
    int r = ferror(file) ? cli_fail(err, POND_EIO, "%s: cannot read: %s", path, strerror(errno)) : 0;
    free(line);
    fclose(file);
    return r;
}

static int collect_excludes(const struct cli *c, struct words *words, struct pond_error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->value_count; i++) {
        if (strcmp(c->values[i].flag->name, "exclude") == 0)
            add_word(words, c->values[i].text);
        else if (strcmp(c->values[i].flag->name, "exclude-from") == 0)
            r = read_excludes(c->values[i].text, words, err);
    }
    return r;
}

/* ---- progress ---- */

#define ESTIMATE_SECONDS 2.0

/* Sizes of all regular files below the sources; 0 when that takes long. What is excluded counts, so it is a guess. */
static uint64_t estimate(void *context)
{
    const struct copy *copy = context;
    char **sources = cli_realloc(NULL, copy->source_count + 1, sizeof(*sources));
    uint64_t total = 0;
    for (size_t i = 0; i < copy->source_count; i++)
        sources[i] = (char *)copy->sources[i];
    sources[copy->source_count] = NULL;

    FTS *walk = fts_open(sources, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    double start = cli_seconds();
    for (FTSENT *entry; walk != NULL && (entry = fts_read(walk)) != NULL;) {
        if (entry->fts_info == FTS_F)
            total += (uint64_t)entry->fts_statp->st_size;
        if (cli_cancel || cli_seconds() - start > ESTIMATE_SECONDS) {
            total = 0;
            break;
        }
    }
    if (walk != NULL)
        fts_close(walk);
    free(sources);
    return total;
}

/* ---- what is told on the way ---- */

static void on_skip(void *context, const char *host_path, const struct pond_error *why)
{
    const struct copy *copy = context;
    struct pond_error err = *why;
    cli_name_path(&err, host_path);
    if (err.path[0] == '\0')
        snprintf(err.path, sizeof(err.path), "%s", host_path);
    cli_print_error(copy->c, &err, EXIT_SKIPPED);
}

static void on_entry(void *context, const char *host_path, const char *pond_path, bool changed)
{
    const struct copy *copy = context;
    if (!cli_has(copy->c, "dry-run")) {
        cli_note(copy->c, "%s %s", changed ? "changed" : "added  ", pond_path);
        return;
    }
    cli_progress_clear();
    if (copy->c->json) {
        json_t *object = json_pack("{s:s}", "change", changed ? "changed" : "added");
        if (object == NULL)
            cli_die_nomem();
        cli_json_set_bytes(object, "path", pond_path);
        cli_json_set_bytes(object, "source", host_path);
        cli_put_json(object);
    } else {
        fputs(changed ? "changed  " : "added    ", cli_out);
        cli_put_name(pond_path);
        fputc('\n', cli_out);
    }
}

static void tell(const struct copy *copy, const struct pond_txn_result *txn, double seconds)
{
    const struct pond_copy_result *result = &copy->result;
    const struct cli *c = copy->c;
    bool dry_run = cli_has(c, "dry-run");
    if (c->json) {
        cli_put_json(json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:b}", "txn", (json_int_t)txn->txn,
                               "committed", txn->committed, "files", (json_int_t)result->files, "directories",
                               (json_int_t)result->directories, "unchanged", (json_int_t)result->unchanged, "skipped",
                               (json_int_t)result->skipped, "bytes", (json_int_t)result->bytes, "bytes_stored",
                               (json_int_t)result->bytes_stored, "seconds", cli_round_seconds(seconds), "dry_run",
                               dry_run));
        return;
    }
    if (c->quiet)
        return;
    char size[SIZE_TEXT];
    if (!dry_run)
        fprintf(cli_out, "txn %lld: ", (long long)txn->txn);
    if (!dry_run && !txn->committed)
        fputs("nothing changed", cli_out);
    else
        fprintf(cli_out, "%llu file%s, %s %s in %.1f s", (unsigned long long)result->files,
                cli_plural(result->files), cli_format_size(result->bytes, size), dry_run ? "to store" : "stored",
                seconds);
    fprintf(cli_out, ", %llu unchanged", (unsigned long long)result->unchanged);
    if (result->skipped > 0)
        fprintf(cli_out, ", %llu skipped", (unsigned long long)result->skipped);
    fputc('\n', cli_out);
}

/* ---- the work ---- */

static int copy_files(struct copy *copy, struct pond_txn *t, struct pond_error *err)
{
    bool dry_run = cli_has(copy->c, "dry-run");
    struct pond_copy_options options = {
        .exclude = (const char *const *)copy->excludes.items,
        .exclude_count = copy->excludes.count,
        .dry_run = dry_run,
        .force = cli_has(copy->c, "force"),
        .control = cli_control(copy->c, &copy->progress),
        .on_skip = on_skip,
        .on_entry = dry_run || copy->c->verbose ? on_entry : NULL,
        .context = copy,
    };
    copy->progress.estimate = estimate;
    copy->progress.context = copy;
    return pond_txn_copy(t, copy->sources, copy->source_count, copy->dest, &options, &copy->result, err);
}

static int copy_input(struct copy *copy, struct pond *p, struct pond_txn *t, struct pond_error *err)
{
    struct pond_control control = cli_control(copy->c, &copy->progress);
    struct pond_entry entry = {0};
    if (pond_stat(p, copy->dest, POND_AT_TIP, &entry, err) == 0 && entry.type == POND_DIRECTORY)
        return cli_usage(copy->c, err, "'%s' is a directory; with - DEST is the file to write", copy->dest);
    cli_signals_end_input();
    return pond_txn_write_fd(t, copy->dest, STDIN_FILENO, "standard input", 0, &control, err);
}

static int run(struct copy *copy, bool from_input, struct pond *p, struct pond_txn_result *txn,
               struct pond_error *err)
{
    struct pond_txn *t = NULL;
    int r = pond_begin(&t, p, copy->c->command_line, err);
    if (r < 0)
        return r;
    cli_progress_begin(&copy->progress, copy->c);
    r = from_input ? copy_input(copy, p, t, err) : copy_files(copy, t, err);
    cli_progress_end(&copy->progress);
    if (r == 0)
        r = cli_continue(err);
    if (r < 0 || cli_has(copy->c, "dry-run")) {
        pond_txn_abort(t);
        return r;
    }
    r = pond_txn_commit(t, txn, err);
    if (r == 0 && from_input) {
        copy->result.files = txn->files_added + txn->files_changed;
        copy->result.unchanged = copy->result.files == 0;
        copy->result.bytes = txn->bytes;
        copy->result.bytes_stored = txn->bytes_stored;
    }
    return r;
}

/* When none of the sources is there, nothing was copied but skipped: that is a failure. */
static int check_sources(const struct copy *copy, struct pond_error *err)
{
    struct stat st;
    for (size_t i = 0; i < copy->source_count; i++)
        if (lstat(copy->sources[i], &st) == 0 || (errno != ENOENT && errno != ENOTDIR))
            return 0;
    int r = cli_fail(err, POND_ENOTFOUND, "%s: no such file or directory%s", copy->sources[0],
                     copy->source_count > 1 ? ", nor is any other SRC there" : "");
    snprintf(err->path, sizeof(err->path), "%s", copy->sources[0]);
    return r;
}

static int check_input(const struct copy *copy, bool *from_input, struct pond_error *err)
{
    const struct cli *c = copy->c;
    *from_input = false;
    for (size_t i = 0; i < copy->source_count; i++)
        *from_input = *from_input || strcmp(copy->sources[i], "-") == 0;
    if (!*from_input)
        return check_sources(copy, err);
    if (copy->source_count > 1)
        return cli_usage(c, err, "- is standard input and must be the only SRC; a file of that name is ./-");
    if (copy->dest[strlen(copy->dest) - 1] == '/')
        return cli_usage(c, err, "'%s' is a directory; with - DEST is the file to write", copy->dest);
    if (cli_has(c, "dry-run"))
        return cli_usage(c, err, "--dry-run cannot tell what standard input holds");
    return 0;
}

int cmd_copy(struct cli *c, struct pond_error *err)
{
    struct copy copy = {
        .c = c,
        .sources = c->args,
        .source_count = c->arg_count - 1,
        .dest = c->args[c->arg_count - 1],
    };
    struct pond *p = NULL;
    struct pond_info info = {0};
    struct pond_txn_result txn = {0};
    bool from_input;
    double start = cli_seconds();
    int r = check_input(&copy, &from_input, err);
    if (r == 0)
        r = collect_excludes(c, &copy.excludes, err);
    if (r == 0)
        r = cli_open(c, POND_WRITE, &p, err);
    if (r == 0)
        r = pond_get_info(p, &info, err);
    txn.txn = info.txn;
    if (r == 0)
        r = run(&copy, from_input, p, &txn, err);
    pond_close(p);
    release_words(&copy.excludes);
    if (r < 0)
        return r;
    tell(&copy, &txn, cli_seconds() - start);
    return copy.result.skipped > 0 ? EXIT_SKIPPED : 0;
}
