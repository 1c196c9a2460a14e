/* Help as text. */
#include <string.h>

#include "cli/cli.h"

#define WIDTH 80

static void put_flag_usage(FILE *out, const struct flag *flag)
{
    fputs(" [", out);
    if (flag->letter != 0)
        fprintf(out, "-%c", flag->letter);
    else
        fprintf(out, "--%s", flag->name);
    if (flag->value != NULL)
        fprintf(out, " %s", flag->value);
    fprintf(out, "]%s", flag->repeatable ? "..." : "");
}

void cli_print_synopsis(FILE *out, const struct command *command)
{
    if (command == NULL) {
        fputs("pond [-p DIR] [--json] [-q | -v] [--no-progress] COMMAND [ARGS]", out);
        return;
    }
    fprintf(out, "pond %s", command->name);
    for (const struct flag *flag = command->flags; flag != NULL && flag->name != NULL; flag++)
        if (!flag->hidden)
            put_flag_usage(out, flag);
    for (const struct argument *argument = command->arguments; argument->name != NULL; argument++)
        fprintf(out, " %s%s%s%s", argument->optional ? "[" : "", argument->name, argument->optional ? "]" : "",
                argument->many ? "..." : "");
}

/* Words in lines of at most WIDTH; `column` is where the first line starts, those after it are indented. */
static void put_wrapped(FILE *out, const char *text, size_t text_size, size_t column, size_t indent)
{
    const char *end = text + text_size;
    bool first = true;
    while (text < end) {
        size_t size = 0;
        while (text + size < end && text[size] != ' ')
            size++;
        if (!first && column + 1 + size > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, size, out);
        column += size;
        first = false;
        text += size + (text + size < end);
    }
    fputc('\n', out);
}

/* "term  meaning" with the meanings below each other. */
static void put_item(FILE *out, const char *term, size_t term_size, const char *meaning, size_t meaning_size,
                     size_t indent)
{
    fprintf(out, "  %.*s", (int)term_size, term);
    size_t column = 2 + term_size;
    if (column + 2 > indent) {
        fputc('\n', out);
        column = 0;
    }
    fprintf(out, "%*s", (int)(indent - column), "");
    put_wrapped(out, meaning, meaning_size, indent, indent);
}

static void put_flags(FILE *out, const struct flag *flags)
{
    for (const struct flag *flag = flags; flag->name != NULL; flag++) {
        char letter[] = "    ";
        char term[64];
        if (flag->hidden)
            continue;
        if (flag->letter != 0)
            snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
        int size = snprintf(term, sizeof(term), "%s--%s%s%s", letter, flag->name, flag->value != NULL ? " " : "",
                            flag->value != NULL ? flag->value : "");
        put_item(out, term, (size_t)size, flag->help, strlen(flag->help), 24);
    }
}

/* Paragraphs, or a list where a line has a tab. */
static void put_paragraphs(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        const char *tab = memchr(text, '\t', size);
        if (tab != NULL)
            put_item(out, text, (size_t)(tab - text), tab + 1, size - (size_t)(tab + 1 - text), 10);
        else if (size == 0)
            fputc('\n', out);
        else
            put_wrapped(out, text, size, 0, 0);
        text += size + (text[size] == '\n');
    }
}

static void put_command_list(FILE *out, const char *prefix)
{
    size_t size = strlen(prefix);
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        char term[64];
        if (strncmp(command->name, prefix, size) != 0)
            continue;
        int term_size = snprintf(term, sizeof(term), "%s", command->name);
        for (const char *const *alias = command->aliases; *alias != NULL; alias++)
            term_size += snprintf(term + term_size, sizeof(term) - (size_t)term_size, ", %s", *alias);
        put_item(out, term, (size_t)term_size, command->summary, strlen(command->summary), 28);
    }
}

void cli_print_overview(FILE *out)
{
    fprintf(out, "pond - %s\n\nUsage: ", cli_summary);
    cli_print_synopsis(out, NULL);
    fputs("\n\nCommands:\n", out);
    put_command_list(out, "");
    fputs("\nGlobal flags:\n", out);
    put_flags(out, cli_global_flags);
    fputs("\n'pond help COMMAND' shows the help of a command.\n", out);
    for (const struct topic *topic = cli_topics; topic->title != NULL; topic++) {
        fprintf(out, "\n%c", topic->title[0]);
        for (const char *p = topic->title + 1; *p != '\0'; p++)
            fputc(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p, out);
        fputs(":\n", out);
        put_paragraphs(out, topic->text);
    }
}

void cli_print_help(FILE *out, const struct command *command)
{
    fprintf(out, "pond %s - %s\n\nUsage: ", command->name, command->summary);
    cli_print_synopsis(out, command);
    fputc('\n', out);
    for (const char *const *alias = command->aliases; *alias != NULL; alias++)
        fprintf(out, "%spond %s\n", alias == command->aliases ? "Also:  " : "       ", *alias);
    if (command->text != NULL) {
        fputc('\n', out);
        put_paragraphs(out, command->text);
    }
    if (command->flags != NULL && !command->flags->hidden) {
        fputs("\nFlags:\n", out);
        put_flags(out, command->flags);
    }
    if (command->examples != NULL) {
        fputs("\nExamples:\n", out);
        for (const char *line = command->examples; *line != '\0';) {
            size_t size = strcspn(line, "\n");
            fprintf(out, "  %.*s\n", (int)size, line);
            line += size + (line[size] == '\n');
        }
    }
    fputs("\nGlobal flags: see 'pond help'.\n", out);
}

bool cli_print_group(FILE *out, const char *group)
{
    char prefix[32];
    bool found = false;
    snprintf(prefix, sizeof(prefix), "%s ", group);
    for (const struct command *command = cli_commands; command->name != NULL; command++)
        found = found || strncmp(command->name, prefix, strlen(prefix)) == 0;
    if (!found)
        return false;
    fprintf(out, "Usage: pond %s COMMAND [ARGS]\n\nCommands:\n", group);
    put_command_list(out, prefix);
    return true;
}
