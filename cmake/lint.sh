#!/usr/bin/env bash
# lint.sh BUILD_DIR: clang-tidy and cppcheck over src, shellcheck over all scripts, and the names that only src/base may
# use. Exit 1 when one of them finds something, after all have run.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:?usage: lint.sh BUILD_DIR}
failed=0

for tool in clang-tidy cppcheck shellcheck; do
    if ! command -v $tool >/dev/null; then
        echo "lint: $tool is missing (apt-get install clang-tidy cppcheck shellcheck)" >&2
        exit 1
    fi
done

step() { # NAME COMMAND...
    echo "lint: $1"
    shift
    "$@" || failed=1
}

# Allocation goes through base/mem.h, which the command does not see; the others have no bounds. Strings and comments are
# blanked first.
banned_names() {
    local unbounded='strcpy|strcat|sprintf|vsprintf|alloca|gets'
    local allocating='malloc|calloc|realloc|strdup|strndup|free|aligned_alloc|posix_memalign'
    local file names found=0
    while IFS= read -r file; do
        names="$unbounded|$allocating"
        case $file in src/cli/*) names=$unbounded ;; esac
        if "${CC:-cc}" -fpreprocessed -dD -E -P -x c "$file" 2>/dev/null | sed -E 's/"([^"\\]|\\.)*"/""/g' |
            grep -nE "(^|[^A-Za-z0-9_.>])($names) *\("; then
            echo "$file: calls a name that only src/base may use"
            found=1
        fi
    done < <(find src -name '*.[ch]' -not -path 'src/base/*' | sort)
    return $found
}

tidy() {
    find src -name '*.c' -print0 | sort -z | xargs -0 -r -n 4 -P "$(nproc)" clang-tidy -p "$build" --quiet 2>/dev/null
}

# Null pointers are left to clang-tidy, which knows what does not return.
check_cpp() {
    cppcheck --quiet --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
        --suppress=missingIncludeSystem --suppress=unusedFunction --suppress=normalCheckLevelMaxBranches \
        --suppress=nullPointer --suppress=nullPointerRedundantCheck \
        -D_GNU_SOURCE -DPOND_VERSION='""' '-Djson_object_foreach(o,k,v)=for(;;)' '-Djson_array_foreach(a,i,v)=for(;;)' \
        '-Djson_object_foreach_safe(o,n,k,v)=for(;;)' -I src -I include -j "$(nproc)" src
}

check_shell() {
    git ls-files -co --exclude-standard '*.sh' | xargs -r shellcheck -x -S warning
}

step "banned names" banned_names
step "shellcheck" check_shell
step "cppcheck" check_cpp
step "clang-tidy" tidy
[ $failed = 0 ] && echo "lint: clean"
exit $failed
