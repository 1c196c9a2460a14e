#!/usr/bin/env bash
# Names are raw bytes: not UTF-8, newlines, a leading dash, spaces, controls.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

pond -q init p || exit 1
export POND=$tmp/p
bad=$'caf\xe9'
lines=$'two\nlines'
mkdir src
touch -- "src/$bad" "src/$lines" src/-dash 'src/a space' $'src/esc\x1b[31m' "src/quote'" 'src/[x]' 'src/x*' src/xy
ln -s "$bad" src/link
(cd src && expect 0 pond -q copy -- -dash /dash && exit $failures) || fail 'a leading dash'
expect 0 pond list /dash
expect 0 pond -q copy src /src
expect 0 pond list /src
printf '%s\n' -dash '[x]' 'a space' "$bad" $'esc\x1b[31m' link "quote'" "$lines" 'x*' xy >want
expect_same_files "$out" want

for name in "$bad" "$lines" -dash 'a space' "quote'"; do
    printf '%s' "$name" >content
    pond -q copy - "/src/$name" <content || fail "copy - $name"
    expect 0 pond cat "/src/$name" && expect_same_files "$out" content
    expect 0 pond stat "/src/$name"
done
expect 0 pond export /src out
expect_same "$(cat "out/src/$bad")" "$bad"
expect_same "$(cat "out/src/$lines")" "$lines"

# A name that is a glob as well.
expect 0 pond list '/src/[x]' && expect_out '/src/[x]'
expect 0 pond list '/src/x*' && expect_out '/src/x*'
expect 0 pond list '/src/x?' && expect_out "$(printf '/src/x*\n/src/xy')"

# JSON: lossy, with the bytes beside.
expect 0 pond --json stat "/src/$bad"
expect_line $'"path": "/src/caf\xef\xbf\xbd", '
expect_line "\"name_base64\": \"$(printf %s "$bad" | base64)\""
expect_line "\"path_base64\": \"$(printf %s "/src/$bad" | base64)\""
expect 0 pond --json stat "/src/$lines" && expect_line '"name": "two\\nlines"' && expect_no_line base64
expect_same "$(wc -l <"$out")" 1
expect 0 pond --json stat /src/link && expect_line "\"target_base64\": \"$(printf %s "$bad" | base64)\""
expect 1 pond --json cat "/none/$bad" && expect_error '^\{"error": .*\}$' && expect_same "$(wc -l <"$err")" 1

# A message is one line, whatever the name.
expect 1 pond cat "/none/$lines" && expect_same "$(wc -l <"$err")" 1
expect_error 'two\\nlines'

# The command line in the log can be pasted into a shell.
expect 0 pond -q mkdir "/q '$bad" "/$lines"
expect 0 pond log -n 1
recorded=$(sed -E 's/.*  (pond -q mkdir .*)$/\1/' "$out")
words=()
eval "words=($recorded)"
expect_same "${words[3]-}" "/q '$bad"
expect_same "${words[4]-}" "/$lines"

# On a terminal controls are quoted.
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    script -qec "'$POND_BIN' list /src" /dev/null >"$out" </dev/null
    expect_no_line $'\x1b\\[31m'
    expect_line "esc.x1b\\[31m"
    expect_line "two.nlines"
fi

end_tests
