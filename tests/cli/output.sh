#!/usr/bin/env bash
# What does not go well with the output, and signals.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

pond -q init p || exit 1
export POND=$tmp/p
head -c 300000 /dev/zero | pond -q copy - /zeros || fail 'copy -'

# A full disk, a closed output.
if [[ -c /dev/full ]]; then
    for command in 'cat /zeros' 'list' 'list --json' 'log' 'help' 'version' 'status' 'stat /zeros'; do
        # shellcheck disable=SC2086
        pond $command >/dev/full 2>"$err"
        expect_same $? 1
        expect_error '(^pond: |"message": ")standard output: cannot write: No space left on device("|$)'
    done
fi
pond list >&- 2>"$err"
expect_same $? 1
pond -q mkdir /closed >&- 2>&- <&- || fail 'nothing to write, nothing to fail'
expect 0 pond list /closed
pond cat /zeros 2>"$err" | head -c 1 >/dev/null
expect_empty "$err"

# Nothing but results with -q; no progress where no terminal is.
echo text >file
expect 0 pond -q copy file /file && expect_empty "$out" && expect_empty "$err"
expect 0 pond -q list && expect_line '^file$'
expect 0 pond -v copy file /again && expect_error '/again'
expect 0 pond copy file /once && expect_empty "$err"

# A signal while the input is waited for.
mkfifo pipe
"$POND_BIN" copy - /interrupted <pipe >"$out" 2>"$err" &
job=$!
exec 9>pipe
head -c 300000 /dev/zero >&9 # more than a pipe holds: it is being read
kill -TERM $job
wait $job
expect_same $? 130
exec 9>&-
expect_error '^pond: .*interrupted'
expect 1 pond stat /interrupted
expect 0 pond check

end_tests
