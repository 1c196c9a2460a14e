#!/usr/bin/env bash
# A layer sees the headers of the layers below it, and no others: with the flags that the build gives to a layer, each header
# of each layer either is found or is not, as DESIGN says.
set -u
cc=${CC:-cc}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
checked_found=0
checked_hidden=0

# What each layer may include, itself first.
declare -A below=(
    [base]="base"
    [bao]="bao base"
    [store]="store base"
    [parquet]="parquet base"
    [chunked]="chunked parquet bao base"
    [delta]="delta store base"
    [tlogfs]="tlogfs delta chunked parquet bao store base"
    [remote]="remote tlogfs delta chunked parquet bao store base"
)
declare -A public=([base]="error" [bao]="bao" [chunked]="chunked" [tlogfs]="fs" [remote]="remote")

include_flags() { # LAYER
    grep '"command"' "$POND_BUILD_DIR/compile_commands.json" | grep -F "layers/stub_$1.c\"" |
        grep -oE '(-I|-isystem )[^ "]+'
}

headers_of() { # LAYER
    local path name
    for path in "$POND_SOURCE_DIR/src/$1"/*.h; do
        [ ! -e "$path" ] || echo "$1/${path##*/}"
    done
    for name in ${public[$1]-}; do
        [ ! -e "$POND_SOURCE_DIR/include/pond/$name.h" ] || echo "pond/$name.h"
    done
}

compile() { # LAYER FILE ARGS...
    local layer=$1 file=$2
    shift 2
    # shellcheck disable=SC2046 # a list of flags
    "$cc" -std=c17 -D_GNU_SOURCE $(include_flags "$layer") "$file" "$@" 2>"$dir/log"
}

for layer in "${!below[@]}" cli; do
    if [ -z "$(include_flags "$layer")" ]; then
        echo "no compile command for layer $layer"
        exit 1
    fi
    : >"$dir/probe.c"
    : >"$dir/include.c"
    : >"$dir/expected"
    for other in "${!below[@]}"; do
        for header in $(headers_of "$other"); do
            printf '#if __has_include("%s")\nfound %s\n#endif\n' "$header" "$header" >>"$dir/probe.c"
            case " ${below[$layer]-} " in
            *" $other "*) ;;
            *) if [ "$layer" = cli ] && [ "${header%%/*}" = pond ]; then :; else
                checked_hidden=$((checked_hidden + 1))
                continue
            fi ;;
            esac
            checked_found=$((checked_found + 1))
            echo "found $header" >>"$dir/expected"
            echo "#include \"$header\"" >>"$dir/include.c"
        done
    done
    compile "$layer" "$dir/probe.c" -E -P | grep '^found' | sort >"$dir/seen"
    sort -o "$dir/expected" "$dir/expected"
    if ! diff "$dir/expected" "$dir/seen" >"$dir/diff"; then
        echo "layer $layer: < must see and does not, > sees and must not:"
        cat "$dir/diff"
        failed=1
    fi
    # What may be included also compiles, all together.
    if ! compile "$layer" "$dir/include.c" -fsyntax-only; then
        echo "layer $layer: its headers do not compile together"
        cat "$dir/log"
        failed=1
    fi
done

# And once as a developer would meet it.
echo '#include "base/os.h"' >"$dir/right.c"
compile store "$dir/right.c" -fsyntax-only || { echo "store does not compile with base/os.h"; failed=1; }
for header in "$POND_SOURCE_DIR"/src/remote/*.h; do
    [ -e "$header" ] || continue
    echo "#include \"remote/${header##*/}\"" >"$dir/wrong.c"
    if compile tlogfs "$dir/wrong.c" -fsyntax-only; then
        echo "tlogfs compiles with remote/${header##*/}"
        failed=1
    fi
done

echo "$checked_found includes found, $checked_hidden refused"
[ $checked_found -gt 0 ] && [ $checked_hidden -gt 0 ] || failed=1
exit $failed
