#!/usr/bin/env bash
# Sourced by the scripts of this folder: a temporary directory to work in, a few asserts, and the count of failures,
# which end_tests turns into the exit code. POND_BIN is the command.
set -u
: "${POND_BIN:?the command to test}"
POND_BIN=$(realpath "$POND_BIN")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck disable=SC2034 # for the scripts
top=$(dirname "$(dirname "$here")")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
out=$tmp/.out
err=$tmp/.err
failures=0
unset POND

pond() { "$POND_BIN" "$@"; }

fail() # MESSAGE
{
    local i
    failures=$((failures + 1))
    printf 'FAIL:'
    for ((i = ${#BASH_LINENO[@]} - 2; i > 0; i--)); do
        [[ ${BASH_SOURCE[i + 1]} == */lib.sh ]] || printf ' line %s' "${BASH_LINENO[i]}"
    done
    printf ': %s\n' "$1"
}

# CODE COMMAND...: runs it; its output is in $out and $err.
expect()
{
    local code=$1 got
    shift
    "$@" >"$out" 2>"$err" </dev/null
    got=$?
    if [[ $got != "$code" ]]; then
        fail "exit code $got, expected $code: $*"
        sed 's/^/    /' "$out" "$err"
        return 1
    fi
}

# What the last command wrote, to the byte (a last newline apart).
expect_out()
{
    [[ $(cat "$out") == "$1" ]] || fail "output is '$(cat "$out")', expected '$1'"
}

# A line that matches an extended regular expression.
expect_line()
{
    grep -qaE -- "$1" "$out" || fail "output has no line like '$1': $(cat "$out")"
}

expect_no_line()
{
    ! grep -qaE -- "$1" "$out" || fail "output has a line like '$1': $(cat "$out")"
}

expect_error()
{
    grep -qaE -- "$1" "$err" || fail "standard error has no line like '$1': $(cat "$err")"
}

expect_empty() # FILE
{
    [[ ! -s $1 ]] || fail "expected nothing, got '$(cat "$1")'"
}

expect_same() # GOT EXPECTED
{
    [[ $1 == "$2" ]] || fail "got '$1', expected '$2'"
}

expect_same_files()
{
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

# The transaction number of the tip.
tip()
{
    pond log -n 1 --json | sed -E 's/^\{"txn": ([0-9]+),.*/\1/'
}

end_tests()
{
    ((failures == 0)) || echo "$failures failed"
    exit $((failures > 0))
}
