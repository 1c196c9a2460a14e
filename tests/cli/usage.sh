#!/usr/bin/env bash
# Wrong uses: exit 2, one line on standard error that says what was expected, nothing done.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

mkdir source
echo hello >source/hello
pond -q init pond || exit 1
export POND=$tmp/pond

state() { (cd "$tmp" && find . -not -path "*/_pond/*" -not -name ".out" -not -name ".err" | sort) && tip; }
before=$(state)

# PATTERN ARGUMENTS...
wrong()
{
    local pattern=$1
    shift
    expect 2 pond "$@" || return
    expect_empty "$out"
    expect_same "$(wc -l <"$err")" 1
    expect_error "^pond: .*$pattern"
    expect 2 pond --json "$@"
    expect_empty "$out"
    expect_same "$(wc -l <"$err")" 1
    expect_error '^\{"error": \{"code": "usage", "exit": 2, "message": ".*", "path": .*\}\}$'
}

wrong 'missing command'
wrong "unknown command 'nonsense'" nonsense
wrong "did you mean 'list'" lsit
wrong "unknown command 'migrate'" migrate --to raw
wrong "unknown command 'inspect'" inspect x.parquet
wrong "unknown command ''" ''
wrong 'expected add, list or remove' remote
wrong 'expected add, list or remove' remote rename a b
wrong "unknown command 'nonsense'" help nonsense
wrong 'missing value, expected DIR' -p
wrong 'not both' -q -v list
wrong 'unknown flag --bogus' --bogus list
wrong 'unknown flag --bogus' list --bogus
wrong 'unknown flag --bogus' list --bogus=1
wrong 'unknown flag -x' list -lx
wrong 'takes no value' list --long=yes
wrong 'takes no value' list --json=yes

for command in copy export cat stat mkdir rm mv show restore 'remote add' 'remote remove'; do
    # shellcheck disable=SC2086 # two words
    wrong "missing .*; usage: pond $command" $command
done
wrong 'missing DEST' copy source
wrong 'missing DIR' export /x
wrong 'missing NEW' mv /x
wrong 'missing URL' remote add name
wrong 'missing DIR' restore file:///x

for command in 'list / /x' 'stat /x /y' 'mv /x /y /z' 'log / /x' 'show 1 2' 'backup a b' 'pull a b' 'promote x' \
    'status x' 'check a b' 'gc x' 'version x' 'init new new2' 'remote list x' 'restore a new c'; do
    # shellcheck disable=SC2086
    wrong 'unexpected argument' $command
done
wrong 'an argument is empty' list ''

wrong 'not supported by this version' init new --format hybrid
wrong 'not supported by this version' init new --format raw
wrong 'expected chunked' init new --format zip
wrong 'expected a power of two' init new --chunk-size 5MiB
wrong 'expected a power of two' init new --chunk-size 1MiB
wrong 'expected a power of two' init new --chunk-size 128MiB
wrong 'expected a number' init new --chunk-size 16MB
wrong 'expected one of auto\|zstd\|none' init new --compression gzip
wrong 'not both' init new -p other
wrong 'expected a number' cat /x --offset -1
wrong 'expected a number' cat /x --count 1.5
wrong 'expected a number' cat /x --count 99999999999999999999
wrong 'expected a number' cat /x --count 9E
wrong 'missing value, expected N' cat /x --offset
wrong 'expected a number from 1' cat /x --version 0
wrong 'expected a number from 1' log -n 0
wrong 'expected one of always' export /x new --overwrite sometimes
wrong 'expected N/T' check --read-data-subset 0/3
wrong 'expected N/T' check --read-data-subset 4/3
wrong 'expected N/T' check --read-data-subset 1
wrong 'not both' check --read-data --read-data-subset 1/3
wrong 'the only SRC' copy - source /x
wrong 'the file to write' copy - /x/
wrong 'the file to write' copy - /
wrong 'cannot tell' copy -n - /x
wrong '' copy source relative
wrong '' list relative
wrong '' mkdir relative
wrong '' show yesterday
wrong '' list / --at yesterday
expect_same "$(state)" "$before"

# What is right and looks wrong.
expect 0 pond list -- /
expect 0 pond -- list /
expect 0 pond --pond="$POND" list
expect 0 pond -p"$POND" list
expect 0 pond list / -p "$POND" --no-progress
expect 0 pond log -n1
expect 0 pond log -n 1K
for word in --help -h; do
    expect 0 pond $word && expect_line '^Usage: pond'
    expect 0 pond list $word && expect_line '^Usage: pond list'
    expect 0 pond remote $word && expect_line 'remote add'
    expect 0 pond remote add $word && expect_line '^Usage: pond remote add'
done
expect 0 pond help && expect_no_line 'migrate|inspect|completion|--man'
for command in init copy export cat list stat mkdir rm mv log show 'remote add' 'remote list' 'remote remove' backup \
    restore pull promote status check gc help version ls push verify fsck; do
    # shellcheck disable=SC2086
    expect 0 pond help $command && expect_line '^Usage: pond '
done
expect 0 pond version && expect_line '^pond [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 pond --version && expect_line '^pond [0-9]'

# Which pond.
unset POND
expect 10 pond list && expect_error 'pond'
expect 10 pond -p source list
POND=$tmp/source expect 10 pond list
POND=$tmp/source expect 0 pond -p pond list
mkdir -p pond/_pond/deep
(cd pond/_pond/deep && expect 0 pond list && exit $failures) || fail 'the nearest parent'
expect 10 pond --json list && expect_error '^\{"error": \{"code": "no_pond", "exit": 10, '

end_tests
