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

check() { # LAYER HEADER SEEN(yes|no)
    local found=yes
    echo "#include \"$2\"" >"$dir/include.c"
    # shellcheck disable=SC2046 # a list of flags
    if ! "$cc" -std=c17 -D_GNU_SOURCE $(include_flags "$1") -E "$dir/include.c" -o /dev/null 2>"$dir/log"; then
        found=no
        # It must be this header that is missing, not something that it includes.
        grep -F "$2" "$dir/log" | grep -qE 'No such file|not found' || found=broken
    fi
    if [ "$found" != "$3" ]; then
        echo "layer $1 including $2: expected found=$3, is $found"
        head -3 "$dir/log"
        failed=1
    fi
    if [ "$3" = yes ]; then checked_found=$((checked_found + 1)); else checked_hidden=$((checked_hidden + 1)); fi
}

for layer in "${!below[@]}"; do
    if [ -z "$(include_flags "$layer")" ]; then
        echo "no compile command for layer $layer"
        exit 1
    fi
    for other in "${!below[@]}"; do
        seen=no
        case " ${below[$layer]} " in *" $other "*) seen=yes ;; esac
        for header in $(headers_of "$other"); do
            check "$layer" "$header" $seen
        done
    done
done

# The command sees the public headers only.
check cli pond/error.h yes
check cli base/os.h no
check cli bao/tree.h no

echo "$checked_found includes found, $checked_hidden refused"
[ $checked_found -gt 0 ] && [ $checked_hidden -gt 0 ] || failed=1
exit $failed
