/* Completion for bash. It needs nothing of bash-completion, so it works where that is not installed. */
#include <string.h>

#include "cli/cli.h"

static const char head[] =
    "# bash completion for pond. Made by 'pond help --completion bash'.\n"
    "\n"
    "_pond_words()\n"
    "{\n"
    "    mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
    "}\n"
    "\n"
    "_pond_files() # -f or -d\n"
    "{\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen \"$1\" -- \"$cur\")\n"
    "}\n"
    "\n"
    "_pond_paths()\n"
    "{\n"
    "    local directory name typed=${cur//\\\\/}\n"
    "    typed=${typed#[\\'\\\"]}\n"
    "    [[ -z $typed || $typed == /* ]] || return\n"
    "    directory=${typed%/*}/\n"
    "    compopt -o filenames -o nospace 2>/dev/null\n"
    "    while IFS= read -r name; do\n"
    "        [[ $directory$name == \"$typed\"* ]] && COMPREPLY+=(\"$directory$name\")\n"
    "    done < <(\"${pond[@]}\" list -- \"$directory\" 2>/dev/null)\n"
    "}\n"
    "\n"
    "_pond_remotes()\n"
    "{\n"
    "    _pond_words \"$(\"${pond[@]}\" remote list 2>/dev/null | cut -f1)\"\n"
    "}\n"
    "\n"
    "_pond()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command='' word i count=0\n"
    "    local -a pond=(\"${COMP_WORDS[0]}\")\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case \"$command:$word\" in\n";

/* "copy:--exclude|copy:-x" */
static void put_flag_patterns(FILE *out, const char *command, const struct flag *flag, const char *before)
{
    fprintf(out, "%s'%s:--%s'", before, command, flag->name);
    if (flag->letter != 0)
        fprintf(out, " | '%s:-%c'", command, flag->letter);
}

static void put_flag_kinds(FILE *out, const struct command *command, bool with_value, const char *action)
{
    bool first = true;
    for (const struct flag *flag = command->flags; flag != NULL && flag->name != NULL; flag++)
        if (!flag->hidden && (flag->kind != VALUE_NONE) == with_value) {
            put_flag_patterns(out, command->name, flag, first ? "            " : " | ");
            first = false;
        }
    if (!first)
        fprintf(out, ") %s;;\n", action);
}

/* ":ls) command=list ;;", and for a command of two words, "remote:ls) ...". */
static void put_name_pattern(FILE *out, const char *name, const struct command *command)
{
    const char *space = strchr(name, ' ');
    if (space == NULL)
        fprintf(out, "            ':%s') command='%s' ;;\n", name, command->name);
    else
        fprintf(out, "            '%.*s:%s') command='%s' ;;\n", (int)(space - name), name, space + 1, command->name);
}

static void put_words_loop(FILE *out)
{
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        put_name_pattern(out, command->name, command);
        for (const char *const *alias = command->aliases; *alias != NULL; alias++)
            put_name_pattern(out, *alias, command);
        put_flag_kinds(out, command, true, "((i++)) ");
        put_flag_kinds(out, command, false, "");
    }
    fputs("            *:-p | *:--pond) pond+=(-p \"${COMP_WORDS[++i]}\") ;;\n"
          "            *:-*) ;;\n"
          "            :*) command=$word ;;\n"
          "            *) ((count++)) ;;\n"
          "        esac\n"
          "    done\n",
          out);
}

static void put_completion(FILE *out, enum complete complete)
{
    switch (complete) {
    case COMPLETE_NOTHING:
        break;
    case COMPLETE_HOST_FILE:
        fputs("_pond_files -f; ", out);
        break;
    case COMPLETE_HOST_DIRECTORY:
        fputs("_pond_files -d; ", out);
        break;
    case COMPLETE_POND_PATH:
        fputs("_pond_paths; ", out);
        break;
    case COMPLETE_REMOTE:
        fputs("_pond_remotes; ", out);
        break;
    case COMPLETE_COMMAND:
        fputs("_pond_words \"$commands\"; ", out);
        break;
    }
}

