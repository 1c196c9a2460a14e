/* cli/commands.h - what the command line consists of: the one source of parsing, help, man page and completions. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include <pond/error.h>

struct cli;

/* What a shell offers in a place. */
enum complete {
    COMPLETE_NOTHING,
    COMPLETE_HOST_FILE,
    COMPLETE_HOST_DIRECTORY,
    COMPLETE_POND_PATH,
    COMPLETE_REMOTE,
    COMPLETE_COMMAND,
};

enum value_kind {
    VALUE_NONE,   /* a switch */
    VALUE_TEXT,
    VALUE_NUMBER, /* 12, 64K, 16MiB */
    VALUE_CHOICE, /* `value` lists the words: "auto|zstd|none" */
    VALUE_PART,   /* N/T with 1 <= N <= T */
};

struct flag {
    const char *name;  /* the long one, without "--"; NULL ends a table */
    char letter;       /* 0: none */
    enum value_kind kind;
    const char *value; /* how the value is called; NULL for a switch */
    const char *help;
    enum complete complete;
    bool repeatable;
    bool hidden;
};

struct argument {
    const char *name; /* NULL ends the row */
    bool optional;
    bool many; /* one or more; only one of a command's arguments */
    enum complete complete;
};

#define ARGUMENTS_MAX 2
#define ALIASES_MAX 2

struct command {
    const char *name; /* of a subcommand two words: "remote add" */
    const char *aliases[ALIASES_MAX + 1];
    /* 0, a negative POND_E* with err set, or the exit code of a failure that was told already. */
    int (*run)(struct cli *c, struct pond_error *err);
    struct argument arguments[ARGUMENTS_MAX + 1];
    const struct flag *flags; /* may be NULL */
    const char *summary;
    const char *text;      /* paragraphs, parted by an empty line */
    const char *examples;  /* one a line, may be NULL */
};

/* A heading of the manual with its paragraphs or, when the text has tabs, its list: "term<TAB>meaning" lines. */
struct topic {
    const char *title;
    const char *text;
};

extern const struct command cli_commands[]; /* ends with name NULL */
extern const struct flag cli_global_flags[];
extern const struct topic cli_topics[]; /* ends with title NULL */
extern const char cli_summary[];

int cmd_init(struct cli *c, struct pond_error *err);
int cmd_copy(struct cli *c, struct pond_error *err);
int cmd_export(struct cli *c, struct pond_error *err);
int cmd_cat(struct cli *c, struct pond_error *err);
int cmd_list(struct cli *c, struct pond_error *err);
int cmd_stat(struct cli *c, struct pond_error *err);
int cmd_mkdir(struct cli *c, struct pond_error *err);
int cmd_rm(struct cli *c, struct pond_error *err);
int cmd_mv(struct cli *c, struct pond_error *err);
int cmd_log(struct cli *c, struct pond_error *err);
int cmd_show(struct cli *c, struct pond_error *err);
int cmd_remote_add(struct cli *c, struct pond_error *err);
int cmd_remote_list(struct cli *c, struct pond_error *err);
int cmd_remote_remove(struct cli *c, struct pond_error *err);
int cmd_backup(struct cli *c, struct pond_error *err);
int cmd_restore(struct cli *c, struct pond_error *err);
int cmd_pull(struct cli *c, struct pond_error *err);
int cmd_promote(struct cli *c, struct pond_error *err);
int cmd_status(struct cli *c, struct pond_error *err);
int cmd_check(struct cli *c, struct pond_error *err);
int cmd_gc(struct cli *c, struct pond_error *err);
int cmd_help(struct cli *c, struct pond_error *err);
int cmd_version(struct cli *c, struct pond_error *err);

#endif
