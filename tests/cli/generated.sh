#!/usr/bin/env bash
# The man page and the completions in the repository are what the command makes, and they work.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

regenerate="pond help --man >man/pond.1; pond help --completion bash >completions/pond.bash; ... zsh >completions/_pond"
same()
{
    local file=$1
    shift
    expect 0 pond help "$@" || return
    cmp "$out" "$top/$file" || fail "$file is out of date: $regenerate"
}
same man/pond.1 --man
same completions/pond.bash --completion bash
same completions/_pond --completion zsh

if command -v mandoc >/dev/null; then
    # The name of the operating system is not ours to tell.
    mandoc -Tlint "$top/man/pond.1" >"$out"
    expect_no_line '(WARNING|ERROR|UNSUPP|STYLE)'
fi
bash -n "$top/completions/pond.bash" || fail 'pond.bash is no bash'
if command -v zsh >/dev/null; then
    zsh -n "$top/completions/_pond" || fail '_pond is no zsh'
fi

# Completion in bash.
pond -q init p && export POND=$tmp/p
mkdir -p host/dir && touch host/file
pond -q mkdir -p /logs/2026 '/with space/x' || fail mkdir
pond -q copy host/file /logs/ || fail copy
pond -q remote add usb "$tmp/usb" || fail 'remote add'
# shellcheck source=/dev/null
. "$top/completions/pond.bash"

# EXPECTED WORDS...: the last word is the one being typed.
completes()
{
    local expected=$1
    shift
    COMP_WORDS=("$POND_BIN" "$@")
    COMP_CWORD=$#
    _pond
    expect_same "$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd,)" "$expected"
}
completes 'stat,status' sta
completes 'help' -q he
completes 'add,list,remove' remote ''
completes '--json' list --js
completes '--long' list --lo
completes '' list --at --lo
completes '/logs/,/with space/' list /
completes '/logs/2026/,/logs/file' cat /logs/
completes '/logs/file' list -l /logs/f
completes '/with space/x/' list '/with space/'
completes 'host/dir' init host/
completes 'host/dir,host/file' copy host/
completes '/logs/2026/' copy host/file /logs/2
completes 'usb' backup u
completes 'usb' check --read-data ''
completes 'always' export / --overwrite al
completes '' cat --offset ''
completes 'host/dir' -p host/
completes '/logs/' mkdir -p /lo
unset POND
completes '/logs/' -p "$tmp/p" ls /lo

end_tests
