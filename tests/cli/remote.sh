#!/usr/bin/env bash
# Backup, restore, pull and promote, as seen from outside: exit codes, summaries, two primaries.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

pond -q init p || exit 1
export POND=$tmp/p
head -c 300000 /dev/urandom >large
echo one >small
expect 0 pond -q copy large small /
expect 10 pond backup && expect_error 'remote add'
expect 0 pond remote add usb "$tmp/usb" && expect_line "^remote usb added: $tmp/usb$"
expect 1 pond remote add usb "$tmp/other"
expect 2 pond remote add 'a b' "$tmp/other"
expect 1 pond remote add far ftp://host/dir
expect 0 pond remote list && expect_out "usb	$tmp/usb"
expect 0 pond status && expect_line '^remote +usb, .*: empty'
expect 10 pond backup nobody
expect 10 pond check nobody
expect 10 pond restore "$tmp/nothing" x && expect_same "$(ls -d x 2>/dev/null)" ''

expect 0 pond backup -n && expect_line '^txn 1: 2 transactions, 1 bundle, .* to copy'
expect 0 pond status && expect_line ': empty'
expect 0 pond push && expect_line '^txn 1: 2 transactions, 1 bundle, .* copied in '
expect 0 pond backup usb && expect_line '^txn 1: nothing to copy$'
expect 0 pond check usb --read-data && expect_line ' read: 0 damaged$'

# A replica: the same files, no writes.
expect 0 pond restore "file://$tmp/usb" r && expect_line '^txn 1: 2 transactions, 1 bundle, '
diff -r -x _pond p r || fail 'the replica differs'
expect 0 pond restore "file://$tmp/usb" r && expect_line 'nothing to copy'
expect 0 pond -p r cat /large && expect_same_files "$out" large
expect 0 pond -p r status && expect_line '^role +replica$' && expect_line '^remote +origin, '
expect 12 pond -p r mkdir /x && expect_error promote
expect 1 pond restore "$tmp/usb" p
expect 1 pond restore "$tmp/usb" "$tmp" && expect_error "$tmp"

expect 0 pond status && expect_line ': up to date, txn 1$'
expect 0 pond -q mkdir /later
expect 0 pond status && expect_line ': 1 transaction behind, txn 1$'
expect 0 pond -q backup
expect 0 pond -p r status && expect_line '1 transaction ahead of this pond'
expect 0 pond -p r pull && expect_line '^txn 2: 1 transaction, '
expect 0 pond -p r list && expect_line '^later/$'
expect 0 pond pull && expect_line '^txn 2: nothing to copy' # a primary in step with its remote

# The past.
expect 0 pond restore "$tmp/usb" past --at 0 && expect 0 pond -p past list && expect_empty "$out"
expect 1 pond restore "$tmp/usb" future --at 99
expect 2 pond restore "$tmp/usb" never --at soon

# Two primaries.
expect 0 pond -p r promote && expect_line 'primary now'
expect 2 pond -p r promote
expect 0 pond -p r -q mkdir /mine
expect 0 pond -q mkdir /yours
expect 0 pond -q backup
expect 13 pond -p r backup && expect_error diverged
expect 13 pond -p r pull && expect_error diverged
expect 13 pond -p r --json backup && expect_error '^\{"error": \{"code": "diverged", "exit": 13, '

# One writer.
mkfifo pipe
"$POND_BIN" copy - /held <pipe >/dev/null 2>&1 &
exec 9>pipe
head -c 300000 /dev/zero >&9 # it is being read: the lock is held
expect 11 pond mkdir /second && expect_error '^pond: .*writing'
expect 0 pond list
exec 9>&-
wait

expect 0 pond remote remove usb && expect 0 pond remote list && expect_empty "$out"
expect 10 pond remote remove usb
[[ -d usb/files ]] || fail 'remove has deleted something'

end_tests
