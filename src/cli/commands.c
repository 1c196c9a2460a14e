/* The table of commands, flags and topics. `pond help`, man/pond.1 and completions/ are made from it; after a change:
 *     pond help --man > man/pond.1; pond help --completion bash > completions/pond.bash; ... zsh > completions/_pond */
#include "cli/commands.h"

const char cli_summary[] = "local-first, transactional, versioned file store";

/* Rows that several commands have. */
#define FLAG_AT                                                     \
    {.name = "at", .kind = VALUE_TEXT, .value = "TXN", .help = "as the pond was at a transaction number or a time"}
#define FLAG_DRY_RUN(what) {.name = "dry-run", .letter = 'n', .help = what}
#define FLAG_THREADS                                                 \
    {.name = "threads", .letter = 'j', .kind = VALUE_NUMBER, .value = "N", \
     .help = "worker threads (default: one per processor)"}
#define FLAGS_END {.name = NULL}
#define NO_ARGUMENTS {{.name = NULL}}

const struct flag cli_global_flags[] = {
    {.name = "pond", .letter = 'p', .kind = VALUE_TEXT, .value = "DIR", .complete = COMPLETE_HOST_DIRECTORY,
     .help = "the pond (default: $POND, else the nearest parent directory that is one)"},
    {.name = "json", .help = "results and errors as JSON, one object a line"},
    {.name = "quiet", .letter = 'q', .help = "no summaries, no progress"},
    {.name = "verbose", .letter = 'v', .help = "name what is worked on, on standard error"},
    {.name = "no-progress", .help = "no progress line"},
    {.name = "help", .letter = 'h', .help = "show the help of the command"},
    {.name = "version", .help = "print the version", .hidden = true},
    FLAGS_END,
};

static const struct flag init_flags[] = {
    {.name = "format", .kind = VALUE_TEXT, .value = "FORMAT",
     .help = "how large files are held (default and only one: chunked)"},
    {.name = "chunk-size", .kind = VALUE_NUMBER, .value = "SIZE",
     .help = "a power of two, 4MiB to 64MiB (default: 16MiB; 64MiB for files over 64GiB)"},
    {.name = "compression", .kind = VALUE_CHOICE, .value = "auto|zstd|none",
     .help = "auto: zstd for chunks that it shrinks (default)"},
    FLAGS_END,
};

static const struct flag copy_flags[] = {
    FLAG_DRY_RUN("store nothing, list what would be stored"),
    {.name = "exclude", .kind = VALUE_TEXT, .value = "GLOB", .repeatable = true,
     .help = "leave out what matches: a name, or with a / the path below SRC"},
    {.name = "exclude-from", .kind = VALUE_TEXT, .value = "FILE", .repeatable = true, .complete = COMPLETE_HOST_FILE,
     .help = "globs from a file, one a line; # starts a comment"},
    {.name = "force", .help = "read also what looks unchanged"},
    FLAG_THREADS,
    FLAGS_END,
};

static const struct flag export_flags[] = {
    FLAG_AT,
    {.name = "overwrite", .kind = VALUE_CHOICE, .value = "always|if-changed|never",
     .help = "what happens to files that are there (default: always)"},
    FLAG_THREADS,
    FLAGS_END,
};

static const struct flag cat_flags[] = {
    {.name = "offset", .kind = VALUE_NUMBER, .value = "N", .help = "start at this byte"},
    {.name = "count", .kind = VALUE_NUMBER, .value = "N", .help = "at most so many bytes"},
    {.name = "version", .kind = VALUE_NUMBER, .value = "N", .help = "that version of the file"},
    FLAG_AT,
    FLAGS_END,
};

static const struct flag list_flags[] = {
    {.name = "long", .letter = 'l', .help = "type, size, mtime, version and short hash before each name"},
    {.name = "recursive", .letter = 'R', .help = "everything below, as full paths"},
    FLAG_AT,
    FLAGS_END,
};

static const struct flag at_flags[] = {FLAG_AT, FLAGS_END};

static const struct flag mkdir_flags[] = {
    {.name = "parents", .letter = 'p', .help = "make missing parents; an existing directory is fine"},
    FLAGS_END,
};

static const struct flag rm_flags[] = {
    {.name = "recursive", .letter = 'r', .help = "directories with all they hold"},
    FLAGS_END,
};

static const struct flag log_flags[] = {
    {.name = "limit", .letter = 'n', .kind = VALUE_NUMBER, .value = "N", .help = "at most so many transactions"},
    FLAGS_END,
};

static const struct flag backup_flags[] = {
    FLAG_DRY_RUN("send nothing, count what would be sent"),
    FLAG_THREADS,
    FLAGS_END,
};

