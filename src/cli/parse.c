/* The command line, by the table in commands.c. Nothing is done before all of it has been understood. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

struct parser {
    struct cli *c;
    char **argv; /* ends with NULL */
    int i;
    const char *group; /* first word of a command of two, until the second one comes */
    bool flags_ended;
    struct pond_error *err;
};

int cli_usage(const struct cli *c, struct pond_error *err, const char *format, ...)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        cli_die_nomem();
    if (c->command != NULL)
        fprintf(out, "%s: ", c->command->name);
    va_list args;
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputs("; usage: ", out);
    cli_print_synopsis(out, c->command);
    if (fclose(out) != 0)
        cli_die_nomem();
    int r = cli_fail(err, POND_EUSAGE, "%s", text);
    free(text);
    return r;
}

/* ---- looking up ---- */

static const struct flag *find_in(const struct flag *flags, const char *name, size_t name_size, char letter)
{
    for (; flags != NULL && flags->name != NULL; flags++) {
        if (name != NULL ? strlen(flags->name) == name_size && memcmp(flags->name, name, name_size) == 0
                         : flags->letter == letter)
            return flags;
    }
    return NULL;
}

/* By name, or with name NULL by letter. A command's own flags come before the global ones. */
static const struct flag *find_flag(const struct cli *c, const char *name, size_t name_size, char letter)
{
    const struct flag *flag = NULL;
    if (c->command != NULL)
        flag = find_in(c->command->flags, name, name_size, letter);
    if (flag == NULL)
        flag = find_in(cli_global_flags, name, name_size, letter);
    /* `pond --version` is a habit, `pond list --version` a mistake. */
    if (c->command != NULL && flag != NULL && flag->hidden &&
        flag == find_in(cli_global_flags, name, name_size, letter))
        return NULL;
    return flag;
}

const struct command *cli_find_command(const char *name)
{
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
        for (const char *const *alias = command->aliases; *alias != NULL; alias++)
            if (strcmp(*alias, name) == 0)
                return command;
    }
    return NULL;
}

static bool is_group(const char *word)
{
    size_t size = strlen(word);
    for (const struct command *command = cli_commands; command->name != NULL; command++)
        if (strncmp(command->name, word, size) == 0 && command->name[size] == ' ')
            return true;
    return false;
}

/* "add, list or remove" */
static void print_group_words(FILE *out, const char *group)
{
    size_t size = strlen(group);
    const char *word = NULL;
    bool first = true;
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        if (strncmp(command->name, group, size) != 0 || command->name[size] != ' ')
            continue;
        if (word != NULL) {
            fprintf(out, "%s%s", first ? "" : ", ", word);
            first = false;
        }
        word = command->name + size + 1;
    }
    fprintf(out, " or %s", word);
}

static int fail_group(const struct parser *p, const char *word)
{
    char *words = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&words, &size);
    if (out == NULL)
        cli_die_nomem();
    print_group_words(out, p->group);
    if (fclose(out) != 0)
        cli_die_nomem();
    int r = word == NULL
                ? cli_fail(p->err, POND_EUSAGE, "%s: missing command, expected %s", p->group, words)
                : cli_fail(p->err, POND_EUSAGE, "%s: unknown command '%s', expected %s", p->group, word, words);
    free(words);
    return r;
}

/* ---- flags ---- */

static bool is_choice(const char *choices, const char *text)
{
    size_t size = strlen(text);
    while (*choices != '\0') {
        size_t word_size = strcspn(choices, "|");
        if (word_size == size && memcmp(choices, text, size) == 0)
            return true;
        choices += word_size + (choices[word_size] == '|');
    }
    return false;
}

/* "N/T", 1 <= N <= T, both of at most nine digits. */
static bool is_part(const char *text)
{
    size_t n_size = strspn(text, "0123456789");
    if (n_size == 0 || n_size > 9 || text[n_size] != '/')
        return false;
    const char *of = text + n_size + 1;
    size_t of_size = strspn(of, "0123456789");
    if (of_size == 0 || of_size > 9 || of[of_size] != '\0')
        return false;
    long n = strtol(text, NULL, 10);
    return n >= 1 && n <= strtol(of, NULL, 10);
}

