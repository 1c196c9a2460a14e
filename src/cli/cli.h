/* cli/cli.h - what the commands share: the parsed command line, opening the pond, output, errors.
 *
 * Results go to cli_out (standard output), everything else to standard error. A command returns 0, a negative
 * POND_E* with its error set (main tells it), or a positive exit code after it told the failure itself.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <pond/pond.h>

#include "cli/commands.h"

#define EXIT_USAGE 2
#define EXIT_SKIPPED 3
#define EXIT_DAMAGE 4

struct flag_value {
    const struct flag *flag;
    const char *text;
};

struct cli {
    bool json, quiet, verbose;
    bool help; /* --help was given */
    const struct command *command; /* NULL: none was given */
    const char **args;
    size_t arg_count;
    struct flag_value *values;
    size_t value_count;
    char *command_line; /* as the log of the pond keeps it */
};

/* ---- parse.c ---- */

/* Fills c from the arguments; every flag's value has its form, the number of args is right. POND_EUSAGE. */
POND_CHECKED int cli_parse(struct cli *c, int argc, char **argv, struct pond_error *err);
void cli_release(struct cli *c);
/* The name must be one of the command's flags, or a global one. */
bool cli_has(const struct cli *c, const char *name);
/* The last one given, or NULL. */
const char *cli_value(const struct cli *c, const char *name);
uint64_t cli_number(const struct cli *c, const char *name, uint64_t otherwise);
/* The command of that name (of one or two words) or alias, or NULL. */
const struct command *cli_find_command(const char *name);
/* "usage: pond list ..." follows the message. Returns POND_EUSAGE. */
int cli_usage(const struct cli *c, struct pond_error *err, const char *format, ...) POND_PRINTF(3, 4);

/* ---- help.c ---- */

/* "pond list [-l] [PATH|GLOB]", in one line. */
void cli_print_synopsis(FILE *out, const struct command *command);
void cli_print_overview(FILE *out);
void cli_print_help(FILE *out, const struct command *command);
/* The subcommands of a group ("remote"). False: it is none. */
bool cli_print_group(FILE *out, const char *group);
void cli_print_man(FILE *out);         /* help_man.c */
void cli_print_bash(FILE *out);        /* help_bash.c */
void cli_print_zsh(FILE *out);         /* help_zsh.c */

/* ---- context.c ---- */

/* Set by the first SIGINT or SIGTERM; the second one kills. */
extern volatile int cli_cancel;
void cli_catch_signals(void);
/* From now on a signal ends the input too, so that a read that waits for it returns. */
void cli_signals_end_input(void);

/* Where the pond is: -p, $POND, or the nearest parent directory. */
POND_CHECKED int cli_open(const struct cli *c, int flags, struct pond **out, struct pond_error *err);
/* The transaction that --at names, else the tip. */
POND_CHECKED int cli_at(const struct cli *c, struct pond *p, int64_t *at, struct pond_error *err);
int cli_fail(struct pond_error *err, int code, const char *format, ...) POND_PRINTF(3, 4);
/* Puts the path in front of a message that names only what lies behind it, as that of a damaged bundle does. */
void cli_name_path(struct pond_error *err, const char *path);
double cli_seconds(void); /* monotonic */
/* Never fail: without memory the process ends. */
void *cli_realloc(void *block, size_t count, size_t size);
_Noreturn void cli_die_nomem(void);

/* ---- output.c ---- */

extern FILE *cli_out;
void cli_open_output(void);
/* Everything is written, or POND_EIO. */
POND_CHECKED int cli_close_output(struct pond_error *err);
/* 0, POND_EINTERRUPTED, or POND_EIO when the output can't be written: for loops and callbacks. */
POND_CHECKED int cli_continue(struct pond_error *err);
/* Nobody reads any more, which needs no message. */
bool cli_output_pipe_closed(void);
/* A name: raw bytes; on a terminal one that holds control characters is quoted as shells do. */
void cli_put_name(const char *name);
/* One object a line. Takes it; NULL means memory ran out. */
void cli_put_json(json_t *object);
/* One object whose last member is an array, written item by item: memory does not grow with it. */
void cli_begin_json_array(json_t *object, const char *key);
void cli_put_json_item(json_t *item);
void cli_end_json_array(void);

int cli_exit_code(int code);
/* On standard error: "pond: message", or one line of JSON. */
void cli_print_error(const struct cli *c, const struct pond_error *err, int exit_code);
/* What does not make the command fail. */
void cli_print_warning(const struct cli *c, const struct pond_error *err);
/* A line on standard error, with -v only, and not with --json. */
void cli_note(const struct cli *c, const char *format, ...) POND_PRINTF(2, 3);

/* ---- text.c ---- */

#define SIZE_TEXT 16
#define TIME_TEXT 40
bool cli_parse_number(const char *text, uint64_t *out);
const char *cli_format_size(uint64_t bytes, char out[SIZE_TEXT]);
/* RFC 3339, UTC; nanos (0 to 999) only when they are not 0. */
const char *cli_format_time(int64_t time_us, int32_t nanos, char out[TIME_TEXT]);
const char *cli_format_time_short(int64_t time_us, char out[TIME_TEXT]); /* whole seconds */
const char *cli_plural(uint64_t count); /* "" or "s" */
double cli_round_seconds(double seconds); /* to milliseconds */
const char *cli_format_hash(const uint8_t hash[POND_HASH_SIZE], char out[2 * POND_HASH_SIZE + 1]);
/* Bytes that are no printable UTF-8 text become \n, \x1b and so on. */
void cli_put_escaped(FILE *out, const char *bytes);
/* One word of a shell's command line, printable. */
void cli_put_shell_word(FILE *out, const char *bytes);
bool cli_is_printable(const char *bytes);
/* object[key] = bytes; when they are not UTF-8 a lossy text, and the bytes in <key>_base64. */
void cli_json_set_bytes(json_t *object, const char *key, const char *bytes);

/* ---- entry.c ---- */

json_t *cli_entry_json(const struct pond_entry *entry);
const char *cli_type_name(enum pond_type type);
const char *cli_storage_name(enum pond_storage storage); /* NULL: none */
/* The columns of `list -l`, without the name. */
void cli_put_columns(const struct pond_entry *entry);
/* The name (or, with full, the path); '/' after directories; " -> target" after symlinks when wanted. */
void cli_put_entry_name(const struct pond_entry *entry, bool full, bool with_target);

/* ---- progress.c ---- */

/* A line on standard error, shown only on a terminal and only for work that takes longer than a second. */
struct progress {
    bool wanted, shown;
    uint64_t done, total; /* total 0: unknown */
    double start, last;
    /* Asked once, when the first line is due, while the total is unknown; may be NULL. */
    uint64_t (*estimate)(void *context);
    void *context;
};
void cli_progress_begin(struct progress *progress, const struct cli *c);
void cli_progress_end(struct progress *progress);
/* Takes the line off before something else is printed. */
void cli_progress_clear(void);
void cli_progress_add(void *progress, uint64_t bytes);
/* Adds the sizes of what is at path and below, when a line is wanted. The work itself tells what fails. */
void cli_progress_add_total(struct progress *progress, struct pond *p, const char *path, int64_t at);
/* With -j, the cancel flag and the progress, once that has begun (NULL: none). */
struct pond_control cli_control(const struct cli *c, struct progress *progress);

#endif
