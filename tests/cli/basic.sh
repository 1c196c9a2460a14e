#!/usr/bin/env bash
# From an empty directory to files, versions and back, as a user would.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

expect 0 pond init p && expect_line '^made a pond in p \([0-9a-f-]{36}\)$'
expect 1 pond init p && expect_error '^pond: '
mkdir full && touch full/file
expect 1 pond init full
expect_same "$(ls -A full)" file
mkdir empty
(cd empty && expect 0 pond init --chunk-size 4MiB --compression none && expect 0 pond status && exit $failures) ||
    fail 'init here'
export POND=$tmp/p

# copy
mkdir -p src/sub
echo one >src/a.txt
printf 'x' >src/sub/x
: >src/empty
ln -s a.txt src/link
head -c 300000 /dev/urandom >src/large
expect 0 pond copy src /data && expect_line '^txn 1: 5 files, .* stored in '
expect 0 pond copy src /data/ && expect_line '^txn 2: '
expect 0 pond list && expect_out 'data/'
expect 0 pond ls /data && expect_out "$(printf 'a.txt\nempty\nlarge\nlink\nsrc/\nsub/')"
expect 0 pond copy src /data/ && expect_line '^txn 2: nothing changed, 5 unchanged$'
expect_same "$(tip)" 2
expect 0 pond rm -r /data/src && expect_line '^txn 3: removed$'
expect 0 pond -q copy src/a.txt src/large /several/ && expect_empty "$out"
expect 0 pond list /several && expect_out "$(printf 'a.txt\nlarge')"
expect 0 pond copy -n src /fresh && expect_line '^added +/fresh/a.txt$' && expect_line '^5 files, .* to store'
expect 1 pond stat /fresh
expect_same "$(tip)" 4
echo piped | pond -q copy - /data/piped || fail 'copy -'
expect 0 pond cat /data/piped && expect_out piped
expect_same "$(tip)" 5
echo piped | pond -q copy - /data/piped || fail 'copy - again'
mkdir src/many && touch src/many/keep src/many/drop.tmp src/many/drop.log
printf '# comment\n\n*.log\n' >globs
expect 0 pond -q copy src/many / --exclude '*.tmp' --exclude-from globs
expect 0 pond list /many && expect_out keep

# What can't be stored is named, the rest is stored.
mkfifo src/many/fifo
expect 3 pond copy src/many /
expect_error 'src/many/fifo'
expect 0 pond list /many && expect_out "$(printf 'drop.log\ndrop.tmp\nkeep')"
expect 1 pond copy not-there /x && expect_error 'not-there'
expect 1 pond stat /x
expect 3 pond copy not-there src/a.txt /mixed/ && expect_error 'not-there'
expect 0 pond list /mixed && expect_out a.txt
expect 1 pond copy src/a.txt /x --exclude-from not-there

# list, stat, cat
expect 0 pond list -R /data
expect_out "$(printf '/data/%s\n' a.txt empty large link piped sub/ sub/x)"
expect 0 pond list /data/a.txt && expect_out /data/a.txt
expect 0 pond list '/data/*.txt' && expect_out /data/a.txt
expect 0 pond list '/**/x' && expect_out /data/sub/x
expect 0 pond list -R '/data/s*' && expect_out "$(printf '/data/sub/\n/data/sub/x')"
expect 1 pond list '/nothing/*'
expect 1 pond list /nothing
expect 0 pond list -l /data
expect_line '^file +4  [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z +1  [0-9a-f]{12}  a\.txt$'
expect_line '^directory +0 .* -  *sub/$'
expect_line '^symlink .*  link -> a\.txt$'
expect 0 pond stat /data/large && expect_line '^size +300000 ' && expect_line '^storage +chunked$' &&
    expect_line '^version +1  txn +1 '
expect 0 pond cat /data/large && expect_same_files "$out" src/large
expect 0 pond cat /data/large --offset 1000 --count 2K
tail -c +1001 src/large | head -c 2048 >want && expect_same_files "$out" want
expect 0 pond cat /data/large --offset 299999 --count 5
tail -c 1 src/large >want && expect_same_files "$out" want
expect 0 pond cat /data/large --offset 1G && expect_empty "$out"
expect 0 pond cat /data/empty && expect_empty "$out"
expect 0 pond cat /data/a.txt /data/sub/x /data/a.txt && expect_out "$(printf 'one\nxone')"
expect 1 pond cat /data/a.txt /data/none && expect_empty "$out"
expect 2 pond cat /data && expect_error directory

# mkdir, rm, mv
expect 0 pond mkdir /new /new/er && expect_line 'made$'
expect 1 pond mkdir /new && expect 0 pond mkdir -p /new
expect 1 pond mkdir /a/b/c && expect 0 pond mkdir -p /a/b/c
expect 1 pond mkdir /ok /a/b/c && expect 1 pond stat /ok
expect 1 pond rm /new && expect 0 pond rm -r /new && expect 1 pond stat /new/er
expect 1 pond rm /nothing
expect 0 pond mv /data/a.txt /a/b && expect 0 pond cat /a/b/a.txt && expect_out one
expect 0 pond mv /a/b/a.txt /data/a.txt && expect 1 pond stat /a/b/a.txt
expect 1 pond mv /nothing /a

# log, show
expect 0 pond log -n 1 && expect_same "$(wc -l <"$out")" 1
expect_line "^txn [0-9]+  .*  pond mv /a/b/a.txt /data/a.txt$"
expect 0 pond log && expect_same "$(wc -l <"$out")" $(($(tip) + 1))
expect 0 pond log /several && expect_same "$(wc -l <"$out")" 1
expect 0 pond show 1 && expect_line '^added .*  /data/sub/x$' && expect_line '^command  pond copy src /data$'
expect 0 pond show 3 && expect_line '^removed .*  /data/src/$'
expect 1 pond show 999

# export
touch -d '2020-02-03T04:05:06.123456789Z' src/sub/x && chmod 640 src/sub/x && expect 0 pond copy src/sub/x /data/sub/
expect 0 pond export /data /data/large exported && expect_line 'exported in'
expect_same_files exported/large src/large
expect_same_files exported/data/large src/large
expect_same "$(readlink exported/data/link)" a.txt
expect_same "$(stat -c '%a %.Y' exported/data/sub/x)" "$(stat -c '%a %.Y' src/sub/x)"
echo mine >exported/data/a.txt
expect 0 pond export /data exported --overwrite never && expect_same "$(cat exported/data/a.txt)" mine
expect 0 pond export /data exported --overwrite if-changed && expect_same "$(cat exported/data/a.txt)" one
expect 1 pond export /nothing exported

# check, gc, status
expect 0 pond check && expect_line 'read: 0 damaged$'
expect 0 pond check --read-data && expect_line ' 1 bundle, .* read: 0 damaged$'
expect 0 pond check --read-data-subset 1/2
expect 0 pond verify && expect 0 pond fsck
expect 0 pond gc -n && expect 0 pond gc && expect_line 'removed$'
expect 0 pond status && expect_line '^role +primary$'

end_tests