static const struct flag restore_flags[] = {
    {.name = "at", .kind = VALUE_TEXT, .value = "TXN", .help = "only up to a transaction number or a time"},
    FLAG_THREADS,
    FLAGS_END,
};

static const struct flag thread_flags[] = {FLAG_THREADS, FLAGS_END};

static const struct flag check_flags[] = {
    {.name = "read-data", .help = "read and verify every byte"},
    {.name = "read-data-subset", .kind = VALUE_PART, .value = "N/T", .help = "read and verify part N of T of the data"},
    FLAG_THREADS,
    FLAGS_END,
};

static const struct flag gc_flags[] = {FLAG_DRY_RUN("remove nothing, list what would be removed"), FLAGS_END};

static const struct flag help_flags[] = {
    {.name = "man", .help = "the manual page", .hidden = true},
    {.name = "completion", .kind = VALUE_CHOICE, .value = "bash|zsh", .help = "the completion script", .hidden = true},
    FLAGS_END,
};

const struct command cli_commands[] = {
    {"init", {NULL}, cmd_init, {{"DIR", true, false, COMPLETE_HOST_DIRECTORY}}, init_flags, "make a pond",
     "Makes a pond in DIR, by default in the current directory. A directory that is a pond or is not empty is refused.",
     "pond init ~/mypond"},
    {"copy", {NULL}, cmd_copy,
     {{"SRC", false, true, COMPLETE_HOST_FILE}, {"DEST", false, false, COMPLETE_POND_PATH}}, copy_flags,
     "copy files and directories from the host into the pond",
     "Copies each SRC, directories with all they hold, to the pond path DEST, in one transaction. When DEST is a "
     "directory or ends in /, or when there are several SRC, they are put into it. What is unchanged is not stored "
     "again; when nothing changed no transaction is made.\n\n"
     "SRC - is standard input; DEST is then the file to write.\n\n"
     "Sources that cannot be read are named on standard error and skipped; the exit code is then 3.",
     "pond copy ~/photos /photos/ --exclude '*.tmp'\npg_dump db | pond copy - /dumps/db.sql"},
    {"export", {NULL}, cmd_export,
     {{"PATH", false, true, COMPLETE_POND_PATH}, {"DIR", false, false, COMPLETE_HOST_DIRECTORY}}, export_flags,
     "copy files and directories from the pond to the host",
     "Each PATH arrives in the host directory DIR, which is made when missing, under its last name, with all its "
     "metadata. A file appears whole and verified, or not at all.",
     "pond export /photos /tmp/out --at 2026-01-01"},
    {"cat", {NULL}, cmd_cat, {{"PATH", false, true, COMPLETE_POND_PATH}}, cat_flags,
     "write the content of files to standard output",
     "Every byte is verified before it is written. --offset and --count apply to each PATH. --offset and --count take "
     "sizes such as 64K or 16MiB.",
     "pond cat /dumps/db.sql --at 12 | psql db"},
    {"list", {"ls"}, cmd_list, {{"PATH|GLOB", true, false, COMPLETE_POND_PATH}}, list_flags,
     "list names",
     "Lists the entries of a directory (by default /), sorted by bytes; directories end in /. With a glob, or with "
     "-R, full paths are listed. In a glob * ? [...] match within a name, ** across directories; what exists under "
     "exactly that name is taken literally.",
     "pond list -l /photos\npond list '/**/*.jpg'"},
    {"stat", {NULL}, cmd_stat, {{"PATH", false, false, COMPLETE_POND_PATH}}, at_flags,
     "show everything known of one entry, and all its versions", NULL, NULL},
    {"mkdir", {NULL}, cmd_mkdir, {{"PATH", false, true, COMPLETE_POND_PATH}}, mkdir_flags, "make directories",
     "All in one transaction, or none. To name the pond, give its -p before mkdir.", NULL},
    {"rm", {NULL}, cmd_rm, {{"PATH", false, true, COMPLETE_POND_PATH}}, rm_flags, "remove files and directories",
     "All in one transaction, or none. What was removed stays in the history: see --at.", NULL},
    {"mv", {NULL}, cmd_mv,
     {{"OLD", false, false, COMPLETE_POND_PATH}, {"NEW", false, false, COMPLETE_POND_PATH}}, NULL,
     "move or rename a file or directory",
     "A file at NEW is replaced; an existing directory takes OLD in under its own name.", NULL},
    {"log", {NULL}, cmd_log, {{"PATH", true, false, COMPLETE_POND_PATH}}, log_flags,
     "list transactions, newest first", "With PATH those that changed it, or something below it.", NULL},
    {"show", {NULL}, cmd_show, {{"TXN", false, false, COMPLETE_NOTHING}}, NULL, "show what a transaction changed",
     NULL, NULL},
    {"remote add", {NULL}, cmd_remote_add,
     {{"NAME", false, false, COMPLETE_NOTHING}, {"URL", false, false, COMPLETE_HOST_DIRECTORY}}, NULL,
     "remember a place for backups",
     "URL is a directory or file:///dir; it is made when missing. The place is tried out, and refused when it holds "
     "another pond.",
     "pond remote add usb /media/usb/pond"},
    {"remote list", {"remote ls"}, cmd_remote_list, NO_ARGUMENTS, NULL, "list the remotes", NULL, NULL},
    {"remote remove", {"remote rm"}, cmd_remote_remove, {{"NAME", false, false, COMPLETE_REMOTE}}, NULL,
     "forget a remote", "Deletes nothing in the remote.", NULL},
    {"backup", {"push"}, cmd_backup, {{"NAME", true, false, COMPLETE_REMOTE}}, backup_flags,
     "copy to a remote what it lacks",
     "NAME may be left out when there is one remote. Files are copied byte for byte as the pond holds them. After an "
     "interruption, run it again.",
     NULL},
    {"restore", {NULL}, cmd_restore,
     {{"URL", false, false, COMPLETE_HOST_DIRECTORY}, {"DIR", false, false, COMPLETE_HOST_DIRECTORY}}, restore_flags,
     "make a new pond from a remote",
     "The new pond in DIR is a replica: it can be read and brought forward with pull, and takes writes after promote. "
     "A restore that was cut off continues when it is run again; a DIR that holds anything else is refused.",
     "pond restore /media/usb/pond ~/mypond"},
    {"pull", {NULL}, cmd_pull, {{"NAME", true, false, COMPLETE_REMOTE}}, thread_flags,
     "bring a replica forward", "NAME may be left out when there is one remote.", NULL},
    {"promote", {NULL}, cmd_promote, NO_ARGUMENTS, NULL, "make a replica a primary",
     "From now on it takes writes. Do this when the first primary is lost: two primaries of one pond are found out at "
     "the next backup or pull (exit code 13).",
     NULL},
    {"status", {NULL}, cmd_status, NO_ARGUMENTS, NULL, "show the pond, its tip, and how far its remotes are behind",
     NULL, NULL},
    {"check", {"verify", "fsck"}, cmd_check, {{"NAME", true, false, COMPLETE_REMOTE}}, check_flags,
     "look for damage in the pond or in a remote",
     "Without flags the structure is checked: the log and its hash chain, and that each file is there with the right "
     "size. Each finding is one line; the exit code is then 4. Nothing is changed.",
     "pond check --read-data\npond check usb --read-data-subset 3/30"},
    {"gc", {NULL}, cmd_gc, NO_ARGUMENTS, gc_flags, "remove files that no transaction names",
     "What interrupted work left behind. Nothing that a transaction names is ever removed.", NULL},
    {"help", {NULL}, cmd_help, {{"COMMAND", true, true, COMPLETE_COMMAND}}, help_flags, "show help", NULL, NULL},
    {"version", {NULL}, cmd_version, NO_ARGUMENTS, NULL, "print the version", NULL, NULL},
    {NULL, {NULL}, NULL, NO_ARGUMENTS, NULL, NULL, NULL, NULL},
};

