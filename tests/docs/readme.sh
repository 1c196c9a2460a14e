#!/usr/bin/env bash
# What the documents show happens. All ```console blocks of a document are one session: each line that begins with "$ "
# is run, and its output must be what follows, but for numbers that differ from run to run (times, UUIDs, hashes, who and where).
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
PATH=$(dirname "$POND_BIN"):$PATH

normal() {
    sed -E 's/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/UUID/g
        s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,}Z/TIME/g
        s/ in [0-9.]+ s\b/ in N s/g
        s/\b([0-9a-f]{64}|[0-9a-f]{12})\b/HASH/g
        s/[^ ]+@[^ ]+/USER@HOST/g'
}

run() # FILE LINE COMMAND: in this shell, for `cd`
{
    eval "$3" >"$out" 2>&1 </dev/null || fail "$1:$2: exit code $?: $3"
}

check() # FILE LINE COMMAND: $out against $tmp/.shown
{
    diff <(normal <"$tmp/.shown") <(normal <"$out") || fail "$1:$2: < is shown, > is what happens: $3"
}

session() # FILE
{
    local inside=0 number=0 at=0 command='' line ran=0
    mkdir "$tmp/session" && cd "$tmp/session" || exit 1
    while IFS= read -r line; do
        number=$((number + 1))
        if [[ $inside == 0 ]]; then
            [[ $line != '```console' ]] || inside=1
            continue
        fi
        if [[ $line == '```' || $line == '$ '* ]]; then
            [[ -z $command ]] || check "$1" $at "$command"
            command=
        fi
        if [[ $line == '```' ]]; then
            inside=0
        elif [[ $line == '$ '* ]]; then
            command=${line#'$ '} at=$number
            : >"$tmp/.shown"
            run "$1" $at "$command"
            ran=$((ran + 1))
        else
            printf '%s\n' "$line" >>"$tmp/.shown"
        fi
    done <"$top/$1"
    cd "$tmp" && rm -rf "$tmp/session"
    echo "$1: $ran commands"
    commands=$((commands + ran))
}

commands=0
for document in "$top"/*.md "$top"/docs/*.md; do
    session "${document#"$top/"}"
done
[[ $commands -gt 10 ]] || fail "only $commands commands found"

# Files that the documents link to are there.
while IFS=: read -r file link; do
    target=${link#*](} && target=${target%%[#)]*}
    [[ -z $target || -e $(dirname "$file")/$target ]] || fail "$file: links to $target, which is not there"
done < <(grep -oE '\]\([^):]*\)' "$top"/*.md "$top"/docs/*.md /dev/null)

# So are the tests that they name.
while IFS= read -r name; do
    grep -qrF --include='test_*.c' "$name" "$top/tests" || fail "no test $name"
done < <(grep -ohE '\btest_[a-z_]+__[a-z0-9_]+' "$top"/*.md "$top"/docs/*.md | sort -u)
while IFS= read -r path; do
    [[ -e $top/$path ]] || fail "no $path"
done < <(grep -ohE '\b(tests|src|cmake|examples)/[a-z_]+/[A-Za-z0-9_.-]+\b' "$top"/*.md "$top"/docs/*.md | sort -u)

end_tests
