/* The manual page, man(7). */
#include <string.h>

#include "cli/cli.h"

#define MAN_DATE "2026-11-24"

static const char *escape_of(char c)
{
    switch (c) {
    case '\\': return "\\e";
    case '-': return "\\-";
    case '\'': return "\\(aq";
    case '~': return "\\(ti";
    case '^': return "\\(ha";
    case '`': return "\\(ga";
    default: return NULL;
    }
}

/* Text in which nothing is a request or an escape, in lines of some 70 columns. */
static void put_text(FILE *out, const char *text, size_t size)
{
    size_t column = 0;
    for (const char *p = text; p < text + size; p++) {
        const char *escape = escape_of(*p);
        size_t word_size = strcspn(p + 1, " \n");
        char c = *p == ' ' && column + word_size > 70 ? '\n' : *p;
        if (column == 0 && c == '.')
            fputs("\\&", out);
        if (escape != NULL)
            fputs(escape, out);
        else
            fputc(c, out);
        column = c == '\n' ? 0 : column + 1;
    }
}

static void put_string(FILE *out, const char *text)
{
    put_text(out, text, strlen(text));
}

static void put_italic(FILE *out, const char *text)
{
    fputs("\\fI", out);
    put_string(out, text);
    fputs("\\fR", out);
}

/* -n N, --limit N */
static void put_flag_term(FILE *out, const struct flag *flag)
{
    if (flag->letter != 0)
        fprintf(out, "\\fB\\-%c\\fR, ", flag->letter);
    fputs("\\fB\\-\\-", out);
    put_string(out, flag->name);
    fputs("\\fR", out);
    if (flag->value != NULL) {
        fputc(' ', out);
        put_italic(out, flag->value);
    }
}

static void put_flags(FILE *out, const struct flag *flags)
{
    for (const struct flag *flag = flags; flag != NULL && flag->name != NULL; flag++) {
        if (flag->hidden)
            continue;
        fputs(".TP\n", out);
        put_flag_term(out, flag);
        fputc('\n', out);
        put_string(out, flag->help);
        fputc('\n', out);
    }
}

/* Paragraphs, or a list where lines have tabs. */
static void put_paragraphs(FILE *out, const char *text)
{
    bool paragraph_due = false;
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        const char *tab = memchr(text, '\t', size);
        if (tab != NULL) {
            fputs(".TP\n\\fB", out);
            put_text(out, text, (size_t)(tab - text));
            fputs("\\fR\n", out);
            put_text(out, tab + 1, size - (size_t)(tab + 1 - text));
            fputc('\n', out);
        } else if (size == 0) {
            paragraph_due = true;
        } else {
            if (paragraph_due)
                fputs(".PP\n", out);
            paragraph_due = false;
            put_text(out, text, size);
            fputc('\n', out);
        }
        text += size + (text[size] == '\n');
    }
}

static void put_synopsis(FILE *out, const struct command *command)
{
    fputs("\\fBpond ", out);
    put_string(out, command->name);
    fputs("\\fR", out);
    for (const struct flag *flag = command->flags; flag != NULL && flag->name != NULL; flag++) {
        if (flag->hidden)
            continue;
        fputs(" [\\fB\\-", out);
        if (flag->letter != 0) {
            fputc(flag->letter, out);
        } else {
            fputs("\\-", out);
            put_string(out, flag->name);
        }
        fputs("\\fR", out);
        if (flag->value != NULL) {
            fputc(' ', out);
            put_italic(out, flag->value);
        }
        fprintf(out, "]%s", flag->repeatable ? "..." : "");
    }
    for (const struct argument *argument = command->arguments; argument->name != NULL; argument++) {
        fputs(argument->optional ? " [" : " ", out);
        put_italic(out, argument->name);
        fprintf(out, "%s%s", argument->optional ? "]" : "", argument->many ? "..." : "");
    }
    fputc('\n', out);
}

static void put_command(FILE *out, const struct command *command)
{
    fputs(".SS \"", out);
    put_string(out, command->name);
    for (const char *const *alias = command->aliases; *alias != NULL; alias++) {
        fputs(", ", out);
        put_string(out, *alias);
    }
    fputs("\"\n", out);
    put_synopsis(out, command);
    fputs(".PP\n", out);
    fputc(command->summary[0] - 'a' + 'A', out);
    put_string(out, command->summary + 1);
    fputs(".\n", out);
    if (command->text != NULL) {
        fputs(".PP\n", out);
        put_paragraphs(out, command->text);
    }
    put_flags(out, command->flags);
}

static void put_examples(FILE *out)
{
    fputs(".SH EXAMPLES\n.EX\n", out);
    for (const struct command *command = cli_commands; command->name != NULL; command++)
        if (command->examples != NULL) {
            put_string(out, command->examples);
            fputc('\n', out);
        }
    fputs(".EE\n", out);
}

void cli_print_man(FILE *out)
{
    fprintf(out, ".\\\" Made by 'pond help --man'.\n.TH POND 1 %s \"pond %s\" \"User Commands\"\n", MAN_DATE,
            pond_version());
    fputs(".SH NAME\npond \\- ", out);
    put_string(out, cli_summary);
    fputs("\n.SH SYNOPSIS\n"
          "\\fBpond\\fR [\\fB\\-p\\fR \\fIDIR\\fR] [\\fB\\-\\-json\\fR] [\\fB\\-q\\fR | \\fB\\-v\\fR] "
          "[\\fB\\-\\-no\\-progress\\fR] \\fICOMMAND\\fR [\\fIARGS\\fR]\n"
          ".SH DESCRIPTION\n",
          out);
    put_paragraphs(out,
                   "A pond is a directory that keeps files in transactions, with every version and the history of all "
                   "changes. Large files are encoded once, when they are written; backups and restores copy them byte "
                   "for byte, and every byte that is handed out was verified first. What a pond holds, at home and at "
                   "a remote, is plain Parquet under Delta Lake logs.");
    fputs(".SH \"GLOBAL FLAGS\"\n", out);
    put_flags(out, cli_global_flags);
    fputs(".SH COMMANDS\n", out);
    for (const struct command *command = cli_commands; command->name != NULL; command++)
        put_command(out, command);
    for (const struct topic *topic = cli_topics; topic->title != NULL; topic++) {
        fprintf(out, ".SH \"%s\"\n", topic->title);
        put_paragraphs(out, topic->text);
    }
    put_examples(out);
}
