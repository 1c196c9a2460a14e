#!/usr/bin/env bash
# libpond.so exports what the public headers declare with POND_API, and nothing else.
set -u
lib=$POND_BUILD_DIR/libpond.so
command -v nm >/dev/null || { echo "no nm"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export LC_ALL=C
nm -D --defined-only "$lib" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | sort >"$dir/exported"
cat "$POND_SOURCE_DIR"/include/pond/*.h | tr '\n' ' ' | grep -oE 'POND_API[^;{]*\(' |
    grep -oE 'pond_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$dir/declared"

grep -qx pond_version "$dir/exported" || { echo "pond_version is not exported"; exit 1; }
extra=$(grep -vxFf "$dir/declared" "$dir/exported")
if [ -n "$extra" ]; then
    echo "exported, but not declared POND_API in a public header:"
    echo "$extra"
    exit 1
fi