static void put_value_case(FILE *out, const char *command, const struct flag *flag)
{
    if (flag->hidden || flag->kind == VALUE_NONE)
        return;
    put_flag_patterns(out, command, flag, "        ");
    fputs(") ", out);
    if (flag->kind == VALUE_CHOICE) {
        fputs("_pond_words '", out);
        for (const char *p = flag->value; *p != '\0'; p++)
            fputc(*p == '|' ? ' ' : *p, out);
        fputs("'; ", out);
    }
    put_completion(out, flag->complete);
    fputs("return ;;\n", out);
}

static void put_values(FILE *out)
{
    fputs("    case \"$command:$previous\" in\n", out);
    for (const struct command *command = cli_commands; command->name != NULL; command++)
        for (const struct flag *flag = command->flags; flag != NULL && flag->name != NULL; flag++)
            put_value_case(out, command->name, flag);
    /* `mkdir -p` is no pond. */
    fputs("        mkdir:-p) ;;\n"
          "        *:-p | *:--pond) _pond_files -d; return ;;\n"
          "    esac\n",
          out);
}

static void put_flag_words(FILE *out, const struct flag *flags)
{
    for (const struct flag *flag = flags; flag != NULL && flag->name != NULL; flag++)
        if (!flag->hidden)
            fprintf(out, "--%s ", flag->name);
}

static void put_flags(FILE *out)
{
    fputs("    if [[ $cur == -* ]]; then\n        _pond_words '", out);
    put_flag_words(out, cli_global_flags);
    fputs("'\n        case $command in\n", out);
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        if (command->flags == NULL || command->flags->hidden)
            continue;
        fprintf(out, "            '%s') _pond_words '", command->name);
        put_flag_words(out, command->flags);
        fputs("' ;;\n", out);
    }
    fputs("        esac\n        return\n    fi\n", out);
}

/* What may stand at the count-th place. An argument of many words and the one that follows are offered together. */
static void put_arguments(FILE *out)
{
    fputs("    case \"$command:$count\" in\n", out);
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        const struct argument *arguments = command->arguments;
        for (size_t i = 0; arguments[i].name != NULL; i++) {
            bool after_many = i > 0 && arguments[i - 1].many;
            if (after_many) {
                fprintf(out, "        '%s':[1-9]*) ", command->name);
                put_completion(out, arguments[i - 1].complete);
            } else {
                fprintf(out, "        '%s:%zu') ", command->name, i);
            }
            put_completion(out, arguments[i].complete);
            fputs(";;\n", out);
            if (arguments[i].many && arguments[i + 1].name == NULL) {
                fprintf(out, "        '%s':[1-9]*) ", command->name);
                put_completion(out, arguments[i].complete);
                fputs(";;\n", out);
            }
        }
    }
    fputs("    esac\n", out);
}

static void put_commands(FILE *out)
{
    fputs("    local commands='", out);
    size_t last_size = 0;
    const char *last = "";
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        size_t size = strcspn(command->name, " ");
        if (size != last_size || memcmp(last, command->name, size) != 0)
            fprintf(out, "%.*s ", (int)size, command->name);
        last = command->name;
        last_size = size;
    }
    fputs("'\n", out);
}

static void put_command_words(FILE *out)
{
    fputs("    case $command in\n        '') _pond_words \"$commands\"; return ;;\n", out);
    const char *group = "";
    size_t group_size = 0;
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        size_t size = strcspn(command->name, " ");
        if (command->name[size] == '\0')
            continue;
        if (size != group_size || memcmp(group, command->name, size) != 0)
            fprintf(out, "%s        '%.*s') _pond_words '", group_size > 0 ? "'; return ;;\n" : "", (int)size,
                    command->name);
        group = command->name;
        group_size = size;
        fprintf(out, "%s ", command->name + size + 1);
    }
    fputs("'; return ;;\n    esac\n", out);
}

void cli_print_bash(FILE *out)
{
    fputs(head, out);
    put_words_loop(out);
    put_commands(out);
    put_values(out);
    put_flags(out);
    put_command_words(out);
    put_arguments(out);
    fputs("}\n\ncomplete -F _pond pond\n", out);
}
