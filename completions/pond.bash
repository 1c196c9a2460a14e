# bash completion for pond. Made by 'pond help --completion bash'.

_pond_words()
{
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_pond_files() # -f or -d
{
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "$1" -- "$cur")
}

_pond_paths()
{
    local directory name typed=${cur//\\/}
    typed=${typed#[\'\"]}
    [[ -z $typed || $typed == /* ]] || return
    directory=${typed%/*}/
    compopt -o filenames -o nospace 2>/dev/null
    while IFS= read -r name; do
        [[ $directory$name == "$typed"* ]] && COMPREPLY+=("$directory$name")
    done < <("${pond[@]}" list -- "$directory" 2>/dev/null)
}

_pond_remotes()
{
    _pond_words "$("${pond[@]}" remote list 2>/dev/null | cut -f1)"
}

_pond()
{
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' word i count=0
    local -a pond=("${COMP_WORDS[0]}")
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case "$command:$word" in
            ':init') command='init' ;;
            'init:--format' | 'init:--chunk-size' | 'init:--compression') ((i++)) ;;
            ':copy') command='copy' ;;
            'copy:--exclude' | 'copy:--exclude-from' | 'copy:--threads' | 'copy:-j') ((i++)) ;;
            'copy:--dry-run' | 'copy:-n' | 'copy:--force') ;;
            ':export') command='export' ;;
            'export:--at' | 'export:--overwrite' | 'export:--threads' | 'export:-j') ((i++)) ;;
            ':cat') command='cat' ;;
            'cat:--offset' | 'cat:--count' | 'cat:--version' | 'cat:--at') ((i++)) ;;
            ':list') command='list' ;;
            ':ls') command='list' ;;
            'list:--at') ((i++)) ;;
            'list:--long' | 'list:-l' | 'list:--recursive' | 'list:-R') ;;
            ':stat') command='stat' ;;
            'stat:--at') ((i++)) ;;
            ':mkdir') command='mkdir' ;;
            'mkdir:--parents' | 'mkdir:-p') ;;
            ':rm') command='rm' ;;
            'rm:--recursive' | 'rm:-r') ;;
            ':mv') command='mv' ;;
            ':log') command='log' ;;
            'log:--limit' | 'log:-n') ((i++)) ;;
            ':show') command='show' ;;
            'remote:add') command='remote add' ;;
            'remote:list') command='remote list' ;;
            'remote:ls') command='remote list' ;;
            'remote:remove') command='remote remove' ;;
            'remote:rm') command='remote remove' ;;
            ':backup') command='backup' ;;
            ':push') command='backup' ;;
            'backup:--threads' | 'backup:-j') ((i++)) ;;
            'backup:--dry-run' | 'backup:-n') ;;
            ':restore') command='restore' ;;
            'restore:--at' | 'restore:--threads' | 'restore:-j') ((i++)) ;;
            ':pull') command='pull' ;;
            'pull:--threads' | 'pull:-j') ((i++)) ;;
            ':promote') command='promote' ;;
            ':status') command='status' ;;
            ':check') command='check' ;;
            ':verify') command='check' ;;
            ':fsck') command='check' ;;
            'check:--read-data-subset' | 'check:--threads' | 'check:-j') ((i++)) ;;
            'check:--read-data') ;;
            ':gc') command='gc' ;;
            'gc:--dry-run' | 'gc:-n') ;;
            ':help') command='help' ;;
            ':version') command='version' ;;
            *:-p | *:--pond) pond+=(-p "${COMP_WORDS[++i]}") ;;
            *:-*) ;;
            :*) command=$word ;;
            *) ((count++)) ;;
        esac
    done
    local commands='init copy export cat list stat mkdir rm mv log show remote backup restore pull promote status check gc help version '
    case "$command:$previous" in
        'init:--format') return ;;
        'init:--chunk-size') return ;;
        'init:--compression') _pond_words 'auto zstd none'; return ;;
        'copy:--exclude') return ;;
        'copy:--exclude-from') _pond_files -f; return ;;
        'copy:--threads' | 'copy:-j') return ;;
        'export:--at') return ;;
        'export:--overwrite') _pond_words 'always if-changed never'; return ;;
        'export:--threads' | 'export:-j') return ;;
        'cat:--offset') return ;;
        'cat:--count') return ;;
        'cat:--version') return ;;
        'cat:--at') return ;;
        'list:--at') return ;;
        'stat:--at') return ;;
        'log:--limit' | 'log:-n') return ;;
        'backup:--threads' | 'backup:-j') return ;;
        'restore:--at') return ;;
        'restore:--threads' | 'restore:-j') return ;;
        'pull:--threads' | 'pull:-j') return ;;
        'check:--read-data-subset') return ;;
        'check:--threads' | 'check:-j') return ;;
        mkdir:-p) ;;
        *:-p | *:--pond) _pond_files -d; return ;;
    esac
    if [[ $cur == -* ]]; then
        _pond_words '--pond --json --quiet --verbose --no-progress --help '
        case $command in
            'init') _pond_words '--format --chunk-size --compression ' ;;
            'copy') _pond_words '--dry-run --exclude --exclude-from --force --threads ' ;;
            'export') _pond_words '--at --overwrite --threads ' ;;
            'cat') _pond_words '--offset --count --version --at ' ;;
            'list') _pond_words '--long --recursive --at ' ;;
            'stat') _pond_words '--at ' ;;
            'mkdir') _pond_words '--parents ' ;;
            'rm') _pond_words '--recursive ' ;;
            'log') _pond_words '--limit ' ;;
            'backup') _pond_words '--dry-run --threads ' ;;
            'restore') _pond_words '--at --threads ' ;;
            'pull') _pond_words '--threads ' ;;
            'check') _pond_words '--read-data --read-data-subset --threads ' ;;
            'gc') _pond_words '--dry-run ' ;;
        esac
        return
    fi
    case $command in
        '') _pond_words "$commands"; return ;;
        'remote') _pond_words 'add list remove '; return ;;
    esac
    case "$command:$count" in
        'init:0') _pond_files -d; ;;
        'copy:0') _pond_files -f; ;;
        'copy':[1-9]*) _pond_files -f; _pond_paths; ;;
        'export:0') _pond_paths; ;;
        'export':[1-9]*) _pond_paths; _pond_files -d; ;;
        'cat:0') _pond_paths; ;;
        'cat':[1-9]*) _pond_paths; ;;
        'list:0') _pond_paths; ;;
        'stat:0') _pond_paths; ;;
        'mkdir:0') _pond_paths; ;;
        'mkdir':[1-9]*) _pond_paths; ;;
        'rm:0') _pond_paths; ;;
        'rm':[1-9]*) _pond_paths; ;;
        'mv:0') _pond_paths; ;;
        'mv:1') _pond_paths; ;;
        'log:0') _pond_paths; ;;
        'show:0') ;;
        'remote add:0') ;;
        'remote add:1') _pond_files -d; ;;
        'remote remove:0') _pond_remotes; ;;
        'backup:0') _pond_remotes; ;;
        'restore:0') _pond_files -d; ;;
        'restore:1') _pond_files -d; ;;
        'pull:0') _pond_remotes; ;;
        'check:0') _pond_remotes; ;;
        'help:0') _pond_words "$commands"; ;;
        'help':[1-9]*) _pond_words "$commands"; ;;
    esac
}

complete -F _pond pond
