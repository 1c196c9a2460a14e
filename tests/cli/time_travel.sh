#!/usr/bin/env bash
# --at, --version: the pond as it was.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

pond -q init p || exit 1
export POND=$tmp/p
put() { printf '%s' "$1" | pond -q copy - "$2" || fail "put $2"; }
put one /f    # 1
put two /f    # 2
pond -q mkdir /d && pond -q mv /f /d/f # 3, 4
put other /f  # 5
pond -q rm -r /d # 6
expect_same "$(tip)" 6

expect 0 pond cat /f --at 1 && expect_out one
expect 0 pond cat /f --at 2 && expect_out two
expect 0 pond cat /d/f --at 5 && expect_out two
expect 1 pond cat /d/f
expect 1 pond cat /f --at 4
expect 1 pond cat /f --at 0
expect 0 pond cat /f && expect_out other
expect 0 pond cat /d/f --at 4 --version 1 && expect_out one
expect 1 pond cat /f --version 9
expect 1 pond cat /f --at 99

expect 0 pond list --at 0 && expect_empty "$out"
expect 0 pond list --at 1 && expect_out f
expect 0 pond list -R / --at 4 && expect_out "$(printf '/d/\n/d/f')"
expect 0 pond list '/*/f' --at 5 && expect_out /d/f
expect 0 pond list && expect_out f
expect 0 pond stat /f --at 1 && expect_line '^version +1 of txn 1,'
expect 0 pond stat /f --at 2 && expect_line '^version +2 of txn 2,' && expect_line '^version +1  txn +1 .*/f$'
expect_no_line 'txn +5'
expect 0 pond stat /d/f --at 5 && expect_line '^version +1  txn +1 .*/f$' && expect_line '^version .*/d/f$'
expect 0 pond export / out --at 5 && expect_same "$(cat out/f out/d/f 2>/dev/null || find out)" othertwo

# Times: the last transaction at or before it.
time_of() { pond show "$1" | sed -n 's/^time  *//p'; }
expect 0 pond cat /f --at "$(time_of 1)" && expect_out one
expect 0 pond cat /f --at "$(time_of 2)" && expect_out two
expect 0 pond show "$(time_of 3)" && expect_line '^txn +3$'
expect 0 pond list --at 2100-01-01T00:00:00Z && expect_out f
expect 0 pond list --at 2100-01-01 && expect_out f
expect 1 pond list --at 1999-01-01T00:00:00Z
expect 2 pond list --at 2100-13-01T00:00:00Z

# The past is only read.
put two /f
expect 0 pond cat /f --at 5 && expect_out other
end_tests