const struct topic cli_topics[] = {
    {"PATHS",
     "Paths inside a pond are absolute, such as /logs/2026, and raw bytes; . and .. are resolved, never above /. Host "
     "paths are the shell's. -- ends the flags. Global flags are taken before and after the command; where a command "
     "has a flag of the same name, that one is meant after it.\n\n"
     "Numbers take K M G T and KiB MiB GiB TiB (powers of 1024). TXN is a transaction number, or an RFC 3339 time such "
     "as 2026-01-31T12:00:00Z or 2026-01-31: the last transaction at or before it."},
    {"OUTPUT",
     "Results go to standard output, all else to standard error. On a terminal, work that takes longer than a second "
     "shows a progress line, and names with control characters are quoted; elsewhere names are raw bytes.\n\n"
     "With --json each result is one JSON object a line: byte counts are integers, times RFC 3339 in UTC. Names that "
     "are not UTF-8 are lossy, with their bytes beside them in name_base64 and path_base64. A failure is one line "
     "{\"error\": {\"code\", \"exit\", \"message\", \"path\"}} on standard error."},
    {"EXIT STATUS",
     "0\tdone\n"
     "1\tfailed\n"
     "2\tusage: nothing was done\n"
     "3\tsome source files could not be read, all others are stored\n"
     "4\tdamage found\n"
     "10\tno pond, or no remote, there\n"
     "11\tanother writer holds the pond\n"
     "12\taccess denied\n"
     "13\thistories have diverged\n"
     "130\tinterrupted"},
    {"ENVIRONMENT", "POND\tthe pond, when -p is not given"},
    {NULL, NULL},
};
