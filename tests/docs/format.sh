#!/usr/bin/env bash
# docs/format.md is complete: format.py, written from it alone, makes the very bytes that pond stores.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
if ! command -v python3 >/dev/null || ! python3 -c '' 2>/dev/null; then
    echo 'skipped: no python3'
    exit 77
fi
: "${POND_EXAMPLES_DIR:?where the examples are built}"

# Contents: random ones, and some that compress.
: >empty
printf x >one
head -c 16384 /dev/urandom >block
head -c 102400 /dev/urandom >100k
head -c 5242880 /dev/urandom >5m
seq 1 90000 >numbers
cat numbers 100k numbers >mixed

pond -q init --chunk-size 4MiB --compression none p || fail init
export POND=$tmp/p
pond -q copy 100k 5m one empty / || fail copy
pond -q remote add r "$tmp/r" || fail 'remote add'
pond -q backup || fail backup

bundles=(@100k @5m)
encode() # FILE CHUNK_MIB COMPRESSION
{
    "$POND_EXAMPLES_DIR/encode_file" "$1" "$1-$3.parquet" "$2" "$3" >/dev/null || fail "encode_file $*"
    bundles+=("$1-$3.parquet=$1")
}
for content in empty one block; do
    encode $content 16 none
done
for content in empty numbers; do
    encode $content 4 zstd
done
encode mixed 4 auto
encode 100k 64 auto
python3 "$top/tests/docs/format.py" p r "${bundles[@]}" || fail 'format.py'

end_tests
