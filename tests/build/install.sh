#!/usr/bin/env bash
# What is installed can be used: a program compiled with nothing but pkg-config runs against it, shared and static; the command
# runs from its place; and pond.pc is right for a multiarch library folder too.
set -eu
: "${POND_BUILD_DIR:?}" "${POND_SOURCE_DIR:?}"
cc=${CC:-cc}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
fail() { echo "FAIL: $1"; failed=1; }

prefix=/opt/pond
DESTDIR=$dir/root cmake --install "$POND_BUILD_DIR" --prefix $prefix >"$dir/log" || { cat "$dir/log"; exit 1; }
root=$dir/root$prefix
libdir=$(dirname "$(find "$root" -name libpond.so)")

for file in bin/pond include/pond/pond.h share/man/man1/pond.1 share/bash-completion/completions/pond share/zsh/site-functions/_pond; do
    [ -e "$root/$file" ] || fail "$file is not installed"
done
[ "$(find "$root" -name 'libpond.so.*' | wc -l)" -ge 2 ] || fail 'no libpond.so.VERSION with a soname link'
[ "$("$root/bin/pond" version)" = "$("$POND_BUILD_DIR/pond" version)" ] || fail 'the installed command does not run'

# The sanitizers of this build, if any, must be linked in too.
sanitize=$(sed -n 's/^POND_SANITIZE:STRING=\(..*\)/-fsanitize=\1/p' "$POND_BUILD_DIR/CMakeCache.txt")

# Nothing but the installed tree: pond.pc says where it is from its own place.
export PKG_CONFIG_PATH=$libdir/pkgconfig
for mode in shared static; do
    flags=$(pkg-config --cflags pond)
    if [ $mode = static ]; then
        libs="$libdir/libpond.a $(pkg-config --libs libzstd sqlite3 jansson) -pthread"
    else
        libs=$(pkg-config --libs pond)
    fi
    # shellcheck disable=SC2086 # lists of flags
    "$cc" -std=c17 $sanitize $flags "$POND_SOURCE_DIR/examples/store_and_backup.c" $libs -o "$dir/example-$mode" || {
        fail "the example does not compile ($mode)"
        continue
    }
    seq 1 100000 >"$dir/numbers"
    LD_LIBRARY_PATH=$libdir "$dir/example-$mode" "$dir/numbers" "$dir/pond-$mode" "$dir/remote-$mode" >"$dir/out" || fail "the example fails ($mode)"
    grep -q '^backed up: txn 1, 1 bundles$' "$dir/out" || { cat "$dir/out"; fail "the example did something else ($mode)"; }
    cmp "$dir/pond-$mode"/_large_files/*/chunks.parquet "$dir/remote-$mode"/files/bundle_id=*/part-*.parquet || failed=1
    "$root/bin/pond" -p "$dir/pond-$mode" cat /file | cmp - "$dir/numbers" || failed=1
done
readelf -d "$dir/example-shared" | grep -q 'libpond\.so\.0' || fail 'the example is not linked to the soname'

# A packager's prefix, with Debian's multiarch library folder.
cmake -S "$POND_SOURCE_DIR" -B "$dir/configured" -G Ninja -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib/multi-arch \
    -DPOND_TESTS=OFF ${BLAKE3_C_DIR:+-DBLAKE3_C_DIR="$BLAKE3_C_DIR"} >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
mkdir -p "$dir/usr/lib/multi-arch/pkgconfig" && cp "$dir/configured/pond.pc" "$dir/usr/lib/multi-arch/pkgconfig/"
found=$(PKG_CONFIG_PATH=$dir/usr/lib/multi-arch/pkgconfig pkg-config --variable=includedir pond)
[ "$(realpath -m "$found")" = "$dir/usr/include" ] || fail "pond.pc in lib/multi-arch says includedir=$found"

exit $failed
