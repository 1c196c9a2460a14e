/* Completion for zsh. */
#include <string.h>

#include "cli/cli.h"

static const char head[] =
    "#compdef pond\n"
    "# Made by 'pond help --completion zsh'.\n"
    "\n"
    "_pond_paths() {\n"
    "    local -a names\n"
    "    local directory=/\n"
    "    [[ $PREFIX == */* ]] && directory=${PREFIX%/*}/\n"
    "    compset -P '*/'\n"
    "    names=(${(f)\"$(_call_program paths $pond_command list -- ${(q)${(Q)directory}} 2>/dev/null)\"})\n"
    "    _wanted pond-paths expl 'pond path' compadd -S '' -a names\n"
    "}\n"
    "\n"
    "_pond_remotes() {\n"
    "    local -a names\n"
    "    names=(${${(f)\"$(_call_program remotes $pond_command remote list 2>/dev/null)\"}%%$'\\t'*})\n"
    "    _wanted remotes expl 'remote' compadd -a names\n"
    "}\n";

/* Text within single quotes and, in a specification, within brackets or between colons. */
static void put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\'", out);
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void put_action(FILE *out, enum complete complete)
{
    switch (complete) {
    case COMPLETE_NOTHING:
        fputc(' ', out);
        break;
    case COMPLETE_HOST_FILE:
        fputs("_files", out);
        break;
    case COMPLETE_HOST_DIRECTORY:
        fputs("_files -/", out);
        break;
    case COMPLETE_POND_PATH:
        fputs("_pond_paths", out);
        break;
    case COMPLETE_REMOTE:
        fputs("_pond_remotes", out);
        break;
    case COMPLETE_COMMAND:
        fputs("_pond_commands", out);
        break;
    }
}

/* '(-n --dry-run)'{-n,--dry-run}'[help]:VALUE:action' */
static void put_flag(FILE *out, const struct flag *flag)
{
    fputs(" \\\n        ", out);
    if (flag->repeatable)
        fputs("'*'", out);
    else if (flag->letter != 0)
        fprintf(out, "'(-%c --%s)'", flag->letter, flag->name);
    if (flag->letter != 0)
        fprintf(out, "{-%c,--%s}'[", flag->letter, flag->name);
    else
        fprintf(out, "'--%s[", flag->name);
    put_text(out, flag->help);
    fputc(']', out);
    if (flag->kind == VALUE_CHOICE) {
        fputs(":value:(", out);
        for (const char *p = flag->value; *p != '\0'; p++)
            fputc(*p == '|' ? ' ' : *p, out);
        fputc(')', out);
    } else if (flag->kind != VALUE_NONE) {
        fprintf(out, ":%s:", flag->value);
        put_action(out, flag->complete);
    }
    fputc('\'', out);
}

static bool has_letter(const struct command *command, char letter)
{
    for (const struct flag *flag = command->flags; letter != 0 && flag != NULL && flag->name != NULL; flag++)
        if (flag->letter == letter)
            return true;
    return false;
}

/* The global flags, but for those whose letter the command uses itself. command may be NULL. */
static void put_global_flags(FILE *out, const struct command *command)
{
    for (const struct flag *flag = cli_global_flags; flag->name != NULL; flag++)
        if (!flag->hidden && (command == NULL || !has_letter(command, flag->letter)))
            put_flag(out, flag);
}

/* '1:DIR:action', '*:PATH:action'. What follows an argument of many words is offered together with it. */
static void put_arguments(FILE *out, const struct command *command)
{
    for (size_t i = 0; command->arguments[i].name != NULL; i++) {
        const struct argument *argument = &command->arguments[i];
        const struct argument *next = argument + 1;
        if (argument->many && next->name != NULL) {
            fprintf(out, " \\\n        '1:%s:", argument->name);
            put_action(out, argument->complete);
            fprintf(out, "' \\\n        '*:%s or %s:{ ", argument->name, next->name);
            put_action(out, argument->complete);
            fputs("; ", out);
            put_action(out, next->complete);
            fputs(" }'", out);
            return;
        }
        fprintf(out, " \\\n        '%s:%s:", argument->many ? "*" : i == 0 ? "1" : "2", argument->name);
        put_action(out, argument->complete);
        fputc('\'', out);
    }
}

static void put_case(FILE *out, const struct command *command, size_t prefix_size)
{
    fprintf(out, "    %s", command->name + prefix_size);
    for (const char *const *alias = command->aliases; *alias != NULL; alias++)
        fprintf(out, "|%s", *alias + prefix_size);
    fputs(")\n        _arguments -s", out);
    for (const struct flag *flag = command->flags; flag != NULL && flag->name != NULL; flag++)
        if (!flag->hidden)
            put_flag(out, flag);
    put_global_flags(out, command);
    put_arguments(out, command);
    fputs("\n        ;;\n", out);
}

/* A function that describes the words; prefix "" for the commands, "remote " for those of a group. */
static void put_descriptions(FILE *out, const char *function, const char *prefix)
{
    size_t size = strlen(prefix);
    const char *group = NULL;
    fprintf(out, "\n%s() {\n    local -a commands\n    commands=(\n", function);
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        if (strncmp(command->name, prefix, size) != 0)
            continue;
        size_t word_size = strcspn(command->name + size, " ");
        bool is_group = command->name[size + word_size] == ' ';
        if (is_group && group != NULL && strncmp(group, command->name, word_size + 1) == 0)
            continue;
        fprintf(out, "        '%.*s:", (int)word_size, command->name + size);
        put_text(out, is_group ? "manage remotes" : command->summary);
        fputs("'\n", out);
        if (is_group)
            group = command->name;
    }
    fputs("    )\n    _describe -t commands command commands\n}\n", out);
}

/* The remote commands: the words after `remote`. */
static void put_group(FILE *out)
{
    fputs("\n_pond_remote() {\n    local state line\n    _arguments -C '1:command:_pond_remote_commands' "
          "'*::argument:->command' && return\n    case $words[1] in\n",
          out);
    for (const struct command *command = cli_commands; command->name != NULL; command++)
        if (strncmp(command->name, "remote ", 7) == 0)
            put_case(out, command, 7);
    fputs("    esac\n}\n", out);
}

void cli_print_zsh(FILE *out)
{
    fputs(head, out);
    put_descriptions(out, "_pond_commands", "");
    put_descriptions(out, "_pond_remote_commands", "remote ");
    put_group(out);
    fputs("\n_pond() {\n    local curcontext=$curcontext state line\n    typeset -A opt_args\n"
          "    local -a pond_command\n    _arguments -C",
          out);
    put_global_flags(out, NULL);
    fputs(" \\\n        '1:command:_pond_commands' \\\n        '*::argument:->command' && return\n"
          "    pond_command=(${(q)service})\n"
          "    [[ -n ${opt_args[-p]-${opt_args[--pond]}} ]] && pond_command+=(-p ${opt_args[-p]-${opt_args[--pond]}})\n"
          "    case $words[1] in\n",
          out);
    for (const struct command *command = cli_commands; command->name != NULL; command++)
        if (strchr(command->name, ' ') == NULL)
            put_case(out, command, 0);
    fputs("    remote) _pond_remote ;;\n    esac\n}\n\n_pond \"$@\"\n", out);
}