static int check_value(const struct parser *p, const struct flag *flag, const char *text)
{
    uint64_t number;
    switch (flag->kind) {
    case VALUE_NUMBER:
        if (!cli_parse_number(text, &number))
            return cli_usage(p->c, p->err, "--%s: expected a number such as 12, 64K or 16MiB, not '%s'", flag->name,
                             text);
        break;
    case VALUE_CHOICE:
        if (!is_choice(flag->value, text))
            return cli_usage(p->c, p->err, "--%s: expected one of %s, not '%s'", flag->name, flag->value, text);
        break;
    case VALUE_PART:
        if (!is_part(text))
            return cli_usage(p->c, p->err, "--%s: expected N/T with 1 <= N <= T, not '%s'", flag->name, text);
        break;
    default:
        if (text[0] == '\0')
            return cli_usage(p->c, p->err, "--%s: expected %s, not an empty word", flag->name, flag->value);
    }
    return 0;
}

static int add_value(struct parser *p, const struct flag *flag, const char *text)
{
    struct cli *c = p->c;
    if (flag->kind != VALUE_NONE) {
        int r = check_value(p, flag, text);
        if (r < 0)
            return r;
    }
    c->values = cli_realloc(c->values, c->value_count + 1, sizeof(*c->values));
    c->values[c->value_count++] = (struct flag_value){flag, text};
    return 0;
}

/* The value that the next word gives. */
static int take_value(struct parser *p, const struct flag *flag)
{
    const char *text = p->argv[p->i];
    if (text == NULL)
        return cli_usage(p->c, p->err, "--%s: missing value, expected %s", flag->name, flag->value);
    p->i++;
    return add_value(p, flag, text);
}

static int parse_long(struct parser *p, const char *word)
{
    const char *name = word + 2;
    size_t name_size = strcspn(name, "=");
    const struct flag *flag = find_flag(p->c, name, name_size, 0);
    if (flag == NULL)
        return cli_usage(p->c, p->err, "unknown flag %.*s", (int)(name_size + 2), word);
    if (name[name_size] == '\0')
        return flag->kind == VALUE_NONE ? add_value(p, flag, NULL) : take_value(p, flag);
    if (flag->kind == VALUE_NONE)
        return cli_usage(p->c, p->err, "--%s takes no value", flag->name);
    return add_value(p, flag, name + name_size + 1);
}

/* "-l", "-lR", "-n5", "-n 5" */
static int parse_letters(struct parser *p, const char *word)
{
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const struct flag *flag = find_flag(p->c, NULL, 0, *letter);
        if (flag == NULL) {
            /* The whole character, should it be one of many bytes. */
            int size = 1;
            while (((unsigned char)letter[size] & 0xC0) == 0x80)
                size++;
            return cli_usage(p->c, p->err, "unknown flag -%.*s", size, letter);
        }
        int r;
        if (flag->kind == VALUE_NONE)
            r = add_value(p, flag, NULL);
        else
            return letter[1] == '\0' ? take_value(p, flag) : add_value(p, flag, letter + 1);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- words ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to change, add, leave out or swap with the next: optimal string alignment. Words of up to 31 bytes. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { MAX = 31 };
    size_t row[MAX + 1][MAX + 1];
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > MAX || b_size > MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= a_size; i++) {
        for (size_t j = 0; j <= b_size; j++) {
            if (i == 0 || j == 0) {
                row[i][j] = i + j;
                continue;
            }
            bool same = a[i - 1] == b[j - 1];
            row[i][j] = smaller(row[i - 1][j - 1] + !same, smaller(row[i - 1][j], row[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[i][j] = smaller(row[i][j], row[i - 2][j - 2] + 1);
        }
    }
    return row[a_size][b_size];
}

static int fail_unknown_command(const struct parser *p, const char *word)
{
    const char *nearest = NULL;
    size_t distance = 3;
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        size_t d = edit_distance(word, command->name);
        if (d < distance && 3 * d <= strlen(word)) {
            distance = d;
            nearest = command->name;
        }
    }
    if (nearest != NULL)
        return cli_fail(p->err, POND_EUSAGE, "unknown command '%s', did you mean '%s'? 'pond help' lists all commands",
                        word, nearest);
    return cli_fail(p->err, POND_EUSAGE, "unknown command '%s', 'pond help' lists all commands", word);
}

static int take_command(struct parser *p, const char *word)
{
    if (cli_has(p->c, "version"))
        return cli_usage(p->c, p->err, "--version takes no command");
    if (p->group == NULL) {
        p->c->command = strchr(word, ' ') == NULL ? cli_find_command(word) : NULL;
        if (p->c->command != NULL)
            return 0;
        if (!is_group(word))
            return fail_unknown_command(p, word);
        p->group = word;
        return 0;
    }
    char *name = NULL;
    if (asprintf(&name, "%s %s", p->group, word) < 0)
        cli_die_nomem();
    p->c->command = cli_find_command(name);
    free(name);
    return p->c->command != NULL ? 0 : fail_group(p, word);
}

static int take_word(struct parser *p, const char *word)
{
    struct cli *c = p->c;
    if (c->command == NULL)
        return take_command(p, word);
    if (word[0] == '\0')
        return cli_usage(c, p->err, "an argument is empty");
    c->args = cli_realloc(c->args, c->arg_count + 1, sizeof(*c->args));
    c->args[c->arg_count++] = word;
    return 0;
}

static int check_arguments(const struct cli *c, struct pond_error *err)
{
    size_t least = 0;
    size_t most = 0;
    assert(c->command != NULL);
    for (const struct argument *argument = c->command->arguments; argument->name != NULL; argument++) {
        least += !argument->optional;
        most = argument->many ? SIZE_MAX / 2 : most + 1;
    }
    if (c->arg_count < least)
        return cli_usage(c, err, "missing %s", c->command->arguments[c->arg_count].name);
    if (c->arg_count > most)
        return cli_usage(c, err, "unexpected argument '%s'", c->args[most]);
    return 0;
}

/* `pond -h`, `pond remote -h`, `pond --version` do without a command. */
static int stand_in(struct parser *p)
{
    struct cli *c = p->c;
    bool version = cli_has(c, "version");
    if (!c->help && !version)
        return p->group != NULL ? fail_group(p, NULL)
                                : cli_usage(c, p->err, "missing command, 'pond help' lists all commands");
    c->command = cli_find_command(c->help ? "help" : "version");
    c->help = false;
    if (p->group != NULL)
        return take_word(p, p->group);
    return 0;
}

static char *join_command_line(char **argv)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        cli_die_nomem();
    fputs("pond", out);
    for (char **word = argv + 1; *word != NULL; word++) {
        fputc(' ', out);
        cli_put_shell_word(out, *word);
    }
    if (fclose(out) != 0)
        cli_die_nomem();
    return text;
}

