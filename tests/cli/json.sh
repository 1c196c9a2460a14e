#!/usr/bin/env bash
# --json: one object a line with the keys that scripts rely on; errors as one line on standard error.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# KEYS...: each line of the last output is an object that has them.
expect_keys()
{
    local key line lines=0
    while IFS= read -r line; do
        lines=$((lines + 1))
        [[ $line == '{'*'}' ]] || fail "no object: $line"
        for key in "$@"; do
            [[ $line == *"\"$key\": "* ]] || fail "no key $key in $line"
        done
    done <"$out"
    ((lines > 0)) || fail 'no output'
}

expect 0 pond --json init p && expect_keys id path txn
export POND=$tmp/p
mkdir src
echo one >src/a
head -c 200000 /dev/urandom >src/big
ln -s a src/link
expect 0 pond copy --json src /
expect_keys txn files unchanged skipped bytes bytes_stored seconds
expect_line '^\{"txn": 1, .*"files": 3, .*"unchanged": 0, "skipped": 0, "bytes": 20000[0-9], "bytes_stored": [0-9]+, '
expect 0 pond --json copy src / && expect_line '"txn": 1, .*"files": 0, .*"unchanged": 3, '
mkfifo src/fifo
expect 3 pond --json copy src / && expect_line '"skipped": 1, '
expect_error '^\{"error": \{"code": "unsupported", "exit": 3, "message": ".*fifo.*", "path": ".*src/fifo"\}\}$'
rm src/fifo
expect 0 pond --json copy -n src /fresh && expect_line '^\{"change": "added", "path": "/fresh/a", "source": ".*src/a"\}$'
echo two >input
pond --json copy - /in <input >"$out" || fail 'copy -'
expect_keys txn files unchanged skipped bytes bytes_stored seconds
expect_line '"bytes": 4, '

entry_keys=(path type size version txn mtime mode blake3 storage)
time='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.([0-9]{6}|[0-9]{9})Z'
expect 0 pond --json list /src && expect_keys "${entry_keys[@]}"
expect_same "$(wc -l <"$out")" 3
expect_line "^\{\"path\": \"/src/a\", .*\"type\": \"file\", \"size\": 4, \"version\": 1, \"txn\": 1, .*\"mtime\": \"$time\", \"mode\": [0-9]+, "
expect_line '"path": "/src/link", .*"target": "a"'
expect_line '"path": "/src/big", .*"size": 200000, .*"storage": "chunked"'
expect_line '"path": "/src/a", .*"blake3": "[0-9a-f]{64}", "storage": "inline"'
expect 0 pond --json list / && expect_line '"path": "/src", .*"type": "directory", .*"blake3": null, "storage": null'
expect 0 pond --json stat /src/a && expect_keys "${entry_keys[@]}" versions attributes
expect_same "$(wc -l <"$out")" 1
expect 0 pond --json log && expect_keys txn time command user host files_added files_changed files_removed bytes commit_blake3
expect_line "^\{\"txn\": 1, \"time\": \"$time\", \"command\": \"pond copy --json src /\", "
expect_same "$(wc -l <"$out")" 4
expect 0 pond --json show 1
expect_keys txn time command user host files_added files_changed files_removed bytes commit_blake3 changes
expect_same "$(wc -l <"$out")" 1
expect 0 pond --json mkdir /m && expect_keys txn committed
expect 0 pond --json mv /m /n && expect_keys txn committed
expect 0 pond --json rm -r /n && expect_keys txn committed
expect 0 pond --json export /src out && expect_keys files directories bytes seconds
expect 0 pond --json check --read-data && expect_keys entries bundles bytes_read damaged && expect_line '"damaged": 0\}$'
expect 0 pond --json gc && expect_keys files bytes
expect 0 pond --json version && expect_keys version
expect 0 pond --json status && expect_keys id role txn entries remotes

# A remote.
expect 0 pond --json remote add r "$tmp/remote" && expect_keys name url
expect 0 pond --json remote list && expect_keys name url
expect 0 pond --json backup -n && expect_keys txn bundles bytes_copied bytes_encoded seconds
expect 0 pond --json backup && expect_keys txn bundles bytes_copied bytes_encoded seconds
expect_line '"bundles": 1, "bytes_copied": [1-9][0-9]*, "bytes_encoded": 0, '
expect 0 pond --json status && expect_line '"remotes": \[\{"name": "r", "url": ".*", "txn": [0-9]+, "behind": 0\}\]\}$'
expect 0 pond --json restore "$tmp/remote" copy && expect_keys txn bundles bytes_copied bytes_encoded seconds
expect 0 pond -p copy --json pull && expect_keys txn bundles bytes_copied bytes_encoded seconds
expect 0 pond -p copy --json status && expect_line '"role": "replica"'
expect 12 pond -p copy --json mkdir /x && expect_error '^\{"error": \{"code": "denied", "exit": 12, '
expect 0 pond --json check r && expect_keys entries bundles bytes_read damaged

# Damage.
bundle=$(find p/_large_files -name chunks.parquet)
chmod u+w "$bundle"
printf 'X' | dd of="$bundle" bs=1 seek=5000 conv=notrunc status=none
expect 4 pond --json check --read-data
expect_line '^\{"damage": \{"what": "bundle", .*"path": ".*chunks.parquet".*\}\}$'
expect_line '"damaged": 1\}$'
expect_error '^\{"error": \{"code": "corrupt", "exit": 4, '
expect 4 pond check --read-data && expect_line '^damaged bundle: ' && expect_line ' read: 1 damaged$'
expect 4 pond cat /src/big && expect_error '^pond: /src/big: .*chunks.parquet: '
expect 4 pond export /src damaged && expect_error '^pond: damaged/src/big: .*chunks.parquet: '
expect_same "$(cat damaged/src/a)" one

# Errors.
expect 1 pond --json stat /none && expect_error '^\{"error": \{"code": "not_found", "exit": 1, "message": ".*", "path": "/none"\}\}$'
expect_empty "$out"

end_tests
