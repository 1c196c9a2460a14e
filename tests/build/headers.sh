#!/usr/bin/env bash
# Each public header compiles alone, as C17 and as C++17, without warnings.
set -u
cc=${CC:-cc}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

compiles() { # NAME COMMAND...
    local name=$1
    shift
    if ! "$@" -fsyntax-only -Wall -Wextra -Wpedantic -Werror -I "$POND_SOURCE_DIR/include" "$dir/include.h.c" 2>"$dir/log"; then
        echo "$name does not compile alone: $*"
        cat "$dir/log"
        failed=1
    fi
}

# A compiler may be there without its C++ half.
echo 'int main() { return 0; }' >"$dir/probe.cc"
cxx=
"$cc" -x c++ -std=c++17 -fsyntax-only "$dir/probe.cc" 2>/dev/null && cxx=yes
[ -n "$cxx" ] || echo "no C++ compiler: only C17 checked"

for header in "$POND_SOURCE_DIR"/include/pond/*.h; do
    name=pond/${header##*/}
    printf '#include <%s>\n#include <%s>\nextern int not_empty;\n' "$name" "$name" >"$dir/include.h.c"
    compiles "$name" "$cc" -x c -std=c17
    [ -z "$cxx" ] || compiles "$name" "$cc" -x c++ -std=c++17
done
exit $failed