int cli_parse(struct cli *c, int argc, char **argv, struct pond_error *err)
{
    struct parser p = {.c = c, .argv = argv, .i = argc > 0 ? 1 : 0, .err = err};
    /* An error before --json is told as JSON too. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        c->json = c->json || strcmp(argv[i], "--json") == 0;

    while (argv[p.i] != NULL) {
        const char *word = argv[p.i++];
        int r = 0;
        if (p.flags_ended || word[0] != '-' || word[1] == '\0')
            r = take_word(&p, word);
        else if (word[1] != '-')
            r = parse_letters(&p, word);
        else if (word[2] != '\0')
            r = parse_long(&p, word);
        else
            p.flags_ended = true;
        if (r < 0)
            return r;
    }
    c->json = cli_has(c, "json");
    c->quiet = cli_has(c, "quiet");
    c->verbose = cli_has(c, "verbose");
    c->help = cli_has(c, "help");
    if (c->quiet && c->verbose)
        return cli_usage(c, err, "expected one of --quiet and --verbose, not both");
    if (c->command == NULL) {
        int r = stand_in(&p);
        if (r < 0)
            return r;
    }
    if (c->help)
        return 0;
    c->command_line = join_command_line(argv);
    return check_arguments(c, err);
}

void cli_release(struct cli *c)
{
    free(c->args);
    free(c->values);
    free(c->command_line);
    *c = (struct cli){0};
}

/* ---- what was given ---- */

const char *cli_value(const struct cli *c, const char *name)
{
    const char *text = NULL;
    for (size_t i = 0; i < c->value_count; i++)
        if (strcmp(c->values[i].flag->name, name) == 0)
            text = c->values[i].text;
    return text;
}

bool cli_has(const struct cli *c, const char *name)
{
    for (size_t i = 0; i < c->value_count; i++)
        if (strcmp(c->values[i].flag->name, name) == 0)
            return true;
    return false;
}

uint64_t cli_number(const struct cli *c, const char *name, uint64_t otherwise)
{
    const char *text = cli_value(c, name);
    uint64_t number = otherwise;
    if (text != NULL) {
        bool valid = cli_parse_number(text, &number);
        assert(valid);
        (void)valid;
    }
    return number;
}
